"""`curri explain`: everything that is known of one video, and what would become of it now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from curri.catalog import chronicle, library, uploads
from curri.catalog.chronicle import Attempt, Component, Deleting, Edit
from curri.catalog.database import Database
from curri.catalog.library import Appearance, Video
from curri.flow import deleting, referring
from curri.model import RecordedVideo, Result
from curri.plan.text import printable
from curri.plan.uploads import Due, judge
from curri.tree.outline import Roots
from curri.tree.presence import Presence, look


@dataclass(frozen=True, slots=True)
class File:
    """The file of a component, as recorded, and what lies there now."""

    path: str | None  # on disk; None: its folder is not there, or there are two of that number
    place: str
    size: int  # bytes, as recorded
    sha1: str
    read_at: datetime  # when the bytes were last read
    presence: str  # same, doubtful, changed or missing
    removed: bool  # the catalog says that it is gone


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `curri upload` would do with the video now."""

    would: str  # send, link, nothing, fail or wait: for somebody to put the file right
    due: str | None  # new, changed, returned, resume or retry; None: it is not due
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the video."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one video."""

    asked: str | None  # the id on Stream that was asked for, if it was one
    component: Component | None  # None: nothing is linked to the video
    name: str | None  # on Stream, as it should be; None: the component was removed
    file: File | None
    verdict: Verdict | None
    attempts: tuple[Attempt, ...]
    videos: tuple[Video, ...]  # what plays, then what waits, then what retired
    links: tuple[tuple[str, Appearance], ...]  # (id on Stream, link), in the same order
    events: tuple[Event, ...]

    @property
    def note(self) -> str | None:
        """What a person must know first, if there is such a thing."""
        if self.component is None:
            return "no file of the catalog is linked to this video"
        if self.component.removed_at is not None:
            return "the file was removed from the tree; its videos stay on Stream until `curri gc`"
        state = next((link.state for uid, link in self.links if uid == self.asked), None)
        if state == "retired":
            plays = next((uid for uid, link in self.links if link.state == "current"), None)
            return f"video {self.asked} is retired: " + (f"{plays} plays in its place" if plays else "nothing plays")
        if state is None and self.asked is not None:
            return f"no video of the catalog has the id {printable(self.asked)}: an upload of this file had it"
        return None


def run(database: Database, reference: str) -> Explanation:
    """Return everything about the video that a person means. Reads only, one moment of the catalog; asks no network.

    Raises UsageError, which names near matches, or all if there are several; DatabaseError.
    """
    with database.snapshot() as connection:
        match = referring.component(connection, reference)
        component_id = match.known.component
        videos = library.read(connection, [each.id for each in match.known.videos])
        edits = chronicle.edits(connection, [video.id for video in videos])
        component: Component | None = None
        attempts: tuple[Attempt, ...] = ()
        recorded: list[RecordedVideo] = []
        if component_id is not None:
            component = chronicle.component(connection, component_id)
            attempts = chronicle.attempts(connection, component_id)
            recorded = uploads.read(connection, component_id)
        uids = {video.uid for video in videos} | {each.uid for each in attempts if each.uid is not None}
        deletions = chronicle.deletions(connection, deleting.COMMAND, sorted(uids))
    mine = [(video, link) for video in videos for link in video.appearances if link.component_id == component_id]
    mine.sort(key=lambda each: (_ORDER.index(each[1].state), -each[1].since.timestamp()))
    file = None if component is None else _file(component)
    happened = [
        *_of_component(component),
        *_of_attempts(attempts),
        *_of_videos(mine or [(video, None) for video in videos]),
        *_of_runs(edits, deletions),
    ]
    return Explanation(
        asked=match.uid,
        component=component,
        name=match.known.name,
        file=file,
        verdict=_verdict(component, recorded, file),
        attempts=attempts,
        videos=tuple(video for video, _ in mine) or tuple(videos),
        links=tuple((video.uid, link) for video, link in mine),
        events=tuple(sorted(happened, key=lambda event: event.at)),
    )


_ORDER = ("current", "pending", "retired")
_AT_ONCE = timedelta(seconds=1)
"""A link that plays as soon as it is made comes into this state within its transaction."""


def _file(component: Component) -> File | None:
    row = component.source
    if row is None or component.read_at is None:
        return None
    folder = Roots().find(component.root, component.course, component.lesson)
    path = folder / row.relative_path if folder else None
    presence = look(path, row).presence if path else Presence.MISSING
    removed = component.removed_at is not None
    return File(
        None if path is None else str(path),
        component.place,
        row.size,
        row.sha1,
        component.read_at,
        presence.value,
        removed,
    )


def _verdict(component: Component | None, recorded: Sequence[RecordedVideo], file: File | None) -> Verdict | None:
    """Return what an upload would do: what the catalog says, unless the file is not the one that it knows."""
    if component is None:
        return None
    if not recorded or file is None:
        return Verdict("nothing", None, "the file was removed from the tree")
    judgement = judge(recorded[0])
    if judgement.due is None:
        return Verdict("fail" if judgement.result is Result.FAILED else "nothing", None, judgement.reason)
    due = str(judgement.due)
    if judgement.due is Due.RETURNED:
        return Verdict("link", due, judgement.reason)
    if file.presence == Presence.CHANGED.value:
        return Verdict("wait", due, "the file is another one than the import saw; run `curri import` first")
    if file.presence == Presence.MISSING.value:
        return Verdict("wait", due, "the file is not there; is the disk mounted? `curri import` records what was moved")
    return Verdict("send", due, judgement.reason)


# --- what happened


def _of_component(component: Component | None) -> Iterator[Event]:
    if component is None:
        return
    yield Event(component.created_at, "imported")
    if component.read_at is not None and component.read_at > component.created_at:
        yield Event(component.read_at, "file read, its checksum recorded")
    if component.removed_at is not None:
        yield Event(component.removed_at, "file removed from the tree")


def _of_attempts(attempts: Sequence[Attempt]) -> Iterator[Event]:
    for attempt in attempts:
        run = "" if attempt.run_id is None else f" by run {attempt.run_id}"
        yield Event(attempt.began_at, f"upload begun{run}")
        if attempt.ended_at is not None:
            why = ": ".join(printable(part) for part in (attempt.error_code, attempt.error_message) if part)
            yield Event(attempt.ended_at, f"upload {attempt.state}{f': {why}' if why else ''}")


def _of_videos(videos: Sequence[tuple[Video, Appearance | None]]) -> Iterator[Event]:
    for video, link in videos:
        if link is not None:
            yield from _of_link(video, link)
        yield from _of_video(video)


def _of_runs(edits: Sequence[Edit], deletions: Sequence[Deleting]) -> Iterator[Event]:
    for edit in edits:
        what = f"metadata changed by run {edit.run_id}: {', '.join(map(printable, edit.keys))}"
        back = "" if edit.reverted_by is None else f"; taken back by run {edit.reverted_by}"
        yield Event(edit.at, f"{what}{back}{_on(edit.uid)}")
    for each in deletions:
        what = "taken out of the catalog" if each.keep_remote else "deleted"
        yield Event(each.at, f"{what if each.done else 'deletion begun'} by run {each.run_id}{_on(each.uid)}")


def _of_link(video: Video, link: Appearance) -> Iterator[Event]:
    uid = _on(video.uid)
    waited = link.linked_at is None or link.since - link.linked_at > _AT_ONCE
    if link.linked_at is not None:
        yield Event(link.linked_at, f"linked{'' if waited or link.state != 'current' else ', and plays'}{uid}")
    if link.state == "retired":
        yield Event(link.since, f"retired{uid}")
    elif link.state == "current" and waited:
        yield Event(link.since, f"plays from here on{uid}")


def _of_video(video: Video) -> Iterator[Event]:
    uid = _on(video.uid)
    if video.provider_created_at is not None:
        yield Event(video.provider_created_at, f"created on Stream{uid}")
    if video.ready_at is not None:
        yield Event(video.ready_at, f"ready to play{uid}")
    if video.fully_encoded_at is not None:
        yield Event(video.fully_encoded_at, f"found fully encoded{uid}")
    if video.status == "error":
        yield Event(video.state_since, f"failed: {printable(video.error_code or 'no reason was given')}{uid}")


def _on(uid: str) -> str:
    """Return which video it was, short: the first characters of an id tell few videos apart."""
    return f" ({printable(uid)[:8]})"
