"""The ledger of runs: every run from its begin to its end, and those that were cut off."""

from __future__ import annotations

import pytest
from psycopg import pq

from curri.catalog import runs
from curri.catalog.database import Database, connect
from curri.errors import DatabaseError, ExitCode

from .rows import Rows
from .sessions import ask, terminate


def test_a_run_is_recorded_from_its_begin_to_its_end(shared: Database, rows: Rows) -> None:
    arguments = {"path": "/data/it's 😀", "rehash": True, "courses": ["course_01", None]}
    run_id = runs.begin(shared, "import", arguments, "1.2.3")
    begun = rows.get("run", run_id)
    given = (begun["command"], begun["arguments"], begun["version"], begun["exit_code"], begun["counts"])
    assert given == ("import", arguments, "1.2.3", None, {})
    assert begun["host"]
    assert begun["finished_at"] is None
    runs.end(shared, run_id, ExitCode.SOME_ITEMS, {"new": 3, "blocked": 1})
    ended = rows.get("run", run_id)
    assert (ended["exit_code"], ended["counts"]) == (3, {"new": 3, "blocked": 1})
    assert ended["finished_at"] > ended["started_at"] == begun["started_at"]


def test_ending_a_run_leaves_the_others_as_they_were(shared: Database, rows: Rows) -> None:
    first, second = (runs.begin(shared, "import", {}, "1.0") for _ in range(2))
    before = rows.get("run", first)
    runs.end(shared, second, ExitCode.OK, {})
    assert rows.get("run", first) == before


def test_the_latest_runs_come_newest_first_and_no_more_than_asked_for(shared: Database) -> None:
    ids = [runs.begin(shared, "import", {}, "1.0") for _ in range(5)]
    assert [run.id for run in runs.latest(shared, 3)] == [ids[4], ids[3], ids[2]]
    assert [run.id for run in runs.latest(shared, 99)] == ids[::-1]
    assert runs.latest(shared, 0) == []


def test_a_run_says_the_same_of_itself_as_its_row(shared: Database, rows: Rows) -> None:
    run_id = runs.begin(shared, "import", {"path": "/data"}, "1.0")
    runs.end(shared, run_id, ExitCode.TREE, {"new": 1})
    [run] = runs.latest(shared, 1)
    assert run.model_dump() == rows.get("run", run_id)


def test_a_run_that_was_killed_has_no_end(shared: Database, shared_url: str) -> None:
    with connect(shared_url) as killed:
        run_id = runs.begin(killed, "import", {}, "1.0")
        terminate(shared_url, killed.connection.info.backend_pid)
        with pytest.raises(DatabaseError, match="lost"):
            runs.end(killed, run_id, ExitCode.OK, {})
        with pytest.raises(DatabaseError, match="lost"):
            runs.latest(killed, 1)
    [run] = runs.latest(shared, 1)
    assert (run.id, run.finished_at, run.exit_code) == (run_id, None, None)


def test_a_run_is_at_work_until_it_ends_or_its_connection_does(shared: Database, shared_url: str) -> None:
    with connect(shared_url) as killed, connect(shared_url) as ended, connect(shared_url) as working:
        opened = [runs.begin(each, "import", {}, "1.0") for each in (killed, ended, working)]
        every = runs.latest(shared, 3)
        assert runs.at_work(shared, every) == set(opened)
        terminate(shared_url, killed.connection.info.backend_pid)
        runs.end(ended, opened[1], ExitCode.OK, {})
        assert runs.at_work(shared, every) == {opened[1], opened[2]}, "the second has ended since it was read"
        assert runs.at_work(shared, runs.latest(shared, 3)) == {opened[2]}
        assert ask(shared_url, LOCKS) == 1
    assert runs.at_work(shared, []) == set()


LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


def test_nobody_sees_a_run_that_is_not_announced_yet(shared: Database, shared_url: str) -> None:
    with connect(shared_url) as other, shared.transaction():
        run_id = runs.begin(shared, "import", {}, "1.0")
        assert runs.latest(other, 1) == []
        assert ask(shared_url, LOCKS) == 1
    runs.end(shared, run_id, ExitCode.OK, {})


def test_a_connection_that_records_many_runs_does_not_collect_their_locks(shared: Database, shared_url: str) -> None:
    for _ in range(3):
        runs.end(shared, runs.begin(shared, "edit", {}, "1.0"), ExitCode.OK, {})
    assert ask(shared_url, LOCKS) == 0


def test_listing_the_runs_leaves_the_connection_as_it_was(shared: Database) -> None:
    for _ in range(2):
        runs.latest(shared, 5)
        assert shared.connection.info.transaction_status is pq.TransactionStatus.IDLE
        assert shared.connection.autocommit
        shared.lock("import")
        run_id = runs.begin(shared, "import", {"a": [1, {"b": None}]}, "1.0")
        found = shared.connection.execute("SELECT id, arguments FROM run WHERE id = %s", [run_id]).fetchone()
        assert found == (run_id, {"a": [1, {"b": None}]})


def test_the_rows_outlive_their_connection(rows: Rows, shared_url: str) -> None:
    rows.run(command="upload")
    with connect(shared_url) as database:
        [run] = runs.latest(database, 1)
    assert run.command == "upload"


def test_without_tables_the_way_out_is_named(empty_url: str) -> None:
    with connect(empty_url) as database:
        for ask in (lambda: runs.latest(database, 1), lambda: runs.begin(database, "import", {}, "1.0")):
            with pytest.raises(DatabaseError, match="tables are missing") as caught:
                ask()
            assert "`curri db upgrade`" in str(caught.value.hint)
