"""From pairs to rows: what to insert, update and mark as removed, and what to say about each file."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from curri.model import (
    FINGERPRINT_VERSION,
    AssetRow,
    ComponentRow,
    CourseRow,
    Digest,
    FoundAsset,
    LessonRow,
    Outcome,
    Result,
    Role,
)
from curri.plan.comparison import trusted
from curri.plan.identity import Ids
from curri.plan.matching import Asset, Component, Lesson, Matched
from curri.plan.text import printable

GUARD_SHARE = 0.25
"""More than this share of the known files gone at once looks like a disk that is not mounted."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Changes(Generic[Row]):
    """What happens to one table. A row in `update` is live afterwards, also if it was removed before."""

    insert: tuple[Row, ...] = ()
    update: tuple[Row, ...] = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.insert or self.update or self.remove)


@dataclass(frozen=True, slots=True)
class ContentPlan:
    """All that one import writes, and what it reports."""

    courses: Changes[CourseRow] = field(default_factory=Changes)
    lessons: Changes[LessonRow] = field(default_factory=Changes)
    components: Changes[ComponentRow] = field(default_factory=Changes)
    assets: Changes[AssetRow] = field(default_factory=Changes)
    outcomes: tuple[Outcome, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    known: int = 0
    """Files recorded and not removed before this import, within its reach."""

    @property
    def is_empty(self) -> bool:
        """True if applying the plan would change no row."""
        return not (self.courses or self.lessons or self.components or self.assets)

    @property
    def loses_too_much(self) -> bool:
        """True if so many files vanished that a person should look first."""
        return len(self.assets.remove) > self.known * GUARD_SHARE


class _Where(NamedTuple):
    """A place for people: which course and lesson, by number."""

    course: str  # slug
    lesson: str  # number, "" for the course itself


def write_down(matched: Matched, random: Callable[[], uuid.UUID]) -> ContentPlan:
    """Turn pairs into the plan. Rows that nobody was paired with, and that are not held, are marked as removed."""
    return _Ledger(matched, random).plan()


class _Ledger:
    """Collects the rows of one plan, table by table, parents before children."""

    def __init__(self, matched: Matched, random: Callable[[], uuid.UUID]) -> None:
        self.matched = matched
        self.recorded = matched.comparison.recorded
        self.index = matched.comparison.index
        self.ids = Ids(self._taken, random)
        self.courses: _Table[CourseRow] = _Table()
        self.lessons: _Table[LessonRow] = _Table()
        self.components: _Table[ComponentRow] = _Table()
        self.assets: _Table[AssetRow] = _Table()
        self.outcomes: list[Outcome] = []
        self.counts: Counter[str] = Counter()
        self.course_ids: list[str | None] = []
        self.lesson_ids: list[str | None] = []
        self.component_ids: list[str | None] = []

    def _taken(self) -> set[str]:
        recorded = self.recorded
        taken = {row.id for rows in (recorded.courses, recorded.lessons, recorded.components) for row in rows}
        taken.update(row.id for row in recorded.assets)
        taken.update(recorded.taken)
        return taken

    def plan(self) -> ContentPlan:
        for number, _ in enumerate(self.matched.courses):
            self._course(number)
        for lesson in self.matched.lessons:
            self._lesson(lesson)
        self._components()
        for asset in self.matched.assets:
            self._asset(asset)
        self._gone()
        known = sum(not row.removed for row in self.recorded.assets)
        counts = self.counts
        files = sum(
            len(component.assets)
            for course in self.matched.comparison.found.courses
            for lesson in (course.own, *course.lessons)
            for component in lesson.components
        )
        touched = sum(counts[word] for word in ("new", "changed", "moved", "restored", "blocked"))
        return ContentPlan(
            courses=self.courses.changes(),
            lessons=self.lessons.changes(),
            components=self.components.changes(),
            assets=self.assets.changes(),
            outcomes=tuple(self.outcomes),
            counts={
                "courses": len(self.matched.courses),
                "lessons": sum(lesson.found.number is not None for lesson in self.matched.lessons),
                "files": files,
                **{word: counts[word] for word in ("new", "changed", "moved", "restored", "removed")},
                "unchanged": files - touched,
                "blocked": counts["blocked"],
            },
            known=known,
        )

    def _say(self, path: str, reason: str) -> None:
        self.outcomes.append(Outcome(printable(path), Result.DONE, printable(reason)))

    # --- courses and lessons

    def _course(self, number: int) -> None:
        found, row = self.matched.courses[number]
        if found.blocked:
            self.course_ids.append(None)
            return
        course_id = row.id if row else self.ids.new("course", found.slug)
        title, description = found.title, found.description
        if title is None:
            title, description = (row.title, row.description) if row else (f"Course {found.number}", None)
        root = self.matched.comparison.found.root
        wanted = CourseRow(course_id, found.slug, found.number, title, description, found.position, root)
        self.courses.put(row, wanted)
        self.course_ids.append(course_id)
        if row is not None:
            if row.slug != found.slug:
                self._say(found.folder, f"moved from {row.slug}")
            self._retitled(found.folder, (row.title, f"Course {row.number}"), (title, f"Course {found.number}"))

    def _lesson(self, lesson: Lesson) -> None:
        found, row = lesson.found, lesson.row
        course_id = self.course_ids[lesson.course]
        if found.number is None or course_id is None or "" in found.blocked:
            self.lesson_ids.append(None)
            return
        slug = self.matched.courses[lesson.course].found.slug
        lesson_id = row.id if row else self.ids.new("lesson", slug, found.number)
        title, description = found.title, found.description
        if title is None:
            title, description = (row.title, row.description) if row else (f"Lesson {found.number}", None)
        wanted = LessonRow(lesson_id, course_id, found.number, title, description, found.position)
        self.lessons.put(row, wanted)
        self.lesson_ids.append(lesson_id)
        if row is None:
            if not found.components:
                self._say(found.folder, "new")
            return
        if (row.course_id, row.number) != (course_id, found.number):
            files = sum(len(component.assets) for component in found.components)
            old = self._where(row.id, row.course_id)
            self._say(found.folder, f"moved from {old.course}/{old.lesson}, {files} files")
        self._retitled(found.folder, (row.title, f"Lesson {row.number}"), (title, f"Lesson {found.number}"))

    def _retitled(self, folder: str, old: tuple[str, str], new: tuple[str, str]) -> None:
        """Say that a title changed; both are given with the title that the number alone would make."""
        only_the_number = old[0] == old[1] and new[0] == new[1]
        if old[0] != new[0] and not only_the_number:
            self._say(folder, f'title is now "{new[0]}", was "{old[0]}"')

    # --- components and files

    def _components(self) -> None:
        usable = Counter(
            asset.component for asset in self.matched.assets if asset.digest is not None or asset.row is not None
        )
        without_source = {
            asset.component
            for asset in self.matched.assets
            if asset.digest is None and asset.row is None and asset.found.role is Role.SOURCE
        }
        for n, component in enumerate(self.matched.components):
            # A new video whose file could not be read is not recorded: there is nothing to say of it yet.
            empty = component.row is None and (not usable[n] or n in without_source)
            self.component_ids.append(None if empty else self._component(component))

    def _component(self, component: Component) -> str | None:
        found, row = component.found, component.row
        lesson = self.matched.lessons[component.lesson]
        course = self.matched.courses[lesson.course]
        course_id, lesson_id = self.course_ids[lesson.course], self.lesson_ids[component.lesson]
        if course_id is None or (lesson.found.number is not None and lesson_id is None):
            return None
        number = lesson.found.number or ""
        component_id = row.id if row else self.ids.new("component", course.found.slug, number, found.group_key)
        wanted = ComponentRow(
            component_id,
            course_id,
            lesson_id,
            found.type.value,
            found.kind,
            found.name,
            found.group_key,
            found.position,
        )
        self.components.put(row, wanted)
        return component_id

    def _asset(self, asset: Asset) -> None:
        found, row, digest = asset.found, asset.row, asset.digest
        component_id = self.component_ids[asset.component]
        lesson = self.matched.lessons[self.matched.components[asset.component].lesson]
        if component_id is None or digest is None:
            if row is not None:
                self.assets.keep(row)
            self.counts["blocked"] += 1
            return
        slug, number = self.matched.courses[lesson.course].found.slug, lesson.found.number or ""
        if row is None:
            asset_id = self.ids.new("asset", slug, number, found.path)
            self.assets.put(None, _asset_row(found, digest, asset_id, component_id))
            self.counts["new"] += 1
            self._say(f"{lesson.found.folder}/{found.path}", "new")
            return
        wanted = _asset_row(found, digest, row.id, component_id)
        if row[:11] == wanted[:11] and not row.removed and (trusted(row) or not trusted(wanted)):
            self.assets.keep(row)  # only read again: a new time of reading alone is no reason to write
        else:
            self.assets.put(row, wanted)
        self._describe(asset, row, lesson, digest.sha1)

    def _describe(self, asset: Asset, row: AssetRow, lesson: Lesson, sha1: str) -> None:
        path = f"{lesson.found.folder}/{asset.found.path}"
        owner = self.index.components[row.component_id]
        was = self._where(owner.lesson_id, owner.course_id)
        now = _Where(self.matched.courses[lesson.course].found.slug, lesson.found.number or "")
        if row.removed:
            self.counts["restored"] += 1
            self._say(path, "restored" if row.sha1 == sha1 else "restored with new content")
        elif row.sha1 != sha1:
            self.counts["changed"] += 1
            self._say(path, "changed")
        elif (was, row.relative_path) != (now, asset.found.path):
            self.counts["moved"] += 1
            with_its_lesson = lesson.row is not None and lesson.row.id == owner.lesson_id
            with_its_course = lesson.found.number is None and owner.lesson_id is None
            if row.relative_path != asset.found.path or not (with_its_lesson or with_its_course):
                self._say(path, f"moved from {_shown(was, row.relative_path)}")

    # --- what is gone

    def _gone(self) -> None:
        held = self.matched.held
        settled = set(self.matched.comparison.settled.values())
        self.assets.seen.update(asset.row.id for asset in self.matched.assets if asset.row is not None)
        for row in self.recorded.components:
            owner = row.lesson_id or row.course_id
            if owner in settled and not row.removed:
                continue
            for asset in self.index.assets_of(row.id):
                if asset.removed or asset.id in held or asset.id in self.assets.seen:
                    continue
                self.assets.remove.append(asset.id)
                self.counts["removed"] += 1
                self._say(_shown(self._where(row.lesson_id, row.course_id), asset.relative_path), "removed")
            if not row.removed and row.id not in held and row.id not in self.components.seen:
                self.components.remove.append(row.id)
        kept_lessons = {lesson.row.id for lesson in self.matched.lessons if lesson.row}
        for lesson in self.recorded.lessons:
            if not lesson.removed and lesson.id not in kept_lessons and lesson.id not in held:
                self.lessons.remove.append(lesson.id)
                if not self.index.components_of(lesson.id):
                    self._say(_shown(self._where(lesson.id, lesson.course_id), ""), "removed")
        kept_courses = {course.row.id for course in self.matched.courses if course.row}
        self.courses.remove.extend(
            row.id for row in self.recorded.courses if not row.removed and row.id not in kept_courses
        )

    def _where(self, lesson_id: str | None, course_id: str) -> _Where:
        lesson = self.index.lessons[lesson_id].number if lesson_id is not None else ""
        return _Where(self.index.courses[course_id].slug, lesson)


class _Table(Generic[Row]):
    """The changes of one table while they are collected."""

    def __init__(self) -> None:
        self.insert: list[Row] = []
        self.update: list[Row] = []
        self.remove: list[str] = []
        self.seen: set[str] = set()

    def put(self, row: Row | None, wanted: Row) -> None:
        """Record that `row` (None: nothing yet) shall be `wanted`."""
        if row is None:
            self.insert.append(wanted)
            return
        self.keep(row)
        if row != wanted:
            self.update.append(wanted)

    def keep(self, row: Row) -> None:
        """Record that the row is accounted for, whatever is written of it."""
        self.seen.add(row[0])  # type: ignore[index]  # every row begins with its id

    def changes(self) -> Changes[Row]:
        return Changes(tuple(self.insert), tuple(self.update), tuple(self.remove))


def _asset_row(found: FoundAsset, digest: Digest, asset_id: str, component_id: str) -> AssetRow:
    return AssetRow(
        asset_id,
        component_id,
        found.path,
        found.role.value,
        found.mime_type,
        found.size,
        found.mtime_ns,
        found.ctime_ns,
        found.inode,
        digest.sha1,
        FINGERPRINT_VERSION,
        digest.read_at_ns,
    )


def _shown(where: _Where, path: str) -> str:
    """Return a recorded place as a path of the usual form: the folder itself may be gone."""
    course = f"Course_{where.course.removeprefix('course_')}"
    lesson = f"/Lesson_{where.lesson}" if where.lesson else ""
    return f"{course}{lesson}/{path}" if path else course + lesson
