"""Curricula with real videos, imported once: what every run of these tests begins from."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from curri.media import tools
from curri.sandbox import Sandbox, SandboxSettings
from reliability.runs import Nursery
from support.command import Done, clean_environment
from support.trees import Tree, make_tree

CHUNK = 5_242_880
"""Bytes: the smallest that Stream takes, so that a clip of 12 MB goes in three."""

_NOISE = "color=gray:size={size}:rate={rate}:duration={seconds},noise=alls=100:allf=t"
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart")
_CLIPS = {
    # Noise cannot be compressed: a low frame rate makes many bytes of few frames, and a bit rate within the limits.
    "long.mp4": ({"size": "320x240", "rate": 2, "seconds": 110}, ("-b:v", "1020k", "-bufsize", "1020k")),
    "short.mp4": ({"size": "64x36", "rate": 5, "seconds": 2}, ("-qp", "30")),
    # Above the limits: encoded before it is sent.
    "rich.mov": ({"size": "128x72", "rate": 25, "seconds": 1}, ("-qp", "5")),
}

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Template:
    """A catalog, its tree, and what is on Stream, before the run that a test is about. Copied, never changed."""

    server: str
    database: str
    tree: Path
    account: Path | None = None  # the folder of a sandbox


class Studio:
    """Makes templates in a folder of its own."""

    def __init__(self, server: str, tables: str, folder: Path) -> None:
        self._server = server
        self._tables = tables
        self._folder = folder
        self._made: dict[str, Template] = {}
        self.nursery = Nursery(folder)

    def template(self, name: str) -> Template:
        """`new`: a course of two lessons, nothing sent yet. `changed`: sent, and then lesson 1 got another video."""
        if name not in self._made:
            self._made[name] = self._new() if name == "new" else self._changed()
        return self._made[name]

    def clip(self, name: str) -> Path:
        """Make a clip when it is first asked for."""
        path = self._folder / name
        if not path.exists():
            values, options = _CLIPS[name]
            picture = ("-f", "lavfi", "-i", _NOISE.format(**values))
            program = [tools.find().path, "-v", "error", *picture, *_X264, *options, str(path)]
            subprocess.run(program, check=True, stdin=subprocess.DEVNULL)
        return path

    def tree(self, name: str, *, first: str) -> Path:
        """Make a curriculum whose first lesson has the clip `first`, the second one that is encoded."""
        lesson_1: Tree = {"README.md": "# Évolution of “Intelligence”\n", "learning": {"video.mp4": self._bytes(first)}}
        lesson_2: Tree = {"README.md": "# Patterns\n", "learning": {"video.mov": self._bytes("rich.mov")}}
        course: Tree = {"course.toml": 'title = "AI, Grundlagen: 基础"', "Lesson_01": lesson_1, "Lesson_02": lesson_2}
        return make_tree(self._folder / name, {"Course_01": course})

    def _new(self) -> Template:
        made = Template(self._server, self._copied(self._tables), self.tree("tree", first="long.mp4"))
        self.command(made, "import", str(made.tree))
        return made

    def _changed(self) -> Template:
        tree = self.tree("changed-tree", first="short.mp4")
        made = Template(self._server, self._copied(self._tables), tree, self._folder / "account")
        self.command(made, "import", str(tree))
        with Sandbox(SandboxSettings(data=made.account, frozen_clock=True)) as box:
            self.command(made, "upload", **credentials(box))
            box.advance(60)
        self.tree("changed-tree", first="long.mp4")
        self.command(made, "import", str(tree))
        return made

    def _bytes(self, clip: str) -> bytes:
        return self.clip(clip).read_bytes()

    def _copied(self, database: str) -> str:
        name = f"curri_kill_{os.getpid()}_{next(_numbers)}"
        _execute(self._server, f"CREATE DATABASE {name} TEMPLATE {database}")
        return name

    def close(self) -> None:
        """Remove the catalogs of the templates."""
        self.nursery.close()
        for template in self._made.values():
            _drop(template)

    @contextmanager
    def copy(self, template: Template) -> Iterator[Template]:
        """Yield a copy of a template that may be changed. The tree is shared."""
        database = self._copied(template.database)
        account = self._folder / database
        if template.account is not None:
            shutil.copytree(template.account, account)
        copied = Template(template.server, database, template.tree, account)
        yield copied
        _drop(copied)
        shutil.rmtree(account, ignore_errors=True)

    def command(self, template: Template, *arguments: str, **variables: str) -> Done:
        """Run `curri` to a good end."""
        environment = environment_of(template, self._folder / "home", **variables)
        name = f"command-{next(_numbers)}"
        done = self.nursery.start([*arguments, "--json"], environment, self._folder, name).done()
        assert done.code == 0, done.out + done.err
        return done


def credentials(box: Sandbox) -> dict[str, str]:
    """The variables by which `curri` finds a sandbox."""
    return {"CLOUDFLARE_ACCOUNT_ID": box.account_id, "CLOUDFLARE_API_TOKEN": box.token, "CURRI_STREAM_URL": box.url}


def environment_of(template: Template, home: Path, **variables: str) -> dict[str, str]:
    """The environment of every command in these tests."""
    url = psycopg.conninfo.make_conninfo(template.server, dbname=template.database)
    home.mkdir(exist_ok=True)
    return clean_environment(
        home,
        CURRI_DATABASE_URL=url,
        CURRI_CHUNK_SIZE=str(CHUNK),
        CURRI_MANAGED_BY="Grammar Ops",
        CURRI_PROGRAM="RUDI Applied GenAI",
        **variables,
    )


def _drop(template: Template) -> None:
    _execute(template.server, f"DROP DATABASE {template.database} WITH (FORCE)")


def _execute(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())
