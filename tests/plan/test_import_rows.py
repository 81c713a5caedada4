"""What one import writes and tells: every column of a row, every count, every word about titles and what is gone."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from curri.model import AssetRow, ComponentRow, CourseRow, FoundTree, LessonRow, Outcome, Recorded, Result
from curri.plan.changes import ContentPlan
from curri.plan.content import compare, decide
from curri.plan.identity import place_id
from support.worlds import READ_AT, World, applied, digests, found, plan, sha1

SMALL: World = {
    "01": {
        "": {"preview.mp4": "p"},
        "01": {"learning/video.mp4": "V", "learning/video.en.vtt": "words", "lab/start.ipynb": "lab"},
    }
}
ONE: World = {"01": {"01": {"slides/a.pdf": "A"}}}


def titled(world: World, course: tuple[str | None, str | None], lesson: tuple[str | None, str | None]) -> FoundTree:
    """Return a tree of one course and one lesson with these titles and descriptions."""
    tree = found(world)
    (outer,) = tree.courses
    (inner,) = outer.lessons
    inner = replace(inner, title=lesson[0], description=lesson[1])
    return replace(tree, courses=(replace(outer, title=course[0], description=course[1], lessons=(inner,)),))


def imported(world: World, tree: FoundTree, recorded: Recorded = Recorded()) -> ContentPlan:  # noqa: B008 # frozen
    return decide(compare(tree, recorded), digests(world, tree, recorded))


def test_a_row_holds_all_that_was_seen() -> None:
    tree = titled(SMALL, ("Cells", "About cells"), ("Walls", "About walls"))
    course = replace(tree.courses[0], position=7, lessons=(replace(tree.courses[0].lessons[0], position=8),))
    done = imported(SMALL, replace(tree, courses=(course,)))
    course_id, lesson_id = place_id("course", "course_01"), place_id("lesson", "course_01", "01")
    assert done.courses.insert == (CourseRow(course_id, "course_01", "01", "Cells", "About cells", 7, "/curriculum"),)
    assert done.lessons.insert == (LessonRow(lesson_id, course_id, "01", "Walls", "About walls", 8),)
    preview, lab, video = (
        place_id("component", "course_01", *place)
        for place in (("", "preview.mp4"), ("01", "lab"), ("01", "learning/video.mp4"))
    )
    assert done.components.insert == (
        ComponentRow(preview, course_id, None, "VIDEO", "preview", "preview", "preview.mp4", 0),
        ComponentRow(lab, course_id, lesson_id, "LAB", "lab", "lab", "lab", 0),
        ComponentRow(video, course_id, lesson_id, "VIDEO", "learning", "video", "learning/video.mp4", 1),
    )
    owners = {"preview.mp4": preview, "lab/start.ipynb": lab}
    seen = {
        asset.path: asset
        for lesson in (course.own, *course.lessons)
        for one in lesson.components
        for asset in one.assets
    }
    assert done.assets.insert == tuple(
        AssetRow(
            place_id("asset", "course_01", "" if path == "preview.mp4" else "01", path),
            owners.get(path, video),
            path, role, mime_type, len(content), 1_000, 1_000, seen[path].inode, sha1(content), 1, READ_AT,
        )
        for path, role, mime_type, content in (
            ("preview.mp4", "source", "video/mp4", "p"),
            ("lab/start.ipynb", "file", "application/x-ipynb+json", "lab"),
            ("learning/video.en.vtt", "captions", "text/vtt", "words"),
            ("learning/video.mp4", "source", "video/mp4", "V"),
        )
    )  # fmt: skip


def test_every_file_is_counted_once() -> None:
    world: World = {
        "01": {"": {"preview.mp4": "p"}, "01": {f"slides/{name}.pdf": name for name in "abcdefgh"}, "02": {}}
    }
    recorded = applied(Recorded(), plan(world, Recorded()))
    slides = world["01"]["01"]
    for path in ("slides/a.pdf", "slides/b.pdf"):
        del slides[path]
    gone = applied(recorded, plan(world, recorded))
    slides |= {
        "slides/a.pdf": "a",
        "slides/c.pdf": "new c",
        "slides/d.pdf": "new d",
        "slides/x.pdf": slides.pop("slides/e.pdf"),
    }
    slides |= {"slides/new 1.pdf": "1", "slides/new 2.pdf": "2", "slides/new 3.pdf": "3"}
    del slides["slides/f.pdf"], slides["slides/g.pdf"]
    tree = found(world)
    read = digests(world, tree, gone)
    read = {place: digest for place, digest in read.items() if place.path != "slides/new 3.pdf"}
    done = decide(compare(tree, gone), read)
    assert done.counts == {
        "courses": 1, "lessons": 2, "files": 9, "new": 2, "changed": 2, "moved": 1, "restored": 1, "removed": 2,
        "unchanged": 2, "blocked": 1,
    }  # fmt: skip
    assert done.known == 7


def test_ids_that_are_taken_are_replaced_by_those_that_are_handed_out() -> None:
    given = [uuid.UUID(int=number, version=4) for number in range(4)]
    taken = frozenset({place_id("course", "course_01"), str(given[0])})
    comparison = compare(found(ONE), Recorded(taken=taken))
    done = decide(comparison, digests(ONE, found(ONE), Recorded()), random=iter(given).__next__)
    assert [row.id for row in done.courses.insert] == [str(given[1])]


# --- whether there is anything to do


def test_any_change_of_any_row_is_something_to_do() -> None:
    recorded = applied(Recorded(), plan(ONE, Recorded()))
    retitled = imported(ONE, titled(ONE, ("Course 01", None), ("Other", None)), recorded)
    assert not plan(ONE, Recorded()).is_empty, "rows are inserted"
    assert (bool(retitled.lessons.update), retitled.is_empty) == (True, False)
    assert not plan({}, recorded).is_empty, "rows are marked as removed"
    assert plan(ONE, recorded).is_empty


# --- titles

NUMBERED, CELLS, GENES = ("Course 01", None), ("Cells", "About cells"), ("Genes", "About genes")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (CELLS, CELLS, None),
        (CELLS, GENES, 'title is now "Genes", was "Cells"'),
        (NUMBERED, CELLS, 'title is now "Cells", was "Course 01"'),
        (CELLS, NUMBERED, 'title is now "Course 01", was "Cells"'),
        (CELLS, ("A \x1b", None), 'title is now "A \\x1b", was "Cells"'),
        (CELLS, ("Cells", "Other words"), None),
        (CELLS, (None, None), None),  # it cannot be read now
    ],
)
def test_a_course_that_was_given_another_title_says_so(
    before: tuple[str, str | None], after: tuple[str | None, str | None], said: str | None
) -> None:
    plain = ("Lesson 01", None)
    recorded = applied(Recorded(), imported(ONE, titled(ONE, before, plain)))
    done = imported(ONE, titled(ONE, after, plain), recorded)
    assert done.outcomes == ((Outcome("Course_01", Result.DONE, said),) if said else ())
    (row,) = applied(recorded, done).courses
    assert (row.title, row.description) == (before if after[0] is None else after)


def test_a_lesson_that_was_given_another_title_says_so_and_one_that_cannot_be_read_keeps_it() -> None:
    recorded = applied(Recorded(), imported(ONE, titled(ONE, NUMBERED, CELLS)))
    done = imported(ONE, titled(ONE, NUMBERED, GENES), recorded)
    assert done.outcomes == (Outcome("Course_01/Lesson_01", Result.DONE, 'title is now "Genes", was "Cells"'),)
    assert [(row.title, row.description) for row in done.lessons.update] == [GENES]
    assert imported(ONE, titled(ONE, NUMBERED, (None, None)), recorded).is_empty


def test_a_title_that_is_but_the_number_follows_the_number_in_silence() -> None:
    recorded = applied(Recorded(), imported(ONE, titled(ONE, NUMBERED, ("Lesson 01", None))))
    done = plan({"02": {"03": ONE["01"]["01"]}}, recorded)
    assert {one.reason for one in done.outcomes} == {"moved from course_01", "moved from course_01/01, 1 files"}
    then = applied(recorded, done)
    assert (then.courses[0].title, then.lessons[0].title) == ("Course 02", "Lesson 03")


def test_what_was_never_recorded_and_has_no_title_now_is_called_by_its_number() -> None:
    done = imported(ONE, titled(ONE, (None, "lost"), (None, "lost")))
    assert [(row.title, row.description) for row in done.courses.insert] == [("Course 01", None)]
    assert [(row.title, row.description) for row in done.lessons.insert] == [("Lesson 01", None)]


# --- what comes and goes


def test_a_new_file_is_said_and_a_new_lesson_only_if_it_is_empty() -> None:
    world: World = {"01": {"": {"preview.mp4": "p"}, "01": {"slides/a.pdf": "A"}, "02": {}}}
    assert {(one.path, one.reason) for one in plan(world, Recorded()).outcomes} == {
        ("Course_01/preview.mp4", "new"),
        ("Course_01/Lesson_01/slides/a.pdf", "new"),
        ("Course_01/Lesson_02", "new"),
    }


def test_what_is_gone_is_said_file_by_file_and_an_empty_lesson_by_its_folder() -> None:
    world: World = {
        "01": {"": {"preview.mp4": "p"}, "01": {"slides/a.pdf": "A", "slides/b.pdf": "B"}, "02": {}, "03": {"x.pdf": "X"}},
        "02": {"01": {"slides/c.pdf": "C"}},
    }  # fmt: skip
    recorded = applied(Recorded(), plan(world, Recorded()))
    done = plan({"01": {"01": {"slides/b.pdf": "B"}}}, recorded)
    assert {(one.path, one.reason) for one in done.outcomes} == {
        (path, "removed")
        for path in (
            "Course_01/preview.mp4",
            "Course_01/Lesson_01/slides/a.pdf",
            "Course_01/Lesson_02",
            "Course_01/Lesson_03/x.pdf",
            "Course_02/Lesson_01/slides/c.pdf",
        )
    }
    assert done.counts["removed"] == 4
    then = applied(recorded, done)
    assert [row.slug for row in then.courses if not row.removed] == ["course_01"]
    assert [row.number for row in then.lessons if not row.removed] == ["01"]
    assert [row.group_key for row in then.components if not row.removed] == ["slides"]
    assert plan({"01": {"01": {"slides/b.pdf": "B"}}}, then).is_empty, "what is gone is not told of twice"


def test_a_file_of_the_course_that_was_only_touched_has_not_moved() -> None:
    recorded = applied(Recorded(), plan(SMALL, Recorded()))
    touched = replace(recorded, assets=tuple(row._replace(mtime_ns=5) for row in recorded.assets))
    done = plan(SMALL, touched)
    assert (done.outcomes, done.counts["moved"], done.counts["unchanged"]) == ((), 0, 4)
