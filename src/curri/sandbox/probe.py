"""Looks at the bytes of an upload with MediaInfo: what is it, how long, how large, and is it whole?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from curri.errors import ToolError

Track: TypeAlias = dict[str, Any]

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
    try:
        # MediaInfo keeps options for the whole process: other ones than those of curri would disturb its probes.
        with path.open("rb") as file:
            answer = MediaInfo.parse(file, output="JSON", full=False, encoding_errors="replace")
        tracks = json.loads(answer)["media"]["track"]
    except (ValueError, KeyError, TypeError):
        return Seen(error="ERR_NON_VIDEO")
    general: Track = next((track for track in tracks if track.get("@type") == "General"), {})
    video: Track | None = next((track for track in tracks if track.get("@type") == "Video"), None)
    container = str(general.get("Format", ""))
    if video is None:
        others = {track.get("@type") for track in tracks} & {"Audio", "Image", "Text"}
        broken = container in _MEDIA_TYPES and not others
        return Seen(error="ERR_MALFORMED_VIDEO" if broken else "ERR_NON_VIDEO")
    duration = round(_number(general, "Duration") or _number(video, "Duration"), 3)
    width, height = int(_number(video, "Width")) or -1, int(_number(video, "Height")) or -1
    if _number(video, "Rotation") % 180 == 90:
        width, height = height, width
    media_type = _MEDIA_TYPES.get(container, "application/octet-stream")
    return Seen(duration, width, height, media_type, _fault(general, duration, max_duration))


def _number(track: Track, key: str) -> float:
    try:
        return float(track.get(key) or 0)
    except (ValueError, TypeError):
        return 0.0


def _fault(general: Track, duration: float, max_duration: int | None) -> str:
    extra = general.get("extra")
    if isinstance(extra, dict) and extra.get("IsTruncated") == "Yes":
        return "ERR_MALFORMED_VIDEO"
    if duration < SHORTEST:
        return "ERR_DURATION_TOO_SHORT"
    if max_duration is not None and max_duration > 0 and duration > max_duration:
        return "ERR_DURATION_EXCEED_CONSTRAINT"
    return ""
