"""Titles and descriptions of courses and lessons: from their toml file, else from the heading of their README."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from curri.plan.text import folded, printable
from curri.tree.texts import beginning

MAX_BYTES = 1 << 20
"""Nobody writes a mebibyte of title; whatever is larger is something else."""

MAX_TITLE = 500  # characters; a title is one line on a page

_HEADING = re.compile(r" {0,3}#[ \t](.*)")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Titles(NamedTuple):
    """What a folder says of itself. `title` None: nothing."""

    title: str | None
    description: str | None


class UnreadableTitles(Exception):
    """The toml file of a folder does not say what it should; the text says why."""


def from_toml(path: Path) -> Titles:
    """Return title and description of a course.toml or lesson.toml.

    Raises UnreadableTitles if the file cannot be read, is not TOML, or holds something else than texts.
    """
    try:
        raw = beginning(path, MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise UnreadableTitles("is larger than 1 MiB")
        values = tomllib.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise UnreadableTitles(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableTitles("is not UTF-8") from error
    except (ValueError, RecursionError) as error:  # a number of many thousand digits is a bare ValueError
        raise UnreadableTitles(f"is not valid TOML: {error}") from error
    for key, value in values.items():
        if key not in ("title", "description"):
            raise UnreadableTitles(f"has an unknown key {printable(key)!r}; known are title and description")
        if not isinstance(value, str):
            raise UnreadableTitles(f"has a {key} that is not a text; write it in quotes")
    return Titles(_line(values.get("title", "")) or None, _text(values.get("description", "")) or None)


def from_readme(path: Path) -> str | None:
    """Return the first level-one heading of a Markdown file outside of code, or None. Raises OSError."""
    text = beginning(path, MAX_BYTES).decode("utf-8-sig", "replace")
    fence = ""  # what the code block began with in which the line lies
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
        elif mark:
            fence = mark[1]
        elif heading := _HEADING.fullmatch(line):
            title = _line(_without_closing(heading[1]))
            if title:
                return title
    return None


def _without_closing(heading: str) -> str:
    """Return a heading without the row of `#` that may end it (`# Title #`); that of `# C#` stays."""
    heading = heading.strip()
    bare = heading.rstrip("#")
    return bare if not bare or bare[-1].isspace() else heading


def _line(text: str) -> str:
    """Return a title as one line of NFC text without control characters, which neither page nor terminal wants."""
    return folded(" ".join(_CONTROL.sub(" ", text).split()))[:MAX_TITLE].strip()


def _text(text: str) -> str:
    return folded(_CONTROL.sub("", text)).strip()
