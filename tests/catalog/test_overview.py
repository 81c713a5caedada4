"""What `curri status` shows: every video in exactly one state, and only what is there counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from curri.catalog import overview
from curri.catalog.database import Database
from curri.catalog.overview import LessonState

from .rows import OTHER_SHA1, SHA1, Row, Rows

STATES = ("due", "uploading", "processing", "ready", "failed")
GONE = "2025-11-04T00:00:00Z"

Story = Callable[[Rows, Row], None]
"""What happened to the video of a component, as rows. The file there now has SHA1."""


def uploads(*states: str, sha1: str = SHA1) -> Story:
    def tell(rows: Rows, component: Row) -> None:
        for state in states:
            rows.upload(component, state=state, source_sha1=sha1)

    return tell


def link(state: str, status: str, sha1: str | None = SHA1) -> Story:
    def tell(rows: Rows, component: Row) -> None:
        rows.link(component, rows.video(status=status), state=state, source_sha1=sha1)

    return tell


def all_of(*stories: Story) -> Story:
    def tell(rows: Rows, component: Row) -> None:
        for story in stories:
            story(rows, component)

    return tell


STORIES: dict[str, tuple[str, Story]] = {
    "nothing happened yet": ("due", uploads()),
    "an upload was given up": ("due", uploads("failed", "abandoned")),
    "an upload of an older file failed": ("due", uploads("failed", sha1=OTHER_SHA1)),
    "the file changed since it was ready": ("due", link("current", "ready", OTHER_SHA1)),
    "the file changed since it was queued": ("due", link("current", "queued", OTHER_SHA1)),
    "the file changed since Stream failed": ("due", link("current", "error", OTHER_SHA1)),
    "a replacement for an older file waits": ("due", link("pending", "inprogress", OTHER_SHA1)),
    "its only link was retired": ("due", link("retired", "ready")),
    "its upload was intended": ("uploading", uploads("intended")),
    "its upload was created": ("uploading", uploads("created")),
    "its upload is being sent": ("uploading", uploads("sending")),
    "its upload was sent": ("uploading", uploads("sent")),
    "an older file is still being sent": ("uploading", uploads("sending", sha1=OTHER_SHA1)),
    "it failed and is being sent again": ("uploading", uploads("failed", "sending")),
    "a ready video is being replaced": (
        "uploading",
        all_of(link("current", "ready", OTHER_SHA1), uploads("linked", "sending")),
    ),
    "Stream failed and it is being sent again": ("uploading", all_of(link("pending", "error"), uploads("sending"))),
    "it is queued": ("processing", all_of(uploads("linked"), link("current", "queued"))),
    "it is in progress": ("processing", link("current", "inprogress")),
    "its replacement is queued": (
        "processing",
        all_of(link("current", "ready", OTHER_SHA1), link("pending", "queued")),
    ),
    "its replacement is ready and not current yet": (
        "processing",
        all_of(link("current", "ready", OTHER_SHA1), link("pending", "ready")),
    ),
    "the second try is queued": ("processing", all_of(link("pending", "error"), link("pending", "queued"))),
    "it is ready": ("ready", all_of(uploads("failed", "linked"), link("current", "ready"))),
    "it is ready and not known which file it was made of": ("ready", link("current", "ready", None)),
    "it is ready after a try that Stream failed": ("ready", all_of(link("pending", "error"), link("current", "ready"))),
    "it is ready and was linked before": ("ready", all_of(link("retired", "error"), link("current", "ready"))),
    "its upload failed": ("failed", uploads("abandoned", "failed")),
    "Stream failed": ("failed", all_of(uploads("linked"), link("current", "error"))),
    "Stream failed one that was adopted": ("failed", link("current", "error", None)),
    "Stream failed the first one": ("failed", all_of(uploads("linked"), link("pending", "error"))),
    "Stream failed its replacement": (
        "failed",
        all_of(uploads("linked"), link("current", "ready", OTHER_SHA1), link("pending", "error")),
    ),
    "its replacement could not be sent": ("failed", all_of(link("current", "ready", OTHER_SHA1), uploads("failed"))),
}


def counts(state: LessonState) -> dict[str, int]:
    return {name: getattr(state, name) for name in STATES if getattr(state, name)}


def in_lessons(database: Database, slugs: list[str] | None = None) -> list[LessonState]:
    return [state for state in overview.lessons(database, slugs) if state.number is not None]


@pytest.mark.parametrize("story", STORIES)
def test_a_video_is_in_one_state(story: str, shared: Database, rows: Rows) -> None:
    state, happened = STORIES[story]
    component = rows.component(rows.lesson(rows.course()))
    rows.asset(component)
    happened(rows, component)
    [found] = in_lessons(shared)
    assert counts(found) == {state: 1}
    assert found.videos == 1


def test_every_state_has_its_stories() -> None:
    assert {state for state, _ in STORIES.values()} == set(STATES)


def test_the_videos_of_a_lesson_are_summed_up_and_each_is_counted_once(shared: Database, rows: Rows) -> None:
    lesson = rows.lesson(rows.course())
    for _, happened in STORIES.values():
        component = rows.component(lesson)
        rows.asset(component)
        happened(rows, component)
    [found] = in_lessons(shared)
    assert found.videos == len(STORIES) == sum(counts(found).values())
    assert counts(found) == {state: [name for name, _ in STORIES.values()].count(state) for state in STATES}


def test_the_seconds_are_those_of_the_current_videos(shared: Database, rows: Rows) -> None:
    lesson = rows.lesson(rows.course())
    for seconds, state in ((61.5, "current"), (30, "current"), (None, "current"), (1000, "pending"), (1000, "retired")):
        component = rows.component(lesson)
        rows.asset(component)
        rows.link(component, rows.video(duration_seconds=seconds, status="ready"), state=state)
    [found] = in_lessons(shared)
    assert found.seconds == 91.5


def test_files_labs_and_videos_are_counted_where_they_lie(shared: Database, rows: Rows) -> None:
    course = rows.course(title="AI Foundations")
    lesson = rows.lesson(course, number="01", title="Evolution")
    video, lab, notes = (rows.component(lesson, type=kind) for kind in ("VIDEO", "LAB", "RESOURCE"))
    rows.component(lesson, type="LAB")
    for component, role in ((video, "source"), (video, "captions"), (lab, "file"), (lab, "file"), (notes, "file")):
        rows.asset(component, role=role, relative_path=f"{role} {component['id']} {rows.count('asset')}")
    preview = rows.component(course, kind="preview")
    rows.asset(preview)
    own, first = overview.lessons(shared, None)
    assert (own.course, own.course_title, own.number, own.title) == (course["slug"], "AI Foundations", None, "")
    assert (own.files, own.labs, own.videos, own.due) == (1, 0, 1, 1)
    assert (first.number, first.title, first.course) == ("01", "Evolution", course["slug"])
    assert (first.files, first.labs, first.videos, first.due) == (5, 2, 1, 1)


def test_lessons_come_in_the_order_of_teaching_and_what_belongs_to_the_course_itself_first(
    shared: Database, rows: Rows
) -> None:
    later = rows.course(slug="course_02", position=2)
    earlier = rows.course(slug="course_10", position=1)
    for course, numbers in ((later, ("10", "9")), (earlier, ("2", "1"))):
        for number in numbers:
            rows.lesson(course, number=number, position=int(number))
    assert [(state.course, state.number) for state in overview.lessons(shared, None)] == [
        ("course_10", None),
        ("course_10", "1"),
        ("course_10", "2"),
        ("course_02", None),
        ("course_02", "9"),
        ("course_02", "10"),
    ]


def test_only_the_courses_asked_for_are_shown(shared: Database, rows: Rows) -> None:
    for slug in ("course_01", "course_02", "course_03"):
        rows.lesson(rows.course(slug=slug))
    for asked, shown in (
        (["course_02"], ["course_02"]),
        (["course_03", "course_01", "course_99"], ["course_01", "course_03"]),
        (["course_99"], []),
        ([], []),
        (None, ["course_01", "course_02", "course_03"]),
    ):
        assert sorted(state.course for state in in_lessons(shared, asked)) == shown


def test_two_courses_do_not_count_for_each_other(shared: Database, rows: Rows) -> None:
    for videos in (1, 2):
        course = rows.course(slug=f"course_0{videos}", position=videos)
        lesson = rows.lesson(course, number="01")
        for _ in range(videos):
            for parent in (lesson, course):
                rows.asset(rows.component(parent))
    assert [(state.course, state.files, state.videos) for state in overview.lessons(shared, None)] == [
        ("course_01", 1, 1),
        ("course_01", 1, 1),
        ("course_02", 2, 2),
        ("course_02", 2, 2),
    ]


@pytest.mark.parametrize(
    ("table", "left"),
    [
        ("asset", [(None, 0, 0, 0), ("01", 1, 1, 0)]),
        ("component", [(None, 0, 0, 0), ("01", 1, 1, 0)]),
        ("lesson", [(None, 0, 0, 0)]),
        ("course", []),
    ],
)
def test_what_was_removed_does_not_count(
    table: str, left: list[tuple[object, ...]], shared: Database, rows: Rows
) -> None:
    course = rows.course()
    lesson = rows.lesson(course, number="01")
    video, lab = rows.component(lesson), rows.component(lesson, type="LAB")
    source = rows.asset(video)
    rows.asset(lab, role="file")
    rows.link(video, rows.video(status="ready"))
    assert [counted(state) for state in overview.lessons(shared, None)] == [(None, 0, 0, 0), ("01", 2, 1, 1)]
    row = {"asset": source, "component": video, "lesson": lesson, "course": course}[table]
    rows.update(table, row["id"], removed_at=GONE)
    assert [counted(state) for state in overview.lessons(shared, None)] == left


def counted(state: LessonState) -> tuple[object, ...]:
    return state.number, state.files, state.labs, state.videos


def test_a_removed_lab_is_none(shared: Database, rows: Rows) -> None:
    rows.component(rows.lesson(rows.course()), type="LAB", removed_at=GONE)
    assert [state.labs for state in in_lessons(shared)] == [0]


def test_an_empty_catalog_shows_nothing(shared: Database) -> None:
    assert overview.lessons(shared, None) == []
