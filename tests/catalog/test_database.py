"""At work on a catalog: what goes wrong becomes one DatabaseError with a hint, and what was not committed is undone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from curri.catalog import migrate, runs
from curri.catalog.database import REVISION, Database, connect, translated
from curri.errors import DatabaseError, ExitCode, Interrupted, NotMigrated
from support.postgres import everything

from .rows import Rows
from .sessions import APPLICATION, IS_WAITING, ask, tell, terminate
from .waiting import until

PASSWORD = "s3cr3t"


def test_a_transaction_that_fails_leaves_nothing(database: Database, url: str) -> None:
    def add(then: BaseException | None) -> None:
        with database.transaction() as connection:
            connection.execute(COURSE)
            if then is not None:
                raise then

    before = everything(url)
    for error in (KeyError(), DatabaseError("a"), KeyboardInterrupt(), GeneratorExit()):
        with pytest.raises(type(error)):
            add(error)
        assert everything(url) == before
    add(None)
    assert everything(url) != before


def test_a_snapshot_does_not_see_what_others_commit_meanwhile(shared: Database, rows: Rows) -> None:
    count = "SELECT count(*) FROM run"
    with shared.snapshot() as connection:
        before = connection.execute(count).fetchone()
        rows.run()
        assert connection.execute(count).fetchone() == before
    with shared.snapshot() as connection:
        assert connection.execute(count).fetchone() != before


def test_a_snapshot_writes_nothing_and_what_follows_it_may_write_again(database: Database, url: str) -> None:
    before = everything(url)
    with pytest.raises(DatabaseError, match="read-only"), database.snapshot() as connection:
        connection.execute(COURSE)
    assert everything(url) == before
    with database.transaction() as connection:
        connection.execute(COURSE)
    assert everything(url) != before


def test_no_snapshot_begins_in_the_middle_of_a_transaction(database: Database) -> None:
    def begin() -> None:
        with database.snapshot():
            pass

    with database.transaction() as connection:
        connection.execute("SELECT 1")
        with pytest.raises(DatabaseError, match="ISOLATION LEVEL"):
            begin()
        assert connection.execute("SELECT 1").fetchone() == (1,)


COURSE = "INSERT INTO course (slug, number, title, position, root) VALUES ('course_01', '01', '', 1, '/')"


@pytest.mark.parametrize("when", ["before", "in the middle", "in a COPY"])
def test_a_session_that_is_ended_is_said_to_be_lost_and_leaves_nothing(when: str, database: Database, url: str) -> None:
    pid = database.connection.info.backend_pid
    with pytest.raises(DatabaseError, match="connection to the database was lost") as caught:
        lose(database, url, pid, when)
    assert caught.value.exit_code is ExitCode.DATABASE
    assert "again" in str(caught.value.hint)
    assert everything(url)["course"] == []
    with pytest.raises(DatabaseError, match="connection to the database was lost"):
        database.revision()


def lose(database: Database, url: str, pid: int, when: str) -> None:
    if when == "before":
        terminate(url, pid)
    with database.transaction() as connection:
        connection.execute(COURSE)
        if when == "in a COPY":
            with connection.cursor() as cursor, cursor.copy("COPY course (slug) FROM STDIN") as copy:
                terminate(url, pid)
                for number in range(1_000_000):
                    copy.write_row([str(number)])
        terminate(url, pid)
        connection.execute("SELECT 1")


LOSE = """
import sys
from curri.catalog.database import connect
from curri.errors import DatabaseError
import psycopg

with connect(sys.argv[1]) as database:
    try:
        with database.transaction() as connection, connection.cursor() as cursor:
            with cursor.copy("COPY course (slug) FROM STDIN") as copy, psycopg.connect(sys.argv[1]) as other:
                other.execute("SELECT pg_terminate_backend(%s, 60000)", [connection.info.backend_pid])
                for number in range(1_000_000):
                    copy.write_row([str(number)])
    except DatabaseError as error:
        print(error.message)
"""


def test_the_driver_itself_prints_nothing_about_a_lost_session(url: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOSE, url], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("the connection to the database was lost")
    assert done.stderr == ""


@pytest.mark.parametrize(
    "setting", ["idle_session_timeout", "idle_in_transaction_session_timeout"], ids=["idle", "idle in transaction"]
)
def test_a_session_that_the_server_ends_for_idling_is_said_to_be_lost(setting: str, url: str) -> None:
    def idle(opened: Database) -> None:
        pid = opened.connection.info.backend_pid
        if setting == "idle_session_timeout":
            until(lambda: ask(url, APPLICATION, pid) is None)
        with opened.transaction() as connection:
            connection.execute("SELECT 1")
            until(lambda: ask(url, APPLICATION, pid) is None)
            connection.execute("SELECT 1")

    with connect(make_conninfo(url, options=f"-c{setting}=20ms")) as opened, pytest.raises(DatabaseError) as caught:
        idle(opened)
    assert "lost" in caught.value.message
    assert "timeout" in caught.value.message


def test_a_statement_that_takes_longer_than_the_server_allows_is_named(url: str) -> None:
    with (
        connect(make_conninfo(url, options="-cstatement_timeout=10ms")) as opened,
        pytest.raises(DatabaseError, match=r"cancelled a statement .*timeout") as caught,
        opened.transaction() as connection,
    ):
        connection.execute("SELECT pg_sleep(600)")
    assert "statement_timeout" in str(caught.value.hint)


def test_of_two_that_wait_for_each_other_one_is_told_to_try_again(rows: Rows, shared_url: str) -> None:
    first, second = rows.run()["id"], rows.run()["id"]
    change = "UPDATE run SET exit_code = 1 WHERE id = %s"
    with connect(shared_url) as one, connect(shared_url) as two:

        def wait_for_each_other() -> None:
            with one.transaction() as connection:
                connection.execute("SET LOCAL deadlock_timeout = '10ms'")
                connection.execute(change, [first])
                other.start()
                until(lambda: ask(shared_url, IS_WAITING, two.connection.info.backend_pid))
                connection.execute(change, [second])

        two.connection.execute("BEGIN")
        two.connection.execute(change, [second])
        other = threading.Thread(target=two.connection.execute, args=(change, [first]))
        with pytest.raises(DatabaseError, match=r"same rows .*deadlock") as caught:
            wait_for_each_other()
        other.join()
        two.connection.execute("ROLLBACK")
    assert "again" in str(caught.value.hint)
    assert rows.get("run", first)["exit_code"] is None


def test_a_database_that_is_read_only_is_said_to_be(url: str) -> None:
    tell(url, f"ALTER DATABASE {ask(url, 'SELECT current_database()')} SET default_transaction_read_only = on")
    with connect(url) as opened:
        opened.require_tables()
        with pytest.raises(DatabaseError, match="read-only") as caught:
            runs.begin(opened, "import", {}, "1.0")
    assert "primary" in str(caught.value.hint)


@pytest.fixture
def stranger_url(server: str, shared_url: str) -> Iterator[str]:
    """Yield the address of the catalog for a database user who was granted nothing."""
    name = f"curri_stranger_{os.getpid()}"
    tell(server, f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    yield make_conninfo(shared_url, user=name, password=PASSWORD)
    tell(server, f"DROP ROLE {name}")


def test_a_user_without_rights_is_told_which(stranger_url: str) -> None:
    with connect(stranger_url) as opened:
        with pytest.raises(DatabaseError, match=r"not allowed .*alembic_version"):
            opened.require_tables()
        with pytest.raises(DatabaseError, match=r"not allowed .*\brun\b") as caught:
            runs.begin(opened, "import", {}, "1.0")
    assert "schema" in str(caught.value.hint)
    assert PASSWORD not in repr(caught.value)


def test_a_text_with_a_nul_character_is_refused_as_such(database: Database) -> None:
    with pytest.raises(DatabaseError, match="NUL") as caught:
        runs.begin(database, "im\0port", {}, "1.0")
    assert "lost" not in caught.value.message
    assert database.revision() == REVISION


def test_every_error_of_the_driver_becomes_a_database_error() -> None:
    kinds = {
        kind for kind in vars(psycopg.errors).values() if isinstance(kind, type) and issubclass(kind, psycopg.Error)
    }
    assert len(kinds) > 200
    for kind in kinds:
        with pytest.raises(DatabaseError) as caught, translated("here"):
            raise kind("what happened")
        assert caught.value.where == "here"


# --- are the tables there?


def test_a_database_without_tables_asks_for_an_upgrade(empty_url: str) -> None:
    with connect(empty_url) as opened:
        assert opened.revision() is None
        with pytest.raises(NotMigrated) as caught:
            opened.require_tables()
    assert "`curri db upgrade`" in str(caught.value.hint)
    assert caught.value.exit_code is ExitCode.DATABASE


@pytest.mark.parametrize(
    ("revision", "said"),
    [("0000", "run `curri db upgrade`"), ("0002", "newer curri"), ("9999", "newer curri"), ("ab12cd34", "of its own")],
)
def test_tables_of_another_revision_are_refused_with_what_to_do(revision: str, said: str, url: str) -> None:
    tell(url, f"UPDATE alembic_version SET version_num = '{revision}'")
    with connect(url) as opened:
        with pytest.raises(NotMigrated, match=revision) as caught:
            opened.require_tables()
        assert opened.revision() == revision
    assert said in str(caught.value.hint)


def test_tables_of_this_revision_are_accepted(database: Database) -> None:
    database.require_tables()
    assert database.revision() == REVISION


def test_tables_that_vanish_meanwhile_are_said_to_be_missing(database: Database, url: str) -> None:
    migrate.move(url, "base", down=True)
    with pytest.raises(DatabaseError, match="tables are missing") as caught:
        runs.begin(database, "import", {}, "1.0")
    assert "`curri db upgrade`" in str(caught.value.hint)


def test_a_schema_that_does_not_exist_is_said_to_be_missing(url: str) -> None:
    nowhere = make_conninfo(url, options="-csearch_path=nowhere")
    with pytest.raises(DatabaseError, match=r"no schema of the search_path \(nowhere\) exists") as caught:
        migrate.move(nowhere, "head")
    assert "search_path" in str(caught.value.hint)
    with connect(nowhere) as opened:
        with pytest.raises(NotMigrated):
            opened.require_tables()
        with pytest.raises(DatabaseError, match="does not exist, or this user may not use it"), opened.transaction():
            opened.connection.execute("CREATE TABLE any_one ()")


@pytest.mark.parametrize("cut", [1, 2, 3], ids=["BEGIN", "statement", "COMMIT"])
def test_a_signal_at_any_statement_leaves_a_connection_that_records_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """What follows a transaction that was cut short is committed: a run tells how it ended."""
    calls = 0
    wait = psycopg.Connection.wait

    def waits(connection: Any, statement: Any, *given: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == cut:
            next(statement)  # it is sent, and the answer is not awaited
            raise Interrupted("stopped by Ctrl-C")
        return wait(connection, statement, *given, **more)

    monkeypatch.setattr(psycopg.Connection, "wait", waits)
    with pytest.raises(Interrupted), database.transaction() as connection:
        connection.execute("INSERT INTO course (slug, number, title, position, root) VALUES ('a', '01', 'A', 1, '')")
    assert calls >= cut
    with database.transaction() as connection:
        connection.execute("INSERT INTO course (slug, number, title, position, root) VALUES ('b', '02', 'B', 2, '')")
    with psycopg.connect(database.connection.info.dsn) as other:
        slugs = [slug for (slug,) in other.execute("SELECT slug FROM course ORDER BY 1")]
    assert slugs[-1] == "b"
    assert cut == 3 or slugs == ["b"]
