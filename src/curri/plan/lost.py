"""What Stream holds of videos that the catalog does not link: it was sent before, and must not be sent again."""

from __future__ import annotations

from collections.abc import Iterable

from curri.model import Held, Inventory, RecordedVideo
from curri.plan.adoption import by_metadata, candidates


def unlinked(videos: Iterable[RecordedVideo]) -> list[RecordedVideo]:
    """Return the videos of which nothing says that they are on Stream, or on their way there."""
    return [video for video in videos if not video.links and not any(upload.is_open for upload in video.uploads)]


def spoken_for(known: Inventory) -> set[str]:
    """Return the videos that are linked in any state, or of an upload that did not end in a link."""
    attempts = (each for each in known.attempts if each.state != "linked" and not each.kept)
    return {link.uid for link in known.links} | {each.uid for each in attempts if each.uid is not None}


def already_there(videos: Iterable[RecordedVideo], held: Iterable[Held], known: Inventory) -> dict[str, str]:
    """Return what Stream surely holds of videos without a link: ids on Stream by component.

    It was sent from a catalog that was lost, or from an older copy of this one: to send it again would be a second one.
    """
    found = by_metadata(unlinked(videos), candidates(held, spoken_for(known)))
    return {each.video.id: each.held.uid for each in found if each.exact and each.state == "current"}
