"""What is done with one video of an upload: it is claimed, prepared, delivered and accounted for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from curri.catalog import uploads
from curri.catalog.database import Database
from curri.catalog.uploads import Claim, LeaseLost
from curri.errors import CurriError, Interrupted, StreamUnavailable, ToolError
from curri.flow.jobs import Item, Job
from curri.flow.sending import Parcel, Sender
from curri.media.encode import EncodeFailed, Failure
from curri.media.prepare import Prepared, Source, Workshop, prepare
from curri.media.probe import Flaw, Unusable
from curri.model import RecordedVideo, Result
from curri.plan.metadata import About, Attempt, metadata
from curri.plan.text import printable
from curri.plan.uploads import judge
from curri.stream import failures
from curri.stream.artefact import Artefact
from curri.stream.pause import Stop

PATIENCE = 3
"""Videos in a row that Stream was not available for, after which the run ends: the next would fail as well."""


class Progress(Protocol):
    """Is told how the videos of an upload get on; called from several threads."""

    def start(self, videos: int, size: int) -> None:
        """So many videos, and at most so many bytes, are to be sent."""

    def encoding(self, name: str, seconds: float, duration: float) -> None:
        """So many seconds of a video are encoded."""

    def sending(self, name: str, acknowledged: int, size: int) -> None:
        """Stream has acknowledged so many bytes of a video."""

    def ended(self, name: str) -> None:
        """A video is done with, well or not."""


@dataclass(frozen=True, slots=True)
class Package:
    """A video that is ready to be sent, and stays so until it is closed."""

    job: Job
    claim: Claim
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Labels:
    """What every video of one curriculum says of itself."""

    managed_by: str
    program: str


class Worker:
    """Does the work on single videos. One serves all threads.

    Both steps return an Item when the video is done with: also when it failed, if that says nothing of the others.
    They raise what ends the run: a stop, the catalog gone, credentials, the quota used up, Stream out of reach.
    """

    def __init__(  # noqa: PLR0913 - a run is made of these
        self,
        database: Database,
        sender: Sender,
        workshop: Workshop,
        labels: Callable[[str], Labels],
        progress: Progress,
        stop: Stop,
        run_id: int,
        *,
        retry_failed: bool,
    ) -> None:
        self._database = database
        self._sender = sender
        self._workshop = workshop
        self._labels = labels
        self._progress = progress
        self._stop = stop
        self._run_id = run_id
        self._retry_failed = retry_failed
        self._unavailable = 0  # videos in a row; whether threads count one too few does not matter

    def prepare(self, job: Job) -> Package | Item:
        """Claim a video, and find or make the file that is sent for it."""
        claim = self._claim(job)
        if isinstance(claim, Item):
            return claim
        try:
            if claim.source_sha1 != job.video.source.sha1:
                claim = self._replace_claim(job, claim)
            prepared = self._prepared(job)
            if isinstance(prepared, Unusable):
                return self._unusable(job, claim, prepared)
            return Package(job, claim, prepared)
        except CurriError as error:
            return self._not_done(job, claim, error)

    def deliver(self, package: Package) -> Item:
        """Send a prepared video and link it."""
        job, claim = package.job, package.claim
        try:
            with package.prepared as chosen:
                mtime_ns = job.mtime_ns if chosen.mtime_ns is None else chosen.mtime_ns
                if chosen.path == job.rendition and job.video.rendition is not None:
                    mtime_ns = job.video.rendition.mtime_ns
                artefact = Artefact(chosen.path, chosen.size, chosen.sha1, mtime_ns)
                parcel = Parcel(job.video.id, artefact, chosen, self._metadata(job, compressed=chosen.compressed))
                begun = next((upload.acknowledged for upload in job.video.uploads if upload.is_open), 0)
                self._progress.sending(job.name, min(begun, chosen.size), chosen.size)
                claim, delivered = self._sender.deliver(
                    claim,
                    parcel,
                    self._stop,
                    lambda offset: self._progress.sending(job.name, offset, chosen.size),
                )
        except CurriError as error:
            return self._not_done(job, claim, error)
        self._unavailable = 0
        video = delivered.video
        failed = delivered.facts.status == "error"
        reason = delivered.facts.error_message if failed else f"{chosen.sent}: {chosen.why}"
        if delivered.link == "pending" and not failed:
            reason = f"{reason}; the former video plays until this one is ready"
        return Item(
            printable(job.video.place),
            Result.FAILED if failed else Result.DONE,
            str(reason),
            name=job.name,
            uid=video.uid,
            action=str(chosen.sent),
            size=chosen.size,
            seconds=chosen.duration,
            watch=video.preview,
        )

    def give_up(self, package: Package) -> None:
        """Leave a prepared video to the next run."""
        package.prepared.close()
        with suppress(CurriError):  # the lease ends by itself, with this run
            self._release(package.claim, None)

    # --- claiming

    def _claim(self, job: Job) -> Claim | Item:
        """Take hold of a video, if it is still due: another run may have been quicker, or an import have changed it."""
        with self._database.transaction() as connection:
            uploads.lock(connection, job.video.id)
            now = uploads.read(connection, job.video.id)
            if not now or now[0].source.sha1 != job.video.source.sha1:
                return _item(
                    job, Result.BLOCKED, "changed: an import has recorded another file meanwhile; run it again"
                )
            judgement = judge(now[0], retry_failed=self._retry_failed)
            if judgement.due is None:
                return _item(job, judgement.result, judgement.reason)
            opened = next((upload for upload in now[0].uploads if upload.is_open), None)
            if opened is None:
                return uploads.intend(connection, job.video.id, job.video.source.sha1, self._run_id)
            taken = uploads.take_over(connection, opened.id, self._run_id)
            return taken or _item(job, Result.UNCHANGED, "another run is at work on it")

    def _replace_claim(self, job: Job, claim: Claim) -> Claim:
        """Give up the upload of a file that has changed since, on Stream first, and record the intent for this one."""
        self._sender.discard(claim, self._stop)
        with self._database.transaction() as connection:
            uploads.lock(connection, job.video.id)
            uploads.close(connection, claim, "abandoned", "source-changed", "the file has changed since")
            return uploads.intend(connection, job.video.id, job.video.source.sha1, self._run_id)

    # --- preparing

    def _prepared(self, job: Job) -> Prepared | Unusable:
        source = job.video.source
        if job.doubtful:
            Artefact(job.path, source.size, source.sha1, job.mtime_ns).prove(self._stop)
        if isinstance(job.probed, Unusable):
            return job.probed
        rendition = job.video.rendition if job.rendition else None
        wanted = Source(job.path, source.sha1, job.rendition, rendition.sha1 if rendition else None)
        if job.encodes:
            self._progress.encoding(job.name, 0.0, job.seconds)
        return prepare(
            wanted,
            self._workshop,
            on_progress=lambda seconds: self._progress.encoding(job.name, seconds, job.seconds),
        )

    def _metadata(self, job: Job, *, compressed: bool) -> Callable[[str, datetime], dict[str, str]]:
        about = about_video(job.video)

        def of(upload_id: str, asked: datetime) -> dict[str, str]:
            attempt = Attempt(upload_id, job.video.source.sha1, compressed, asked)
            labels = self._labels(job.video.root)
            return metadata(job.name, about, attempt, managed_by=labels.managed_by, program=labels.program)

        return of

    # --- what went wrong

    def _not_done(self, job: Job, claim: Claim, error: CurriError) -> Item:
        """Account for an error: the item that failed by it, or the error itself if it ends the run."""
        try:
            return self._accounted(job, claim, error)
        except LeaseLost:  # whatever went wrong here, the video is another run's by now
            return _item(job, Result.UNCHANGED, "another run has taken it over")

    def _accounted(self, job: Job, claim: Claim, error: CurriError) -> Item:
        if isinstance(error, LeaseLost):
            raise error
        if isinstance(error, failures.FileChanged) or (
            isinstance(error, EncodeFailed) and error.failure is Failure.SOURCE_CHANGED
        ):
            self._release(claim, error)
            return _item(job, Result.BLOCKED, f"changed: {error.message}; run `curri import` first")
        if isinstance(error, EncodeFailed) and error.failure is not Failure.DISK_FULL:
            return self._refused(job, claim, error.failure, error.message)
        if isinstance(error, failures.Refused):
            return self._refused(job, claim, "refused-by-stream", error.message)
        passing = isinstance(error, (StreamUnavailable, ToolError, failures.Denied))
        self._unavailable += isinstance(error, (StreamUnavailable, failures.CreationUnknown))
        ends_all = isinstance(error, (Interrupted, failures.Unreachable, failures.QuotaExceeded))
        ends_all |= self._unavailable >= PATIENCE
        if ends_all or not passing:
            with suppress(CurriError):  # the first error is the one to report
                self._release(claim, None if isinstance(error, Interrupted) else error)
            raise error
        self._release(claim, error)
        hint = f"; {error.hint}" if error.hint else ""
        return _item(job, Result.FAILED, f"{error.message}{hint}")

    def _unusable(self, job: Job, claim: Claim, found: Unusable) -> Item:
        """Account for a file that cannot be sent: for good, unless it lies at the disk, or at a missing ffmpeg."""
        needs_ffmpeg = found.flaw is Flaw.NO_DURATION and self._workshop.tool is None
        if not needs_ffmpeg and found.flaw not in (Flaw.UNREADABLE, Flaw.NOT_A_FILE):
            return self._refused(job, claim, found.flaw, found.why)
        self._release(claim, ToolError(found.why))
        return _item(
            job, Result.BLOCKED, f"{found.flaw}: {found.why}{'; ffmpeg would find it' if needs_ffmpeg else ''}"
        )

    def _refused(self, job: Job, claim: Claim, code: str, message: str) -> Item:
        """End an upload that can only fail again with the same bytes; nothing of it stays on Stream."""
        self._sender.discard(claim, self._stop)
        with self._database.transaction() as connection:
            uploads.close(connection, claim, "failed", code, message)
        return _item(job, Result.FAILED, f"{code}: {message}")

    def _release(self, claim: Claim, error: CurriError | None) -> None:
        with self._database.transaction() as connection:
            code, message = (None, None) if error is None else (type(error).__name__, error.message)
            uploads.release(connection, claim, code, message)


def about_video(video: RecordedVideo) -> About:
    """Return what the metadata of a video say of its place."""
    return About(
        component_id=video.id,
        course_id=video.course_id,
        course=video.course,
        course_title=video.course_title,
        lesson_id=video.lesson_id,
        lesson=video.lesson,
        lesson_title=video.lesson_title,
        kind=video.kind,
        group_key=video.group_key,
    )


def _item(job: Job, outcome: Result, reason: str) -> Item:
    return Item(printable(job.video.place), outcome, reason, name=job.name, seconds=job.seconds)
