"""A sandbox for each test, a client that speaks to it over the socket, and clips made when they are first needed."""

from __future__ import annotations

import base64
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import pytest

from curri.sandbox import Sandbox, SandboxSettings
from support.turned import turned

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Loading the certificates of the system for every client would take most of the time of the suite."""


@dataclass(frozen=True)
class Upload:
    """An upload that was created."""

    uid: str
    location: str
    length: int


class Client:
    """Speaks to a sandbox the way an uploader does, over a real socket."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.http = httpx.Client(
            base_url=f"{box.url}/accounts/{box.account_id}",
            headers={"Authorization": f"Bearer {box.token}"},
            timeout=10,
            trust_env=False,
            verify=_NO_TLS,
        )
        self.open = httpx.Client(base_url=box.origin, timeout=10, trust_env=False, verify=_NO_TLS)
        """Speaks without a token."""

    def close(self) -> None:
        """Ends its connections."""
        self.http.close()
        self.open.close()

    def creation(
        self, length: int | str, headers: dict[str, str] | None = None, /, **metadata: str | None
    ) -> httpx.Response:
        """Asks for an upload, and gives the answer whatever it is. A metadata value of None sends the key alone."""
        pairs = [
            key if value is None else f"{key} {base64.b64encode(value.encode()).decode()}"
            for key, value in metadata.items()
        ]
        given = {"Tus-Resumable": "1.0.0", "Upload-Length": str(length), "Upload-Metadata": ",".join(pairs)}
        return self.http.post("/stream", headers={**given, **(headers or {})})

    def create(self, length: int, **metadata: str | None) -> Upload:
        """Creates an upload."""
        answer = self.creation(length, **metadata)
        assert answer.status_code == 201, answer.text
        return Upload(answer.headers["stream-media-id"], answer.headers["Location"], length)

    def patch(self, upload: Upload, data: bytes, offset: int = 0, /, **headers: str) -> httpx.Response:
        """Sends a chunk."""
        given = {
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }
        changed = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.http.patch(upload.location, content=data, headers={**given, **changed})

    def head(self, upload: Upload) -> httpx.Response:
        """Asks for the offset."""
        return self.http.head(upload.location, headers={"Tus-Resumable": "1.0.0"})

    def offset(self, upload: Upload) -> int:
        """The offset that HEAD tells."""
        answer = self.head(upload)
        assert answer.status_code == 200, answer
        return int(answer.headers["Upload-Offset"])

    def upload(self, data: bytes, **metadata: str | None) -> str:
        """Uploads a small file in one chunk; returns its uid."""
        created = self.create(len(data), **metadata)
        assert self.patch(created, data).status_code == 204
        return created.uid

    def get(self, uid: str) -> dict[str, Any]:
        """The video object."""
        return dict(self.result(self.http.get(f"/stream/{uid}")))

    def listed(self, **params: Any) -> list[str]:
        """The uids that a listing gives."""
        return [video["uid"] for video in self.result(self.http.get("/stream", params=params))]

    @staticmethod
    def result(answer: httpx.Response) -> Any:
        """The result inside the envelope of a success."""
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["success"] is True
        return body["result"]

    def control(self, method: str, path: str, json: object = None) -> httpx.Response:
        """Uses the controls of the sandbox, over HTTP and without a token."""
        return self.open.request(method, f"/__sandbox__/{path}", json=json)

    def raw(self, request: bytes) -> socket.socket:
        """Sends bytes over a connection of its own."""
        parts = urlsplit(self.box.origin)
        assert parts.hostname
        connection = socket.create_connection((parts.hostname, parts.port or 80), timeout=10)
        connection.sendall(request)
        return connection

    def raw_patch(self, upload: Upload, body: bytes, length: int, offset: int = 0) -> socket.socket:
        """Announces a chunk of `length` bytes and sends only `body` of it."""
        parts = urlsplit(upload.location)
        head = (
            f"PATCH {parts.path}?{parts.query} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {self.box.token}\r\n"
            f"Tus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Content-Length: {length}\r\n\r\n"
        )
        return self.raw(head.encode() + body)


class OpenBox(Protocol):
    """Starts a sandbox with some settings; it ends with the test."""

    def __call__(self, **settings: Any) -> Client: ...


@pytest.fixture
def open_box() -> Iterator[OpenBox]:
    with ExitStack() as stack:

        def opened(**settings: Any) -> Client:
            box = stack.enter_context(Sandbox(SandboxSettings(**{"frozen_clock": True, **settings})))
            client = Client(box)
            stack.callback(client.close)
            return client

        yield opened


@pytest.fixture
def speak() -> Callable[[Sandbox], Client]:
    """Makes a client for a sandbox that a test starts and stops itself; the test closes it."""
    return Client


@pytest.fixture
def client(open_box: OpenBox) -> Client:
    return open_box()


Clip = Callable[[str], bytes]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Gives the bytes of a clip by its file name, such as `2s.mp4`, `tail.mp4`, `2s.webm`, `sound.m4a`."""
    folder = tmp_path_factory.mktemp("clips")
    return lambda name: _made(folder, name).read_bytes()


_PICTURE = ["-f", "lavfi", "-i", "testsrc=size=64x36:rate=10:duration={seconds}"]
_SOUND = ["-f", "lavfi", "-i", "sine=duration={seconds}"]
_X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
_CLIPS: dict[str, tuple[float, list[str]]] = {
    "2s.mp4": (2, [*_PICTURE, *_SOUND, *_X264, "-c:a", "aac", "-movflags", "+faststart"]),
    "tail.mp4": (2, [*_PICTURE, *_SOUND, *_X264, "-c:a", "aac"]),
    "2s.webm": (2, [*_PICTURE, "-c:v", "libvpx"]),
    "2s.ts": (2, [*_PICTURE, *_X264]),
    "2s.mkv": (2, [*_PICTURE, *_X264]),
    "short.mp4": (0.05, ["-f", "lavfi", "-i", "testsrc=size=64x36:rate=100:duration={seconds}", *_X264]),
    "sound.m4a": (2, [*_SOUND, "-c:a", "aac"]),
    "picture.png": (0.1, [*_PICTURE, "-frames:v", "1"]),
}


def _made(folder: Path, name: str) -> Path:
    path = folder / name
    if path.exists():
        return path
    if name == "phone.mp4":
        path.write_bytes(turned(_made(folder, "2s.mp4").read_bytes()))
    else:
        seconds, arguments = _CLIPS[name]
        program = shutil.which("ffmpeg") or import_module("imageio_ffmpeg").get_ffmpeg_exe()
        filled = [argument.format(seconds=seconds) for argument in arguments]
        subprocess.run([program, "-v", "error", *filled, str(path)], check=True, stdin=subprocess.DEVNULL)
    return path
