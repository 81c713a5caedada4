"""Before any byte is read: which lessons are settled, which digests are still good, and what must be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from curri.model import ComponentType, Digest, FoundComponent, FoundTree, Place, Recorded, Role
from curri.plan.comparison import Unread, compare
from support.worlds import READ_AT, World, applied, found, plan, sha1

WORLD: World = {
    "01": {
        "": {"preview.mp4": "p"},
        "01": {"learning/video.mp4": "V", "learning/video.en.vtt": "words", "slides/a.pdf": "A"},
        "02": {"slides/b.pdf": "B"},
    },
    "02": {"": {}, "01": {"slides/c.pdf": "C"}, "02": {}},
}
RECORDED = applied(Recorded(), plan(WORLD, Recorded()))
FIRST = ("course_01", "01")


def ids(recorded: Recorded) -> dict[tuple[str, str], str]:
    """Return the id that each lesson, or the files of a course, hang on."""
    slugs = {row.id: row.slug for row in recorded.courses}
    own = {(row.slug, ""): row.id for row in recorded.courses}
    return own | {(slugs[row.course_id], row.number): row.id for row in recorded.lessons}


def changed(what: Callable[[tuple[FoundComponent, ...]], tuple[FoundComponent, ...]]) -> FoundTree:
    """Return the tree with other components in the first lesson: a video with captions, then slides."""
    tree = found(WORLD)
    course = tree.courses[0]
    first = replace(course.lessons[0], components=what(course.lessons[0].components))
    return replace(tree, courses=(replace(course, lessons=(first, *course.lessons[1:])), *tree.courses[1:]))


def test_lessons_in_which_every_file_is_as_recorded_are_settled_and_empty_ones_prove_nothing() -> None:
    comparison = compare(found(WORLD), RECORDED)
    everything = ids(RECORDED)
    assert comparison.settled == {
        place: everything[place] for place in (("course_01", ""), FIRST, ("course_01", "02"), ("course_02", "01"))
    }
    assert (comparison.known, comparison.unread) == ({}, ())


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(lambda found: found[:1], id="a component is gone"),
        pytest.param(lambda found: found[1:], id="another component is gone"),
        pytest.param(lambda found: (*found, replace(found[1], group_key="new")), id="a component came"),
        pytest.param(lambda found: (found[0], replace(found[1], group_key="x")), id="a component has another key"),
        pytest.param(lambda found: (found[0], replace(found[1], kind="x")), id="a component has another kind"),
        pytest.param(lambda found: (found[0], replace(found[1], name="x")), id="a component has another name"),
        pytest.param(lambda found: (found[0], replace(found[1], position=9)), id="a component has another position"),
        pytest.param(
            lambda found: (found[0], replace(found[1], type=ComponentType.LAB)), id="a component is of another type"
        ),
        pytest.param(lambda found: (replace(found[0], assets=found[0].assets[:1]), found[1]), id="a file is gone"),
        pytest.param(
            lambda found: (found[0], replace(found[1], assets=(*found[1].assets, found[0].assets[0]))), id="a file came"
        ),
    ],
)
def test_a_lesson_whose_parts_differ_is_not_settled_and_what_it_has_need_not_be_read(
    what: Callable[[tuple[FoundComponent, ...]], tuple[FoundComponent, ...]],
) -> None:
    tree = changed(what)
    comparison = compare(tree, RECORDED)
    assert set(ids(RECORDED)) - set(comparison.settled) == {FIRST, ("course_02", ""), ("course_02", "02")}
    assert comparison.unread == ()
    there = {asset.path for one in tree.courses[0].lessons[0].components for asset in one.assets}
    assert comparison.known == {
        Place(*FIRST, path): Digest(sha1(WORLD["01"]["01"][path]), READ_AT) for path in there
    }  # fmt: skip


@pytest.mark.parametrize("field", ["path", "role", "mime_type", "size", "mtime_ns", "ctime_ns", "inode"])
def test_a_lesson_with_a_file_that_differs_in_anything_is_not_settled(field: str) -> None:
    others: dict[str, Any] = {"path": "slides/x.pdf", "role": Role.TRANSCRIPT, "mime_type": "x/y"}
    other: Any = others.get(field, 5)

    def edit(parts: tuple[FoundComponent, ...]) -> tuple[FoundComponent, ...]:
        (asset,) = parts[1].assets
        return (parts[0], replace(parts[1], assets=(asset._replace(**{field: other}),)))

    comparison = compare(changed(edit), RECORDED)
    assert FIRST not in comparison.settled
    # What kind of file it is can be told without reading it.
    assert bool(comparison.unread) is (field not in ("role", "mime_type"))


def test_a_lesson_with_a_digest_that_is_not_trusted_or_a_folder_that_was_not_seen_is_not_settled() -> None:
    racy = tuple(
        row._replace(hashed_at_ns=row.mtime_ns) if row.relative_path == "slides/a.pdf" else row
        for row in RECORDED.assets
    )
    comparison = compare(found(WORLD), replace(RECORDED, assets=racy))
    assert FIRST not in comparison.settled
    assert [file.place.path for file in comparison.unread] == ["slides/a.pdf"]
    tree = found(WORLD)
    first, *rest = tree.courses[0].lessons
    course = replace(tree.courses[0], lessons=(replace(first, blocked=("lab",)), *rest))
    assert FIRST not in compare(replace(tree, courses=(course, tree.courses[1])), RECORDED).settled


def test_what_is_read_is_named_with_its_folder() -> None:
    tree = found({"01": {"01": {"slides/a.pdf": "A"}}})
    (asset,) = tree.courses[0].lessons[0].components[0].assets
    expected = (Unread(Place("course_01", "01", "slides/a.pdf"), "Course_01/Lesson_01", asset),)
    assert compare(tree, Recorded()).unread == expected
    assert compare(tree, applied(Recorded(), plan({"01": {"01": {}}}, Recorded()))).unread == expected


def test_what_was_removed_neither_settles_a_lesson_nor_hinders_it() -> None:
    """Rows that are marked as removed are of another time."""
    fewer: World = {**WORLD, "01": {**WORLD["01"], "01": {"slides/a.pdf": "A"}}}
    gone = applied(RECORDED, plan(fewer, RECORDED))
    assert FIRST in compare(found(fewer), gone).settled
    back = compare(found(WORLD), gone)
    assert FIRST not in back.settled
    assert {file.place.path for file in back.unread} == {"learning/video.mp4", "learning/video.en.vtt"}
    without = applied(RECORDED, plan({"02": WORLD["02"]}, RECORDED))
    assert len(compare(found(WORLD), without).unread) == 5


def test_a_component_of_which_no_file_is_recorded_settles_nothing() -> None:
    comparison = compare(found(WORLD), replace(RECORDED, assets=()))
    assert (comparison.settled, len(comparison.unread)) == ({}, 6)


def test_when_all_is_to_be_read_again_nothing_is_settled_or_known() -> None:
    comparison = compare(found(WORLD), RECORDED, rehash=True)
    assert (comparison.settled, comparison.known, len(comparison.unread)) == ({}, {}, 6)
