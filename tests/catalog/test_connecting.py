"""Opening a database: what is wrong with it is said in one sentence, with a hint, and without the password."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from curri.catalog import cluster, database, embedded, runs
from curri.catalog.database import connect
from curri.errors import DatabaseError, ExitCode

from .homes import quickly_made
from .rows import Rows
from .sessions import APPLICATION, OTHERS, ask, tell
from .waiting import until

PASSWORD = "s3cr3t"


def refused(url: str) -> DatabaseError:
    """Return the error with which a database is not opened; it must help, and show no password."""
    with pytest.raises(DatabaseError) as caught, connect(url):
        pass
    error = caught.value
    assert error.exit_code is ExitCode.DATABASE
    assert error.hint
    assert error.where
    assert "\n" not in error.message
    assert "connection failed" not in error.message
    assert "connection is bad" not in error.message
    assert PASSWORD not in f"{error!r} {error.message} {error.where} {error.hint} {error.__cause__!r}"
    return error


def test_a_port_where_nobody_listens_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        error = refused(f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/school")
    assert "refused" in error.message
    assert error.where == f"ann@127.0.0.1:{port}/school"


def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert str(tmp_path) in refused(f"host={tmp_path} password={PASSWORD}").message


@pytest.mark.parametrize("host", ["no-such-host.invalid", "two..dots", "x" * 70, ".", "::1%no"])
def test_a_host_that_does_not_exist_or_cannot_is_named(host: str) -> None:
    assert host in str(refused(f"host='{host}' user=ann password={PASSWORD}").where)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        monkeypatch.setattr(database, "DEFAULTS", {**database.DEFAULTS, "connect_timeout": 2})
        assert "timeout" in refused(f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/school").message


def test_a_database_that_does_not_exist_is_named(server: str) -> None:
    assert '"no such database"' in refused(make_conninfo(server, dbname="no such database")).message


def test_a_user_that_does_not_exist_is_named(server: str) -> None:
    assert '"no such user"' in refused(make_conninfo(server, user="no such user", password=PASSWORD)).message


HINT = "check host, port, user, password and name"

AT = 'connection to server at "192.0.2.1", port 5432 failed: '

SAID = [
    (f'{AT}root certificate file "/srv/ann/.postgresql/root.crt" does not exist\nEither provide', "sslrootcert=FILE"),
    (f'{AT}root certificate file "/a" does not exist\nEither provide the file', "sslrootcert=system"),
    (f'{AT}could not read root certificate file "/a": no certificate or crl found', "sslrootcert=FILE"),
    (f"{AT}SSL error: certificate verify failed", "sslrootcert=FILE"),
    (f'{AT}server certificate for "db.example.org" does not match host name "192.0.2.1"', "name in the certificate"),
    (f"{AT}server does not support SSL, but SSL was required", "ssl = on"),
    ('weak sslmode "require" may not be used with sslrootcert=system (use "verify-full")', "sslmode=verify-full"),
    ('invalid sslmode value: "verify"', "disable, allow, prefer, require, verify-ca, verify-full"),
    (f'{AT}FATAL:  too many connections for role "ann"', "CONNECTION LIMIT"),
    (f"{AT}FATAL:  sorry, too many clients already", "max_connections"),
    (f"{AT}FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "max_connections"),
    (f'{AT}FATAL:  no pg_hba.conf entry for host "192.0.2.2", user "ann", no encryption', "pg_hba.conf"),
    (f"{AT}FATAL:  unsupported startup parameter: options", "ALTER ROLE"),
    (f'{AT}FATAL:  database "school" does not exist', HINT),
    (f'{AT}FATAL:  password authentication failed for user "certificate verify failed"', HINT),
    ("something that nobody has heard of", HINT),
]


@pytest.mark.parametrize(("said", "hint"), SAID)
def test_what_keeps_a_connection_from_being_made_has_a_hint_of_its_own(
    said: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise psycopg.OperationalError(f"connection failed: {said}")

    monkeypatch.setattr(psycopg, "connect", fail)
    error = refused(f"postgresql://ann:{PASSWORD}@192.0.2.1/school")
    assert hint in str(error.hint)
    assert (HINT in str(error.hint)) == (hint == HINT)
    assert said.partition("\n")[0] in error.message


@pytest.mark.parametrize(("answer", "hint"), [(b"S", "sslrootcert=FILE"), (b"N", "ssl = on")], ids=["TLS", "no TLS"])
def test_what_the_driver_itself_says_of_tls_is_known(answer: bytes, hint: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as asked:
                asked.recv(8)
                asked.sendall(answer)
                asked.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        tls = f"sslmode=verify-full&sslrootcert={tmp_path}/root.crt"
        error = refused(f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/school?gssencmode=disable&{tls}")
        thread.join()
    assert hint in str(error.hint)


def test_a_way_of_using_tls_that_does_not_exist_is_told_the_ways_that_do() -> None:
    assert "verify-full" in str(refused(f"postgresql://ann:{PASSWORD}@127.0.0.1:1/school?sslmode=verify").hint)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a server that asks the user `ann` for her password."""
    home = tmp_path_factory.mktemp("guarded")
    with quickly_made(), embedded.server(home) as url:
        tell(url, f"CREATE ROLE ann LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 1")
    rules = embedded.place(home) / f"data-{cluster.MAJOR}" / "pg_hba.conf"
    rules.write_text(f"local all ann scram-sha-256\n{rules.read_text()}")
    with embedded.server(home) as url:
        yield url
    shutil.rmtree(embedded.place(home))  # root's lies elsewhere


def test_a_wrong_password_is_said_to_be_wrong_and_not_repeated(guarded: str) -> None:
    error = refused(make_conninfo(guarded, user="ann", password=PASSWORD + "wrong"))
    assert 'password authentication failed for user "ann"' in error.message
    assert "password" in str(error.hint)


def test_a_missing_password_is_said_to_be_missing(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", os.devnull)
    assert "no password" in refused(make_conninfo(guarded, user="ann")).message


def test_the_right_password_opens_the_database_and_is_not_shown(guarded: str) -> None:
    with connect(make_conninfo(guarded, user="ann", password=PASSWORD)) as opened:
        assert opened.connection.execute("SELECT current_user").fetchone() == ("ann",)
        assert PASSWORD not in opened.address
        error = refused(make_conninfo(guarded, user="ann", password=PASSWORD))
        assert "too many connections" in error.message
        assert "CONNECTION LIMIT" in str(error.hint)


def test_a_server_that_is_too_old_is_named_with_its_version(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(url) as opened:
        number, version = opened.connection.info.server_version, opened.server_version()
    assert ask(url, "SHOW server_version") == version
    monkeypatch.setattr(database, "OLDEST_SERVER", number)
    with connect(url):
        pass
    monkeypatch.setattr(database, "OLDEST_SERVER", number + 1)
    error = refused(url)
    assert version in error.message
    assert "14" in str(error.hint)
    until(lambda: ask(url, OTHERS) == 0)


def test_the_connection_is_closed_at_the_end_whatever_happens(url: str) -> None:
    with pytest.raises(KeyError), connect(url) as opened:
        raise KeyError
    assert opened.connection.closed
    until(lambda: ask(url, OTHERS) == 0)


def test_what_the_address_says_of_the_connection_counts(url: str) -> None:
    with connect(url) as opened:
        assert ask(url, APPLICATION, opened.connection.info.backend_pid) == "curri"
        found = conninfo_to_dict(opened.connection.info.dsn)
        assert {name: str(value) for name, value in database.DEFAULTS.items()}.items() <= found.items()
    with connect(make_conninfo(url, application_name="nightly", keepalives_idle=7)) as opened:
        assert ask(url, APPLICATION, opened.connection.info.backend_pid) == "nightly"
        assert conninfo_to_dict(opened.connection.info.dsn)["keepalives_idle"] == "7"


def test_texts_are_utf_8_whatever_the_environment_says(
    rows: Rows, shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with connect(shared_url) as opened:
        run_id = runs.begin(opened, "😀", {}, "é")
    found = rows.get("run", run_id)
    assert (found["command"], found["version"]) == ("😀", "é")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_title_is_refused_before_anything_is_written(
    encoding: str, server: str
) -> None:
    name = f"curri_{encoding}_{os.getpid()}".lower()
    tell(server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        error = refused(make_conninfo(server, dbname=name))
    finally:
        tell(server, f"DROP DATABASE {name} WITH (FORCE)")
    assert encoding in error.message
    assert "ENCODING 'UTF8'" in str(error.hint)
