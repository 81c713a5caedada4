"""Runs `curri` in this process and kills it (SIGKILL) at the n-th point where it touches the world outside.

    python killed.py N ARGUMENT...

Points are every statement sent to the database, every block of a COPY, and every file that is opened for reading:
they are counted where the libraries are called, so that new code brings its points with it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import psycopg

from curri.cli.main import main
from curri.tree.digest import Reader


class Points:
    """Counts down to the kill."""

    def __init__(self, left: int) -> None:
        self.left = left

    def passed(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def watch(points: Points, owner: type[Any], name: str) -> None:
    """Count a point before and after every call of a method."""
    original: Callable[..., Any] = getattr(owner, name)

    def watched(*arguments: Any, **keywords: Any) -> Any:
        points.passed()
        result = original(*arguments, **keywords)
        points.passed()
        return result

    setattr(owner, name, watched)


def run() -> None:
    points = Points(int(sys.argv.pop(1)))
    watch(points, psycopg.Cursor, "execute")
    watch(points, psycopg.ServerCursor, "execute")
    watch(points, psycopg.Copy, "write_row")
    watch(points, psycopg.Transaction, "__exit__")
    watch(points, Reader, "_read_one")
    main()


if __name__ == "__main__":
    run()
