"""From Stream's description of a video to what the catalog says about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from curri.model import Held
from curri.plan.text import printable

WITHOUT_BYTES = frozenset({"pendingupload", "downloading"})
"""Stream's states of a video before its bytes are complete."""

Status: TypeAlias = Literal["queued", "inprogress", "ready", "error"]
IN_PROCESSING = ("queued", "inprogress")
"""The bytes of these are complete, and they cannot be played yet. Stream's states have the same names."""


class Facts(NamedTuple):
    """The state of a video as its row in the catalog has it. Texts are printable: Stream may send anything."""

    status: Status
    provider_state: str  # Stream's own word
    progress: int  # percent of the encoding, 0 to 100, rounded down
    playable: bool  # at one quality or more; the same as status "ready"
    fully_encoded: bool  # at all qualities; never without playable
    error_code: str | None  # only with status "error", and only if Stream names one
    error_message: str | None  # only with status "error", and then always: what happened and what to do


class _Reason(NamedTuple):
    words: str
    retry: bool  # the same file, sent again, can succeed


_REASONS: Mapping[str | None, _Reason] = {
    "ERR_NON_VIDEO": _Reason("Stream finds no video in the file: export it again, or let curri encode it", retry=False),
    "ERR_MALFORMED_VIDEO": _Reason(
        "Stream finds the video damaged: export it again, or let curri encode it", retry=False
    ),
    "ERR_DURATION_TOO_SHORT": _Reason(
        "the video is shorter than a tenth of a second: put the real one in its place", retry=False
    ),
    "ERR_DURATION_EXCEED_CONSTRAINT": _Reason(
        "the video is longer than was announced: upload it again with a higher limit", retry=True
    ),
    "ERR_FETCH_ORIGIN_ERROR": _Reason("Stream could not fetch the video from its address: upload it again", retry=True),
    "ERR_UNKNOWN": _Reason("Stream could not encode the video: upload it again, once, then ask Cloudflare", retry=True),
}

_WITHOUT_REASON = "Stream could not encode the video and gives no reason"

_UNDER_WAY = frozenset({"inprogress", "live-inprogress"})


def facts(held: Held) -> Facts:
    """Return what the catalog says about a video. Never raises, whatever Stream wrote.

    Only `ready_to_stream` makes a video playable, in any state but `error`: a player asks for nothing else. So a video
    can be "ready" while Stream still calls it `inprogress`, and one that Stream calls `ready` without being able to
    play it is "inprogress". States that are not known yet are "queued".
    """
    failed = held.state == "error"
    playable = held.ready_to_stream and not failed
    percent = None if held.percent is None or math.isnan(held.percent) else min(max(held.percent, 0.0), 100.0)
    # Stream says `ready` from the first quality on, so the percentage decides. Where it says none, the word must do:
    # to doubt it would keep a video that never shows a percentage unfinished for ever, and all who wait for it.
    fully_encoded = playable and held.state == "ready" and percent in (None, 100.0)
    return Facts(
        status=_status(held.state, playable=playable),
        provider_state=printable(held.state),
        progress=100 if fully_encoded else int(percent or 0),
        playable=playable,
        fully_encoded=fully_encoded,
        error_code=printable(held.error_code) if failed and held.error_code else None,
        error_message=_message(held) if failed else None,
    )


def retryable(code: str | None) -> bool:
    """Return whether a video that failed with `code` can succeed if it is uploaded again.

    How often is for the caller to say; `ERR_UNKNOWN` is worth one more attempt. For a code that is not known, or none,
    a person decides: an upload costs hours and reserves minutes.
    """
    reason = _REASONS.get(code)
    return reason is not None and reason.retry


def _status(state: str, *, playable: bool) -> Status:
    if state == "error":
        return "error"
    if playable:
        return "ready"
    return "inprogress" if state in _UNDER_WAY or state == "ready" else "queued"


def _message(held: Held) -> str:
    text = printable(held.error_text or "").strip()
    reason = _REASONS.get(held.error_code)
    if reason is None:
        return text or _WITHOUT_REASON
    return f"{reason.words} (Stream: {text})" if text else reason.words
