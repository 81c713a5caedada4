"""Whether a file is still the one that was recorded, by its stat alone."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from curri.model import FINGERPRINT_VERSION, AssetRow
from curri.tree.layout import fingerprint
from curri.tree.presence import Presence, look
from support.trees import OLD_NS

LATER = OLD_NS + 10**12


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "video.mp4"
    made.write_bytes(b"a video")
    os.utime(made, ns=(OLD_NS, OLD_NS))
    return made


def recorded(path: Path, *, version: int = FINGERPRINT_VERSION, hashed_at_ns: int | None = None) -> AssetRow:
    """A row of this file, read long after it was written."""
    size, mtime_ns, ctime_ns, inode = fingerprint(os.stat(path))
    hashed = time.time_ns() if hashed_at_ns is None else hashed_at_ns
    return AssetRow(
        "a", "c", path.name, "source", "video/mp4", size, mtime_ns, ctime_ns, inode, "1" * 40, version, hashed
    )


def test_a_file_with_the_recorded_stat_is_the_same(path: Path) -> None:
    assert look(path, recorded(path)) == (Presence.SAME, OLD_NS)


@pytest.mark.parametrize("field", ["mtime_ns", "ctime_ns", "inode"])
def test_another_time_or_inode_leaves_a_doubt(path: Path, field: str) -> None:
    row = recorded(path)
    other = row._replace(**{field: getattr(row, field) + 1})
    assert look(path, other) == (Presence.DOUBTFUL, OLD_NS)


def test_a_copy_with_the_same_time_leaves_a_doubt(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(OLD_NS, OLD_NS))
    assert look(copy, recorded(path)).presence is Presence.DOUBTFUL


def test_other_bytes_of_the_same_size_leave_a_doubt(path: Path) -> None:
    row = recorded(path)
    path.write_bytes(b"A VIDEO")
    os.utime(path, ns=(LATER, LATER))
    assert look(path, row) == (Presence.DOUBTFUL, LATER)


def test_a_stat_that_could_not_prove_anything_leaves_a_doubt(path: Path) -> None:
    """It was read in the second of its last change, or recorded by another version."""
    assert look(path, recorded(path, hashed_at_ns=OLD_NS + 10**9)).presence is Presence.DOUBTFUL
    assert look(path, recorded(path, version=FINGERPRINT_VERSION + 1)).presence is Presence.DOUBTFUL


def test_another_size_is_a_change(path: Path) -> None:
    row = recorded(path)
    path.write_bytes(b"another video")
    os.utime(path, ns=(LATER, LATER))
    assert look(path, row) == (Presence.CHANGED, LATER)


def test_what_is_no_file_any_more_has_changed(path: Path) -> None:
    row = recorded(path)
    path.unlink()
    path.mkdir()
    assert look(path, row._replace(size=path.stat().st_size)).presence is Presence.CHANGED
    path.rmdir()
    os.mkfifo(path)
    assert look(path, row._replace(size=0)).presence is Presence.CHANGED


def test_a_link_is_the_file_that_it_leads_to(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(path)
    row = recorded(path)
    assert look(link, row).presence is Presence.SAME
    path.unlink()
    assert look(link, row) == (Presence.MISSING, 0)


@pytest.mark.parametrize("name", ["gone.mp4", "gone/video.mp4", "video.mp4/video.mp4", "nul\0.mp4", "n" * 300])
def test_what_cannot_be_looked_at_is_missing(path: Path, name: str) -> None:
    assert look(path.parent / name, recorded(path)) == (Presence.MISSING, 0)


def test_links_that_lead_to_each_other_are_missing(path: Path) -> None:
    one, two = path.parent / "one", path.parent / "two"
    one.symlink_to(two)
    two.symlink_to(one)
    assert look(one, recorded(path)).presence is Presence.MISSING
