"""What is never looked at: what every curriculum ignores, and what `.curriignore` names."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from curri.errors import ExitCode, TreeError
from curri.tree.walk import walk
from support.ordinary import ordinary_user
from support.trees import Tree, make_tree
from support.walks import blocked, files, warned

Make = Callable[..., Path]

LESSON: Tree = {
    "Course_01": {
        "Lesson_01": {
            "a": {"one.md": "1", "two.pdf": "2", "deep": {"one.md": "1"}},
            "drafts": {"one.md": "1", "keep.md": "2"},
            "#b!.md": "b",
            "trailing ": "t",
        }
    }
}
EVERYTHING = ["#b!.md", "a/deep/one.md", "a/one.md", "a/two.pdf", "drafts/keep.md", "drafts/one.md", "trailing "]


def left(root: Path) -> list[str]:
    """Return the files of the lesson that are not ignored."""
    found = walk(root)
    assert blocked(found) == set()
    assert warned(found) <= {("empty-file", ".curriignore")}
    return [path.removeprefix("Course_01/Lesson_01/") for path in files(found)]


@pytest.mark.parametrize(
    ("rules", "ignored"),
    [
        ("", []),
        ("\n\n  \n# one.md\n", []),
        ("one.md", ["a/one.md", "a/deep/one.md", "drafts/one.md"]),
        ("ONE.md", []),
        ("*.md", ["#b!.md", "a/one.md", "a/deep/one.md", "drafts/keep.md", "drafts/one.md"]),
        ("drafts/", ["drafts/keep.md", "drafts/one.md"]),
        ("one.md/", []),
        ("deep", ["a/deep/one.md"]),
        ("/drafts/", []),
        ("/Course_01/Lesson_01/drafts", ["drafts/keep.md", "drafts/one.md"]),
        ("Course_01/*/a/*.md", ["a/one.md"]),
        ("Course_01/**/*.md", ["#b!.md", "a/one.md", "a/deep/one.md", "drafts/keep.md", "drafts/one.md"]),
        ("*.md\n!one.md", ["#b!.md", "drafts/keep.md"]),
        ("!one.md\n*.md", ["#b!.md", "a/one.md", "a/deep/one.md", "drafts/keep.md", "drafts/one.md"]),
        ("drafts/*\n!drafts/keep.md", []),  # a pattern with a slash inside begins at the root
        ("**/drafts/*\n!**/drafts/keep.md", ["drafts/one.md"]),
        ("drafts/\n!keep.md", ["drafts/keep.md", "drafts/one.md"]),  # below an ignored folder nothing comes back
        ("\\#b\\!.md", ["#b!.md"]),
        ("trailing\\ ", ["trailing "]),
        ("trailing\\ \r\n", ["trailing "]),
        ("trailing ", []),
        ("t[p-w]o.pdf\r\n[!a]rafts\r\n", ["a/two.pdf", "drafts/keep.md", "drafts/one.md"]),
        ("\ufeffdrafts", ["drafts/keep.md", "drafts/one.md"]),
        ("drafts\x0bx\na\u2028one.md", []),  # only a line break ends a pattern
    ],
)
def test_the_ignore_file_is_read_as_gitignore(rules: str, ignored: list[str], curriculum: Make) -> None:
    root = curriculum({".curriignore": rules.encode(), **LESSON})
    assert left(root) == [path for path in EVERYTHING if path not in ignored]


def test_without_an_ignore_file_everything_is_seen(curriculum: Make) -> None:
    assert left(curriculum(LESSON)) == EVERYTHING


def test_names_of_systems_and_half_done_downloads_are_always_ignored(curriculum: Make) -> None:
    junk = [".DS_Store", "._video.mp4", "Thumbs.db", "~$deck.pptx", "video.mp4.part", "a.tmp", "b.crdownload"]
    kept = ["DS_Store", "thumbs.txt", "$~deck.pptx", "part", "tmp", "a.tmp.pdf", ".env", ".gitignore"]
    lesson = dict.fromkeys([*junk, *kept], "x") | {".git": {"config": "x"}, ".cache": {"deep": {"a.md": "x"}}}
    root = curriculum(
        {
            **dict.fromkeys(junk, "x"),
            ".git": {},
            "Course_01": {**dict.fromkeys(junk, "x"), ".idea": {}, "Lesson_01": {**lesson, "a": lesson}},
        }
    )
    assert left(root) == sorted([*kept, *(f"a/{name}" for name in kept)])


def test_what_is_always_ignored_cannot_be_brought_back(curriculum: Make) -> None:
    root = curriculum(
        {".curriignore": "!.DS_Store\n!.git/\n", "Course_01": {"Lesson_01": {".DS_Store": "", ".git": {"a": ""}}}}
    )
    assert left(root) == []


def test_courses_lessons_and_files_at_every_level_can_be_ignored(curriculum: Make) -> None:
    root = curriculum(
        {
            ".curriignore": "Course_02\nLesson_09/\n*.bak\n/old\n",
            "old": {},
            "stray.bak": "",
            "Course_01": {"notes.bak": "", "Lesson_01": {"a.md": "a"}, "Lesson_09": {"b.md": "b"}},
            "Course_02": {"Lesson_01": {"c.md": "c"}},
        }
    )
    assert left(root) == ["a.md"]
    assert [course.slug for course in walk(root).courses] == ["course_01"]


def test_patterns_and_names_are_compared_in_one_unicode_form(curriculum: Make) -> None:
    composed, decomposed = (unicodedata.normalize(form, "\u00e9t\u00e9") for form in ("NFC", "NFD"))
    for pattern, name in ((composed, decomposed), (decomposed, composed)):
        root = curriculum(
            {".curriignore": f"{pattern}/\n{pattern}.md\n", "Course_01": {"Lesson_01": {name: {"a": "a"}}}}
        )
        make_tree(root, {"Course_01": {"Lesson_01": {f"{name}.md": "b"}}})
        assert left(root) == []


def test_one_course_is_read_with_the_ignore_file_of_its_curriculum(curriculum: Make) -> None:
    root = curriculum({".curriignore": "Course_01/Lesson_01/drafts/\n", **LESSON})
    make_tree(root, {"Course_01": {".curriignore": "*"}})  # an ignore file elsewhere is a file like any other
    assert files(walk(root / "Course_01")) == files(walk(root))
    assert "Course_01/Lesson_01/a/one.md" in files(walk(root))
    assert "Course_01/Lesson_01/drafts/one.md" not in files(walk(root))


def refused(root: Path) -> TreeError:
    with pytest.raises(TreeError) as caught:
        walk(root)
    assert caught.value.exit_code is ExitCode.TREE
    assert caught.value.where == str(root / ".curriignore")
    return caught.value


@pytest.mark.parametrize("pattern", ["!", "a\\", "[z-a]"])
def test_a_bad_pattern_is_named_with_its_line(pattern: str, curriculum: Make) -> None:
    error = refused(curriculum({".curriignore": f"# drafts\n*.bak\n{pattern}\nlast", **LESSON}))
    assert error.message == f"line 3 of the ignore file is not a gitignore pattern: {pattern!r}"


def test_an_ignore_file_that_is_not_text_ends_the_import(curriculum: Make) -> None:
    error = refused(curriculum({".curriignore": b"caf\xe9\n", **LESSON}))
    assert error.message == "the ignore file cannot be read"
    assert "utf-8" in (error.hint or "")


def test_an_ignore_file_that_is_a_folder_or_a_pipe_ends_the_import_at_once(curriculum: Make) -> None:
    root = curriculum({".curriignore": {}, **LESSON})
    assert "Is a directory" in (refused(root).hint or "")
    (root / ".curriignore").rmdir()
    os.mkfifo(root / ".curriignore")
    assert "it is not a regular file" in (refused(root).hint or "")


def test_an_ignore_file_that_may_not_be_read_ends_the_import(reachable: Path) -> None:
    root = make_tree(reachable / "c", {".curriignore": "drafts/", **LESSON})
    (root / ".curriignore").chmod(0)
    with ordinary_user():
        error = refused(root)
    assert "Permission denied" in (error.hint or "")


def test_an_ignore_file_may_be_a_link_within_the_curriculum_but_not_out_of_it(curriculum: Make, tmp_path: Path) -> None:
    root = curriculum({".curri": {"rules": "drafts/\n"}, **LESSON})
    link = root / ".curriignore"
    link.symlink_to(".curri/rules")
    assert left(root) == [path for path in EVERYTHING if not path.startswith("drafts/")]
    link.unlink()
    link.symlink_to("gone")
    assert refused(root).message == "the ignore file cannot be read"
    make_tree(tmp_path, {"rules": "drafts/\n", "curriculum2": {}})
    for outside in ("../rules", "../curriculum2", "../gone"):
        link.unlink()
        link.symlink_to(outside)
        assert refused(root).message == "the ignore file is a link that leaves the curriculum"


def test_the_place_of_a_bad_ignore_file_can_be_printed(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "a\nb", {".curriignore": "!", **LESSON})
    with pytest.raises(TreeError) as caught:
        walk(root)
    assert caught.value.where == f"{tmp_path}/a\\nb/.curriignore"


def test_an_ignored_link_is_not_even_reported(curriculum: Make) -> None:
    root = curriculum({".curriignore": "node_modules/\ngone.md\nround/\nthing/\n", **LESSON})
    lesson = root / "Course_01/Lesson_01"
    (lesson / "node_modules").symlink_to("/")
    (lesson / "gone.md").symlink_to("nowhere")
    (lesson / "round").symlink_to("round")
    (lesson / ".hidden").symlink_to("a")
    (lesson / "~$deck.pptx").symlink_to("nowhere")
    (lesson / "video.mp4.part").symlink_to("/")
    assert left(root) == EVERYTHING
    # A pattern for folders does not fit a link to a file.
    (lesson / "thing").symlink_to("a/one.md")
    (lesson / ".env").symlink_to("a/one.md")
    assert left(root) == sorted([*EVERYTHING, ".env", "thing"])
