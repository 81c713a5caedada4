"""The commands: each opens what it needs, calls a flow, and hands the result to the output."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from curri import __version__
from curri.cli.session import Session, command
from curri.errors import ExitCode

app = typer.Typer(
    name="curri",
    help="Keep a curriculum of folders, a PostgreSQL catalog and Cloudflare Stream in step.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with local variables could show a password
    add_completion=False,
    rich_markup_mode=None,  # plain help: boxes would take half of the start-up, and narrow terminals
    context_settings={"help_option_names": ["--help", "-h"]},
)

DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", envvar="CURRI_DRY_RUN", help="Show what would be done; change nothing.")
]
Courses = Annotated[
    list[str] | None,
    typer.Option("--course", metavar="SLUG", envvar="CURRI_COURSE", help="Only this course, such as course_01."),
]

Lessons = Annotated[
    list[str] | None,
    typer.Option("--lesson", metavar="NN", envvar="CURRI_LESSON", help="Only lessons with this number."),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", envvar="CURRI_KIND", help="Only this kind, such as learning."),
]


@command(app, "import", watched=True)
def import_(
    session: Session,
    path: Annotated[
        Path, typer.Argument(metavar="PATH", envvar="CURRI_PATH", help="The curriculum folder, or one course folder.")
    ],
    dry_run: DryRun = False,
    check: Annotated[
        bool,
        typer.Option("--check", envvar="CURRI_CHECK", help="As --dry-run; exit code 10 if there is something to do."),
    ] = False,
    rehash: Annotated[
        bool, typer.Option("--rehash", envvar="CURRI_REHASH", help="Read every file again, whatever its times say.")
    ] = False,
    allow_removals: Annotated[
        bool,
        typer.Option(
            "--allow-removals",
            envvar="CURRI_ALLOW_REMOVALS",
            help="Go on if more than a quarter of the known files is gone.",
        ),
    ] = False,
) -> None:
    """Record what is in the curriculum folder.

    Safe to run again, and to stop at any moment: the catalog is changed in one step, or not at all.
    """
    import gc

    from curri.cli import progress
    from curri.flow import importing
    from curri.tree.outline import root_of

    gc.disable()  # hundreds of thousands of small values, none of them garbage: looking for it took a fifth of the time
    options = importing.Options(rehash, allow_removals, dry_run, check)
    with session.catalog(root_of(path)) as database, progress.reading(session.output) as bar:
        report = importing.run(database, path, options, bar, version=__version__)
    session.output.report(report)
    gc.freeze()  # the process ends now: taking them apart one by one would be a tenth of the time
    raise typer.Exit(report.exit_code)


@command(app, "status")
def status(session: Session, course: Courses = None) -> None:
    """Show what is due, on its way and ready.

    By course and lesson, with the minutes on Stream and what they cost.
    """
    from curri.flow import status as flow
    from curri.plan.text import printable

    with session.catalog() as database:
        state = flow.run(database, course or [])
    numbers = ("files", "labs", "videos", "due", "uploading", "processing", "ready", "failed")
    always = ("files", "videos", "due")
    rows = [row for row in state.lessons if row.number is not None or row.files]
    for row in rows:
        if session.output.as_json:
            session.output.emit("lesson", **asdict(row))
    totals = {name: sum(getattr(row, name) for row in rows) for name in numbers}
    shown = [name for name in numbers if name in always or totals[name]]  # a column of noughts says nothing
    session.output.table(
        ("lesson", "title", *shown),
        [
            (
                f"{row.course}/{row.number}" if row.number else row.course,
                row.title or row.course_title,
                *(getattr(row, name) for name in shown),
            )
            for row in rows
        ],
        right=shown,
        shrink="title",
    )
    for trouble in state.troubles:
        if session.output.as_json:
            session.output.emit("trouble", **asdict(trouble))
        told = ": ".join(part for part in (trouble.code, trouble.message) if part)
        word = "failed" if trouble.state == "failed" else "open"
        session.output.say(f"{printable(trouble.path)}: {printable(told)}", word=word)
    statistics = state.statistics
    if session.output.as_json:
        session.output.emit("statistics", **asdict(statistics), total=asdict(statistics.total))
    counts = {**totals, "minutes": round(state.minutes, 1), "usd_per_month": round(state.usd_per_month, 2)}
    if rows:
        session.output.say(
            f"\n{totals['videos']} videos, {totals['due']} due; {state.minutes:.1f} minutes on Stream,"
            f" {state.usd_per_month:.2f} USD a month"
        )
        if statistics.total.videos:
            each = ((name, getattr(statistics, name)) for name in ("queued", "inprogress", "ready", "error"))
            parts = [f"{some.videos} {name} ({some.seconds / 60:.1f} min)" for name, some in each if some.videos]
            session.output.say(f"on Stream: {', '.join(parts)}")
    else:
        session.output.say("the catalog is empty: `curri import PATH` fills it")
    session.output.summary(ExitCode.OK, counts=counts)


@command(app, "runs")
def runs(
    session: Session,
    limit: Annotated[int, typer.Option("--limit", min=1, envvar="CURRI_LIMIT", help="How many runs to show.")] = 20,
) -> None:
    """Show the last runs.

    What was done, when, from which host, and how it ended.
    """
    from curri.catalog import runs as ledger

    with session.catalog() as database:
        latest = ledger.latest(database, limit)
    rows = []
    for run in latest:
        ended = "running or killed" if run.exit_code is None else _word(run.exit_code)
        counts = ", ".join(f"{run.counts[name]} {name}" for name in TELLING if run.counts.get(name))
        rows.append((run.id, f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}", run.command, run.host, ended, counts))
        if session.output.as_json:
            session.output.emit("run", **run.model_dump(mode="json"))
    session.output.table(("run", "began", "command", "host", "ended", "counts"), rows, right=("run",), shrink="counts")
    session.output.summary(ExitCode.OK, counts={"runs": len(rows)})


TELLING = ("files", "new", "changed", "moved", "restored", "removed", "blocked")
"""The counts of a run that fit on its line; --json has them all."""


def _word(exit_code: int) -> str:
    return f"{exit_code} {ExitCode(exit_code).name.lower().replace('_', ' ')}"


@command(app, "config")
def config(session: Session) -> None:
    """Show every setting and where it comes from.

    Secrets are masked. --verbose tells what each is for.
    """
    shown = session.settings().shown()
    for setting in shown:
        if session.output.as_json:
            session.output.emit("setting", **asdict(setting))
    session.output.table(
        ("setting", "value", "from"),
        [(each.variable, each.value or "-", each.origin) for each in shown],
        shrink="value",
    )
    if session.output.verbose:
        for each in shown:
            session.output.say(f"\n{each.variable} ({each.name} in curri.toml)\n  {each.description}")
    session.output.summary(ExitCode.OK, counts={"settings": len(shown)})


@command(app, "doctor")
def doctor(session: Session) -> None:
    """Look at everything that curri needs.

    And say what to do about what is wrong.
    """
    from curri.cli.stream import credentials_of
    from curri.flow import doctor as flow

    settings = session.settings().settings
    url = settings.database_url.get_secret_value() if settings.database_url else None
    findings = flow.run(url, settings.home, settings.ffmpeg, lambda: credentials_of(settings))
    output = session.output
    for finding in findings:
        if output.as_json:
            output.emit("finding", **{**asdict(finding), "exit_code": int(finding.exit_code)})
        elif finding.state != "ok" or not output.quiet:
            output.line(f"{finding.name}: {finding.text}", word=finding.state)
            if finding.hint:
                output.line(f"{'':9} hint: {finding.hint}")
    exit_code = flow.exit_code(findings)
    output.summary(exit_code, counts={"problems": sum(finding.state == "problem" for finding in findings)})
    raise typer.Exit(exit_code)
