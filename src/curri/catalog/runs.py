"""The ledger of runs: who did what to the catalog, when, and how it ended."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from curri.catalog.database import Database, translated
from curri.catalog.documents import document
from curri.errors import ExitCode

if TYPE_CHECKING:
    from curri.catalog.tables import Run


def begin(database: Database, command: str, arguments: Mapping[str, Any], version: str) -> int:
    """Record that a run began and return its id. A run that never ends was killed. Raises DatabaseError."""
    with database.transaction() as connection:
        row = connection.execute(
            "INSERT INTO run (command, arguments, version, host) VALUES (%s, %s, %s, %s) RETURNING id",
            [command, document(arguments), version, socket.gethostname()],
        ).fetchone()
    if row is None:
        raise AssertionError("INSERT ... RETURNING gave no row")
    return int(row[0])


def end(database: Database, run_id: int, exit_code: ExitCode, counts: Mapping[str, float]) -> None:
    """Record how a run ended. Raises DatabaseError."""
    with database.transaction() as connection:
        connection.execute(
            "UPDATE run SET finished_at = clock_timestamp(), exit_code = %s, counts = %s WHERE id = %s",
            [int(exit_code), document(counts), run_id],
        )


def latest(database: Database, limit: int) -> list[Run]:
    """Return the last runs, the newest first. Raises DatabaseError."""
    from sqlalchemy import create_engine, desc, exc, pool
    from sqlmodel import Session, col, select

    from curri.catalog.tables import Run  # with SQLModel half a second of start-up: only for who asks for rows

    engine = create_engine("postgresql+psycopg://", creator=lambda: database.connection, poolclass=pool.StaticPool)
    try:
        with translated(database.address), Session(engine) as session:
            return list(session.exec(select(Run).order_by(desc(col(Run.id))).limit(limit)))
    except exc.DBAPIError as error:
        with translated(database.address):
            raise (error.orig or error) from error
