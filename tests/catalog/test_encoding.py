"""A database that cannot hold every title is refused before anything is written."""

from __future__ import annotations

import os

import psycopg
import pytest

from curri.catalog.database import connect
from curri.errors import DatabaseError


def test_a_database_that_is_not_utf8_is_refused_with_the_way_out(server: str) -> None:
    name = f"curri_latin_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            with (
                pytest.raises(DatabaseError, match="texts as LATIN1") as raised,
                connect(psycopg.conninfo.make_conninfo(server, dbname=name)),
            ):
                pass
            assert "ENCODING 'UTF8'" in str(raised.value.hint)
        finally:
            connection.execute(f"DROP DATABASE {name}")
