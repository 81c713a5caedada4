"""What becomes of a video after its upload: what changed since the last look, what is wrong, when to look again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from curri.model import Held, Result, Tracked
from curri.plan.status import Facts, facts

MISSING = "MISSING"
"""The error code of a video that is not on Stream any more."""
DURATION_DIFFERS = "DURATION_DIFFERS"
"""The error code of a video that can be played, and is longer or shorter than what was sent."""

GUARD_SHARE, GUARD_FEW = 0.25, 5
"""More than this share of the videos, and more than so few, gone at once looks like another account."""

TOLERANCE_SECONDS = 1.0
TOLERANCE_SHARE = 0.01
"""How far the duration on Stream may lie from that of what was sent: the larger of both."""

_OPEN = (
    (timedelta(minutes=10), timedelta(0)),
    (timedelta(hours=1), timedelta(minutes=5)),
    (timedelta(hours=6), timedelta(minutes=15)),
)
"""(up to this age of its state, look again after) for a video that Stream works on; later, once an hour."""
_HOURLY = timedelta(hours=1)
_STUCK = timedelta(hours=6)
"""A video that is stuck is told of at most this often."""
_SETTLED = timedelta(hours=20)
"""A video that is done: a nightly run finds it due, whatever minute it comes at."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look at a video says."""

    facts: Facts
    changed: bool
    """Its status is another one than before."""
    result: Result
    """DONE: something changed for the better; FAILED: it failed, vanished, is stuck or has another duration."""
    reason: str
    look_again: timedelta
    may_play: bool
    """Whether a link that waits for it may become current."""


def decide(known: Tracked, held: Held | None, now: datetime, stuck_after: timedelta) -> Verdict:
    """Return what to record of a video, given what Stream says now; None: it is not there, as asking for it showed."""
    seen = facts(held) if held is not None else _missing(known)
    seen, differs = _with_duration(seen, known, held)
    changed = (seen.status, seen.error_code) != (known.status, known.error_code)
    age = timedelta(0) if changed else now - known.state_since
    if seen.status == "error" or differs:
        result = Result.FAILED if changed else Result.UNCHANGED
        reason = ": ".join(part for part in (seen.error_code, seen.error_message) if part)
        return Verdict(seen, changed, result, reason, _SETTLED, may_play=False)
    again = _look_again(seen, age)
    if seen.status == "ready":
        result = Result.DONE if changed else Result.UNCHANGED
        return Verdict(seen, changed, result, "ready", again, may_play=True)
    if age > stuck_after:
        return Verdict(seen, changed, Result.FAILED, _stuck(seen, age), max(again, _STUCK), may_play=False)
    # That Stream has begun to work on it is recorded, and no news.
    return Verdict(seen, changed, Result.UNCHANGED, f"{seen.provider_state}, {seen.progress} %", again, may_play=False)


def loses_too_much(gone: int, looked_at: int) -> bool:
    """Return whether so many of the videos that were looked at vanished that a person should look first."""
    return gone > max(GUARD_FEW, looked_at * GUARD_SHARE)


def lasts_as_sent(there: float | None, sent: float | None) -> bool:
    """Return whether a video lasts as long on Stream as what was sent, as far as both are known (seconds)."""
    if there is None or sent is None:
        return True
    return abs(there - sent) <= max(TOLERANCE_SECONDS, TOLERANCE_SHARE * sent)


def _missing(known: Tracked) -> Facts:
    message = "the video is not on Stream any more; `curri upload --retry-failed` sends it again"
    return Facts("error", known.provider_state or "", 0, False, False, MISSING, message)


def _with_duration(seen: Facts, known: Tracked, held: Held | None) -> tuple[Facts, bool]:
    """Return the facts, with an error if the duration is not that of what was sent: then some of it is missing."""
    if held is None or not seen.playable or lasts_as_sent(held.duration, known.source_seconds):
        return seen, False
    message = (
        f"it lasts {held.duration:.1f} s on Stream, and what was sent {known.source_seconds:.1f} s;"
        " watch its end, and if some is missing, send it again: `curri upload --retry-failed`"
    )
    return seen._replace(error_code=DURATION_DIFFERS, error_message=message), True


def _look_again(seen: Facts, age: timedelta) -> timedelta:
    if seen.fully_encoded:
        return _SETTLED
    return next((pause for limit, pause in _OPEN if age < limit), _HOURLY if age < timedelta(days=2) else _SETTLED)


def _stuck(seen: Facts, age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return (
        f"stuck: {seen.provider_state} for {hours:.0f} h; look at it in the dashboard, then delete it there:"
        " the next look tells that it is missing, and `curri upload --retry-failed` sends it again"
    )
