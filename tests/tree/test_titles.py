"""Titles: of the toml file, else of the README's heading, else of the number; and what makes them unreadable."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curri.model import FoundCourse, FoundLesson, FoundTree
from curri.tree import titles
from curri.tree.digest import NotReadable, Reader
from curri.tree.titles import UnreadableTitles
from curri.tree.walk import walk
from support.ordinary import ordinary_user
from support.trees import Tree, make_tree
from support.walks import blocked, files, unread

Make = Callable[..., Path]


def course_and_lesson(found: FoundTree) -> tuple[FoundCourse, FoundLesson]:
    (course,) = found.courses
    (lesson,) = course.lessons
    return course, lesson


def titled(make: Make, tree: Tree) -> tuple[str | None, str | None]:
    """Return title and description of a lesson with such files."""
    found = walk(make({"Course_01": {"Lesson_01": tree}}))
    _, lesson = course_and_lesson(found)
    return lesson.title, lesson.description


def test_without_a_word_the_number_is_the_title(curriculum: Make) -> None:
    course, lesson = course_and_lesson(walk(curriculum({"Course_7_words": {"lesson_12": {}}})))
    assert (course.title, course.description) == ("Course 07", None)
    assert (lesson.title, lesson.description) == ("Lesson 12", None)


def test_toml_goes_before_readme_and_readme_before_the_number(curriculum: Make) -> None:
    both: Tree = {"README.md": "# From the README\n"}
    root = curriculum(
        {"Course_01": {**both, "course.toml": 'title = "Toml"\ndescription = """\nTwo\nlines"""', "Lesson_01": both}}
    )
    course, lesson = course_and_lesson(walk(root))
    assert (course.title, course.description) == ("Toml", "Two\nlines")
    assert (lesson.title, lesson.description) == ("From the README", None)


def test_a_description_alone_leaves_the_title_to_the_readme(curriculum: Make) -> None:
    tree = {"lesson.toml": 'description = "Why"', "README.md": "# What\n"}
    assert titled(curriculum, tree) == ("What", "Why")
    assert titled(curriculum, {"lesson.toml": 'title = " "\ndescription = " "'}) == ("What", None)


def test_the_toml_files_are_read_and_not_recorded(curriculum: Make) -> None:
    root = curriculum(
        {
            "curri.toml": "",
            ".curriignore": "",
            "Course_01": {
                "course.toml": "",
                "Lesson_01": {"lesson.toml": "", "README.md": "x", "a": {"lesson.toml": ""}},
            },
        }
    )
    found = walk(root)
    assert files(found) == ["Course_01/Lesson_01/README.md", "Course_01/Lesson_01/a/lesson.toml"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Plain\n", "Plain"),
        ("text\n\n#   Spaces \t around   it   ##  \n", "Spaces around it"),
        ("#\tAfter a tab", "After a tab"),
        ("   # Three spaces", "Three spaces"),
        ("    # Four spaces are code\n# Title", "Title"),
        ("## Two\n### Three\n# One\n# Later\n", "One"),
        ("#hashtag\n# Title", "Title"),
        ("#\n# \n# #\n# ##\n# Title", "Title"),
        ("# C#", "C#"),
        ("# C# #", "C#"),
        ("```\n# comment\n```\n# Title", "Title"),
        ("~~~ python\n# comment\n```\n# comment\n~~~\n# Title", "Title"),
        ("````md\n```\n# comment\n```\n# comment\n````\n# Title", "Title"),
        ("```\n```python\n# comment\n```\n# Title", "Title"),
        ("```\n    ```\n# comment\n```\n# Title", "Title"),
        ("```one line of code``` and text\n# Title", "Title"),
        ("   ```\n# comment\n  ```\n# Title", "Title"),
        ("# Title\r\ntext\r\n", "Title"),
        ("\ufeff# Title", "Title"),
        ("# Zoe\u0308", "Zo\u00eb"),
        ("# 日本語 👩\u200d🏫", "日本語 👩\u200d🏫"),
        ("# A\x1b[31mred\x07\x00 title", "A [31mred title"),
        ("# \x07\n# Title", "Title"),
        ("# " + "x" * 700, "x" * 500),
        ("```\n# never closed", None),
        ("no heading at all", None),
        ("", None),
    ],
)
def test_the_title_of_a_readme_is_its_first_heading_outside_of_code(
    text: str, title: str | None, tmp_path: Path
) -> None:
    path = make_tree(tmp_path, {"README.md": text.encode()}) / "README.md"
    assert titles.from_readme(path) == title


def test_a_readme_that_is_not_utf8_has_the_title_that_can_be_read(tmp_path: Path) -> None:
    path = make_tree(tmp_path, {"README.md": b"# caf\xe9 au lait\n"}) / "README.md"
    assert titles.from_readme(path) == "caf\ufffd au lait"


def test_the_readme_may_be_written_in_any_case(curriculum: Make) -> None:
    assert titled(curriculum, {"ReadMe.MD": "# Title\n"}) == ("Title", None)


def test_a_huge_readme_is_read_to_its_first_mebibyte_and_quickly(tmp_path: Path) -> None:
    filler = "text\n" * 250_000
    path = make_tree(tmp_path, {"README.md": filler + "# Too late\n"}) / "README.md"
    assert titles.from_readme(path) is None
    make_tree(tmp_path, {"README.md": "# a" + " " * 40_000 + "b" + "\t #" * 40_000})
    began = time.process_time()
    assert titles.from_readme(path) == ("a b" + " #" * 300)[: titles.MAX_TITLE].strip()
    assert time.process_time() - began < 5, "the time grows faster than the line"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"title = ", "is not valid TOML: Invalid value (at end of document)"),
        (b"title = 'a'\ntitle = 'b'", "is not valid TOML: Cannot overwrite a value"),
        (b"title = 7", "has a title that is not a text; write it in quotes"),
        (b"description = ['a']", "has a description that is not a text; write it in quotes"),
        (b"titel = 'a'", "has an unknown key 'titel'; known are title and description"),
        (b'"a\\u001b\\n" = 1', "has an unknown key 'a\\\\x1b\\\\n'; known are title and description"),
        (b"title = 'caf\xe9'", "is not UTF-8"),
        (b"title = " + b"[" * 5000, "is not valid TOML"),
        (b"title = " + b"9" * 5000, "is not valid TOML"),
        (b"title = '" + b"x" * (1 << 20) + b"'", "is larger than 1 MiB"),
    ],
)
def test_a_toml_that_cannot_be_understood_blocks_and_leaves_the_recorded_title(
    text: bytes, reason: str, curriculum: Make
) -> None:
    root = curriculum(
        {"Course_01": {"course.toml": text, "README.md": "# Title", "Lesson_01": {"lesson.toml": text, "a.md": "a"}}}
    )
    found = walk(root)
    course, lesson = course_and_lesson(found)
    assert (course.title, course.description, lesson.title, lesson.description) == (None, None, None, None)
    assert blocked(found) == {("bad-toml", "Course_01/course.toml"), ("bad-toml", "Course_01/Lesson_01/lesson.toml")}
    for notice in found.blocked:
        assert notice.message.startswith(reason)
        assert notice.message.endswith("; the recorded title stays")
        assert notice.message.isprintable()
    assert files(found) == ["Course_01/Lesson_01/a.md", "Course_01/README.md"], "all else is recorded"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"\xef\xbb\xbftitle = 'BOM'", ("BOM", None)),
        (b"title = 'CR'\r\ndescription = '''\r\na\r\nb'''\r\n", ("CR", "a\nb")),
        (b'title = "a\\u0000\\u001b[1m\\n b"\ndescription = "a\\u0000\\tb\\u001b\\nc"', ("a [1m b", "a\tb\nc")),
        ("title = 'Zoe\u0308'\ndescription = 'Zoe\u0308'".encode(), ("Zo\u00eb", "Zo\u00eb")),
        (b"", (None, None)),
    ],
)
def test_a_toml_gives_clean_text(text: bytes, expected: tuple[str | None, str | None], tmp_path: Path) -> None:
    assert titles.from_toml(make_tree(tmp_path, {"course.toml": text}) / "course.toml") == expected


def test_titles_that_may_not_be_read_are_left_as_recorded(reachable: Path) -> None:
    root = make_tree(
        reachable / "c",
        {
            "Course_01": {
                "README.md": "# Course",
                "Lesson_01": {"README.md": "# Lesson", "lesson.toml": "title = 'x'"},
            },
            "Course_02": {"README.md": "# Hidden", "course.toml": "description = 'seen'"},
        },
    )
    (root / "Course_01/Lesson_01/lesson.toml").chmod(0)
    (root / "Course_02/README.md").chmod(0)
    with ordinary_user():
        found = walk(root)
        results = {file.folder: result for file, result in Reader(str(root)).read(unread(root))}
    first, second = found.courses
    assert first.title == "Course"
    assert first.lessons[0].title is None
    assert (second.title, second.description) == (None, None)
    assert blocked(found) == {("bad-toml", "Course_01/Lesson_01/lesson.toml")}
    assert found.blocked[0].message == "cannot be read: Permission denied; the recorded title stays"
    unreadable = results["Course_02"]  # the README is blocked as the file that it is
    assert isinstance(unreadable, NotReadable)
    assert unreadable.rule == "unreadable"


def test_what_has_become_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "course.toml")
    with pytest.raises(UnreadableTitles, match="cannot be read: it is not a regular file"):
        titles.from_toml(tmp_path / "course.toml")
    with pytest.raises(OSError, match="it is not a regular file"):
        titles.from_readme(tmp_path / "course.toml")


def test_a_folder_called_like_a_title_file_is_a_folder(curriculum: Make) -> None:
    found = walk(curriculum({"Course_01": {"Lesson_01": {"lesson.toml": {"a.txt": "a"}, "README.md": {"b.txt": "b"}}}}))
    assert course_and_lesson(found)[1].title == "Lesson 01"
    assert files(found) == ["Course_01/Lesson_01/README.md/b.txt", "Course_01/Lesson_01/lesson.toml/a.txt"]
