"""The sandbox's time: microseconds since 1970, from a base that can be replaced, moved on by hand, or held still."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
"""Microseconds in a second: every moment inside the sandbox is a whole number of microseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)")


class Clock:
    """Tells the time in microseconds; never goes back."""

    def __init__(self, base: Callable[[], float] = time.time, *, frozen: bool = False, offset: int = 0) -> None:
        start = base()
        self._base: Callable[[], float] = (lambda: start) if frozen else base
        self._last = 0
        self.frozen = frozen
        self.offset = offset
        """What was added by hand, in microseconds."""

    def now(self) -> int:
        """The present moment, in microseconds since 1970."""
        self._last = max(self._last, round(self._base() * SECOND) + self.offset)
        return self._last

    def advance(self, seconds: float) -> int:
        """Moves the clock on and returns the new moment. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self.offset += round(seconds * SECOND)
        return self.now()


def stamp(moment: int) -> str:
    """`moment` as Stream writes it: RFC 3339 in UTC with six decimals."""
    return (_EPOCH + timedelta(microseconds=moment)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_stamp(text: str) -> int:
    """The first microsecond not before an RFC 3339 time with up to nine decimals. Raises ValueError.

    Rounding up keeps both cursors of a listing exact: a row, whose time has whole microseconds, is at or after the
    given time just when it is at or after the rounded one.
    """
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an RFC 3339 time")
    day, clock, fraction, zone = match.groups()
    whole = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    since = whole - _EPOCH
    nanoseconds = (since.days * 86_400 + since.seconds) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
    return -(-nanoseconds // 1000)
