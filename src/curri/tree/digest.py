"""Reading files: the SHA-1 of their bytes, and proof that the bytes stood still meanwhile."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event

from curri.errors import Interrupted
from curri.model import Digest, FoundAsset
from curri.plan.comparison import RACY_NS, Unread
from curri.tree.layout import fingerprint
from curri.tree.rules import BlockedRule

BLOCK = 1 << 19
"""How much of a large file is in memory at once, in bytes, for each thread."""

LARGE = 1 << 20
"""Files from here on (bytes) are read in threads. Below, handing them over costs more than reading them."""


# O_NONBLOCK: if the file has become a pipe since it was listed, opening it must not wait for a writer.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class NotReadable(Exception):
    """A file could not be read to the end in one state. `rule` is a stable name, the text says why."""

    def __init__(self, rule: BlockedRule, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class Reader:
    """Reads files and reports the bytes as they pass.

    `progress` is called with a number of bytes, from several threads. `clock` gives nanoseconds since 1970 as the
    file system counts them; `sleep` waits some seconds. Both are parameters so that tests need not wait.
    """

    def __init__(
        self,
        root: str,
        *,
        progress: Callable[[int], None] = lambda _: None,
        clock: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], None] = time.sleep,
        threads: int | None = None,
    ) -> None:
        self._root = root
        self._progress = progress
        self._clock = clock
        self._sleep = sleep
        self._threads = threads or os.cpu_count() or 1
        self._stop = Event()

    def read(self, files: Sequence[Unread]) -> Iterator[tuple[Unread, Digest | NotReadable]]:
        """Yield each file with its digest, or with the reason why it has none; in no particular order.

        A file changed within the last two seconds is read after those two seconds: a later change then shows in
        its time stamps, and the digest can be trusted by the next import. So a run waits two seconds at most, or four
        where the file system's clock is ahead of this machine's.
        """
        now = self._clock()
        fresh = [file for file in files if abs(now - file.asset.mtime_ns) < RACY_NS]
        if not fresh:
            yield from self._read_all(files)
            return
        yield from self._read_all([file for file in files if abs(now - file.asset.mtime_ns) >= RACY_NS])
        due = max(file.asset.mtime_ns for file in fresh) + RACY_NS
        pause = min(due - self._clock(), 2 * RACY_NS)
        if pause > 0:
            self._sleep(pause / 1e9)
        yield from self._read_all(fresh)

    def _read_all(self, files: Sequence[Unread]) -> Iterator[tuple[Unread, Digest | NotReadable]]:
        large = [file for file in files if file.asset.size >= LARGE]
        if not large:
            for file in files:
                yield file, self._read_one(file)
            return
        with ThreadPoolExecutor(self._threads, thread_name_prefix="curri-read") as pool:
            # Not by the futures: a signal's exception that comes while one of their locks is being taken would leave
            # it locked, and a thread waiting for it for ever.
            results: SimpleQueue[tuple[Unread, Digest | NotReadable | None, BaseException | None]] = SimpleQueue()

            def work(file: Unread) -> None:
                try:
                    results.put((file, self._read_one(file), None))
                except BaseException as error:  # noqa: BLE001 - raised in the thread that asked
                    results.put((file, None, error))

            try:
                for file in large:
                    pool.submit(work, file)
                for file in files:
                    if file.asset.size < LARGE:
                        yield file, self._read_one(file)
                for _ in large:
                    read, digest, error = results.get()
                    if digest is None:
                        raise error or AssertionError("neither a result nor an error")
                    yield read, digest
            except BaseException:
                # After Ctrl-C nobody waits for the rest of a large file. The mark stays: a thread that was just
                # being started when the signal came is not yet known to the pool, and must see it later.
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _read_one(self, file: Unread) -> Digest | NotReadable:
        path = f"{self._root}/{file.folder}/{file.asset.path}"
        try:
            return self._digest(path, file.asset)
        except NotReadable as error:
            return error
        except OSError as error:
            return NotReadable("unreadable", error.strerror or str(error))

    def _digest(self, path: str, expected: FoundAsset) -> Digest:
        handle = os.open(path, _FLAGS)
        try:
            began = self._clock()
            digest = hashlib.sha1(usedforsecurity=False)
            if expected.size < LARGE:
                # The look at its listing is the one before, so one after the reading is enough.
                data = _all_of(handle, expected.size)
                digest.update(data)
                count = len(data)
                self._progress(count)
            else:
                _still(os.fstat(handle), expected)  # nobody wants to read an hour in vain
                count = self._update(digest.update, handle, expected.size)
            _still(os.fstat(handle), expected)
        except OSError:
            _still(os.fstat(handle), expected)  # a folder or pipe in its place: say that, not what read() said of it
            raise
        finally:
            os.close(handle)
        if count != expected.size:
            raise NotReadable("being-written", f"gave {count} bytes, but has {expected.size}; import again later")
        return Digest(digest.hexdigest(), began)

    def _update(self, update: Callable[[memoryview], None], handle: int, size: int) -> int:
        """Read at most a block more than `size` bytes: nobody runs after a file that grows faster than it is read."""
        block = memoryview(bytearray(BLOCK))
        total = 0
        while total <= size and (count := os.readv(handle, [block])):
            update(block[:count])
            total += count
            self._progress(count)
            if self._stop.is_set():
                raise Interrupted("reading was stopped")
        return total


def _all_of(handle: int, size: int) -> bytes:
    data = os.read(handle, size + 1)
    while len(data) < size and (more := os.read(handle, size)):  # network drives may give less than there is
        data += more
    return data


def _still(now: os.stat_result, expected: FoundAsset) -> None:
    """Raise NotReadable unless the open file is still the regular file that was listed, in the same state."""
    if not stat.S_ISREG(now.st_mode):
        raise NotReadable("special-file", "is no longer a regular file")
    if fingerprint(now) != expected[3:]:
        raise NotReadable("being-written", "is still being written: it changed while it was read; import again later")
