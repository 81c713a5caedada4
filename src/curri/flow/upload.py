"""`curri upload`: every video that is due onto Stream, once, and linked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from curri.catalog import uploads
from curri.catalog.database import Database
from curri.errors import ConfigError, CurriError, ExitCode, StreamError, ToolError
from curri.flow import ledger, preflight, relink, sync, unlinked
from curri.flow.ceiling import Ceiling
from curri.flow.jobs import Item, Job, decided_again, gather, limited, titles
from curri.flow.pipeline import Pipeline
from curri.flow.preflight import Credentials
from curri.flow.sending import Sender
from curri.flow.status import USD_PER_MINUTE
from curri.flow.worker import Labels, Progress, Worker
from curri.media import tools
from curri.media.prepare import Workshop
from curri.media.process import Watch
from curri.media.renditions import Cache
from curri.model import RecordedVideo, Result
from curri.plan.text import printable
from curri.plan.uploads import Judgement, Selection, judge, select
from curri.stream import chunks
from curri.stream.client import Client, Conduct, Exchange
from curri.stream.pause import Stop
from curri.stream.videos import Videos

COMMAND = "upload"
RENEW_SECONDS = uploads.LEASE_SECONDS / 5
_SETTLED = ("ready", "error")


@dataclass(frozen=True, slots=True)
class Options:
    """What to upload, and how."""

    selection: Selection = field(default_factory=Selection)
    dry_run: bool = False
    compress: bool = True
    retry_failed: bool = False
    wait: bool = False
    """Follow what was sent until it can be played, and switch replacements then."""
    max_uploads: int | None = None
    max_minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What an upload works with: the settings. What they are unless they are set, only those say."""

    credentials: Credentials
    home: Path
    ffmpeg: Path | None
    labels: Callable[[str], Labels]
    """Of a curriculum, by its folder."""
    transfers: int
    encoders: int
    bwlimit: int | None  # bytes per second; None: no limit
    chunk_size: int  # bytes
    cache_size: int  # bytes
    delay: float  # seconds until a new upload is sure to show in a listing


@dataclass(frozen=True, slots=True)
class Planned:
    """One video of a plan: what the run would do with it, and why."""

    path: str
    name: str
    due: str  # new, changed, returned, resume or retry
    action: str  # passthrough, encode, rendition, relink or none
    why: str
    size: int  # bytes to send: known, or the most that an encode will take
    minutes: float
    usd_per_month: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did, or would do."""

    exit_code: ExitCode
    counts: Mapping[str, float]
    planned: tuple[Planned, ...] = ()
    problem: CurriError | None = None
    """What would stop the run; of a dry run only."""
    not_asked: str | None = None
    """The variable without which a dry run could not ask Stream."""
    run_id: int | None = None


def run(
    database: Database,
    options: Options,
    means: Means,
    progress: Progress,
    on_item: Callable[[Item], None],
    *,
    version: str,
    on_exchange: Callable[[Exchange], None] | None = None,
) -> Report:
    """Send what is due, link it, and tell of each video as it ends. A second call right away sends nothing.

    Safe to kill: what was begun is found and continued, and no video is ever on Stream twice. Several runs share the
    work. Raises UsageError, ConfigError, StreamError, ToolError and DatabaseError where one of them ends the run.
    """
    chunks.checked(means.chunk_size)
    tally = _Tally(on_item)
    every, due = _due(database, options, tally)
    if options.dry_run:
        return _dry_run(database, every, due, options, means, tally)
    if not due and not (options.wait and tally.processing):
        return _report(tally, None)
    account = means.credentials.account()
    conduct = Conduct.usual(bytes_per_second=means.bwlimit)
    stop = Stop()
    with (
        ledger.entry(database, COMMAND, _arguments(options), version) as entry,
        Client(account, conduct=conduct, stop=stop, on_exchange=on_exchange) as client,
    ):
        videos = Videos(client)
        try:
            database.announce(entry.run_id)
            videos.verify()
            already = unlinked.already(database, videos, every, [video for video, _ in due], tally.add)
            due = [each for each in due if each[0].id not in already]
            due = relink.run(database, videos, due, titles(every), tally.add)
            plan = _plan(every, due, options, means, tally, stop)
            tally.left = plan.left
            ceiling = Ceiling(videos)
            preflight.tools(plan.jobs, plan.workshop, plan.missing)
            preflight.stream(plan.jobs, videos, ceiling)
            plan.workshop.cache.open()
            plan.workshop.cache.sweep()
            sender = Sender(database, client, ceiling, chunk_size=means.chunk_size, delay=means.delay)
            worker = Worker(
                database,
                sender,
                plan.workshop,
                means.labels,
                progress,
                stop,
                entry.run_id,
                retry_failed=options.retry_failed,
            )
            progress.start(len(plan.jobs), sum(job.size for job in plan.jobs))
            pipeline = Pipeline(
                worker, stop, encoders=means.encoders, transfers=means.transfers, on_item=tally.ended(progress)
            )
            pipeline.run(plan.jobs, RENEW_SECONDS, lambda: _renew(database, entry.run_id))
            if options.wait:
                _wait(database, videos, tally, stop)
        finally:
            report = _report(tally, entry.run_id)
            entry.counts = report.counts  # also of a run that an error ends
        entry.ended(report.exit_code, report.counts)
    return report


def _due(
    database: Database, options: Options, tally: _Tally
) -> tuple[list[RecordedVideo], list[tuple[RecordedVideo, Judgement]]]:
    """Return all videos, and those that are to be sent; the others are accounted for."""
    with database.snapshot() as connection:
        every = uploads.read(connection)
    due = []
    for video in select(every, options.selection):
        judgement = judge(video, retry_failed=options.retry_failed)
        if judgement.due is None:
            tally.add(Item(printable(video.place), judgement.result, judgement.reason))
            tally.processing.update(
                {link.provider_id: printable(video.place) for link in video.links if link.status not in _SETTLED}
            )
        else:
            due.append((video, judgement))
    return every, due


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a run sends, and what it prepares that with."""

    jobs: list[Job]
    left: int  # to another run
    workshop: Workshop
    missing: ToolError | None  # why there is no ffmpeg, if one is needed


def _plan(
    every: Sequence[RecordedVideo],
    due: Sequence[tuple[RecordedVideo, Judgement]],
    options: Options,
    means: Means,
    tally: _Tally,
    stop: Stop,
) -> _Plan:
    """Look at the files of what is due. An ffmpeg is looked for only if one is needed: trying it out takes a while."""
    cache = Cache(means.home / "renditions", budget=means.cache_size)
    workshop = Workshop(cache, None, options.compress, Watch(cancelled=lambda: stop.finishing))
    missing: ToolError | None = None
    jobs, blocked = gather(due, titles(every), workshop)
    if any(job.needs_ffmpeg for job in jobs):
        try:
            tool = tools.find(None if means.ffmpeg is None else str(means.ffmpeg))
            workshop = replace(workshop, tool=tool)
            jobs = decided_again(jobs, workshop)  # what it can do decides about some
        except ToolError as error:
            missing = error
    for item in blocked:
        tally.add(item)
    # What is begun on Stream comes first: until it ends it keeps minutes that the others may need.
    jobs.sort(key=lambda job: not any(upload.is_open and upload.provider_id for upload in job.video.uploads))
    jobs, left = limited(jobs, options.max_uploads, options.max_minutes)
    return _Plan(jobs, left, workshop, missing)


def _dry_run(
    database: Database,
    every: Sequence[RecordedVideo],
    due: Sequence[tuple[RecordedVideo, Judgement]],
    options: Options,
    means: Means,
    tally: _Tally,
) -> Report:
    """Return the plan, and what would keep a run from following it. Reads only; writes nowhere."""
    again, due = relink.split(due)
    plan = _plan(every, due, options, means, tally, Stop())
    jobs, tally.left = plan.jobs, plan.left
    problem: CurriError | None = None
    try:
        preflight.tools(jobs, plan.workshop, plan.missing)
        if jobs and not means.credentials.missing:
            with Client(means.credentials.account()) as client:
                videos = Videos(client)
                videos.verify()
                already = unlinked.already(database, videos, every, [job.video for job in jobs], tally.add)
                jobs = [job for job in jobs if job.video.id not in already]
                preflight.stream(jobs, videos, Ceiling(videos))
    except (ConfigError, StreamError, ToolError) as error:
        problem = error
    called = titles(every)
    linked = [
        Planned(printable(video.place), called[video.id], str(judgement.due), relink.ACTION, judgement.reason, 0, 0, 0)
        for video, judgement in again
    ]
    sent = [
        Planned(
            printable(job.video.place),
            job.name,
            str(job.judgement.due),
            job.action,
            job.why,
            job.size,
            job.minutes,
            job.minutes * USD_PER_MINUTE,
        )
        for job in jobs
    ]
    planned = (*linked, *sent)
    report = _report(tally, None)
    minutes = sum(each.minutes for each in planned)
    counts = {**report.counts, "due": len(planned), "bytes": sum(each.size for each in planned)}
    counts |= {"minutes": round(minutes, 2), "usd_per_month": round(minutes * USD_PER_MINUTE, 4)}
    exit_code = problem.exit_code if problem else report.exit_code
    return Report(exit_code, counts, planned, problem, means.credentials.missing)


def _renew(database: Database, run_id: int) -> None:
    with database.transaction() as connection:
        uploads.renew(connection, run_id)


def _wait(database: Database, videos: Videos, tally: _Tally, stop: Stop) -> None:
    """Follow what this run has sent, and what earlier ones have; what fails on Stream now, failed."""

    def changed(item: Item) -> None:
        if item.outcome is Result.FAILED and item.uid is not None:
            tally.failed_later(item.uid, item.reason)

    for uid in sync.follow(database, videos, tally.processing, stop, changed):
        tally.failed_later(uid, "Stream is still working on it; `curri sync-status` follows it")


def _arguments(options: Options) -> dict[str, object]:
    selection = options.selection
    return {
        "courses": [printable(each) for each in selection.courses],
        "lessons": [printable(each) for each in selection.lessons],
        "kinds": [printable(each) for each in selection.kinds],
        "compress": options.compress,
        "retry_failed": options.retry_failed,
        "max_uploads": options.max_uploads,
        "max_minutes": options.max_minutes,
    }


class _Tally:
    """The items of a run as they end, and what they come to."""

    def __init__(self, on_item: Callable[[Item], None]) -> None:
        self._on_item = on_item
        self.counts: Counter[str] = Counter()
        self.processing: dict[str, str] = {}  # id on Stream -> path
        self._sent: set[str] = set()  # by this run
        self.size = 0  # bytes
        self.seconds = 0.0
        self.left = 0
        self.relinked = 0

    def add(self, item: Item) -> None:
        self.counts[item.outcome] += 1
        self.relinked += item.action == relink.ACTION
        if item.uid is not None and item.outcome is Result.DONE:
            self.processing[item.uid] = item.path
            self._sent.add(item.uid)
            self.size += item.size
            self.seconds += item.seconds
        self._on_item(item)

    def ended(self, progress: Progress) -> Callable[[Item], None]:
        """Return what a pipeline calls with each item."""

        def done(item: Item) -> None:
            if item.name is not None:
                progress.ended(item.name)
            self.add(item)

        return done

    def failed_later(self, uid: str, reason: str) -> None:
        """A video that was sent well turned out to be bad on Stream."""
        self.counts[Result.DONE if uid in self._sent else Result.UNCHANGED] -= 1
        self.counts[Result.FAILED] += 1
        self._on_item(Item(self.processing[uid], Result.FAILED, reason, uid=uid))


def _report(tally: _Tally, run_id: int | None) -> Report:
    counts = tally.counts
    bad = counts[Result.FAILED] + counts[Result.BLOCKED]
    numbers: dict[str, float] = {
        "videos": sum(counts.values()) + tally.left,
        "uploaded": counts[Result.DONE] - tally.relinked,
        "relinked": tally.relinked,
        "unchanged": counts[Result.UNCHANGED],
        "failed": counts[Result.FAILED],
        "blocked": counts[Result.BLOCKED],
        "left": tally.left,
        "bytes": tally.size,
        "minutes": round(tally.seconds / 60, 2),
    }
    return Report(ExitCode.SOME_ITEMS if bad else ExitCode.OK, numbers, run_id=run_id)
