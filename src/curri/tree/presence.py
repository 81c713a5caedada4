"""Whether a recorded file is still the one on disk, by its stat alone."""

from __future__ import annotations

import os
import stat
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from curri.model import AssetRow
from curri.plan.comparison import trusted
from curri.tree.layout import fingerprint


class Presence(Enum):
    """What the stat of a file says."""

    SAME = "same"
    """Size, times and inode are as recorded: so are the bytes."""
    DOUBTFUL = "doubtful"
    """The size is as recorded, something else is not (another host, a copy): only the bytes can tell."""
    CHANGED = "changed"
    MISSING = "missing"


class Seen(NamedTuple):
    """A file as it was seen. `mtime_ns` is its modification time then."""

    presence: Presence
    mtime_ns: int = 0


def look(path: Path, row: AssetRow) -> Seen:
    """Look at a file. Never raises: what cannot be looked at is missing."""
    try:
        status = os.stat(path)  # noqa: PTH116 - the file that a link leads to, as the walk has it
    except (OSError, ValueError):
        return Seen(Presence.MISSING)
    if not stat.S_ISREG(status.st_mode) or status.st_size != row.size:
        return Seen(Presence.CHANGED, status.st_mtime_ns)
    same = fingerprint(status) == (row.size, row.mtime_ns, row.ctime_ns, row.inode) and trusted(row)
    return Seen(Presence.SAME if same else Presence.DOUBTFUL, status.st_mtime_ns)
