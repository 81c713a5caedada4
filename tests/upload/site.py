"""One site: a curriculum folder, its catalog, and a Stream; and `curri` at work on them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from catalog.waiting import until
from curri.catalog.database import connect
from curri.cli.progress import Silent
from curri.errors import ExitCode
from curri.flow import importing
from curri.sandbox import Entry, Fault, Sandbox, SandboxSettings, Timings, When
from curri.sandbox.video import Video
from support.command import Done, clean_environment
from support.command import Running as Running
from support.command import command_line as command_line
from support.trees import Tree, make_tree

from . import driver

AT_ONCE = Timings(queued=0, encoding=0, playable=0, rising=0)
"""A Stream that has a video ready as soon as it has its bytes."""

NO_FFMPEG = "no-such-ffmpeg"
"""What CURRI_FFMPEG is unless a test encodes: to try out a real one would take half the time of a small run."""

WRITES = {"POST", "PATCH", "PUT", "DELETE"}


@dataclass
class Site:
    """What a test has of the world."""

    folder: Path
    url: str
    box: Sandbox
    variables: dict[str, str] = field(default_factory=dict)
    """What is set beside the usual; None of the developer's own settings is."""

    @property
    def root(self) -> Path:
        """The curriculum folder."""
        return self.folder / "curriculum"

    @property
    def state(self) -> Path:
        """CURRI_HOME."""
        return self.folder / "state"

    # --- the tree

    def put(self, tree: Tree) -> None:
        """Add files to the curriculum, or replace them, and import it."""
        make_tree(self.root, tree)
        self.record()

    def record(self) -> None:
        """Import the curriculum."""
        with connect(self.url) as database:
            report = importing.run(database, self.root, importing.Options(), Silent(), version="test")
        assert report.exit_code is ExitCode.OK

    # --- the command

    def environment(self, **variables: str | None) -> dict[str, str]:
        """Return what `curri` is started with; None takes a variable out."""
        given = {
            "CURRI_DATABASE_URL": self.url,
            "CLOUDFLARE_ACCOUNT_ID": self.box.account_id,
            "CLOUDFLARE_API_TOKEN": self.box.token,
            "CURRI_STREAM_URL": self.box.url,
            "CURRI_FFMPEG": NO_FFMPEG,
            "CURRI_LISTING_DELAY": "0",  # this Stream lists an upload at once
            **self.variables,
            **variables,
        }
        return clean_environment(self.folder, **{name: value for name, value in given.items() if value is not None})

    def start(self, *arguments: str, changes: str = "", **variables: str | None) -> Running:
        """Start `curri`; `changes` are those of the driver."""
        program = [driver.__file__, changes] if changes else ["-m", "curri"]
        return Running([sys.executable, *program, *arguments], self.environment(**variables), self.folder)

    def run(self, *arguments: str, changes: str = "", **variables: str | None) -> Done:
        """Run `curri` to its end."""
        with self.start(*arguments, changes=changes, **variables) as running:
            return running.done()

    def upload(self, *arguments: str, changes: str = "", **variables: str | None) -> Done:
        """Run `curri upload`."""
        return self.run("upload", *arguments, changes=changes, **variables)

    # --- the catalog

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return what a query gives."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def one(self, query: str, *parameters: object) -> Any:
        """Return the only value that a query gives."""
        ((value,),) = self.rows(query, *parameters)
        return value

    def everything(self) -> dict[str, list[str]]:
        """Return all rows of all tables, as text."""
        tables = [name for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        return {table: [text for (text,) in self.rows(f"SELECT t::text FROM {table} t ORDER BY 1")] for table in tables}

    def uploads(self) -> list[tuple[str, str | None]]:
        """Return state and error code of all attempts, in the order in which they began."""
        return self.rows("SELECT state::text, error_code FROM upload ORDER BY created_at, id")

    def links(self) -> dict[str, list[tuple[str, str]]]:
        """Return (state, id on Stream) of every link by the video's place, the oldest first."""
        found: dict[str, list[tuple[str, str]]] = {}
        for place, state, uid in self.rows(
            "SELECT concat_ws('/', k.slug, l.number, c.group_key), cv.state::text, cv.provider_id"
            "  FROM component_video cv JOIN component c ON c.id = cv.component_id JOIN course k ON k.id = c.course_id"
            "  LEFT JOIN lesson l ON l.id = c.lesson_id ORDER BY cv.linked_at"
        ):
            found.setdefault(place, []).append((state, uid))
        return found

    # --- Stream

    def happened(self, word: str) -> bool:
        """Return whether a fault struck."""
        return any(fault["do"] == word and fault["happened"] for fault in self.box.fault_report())

    def requests(self, kind: str | None = None) -> list[Entry]:
        """Return the requests so far, of one kind if one is named."""
        return [entry for entry in self.box.requests() if kind in (None, entry.kind)]

    def writes(self) -> list[Entry]:
        """Return the requests that change something."""
        return [entry for entry in self.requests() if entry.method in WRITES]

    def named(self) -> dict[str, Video]:
        """Return the videos on Stream by name; none may be there twice, nor an upload that has not ended."""
        videos = self.box.videos()
        assert len({video.name for video in videos}) == len(videos), [video.name for video in videos]
        assert all(video.received == video.length for video in videos if video.way == "tus")
        return {str(video.name): video for video in videos}

    def hold(self, fault: Fault) -> None:
        """Have a request hang; `until_held` waits for it, `box.clear_faults` lets it go on."""
        assert fault.do.startswith("stall")
        self.box.faults(fault)

    def until_held(self, running: Running, *, number: int = 1, complete: bool = False) -> None:
        """Return when so many requests hang. `complete`: and what they ask for is done."""

        def held() -> bool:
            assert running.process.poll() is None, running.done()
            found = [entry for entry in self.requests() if entry.stalled and (entry.withheld or not complete)]
            return len(found) >= number

        until(held)

    def linked_once(self, *names: str) -> None:
        """Fail unless Stream has exactly the videos named, and every video of the catalog plays one of them."""
        on_stream = self.named()
        assert set(on_stream) == set(names)
        linked = [uid for links in self.links().values() for state, uid in links if state == "current"]
        assert sorted(linked) == sorted(video.uid for video in on_stream.values())
        assert not self.rows("SELECT FROM upload WHERE state NOT IN ('linked', 'abandoned', 'failed')")


@contextmanager
def opened(folder: Path, url: str, **settings: Any) -> Iterator[Site]:
    """Yield a site with a Stream of its own."""
    with Sandbox(SandboxSettings(**{"timings": AT_ONCE, **settings})) as box:
        yield Site(folder, url, box)


def patch(word: str, **more: Any) -> Fault:
    """Return a fault of the first request that sends bytes."""
    return Fault(word, When(path="patch", **more.pop("when", {})), **more)


def objects(done: Done, kind: str) -> list[dict[str, Any]]:
    """Return the JSON objects of one kind that a run printed."""
    return [each for each in map(json.loads, done.out.splitlines()) if each["type"] == kind]
