"""One video as the sandbox keeps it, and as Stream shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from curri.sandbox.clock import stamp

STATES: dict[str, tuple[str, ...]] = {
    "pendingupload": ("pending",),
    "downloading": (),
    "queued": ("queued",),
    "inprogress": ("encoding", "playable"),
    "ready": ("ready", "complete"),
    "error": ("error",),
    "live-inprogress": (),
}
"""The states of the API and the phases of the sandbox that stand behind each."""

_STATE_OF = {phase: state for state, phases in STATES.items() for phase in phases}

ERROR_TEXTS = {
    "ERR_NON_VIDEO": "The file was not recognized as a valid video file.",
    "ERR_DURATION_EXCEED_CONSTRAINT": "The video is longer than the maximum duration allowed for this upload.",
    "ERR_DURATION_TOO_SHORT": "The video is shorter than 0.1 seconds.",
    "ERR_MALFORMED_VIDEO": "The video is corrupt or incomplete and cannot be decoded.",
}


@dataclass(frozen=True, slots=True)
class Video:
    """A row. Moments are microseconds since 1970; frozen, so that a change always goes through the store."""

    uid: str
    created: int
    """Unique: no two videos share one, so that a listing can be paged by it."""
    modified: int
    phase: str
    """`pending`, `queued`, `encoding`, `playable`, `ready`, `complete`, `error`, or `expired` (shown to nobody)."""
    way: str
    """How its bytes come: `tus`, `direct-tus`, `form` (a one-time address), `basic`, or `planted` (none come)."""
    next_change: int | None
    """When the phase ends by itself; None if it does not."""
    meta: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    """`meta.name`, kept apart to be searched."""
    creator: str | None = None
    length: int | None = None
    """The announced size in bytes; None where none was announced."""
    received: int = 0
    """Bytes stored so far: the tus offset."""
    uploaded: int | None = None
    """When the last byte came."""
    expires: int | None = None
    """When the upload address ends."""
    scheduled_deletion: int | None = None
    max_duration: int | None = None
    """Seconds."""
    reserved: int = 0
    """Seconds held against the quota until the duration is known."""
    duration: float = -1.0
    """Seconds; -1 while unknown."""
    width: int = -1
    height: int = -1
    media_type: str = "video/mp4"
    ready_at: int | None = None
    stuck: str | None = None
    """The state it hangs in until the faults are cleared."""
    doom: str | None = None
    """The error it will end in whatever its bytes are."""
    error_code: str = ""
    require_signed: bool = False
    allowed_origins: list[str] = field(default_factory=list)
    thumbnail_pct: float = 0.0
    watermark: str | None = None
    public_details: dict[str, Any] | None = None
    download: bool = False
    """Whether an MP4 download was asked for."""

    @property
    def state(self) -> str:
        """The state in Stream's words."""
        return _STATE_OF.get(self.phase, "error")

    @property
    def ready_to_stream(self) -> bool:
        """Whether it plays at one quality at least."""
        return self.phase in ("playable", "ready", "complete")


def as_json(video: Video, origin: str, progress: float | None) -> dict[str, Any]:
    """The video object of the API.

    `origin` is the scheme, host and port that playback addresses begin with; `progress` is 0 to 100, or None where
    the API shows none.
    """
    play = f"{origin}/{video.uid}"
    status: dict[str, Any] = {"state": video.state}
    if video.phase in ("encoding", "playable", "ready", "error"):
        status["step"] = "encoding"
    if progress is not None:
        status["pctComplete"] = f"{progress:.6f}"
    status["errorReasonCode"] = video.error_code
    text = ERROR_TEXTS.get(video.error_code, "The video could not be processed.") if video.error_code else ""
    status["errorReasonText"] = text
    return {
        "uid": video.uid,
        "creator": video.creator,
        "thumbnail": f"{play}/thumbnails/thumbnail.jpg",
        "thumbnailTimestampPct": video.thumbnail_pct,
        "readyToStream": video.ready_to_stream,
        "readyToStreamAt": _stamped(video.ready_at),
        "status": status,
        "meta": video.meta,
        "created": stamp(video.created),
        "modified": stamp(video.modified),
        "scheduledDeletion": _stamped(video.scheduled_deletion),
        "size": video.received if video.uploaded is not None else 0,
        "preview": f"{play}/watch",
        "allowedOrigins": video.allowed_origins,
        "requireSignedURLs": video.require_signed,
        "uploaded": _stamped(video.uploaded),
        "uploadExpiry": _stamped(video.expires),
        "maxSizeBytes": None,
        "maxDurationSeconds": video.max_duration,
        "duration": video.duration,
        "input": {"width": video.width, "height": video.height},
        "playback": {"hls": f"{play}/manifest/video.m3u8", "dash": f"{play}/manifest/video.mpd"},
        "watermark": None if video.watermark is None else {"uid": video.watermark},
        "clippedFrom": None,
        "publicDetails": video.public_details,
    }


def _stamped(moment: int | None) -> str | None:
    return None if moment is None else stamp(moment)
