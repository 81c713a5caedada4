"""Reading Stream's description of a video. Lenient: what is missing, of another type or marked unknown is None."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from curri.model import Held
from curri.plan.status import WITHOUT_BYTES
from curri.plan.text import storable
from curri.stream.failures import Garbled, failure

UNKNOWN_STATE: Final = "unknown"
"""The state where Stream names none. Not one of its own words."""
UID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
"""An id of Stream's. It becomes part of addresses and file names."""
DEEPEST: Final = 50
"""Levels of lists and objects in metadata. People write texts; what goes deeper than this ends programs."""
_MOST_PIXELS: Final = 2**31 - 1
_MOST_BYTES: Final = 2**63 - 1
_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):?(\d\d))")


def held(row: object) -> Held:
    """A video from its row in an answer.

    Raises Garbled if it has no uid, or one that is none of Stream's: it becomes part of addresses and file names. Also
    if its metadata are nested beyond reason.
    """
    if not isinstance(row, dict) or not UID.fullmatch(_text(row.get("uid")) or ""):
        raise failure(Garbled, "Stream described a video without an id")
    if _too_deep(row.get("meta"), DEEPEST):
        raise failure(Garbled, f"the metadata of video {row['uid']} are nested more than {DEEPEST} levels deep")
    status = _object(row.get("status"))
    measures = _object(row.get("input"))
    playback = _object(row.get("playback"))
    return Held(
        uid=str(row["uid"]),
        state=_text(status.get("state")) or UNKNOWN_STATE,
        ready_to_stream=row.get("readyToStream") is True,
        percent=_percent(status.get("pctComplete")),
        meta=_object(row.get("meta")),
        creator=_text(row.get("creator")),
        duration=number(row.get("duration")),
        width=_positive(measures.get("width"), _MOST_PIXELS),
        height=_positive(measures.get("height"), _MOST_PIXELS),
        size=_positive(row.get("size")),  # 0 until it is known
        created=_text(row.get("created")),
        modified=_text(row.get("modified")),
        uploaded=_text(row.get("uploaded")),
        ready_at=_text(row.get("readyToStreamAt")),
        upload_expiry=_text(row.get("uploadExpiry")),
        max_duration=_positive(row.get("maxDurationSeconds")),  # 0 and -1 both stand for none
        # One page of Cloudflare's spells these in the short way; its API description and real answers in the long.
        error_code=_text(status.get("errorReasonCode")) or _text(status.get("errReasonCode")),
        error_text=_text(status.get("errorReasonText")) or _text(status.get("errReasonText")),
        thumbnail=_text(row.get("thumbnail")),
        preview=_text(row.get("preview")),
        hls=_text(playback.get("hls")),
        dash=_text(playback.get("dash")),
    )


def bytes_are_there(video: Held) -> bool:
    """Whether Stream has all bytes of a video, by its state: the question after an upload that vanished at 100 %.

    A video in `error` counts as not: why it failed must be looked at, and whether an upload that expires ends up
    there is not documented. An unknown state counts as not either.
    """
    return video.state not in WITHOUT_BYTES | {"error", UNKNOWN_STATE}


def instant(text: str | None) -> datetime | None:
    """A time of RFC 3339 with 0 to 9 digits of a second, in UTC; None if it is none. Beyond microseconds it is cut
    off, so cursors of listings use the text itself.
    """
    match = _INSTANT.fullmatch(text.strip()) if text else None
    if match is None:
        return None
    *parts, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = (int(part) for part in parts)
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    micro = int((fraction or "").ljust(6, "0")[:6])
    try:
        return datetime(year, month, day, hour, minute, second, micro, tzinfo=timezone(offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def number(value: object) -> float | None:
    """A number of zero or more, given as such or as text; None for anything else, -1 and infinity among them."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def _positive(value: object, most: int = _MOST_BYTES) -> int | None:
    found = number(value)
    return int(found) if found is not None and 1 <= found <= most else None


def _percent(value: object) -> float | None:
    found = number(value)
    return None if found is None else min(found, 100.0)


def _text(value: object) -> str | None:
    return storable(value) if isinstance(value, str) and value else None


def _object(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


def _too_deep(value: object, levels: int) -> bool:
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_too_deep(each, levels - 1) for each in within)
