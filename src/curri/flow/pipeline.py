"""The threads of an upload: some encode, some send, and the main one keeps the leases and listens for signals.

What must be encoded passes two stages; everything else goes straight to a sender. So a long encode never keeps the
lines idle, and the next encode is made while the last one is sent.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from curri.errors import Interrupted
from curri.flow.jobs import Item, Job
from curri.flow.worker import Package, Worker
from curri.stream.pause import Stop, Stopped

TICK = 0.1


class _Ticks:
    """Something that is to be done every so many seconds, whatever else happens."""

    def __init__(self, every: float, tick: Callable[[], None]) -> None:
        self._every = every
        self._tick = tick
        self._due = time.monotonic() + every

    def keep(self) -> None:
        """Do it if it is due. Raises what it raises, and then it is due anew after as long."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._every
            self._tick()


class Pipeline:
    """One run over a list of jobs."""

    def __init__(
        self, worker: Worker, stop: Stop, *, encoders: int, transfers: int, on_item: Callable[[Item], None]
    ) -> None:
        self._worker = worker
        self._stop = stop
        self._encoders = encoders
        self._transfers = transfers
        self._on_item = on_item
        self._changed = threading.Condition()
        self._to_encode: deque[Job] = deque()
        self._direct: deque[Job] = deque()
        self._ready: deque[Package] = deque()
        self._encoding = 0
        self._error: BaseException | None = None
        self._ended: list[int] = []  # the threads that came to their end
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()  # rung by each of them

    def run(self, jobs: Sequence[Job], every: float, tick: Callable[[], None]) -> None:
        """Work until all jobs are done, calling `tick` (it may raise) every so many seconds.

        After a signal nothing new begins, what is in flight comes to its end, and the signal's error is raised. So is
        the first error that ended the run. No thread is left in either case, and `tick` is called until the last ends.
        """
        self._to_encode.extend(job for job in jobs if job.encodes)
        self._direct.extend(job for job in jobs if not job.encodes)
        threads = [self._thread(self._encode) for _ in range(min(self._encoders, len(self._to_encode)))]
        threads += [self._thread(self._send) for _ in range(min(self._transfers, len(jobs)))]
        ticks = _Ticks(every, tick)
        try:
            for thread in threads:
                thread.start()
            self._watch(len(threads), ticks)
        except BaseException as error:  # noqa: BLE001 - raised below, when no thread is left
            self._fail(error)
            self._wind_down(sum(thread.ident is not None for thread in threads), ticks)
        for package in self._ready:
            self._worker.give_up(package)
        if self._error is not None:
            raise self._error

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=self._guarded, args=(work,), name=work.__name__, daemon=True)

    def _watch(self, threads: int, ticks: _Ticks) -> None:
        while len(self._ended) < threads:
            self._rest()
            ticks.keep()

    def _wind_down(self, threads: int, ticks: _Ticks) -> None:
        """Wait for what is in flight. It may take long, and its leases must last until then.

        A tick that fails changes nothing: the run is ending, and for an earlier error.
        """
        while len(self._ended) < threads:
            self._rest()
            try:
                ticks.keep()
            except Interrupted:
                raise
            except Exception as error:  # noqa: BLE001 - the one that counts was raised before
                self._fail(error)

    def _rest(self) -> None:
        """Return when a thread ended, or a moment later.

        Not by `Thread.join`: up to Python 3.12 one that a signal's exception cuts short takes the thread for ended.
        """
        with suppress(queue.Empty):
            self._bell.get(timeout=TICK)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._fail(error)
        finally:
            self._ended.append(threading.get_ident())
            self._bell.put(None)

    def _fail(self, error: BaseException) -> None:
        """End the run: the first error counts, but a signal more than the stops that it caused."""
        with self._changed:
            if self._error is None or isinstance(self._error, Stopped):
                self._error = error
            self._stop.finish()
            self._changed.notify_all()

    # --- what the threads do

    def _encode(self) -> None:
        while (job := self._next_to_encode()) is not None:
            try:
                result = self._worker.prepare(job)
                if isinstance(result, Item):
                    self._done(result)
                else:
                    with self._changed:
                        self._ready.append(result)
            finally:
                with self._changed:
                    self._encoding -= 1
                    self._changed.notify_all()

    def _next_to_encode(self) -> Job | None:
        """Return the next to encode, once there are no more encodes waiting than senders: they take room on disk."""
        with self._changed:
            while self._to_encode and not self._stop.finishing:
                if len(self._ready) + self._encoding < max(self._transfers, self._encoders):
                    self._encoding += 1
                    return self._to_encode.popleft()
                self._changed.wait(TICK)
            return None

    def _send(self) -> None:
        while (work := self._next_to_send()) is not None:
            package = self._worker.prepare(work) if isinstance(work, Job) else work
            self._done(package if isinstance(package, Item) else self._worker.deliver(package))

    def _next_to_send(self) -> Job | Package | None:
        """Return what is encoded already, else what need not be; None at the end."""
        with self._changed:
            while not self._stop.finishing:
                if self._ready:
                    package = self._ready.popleft()
                    self._changed.notify_all()
                    return package
                if self._direct:
                    return self._direct.popleft()
                if not self._to_encode and not self._encoding:
                    return None
                self._changed.wait(TICK)
            return None

    def _done(self, item: Item) -> None:
        with self._changed:
            self._on_item(item)
