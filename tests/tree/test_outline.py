"""What a curriculum holds by the names of its folders alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from curri.tree.outline import Folders, Outline, outline, root_of


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
    return root


def test_a_curriculum_is_outlined_by_its_course_folders(tmp_path: Path) -> None:
    root = folders(tmp_path / "c", "Course_01/Lesson_01", "course_2-intro", "notes")
    assert outline(root) == Outline(str(root), frozenset({"course_01", "course_02"}))


def test_a_course_is_outlined_without_the_root_around_it(tmp_path: Path) -> None:
    root = folders(tmp_path / "c", "Course_01/Lesson_01", "Course_02")
    assert outline(root / "Course_01") == Outline(None, frozenset({"course_01"}))
    assert root_of(root / "Course_01") == root


def test_what_cannot_be_read_holds_nothing(tmp_path: Path) -> None:
    assert outline(tmp_path / "nowhere") == Outline(None, frozenset())


def test_a_working_folder_that_is_gone_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert outline(Path("tree")) == Outline(None, frozenset())


def test_folders_are_found_by_slug_and_number(tmp_path: Path) -> None:
    root = folders(tmp_path, "Course_01-Intro/lesson_7_Agents", "Course_02")
    look = Folders(root)
    assert look.find("course_01", None) == root / "Course_01-Intro"
    assert look.find("course_01", "07") == root / "Course_01-Intro" / "lesson_7_Agents"
    assert look.find("course_01", "08") is None
    assert look.find("course_03", None) is None
    assert look.find("course_03", "01") is None


def test_two_folders_of_one_number_are_none(tmp_path: Path) -> None:
    look = Folders(folders(tmp_path, "Course_01", "course_1-again", "Course_02"))
    assert look.find("course_01", None) is None
    assert look.find("course_02", None) == tmp_path / "Course_02"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "Course_01").write_text("a file")
    assert Folders(tmp_path).find("course_01", None) is None
