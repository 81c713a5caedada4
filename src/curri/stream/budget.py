"""How many calls, and how many bytes, all threads together may use.

Cloudflare allows 1,200 calls in 5 minutes for one user, over all tools and the dashboard together; going over it
blocks every call for the next 5 minutes (its page on API limits). Whether tus requests count is not documented, so
they are counted.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import Final

from curri.stream import notes
from curri.stream.pause import Clock, Stop

CALLS: Final = 1_200
WINDOW: Final = 300.0
"""Seconds."""
BLOCK: Final = 300.0
"""Seconds that going over the limit blocks all calls; no header makes us wait longer at once."""
BURST: Final = 200
"""Calls that may be made at once after a rest; also Cloudflare's limit per second for one IP address.

BURST at once and the remaining 1,000 spread over the window: never more than CALLS in any window.
"""
FIRST_BLOCK: Final = 15.0
"""Seconds that a 429 without `Retry-After` stops everybody; doubled each time until a call passes."""

_NUMBER = re.compile(r"\b([rtqw])=(\d+)")


class Budget:
    """A token bucket of calls, shared by all threads.

    `take` before each request, `settle` after it, whatever became of it. Headers of the answers only ever make the
    bucket smaller, so nothing depends on their being sent.
    """

    def __init__(self, clock: Clock, *, calls: int = CALLS, window: float = WINDOW, burst: int = BURST) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._burst = float(burst)
        self._rate = (calls - burst) / window
        self._tokens = float(burst)
        self._at = clock.now()
        self._closed_until = 0.0
        self._slow_rate = self._rate
        self._slow_until = 0.0
        self._in_flight = 0
        self._strikes = 0
        self._spent = 0

    @property
    def spent(self) -> int:
        """Calls made so far, tus included."""
        return self._spent

    def take(self, stop: Stop) -> None:
        """Return when one call may be made. Raises Stopped if a stop is asked for meanwhile."""
        while True:
            with self._lock:
                wait = self._until_free()
                if wait <= 0:
                    self._tokens -= 1
                    self._in_flight += 1
                    self._spent += 1
                    return
            self._clock.pause(wait, stop)

    def least(self, calls: int) -> float:
        """Return the seconds until so many calls more can have been made, if nobody else makes any: no fewer.

        What the bucket holds is spent at once, so a rate seen so far says little of the rest.
        """
        with self._lock:
            self._until_free()
            now = self._clock.now()
            needed = calls - self._tokens
            if needed <= 0:
                return max(0.0, self._closed_until - now) if calls > 0 else 0.0
            slow = max(0.0, self._slow_until - now)
            if needed <= slow * self._slow_rate:
                pace = needed / self._slow_rate
            else:
                pace = slow + (needed - slow * self._slow_rate) / self._rate
            return max(pace, self._closed_until - now)

    def settle(self, headers: Mapping[str, str] | None = None, *, limited: bool = False) -> None:
        """Account for a call that ended. `headers` with lower-case names; `limited`: it was a 429 for all calls."""
        with self._lock:
            self._in_flight -= 1
            if headers is None:
                return
            self._adopt_policy(headers)
            self._adopt_remaining(headers)
            if limited:
                self._close(notes.retry_after(headers.get("retry-after"), self._clock.wall()))
            else:
                self._strikes = 0

    def _until_free(self) -> float:
        """Seconds until a call may be made; 0 or less is now. Fills the bucket up to this moment."""
        now = self._clock.now()
        if now < self._closed_until:
            return self._closed_until - now
        rate = self._slow_rate if now < self._slow_until else self._rate
        self._tokens = min(self._burst, self._tokens + (now - self._at) * rate)
        self._at = now
        # The hair's breadth keeps rounding from asking for a wait too short to change anything.
        return 0.0 if self._tokens >= 1 - 1e-9 else max((1 - self._tokens) / rate, 1e-6)

    def _close(self, seconds: float | None) -> None:
        """Let nobody call for a while. Of many answers to one overrun, only the first counts as a strike."""
        now = self._clock.now()
        if seconds is None:
            if now < self._closed_until:
                return
            seconds = FIRST_BLOCK * 2**self._strikes
            self._strikes = min(self._strikes + 1, 10)
        self._closed_until = max(self._closed_until, now + min(seconds, BLOCK))

    def _adopt_policy(self, headers: Mapping[str, str]) -> None:
        """A quota below the documented one is obeyed; a larger one is not made use of."""
        policies = [dict(_NUMBER.findall(part)) for part in headers.get("ratelimit-policy", "").split(",")]
        pairs = [(int(policy.get("q", 0)), int(policy.get("w", 0))) for policy in policies]
        quota, window = min((pair for pair in pairs if min(pair) > 0), key=lambda p: p[0] / p[1], default=(0, 0))
        if not quota:
            return
        self._burst = min(self._burst, max(1.0, quota / 2))
        # A quota of one or two leaves nothing to spread beside the burst: then they are spread alone.
        self._rate = min(self._rate, max(quota - self._burst, 1.0) / window)
        self._tokens = min(self._tokens, self._burst)

    def _adopt_remaining(self, headers: Mapping[str, str]) -> None:
        """Calls that others made as well show in what remains: pace the rest, and wait where none is left."""
        left, seconds = _remaining(headers, self._clock.wall())
        if left is None:
            return
        now = self._clock.now()
        free = left - self._in_flight
        self._until_free()
        self._tokens = min(self._tokens, float(max(0, free)))
        if seconds is None:
            return
        if free <= 0:
            self._closed_until = max(self._closed_until, now + min(seconds, BLOCK))
        elif seconds > 0:
            self._slow_rate = min(self._rate, free / seconds)
            self._slow_until = now + min(seconds, BLOCK)


def _remaining(headers: Mapping[str, str], wall: float) -> tuple[int | None, float | None]:
    """Calls left, and seconds until the count begins anew, from either family of headers; None where not said.

    `Ratelimit: "default";r=50;t=30` is what the limits page shows; an earlier text named `X-RateLimit-Remaining` and
    `-Reset` (a date). Of several limits in one header, the tightest counts.
    """
    limits = [dict(_NUMBER.findall(part)) for part in headers.get("ratelimit", "").split(",")]
    limits = [limit for limit in limits if "r" in limit]
    if limits:
        tightest = min(limits, key=lambda limit: int(limit["r"]))
        return int(tightest["r"]), float(tightest["t"]) if "t" in tightest else None
    left = headers.get("x-ratelimit-remaining", "").strip()
    if not left.isdecimal():
        return None, None
    reset = headers.get("x-ratelimit-reset")
    if reset is not None and reset.strip().isdecimal():
        # Elsewhere the same header is a number: seconds to wait, or, where that would be years, a moment.
        number = float(reset)
        return int(left), number if number < 1e6 else max(0.0, number - wall)
    return int(left), notes.retry_after(reset, wall)


class Bandwidth:
    """A limit on bytes per second, shared by all threads. `None` is no limit.

    Each caller books the next free stretch of time, so threads take turns and none starves.
    """

    def __init__(self, clock: Clock, bytes_per_second: int | None = None) -> None:
        if bytes_per_second is not None and bytes_per_second < 1:
            raise ValueError("a bandwidth limit is at least 1 byte per second")
        self._clock = clock
        self._rate = bytes_per_second
        self._lock = threading.Lock()
        self._free_at = clock.now()

    def block(self, largest: int) -> int:
        """How many bytes to send at a time: small ones under a tight limit, so that the line is used evenly."""
        return largest if self._rate is None else max(1, min(largest, max(1_024, self._rate // 8)))

    def take(self, count: int, stop: Stop, waiting: Callable[[], None]) -> None:
        """Return when `count` bytes may be sent. Calls `waiting` at least once a second while it waits, so that a
        watchdog knows the pause for what it is. Raises Stopped as soon as an abort is asked for.
        """
        if self._rate is None:
            return
        now = self._clock.now()
        with self._lock:
            begin = max(self._free_at, now)
            self._free_at = begin + count / self._rate
        left = begin - now
        while left > 0:
            waiting()
            # A stop of the first kind lets the chunk in flight come to its end: only an abort ends this wait.
            self._clock.pause(min(left, 1.0), _OnlyAbort(stop))
            left -= 1.0


class _OnlyAbort(Stop):
    """Seen through this, a stop is asked for only when an abort is."""

    def __init__(self, stop: Stop) -> None:
        super().__init__()
        self._stop = stop

    @property
    def finishing(self) -> bool:
        return self._stop.aborting

    @property
    def aborting(self) -> bool:
        return self._stop.aborting
