"""Clips that are made once, and sites."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from curri.media.tools import Ffmpeg
from media.clips import Clips
from support.encoder import ffmpeg as ffmpeg  # with all else that a folder takes from here

from .site import Site, opened

Open = Callable[..., Site]


class Films:
    """The contents of small videos, each another one for another number."""

    def __init__(self, clips: Clips) -> None:
        self.clips = clips

    def plain(self, number: int = 0, *, size: int = 0) -> bytes:
        """Return a video of a second that is sent as it is; with `size`, of so many bytes."""
        return _filled(self.clips("plain.mp4").read_bytes(), number, size)

    def heavy(self, number: int = 0) -> bytes:
        """Return a video of a second that is worth encoding."""
        return _filled(self.clips("heavy.mp4").read_bytes(), number, 0)

    def long(self) -> bytes:
        """Return a video of ten seconds that is worth encoding."""
        return self.clips("long.mp4").read_bytes()

    def cut(self) -> bytes:
        """Return the first half of a video."""
        return self.clips("half-of-plain.mp4").read_bytes()


def _filled(film: bytes, number: int, size: int) -> bytes:
    """Return an MP4 file with a box behind it that players pass over."""
    length = max(size - len(film), 16)
    return film + length.to_bytes(4, "big") + b"free" + number.to_bytes(length - 8, "big")


@pytest.fixture(scope="session")
def films(tool: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Films:
    return Films(Clips(tmp_path_factory.mktemp("clips"), tool))


@pytest.fixture
def open_site(tmp_path: Path, url: str) -> Iterator[Open]:
    """Return a function that opens the test's site, with settings for its sandbox."""
    with ExitStack() as stack:

        def enter(**settings: Any) -> Site:
            made: AbstractContextManager[Site] = opened(tmp_path, url, **settings)
            return stack.enter_context(made)

        yield enter


@pytest.fixture
def site(open_site: Open) -> Site:
    """Return a site whose Stream has every video ready at once."""
    return open_site()


@pytest.fixture
def encoding(site: Site, ffmpeg: str) -> Site:
    """Return a site that has an ffmpeg."""
    site.variables["CURRI_FFMPEG"] = ffmpeg
    return site


@pytest.fixture
def three(site: Site, films: Films) -> Site:
    """Return a site with three small videos in three lessons."""
    site.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in (1, 2, 3)}})
    return site
