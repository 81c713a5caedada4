"""What a curriculum holds by the names of its folders alone: to find a course, a lesson, or the root around them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from curri.tree import layout


@dataclass(frozen=True, slots=True)
class Outline:
    """The courses that a path seems to hold. Only a walk can say what is really there."""

    root: str | None  # the curriculum folder; None if the path is one course folder of it, or cannot be read
    slugs: frozenset[str]


def outline(path: Path) -> Outline:
    """Return what `path`, a curriculum folder or one course folder of it, seems to hold. Never raises."""
    try:
        path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would lose the name of a linked course folder
        names = os.listdir(path)
    except OSError:
        return Outline(None, frozenset())
    if is_course(path, names):
        names = [path.name]
        return Outline(None, frozenset(_slugs(names)))
    return Outline(os.fspath(path), frozenset(_slugs(names)))


def _slugs(names: list[str]) -> set[str]:
    return {f"course_{number}" for number in map(layout.course_number, names) if number is not None}


def root_of(path: Path) -> Path:
    """Return the curriculum folder that `path` means: itself, or the one around it if it is a course. Never raises."""
    try:
        path = Path(os.path.abspath(path))  # noqa: PTH100 - as above
        return path.parent if is_course(path, os.listdir(path)) else path
    except OSError:
        return path  # the walk will say what is wrong with it


def is_course(path: Path, names: list[str]) -> bool:
    """Return whether `path`, which holds `names`, is one course folder, and not the folder of all courses.

    Its name alone does not say: courses may lie in `Course_2024`. But not where lessons lie beside them.
    """
    if layout.course_number(path.name) is None:
        return False
    folders = [name for name in names if os.path.isdir(path / name)]  # noqa: PTH112 - is_dir() may raise
    return any(map(layout.lesson_number, folders)) or not any(map(layout.course_number, folders))


class Roots:
    """Where the files of several curricula lie now. Looks into each folder once."""

    def __init__(self) -> None:
        self._folders: dict[str, Folders] = {}

    def find(self, root: str, course: str, lesson: str | None) -> Path | None:
        """Return the folder of a lesson (its number; None: of the course itself), or None if there is none, or two."""
        return self._folders.setdefault(root, Folders(Path(root))).find(course, lesson)


class Folders:
    """Where the courses and lessons of one curriculum lie now. Looks when asked, and remembers."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[Path, dict[str, Path]] = {}

    def find(self, course: str, lesson: str | None) -> Path | None:
        """Return the folder of a lesson (its number; None: of the course itself), or None if there is none, or two."""
        number = course.removeprefix("course_")
        folder = self._numbered(self._root, layout.course_number).get(number)
        if folder is None or lesson is None:
            return folder
        return self._numbered(folder, layout.lesson_number).get(lesson)

    def _numbered(self, folder: Path, number_of: Callable[[str], str | None]) -> dict[str, Path]:
        if folder in self._known:
            return self._known[folder]
        found: dict[str, Path] = {}
        twice: set[str] = set()
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            names = []
        for name in names:
            number = number_of(name)
            if number is None or not os.path.isdir(folder / name):  # noqa: PTH112 - is_dir() may raise
                continue
            if number in found:
                twice.add(number)
            found[number] = folder / name
        self._known[folder] = {number: path for number, path in found.items() if number not in twice}
        return self._known[folder]
