"""What is printed: words for people, lines for programs, each item once."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from curri.cli.output import MANY_LINES, Output
from curri.errors import ConfigError, ExitCode
from curri.model import Notice, Outcome, Report, Result

COUNTS = {"courses": 1, "lessons": 2, "files": 9, "new": 9, "rows_changed": 12}


def new(path: str) -> Outcome:
    return Outcome(path, Result.DONE, "new")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(report: Report, **options: bool) -> tuple[list[str], list[str]]:
    out, err = io.StringIO(), io.StringIO()
    output = Output(out=out, err=err)
    for name, value in options.items():
        setattr(output, name, value)
    output.report(report)
    return out.getvalue().splitlines(), err.getvalue().splitlines()


def test_many_new_files_of_a_lesson_share_a_line_and_few_do_not() -> None:
    many = [new(f"Course_01/Lesson_02/slides/{n}.pdf") for n in range(4)]
    few = [new(f"Course_01/Lesson_10/slides/{n}.pdf") for n in range(3)]
    report = Report(ExitCode.OK, COUNTS, (*few, *many))
    out, _ = shown(report)
    assert out[0] == "new       Course_01/Lesson_02 (4 files)"
    assert out[1:4] == [f"new       Course_01/Lesson_10/slides/{n}.pdf" for n in range(3)]
    assert len(shown(report, verbose=True)[0]) == 8


def test_moves_say_from_where_and_title_changes_what_they_were() -> None:
    outcomes = (
        Outcome("Course_01/Lesson_05", Result.DONE, "moved from course_01/02, 6 files"),
        Outcome("Course_01", Result.DONE, 'title is now "B", was "A"'),
        Outcome("Course_01/Lesson_01/a.pdf", Result.DONE, "restored with new content"),
    )
    assert shown(Report(ExitCode.OK, COUNTS, outcomes))[0][:3] == [
        'changed   Course_01: title is now "B", was "A"',
        "restored  Course_01/Lesson_01/a.pdf (with new content)",
        "moved     Course_01/Lesson_05 (from course_01/02, 6 files)",
    ]


def test_a_very_long_list_is_cut_unless_all_is_asked_for() -> None:
    outcomes = tuple(Outcome(f"Course_01/Lesson_01/{n}.pdf", Result.DONE, "changed") for n in range(MANY_LINES + 5))
    out, _ = shown(Report(ExitCode.OK, COUNTS, outcomes))
    assert out[-2] == "... and 5 lines more (--verbose shows all)"
    assert len(shown(Report(ExitCode.OK, COUNTS, outcomes), verbose=True)[0]) == MANY_LINES + 6


def test_what_was_blocked_is_said_even_when_quiet() -> None:
    outcomes = (new("Course_01/a.pdf"), Outcome("Course_01/b.pdf", Result.BLOCKED, "unreadable: Permission denied"))
    out, err = shown(Report(ExitCode.SOME_ITEMS, COUNTS, outcomes), quiet=True)
    assert out == []
    assert err == ["blocked   Course_01/b.pdf: unreadable: Permission denied"]


def test_many_warnings_of_one_rule_are_counted_not_listed() -> None:
    warnings = tuple(Notice("empty-file", f"Course_01/{n}.pdf", "is empty") for n in range(9))
    _, err = shown(Report(ExitCode.OK, COUNTS, (), warnings))
    assert err[0] == "warning   Course_01/0.pdf: is empty [empty-file]"
    assert err[-1] == "warning   6 more of [empty-file] (--verbose shows all)"
    assert len(err) == 4
    assert len(shown(Report(ExitCode.OK, COUNTS, (), warnings), verbose=True)[1]) == 9
    assert shown(Report(ExitCode.OK, COUNTS, (), warnings), quiet=True) == ([], [])


def test_json_has_warnings_items_and_one_last_summary() -> None:
    out = io.StringIO()
    output = Output(as_json=True, out=out)
    output.command = "import"
    warning = Notice("empty-file", "Course_01/a.pdf", "is empty")
    output.report(Report(ExitCode.OK, COUNTS, (new("Course_01/a.pdf"),), (warning,), run_id=7))
    output.summary(ExitCode.BUG)
    objects = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [each["type"] for each in objects] == ["warning", "item", "summary"]
    assert objects[0] == {"type": "warning", "rule": "empty-file", "path": "Course_01/a.pdf", "message": "is empty"}
    assert objects[1] == {"type": "item", "path": "Course_01/a.pdf", "outcome": "done", "reason": "new"}
    assert (objects[2]["exit_code"], objects[2]["run_id"], objects[2]["counts"]) == (0, 7, COUNTS)


@pytest.mark.parametrize("as_json", [True, False])
def test_an_error_says_what_where_and_what_to_do(as_json: bool) -> None:
    out, err = io.StringIO(), io.StringIO()
    output = Output(as_json=as_json, out=out, err=err)
    output.error(ConfigError("no such setting", where="curri.toml", hint="look at `curri config`"))
    assert err.getvalue() == "curri: no such setting\n  in: curri.toml\n  hint: look at `curri config`\n"
    assert bool(out.getvalue()) is as_json
    if as_json:
        error = json.loads(out.getvalue())["error"]
        assert error == {"message": "no such setting", "where": "curri.toml", "hint": "look at `curri config`"}


# --- on a terminal


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Output:
    """An output on a terminal without colours."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    return Output(out=Terminal(), err=Terminal())


def written(output: Output) -> list[str]:
    assert isinstance(output.out, Terminal)
    return output.out.getvalue().splitlines()


def test_a_long_line_is_broken_between_words_below_its_text(terminal: Output) -> None:
    terminal.line("Course_01/Lesson_01/a.mp4: this is not a video, whatever its name says", word="new")
    assert written(terminal) == [
        "new       Course_01/Lesson_01/a.mp4:",
        "          this is not a video, whatever",
        "          its name says",
    ]


def test_a_line_that_fits_stays_as_it_is(terminal: Output) -> None:
    terminal.line("x" * 30, word="new")
    terminal.line(" ".join(["x" * 10, "y" * 19]), word="new")
    terminal.line("two  blanks stay", word="new")
    terminal.line("")
    terminal.line("no word")
    assert written(terminal) == [
        "new       " + "x" * 30,
        "new       " + "x" * 10 + " " + "y" * 19,
        "new       two  blanks stay",
        "",
        "no word",
    ]


def test_wide_characters_take_two_columns(terminal: Output) -> None:
    terminal.line("講義の第一回目の動画です 講義", word="new")
    assert written(terminal) == ["new       講義の第一回目の動画です 講義"]
    terminal.line("講義の第一回目の動画です 講義の", word="new")
    assert written(terminal)[1:] == ["new       講義の第一回目の動画です", "          講義の"]


def test_paths_addresses_and_commands_are_never_broken(terminal: Output) -> None:
    address = "https://customer.example.org/0123456789abcdef/watch"
    terminal.below(address)
    terminal.line("to go on: curri upload --course course_01 --transfers 8", word="hint")
    terminal.line("run the command `curri upload --course course_01 --transfers 8` now", word="hint")
    assert written(terminal) == [
        f"          {address}",
        "hint      to go on:",
        "          curri upload --course course_01 --transfers 8",
        "hint      run the command",
        "          `curri upload --course course_01 --transfers 8` now",
    ]


def test_more_about_a_line_stands_below_its_text(terminal: Output) -> None:
    terminal.below("11.9 MB, encode: 12.1 Mbit/s is more than 2.4")
    assert written(terminal) == ["          11.9 MB, encode: 12.1 Mbit/s", "          is more than 2.4"]
    terminal.quiet = True
    terminal.below("more")
    assert len(written(terminal)) == 2


def test_an_error_fits_the_terminal(terminal: Output) -> None:
    error = ConfigError(
        "Stream answered 403: Authentication error", where="GET /stream", hint="make a token, then run it"
    )
    terminal.problem(error)
    assert isinstance(terminal.err, Terminal)
    assert terminal.err.getvalue().splitlines() == [
        "curri: Stream answered 403:",
        "    Authentication error",
        "  in: GET /stream",
        "  hint: make a token, then run it",
    ]


def test_a_terminal_too_narrow_for_that_breaks_lines_itself(terminal: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "25")
    terminal.line("this is a line that does not fit", word="new")
    assert written(terminal) == ["new       this is a line that does not fit"]


def test_a_word_has_its_colour_and_what_follows_has_none(terminal: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    terminal.line("[bold]a.mp4[/bold] 12 of 13", word="failed")
    terminal.line("a.mp4", word="unchanged")
    assert written(terminal) == ["\x1b[1;31mfailed   \x1b[0m [bold]a.mp4[/bold] 12 of 13", "unchanged a.mp4"]


def test_off_a_terminal_a_line_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    out = io.StringIO()
    output = Output(out=out, err=out)
    output.line("word " * 30, word="failed")
    output.below("word " * 30)
    output.problem(ConfigError("word " * 30))
    assert len(out.getvalue().splitlines()) == 3


def test_continuation_lines_stand_below_what_they_continue(terminal: Output) -> None:
    terminal.line("          hint: make a token with the right and run it once more")
    terminal.line("* 01/a.mp4: it is another file on Stream than here [bytes]", indent=2)
    assert written(terminal) == [
        "          hint: make a token with the",
        "          right and run it once more",
        "* 01/a.mp4: it is another file on Stream",
        "  than here [bytes]",
    ]


def test_a_word_too_long_for_a_line_is_broken_by_the_terminal_and_goes_on_in_its_last_row(terminal: Output) -> None:
    path = "course_01/01/" + "x" * 40  # 53 columns, and 2 before them: the last row has 15 and room for 25 more
    terminal.line(f"+ {path}: it is here only, and nobody knows", indent=2)
    assert written(terminal) == [f"+ {path}: it is here only, and", "  nobody knows"]


def test_lines_of_a_text_stay_lines_and_empty_ones_too(terminal: Output) -> None:
    terminal.line("\n1 video, 1 due; nothing is on Stream yet\n\n  this is a line that is too long for that\n")
    assert written(terminal) == [
        "",
        "1 video, 1 due; nothing is on Stream yet",
        "",
        "  this is a line that is too long for",
        "  that",
        "",
    ]


def test_lines_of_a_text_behind_a_word_stand_below_each_other(terminal: Output) -> None:
    terminal.line("one\ntwo", word="new")
    terminal.below("three\nfour")
    assert written(terminal) == ["new       one", "          two", "          three", "          four"]


# --- tables


def plain(output: Output) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in written(output)]


RUNS = ("run", "began", "host", "counts")
ROWS = [(12, "2026-01-02 03:04:05", "machine", "8 sent, 31.0 MB"), (11, "2026-01-01 03:04:05", "machine", "")]


def test_a_table_gives_way_in_one_column(terminal: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "48")
    terminal.table(RUNS, ROWS, right=("run",), shrink="counts")
    assert plain(terminal) == [
        "run  began                host     counts",
        " 12  2026-01-02 03:04:05  machine  8 sent, 31.0",
        "                                   MB",
        " 11  2026-01-01 03:04:05  machine",
    ]


@pytest.mark.parametrize("columns", [40, 46])
def test_a_table_that_does_not_fit_becomes_lines_and_nothing_is_cut_off(
    terminal: Output, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal.table(RUNS, ROWS, right=("run",), shrink="counts")
    assert written(terminal) == [
        "run: 12",
        "began: 2026-01-02 03:04:05",
        "host: machine",
        "counts: 8 sent, 31.0 MB",
        "",
        "run: 11",
        "began: 2026-01-01 03:04:05",
        "host: machine",
    ]


def test_a_table_without_rows_is_its_heading(terminal: Output) -> None:
    terminal.table(("a", "b"), [], shrink="b")
    assert plain(terminal) == ["a  b"]


def test_what_was_said_stands_before_the_error_that_follows_it(tmp_path: Path) -> None:
    both = tmp_path / "both"
    with both.open("a") as out, both.open("a", buffering=1) as err:
        output = Output(out=out, err=err)
        output.say("a list")
        output.problem(ConfigError("an error"))
        output.say("more")
        output.line("another", word="failed", to=err)
    assert both.read_text().splitlines() == ["a list", "curri: an error", "more", "failed    another"]
