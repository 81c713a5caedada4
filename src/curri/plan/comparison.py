"""Tree and catalog side by side, before any byte is read: what is provably unchanged, and what must be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from curri.model import (
    FINGERPRINT_VERSION,
    AssetRow,
    ComponentRow,
    CourseRow,
    Digest,
    FoundAsset,
    FoundLesson,
    FoundTree,
    LessonRow,
    Place,
    Recorded,
)

RACY_NS = 2_000_000_000
"""A file read within 2 s of its modification time may have changed once more without its time showing it.

Two seconds is the coarsest time stamp in use (FAT); git calls such entries racy and handles them alike.
"""


class Unread(NamedTuple):
    """A file whose bytes must be read before anything can be said of it."""

    place: Place
    folder: str  # of its lesson (or course), relative to the root
    asset: FoundAsset


@dataclass(frozen=True, slots=True)
class Index:
    """The recorded rows, by what they belong to."""

    courses: dict[str, CourseRow]
    lessons: dict[str, LessonRow]
    components: dict[str, ComponentRow]
    by_owner: dict[str, list[ComponentRow]]  # lesson id; course id for what lies in the course folder
    by_component: dict[str, list[AssetRow]]

    @classmethod
    def of(cls, recorded: Recorded) -> Index:
        by_owner: dict[str, list[ComponentRow]] = defaultdict(list)
        for component in recorded.components:
            by_owner[component.lesson_id or component.course_id].append(component)
        by_component: dict[str, list[AssetRow]] = defaultdict(list)
        for asset in recorded.assets:
            by_component[asset.component_id].append(asset)
        return cls(
            courses={row.id: row for row in recorded.courses},
            lessons={row.id: row for row in recorded.lessons},
            components={row.id: row for row in recorded.components},
            by_owner=by_owner,
            by_component=by_component,
        )

    def components_of(self, owner: str) -> Sequence[ComponentRow]:
        """Return the components of a lesson, or those that lie in a course folder, the removed ones included."""
        return self.by_owner.get(owner, ())

    def assets_of(self, component: str) -> Sequence[AssetRow]:
        """Return the files of a component, the removed ones included."""
        return self.by_component.get(component, ())


@dataclass(frozen=True, slots=True)
class Comparison:
    """Tree and catalog side by side, before any byte was read."""

    found: FoundTree
    recorded: Recorded
    index: Index
    settled: Mapping[tuple[str, str], str]
    """(course slug, lesson number or "") -> owner id, where every file is provably as recorded."""
    known: Mapping[Place, Digest]
    """Digests that are still good, of files outside of the settled lessons."""
    unread: tuple[Unread, ...]


def trusted(row: AssetRow) -> bool:
    """Return whether the recorded time stamps of a file can prove that it has not changed since."""
    return row.version == FINGERPRINT_VERSION and abs(row.hashed_at_ns - row.mtime_ns) >= RACY_NS


def compare(found: FoundTree, recorded: Recorded, *, rehash: bool = False) -> Comparison:
    """Find out what must be read: everything whose size, times or inode differ from the record, or all (`rehash`)."""
    index = Index.of(recorded)
    course_ids = {row.slug: row.id for row in recorded.courses if not row.removed}
    lesson_ids: dict[tuple[str | None, str], str] = {
        (row.course_id, row.number): row.id for row in recorded.lessons if not row.removed
    }
    settled: dict[tuple[str, str], str] = {}
    known: dict[Place, Digest] = {}
    unread: list[Unread] = []
    for course in found.courses:
        course_id = course_ids.get(course.slug)
        for lesson in (course.own, *course.lessons):
            number = lesson.number or ""
            owner = lesson_ids.get((course_id, number)) if number else course_id
            if owner is not None and not rehash and _is_as_recorded(lesson, owner, index):
                settled[course.slug, number] = owner
                continue
            rows = {} if owner is None or rehash else _trusted_rows(owner, index)
            for component in lesson.components:
                for asset in component.assets:
                    place = Place(course.slug, number, asset.path)
                    row = rows.get(asset.path)
                    if row is not None and row[5:9] == asset[3:]:
                        known[place] = Digest(row.sha1, row.hashed_at_ns)
                    else:
                        unread.append(Unread(place, lesson.folder, asset))
    return Comparison(found, recorded, index, settled, known, tuple(unread))


def _is_as_recorded(lesson: FoundLesson, owner: str, index: Index) -> bool:
    """Return whether all files of a lesson are, by their time stamps, those recorded, in the same components."""
    if lesson.blocked or not lesson.components:  # no file proves anything: two courses may have swapped their numbers
        return False
    rows = {row.group_key: row for row in index.components_of(owner) if not row.removed}
    if len(rows) != len(lesson.components):
        return False
    for component in lesson.components:
        row = rows.get(component.group_key)
        if row is None or (row.type, row.kind, row.name, row.position) != (
            component.type,
            component.kind,
            component.name,
            component.position,
        ):
            return False
        assets = {asset.relative_path: asset for asset in index.assets_of(row.id) if not asset.removed}
        if len(assets) != len(component.assets):
            return False
        for asset in component.assets:
            recorded = assets.get(asset.path)
            # Path, role, type, size, both times and the inode lie in one run in both values.
            if recorded is None or recorded[2:9] != asset or not trusted(recorded):
                return False
    return True


def _trusted_rows(owner: str, index: Index) -> dict[str, AssetRow]:
    return {
        row.relative_path: row
        for component in index.components_of(owner)
        for row in index.assets_of(component.id)
        if not row.removed and trusted(row)
    }
