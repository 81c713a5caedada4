"""The ledger of runs: who did what to the catalog, when, and how it ended."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from curri.catalog.database import ALIVE, Database
from curri.catalog.documents import document
from curri.catalog.engine import engine
from curri.errors import DatabaseError, ExitCode

if TYPE_CHECKING:
    from curri.catalog.tables import Run

_ALIVE = f"SELECT id FROM run WHERE id = ANY(%s) AND {ALIVE.format('id')}"  # noqa: S608 - only a constant is put in


def begin(database: Database, command: str, arguments: Mapping[str, Any], version: str) -> int:
    """Record that a run began, announce it in the same moment, and return its id. Raises DatabaseError.

    One that has no end and is not announced any more was killed, or has lost its connection.
    """
    database.require_session()  # cannot be told in the middle of a transaction
    with database.transaction() as connection:
        row = connection.execute(
            "INSERT INTO run (command, arguments, version, host) VALUES (%s, %s, %s, %s) RETURNING id",
            [command, document(arguments), version, socket.gethostname()],
        ).fetchone()
        if row is None:
            raise AssertionError("INSERT ... RETURNING gave no row")
        database.announce(row[0])
    return int(row[0])


def end(database: Database, run_id: int, exit_code: ExitCode, counts: Mapping[str, float]) -> None:
    """Record how a run ended. Raises DatabaseError."""
    with database.transaction() as connection:
        connection.execute(
            "UPDATE run SET finished_at = clock_timestamp(), exit_code = %s, counts = %s WHERE id = %s",
            [int(exit_code), document(counts), run_id],
        )
    with suppress(DatabaseError):  # then the connection is lost, and the lock with it
        database.dismiss(run_id)  # not before its end is recorded: it would look as if it had none


def latest(database: Database, limit: int) -> list[Run]:
    """Return the last runs, the newest first. Raises DatabaseError."""
    from sqlalchemy import desc
    from sqlmodel import Session, col, select

    from curri.catalog.tables import Run  # with SQLModel half a second of start-up: only for who asks for rows

    with engine(database) as opened, Session(opened) as session:
        return list(session.exec(select(Run).order_by(desc(col(Run.id))).limit(limit)))


def at_work(database: Database, runs: Sequence[Run]) -> set[int]:
    """Return the ids of those of the runs that have not ended. Raises DatabaseError.

    Those that ended since they were read count as at work: that is what the rows given say of them.
    """
    open_ids = [run.id for run in runs if run.exit_code is None]
    with database.transaction() as connection:
        found = {row[0] for row in connection.execute(_ALIVE, [open_ids])}
    with database.transaction() as connection:  # a run lets go of its lock after its end: so this is asked afterwards
        ended = connection.execute("SELECT id FROM run WHERE id = ANY(%s) AND exit_code IS NOT NULL", [open_ids])
        return found | {row[0] for row in ended}
