"""What stands in the way of working in a database: `curri doctor` says each thing, with the way out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from curri.catalog import fitness, migrate, tables
from curri.errors import ExitCode
from curri.flow import doctor
from curri.flow.preflight import Credentials

from .sessions import ask, tell
from .shape import names_in


def problems(url: str) -> dict[str, str]:
    """Return what doctor says to be a problem with a database, each with its hint."""
    found = doctor.run(doctor.Configured(url, Path("/"), None, None, lambda: Credentials(None, None, None)))
    wrong = [each for each in found if each.state == "problem" and each.name != "state folder"]
    assert all(each.hint and each.exit_code is ExitCode.DATABASE for each in wrong)
    assert len({(each.name, each.text) for each in wrong}) == len(wrong)
    return {each.name: f"{each.text}; hint: {each.hint}" for each in wrong}


@pytest.fixture
def role(server: str, url: str) -> Iterator[str]:
    """Yield the name of a database user to whom nothing is granted in the catalog `url`."""
    name = f"curri_role_{os.getpid()}"
    tell(server, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    yield name
    tell(url, f"DROP OWNED BY {name}")
    tell(server, f"DROP ROLE {name}")


def test_the_tables_looked_for_are_all_that_there_are(url: str) -> None:
    assert fitness.TABLES == tables.TABLES
    assert {*fitness.TABLES, fitness.VIEW, "alembic_version"} <= {name for _, name in names_in(url)}


def test_a_catalog_that_is_as_it_should_be_has_no_problem(url: str, role: str) -> None:
    assert problems(url) == {}
    tell(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
    assert problems(make_conninfo(url, user=role, password="secret")) == {}


@pytest.mark.parametrize("there", [True, False], ids=["with tables", "without tables"])
def test_a_database_that_takes_no_changes_is_a_problem(url: str, empty_url: str, *, there: bool) -> None:
    read_only = make_conninfo(url if there else empty_url, options="-cdefault_transaction_read_only=on")
    said = problems(read_only)["writing"]
    assert "the database is read-only" in said
    assert "default_transaction_read_only" in said


def test_a_standby_is_a_problem(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitness, "_READ_ONLY", "SELECT true, true, 'ann'")  # a second server for this takes seconds
    assert "primary server" in problems(url)["writing"]


def test_a_user_who_may_only_read_lacks_rights_and_is_told_which(url: str, role: str) -> None:
    tell(url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", f"GRANT INSERT, UPDATE ON run TO {role}")
    said = problems(make_conninfo(url, user=role, password="secret"))
    assert list(said) == ["tables"]
    assert "9 of 9 tables" in said["tables"]
    assert "course (INSERT, UPDATE, DELETE)" in said["tables"]
    assert "run (DELETE)" in said["tables"]
    assert f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}" in said["tables"]


def test_a_user_who_may_make_no_temporary_tables_is_told_so(url: str, role: str) -> None:
    name = ask(url, "SELECT current_database()")
    tell(
        url,
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC",
    )
    assert (
        f"GRANT TEMPORARY ON DATABASE {name} TO {role}"
        in problems(make_conninfo(url, user=role, password="secret"))["tables"]
    )


@pytest.mark.parametrize("gone", ["VIEW course_videos", "TABLE metadata_change", "TABLE upload"])
def test_a_table_or_the_view_that_is_missing_is_named(gone: str, url: str) -> None:
    tell(url, f"DROP {gone} CASCADE")
    said = problems(url)["tables"]
    assert gone.partition(" ")[2] in said
    assert "0001" in said
    assert "backup" in said


def test_where_no_tables_can_be_made_that_is_said_before_an_upgrade_is_tried(
    schema_owner_url: str, server: str
) -> None:
    public = make_conninfo(schema_owner_url, options="")
    assert "no schema of the search_path" in problems(public)["schema"]
    assert set(problems(schema_owner_url)) == {"tables"}
    tell(make_conninfo(server, dbname=conninfo_to_dict(public)["dbname"]), "GRANT USAGE ON SCHEMA public TO PUBLIC")
    said = problems(public)
    assert set(said) == {"schema", "tables"}
    assert "may make no tables in the schema public" in said["schema"]
    assert "?options=-csearch_path%3DNAME" in said["schema"]
    migrate.move(schema_owner_url, "head")
    assert problems(schema_owner_url) == {}


def test_tables_without_a_revision_are_told_apart_from_no_tables(url: str, empty_url: str) -> None:
    tell(url, "DELETE FROM alembic_version")
    assert "alembic_version" in problems(url)["tables"]
    assert "no tables of curri yet" in problems(empty_url)["tables"]
