"""The bytes of the few small files that the walk itself reads: titles and ignore rules."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def beginning(path: Path, size: int = -1) -> bytes:
    """Return the first `size` bytes of a regular file (all of it by default).

    Raises OSError, also if there is a pipe, device or socket at `path`: to read one might wait for ever.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return file.read(size)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # opening a pipe would wait for a writer
