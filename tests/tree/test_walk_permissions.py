"""What an ordinary user may not see is blocked: it is there, and what is recorded of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from curri.errors import TreeError
from curri.model import FoundTree
from curri.tree.walk import walk
from support.ordinary import ordinary_user
from support.trees import SMALL, make_tree
from support.walks import blocked, files, warned

CLOSED, LIST_ONLY, PASS_ONLY = 0o000, 0o444, 0o111


@pytest.fixture
def root(reachable: Path) -> Iterator[Path]:
    root = make_tree(reachable / "curriculum", SMALL)
    yield root
    root.chmod(0o755)


def seen_after(root: Path, **modes: int) -> FoundTree:
    """Return what an ordinary user's walk sees once folders have such modes ("__" stands for "/")."""
    for folder, mode in modes.items():
        (root / folder.replace("__", "/")).chmod(mode)
    with ordinary_user():
        return walk(root)


def test_what_everybody_may_read_is_seen_by_everybody(root: Path) -> None:
    assert seen_after(root) == walk(root)
    assert len(files(walk(root))) == 9


@pytest.mark.parametrize("mode", [CLOSED, PASS_ONLY])
def test_a_folder_that_may_not_be_read_is_blocked_and_everything_else_is_seen(root: Path, mode: int) -> None:
    found = seen_after(root, Course_01__Lesson_01__slides=mode)
    assert found.blocked == (("unreadable", "Course_01/Lesson_01/slides", "cannot be read: Permission denied"),)
    lesson = found.courses[0].lessons[0]
    assert lesson.blocked == ("slides",)
    assert lesson.title == "Evolution of Intelligence"
    assert len(files(found)) == 7


def test_a_lesson_that_may_not_be_read_keeps_everything(root: Path) -> None:
    found = seen_after(root, Course_01__Lesson_01=CLOSED)
    assert blocked(found) == {("unreadable", "Course_01/Lesson_01")}
    lesson = found.courses[0].lessons[0]
    assert (lesson.number, lesson.title, lesson.components, lesson.blocked) == ("01", None, (), ("",))
    assert len(files(found)) == 4


def test_a_course_that_may_not_be_read_keeps_everything(root: Path) -> None:
    found = seen_after(root, Course_01=CLOSED)
    assert blocked(found) == {("unreadable", "Course_01")}
    course = found.courses[0]
    assert (course.slug, course.title, course.lessons, course.blocked) == ("course_01", None, (), True)
    assert files(found) == ["Course_02/Lesson_01/learning/video.mp4"]


def test_in_a_folder_that_may_be_listed_only_each_file_and_folder_is_blocked(root: Path) -> None:
    (root / "Course_01/Lesson_01/slides/link.md").symlink_to("notes.md")
    (root / "Course_01/Lesson_01/slides/deep").mkdir()
    found = seen_after(root, Course_01__Lesson_01__slides=LIST_ONLY)
    names = ("deck.pdf", "notes.md", "link.md", "deep")
    assert blocked(found) == {("unreadable", f"Course_01/Lesson_01/slides/{name}") for name in names}
    assert {notice.message for notice in found.blocked} == {
        "cannot be looked at: Permission denied",
        "is a link that cannot be followed: Permission denied",
        "cannot be read: Permission denied",
    }
    assert set(found.courses[0].lessons[0].blocked) == {f"slides/{name}" for name in names}
    assert warned(found) == set()
    assert len(files(found)) == 7


def test_in_a_course_that_may_be_listed_only_every_lesson_is_blocked(root: Path) -> None:
    make_tree(root, {"Course_01": {"notes.md": "n"}})
    found = seen_after(root, Course_01=LIST_ONLY)
    names = ("course.toml", "notes.md", "Lesson_01", "Lesson_02")
    assert blocked(found) == {("unreadable", f"Course_01/{name}") for name in names}
    course = found.courses[0]
    assert not course.blocked
    assert set(course.own.blocked) == {"course.toml", "notes.md"}
    assert [(lesson.number, lesson.blocked) for lesson in course.lessons] == [("01", ("",)), ("02", ("",))]


def test_titles_that_cannot_be_looked_at_are_left_as_recorded(root: Path) -> None:
    make_tree(root, {"Course_02": {"README.md": "# Title"}})
    found = seen_after(root, Course_01=LIST_ONLY, Course_02=LIST_ONLY)
    assert [course.title for course in found.courses] == [None, None]
    assert {rule for rule, _ in blocked(found)} == {"unreadable"}, "each file is blocked once"


@pytest.mark.parametrize("mode", [CLOSED, PASS_ONLY])
def test_a_curriculum_that_may_not_be_read_is_refused(root: Path, mode: int) -> None:
    root.chmod(mode)
    with ordinary_user(), pytest.raises(TreeError) as caught:
        walk(root)
    assert caught.value.message == "the curriculum cannot be read: Permission denied"


def test_a_curriculum_that_may_be_listed_only_is_refused(root: Path) -> None:
    root.chmod(LIST_ONLY)
    with ordinary_user(), pytest.raises(TreeError) as caught:
        walk(root)
    assert caught.value.message == "the ignore file cannot be read"


def test_one_course_is_read_where_its_neighbours_may_not_be_listed(root: Path) -> None:
    root.chmod(PASS_ONLY)
    with ordinary_user():
        found = walk(root / "Course_02")
    assert files(found) == ["Course_02/Lesson_01/learning/video.mp4"]
    assert blocked(found) == set()
