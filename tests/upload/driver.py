"""Runs `curri` in this process with a few things changed that no setting changes.

python driver.py CHANGE[,CHANGE...] ARGUMENT...
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

from curri.cli.main import main
from curri.flow import ceiling
from curri.media import probe
from curri.stream.pause import Stop
from curri.stream.retry import Patience
from curri.stream.wire import Wire

MARK = "TEST_MARK"
"""The variable that names the file which `telling` makes."""

Usage = namedtuple("Usage", "total used free")


def impatient() -> None:
    """Give up on Stream after three tries within a tenth of a second."""
    Patience.__init__.__defaults__ = (3, 0.01, 0.02, 0.1)


def telling() -> None:
    """Make a file as soon as the run knows that it is to end."""
    finish = Stop.finish

    def told(stop: Stop) -> None:
        finish(stop)
        Path(os.environ[MARK]).touch()

    setattr(Stop, "finish", told)  # noqa: B010


def looking() -> None:
    """Look for room on Stream all the time, where one looks twice a minute."""
    ceiling.LOOK_SECONDS = 0.1


def filling() -> None:
    """Let the disk be empty for the first look at it, and full from then on."""
    looks = iter([1 << 40])

    def usage(_: Any) -> Usage:
        free = next(looks, 0)
        return Usage(1 << 40, (1 << 40) - free, free)

    setattr(shutil, "disk_usage", usage)  # noqa: B010


def breaking() -> None:
    """Have a bug where a request is made: deep in the code that holds the secrets."""

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    setattr(Wire, "__init__", broken)  # noqa: B010


def unreadable() -> None:
    """Let the disk give no bytes of the second lesson."""
    real = probe._open

    def opened(path: Path) -> Any:
        if "Lesson_02" in path.parts:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path)

    setattr(probe, "_open", opened)  # noqa: B010


CHANGES = {each.__name__: each for each in (impatient, telling, looking, filling, breaking, unreadable)}


if __name__ == "__main__":
    for name in sys.argv.pop(1).split(","):
        CHANGES[name]()
    main()
