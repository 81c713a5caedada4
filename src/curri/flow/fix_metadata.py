"""`curri fix-metadata`: what Stream says of the videos, made what the catalog says; and back again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from curri.catalog import changes, uploads
from curri.catalog.changes import Linked
from curri.catalog.database import Database
from curri.errors import ExitCode, UsageError
from curri.flow import ledger
from curri.flow.jobs import Item, titles
from curri.flow.ledger import Report
from curri.flow.upload import Means
from curri.flow.worker import Labels, about_video
from curri.model import RecordedVideo, Result
from curri.plan.drift import Change, between, changed, differences, restored
from curri.plan.metadata import Attempt, metadata
from curri.plan.text import printable
from curri.plan.uploads import Selection, select
from curri.stream.client import Client
from curri.stream.failures import NotFound, Refused
from curri.stream.videos import Videos

COMMAND = "fix-metadata"
CALLS = 2
"""Requests that an edit takes: the video is read, and written."""


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


class Progress(Protocol):
    """Is told how many of how many videos are done."""

    def start(self, videos: int, least: Callable[[int], float]) -> None:
        """So many videos are to be edited; `least` gives the seconds that a number of them takes at the least."""

    def advance(self) -> None:
        """One more is done."""


def run(
    database: Database,
    options: Options,
    means: Means,
    on_drift: Callable[[Drifted], None],
    on_item: Callable[[Item], None],
    progress: Progress,
    *,
    version: str,
) -> Report:
    """Compare every linked video with what its metadata should be, in one listing, and edit what differs.

    Every change is in the journal before it is made. A video that was edited between the listing and the change is
    left alone and reported. A second call changes nothing. Raises UsageError, BusyError, ConfigError, StreamError,
    DatabaseError; after any of them what was done is in the journal, and the next run does the rest.
    """
    account = means.credentials.account()
    if options.dry_run:
        with Client(account) as client:
            repair = _Repair(database, client, on_item)
            drifted = [edit.drifted for edit in repair.wanted(options, means.labels) if edit.drifted.changes]
            for each in drifted:
                on_drift(each)
            return repair.report(None, differing=len(drifted))
    database.lock(COMMAND)
    arguments = {"courses": [printable(each) for each in options.courses], "revert": options.revert}
    with ledger.entry(database, COMMAND, arguments, version) as entry, Client(account) as client:
        repair = _Repair(database, client, on_item)
        edits = repair.wanted(options, means.labels)
        progress.start(len(edits), lambda videos: client.conduct.budget.least(videos * CALLS))
        for edit in edits:
            if edit.drifted.changes:
                on_drift(edit.drifted)
            repair.make(edit, entry.run_id)
            progress.advance()
        report = repair.report(entry.run_id)
        entry.ended(report.exit_code, report.counts)
    return report


@dataclass(frozen=True, slots=True)
class _Edit:
    """What is to be done to one video."""

    drifted: Drifted
    seen: Mapping[str, object]  # its metadata in the listing
    after: Mapping[str, object]
    takes_back: str | None = None  # the change in the journal that is undone by it


class _Repair:
    """One run: compares, edits, keeps the journal and counts."""

    def __init__(self, database: Database, client: Client, on_item: Callable[[Item], None]) -> None:
        self._database = database
        self._videos = Videos(client)
        self._on_item = on_item
        self._counts: Counter[str] = Counter()

    def wanted(self, options: Options, labels: Callable[[str], Labels]) -> list[_Edit]:
        """Return what is to be edited, in the order in which it is."""
        return self._backward(options.revert) if options.revert else self._forward(options, labels)

    def _forward(self, options: Options, labels: Callable[[str], Labels]) -> list[_Edit]:
        """Return what makes Stream say what the catalog says, in teaching order.

        Videos that are not on Stream are left out. One that several components show says of the first of them what it
        is, also where only the course of another is repaired: else it would say now this, now that.
        """
        with self._database.snapshot() as connection:
            every = uploads.read(connection)
            links = changes.linked(connection)
        chosen = {video.id for video in select(every, Selection(options.courses))}
        should = {uid: each for uid, each in wanted_metadata(every, links, labels).items() if each[0].id in chosen}
        listed = {held.uid: held for held in self._videos.listing()} if should else {}
        edits = []
        for uid, (video, wanted) in should.items():
            self._counts["videos"] += 1
            held = listed.get(uid)
            if held is None:
                self._counts["missing"] += 1  # which `curri sync-status` tells
                continue
            if differ := differences(wanted, held.meta):
                after = changed(held.meta, {change.key: change.new for change in differ})
                edits.append(_Edit(Drifted(printable(video.place), uid, differ), held.meta, after))
        return edits

    def _backward(self, run_id: int) -> list[_Edit]:
        """Return what takes back the changes of a run; tells of those that cannot be. Raises UsageError."""
        with self._database.transaction() as connection:
            journal = changes.of_run(connection, run_id)
        if not journal:
            hint = "`curri runs` lists the runs of fix-metadata"
            raise UsageError(f"run {run_id} has changed no metadata", hint=hint)
        todo = [each for each in journal if not each.reverted]
        listed = {held.uid: held.meta for held in self._videos.listing()} if todo else {}
        edits = []
        for each in todo:
            self._counts["videos"] += 1
            uid = each.provider_id
            if uid not in listed:
                self._end(uid, uid, Result.FAILED, "it is not on Stream any more")
                continue
            now = listed[uid]
            back = restored(each.before, each.after, now)
            if back is None:
                self._end(uid, uid, Result.FAILED, "it was changed since; nothing was taken back")
                continue
            edits.append(_Edit(Drifted(_called(now, uid), uid, between(now, back)), now, back, each.id))
        return edits

    def make(self, edit: _Edit, run_id: int) -> None:
        """Edit one video; a change that is taken back is marked so in the journal."""
        if self._rewrite(edit, run_id) and edit.takes_back is not None:
            with self._database.transaction() as connection:
                changes.reverted(connection, edit.takes_back, run_id)

    def _rewrite(self, edit: _Edit, run_id: int) -> bool:
        """Change the metadata of one video, if they are still what was seen; the journal first.

        Returns whether they are now what they should be. What was surely not done is taken out of the journal; of what
        Stream refused it stays in: an earlier try, whose answer was lost, may have come through.
        """
        path, uid = edit.drifted.path, edit.drifted.uid
        if edit.after == edit.seen:
            return self._end(path, uid, Result.UNCHANGED, "as it should be")
        with self._database.transaction() as connection:
            change = changes.write_down(connection, run_id, uid, edit.seen, edit.after)
        why = "it was edited elsewhere at the same moment; run it again"
        try:
            edited = self._videos.rewrite(uid, edit.seen, edit.after)
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
        return self._end(path, uid, Result.DONE, ", ".join(each.key for each in edit.drifted.changes))

    def _end(self, path: str, uid: str, result: Result, reason: str) -> bool:
        self._counts[result] += 1
        self._on_item(Item(printable(path), result, reason, uid=uid))
        return result is not Result.FAILED

    def report(self, run_id: int | None, *, differing: int | None = None) -> Report:
        """Sum up; `differing` is said of a dry run only."""
        counts = {
            "videos": self._counts["videos"],
            "edited": self._counts[Result.DONE],
            "failed": self._counts[Result.FAILED],
            "missing": self._counts["missing"],
        }
        if differing is not None:
            counts["differing"] = differing
        exit_code = ExitCode.SOME_ITEMS if self._counts[Result.FAILED] else ExitCode.OK
        return Report(exit_code, counts, run_id)


def wanted_metadata(
    every: Sequence[RecordedVideo], links: Sequence[Linked], labels: Callable[[str], Labels]
) -> dict[str, tuple[RecordedVideo, dict[str, str]]]:
    """Return what Stream should say of each linked video, by its id on Stream, and of which component that is.

    Of several that show it, the first in teaching order decides. Give all videos, in that order: names depend on it.
    """
    names = titles(every)
    known = {(each.component_id, each.provider_id): each for each in links}
    found: dict[str, tuple[RecordedVideo, dict[str, str]]] = {}
    for video in every:
        for each in video.links:
            link = known.get((video.id, each.provider_id))
            if link is not None and each.provider_id not in found:
                found[each.provider_id] = video, _wanted(video, link, names[video.id], labels(video.root))
    return found


def _wanted(video: RecordedVideo, link: Linked, name: str, labels: Labels) -> dict[str, str]:
    """Return what Stream should say of one video. Of one that was adopted, nothing about its upload."""
    attempt = None
    if link.upload_id is not None and link.uploaded_at is not None and link.source_sha1 is not None:
        attempt = Attempt(link.upload_id, link.source_sha1, link.compressed, link.uploaded_at)
    return metadata(name, about_video(video), attempt, managed_by=labels.managed_by, program=labels.program)


def _called(meta: Mapping[str, object], uid: str) -> str:
    name = meta.get("name")
    return printable(name) if isinstance(name, str) and name else uid
