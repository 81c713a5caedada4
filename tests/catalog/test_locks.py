"""The lock of a command: one run at a time on one catalog, and no lock that outlives its holder."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from curri.catalog import migrate
from curri.catalog.database import Database, connect
from curri.errors import BusyError, ExitCode

from .sessions import IS_WAITING, ask, tell, terminate
from .waiting import until


def test_a_second_run_of_a_command_is_busy_until_the_first_is_gone(shared: Database, shared_url: str) -> None:
    shared.lock("import")
    with connect(shared_url) as second:
        with pytest.raises(BusyError) as caught:
            second.lock("import")
        assert caught.value.exit_code is ExitCode.BUSY
        assert "`curri import`" in caught.value.message
        assert "`curri runs`" in str(caught.value.hint)
        shared.connection.close()
        until(lambda: free(second))


def free(other: Database) -> bool:
    try:
        other.lock("import")
    except BusyError:
        return False
    return True


def test_a_lock_dies_with_its_session_however_that_ends(shared: Database, shared_url: str) -> None:
    shared.lock("import")
    terminate(shared_url, shared.connection.info.backend_pid)
    with connect(shared_url) as second:
        second.lock("import")


def test_whoever_comes_right_after_finds_nothing_locked(
    shared_url: str, shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends a session some moments after its connection: the locks must be gone before."""
    held: list[int] = []
    close = psycopg.Connection.close

    def closing(connection: psycopg.Connection) -> None:
        asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = %s"
        (row,) = shared.connection.execute(asked, [pid]).fetchall()
        held.append(row[0])
        close(connection)

    for command in (True, False):
        with connect(shared_url) as second:
            pid = second.connection.info.backend_pid
            if command:
                second.lock("import")
            else:
                second.announce(7)
            monkeypatch.setattr(psycopg.Connection, "close", closing)
        monkeypatch.undo()
    assert set(held) == {0}


def test_a_connection_that_holds_nothing_lets_go_of_nothing(shared_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a pooler its session may be that of others, and so may the locks."""
    asked: list[str] = []
    execute = psycopg.Connection.execute

    def executing(connection: psycopg.Connection, query: str, *more: Any) -> Any:
        asked.append(query)
        return execute(connection, query, *more)

    monkeypatch.setattr(psycopg.Connection, "execute", executing)
    with connect(shared_url) as second:
        second.revision()
    assert not [query for query in asked if "unlock" in query]
    with connect(shared_url) as second:
        second.lock("import")
    assert "unlock" in asked[-1]


def test_a_lock_outlives_the_transactions_of_its_holder(shared: Database, shared_url: str) -> None:
    shared.lock("import")
    with pytest.raises(KeyError), shared.transaction():
        raise KeyError
    with shared.transaction():
        pass
    with connect(shared_url) as second, pytest.raises(BusyError):
        second.lock("import")


def test_different_commands_do_not_wait_for_each_other(shared: Database, shared_url: str) -> None:
    shared.lock("import")
    with connect(shared_url) as second:
        for command in ("upload", "sync-status", "fix-metadata", "db", "Import", "import "):
            second.lock(command)


def test_catalogs_in_different_schemas_and_databases_do_not_wait_for_each_other(
    shared: Database, shared_url: str, empty_url: str
) -> None:
    tell(empty_url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    one, two = (make_conninfo(empty_url, options=f"-csearch_path={name}") for name in ("one", "two"))
    migrate.move(one, "head")
    shared.lock("import")
    with connect(one) as first, connect(two) as second, connect(empty_url) as third, connect(one) as again:
        first.lock("import")
        second.lock("import")
        third.lock("import")
        with pytest.raises(BusyError):
            again.lock("import")


def test_two_ways_to_one_catalog_lead_to_one_lock(url: str) -> None:
    """For instance of a user who has a schema of his own name: it comes first in his search_path."""
    tell(url, "CREATE SCHEMA ann")
    with connect(url) as one, connect(make_conninfo(url, options="-csearch_path=ann,public")) as other:
        other.require_tables()
        one.lock("import")
        with pytest.raises(BusyError):
            other.lock("import")


def test_a_lock_can_be_waited_for(shared: Database, shared_url: str) -> None:
    shared.lock("db")
    with connect(shared_url) as second:
        waiter = threading.Thread(target=second.lock, args=("db",), kwargs={"wait": True})
        waiter.start()
        until(lambda: ask(shared_url, IS_WAITING, second.connection.info.backend_pid))
        shared.connection.close()
        waiter.join()
        with connect(shared_url) as third, pytest.raises(BusyError):
            third.lock("db")


def test_a_search_path_that_leads_nowhere_is_not_taken_for_a_busy_catalog(shared_url: str) -> None:
    with connect(make_conninfo(shared_url, options="-csearch_path=nowhere")) as opened:
        opened.lock("import")
