"""`curri sync-status` and `curri fix-metadata`: what keeps catalog and Stream in step after an upload."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from curri import __version__
from curri.cli.commands import Courses, DryRun, app
from curri.cli.session import Session, command
from curri.errors import UsageError
from curri.plan.text import printable

if TYPE_CHECKING:
    from curri.cli.output import Output
    from curri.flow.fix_metadata import Drifted
    from curri.flow.jobs import Item

_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@command(app, "sync-status", watched=True)
def sync_status(
    session: Session,
    every: Annotated[
        bool, typer.Option("--all", envvar="CURRI_ALL", help="Look at all videos, also at those not due for a look.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", envvar="CURRI_WAIT", help="Go on until every video can be played or has failed.")
    ] = False,
    stuck_after: Annotated[
        str,
        typer.Option(
            "--stuck-after",
            metavar="TIME",
            envvar="CURRI_STUCK_AFTER",
            help="Warn of videos in processing for longer than this.",
        ),
    ] = "6h",
    dry_run: DryRun = False,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing",
            envvar="CURRI_ALLOW_MISSING",
            help="Go on if more than a quarter of the videos is gone.",
        ),
    ] = False,
) -> None:
    """Record what became of videos on Stream.

    For cron: asks only for videos that are due for a look, prints only what changed or is wrong.
    """
    from curri.cli.stream import credentials_of
    from curri.flow import sync as flow

    options = flow.Options(
        every=every, wait=wait, stuck_after=span(stuck_after), dry_run=dry_run, allow_missing=allow_missing
    )
    credentials = credentials_of(session.settings().settings)
    with session.catalog() as database:
        report = flow.run(database, options, credentials, lambda item: _item(session.output, item), version=__version__)
    if session.output.verbose:
        counts = report.counts
        session.output.say(
            f"{counts['changed']} changed, {counts['unchanged']} unchanged: {counts['ready']} ready,"
            f" {counts['queued'] + counts['inprogress']} in work, {counts['error']} failed"
        )
    session.output.summary(report.exit_code, run_id=report.run_id, counts=report.counts, dry_run=dry_run)
    raise typer.Exit(report.exit_code)


@command(app, "fix-metadata", watched=True)
def fix_metadata(
    session: Session,
    course: Courses = None,
    revert: Annotated[
        int | None,
        typer.Option("--revert", metavar="RUN", min=1, envvar="CURRI_REVERT", help="Take back what this run changed."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Repair names and metadata on Stream.

    Every linked video says what the catalog says of it: re-numbered lessons, changed titles. No bytes are sent, keys
    of others stay, and every change is in a journal from which it can be taken back.
    """
    from curri.cli import edits
    from curri.cli.stream import means_of
    from curri.flow import fix_metadata as flow

    output = session.output
    options = flow.Options(tuple(course or ()), dry_run=dry_run, revert=revert)
    means = means_of(session.settings())
    with session.catalog() as database, edits.editing(output) as progress:
        report = flow.run(
            database,
            options,
            means,
            lambda drifted: progress.beside(lambda: _drifted(output, drifted)),
            lambda item: progress.beside(lambda: _item(output, item, shown=True)),
            progress,
            version=__version__,
        )
    counts = report.counts
    if dry_run:
        output.say(f"{counts['differing']} of {counts['videos']} videos differ" if counts["differing"] else NOTHING)
    elif counts["edited"]:
        undo = f"; to take it back: curri fix-metadata --revert {report.run_id}"
        output.say(f"{counts['edited']} of {counts['videos']} videos edited{undo}")
    elif not counts["failed"] and not counts["missing"]:
        output.say(NOTHING)
    if missing := counts["missing"]:
        told = "1 video is" if missing == 1 else f"{missing} videos are"
        output.say(f"{told} not on Stream: `curri sync-status` tells which")
    output.summary(report.exit_code, run_id=report.run_id, counts=counts, dry_run=dry_run)
    raise typer.Exit(report.exit_code)


NOTHING = "nothing to do: Stream says what the catalog says"


def span(text: str) -> timedelta:
    """Return the time that a text such as 6h means. Raises UsageError."""
    match = _SPAN.fullmatch(text.strip())
    with suppress(OverflowError):  # longer than any video waits, and than a timedelta holds
        if match is not None:
            return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    raise UsageError(f"{printable(text)!r} is not a time", hint="a number with s, m, h or d behind it, such as 6h")


def _item(output: Output, item: Item, *, shown: bool = False) -> None:
    """Print a video that changed or is in trouble; of one that changed nothing more if what changed is `shown`."""
    if output.as_json:
        output.emit("item", **{**asdict(item), "outcome": item.outcome.value})
    elif item.outcome.value == "failed":
        output.line(f"{item.path}: {item.reason}", word="failed", to=output.err)
    elif not shown:
        output.say(f"{item.path}: {item.reason}", word="changed")


def _drifted(output: Output, drifted: Drifted) -> None:
    """Print old -> new of one video."""
    if output.as_json:
        output.emit("drift", **asdict(drifted))
        return
    output.say(f"{drifted.path} ({drifted.uid})")
    for change in drifted.changes:
        old = "(not there)" if change.old is None else printable(str(change.old))
        new = "(removed)" if change.new is None else printable(str(change.new))
        output.below(f"{change.key}: {old} -> {new}")
