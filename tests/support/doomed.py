"""Runs `curri` and sends it a signal (SIGKILL, SIGSTOP) at the n-th point where something became fact.

Points are every commit, every HTTP exchange (before anyone sees its answer) and every foreign program that ended. They
are counted where the code passes them, so that new code brings its points with it; each is written to a log before
the signal, so the last line tells where it happened. Without a number the run is only counted.

As a program this is a nursery: it has everything imported, and forks a process of its own for each run that it is told
of on standard input. Starting Python for each would take most of the time of a matrix.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import signal
import sys
import threading
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import curri.cli.transfers
import curri.config
import curri.flow.upload  # noqa: F401 - like the two above, what the command imports when it is used
from curri.catalog import links, uploads
from curri.catalog.database import Connection, Database
from curri.cli.main import main
from curri.media import process
from curri.stream.client import Client, Exchange
from curri.stream.pause import Clock, Stop

READS = frozenset({"read", "lock", "pending"})
"""Functions of the catalog that write nothing, and so give no commit its name."""


class Points:
    """Counts, writes down, and sends the signal."""

    def __init__(self, log: str, at: int | None, name: str, number: int) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._at = at
        self._name = name
        self._signal = number
        self._count = 0
        self._turn = threading.Lock()

    def passed(self, name: str) -> None:
        with self._turn:  # the other threads stay where they are, too, until the signal has come
            os.write(self._log, f"{name}\n".encode())
            self._count += (meant := name.startswith(self._name))
            if meant and self._count == self._at:
                # To this very thread: of a signal to the process, any thread may be the first to hear.
                signal.pthread_kill(threading.get_ident(), self._signal)


class Written(threading.local):
    """What this thread's transaction has written so far, in the words of the catalog's functions."""

    def __init__(self) -> None:
        self.names: list[str] = []


written = Written()


def watch_commits(points: Points) -> None:
    """A commit is named by what was written, else by the function that opened the transaction."""
    transaction = Database.transaction

    @contextmanager
    def watched(database: Database, caller: str) -> Iterator[Connection]:
        written.names = []
        with transaction(database) as connection:
            yield connection
        points.passed(f"commit: {', '.join(written.names) or caller}")

    def opened(database: Database) -> Any:
        return watched(database, sys._getframe(1).f_code.co_name.strip("_"))

    setattr(Database, "transaction", opened)  # noqa: B010
    for module in (uploads, links):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_") and name not in READS:
                _note(module, name)


def _note(module: ModuleType, name: str) -> None:
    original = getattr(module, name)

    @functools.wraps(original)
    def noted(*arguments: Any, **keywords: Any) -> Any:
        state = [argument for argument in arguments[2:3] if name == "close"]  # linked, abandoned or failed
        written.names.append(" ".join([name, *state]))
        return original(*arguments, **keywords)

    setattr(module, name, noted)


def watch_exchanges(points: Points) -> None:
    make = Client.__init__

    def made(self: Client, *arguments: Any, **keywords: Any) -> None:
        theirs: Callable[[Exchange], None] | None = keywords.pop("on_exchange", None)

        def passed(kind: Exchange) -> None:
            points.passed(f"exchange: {kind}")
            if theirs is not None:
                theirs(kind)

        make(self, *arguments, on_exchange=passed, **keywords)

    setattr(Client, "__init__", made)  # noqa: B010


def watch_programs(points: Points) -> None:
    run = process.run

    def watched(*arguments: Any, **keywords: Any) -> process.Finished:
        done = run(*arguments, **keywords)
        points.passed(f"program: {sys._getframe(1).f_code.co_name.replace('_run', 'encode')}")
        return done

    setattr(process, "run", watched)  # noqa: B010


def move_clock(control: str) -> None:
    def pause(_clock: Clock, seconds: float, stop: Stop) -> None:
        stop.check()
        body = json.dumps({"advance": seconds}).encode()
        with urllib.request.urlopen(urllib.request.Request(control, body), timeout=30):  # noqa: S310 - loopback
            stop.check()

    setattr(Clock, "pause", pause)  # noqa: B010


def run(log: str, *, at: int | None = None, name: str = "", how: str = "SIGKILL", clock: str | None = None) -> None:
    """Run `curri` as `sys.argv` says, and strike at the n-th point whose name begins like this.

    `clock` is the control address of a sandbox whose clock stands still: whoever waits for a time moves that clock on
    instead, so that an hour costs nothing and the order of events is always the same.
    """
    points = Points(log, at, name, signal.Signals[how])
    watch_commits(points)
    watch_exchanges(points)
    watch_programs(points)
    if clock is not None:
        move_clock(clock)
    main()


def born(order: dict[str, Any]) -> None:
    """Become the process that was ordered. Does not return."""
    code = 70
    try:
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["folder"])
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        for number, path in enumerate((os.devnull, order["out"], order["err"])):
            os.dup2(os.open(path, os.O_RDONLY if number == 0 else flags, 0o600), number)
        sys.argv = ["curri", *order["arguments"]]
        try:
            run(**order["doom"])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    except BaseException:  # noqa: BLE001 - whatever it is, the process must not go on as a second nursery
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Fork a process for each order, and tell of one that was waited for whether it ended or stopped."""
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], os.WUNTRACED)
            answer = {"stopped": os.WIFSTOPPED(status), "code": _code(status)}
        else:
            pid = os.fork()
            if pid == 0:
                born(order)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)  # noqa: T201


def _code(status: int) -> int:
    return -os.WSTOPSIG(status) if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    serve()
