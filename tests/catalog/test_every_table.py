"""What holds for every table: an id, two times, an index under each foreign key; and the indexes of common look-ups."""

from __future__ import annotations

import psycopg
import pytest

from curri.catalog.tables import TABLES

from .rows import Rows


def test_every_table_has_an_id_and_two_times_that_are_always_there(rows: Rows) -> None:
    found = rows.connection.execute(
        """SELECT table_name, column_name, data_type FROM information_schema.columns
            WHERE table_schema = 'public' AND is_nullable = 'NO'
              AND column_name IN ('id', 'created_at', 'updated_at') AND table_name <> 'alembic_version'"""
    ).fetchall()
    times = "timestamp with time zone"
    assert {(row["table_name"], row["column_name"], row["data_type"]) for row in found} == {
        (table, column, kind)
        for table in TABLES
        for column, kind in (
            ("id", "bigint" if table == "run" else "uuid"),
            ("created_at", times),
            ("updated_at", times),
        )
    }
    keys = rows.connection.execute(
        """SELECT conrelid::regclass::text AS name, pg_get_constraintdef(oid) AS key FROM pg_constraint
            WHERE contype = 'p' AND connamespace = 'public'::regnamespace AND conname <> 'alembic_version_pkc'"""
    ).fetchall()
    assert {(row["name"], row["key"]) for row in keys} == {(table, "PRIMARY KEY (id)") for table in TABLES}


def test_every_foreign_key_begins_an_index_so_that_no_delete_reads_a_whole_table(rows: Rows) -> None:
    found = rows.connection.execute(
        """SELECT k.conname, EXISTS (
                  SELECT FROM pg_index i
                   WHERE i.indrelid = k.conrelid AND i.indpred IS NULL
                     AND (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] @> k.conkey
                     AND (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] <@ k.conkey) AS indexed
             FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace"""
    ).fetchall()
    assert len(found) >= 11
    assert [row["conname"] for row in found if not row["indexed"]] == []


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT FROM video WHERE status = 'inprogress'", "video_status_idx"),
        ("SELECT FROM video WHERE provider = 'CLOUDFLARE' AND provider_id = 'a'", "video_provider_provider_id_key"),
        ("SELECT FROM video ORDER BY created_at DESC LIMIT 50", "video_created_at_idx"),
        ("SELECT FROM component WHERE course_id = gen_random_uuid()", "component_course_id_idx"),
        ("SELECT FROM component WHERE lesson_id = gen_random_uuid()", "component_lesson_id_idx"),
        ("SELECT FROM asset WHERE checksum_sha1 = 'a'", "asset_checksum_sha1_idx"),
        ("SELECT FROM course WHERE slug = 'a' AND removed_at IS NULL", "course_slug_key"),
        ("SELECT FROM upload WHERE state = 'sending'", "upload_one_open"),
        ("SELECT FROM run WHERE command = 'import'", "run_command_idx"),
    ],
)
def test_a_common_look_up_has_an_index(query: str, index: str, rows: Rows) -> None:
    rows.connection.execute("SET enable_seqscan = off")
    rows.connection.execute("SET enable_sort = off")
    plan = rows.connection.execute(f"EXPLAIN {query}".encode()).fetchall()
    assert any(f" {index} " in f"{row['QUERY PLAN']} " for row in plan), plan


def test_the_ids_of_runs_are_given_by_the_database_alone(rows: Rows) -> None:
    first, second = rows.run(), rows.run()
    assert first["id"] < second["id"]
    with pytest.raises(psycopg.ProgrammingError):
        rows.run(id=1)
