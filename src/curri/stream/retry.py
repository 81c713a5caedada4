"""When a failed request is made again, and how long to wait before: the one place that says so."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from curri.errors import StreamUnavailable
from curri.stream.failures import Told
from curri.stream.pause import Clock, Stop

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a passing failure is borne: with these numbers about a minute without any progress."""

    attempts: int = 8
    """Tries without progress before the failure is final."""
    first: float = 0.5
    """Seconds before the second try; doubled each time. Cloudflare's own Python client begins with as much."""
    longest: float = 60.0
    """Seconds between two tries, unless the answer asks for more."""
    block: float = 300.0
    """Seconds: the most that a `Retry-After` is obeyed; Cloudflare blocks for 5 minutes."""


def passing(failure: BaseException) -> bool:
    """Whether asking again may help."""
    return isinstance(failure, StreamUnavailable)


class Attempts:
    """Tries one piece of work until it succeeds, fails for good, or patience is over.

    The work calls `advanced` when bytes got through; from then on the tries are counted anew, so a poor line that
    moves never gives up. Not shared by threads, and one call at a time.
    """

    def __init__(
        self,
        patience: Patience,
        clock: Clock,
        stop: Stop,
        *,
        again: Callable[[BaseException], bool] = passing,
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._stop = stop
        self._again = again
        self._spread = spread
        self._failures = 0

    def advanced(self) -> None:
        """Say that bytes got through since the last failure."""
        self._failures = 0

    def __call__(self, work: Callable[[], T]) -> T:
        """What `work` returns. Raises its last failure, or Stopped when a stop is asked for during a wait."""
        self._failures = 0
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._again),
            after=self._count,
            stop=self._over,
            wait=self._wait,
            sleep=self._pause,
            reraise=True,
        )
        return retrying(work)

    def _count(self, _: tenacity.RetryCallState) -> None:
        self._failures += 1

    def _over(self, _: tenacity.RetryCallState) -> bool:
        return self._failures >= self._patience.attempts

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Half of the growing delay is fixed and half is chance, so that threads that failed together part."""
        delay = min(self._patience.longest, self._patience.first * 2.0 ** max(0, self._failures - 1))
        wait = self._spread(delay / 2, delay)
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.retry_after if isinstance(failure, Told) else None
        if asked is None:
            return wait
        # Asked for a time, all threads would come back at the same moment: a little chance on top.
        return min(asked, self._patience.block) + self._spread(0.0, min(1.0, delay))

    def _pause(self, seconds: float) -> None:
        self._clock.pause(float(seconds), self._stop)
