"""The stable names of what can be wrong with a tree. docs/tree.md says what to do about each; a test holds the two."""

from __future__ import annotations

from typing import Literal, TypeAlias

WarningRule: TypeAlias = Literal[
    "case-collision",
    "empty-file",
    "not-nfc",
    "special-file",
    "stray-file",
    "symlink-broken",
    "symlink-loop",
    "symlink-nested",
    "symlink-outside",
    "unknown-folder",
    "video-in-course-folder",
]
"""Worth knowing; everything is recorded as it is."""

BlockedRule: TypeAlias = Literal["bad-toml", "being-written", "not-utf8", "path-too-long", "special-file", "unreadable"]
"""Not read; what is recorded of it stays, and the run ends with exit code 3."""

ErrorRule: TypeAlias = Literal["duplicate-course-number", "duplicate-lesson-number"]
"""Nothing is recorded, and the run ends with exit code 4."""
