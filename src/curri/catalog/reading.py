"""Reading the catalog in bulk, straight into the values that decisions are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from curri.catalog.database import Connection, Database
from curri.model import AssetRow, ComponentRow, CourseRow, LessonRow, Recorded

CHUNK = 2000
"""Rows taken over at a time: enough to be fast, few enough to be nothing in memory."""

_COURSES = """
    SELECT id::text, slug, number, title, description, position, root, removed_at IS NOT NULL
      FROM course WHERE slug = ANY(%(slugs)s) OR root = %(root)s
     ORDER BY removed_at DESC NULLS FIRST, position, slug, id"""
_LESSONS = """
    SELECT id::text, course_id::text, number, title, description, position, removed_at IS NOT NULL
      FROM lesson WHERE course_id = ANY(%(courses)s::uuid[])
     ORDER BY removed_at DESC NULLS FIRST, course_id, position, id"""
_COMPONENTS = """
    SELECT id::text, course_id::text, lesson_id::text, type::text, kind, name, group_key, position,
           removed_at IS NOT NULL
      FROM component WHERE course_id = ANY(%(courses)s::uuid[])
     ORDER BY removed_at DESC NULLS FIRST, course_id, lesson_id, position, id"""
ASSET = """a.id::text, a.component_id::text, a.relative_path, a.role::text, a.mime_type, a.size_bytes,
           a.mtime_ns, a.ctime_ns, a.inode, a.checksum_sha1, a.fingerprint_version,
           (date_part('epoch', a.hashed_at) * 1e9)::bigint, a.removed_at IS NOT NULL"""
"""SQL for the columns of an `AssetRow`, from a table `asset a`."""
_ASSETS = f"""
    SELECT {ASSET}
      FROM asset a JOIN component c ON c.id = a.component_id
     WHERE c.course_id = ANY(%(courses)s::uuid[])"""  # noqa: S608 - only a constant of this module is put in
_TAKEN = """
    SELECT id::text FROM course WHERE id <> ALL(%(courses)s::uuid[])
     UNION ALL SELECT id::text FROM lesson WHERE course_id <> ALL(%(courses)s::uuid[])
     UNION ALL SELECT id::text FROM component WHERE course_id <> ALL(%(courses)s::uuid[])
     UNION ALL SELECT a.id::text FROM asset a JOIN component c ON c.id = a.component_id
                WHERE c.course_id <> ALL(%(courses)s::uuid[])"""


def content(database: Database, slugs: Sequence[str], root: str | None) -> Recorded:
    """Return what is recorded of the courses named, and of all last imported from `root` (None: of no others).

    Removed rows are included: they are what a file that comes back is recognised by. One snapshot of the catalog.
    Raises DatabaseError.
    """
    with database.snapshot() as connection:
        courses = [CourseRow._make(row) for row in connection.execute(_COURSES, {"slugs": list(slugs), "root": root})]
        within = {"courses": [course.id for course in courses]}
        lessons = [LessonRow._make(row) for row in connection.execute(_LESSONS, within)]
        components = [ComponentRow._make(row) for row in connection.execute(_COMPONENTS, within)]
        return Recorded(
            tuple(courses),
            tuple(lessons),
            tuple(components),
            _assets(connection, within),
            _taken(connection, within),
        )


def _taken(connection: Connection, within: dict[str, Any]) -> frozenset[str]:
    """Return the ids of all other courses and of what belongs to them."""
    others = connection.execute("SELECT 1 FROM course WHERE id <> ALL(%(courses)s::uuid[]) LIMIT 1", within)
    if others.fetchone() is None:
        return frozenset()
    return frozenset(row[0] for row in connection.execute(_TAKEN, within))


def _assets(connection: Connection, within: dict[str, Any]) -> tuple[AssetRow, ...]:
    """Read the files. Texts that repeat (component, type, role) are kept once: it halves the memory."""
    same: dict[str, str] = {}
    keep = same.setdefault
    assets: list[AssetRow] = []
    size = CHUNK if psycopg.capabilities.has_stream_chunked() else 1  # libpq 17 or newer
    with connection.cursor() as cursor:
        for id_, component, path, role, mime, *rest in cursor.stream(_ASSETS, within, size=size):
            assets.append(AssetRow(id_, keep(component, component), path, keep(role, role), keep(mime, mime), *rest))
    return tuple(assets)
