"""A video deleted: from the catalog, and from Stream unless it is to stay there.

The order of writes is what makes a kill harmless at every point. The same call does the rest:

    condemned   the catalog says that the video is being deleted: nobody is told that it plays
    (deleted)   on Stream
    removed     its row and all its links, in one transaction

Until the row is gone, the component keeps its link to a video that failed: so no upload sends the file again while a
copy may still be there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from curri.catalog import inventory, library, uploads
from curri.catalog.database import Connection, Database
from curri.catalog.library import Appearance, Video
from curri.errors import BusyError, ConfigError, ExitCode, StreamError, UsageError
from curri.flow import ledger
from curri.flow.preflight import Credentials
from curri.model import RecordedVideo
from curri.plan.text import printable
from curri.plan.uploads import Due, judge
from curri.stream.client import Client
from curri.stream.held import UID
from curri.stream.videos import Videos

COMMAND = "videos delete"
BESIDE = ("sync-status", "fix-metadata", "adopt")
"""Commands that write down what they saw of a video a moment ago: each would put back what is deleted here."""
DELETING = "DELETING"
"""The error code of a video whose deletion was begun."""
ABANDONED = "video-deleted"
"""The error code of an open upload of a video that was deleted."""


class Remote(StrEnum):
    """What became of the video on Stream."""

    DELETED = "deleted"
    ABSENT = "absent"
    """It was not there."""
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion takes with it."""

    video: Video
    keep_remote: bool
    uploads: tuple[str, ...]  # open ones, which are given up: their ids
    due_again: tuple[str, ...]  # places whose file the next upload sends, because it is still in the tree

    @property
    def links(self) -> frozenset[tuple[str, str]]:
        """What it is linked to, and how: (component id, state)."""
        return frozenset((each.component_id, each.state) for each in self.video.appearances)


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted."""

    video: Video  # as it was
    remote: Remote
    due_again: tuple[str, ...]
    run_id: int

    @property
    def appearances(self) -> tuple[Appearance, ...]:
        """The links that went with it."""
        return self.video.appearances


def deletion(database: Database, video_id: str, *, keep_remote: bool = False) -> Deletion:
    """Return what the deletion of a video (its id in the catalog) would take with it. Reads only.

    Raises UsageError if there is no such video, or it is not on Stream and `keep_remote` is not given; BusyError if
    a run is sending it; DatabaseError.
    """
    with database.snapshot() as connection:
        return _deletion(connection, video_id, keep_remote=keep_remote)


def delete(database: Database, agreed: Deletion, credentials: Credentials, *, version: str) -> Deleted:
    """Delete a video for good, as it was agreed to: first on Stream, then its row with all its links.

    A call that was cut short anywhere, or that Stream did not answer, is completed by another. That Stream does not
    have the video is success. Holds the locks of `BESIDE` until the connection ends, so give it one of its own. Raises
    BusyError if one of those commands or an upload of the video is at work, or if it was linked otherwise since it was
    agreed to; UsageError if it is gone; ConfigError, StreamError and DatabaseError.
    """
    account = None if agreed.keep_remote else credentials.account()
    for command in (COMMAND, *BESIDE):
        database.lock(command)
    video = agreed.video
    arguments = {"video": video.id, "uid": video.uid, "keep_remote": agreed.keep_remote}
    with ledger.entry(database, COMMAND, arguments, version) as entry:
        if account is None:
            with database.transaction() as connection:
                _prepare(connection, agreed)
                library.keep(connection, video.uid)
                library.remove(connection, video.id)
            remote = Remote.KEPT
        else:
            with Client(account) as client:
                videos = Videos(client)
                videos.verify()  # a wrong address has no such video either
                with database.transaction() as connection:
                    _prepare(connection, agreed)
                    library.condemn(connection, video.id, DELETING, _told(video.uid))
                remote = _delete_there(videos, video.uid)
            with database.transaction() as connection:
                _lock(connection, agreed)
                library.remove(connection, video.id)
        entry.ended(ExitCode.OK, {"deleted": 1, "links": len(agreed.links), "minutes": _minutes(video, remote)})
    return Deleted(video, remote, agreed.due_again, entry.run_id)


def _deletion(connection: Connection, video_id: str, *, keep_remote: bool) -> Deletion:
    found = library.read(connection, [video_id])
    if not found:
        raise UsageError(
            f"the catalog has no video {printable(video_id)} any more",
            hint="`curri videos list` shows what there is",
        )
    (video,) = found
    if not keep_remote and (video.provider != library.CLOUDFLARE or not UID.fullmatch(video.uid)):
        raise UsageError(
            f"{printable(video.uid)} of {video.provider} is no video of Cloudflare Stream",
            hint="--keep-remote takes it out of the catalog alone",
        )
    opened = library.open_uploads(connection, video.uid)
    components = sorted({each.component_id for each in video.appearances} | {component for _, component in opened})
    recorded = [each for component in components for each in uploads.read(connection, component)]
    for each in recorded:
        for upload in each.uploads:
            if upload.is_open and upload.provider_id == video.uid and upload.held_by is not None:
                raise _busy(each.place, upload.held_by)
    again = tuple(
        printable(each.place)
        for each in recorded
        if judge(_without(each, video.uid)).due not in (None, Due.RETURNED)  # another of its videos is linked again
    )
    return Deletion(video, keep_remote, tuple(upload for upload, _ in opened), again)


def _without(recorded: RecordedVideo, uid: str) -> RecordedVideo:
    """Return a component as it is once a video is deleted."""
    return replace(
        recorded,
        links=tuple(link for link in recorded.links if link.provider_id != uid),
        former=tuple(link for link in recorded.former if link.provider_id != uid),
        uploads=tuple(each for each in recorded.uploads if not (each.is_open and each.provider_id == uid)),
    )


def _prepare(connection: Connection, agreed: Deletion) -> None:
    """Prove that all is still as it was agreed to, and end what would bring the video back."""
    _lock(connection, agreed)
    now = _deletion(connection, agreed.video.id, keep_remote=agreed.keep_remote)
    if now.links != agreed.links or now.uploads != agreed.uploads:
        raise BusyError(
            "the video was linked, switched or sent otherwise at this moment; nothing was deleted",
            where=printable(agreed.video.uid),
            hint="run the same command again, and look at what it shows",
        )
    for upload in agreed.uploads:
        if not inventory.end_attempt(connection, upload, ABANDONED, "the video was deleted"):
            raise _busy(printable(agreed.video.uid), None)


def _lock(connection: Connection, agreed: Deletion) -> None:
    """Let nobody link, switch or retire the video until the transaction ends: components first, as everybody does."""
    opened = library.open_uploads(connection, agreed.video.uid)
    components = {component for component, _ in agreed.links} | {component for _, component in opened}
    for component in sorted(components):
        uploads.lock(connection, component)
    library.lock(connection, agreed.video.id)


def _delete_there(videos: Videos, uid: str) -> Remote:
    try:
        return Remote.DELETED if videos.delete(uid) else Remote.ABSENT
    except (ConfigError, StreamError) as error:
        # What was asked and not answered may have been done, so the catalog does not say again that it plays.
        rest = (
            "the same command again completes the deletion; `curri sync-status` records it if the video is still there"
        )
        error.hint = f"{error.hint}; {rest}" if error.hint else rest
        raise


def _busy(where: str, run: int | None) -> BusyError:
    who = "a run" if run is None else f"run {run}"
    return BusyError(
        f"{who} of `curri upload` is at work on this video; nothing was deleted",
        where=printable(where),
        hint="wait for it to end; `curri runs` shows when it began and on which host",
    )


def _told(uid: str) -> str:
    return f"its deletion was begun and has not ended: `curri videos delete {printable(uid)}` completes it"


def _minutes(video: Video, remote: Remote) -> float:
    """Return the minutes that Stream bills no longer."""
    return round((video.seconds or 0.0) / 60, 2) if remote is Remote.DELETED else 0.0
