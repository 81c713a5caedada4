"""The files and names of a curriculum, whatever is in them."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from curri.errors import TreeError
from curri.plan.text import printable
from curri.tree import ignore, titles
from curri.tree.walk import walk

from .bounds import TEXTS, fuzz, tried

ENCODED = TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
FILES = st.binary(max_size=200) | ENCODED


def quoted(text: str) -> bytes:
    return ("title = " + json.dumps(text)).encode()


@fuzz(250)
@given(FILES | TEXTS.map(quoted) | ENCODED.map(lambda text: b"description = '''" + text))
@example(b"x = " + b"[" * 5000)
@example(b"title = 1" + b"0" * 5000)
def test_a_toml_of_titles_gives_lines_or_says_what_is_wrong(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "course.toml"
    path.write_bytes(content)
    found, error = tried(titles.UnreadableTitles, lambda: titles.from_toml(path))
    assert error is None or 0 < len(str(error)) < 10_000
    if found is not None:
        assert_line(found.title)
        assert found.description is None or found.description.encode()


@fuzz(250)
@given(FILES | ENCODED.map(lambda text: b"# " + text))
def test_a_readme_gives_a_line_or_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(content)
    assert_line(titles.from_readme(path))


def assert_line(title: str | None) -> None:
    """A title is one line of UTF-8 that is not empty, without control characters."""
    if title is not None:
        assert 0 < len(title.encode().decode()) <= titles.MAX_TITLE
        assert len(title.split("\n")) == 1
        assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in title)


PATTERNS = st.text(alphabet="ab*?[]!/\\-^().# ", max_size=12)
PATHS = st.text(alphabet="ab/.-^()* ", min_size=1, max_size=10)


@fuzz(300)
@given(FILES | PATTERNS.map(str.encode), TEXTS)
def test_an_ignore_file_gives_rules_or_names_the_line(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / ".curriignore").write_bytes(content)
    ignored, error = tried(TreeError, lambda: ignore.read_rules(tmp_path))
    assert error is None or error.hint
    assert ignored is None or ignored(name) in (True, False)


@fuzz(600)
@given(PATTERNS, PATHS)
@example("*a*b", "axb/")
@example("a*/*b*c", "ax/xbxc")
@example("*[!/]*b", "aab")
@example("*(a*b", "x(axb")
@example("a*/**/b*c", "ax/bc/b")
@example("[[]", "[")
def test_patterns_mean_what_git_means_by_them(tmp_path: Path, pattern: str, path: str) -> None:
    """What is done to make them quick changes nothing else."""
    (tmp_path / ".curriignore").write_text(pattern)
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            plain = GitIgnoreSpec.from_lines([pattern])
        ours = ignore.read_rules(tmp_path)
    except (GitIgnorePatternError, TreeError):
        assume(False)
    assert ours is not None
    assert ours(path) == plain.match_file(path)


@pytest.mark.parametrize(
    "pattern", ["*a*a*a*a*a*a*b", "*(a*(a*(a*(a*(a*b", "*?" * 20 + "b", "*[a-c]" * 8 + "x", "/*a*a*a*a*a*b"]
)
def test_no_pattern_takes_for_ever(tmp_path: Path, pattern: str) -> None:
    """It was hours: all ways to cut a name into pieces were tried."""
    (tmp_path / ".curriignore").write_text(pattern)
    ignored = ignore.read_rules(tmp_path)
    assert ignored is not None
    began = time.process_time()
    assert not ignored("a" * 255)
    assert not ignored("x/y/" + "(a" * 100)
    assert time.process_time() - began < 5


def test_python_has_nothing_to_say_about_a_pattern(tmp_path: Path) -> None:
    """It warned of a "possible nested set", with a line of its own library."""
    (tmp_path / ".curriignore").write_text("[[x]\n")
    re.purge()  # what was compiled before is not warned of again
    assert ignore.read_rules(tmp_path) is not None


def test_a_pattern_with_too_many_depths_is_refused_and_a_comment_is_not(tmp_path: Path) -> None:
    (tmp_path / ".curriignore").write_text("# **/**/**/**/**/**/** is no pattern\na/**/b/**\n")
    assert ignore.read_rules(tmp_path) is not None
    (tmp_path / ".curriignore").write_text("**/a/**/b/**/c/**/d\n")
    with pytest.raises(TreeError, match="line 1 of the ignore file"):
        ignore.read_rules(tmp_path)


# What a Linux file system takes for a name, bytes that are no UTF-8 among it.
NAMES = st.one_of(
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(min_size=1, max_size=12),
    st.sampled_from(
        [b"Course_01", b"course_1-x", b"Lesson_01", b"LESSON_1", b"lab", b"video.mp4", b"VIDEO.MP4", b"v.en.vtt"]
    ),
    TEXTS.map(lambda text: b"Lesson_02-" + text.encode("utf-8", "replace") + b".mp4"),
).map(lambda name: name.replace(b"/", b"").replace(b"\0", b"")[:255])
usable = NAMES.filter(lambda name: name not in (b"", b".", b".."))


@fuzz(120)
@given(st.lists(st.lists(usable, min_size=1, max_size=4), min_size=1, max_size=8))
def test_any_names_make_a_tree_or_an_error_that_says_where(tmp_path: Path, paths: list[list[bytes]]) -> None:
    root = os.fsencode(tmp_path / "curriculum")
    shutil.rmtree(root, ignore_errors=True)
    for names in [[b"Course_01", b"Lesson_01", b"learning", b"video.mp4"], *paths]:
        target = os.path.join(root, *names)
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if not os.path.isdir(target):
                Path(os.fsdecode(target)).write_bytes(b"x")
        except (FileExistsError, NotADirectoryError):
            continue  # a file of that name is there already
    try:
        found = walk(tmp_path / "curriculum")
    except TreeError as error:
        assert_shown(error.message)
        assert_shown(error.where or "")
        return
    for notice in (*found.warnings, *found.blocked):
        assert_shown(notice.path)
        assert_shown(notice.message)
    for lesson in [each for course in found.courses for each in (course.own, *course.lessons)]:
        keys = [component.group_key for component in lesson.components]
        assert len(keys) == len(set(keys))
        assert all(
            asset.path.encode() and not asset.path.startswith("/") for c in lesson.components for asset in c.assets
        )


def assert_shown(text: str) -> None:
    assert printable(text) == text
