"""Homes of embedded servers, and what can be seen of a server from outside."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from curri.catalog import cluster, embedded

from .processes import Account, hold
from .sessions import ask


class Home(NamedTuple):
    """A folder for state, and whose it is."""

    path: Path
    account: Account

    @property
    def place(self) -> Path:
        """Where the server's own folders are."""
        if self.account.uid is None:
            return embedded.place(self.path)
        return self.path / "postgres"

    @property
    def data(self) -> Path:
        return self.place / f"data-{cluster.MAJOR}"

    @property
    def pid(self) -> int:
        """The number of the server process, as it wrote it down itself."""
        return int((self.data / "postmaster.pid").read_text().split("\n")[0])

    def is_deserted(self) -> bool:
        """Return whether no process of the server is left."""
        with (self.place / "alive.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return not (self.data / "postmaster.pid").exists()


@contextmanager
def quickly_made() -> Iterator[None]:
    """Let databases be made meanwhile that need not survive the machine's own crash."""
    run_program = embedded._run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "_run", lambda *given: run_program(*given, "--no-sync"))
        patch.setattr(embedded, "SETTINGS", f"{embedded.SETTINGS}fsync = off\n")
        yield


def make_home(ground: Path, account: Account, name: str) -> Home:
    """Return a home of that name, not made yet, in a new folder that belongs to the account."""
    above = Path(tempfile.mkdtemp(dir=ground))
    account.give(above)
    return Home(above / name, account)


def use(home: Home, query: str) -> object:
    """Start the server, ask one thing, stop the server. Returns the answer."""
    with embedded.server(home.path) as url:
        return ask(url, query)


def user(home: Home, *, early: bool = False) -> Callable[[Callable[[], None]], object]:
    """Return a function that uses the server until it is killed, and is ready once it does (or already before)."""

    def function(ready: Callable[[], None]) -> None:
        if early:
            ready()
        with embedded.server(home.path) as url, psycopg.connect(url):
            ready()
            hold()

    return function


def pids(url: str) -> set[int]:
    """Return the numbers of all processes of a server that the server itself knows of, without ours."""
    with psycopg.connect(url, autocommit=True) as connection:
        return {row[0] for row in connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")}


def modes(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    """Return mode and owner of some paths and of everything above them."""
    every = {parent for path in paths for parent in (path, *path.parents) if parent.exists()}
    return {path: (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in every}


def open_to_others(top: Path) -> Iterator[Path]:
    """Yield what others can read, list or write at or below a folder, as far as they can get."""
    mode = top.lstat().st_mode
    if top.is_symlink():
        return
    if mode & 0o006:
        yield top
    if top.is_dir() and mode & 0o001:
        for name in os.listdir(top):
            yield from open_to_others(top / name)


def open_to_others_while_used(home: Home) -> list[Path]:
    """Return what others could get at while the server runs."""
    with embedded.server(home.path):
        return [path for top in {home.path, home.place} for path in open_to_others(top)]
