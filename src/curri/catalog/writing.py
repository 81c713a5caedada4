"""Writing a content plan: all of it in one transaction, by set statements and COPY."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from psycopg import sql

from curri.catalog import links
from curri.catalog.database import Connection, Database
from curri.model import AssetRow
from curri.plan.changes import ContentPlan


class _Table(NamedTuple):
    name: str
    columns: tuple[str, ...]  # in the order of the plan's rows
    place: tuple[str, ...]  # the columns that are unique among the rows that are there


_COURSE = _Table("course", ("id", "slug", "number", "title", "description", "position", "root"), ("slug",))
_LESSON = _Table("lesson", ("id", "course_id", "number", "title", "description", "position"), ("course_id", "number"))
_COMPONENT = _Table(
    "component",
    ("id", "course_id", "lesson_id", "type", "kind", "name", "group_key", "position"),
    ("course_id", "lesson_id", "group_key"),
)
_ASSET = _Table(
    "asset",
    (
        "id",
        "component_id",
        "relative_path",
        "role",
        "mime_type",
        "size_bytes",
        "mtime_ns",
        "ctime_ns",
        "inode",
        "checksum_sha1",
        "fingerprint_version",
        "hashed_at",
    ),
    ("component_id", "relative_path"),
)


_LEFT = """
    SELECT DISTINCT course_id::text FROM component
     WHERE id = ANY(%(components)s::uuid[]) AND lesson_id IS NULL AND type = 'VIDEO'"""


def apply(database: Database, plan: ContentPlan) -> None:
    """Make the catalog what the plan says: all of it or, on any error, nothing. Raises DatabaseError.

    Rows that change their place are lifted out first (marked as removed) and then set down: so two lessons can
    swap their numbers although no moment knows two lessons of one number. A course whose preview came or went shows
    the first of those that are there and on Stream, or none.
    """
    if plan.is_empty:
        return
    with database.transaction() as connection:
        assets = [_timed(row) for row in plan.assets.update]
        changes: tuple[tuple[_Table, Sequence[Sequence[Any]], Iterable[Sequence[Any]], Sequence[str]], ...] = (
            (_COURSE, plan.courses.update, plan.courses.insert, plan.courses.remove),
            (_LESSON, plan.lessons.update, plan.lessons.insert, plan.lessons.remove),
            (_COMPONENT, plan.components.update, plan.components.insert, plan.components.remove),
            (_ASSET, assets, map(_timed, plan.assets.insert), plan.assets.remove),
        )
        previewed = _previewed(connection, plan)
        for table, update, _, remove in changes:
            _remove(connection, table, remove)
            _lift(connection, table, update)
        for table, update, insert, _ in changes:
            # New parents before the children that point to them, and both before anything else takes their place.
            _insert(connection, table, insert)
            _set_down(connection, table, update)
        links.show_previews(connection, previewed)


def _previewed(connection: Connection, plan: ContentPlan) -> list[str]:
    """Return the courses that lose, get or re-order a preview by this plan. New ones are not on Stream yet."""
    there = [*plan.components.remove, *(row.id for row in plan.components.update)]
    if not there:
        return []
    left = connection.execute(_LEFT, {"components": there})
    reached = {row.course_id for row in plan.components.update if row.lesson_id is None and row.type == "VIDEO"}
    return sorted(reached | {row[0] for row in left})


def _timed(row: AssetRow) -> tuple[Any, ...]:
    """Return the row as the table has it: the time of reading as a time, the flag left out."""
    return (*row[:11], datetime.fromtimestamp(row.hashed_at_ns / 1e9, UTC))


def _remove(connection: Connection, table: _Table, ids: Sequence[str]) -> None:
    if ids:
        statement = sql.SQL("UPDATE {} SET removed_at = now() WHERE id = ANY(%s::uuid[])")
        connection.execute(statement.format(sql.Identifier(table.name)), [list(ids)])


def _insert(connection: Connection, table: _Table, rows: Iterable[Sequence[Any]]) -> None:
    _copy(connection, sql.Identifier(table.name), table, rows)


def _copy(connection: Connection, target: sql.Identifier, table: _Table, rows: Iterable[Sequence[Any]]) -> None:
    width = len(table.columns)
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(target, columns)) as copy:
        for row in rows:
            copy.write_row(row if len(row) == width else row[:width])


def _lift(connection: Connection, table: _Table, rows: Sequence[Sequence[Any]]) -> None:
    """Bring the wanted rows to the server, and take out those among the present ones whose place will change."""
    if not rows:
        return
    wanted = sql.Identifier(f"wanted_{table.name}")
    present = sql.Identifier(table.name)
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0").format(
            wanted, sql.SQL(", ").join(map(sql.Identifier, table.columns)), present
        )
    )
    _copy(connection, wanted, table, rows)
    moved = sql.SQL(" OR ").join(
        sql.SQL("t.{0} IS DISTINCT FROM w.{0}").format(sql.Identifier(column)) for column in table.place
    )
    connection.execute(
        sql.SQL("UPDATE {} t SET removed_at = now() FROM {} w WHERE t.id = w.id AND ({})").format(
            present, wanted, moved
        )
    )


def _set_down(connection: Connection, table: _Table, rows: Sequence[Sequence[Any]]) -> None:
    """Give the present rows the wanted values; whatever was lifted or removed is there again."""
    if not rows:
        return
    values = sql.SQL(", ").join(
        sql.SQL("{0} = w.{0}").format(sql.Identifier(column)) for column in table.columns if column != "id"
    )
    connection.execute(
        sql.SQL("UPDATE {} t SET {}, removed_at = NULL FROM {} w WHERE t.id = w.id").format(
            sql.Identifier(table.name), values, sql.Identifier(f"wanted_{table.name}")
        )
    )
