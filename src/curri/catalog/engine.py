"""SQLAlchemy on the connection that is already open: for Alembic, and for who asks for rows as objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from curri.catalog.database import Database, translated

if TYPE_CHECKING:
    from sqlalchemy import Engine


@contextmanager
def engine(database: Database) -> Iterator[Engine]:
    """Yield an engine that knows no other connection than that of `database`. Raises DatabaseError."""
    from sqlalchemy import create_engine, exc, pool  # slow to import: only for who needs it

    made = create_engine("postgresql+psycopg://", creator=lambda: database.connection, poolclass=pool.StaticPool)
    with translated(database.address):
        try:
            yield made
        except exc.DBAPIError as error:
            raise (error.orig or error) from error
