"""Ends exchanges that stall, and those that are to be aborted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from curri.stream.pause import Stop
from curri.stream.wire import Wire

TICK: Final = 0.1
"""Seconds between two looks."""


class Guard:
    """What the watchdog knows of one exchange: its wire, until when it must move, and who may stop it."""

    def __init__(self, wire: Wire, stop: Stop, seconds: float) -> None:
        self.wire = wire
        self.stop = stop
        self.stopped = False
        self.stalled = False
        self._due = 0.0
        self.expect(seconds)

    def expect(self, seconds: float) -> None:
        """Something moved just now; the next must come within `seconds`."""
        self._due = time.monotonic() + seconds

    def look(self) -> None:
        """Cut the wire if it is time to."""
        if self.stop.aborting:
            self.stopped = True
        elif time.monotonic() > self._due:
            self.stalled = True
        if self.stopped or self.stalled:
            self.wire.cut()


class Watchdog:
    """A thread that cuts exchanges which stall, and those that are to be aborted.

    Real time on purpose: sockets do not know of test clocks. It looks again and again, because a connection that
    is just being made can only be cut once it stands.
    """

    def __init__(self) -> None:
        self._guards: set[Guard] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="stream-watchdog", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the thread; returns when it is gone."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    @contextmanager
    def guarding(self, wire: Wire, stop: Stop, seconds: float) -> Iterator[Guard]:
        """Guard what happens inside; it must end or move within `seconds`."""
        guard = Guard(wire, stop, seconds)
        with self._lock:
            self._guards.add(guard)
        try:
            yield guard
        finally:
            with self._lock:
                self._guards.discard(guard)

    def _run(self) -> None:
        while not self._ended.wait(TICK):
            with self._lock:
                for guard in self._guards:
                    guard.look()
