"""Progress of an upload: what the numbers are, and where they are shown."""

from __future__ import annotations

import io
import re
from functools import partial

import pytest

from curri.cli import transfers
from curri.cli.area import WINDOW
from curri.cli.output import Output
from curri.cli.progress import INTERVAL
from curri.cli.transfers import Lines, Rows, Shown, Silent, Sums

MB = 1_000_000
ONE, TWO = "course_01_L01_learning", "course_01_L02_learning"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


# --- the numbers


@pytest.fixture
def sums(clock: Clock) -> Sums:
    made = Sums(clock)
    made.start(2, 30 * MB)
    return made


def test_what_is_acknowledged_adds_up_over_the_files(sums: Sums) -> None:
    sums.acknowledge(ONE, 0, 10 * MB)
    sums.acknowledge(ONE, 5 * MB, 10 * MB)
    sums.acknowledge(TWO, 2 * MB, 4 * MB)
    assert sums.done == 7 * MB
    sums.acknowledge(ONE, 4 * MB, 10 * MB)  # Stream may name less than before
    assert sums.done == 6 * MB


def test_the_total_is_what_it_is_at_most_until_all_sizes_are_known(sums: Sums) -> None:
    assert (sums.total, sums.exact) == (30 * MB, False)
    sums.acknowledge(ONE, 0, 10 * MB)
    assert (sums.total, sums.exact) == (30 * MB, False)
    sums.acknowledge(TWO, 0, 4 * MB)
    assert (sums.total, sums.exact) == (14 * MB, True)


def test_a_total_that_is_passed_grows(sums: Sums) -> None:
    sums.acknowledge(ONE, 0, 50 * MB)
    assert sums.total == 50 * MB


def test_what_ends_without_being_sent_is_not_waited_for(sums: Sums) -> None:
    sums.acknowledge(ONE, 10 * MB, 10 * MB)
    sums.end(ONE)
    sums.end(TWO)
    assert (sums.ended, sums.done, sums.total, sums.exact) == (2, 10 * MB, 10 * MB, True)


def test_the_rate_is_that_of_this_run(sums: Sums, clock: Clock) -> None:
    """What was on Stream before is done, and was not sent now."""
    assert (sums.rate, sums.left) == (0.0, None)
    sums.acknowledge(ONE, 8 * MB, 20 * MB)
    assert (sums.rate, sums.left) == (0.0, None)
    clock.now += 4
    sums.acknowledge(ONE, 10 * MB, 20 * MB)
    assert sums.rate == 0.5 * MB
    assert sums.left == 40  # 20 MB at most are missing
    sums.acknowledge(TWO, 3 * MB, 10 * MB)
    assert sums.rate == 0.5 * MB


def test_the_rate_is_that_of_the_last_two_minutes(sums: Sums, clock: Clock) -> None:
    sums.start(1, 1000 * MB)
    sums.acknowledge(ONE, 0, 1000 * MB)
    for second in range(1, 31):  # ten megabytes a second for five minutes, then one
        clock.now += 10
        sums.acknowledge(ONE, second * 10 * MB, 1000 * MB)
    assert sums.rate == pytest.approx(MB)
    for second in range(1, 31):
        clock.now += 10
        sums.acknowledge(ONE, (300 + second) * MB, 1000 * MB)
    assert sums.rate == pytest.approx(0.1 * MB)
    assert sums.left == pytest.approx(6700)


def test_a_chunk_that_takes_longer_than_that_still_has_a_rate(sums: Sums, clock: Clock) -> None:
    sums.acknowledge(ONE, 0, 100 * MB)
    clock.now += 2 * WINDOW
    sums.acknowledge(ONE, 50 * MB, 100 * MB)
    assert sums.rate == pytest.approx(50 * MB / (2 * WINDOW))


def test_a_rate_sinks_while_nothing_moves(sums: Sums, clock: Clock) -> None:
    sums.acknowledge(ONE, 0, 30 * MB)
    clock.now += 10
    sums.acknowledge(ONE, 10 * MB, 30 * MB)
    assert sums.rate == MB
    clock.now += 10
    assert sums.rate == MB / 2


# --- where nobody watches


def test_a_log_gets_one_line_per_interval(clock: Clock) -> None:
    stream = io.StringIO()
    lines = Lines(stream, clock)
    lines.start(2, 300 * MB)
    lines.encoding(ONE, 0.0, 60.0)
    lines.sending(TWO, 0, 100 * MB)
    clock.now += INTERVAL / 2
    lines.sending(TWO, 20 * MB, 100 * MB)
    clock.now += INTERVAL / 2
    lines.encoding(ONE, 27.0, 60.0)
    lines.sending(TWO, 30 * MB, 100 * MB)
    assert stream.getvalue() == (
        f"curri: 0 of 2 videos, 20.0 of at most 300.0 MB, 666.7 kB/s, 7 min left; encoding {ONE} 45%\n"
    )
    stream.truncate(0)
    stream.seek(0)
    lines.ended(TWO)
    lines.sending(ONE, 0, 50 * MB)
    clock.now += INTERVAL
    lines.sending(ONE, 10 * MB, 50 * MB)
    assert stream.getvalue() == "curri: 1 of 2 videos, 40.0 of 80.0 MB, 666.7 kB/s, 1 min left\n"


def test_a_log_tells_of_an_encode_before_anything_is_sent(clock: Clock) -> None:
    stream = io.StringIO()
    lines = Lines(stream, clock)
    lines.start(1, 300 * MB)
    clock.now += INTERVAL
    lines.encoding(ONE, 90.0, 60.0)  # never more than all of it
    lines.ended(ONE)
    clock.now += INTERVAL
    lines.encoding(TWO, 1.0, 0.0)  # a duration that is not known
    assert stream.getvalue().splitlines() == [
        f"curri: 0 of 1 video, 0.0 of at most 300.0 MB; encoding {ONE} 100%",
        f"curri: 1 of 1 video, 0 of 0 B; encoding {TWO} 0%",
    ]


def test_a_short_run_logs_nothing(clock: Clock) -> None:
    stream = io.StringIO()
    lines = Lines(stream, clock)
    lines.start(1, 100)
    clock.now += INTERVAL - 1
    lines.encoding(ONE, 1.0, 2.0)
    lines.sending(ONE, 100, 100)
    lines.ended(ONE)
    assert stream.getvalue() == ""


# --- on a terminal


@pytest.fixture
def output() -> Output:
    return Output(out=Terminal(), err=Terminal())


@pytest.fixture
def rows(output: Output, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Rows:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    made = Rows(output, clock)
    made._sums.start(3, 60 * MB)
    return made


def test_each_video_at_work_has_a_row_above_the_one_for_all(rows: Rows, clock: Clock) -> None:
    rows.encoding(ONE, 30.0, 60.0)
    rows.sending(TWO, 0, 20 * MB)
    clock.now += 10
    rows.sending(TWO, 5 * MB, 20 * MB)
    assert rows.rows(wide=True) == [
        (f"encode {ONE}", 0.5, "50%"),
        (f"send   {TWO}", 0.25, "5.0 of 20.0 MB"),
        ("0 of 3 videos, 500.0 kB/s, 1:50 left", 5 / 60, "5.0 of 60.0 MB"),
    ]
    assert rows.rows(wide=False) == [
        (f"encode {ONE}", 0.5, "50%"),
        (f"send   {TWO}", 0.25, "25%"),
        ("0 of 3, 1:50 left", 5 / 60, "5.0 of 60.0 MB"),
    ]


def test_a_video_that_is_encoded_goes_on_in_its_row(rows: Rows) -> None:
    rows.encoding(ONE, 30.0, 60.0)
    rows.sending(TWO, 0, 4 * MB)
    rows.sending(ONE, 0, 2 * MB)
    assert [label for label, _, _ in rows.rows(wide=True)] == [f"send   {ONE}", f"send   {TWO}", "0 of 3 videos"]


def test_a_video_that_ended_has_no_row(rows: Rows) -> None:
    rows.sending(ONE, 2 * MB, 2 * MB)
    rows.ended(ONE)
    rows.ended("of which nothing was told")
    assert [label for label, _, _ in rows.rows(wide=True)] == ["2 of 3 videos"]


def test_at_the_end_one_may_have_to_wait_for_stream(rows: Rows) -> None:
    for name in (ONE, TWO, "three"):
        rows.sending(name, MB, MB)
        rows.ended(name)
    assert rows.rows(wide=True) == [("3 of 3 videos, waiting for Stream", 1.0, "3.0 of 3.0 MB")]
    assert rows.rows(wide=False) == [("waiting for Stream", 1.0, "3.0 of 3.0 MB")]


def test_a_stop_is_told_in_the_row_for_all(rows: Rows, output: Output) -> None:
    rows.sending(ONE, 15 * MB, 20 * MB)
    output.stopping = True
    assert rows.rows(wide=True)[-1] == ("stopping; once more: at once", 0.25, "15.0 of 60.0 MB")
    assert rows.rows(wide=False)[-1] == ("stopping; once more: at once", 0.25, "")


def test_rows_are_drawn_from_the_start_and_are_gone_at_the_end(rows: Rows, output: Output) -> None:
    err = output.err
    assert isinstance(err, Terminal)
    rows.beside(lambda: None)
    assert err.getvalue() == ""
    rows.start(3, 60 * MB)
    rows.encoding(ONE, 30.0, 60.0)
    rows.beside(lambda: None)
    assert output.rows == 2
    assert ONE in err.getvalue()
    rows.close()
    assert output.rows == 0
    assert screen(err.getvalue()) == []
    before = err.getvalue()
    rows.close()
    rows.beside(lambda: None)
    assert (output.rows, err.getvalue()) == (0, before)


def test_what_is_written_beside_the_rows_stays(rows: Rows, output: Output) -> None:
    err = output.err
    rows.start(3, 60 * MB)
    rows.encoding(ONE, 30.0, 60.0)
    rows.sending(TWO, 0, 20 * MB)
    for number in range(3):
        rows.beside(partial(print, f"line {number}\nand more of it", file=err))
        rows.ended(TWO)
    rows.close()
    assert isinstance(err, Terminal)
    assert screen(err.getvalue()) == [part for number in range(3) for part in (f"line {number}", "and more of it")]


def test_without_videos_nothing_is_drawn(rows: Rows, output: Output) -> None:
    rows.start(0, 0)
    rows.beside(lambda: None)
    rows.close()
    assert isinstance(output.err, Terminal)
    assert output.err.getvalue() == ""


@pytest.mark.parametrize("columns", [40, 59, 60, 80, 200])
def test_no_row_is_broken_and_there_is_room_for_what_the_terminal_echoes(
    rows: Rows, output: Output, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    rows.start(3, 60_000 * MB)
    rows.sending("course_01_L01_learning_a-very-long-name-of-a-part-of-it", 12_345 * MB, 30_000 * MB)
    rows.encoding("講義", 30.0, 60.0)
    rows.beside(lambda: None)
    rows.close()
    assert isinstance(output.err, Terminal)
    drawn = screen(output.err.getvalue(), erase=False)
    assert drawn
    assert all(len(line) <= columns - 4 for line in drawn)
    assert any("…" in line for line in drawn) == (columns < 100)
    assert any("━" in line for line in drawn) == (columns >= 60)


def screen(written: str, *, erase: bool = True) -> list[str]:
    """Return the lines of a terminal on which this was written; with `erase` off, all that ever stood there."""
    lines = [""]
    row = 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", written):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            continue
        elif part.endswith("A"):
            row -= int(part[2:-1] or 1)
            assert row >= 0, "it went up over the top"
        elif part.endswith("K") and erase:
            lines[row] = ""
        elif not part.startswith("\x1b"):
            lines[row] = lines[row] + part if erase else lines[row]
            if not erase:
                lines.append(part)
    return [line for line in lines if line.strip()]


# --- which of them


@pytest.mark.parametrize(
    ("quiet", "err", "kind"),
    [
        (False, Terminal(), Rows),
        (False, io.StringIO(), Lines),
        (True, Terminal(), Silent),
        (True, io.StringIO(), Silent),
    ],
)
def test_progress_fits_where_it_goes(quiet: bool, err: io.StringIO, kind: type[Shown]) -> None:
    output = Output(out=io.StringIO(), err=err)
    output.quiet = quiet
    with transfers.sending(output) as shown:
        assert isinstance(shown, kind)


def test_rows_are_taken_away_after_an_error(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")

    def work() -> None:
        with transfers.sending(output) as shown:
            shown.start(1, 1)
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert output.rows == 0
    assert isinstance(output.err, Terminal)
    assert screen(output.err.getvalue()) == []


def test_silence_writes_what_it_is_given() -> None:
    silent = Silent()
    written: list[int] = []
    silent.start(1, 1)
    silent.encoding(ONE, 1.0, 2.0)
    silent.sending(ONE, 1, 2)
    silent.ended(ONE)
    silent.beside(lambda: written.append(1))
    Lines(io.StringIO()).beside(lambda: written.append(2))
    assert written == [1, 2]
