"""Sites whose commands are forked from a process that has everything imported, and somebody else on their Stream."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog.waiting import until
from curri.catalog import migrate
from curri.flow.preflight import Credentials
from curri.flow.upload import Means
from curri.flow.worker import Labels
from curri.sandbox import Sandbox, SandboxSettings, Timings
from curri.stream.secret import Secret
from curri.stream.videos import Videos
from reliability.runs import Nursery, Run
from support.command import Done
from upkeep.dashboard import Dashboard
from upload.conftest import Films, films
from upload.site import AT_ONCE, Site

__all__ = ["films"]

SECONDS = 60
"""A command that takes longer hangs."""

PLACE = "course_01/01/learning/video.mp4"
FILE = "Course_01/Lesson_01/learning/video.mp4"


@dataclass
class House(Site):
    """A site; its commands are processes of their own, which nobody has to wait for while Python starts."""

    nursery: Nursery | None = None
    numbers: Iterator[int] = field(default_factory=count)

    def begin(self, *arguments: str, variables: dict[str, str | None] | None = None, **doom: object) -> Run:
        """Start `curri`; `doom` says where it is killed. Waiting moves the clock of the sandbox, if that stands."""
        assert self.nursery is not None
        environment = self.environment(**(variables or {}))
        label = f"run-{next(self.numbers)}"
        clock = f"{self.box.origin}/__sandbox__/clock"
        return self.nursery.start(list(arguments), environment, self.folder, label, clock=clock, **doom)

    def run(self, *arguments: str, changes: str = "", **variables: Any) -> Done:
        """Run `curri` to its end."""
        assert not changes
        return self.begin(*arguments, variables=dict(variables)).done()

    def good(self, *arguments: str, code: int = 0, **variables: Any) -> Done:
        """Run `curri` to the end that is expected."""
        done = self.run(*arguments, **variables)
        assert done.code == code, done.out + done.err
        return done

    def points(self, *arguments: str) -> list[str]:
        """Return the points that a run passes that nothing happens to."""
        run = self.begin(*arguments)
        assert run.done().code == 0
        return run.points

    def planted(self, *metas: dict[str, Any], **known: Any) -> list[str]:
        """Put videos on Stream that nobody here has sent; return their ids."""
        return [video.uid for video in self.box.plant(metas, **known)]

    def execute(self, statement: str, *values: object) -> None:
        """Change the catalog behind everybody's back."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode(), values)

    def uid(self, place: str = PLACE, state: str = "current") -> str:
        """Return what a video plays, or waits for, or has played."""
        (found,) = (uid for each, uid in self.links()[place] if each == state)
        return found

    def lose(self) -> None:
        """Lose the catalog: all tables are made anew, and the tree is imported again."""
        self.execute("DROP SCHEMA public CASCADE")
        self.execute("CREATE SCHEMA public")
        migrate.move(self.url, "head")
        self.record()

    def untouched(self) -> dict[str, list[str]]:
        """Return all rows, without the ledger of runs."""
        return self.everything() | {"run": []}

    def forget(self) -> None:
        """Lose what the catalog knows of Stream."""
        self.execute("UPDATE course SET preview_video_id = NULL")
        for table in ("component_video", "upload", "video"):
            self.execute(f"DELETE FROM {table}")

    def until_stalled(self) -> None:
        """Return when a request hangs."""
        until(lambda: any(entry.stalled for entry in self.requests()))

    def listed(self) -> list[str]:
        """Return the ids of all videos on Stream."""
        return [video.uid for video in self.box.videos()]

    def means(self) -> Means:
        """Return what a flow works with in this process."""
        credentials = Credentials(self.box.account_id, Secret(self.box.token), self.box.url)
        sizes = {"chunk_size": 5_242_880, "cache_size": 10**9}
        return Means(credentials, self.state, None, lambda _: Labels("", ""), 1, 1, None, **sizes, delay=0)

    def hide(self, monkeypatch: pytest.MonkeyPatch, uid: str) -> None:
        """Let listings in this process not have a video yet."""
        listing = Videos.listing
        monkeypatch.setattr(Videos, "listing", lambda videos: [each for each in listing(videos) if each.uid != uid])

    def terminal(self, *arguments: str, columns: int = 80, **variables: str | None) -> Terminal:
        """Start `curri` at a terminal."""
        environment = self.environment(**variables) | {"TERM": "xterm", "COLUMNS": str(columns)}
        return Terminal([sys.executable, "-m", "curri", *arguments], environment, self.folder)


class Terminal:
    """A `curri` at a terminal of its own. It is killed at the end, if it still runs."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            arguments,
            env=environment,
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_own_terminal,  # noqa: PLW1509 - it takes no lock
        )
        os.close(slave)
        self.shown = ""

    def until(self, text: str) -> str:
        """Read until a text shows that was not there before; return all up to it."""
        begin = len(self.shown)
        while text not in self.shown[begin:]:
            assert self._more(), self.shown
        return self.shown[begin:]

    def type(self, text: str) -> None:
        """Press keys once it waits for them; "\\x03" is Ctrl-C, "\\x04" Ctrl-D."""
        # A signal between the question and the reading would be heard with the next key only.
        until(lambda: _reads(self._process.pid))
        os.write(self._master, text.encode())

    def done(self) -> int:
        """Read to the end; return the exit code."""
        while self._more():
            pass
        return self._process.wait(SECONDS)

    def _more(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], SECONDS)
        assert ready, self.shown
        try:
            read = os.read(self._master, 65536)
        except OSError:  # nobody is at the other end any more
            return False
        self.shown += read.decode(errors="replace").replace("\r\n", "\n")
        return bool(read)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)


def _reads(pid: int) -> bool:
    """Return whether a process waits for its standard input: the call it is in has 0 for its first argument."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[1:2] == ["0x0"]


def _own_terminal() -> None:
    """Let Ctrl-C at this terminal reach the process."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Yield the process that all commands are forked from."""
    made = Nursery(tmp_path_factory.mktemp("nursery"))
    yield made
    made.close()


@pytest.fixture
def house(tmp_path: Path, url: str, nursery: Nursery) -> Iterator[House]:
    """Yield a site whose Stream has every video ready at once, and whose clock stands still."""
    with Sandbox(SandboxSettings(timings=AT_ONCE, frozen_clock=True)) as box:
        yield House(tmp_path, url, box, nursery=nursery)


@pytest.fixture
def slow(tmp_path: Path, url: str, nursery: Nursery) -> Iterator[House]:
    """Yield a site whose Stream works on a video for 40 s of a clock that stands still."""
    timings = Timings(queued=10, encoding=10, playable=10, rising=10)
    with Sandbox(SandboxSettings(timings=timings, frozen_clock=True)) as box:
        yield House(tmp_path, url, box, nursery=nursery)


@pytest.fixture
def dashboard(house: House) -> Dashboard:
    """Return what a person can do on the Stream of `house`."""
    return Dashboard(house.box)


@pytest.fixture
def taught(house: House, films: Films) -> House:
    """Return a site with two small videos of two lessons that are on Stream, linked and ready."""
    lessons: dict[str, Any] = {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in (1, 2)}
    house.put({"Course_01": lessons})
    house.good("upload")
    house.box.clear_requests()
    return house
