"""The real command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SECONDS = 120
"""A command that takes longer hangs."""


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
    return subprocess.Popen(
        [sys.executable, "-m", "curri", *arguments],
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
    )


@pytest.fixture
def curri(tmp_path: Path) -> Callable[..., Done]:
    """Return a function that runs `curri` with arguments, a database address, and further variables."""

    def run(*arguments: str | Path, url: str | None = None, cwd: Path | None = None, **variables: str) -> Done:
        environment = clean_environment(tmp_path, **variables)
        if url is not None:
            environment["CURRI_DATABASE_URL"] = url
        process = start([str(argument) for argument in arguments], environment, cwd or tmp_path)
        out, err = process.communicate(timeout=SECONDS)
        return Done(process.returncode, out, err)

    return run
