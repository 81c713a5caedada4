"""The `Upload-Metadata` of a tus creation."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from curri.sandbox.answers import BAD_REQUEST, Refusal
from curri.sandbox.clock import SECOND, parse_stamp

DAY = 86_400 * SECOND
LONGEST = 36_000
"""Seconds that `maxDurationSeconds` may say."""

_RECOGNISED = {
    "requiresignedurls",
    "allowedorigins",
    "thumbnailtimestamppct",
    "watermark",
    "scheduleddeletion",
    "maxdurationseconds",
    "expiry",
}


@dataclass(slots=True)
class Wishes:
    """What a creation asks for."""

    meta: dict[str, str] = field(default_factory=dict)
    require_signed: bool = False
    allowed_origins: list[str] = field(default_factory=list)
    thumbnail_pct: float = 0.0
    watermark: str | None = None
    scheduled_deletion: int | None = None
    max_duration: int | None = None
    expires: int | None = None


def parse_metadata(header: str) -> dict[str, str]:
    """Keys and values of the header. Refuses with 400 what is not tus's format, or not UTF-8."""
    pairs: dict[str, str] = {}
    for item in header.split(",") if header.strip() else []:
        key, _, encoded = item.strip().partition(" ")
        if not key or not key.isascii():
            raise Refusal(400, BAD_REQUEST, "Upload-Metadata has a pair without a key")
        try:
            pairs[key] = base64.b64decode(encoded, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Refusal(
                400, BAD_REQUEST, f"Upload-Metadata has a value that is not base64 of UTF-8: {key}"
            ) from error
    return pairs


def read_wishes(header: str, now: int, *, keep_recognised: bool) -> Wishes:
    """What the header asks for, keys with a meaning in any case. Refuses with 400 values that make no sense.

    Everything else becomes `meta`; `keep_recognised` leaves the recognised keys there too.
    """
    wishes = Wishes()
    for key, value in parse_metadata(header).items():
        known = key.lower()
        if known == "name":
            wishes.meta["name"] = value
        elif known not in _RECOGNISED:
            wishes.meta[key] = value
        else:
            _recognise(wishes, known, value, now)
            if keep_recognised:
                wishes.meta[key] = value
    return wishes


def _recognise(wishes: Wishes, key: str, value: str, now: int) -> None:
    if key == "requiresignedurls":
        wishes.require_signed = True  # its presence says so, whatever its value
    elif key == "allowedorigins":
        wishes.allowed_origins = checked_origins([part.strip() for part in value.split(",") if part.strip()])
    elif key == "watermark":
        wishes.watermark = value
    elif key == "thumbnailtimestamppct":
        wishes.thumbnail_pct = checked_share(value)
    elif key == "scheduleddeletion":
        wishes.scheduled_deletion = checked_deletion(value, now)
    elif key == "maxdurationseconds":
        wishes.max_duration = checked_duration(value)
    else:
        wishes.expires = checked_moment(value, "expiry")


def checked_origins(origins: object) -> list[str]:
    """Host names that may embed a video. Refuses with 400 anything that carries a scheme."""
    if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
        raise Refusal(400, BAD_REQUEST, "allowedOrigins must be a list of host names")
    if any("://" in origin for origin in origins):
        raise Refusal(400, BAD_REQUEST, "allowedOrigins must not include the protocol")
    return list(origins)


def checked_share(value: object) -> float:
    """A share between 0 and 1. Refuses with 400 anything else."""
    try:
        share = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise Refusal(400, BAD_REQUEST, "thumbnailTimestampPct must lie between 0.0 and 1.0")
    return share


def checked_duration(value: object) -> int:
    """Whole seconds from 1 to 36,000. Refuses with 400 anything else."""
    try:
        seconds = int(str(value))
    except ValueError:
        seconds = 0
    if isinstance(value, bool) or not 1 <= seconds <= LONGEST:
        raise Refusal(400, BAD_REQUEST, f"maxDurationSeconds must be an integer from 1 to {LONGEST}")
    return seconds


def checked_deletion(value: object, now: int) -> int:
    """The moment of a scheduled deletion, 30 to 1,096 days ahead. Refuses with 400 anything else."""
    moment = checked_moment(value, "scheduledDeletion")
    if not now + 30 * DAY <= moment <= now + 1096 * DAY:
        raise Refusal(400, BAD_REQUEST, "scheduledDeletion must be 30 to 1096 days from now")
    return moment


def checked_moment(value: object, field_name: str) -> int:
    """An RFC 3339 time. Refuses with 400 anything else."""
    try:
        return parse_stamp(value if isinstance(value, str) else "")
    except ValueError as error:
        raise Refusal(400, BAD_REQUEST, f"{field_name} must be an RFC 3339 time") from error
