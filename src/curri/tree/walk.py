"""The walk: one look at every folder of a curriculum, and what it means. No file is opened but titles."""

from __future__ import annotations

import errno
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
from curri.tree.outline import is_course
from curri.tree.rules import BlockedRule, WarningRule

COURSE_TOML = "course.toml"
LESSON_TOML = "lesson.toml"
LONGEST_PATH = 2000
"""Bytes of a path below its lesson. PostgreSQL indexes nothing beyond 2,704 bytes (a third of a page)."""

_ROOT_FILES = ("curri.toml", ignore.IGNORE_FILE)


class _Claim(NamedTuple):
    """A folder that is called like a course or lesson."""

    number: str
    name: str
    seen: bool  # False: it is there but could not be looked at


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
    try:
        path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would lose the name of a linked course folder
    except FileNotFoundError:
        hint = "change to a folder that is there"
        raise TreeError("the working folder is gone", where=printable(str(path)), hint=hint) from None
    try:
        names = os.listdir(path)
    except OSError as error:
        hint = "give the folder that holds Course_01, or one course folder"
        raise TreeError(
            f"the curriculum cannot be read: {error.strerror}", where=printable(str(path)), hint=hint
        ) from error
    if not _is_utf8(str(path)):
        hint = "rename the folder; the catalog holds paths as UTF-8"
        raise TreeError("the path of the curriculum is not UTF-8", where=printable(str(path)), hint=hint)
    if is_course(path, names):
        return _Walk(path.parent, path).tree(path.name)
    return _Walk(path, path).tree(None)


class _Walk:
    def __init__(self, root: Path, path: Path) -> None:
        self.root = os.fspath(root)
        # Where links may lead. A course folder may be a link itself: what lies in it is inside, too.
        self.inside = (_real(root), _real(path))
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
        else:
            listing = _Folder([], [only], set(), [])
        numbered = self._numbered(listing, "", layout.course_number, "course")
        if not numbered and layout.lesson_number(os.path.basename(self.root)) is not None:  # noqa: PTH119
            message, hint = "this is a lesson folder", "give the course folder around it, or the curriculum"
            raise TreeError(message, where=printable(self.root), hint=hint)
        if not numbered:
            raise TreeError(
                "there is no course folder here",
                where=printable(self.root),
                hint="course folders are called Course_01, Course_02, ...; is the disk mounted? Nothing was changed",
            )
        courses = tuple(self._course(*claim) for claim in numbered)
        return FoundTree(self.root, courses, tuple(self.warnings), tuple(self.blocked))

    # --- courses and lessons

    def _numbered(
        self, listing: _Folder, inside: str, number_of: Callable[[str], str | None], what: str
    ) -> list[_Claim]:
        """Return the course or lesson folders of a listing by number. Raises TreeError if two claim one number."""
        numbered: dict[str, list[str]] = {}
        for name in listing.folders:
            number = number_of(name)
            if number is None:
                where = f"{inside}/{name}" if inside else name
                message = f"is not a {what} folder (those are called {what.title()}_01) and is not recorded"
                self._warn("unknown-folder", where, message)
            else:
                numbered.setdefault(number, []).append(name)
        twice = {number: twins for number, twins in numbered.items() if len(twins) > 1}
        if twice:
            places = "; ".join(
                f"{what} {number}: {', '.join(printable(f'{inside}/{twin}' if inside else twin) for twin in twins)}"
                for number, twins in twice.items()
            )
            raise TreeError(
                f"duplicate-{what}-number: two folders claim the same number ({places})",
                where=printable(f"{self.root}/{inside}" if inside else self.root),
                hint="rename one of them; nothing was recorded",
            )
        claims = {number: _Claim(number, twins[0], seen=True) for number, twins in numbered.items()}
        for name in listing.unseen:
            number = number_of(name)
            if number is not None:
                claims.setdefault(number, _Claim(number, name, seen=False))
        return sorted(claims.values(), key=lambda claim: int(claim.number))

    def _course(self, number: str, name: str, seen: bool) -> FoundCourse:
        slug = f"course_{number}"
        listing = self._list(name) if seen else None
        if listing is None:
            name = printable(name)
            nothing = FoundLesson(None, name, None, None, 0, ())
            return FoundCourse(slug, number, name, None, None, int(number), nothing, (), blocked=True)
        title, description = self._titles(name, listing, COURSE_TOML, f"Course {number}")
        files = tuple(entry for entry in listing.files if entry.name != COURSE_TOML)
        components = layout.course_components(Directory("", files))
        self._look_at_course_videos(name, components)
        own = FoundLesson(None, name, None, None, 0, components, tuple(listing.unseen))
        lessons = tuple(
            self._lesson(claim.number, f"{name}/{claim.name}", claim.seen)
            for claim in self._numbered(listing, name, layout.lesson_number, "lesson")
        )
        return FoundCourse(slug, number, name, title, description, int(number), own, lessons)

    def _look_at_course_videos(self, course: str, components: tuple[FoundComponent, ...]) -> None:
        for component in components:
            if component.group_key == layout.COURSE_KIND:
                for asset in component.assets:
                    if layout.split(asset.path)[1] in layout.VIDEO_EXTENSIONS:
                        message = (
                            "is recorded as a file of the course; only preview.* and videos in lessons are uploaded"
                        )
                        self._warn("video-in-course-folder", f"{course}/{asset.path}", message)

    def _lesson(self, number: str, folder: str, seen: bool) -> FoundLesson:
        if not seen:
            return FoundLesson(number, printable(folder), None, None, int(number), (), ("",))
        directories: list[Directory] = []
        blocked: list[str] = []
        title: str | None = None
        description: str | None = None
        for relative, listing in self._below(folder):
            if listing is None:
                blocked.append(relative)
                continue
            files = listing.files
            if len(os.fsencode(relative)) + 256 > LONGEST_PATH:  # 255 bytes is the longest name there is
                files = self._recordable(folder, relative, listing)
            blocked.extend(f"{relative}/{name}" if relative else name for name in listing.unseen)
            if not relative:
                title, description = self._titles(folder, listing, LESSON_TOML, f"Lesson {number}")
                files = [entry for entry in files if entry.name != LESSON_TOML]
            if files:
                directories.append(Directory(relative, tuple(files)))
        components = layout.lesson_components(directories)
        return FoundLesson(number, folder, title, description, int(number), components, tuple(blocked))

    def _recordable(self, folder: str, relative: str, listing: _Folder) -> list[Entry]:
        """Return the files of a folder whose paths are not too long to be recorded; the others are blocked."""
        long = {name for name, *_ in listing.files if len(os.fsencode(f"{relative}/{name}")) > LONGEST_PATH}
        for name in sorted(long):
            message = f"has a path of more than {LONGEST_PATH} bytes below its lesson; use shorter names"
            self._block("path-too-long", f"{folder}/{relative}/{name}", message)
        listing.unseen.extend(long)
        return [entry for entry in listing.files if entry.name not in long]

    def _titles(self, folder: str, listing: _Folder, toml: str, default: str) -> tuple[str | None, str | None]:
        """Return title and description of a folder; title None if what may hold them is there but cannot be read."""
        if toml in listing.unseen:
            return None, None
        names = {*(entry.name for entry in listing.files), *listing.unseen}
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
        listing = _Folder([], [], set(), [])
        try:
            with os.scandir(f"{self.root}/{folder}") as entries:
                always, add, plain = ignore.always_ignored, self._add_file, self.ignored is None
                for entry in entries:
                    name = entry.name
                    # Most entries are plain files with plain names; all others take the long way.
                    if plain and name.isascii() and entry.is_file(follow_symlinks=False):
                        if not always(name, folder=False):
                            add(entry, folder, listing, None)
                    else:
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
            kind, status = self._follow(entry, folder, listing, in_link=in_link)
        else:
            kind = stat.S_IFDIR if entry.is_dir(follow_symlinks=False) else 0
            status = None
        if kind is None or self._is_ignored(name, path, is_folder=kind == stat.S_IFDIR):
            return
        if not name.isascii() and not _is_utf8(name):
            self._block("not-utf8", path, "has a name that is not UTF-8; rename it")
            listing.unseen.append(name)
            return
        if kind == stat.S_IFDIR:
            listing.folders.append(name)
            if status is not None:
                listing.linked.add(name)
            return
        self._add_file(entry, folder, listing, status)

    def _add_file(self, entry: os.DirEntry[str], folder: str, listing: _Folder, status: os.stat_result | None) -> None:
        """Add what is not a folder to the listing; `status` is None if it is not known yet."""
        try:
            status = status or entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return  # deleted since the folder was listed
        except OSError as error:
            self._block("unreadable", f"{folder}/{entry.name}", f"cannot be looked at: {error.strerror}")
            listing.unseen.append(entry.name)
            return
        if not stat.S_ISREG(status.st_mode):
            message = "is a pipe, socket or device; it is not opened and not recorded"
            self._warn("special-file", f"{folder}/{entry.name}", message)
            return
        if status.st_size == 0:
            self._warn("empty-file", f"{folder}/{entry.name}", "is empty")
        listing.files.append(Entry(entry.name, *layout.fingerprint(status)))

    def _is_ignored(self, name: str, path: str, *, is_folder: bool) -> bool:
        if ignore.always_ignored(name, folder=is_folder):
            return True
        return self.ignored is not None and self.ignored(f"{path}/" if is_folder else path)

    def _follow(
        self, entry: os.DirEntry[str], folder: str, listing: _Folder, *, in_link: bool
    ) -> tuple[int | None, os.stat_result | None]:
        """Return the type and the stat of what a link leads to; None if it is not to be followed."""
        path = f"{folder}/{entry.name}" if folder else entry.name
        if self._is_ignored(entry.name, path, is_folder=False):
            return None, None
        ignored_as_folder = self._is_ignored(entry.name, path, is_folder=True)
        target = _real(entry.path)
        try:
            if not target.startswith(self.inside):
                raise _NotFollowed("symlink-outside", "leaves the curriculum; it is not followed")
            status = _status(entry)
            if not stat.S_ISDIR(status.st_mode):
                return stat.S_IFREG, status
            if _real(f"{self.root}/{folder}").startswith(target):
                raise _NotFollowed("symlink-loop", "leads to a folder around it; it is not followed")
            if in_link:
                # One level is what people use; several could multiply a small tree without end.
                raise _NotFollowed("symlink-nested", "leads from a linked folder to another; it is not followed")
        except _NotFollowed as why:
            if not ignored_as_folder:
                self._warn(why.rule, path, f"is a link that {why}")
            return None, None
        except OSError as error:
            if not ignored_as_folder:
                self._block("unreadable", path, f"is a link that cannot be followed: {error.strerror}")
                listing.unseen.append(entry.name)
            return None, None
        return stat.S_IFDIR, status

    def _compare_names(self, names: list[str], folder: str) -> None:
        """Report names that other systems would hold for one, and names that are not in NFC."""
        keys = [name.casefold() for name in names]
        if "".join(names).isascii() and len(set(keys)) == len(keys):
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

    def _warn(self, rule: WarningRule, path: str, message: str) -> None:
        self.warnings.append(Notice(rule, printable(path.lstrip("/")), message))

    def _block(self, rule: BlockedRule, path: str, message: str) -> None:
        self.blocked.append(Notice(rule, printable(path.lstrip("/")), message))


class _NotFollowed(Exception):
    """A link is left alone. `rule` is a stable name, the text says where the link leads."""

    def __init__(self, rule: WarningRule, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def _real(path: str | Path) -> str:
    """Return where a path leads, with "/" at the end: so "/a" does not look like the beginning of "/ab"."""
    return os.path.realpath(path).rstrip("/") + "/"


def _status(link: os.DirEntry[str]) -> os.stat_result:
    """Return the stat of what a link leads to. Raises _NotFollowed if that is nothing; OSError if it cannot be told."""
    try:
        return os.stat(link.path)  # noqa: PTH116 - a Path for each entry is too slow
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _NotFollowed("symlink-broken", "leads nowhere") from error
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise _NotFollowed("symlink-loop", "leads back to itself") from error


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
