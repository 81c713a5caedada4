"""A file that is again what it was before: its video is on Stream already, and is linked anew without a byte sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from curri.catalog import links, uploads
from curri.catalog.database import Database
from curri.flow.jobs import Item
from curri.model import RecordedVideo, Result
from curri.plan.status import facts
from curri.plan.text import printable
from curri.plan.uploads import Due, Judgement, judge, returned
from curri.stream.failures import NotFound
from curri.stream.held import instant
from curri.stream.videos import Videos

ACTION = "relink"

Wanted = Sequence[tuple[RecordedVideo, Judgement]]


def split(due: Wanted) -> tuple[Wanted, Wanted]:
    """Return what needs to be linked only, and what must be sent."""
    again = [each for each in due if each[1].due is Due.RETURNED]
    return again, [each for each in due if each[1].due is not Due.RETURNED]


def run(
    database: Database, videos: Videos, due: Wanted, titles: Mapping[str, str], on_item: Callable[[Item], None]
) -> list[tuple[RecordedVideo, Judgement]]:
    """Link what needs no more, and return the rest: what must be sent, also because its video is gone from Stream.

    As with any replacement, what is played changes only when the other video can be. Raises what stream and catalog
    raise; what was linked before stays.
    """
    again, rest = split(due)
    left = list(rest)
    for video, _ in again:
        item = _link(database, videos, video, titles[video.id])
        if item is None:
            left.append((video, Judgement(Due.CHANGED, Result.DONE, "its former video is gone from Stream")))
        else:
            on_item(item)
    return left


def _link(database: Database, videos: Videos, video: RecordedVideo, name: str) -> Item | None:
    """Link one video again; None if its former video is of no use any more."""
    link = returned(video)
    if link is None:
        return None
    try:
        held = videos.get(link.provider_id)
    except NotFound:
        return None
    seen = facts(held)
    if seen.status == "error":
        return None
    place = printable(video.place)
    with database.transaction() as connection:
        uploads.lock(connection, video.id)
        now = uploads.read(connection, video.id)
        if not now or judge(now[0]).due is not Due.RETURNED or returned(now[0]) != link:
            return Item(place, Result.UNCHANGED, "another run has seen to it", name, held.uid)
        links.put(connection, held, seen, instant(held.ready_at), instant(held.created))
        links.link(
            connection,
            video.id,
            held.uid,
            source_sha1=video.source.sha1,
            compressed=False,  # what the link says already stays
            playable=seen.playable,
        )
    reason = "the video that was made of this file before is linked again"
    return Item(place, Result.DONE, reason, name, held.uid, ACTION)
