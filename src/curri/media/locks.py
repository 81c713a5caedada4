"""Locks on files that die with their holder: no process number to check, nothing left over after a kill."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
"""Through a link, `write` would replace what somebody else's file holds."""


class FileLock:
    """A lock on an open file. Not inherited by programs started meanwhile, and not shared between threads.

    The file may be removed by whoever holds it exclusively; the next one to lock then makes a new one.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def acquire(self, how: int, path: Path) -> bool:
        """Lock as `how` (fcntl.LOCK_*) says; whether the file locked is still the one at `path`."""
        fcntl.flock(self._descriptor, how)
        try:
            return path.stat().st_ino == os.fstat(self._descriptor).st_ino
        except FileNotFoundError:
            return False

    def share(self) -> None:
        """Let others read too. Between the two locks there is a moment without any."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def write(self, text: str) -> None:
        """Replace what the lock's file holds."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def close(self) -> None:
        """Unlock. Called again it does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def try_lock(path: Path, *, shared: bool = False) -> FileLock | None:
    """Lock the file at `path` (made if missing) unless somebody holds it; None then, at once. Raises OSError."""
    try:
        return _lock(path, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file at `path` exclusively; waits for others, so only for work that is soon done. Raises OSError."""
    with _lock(path, fcntl.LOCK_EX):
        yield


def _lock(path: Path, how: int) -> FileLock:
    """Raises BlockingIOError if `how` says not to wait and somebody holds it."""
    while True:
        lock = FileLock(os.open(path, _FLAGS, 0o600))
        try:
            if lock.acquire(how, path):
                return lock
        except BaseException:
            lock.close()
            raise
        lock.close()  # the last holder removed the file while we waited for it: lock the new one
