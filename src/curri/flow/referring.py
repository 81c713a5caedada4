"""From what a person calls a video to which one it is: here because a path on disk leads through folder names."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from curri.catalog import chronicle
from curri.catalog.database import Connection
from curri.errors import UsageError
from curri.plan import references
from curri.plan.references import Carried, Known, Match, Spot
from curri.tree.layout import course_number, lesson_number

T = TypeVar("T")


def component(connection: Connection, text: str) -> Match:
    """Return the video component that a text means: a place, a path on disk, a name on Stream, or an id of any kind.

    Raises UsageError, which names near matches, or all if there are several.
    """
    return _found(connection, text, references.component)


def video(connection: Connection, text: str) -> Carried:
    """Return the video that a text means: by its ids, or as what plays, or waits to, at a place or under a name.

    Raises UsageError like `component`.
    """
    return _found(connection, text, references.video)


def _found(connection: Connection, text: str, find: Callable[[str, Sequence[Spot], Sequence[Known]], T]) -> T:
    known = chronicle.known(connection)
    roots = sorted({each.root for each in known if each.root is not None})
    try:
        return find(text, spots(text, roots), known)
    except UsageError as error:
        raise _on_disk(error, text) from error


def spots(text: str, roots: Collection[str]) -> list[Spot]:
    """Return the places that a text may mean, in the catalog and on disk. Never raises."""
    found = [*_spots(None, text)]
    for path in _paths(text):
        for root in roots:
            for folder in _paths(root):
                if path.startswith(folder.rstrip("/") + "/"):
                    found += _spots(root, path[len(folder.rstrip("/")) + 1 :])
    return list(dict.fromkeys(found))


def _paths(text: str) -> list[str]:
    """Return a path as it was given, and with all links followed: a curriculum may be reached by either."""
    try:
        return list(dict.fromkeys([os.path.abspath(text), os.path.realpath(text)]))  # noqa: PTH100 - as above
    except (OSError, ValueError):  # a loop of links; a NUL
        return []


def _spots(root: str | None, text: str) -> Iterator[Spot]:
    """Yield what `course/lesson/path` may mean: a lesson is a number or the name of a folder, or there is none."""
    course, _, rest = text.removeprefix("./").partition("/")
    number = course_number(course)
    if number is None or not rest:
        return
    slug = f"course_{number}"
    yield Spot(root, slug, None, rest)
    lesson, _, path = rest.partition("/")
    within = lesson_number(lesson)
    if within is None and root is None and lesson.isascii() and lesson.isdecimal():
        within = f"{int(lesson):02d}"
    if within is not None and path:
        yield Spot(root, slug, within, path)


def _on_disk(error: UsageError, text: str) -> UsageError:
    """Return the error, with the way out for a file that is there and that the catalog does not know."""
    try:
        there = Path(text).is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        return error
    hint = "it is on disk: `curri import` records what is in a curriculum folder, and only videos are told of here"
    return UsageError(error.message, hint="; ".join(part for part in (hint, error.hint) if part))
