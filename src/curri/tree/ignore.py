"""What is never looked at: leftovers of systems and programs, and what `.curriignore` names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from curri.errors import TreeError
from curri.plan.text import folded, printable
from curri.tree.texts import beginning

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

    Raises TreeError if the file is there but cannot be read, lies outside of the curriculum, or holds a pattern that
    cannot be understood: to go on without it would publish what it hides.
    """
    path = root / IGNORE_FILE
    where = printable(str(path))
    linked = os.path.islink(path)  # noqa: PTH114 - is_symlink() may raise
    if linked and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        hint = "put the file itself there"
        raise TreeError("the ignore file is a link that leaves the curriculum", where=where, hint=hint)
    try:
        text = beginning(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError) and not linked:
            return None
        reason = error.strerror if isinstance(error, OSError) else error
        hint = f"make it a readable UTF-8 text file ({reason})"
        raise TreeError("the ignore file cannot be read", where=where, hint=hint) from error
    spec = _spec(where, [folded(line.removesuffix("\r")) for line in text.split("\n")])
    return lambda path: spec.match_file(folded(path))


def _spec(where: str, lines: list[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # costs 50 ms, and most curricula have no ignore file
    from pathspec.patterns.gitignore import GitIgnorePatternError

    for number, line in enumerate(lines, 1):
        try:
            GitIgnoreSpec.from_lines([line])
        except (GitIgnorePatternError, re.error) as error:
            raise TreeError(
                f"line {number} of the ignore file is not a gitignore pattern: {line!r}",
                where=where,
                hint="see `man gitignore` for what a pattern looks like",
            ) from error
    return GitIgnoreSpec.from_lines(lines)
