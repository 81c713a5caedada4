"""A sandbox and files for programs that other people wrote, and a tus server that other people wrote for curri."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from curri.sandbox import Sandbox, SandboxSettings
from curri.stream.account import Account
from curri.stream.artefact import Artefact
from curri.stream.budget import Bandwidth, Budget
from curri.stream.client import Client, Conduct, Exchange
from curri.stream.pause import Clock, Stop
from curri.stream.secret import Secret
from curri.stream.tus import Created, Uploads

from .cutting import Line, line_to

HERE = Path(__file__).resolve().parent
ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "foreign-token"
PATH = f"/client/v4/accounts/{ACCOUNT}/stream"
CHUNK = 5 * 2**20
MIB = 2**20


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Foreign programs read proxies, passwords and tokens from the environment; here they find none."""
    for name in ("EMAIL", "API_KEY", "API_TOKEN", "API_USER_SERVICE_KEY", "BASE_URL"):
        monkeypatch.delenv(f"CLOUDFLARE_{name}", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NETRC", "/dev/null")


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(frozen_clock=True)) as running:
        yield running


@pytest.fixture
def clip() -> Path:
    """A real video of 250 kB."""
    return HERE.parents[1] / "curriculum.example/Course_01/Lesson_01/learning/video.mp4"


@pytest.fixture
def long_clip(clip: Path, tmp_path: Path) -> Path:
    """The same made three chunks long, by a box of noise at its end that players pass over."""
    noise = random.Random(5).randbytes(12 * MIB)
    path = tmp_path / "long.mp4"
    path.write_bytes(clip.read_bytes() + (len(noise) + 8).to_bytes(4, "big") + b"free" + noise)
    return path


class Unhurried(Clock):
    """Waiting between tries takes no time."""

    def pause(self, _seconds: float, stop: Stop) -> None:
        stop.check()


@dataclass
class Theirs:
    """A running @tus/server."""

    folder: Path
    port: int

    def account(self, *, token: str = TOKEN, port: int | None = None) -> Account:
        """How curri is told of it, or of a line that leads to it."""
        return Account(ACCOUNT, Secret(token), f"http://127.0.0.1:{port or self.port}/client/v4")

    def stored(self, uid: str) -> bytes:
        """The bytes it has of an upload."""
        return (self.folder / uid).read_bytes()

    def note(self, uid: str) -> Path:
        """What it keeps beside them: size, metadata, time of creation."""
        return self.folder / f"{uid}.json"


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theirs]:
    """One for all tests. They are skipped where `make foreign` has not installed it."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (HERE / "node_modules/@tus/server").is_dir():
        pytest.skip("@tus/server is not installed: run `make foreign`")
    folder = tmp_path_factory.mktemp("theirs")
    arguments = [node, str(HERE / "tus_server.mjs"), str(folder), PATH, TOKEN]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            port = process.stdout.readline()
            assert port, "the server did not start"
            yield Theirs(folder, int(port))
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def line(theirs: Theirs) -> Iterator[Line]:
    """A way to it that can be cut."""
    with line_to(theirs.port) as opened:
        yield opened


@dataclass
class Ours:
    """curri's side of an upload, and what it asked for."""

    uploads: Uploads
    asked: list[Exchange]


@contextmanager
def uploading(account: Account) -> Iterator[Ours]:
    """curri's uploads, as a new process would make them."""
    asked: list[Exchange] = []
    clock = Unhurried()
    conduct = Conduct(Budget(clock), Bandwidth(clock, None), clock)
    with Client(account, conduct=conduct, on_exchange=asked.append) as client:
        yield Ours(Uploads(client), asked)


@pytest.fixture
def ours(theirs: Theirs) -> Iterator[Ours]:
    with uploading(theirs.account()) as opened:
        yield opened


MakeFile = Callable[[int], Artefact]


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """A file of that many bytes, no two blocks of which are alike."""

    def make(size: int) -> Artefact:
        data = random.Random(size).randbytes(size)
        path = tmp_path / f"video-{size}.mp4"
        path.write_bytes(data)
        return Artefact(path, size, hashlib.sha1(data, usedforsecurity=False).hexdigest(), path.stat().st_mtime_ns)

    return make


@pytest.fixture
def artefact(make_file: MakeFile) -> Artefact:
    """A file of three chunks, the last one short."""
    return make_file(12 * MIB + 345)


@pytest.fixture
def created(ours: Ours, artefact: Artefact) -> Created:
    """An upload for it, and nothing asked since."""
    made = ours.uploads.create(artefact.size, {"name": "x"}, seconds=10)
    ours.asked.clear()
    return made


def headers(box: Sandbox) -> dict[str, str]:
    """What a foreign program must send along to be let in."""
    return {"Authorization": f"Bearer {box.token}"}


def only(values: list[Any]) -> Any:
    """The one value that there is."""
    assert len(values) == 1, values
    return values[0]
