"""`curri fix-metadata`: what Stream says of the videos, made what the catalog says; and back again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from curri.catalog import changes, uploads
from curri.catalog.changes import Linked
from curri.catalog.database import Database
from curri.errors import ExitCode, UsageError
from curri.flow import ledger
from curri.flow.jobs import Item, titles
from curri.flow.upload import Means
from curri.flow.worker import Labels, about_video
from curri.model import Held, RecordedVideo, Result
from curri.plan.drift import Change, differences, restorable
from curri.plan.metadata import Attempt, metadata
from curri.plan.text import printable
from curri.plan.uploads import Selection, select
from curri.stream.client import Client
from curri.stream.failures import NotFound, Refused
from curri.stream.videos import Videos

COMMAND = "fix-metadata"


@dataclass(frozen=True, slots=True)
class Options:
    """What to repair."""

    courses: Sequence[str] = ()  # slugs; none: all
    dry_run: bool = False
    revert: int | None = None
    """The run whose changes are taken back, in place of repairing anything."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """A video whose metadata differ."""

    path: str
    uid: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a run changed, or would change."""

    exit_code: ExitCode
    counts: Mapping[str, float]
    run_id: int | None = None


class Progress:
    """Is told how many of how many videos are done. This one shows nothing."""

    def start(self, videos: int) -> None:
        """So many videos are to be edited."""

    def advance(self) -> None:
        """One more is done."""


def run(
    database: Database,
    options: Options,
    means: Means,
    on_drift: Callable[[Drifted], None],
    on_item: Callable[[Item], None],
    *,
    version: str,
    progress: Progress | None = None,
) -> Report:
    """Compare every linked video with what its metadata should be, in one listing, and edit what differs.

    Every change is in the journal before it is made. A video that was edited between the listing and the change is
    left alone and reported. A second call changes nothing. Raises UsageError, BusyError, ConfigError, StreamError,
    DatabaseError; after any of them what was done is in the journal, and the next run does the rest.
    """
    account = means.credentials.account()
    if options.dry_run:
        with Client(account) as client:
            repair = _Repair(database, client, None, on_item, progress or Progress())
            drifted = repair.reverting(options.revert) if options.revert else repair.drifted(options, means.labels)
            for each in drifted:
                on_drift(each)
            return repair.report(len(drifted))
    database.lock(COMMAND)
    arguments = {"courses": [printable(each) for each in options.courses], "revert": options.revert}
    with ledger.entry(database, COMMAND, arguments, version) as entry, Client(account) as client:
        repair = _Repair(database, client, entry.run_id, on_item, progress or Progress())
        if options.revert:
            repair.revert(options.revert)
        else:
            repair.repair(repair.drifted(options, means.labels), on_drift)
        report = repair.report(None)
        entry.ended(report.exit_code, report.counts)
    return report


class _Repair:
    """One run: compares, edits, keeps the journal and counts."""

    def __init__(
        self,
        database: Database,
        client: Client,
        run_id: int | None,
        on_item: Callable[[Item], None],
        progress: Progress,
    ) -> None:
        self._database = database
        self._videos = Videos(client)
        self._run_id = run_id
        self._on_item = on_item
        self._progress = progress
        self._counts: Counter[str] = Counter()
        self._held: dict[str, Held] = {}

    def drifted(self, options: Options, labels: Callable[[str], Labels]) -> list[Drifted]:
        """Return the videos whose metadata differ, in teaching order. Those that are not on Stream are left out."""
        with self._database.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            every = uploads.read(connection)
            links = {(each.component_id, each.provider_id): each for each in changes.linked(connection)}
        names = titles(every)
        chosen = select(every, Selection(options.courses)) if options.courses else every
        wanted = [
            (video, links[video.id, link.provider_id])
            for video in chosen
            for link in video.links
            if (video.id, link.provider_id) in links
        ]
        self._held = {held.uid: held for held in self._videos.listing()} if wanted else {}
        found = []
        for video, link in wanted:
            held = self._held.get(link.provider_id)
            self._counts["videos"] += 1
            if held is None:
                self._counts["missing"] += 1  # which `curri sync-status` tells
                continue
            differ = differences(wanted_metadata(video, link, names[video.id], labels(video.root)), held.meta)
            if differ:
                found.append(Drifted(printable(video.place), held.uid, differ))
        return found

    def repair(self, drifted: Sequence[Drifted], on_drift: Callable[[Drifted], None]) -> None:
        """Edit what differs, one video after another."""
        self._progress.start(len(drifted))
        for each in drifted:
            on_drift(each)
            seen = self._held[each.uid].meta
            self._edit(each.path, each.uid, {change.key: change.new for change in each.changes}, seen)
            self._progress.advance()

    def reverting(self, run_id: int) -> list[Drifted]:
        """Return what taking back a run would change."""
        todo = self._of_run(run_id)
        self._counts["videos"] = len(todo)
        return [
            Drifted(
                each.provider_id,
                each.provider_id,
                tuple(
                    Change(key, each.after.get(key), _text(each.before.get(key)))
                    for key in sorted(each.before.keys() | each.after.keys())
                    if each.before.get(key) != each.after.get(key)
                ),
            )
            for each in todo
        ]

    def revert(self, run_id: int) -> None:
        """Take back what a run changed, unless somebody changed it since."""
        todo = self._of_run(run_id)
        self._progress.start(len(todo))
        for each in todo:
            self._counts["videos"] += 1
            uid = each.provider_id
            try:
                now = self._videos.get(uid).meta
            except NotFound:
                self._end(uid, uid, Result.FAILED, "it is not on Stream any more")
                continue
            if not restorable(each.before, each.after, now):
                self._end(uid, uid, Result.FAILED, "it was changed since; nothing was taken back")
                continue
            back = {
                key: _text(each.before.get(key))
                for key in each.before.keys() | each.after.keys()
                if each.before.get(key) != each.after.get(key)
            }
            if self._edit(str(now.get("name", uid)), uid, back, now):
                with self._database.transaction() as connection:
                    changes.reverted(connection, each.id, self._run_id or 0)
            self._progress.advance()

    def _of_run(self, run_id: int) -> list[changes.Journalled]:
        with self._database.transaction() as connection:
            journal = changes.of_run(connection, run_id)
        if not journal:
            hint = "`curri runs` lists the runs of fix-metadata"
            raise UsageError(f"run {run_id} has changed no metadata", hint=hint)
        return [each for each in journal if not each.reverted]

    def _edit(self, path: str, uid: str, new: Mapping[str, str | None], seen: Mapping[str, object]) -> bool:
        """Change the metadata of one video, if they are still what was seen; the journal first.

        Returns whether they are now what they should be. What was surely not done is taken out of the journal; of what
        Stream refused it stays in: an earlier try, whose answer was lost, may have come through.
        """
        after = {key: value for key, value in seen.items() if new.get(key, "") is not None}
        after |= {key: value for key, value in new.items() if value is not None}
        if after == seen:
            return self._end(path, uid, Result.UNCHANGED, "as it should be")
        with self._database.transaction() as connection:
            change = changes.write_down(connection, self._run_id or 0, uid, seen, after)
        why = "it was edited elsewhere at the same moment; run it again"
        try:
            edited = self._videos.edit(uid, new, unless_other_than=seen)
        except NotFound:
            edited, why = None, "it is not on Stream any more"
        except Refused as refused:
            return self._end(path, uid, Result.FAILED, refused.message)
        with self._database.transaction() as connection:
            if edited is None:
                changes.withdraw(connection, change)
            else:
                changes.confirm(connection, uid, edited.after)
        if edited is None:
            return self._end(path, uid, Result.FAILED, why)
        if edited.kept:
            return self._end(path, uid, Result.FAILED, f"Stream keeps {', '.join(edited.kept)}")
        return self._end(path, uid, Result.DONE, ", ".join(sorted(new)))

    def _end(self, path: str, uid: str, result: Result, reason: str) -> bool:
        self._counts[result] += 1
        self._on_item(Item(printable(path), result, reason, uid=uid))
        return result is not Result.FAILED

    def report(self, differing: int | None) -> Report:
        """Sum up."""
        counts = {
            "videos": self._counts["videos"],
            "edited": self._counts[Result.DONE],
            "failed": self._counts[Result.FAILED],
            "missing": self._counts["missing"],
        }
        if differing is not None:
            counts["differing"] = differing
        exit_code = ExitCode.SOME_ITEMS if self._counts[Result.FAILED] else ExitCode.OK
        return Report(exit_code, counts, self._run_id)


def wanted_metadata(video: RecordedVideo, link: Linked, name: str, labels: Labels) -> dict[str, str]:
    """Return what Stream should say of a linked video. Of one that was adopted, nothing about its upload."""
    attempt = None
    if link.upload_id is not None and link.uploaded_at is not None and link.source_sha1 is not None:
        attempt = Attempt(link.upload_id, link.source_sha1, link.compressed, link.uploaded_at)
    return metadata(name, about_video(video), attempt, managed_by=labels.managed_by, program=labels.program)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
