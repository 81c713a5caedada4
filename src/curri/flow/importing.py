"""`curri import`: the tree into the catalog."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from curri.catalog import reading, writing
from curri.catalog.database import Database
from curri.errors import ExitCode, TreeError
from curri.flow import ledger
from curri.model import Digest, FoundTree, Notice, Outcome, Place, Recorded, Report, Result
from curri.plan.content import Comparison, ContentPlan, compare, decide
from curri.plan.text import printable
from curri.tree.digest import NotReadable, Reader
from curri.tree.outline import outline
from curri.tree.walk import walk

COMMAND = "import"


class Progress(Protocol):
    """Is told what is being read."""

    def start(self, files: int, size: int) -> None:
        """So many files and bytes are to be read."""

    def advance(self, size: int) -> None:
        """So many bytes more were read; called from several threads."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to import."""

    rehash: bool = False
    """Read every file, whatever its time stamps say."""
    allow_removals: bool = False
    """Go on if more than a quarter of the known files is gone."""
    dry_run: bool = False
    """Report what would be done; write nothing."""
    check: bool = False
    """As `dry_run`, and exit code 10 if there is anything to do."""


def run(
    database: Database,
    path: Path,
    options: Options,
    progress: Progress,
    *,
    version: str,
) -> Report:
    """Record what is in the curriculum folder `path`. A second call right away changes no row.

    One transaction: after an error or a kill the catalog is as before. Files that cannot be read keep what is
    recorded of them and make the exit code 3. Raises TreeError (nothing was changed), BusyError, DatabaseError.
    """
    if options.dry_run or options.check:
        plan, found, blocked = _plan(database, path, options, progress)
        exit_code = ExitCode.DIFFERENCES if options.check and not plan.is_empty else _exit_code(blocked)
        return _report(plan, found, blocked, exit_code, dry_run=True)
    database.lock(COMMAND)
    arguments = {"path": printable(str(path)), "rehash": options.rehash, "allow_removals": options.allow_removals}
    with ledger.entry(database, COMMAND, arguments, version) as entry:
        plan, found, blocked = _plan(database, path, options, progress)
        writing.apply(database, plan)
        report = _report(plan, found, blocked, _exit_code(blocked), run_id=entry.run_id)
        entry.ended(report.exit_code, report.counts)
    return report


def _plan(
    database: Database, path: Path, options: Options, progress: Progress
) -> tuple[ContentPlan, FoundTree, list[Notice]]:
    """Gather and decide: everything of an import but the writing."""
    found, recorded = _gather(database, path)
    comparison = compare(found, recorded, rehash=options.rehash)
    digests, unreadable = _read(comparison, progress, Reader(found.root, progress=progress.advance))
    plan = decide(comparison, digests)
    if plan.loses_too_much and not options.allow_removals:
        raise TreeError(
            f"{len(plan.assets.remove)} of {plan.known} known files are gone; nothing was changed",
            where=printable(found.root),
            hint="is the disk mounted? If they were removed on purpose, add --allow-removals",
        )
    return plan, found, [*found.blocked, *unreadable]


def _gather(database: Database, path: Path) -> tuple[FoundTree, Recorded]:
    """Walk the tree, and read the catalog meanwhile: the server works while the disk does."""
    expected = outline(path)
    with ThreadPoolExecutor(1) as beside:
        reads = beside.submit(reading.content, database, sorted(expected.slugs), expected.root)
        found = walk(path)
        recorded = reads.result()
    slugs = {course.slug for course in found.courses}
    if slugs <= expected.slugs:
        return found, recorded
    # A course folder came between the two looks.
    return found, reading.content(database, sorted(slugs), expected.root)


def _read(comparison: Comparison, progress: Progress, reader: Reader) -> tuple[dict[Place, Digest], list[Notice]]:
    """Read what must be read; no transaction is open meanwhile, it may take hours."""
    unread = comparison.unread
    progress.start(len(unread), sum(file.asset.size for file in unread))
    digests: dict[Place, Digest] = {}
    blocked: list[Notice] = []
    for file, result in reader.read(unread):
        if isinstance(result, NotReadable):
            blocked.append(Notice(result.rule, printable(f"{file.folder}/{file.asset.path}"), str(result)))
        else:
            digests[file.place] = result
    return digests, blocked


def _exit_code(blocked: list[Notice]) -> ExitCode:
    return ExitCode.SOME_ITEMS if blocked else ExitCode.OK


def _report(
    plan: ContentPlan,
    found: FoundTree,
    blocked: list[Notice],
    exit_code: ExitCode,
    *,
    run_id: int | None = None,
    dry_run: bool = False,
) -> Report:
    outcomes = [
        *plan.outcomes,
        *(Outcome(notice.path, Result.BLOCKED, f"{notice.rule}: {notice.message}") for notice in blocked),
    ]
    rows = sum(
        len(changes.insert) + len(changes.update) + len(changes.remove)
        for changes in (plan.courses, plan.lessons, plan.components, plan.assets)
    )
    counts = {**plan.counts, "blocked": len(blocked), "warnings": len(found.warnings), "rows_changed": rows}
    return Report(exit_code, counts, tuple(outcomes), found.warnings, run_id, dry_run)
