"""Everything that is printed goes through here: text for people, or one JSON object a line for programs."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, Literal, NamedTuple

from curri.errors import CurriError, ExitCode
from curri.model import Notice, Outcome, Report, Result
from curri.plan.quantities import counted
from curri.plan.text import harmless, harmless_json, natural

SCHEMA = 1
"""Version of the JSON output. New keys may come without a new number; none changes its meaning or goes."""

MANY_FILES = 3
"""More files than this with one fate in one lesson share a line, unless --verbose."""

WORD = 9
"""Columns of the first word of a line."""

NARROWEST = 20
"""Columns below which a terminal breaks lines as it likes."""

GAP = 2
"""Columns between those of a table."""

NARROWEST_COLUMN = 12
"""Columns that the widest column of a table needs; where there are fewer, each row becomes lines of its own."""

MANY_LINES = 100
"""More lines than this are cut short, unless --verbose."""

STYLES = {
    **dict.fromkeys(("new", "restored", "sent", "send", "linked", "relink", "ok"), "green"),
    **dict.fromkeys(("changed", "encode", "warning"), "bold yellow"),  # thin yellow cannot be read on white
    **dict.fromkeys(("moved", "rendition"), "cyan"),
    "removed": "red",
    **dict.fromkeys(("blocked", "problem", "failed", "fail"), "bold red"),
}
"""The colour of a line's first word."""


class Output:
    """Where a command's results go. `as_json`, `quiet` and `verbose` are set once the options are known."""

    def __init__(self, *, as_json: bool = False, out: IO[str] | None = None, err: IO[str] | None = None) -> None:
        self.as_json = as_json
        self.quiet = False
        self.verbose = False
        self.command: str | None = None
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.rows = 0
        """Lines of progress that stand on the terminal now, the cursor in the last of them."""
        self.stopping = False
        """Whether a signal asked the run to end: told in the progress, where that stands in the way of a line."""
        self.counts: Mapping[str, Any] = {}
        """What the run counted, once it has ended."""
        self._ended = False

    @property
    def draws(self) -> bool:
        """Whether progress can be drawn over and over on standard error: a terminal that knows how to go back."""
        return self.err.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")

    # --- lines

    def line(self, text: str, *, word: str = "", indent: int = 0, to: IO[str] | None = None) -> None:
        """Print a line, its first word in colour and the rest broken between words if a terminal reads it.

        What is broken goes on below the text, or `indent` columns from the left if that is more.
        """
        stream, text = to or self.out, harmless(text)
        if stream is self.err:
            self._flush()
        if not stream.isatty():
            stream.write(f"{word:<{WORD}} {text}\n" if word else f"{text}\n")
            return
        from rich.console import Console
        from rich.text import Text

        column = WORD + 1 if word else 0
        first, *more = _fitted(text, stream, max(column, indent), column)
        styled = Text.assemble((f"{word:<{WORD}}", STYLES.get(word, "")), " ", first) if word else Text(first)
        console = Console(file=stream, highlight=False, soft_wrap=True)
        console.print(styled)
        for each in more:
            console.print(Text(each))

    def below(self, text: str) -> None:
        """Say more of the line before, unless --quiet or --json."""
        if not (self.quiet or self.as_json):
            first, *more = _fitted(harmless(text), self.out, WORD + 1, WORD + 1)
            self.out.write("".join(f"{line}\n" for line in (" " * (WORD + 1) + first, *more)))

    def emit(self, kind: str, /, **values: Any) -> None:
        """Print one JSON object."""
        utf8 = (getattr(self.out, "encoding", None) or "utf-8").lower().replace("_", "-") == "utf-8"
        text = json.dumps({"type": kind, **values}, ensure_ascii=not utf8)  # `\\xe9` in place of a letter is no JSON
        self.out.write(harmless_json(text) + "\n")

    def say(self, text: str, *, word: str = "") -> None:
        """Print a result for people, unless --quiet or --json."""
        if not (self.quiet or self.as_json):
            self.line(text, word=word)

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = (), shrink: str = ""
    ) -> None:
        """Print a table for people, unless --quiet or --json.

        Columns named in `right` are numbers; `shrink` names the one that is folded where a terminal is too narrow. One
        that is too narrow for all the others gets lines of `column: value` instead: nothing is ever cut off.
        """
        if self.quiet or self.as_json:
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        cells = [["" if cell is None else harmless(str(cell)) for cell in row] for row in rows]
        if self.out.isatty() and shrink and _least(columns, cells, shrink) > Console(file=self.out).width:
            self._records(columns, cells)
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            align: Literal["left", "right"] = "right" if column in right else "left"
            table.add_column(column, justify=align, overflow="fold", no_wrap=bool(shrink) and column != shrink)
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        # Off a terminal nothing gives way: a line of the table is then a line for grep.
        console = Console(file=self.out, highlight=False) if self.out.isatty() else Console(file=self.out, width=500)
        with console.capture() as capture:
            console.print(table)
        self.out.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))

    def _records(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print each row of a table as lines of its own; what is empty is left out."""
        for number, row in enumerate(rows):
            if number:
                self.line("")
            for column, cell in zip(columns, row, strict=True):
                if cell:
                    self.line(f"{column}: {cell}", indent=2)

    # --- results

    def report(self, report: Report) -> None:
        """Print what a flow did, and end."""
        self.counts = report.counts
        if self.as_json:
            for notice in report.warnings:
                self.emit("warning", rule=notice.rule, path=notice.path, message=notice.message)
            for outcome in report.outcomes:
                self.emit("item", path=outcome.path, outcome=outcome.outcome.value, reason=outcome.reason)
            self.summary(report.exit_code, run_id=report.run_id, counts=report.counts, dry_run=report.dry_run)
            return
        self._warnings(report.warnings)
        bad = [outcome for outcome in report.outcomes if outcome.outcome in (Result.BLOCKED, Result.FAILED)]
        if not self.quiet:
            self._done([outcome for outcome in report.outcomes if outcome.outcome is Result.DONE])
        for outcome in bad:
            self.line(f"{outcome.path}: {outcome.reason}", word=outcome.outcome.value, to=self.err)
        self.say(_sentence(report))

    def _done(self, outcomes: list[Outcome]) -> None:
        lines = [_line(outcome) for outcome in outcomes]
        if not self.verbose:
            lines = list(_gathered(lines))
        lines.sort(key=lambda line: natural(line.path))
        shown = lines if self.verbose else lines[:MANY_LINES]
        for line in shown:
            self.line(line.path + line.more, word=line.word)
        if len(lines) > len(shown):
            self.line(f"... and {len(lines) - len(shown)} lines more (--verbose shows all)")

    def _warnings(self, warnings: Sequence[Notice]) -> None:
        seen: Counter[str] = Counter()
        for notice in warnings:
            seen[notice.rule] += 1
            if self.verbose or (seen[notice.rule] <= MANY_FILES and not self.quiet):
                self.line(f"{notice.path}: {notice.message} [{notice.rule}]", word="warning", to=self.err)
        if not self.verbose and not self.quiet:
            for rule, count in seen.items():
                if count > MANY_FILES:
                    self.line(
                        f"{count - MANY_FILES} more of [{rule}] (--verbose shows all)", word="warning", to=self.err
                    )

    def summary(
        self,
        exit_code: ExitCode,
        *,
        run_id: int | None = None,
        counts: Mapping[str, Any] | None = None,
        dry_run: bool = False,
        error: CurriError | None = None,
    ) -> None:
        """Print the last JSON object of a run; a second call prints nothing."""
        self.counts = self.counts if counts is None else counts
        if not self.as_json or self._ended:
            return
        self._ended = True
        values: dict[str, Any] = {"schema": SCHEMA, "command": self.command, "exit_code": int(exit_code)}
        values |= {"run_id": run_id, "dry_run": dry_run, "counts": dict(counts or {})}
        if error is not None:
            values["error"] = {"message": error.message, "where": error.where, "hint": error.hint}
        self.emit("summary", **values)
        self.out.flush()

    def error(self, error: CurriError) -> None:
        """Print an error: what happened, where, what to do. It ends the run."""
        self.problem(error)
        self.summary(error.exit_code, run_id=error.run_id, counts=error.counts, error=error)

    def _flush(self) -> None:
        """Write what is held back of the output: in one file with the errors it stands before those that follow it."""
        with suppress(OSError):  # whoever read it has left, and is told of nothing
            self.out.flush()

    def problem(self, error: CurriError) -> None:
        """Print what is wrong, on standard error."""
        self._flush()
        lines = [f"curri: {error.message}"]
        lines += [f"  in: {error.where}"] if error.where else []
        lines += [f"  hint: {error.hint}"] if error.hint else []
        for line in lines:
            one = harmless(line).replace("\n", "\\n")  # a path with a newline in it must not pass for a line of ours
            self.err.write("".join(f"{part}\n" for part in _fitted(one, self.err, 4)))


def _least(columns: Sequence[str], rows: Sequence[Sequence[str]], shrink: str) -> int:
    """Return the columns of a terminal that a table needs, if the one column is folded that may be."""
    from rich.cells import cell_len

    widths = {cells[0]: max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)}
    widths[shrink] = min(widths[shrink], NARROWEST_COLUMN)
    return sum(widths.values()) + GAP * (len(columns) - 1)


_COMMAND = re.compile(r"`[^`\n]+`|(?<=: )curri .*")
_JOINED = "\ue000"  # one column wide, and in no text of ours


def _fitted(text: str, stream: IO[str], indent: int, column: int = 0) -> list[str]:
    """Return `text` in lines that fit the terminal, broken between words; the first begins at `column`.

    Before all others stands `indent`, or what stands before the first, if that is more. Addresses, paths and commands
    are never broken: the terminal does that so that they can be copied whole. As it is where no terminal reads it:
    that is a line for grep.
    """
    if not stream.isatty():
        return [text]
    from rich.console import Console

    width = Console(file=stream).width
    first, *more = text.split("\n")
    lines = _broken(first, width, indent, column)
    for each in more:
        lines += _broken(" " * column + each if each else each, width, indent, 0)
    return lines


def _broken(text: str, width: int, indent: int, column: int) -> list[str]:
    """Return one line of a text in lines of a terminal."""
    from rich.cells import cell_len

    begin = len(text) - len(text.lstrip(" "))
    indent = max(begin + column, indent)
    if width - indent < NARROWEST:
        return [text]
    words = _COMMAND.sub(lambda found: found[0].replace(" ", _JOINED), text.strip()).split(" ")
    lines = [" " * begin + words[0]]
    at = _last_row(begin + column + cell_len(words[0]), width)
    for word in words[1:]:
        # To break a line gains nothing where the next one would begin further right.
        if at + 1 + cell_len(word) <= width or at < indent:
            lines[-1] += f" {word}"
            at = _last_row(at + 1 + cell_len(word), width)
        elif word:
            lines.append(" " * indent + word)
            at = _last_row(indent + cell_len(word), width)
    return [line.replace(_JOINED, " ") for line in lines]


def _last_row(end: int, width: int) -> int:
    """Return the column at which a text ends that the terminal has broken where it is too long."""
    return end if end <= width else (end - 1) % width + 1


class _Line(NamedTuple):
    """A line about one item, or about many of one lesson."""

    word: str  # what happened; in colour on a terminal
    path: str
    more: str = ""


def _line(outcome: Outcome) -> _Line:
    word, _, rest = outcome.reason.partition(" ")
    if word in ("new", "changed", "removed"):
        return _Line(word, outcome.path)
    if word in ("moved", "restored"):
        return _Line(word, outcome.path, f" ({rest})" if rest else "")
    return _Line("changed", outcome.path, f": {outcome.reason}")


def _gathered(lines: Iterable[_Line]) -> Iterable[_Line]:
    """Yield lines; many files that came or went with one lesson share one."""
    groups: dict[tuple[str, str], list[_Line]] = {}
    for line in lines:
        parts = line.path.split("/")
        together = line.word in ("new", "removed", "restored") and len(parts) > 2
        groups.setdefault((line.word, "/".join(parts[:2]) if together else line.path), []).append(line)
    for (word, lesson), members in groups.items():
        if len(members) > MANY_FILES:
            yield _Line(word, lesson, f" ({len(members)} files)")
        else:
            yield from members


def _sentence(report: Report) -> str:
    """Return the closing line of a run."""
    counts = report.counts
    size = ", ".join(counted(counts.get(f"{thing}s", 0), thing) for thing in ("course", "lesson", "file"))
    parts = [
        f"{counts[word]} {word}"
        for word in ("new", "changed", "moved", "restored", "removed", "blocked")
        if counts.get(word)
    ]
    verb = "would be" if report.dry_run else "is"
    if not counts.get("rows_changed"):
        state = "the catalog is up to date" if not parts else ", ".join(parts)
        return f"nothing to do: {size}; {state}"
    return f"{size}: {', '.join(parts) or 'details refreshed'}; the catalog {verb} up to date"
