"""A pooler between curri and the server: refused where it would lose a lock, and nowhere else."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from curri.catalog import pooling, runs
from curri.catalog.database import Database, connect
from curri.errors import BusyError, DatabaseError, ExitCode
from curri.flow import doctor
from curri.flow.preflight import Credentials

from .processes import ORDINARY
from .sessions import ask
from .waiting import until

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PORT = 6432  # no network port: it is part of the socket's name
pooler = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")

SETTINGS = """
[databases]
{name} = {target}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = {port}
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
server_round_robin = {in_turn}
logfile = {folder}/log
"""


@contextmanager
def pool(url: str, mode: str, *, size: int = 20, in_turn: bool = False) -> Iterator[str]:
    """Run PgBouncer before a database; yield its address."""
    assert PROGRAM is not None
    target = {**conninfo_to_dict(url), "user": conninfo_to_dict(url).get("user") or "postgres"}
    folder = Path(tempfile.mkdtemp(prefix="curri-pool-"))
    text = " ".join(f"{key}='{value}'" for key, value in target.items() if value != "" and key in KNOWN)
    settings = folder / "pgbouncer.ini"
    given = {"name": target["dbname"], "target": text, "folder": folder, "port": PORT}
    settings.write_text(SETTINGS.format(**given, mode=mode, size=size, in_turn=int(in_turn)))
    ORDINARY.give(folder)
    process = subprocess.Popen(
        [PROGRAM, "--quiet", str(settings)],
        user=ORDINARY.uid,
        group=ORDINARY.uid,
        extra_groups=[] if ORDINARY.uid is not None else None,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: listens(folder / f".s.PGSQL.{PORT}"))
        yield make_conninfo("", host=str(folder), port=PORT, dbname=target["dbname"], user="anybody")
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def listens(path: Path) -> bool:
    """Whether somebody answers at a socket: its file is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(path)) == 0


KNOWN = {"host", "port", "dbname", "user", "password"}

LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


@pooler
@pytest.mark.parametrize(
    ("size", "in_turn"), [(20, False), (20, True), (1, False)], ids=["usual", "in turn", "a single server"]
)
def test_a_pooler_that_hands_out_transactions_is_refused_before_anything_is_locked(
    url: str, size: int, *, in_turn: bool
) -> None:
    begin: list[Callable[[Database], object]] = [
        lambda database: database.lock("import"),
        lambda database: database.announce(1),
        lambda database: runs.begin(database, "edit", {}, "1.0"),
    ]
    with pool(url, "transaction", size=size, in_turn=in_turn) as pooled:
        if in_turn and size > 1:
            with ExitStack() as stack:  # several servers are there, and idle
                for _ in range(3):
                    stack.enter_context(psycopg.connect(pooled)).execute("SELECT 1")
        for each in begin:
            with connect(pooled) as database:
                database.require_tables()  # what only reads does not need a session
                with pytest.raises(DatabaseError, match="a pooler in transaction mode stands between") as caught:
                    each(database)
                assert caught.value.exit_code is ExitCode.DATABASE
                assert "the server's own address" in str(caught.value.hint)
                with database.transaction():
                    pass  # it is still of use
        assert ask(url, LOCKS) == 0
        assert ask(url, "SELECT count(*) FROM run") == 0


@pooler
def test_a_pooler_that_keeps_sessions_is_welcome_and_keeps_locks_apart(url: str) -> None:
    with pool(url, "session") as pooled:
        with connect(pooled) as first, connect(pooled) as second:
            first.lock("import")
            with pytest.raises(BusyError):
                second.lock("import")
            runs.begin(second, "edit", {}, "1.0")
        with connect(url) as third:
            until(lambda: ask(url, LOCKS) == 0)
            third.lock("import")


@pooler
def test_a_pooler_that_keeps_sessions_and_has_no_more_than_one_is_welcome(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "WAIT_SECONDS", 0.2)
    with pool(url, "session", size=1) as pooled, connect(pooled) as only:
        only.lock("import")
        assert ask(url, LOCKS) == 1


@pooler
def test_doctor_tells_of_a_pooler_that_hands_out_transactions(url: str, tmp_path: Path) -> None:
    def problems(address: str) -> list[tuple[str, ExitCode]]:
        found = doctor.run(doctor.Configured(address, tmp_path, None, None, lambda: Credentials(None, None, None)))
        return [(each.name, each.exit_code) for each in found if each.state == "problem"]

    with pool(url, "transaction") as pooled:
        assert problems(pooled) == [("pooler", ExitCode.DATABASE)]
    with pool(url, "session") as pooled:
        assert problems(pooled) == []


def test_a_direct_connection_needs_no_other(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "_beside", lambda _: pytest.fail("another connection was opened"))
    with connect(url) as database:
        database.lock("import")
        database.announce(1)


def test_direct_connections_never_share_a_server(url: str) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(psycopg.connect(url, autocommit=True))) for _ in range(3)]
        assert [pooling._answer(each) for each in opened] == [each.info.backend_pid for each in opened]
        asks: list[pooling.Ask] = [partial(pooling._answer, each) for each in opened]
        assert not pooling.are_shared(asks)


def told(*servers: int | None) -> pooling.Ask:
    """Return a connection that stands at these servers, one after the other and from the first again."""
    return cycle(servers).__next__


@pytest.mark.parametrize(
    ("asks", "shared"),
    [
        ([told(1), told(2), told(3)], False),
        ([told(1), told(2)], False),
        ([told(1), told(1), told(1)], True),
        ([told(1), told(2), told(1)], True),
        ([told(1), told(2), told(2)], True),
        ([told(1, 2), told(3), told(4)], True),
        ([told(1), told(2, 3), told(4)], True),
        ([told(1), told(None), told(None)], False),
        ([told(1), told(2), told(None)], False),
    ],
)
def test_who_is_given_the_same_server_or_two_servers_shares_them(asks: list[pooling.Ask], *, shared: bool) -> None:
    assert pooling.are_shared(asks) is shared


def test_servers_given_in_turn_are_shared_however_many_there_are() -> None:
    for idle in range(1, 9):
        servers = cycle(range(idle))
        assert pooling.are_shared([servers.__next__] * 3)
