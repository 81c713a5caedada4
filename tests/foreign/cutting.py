"""A line between a client and a server that can be cut while a request is under way."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

_RESET = struct.pack("ii", 1, 0)


class Line:
    """Passes on what comes to `port`, byte for byte. `cut_after` breaks the connection that carries so many bytes."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._left: int | None = None
        self._lock = threading.Lock()
        self.cuts = 0
        """How many connections were broken."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def cut_after(self, count: int) -> None:
        """Break the connection over which the `count`-th byte from now goes to the server; what came before is sent."""
        with self._lock:
            self._left = count

    def run(self) -> None:
        """Take connections until `close`."""
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            with self._lock:
                self._open |= {near, far}
            self._start(self._upstream, near, far)
            self._start(self._downstream, far, near)

    def close(self) -> None:
        """Break what is open and wait for the threads."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = set(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for connection in connections:
            connection.close()

    def _start(self, work: Callable[[socket.socket, socket.socket], None], *ends: socket.socket) -> None:
        thread = threading.Thread(target=work, args=ends, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _upstream(self, near: socket.socket, far: socket.socket) -> None:
        try:
            while data := near.recv(65_536):
                passed, cut = self._counted(data)
                far.sendall(passed)
                if cut:
                    self.cuts += 1
                    # The server reads what was sent, then the end; the client is reset in the middle of its chunk.
                    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    self._forget(near)
                    break
            far.shutdown(socket.SHUT_WR)
        except OSError:
            self._forget(near)

    def _downstream(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while data := far.recv(65_536):
                near.sendall(data)
            near.shutdown(socket.SHUT_WR)

    def _counted(self, data: bytes) -> tuple[bytes, bool]:
        with self._lock:
            if self._left is None or len(data) < self._left:
                self._left = None if self._left is None else self._left - len(data)
                return data, False
            passed, self._left = data[: self._left], None
            return passed, True

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to that port of loopback."""
    with ExitStack() as stack:
        line = Line(("127.0.0.1", port))
        thread = threading.Thread(target=line.run, daemon=True)
        stack.callback(thread.join, 10)
        stack.callback(line.close)
        thread.start()
        yield line
