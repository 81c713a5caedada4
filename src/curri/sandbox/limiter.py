"""The budget of API calls: so many in a window, then a full window of nothing."""

from __future__ import annotations

from curri.sandbox.answers import THROTTLED, Refusal
from curri.sandbox.clock import SECOND


class RateLimiter:
    """Counts calls. Moments are microseconds; `window` is in seconds."""

    def __init__(self, quota: int, window: int) -> None:
        self._quota = quota
        self._window = window
        self._begin = 0
        self._used = 0
        self._blocked_until = 0

    def spend(self, now: int) -> None:
        """Counts one call. Refuses with 429 and `Retry-After` when the budget is spent, and for a window after."""
        self._roll(now)
        if now >= self._blocked_until and self._used >= self._quota:
            self._blocked_until = now + self._window * SECOND
        if now < self._blocked_until:
            raise Refusal(429, THROTTLED, headers={"Retry-After": str(self._seconds_left(now))})
        self._used += 1

    def headers(self, now: int) -> dict[str, str]:
        """The two headers that tell a client where it stands."""
        self._roll(now)
        return {
            "Ratelimit": f'"default";r={self._quota - self._used};t={self._seconds_left(now)}',
            "Ratelimit-Policy": f'"default";q={self._quota};w={self._window}',
        }

    def _roll(self, now: int) -> None:
        blocked = now < self._blocked_until
        if not blocked and (now >= self._begin + self._window * SECOND or self._blocked_until):
            self._begin, self._used, self._blocked_until = now, 0, 0

    def _seconds_left(self, now: int) -> int:
        end = self._blocked_until or self._begin + self._window * SECOND
        return max(1, -(-(end - now) // SECOND))
