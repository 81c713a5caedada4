"""Trees as literals: nested dicts are folders, bytes and texts are files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

Tree: TypeAlias = "Mapping[str, Tree | bytes | str]"

OLD_NS = 1_700_000_000_000_000_000
"""A modification time long ago (November 2023): files younger than two seconds would make an import wait."""


def make_tree(root: Path, tree: Tree, *, mtime_ns: int | None = OLD_NS) -> Path:
    """Make folders and files below `root`; a file that is there already is replaced. Returns `root`."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        path = root / name
        if isinstance(content, Mapping):
            make_tree(path, content, mtime_ns=mtime_ns)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            if mtime_ns is not None:
                os.utime(path, ns=(mtime_ns, mtime_ns))
    return root


@pytest.fixture
def curriculum(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a curriculum folder from a literal (again: adds to it)."""

    def make(tree: Tree, *, mtime_ns: int | None = OLD_NS) -> Path:
        return make_tree(tmp_path / "curriculum", tree, mtime_ns=mtime_ns)

    return make


SMALL: Tree = {
    "Course_01": {
        "course.toml": 'title = "AI Foundations"',
        "Lesson_01": {
            "README.md": "# Evolution of Intelligence\n",
            "learning": {"video.mp4": b"video one", "video.en.vtt": "WEBVTT\n"},
            "slides": {"deck.pdf": b"%PDF one", "notes.md": "notes"},
        },
        "Lesson_02": {
            "learning": {"video.mp4": b"video two"},
            "lab": {"start.ipynb": "{}", "data": {"table.csv": "a,b\n1,2\n"}},
        },
    },
    "Course_02": {"Lesson_01": {"learning": {"video.mp4": b"video three"}}},
}
"""Two courses, three lessons, nine files."""
