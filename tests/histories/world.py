"""A curriculum, its catalog and its Stream, on which a history is played: what people do, and what curri runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from curri.catalog.database import Database, connect
from curri.cli.progress import Silent as SilentReading
from curri.cli.transfers import Silent
from curri.flow import check, fix_metadata, importing, sync, upload
from curri.flow.preflight import Credentials
from curri.flow.upload import Means
from curri.flow.worker import Labels
from curri.sandbox import Sandbox
from curri.stream import chunks
from curri.stream.secret import Secret
from support.trees import make_tree
from upkeep.dashboard import Dashboard

HOUR = 3600.0


class NoProgress:
    """Shows nothing of `fix-metadata`."""

    def start(self, videos: int, least: Callable[[int], float]) -> None: ...

    def advance(self) -> None: ...


class World:
    """Everything that a history changes. `clear` begins another one."""

    def __init__(self, folder: Path, url: str, box: Sandbox, films: list[bytes]) -> None:
        self.root = folder / "curriculum"
        self.box = box
        self.dashboard = Dashboard(box)
        self.counts: dict[str, float] = {}
        self._url = url
        self._films = films
        self._means = Means(
            credentials=Credentials(box.account_id, Secret(box.token), box.url),
            home=folder / "state",
            ffmpeg=folder / "no-ffmpeg",
            labels=lambda _: Labels("Grammar Ops", "RUDI"),
            transfers=1,
            encoders=1,
            bwlimit=None,
            chunk_size=chunks.USUAL,
            cache_size=0,
            delay=0,
        )

    def clear(self) -> None:
        """Begin anew: one course with two lessons, nothing recorded and nothing sent."""
        shutil.rmtree(self.root, ignore_errors=True)
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("TRUNCATE course, run, video CASCADE")
        for video in self.box.videos():
            self.dashboard.delete(video.uid)
        self.put(1, "learning", 0)
        self.put(2, "learning", 1)

    # --- what people do with the folders

    def put(self, lesson: int, kind: str, film: int) -> None:
        """Lay a film into a lesson, in place of what is there."""
        make_tree(self.root, {"Course_01": {f"Lesson_{lesson:02}": {kind: {"video.mp4": self._films[film]}}}})

    def take_away(self, lesson: int, kind: str) -> None:
        """Remove the film of one kind from a lesson."""
        shutil.rmtree(self.root / "Course_01" / f"Lesson_{lesson:02}" / kind, ignore_errors=True)

    def swap(self, one: int, other: int) -> None:
        """Exchange the numbers of two lessons, or give one that there is a number that is free."""
        course = self.root / "Course_01"
        first, second, aside = course / f"Lesson_{one:02}", course / f"Lesson_{other:02}", course / "aside"
        for source, target in ((first, aside), (second, first), (aside, second)):
            if source.exists():
                source.rename(target)

    def retitle(self, title: str) -> None:
        """Give the course another title."""
        make_tree(self.root, {"Course_01": {"course.toml": f'title = "{title}"\n'}})

    # --- what people do on Stream

    def someones(self, number: int) -> str | None:
        """Return the id of one of the videos on Stream; None if there is none."""
        uids = sorted(video.uid for video in self.box.videos())
        return uids[number % len(uids)] if uids else None

    def edit(self, number: int, **keys: Any) -> None:
        """Change a video in the dashboard."""
        if uid := self.someones(number):
            self.dashboard.edit(uid, **keys)

    def wipe(self, number: int) -> None:
        """Take all metadata of a video away, as an edit by another program may."""
        if uid := self.someones(number):
            self.dashboard.replace(uid, {})

    def delete(self, number: int) -> None:
        """Delete a video in the dashboard."""
        if uid := self.someones(number):
            self.dashboard.delete(uid)

    def plant(self, number: int) -> None:
        """Send a video that is none of curri's business."""
        self.box.plant([{"name": f"somebody else's {number}"}])

    def wait(self, hours: int) -> None:
        """Let time go by on Stream."""
        self.box.advance(hours * HOUR)

    # --- what cron runs

    @contextmanager
    def catalog(self) -> Iterator[Database]:
        with connect(self._url) as database:
            yield database

    def run_import(self) -> None:
        with self.catalog() as database:
            options = importing.Options(allow_removals=True)
            importing.run(database, self.root, options, SilentReading(), version="test")

    def run_upload(self, **options: Any) -> None:
        with self.catalog() as database:
            upload.run(database, upload.Options(**options), self._means, Silent(), _ignore, version="test")

    def run_sync(self, *, every: bool = False) -> None:
        with self.catalog() as database:
            options = sync.Options(every=every, allow_missing=True)
            sync.run(database, options, self._means.credentials, _ignore, version="test")

    def run_fix(self) -> None:
        with self.catalog() as database:
            fix_metadata.run(
                database, fix_metadata.Options(), self._means, _ignore, _ignore, NoProgress(), version="test"
            )

    def check(self) -> check.Report:
        with self.catalog() as database:
            return check.run(database, check.Options(rehash=True), self._means, SilentReading(), version="test")

    # --- looking

    def state(self) -> list[object]:
        """Return all that matters of catalog and Stream; of times only those that tell something."""
        found: list[object] = []
        with psycopg.connect(self._url, autocommit=True) as connection:
            for table in ("course", "lesson", "component", "asset", "component_video"):
                found += connection.execute(f"SELECT t::text FROM {table} t ORDER BY 1".encode()).fetchall()
            found += connection.execute(
                "SELECT provider_id, status, processing_progress, error_code, metadata::text FROM video ORDER BY 1"
            ).fetchall()
            found += connection.execute("SELECT id, state, provider_id FROM upload ORDER BY 1").fetchall()
        return found + sorted((video.uid, repr(video.meta)) for video in self.box.videos())

    def playing(self) -> dict[str, tuple[bytes, str, str]]:
        """Return what each video file plays, by its place: the bytes that Stream has, and name and course there."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT l.number || '/' || c.group_key, cv.provider_id FROM component c"
                "  JOIN lesson l ON l.id = c.lesson_id"
                "  JOIN component_video cv ON cv.component_id = c.id AND cv.state = 'current'"
                "  JOIN video v USING (provider, provider_id)"
                " WHERE c.removed_at IS NULL AND l.removed_at IS NULL AND v.status = 'ready'"
            ).fetchall()
        metas = {video.uid: video.meta for video in self.box.videos()}
        return {
            place: (self.box.file(uid).read_bytes(), metas[uid]["name"], metas[uid]["courseTitle"])
            for place, uid in rows
        }

    def expected(self) -> dict[str, tuple[bytes, str, str]]:
        """Return what should be played, by the folders alone."""
        titles = self.root / "Course_01/course.toml"
        title = titles.read_text().split('"')[1] if titles.exists() else "Course 01"
        found = {}
        for path in self.root.rglob("video.mp4"):
            lesson, kind = path.parent.parent.name[-2:], path.parent.name
            name = f"course_01_L{lesson}_{kind}"
            found[f"{lesson}/{kind}/video.mp4"] = (path.read_bytes(), name, title)
        return found


def _ignore(_: object) -> None: ...
