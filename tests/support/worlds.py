"""Whole worlds in memory: a tree as nested dicts of contents, and a catalog that plans are applied to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from curri.model import (
    AssetRow,
    Digest,
    FoundCourse,
    FoundLesson,
    FoundTree,
    Place,
    Recorded,
)
from curri.plan.changes import Changes, ContentPlan
from curri.plan.content import compare, decide
from curri.tree.layout import Directory, Entry, course_components, lesson_components

Lesson: TypeAlias = dict[str, str]
"""Path -> content."""

World: TypeAlias = dict[str, dict[str, Lesson]]
"""Course number -> lesson number ("" for the course folder itself) -> files."""

READ_AT = 2_000_000_000_000_000_000


def sha1(content: str) -> str:
    return hashlib.sha1(content.encode(), usedforsecurity=False).hexdigest()


def _entry(course: str, lesson: str, path: str, content: str) -> Entry:
    # The inode stands for the file at its place: a moved file is seen as another one, and must be read again.
    inode = int(sha1(f"{course}/{lesson}/{path}/{content}")[:12], 16)
    return Entry(path.rpartition("/")[2], len(content), 1_000, 1_000, inode)


def _directories(course: str, lesson: str, files: Mapping[str, str]) -> list[Directory]:
    folders: dict[str, list[Entry]] = {}
    for path, content in sorted(files.items()):
        folders.setdefault(path.rpartition("/")[0], []).append(_entry(course, lesson, path, content))
    return [Directory(folder, tuple(entries)) for folder, entries in folders.items()]


def found(world: World, *, titles: Mapping[str, str] | None = None) -> FoundTree:
    """Return the world as a walk would see it."""
    courses = []
    for course, lessons in sorted(world.items()):
        folder = f"Course_{course}"
        own = course_components((_directories(course, "", lessons.get("", {})) or [Directory("", ())])[0])
        courses.append(
            FoundCourse(
                slug=f"course_{course}",
                number=course,
                folder=folder,
                title=(titles or {}).get(course, f"Course {course}"),
                description=None,
                position=int(course),
                own=FoundLesson(None, folder, None, None, 0, own),
                lessons=tuple(
                    FoundLesson(
                        number,
                        f"{folder}/Lesson_{number}",
                        f"Lesson {number}",
                        None,
                        int(number),
                        lesson_components(_directories(course, number, files)),
                    )
                    for number, files in sorted(lessons.items())
                    if number
                ),
            )
        )
    return FoundTree("/curriculum", tuple(courses), (), ())


def digests(world: World, tree: FoundTree, recorded: Recorded) -> dict[Place, Digest]:
    """Return what reading everything that must be read would give."""
    return {
        file.place: Digest(sha1(world[file.place.course[7:]][file.place.lesson][file.place.path]), READ_AT)
        for file in compare(tree, recorded).unread
    }


def plan(world: World, recorded: Recorded) -> ContentPlan:
    """Return the plan of an import of the world."""
    tree = found(world)
    return decide(compare(tree, recorded), digests(world, tree, recorded))


def _table(rows: tuple[Any, ...], changes: Changes[Any]) -> tuple[Any, ...]:
    by_id = {row.id: row for row in rows}
    for row in changes.insert:
        assert row.id not in by_id, "an id was given out twice"
        by_id[row.id] = row
    for row in changes.update:
        assert row.id in by_id, "an update of a row that is not there"
        by_id[row.id] = row
    for gone in changes.remove:
        by_id[gone] = by_id[gone]._replace(removed=True)
    return tuple(by_id.values())


def applied(recorded: Recorded, done: ContentPlan) -> Recorded:
    """Return the catalog after the plan was carried out."""
    return replace(
        recorded,
        courses=_table(recorded.courses, done.courses),
        lessons=_table(recorded.lessons, done.lessons),
        components=_table(recorded.components, done.components),
        assets=_table(recorded.assets, done.assets),
    )


def live_files(recorded: Recorded) -> dict[tuple[str, str, str], AssetRow]:
    """Return the files that the catalog says are there, by course number, lesson number and path.

    Checks on the way what the database would: places are unique, parents of what is there are there.
    """
    courses = {row.id: row for row in recorded.courses}
    lessons = {row.id: row for row in recorded.lessons}
    components = {row.id: row for row in recorded.components}
    files: dict[tuple[str, str, str], AssetRow] = {}
    for asset in recorded.assets:
        if asset.removed:
            continue
        component = components[asset.component_id]
        course = courses[component.course_id]
        lesson = lessons[component.lesson_id] if component.lesson_id else None
        assert not component.removed
        assert not course.removed
        assert lesson is None or (not lesson.removed and lesson.course_id == course.id)
        key = (course.number, lesson.number if lesson else "", asset.relative_path)
        assert key not in files, f"two rows for {key}"
        files[key] = asset
    for rows in (
        [(row.slug,) for row in recorded.courses if not row.removed],
        [(row.course_id, row.number) for row in recorded.lessons if not row.removed],
        [(row.course_id, row.lesson_id, row.group_key) for row in recorded.components if not row.removed],
    ):
        assert len(set(rows)) == len(rows), "two rows at one place"
    return files


def component_of(recorded: Recorded, course: str, lesson: str, path: str) -> str:
    """Return the id of the component that a file belongs to."""
    return live_files(recorded)[course, lesson, path].component_id
