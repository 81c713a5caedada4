"""Files without a video, and videos that may be theirs: as curri sent them, as older scripts did, and bare."""

from __future__ import annotations

from typing import Any

from curri.model import AssetRow, Held, RecordedVideo
from curri.plan.adoption import Adoption

A, B, C = "a" * 40, "b" * 40, "c" * 40
ID = "00000000-0000-4000-8000-00000000000"
TITLES = {"courseTitle": "One", "lessonTitle": "First"}


def file(number: int = 1, sha1: str = A, *, size: int = 1000, kind: str = "learning") -> RecordedVideo:
    """Return the video of a lesson, its component called c1, c2, ..."""
    asset = AssetRow(f"f{number}", f"c{number}", f"{kind}/video.mp4", "source", "video/mp4", size, 1, 1, 1, sha1, 1, 9)
    lesson = f"{number:02d}"
    return RecordedVideo(
        f"c{number}",
        kind,
        f"{kind}/video.mp4",
        "k",
        "course_01",
        "One",
        "/data",
        lesson,
        lesson,
        "First",
        asset,
        None,
        (),
        (),
    )


def held(uid: str = "u1", state: str = "ready", *, duration: float | None = 60.0, size: int = 7, **meta: Any) -> Held:
    playable = state == "ready"
    return Held(uid, state, playable, 100.0 if playable else None, meta=meta, duration=duration, size=size, created=uid)


def sent(uid: str, component: str = "c1", sha1: str = A, *, day: int = 1, state: str = "ready", **meta: Any) -> Held:
    """Return a video as curri sends it."""
    told = {"componentId": component, "checksumSha1": sha1, "uploadId": ID + uid[-1], "compressed": "false"}
    return held(uid, state, **{**told, "uploadedAt": f"2026-01-{day:02d}T10:00:00Z", **TITLES, **meta})


def told(adoptions: list[Adoption]) -> list[tuple[str, str, str, bool]]:
    return [(each.video.id, each.held.uid, each.state, each.exact) for each in adoptions]


def named(video: RecordedVideo, **more: Any) -> dict[str, Any]:
    """Return metadata as older scripts wrote them: without ids of ours, checksum and key."""
    script = {"courseSlug": video.course, "lessonNumber": video.lesson, "componentType": video.kind, "componentId": "x"}
    return {**script, **TITLES, **more}
