"""Rows of progress at the foot of a terminal, which share it with the lines that a command prints."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from curri.cli.output import Output
from curri.plan.text import harmless

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

T = TypeVar("T")

WIDE = 60
"""Columns of a terminal from which on a row has a bar and bytes; below there is room for a percentage."""
BAR = 10
WINDOW = 120.0
"""Seconds over which a rate is the mean: Stream acknowledges whole chunks, which may be a minute apart."""
MARGIN = 4
"""Columns left free at the right: the terminal writes ^C there, and would go to another line if there was no room."""
REFRESHES = 4
"""Times a second that the rows are drawn anew."""


class Rate:
    """How much a second, lately. Not locked: whoever holds it sees to that."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()  # (time, done by then)

    def note(self, done: int) -> None:
        """So much is done by now."""
        now = self._clock()
        while len(self._samples) > 1 and self._samples[1][0] <= now - WINDOW:
            self._samples.popleft()
        self._samples.append((now, done))

    def per_second(self, done: int) -> float:
        """Return the rate up to now, when so much is done; 0 if that cannot be said yet."""
        if not self._samples:
            return 0.0
        since, before = self._samples[0]
        seconds = self._clock() - since
        return (done - before) / seconds if seconds > 0 else 0.0


class Area(ABC):
    """Rows that are drawn over and over until they are taken away; nothing before `draw`."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._screen = threading.Lock()  # of who draws
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def rows(self, *, wide: bool) -> list[tuple[str, float, str]]:
        """Return label, share done (0 to 1) and what stands at the right, of each row. Called from another thread."""

    def draw(self) -> None:
        """Show the rows from now on."""
        with self._screen:
            self._draw()

    def beside(self, write: Callable[[], None]) -> None:
        """Take the rows away, and draw them again below what was written."""
        with self._screen:
            drawn = self._live is not None
            self._clear()
            write()
            if drawn:
                self._draw()

    def close(self) -> None:
        """Take the rows away for good."""
        with self._screen:
            self._clear()

    def _draw(self) -> None:
        # A new one each time: it would go up over the rows of its former life, and over what was written meanwhile.
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            get_renderable=self._shown,
            console=Console(file=self._output.err),
            refresh_per_second=REFRESHES,
            transient=True,
        )
        self._live.start(refresh=True)

    def _clear(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._output.rows = 0

    def _shown(self) -> RenderableType:
        from rich.console import Console
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        width = Console(file=self._output.err).width
        wide = width >= WIDE
        table = Table.grid(padding=(0, 1, 0, 0), expand=True)
        table.width = max(width - MARGIN, 1)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        if wide:
            table.add_column(width=BAR)
        table.add_column(no_wrap=True, justify="right")
        rows = self.rows(wide=wide)
        for label, share, size in rows:
            bar = [ProgressBar(total=1.0, completed=share, width=BAR, complete_style="green")] if wide else []
            table.add_row(Text(harmless(label)), *bar, Text(size))
        self._output.rows = len(rows)
        return table


def fitting(
    output: Output,
    silent: Callable[[], T],
    rows: Callable[[], AbstractContextManager[T]],
    lines: Callable[[], T],
) -> AbstractContextManager[T]:
    """Return the progress that fits where standard error goes; rows are taken away at the end."""
    if output.quiet:
        return nullcontext(silent())
    return rows() if output.draws else nullcontext(lines())
