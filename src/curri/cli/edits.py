"""Progress of `curri fix-metadata`: a row on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO, Protocol

from curri.cli.area import Area, Rate, fitting
from curri.cli.output import Output
from curri.cli.progress import INTERVAL
from curri.flow.fix_metadata import Progress
from curri.plan.quantities import clock_text, counted

Clock = Callable[[], float]


class Shown(Progress, Protocol):
    """Progress that shares its stream with other lines."""

    def beside(self, write: Callable[[], None]) -> None:
        """Have something written without being in its way."""


class Silent:
    """Shows nothing."""

    def start(self, videos: int, least: Callable[[int], float]) -> None: ...

    def advance(self) -> None: ...

    def beside(self, write: Callable[[], None]) -> None:
        write()


class Pace:
    """How fast videos are edited, and how long the rest takes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._least: Callable[[int], float] = lambda _: 0.0
        self._lately = Rate(clock)
        self.videos = self.done = 0

    def start(self, videos: int, least: Callable[[int], float]) -> None:
        self.videos, self.done, self._least = videos, 0, least
        self._lately = Rate(self._clock)
        self._lately.note(0)

    def advance(self) -> None:
        self.done += 1
        self._lately.note(self.done)

    @property
    def rate(self) -> float:
        """Videos a second, lately; 0 if that cannot be said yet."""
        return self._lately.per_second(self.done)

    @property
    def left(self) -> float | None:
        """Seconds that are left; None if that cannot be said.

        At the rate so far, but no fewer than the limit on calls leaves: the first hundred go fast, the rest do not.
        """
        rest = self.videos - self.done
        return max(rest / self.rate, self._least(rest)) if self.rate > 0 else None

    def __str__(self) -> str:
        return f"{self.done} of {counted(self.videos, 'video')}"

    @property
    def rate_text(self) -> str:
        """The rate for people."""
        return f"{self.rate * 60:.0f} a minute"


class Lines:
    """A plain line per interval, for logs and cron mail."""

    def __init__(self, stream: IO[str], clock: Clock = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._pace = Pace(clock)
        self._last = clock()

    def start(self, videos: int, least: Callable[[int], float]) -> None:
        self._pace.start(videos, least)
        self._last = self._clock()

    def advance(self) -> None:
        self._pace.advance()
        now = self._clock()
        if now - self._last < INTERVAL:
            return
        self._last = now
        left = self._pace.left
        told = f", {self._pace.rate_text}, {left / 60:.0f} min left" if left is not None else ""
        self._stream.write(f"curri: {self._pace} edited{told}\n")
        self._stream.flush()

    def beside(self, write: Callable[[], None]) -> None:
        write()


class Row(Area):
    """A row on a terminal."""

    def __init__(self, output: Output, clock: Clock = time.monotonic) -> None:
        super().__init__(output)
        self._lock = threading.Lock()
        self._pace = Pace(clock)

    def start(self, videos: int, least: Callable[[int], float]) -> None:
        with self._lock:
            self._pace.start(videos, least)
        if videos:
            self.draw()

    def advance(self) -> None:
        with self._lock:
            self._pace.advance()

    def rows(self, *, wide: bool) -> list[tuple[str, float, str]]:
        with self._lock:
            pace, left = self._pace, self._pace.left
            share = pace.done / pace.videos if pace.videos else 1.0
            if self._output.stopping:
                return [("stopping; once more: at once", share, str(pace) if wide else "")]
            parts = [f"edit   {pace}"]
            parts += [pace.rate_text] if wide and left is not None else []
            return [(", ".join(parts), share, "" if left is None else f"{clock_text(left)} left")]


def editing(output: Output) -> AbstractContextManager[Shown]:
    """Show progress the way that fits where standard error goes."""
    return fitting(output, Silent, lambda: Row(output), lambda: Lines(output.err))
