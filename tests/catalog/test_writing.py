"""Writing a plan: all of it or nothing, whatever changes places with what, and whatever things are called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from curri.catalog import migrate, reading, writing
from curri.catalog.database import Database, connect
from curri.errors import DatabaseError
from curri.model import AssetRow, ComponentRow, CourseRow, LessonRow
from curri.plan.changes import ContentPlan

from .plans import ROOT, asset, component, course, held, id_of, lesson, plan, recorded, timeless
from .rows import OTHER_SHA1
from .sessions import IS_WAITING, ask, content
from .waiting import until

Rows = tuple[Any, ...]

COURSE = course("course", "course_01")
LESSONS = [lesson(f"lesson {number}", COURSE, number) for number in ("01", "02", "03")]
COMPONENTS = [component(f"component {row.number}", row, "learning/video.mp4") for row in LESSONS]
ASSETS = [asset(f"asset {n}", row, "learning/video.mp4") for n, row in enumerate(COMPONENTS)]
ALL: Rows = (COURSE, *LESSONS, *COMPONENTS, *ASSETS)
"""A course of three lessons with a video each."""


@pytest.fixture
def full(shared: Database) -> Database:
    """Return a catalog that holds ALL."""
    writing.apply(shared, plan(insert=ALL))
    return shared


def gone(*rows: Any) -> Rows:
    return tuple(row._replace(removed=True) for row in rows)


# --- what is written


def test_what_is_written_is_what_is_read(shared: Database) -> None:
    second = course("second", "course_02", title="", description="line\nline", position=2)
    rows: Rows = (
        *ALL,
        second,
        component("of the course", second, "course", type="RESOURCE", kind="course", name="course"),
        component("lab", LESSONS[0], "labs/one", type="LAB", position=7),
        asset("large", COMPONENTS[0], "large.bin", role="file", size=5 << 40, inode=-(1 << 63), sha1=OTHER_SHA1),
    )
    writing.apply(shared, plan(insert=rows))
    assert held(shared) == timeless(*rows)


def test_the_time_of_reading_is_kept_to_the_microsecond(full: Database) -> None:
    for read_at_ns in (1_763_000_000_123_456_789, 0, 4_102_444_800_000_000_999):
        writing.apply(full, plan(update=[ASSETS[0]._replace(hashed_at_ns=read_at_ns)]))
        [found] = [row for row in recorded(full).assets if row.id == ASSETS[0].id]
        assert abs(found.hashed_at_ns - read_at_ns) <= 1_500


def test_a_plan_changes_only_what_it_names(full: Database, shared_url: str) -> None:
    before = content(full)
    writing.apply(full, plan(update=[LESSONS[1]._replace(title="Another")], remove=[ASSETS[2]]))
    changed = {
        table: [str(now) for now, then in zip(after, before[table], strict=True) if now != then]
        for table, after in content(full).items()
    }
    assert {table: len(rows) for table, rows in changed.items()} == {
        "course": 0,
        "lesson": 1,
        "component": 0,
        "asset": 1,
    }
    assert LESSONS[1].id in changed["lesson"][0]
    assert ASSETS[2].id in changed["asset"][0]


def test_an_empty_plan_does_not_even_ask_the_database(shared: Database) -> None:
    shared.connection.close()
    writing.apply(shared, ContentPlan())
    with pytest.raises(DatabaseError):
        writing.apply(shared, plan(insert=[COURSE]))


NAMES = [
    "it's \"quoted\"", "tab\there", "line\nbreak\r\n", "back\\slash \\n \\N \\x41", "\\.", "\\N", "\\", "", " ",
    "😀 é e\u0301 日本語 \u202e", "{a,b} {} NULL null", "%s %(id)s $1 :name", "'; DROP TABLE course; --", "\x01\x1b[31m\x7f",
    "n" * 255, "\ufeff\u2028",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_comes_back_as_it_was_written(name: str, shared: Database) -> None:
    def named(suffix: str) -> Rows:
        text = name + suffix
        top = course("course", text, number=text, title=text, description=text)
        below = lesson("lesson", top, text, title=text, description=text)
        part = component("component", below, text, kind=text, name=text)
        return top, below, part, asset("asset", part, text, mime_type=text)

    writing.apply(shared, plan(insert=named("")))
    assert held(shared) == timeless(*named(""))
    writing.apply(shared, plan(update=named(" again")))
    assert held(shared) == timeless(*named(" again"))
    assert {row.slug for row in reading.content(shared, [name + " again"], None).courses} == {name + " again"}


@pytest.mark.parametrize("how", ["insert", "update"])
def test_a_nul_character_cannot_be_stored_and_nothing_else_of_the_plan_is(
    how: str, full: Database, shared_url: str
) -> None:
    before = content(full)
    rows = [lesson("new", COURSE, "04", title="a\0b")] if how == "insert" else [LESSONS[0]._replace(title="a\0b")]
    with pytest.raises(DatabaseError, match="NUL"):
        writing.apply(full, plan(**{how: rows}, remove=[ASSETS[0]]))
    assert content(full) == before
    writing.apply(full, plan(remove=[ASSETS[0]]))


# --- changing places

Moves = Callable[[Any, Any], Any]
"""Gives the first row the place of the second."""

OTHERS = [course("second course", "course_02"), course("third course", "course_03")]

THREE: dict[str, tuple[list[Any], Moves]] = {
    "courses": ([COURSE, *OTHERS], lambda a, b: a._replace(slug=b.slug)),
    "lessons": (LESSONS, lambda a, b: a._replace(number=b.number)),
    "lessons of courses": (
        [lesson(f"lesson of {row.slug}", row, "01") for row in (COURSE, *OTHERS)],
        lambda a, b: a._replace(course_id=b.course_id),
    ),
    "components": (
        [component(f"component {n}", LESSONS[0], f"learning/{n}.mp4") for n in (1, 2, 3)],
        lambda a, b: a._replace(group_key=b.group_key),
    ),
    "components of lessons": (COMPONENTS, lambda a, b: a._replace(lesson_id=b.lesson_id)),
    "components of a course": (
        [component(f"component {n}", COURSE, f"{n}") for n in (1, 2, 3)],
        lambda a, b: a._replace(group_key=b.group_key),
    ),
    "components of courses": (
        [component(f"component of {row.slug}", row, "course") for row in (COURSE, *OTHERS)],
        lambda a, b: a._replace(course_id=b.course_id),
    ),
    "components of lessons and their course": (
        [component("own", COURSE, "lab"), *(component(f"of {row.number}", row, "lab") for row in LESSONS[:2])],
        lambda a, b: a._replace(lesson_id=b.lesson_id),
    ),
    "assets": (
        [asset(f"asset {n}", COMPONENTS[0], f"{n}.mp4") for n in (1, 2, 3)],
        lambda a, b: a._replace(relative_path=b.relative_path),
    ),
    "assets of components": (ASSETS, lambda a, b: a._replace(component_id=b.component_id)),
}
TABLES = pytest.mark.parametrize(("three", "moved"), THREE.values(), ids=THREE)


def above(row: Any) -> Rows:
    """Return the rows that must be there for this one to be."""
    levels: list[Rows] = [(), (COURSE, *OTHERS), (COURSE, *OTHERS, *LESSONS), (COURSE, *LESSONS, *COMPONENTS)]
    return levels[(CourseRow, LessonRow, ComponentRow, AssetRow).index(type(row))]


@TABLES
@pytest.mark.parametrize("order", [(1, 0, 2), (1, 2, 0), (2, 0, 1)], ids=["swap", "rotation", "rotation back"])
def test_rows_can_take_each_others_places(three: Rows, moved: Moves, order: tuple[int, ...], shared: Database) -> None:
    writing.apply(shared, plan(insert=[*above(three[0]), *three]))
    wanted = [moved(row, three[place]) for row, place in zip(three, order, strict=True)]
    writing.apply(shared, plan(update=[row for row, before in zip(wanted, three, strict=True) if row != before]))
    assert held(shared) == timeless(*above(three[0]), *wanted)


@TABLES
def test_a_row_can_move_to_where_another_is_removed_in_the_same_plan(
    three: Rows, moved: Moves, shared: Database
) -> None:
    writing.apply(shared, plan(insert=[*above(three[0]), *three]))
    writing.apply(shared, plan(update=[moved(three[0], three[1])], remove=[three[1]]))
    assert held(shared) == timeless(*above(three[0]), moved(three[0], three[1]), *gone(three[1]), three[2])


@TABLES
def test_a_removed_row_comes_back_to_its_place_while_the_one_that_took_it_moves_on(
    three: Rows, moved: Moves, shared: Database
) -> None:
    first, second, third = three
    taker = moved(second, first)
    writing.apply(shared, plan(insert=[*above(first), first, third]))
    writing.apply(shared, plan(remove=[first]))
    writing.apply(shared, plan(insert=[taker]))
    assert held(shared) == timeless(*above(first), *gone(first), taker, third)
    writing.apply(shared, plan(update=[first, second]))
    assert held(shared) == timeless(*above(first), first, second, third)


@TABLES
def test_a_new_row_can_take_the_place_of_one_that_moves_or_was_removed_before(
    three: Rows, moved: Moves, shared: Database
) -> None:
    first, second, third = three
    writing.apply(shared, plan(insert=[*above(first), first, second]))
    writing.apply(shared, plan(remove=[second]))
    new = moved(third, first)
    writing.apply(shared, plan(insert=[new], update=[moved(first, second)]))
    assert held(shared) == timeless(*above(first), moved(first, second), *gone(second), new)


def test_a_removed_row_comes_back_with_what_is_new_about_it(full: Database) -> None:
    writing.apply(full, plan(remove=ALL))
    assert held(full) == timeless(*gone(*ALL))
    back = [row._replace(title="Back") if isinstance(row, LessonRow) else row for row in ALL]
    writing.apply(full, plan(update=back))
    assert held(full) == timeless(*back)


def test_rows_move_below_parents_that_are_new_in_the_same_plan(full: Database) -> None:
    new_course = course("new course", "course_02")
    new_lesson = lesson("new lesson", new_course, "01")
    new_component = component("new component", new_lesson, "lab")
    moved: Rows = (
        LESSONS[0]._replace(course_id=new_course.id, number="02"),
        COMPONENTS[0]._replace(course_id=new_course.id),
        COMPONENTS[1]._replace(course_id=new_course.id, lesson_id=new_lesson.id),
        COMPONENTS[2]._replace(course_id=new_course.id, lesson_id=None),
        ASSETS[0]._replace(component_id=new_component.id),
    )
    writing.apply(full, plan(insert=[new_course, new_lesson, new_component], update=moved))
    ids = {row.id for row in moved}
    still = [row for row in ALL if row.id not in ids]
    assert held(full) == timeless(*still, *moved, new_course, new_lesson, new_component)


# --- all or nothing


def test_two_rows_at_one_place_are_refused_and_nothing_is_written(full: Database, shared_url: str) -> None:
    before = content(full)
    for wrong in (
        plan(insert=[lesson("new", COURSE, "04"), lesson("newer", COURSE, "04")], remove=ASSETS),
        plan(update=[LESSONS[0]._replace(number="02")], remove=ASSETS),
        plan(insert=[lesson("orphan", course("none", "course_09"), "01")], remove=ASSETS),
    ):
        with pytest.raises(DatabaseError, match="refused"):
            writing.apply(full, wrong)
        assert content(full) == before


def test_a_reader_sees_the_catalog_as_before_until_it_is_as_after(full: Database, shared_url: str) -> None:
    """The writer is held up in the middle, by a lock on the last table that it writes."""
    with psycopg.connect(shared_url) as holder, connect(shared_url) as reader:
        before = content(reader)
        holder.execute("LOCK TABLE asset IN SHARE MODE")
        writer = threading.Thread(target=writing.apply, args=(full, plan(remove=ALL)))
        writer.start()
        until(lambda: ask(shared_url, IS_WAITING, full.connection.info.backend_pid))
        assert held(reader) == timeless(*ALL)
        assert content(reader) == before
        holder.rollback()
        writer.join()
        assert held(reader) == timeless(*gone(*ALL))


def test_a_large_plan_is_written_whole(shared: Database) -> None:
    many = [asset(f"one of many {n}", COMPONENTS[0], f"folder/{n}.txt") for n in range(10_000)]
    writing.apply(shared, plan(insert=[*ALL, *many]))
    assert len(recorded(shared).assets) == len(many) + len(ASSETS)
    swapped = [
        row
        for one, two in zip(many[::2], many[1::2], strict=True)
        for row in (one._replace(relative_path=two.relative_path), two._replace(relative_path=one.relative_path))
    ]
    writing.apply(shared, plan(update=swapped))
    assert held(shared) == timeless(*ALL, *swapped)


def test_an_owner_of_nothing_but_a_schema_can_write(schema_owner_url: str) -> None:
    migrate.move(schema_owner_url, "head")
    with connect(schema_owner_url) as database:
        writing.apply(database, plan(insert=ALL))
        writing.apply(database, plan(update=[LESSONS[0]._replace(number="02"), LESSONS[1]._replace(number="01")]))
        assert len(held(database)) == len(ALL)


# --- reading


def test_reading_gives_the_courses_that_are_named_and_those_of_a_root_and_tells_which_ids_others_have(
    shared: Database,
) -> None:
    other = course("other", "course_02", root="/elsewhere")
    third = course("third", "course_03", root="/elsewhere")
    below = lesson("below", other, "01")
    part = component("part", below, "lab")
    writing.apply(shared, plan(insert=[*ALL, other, third, below, part, asset("file", part, "a")]))
    by_slug = reading.content(shared, ["course_01", "course_99"], None)
    found = (*by_slug.courses, *by_slug.lessons, *by_slug.components, *by_slug.assets)
    assert timeless(*found) == timeless(*ALL)
    assert by_slug.taken == {id_of(name) for name in ("other", "third", "below", "part", "file")}
    assert reading.content(shared, [], ROOT) == by_slug
    both = reading.content(shared, ["course_01"], "/elsewhere")
    assert {row.slug for row in both.courses} == {"course_01", "course_02", "course_03"}
    assert both.taken == frozenset()
    nothing = reading.content(shared, [], None)
    assert (nothing.courses, nothing.assets, len(nothing.taken)) == ((), (), len(ALL) + 5)


@pytest.mark.parametrize("in_chunks", [True, False], ids=["in chunks", "row by row"])
def test_reading_many_files_gives_each_once(in_chunks: bool, full: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 2)
    if not in_chunks:  # as with a libpq older than 17
        monkeypatch.setattr(psycopg.capabilities, "has_stream_chunked", lambda: False)
    assert held(full) == timeless(*ALL)


def test_reading_works_where_nothing_may_be_written(full: Database, shared_url: str) -> None:
    before = content(full)
    with connect(make_conninfo(shared_url, options="-cdefault_transaction_read_only=on")) as reader:
        assert held(reader) == timeless(*ALL)
    assert content(full) == before
