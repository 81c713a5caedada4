"""`curri upload`: what goes in, and how each video and the plan are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from curri import __version__
from curri.cli.commands import EMPTY, Courses, DryRun, Kinds, Lessons, app, is_empty
from curri.cli.session import Session, command
from curri.errors import Interrupted
from curri.plan.quantities import counted, size_text, usd_text

if TYPE_CHECKING:
    from curri.cli.output import Output
    from curri.flow.jobs import Item
    from curri.flow.upload import Report


@command(app, "upload", watched=True, named=True)
def upload(  # noqa: PLR0913 - the parameters are the options of the command
    session: Session,
    course: Courses = None,
    lesson: Lessons = None,
    kind: Kinds = None,
    dry_run: DryRun = False,
    no_compress: Annotated[
        bool, typer.Option("--no-compress", envvar="CURRI_NO_COMPRESS", help="Send every video as it is.")
    ] = False,
    transfers: Annotated[
        int | None,
        typer.Option(
            "--transfers", metavar="N", help="Videos sent at the same time.  [env var: CURRI_TRANSFERS; default: 4]"
        ),
    ] = None,
    encoders: Annotated[
        int | None,
        typer.Option(
            "--encoders", metavar="N", help="Videos encoded at the same time.  [env var: CURRI_ENCODERS; default: 1]"
        ),
    ] = None,
    bwlimit: Annotated[
        str | None,
        typer.Option("--bwlimit", metavar="SIZE", help="Bytes per second, such as 10M.  [env var: CURRI_BWLIMIT]"),
    ] = None,
    max_uploads: Annotated[
        int | None,
        typer.Option("--max-uploads", metavar="N", min=0, envvar="CURRI_MAX_UPLOADS", help="Send at most N videos."),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            "--max-minutes", metavar="N", min=0, envvar="CURRI_MAX_MINUTES", help="Send at most N minutes of video."
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", envvar="CURRI_WAIT", help="Wait until Stream can play what was sent."),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", envvar="CURRI_RETRY_FAILED", help="Try videos again that failed for good."),
    ] = False,
) -> None:
    """Send videos to Cloudflare Stream and link them.

    Without a selection: everything that is due. Safe to run again, and to stop at any moment: what was begun is
    continued, and nothing is sent twice.
    """
    from curri.cli import transfers as progress
    from curri.cli.stream import means_of
    from curri.flow import upload as flow
    from curri.plan.uploads import Selection

    flags = {"transfers": transfers, "encoders": encoders, "bwlimit": bwlimit}
    means = means_of(session.settings(flags=flags))
    options = flow.Options(
        Selection(course or (), lesson or (), kind or ()),
        dry_run=dry_run,
        compress=not no_compress,
        retry_failed=retry_failed,
        wait=wait,
        max_uploads=max_uploads,
        max_minutes=max_minutes,
    )
    output = session.output
    with session.catalog() as database:
        with progress.sending(output) as bar:
            try:
                report = flow.run(
                    database,
                    options,
                    means,
                    bar,
                    lambda item: bar.beside(lambda: _item(output, item)),
                    version=__version__,
                )
            except Interrupted as stopped:
                bar.close()
                _stopped(output, stopped, bar.unended)
                raise
        empty = not report.counts["videos"] and is_empty(database)
    if empty:
        output.say(EMPTY)
    elif dry_run:
        _plan(output, report)
    else:
        _sentence(output, report.counts)
    output.summary(report.exit_code, run_id=report.run_id, counts=report.counts, dry_run=dry_run)
    raise typer.Exit(report.exit_code)


def _item(output: Output, item: Item) -> None:
    """Print one video as it ends; what is as it was only with --verbose."""
    if output.as_json:
        values = {key: value for key, value in asdict(item).items() if value is not None}
        output.emit("item", **{**values, "outcome": item.outcome.value})
        output.out.flush()
        return
    word = item.outcome.value
    if word in ("failed", "blocked"):
        output.line(f"{item.path}: {item.reason}", word=word, to=output.err)
    elif word == "done":
        linked = item.action == "relink"
        output.say(f"{item.path} -> {item.name}", word="linked" if linked else "sent")
        output.below(item.reason if linked else f"{size_text(item.size)}, {item.reason}")
        if item.watch:
            output.below(item.watch)
    elif output.verbose:
        output.say(f"{item.path}: {item.reason}", word="unchanged")
    output.out.flush()


def _plan(output: Output, report: Report) -> None:
    """Print what a run would do. What a single video costs is less than a cent, so that is told of all together."""
    if output.as_json:
        for each in report.planned:
            output.emit("plan", **asdict(each))
    for each in report.planned:
        if each.action == "none":
            output.say(f"{each.path}: {each.why}", word="fail")
            continue
        output.say(f"{each.path} -> {each.name}", word="send" if each.action == "passthrough" else each.action)
        if each.action == "relink":
            output.below(f"{each.why}, and its video is still on Stream")
            continue
        most = "at most " if each.action == "encode" else ""
        output.below(f"{each.due}, {most}{size_text(each.size)}, {each.minutes:.1f} min; {each.why}")
    counts = report.counts
    sent = [each for each in report.planned if each.action not in ("none", "relink")]
    bad = sum(each.action == "none" for each in report.planned)
    linked = sum(each.action == "relink" for each in report.planned)
    rest = _rest({"would be linked again": linked, "would fail": bad, **_others(counts)})
    if sent:
        most = "at most " if any(each.action == "encode" for each in sent) else ""
        output.say(
            f"{counted(len(sent), 'video')} would be sent: {most}{size_text(sum(each.size for each in sent))},"
            f" {counts['minutes']:.1f} minutes, {usd_text(counts['usd_per_month'])} a month{rest}"
        )
    else:
        output.say(f"{'nothing can be sent' if bad else 'nothing to do'}{rest}")
    if report.planned and report.not_asked:
        output.say(f"Stream was not asked whether there is room: {report.not_asked} is not set")
    if report.problem is not None:
        output.problem(report.problem)


def _stopped(output: Output, stopped: Interrupted, unended: int) -> None:
    """Print what a run had done when it was stopped, if it had begun; `unended` are those that it had in hand."""
    if stopped.run_id is not None:
        _sentence(output, {**stopped.counts, "left": stopped.counts["left"] + unended}, idle=False)


def _sentence(output: Output, counts: Mapping[str, float], *, idle: bool = True) -> None:
    """Print the closing line of a run; `idle` if it may be that there was nothing to do."""
    rest = _rest(_others(counts))
    if not counts["uploaded"]:
        idle = idle and not any(counts[name] for name in ("relinked", "failed", "blocked"))
        nothing = "nothing to do" if idle else "nothing was sent"
        output.say(f"{nothing}{rest}")
        return
    size = size_text(counts["bytes"])
    output.say(f"{counted(counts['uploaded'], 'video')} sent: {size}, {counts['minutes']:.1f} minutes{rest}")


def _others(counts: Mapping[str, float]) -> dict[str, float]:
    words = {
        "relinked": "linked again",
        "unchanged": "unchanged",
        "failed": "failed",
        "blocked": "blocked",
        "left": "left for another run",
    }
    return {word: counts[key] for key, word in words.items()}


def _rest(numbers: Mapping[str, float]) -> str:
    """Return what else there is to say of a run: "; 3 unchanged, 1 failed"."""
    parts = [f"{number:.0f} {word}" for word, number in numbers.items() if number]
    return f"; {', '.join(parts)}" if parts else ""
