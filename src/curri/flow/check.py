"""`curri check`: tree, catalog and Stream side by side; changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curri.catalog import changes, inventory, uploads
from curri.catalog.database import Database
from curri.errors import ExitCode, TreeError
from curri.flow import importing
from curri.flow.fix_metadata import wanted_metadata
from curri.flow.upload import Means
from curri.media.renditions import Cache
from curri.model import Held, Inventory, RecordedVideo
from curri.plan.audit import Finding, Mark, of_stream, of_tree, others
from curri.plan.courses import named
from curri.plan.text import printable
from curri.stream.client import Client
from curri.stream.failures import NotFound
from curri.stream.videos import Videos
from curri.tree.layout import course_number
from curri.tree.outline import Roots

ASKED = 100
"""Videos missing from the listing that are asked for one by one: it may be a moment behind. Many more have another
reason, and the listing itself was whole."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to compare."""

    courses: Sequence[str] = ()  # slugs; none: all
    rehash: bool = False
    """Read every file, whatever its time stamps say."""


@dataclass(frozen=True, slots=True)
class Report:
    """How the three worlds compare."""

    exit_code: ExitCode
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    not_asked: str | None
    """The variable without which Stream could not be asked."""


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What the catalog says, all of one moment."""

    courses: list[tuple[str, str]]  # slug and curriculum folder
    videos: list[RecordedVideo]
    links: list[changes.Linked]
    inventory: Inventory


def run(database: Database, options: Options, means: Means, progress: importing.Progress, *, version: str) -> Report:
    """Compare the tree with the catalog, and the catalog with Stream. Reads only.

    Exit code 10 if anything differs. Without credentials only tree and catalog are compared, and the report says so.
    Raises UsageError, ConfigError, StreamError (also if any page of the listing fails: half of it proves nothing),
    DatabaseError.
    """
    recorded = _read(database)
    known = [slug for slug, _ in recorded.courses]
    slugs = set(named(options.courses, known) or known)
    findings, files = _tree(
        database, [each for each in recorded.courses if each[0] in slugs], options, progress, version
    )
    missing = means.credentials.missing
    retired = foreign = 0
    if missing is None:
        with Client(means.credentials.account()) as client:
            held = {video.uid: video for video in Videos(client).listing()}
            recorded = _read(database)  # after the listing: what a run has linked meanwhile is no stray
            _look_again(Videos(client), recorded, held)
        videos = [video for video in recorded.videos if video.course in slugs]
        whole = len(slugs) == len(recorded.courses)
        should = wanted_metadata(recorded.videos, recorded.links, means.labels)
        wanted = {(video.id, uid): metadata for uid, (video, metadata) in should.items()}
        findings += of_stream(videos, recorded.inventory, held, wanted, whole=whole)
        retired = len({link.uid for link in recorded.inventory.links if link.state == "retired" and link.uid in held})
        foreign = others(held, recorded.inventory)
    unused = Cache(means.home / "renditions").unused({video.source.sha1 for video in recorded.videos})
    marks = Counter(finding.mark for finding in findings)
    counts = {
        "files": files,
        "courses": len(slugs),
        "videos": sum(video.course in slugs for video in recorded.videos),
        **{mark.name.lower(): marks[mark] for mark in Mark},
        "retired": retired,
        "others": foreign,
        "renditions": len(unused),
        "rendition_bytes": sum(unused.values()),
    }
    differs = any(finding.mark is not Mark.SAME for finding in findings)
    return Report(ExitCode.DIFFERENCES if differs else ExitCode.OK, tuple(findings), counts, missing)


def _read(database: Database) -> _Recorded:
    with database.snapshot() as connection:
        return _Recorded(
            inventory.courses(connection),
            uploads.read(connection),
            changes.linked(connection),
            inventory.read(connection),
        )


def _tree(
    database: Database,
    courses: Sequence[tuple[str, str]],
    options: Options,
    progress: importing.Progress,
    version: str,
) -> tuple[list[Finding], int]:
    """Compare each curriculum folder that courses came from with the catalog; returns also how many files it has."""
    findings: list[Finding] = []
    files = 0
    slugs = {slug for slug, _ in courses}
    look = importing.Options(rehash=options.rehash, allow_removals=True, check=True)
    for path in _paths(courses, whole=not options.courses):
        try:
            report = importing.run(database, path, look, progress, version=version)
        except TreeError as error:
            message = ": ".join(part for part in (error.message, error.hint) if part)
            findings.append(Finding(Mark.ERROR, "no-tree", printable(str(path)), message))
            continue
        if options.courses:
            report = replace(report, outcomes=tuple(each for each in report.outcomes if _slug(each.path) in slugs))
        findings += of_tree(report)
        files += report.counts.get("files", 0)
    return findings, files


def _slug(path: str) -> str:
    """Return the course that a path below a curriculum folder is of."""
    return f"course_{course_number(path.partition('/')[0])}"


def _paths(courses: Sequence[tuple[str, str]], *, whole: bool) -> list[Path]:
    """Return what to walk: the curriculum folders, or the folders of single courses."""
    if whole:
        return list(dict.fromkeys(Path(root) for _, root in courses))
    roots = Roots()
    # A course whose folder is gone: the folder of all courses shows that.
    return list(dict.fromkeys(roots.find(root, slug, None) or Path(root) for slug, root in courses))


def _look_again(videos: Videos, recorded: _Recorded, held: dict[str, Held]) -> None:
    """Ask for linked videos that the listing does not have: how soon a new one shows in it is not documented."""
    absent = [link.provider_id for video in recorded.videos for link in video.links if link.provider_id not in held]
    for uid in list(dict.fromkeys(absent))[:ASKED]:
        try:
            held[uid] = videos.get(uid)
        except NotFound:
            continue
