"""What may be thrown away on Stream: only what this catalog knows to be of curri's own making, and nothing plays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from curri.model import Held, Inventory, KnownAttempt, KnownLink
from curri.plan.text import printable


class Why(StrEnum):
    """Why a video is of no use any more."""

    RETIRED = "retired"
    """Another video took its place, longer ago than the grace period."""
    ORPHAN = "orphan"
    """curri made it, and nothing in the catalog is linked to it: the answer to its creation was lost, for instance."""
    OPEN = "open"
    """An upload that was begun for a file that is gone; until it ends it reserves minutes."""
    ROW = "row"
    """A row of what is not on Stream, and that nothing plays or will go on with. Only the catalog changes."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A video, or its row, that may go."""

    uid: str | None  # None: an upload that never came to Stream
    why: Why
    name: str  # on Stream, or the place it was sent from; printable
    told: str  # the reason, for people
    size: int | None = None  # bytes
    seconds: float | None = None
    attempts: tuple[str, ...] = ()  # open uploads that end with it


def leftovers(inventory: Inventory, held: Mapping[str, Held], grace_seconds: float) -> list[Leftover]:
    """Return what may go, in the order of the catalog, then of Stream.

    A video counts as of curri's making only if an upload in this catalog names its id, or is named by its `uploadId`:
    other catalogs and programs may use the same account. What a run works at, what the next upload goes on with,
    what somebody wants to keep, and whatever a link names as current or pending is never among them.
    """
    links: dict[str, list[KnownLink]] = defaultdict(list)
    for link in inventory.links:
        links[link.uid].append(link)
    by_id = {attempt.id: attempt for attempt in inventory.attempts}
    by_uid: dict[str, list[KnownAttempt]] = defaultdict(list)
    for attempt in inventory.attempts:
        if attempt.uid is not None:
            by_uid[attempt.uid].append(attempt)
    found = []
    for uid in dict.fromkeys([*links, *inventory.videos, *by_uid, *held]):
        makers = list(by_uid[uid])
        there = held.get(uid)
        named = by_id.get(str(there.meta.get("uploadId"))) if there is not None else None
        if named is not None and named not in makers:
            makers.append(named)
        if not makers or any(maker.held or maker.kept for maker in makers):
            continue
        leftover = _leftover(uid, links[uid], makers, there, inventory, grace_seconds)
        if leftover is not None:
            found.append(leftover)
    return found + _never_came(inventory, held)


def _never_came(inventory: Inventory, held: Mapping[str, Held]) -> list[Leftover]:
    """Return the open uploads of files that are gone of which Stream has nothing."""
    there = {str(video.meta.get("uploadId")) for video in held.values()}
    return [
        Leftover(None, Why.ROW, printable(each.place), _gone_from_tree(each), attempts=(each.id,))
        for each in inventory.attempts
        if each.uid is None and each.is_open and each.id not in there
        if not (each.held or each.wanted or each.kept)
    ]


def _gone_from_tree(attempt: KnownAttempt) -> str:
    return f"an upload of {printable(attempt.place)}, which is gone from the tree"


def _leftover(
    uid: str,
    links: list[KnownLink],
    makers: list[KnownAttempt],
    there: Held | None,
    inventory: Inventory,
    grace_seconds: float,
) -> Leftover | None:
    """Decide about one video of curri's making that no run works at."""
    still_open = [maker for maker in makers if maker.is_open]
    if any(link.state != "retired" for link in links) or any(each.wanted for each in still_open):
        return None
    ends = tuple(each.id for each in still_open)
    name = printable((there.name if there is not None else None) or makers[0].place)
    size, seconds = (there.size, there.duration) if there is not None else (None, None)
    if there is None:
        if ends:
            told = f"{_gone_from_tree(makers[0])} and from Stream"
        elif uid in inventory.videos:
            told = "its row: it is not on Stream any more"
        else:
            return None
        return Leftover(uid, Why.ROW, name, told, attempts=ends)
    if ends:
        return Leftover(uid, Why.OPEN, name, _gone_from_tree(makers[0]), size, seconds, ends)
    if not links:
        return Leftover(uid, Why.ORPHAN, name, "made by curri, and nothing is linked to it", size, seconds)
    since = min(link.retired_seconds or 0.0 for link in links)
    if since < grace_seconds:
        return None
    told = f"replaced {since / 86400:.0f} days ago in {printable(links[0].place)}"
    return Leftover(uid, Why.RETIRED, name, told, size, seconds)
