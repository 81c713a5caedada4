"""Sessions on a server beside the one that is tested: what others see, and what an administrator does."""

from __future__ import annotations

from typing import Any

import psycopg

from curri.catalog.database import Database

from .waiting import until

OTHERS = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
"""How many sessions a database has beside the one that asks."""

IS_WAITING = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid = %s"
"""Whether a session waits for a lock."""

APPLICATION = "SELECT application_name FROM pg_stat_activity WHERE pid = %s"
"""What a session calls itself; None if there is no such session."""


def ask(url: str, query: str, *parameters: object) -> Any:
    """Return the first value that a query gives, None if it gives no row."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode(), parameters).fetchone()
        return row[0] if row else None


def tell(url: str, *statements: str) -> None:
    """Carry out statements, each committed at once."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def terminate(url: str, pid: int) -> None:
    """End a session as an administrator would, and return when it is gone."""
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT pg_terminate_backend(%s)", [pid]).fetchone() == (True,)
        until(lambda: connection.execute(APPLICATION, [pid]).fetchone() is None)


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of the tables that an import writes, whole, as text: for comparing before and after."""
    return {
        table: database.connection.execute(f"SELECT t::text FROM {table} t ORDER BY id".encode()).fetchall()
        for table in ("course", "lesson", "component", "asset")
    }
