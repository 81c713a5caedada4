"""`curri check`, `curri adopt` and `curri gc`: what differs, what is lost, and what is left over."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curri import __version__
from curri.cli import asking
from curri.cli.commands import Courses, DryRun, app
from curri.cli.session import Session, command
from curri.cli.upkeep import span
from curri.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from curri.cli.output import Output
    from curri.flow.check import Report
    from curri.flow.gc import Plan
    from curri.flow.jobs import Item
    from curri.plan.adoption import Adoption
    from curri.plan.audit import Finding

FILES = {"=": "same.txt", "+": "only-here.txt", "-": "only-there.txt", "*": "differs.txt", "!": "errors.txt"}
"""Where `--output` puts the findings of each mark."""
ALL = "combined.txt"


@command(app, "check", watched=True)
def check(
    session: Session,
    course: Courses = None,
    rehash: Annotated[
        bool, typer.Option("--rehash", envvar="CURRI_REHASH", help="Read every file again, whatever its times say.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="DIR", envvar="CURRI_OUTPUT", help="Write the findings to DIR, a file for each mark."
        ),
    ] = None,
) -> None:
    """Compare the tree, the catalog and Stream.

    Changes nothing; exit code 10 if anything differs. Each line begins with = same, + only here, - only there,
    * differs, or ! error. Here is the tree, and the catalog where Stream is the other side.
    """
    from curri.cli import progress
    from curri.cli.stream import means_of
    from curri.flow import check as flow

    output = session.output
    if folder is not None:
        _usable(folder)
    means = means_of(session.settings())
    options = flow.Options(tuple(course or ()), rehash)
    with session.catalog() as database, progress.reading(output) as bar:
        report = flow.run(database, options, means, bar, version=__version__)
    if folder is not None:
        _write(folder, report.findings)
    for finding in report.findings:
        _finding(output, finding)
    _sum_up(output, report)
    output.summary(report.exit_code, counts=report.counts)
    raise typer.Exit(report.exit_code)


def _finding(output: Output, finding: Finding) -> None:
    if output.as_json:
        output.emit("finding", mark=finding.mark.value, **{k: v for k, v in finding._asdict().items() if k != "mark"})
    elif finding.mark.value != "=" or output.verbose:
        path = f"{finding.path}: " if finding.path else ""
        output.line(f"{finding.mark.value} {path}{finding.message} [{finding.rule}]")


def _sum_up(output: Output, report: Report) -> None:
    from curri.cli.output import counted

    counts = report.counts
    if report.not_asked:
        message = f"Stream was not asked: {report.not_asked} is not set"
        if output.as_json:
            output.emit("warning", rule="stream-not-asked", path="", message=message)
        else:
            output.line(message, word="warning", to=output.err)
    kept = []
    if counts["retired"]:
        kept.append(f"{counted(counts['retired'], 'video')} that others have replaced")
    if counts["renditions"]:
        kept.append(f"{counted(counts['renditions'], 'encode')} of files that are gone")
    if kept:
        output.say(f"{' and '.join(kept)}: `curri gc` deletes what is old enough")
    size = f"{counted(counts['files'], 'file')}, {counted(counts['videos'], 'video')}"
    words = ("only here", "here"), ("only there", "there"), ("differ", "differs"), ("in error", "error")
    told = ", ".join(f"{counts[name]} {word}" for word, name in words if counts[name])
    output.say(f"{size}: {told or 'all in step'}")


def _usable(folder: Path) -> None:
    """Make the folder for the findings, and prove that files can be made there, before hours of comparing."""
    part = folder / f"{ALL}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        part.touch(exist_ok=False)  # never through a link that somebody has laid there
        part.unlink()
    except OSError as error:
        raise ConfigError(
            f"the folder for the findings cannot be used: {error.strerror}", where=str(folder), hint="check --output"
        ) from None


def _write(folder: Path, findings: Sequence[Finding]) -> None:
    """Write path, rule and message of each finding, with a tab between; also where there are none, an empty file."""
    lines: dict[str, list[str]] = {name: [] for name in (*FILES.values(), ALL)}
    for finding in findings:
        line = f"{finding.path}\t{finding.rule}\t{finding.message}\n"
        lines[FILES[finding.mark.value]].append(line)
        lines[ALL].append(f"{finding.mark.value} {line}")
    try:
        for name, text in lines.items():
            part = folder / f"{name}.part"
            part.unlink(missing_ok=True)
            with part.open("x", encoding="utf-8") as file:
                file.write("".join(text))
            part.replace(folder / name)
    except OSError as error:
        raise ConfigError(f"the findings cannot be written: {error.strerror}", where=str(folder)) from None


Yes = Annotated[bool, typer.Option("--yes", "-y", envvar="CURRI_YES", help="Do not ask.")]


@command(app, "adopt", watched=True)
def adopt(
    session: Session,
    course: Courses = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", envvar="CURRI_YES", help="Do not ask; link what the evidence is exact for.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Link files to videos that are on Stream already.

    Rebuilds the links of a lost catalog from the metadata of the videos, and offers what was sent by hand or by an
    older script, with the evidence for it. No byte is sent, and nothing changes on Stream.
    """
    from curri.cli.output import counted
    from curri.cli.stream import credentials_of
    from curri.flow import adopt as flow

    output = session.output
    options = flow.Options(tuple(course or ()), dry_run)
    credentials = credentials_of(session.settings().settings)
    with session.catalog() as database:
        report = flow.run(
            database,
            options,
            credentials,
            lambda found: _choose(output, found, yes=yes, dry_run=dry_run),
            lambda item: _done(output, item),
            version=__version__,
        )
    counts = report.counts
    if not counts["without"]:
        output.say(f"nothing to do: each of {counted(counts['videos'], 'video')} has a link, or an upload of its own")
    elif dry_run:
        output.say(f"found on Stream: {counts['found']:.0f} of {counted(counts['without'], 'video')} without a link")
    else:
        left = f"; the rest ({counts['left']:.0f}) is left to `curri upload`" if counts["left"] else ""
        output.say(f"linked: {counts['adopted']:.0f} of {counted(counts['without'], 'video')} without a link{left}")
    output.summary(report.exit_code, run_id=report.run_id, counts=counts, dry_run=dry_run)
    raise typer.Exit(report.exit_code)


def _choose(output: Output, found: Sequence[Adoption], *, yes: bool, dry_run: bool) -> list[Adoption]:
    """Show what was found; return what is to be linked: what is exact together, the rest one by one."""
    from curri.plan.text import printable

    for each in found:
        _adoption(output, each)
    exact = [each for each in found if each.exact]
    if dry_run or not found:
        return []
    if yes:
        return exact
    asking.needs_person(output, "`--yes` links what the evidence is exact for, `--dry-run` only shows it")
    components = len({each.video.id for each in exact})
    chosen = exact if exact and asking.agreed(f"Link the {components} with exact evidence?", default=True) else []
    for each in found:
        # What was replaced is worth a question only beside what replaced it.
        linked = each.state == "current" or any(each.video.id == other.video.id for other in chosen)
        if not each.exact and linked and asking.agreed(f"Link {printable(each.video.place)} to {each.held.uid}?"):
            chosen.append(each)
    return chosen


def _adoption(output: Output, each: Adoption) -> None:
    from curri.plan.text import printable

    place, name = printable(each.video.place), printable(each.held.name or "")
    if output.as_json:
        output.emit(
            "adoption",
            path=place,
            uid=each.held.uid,
            name=name or None,
            evidence=each.evidence.value,
            exact=each.exact,
            state=each.state,
            reason=each.told,
        )
        return
    state = "" if each.state == "current" else f" ({each.state})"
    output.say(f"{place}: {each.held.uid} {name}{state}", word="exact" if each.exact else "likely")
    output.below(f"{each.evidence}: {each.told}")


@command(app, "gc", watched=True)
def gc(
    session: Session,
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="TIME", envvar="CURRI_OLDER_THAN", help="Keep what retired after this."),
    ] = "30d",
    max_deletes: Annotated[
        int | None,
        typer.Option("--max-deletes", metavar="N", min=0, envvar="CURRI_MAX_DELETES", help="Delete at most N videos."),
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Delete what is left over: replaced videos, lost uploads, old encodes.

    Only what this catalog knows to have made itself, and nothing plays. Shows the plan and asks.
    """
    from curri.cli.stream import means_of
    from curri.flow import gc as flow

    output = session.output
    options = flow.Options(span(older_than), max_deletes, dry_run)
    with session.catalog() as database:
        report = flow.run(
            database,
            options,
            means_of(session.settings()),
            lambda plan: _agreed(output, plan, yes=yes, dry_run=dry_run),
            lambda item: _done(output, item),
            version=__version__,
        )
    if report.run_id is not None:
        _deleted(output, report.counts)
    output.summary(report.exit_code, run_id=report.run_id, counts=report.counts, dry_run=dry_run)
    raise typer.Exit(report.exit_code)


def _deleted(output: Output, counts: Mapping[str, float]) -> None:
    """Say what is gone."""
    from curri.cli.output import counted, size_text

    videos = sum(counts[name] for name in ("retireds", "orphans", "opens"))
    told = [f"{counted(videos, 'video')} on Stream, {counts['minutes']:.1f} minutes"] if videos else []
    told += [f"{counted(counts['rows'], 'row')} of the catalog"] if counts["rows"] else []
    if counts["encodes"]:
        told.append(f"{counted(counts['encodes'], 'encode')} here, {size_text(counts['encode_bytes'])}")
    output.say(f"deleted: {' and '.join(told) or 'nothing'}")


def _agreed(output: Output, plan: Plan, *, yes: bool, dry_run: bool) -> bool:
    """Show the plan, and ask."""
    from curri.cli.output import clock_text, counted, size_text

    if plan.is_empty:
        allowed = "--max-deletes allows none" if plan.left else "nothing is left over"
        output.say(f"nothing to do: {allowed}")
        return False
    for each in plan.leftovers:
        if output.as_json:
            output.emit("leftover", **{**asdict(each), "why": each.why.value})
            continue
        lasts = f" ({clock_text(each.seconds)})" if each.seconds else ""
        output.say(f"{each.name}{lasts}: {each.told}", word=each.why.value)
        if each.uid is not None:
            output.below(each.uid)
    deletes = sum(each.why.value != "row" for each in plan.leftovers)
    told = [f"{counted(deletes, 'video')} on Stream, {plan.seconds / 60:.1f} minutes"] if deletes else []
    rows = len(plan.leftovers) - deletes
    told += [f"{counted(rows, 'row')} of the catalog"] if rows else []
    if plan.encodes:
        told.append(f"{counted(len(plan.encodes), 'encode')} here, {size_text(sum(plan.encodes.values()))}")
    more = f"; {plan.left} more are left to another run" if plan.left else ""
    output.say(f"to be deleted: {' and '.join(told)}{more}")
    if dry_run or yes:
        return True
    asking.needs_person(output, "`--yes` deletes without asking, `--dry-run` only shows it")
    return asking.agreed("Delete them?")


def _done(output: Output, item: Item) -> None:
    """Print how one video fared."""
    if output.as_json:
        output.emit("item", **{**asdict(item), "outcome": item.outcome.value})
    elif item.outcome.value == "failed":
        output.line(f"{item.path}: {item.reason}", word="failed", to=output.err)
    elif output.verbose or item.outcome.value == "unchanged":
        output.say(f"{item.path}: {item.reason}", word=item.outcome.value)
