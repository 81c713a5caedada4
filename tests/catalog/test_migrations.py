"""The migrations: the same database as the SQLModel classes, up and down with rows in it, and nothing half done."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from curri.catalog import migrate, tables
from curri.catalog.database import REVISION, connect
from curri.errors import BusyError, DatabaseError, ExitCode, NotMigrated, UsageError

from .rows import Rows
from .sessions import OTHERS, ask, tell
from .shape import beyond_tables, names_in, tables_of
from .waiting import until

REPOSITORY = Path(__file__).parents[2]

WITHOUT_TABLES = [
    ("relation", "alembic_version"),
    ("relation", "alembic_version_pkc"),
    ("type", "_alembic_version"),
    ("type", "alembic_version"),
]
"""What the schema holds after everything was taken down: Alembic's own table, which must then be empty."""

LATER = """
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    op.execute("CREATE TABLE made_by_{revision} (id integer)")
    {then}


def downgrade() -> None:
    op.execute("DROP TABLE made_by_{revision}")
"""

FAIL = 'op.execute("SELECT 1/0")'
LOSE_CONNECTION = 'op.execute("SELECT pg_terminate_backend(pg_backend_pid())")'
WAIT_FOR_LOCK_7 = """op.execute("SET LOCAL lock_timeout = '60s'")
    op.execute("SELECT pg_advisory_xact_lock(7)")"""

Later = Callable[..., None]


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Later:
    """Return a function that adds migrations 0002, 0003 and so on, each making a table, then doing what is given."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.scripts(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "scripts", lambda: folder)

    def add(*thens: str) -> None:
        for number, then in enumerate(thens, start=int(REVISION) + 1):
            text = LATER.format(revision=f"{number:04}", before=f"{number - 1:04}", then=then or "pass")
            (folder / "versions" / f"{number:04}.py").write_text(text)
            monkeypatch.setattr(migrate, "REVISION", f"{number:04}")

    return add


def revision(url: str) -> str | None:
    with connect(url) as database:
        return database.revision()


def fill(url: str) -> Rows:
    made = Rows(url)
    assert set(made.one_of_each()) == set(tables.TABLES)
    return made


# --- the same database


def create_from_classes(url: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
    SQLModel.metadata.create_all(engine)
    engine.dispose()


@pytest.mark.parametrize("facts", ["columns", "enums", "constraints", "indexes", "sequences"])
def test_the_migrations_and_the_classes_make_the_same_tables(facts: str, url: str, empty_url: str) -> None:
    create_from_classes(empty_url)
    assert tables_of(url)[facts] == tables_of(empty_url)[facts] != []


def test_triggers_the_function_behind_them_and_the_view_are_made_by_the_migrations_alone(
    url: str, empty_url: str
) -> None:
    create_from_classes(empty_url)
    assert beyond_tables(empty_url) == {"triggers": [], "views": [], "functions": []}
    assert beyond_tables(url) == {
        "triggers": [(table, "set_updated_at") for table in sorted(tables.TABLES)],
        "views": [("course_videos",)],
        "functions": [("set_updated_at",)],
    }


def test_every_table_has_a_class_and_every_class_a_table(url: str) -> None:
    assert {str(row[0]) for row in tables_of(url)["columns"]} == set(tables.TABLES)
    assert set(SQLModel.metadata.tables) == set(tables.TABLES)


# --- up and down


def test_the_newest_revision_that_the_code_knows_is_the_newest_there_is() -> None:
    assert ScriptDirectory(str(migrate.scripts())).get_current_head() == REVISION


def test_up_rows_in_every_table_down_and_up_again(empty_url: str) -> None:
    assert migrate.move(empty_url, "head") == (None, REVISION)
    first = tables_of(empty_url) | beyond_tables(empty_url)
    fill(empty_url).connection.close()
    assert migrate.move(empty_url, "base", down=True) == (REVISION, None)
    assert migrate.move(empty_url, "head") == (None, REVISION)
    assert tables_of(empty_url) | beyond_tables(empty_url) == first
    fill(empty_url).connection.close()


def test_taking_everything_down_leaves_nothing_but_an_empty_list_of_revisions(url: str) -> None:
    fill(url).connection.close()
    migrate.move(url, "base", down=True)
    assert names_in(url) == WITHOUT_TABLES
    assert ask(url, "SELECT count(*) FROM alembic_version") == 0
    assert revision(url) is None


def test_every_step_up_and_down_keeps_the_rows_of_the_steps_before(empty_url: str, later: Later) -> None:
    later("", "")
    for step in ("0001", "0002", "0003"):
        migrate.move(empty_url, step)
        assert revision(empty_url) == step
    made = fill(empty_url)
    before = {table: made.all(table) for table in tables.TABLES}
    for step in ("0002", "0001"):
        migrate.move(empty_url, step, down=True)
        assert revision(empty_url) == step
        assert {table: made.all(table) for table in tables.TABLES} == before
    assert ask(empty_url, "SELECT to_regclass('made_by_0002')") is None
    made.connection.close()
    migrate.move(empty_url, "base", down=True)
    assert names_in(empty_url) == WITHOUT_TABLES


def test_a_second_upgrade_changes_nothing(url: str) -> None:
    made = (
        "SELECT (SELECT array_agg(oid::bigint ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace),"
        " (SELECT xmin::text FROM alembic_version)"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        before = connection.execute(made).fetchall()
        assert migrate.move(url, "head") == (REVISION, REVISION)
        assert migrate.move(url, REVISION) == (REVISION, REVISION)
        assert connection.execute(made).fetchall() == before


def test_a_second_downgrade_changes_nothing(url: str) -> None:
    migrate.move(url, "base", down=True)
    assert migrate.move(url, "base", down=True) == (None, None)


def test_a_dry_run_says_where_it_would_go_and_stays(url: str, empty_url: str) -> None:
    assert migrate.move(empty_url, "head", dry_run=True) == (None, REVISION)
    assert names_in(empty_url) == []
    assert migrate.move(url, "base", down=True, dry_run=True) == (REVISION, None)
    assert revision(url) == REVISION


@pytest.mark.parametrize("dry_run", [False, True])
def test_nobody_goes_down_by_the_way_up_or_up_by_the_way_down(url: str, empty_url: str, *, dry_run: bool) -> None:
    before = names_in(url)
    with pytest.raises(UsageError, match=f"base is older than what is there: {REVISION}") as caught:
        migrate.move(url, "base", dry_run=dry_run)
    assert "`curri db downgrade base`" in str(caught.value.hint)
    assert names_in(url) == before
    for target in ("head", REVISION):
        with pytest.raises(UsageError, match=f"{target} is newer than what is there: base") as caught:
            migrate.move(empty_url, target, down=True, dry_run=dry_run)
        assert f"`curri db upgrade {target}`" in str(caught.value.hint)
    assert names_in(empty_url) == []


# --- failures


def test_tables_whose_list_of_revisions_is_empty_are_said_to_be_that(url: str) -> None:
    tell(url, "DELETE FROM alembic_version")
    before = names_in(url)
    with pytest.raises(DatabaseError, match="alembic_version says of none") as caught:
        migrate.move(url, "head")
    assert f"VALUES ('{REVISION}')" in str(caught.value.hint)
    assert names_in(url) == before


def test_tables_of_an_older_revision_that_nobody_knows_do_not_send_one_in_a_circle(url: str) -> None:
    tell(url, "UPDATE alembic_version SET version_num = '0000'")
    for target, down in (("head", False), ("base", True)):
        with pytest.raises(NotMigrated, match="0000, which this curri does not know") as caught:
            migrate.move(url, target, down=down)
        assert "db upgrade" not in str(caught.value.hint)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_user_who_may_not_make_tables_is_told_so_by_a_dry_run_too(
    schema_owner_url: str, server: str, *, dry_run: bool
) -> None:
    public = make_conninfo(schema_owner_url, options="")
    for way in (public, make_conninfo(schema_owner_url, options="-csearch_path=nowhere")):
        with pytest.raises(
            DatabaseError, match=r"no schema of the search_path .* or this user may not use it"
        ) as caught:
            migrate.move(way, "head", dry_run=dry_run)
        assert "search_path%3D" in str(caught.value.hint)
    tell(
        make_conninfo(server, dbname=conninfo_to_dict(schema_owner_url)["dbname"]),
        "GRANT USAGE ON SCHEMA public TO PUBLIC",
    )
    with pytest.raises(DatabaseError, match="no tables in the schema public") as caught:
        migrate.move(public, "head", dry_run=dry_run)
    assert "search_path%3D" in str(caught.value.hint)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_database_that_takes_no_changes_is_said_to_be_read_only_by_a_dry_run_too(
    empty_url: str, *, dry_run: bool
) -> None:
    read_only = make_conninfo(empty_url, options="-cdefault_transaction_read_only=on")
    with pytest.raises(DatabaseError, match="read-only"):
        migrate.move(read_only, "head", dry_run=dry_run)


@pytest.mark.parametrize("then", [FAIL, LOSE_CONNECTION], ids=["refused", "connection lost"])
def test_a_failing_migration_leaves_the_revision_before_it(then: str, empty_url: str, later: Later) -> None:
    later("", then)
    with pytest.raises(DatabaseError) as caught:
        migrate.move(empty_url, "head")
    assert caught.value.exit_code is ExitCode.DATABASE
    assert revision(empty_url) == "0002"
    assert ask(empty_url, "SELECT to_regclass('made_by_0002')::text") == "made_by_0002"
    assert ask(empty_url, "SELECT to_regclass('made_by_0003')") is None


def test_a_bug_in_a_migration_leaves_nothing_of_it(empty_url: str, later: Later) -> None:
    later("raise RuntimeError")
    with pytest.raises(RuntimeError):
        migrate.move(empty_url, "head")
    assert revision(empty_url) == REVISION
    assert ask(empty_url, "SELECT to_regclass('made_by_0002')") is None


def test_a_table_of_somebody_else_in_the_way_is_named_and_stays(empty_url: str) -> None:
    tell(empty_url, "CREATE TABLE video (mine text)")
    with pytest.raises(DatabaseError, match='"video" already exists') as caught:
        migrate.move(empty_url, "head")
    assert "schema of its own" in str(caught.value.hint)
    assert ask(empty_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1


def test_a_view_of_somebody_else_keeps_the_tables_from_being_taken_down(url: str) -> None:
    tell(url, "CREATE VIEW theirs AS SELECT * FROM course_videos")
    before = names_in(url)
    with pytest.raises(DatabaseError, match="depend on it"):
        migrate.move(url, "base", down=True)
    assert names_in(url) == before
    assert revision(url) == REVISION


@pytest.mark.parametrize("target", ["0000", "9999", "+1", "-1", "heads", "", "0001 "])
def test_an_unknown_revision_is_refused_and_the_known_ones_are_named(target: str, empty_url: str) -> None:
    for down, end, other in ((False, "head", "base"), (True, "base", "head")):
        with pytest.raises(UsageError) as caught:
            migrate.move(empty_url, target, down=down)
        assert {REVISION, end} < set(str(caught.value.hint).replace(",", "").split())
        assert other not in str(caught.value.hint)
    assert names_in(empty_url) == []


@pytest.mark.parametrize(("found", "said"), [("9999", "newer curri"), ("ab12cd34ef56", "another program")])
def test_tables_that_are_not_ours_are_left_alone(found: str, said: str, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [found])
    before = names_in(url)
    for target, down in (("head", False), ("base", True), (REVISION, False)):
        with pytest.raises(NotMigrated) as caught:
            migrate.move(url, target, down=down)
        assert said in f"{caught.value.message} {caught.value.hint}"
    assert names_in(url) == before
    assert revision(url) == found


# --- two at once


def test_a_second_upgrade_at_the_same_time_is_told_so_and_the_first_goes_on(empty_url: str, later: Later) -> None:
    later(WAIT_FOR_LOCK_7)
    with psycopg.connect(empty_url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        first = threading.Thread(target=migrate.move, args=(empty_url, "head"))
        first.start()
        try:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND objid = 7"
            until(lambda: ask(empty_url, waiting) == 1)
            with pytest.raises(BusyError):
                migrate.move(empty_url, "head")
        finally:
            holder.execute("SELECT pg_advisory_unlock(7)")
            first.join()
    assert revision(empty_url) == "0002"


def test_of_two_commands_that_find_an_embedded_server_without_tables_the_second_waits(
    empty_url: str, later: Later
) -> None:
    later(WAIT_FOR_LOCK_7)
    with psycopg.connect(empty_url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        failed: list[BaseException] = []

        def bring_up() -> None:
            try:
                migrate.move_if_needed(empty_url)
            except BaseException as error:
                failed.append(error)
                raise

        both = [threading.Thread(target=bring_up) for _ in range(2)]
        for thread in both:
            thread.start()
        try:
            until(lambda: ask(empty_url, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 2)
        finally:
            holder.execute("SELECT pg_advisory_unlock(7)")
            for thread in both:
                thread.join()
    assert failed == []
    assert revision(empty_url) == "0002"


def test_the_tables_of_an_embedded_server_come_up_by_themselves_unless_they_are_newer(
    url: str, empty_url: str, later: Later
) -> None:
    migrate.move_if_needed(empty_url)
    assert revision(empty_url) == REVISION
    tell(url, "UPDATE alembic_version SET version_num = '9999'")
    migrate.move_if_needed(url)
    assert revision(url) == "9999"
    later("")
    migrate.move_if_needed(empty_url)
    assert revision(empty_url) == "0002"


# --- where


def test_the_tables_can_live_in_a_schema_that_is_not_public(empty_url: str) -> None:
    tell(empty_url, 'CREATE SCHEMA "the catalog"')
    there = make_conninfo(empty_url, options=r'-csearch_path="the\ catalog"')
    migrate.move(there, "head")
    fill(there).connection.close()
    assert names_in(empty_url) == []
    assert {row[0] for row in tables_of(there)["columns"]} == set(tables.TABLES)
    migrate.move(there, "base", down=True)
    assert names_in(there) == WITHOUT_TABLES


def test_two_catalogs_live_side_by_side_in_schemas_of_one_database(empty_url: str) -> None:
    tell(empty_url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    one_url, two_url = (make_conninfo(empty_url, options=f"-csearch_path={name}") for name in ("one", "two"))
    migrate.move(one_url, "head")
    assert revision(two_url) is None
    migrate.move(two_url, "head")
    fill(one_url).connection.close()
    migrate.move(two_url, "base", down=True)
    assert revision(one_url) == REVISION
    assert ask(one_url, "SELECT count(*) FROM course") == 1


def test_a_user_that_owns_nothing_but_a_schema_can_do_it_all(schema_owner_url: str) -> None:
    migrate.move(schema_owner_url, "head")
    fill(schema_owner_url).connection.close()
    migrate.move(schema_owner_url, "base", down=True)
    assert names_in(schema_owner_url) == WITHOUT_TABLES


@pytest.mark.parametrize("name", ["100% ready", "it's %(here)s", "a:b;c", "ünï"])
def test_the_folder_of_the_migrations_may_have_any_name(
    name: str, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(migrate.scripts(), tmp_path / name / "migrations")
    monkeypatch.setattr(migrate, "scripts", lambda: tmp_path / name / "migrations")
    assert migrate.move(empty_url, "head") == (None, REVISION)


def test_the_migrations_are_found_in_a_source_checkout_and_in_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, ours = migrate.scripts(), REPOSITORY / "migrations"
    names = sorted(path.relative_to(ours) for path in ours.rglob("*.py"))
    assert len(names) >= 2
    assert [(found / name).read_bytes() for name in names] == [(ours / name).read_bytes() for name in names]
    checkout = tmp_path / "checkout"
    monkeypatch.setattr(migrate, "__file__", str(checkout / "src" / "curri" / "catalog" / "migrate.py"))
    assert migrate.scripts() == checkout / "migrations"
    installed = checkout / "src" / "curri" / "migrations"
    installed.mkdir(parents=True)
    assert migrate.scripts() == installed


def test_nothing_is_left_open_after_a_migration(url: str, later: Later) -> None:
    migrate.move(url, "base", down=True)
    later(FAIL)
    with pytest.raises(DatabaseError):
        migrate.move(url, "head")
    until(lambda: ask(url, OTHERS) == 0)
