"""A small Cloudflare Stream on a real socket that fails as it is told, for the tests of this folder.

    server.script("PATCH", "ok cut:half 408 ok")

Each request of that method takes the next word; when none is left, all is well. The words:

    ok              as usual
    cut:before      hang up before the body is read          cut:half   store half of the body, hang up
    cut:half-lost   read half, store nothing, hang up        cut:after  do it all, hang up instead of answering
    stall           stop reading after the head              mute       do it all, never answer
    part            store half, and say so                 none       store nothing, and say so
    boast           store half, and claim more than was sent    lie    store nothing, and claim more than was sent
    trickle         read a few bytes at a time             steady     read a MiB every 50 ms
    late            answer after 800 ms
    408, 502:html   read the body, store nothing, answer that; `429:wait=2` adds Retry-After
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "tok-1234567890abcdef"
ACCOUNT = "0123456789abcdef0123456789abcdef"
BASE = f"/client/v4/accounts/{ACCOUNT}"


@dataclass
class Upload:
    """What arrived of one file."""

    uid: str
    length: int
    metadata: dict[str, str]
    offset: int = 0
    holder: object = None  # the request that may write: a later one takes over from one whose client is gone
    digest: hashlib._Hash = field(default_factory=lambda: hashlib.sha1(usedforsecurity=False))


@dataclass
class Request:
    """One line of the journal."""

    method: str
    path: str  # with the query, as it stood on the wire
    headers: dict[str, str]  # lower-case names
    word: str  # of the script
    body: bytes = b""  # of JSON requests only


class HangUp(Exception):
    """Close the connection without another byte."""


class ScriptedServer(ThreadingHTTPServer):
    """State, script and journal. Threads are daemons: `stop` never waits for one that stalls on purpose."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.released = threading.Event()  # set at the end: stalled handlers leave
        self.stalled = threading.Event()  # set when one stalls, for tests that act then
        self.words: dict[str, deque[str]] = {}
        self.journal: list[Request] = []
        self.uploads: dict[str, Upload] = {}
        self.location: Callable[[str], str] = lambda uid: f"{self.origin}{BASE}/media/{uid}?tusv2=true"
        self.answer_headers: dict[str, str] = {}
        self.offset_header = True
        self.length_header = True
        self.raw: bytes | None = None  # the body of every answer to GET, instead of what routes say
        self.drip = False  # the same, a byte at a time and without end
        self.connections = 0
        self.routes: dict[tuple[str, str], Callable[[Request], tuple[int, object]]] = {}

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def base(self) -> str:
        return f"{self.origin}/client/v4"

    def script(self, method: str, words: str) -> None:
        self.words.setdefault(method, deque()).extend(words.split())

    def asked(self, *methods: str) -> list[Request]:
        """The journal, or the requests of some methods."""
        return [request for request in self.journal if not methods or request.method in methods]

    def when_stalled(self, *actions: Callable[[], None]) -> None:
        """Do that in a thread of its own once a request stalls."""

        def wait() -> None:
            self.stalled.wait()
            for action in actions:
                action()

        threading.Thread(target=wait, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of most tests here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        pass

    def _any(self) -> None:
        with self.server.lock:
            words = self.server.words.get(self.command)
            word = words.popleft() if words else "ok"
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, word)
            self.server.journal.append(request)
        try:
            self._act(request)
        except HangUp:
            self.close_connection = True
            # Linger 0 makes it a reset, as from a process that died: what was not read is thrown away.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815 - the names are http.server's

    def _act(self, request: Request) -> None:
        word = request.word
        if word == "cut:before":
            raise HangUp
        if word == "stall":
            self.server.stalled.set()
            self.server.released.wait()
            raise HangUp
        if word[:3].isdecimal():
            self._drop_body()
            self._refuse(word)
            return
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            self._drop_body()
            self._json(403, envelope(errors=[(10000, "Authentication error")]))
            return
        self._do(request)

    def _do(self, request: Request) -> None:
        word = request.word
        if self.command == "POST" and "tus-resumable" in request.headers:
            answer: Callable[[], None] = self._create(request)
        elif self.command == "PATCH":
            answer = self._patch(request)
        elif self.command == "HEAD":
            answer = self._head()
        else:
            answer = self._route(request)
        if word == "cut:after":
            raise HangUp
        if word == "mute":
            self.server.stalled.set()
            self.server.released.wait()
            raise HangUp
        answer()

    def _create(self, request: Request) -> Callable[[], None]:
        pairs = [pair.partition(" ") for pair in request.headers["upload-metadata"].split(",")]
        metadata = {key: base64.b64decode(value).decode() for key, _, value in pairs}
        with self.server.lock:
            uid = hashlib.md5(str(len(self.server.uploads)).encode(), usedforsecurity=False).hexdigest()
            upload = Upload(uid, int(request.headers["upload-length"]), metadata)
            self.server.uploads[uid] = upload
        headers = {"Location": self.server.location(uid), "stream-media-id": uid, "Tus-Resumable": "1.0.0"}
        headers |= self.server.answer_headers
        return lambda: self._answer(201, {name: value for name, value in headers.items() if value})

    def _upload(self) -> Upload | None:
        uid = urlsplit(self.path).path.rpartition("/")[2]
        return self.server.uploads.get(uid)

    def _patch(self, request: Request) -> Callable[[], None]:
        upload = self._upload()
        length = int(request.headers["content-length"])
        if upload is None:
            self._drop_body()
            return lambda: self._answer(404)
        if int(request.headers["upload-offset"]) != upload.offset:
            self._drop_body()
            return lambda: self._answer(409)
        upload.holder = request
        keep = (
            length
            * {"none": 0, "lie": 0, "part": 1, "boast": 1, "cut:half": 1, "cut:half-lost": 1}.get(request.word, 2)
            // 2
        )
        for part in self._parts(keep, 4_096 if request.word == "trickle" else 1 << 20):
            with self.server.lock:
                if upload.holder is not request:
                    raise HangUp
                if request.word == "cut:half-lost":
                    continue
                upload.digest.update(part)
                upload.offset += len(part)
            if request.word in ("trickle", "steady"):
                self.server.released.wait(0.05)
        if request.word.startswith("cut:half"):
            raise HangUp
        for _ in self._parts(length - keep):
            pass
        if request.word == "late":
            self.server.released.wait(0.8)
        told = upload.offset + length * {"boast": 1, "lie": 2}.get(request.word, 0)
        stands = {"Upload-Offset": str(told)} if self.server.offset_header else {}
        return lambda: self._answer(204, stands)

    def _head(self) -> Callable[[], None]:
        upload = self._upload()
        if upload is None:
            return lambda: self._answer(404)
        with self.server.lock:
            upload.holder = None
        stands = {"Upload-Offset": str(upload.offset), "Cache-Control": "no-store"}
        if self.server.length_header:
            stands["Upload-Length"] = str(upload.length)
        return lambda: self._answer(200, stands | self.server.answer_headers)

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def _route(self, request: Request) -> Callable[[], None]:
        if self.server.drip:
            return self._drip
        if (raw := self.server.raw) is not None:
            return lambda: self._answer(200, {}, raw)
        request.body = b"".join(self._parts(int(request.headers.get("content-length", "0"))))
        path = urlsplit(self.path).path.removeprefix("/client/v4")
        route = self.server.routes.get((self.command, path.removeprefix(f"/accounts/{ACCOUNT}")))
        if route is None:
            return lambda: self._json(404, envelope(errors=[(10003, "Not Found")]))
        status, value = route(request)
        return lambda: self._json(status, value)

    def _parts(self, count: int, step: int = 1 << 20) -> Iterator[bytes]:
        while count > 0:
            part = self.rfile.read1(min(count, step))
            if not part:
                raise HangUp
            count -= len(part)
            yield part

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.server.released.wait(0.02):
            self.wfile.write(b" ")

    def _drop_body(self) -> None:
        for _ in self._parts(int(self.headers.get("Content-Length", "0"))):
            pass

    def _refuse(self, word: str) -> None:
        status, _, how = word.partition(":")
        if how == "html":
            self._answer(int(status), {"Content-Type": "text/html"}, b"<html><title>Bad gateway</title></html>")
        elif how.startswith("wait="):
            self._answer(int(status), {"Retry-After": how[5:]})
        elif how:
            code = int(how)
            self._json(int(status), envelope(errors=[(code, "refused")]))
        else:
            self._answer(int(status))

    def _json(self, status: int, value: object) -> None:
        headers = {"Content-Type": "application/json"} | self.server.answer_headers
        self._answer(status, headers, json.dumps(value).encode())

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def envelope(
    result: object = None, *, errors: list[tuple[int, str]] | None = None, messages: list[tuple[int, str]] | None = None
) -> dict[str, object]:
    """Cloudflare's envelope. `messages` is null in failures, as it sometimes is."""
    failed = [{"code": code, "message": text} for code, text in errors or []]
    told = [{"code": code, "message": text} for code, text in messages or []]
    return {"success": not failed, "errors": failed, "messages": told or None, "result": result}


def library(
    videos: list[dict[str, object]], *, inclusive: bool = True, cap: int = 1_000
) -> Callable[..., tuple[int, object]]:
    """A route for `GET /stream` over `videos`: what Cloudflare leaves open is a parameter."""

    def answer(request: Request) -> tuple[int, object]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        rows = sorted(videos, key=lambda video: str(video["created"]))
        start = query.get("start")
        if start is not None:
            rows = [row for row in rows if str(row["created"]) > start or (inclusive and row["created"] == start)]
        if "video_name" in query:
            rows = [
                row for row in rows if isinstance(row["meta"], dict) and row["meta"].get("name") == query["video_name"]
            ]
        told = envelope(rows[: min(int(query["limit"]), cap)])
        if "include_counts" in query:
            told |= {"total": str(len(rows)), "range": len(rows)}
        return 200, told

    return answer


@contextmanager
def serving() -> Iterator[ScriptedServer]:
    """A server on a free port, until the block ends."""
    server = ScriptedServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


UPLOAD_PATH = re.compile(re.escape(BASE) + r"/media/[0-9a-f]{32}\?tusv2=true")
