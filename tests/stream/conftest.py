"""Fixtures of this folder: a server, a clock in which waiting takes no time, a file to send."""

from __future__ import annotations

import hashlib
import os
import random
import ssl
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest

from curri.stream.account import Account
from curri.stream.artefact import Artefact
from curri.stream.budget import Bandwidth, Budget
from curri.stream.client import Client, Conduct
from curri.stream.pause import Clock, Stop
from curri.stream.retry import Patience
from curri.stream.secret import Secret
from curri.stream.tus import Created, Uploads
from curri.stream.wire import Timeouts

from .scripted import ACCOUNT, TOKEN, ScriptedServer, serving
from .sending import SIZE

Send = Callable[[int], Artefact]


class FakeClock(Clock):
    """Time that passes only when someone waits. `waits` are the pauses, in seconds."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.waits: list[float] = []
        self.on_pause: Callable[[float], None] = lambda _: None

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return 1_700_000_000.0 + self.time

    def pause(self, seconds: float, stop: Stop) -> None:
        stop.check()
        self.waits.append(seconds)
        self.time += seconds
        self.on_pause(seconds)
        stop.check()


@pytest.fixture(scope="session")
def certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()


@pytest.fixture(autouse=True)
def _certificates_are_read_once(monkeypatch: pytest.MonkeyPatch, certificates: ssl.SSLContext) -> None:
    """Reading them takes 50 ms, and each of some hundred tests would do it anew."""
    read = httpx.create_ssl_context
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: read() if "SSL_CERT_FILE" in os.environ else certificates)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving() as running:
        yield running


@pytest.fixture
def account(server: ScriptedServer) -> Account:
    return Account(ACCOUNT, Secret(TOKEN), server.base)


def conduct_of(clock: Clock, *, bytes_per_second: int | None = None, timeouts: Timeouts | None = None) -> Conduct:
    return Conduct(
        Budget(clock),
        Bandwidth(clock, bytes_per_second),
        clock,
        Patience(),
        timeouts or Timeouts(connect=5, stall=5, answer=5, stored=5, whole=10),
    )


@pytest.fixture
def conduct(clock: FakeClock) -> Conduct:
    return conduct_of(clock)


@pytest.fixture
def client(account: Account, conduct: Conduct) -> Iterator[Client]:
    with Client(account, conduct=conduct) as opened:
        yield opened


@cache
def _content(size: int) -> tuple[bytes, str]:
    """Bytes no two blocks of which are alike, and their digest. The same for the same size."""
    data = random.Random(size).randbytes(size)
    return data, hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def make_file(tmp_path: Path) -> Send:
    """A file of that many bytes."""

    def make(size: int) -> Artefact:
        data, sha1 = _content(size)
        path = tmp_path / f"video-{size}.mp4"
        path.write_bytes(data)
        os.utime(path, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_000))
        return Artefact(path, size, sha1, path.stat().st_mtime_ns)

    return make


@pytest.fixture
def artefact(make_file: Send) -> Artefact:
    """A file of three chunks."""
    return make_file(SIZE)


@pytest.fixture
def created(client: Client, artefact: Artefact) -> Created:
    """An upload for it."""
    return Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
