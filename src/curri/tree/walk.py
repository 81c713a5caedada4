"""The walk: one look at every folder of a curriculum, and what it means. No file is opened but titles."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from curri.errors import TreeError
from curri.model import FoundComponent, FoundCourse, FoundLesson, FoundTree, Notice
from curri.plan.text import folded, natural, printable
from curri.tree import ignore, layout, titles
from curri.tree.layout import Directory, Entry

COURSE_TOML = "course.toml"
LESSON_TOML = "lesson.toml"
_ROOT_FILES = ("curri.toml", ignore.IGNORE_FILE)


class _Folder(NamedTuple):
    """The contents of one folder after ignoring, links resolved. Names as on disk, in natural order."""

    files: list[Entry]
    folders: list[str]
    linked: set[str]  # those of the folders that are symbolic links
    unseen: list[str]  # names that are there but could not be looked at; they are reported as blocked


def walk(path: Path) -> FoundTree:
    """Return what lies below `path`, a curriculum folder or one course folder of it.

    Raises TreeError if there is no curriculum at `path`, or if two folders claim one number. Anything smaller is
    a warning or a blocked item of the result: it concerns that item alone.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would lose the name of a linked course folder
    try:
        names = os.listdir(path)
    except OSError as error:
        hint = "give the folder that holds Course_01, or one course folder"
        raise TreeError(
            f"the curriculum cannot be read: {error.strerror}", where=printable(str(path)), hint=hint
        ) from error
    whole = layout.course_number(path.name) is None or any(layout.course_number(name) for name in names)
    root = path if whole else path.parent
    return _Walk(root).tree(None if whole else path.name)


class _Walk:
    def __init__(self, root: Path) -> None:
        self.root = os.fspath(root).rstrip("/")
        self.real_root = os.path.realpath(root)
        self.ignored: Callable[[str], bool] | None = ignore.read_rules(root)
        self.warnings: list[Notice] = []
        self.blocked: list[Notice] = []

    def tree(self, only: str | None) -> FoundTree:
        if only is None:
            listing = self._list("")
            if listing is None:
                raise TreeError("the curriculum cannot be read", where=printable(self.root))
            for entry in listing.files:
                if entry.name not in _ROOT_FILES and not entry.name.upper().startswith(("README", "LICENSE")):
                    self._warn("stray-file", entry.name, "lies outside of every course and is not recorded")
            folders = listing.folders
        else:
            folders = [only]
        numbered = self._numbered(folders, "", layout.course_number, "course")
        if not numbered:
            raise TreeError(
                "there is no course folder here",
                where=printable(self.root),
                hint="course folders are called Course_01, Course_02, ...; is the disk mounted? Nothing was changed",
            )
        courses = tuple(self._course(name, number) for number, name in numbered)
        return FoundTree(self.root, only is None, courses, tuple(self.warnings), tuple(self.blocked))

    # --- courses and lessons

    def _numbered(
        self, names: list[str], inside: str, number_of: Callable[[str], str | None], what: str
    ) -> list[tuple[str, str]]:
        """Return the course or lesson folders among `names` by number. Raises TreeError if two claim one number."""
        numbered: dict[str, list[str]] = {}
        for name in names:
            number = number_of(name)
            if number is None:
                where = f"{inside}/{name}" if inside else name
                message = f"is not a {what} folder (those are called {what.title()}_01) and is not recorded"
                self._warn("unknown-folder", where, message)
            else:
                numbered.setdefault(number, []).append(name)
        twice = {number: twins for number, twins in numbered.items() if len(twins) > 1}
        if twice:
            claims = "; ".join(
                f"{what} {number}: {', '.join(printable(f'{inside}/{twin}' if inside else twin) for twin in twins)}"
                for number, twins in twice.items()
            )
            raise TreeError(
                f"duplicate-{what}-number: two folders claim the same number ({claims})",
                where=printable(f"{self.root}/{inside}" if inside else self.root),
                hint="rename one of them; nothing was recorded",
            )
        return sorted(((number, twins[0]) for number, twins in numbered.items()), key=lambda pair: int(pair[0]))

    def _course(self, name: str, number: str) -> FoundCourse:
        listing = self._list(name)
        nothing = FoundLesson(None, name, None, None, 0, ())
        if listing is None:
            slug = f"course_{number}"
            return FoundCourse(slug, number, name, None, None, int(number), nothing, (), blocked=True)
        title, description = self._titles(name, listing.files, COURSE_TOML, f"Course {number}")
        files = tuple(entry for entry in listing.files if entry.name != COURSE_TOML)
        components = layout.course_components(Directory("", files))
        self._look_at_course_videos(name, components)
        own = FoundLesson(None, name, None, None, 0, components, tuple(listing.unseen))
        lessons = tuple(
            self._lesson(f"{name}/{folder}", number)
            for number, folder in self._numbered(listing.folders, name, layout.lesson_number, "lesson")
        )
        return FoundCourse(f"course_{number}", number, name, title, description, int(number), own, lessons)

    def _look_at_course_videos(self, course: str, components: tuple[FoundComponent, ...]) -> None:
        for component in components:
            if component.group_key == layout.COURSE_KIND:
                for asset in component.assets:
                    if layout.split(asset.path)[1] in layout.VIDEO_EXTENSIONS:
                        message = (
                            "is recorded as a file of the course; only preview.* and videos in lessons are uploaded"
                        )
                        self._warn("video-in-course-folder", f"{course}/{asset.path}", message)

    def _lesson(self, folder: str, number: str) -> FoundLesson:
        directories: list[Directory] = []
        blocked: list[str] = []
        title: str | None = None
        description: str | None = None
        for relative, listing in self._below(folder):
            if listing is None:
                blocked.append(relative)
                continue
            files = listing.files
            blocked.extend(f"{relative}/{name}" if relative else name for name in listing.unseen)
            if not relative:
                title, description = self._titles(folder, files, LESSON_TOML, f"Lesson {number}")
                files = [entry for entry in files if entry.name != LESSON_TOML]
            if files:
                directories.append(Directory(relative, tuple(files)))
        components = layout.lesson_components(directories)
        return FoundLesson(number, folder, title, description, int(number), components, tuple(blocked))

    def _titles(self, folder: str, files: list[Entry], toml: str, default: str) -> tuple[str | None, str | None]:
        """Return title and description of a folder; title None if its toml is there but cannot be understood."""
        names = {entry.name for entry in files}
        title = description = None
        if toml in names:
            try:
                title, description = titles.from_toml(Path(self.root, folder, toml))
            except titles.UnreadableTitles as error:
                self._block("bad-toml", f"{folder}/{toml}", f"{error}; the recorded title stays")
                return None, None
        readme = next((name for name in sorted(names) if name.lower() == "readme.md"), None)
        if title is None and readme is not None:
            try:
                title = titles.from_readme(Path(self.root, folder, readme))
            except OSError:
                return None, None  # reading the file itself will say why it is blocked
        return title or default, description

    # --- folders

    def _below(self, folder: str) -> Iterator[tuple[str, _Folder | None]]:
        """Yield every folder below and including `folder` (paths relative to it); None where it cannot be read."""
        waiting = [("", False)]
        while waiting:
            relative, in_link = waiting.pop()
            inside = f"{folder}/{relative}" if relative else folder
            listing = self._list(inside, in_link=in_link)
            yield relative, listing
            for name in reversed(listing.folders if listing else ()):
                path = f"{relative}/{name}" if relative else name
                waiting.append((path, in_link or (listing is not None and name in listing.linked)))

    def _list(self, folder: str, *, in_link: bool = False) -> _Folder | None:
        """Read one folder; None if that is not possible (then it is reported as blocked).

        `in_link`: a linked folder lies on the way here; further linked folders are then not followed.
        """
        absolute = f"{self.root}/{folder}" if folder else self.root
        listing = _Folder([], [], set(), [])
        try:
            with os.scandir(absolute) as entries:
                for entry in entries:
                    self._sort(entry, folder, listing, in_link=in_link)
        except OSError as error:
            self._block("unreadable", folder, f"cannot be read: {error.strerror}")
            return None
        self._compare_names([*(entry.name for entry in listing.files), *listing.folders], folder)
        listing.files.sort()
        listing.folders.sort(key=lambda name: (natural(name), name))
        return listing

    def _sort(self, entry: os.DirEntry[str], folder: str, listing: _Folder, *, in_link: bool) -> None:
        name = entry.name
        path = f"{folder}/{name}" if folder else name
        if entry.is_symlink():
            kind, status = self._follow(entry, folder, path, in_link=in_link)
        else:
            kind = stat.S_IFDIR if entry.is_dir(follow_symlinks=False) else 0
            status = None
        if kind is None or self._is_ignored(name, path, is_folder=kind == stat.S_IFDIR):
            return
        if not name.isascii() and not _is_utf8(name):
            self._block("not-utf8", path, "has a name that is not UTF-8; rename it")
            return
        if kind == stat.S_IFDIR:
            listing.folders.append(name)
            if status is not None:
                listing.linked.add(name)
            return
        try:
            status = status or entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return  # deleted since the folder was listed
        except OSError as error:
            self._block("unreadable", path, f"cannot be looked at: {error.strerror}")
            listing.unseen.append(name)
            return
        if not stat.S_ISREG(status.st_mode):
            self._warn("special-file", path, "is a pipe, socket or device; it is not opened and not recorded")
            return
        if status.st_size == 0:
            self._warn("empty-file", path, "is empty")
        listing.files.append(Entry(name, *layout.fingerprint(status)))

    def _is_ignored(self, name: str, path: str, *, is_folder: bool) -> bool:
        if ignore.always_ignored(name, folder=is_folder):
            return True
        return self.ignored is not None and self.ignored(f"{path}/" if is_folder else path)

    def _follow(
        self, entry: os.DirEntry[str], folder: str, path: str, *, in_link: bool
    ) -> tuple[int | None, os.stat_result | None]:
        """Return the type and the stat of what a link leads to; None if it is not to be followed."""
        if self._is_ignored(entry.name, path, is_folder=False) or self._is_ignored(entry.name, path, is_folder=True):
            return None, None
        target = os.path.realpath(entry.path)
        try:
            status = os.stat(entry.path)  # noqa: PTH116 - a Path for each entry is too slow
        except OSError as error:
            rule = "symlink-broken" if isinstance(error, FileNotFoundError) else "symlink-loop"
            self._warn(rule, path, f"is a link that leads nowhere: {error.strerror}")
            return None, None
        if target != self.real_root and not target.startswith(self.real_root.rstrip("/") + "/"):
            self._warn("symlink-outside", path, "is a link that leaves the curriculum; it is not followed")
            return None, None
        if not stat.S_ISDIR(status.st_mode):
            return stat.S_IFREG, status
        here = os.path.realpath(f"{self.root}/{folder}")
        if here == target or here.startswith(target.rstrip("/") + "/"):
            self._warn("symlink-loop", path, "is a link to a folder around it; it is not followed")
            return None, None
        if in_link:
            # One level is what people use; several could multiply a small tree without end.
            self._warn("symlink-nested", path, "is a linked folder inside of a linked folder; it is not followed")
            return None, None
        return stat.S_IFDIR, status

    def _compare_names(self, names: list[str], folder: str) -> None:
        """Report names that other systems would hold for one, and names that are not in NFC."""
        keys = [name.casefold() for name in names]
        if all(name.isascii() for name in names) and len(set(keys)) == len(keys):
            return
        first: dict[str, str] = {}
        for name in sorted(names):
            path = f"{folder}/{name}" if folder else name
            if folded(name) != name:
                self._warn("not-nfc", path, "has a name with decomposed letters (NFD), as old Macs wrote them")
            key = folded(folded(name).casefold())
            if key in first:
                message = (
                    f'differs from "{printable(first[key])}" only in case or Unicode form: one file on many systems'
                )
                self._warn("case-collision", path, message)
            first.setdefault(key, name)

    def _warn(self, rule: str, path: str, message: str) -> None:
        self.warnings.append(Notice(rule, printable(path), message))

    def _block(self, rule: str, path: str, message: str) -> None:
        self.blocked.append(Notice(rule, printable(path), message))


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
