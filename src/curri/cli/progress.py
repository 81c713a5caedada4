"""Progress of reading: a bar on a terminal, now and then a plain line elsewhere, nothing when quiet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from curri.cli.output import Output
from curri.flow.importing import Progress

INTERVAL = 30.0
"""Seconds between two plain lines: a short run prints none, an hour in a log is 120 lines."""


class Silent:
    """Shows nothing."""

    def start(self, files: int, size: int) -> None: ...

    def advance(self, size: int) -> None: ...


class Lines:
    """A plain line per interval, for logs and cron mail."""

    def __init__(self, stream: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._began = self._last = clock()
        self._total = self._done = 0

    def start(self, files: int, size: int) -> None:
        self._total, self._done = size, 0
        self._began = self._last = self._clock()
        self._files = files

    def advance(self, size: int) -> None:
        with self._lock:
            self._done += size
            now = self._clock()
            if now - self._last < INTERVAL:
                return
            self._last = now
            rate = self._done / (now - self._began)
            left = (self._total - self._done) / rate if rate else 0
            self._stream.write(
                f"curri: read {self._done / 1e9:.2f} of {self._total / 1e9:.2f} GB in {self._files} files,"
                f" {rate / 1e6:.0f} MB/s, {left / 60:.0f} min left\n"
            )
            self._stream.flush()


class Bar:
    """A bar with rate and time left, on a terminal."""

    def __init__(self, stream: IO[str]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as RichProgress

        self.rich = RichProgress(
            TextColumn("reading"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._task = self.rich.add_task("reading", total=None, visible=False)

    def start(self, files: int, size: int) -> None:
        self.rich.update(self._task, total=size, visible=files > 0)

    def advance(self, size: int) -> None:
        self.rich.advance(self._task, size)


@contextmanager
def reading(output: Output) -> Iterator[Progress]:
    """Show progress the way that fits where standard error goes."""
    if output.quiet:
        yield Silent()
    elif output.draws:
        bar = Bar(output.err)
        with bar.rich:
            yield bar
    else:
        yield Lines(output.err)
