"""Progress of an upload: rows for what is encoded and sent on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol

from rich.markup import escape

from curri.cli.output import Output
from curri.cli.progress import INTERVAL
from curri.flow.worker import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID


class Shown(Progress, Protocol):
    """Progress that shares its stream with other lines."""

    def beside(self, write: Callable[[], None]) -> None:
        """Have something written without being in its way."""


class Silent:
    """Shows nothing."""

    def start(self, videos: int, size: int) -> None: ...

    def encoding(self, name: str, seconds: float, duration: float) -> None: ...

    def sending(self, name: str, acknowledged: int, size: int) -> None: ...

    def ended(self, name: str) -> None: ...

    def beside(self, write: Callable[[], None]) -> None:
        write()


class _Counted:
    """The sums that both ways of showing need: bytes acknowledged by Stream, and videos that ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.videos = self.ended = 0
        self.total = self.done = 0  # bytes; the total shrinks as encodes turn out smaller than they might
        self._at: dict[str, int] = {}

    def acknowledge(self, name: str, acknowledged: int) -> None:
        """Stream holds so many bytes of a video. What was there before this run counts as done too."""
        self.done += acknowledged - self._at.get(name, 0)
        self._at[name] = acknowledged


class Lines:
    """A plain line per interval, for logs and cron mail."""

    def __init__(self, stream: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._sums = _Counted()
        self._encoding: dict[str, str] = {}
        self._began = self._last = clock()

    def start(self, videos: int, size: int) -> None:
        self._sums.videos, self._sums.total = videos, size
        self._began = self._last = self._clock()

    def encoding(self, name: str, seconds: float, duration: float) -> None:
        with self._sums.lock:
            share = min(seconds / duration, 1.0) if duration else 0.0
            self._encoding[name] = f"{name} {share:.0%}"
            self._line()

    def sending(self, name: str, acknowledged: int, size: int) -> None:  # noqa: ARG002 - a line tells of all together
        with self._sums.lock:
            self._encoding.pop(name, None)
            self._sums.acknowledge(name, acknowledged)
            self._line()

    def ended(self, name: str) -> None:
        with self._sums.lock:
            self._encoding.pop(name, None)
            self._sums.ended += 1

    def beside(self, write: Callable[[], None]) -> None:
        write()

    def _line(self) -> None:
        now = self._clock()
        if now - self._last < INTERVAL:
            return
        self._last = now
        sums = self._sums
        rate = sums.done / (now - self._began)
        encoding = f"; encoding {', '.join(self._encoding.values())}" if self._encoding else ""
        self._stream.write(
            f"curri: {sums.ended} of {sums.videos} videos, {sums.done / 1e9:.2f} of at most {sums.total / 1e9:.2f} GB,"
            f" {rate / 1e6:.1f} MB/s{encoding}\n"
        )
        self._stream.flush()


class Rows:
    """A row for each video at work, and one for all, on a terminal."""

    def __init__(self, stream: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        self._clock = clock
        self._began = clock()
        self._sums = _Counted()
        self._tasks: dict[str, TaskID] = {}
        self.rich = RichProgress(
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=10),
            TextColumn("{task.fields[amount]}", table_column=Column(no_wrap=True, justify="right")),
            TimeRemainingColumn(compact=True),
            console=Console(file=stream),
            transient=True,
            expand=True,
        )
        self._all = self.rich.add_task("", total=None, visible=False, amount="")

    def start(self, videos: int, size: int) -> None:
        self._began = self._clock()
        self._sums.videos, self._sums.total = videos, size
        self._show_all()

    def encoding(self, name: str, seconds: float, duration: float) -> None:
        with self._sums.lock:
            share = min(seconds / duration, 1.0) if duration else 0.0
            self._row(name, f"encode {name}", seconds, duration, f"{share:.0%}")

    def sending(self, name: str, acknowledged: int, size: int) -> None:
        with self._sums.lock:
            self._sums.acknowledge(name, acknowledged)
            self._row(name, f"send   {name}", acknowledged, size, f"{acknowledged / 1e6:.1f} of {size / 1e6:.1f} MB")
            self._show_all()

    def ended(self, name: str) -> None:
        with self._sums.lock:
            self._sums.ended += 1
            if (task := self._tasks.pop(name, None)) is not None:
                self.rich.remove_task(task)
            self._show_all()

    def beside(self, write: Callable[[], None]) -> None:
        """Take the rows away, and show them again below what was written."""
        with self._sums.lock:
            self.rich.stop()
            write()
            self.rich.start()

    def _row(self, name: str, what: str, done: float, total: float, amount: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self.rich.add_task(escape(what), total=total or None, amount=amount)
        self.rich.update(
            self._tasks[name], description=escape(what), completed=done, total=total or None, amount=amount
        )

    def _show_all(self) -> None:
        sums = self._sums
        rate = sums.done / max(self._clock() - self._began, 0.1)
        self.rich.update(
            self._all,
            description=f"{sums.ended} of {sums.videos} videos",
            completed=sums.done,
            total=sums.total or None,
            visible=sums.videos > 0,
            amount=f"{sums.done / 1e6:.1f} MB, {rate / 1e6:.1f} MB/s",
        )


@contextmanager
def sending(output: Output) -> Iterator[Shown]:
    """Show progress the way that fits where standard error goes."""
    if output.quiet:
        yield Silent()
    elif output.err.isatty():
        rows = Rows(output.err)
        with rows.rich:
            yield rows
    else:
        yield Lines(output.err)
