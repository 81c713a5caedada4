"""Follows videos until Stream is done with them, and switches links to what became ready."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

from curri.catalog import links
from curri.catalog.database import Database
from curri.model import Held
from curri.plan.status import Facts, facts
from curri.stream.failures import NotFound
from curri.stream.held import instant
from curri.stream.pause import Clock, Stop
from curri.stream.videos import Videos

FIRST_LOOK = 2.0
LONGEST = 30.0
"""Seconds between two looks: the first comes soon, then ever more rarely."""
FEW = 10
"""Videos up to which each is asked for by itself: cheaper than listing a large library."""
GIVE_UP = 6 * 3600.0
"""Seconds after which one stops waiting; `curri sync-status` goes on from there."""


def record(database: Database, video: Held) -> Facts:
    """Write down what Stream says of a video. What waits for it becomes current once it can be played.

    One transaction; a second call with the same facts changes nothing but the time of the look.
    """
    seen = facts(video)
    with database.transaction() as connection:
        links.put(connection, video, seen, instant(video.ready_at))
        if seen.playable:
            for component in links.pending(connection, video.uid):
                links.make_current(connection, component, video.uid)
    return seen


def wait(
    database: Database,
    videos: Videos,
    uids: Collection[str],
    stop: Stop,
    on_settled: Callable[[Held, Facts], None],
    clock: Clock | None = None,
) -> set[str]:
    """Follow videos until each can be played or has failed; returns those that are neither after `GIVE_UP` seconds.

    Raises Stopped, and what stream and catalog raise.
    """
    clock = clock or Clock()
    waiting = set(uids)
    begun = clock.now()
    pause = FIRST_LOOK
    while waiting and clock.now() - begun < GIVE_UP:
        found = _look(videos, waiting)
        for video in found:
            seen = record(database, video)
            if seen.playable or seen.status == "error":
                waiting.discard(video.uid)
                on_settled(video, seen)
        if waiting:
            clock.pause(pause, stop)
            pause = min(pause * 1.5, LONGEST)
    return waiting


def _look(videos: Videos, uids: set[str]) -> list[Held]:
    """Return what Stream says of these videos: one by one while they are few, else from a listing."""
    if len(uids) > FEW:
        return [video for video in videos.listing() if video.uid in uids]
    found = []
    for uid in sorted(uids):
        with suppress(NotFound):  # deleted meanwhile, which `curri sync-status` tells
            found.append(videos.get(uid))
    return found
