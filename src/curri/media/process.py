"""Runs ffmpeg: reads its machine-readable progress, and ends it when it hangs or is no longer wanted."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from curri.errors import Interrupted

STALL_SECONDS = 120.0
"""Without a sign of life for so long, ffmpeg hangs. A guess on the safe side: at the pace of a frame in some seconds,
as of 4K on a very busy machine, there is progress many times in it; a hung one costs two minutes."""
NICENESS = 10
"""Encoding is never urgent: whoever sits at the machine goes first."""

_TICK = 0.1  # seconds between two looks at `cancelled` and the watchdog
_STDERR_KEPT = 65_536  # bytes
_SECRETS = ("CLOUDFLARE_", "CURRI_", "DATABASE_URL", "PG")
_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Watch:
    """How a program is watched over."""

    stall_seconds: float = STALL_SECONDS
    niceness: int = NICENESS
    cancelled: Callable[[], bool] = lambda: False
    """Asked about ten times a second; once it says yes, the program is ended. An Event's `is_set` will do."""
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended by itself."""

    exit_code: int  # below 0: the signal that ended it
    complaints: str
    """The end of what it wrote to standard error, without control characters; "" if nothing."""
    seconds: float  # how long it ran

    @property
    def last_lines(self) -> str:
        """What to show of it: the last lines, in one."""
        return " / ".join(self.complaints.splitlines()[-4:]) or "it gave no reason"


class Hung(Exception):
    """The program gave no sign of life for `Watch.stall_seconds`, and was killed."""


@dataclass(slots=True)
class _Progress:
    """What `-progress` said so far: lines of key=value, a block ends with `progress=`."""

    values: dict[str, str] = field(default_factory=dict)
    rest: bytes = b""

    def feed(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            key, _, value = line.decode("ascii", "replace").partition("=")
            self.values[key] = value.strip()

    @property
    def seconds(self) -> float | None:
        """How much of the output is written, in seconds of video; None as long as ffmpeg says N/A."""
        try:
            return max(int(self.values["out_time_us"]) / 1e6, 0.0)
        except (KeyError, ValueError):
            return None

    @property
    def signs_of_life(self) -> tuple[str | None, ...]:
        return tuple(self.values.get(key) for key in ("out_time_us", "frame", "total_size", "progress"))


def run(
    program: Sequence[str],
    watch: Watch,
    *,
    on_progress: Callable[[float], None] | None = None,
    pulse: Callable[[], object] = lambda: None,
) -> Finished:
    """Run `program` (a full path and arguments, among them `-progress pipe:1`) to its end.

    `on_progress` gets seconds of video written so far. `pulse` is called about ten times a second: a changed answer
    counts as a sign of life beside progress (a file that grows while ffmpeg rearranges it), and an exception from it
    ends the program. Whatever way this function is left, the program is gone; if it did not end by itself, all that
    it started is gone too. Raises Hung, and Interrupted once `watch.cancelled`.
    """
    started = watch.clock()
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_LAUNCH), str(watch.niceness), str(os.getpid()), *program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,  # a process group of its own: Ctrl-C is for curri to act on
        env=environment(os.environ),
    )
    try:
        complaints = _attend(child, watch, on_progress, pulse)
    finally:
        _end(child)
    return Finished(child.returncode, printable(complaints), watch.clock() - started)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment for a foreign program: without curri's credentials, and with untranslated messages."""
    kept = {name: value for name, value in own.items() if not name.startswith(_SECRETS)}
    return kept | {"LC_ALL": "C"}


def printable(text: bytes) -> str:
    """Text of a foreign program, made safe for a terminal and a log: no control characters but line ends."""
    lines = text.decode("utf-8", "replace").replace("\r", "\n").split("\n")
    shown = ("".join(c for c in line if c.isprintable()).strip() for line in lines)
    return "\n".join(line for line in shown if line)


def _attend(
    child: subprocess.Popen[bytes],
    watch: Watch,
    on_progress: Callable[[float], None] | None,
    pulse: Callable[[], object],
) -> bytes:
    """Read both pipes until the child has ended; give back the end of its standard error."""
    progress, complaints = _Progress(), b""
    alive_at, life = watch.clock(), object()
    with selectors.DefaultSelector() as pipes:
        for pipe in (child.stdout, child.stderr):
            pipes.register(_open(pipe), selectors.EVENT_READ)
        while True:
            ended = _ended(child, wait=not pipes.get_map())  # asked before reading: what it wrote last is read too
            ready = pipes.select(0 if ended else _TICK) if pipes.get_map() else []
            for key, _ in ready:
                data = os.read(key.fd, 65_536)
                if not data:
                    pipes.unregister(key.fileobj)
                elif key.fileobj is child.stdout:
                    progress.feed(data)
                else:
                    complaints = (complaints + data)[-_STDERR_KEPT:]
            if ended and not ready:
                return complaints
            if watch.cancelled():
                raise Interrupted("the encoder was stopped as asked")
            now = watch.clock()
            if (signs := (progress.signs_of_life, pulse())) != life:
                if on_progress and progress.seconds is not None:
                    on_progress(progress.seconds)
                alive_at, life = now, signs
            elif now - alive_at > watch.stall_seconds:
                raise Hung(f"no progress for {watch.stall_seconds:.0f} s")


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the program was started without pipes")
    return pipe


def _ended(child: subprocess.Popen[bytes], *, wait: bool) -> bool:
    """Whether the child has ended. `wait`: both pipes are closed, so nothing else shows it: give it a moment."""
    try:
        return child.wait(_TICK if wait else 0) is not None
    except subprocess.TimeoutExpired:
        return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child's process group unless it has ended, collect it, close the pipes. Harmless when called again."""
    if child.poll() is None:  # only a child that is not yet collected is sure to own its number
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
