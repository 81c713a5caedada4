"""A service that minds jobs: a real HTTP server on loopback, which writes down who called."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "0c1d2e3f-the-password-of-a-check"


@dataclass(frozen=True)
class Answer:
    """What the service says to a call."""

    status: int = 200
    body: bytes = b"OK"
    location: str | None = None


@dataclass
class Receiver:
    """What came, and what is answered: the answers in turn, the last of them for ever."""

    port: int = 0
    answers: Sequence[Answer] = (Answer(),)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    called: threading.Event = field(default_factory=threading.Event)
    on_call: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        """The address of a check."""
        return f"http://127.0.0.1:{self.port}/{SECRET}"

    @property
    def told(self) -> list[str]:
        """What came, without the password."""
        return [path.removeprefix(f"/{SECRET}") for path in self.paths]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Yield a service at work."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = len(receiver.paths)
            receiver.paths.append(self.path)
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            receiver.called.set()
            receiver.on_call()
            answer = receiver.answers[min(number, len(receiver.answers) - 1)]
            self.send_response(answer.status)
            if answer.location is not None:
                self.send_header("Location", answer.location)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_HEAD = do_GET  # noqa: N815 - the names are those of http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
