"""Videos, jobs and a clock for the tests of an upload's parts: what is not given is like in any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from curri.flow.jobs import Job
from curri.media.probe import Audio, Probed, Unusable, Video
from curri.model import AssetRow, RecordedVideo
from curri.plan.uploads import judge
from curri.stream.pause import Clock, Stop

SHA1 = "1" * 40
ROW = AssetRow("a", "c", "learning/video.mp4", "source", "video/mp4", 1_000_000, 1, 1, 1, SHA1, 1, 9)
VIDEO = RecordedVideo(
    "id", "learning", "learning/video.mp4", "k", "course_01", "One", "/data", "l", "01", "First", ROW, None, (), ()
)
PICTURE = Video(
    *(0, "AVC", None, None, 1920, 1080, 0, 1.0, Fraction(25), False, 8, "4:2:0"),
    *(False, None, None, None, None, None, False, 10.0),
)
PROBED = Probed("MPEG-4", 1_000_000, 10.0, PICTURE, Audio("AAC", "LC", "", 2, 48_000, 10.0), 1, 1, 0)
HEAVY = replace(PROBED, size=100_000_000)
"""80 Mbit/s: worth encoding."""


def job(number: int, *, encodes: bool = False, seconds: float = 60.0, size: int = 1000) -> Job:
    """A job that is told by its number."""
    video = replace(VIDEO, id=f"id-{number}", lesson=f"{number:02d}")
    probed: Probed | Unusable = replace(PROBED, duration=seconds)
    action = "encode" if encodes else "passthrough"
    name = f"course_01_L{number:02d}_learning"
    return Job(video, name, judge(video), Path("/nowhere"), 0, False, None, probed, action, "why", size, encodes)


class FakeClock(Clock):
    """Time that passes only when someone waits."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.waits: list[float] = []
        self.on_pause: Callable[[], None] = lambda: None

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float, stop: Stop) -> None:
        stop.check()
        self.waits.append(seconds)
        self.time += seconds
        self.on_pause()
        stop.check()
