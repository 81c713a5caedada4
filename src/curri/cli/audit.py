"""`curri check`, `curri adopt` and `curri gc`: what differs, what is lost, and what is left over."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curri import __version__
from curri.cli import asking
from curri.cli.commands import Courses, DryRun, app
from curri.cli.session import Session, command
from curri.cli.upkeep import span
from curri.cli.videos import moment
from curri.errors import ConfigError, Interrupted
from curri.plan.quantities import clock_text, counted, size_text
from curri.plan.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from curri.cli.output import Output
    from curri.flow.check import Report
    from curri.flow.gc import Plan
    from curri.flow.jobs import Item
    from curri.model import Held
    from curri.plan.adoption import Adoption
    from curri.plan.audit import Finding

FILES = {"=": "same.txt", "+": "only-here.txt", "-": "only-there.txt", "*": "differs.txt", "!": "errors.txt"}
"""Where `--output` puts the findings of each mark."""
ALL = "combined.txt"
MODE = 0o644
"""At most: nobody else may write them, whatever the umask."""


@command(app, "check", watched=True, named=True)
def check(
    session: Session,
    course: Courses = None,
    rehash: Annotated[
        bool, typer.Option("--rehash", envvar="CURRI_REHASH", help="Read every file again, whatever its times say.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR",
            envvar="CURRI_OUTPUT",
            readable=False,
            help="Write the findings to DIR, a file for each mark.",
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
        output.line(f"{finding.mark.value} {path}{finding.message} [{finding.rule}]", indent=2)


def _sum_up(output: Output, report: Report) -> None:
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
    words = ("only here", "here"), ("only there", "there"), ("differ", "differs"), ("in error", "error")
    told = ", ".join(f"{counts[name]} {word}" for word, name in words if counts[name])
    output.say("; ".join(_closing(report, told)))


def _closing(report: Report, told: str) -> list[str]:
    """Return the parts of the last line; `told` are the differences, "" if there are none."""
    counts = report.counts
    if not (told or counts["courses"]):
        parts = ["the catalog is empty: `curri import PATH`, then `curri adopt`"]
    else:
        step = "tree and catalog in step" if report.not_asked else "all in step"
        parts = [f"{counted(counts['files'], 'file')}, {counted(counts['videos'], 'video')}: {told or step}"]
    if report.not_asked:
        parts.append("Stream was not asked")
    if counts["others"]:
        parts.append(f"{counted(counts['others'], 'other video')} on Stream")
    return parts


def _usable(folder: Path) -> None:
    """Make the folder for the findings, and prove that files can be made there, before hours of comparing."""
    part = folder / f"{ALL}.part"
    try:
        for place in (*reversed(folder.parents), folder):  # one at a time: a mode is for the last one only
            place.mkdir(mode=0o755, exist_ok=True)
        part.unlink(missing_ok=True)
        part.touch(mode=MODE, exist_ok=False)  # never through a link that somebody has laid there
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
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write("".join(text))
            part.replace(folder / name)
    except OSError as error:
        raise ConfigError(f"the findings cannot be written: {error.strerror}", where=str(folder)) from None


@command(app, "adopt", watched=True, named=True)
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
    from curri.cli.stream import credentials_of
    from curri.flow import adopt as flow

    output = session.output
    options = flow.Options(tuple(course or ()), dry_run)
    credentials = credentials_of(session.settings().settings)
    choice = _Choice(output, yes=yes, dry_run=dry_run)
    with session.catalog() as database:
        report = flow.run(
            database, options, credentials, choice.of, lambda item: _done(output, item), version=__version__
        )
    counts = report.counts
    if not counts["without"]:
        output.say(f"nothing to do: each of {counted(counts['videos'], 'video')} has a link, or an upload of its own")
    elif dry_run:
        output.say(f"found on Stream: {counts['found']:.0f} of {counted(counts['without'], 'video')} without a link")
    else:
        left = f"; the rest ({counts['left']:.0f}) is left to `curri upload`" if counts["left"] else ""
        output.say(f"linked: {counts['adopted']:.0f} of {counted(counts['without'], 'video')} without a link{left}")
    if choice.stopped is not None:
        choice.stopped.run_id, choice.stopped.counts = report.run_id, counts
        raise choice.stopped
    output.summary(report.exit_code, run_id=report.run_id, counts=counts, dry_run=dry_run)
    raise typer.Exit(report.exit_code)


class _Choice:
    """What is to be linked of what was found."""

    def __init__(self, output: Output, *, yes: bool, dry_run: bool) -> None:
        self.stopped: Interrupted | None = None
        """What stopped the questions, where some were answered with yes before: that is linked nevertheless."""
        self._output = output
        self._yes = yes
        self._dry_run = dry_run

    def of(self, found: Sequence[Adoption]) -> list[Adoption]:
        """Show what was found; return what is to be linked: what is exact together, the rest one by one."""
        for each in found:
            _adoption(self._output, each)
        if self._dry_run or not found:
            return []
        if self._yes:
            return [each for each in found if each.exact]
        asking.needs_person(self._output, "`--yes` links what the evidence is exact for, `--dry-run` only shows it")
        chosen: list[Adoption] = []
        try:
            self._ask(found, chosen)
        except Interrupted as stopped:
            if not chosen:
                raise
            self.stopped = stopped
        return chosen

    def _ask(self, found: Sequence[Adoption], chosen: list[Adoption]) -> None:
        """Add to `chosen` what a person says yes to; return at the end of the input too."""
        exact = [each for each in found if each.exact]
        if exact:
            components = len({each.video.id for each in exact})
            yes = asking.answer(f"Link the {components} with exact evidence?", default=True)
            if yes is None:
                return
            chosen += exact if yes else []
        single = [each for each in found if not each.exact]
        for number, each in enumerate(single, 1):
            # What was replaced is worth a question only beside what replaced it.
            if each.state != "current" and not any(each.video.id == other.video.id for other in chosen):
                continue
            self._tell(each.held, f"{number} of {len(single)}")
            yes = asking.answer(f"Link {printable(each.video.place)} to {each.held.uid}?")
            if yes is None:
                return
            chosen += [each] if yes else []

    def _tell(self, held: Held, which: str) -> None:
        """Print what a person can recognise a video by, where the question is asked."""
        from curri.stream.held import instant

        created = instant(held.created)
        parts = [
            printable(held.name) if held.name else "without a name",
            "length not known" if held.duration is None else clock_text(held.duration),
            *([] if created is None else [f"created {moment(created)}"]),
        ]
        err = self._output.err
        self._output.line(f"{which}: {', '.join(parts)}", indent=4, to=err)
        if held.preview:
            self._output.line(f"    {printable(held.preview)}", to=err)


def _adoption(output: Output, each: Adoption) -> None:
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


@command(app, "gc", watched=True, named=True)
def gc(
    session: Session,
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than",
            metavar="TIME",
            envvar="CURRI_OLDER_THAN",
            help="Delete only what was replaced or lost longer ago than this.",
        ),
    ] = "30d",
    max_deletes: Annotated[
        int | None,
        typer.Option("--max-deletes", metavar="N", min=0, envvar="CURRI_MAX_DELETES", help="Delete at most N videos."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", envvar="CURRI_YES", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Delete replaced videos, lost uploads and old encodes.

    What is left over: only what this catalog knows to have made itself, and nothing plays. Shows the plan and asks.
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
    videos = sum(counts[name] for name in ("retireds", "orphans", "opens"))
    told = [f"{counted(videos, 'video')} on Stream, {counts['minutes']:.1f} minutes"] if videos else []
    told += [f"{counted(counts['rows'], 'row')} of the catalog"] if counts["rows"] else []
    if counts["encodes"]:
        told.append(f"{counted(counts['encodes'], 'encode')} here, {size_text(counts['encode_bytes'])}")
    output.say(f"deleted: {' and '.join(told) or 'nothing'}")


def _agreed(output: Output, plan: Plan, *, yes: bool, dry_run: bool) -> bool:
    """Show the plan, and ask."""
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
    more = f"; {plan.left} more {'is' if plan.left == 1 else 'are'} left to another run" if plan.left else ""
    output.say(f"to be deleted: {' and '.join(told)}{more}")
    if dry_run or yes:
        return True
    asking.needs_person(output, "`--yes` deletes without asking, `--dry-run` only shows it")
    agreed = asking.agreed("Delete it?" if len(plan.leftovers) + len(plan.encodes) == 1 else "Delete them?")
    if not agreed:
        output.say("nothing was deleted")
    return agreed


def _done(output: Output, item: Item) -> None:
    """Print how one video fared."""
    if output.as_json:
        output.emit("item", **{**asdict(item), "outcome": item.outcome.value})
    elif item.outcome.value == "failed":
        output.line(f"{item.path}: {item.reason}", word="failed", to=output.err)
    elif output.verbose or item.outcome.value == "unchanged":
        output.say(f"{item.path}: {item.reason}", word=item.outcome.value)
