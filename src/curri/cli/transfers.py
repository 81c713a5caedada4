"""Progress of an upload: rows for what is encoded and sent on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO, Protocol

from curri.cli.area import Area, Rate, fitting
from curri.cli.output import Output
from curri.cli.progress import INTERVAL
from curri.flow.worker import Progress
from curri.plan.quantities import amount, clock_text, rate_text

Clock = Callable[[], float]


class Shown(Progress, Protocol):
    """Progress that shares its stream with other lines."""

    @property
    def unended(self) -> int:
        """Videos that the run has begun with and not ended."""

    def beside(self, write: Callable[[], None]) -> None:
        """Have something written without being in its way."""

    def close(self) -> None:
        """Show nothing any more."""


class Silent:
    """Shows nothing."""

    unended = 0

    def start(self, videos: int, size: int) -> None: ...

    def encoding(self, name: str, seconds: float, duration: float) -> None: ...

    def sending(self, name: str, acknowledged: int, size: int) -> None: ...

    def ended(self, name: str) -> None: ...

    def beside(self, write: Callable[[], None]) -> None:
        write()

    def close(self) -> None: ...


class Sums:
    """What all videos come to: bytes that Stream acknowledged, their rate, and the time that is left.

    Not locked: whoever holds it sees to that.
    """

    def __init__(self, clock: Clock) -> None:
        self.videos = self.ended = 0
        self._most = 0  # bytes, as long as not every encode is made
        self._sizes: dict[str, int] = {}  # of the files that are sent
        self._at: dict[str, int] = {}  # acknowledged bytes of each
        self._before = 0  # bytes that were on Stream when their file's turn came
        self._lately = Rate(clock)  # of the bytes sent by this run

    def start(self, videos: int, size: int) -> None:
        self.videos, self._most = videos, size

    def acknowledge(self, name: str, acknowledged: int, size: int) -> None:
        """Stream holds so many bytes of a file. What it held when this was first said was not sent by this run."""
        if name not in self._at:
            self._before += acknowledged
        self._at[name] = acknowledged
        self._sizes[name] = size
        self._lately.note(self.done - self._before)

    def end(self, name: str) -> None:
        """A video is done with: whatever is not on Stream by now will not come."""
        self.ended += 1
        self._sizes[name] = self._at.get(name, 0)

    @property
    def unended(self) -> int:
        """Videos that are not done with."""
        return self.videos - self.ended

    @property
    def done(self) -> int:
        """Bytes that are on Stream."""
        return sum(self._at.values())

    @property
    def exact(self) -> bool:
        """Whether the total is known, and no encode can turn out smaller any more."""
        return len(self._sizes) >= self.videos

    @property
    def total(self) -> int:
        """Bytes in the end: as it is known, or at most."""
        known = sum(self._sizes.values())
        return known if self.exact else max(known, self._most)

    @property
    def rate(self) -> float:
        """Bytes a second, lately; 0 if that cannot be said yet."""
        return self._lately.per_second(self.done - self._before)

    @property
    def left(self) -> float | None:
        """Seconds that are left at this rate; None if that cannot be said."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


class Lines:
    """A plain line per interval, for logs and cron mail."""

    def __init__(self, stream: IO[str], clock: Clock = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._sums = Sums(clock)
        self._encoding: dict[str, str] = {}
        self._last = clock()

    def start(self, videos: int, size: int) -> None:
        self._sums.start(videos, size)
        self._last = self._clock()

    def encoding(self, name: str, seconds: float, duration: float) -> None:
        with self._lock:
            self._encoding[name] = f"{name} {_share(seconds, duration):.0%}"
            self._line()

    def sending(self, name: str, acknowledged: int, size: int) -> None:
        with self._lock:
            self._encoding.pop(name, None)
            self._sums.acknowledge(name, acknowledged, size)
            self._line()

    def ended(self, name: str) -> None:
        with self._lock:
            self._encoding.pop(name, None)
            self._sums.end(name)

    @property
    def unended(self) -> int:
        return self._sums.unended

    def beside(self, write: Callable[[], None]) -> None:
        write()

    def close(self) -> None: ...

    def _line(self) -> None:
        now = self._clock()
        if now - self._last < INTERVAL:
            return
        self._last = now
        sums = self._sums
        parts = [
            _videos(sums),
            amount(sums.done, sums.total, " of " if sums.exact else " of at most "),
        ]
        if sums.left is not None:
            parts += [rate_text(sums.rate), f"{sums.left / 60:.0f} min left"]
        encoding = f"; encoding {', '.join(self._encoding.values())}" if self._encoding else ""
        self._stream.write(f"curri: {', '.join(parts)}{encoding}\n")
        self._stream.flush()


class Rows(Area):
    """A row for each video at work, and below them one for all, on a terminal; nothing before the start."""

    def __init__(self, output: Output, clock: Clock = time.monotonic) -> None:
        super().__init__(output)
        self._lock = threading.Lock()  # of what is shown; taken after that of who draws
        self._sums = Sums(clock)
        self._work: dict[str, tuple[str, float, str]] = {}  # name -> what is done, how far (0 to 1), and in bytes

    def start(self, videos: int, size: int) -> None:
        self._sums.start(videos, size)
        if videos:
            self.draw()

    def encoding(self, name: str, seconds: float, duration: float) -> None:
        with self._lock:
            self._work[name] = ("encode", _share(seconds, duration), "")

    def sending(self, name: str, acknowledged: int, size: int) -> None:
        with self._lock:
            self._sums.acknowledge(name, acknowledged, size)
            self._work[name] = ("send", _share(acknowledged, size), amount(acknowledged, size))

    def ended(self, name: str) -> None:
        with self._lock:
            self._sums.end(name)
            self._work.pop(name, None)

    @property
    def unended(self) -> int:
        return self._sums.unended

    def rows(self, *, wide: bool) -> list[tuple[str, float, str]]:
        """Return label, share done (0 to 1) and how much that is, for each video at work and then for all."""
        with self._lock:
            shown = [
                (f"{what:<6} {name}", share, size if wide and size else f"{share:.0%}")
                for name, (what, share, size) in self._work.items()
            ]
            return [*shown, self._all(wide=wide)]

    def _all(self, *, wide: bool) -> tuple[str, float, str]:
        sums = self._sums
        left = sums.left
        size = amount(sums.done, sums.total)
        if self._output.stopping:
            return "stopping; once more: at once", _share(sums.done, sums.total), size if wide else ""
        if sums.ended >= sums.videos:
            return f"{_videos(sums)}, waiting for Stream" if wide else "waiting for Stream", 1.0, size
        parts = [_videos(sums) if wide else f"{sums.ended} of {sums.videos}"]
        if left is not None:
            parts += [rate_text(sums.rate), f"{clock_text(left)} left"] if wide else [f"{clock_text(left)} left"]
        return ", ".join(parts), _share(sums.done, sums.total), size


def _videos(sums: Sums) -> str:
    return f"{sums.ended} of {sums.videos} video{'' if sums.videos == 1 else 's'}"


def _share(done: float, total: float) -> float:
    return min(max(done / total, 0.0), 1.0) if total > 0 else 0.0


def sending(output: Output) -> AbstractContextManager[Shown]:
    """Show progress the way that fits where standard error goes."""
    return fitting(output, Silent, lambda: Rows(output), lambda: Lines(output.err))
