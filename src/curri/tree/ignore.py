"""What is never looked at: leftovers of systems and programs, and what `.curriignore` names."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curri.errors import TreeError
from curri.plan.text import folded, printable
from curri.tree.texts import beginning

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".curriignore"

MOST_DEPTHS = 3
"""How often `**` may stand in one pattern: each more makes deep folders slower by their depth."""

_STAR = "[^/]*"
_WITHIN = re.compile(r"(?:\\[^/]|\[\^/\]|[^/()|\\])+")
"""A piece of a pattern's regular expression that stays in one name: not the ends of folders, nor groups."""

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
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    class Pattern(GitIgnoreSpecPattern):
        @classmethod
        def pattern_to_regex(cls, pattern: Any) -> Any:
            regex, include = super().pattern_to_regex(pattern)
            return (_patient(regex) if isinstance(regex, str) else regex), include

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Python's: `[[` may mean something else one day
        for number, line in enumerate(lines, 1):
            try:
                if line.split("/").count("**") > MOST_DEPTHS and not line.startswith("#"):
                    raise GitIgnorePatternError("too many **")
                GitIgnoreSpec.from_lines([line], Pattern)
            except (GitIgnorePatternError, re.error) as error:
                raise TreeError(
                    f"line {number} of the ignore file is not a gitignore pattern: {line!r}",
                    where=where,
                    hint="see `man gitignore` for what a pattern looks like",
                ) from error
        return GitIgnoreSpec.from_lines(lines, Pattern)


def _patient(regex: str) -> str:
    """Return the regular expression of a pattern so that it takes the time that the name is long.

    As it comes, `*a*a*a*a*b` tries all ways to cut a name into pieces: hours for one of 255 letters. Between two stars
    of one name only the first place counts where the piece fits, so none but that is tried.
    """
    first, *pieces = regex.split(_STAR)
    if not pieces:
        return regex
    *between, last = pieces
    told = [f"(?>[^/]*?{piece})" if _WITHIN.fullmatch(piece) else f"{_STAR}{piece}" for piece in between if piece]
    return f"{first}{''.join(told)}{_STAR}{last}"
