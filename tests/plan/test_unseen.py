"""Not seen is not gone: what a walk could not look at stays recorded, and nothing else is taken for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from curri.model import FoundTree, Place, Recorded
from curri.plan.changes import Changes, ContentPlan
from curri.plan.content import compare, decide
from support.worlds import World, applied, digests, found, live_files, plan

NFC, NFD = "\u00e9", "e\u0301"
NOTHING: Changes[Any] = Changes()


def blocking(tree: FoundTree, number: str | None, *paths: str) -> FoundTree:
    """Return the tree as seen by a walk that could not look at these paths of a lesson (None: of the course folder)."""
    course = tree.courses[0]
    own = replace(course.own, blocked=paths) if number is None else course.own
    lessons = tuple(
        replace(lesson, blocked=paths, title=None if "" in paths else lesson.title)
        if lesson.number == number
        else lesson
        for lesson in course.lessons
    )
    return replace(tree, courses=(replace(course, own=own, lessons=lessons), *tree.courses[1:]))


def imported(world: World) -> Recorded:
    return applied(Recorded(), plan(world, Recorded()))


def planned(world: World, tree: FoundTree, recorded: Recorded, *unreadable: str) -> ContentPlan:
    """Return the plan of an import that saw the tree and could not read some files."""
    read = digests(world, tree, recorded)
    return decide(compare(tree, recorded), {place: read[place] for place in read if place.path not in unreadable})


SMALL: World = {
    "01": {
        "": {"preview.mp4": "p"},
        "01": {"slides/a.pdf": "A", "slides/sub/b.pdf": "B", "learning/video.mp4": "V"},
        "02": {"slides/c.pdf": "C"},
    }
}


@pytest.mark.parametrize(
    ("number", "blocked", "gone"),
    [
        (None, "preview.mp4", ["preview.mp4"]),
        ("01", "slides", ["slides/a.pdf", "slides/sub/b.pdf"]),
        ("01", "slides/sub", ["slides/sub/b.pdf"]),
        ("01", "learning/video.mp4", ["learning/video.mp4"]),
        ("01", "", ["slides/a.pdf", "slides/sub/b.pdf", "learning/video.mp4"]),
    ],
)
def test_what_lies_below_a_path_that_cannot_be_looked_at_stays(
    number: str | None, blocked: str, gone: list[str]
) -> None:
    recorded = imported(SMALL)
    left: World = {"01": {key: dict(files) for key, files in SMALL["01"].items()}}
    for path in gone:
        del left["01"][number or ""][path]
    done = planned(left, blocking(found(left), number, blocked), recorded)
    assert (done.outcomes, done.assets, done.components.remove, done.lessons) == ((), NOTHING, (), NOTHING)


def test_what_lies_beside_it_is_gone() -> None:
    recorded = imported(SMALL)
    left: World = {"01": {**SMALL["01"], "01": {"learning/video.mp4": "V"}}}
    done = planned(left, blocking(found(left), "01", "slides/sub", "slide"), recorded)
    assert [one.path for one in done.outcomes] == ["Course_01/Lesson_01/slides/a.pdf"]


def test_a_path_that_cannot_be_looked_at_is_known_in_any_unicode_form() -> None:
    recorded = imported({"01": {"01": {f"{NFD}/a.pdf": "A", "slides/b.pdf": "B"}}})
    left: World = {"01": {"01": {"slides/b.pdf": "B"}}}
    assert planned(left, blocking(found(left), "01", NFC), recorded).is_empty


def test_components_of_which_no_file_is_recorded_stay_with_their_lesson() -> None:
    recorded = replace(imported(SMALL), assets=())
    left: World = {"01": {"": {}, "01": {}, "02": {}}}
    tree = blocking(found(left), "01", "")
    done = planned(left, tree, recorded)
    kept = [row for row in recorded.components if row.id not in done.components.remove]
    assert [row.group_key for row in kept] == ["learning/video.mp4", "slides"]


@pytest.mark.parametrize("title", [None, "Known"])
def test_a_lesson_that_cannot_be_looked_at_and_was_never_recorded_is_not_recorded_now(title: str | None) -> None:
    world: World = {"01": {"01": {"slides/a.pdf": "A"}, "02": {"slides/b.pdf": "B"}}}
    recorded = imported({"01": {"01": {"slides/a.pdf": "A"}}})
    tree = blocking(found(world), "02", "")
    course = tree.courses[0]
    lessons = (course.lessons[0], replace(course.lessons[1], title=title))
    done = planned(world, replace(tree, courses=(replace(course, lessons=lessons),)), recorded)
    assert done.is_empty
    assert done.counts["blocked"] == 1


def test_of_a_course_that_cannot_be_looked_at_nothing_is_written_whatever_was_seen_in_it() -> None:
    tree = found(SMALL)
    blocked = replace(tree, courses=(replace(tree.courses[0], title=None, blocked=True),))
    new = planned(SMALL, blocked, Recorded())
    assert new.is_empty
    recorded = imported(SMALL)
    doubtful = replace(recorded, assets=tuple(row._replace(mtime_ns=5) for row in recorded.assets))
    assert planned(SMALL, blocked, doubtful).is_empty


# --- and is not taken for another


def test_a_course_that_cannot_be_looked_at_is_not_the_one_that_holds_copies_of_its_files() -> None:
    recorded = imported({"01": {"": {"preview.mp4": "p"}, "01": {"slides/a.pdf": "A"}}})
    world: World = {"01": {}, "02": {"": {"preview.mp4": "p"}, "01": {"slides/a.pdf": "A"}}}
    tree = found(world)
    blocked = replace(tree.courses[0], title=None, blocked=True)
    then = applied(recorded, planned(world, replace(tree, courses=(blocked, tree.courses[1])), recorded))
    assert {row.slug: row.id == recorded.courses[0].id for row in then.courses} == {
        "course_01": True,
        "course_02": False,
    }
    assert live_files(then).items() >= live_files(recorded).items()
    assert len(live_files(then)) == 4


def test_a_lesson_that_cannot_be_looked_at_is_not_the_one_that_holds_copies_of_its_files() -> None:
    recorded = imported({"01": {"01": {"slides/a.pdf": "A"}}})
    world: World = {"01": {"01": {}, "02": {"slides/a.pdf": "A"}}}
    then = applied(recorded, planned(world, blocking(found(world), "01", ""), recorded))
    assert {row.number: row.id == recorded.lessons[0].id for row in then.lessons} == {"01": True, "02": False}
    assert live_files(then).items() >= live_files(recorded).items()
    assert len(live_files(then)) == 2


def test_a_folder_that_cannot_be_looked_at_is_not_the_one_that_holds_copies_of_its_files() -> None:
    """Nor does what else went away come in its place."""
    recorded = imported({"01": {"01": {"slides/a.pdf": "A", "slides/sub/b.pdf": "B", "work/c.pdf": "C"}}})
    world: World = {"01": {"01": {"slides/a.pdf": "C"}, "02": {"slides/a.pdf": "A", "slides/sub/b.pdf": "B"}}}
    then = applied(recorded, planned(world, blocking(found(world), "01", "slides/sub"), recorded))
    before, after = live_files(recorded), live_files(then)
    assert after["01", "01", "slides/sub/b.pdf"] == before["01", "01", "slides/sub/b.pdf"]
    assert after["01", "01", "slides/a.pdf"].component_id == before["01", "01", "slides/a.pdf"].component_id
    assert {path for _, lesson, path in after if lesson == "02"} == {"slides/a.pdf", "slides/sub/b.pdf"}


def test_a_video_that_cannot_be_read_is_not_the_one_that_has_its_bytes_elsewhere() -> None:
    captions = {"learning/video.en.vtt": "words"}
    recorded = imported({"01": {"01": {"learning/video.mp4": "V", **captions}}})
    world: World = {"01": {"01": {"learning/video.mp4": "V, edited", "practice/video.mp4": "V", **captions}}}
    then = applied(recorded, planned(world, found(world), recorded, "learning/video.mp4"))
    before, after = live_files(recorded), live_files(then)
    place = ("01", "01", "learning/video.mp4")
    assert (after[place], len(after)) == (before[place], 3)


def test_a_file_that_cannot_be_read_under_its_new_unicode_form_is_not_the_copy_of_it() -> None:
    recorded = imported({"01": {"01": {f"slides/{NFD}.pdf": "A"}}})
    world: World = {"01": {"01": {"copies/a.pdf": "A", f"slides/{NFC}.pdf": "A"}}}
    then = applied(recorded, planned(world, found(world), recorded, f"slides/{NFC}.pdf"))
    after = live_files(then)
    assert after["01", "01", f"slides/{NFD}.pdf"] in recorded.assets
    assert len(after) == 2


def test_a_folder_of_which_no_file_can_be_read_is_not_recorded() -> None:
    recorded = imported({"01": {"01": {"slides/a.pdf": "A"}}})
    world: World = {"01": {"01": {"slides/a.pdf": "A", "work/b.pdf": "B", "work/c.pdf": "C"}}}
    done = planned(world, found(world), recorded, "work/b.pdf", "work/c.pdf")
    assert (done.is_empty, done.counts["blocked"]) == (True, 2)
    later = applied(recorded, planned(world, found(world), recorded, "work/c.pdf"))
    assert {path for _, _, path in live_files(later)} == {"slides/a.pdf", "work/b.pdf"}


def test_what_could_not_be_read_is_read_next_time() -> None:
    recorded = imported({"01": {"01": {"slides/a.pdf": "A"}}})
    world: World = {"01": {"01": {"slides/a.pdf": "A, edited"}}}
    then = applied(recorded, planned(world, found(world), recorded, "slides/a.pdf"))
    assert [file.place for file in compare(found(world), then).unread] == [Place("course_01", "01", "slides/a.pdf")]
