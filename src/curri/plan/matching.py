"""Who is who: pairs found courses, lessons, components and files with recorded ones, from the top down.

Once a lesson is known to be the re-numbered lesson 2, everything in it is expected at its usual place below that
lesson. So a re-numbered lesson of a hundred files costs one row, and none of the files counts as moved by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from curri.model import (
    AssetRow,
    ComponentRow,
    ComponentType,
    CourseRow,
    Digest,
    FoundAsset,
    FoundComponent,
    FoundCourse,
    FoundLesson,
    LessonRow,
    Place,
    Role,
)
from curri.plan.comparison import Comparison, Index
from curri.plan.pairing import Unit, pair
from curri.plan.text import folded


class _Removable(Protocol):
    @property
    def removed(self) -> bool: ...


class Course(NamedTuple):
    found: FoundCourse
    row: CourseRow | None


class Lesson(NamedTuple):
    """A found lesson, or (number None) the files directly in a course folder."""

    course: int  # index into Matched.courses
    found: FoundLesson
    row: LessonRow | None
    settled: bool

    def owner(self, courses: Sequence[Course]) -> str | None:
        """Return the id that recorded components of this lesson hang on: the lesson's, or the course's own."""
        if self.found.number is None:
            course = courses[self.course].row
            return course.id if course else None
        return self.row.id if self.row else None


class Component(NamedTuple):
    lesson: int  # index into Matched.lessons
    found: FoundComponent
    row: ComponentRow | None


class Asset(NamedTuple):
    component: int  # index into Matched.components
    found: FoundAsset
    row: AssetRow | None
    digest: Digest | None  # None: could not be read


@dataclass(slots=True)
class Matched:
    """Everything found (settled lessons without their contents), each with the row that it is."""

    comparison: Comparison
    courses: list[Course] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)
    assets: list[Asset] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    """Ids of rows that stay as they are because nobody could look."""


def match(comparison: Comparison, digests: Mapping[Place, Digest]) -> Matched:
    """Pair everything; recorded rows that appear nowhere in the result (and are not held) are gone."""
    matched = Matched(comparison)
    _courses(matched, digests)
    _hold_blocked_courses(matched)
    _lessons(matched, digests)
    _hold_blocked_folders(matched)
    _components(matched, digests)
    _assets(matched, digests)
    return matched


def _two_rounds(
    found: Sequence[Unit],
    rows: Sequence[_Removable],
    units: Sequence[Unit],
    *,
    place_first: bool,
) -> dict[int, int]:
    """Pair with the rows that are there; what is left, with those removed earlier, which are restored by it."""
    present = [j for j, row in enumerate(rows) if not row.removed]
    removed = [j for j, row in enumerate(rows) if row.removed]
    pairs = {i: present[j] for i, j in pair(found, [units[j] for j in present], place_first=place_first).items()}
    rest = [i for i in range(len(found)) if i not in pairs]
    if rest and removed:
        again = pair([found[i] for i in rest], [units[j] for j in removed], place_first=place_first)
        pairs.update({rest[i]: removed[j] for i, j in again.items()})
    return pairs


def _content(
    course: FoundCourse,
    lesson: FoundLesson,
    digests: Mapping[Place, Digest],
    *,
    sources_of: FoundComponent | None = None,
) -> set[str]:
    """Return the digests of a lesson's files (of one component's, with `sources_of`)."""
    components = lesson.components if sources_of is None else (sources_of,)
    places = (
        Place(course.slug, lesson.number or "", asset.path)
        for component in components
        for asset in component.assets
        if sources_of is None or component.type is not ComponentType.VIDEO or asset.role is Role.SOURCE
    )
    return {digests[place].sha1 for place in places if place in digests}


def _row_content(index: Index, components: Iterable[ComponentRow], *, removed: bool) -> set[str]:
    return {
        asset.sha1 for component in components for asset in index.assets_of(component.id) if asset.removed == removed
    }


def _courses(matched: Matched, digests: Mapping[Place, Digest]) -> None:
    comparison = matched.comparison
    courses, rows, index = comparison.found.courses, comparison.recorded.courses, comparison.index
    settled = {slug for slug, _ in comparison.settled}
    pairs: dict[int, int] = {}
    if rows:
        lessons_of: dict[str, list[str]] = defaultdict(list)
        for lesson in comparison.recorded.lessons:
            lessons_of[lesson.course_id].append(lesson.id)
        # A course with a settled lesson is where it was; its content need not be looked at.
        found = [
            Unit(course.slug, (), pinned=True)
            if course.slug in settled or course.blocked
            else Unit(
                course.slug,
                set().union(*(_content(course, lesson, digests) for lesson in (course.own, *course.lessons))),
            )
            for course in courses
        ]
        units = [
            Unit(
                row.slug,
                ()
                if row.slug in settled and not row.removed
                else set().union(
                    *(
                        _row_content(index, index.components_of(owner), removed=row.removed)
                        for owner in (row.id, *lessons_of[row.id])
                    )
                ),
            )
            for row in rows
        ]
        pairs = _two_rounds(found, rows, units, place_first=False)
    matched.courses = [Course(course, rows[pairs[i]] if i in pairs else None) for i, course in enumerate(courses)]


def _lessons(matched: Matched, digests: Mapping[Place, Digest]) -> None:
    comparison = matched.comparison
    index = comparison.index
    rows = [row for row in comparison.recorded.lessons if row.id not in matched.held]
    lessons = [(i, lesson) for i, course in enumerate(matched.courses) for lesson in course.found.lessons]
    found: list[Unit] = []
    for i, lesson in lessons if rows else ():
        course = matched.courses[i]
        place = (course.row.id if course.row else f"new:{i}", lesson.number)
        settled = (course.found.slug, lesson.number or "") in comparison.settled
        content = set() if settled else _content(course.found, lesson, digests)
        found.append(Unit(place, content, pinned=settled or "" in lesson.blocked))
    settled_ids = set(comparison.settled.values())
    units = [
        Unit(
            (row.course_id, row.number),
            set() if row.id in settled_ids else _row_content(index, index.components_of(row.id), removed=row.removed),
        )
        for row in rows
    ]
    pairs = _two_rounds(found, rows, units, place_first=False)
    for i, course in enumerate(matched.courses):
        matched.lessons.append(Lesson(i, course.found.own, None, (course.found.slug, "") in comparison.settled))
    for k, (i, lesson) in enumerate(lessons):
        row = rows[pairs[k]] if k in pairs else None
        settled = (matched.courses[i].found.slug, lesson.number or "") in comparison.settled
        matched.lessons.append(Lesson(i, lesson, row, settled))


def _hold_blocked_courses(matched: Matched) -> None:
    """Mark the rows of courses that could not be read: not seen is not the same as gone, nor as moved to a copy."""
    recorded, index = matched.comparison.recorded, matched.comparison.index
    blocked = {course.row.id for course in matched.courses if course.found.blocked and course.row}
    matched.held.update(row.id for row in recorded.lessons if row.course_id in blocked)
    for component in recorded.components:
        if component.course_id in blocked:
            matched.held.add(component.id)
            matched.held.update(asset.id for asset in index.assets_of(component.id))


def _hold_blocked_folders(matched: Matched) -> None:
    """Mark the rows below those folders of a lesson, or of a course, that could not be read."""
    index = matched.comparison.index
    for lesson in matched.lessons:
        owner = lesson.owner(matched.courses)
        if owner is None or not lesson.found.blocked:
            continue
        below = tuple(folded(path) + "/" for path in lesson.found.blocked if path)
        everything = "" in lesson.found.blocked
        for component in index.components_of(owner):
            for asset in index.assets_of(component.id):
                if everything or (folded(asset.relative_path) + "/").startswith(below):
                    matched.held.update((asset.id, component.id))
            if everything:
                matched.held.add(component.id)


def _components(matched: Matched, digests: Mapping[Place, Digest]) -> None:
    index = matched.comparison.index
    settled = set(matched.comparison.settled.values())
    open_rows = [
        row
        for row in matched.comparison.recorded.components
        if row.removed or (row.lesson_id or row.course_id) not in settled
    ]
    components = [
        (k, component)
        for k, lesson in enumerate(matched.lessons)
        if not lesson.settled
        for component in lesson.found.components
    ]
    # Of what was not looked at the files stay with their component: so that stays where it is, whoever has equal files.
    kept = {_component_place(row) for row in open_rows if row.id in matched.held and not row.removed}
    partners: dict[int, ComponentRow] = {}
    for kind in ComponentType if open_rows else ():
        mine = [n for n, (_, component) in enumerate(components) if component.type is kind]
        rows = [row for row in open_rows if row.type == kind]
        found = [_component_unit(matched, *components[n], digests, kept) for n in mine]
        units = [_component_row_unit(index, row, kept) for row in rows]
        for i, j in _two_rounds(found, rows, units, place_first=True).items():
            partners[mine[i]] = rows[j]
    matched.components = [Component(k, component, partners.get(n)) for n, (k, component) in enumerate(components)]


def _component_place(row: ComponentRow) -> tuple[str, str]:
    """Return the place of a component with names in NFC."""
    return row.lesson_id or row.course_id, folded(row.group_key)


def _component_unit(
    matched: Matched,
    k: int,
    component: FoundComponent,
    digests: Mapping[Place, Digest],
    kept: Collection[tuple[str, str]],
) -> Unit:
    lesson = matched.lessons[k]
    owner = lesson.owner(matched.courses) or f"new:{k}"
    content = _content(matched.courses[lesson.course].found, lesson.found, digests, sources_of=component)
    alias = (owner, folded(component.group_key))
    return Unit((owner, component.group_key), content, pinned=not content or alias in kept, alias=alias)


def _component_row_unit(index: Index, row: ComponentRow, kept: Collection[tuple[str, str]]) -> Unit:
    owner, key = _component_place(row)
    content = {
        asset.sha1
        for asset in index.assets_of(row.id)
        if asset.removed == row.removed and (row.type != ComponentType.VIDEO or asset.role == Role.SOURCE)
    }
    return Unit((owner, row.group_key), () if (owner, key) in kept else content, alias=(owner, key))


class _File(NamedTuple):
    """A file as the pairing sees it."""

    component: str  # id, or a mark of its own for a new component
    path: str
    sha1: str | None  # None: could not be read

    def unit(self) -> Unit:
        content = () if self.sha1 is None else (self.sha1,)
        alias = (self.component, folded(self.path))
        return Unit((self.component, self.path), content, pinned=self.sha1 is None, alias=alias)


def _assets(matched: Matched, digests: Mapping[Place, Digest]) -> None:
    index = matched.comparison.index
    found: list[tuple[int, FoundAsset, Digest | None]] = []
    for n, component in enumerate(matched.components):
        lesson = matched.lessons[component.lesson]
        slug, number = matched.courses[lesson.course].found.slug, lesson.found.number or ""
        found.extend((n, asset, digests.get(Place(slug, number, asset.path))) for asset in component.found.assets)
    settled = set(matched.comparison.settled.values())
    rows = [
        asset
        for component in matched.comparison.recorded.components
        for asset in index.assets_of(component.id)
        if asset.id not in matched.held
        and (asset.removed or (component.lesson_id or component.course_id) not in settled)
    ]
    pairs: dict[int, int] = {}
    if rows:
        refs = [c.row.id if c.row else f"new:{n}" for n, c in enumerate(matched.components)]
        files = [_File(refs[n], asset.path, digest.sha1 if digest else None) for n, asset, digest in found]
        pairs = _pair_files(files, rows)
    matched.assets = [
        Asset(n, asset, rows[pairs[i]] if i in pairs else None, digest) for i, (n, asset, digest) in enumerate(found)
    ]


def _pair_files(files: Sequence[_File], rows: Sequence[AssetRow]) -> dict[int, int]:
    """Pair files; equal files stay with their own component before one is taken for another's."""
    pairs: dict[int, int] = {}
    free = {j: _File(row.component_id, row.relative_path, row.sha1) for j, row in enumerate(rows) if not row.removed}
    at = {(file.component, file.path): j for j, file in free.items()}
    for i, file in enumerate(files):
        j = at.get((file.component, file.path))
        if j is not None and file.sha1 in (None, free[j].sha1):
            pairs[i] = j
            del free[j]
    within: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for j, file in reversed(free.items()):
        within[file.component, file.sha1].append(j)
    for i, file in enumerate(files):
        candidates = within.get((file.component, file.sha1)) if i not in pairs else None
        if candidates:
            pairs[i] = candidates.pop()
    taken = set(pairs.values())
    rest = [i for i in range(len(files)) if i not in pairs]
    others = [j for j in range(len(rows)) if j not in taken]
    found = [files[i].unit() for i in rest]
    units = [_File(rows[j].component_id, rows[j].relative_path, rows[j].sha1).unit() for j in others]
    again = _two_rounds(found, [rows[j] for j in others], units, place_first=True)
    pairs.update({rest[i]: others[j] for i, j in again.items()})
    return pairs
