"""A machine on which the commands of the documents can be tried: the example, a database, a Stream, and `curri`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from curri.sandbox import Sandbox, SandboxSettings, Timings
from support.command import clean_environment
from upload.site import AT_ONCE

from .pages import TOP
from .preloaded import program

EXAMPLE = TOP / "curriculum.example"


class Machine(NamedTuple):
    """Where the commands are tried."""

    home: Path
    curri: Path
    box: Sandbox
    environment: dict[str, str]

    @property
    def curriculum(self) -> Path:
        """A copy of the example."""
        return self.home / "curriculum"


@contextmanager
def machine(home: Path, url: str, timings: Timings = AT_ONCE, *, encodes: bool = False) -> Iterator[Machine]:
    """Yield a machine with a copy of the example; nothing is imported yet.

    Encoding its large recording takes longer than everything else. Unless asked for, another clip stands in for it.
    """
    copy = home / "curriculum"
    shutil.copytree(EXAMPLE, copy, copy_function=shutil.copyfile)
    if not encodes:
        film = (copy / "Course_02/Lesson_03/learning/video.mp4").read_bytes()
        (copy / "Course_02/Lesson_02/learning/video.mov").write_bytes(film + b"\0\0\0\x08free")
    with program(home / "bin") as curri, Sandbox(SandboxSettings(timings=timings)) as box:
        environment = clean_environment(
            home,
            CURRI_DATABASE_URL=url,
            CLOUDFLARE_ACCOUNT_ID=box.account_id,
            CLOUDFLARE_API_TOKEN=box.token,
            CURRI_STREAM_URL=box.url,
            CURRI_LISTING_DELAY="0",
        )
        yield Machine(home, curri, box, {**environment, "PATH": f"{curri.parent}:{os.environ['PATH']}"})
