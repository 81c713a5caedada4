"""Videos that are on Stream already though nothing in the catalog says so: after a catalog was lost, for instance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from curri.catalog import inventory
from curri.catalog.database import Database
from curri.flow.jobs import Item
from curri.model import RecordedVideo, Result
from curri.plan.lost import already_there
from curri.plan.text import printable
from curri.stream.videos import Videos


def already(
    database: Database,
    videos: Videos,
    every: Sequence[RecordedVideo],
    due: Sequence[RecordedVideo],
    on_item: Callable[[Item], None],
) -> set[str]:
    """Tell of what must not be sent, and return its components: Stream has it, by what `curri adopt --yes` goes by.

    Stream is only asked (one call for each 1,000 videos) while the catalog links no video at all: then it is new, or
    was lost. Raises what stream and catalog raise.
    """
    if not due or any(video.links for video in every):
        return set()
    listing = videos.listing()
    with database.snapshot() as connection:  # after the listing: what another run has sent meanwhile is known by now
        known = inventory.read(connection)
    there = {} if known.links else already_there(due, listing, known)
    for video in due:
        if (uid := there.get(video.id)) is not None:
            reason = f"on Stream already ({uid}), and nothing in the catalog links it: `curri adopt` does"
            on_item(Item(printable(video.place), Result.BLOCKED, reason, uid=uid))
    return set(there)
