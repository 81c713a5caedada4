"""The real command in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

SECONDS = 120
"""A command that takes longer hangs."""

CURRI = (sys.executable, "-m", "curri")
"""How the command is started."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects it printed."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        """The last JSON object, which must be the summary."""
        last = self.objects[-1]
        assert last["type"] == "summary", self.out + self.err
        return last


def clean_environment(home: Path, **extra: str) -> dict[str, str]:
    """Return an environment with nothing of the developer's own settings in it."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CURRI_HOME": str(home / "state"),
        "LC_ALL": "C.UTF-8",
        "PYTHONWARNINGS": "error",
        **extra,
    }


def start(arguments: list[str], environment: dict[str, str], cwd: Path) -> subprocess.Popen[str]:
    """Start `curri` and return at once."""
    return _started([*CURRI, *arguments], environment, cwd)


def _started(arguments: Sequence[str], environment: dict[str, str], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments,
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
    )


class Running:
    """A program at work, told by all its arguments. It is killed at the end, if it still is."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], cwd: Path) -> None:
        self.process = _started(arguments, environment, cwd)

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def done(self) -> Done:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=SECONDS)
        return Done(self.process.returncode, out, err)

    def descendants(self) -> dict[int, str]:
        """Return all processes below it, with their command lines."""
        found: dict[int, str] = {}
        waiting = [self.pid]
        while waiting:
            pid = waiting.pop()
            for child in _children(pid):
                found[child] = command_line(child)
                waiting.append(child)
        return found

    def __enter__(self) -> Running:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        return [int(word) for each in threads for word in Path(f"/proc/{pid}/task/{each}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def command_line(pid: int) -> str:
    """Return the arguments of a process, as everybody on the machine may read them; "" if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture
def curri(tmp_path: Path) -> Callable[..., Done]:
    """Return a function that runs `curri` with arguments, a database address, and further variables."""

    def run(*arguments: str | Path, url: str | None = None, cwd: Path | None = None, **variables: str) -> Done:
        environment = clean_environment(tmp_path, **variables)
        if url is not None:
            environment["CURRI_DATABASE_URL"] = url
        with Running([*CURRI, *map(str, arguments)], environment, cwd or tmp_path) as running:
            return running.done()

    return run
