"""Progress of `curri fix-metadata`: the time that is left is right from the first edit to the last."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from curri.cli import edits
from curri.cli.edits import Lines, Pace, Row, Shown, Silent
from curri.cli.output import Output
from curri.cli.progress import INTERVAL
from curri.flow.fix_metadata import CALLS
from curri.stream.budget import Budget
from curri.stream.pause import Clock as StreamClock
from curri.stream.pause import Stop


class Clock(StreamClock):
    """Time in which waiting takes none."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.time

    def pause(self, seconds: float, stop: Stop) -> None:  # noqa: ARG002 - the signature is that of the real one
        self.time += seconds


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


REQUEST = 0.1
"""Seconds that Stream takes for an answer."""


class Run:
    """Edits videos as the flow does, against a budget of calls."""

    def __init__(self, clock: Clock, videos: int, headers: dict[str, str] | None = None) -> None:
        self.clock, self.videos, self.headers = clock, videos, headers
        self.budget = Budget(clock)

    def least(self, videos: int) -> float:
        return self.budget.least(videos * CALLS)

    def edit(self) -> None:
        for _ in range(CALLS):
            self.budget.take(Stop())
            self.clock.time += REQUEST
            self.budget.settle(self.headers or {})

    def foretold(self, pace: Pace) -> Iterator[tuple[int, float, float | None]]:
        """Yield, after each edit, how many are done, when that was, and what was said to be left."""
        pace.start(self.videos, self.least)
        for done in range(1, self.videos + 1):
            self.edit()
            pace.advance()
            yield done, self.clock.time, pace.left


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("videos", [20, 150, 3000])
def test_the_time_left_is_right_all_along(clock: Clock, videos: int) -> None:
    """The first hundred edits go fast: their rate says nothing of the thousands behind them."""
    told = list(Run(clock, videos).foretold(Pace(clock.now)))
    end = told[-1][1]
    for _, at, left in told:
        assert left is not None
        assert left == pytest.approx(end - at, rel=0.1, abs=5)
    if videos == 3000:
        assert end - 1000 > 1500  # most of an hour, by the limit of 1,200 calls in 5 minutes


def test_the_time_left_grows_when_others_use_up_the_calls(clock: Clock) -> None:
    """Stream says what is left of the limit, for all tools together."""
    run = Run(clock, 400, {"ratelimit": '"default";r=60;t=120'})
    pace = Pace(clock.now)
    pace.start(400, run.least)
    for _ in range(3):
        run.edit()
        pace.advance()
    # Until the count begins anew, 60 calls in 120 s; then as many as ever: 794 calls are left.
    assert pace.left == pytest.approx(120 + (794 - 60 - 58) / (1000 / 300), rel=0.1)


def test_before_the_first_edit_nothing_is_foretold(clock: Clock) -> None:
    pace = Pace(clock.now)
    assert (pace.rate, pace.left) == (0.0, None)
    pace.start(3, lambda _: 0.0)
    assert (pace.rate, pace.left) == (0.0, None)


def test_the_rate_is_that_of_the_last_two_minutes(clock: Clock) -> None:
    pace = Pace(clock.now)
    pace.start(1000, lambda _: 0.0)
    for seconds in [0.1] * 300 + [2.0] * 100:
        clock.time += seconds
        pace.advance()
    assert pace.rate == pytest.approx(0.5, rel=0.05)


# --- off a terminal


def test_a_long_run_prints_one_line_per_interval_with_rate_and_time_left(clock: Clock) -> None:
    stream = io.StringIO()
    lines = Lines(stream, clock.now)
    lines.start(300, lambda _: 0.0)
    for _ in range(3):
        clock.time += INTERVAL / 2
        lines.advance()
    assert stream.getvalue() == "curri: 2 of 300 videos edited, 4 a minute, 74 min left\n"


def test_a_short_run_prints_nothing(clock: Clock) -> None:
    stream = io.StringIO()
    lines = Lines(stream, clock.now)
    lines.start(2, lambda _: 0.0)
    clock.time += INTERVAL - 1
    lines.advance()
    lines.advance()
    assert stream.getvalue() == ""


# --- on a terminal


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    return Output(out=Terminal(), err=Terminal())


def test_the_row_tells_how_many_how_fast_and_how_long(output: Output, clock: Clock) -> None:
    row = Row(output, clock.now)
    row.start(300, lambda _: 0.0)
    assert row.rows(wide=True) == [("edit   0 of 300 videos", 0.0, "")]
    for _ in range(3):
        clock.time += 1
        row.advance()
    assert row.rows(wide=True) == [("edit   3 of 300 videos, 60 a minute", 0.01, "4:57 left")]
    assert row.rows(wide=False) == [("edit   3 of 300 videos", 0.01, "4:57 left")]
    output.stopping = True
    assert row.rows(wide=True) == [("stopping; once more: at once", 0.01, "3 of 300 videos")]
    row.close()


def test_the_row_is_away_while_a_line_is_written_and_in_the_end(output: Output, clock: Clock) -> None:
    row = Row(output, clock.now)
    row.start(3, lambda _: 0.0)
    assert output.rows == 1
    there: list[int] = []
    row.beside(lambda: there.append(output.rows))
    assert (there, output.rows) == ([0], 1)
    row.close()
    assert output.rows == 0


def test_where_there_is_nothing_to_edit_nothing_is_drawn(output: Output) -> None:
    with edits.editing(output) as shown:
        shown.start(0, lambda _: 0.0)
    assert isinstance(output.err, Terminal)
    assert output.err.getvalue() == ""


@pytest.mark.parametrize(
    ("quiet", "err", "kind"),
    [
        (False, Terminal(), Row),
        (False, io.StringIO(), Lines),
        (True, Terminal(), Silent),
        (True, io.StringIO(), Silent),
    ],
)
def test_progress_fits_where_it_goes(quiet: bool, err: io.StringIO, kind: type[Shown]) -> None:
    output = Output(out=io.StringIO(), err=err)
    output.quiet = quiet
    with edits.editing(output) as shown:
        assert isinstance(shown, kind)


def test_silence_writes_what_it_is_given() -> None:
    written: list[int] = []
    silent = Silent()
    silent.start(1, lambda _: 0.0)
    silent.advance()
    silent.beside(lambda: written.append(1))
    Lines(io.StringIO()).beside(lambda: written.append(2))
    assert written == [1, 2]
