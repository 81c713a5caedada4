"""What is never looked at: leftovers of systems and programs, and what `.curriignore` names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from curri.errors import TreeError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".curriignore"

ALWAYS_NAMES = frozenset((".DS_Store", "Thumbs.db"))
ALWAYS_PREFIXES = ("._", "~$")
ALWAYS_SUFFIXES = (".part", ".tmp", ".crdownload")


def always_ignored(name: str, *, folder: bool) -> bool:
    """Return whether a name is ignored in every curriculum: system leftovers, half-done downloads, dot-folders."""
    if folder:
        return name.startswith(".")
    return name in ALWAYS_NAMES or name.startswith(ALWAYS_PREFIXES) or name.endswith(ALWAYS_SUFFIXES)


def read_rules(root: Path) -> Callable[[str], bool] | None:
    """Return a test for paths relative to `root` (folders end with "/"), or None if there is no ignore file.

    Raises TreeError if the file cannot be read or holds a pattern that git would not accept either.
    """
    path = root / IGNORE_FILE
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TreeError(
            "the ignore file cannot be read", where=str(path), hint=f"make it a readable UTF-8 text file ({error})"
        ) from error
    return _spec(path, lines).match_file


def _spec(path: Path, lines: list[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # costs 50 ms, and most curricula have no ignore file
    from pathspec.patterns.gitignore import GitIgnorePatternError

    for number, line in enumerate(lines, 1):
        try:
            GitIgnoreSpec.from_lines([line])
        except GitIgnorePatternError as error:
            raise TreeError(
                f"line {number} of the ignore file is not a gitignore pattern: {line!r}",
                where=os.fspath(path),
                hint="see `man gitignore` for what a pattern looks like",
            ) from error
    return GitIgnoreSpec.from_lines(lines)
