"""Names that break programs: whatever a disk can hold is recorded, or reported in words that can be printed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curri.errors import TreeError
from curri.model import FoundTree
from curri.tree.digest import Reader
from curri.tree.walk import LONGEST_PATH, walk
from support.trees import make_tree
from support.walks import blocked, files, unread, warned

Make = Callable[..., Path]

NFC, NFD = "\u00e9t\u00e9", "e\u0301te\u0301"

ODD_NAMES = [
    " leading and trailing ",
    'it\'s "quoted" `twice`',
    "new\nline",
    "carriage\rreturn",
    "tab\tand\x1b[31mred",
    "\x7f",
    "-rf",
    "*?[a]!{b}$(c);|&<>",
    "back\\slash",
    "%s%n {0}",
    "a...",
    "日本語.mp4",
    "عربى.mp4",
    "हिन्दी",
    "👩\u200d🏫 class.mov",
    "\u202egpj.exe",
    "a\u2028b",
    "\uffff\U0010ffff",
    "\u017ftraße",
]


def unprintable(found: FoundTree) -> list[str]:
    """Return the texts of all notices that a terminal or a UTF-8 stream could not take."""
    texts = [text for notice in (*found.warnings, *found.blocked) for text in notice]
    return [text for text in texts if not shows(text)]


def shows(text: str) -> bool:
    """Whether a terminal can take it; the joiner that emoji are made with is shown as it is."""
    return text.replace("\u200d", "").isprintable()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_recorded_as_it_is(name: str, curriculum: Make) -> None:
    root = curriculum({"Course_01": {name: "c", f"Lesson_01_{name}": {name: "f", "learning": {name: {name: "f"}}}}})
    found = walk(root)
    lesson = f"Course_01/Lesson_01_{name}"
    assert files(found) == sorted([f"Course_01/{name}", f"{lesson}/{name}", f"{lesson}/learning/{name}/{name}"])
    assert found.blocked == ()
    assert {rule for rule, _ in warned(found)} <= {"video-in-course-folder"}
    assert unprintable(found) == []
    assert sum(1 for _ in Reader(str(root)).read(unread(root))) == 3


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_can_be_reported(name: str, curriculum: Make) -> None:
    root = curriculum({name: {}, f"{name}.txt": "stray", "Course_01": {name: {}, "Lesson_01": {name: ""}}})
    found = walk(root)
    rules = [rule for rule, _ in warned(found)]
    assert sorted(rules) == ["empty-file", "stray-file", "unknown-folder", "unknown-folder"]
    assert unprintable(found) == []
    make_tree(root, {f"Course_1_{name}": {}})
    with pytest.raises(TreeError) as caught:
        walk(root)
    assert shows(caught.value.message)


def test_names_of_255_bytes_are_recorded(curriculum: Make) -> None:
    plain, wide = "x" * 251 + ".mp4", "é" * 125 + ".txt"
    course, lesson = "Course_01_".ljust(255, "c"), "Lesson_01_".ljust(255, "l")
    root = curriculum({course: {lesson: {plain: "p", wide: "w", "k" * 255: {"d" * 255: {"a.md": "a"}}}}})
    found = walk(root)
    assert files(found) == sorted(
        f"{course}/{lesson}/{path}" for path in (plain, wide, f"{'k' * 255}/{'d' * 255}/a.md")
    )
    assert blocked(found) == warned(found) == set()


def test_names_that_are_not_utf8_are_blocked_with_a_readable_name(curriculum: Make) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {"a": {"good.md": "g"}}}})
    base = os.fsencode(root)
    for path in (b"/caf\xe9.txt", b"/Course_01/\xff.pdf", b"/Course_01/Lesson_01/a/v\xefdeo \xe9\n.mp4"):
        Path(os.fsdecode(base + path)).write_bytes(b"x")
    folder = Path(os.fsdecode(base + b"/Course_01/Lesson_01/d\xe9j\xe0"))
    make_tree(folder, {"inside.md": "never seen"})
    Path(os.fsdecode(base + b"/Course_01/Lesson_01/li\xe9n")).symlink_to("a")
    found = walk(root)
    assert blocked(found) == {
        ("not-utf8", "caf\\xe9.txt"),
        ("not-utf8", "Course_01/\\xff.pdf"),
        ("not-utf8", "Course_01/Lesson_01/a/v\\xefdeo \\xe9\\n.mp4"),
        ("not-utf8", "Course_01/Lesson_01/d\\xe9j\\xe0"),
        ("not-utf8", "Course_01/Lesson_01/li\\xe9n"),
    }
    assert unprintable(found) == []
    assert files(found) == ["Course_01/Lesson_01/a/good.md"]
    assert warned(found) == set()


def test_a_course_or_lesson_whose_name_is_not_utf8_is_blocked_and_not_gone(curriculum: Make) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {"a.md": "a"}}})
    base = os.fsencode(root)
    make_tree(Path(os.fsdecode(base + b"/Course_02_\xe9")), {"Lesson_01": {"a.md": "a"}})
    make_tree(Path(os.fsdecode(base + b"/Course_01/Lesson_02_\xe9")), {"a.md": "a"})
    make_tree(Path(os.fsdecode(base + b"/Course_01/Lesson_1_\xe9")), {"a.md": "another of the number"})
    found = walk(root)
    first, second = found.courses
    assert (second.slug, second.folder, second.title, second.blocked) == ("course_02", "Course_02_\\xe9", None, True)
    assert (second.lessons, second.own.components) == ((), ())
    assert [(lesson.number, lesson.folder, lesson.blocked) for lesson in first.lessons] == [
        ("01", "Course_01/Lesson_01", ()),
        ("02", "Course_01/Lesson_02_\\xe9", ("",)),
    ]
    assert first.lessons[1].title is None
    assert {rule for rule, _ in blocked(found)} == {"not-utf8"}
    assert len(found.blocked) == 3


def test_a_path_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    for name in ("", "/Course_01"):
        make_tree(Path(odd + name), {"Course_01": {"Lesson_01": {}}})
        with pytest.raises(TreeError) as caught:
            walk(Path(odd + name))
        assert caught.value.message == "the path of the curriculum is not UTF-8"
        assert caught.value.where == f"{tmp_path}/caf\\xe9{name}"


def test_nfc_and_nfd_twins_are_both_recorded_and_reported(curriculum: Make) -> None:
    root = curriculum(
        {"Course_01": {"Lesson_01": {NFC: {"a.md": "1"}, NFD: {"a.md": "2"}, f"{NFC}.mp4": "3", f"{NFD}.mp4": "4"}}}
    )
    found = walk(root)
    lesson = "Course_01/Lesson_01"
    assert files(found) == sorted(f"{lesson}/{name}{end}" for name in (NFC, NFD) for end in ("/a.md", ".mp4"))
    assert warned(found) == {
        ("not-nfc", f"{lesson}/{NFD}"),
        ("not-nfc", f"{lesson}/{NFD}.mp4"),
        ("case-collision", f"{lesson}/{NFC}"),
        ("case-collision", f"{lesson}/{NFC}.mp4"),
    }
    message = next(notice.message for notice in found.warnings if notice.path == f"{lesson}/{NFC}")
    assert message.startswith(f'differs from "{NFD}" only in case or Unicode form')


@pytest.mark.parametrize(
    ("first", "second"),
    [("Notes.md", "notes.MD"), ("STRASSE", "straße"), (NFC.upper(), NFD), ("a\nB", "A\nb"), ("İ.txt", "i\u0307.txt")],
)
def test_names_that_are_one_on_many_systems_are_reported(first: str, second: str, curriculum: Make) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {first: "1", second: {"a.md": "2"}, "other": "3"}}})
    found = walk(root)
    collisions = [notice for notice in found.warnings if notice.rule == "case-collision"]
    assert len(collisions) == 1
    assert len(files(found)) == 3
    assert unprintable(found) == []


def test_names_that_only_look_alike_are_not_reported(curriculum: Make) -> None:
    lesson = {"video.mp4": "1", "vide\u043e.mp4": "2", "video .mp4": "3", "a": {"same.md": "1"}, "b": {"same.md": "1"}}
    assert warned(walk(curriculum({"Course_01": {"Lesson_01": lesson}}))) == set()


NAME, SOME, LEVELS = "ddd", 950, 1050


@pytest.fixture
def deep(curriculum: Make) -> Iterator[Path]:
    """Yield a curriculum with folders in folders until their path is longer than the system takes at once."""
    root = curriculum({"Course_01": {"Lesson_01": {"a.md": "top"}}})
    handle = os.open(root / "Course_01/Lesson_01", os.O_RDONLY)
    for level in range(1, LEVELS + 1):
        os.mkdir(NAME, dir_fd=handle)
        below = os.open(NAME, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
        if level in (SOME, LEVELS):
            os.close(os.open("b.md", os.O_WRONLY | os.O_CREAT, dir_fd=handle))
    os.close(handle)
    yield root
    subprocess.run(["rm", "-r", root], check=True)  # shutil.rmtree would meet Python's limit of recursion


def test_folders_deeper_than_the_system_takes_are_blocked_and_the_rest_is_recorded(deep: Path) -> None:
    found = walk(deep)
    assert files(found) == ["Course_01/Lesson_01/a.md"]
    (lesson,) = found.courses[0].lessons
    long, relative = lesson.blocked
    assert long == f"{NAME}/" * SOME + "b.md"
    assert set(relative.split("/")) == {NAME}
    assert len(f"{deep}/Course_01/Lesson_01/{relative}") > 4090
    assert [notice.rule for notice in found.blocked] == ["path-too-long", "unreadable"]
    reason = "cannot be read: File name too long"
    assert found.blocked[1] == ("unreadable", f"Course_01/Lesson_01/{relative}", reason)


def test_a_file_whose_path_is_too_long_is_blocked_alone(curriculum: Make) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {}}})
    parts = ["Course_01", "Lesson_01"]
    handle = os.open(root / "Course_01/Lesson_01", os.O_RDONLY)
    while len(f"{root}/{'/'.join(parts)}") < 3800:
        parts.append("d" * min(200, 3800 - len(f"{root}/{'/'.join(parts)}")))
        os.mkdir(parts[-1], dir_fd=handle)
        below = os.open(parts[-1], os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    for name in ("ok.md", "x" * 250, "y" * 250 + "/"):
        if name.endswith("/"):
            os.mkdir(name, dir_fd=handle)
            handle, above = os.open(name, os.O_RDONLY, dir_fd=handle), handle
            os.close(above)
        os.close(os.open("z" * 100 if name.endswith("/") else name, os.O_WRONLY | os.O_CREAT, dir_fd=handle))
    os.close(handle)
    found = walk(root)
    folder = "/".join(parts)
    unseen = f"{folder}/{'y' * 250}/{'z' * 100}"
    long = [f"{folder}/ok.md", f"{folder}/{'x' * 250}"]  # the system takes them, the catalog cannot
    assert files(found) == []
    assert {(notice.rule, notice.path) for notice in found.blocked} == {
        ("unreadable", unseen),
        *(("path-too-long", path) for path in long),
    }
    held = {path.removeprefix("Course_01/Lesson_01/") for path in (unseen, *long)}
    assert set(found.courses[0].lessons[0].blocked) == held


def test_a_path_is_too_long_for_the_catalog_by_its_bytes_and_to_the_byte(curriculum: Make) -> None:
    folder = "/".join(["é" * 125] * 7)  # 1,756 bytes
    longest = LONGEST_PATH - len(f"{folder}/".encode())
    names = ["x" * longest, "é" * (longest // 2), "x" * (longest + 1), "é" * (longest // 2 + 1)]
    root = make_tree(
        curriculum({"Course_01": {"Lesson_01": {}}}) / "Course_01/Lesson_01" / folder, dict.fromkeys(names, "x")
    )
    found = walk(root.parents[8])
    assert files(found) == sorted(f"Course_01/Lesson_01/{folder}/{name}" for name in names[:2])
    assert blocked(found) == {("path-too-long", f"Course_01/Lesson_01/{folder}/{name}") for name in names[2:]}
    assert set(found.courses[0].lessons[0].blocked) == {f"{folder}/{name}" for name in names[2:]}
