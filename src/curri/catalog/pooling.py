"""A pooler before the server: one that keeps sessions is fine, one that hands out transactions loses locks."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from curri.errors import DatabaseError

WAIT_SECONDS = 3.0
"""How long a second connection is given to answer. A pooler that keeps sessions lets it wait while all are in use; one
that hands out transactions has at least the server that the first connection has just left."""

OTHERS = 2
"""Further connections: of two processes that listen at one port, two connections of three are at the same."""

ROUND = (0, 0, 1, 1, 0, 1, 2, 2, 0, 2, 1)
"""Who asks in which order: also a pooler that takes its servers in turn gives one to two, or two to one."""

Ask = Callable[[], int | None]


def refuse(connection: psycopg.Connection[Any], address: str) -> None:
    """Raise DatabaseError if a pooler in transaction mode stands between. Call it outside of a transaction.

    The cheap sign is asked first: a server tells its process with the connection (for cancelling) and by
    `pg_backend_pid()`, and both are the same unless somebody answers in its place. Only then are connections opened to
    see whether two are given the same server while both are open: never so directly, or where sessions are kept.
    """
    if _server(connection) == connection.info.backend_pid:
        return
    with ExitStack() as stack:
        asks: list[Ask] = [lambda: _server(connection)]
        asks += [stack.enter_context(_another(connection)) for _ in range(OTHERS)]
        shared = are_shared(asks)
    if shared:
        raise DatabaseError(
            "a pooler in transaction mode stands between: the lock that keeps two runs apart would be lost",
            where=address,
            hint="give curri the server's own address, or a pool in session mode (pool_mode=session)",
        )


def are_shared(asks: Sequence[Ask]) -> bool:
    """Return whether open connections, each idle between its answers, share servers: each tells its server's process.

    False also if one gets no answer (None): it waits for a server although the others use none, so those keep theirs.
    """
    seen: dict[int, int] = {}  # who was at this server
    at: dict[int, int] = {}  # which server this one was at
    for turn in ROUND:
        if turn >= len(asks):
            continue
        server = asks[turn]()
        if server is None:
            return False
        if seen.setdefault(server, turn) != turn or at.setdefault(turn, server) != server:
            return True
    return False


@contextmanager
def _another(connection: psycopg.Connection[Any]) -> Iterator[Ask]:
    """Open another connection by the same way when it is first asked, and close it at the end."""
    with ExitStack() as stack:
        opened: list[psycopg.Connection[Any]] = []

        def ask() -> int | None:
            try:
                if not opened:
                    opened.append(stack.enter_context(closing(_beside(connection))))
                return _answer(opened[0])
            except psycopg.Error:  # no room for another: where servers are shared there is
                return None

        yield ask


def _beside(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    info = connection.info
    given: dict[str, Any] = conninfo_to_dict(info.dsn)
    given.update(host=info.host, hostaddr=info.hostaddr, port=info.port)  # of several, the one that answered
    if info.password:
        given["password"] = info.password
    return psycopg.connect(make_conninfo(**given), autocommit=True)


def _server(connection: psycopg.Connection[Any]) -> int | None:
    """Return the process of the server that this connection is at."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row[0] if row else None


def _answer(connection: psycopg.Connection[Any]) -> int | None:
    """Return the same, None if no server answers in time: the connection is then of no more use."""
    pgconn = connection.pgconn
    pgconn.send_query(b"SELECT pg_backend_pid()")  # so short that it goes out at once
    deadline = time.monotonic() + WAIT_SECONDS
    while pgconn.is_busy():
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pgconn.socket], [], [], left)[0]:
            return None
        pgconn.consume_input()
    answers = []
    while (result := pgconn.get_result()) is not None:
        answers.append(result)
    if len(answers) != 1 or answers[0].status != pq.ExecStatus.TUPLES_OK:
        return None
    value = answers[0].get_value(0, 0)
    return None if value is None else int(value)
