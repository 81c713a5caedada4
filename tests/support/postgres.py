"""A real PostgreSQL for the tests: one server for the session, a fresh database for every test that asks."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from curri.catalog import embedded, migrate
from curri.catalog.database import Database, connect

_numbers = itertools.count(1)


def _named(server: str, name: str) -> str:
    """Return the address of another database on the same server."""
    return psycopg.conninfo.make_conninfo(server, dbname=name)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a server where databases can be made.

    It is the embedded one, or what CURRI_TEST_DATABASE_URL names: so that the suite can run on other versions.
    """
    given = os.environ.get("CURRI_TEST_DATABASE_URL")
    if given:
        yield given
        return
    home = tmp_path_factory.mktemp("curri-home")
    with embedded.server(home) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing here must survive a crash
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url
    if os.geteuid() == 0:
        shutil.rmtree(embedded.place(home))


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """Yield the name of a database with all tables, to be copied."""
    name = f"curri_template_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    migrate.move(_named(server, name), "head")
    yield name
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}")


def _fresh(server: str, template: str | None) -> Iterator[str]:
    name = f"curri_test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    yield _named(server, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_url(server: str) -> Iterator[str]:
    """Yield the address of a database without tables."""
    yield from _fresh(server, None)


@pytest.fixture
def url(server: str, template: str) -> Iterator[str]:
    """Yield the address of a migrated, empty catalog."""
    yield from _fresh(server, template)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Yield an open, migrated, empty catalog."""
    with connect(url) as opened:
        yield opened


def rows(url: str, query: str, *parameters: object) -> list[tuple[object, ...]]:
    """Return what a query gives, on a connection of its own: what others see."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


CONTENT_TABLES = ("course", "lesson", "component", "asset")


def everything(url: str) -> dict[str, list[str]]:
    """Return all rows of the tables that an import writes, whole, as text: for comparing before and after."""
    return {
        table: [str(row[0]) for row in rows(url, f"SELECT t::text FROM {table} t ORDER BY id")]
        for table in CONTENT_TABLES
    }


@pytest.fixture
def state_folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a CURRI_HOME of one's own; what root's embedded server leaves elsewhere is removed afterwards."""
    home = tmp_path / "state"
    yield home
    if os.geteuid() == 0 and embedded.place(home).exists():
        shutil.rmtree(embedded.place(home))
