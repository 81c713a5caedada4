"""Functions in processes of their own, as whoever they shall run: to be killed, to hold something, to be nobody.

A forked process has everything imported already. That is the point: an ordinary user may not be able to read the
interpreter's own files when root runs the tests.
"""

from __future__ import annotations

import os
import pickle
import pwd
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

READY = b"ready\n"


class Account(NamedTuple):
    """Whom a process runs as."""

    name: str
    uid: int | None = None  # None: as whoever runs the tests

    def give(self, path: Path) -> None:
        """Make a folder the account's own."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)


AS_ROOT = os.geteuid() == 0
ORDINARY = Account("an ordinary user", pwd.getpwnam("nobody").pw_uid if AS_ROOT else None)
ACCOUNTS = (Account("root"), ORDINARY) if AS_ROOT else (ORDINARY,)
"""Whom the machine lets us be. Without root there is only oneself."""


class Child:
    """A process that runs one function and then ends, or is killed before."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self._pipe = pipe
        self.status: int | None = None

    def ready(self) -> None:
        """Return when the function says that it is ready; fail with its error if it never does."""
        said = self._read(len(READY))
        if said != READY:
            self._result(said + self._read())
            raise AssertionError("the process ended before it was ready")

    def kill(self) -> None:
        """End it as a crash would, and wait until it is gone."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """Wait for its end and return its status: 0, or minus the signal that ended it."""
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def result(self) -> Any:
        """Wait for its end and return what the function returned, or raise what it raised."""
        said = self._read()
        self.wait()
        return self._result(said.removeprefix(READY))

    def _read(self, size: int = 1 << 30) -> bytes:
        said = b""
        while len(said) < size and (more := os.read(self._pipe, min(size - len(said), 1 << 16))):
            said += more
        return said

    def _result(self, said: bytes) -> Any:
        assert said, f"the process ended without a word, status {self.wait()}"
        fine, value = pickle.loads(said)  # noqa: S301 - our own process wrote it
        if not fine:
            raise value
        return value

    def close(self) -> None:
        self.kill()
        os.close(self._pipe)


def start(
    function: Callable[[Callable[[], None]], object], account: Account = ACCOUNTS[0], umask: int = 0o022
) -> Child:
    """Start a process that runs a function, which is given a function that says "ready"."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about threads, of which the new process uses none
        pid = os.fork()
    if pid:
        os.close(writing)
        return Child(pid, reading)
    os.close(reading)
    try:
        os.umask(umask)
        if account.uid is not None:
            os.setgroups([])
            os.setgid(account.uid)
            os.setuid(account.uid)
        said = pickle.dumps((True, function(lambda: _write(writing, READY))))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is for the parent to raise
        said = _failure(error)
    _write(writing, said)
    os._exit(0)


def _failure(error: BaseException) -> bytes:
    told = "".join(traceback.format_exception(error))
    error.add_note(told)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:  # noqa: BLE001 - an error that cannot travel is told in words
        error = AssertionError(told)
    return pickle.dumps((False, error))


def _write(pipe: int, said: bytes) -> None:
    while said:
        said = said[os.write(pipe, said) :]


@contextmanager
def running(
    function: Callable[[Callable[[], None]], object], account: Account = ACCOUNTS[0], umask: int = 0o022
) -> Iterator[Child]:
    """Start a process and wait until it says that it is ready; it is killed at the end, if it still runs."""
    child = start(function, account, umask)
    try:
        child.ready()
        yield child
    finally:
        child.close()


def run(function: Callable[[], T], account: Account = ACCOUNTS[0], umask: int = 0o022) -> T:
    """Run a function in a process of its own; return what it returns, raise what it raises."""
    child = start(lambda _: function(), account, umask)
    try:
        result: T = child.result()
        return result
    finally:
        child.close()


def hold() -> None:
    """Do nothing until killed."""
    while True:
        signal.pause()


def gone(pid: int) -> bool:
    """Return whether a process has ended. One that ended, and that nobody waited for yet, has ended too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:  # ended just now; or a system without /proc, where the number has to do
        return Path("/proc/self").exists()
    return state in "ZX"
