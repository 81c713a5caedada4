"""One catalog, one account on Stream, and runs of `curri upload` that are killed or stopped in between."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from curri.media import tools
from curri.sandbox import Entry, Sandbox, SandboxSettings, Video
from reliability.runs import Run
from reliability.studio import CHUNK, Studio, Template, credentials, environment_of
from support.command import Done

WRITES = frozenset({"create", "patch", "edit", "delete", "basic", "direct", "form"})
"""Kinds of requests that change something on Stream."""

Row = dict[str, Any]


class World:
    """A copy of a template, and a sandbox."""

    def __init__(self, studio: Studio, template: Template, box: Sandbox, folder: Path) -> None:
        self._studio = studio
        self.template = template
        self.box = box
        self.folder = folder
        self.url = psycopg.conninfo.make_conninfo(template.server, dbname=template.database)
        self._runs = 0
        self._begun_with = frozenset(video.uid for video in box.videos())

    # --- running

    def start(
        self,
        *arguments: str,
        at: int | None = None,
        name: str = "",
        how: str = "SIGKILL",
        clock: bool = True,
        host: str = "home",
        **variables: str,
    ) -> Run:
        """Start `curri`, to be struck at the n-th point (of those whose name begins so). Waiting takes no time.

        Runs with another `host` share nothing but the catalog and the tree.
        """
        self._runs += 1
        doom: dict[str, object] = {"at": at, "name": name, "how": how}
        if clock:
            doom["clock"] = f"{self.box.origin}/__sandbox__/clock"
        environment = environment_of(self.template, self.folder / host, **credentials(self.box), **variables)
        told = [*arguments, "--json", *(("--transfers=1", "--encoders=1") if arguments[0] == "upload" else ())]
        return self._studio.nursery.start(told, environment, self.folder, f"run-{self._runs}", **doom)

    def run(self, *arguments: str, code: int = 0, **options: Any) -> Done:
        """Run `curri` to its end."""
        done = self.start(*arguments, **options).done()
        assert done.code == code, done.out + done.err
        return done

    def killed(self, *arguments: str, name: str, at: int = 1, **options: Any) -> None:
        """Run `curri` until it passes a point of that name for the n-th time, and kill it there."""
        self.start(*arguments, at=at, name=name, **options).killed()

    def runs_out(self) -> None:
        """Let all leases run out, as time would."""
        self.execute("UPDATE upload SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL")

    # --- changing what is there

    def own_tree(self) -> Path:
        """Give this world a tree of its own, which may be changed; returns its folder."""
        tree = self.folder / "tree"
        shutil.copytree(self.template.tree, tree)
        self.run("import", str(tree))
        return tree

    def clip(self, name: str) -> bytes:
        """The bytes of a clip of the studio."""
        return self._studio.clip(name).read_bytes()

    def encode_differently(self) -> None:
        """Put another encode of the same video into the cache, as another version of ffmpeg would have made it."""
        (notes,) = self.folder.glob("home/state/renditions/recipe-*/*.json")
        video = notes.with_suffix(".mp4")
        other = self.folder / "other.mp4"
        copy = ("-v", "error", "-i", str(video), "-c", "copy", "-metadata", "title=another", str(other))
        subprocess.run([tools.find().path, *copy], check=True, stdin=subprocess.DEVNULL)
        other.replace(video)
        known = json.loads(notes.read_text())
        state = video.stat()
        known["encode"] |= {
            "sha1": _sha1(video.read_bytes()),
            "size": state.st_size,
            "mtime_ns": state.st_mtime_ns,
        }
        notes.write_text(json.dumps(known))

    # --- looking

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode(), values)

    def rows(self, query: str, *values: object) -> list[Row]:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def uploads(self) -> list[Row]:
        """The uploads of this world's runs, oldest first."""
        return self.rows(
            "SELECT u.*, l.number AS lesson FROM upload u JOIN component c ON c.id = u.component_id"
            " JOIN lesson l ON l.id = c.lesson_id WHERE u.provider_id IS NULL OR u.provider_id <> ALL(%s)"
            " ORDER BY u.created_at",
            list(self._begun_with),
        )

    def listed(self) -> list[str]:
        """The ids of the videos that Stream lists."""
        with self._ask("GET", "/stream") as answer:
            return [row["uid"] for row in json.load(answer)["result"]]

    def videos(self) -> list[Video]:
        """The videos that this world's runs have brought to Stream."""
        return [video for video in self.box.videos() if video.uid not in self._begun_with]

    def writes(self) -> list[Entry]:
        """The requests that changed something, or tried to."""
        return [entry for entry in self.box.requests() if entry.kind in WRITES]

    def asked(self, kind: str) -> list[Entry]:
        """The requests of one kind."""
        return [entry for entry in self.box.requests() if entry.kind == kind]

    def delete(self, uid: str) -> None:
        """Delete a video on Stream, as somebody else may."""
        self._ask("DELETE", f"/stream/{uid}").close()

    def _ask(self, method: str, path: str) -> Any:
        address = f"{self.box.url}/accounts/{self.box.account_id}{path}"
        request = urllib.request.Request(address, method=method)  # noqa: S310 - loopback
        request.add_header("Authorization", f"Bearer {self.box.token}")
        return urllib.request.urlopen(request, timeout=30)  # noqa: S310

    def sent_twice(self) -> int:
        """Bytes of video that Stream received beyond those that are needed."""
        received = sum(entry.received for entry in self.box.requests() if entry.kind == "patch")
        return received - sum(video.received for video in self.videos())


@contextmanager
def world(studio: Studio, template: str, folder: Path, **settings: Any) -> Iterator[World]:
    """Yield a world of its own. The clock of its sandbox stands still unless moved."""
    with studio.copy(studio.template(template)) as copied:
        box = Sandbox(SandboxSettings(**{"data": copied.account, "frozen_clock": True, **settings}))
        with box:
            yield World(studio, copied, box, folder)


# --- what must hold when all is done


def check(world: World, *lessons: str) -> None:
    """Every video of these lessons is on Stream once, whole, with all metadata, and linked; nothing else is there."""
    components = world.rows(
        "SELECT c.id::text, c.kind, c.group_key, l.id::text AS lesson_id, l.number AS lesson,"
        " l.title AS lesson_title, k.id::text AS course_id, k.slug AS course, k.title AS course_title,"
        " a.checksum_sha1 AS source, a.size_bytes FROM component c JOIN lesson l ON l.id = c.lesson_id"
        " JOIN course k ON k.id = c.course_id JOIN asset a ON a.component_id = c.id AND a.role = 'source'"
        " WHERE c.type = 'VIDEO' AND l.number = ANY(%s) AND a.removed_at IS NULL",
        list(lessons),
    )
    assert len(components) == len(lessons)
    for component in components:
        _check_component(world, component)
    linked = {row["provider_id"] for row in world.rows("SELECT provider_id FROM component_video")}
    on_stream = {video.uid for video in world.box.videos()}
    assert on_stream == linked, "a video on Stream that no component knows, or a link to none"
    assert len(world.videos()) == len(lessons), "a second copy"
    known = {row["provider_id"] for row in world.rows("SELECT provider_id FROM video")}
    assert known == linked


def _check_component(world: World, component: Row) -> None:
    links = world.rows("SELECT * FROM component_video WHERE component_id = %s", component["id"])
    (current,) = [link for link in links if link["state"] == "current"]
    assert {link["state"] for link in links if link is not current} <= {"retired"}
    assert current["source_sha1"] == component["source"]
    uploads = [row for row in world.uploads() if str(row["component_id"]) == component["id"]]
    (upload,) = [row for row in uploads if row["state"] == "linked"]
    assert {row["state"] for row in uploads if row is not upload} <= {"abandoned"}
    assert all(row["upload_url"] is None and row["lease_until"] is None for row in uploads)
    assert (upload["provider_id"], upload["source_sha1"]) == (current["provider_id"], component["source"])
    (video,) = [video for video in world.videos() if video.meta["componentId"] == component["id"]]
    assert video.uid == upload["provider_id"]
    assert video.uploaded is not None
    data = world.box.file(video.uid).read_bytes()
    assert (_sha1(data), len(data)) == (upload["artifact_sha1"], upload["artifact_bytes"])
    encoded = upload["decision"] == "encode"
    assert encoded == current["compressed"]
    assert encoded != (upload["artifact_sha1"] == component["source"])
    _check_metadata(video, component, upload, encoded=encoded)


def _check_metadata(video: Video, component: Row, upload: Row, *, encoded: bool) -> None:
    meta = dict(video.meta)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", meta.pop("uploadedAt"))
    assert meta == {
        "name": f"course_01_L{component['lesson']}_learning",
        "courseId": component["course_id"],
        "courseSlug": "course_01",
        "courseTitle": component["course_title"],
        "lessonId": component["lesson_id"],
        "lessonNumber": component["lesson"],
        "lessonTitle": component["lesson_title"],
        "componentId": component["id"],
        "componentType": "learning",
        "managedBy": "Grammar Ops",
        "program": "RUDI Applied GenAI",
        "compressed": "true" if encoded else "false",
        "checksumSha1": component["source"],
        "groupKey": component["group_key"],
        "uploadId": str(upload["id"]),
    }


def check_nothing_left(world: World, *arguments: str) -> None:
    """The same command once more asks Stream for nothing at all."""
    world.box.clear_requests()
    summary = world.run(*arguments).summary
    assert (summary["counts"]["uploaded"], summary["counts"]["bytes"]) == (0, 0)
    assert world.box.requests() == []


def at_most_a_chunk_twice(world: World) -> int:
    """Return how many bytes were sent twice: one chunk at most."""
    twice = world.sent_twice()
    assert 0 <= twice <= CHUNK
    return twice


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
