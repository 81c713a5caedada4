"""Plans as literals: rows with readable names as ids, and what a catalog holds after a plan, as rows again."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, TypeVar

from curri.catalog import reading
from curri.catalog.database import Database
from curri.model import AssetRow, ComponentRow, CourseRow, LessonRow, Recorded
from curri.plan.changes import Changes, ContentPlan

from .rows import SHA1

Row = TypeVar("Row", CourseRow, LessonRow, ComponentRow, AssetRow)

ROOT = "/curriculum"


def id_of(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def course(called: str, slug: str, **values: Any) -> CourseRow:
    return CourseRow(id_of(called), slug, slug[-2:], "A title", None, 1, ROOT)._replace(**values)


def lesson(called: str, parent: CourseRow, number: str, **values: Any) -> LessonRow:
    return LessonRow(id_of(called), parent.id, number, "A title", "About it", 1)._replace(**values)


def component(called: str, parent: LessonRow | CourseRow, key: str, **values: Any) -> ComponentRow:
    course_id, lesson_id = (parent.course_id, parent.id) if isinstance(parent, LessonRow) else (parent.id, None)
    row = ComponentRow(id_of(called), course_id, lesson_id, "VIDEO", "learning", "video", key, 0)
    return row._replace(**values)


def asset(called: str, parent: ComponentRow, path: str, **values: Any) -> AssetRow:
    changed, read = 1_700_000_000_000_000_001, 1_763_000_000_123_456_000
    row = AssetRow(id_of(called), parent.id, path, "source", "video/mp4", 5, changed, changed + 1, 42, SHA1, 1, read)
    return row._replace(**values)


def plan(
    insert: Iterable[tuple[Any, ...]] = (), update: Iterable[tuple[Any, ...]] = (), remove: Iterable[Any] = ()
) -> ContentPlan:
    """Return the plan that inserts, updates and removes these rows, of whichever table each is."""
    insert, update, remove = list(insert), list(update), list(remove)

    def changes(kind: type[Row]) -> Changes[Row]:
        return Changes(
            tuple(row for row in insert if isinstance(row, kind)),
            tuple(row for row in update if isinstance(row, kind)),
            tuple(row.id for row in remove if isinstance(row, kind)),
        )

    return ContentPlan(changes(CourseRow), changes(LessonRow), changes(ComponentRow), changes(AssetRow))


def recorded(database: Database) -> Recorded:
    """Return everything in the catalog that was imported from ROOT."""
    return reading.content(database, [], ROOT)


def held(database: Database) -> set[tuple[Any, ...]]:
    """Return all rows of the catalog, without the times of reading: those are kept to the microsecond only."""
    found = recorded(database)
    return {*found.courses, *found.lessons, *found.components, *(row._replace(hashed_at_ns=0) for row in found.assets)}


def timeless(*rows: Any) -> set[tuple[Any, ...]]:
    """Return rows as `held` does."""
    return {row._replace(hashed_at_ns=0) if isinstance(row, AssetRow) else row for row in rows}
