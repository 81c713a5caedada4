"""What an upload would do with each video that is due: found out by looking at the files, before anything is done."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curri.media.prepare import Workshop, examine, plan
from curri.media.probe import Flaw, Probed, Unusable
from curri.media.recipe import Action, most_bytes
from curri.media.renditions import Rendition
from curri.model import AssetRow, RecordedVideo, Result
from curri.plan.names import Named, names
from curri.plan.text import printable
from curri.plan.uploads import Judgement
from curri.tree.outline import Roots
from curri.tree.presence import Presence, look


@dataclass(frozen=True, slots=True)
class Job:
    """One video to be sent."""

    video: RecordedVideo
    name: str  # on Stream
    judgement: Judgement
    path: Path
    mtime_ns: int
    doubtful: bool  # the stat is not as recorded: the bytes must be compared first
    rendition: Path | None
    probed: Probed | Unusable
    action: str  # passthrough, encode or rendition; none if it cannot be sent
    why: str
    size: int  # bytes to send: known, or the most that an encode will take; 0 if it cannot be sent
    encodes: bool  # needs ffmpeg, and time

    @property
    def seconds(self) -> float:
        """Duration; 0 if the file is no video."""
        return self.probed.duration if isinstance(self.probed, Probed) else 0.0

    @property
    def needs_ffmpeg(self) -> bool:
        """Whether an ffmpeg decides about it: one encodes or checks, finds a duration, or converts colours."""
        if isinstance(self.probed, Unusable):
            return self.probed.flaw is Flaw.NO_DURATION
        return self.encodes or self.probed.video.hdr is not None

    @property
    def minutes(self) -> float:
        """Minutes that Stream bills: it rounds every video up to a second."""
        return math.ceil(self.seconds) / 60


@dataclass(frozen=True, slots=True)
class Item:
    """One video of a run, and how it ended."""

    path: str  # course, lesson and path, made printable
    outcome: Result
    reason: str
    name: str | None = None  # on Stream
    uid: str | None = None
    action: str | None = None  # what was sent: passthrough, rendition, encode or original
    size: int = 0  # bytes of it
    seconds: float = 0.0  # duration
    watch: str | None = None  # address of a page that plays it


def titles(videos: Iterable[RecordedVideo]) -> dict[str, str]:
    """Return the name on Stream of each video, by component id. Give all videos: a name depends on its neighbours."""
    return names(Named(video.id, video.course, video.lesson, video.kind, video.group_key) for video in videos)


def gather(
    due: Sequence[tuple[RecordedVideo, Judgement]], called: dict[str, str], workshop: Workshop
) -> tuple[list[Job], list[Item]]:
    """Look at the files of all videos that are due; returns what can be sent, and what is blocked. Changes nothing."""
    roots = Roots()
    jobs: list[Job] = []
    blocked: list[Item] = []
    for video, judgement in due:
        folder = roots.find(video.root, video.course, video.lesson)
        if folder is None:
            blocked.append(_blocked(video, Presence.MISSING))
            continue
        path = folder / video.source.relative_path
        seen = look(path, video.source)
        if seen.presence in (Presence.MISSING, Presence.CHANGED):
            blocked.append(_blocked(video, seen.presence))
            continue
        doubtful = seen.presence is Presence.DOUBTFUL
        rendition = _rendition(video.rendition, folder) if workshop.compress else None
        probed = examine(path, workshop)
        way = _way(video, rendition, probed, workshop)
        jobs.append(
            Job(video, called[video.id], judgement, path, seen.mtime_ns, doubtful, rendition, probed, *way),
        )
    return jobs, blocked


def decided_again(jobs: Iterable[Job], workshop: Workshop) -> list[Job]:
    """Return the jobs as they are with the ffmpeg that `workshop` has by now.

    Only those that it decides about can be other ones, and only a file that could not be probed without it is examined
    again: that takes a while.
    """
    return [_again(job, workshop) if job.needs_ffmpeg else job for job in jobs]


def _again(job: Job, workshop: Workshop) -> Job:
    probed = examine(job.path, workshop) if isinstance(job.probed, Unusable) else job.probed
    action, why, size, encodes = _way(job.video, job.rendition, probed, workshop)
    return replace(job, probed=probed, action=action, why=why, size=size, encodes=encodes)


def _blocked(video: RecordedVideo, presence: Presence) -> Item:
    reason = "changed: the file is another one than the import saw; run `curri import` first"
    if presence is Presence.MISSING:
        root = printable(video.root)
        reason = f"missing: it is not below {root}; is the disk mounted? `curri import` records what was moved"
    return Item(printable(video.place), Result.BLOCKED, reason)


def _rendition(row: AssetRow | None, folder: Path) -> Path | None:
    """Return the ready-made rendition if it is still the file that was recorded."""
    if row is None:
        return None
    path = folder / row.relative_path
    return path if look(path, row).presence is Presence.SAME else None


def _way(
    video: RecordedVideo, rendition: Path | None, probed: Probed | Unusable, workshop: Workshop
) -> tuple[str, str, int, bool]:
    """Return what would be done with a video: the last four fields of a Job."""
    size = video.source.size
    if isinstance(probed, Unusable):
        return "none", f"{probed.flaw}: {probed.why}", 0, False
    decision = plan(probed, workshop)
    if rendition is not None and video.rendition is not None:
        return "rendition", f"{printable(rendition.name)} lies beside it", video.rendition.size, True
    if decision.action is Action.PASSTHROUGH:
        return "passthrough", decision.why, size, False
    known = workshop.cache.peek(video.source.sha1)
    if isinstance(known, Rendition):
        return "encode", f"{decision.why}; encoded before", known.size, False
    most = most_bytes(probed)
    return "encode", decision.why, most if decision.required else min(most, size), True


def limited(jobs: list[Job], uploads: int | None, minutes: float | None) -> tuple[list[Job], int]:
    """Return as many jobs from the front as both limits allow, and how many are left for another run.

    What an earlier run began counts like the rest. A video that is longer than what remains of the minutes is passed
    over; shorter ones behind it may still fit.
    """
    chosen: list[Job] = []
    total = 0  # whole seconds: a sum of fractions of minutes would pass a limit that it meets
    for job in jobs:
        if uploads is not None and len(chosen) >= uploads:
            break
        billed = round(job.minutes * 60)
        if minutes is not None and total + billed > round(minutes * 60, 3):
            continue
        chosen.append(job)
        total += billed
    return chosen, len(jobs) - len(chosen)
