"""Which videos must be sent to Stream, and why: decided from what the catalog says, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from curri.errors import UsageError
from curri.model import LinkRow, RecordedVideo, Result, UploadRow
from curri.plan.text import natural, printable


class Due(StrEnum):
    """Why a video is to be sent."""

    NEW = "new"
    """It is not on Stream yet."""
    CHANGED = "changed"
    """The file is another one than the video on Stream was made of."""
    RETURNED = "returned"
    """The file is one that was sent before, and its video is still on Stream: it needs to be linked only."""
    RESUME = "resume"
    """An earlier run began and did not end."""
    RETRY = "retry"
    """It failed, and is tried again on request."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be done with one video, and why."""

    due: Due | None  # None: nothing, in this run
    result: Result  # where nothing is done: whether that is fine (unchanged) or not (failed)
    reason: str


def judge(video: RecordedVideo, *, retry_failed: bool = False) -> Judgement:
    """Decide about one video. The first that fits counts.

    An open upload is always brought to its end first: it may have left something on Stream. A video that failed is
    tried again only on request or when its file changes: the same bytes would fail the same way. A link without a
    known source (adopted) counts as made of the present file: a second copy would be worse than an old one.
    """
    opened = next((upload for upload in video.uploads if upload.is_open), None)
    if opened is not None:
        return _of_open(opened)
    sha1 = video.source.sha1
    link = next((link for link in video.links if link.source_sha1 in (sha1, None)), None)
    if link is not None:
        return _of_link(link, retry_failed=retry_failed)
    if returned(video) is not None:
        return _due(Due.RETURNED, "the file is one that was sent before")
    last = next((upload for upload in video.uploads if upload.source_sha1 == sha1), None)
    if last is not None and last.state == "failed":
        if retry_failed:
            return _due(Due.RETRY, f"failed before: {_told(last.error_code, last.error_message)}")
        return _not_again(last.error_code, last.error_message)
    if video.links:
        return _due(Due.CHANGED, "the file has changed since it was sent")
    return _due(Due.NEW, "not on Stream yet")


def returned(video: RecordedVideo) -> LinkRow | None:
    """Return the retired link to a video that was made of the present file, if that video is good."""
    return next((link for link in video.former if link.status != "error" and link.error_code is None), None)


def _of_open(upload: UploadRow) -> Judgement:
    if upload.held_by is not None:
        return Judgement(None, Result.UNCHANGED, f"run {upload.held_by} is at work on it")
    if upload.artifact_bytes and upload.acknowledged:
        return _due(Due.RESUME, f"{100 * upload.acknowledged // upload.artifact_bytes} % are on Stream")
    return _due(Due.RESUME, "begun by an earlier run")


def _of_link(link: LinkRow, *, retry_failed: bool) -> Judgement:
    if link.status == "error" or link.error_code is not None:  # it plays, and not all of it, for instance
        if retry_failed:
            return _due(Due.RETRY, f"failed on Stream: {_told(link.error_code, link.error_message)}")
        return _not_again(link.error_code, link.error_message)
    if link.status == "ready":
        return Judgement(None, Result.UNCHANGED, "on Stream")
    return Judgement(None, Result.UNCHANGED, "on Stream, being processed")


def _due(due: Due, reason: str) -> Judgement:
    return Judgement(due, Result.DONE, reason)


def _not_again(code: str | None, message: str | None) -> Judgement:
    return Judgement(None, Result.FAILED, f"{_told(code, message)} (--retry-failed tries it again)")


def _told(code: str | None, message: str | None) -> str:
    return ": ".join(part for part in (code, message) if part) or "no reason was given"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which videos a run is about; an empty list is no restriction."""

    courses: Sequence[str] = ()  # slugs
    lessons: Sequence[str] = ()  # numbers, "3" or "03"
    kinds: Sequence[str] = ()


def select(videos: Sequence[RecordedVideo], selection: Selection) -> list[RecordedVideo]:
    """Return the videos that fit the selection, in their order. Raises UsageError if a part of it fits none."""
    chosen = list(videos)
    chosen = _fitting(chosen, "course", selection.courses, lambda video: video.course, str.lower)
    chosen = _fitting(chosen, "lesson", selection.lessons, lambda video: video.lesson or "", _number)
    return _fitting(chosen, "kind", selection.kinds, lambda video: video.kind, str.casefold)


def _fitting(
    videos: list[RecordedVideo],
    what: str,
    wanted: Iterable[str],
    value_of: Callable[[RecordedVideo], str],
    normal: Callable[[str], str],
) -> list[RecordedVideo]:
    values = {normal(value) for value in wanted}
    if not values:
        return videos
    there = {value_of(video) for video in videos} - {""}  # "" is no lesson's number: an unset variable of a script
    for value in sorted(values - {normal(value) for value in there}):
        known = ", ".join(sorted(there, key=natural))
        hint = f"there are videos in {known}" if known else "`curri import` records videos"
        raise UsageError(f"there is no video in {what} {printable(value) or '(empty)'}", hint=hint)
    return [video for video in videos if normal(value_of(video)) in values]


def _number(text: str) -> str:
    return f"{int(text):02d}" if text.isascii() and text.isdecimal() else text
