"""Fixtures of this folder."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from curri.catalog import cluster
from curri.catalog.database import Database, connect

from .homes import quickly_made
from .processes import ACCOUNTS, Account
from .rows import Rows


@pytest.fixture(scope="session")
def shared_url(server: str, template: str) -> Iterator[str]:
    """Yield the address of a catalog for tests that change nothing but rows: making one for each takes ten times longer."""
    name = f"{template}_shared"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield make_conninfo(server, dbname=name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def rows(shared_url: str) -> Iterator[Rows]:
    """Yield what puts rows into an empty catalog; they are gone after the test."""
    made = Rows(shared_url)
    yield made
    made.connection.execute("SET lock_timeout = '10s'")
    for table in ("course", "run", "video"):
        made.connection.execute(f"DELETE FROM {table}".encode())  # everything else hangs on these
    made.connection.close()


@pytest.fixture
def shared(rows: Rows, shared_url: str) -> Iterator[Database]:
    """Yield the open catalog that `rows` puts rows into."""
    with connect(shared_url) as opened:
        yield opened


_roles = itertools.count(1)


@pytest.fixture
def schema_owner_url(server: str) -> Iterator[str]:
    """Yield the address of an ordinary database user, in a database where it owns one schema and nothing else."""
    name = f"curri_owner_{os.getpid()}_{next(_roles)}"
    here = make_conninfo(server, dbname=name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret' CONNECTION LIMIT 10")
        connection.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(here, autocommit=True) as connection:
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        connection.execute(f"CREATE SCHEMA catalog AUTHORIZATION {name}")
    yield make_conninfo(here, user=name, password="secret", options="-csearch_path=catalog")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"DROP ROLE {name}")


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """Yield a folder that everybody may pass through, with a short name; nothing of it stays.

    Embedded servers live there meanwhile, root's too.
    """
    with (
        tempfile.TemporaryDirectory(prefix="curri-") as folder,
        pytest.MonkeyPatch.context() as patch,
        quickly_made(),
    ):
        path = Path(folder).resolve()
        path.chmod(0o711)
        (path / "lib").mkdir(mode=0o755)
        patch.setattr(cluster, "ROOT_HOME", path / "lib" / "curri")
        yield path


@pytest.fixture(params=ACCOUNTS, ids=lambda account: account.name)
def account(request: pytest.FixtureRequest) -> Account:
    """Return every account that the machine lets the tests be."""
    found: Account = request.param
    return found
