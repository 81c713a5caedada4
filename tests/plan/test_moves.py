"""What becomes of ids when a tree changes: a table of histories, each with what stays the same and what is said."""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

import pytest

from curri.model import AssetRow, Recorded
from support.worlds import World, applied, live_files, plan

At = tuple[str, str, str]
"""Course number, lesson number ("" for the course folder itself) and path."""


class History(NamedTuple):
    """A tree before and after, and where the files that stayed the same lay before."""

    before: World
    after: World
    files: dict[At, At]  # now -> before: the rows of files that are kept. Every other file is new
    said: set[tuple[str, str]]  # without "new" and "removed", which follow
    components: dict[At, At] | None = None  # the same for components, by their first files; None: as the files


def lesson(**files: str) -> World:
    """Return a world of one lesson; `slides__a` is the file slides/a.pdf."""
    return {"01": {"01": {f"{name.replace('__', '/')}.pdf": content for name, content in files.items()}}}


def at(path: str, number: str = "01", course: str = "01") -> At:
    return course, number, path


def slides(name: str) -> At:
    return at(f"slides/{name}.pdf")


NFC, NFD = "\u00e9", "e\u0301"
IN_01 = "Course_01/Lesson_01"

HISTORIES = {
    "nothing changed": History(
        lesson(slides__a="A"), lesson(slides__a="A"), {slides("a"): slides("a")}, set()
    ),
    "a file got another name": History(
        lesson(slides__a="A"),
        lesson(slides__b="A"),
        {slides("b"): slides("a")},
        {(f"{IN_01}/slides/b.pdf", f"moved from {IN_01}/slides/a.pdf")},
    ),
    "a file was edited": History(
        lesson(slides__a="A"),
        lesson(slides__a="B"),
        {slides("a"): slides("a")},
        {(f"{IN_01}/slides/a.pdf", "changed")},
    ),
    "a file moved away, and another has its name now": History(
        lesson(slides__a="A", slides__b="B"),
        lesson(slides__a="new", slides__b="B", handouts__z="A"),
        {at("handouts/z.pdf"): slides("a"), slides("b"): slides("b")},
        {(f"{IN_01}/handouts/z.pdf", f"moved from {IN_01}/slides/a.pdf")},
        components={slides("a"): slides("a")},
    ),
    "one of three equal files is gone": History(
        lesson(slides__a="A", slides__b="A", slides__c="A"),
        lesson(slides__a="A", slides__c="A"),
        {slides("a"): slides("a"), slides("c"): slides("c")},
        set(),
    ),
    "one of two equal files got another name": History(
        lesson(slides__a="A", slides__c="A"),
        lesson(slides__b="A", slides__c="A"),
        {slides("b"): slides("a"), slides("c"): slides("c")},
        {(f"{IN_01}/slides/b.pdf", f"moved from {IN_01}/slides/a.pdf")},
    ),
    "two equal files of one folder got other names, and keep their order": History(
        lesson(slides__a="A", slides__b="A"),
        lesson(slides__c="A", slides__d="A"),
        {slides("c"): slides("a"), slides("d"): slides("b")},
        {
            (f"{IN_01}/slides/c.pdf", f"moved from {IN_01}/slides/a.pdf"),
            (f"{IN_01}/slides/d.pdf", f"moved from {IN_01}/slides/b.pdf"),
        },
    ),
    "a folder got another name": History(
        lesson(slides__a="A", slides__b="B"),
        lesson(decks__a="A", decks__b="B"),
        {at("decks/a.pdf"): slides("a"), at("decks/b.pdf"): slides("b")},
        {
            (f"{IN_01}/decks/a.pdf", f"moved from {IN_01}/slides/a.pdf"),
            (f"{IN_01}/decks/b.pdf", f"moved from {IN_01}/slides/b.pdf"),
        },
    ),
    "a folder that keeps one file stays itself, although the other one moved on": History(
        lesson(slides__a="A", slides__b="B"),
        lesson(slides__a="A", decks__a="A", decks__b="B"),
        {slides("a"): slides("a"), at("decks/b.pdf"): slides("b")},
        {(f"{IN_01}/decks/b.pdf", f"moved from {IN_01}/slides/b.pdf")},
        components={slides("a"): slides("a")},
    ),
    "two videos swapped their names": History(
        {"01": {"01": {"learning/a.mp4": "A", "learning/b.mp4": "B"}}},
        {"01": {"01": {"learning/a.mp4": "B", "learning/b.mp4": "A"}}},
        {at("learning/a.mp4"): at("learning/b.mp4"), at("learning/b.mp4"): at("learning/a.mp4")},
        {
            (f"{IN_01}/learning/a.mp4", f"moved from {IN_01}/learning/b.mp4"),
            (f"{IN_01}/learning/b.mp4", f"moved from {IN_01}/learning/a.mp4"),
        },
    ),
    "another video with the same captions is another video": History(
        {"01": {"01": {"learning/a.mp4": "A", "learning/a.en.vtt": "words"}}},
        {"01": {"01": {"learning/b.mp4": "B", "learning/b.en.vtt": "words"}}},
        {at("learning/b.en.vtt"): at("learning/a.en.vtt")},
        {(f"{IN_01}/learning/b.en.vtt", f"moved from {IN_01}/learning/a.en.vtt")},
        components={},
    ),
    "a video got other captions": History(
        {"01": {"01": {"learning/a.mp4": "A", "learning/a.en.vtt": "words"}}},
        {"01": {"01": {"learning/a.mp4": "A", "learning/a.en.vtt": "better words"}}},
        {at("learning/a.mp4"): at("learning/a.mp4"), at("learning/a.en.vtt"): at("learning/a.en.vtt")},
        {(f"{IN_01}/learning/a.en.vtt", "changed")},
    ),
    "a name was written in another Unicode form, and the file edited": History(
        {"01": {"01": {f"slides/{NFD}.pdf": "A", f"learning/{NFD}.mp4": "V"}}},
        {"01": {"01": {f"slides/{NFC}.pdf": "B", f"learning/{NFC}.mp4": "W"}}},
        {slides(NFC): slides(NFD), at(f"learning/{NFC}.mp4"): at(f"learning/{NFD}.mp4")},
        {(f"{IN_01}/slides/{NFC}.pdf", "changed"), (f"{IN_01}/learning/{NFC}.mp4", "changed")},
    ),
    "two names that differ in their Unicode form only, and both files edited": History(
        {"01": {"01": {f"learning/{NFC}.mp4": "A", f"learning/{NFD}.mp4": "B", f"slides/{NFC}.pdf": "C", f"slides/{NFD}.pdf": "D"}}},
        {"01": {"01": {f"learning/{NFC}.mp4": "E", f"learning/{NFD}.mp4": "F", f"slides/{NFC}.pdf": "G", f"slides/{NFD}.pdf": "H"}}},
        {
            at(f"learning/{NFC}.mp4"): at(f"learning/{NFC}.mp4"), at(f"learning/{NFD}.mp4"): at(f"learning/{NFD}.mp4"),
            slides(NFC): slides(NFC), slides(NFD): slides(NFD),
        },
        {(f"{IN_01}/{path}", "changed") for form in (NFC, NFD) for path in (f"learning/{form}.mp4", f"slides/{form}.pdf")},
    ),
    "a lesson of which one file stayed keeps its number, although more went to another": History(
        {"01": {"01": {"slides/a.pdf": "A", "slides/b.pdf": "B", "slides/c.pdf": "C"}}},
        {"01": {"01": {"slides/a.pdf": "A"}, "02": {"slides/b.pdf": "B", "slides/c.pdf": "C"}}},
        {slides("a"): slides("a"), at("slides/b.pdf", "02"): slides("b"), at("slides/c.pdf", "02"): slides("c")},
        {
            ("Course_01/Lesson_02/slides/b.pdf", f"moved from {IN_01}/slides/b.pdf"),
            ("Course_01/Lesson_02/slides/c.pdf", f"moved from {IN_01}/slides/c.pdf"),
        },
        components={slides("a"): slides("a")},
    ),
    "the first lesson is gone, and the second has its number; both began with the same clip": History(
        {"01": {"01": {"intro.mp4": "x", "slides/a.pdf": "A"}, "02": {"intro.mp4": "x", "slides/b.pdf": "B"}}},
        {"01": {"01": {"intro.mp4": "x", "slides/b.pdf": "B"}}},
        {at("intro.mp4"): at("intro.mp4", "02"), slides("b"): at("slides/b.pdf", "02")},
        {("Course_01/Lesson_01", "moved from course_01/02, 2 files")},
    ),
    "two courses swapped their numbers; both begin with the same clip": History(
        {
            "01": {"01": {"intro.mp4": "x", "slides/a.pdf": "A"}, "02": {}},
            "02": {"01": {"intro.mp4": "x", "slides/b.pdf": "B"}, "02": {}},
        },
        {
            "01": {"01": {"intro.mp4": "x", "slides/b.pdf": "B"}, "02": {}},
            "02": {"01": {"intro.mp4": "x", "slides/a.pdf": "A"}, "02": {}},
        },
        {
            at(path, course=now): at(path, course=before)
            for path, now, before in (
                ("intro.mp4", "01", "02"), ("slides/b.pdf", "01", "02"),
                ("intro.mp4", "02", "01"), ("slides/a.pdf", "02", "01"),
            )
        },
        {("Course_01", "moved from course_02"), ("Course_02", "moved from course_01")},
    ),
    "a course of which there is but a preview got another number": History(
        {"01": {"": {"preview.mp4": "p"}}},
        {"07": {"": {"preview.mp4": "p"}}},
        {at("preview.mp4", "", "07"): at("preview.mp4", "")},
        {("Course_07", "moved from course_01")},
    ),
    "a course without files of its own got another number": History(
        {"01": {"01": {"slides/a.pdf": "A"}}},
        {"07": {"01": {"slides/a.pdf": "A"}}},
        {at("slides/a.pdf", course="07"): slides("a")},
        {("Course_07", "moved from course_01")},
    ),
    "a second course came, with files of its own": History(
        {"01": {"": {"preview.mp4": "p"}, "01": {"slides/a.pdf": "A"}}},
        {"01": {"": {"preview.mp4": "p"}, "01": {"slides/a.pdf": "A"}}, "02": {"": {"preview.mp4": "q"}, "01": {"slides/b.pdf": "B"}}},
        {at("preview.mp4", ""): at("preview.mp4", ""), slides("a"): slides("a")},
        set(),
    ),
    "a course was copied": History(
        {"02": {"01": {"slides/a.pdf": "A"}}},
        {"01": {"01": {"slides/a.pdf": "A"}}, "02": {"01": {"slides/a.pdf": "A"}}},
        {at("slides/a.pdf", course="02"): at("slides/a.pdf", course="02")},
        set(),
    ),
    "a lesson was copied": History(
        {"01": {"02": {"slides/a.pdf": "A"}}},
        {"01": {"01": {"slides/a.pdf": "A"}, "02": {"slides/a.pdf": "A"}}},
        {at("slides/a.pdf", "02"): at("slides/a.pdf", "02")},
        set(),
    ),
    "a file of the course went into a lesson": History(
        {"01": {"": {"preview.mp4": "p"}, "01": {"slides/a.pdf": "A"}}},
        {"01": {"01": {"preview.mp4": "p", "slides/a.pdf": "A"}}},
        {at("preview.mp4"): at("preview.mp4", ""), slides("a"): slides("a")},
        {(f"{IN_01}/preview.mp4", "moved from Course_01/preview.mp4")},
    ),
    "a file of a lesson went into the course": History(
        {"01": {"01": {"preview.mp4": "p", "slides/a.pdf": "A"}}},
        {"01": {"": {"preview.mp4": "p"}, "01": {"slides/a.pdf": "A"}}},
        {at("preview.mp4", ""): at("preview.mp4"), slides("a"): slides("a")},
        {("Course_01/preview.mp4", f"moved from {IN_01}/preview.mp4")},
    ),
    "an empty lesson got its first file": History(
        {"01": {"01": {}}}, {"01": {"01": {"slides/a.pdf": "A"}}}, {}, set()
    ),
}  # fmt: skip


def firsts(files: dict[At, AssetRow]) -> dict[str, At]:
    """Return the first file of each component."""
    return {row.component_id: place for place, row in sorted(files.items(), reverse=True)}


@pytest.mark.parametrize("name", HISTORIES)
def test_what_stays_the_same(name: str) -> None:
    history = HISTORIES[name]
    first = applied(Recorded(), plan(history.before, Recorded()))
    done = plan(history.after, first)
    then = applied(first, done)
    assert plan(history.after, then).is_empty, "a second import finds nothing"
    before, after = live_files(first), live_files(then)
    ids = {row.id: place for place, row in before.items()}
    assert {place: ids[row.id] for place, row in after.items() if row.id in ids} == history.files
    was, now = firsts(before), firsts(after)
    kept = {now[each]: was[each] for each in now if each in was}
    if history.components is None:
        assert all(after[place].component_id == before[came].component_id for place, came in history.files.items())
        assert len(kept) == len({after[place].component_id for place in history.files})
    else:
        assert kept == history.components
    assert {(one.path, one.reason) for one in done.outcomes if one.reason not in ("new", "removed")} == history.said
    assert done.counts["new"] == len(after) - len(history.files)
    assert done.counts["removed"] == len(before) - len(history.files)


@pytest.mark.parametrize(("first", "second"), [(NFC, NFD), (NFD, NFC)])
def test_names_that_differ_in_their_unicode_form_only_stay_apart_in_whatever_order_they_came(
    first: str, second: str
) -> None:
    def files(*forms: str, edited: str = "") -> World:
        return {
            "01": {
                "01": {f"learning/{form}.mp4": f"{form} film{edited}" for form in forms}
                | {f"slides/{form}.pdf": f"{form} deck{edited}" for form in forms}
            }
        }

    one = applied(Recorded(), plan(files(first), Recorded()))
    two = applied(one, plan(files(first, second), one))
    edited = applied(two, plan(files(first, second, edited=", edited"), two))
    before, after = live_files(two), live_files(edited)
    assert {place: (row.id, row.component_id) for place, row in after.items()} == {
        place: (row.id, row.component_id) for place, row in before.items()
    }
    # And where only one is left, a name in the other form is the same name.
    alone = applied(one, plan(files(second, edited=", edited"), one))
    assert {row.id for row in live_files(alone).values()} == {row.id for row in live_files(one).values()}
    assert len({row.component_id for row in live_files(alone).values()} & {row.id for row in one.components}) == 2


# --- what was removed and comes back


def without(world: World, course: str = "01", number: str = "01", *paths: str) -> World:
    """Return the world without some files, a lesson or a course."""
    left = deepcopy(world)
    if paths:
        for path in paths:
            del left[course][number][path]
    elif number:
        del left[course][number]
    else:
        del left[course]
    return left


SMALL: World = {
    "01": {
        "": {"preview.mp4": "p"},
        "01": {"learning/video.mp4": "V", "slides/a.pdf": "A", "slides/b.pdf": "B"},
        "02": {"slides/c.pdf": "C"},
    },
    "02": {"01": {"slides/d.pdf": "D"}},
}


@pytest.mark.parametrize(
    ("meanwhile", "restored"),
    [
        (without(SMALL, "01", "01", "slides/b.pdf"), {f"{IN_01}/slides/b.pdf"}),
        (without(SMALL, "01", "01", "slides/a.pdf", "slides/b.pdf"), {f"{IN_01}/slides/{name}.pdf" for name in "ab"}),
        (without(SMALL, "01", "01", "learning/video.mp4"), {f"{IN_01}/learning/video.mp4"}),
        (without(SMALL, "01", "", "preview.mp4"), {"Course_01/preview.mp4"}),
        (without(SMALL, "01", "02"), {"Course_01/Lesson_02/slides/c.pdf"}),
        (without(SMALL, "02", ""), {"Course_02/Lesson_01/slides/d.pdf"}),
    ],
)
def test_what_comes_back_has_its_old_ids_and_is_said_to_be_restored(meanwhile: World, restored: set[str]) -> None:
    first = applied(Recorded(), plan(SMALL, Recorded()))
    gone = applied(first, plan(meanwhile, first))
    assert len(live_files(gone)) == len(live_files(first)) - len(restored)
    back = plan(SMALL, gone)
    assert {(one.path, one.reason) for one in back.outcomes} == {(path, "restored") for path in restored}
    assert (back.counts["restored"], back.counts["new"]) == (len(restored), 0)
    assert live_files(applied(gone, back)) == live_files(first)


def test_what_comes_back_with_other_content_is_said_to_be_so() -> None:
    first = applied(Recorded(), plan(lesson(slides__a="A", slides__b="B"), Recorded()))
    gone = applied(first, plan(lesson(slides__b="B"), first))
    back = plan(lesson(slides__a="other", slides__b="B"), gone)
    assert [(one.path, one.reason) for one in back.outcomes] == [(f"{IN_01}/slides/a.pdf", "restored with new content")]
    assert live_files(applied(gone, back))[slides("a")].id == live_files(first)[slides("a")].id


def test_what_comes_back_elsewhere_has_its_old_ids() -> None:
    first = applied(Recorded(), plan(SMALL, Recorded()))
    gone = applied(first, plan(without(SMALL, "01", "01"), first))
    elsewhere = without(SMALL, "01", "01")
    elsewhere["02"]["05"] = SMALL["01"]["01"]
    then = applied(gone, plan(elsewhere, gone))
    before, after = live_files(first), live_files(then)
    for path in SMALL["01"]["01"]:
        assert after[at(path, "05", "02")].id == before[at(path)].id
        assert after[at(path, "05", "02")].component_id == before[at(path)].component_id


def test_a_folder_that_comes_back_with_one_of_its_files_is_the_old_one() -> None:
    """Although its other file came back elsewhere."""
    first = applied(Recorded(), plan(lesson(slides__a="A", slides__b="B", notes__n="N"), Recorded()))
    gone = applied(first, plan(lesson(notes__n="N"), first))
    then = applied(gone, plan(lesson(slides__a="A", decks__a="A", decks__b="B", notes__n="N"), gone))
    assert live_files(then)[slides("a")].component_id == live_files(first)[slides("a")].component_id
    assert live_files(then)[at("decks/b.pdf")].id == live_files(first)[slides("b")].id


def test_a_file_that_was_removed_before_draws_no_folder_after_it() -> None:
    first = applied(Recorded(), plan(lesson(slides__a="A", slides__b="B"), Recorded()))
    without_b = applied(first, plan(lesson(slides__a="A"), first))
    then = applied(without_b, plan(lesson(decks__b="B"), without_b))
    assert live_files(then)[at("decks/b.pdf")].component_id != live_files(first)[slides("a")].component_id


def test_what_is_there_is_taken_before_what_was_removed() -> None:
    """Equal bytes were removed long ago: the file that moves now is the one that was there until now."""
    first = applied(Recorded(), plan(lesson(slides__a="A", decks__b="A"), Recorded()))
    gone = applied(first, plan(lesson(decks__b="A"), first))
    then = applied(gone, plan(lesson(slides__a="A"), gone))
    assert live_files(then)[slides("a")].id == live_files(first)[at("decks/b.pdf")].id


def test_equal_files_stay_with_their_own_folder_when_all_are_renamed() -> None:
    """Whichever folder was recorded first."""
    late = applied(Recorded(), plan(lesson(slides__a="x", slides__c="C"), Recorded()))
    both = applied(late, plan(lesson(slides__a="x", slides__c="C", decks__z="x", decks__d="D"), late))
    then = applied(both, plan(lesson(slides__b="x", slides__c="C", decks__y="x", decks__d="D"), both))
    before, after = live_files(both), live_files(then)
    assert after[slides("b")].id == before[slides("a")].id
    assert after[at("decks/y.pdf")].id == before[at("decks/z.pdf")].id
