"""Looks at the bytes of an upload with MediaInfo: what is it, how long, how large, and is it whole?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curri.errors import ToolError

SHORTEST = 0.1
"""Seconds; a shorter video is refused."""

_MEDIA_TYPES = {
    "MPEG-4": "video/mp4",
    "QuickTime": "video/quicktime",
    "WebM": "video/webm",
    "Matroska": "video/x-matroska",
    "AVI": "video/x-msvideo",
    "MPEG-TS": "video/mp2t",
    "MPEG-PS": "video/mpeg",
    "Flash Video": "video/x-flv",
    "MXF": "application/mxf",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the probe found; `error` is the reason code of Stream, or ""."""

    duration: float = -1.0
    """Seconds."""
    width: int = -1
    height: int = -1
    media_type: str = "application/octet-stream"
    error: str = ""


def look(path: Path, max_duration: int | None = None) -> Seen:
    """Probes a file; `max_duration` (seconds) is the bound the upload was made with.

    A container of video that is cut short, or has no readable track, is malformed; anything else without a picture
    that moves is no video. Damage inside the pictures is not found: that would need a decoder.
    """
    try:
        # The sandbox starts without the library; only a probe needs it.
        from pymediainfo import MediaInfo
    except ModuleNotFoundError as error:
        raise ToolError("the sandbox cannot probe videos", hint="pip install pymediainfo") from error
    tracks = MediaInfo.parse(str(path)).tracks
    general: Any = next((track for track in tracks if track.track_type == "General"), None)
    video: Any = next((track for track in tracks if track.track_type == "Video"), None)
    container = str(getattr(general, "format", ""))
    if video is None:
        others = {track.track_type for track in tracks} & {"Audio", "Image", "Text"}
        broken = container in _MEDIA_TYPES and not others
        return Seen(error="ERR_MALFORMED_VIDEO" if broken else "ERR_NON_VIDEO")
    milliseconds = general.duration or video.duration or 0
    duration = round(float(milliseconds) / 1000, 3)
    width, height = int(video.width or -1), int(video.height or -1)
    if float(video.rotation or 0) % 180 == 90:
        width, height = height, width
    media_type = _MEDIA_TYPES.get(container, "application/octet-stream")
    return Seen(duration, width, height, media_type, _fault(general, duration, max_duration))


def _fault(general: Any, duration: float, max_duration: int | None) -> str:
    if getattr(general, "istruncated", None) == "Yes":
        return "ERR_MALFORMED_VIDEO"
    if duration < SHORTEST:
        return "ERR_DURATION_TOO_SHORT"
    if max_duration is not None and max_duration > 0 and duration > max_duration:
        return "ERR_DURATION_EXCEED_CONSTRAINT"
    return ""
