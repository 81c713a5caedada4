"""The commands: each opens what it needs, calls a flow, and hands the result to the output."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curri import __version__
from curri.cli.session import Session, command
from curri.errors import ExitCode
from curri.plan.quantities import counted, size_text, usd_text
from curri.plan.text import printable

if TYPE_CHECKING:
    from curri.catalog.database import Database
    from curri.catalog.overview import LessonState

_COURSE = re.compile(r"(?:course[_-]?)?([0-9]{1,9})", re.IGNORECASE | re.ASCII)

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


def _course(text: str) -> str:
    """Return the slug that a person means: 1 and Course_1 are course_01."""
    found = _COURSE.fullmatch(text)
    return f"course_{int(found[1]):02d}" if found else text


Courses = Annotated[
    list[str] | None,
    typer.Option(
        "--course",
        metavar="SLUG",
        envvar="CURRI_COURSE",
        parser=_course,
        help="Only this course, such as course_01.",
    ),
]
Lessons = Annotated[
    list[str] | None,
    typer.Option("--lesson", metavar="NN", envvar="CURRI_LESSON", help="Only lessons with this number."),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", envvar="CURRI_KIND", help="Only this kind, such as learning."),
]


def _folder(text: str) -> Path:
    """Return a path, `~` expanded: in quotes and in variables the shell does not do it."""
    if not text:
        raise typer.BadParameter("it is empty; for the working folder say .")
    with suppress(RuntimeError):  # there is no such user
        return Path(text).expanduser()
    return Path(text)


@command(app, "import", watched=True, named=True)
def import_(
    session: Session,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", envvar="CURRI_PATH", parser=_folder, help="The curriculum folder, or one course folder."
        ),
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

    By course and lesson, with the minutes on Stream and what they cost. The numbers of a course are those of its
    lessons and of what lies beside them.
    """
    from curri.flow import status as flow

    with session.catalog() as database:
        state = flow.run(database, course or [])
    for row in state.lessons:
        if session.output.as_json and (row.number is not None or row.files):
            session.output.emit("lesson", **asdict(row))
    totals = _sums(state.lessons)
    # A column of noughts says nothing.
    shown = [name for name in NUMBERS if name in ("files", "videos", "due") or totals[name]]
    rows = [(place, title, *(numbers[name] for name in shown)) for place, title, numbers in _by_course(state.lessons)]
    if rows:
        session.output.table(("lesson", "title", *shown), rows, right=shown, shrink="title")
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
            f"\n{counted(totals['videos'], 'video')}, {totals['due']} due; {state.minutes:.1f} minutes on Stream,"
            f" {usd_text(state.usd_per_month)} a month"
        )
        if statistics.total.videos:
            each = ((name, getattr(statistics, name)) for name in ("queued", "inprogress", "ready", "error"))
            parts = [f"{some.videos} {name} ({some.seconds / 60:.1f} min)" for name, some in each if some.videos]
            session.output.say(f"on Stream: {', '.join(parts)}")
    else:
        session.output.say(EMPTY)
    session.output.summary(ExitCode.OK, counts=counts)


EMPTY = "the catalog is empty: `curri import PATH` fills it"
NUMBERS = ("files", "labs", "videos", "due", "uploading", "processing", "ready", "failed")
"""What `curri status` counts in a lesson."""


def is_empty(database: Database) -> bool:
    """Return whether nothing was imported yet, or all of it is gone. Raises DatabaseError."""
    from curri.catalog import inventory

    with database.transaction() as connection:
        return not inventory.courses(connection)


def _sums(lessons: Iterable[LessonState]) -> dict[str, int]:
    every = list(lessons)
    return {name: sum(getattr(lesson, name) for lesson in every) for name in NUMBERS}


def _by_course(lessons: Iterable[LessonState]) -> Iterator[tuple[str, str, Mapping[str, int]]]:
    """Yield place, title and numbers of each course and then of its lessons; what lies beside those is in its sums."""
    for slug, several in groupby(lessons, key=lambda lesson: lesson.course):
        course = list(several)
        yield slug, course[0].course_title, _sums(course)
        for lesson in course:
            if lesson.number is not None:
                yield f"{slug}/{lesson.number}", lesson.title, _sums([lesson])


MOST_RUNS = 1_000_000


@command(app, "runs")
def runs(
    session: Session,
    limit: Annotated[
        int,
        typer.Option("--limit", metavar="N", min=1, max=MOST_RUNS, envvar="CURRI_LIMIT", help="How many runs to show."),
    ] = 20,
) -> None:
    """Show the last runs.

    What was done, when, from which host, and how it ended.
    """
    from curri.catalog import runs as ledger

    with session.catalog() as database:
        latest = ledger.latest(database, limit)
        at_work = ledger.at_work(database, latest)
    rows = []
    for run in latest:
        running = run.id in at_work
        ended = "running" if running else CUT_OFF if run.exit_code is None else _word(run.exit_code)
        told = _counted(run.command, run.counts)
        rows.append((run.id, f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}", run.command, run.host, ended, told))
        if session.output.as_json:
            session.output.emit("run", **run.model_dump(mode="json"), running=running)
    if rows:
        columns = ("run", "began", "command", "host", "ended", "counts")
        session.output.table(columns, rows, right=("run",), shrink="counts")
    else:
        session.output.say(EMPTY)
    if any(row[4] == CUT_OFF for row in rows):
        session.output.say(f"{CUT_OFF}: it was killed, or its connection to the database was lost")
    session.output.summary(ExitCode.OK, counts={"runs": len(rows)})


CUT_OFF = "ended without a word"
"""How a run ended that has no end in the ledger and does not live."""

TELLING: Mapping[str, Mapping[str, str]] = {
    "import": {name: name for name in ("files", "new", "changed", "moved", "restored", "removed", "blocked")},
    "upload": {
        "uploaded": "sent",
        "bytes": "",
        "relinked": "linked again",
        "failed": "failed",
        "blocked": "blocked",
        "left": "left",
    },
    "sync-status": {
        "changed": "changed",
        "ready": "ready",
        "queued": "in work",
        "inprogress": "in work",
        "problems": "in trouble",
    },
    "fix-metadata": {"edited": "edited", "failed": "failed", "missing": "not on Stream"},
    "adopt": {"adopted": "linked", "left": "left"},
    "gc": {
        "retireds": "deleted",
        "orphans": "deleted",
        "opens": "deleted",
        "rows": "forgotten",
        "encode_bytes": "of encodes",
        "failed": "failed",
        "left": "left",
    },
    "videos edit": {"edited": "edited"},
    "videos delete": {"deleted": "deleted"},
}
"""The counts of a run that fit on its line, with their words. --json has them all."""


def _counted(name: str, counts: Mapping[str, float]) -> str:
    """Return what a run of a command came to: 8 sent, 31.0 MB, 1 left."""
    sums: dict[str, float] = {}
    sizes = set()
    for key, word in TELLING.get(name, {}).items():
        sums[word] = sums.get(word, 0) + counts.get(key, 0)
        sizes |= {word} if key.endswith("bytes") else set()
    parts = [(size_text(sum_) if word in sizes else f"{sum_:.0f}", word) for word, sum_ in sums.items() if sum_]
    return ", ".join(" ".join(part).strip() for part in parts)


def _word(exit_code: int) -> str:
    return f"{exit_code} {ExitCode(exit_code).name.lower().replace('_', ' ')}"


@command(app, "config")
def config(session: Session) -> None:
    """Show every setting and where it comes from.

    Secrets are masked. --verbose tells what each is for.
    """
    from curri.config import OF_CURRICULUM

    shown = session.settings().shown()
    for setting in shown:
        if session.output.as_json:
            session.output.emit("setting", **asdict(setting))
    session.output.table(
        ("setting", "value", "from"),
        [(each.variable, each.value or "-", each.origin) for each in shown],
        shrink="value",
    )
    unset = [each.variable for each in shown if each.name in OF_CURRICULUM and each.origin == "default"]
    if unset:
        session.output.say(f"\n{' and '.join(unset)}: a curriculum's own curri.toml goes before the default")
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

    loaded = session.settings()
    settings = loaded.settings
    findings = flow.run(
        flow.Configured(
            url=settings.database_url.get_secret_value() if settings.database_url else None,
            home=settings.home,
            ffmpeg=settings.ffmpeg,
            token_file=None if settings.cloudflare_api_token else settings.cloudflare_api_token_file,
            credentials=lambda: credentials_of(settings),
        )
    )
    output = session.output
    url_at = {"CURRI_DATABASE_URL": loaded.where("database_url")}
    findings = [replace(each, where=url_at.get(each.where or "", each.where)) for each in findings]
    for finding in findings:
        if output.as_json:
            output.emit("finding", **{**asdict(finding), "exit_code": int(finding.exit_code)})
        elif finding.state != "ok" or not output.quiet:
            output.line(f"{finding.name}: {finding.text}", word=finding.state)
            if finding.where:
                output.line(f"{'':9} in: {finding.where}")
            if finding.hint:
                output.line(f"{'':9} hint: {finding.hint}")
    exit_code = flow.exit_code(findings)
    output.summary(exit_code, counts={"problems": sum(finding.state == "problem" for finding in findings)})
    raise typer.Exit(exit_code)
