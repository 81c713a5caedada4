"""One walk over a curriculum: what PATH may be, what is recorded, and what is reported because it is not."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from curri.errors import ExitCode, TreeError
from curri.model import ComponentType
from curri.tree.walk import walk
from support.trees import OLD_NS, SMALL, Tree, make_tree
from support.walks import blocked, files, warned

Make = Callable[..., Path]

SMALL_FILES = [
    "Course_01/Lesson_01/README.md",
    "Course_01/Lesson_01/learning/video.en.vtt",
    "Course_01/Lesson_01/learning/video.mp4",
    "Course_01/Lesson_01/slides/deck.pdf",
    "Course_01/Lesson_01/slides/notes.md",
    "Course_01/Lesson_02/lab/data/table.csv",
    "Course_01/Lesson_02/lab/start.ipynb",
    "Course_01/Lesson_02/learning/video.mp4",
    "Course_02/Lesson_01/learning/video.mp4",
]


def refused(path: Path) -> TreeError:
    with pytest.raises(TreeError) as caught:
        walk(path)
    assert caught.value.exit_code is ExitCode.TREE
    assert caught.value.hint
    return caught.value


def test_a_curriculum_is_seen_with_all_its_courses_lessons_and_files(curriculum: Make) -> None:
    root = curriculum(SMALL)
    found = walk(root)
    assert found.root == str(root)
    assert (found.warnings, found.blocked) == ((), ())
    assert files(found) == SMALL_FILES
    assert [(course.slug, course.number, course.folder, course.position) for course in found.courses] == [
        ("course_01", "01", "Course_01", 1),
        ("course_02", "02", "Course_02", 2),
    ]
    first = found.courses[0]
    assert (first.own.number, first.own.folder, first.own.components) == (None, "Course_01", ())
    assert [(lesson.number, lesson.folder, lesson.position) for lesson in first.lessons] == [
        ("01", "Course_01/Lesson_01", 1),
        ("02", "Course_01/Lesson_02", 2),
    ]
    assert [component.group_key for component in first.lessons[1].components] == ["lab", "learning/video.mp4"]


def test_a_file_is_seen_with_its_size_times_and_inode(curriculum: Make) -> None:
    root = curriculum(SMALL)
    status = (root / "Course_02/Lesson_01/learning/video.mp4").stat()
    ((asset,),) = (component.assets for component in walk(root).courses[1].lessons[0].components)
    assert asset[3:] == (len("video three"), OLD_NS, status.st_ctime_ns, status.st_ino)
    assert asset.mtime_ns == status.st_mtime_ns


def test_courses_and_lessons_come_in_the_order_of_their_numbers(curriculum: Make) -> None:
    lessons: Tree = {"Lesson_10": {}, "Lesson_9": {}, "lesson_002": {}, "LESSON_100": {}, "Lesson_11": {}}
    root = curriculum({"Course_10": {}, "Course_9": lessons, "course_002": {}, "COURSE_100": {}, "Course_11": {}})
    found = walk(root)
    assert [course.slug for course in found.courses] == [
        "course_02",
        "course_09",
        "course_10",
        "course_11",
        "course_100",
    ]
    assert [lesson.number for lesson in found.courses[1].lessons] == ["02", "09", "10", "11", "100"]


def test_the_path_may_be_one_course_and_its_neighbours_are_not_touched(curriculum: Make) -> None:
    root = curriculum({**SMALL, "stray.txt": "x", "Course_02": {"Lesson_01": {}, "Lesson_1": {}}, "odd": {}})
    found = walk(root / "Course_01")
    assert found.root == str(root)
    assert [course.folder for course in found.courses] == ["Course_01"]
    assert files(found) == SMALL_FILES[:-1]
    assert warned(found) == blocked(found) == set()


def test_the_path_may_end_with_a_slash_or_be_relative_or_a_link(
    curriculum: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = curriculum(SMALL)
    (tmp_path / "link").symlink_to("curriculum")
    monkeypatch.chdir(root)
    for path in (f"{root}/", f"{root}//.", ".", "./", "Course_01/..", "../curriculum"):
        assert walk(Path(path)) == walk(root)
    assert files(walk(tmp_path / "link")) == SMALL_FILES
    assert walk(tmp_path / "link").root == str(tmp_path / "link")
    for path in ("Course_01", "Course_01/", "./Course_01"):
        assert walk(Path(path)) == walk(root / "Course_01")
    monkeypatch.chdir(root / "Course_01")
    assert walk(Path()) == walk(root / "Course_01")


def test_a_file_of_a_course_may_be_called_like_the_course(curriculum: Make) -> None:
    syllabus: Tree = {"Course_01_syllabus": "text", "Lesson_01": {"a.md": "a"}, "Course_01_material": {"b.md": "b"}}
    root = curriculum({**SMALL, "Course_01": syllabus})
    found = walk(root / "Course_01")
    assert found.root == str(root)
    assert files(found) == ["Course_01/Course_01_syllabus", "Course_01/Lesson_01/a.md"]
    assert warned(found) == {("unknown-folder", "Course_01/Course_01_material")}
    assert walk(make_tree(root / "Course_03", {"Course_03_syllabus": "text"})).root == str(root)


def test_a_curriculum_may_be_called_like_a_course(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "Course_2024", SMALL)
    assert walk(root).root == str(root)
    assert files(walk(root)) == SMALL_FILES


def test_what_is_no_curriculum_is_refused(curriculum: Make, tmp_path: Path) -> None:
    root = curriculum({"odd": {}, "file.txt": "x", "Course_01": "a file"})
    cannot_be_read = {
        root / "missing": "No such file or directory",
        root / "file.txt": "Not a directory",
        root / "Course_01": "Not a directory",
        tmp_path / ("x" * 300): "File name too long",
    }
    for path, reason in cannot_be_read.items():
        error = refused(path)
        assert error.message == f"the curriculum cannot be read: {reason}"
        assert error.where == str(path)
    for path in (root, make_tree(tmp_path / "empty", {}), make_tree(tmp_path / "hidden", {".Course_01": {}})):
        error = refused(path)
        assert error.message == "there is no course folder here"
        assert error.where == str(path)
        assert "is the disk mounted?" in (error.hint or "")


def test_a_folder_that_was_deleted_under_our_feet_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert refused(Path()).message == "the working folder is gone"


def test_a_lesson_folder_is_told_as_what_it_is(tmp_path: Path) -> None:
    lesson = tmp_path / "Course_01" / "Lesson_01"
    (lesson / "learning").mkdir(parents=True)
    error = refused(lesson)
    assert (error.message, error.where) == ("this is a lesson folder", str(lesson))
    assert error.hint == "give the course folder around it, or the curriculum"


def test_the_root_of_the_file_system_is_a_folder_like_any_other() -> None:
    error = refused(Path("/"))
    assert (error.message, error.where) == ("there is no course folder here", "/")


FROM_A_ROOT = """
import encodings.utf_8_sig, os, sys
from pathlib import Path
from curri.tree import walk, digest  # what is imported later could not be found any more
from curri.model import Recorded
from curri.plan.comparison import compare
os.chroot(sys.argv[1])
os.chdir("/")
found = walk.walk(Path("/Course_01"))
assert found == walk.walk(Path("Course_01"))
assert walk.walk(Path("/")).courses == found.courses
assert compare(found, Recorded()).unread
results = [result for _, result in digest.Reader(found.root).read(compare(found, Recorded()).unread)]
assert all(isinstance(result, digest.Digest) for result in results), results
print(found.root, found.courses[0].title, len(results), len(found.warnings), len(found.blocked))
"""


def test_a_course_may_lie_in_the_root_of_the_file_system(curriculum: Make) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may make a folder the root of the file system")
    root = curriculum({"Course_01": {"course.toml": "title = 'Top'", "Lesson_01": {"a.md": "a", "b.md": "b"}}})
    (root / "Course_01/Lesson_01/c.md").symlink_to("/Course_01/Lesson_01/a.md")
    (root / "Course_01/Lesson_01/loop").symlink_to("/")
    command = [sys.executable, "-W", "error", "-c", FROM_A_ROOT, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("/ Top 3 1 0\n", "")


def test_two_folders_with_one_number_are_an_error_that_names_both(curriculum: Make) -> None:
    root = curriculum({"Course_01": {}, "course_1-again": {}, "Course_02": {}})
    error = refused(root)
    assert error.message == (
        "duplicate-course-number: two folders claim the same number (course 01: Course_01, course_1-again)"
    )
    assert error.where == str(root)
    root = curriculum(
        {"course_1-again": {"Lesson_03": {}, "Lesson_3\n": {}, "LESSON_003_x": {}, "lesson_4": {}, "Lesson_004": {}}}
    )
    error = refused(root / "course_1-again")
    assert error.message == (
        "duplicate-lesson-number: two folders claim the same number (lesson 03: course_1-again/Lesson_03, "
        "course_1-again/LESSON_003_x; lesson 04: course_1-again/Lesson_004, course_1-again/lesson_4)"
    )
    assert error.where == str(root / "course_1-again")


def test_folders_that_mean_nothing_and_stray_files_are_reported(curriculum: Make) -> None:
    known: Tree = {
        "README.md": "x",
        "readme.txt": "x",
        "LICENSE": "x",
        "LICENSE.md": "x",
        "curri.toml": "",
        ".curriignore": "#",
    }
    root = curriculum(
        {
            **SMALL,
            **known,
            "Curs_03": {"Lesson_01": {"a.md": "a"}},
            "Lesson_01": {"a.md": "a"},
            "notes\n.txt": "n",
            "Course_2": "a file",
        }
    )
    make_tree(root, {"Course_01": {"extra": {"a.md": "a"}, "Course_09": {}}})
    found = walk(root)
    assert warned(found) == {
        ("unknown-folder", "Curs_03"),
        ("unknown-folder", "Lesson_01"),
        ("unknown-folder", "Course_01/extra"),
        ("unknown-folder", "Course_01/Course_09"),
        ("stray-file", "notes\\n.txt"),
        ("stray-file", "Course_2"),
        ("empty-file", "curri.toml"),
    }
    assert files(found) == SMALL_FILES


def test_a_video_in_the_course_folder_that_is_no_preview_is_reported(curriculum: Make) -> None:
    found = walk(
        curriculum({"Course_01": {"preview.mp4": "p", "preview.png": "p", "trailer.mov": "t", "notes.pdf": "n"}})
    )
    assert warned(found) == {("video-in-course-folder", "Course_01/trailer.mov")}
    types = {component.group_key: component.type for component in found.courses[0].own.components}
    assert types == {"course": ComponentType.RESOURCE, "preview.mp4": ComponentType.VIDEO}


def test_an_empty_file_is_recorded_and_reported(curriculum: Make) -> None:
    found = walk(curriculum({"Course_01": {"Lesson_01": {"empty.md": "", "a": {"video.mp4": b""}}}}))
    assert warned(found) == {
        ("empty-file", "Course_01/Lesson_01/empty.md"),
        ("empty-file", "Course_01/Lesson_01/a/video.mp4"),
    }
    assert files(found) == ["Course_01/Lesson_01/a/video.mp4", "Course_01/Lesson_01/empty.md"]


def test_pipes_and_sockets_are_reported_and_never_opened(curriculum: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {"a": {"a.md": "a"}}}})
    folder = root / "Course_01/Lesson_01/a"
    os.mkfifo(folder / "pipe.mp4")
    os.mkfifo(folder / "p\u00edpe.mp4")
    os.mkfifo(root / "Course_01/course.toml")
    os.mkfifo(root / "Course_01/Lesson_01/README.md")
    (folder / "link.mp4").symlink_to("pipe.mp4")
    monkeypatch.chdir(folder)  # the address of a socket may have 107 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.md")
        found = walk(root)
    assert warned(found) == {
        ("special-file", "Course_01/Lesson_01/a/pipe.mp4"),
        ("special-file", "Course_01/Lesson_01/a/p\u00edpe.mp4"),
        ("special-file", "Course_01/Lesson_01/a/link.mp4"),
        ("special-file", "Course_01/Lesson_01/a/socket.md"),
        ("special-file", "Course_01/course.toml"),
        ("special-file", "Course_01/Lesson_01/README.md"),
    }
    assert blocked(found) == set()
    assert files(found) == ["Course_01/Lesson_01/a/a.md"]


def test_devices_are_reported_and_never_opened(curriculum: Make) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {}}})
    for name, kind in (("zero.mp4", stat.S_IFCHR), ("disk.mp4", stat.S_IFBLK)):
        try:
            os.mknod(root / "Course_01/Lesson_01" / name, kind | 0o600, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("devices cannot be made here: that takes root, and a container that allows it")
    found = walk(root)
    assert warned(found) == {
        ("special-file", "Course_01/Lesson_01/zero.mp4"),
        ("special-file", "Course_01/Lesson_01/disk.mp4"),
    }
    assert files(found) == []


def test_the_order_in_which_the_disk_lists_its_entries_does_not_matter(
    curriculum: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd: Tree = {"odd": {}, "stray.txt": "s", "b.mp4": "", "\u00e9.mp4": "x", "e\u0301.mp4": "y", "\u00e9.vtt": "z"}
    root = curriculum(
        {**SMALL, "odd": {}, "Course_03": {"Lesson_01": {**odd, "Learning": odd}, "Lesson_02": odd, **odd}}
    )
    seen = walk(root)

    @contextmanager
    def backwards(path: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        with os.scandir(path) as entries:
            yield iter(sorted(entries, key=lambda entry: entry.name, reverse=True))

    @contextmanager
    def forwards(path: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        with os.scandir(path) as entries:
            yield iter(sorted(entries, key=lambda entry: entry.name))

    for scandir in (backwards, forwards):
        monkeypatch.setattr("curri.tree.walk.os", SimpleNamespace(**{**vars(os), "scandir": scandir}))
        again = walk(root)
        assert again.courses == seen.courses
        assert warned(again) == warned(seen)
