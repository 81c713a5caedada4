"""Processes that are killed, stopped and continued."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from support import doomed
from support.command import Done, clean_environment

SECONDS = 120
"""A command that takes longer hangs."""


class Nursery:
    """Starts `curri` in processes of their own (see support/doomed.py)."""

    def __init__(self, folder: Path) -> None:
        environment = clean_environment(folder) | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(
            [sys.executable, doomed.__file__],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End it. Runs that were killed, and those waited for, are gone already."""
        self._process.communicate()

    def start(self, arguments: list[str], environment: dict[str, str], folder: Path, label: str, **doom: object) -> Run:
        """Start `curri` with arguments; its outputs and its points lie in `folder`."""
        paths = {part: str(folder / f"{label}.{part}") for part in ("out", "err")}
        log = folder / f"{label}.points"
        order = {"arguments": arguments, "environment": environment, "folder": str(folder), **paths}
        return Run(self, self.ask({**order, "doom": {"log": str(log), **doom}})["pid"], folder / label)

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Give an order and return the answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        if not ready:
            os.kill(order["wait"], signal.SIGKILL)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert ready, "the command hung, and was killed"
        return answer


class Run:
    """One command."""

    def __init__(self, nursery: Nursery, pid: int, path: Path) -> None:
        self._nursery = nursery
        self._path = path
        self.pid = pid

    @property
    def points(self) -> list[str]:
        """The points it has passed, in order; the one it was killed or stopped at is the last."""
        log = self._path.with_suffix(".points")
        return log.read_text().splitlines() if log.exists() else []

    def killed(self) -> None:
        """Wait until it has been killed."""
        assert self._wait() == {"stopped": False, "code": -signal.SIGKILL}, self._said()

    def stopped(self) -> None:
        """Wait until it has stopped itself."""
        assert self._wait() == {"stopped": True, "code": -signal.SIGSTOP}, self._said()

    def kill(self) -> None:
        """Kill it from outside."""
        os.kill(self.pid, signal.SIGKILL)
        self.killed()

    def stop(self) -> None:
        """Stop it from outside."""
        os.kill(self.pid, signal.SIGSTOP)
        self.stopped()

    def go_on(self, *, code: int = 0) -> Done:
        """Let a stopped run go on to its end."""
        os.kill(self.pid, signal.SIGCONT)
        done = self.done()
        assert done.code == code, done.out + done.err
        return done

    def done(self) -> Done:
        """Wait for its end."""
        ended = self._wait()
        assert not ended["stopped"], self._said()
        return Done(ended["code"], *self._said())

    def _wait(self) -> dict[str, Any]:
        return self._nursery.ask({"wait": self.pid})

    def _said(self) -> tuple[str, str]:
        out, err = (self._path.with_suffix(end).read_text(errors="surrogateescape") for end in (".out", ".err"))
        return out, err
