"""Progress where nobody watches: a plain line per interval, and none for a short run."""

from __future__ import annotations

import io

import pytest

from curri.cli import progress, transfers
from curri.cli.output import Output
from curri.cli.progress import INTERVAL, Lines, Silent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_long_run_prints_one_line_per_interval_with_rate_and_time_left() -> None:
    clock, stream = Clock(), io.StringIO()
    lines = Lines(stream, clock)
    lines.start(3, 9_000_000_000)
    for _ in range(3):
        clock.now += INTERVAL / 2
        lines.advance(1_500_000_000)
    assert stream.getvalue() == "curri: read 3.00 of 9.00 GB in 3 files, 100 MB/s, 1 min left\n"


def test_a_short_run_prints_nothing() -> None:
    clock, stream = Clock(), io.StringIO()
    lines = Lines(stream, clock)
    lines.start(1, 100)
    clock.now += INTERVAL - 1
    lines.advance(100)
    assert stream.getvalue() == ""


def test_quiet_shows_no_progress() -> None:
    output = Output(err=io.StringIO())
    output.quiet = True
    with progress.reading(output) as shown:
        assert isinstance(shown, Silent)
    output.quiet = False
    with progress.reading(output) as shown:
        assert isinstance(shown, Lines)


@pytest.mark.parametrize(("terminal", "drawn"), [("dumb", False), ("xterm", True)])
def test_a_terminal_that_cannot_go_back_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch, terminal: str, drawn: bool
) -> None:
    monkeypatch.setenv("TERM", terminal)
    output = Output(out=io.StringIO(), err=Terminal())
    with progress.reading(output) as shown:
        assert isinstance(shown, Lines) is not drawn
    with transfers.sending(output) as sent:
        assert isinstance(sent, transfers.Lines) is not drawn
