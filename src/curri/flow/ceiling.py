"""Stream works on 120 videos at once, and refuses more: wait for room rather than be refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from curri.errors import StreamError
from curri.plan.status import IN_PROCESSING
from curri.stream import failures
from curri.stream.pause import Clock, Stop
from curri.stream.videos import Videos

T = TypeVar("T")

LIMIT = 120
"""Videos queued or encoding at one time in an account (Cloudflare's FAQ of Stream)."""
LOOK_SECONDS = 30.0
LONGEST_WAIT = 3600.0
"""Seconds without any room after which one gives up: something is stuck, and a person should know."""


class Ceiling:
    """How many videos are in processing: as listed last, and those sent since. Shared by all threads."""

    def __init__(self, videos: Videos, clock: Clock | None = None) -> None:
        self._videos = videos
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._listed = 0
        self._since = 0

    def count(self) -> int:
        """Ask Stream how many videos are in processing: two requests.

        That a listing holds only what it was asked for is documented and not relied on: each video says its state. One
        that gets on from one state to the other between the two requests is one video.
        """
        listed = [video for state in IN_PROCESSING for video in self._videos.listing(status=state)]
        busy = len({video.uid for video in listed if video.state in IN_PROCESSING})
        with self._lock:
            self._listed, self._since = busy, 0
        return busy

    def sent(self) -> None:
        """Say that one more video has begun to be processed."""
        with self._lock:
            self._since += 1

    def under(self, stop: Stop, work: Callable[[], T]) -> T:
        """Do `work` when there is room; again, if Stream says all the same that there is none.

        Raises Stopped, TooManyProcessing after an hour without room, and what `work` raises.
        """
        waited = 0.0
        while True:
            if self._full():
                while self.count() >= LIMIT:
                    waited = self._wait(waited, None, stop)
            try:
                return work()
            except failures.TooManyProcessing as full:
                waited = self._wait(waited, full, stop)

    def _full(self) -> bool:
        with self._lock:
            return self._listed + self._since >= LIMIT

    def _wait(self, waited: float, why: StreamError | None, stop: Stop) -> float:
        if waited >= LONGEST_WAIT:
            raise why or failures.failure(
                failures.TooManyProcessing, f"Stream has been working on {LIMIT} videos for an hour"
            )
        self._clock.pause(LOOK_SECONDS, stop)
        return waited + LOOK_SECONDS
