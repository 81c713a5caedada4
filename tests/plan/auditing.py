"""One video, as the catalog has it and as Stream does, to compare."""

from __future__ import annotations

from dataclasses import replace

from curri.model import (
    AssetRow,
    Held,
    Inventory,
    KnownAttempt,
    KnownLink,
    KnownVideo,
    LinkRow,
    RecordedVideo,
    UploadRow,
)
from curri.plan.audit import Finding, of_stream

NOW, BEFORE = "1" * 40, "2" * 40
SOURCE = AssetRow("asset", "id", "learning/video.mp4", "source", "video/mp4", 1000, 1, 1, 1, NOW, 1, 9)
PLACE = "course_01/02/learning/video.mp4"
VIDEO = RecordedVideo(
    "id", "learning", "learning/video.mp4", "c", "course_01", "One", "/data", "l", "02", "Two", SOURCE, None, (), ()
)
READY = Held("u1", "ready", ready_to_stream=True, percent=100.0, duration=60.0, meta={"name": "n", "lessonId": "l"})
QUEUED = Held("u2", "queued", ready_to_stream=False, percent=None)
CURRENT = LinkRow("u1", NOW, "current", "ready", None, None)
PENDING = LinkRow("u2", NOW, "pending", "queued", None, None)
OLD = CURRENT._replace(source_sha1=BEFORE)
MINE: dict[str, object] = {"componentId": "id", "uploadId": "a1"}
ATTEMPT = KnownAttempt("a1", "linked", None, held=False, wanted=True, kept=False, place=PLACE)


def catalog(*attempts: KnownAttempt, links: tuple[LinkRow, ...] = (CURRENT,), sent: float | None = 60.0) -> Inventory:
    return Inventory(
        {link.provider_id: KnownVideo(link.provider_id, link.status, link.error_code, sent) for link in links},
        tuple(KnownLink("id", link.provider_id, link.state, None, PLACE) for link in links),
        attempts,
    )


def look(
    *held: Held,
    links: tuple[LinkRow, ...] = (CURRENT,),
    uploads: tuple[UploadRow, ...] = (),
    attempts: tuple[KnownAttempt, ...] = (),
    wanted: dict[str, str] | None = None,
    sent: float | None = 60.0,
    whole: bool = True,
) -> list[Finding]:
    """Compare one video, with these links and uploads, with what Stream holds."""
    video = replace(VIDEO, links=links, uploads=uploads)
    should = {("id", link.provider_id): wanted for link in links} if wanted is not None else {}
    there = {each.uid: each for each in held}
    return of_stream([video], catalog(*attempts, links=links, sent=sent), there, should, whole=whole)


STRAY = replace(READY, uid="u9", meta=MINE)


def upload(state: str, *, held_by: int | None = None) -> UploadRow:
    return UploadRow("a1", NOW, state, "u3", 0, None, "truncated", "it ends too early", held_by)
