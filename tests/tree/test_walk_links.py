"""Symbolic links: followed inside the curriculum, once; reported where they leave it, lead nowhere or in circles."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from curri.tree.walk import walk
from support.ordinary import ordinary_user
from support.trees import Tree, make_tree
from support.walks import blocked, files, warned

Make = Callable[..., Path]

LESSON = "Course_01/Lesson_01"


@pytest.fixture
def root(curriculum: Make) -> Path:
    tree: Tree = {
        "Course_01": {
            "Lesson_01": {"a": {"one.md": "1"}},
            "Lesson_02": {"b": {"two.md": "22", "deep": {"three.md": "3"}}},
        },
        ".shared": {"four.md": "4444"},
    }
    return curriculum(tree)


FILES = ["Course_01/Lesson_01/a/one.md", "Course_01/Lesson_02/b/deep/three.md", "Course_01/Lesson_02/b/two.md"]


def link(root: Path, path: str, target: str | Path) -> None:
    (root / path).symlink_to(target)


def test_links_to_files_and_folders_inside_are_followed(root: Path) -> None:
    link(root, f"{LESSON}/a/relative.md", "../../Lesson_02/b/two.md")
    link(root, f"{LESSON}/a/absolute.md", root / "Course_01/Lesson_02/b/two.md")
    link(root, f"{LESSON}/b", "../Lesson_02/b")
    link(root, f"{LESSON}/shared.md", "../../.shared/four.md")
    link(root, "Course_01/Lesson_03", "Lesson_02")
    link(root, "Course_02", "Course_01")
    found = walk(root)
    first = [
        *(f"{LESSON}/{path}" for path in ("a/absolute.md", "a/one.md", "a/relative.md", "b/deep/three.md", "b/two.md")),
        f"{LESSON}/shared.md",
        *(f"Course_01/Lesson_0{number}/b/{path}" for number in (2, 3) for path in ("deep/three.md", "two.md")),
    ]
    assert files(found) == [*first, *(path.replace("Course_01", "Course_02") for path in first)]
    assert warned(found) == blocked(found) == set()


def test_a_linked_file_has_the_size_of_the_file_and_the_kind_of_the_link(root: Path) -> None:
    link(root, f"{LESSON}/talk.mp4", "../Lesson_02/b/two.md")
    (component,) = (part for part in walk(root).courses[0].lessons[0].components if part.name == "talk")
    (asset,) = component.assets
    status = (root / "Course_01/Lesson_02/b/two.md").stat()
    assert (component.group_key, asset.mime_type) == ("talk.mp4", "video/mp4")
    assert asset[3:] == (2, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def test_a_link_that_leaves_the_root_is_reported_and_not_followed(root: Path, tmp_path: Path) -> None:
    make_tree(tmp_path, {"outside": {"secret.md": "s", "Lesson_01": {"a.md": "a"}}, "curriculum-2": {"secret.md": "s"}})
    targets: dict[str, str | Path] = {
        f"{LESSON}/file.md": "../../../outside/secret.md",
        f"{LESSON}/folder": tmp_path / "outside",
        f"{LESSON}/twin": tmp_path / "curriculum-2",  # begins like the root's path
        f"{LESSON}/above": tmp_path,
        f"{LESSON}/top": "/",
        f"{LESSON}/gone": tmp_path / "outside/gone",
        f"{LESSON}/detour": "folder/Lesson_01",  # leaves through another link
        "Course_01/Lesson_09": "../../outside/Lesson_01",
        "Course_09": tmp_path / "outside",
        "stray": tmp_path / "outside/secret.md",
    }
    for path, target in targets.items():
        link(root, path, target)
    found = walk(root)
    assert warned(found) == {("symlink-outside", path) for path in targets}
    assert blocked(found) == set()
    assert files(found) == FILES
    assert [course.folder for course in found.courses] == ["Course_01"]


def test_a_link_may_go_outside_and_come_back(root: Path, tmp_path: Path) -> None:
    link(tmp_path, "door", root)
    link(root, f"{LESSON}/b", "../../../door/Course_01/Lesson_02/b")
    assert f"{LESSON}/b/two.md" in files(walk(root))
    assert walk(root).warnings == ()


def test_a_link_that_leads_nowhere_is_reported(root: Path) -> None:
    link(root, f"{LESSON}/gone.md", "nothing")
    link(root, f"{LESSON}/through.md", "a/one.md/two.md")
    link(root, "Course_02", "Course_03")
    found = walk(root)
    assert warned(found) == {
        ("symlink-broken", f"{LESSON}/gone.md"),
        ("symlink-broken", f"{LESSON}/through.md"),
        ("symlink-broken", "Course_02"),
    }
    assert blocked(found) == set()
    assert files(found) == FILES


def test_links_in_circles_end(root: Path) -> None:
    link(root, f"{LESSON}/self", "self")
    link(root, f"{LESSON}/ping", "pong")
    link(root, f"{LESSON}/pong", "ping")
    link(root, f"{LESSON}/a/here", ".")
    link(root, f"{LESSON}/a/up", "..")
    link(root, f"{LESSON}/a/course", "../../../Course_01")
    link(root, f"{LESSON}/a/root", root)
    link(root, "Course_01/Lesson_05", "../Course_01")
    found = walk(root)
    names = ("self", "ping", "pong", "a/here", "a/up", "a/course", "a/root")
    assert warned(found) == {
        *(("symlink-loop", f"{LESSON}/{name}") for name in names),
        ("symlink-loop", "Course_01/Lesson_05"),
    }
    assert files(found) == FILES


def test_a_folder_whose_name_begins_like_that_of_the_link_is_not_a_loop(root: Path) -> None:
    make_tree(root / LESSON, {"a-more": {}})
    link(root, f"{LESSON}/a-more/a", "../a")
    assert f"{LESSON}/a-more/a/one.md" in files(walk(root))


def test_a_linked_folder_inside_of_a_linked_folder_is_reported_and_not_followed(root: Path) -> None:
    link(root, f"{LESSON}/b", "../Lesson_02/b")
    link(root, "Course_01/Lesson_02/b/deep/a", "../../../Lesson_01/a")
    link(root, "Course_01/Lesson_02/b/deep/one.md", "../../../Lesson_01/a/one.md")
    found = walk(root)
    assert warned(found) == {("symlink-nested", f"{LESSON}/b/deep/a")}
    assert f"{LESSON}/b/deep/one.md" in files(found), "a linked file multiplies nothing"
    assert "Course_01/Lesson_02/b/deep/a/one.md" in files(found)
    assert f"{LESSON}/b/deep/a/one.md" not in files(found)


def test_folders_that_all_link_to_each_other_take_bounded_work(curriculum: Make) -> None:
    # Followed without end, sixteen such folders hold 16! ways; a folder for each pair is what may be looked at.
    names = [f"f{number}" for number in range(16)]
    root = curriculum({"Course_01": {"Lesson_01": {name: {f"{name}.md": "x"} for name in names}}})
    for name in names:
        for other in names:
            if other != name:
                link(root, f"{LESSON}/{name}/to-{other}", f"../{other}")
    found = walk(root)
    assert len(files(found)) == 16 + 16 * 15
    assert {notice.rule for notice in found.warnings} == {"symlink-nested"}
    assert len(warned(found)) == 16 * 15 * 15


def test_a_course_that_is_a_link_elsewhere_is_read_when_it_is_the_path(root: Path, tmp_path: Path) -> None:
    make_tree(tmp_path, {"Elsewhere": {"Lesson_01": {"a": {"one.md": "1"}, "b": {}}}, "secret.md": "s"})
    link(root, "Course_07", tmp_path / "Elsewhere")
    link(tmp_path, "Elsewhere/Lesson_01/b/inside.md", "../a/one.md")
    link(tmp_path, "Elsewhere/Lesson_01/b/home.md", root / FILES[0])
    link(tmp_path, "Elsewhere/Lesson_01/b/out.md", "../../../secret.md")
    found = walk(root / "Course_07")
    assert (found.root, found.courses[0].slug) == (str(root), "course_07")
    lesson = "Course_07/Lesson_01"
    assert files(found) == [f"{lesson}/a/one.md", f"{lesson}/b/home.md", f"{lesson}/b/inside.md"]
    assert warned(found) == {("symlink-outside", f"{lesson}/b/out.md")}
    assert warned(walk(root)) == {("symlink-outside", "Course_07")}


def test_one_course_may_link_to_its_neighbours(root: Path) -> None:
    make_tree(root, {"Course_02": {"Lesson_01": {}}})
    link(root, "Course_02/Lesson_01/b", root / "Course_01/Lesson_02/b")
    assert files(walk(root / "Course_02")) == ["Course_02/Lesson_01/b/deep/three.md", "Course_02/Lesson_01/b/two.md"]


def test_a_link_into_a_closed_folder_is_blocked_and_not_gone(reachable: Path) -> None:
    root = make_tree(
        reachable / "c",
        {
            "Course_01": {"Lesson_01": {"a.md": "a"}},
            "closed": {"course": {"Lesson_01": {}}, "lesson": {"a.md": "a"}, "file.md": "x"},
        },
    )
    link(root, f"{LESSON}/file.md", "../../closed/file.md")
    link(root, "Course_01/syllabus.md", "../closed/file.md")
    link(root, "Course_01/Lesson_02", "../closed/lesson")
    link(root, "Course_01/Lesson_1", "../closed/lesson")
    link(root, "Course_02", "closed/course")
    (root / "closed").chmod(0)
    with ordinary_user():
        found = walk(root)
    links = (f"{LESSON}/file.md", "Course_01/syllabus.md", "Course_01/Lesson_02", "Course_01/Lesson_1", "Course_02")
    assert blocked(found) == {("unreadable", path) for path in links}
    assert {notice.message for notice in found.blocked} == {"is a link that cannot be followed: Permission denied"}
    assert warned(found) == {("unknown-folder", "closed")}
    first, second = found.courses
    assert (second.slug, second.blocked) == ("course_02", True)
    assert "syllabus.md" in first.own.blocked
    assert [(lesson.number, lesson.folder, lesson.blocked) for lesson in first.lessons] == [
        ("01", LESSON, ("file.md",)),
        ("02", "Course_01/Lesson_02", ("",)),
    ]
    assert files(found) == [f"{LESSON}/a.md"]


def test_a_link_out_of_the_curriculum_is_reported_even_where_its_target_is_closed(reachable: Path) -> None:
    root = make_tree(reachable / "c", {"Course_01": {"Lesson_01": {}}})
    make_tree(reachable / "closed", {"file.md": "x"})
    link(root, f"{LESSON}/file.md", "../../../closed/file.md")
    (reachable / "closed").chmod(0)
    with ordinary_user():
        found = walk(root)
    assert warned(found) == {("symlink-outside", f"{LESSON}/file.md")}
    assert blocked(found) == set()


def test_a_link_that_the_system_cannot_look_at_is_blocked(root: Path) -> None:
    link(root, f"{LESSON}/long.md", "x" * 300)
    found = walk(root)
    assert found.blocked == (
        ("unreadable", f"{LESSON}/long.md", "is a link that cannot be followed: File name too long"),
    )
    assert os.path.lexists(root / LESSON / "long.md")
