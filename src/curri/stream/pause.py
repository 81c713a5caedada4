"""Waiting, and being asked to stop while one waits."""

from __future__ import annotations

import time
from typing import Final

from curri.errors import Interrupted

SLICE: Final = 0.2
"""Seconds: the longest a wait goes on after a stop was asked for."""


class Stopped(Interrupted):
    """Work was ended on request, not by a failure; what Stream acknowledged stays there.

    `offset` is the number of bytes that Stream acknowledged last, None where no file was being sent or nothing is
    known. Going on later is always safe.
    """

    offset: int | None = None


def stopped() -> Stopped:
    """The error to raise when a stop was asked for."""
    return Stopped("stopped on request", hint="run the same command again to go on")


class Stop:
    """A request to end, in two steps: `finish` (after what is in flight) and `abort` (now).

    Both may be called from a signal handler, from any thread, and again: they only set flags and take no lock
    (an Event takes one, and a handler that interrupts its holder would wait for ever). With `parents`, a stop is
    also asked for when one of them is: one for the run, one below it for each upload.
    """

    def __init__(self, *parents: Stop) -> None:
        self._parents = parents
        self._finish = False
        self._abort = False

    def finish(self) -> None:
        """Ask for an end after the exchange in flight."""
        self._finish = True

    def abort(self) -> None:
        """Ask for an end now: exchanges in flight are cut."""
        self._abort = True
        self._finish = True

    @property
    def finishing(self) -> bool:
        """Whether nothing new may begin. True as well after `abort`."""
        return self._finish or any(parent.finishing for parent in self._parents)

    @property
    def aborting(self) -> bool:
        """Whether what is in flight must be cut."""
        return self._abort or any(parent.aborting for parent in self._parents)

    def check(self) -> None:
        """Raises Stopped if an end was asked for; call it before beginning something."""
        if self.finishing:
            raise stopped()


class Clock:
    """Time as this room sees it. A test gives one of its own, in which waiting takes no time."""

    def now(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970, for comparing with dates in headers."""
        return time.time()

    def pause(self, seconds: float, stop: Stop) -> None:
        """Wait. Raises Stopped within a fraction of a second once a stop is asked for."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            stop.check()
            time.sleep(min(left, SLICE))
        stop.check()
