"""uvicorn's HTTP/1.1 protocol, which can also break its connection and write a body straight to disk.

ASGI has neither. A server that only answers cannot show a client what a dying one looks like; and a body that passes
through the parser and the application is copied four times on its way to the disk.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SCOPE_KEY = "curri.connection"
"""Where the application finds the `Connection` of a request in its scope."""

_BUFFER = 1_048_576
"""Bytes taken at once; smaller portions cost more turns of the event loop than they save memory."""
_RESET = struct.pack("ii", 1, 0)


class Connection(H11Protocol):
    """One TCP connection; hands itself to the application with every request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            # asyncio forgets this where the listening socket came from outside. Head and body of an answer leave as
            # two segments, and the second would wait 40 ms for the client to acknowledge the first.
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lost = asyncio.Event()
        """Set once the connection is over, whoever ended it."""
        self._took_body = False
        app = cast("Callable[..., Awaitable[None]]", self.app)

        async def carried(scope: dict[str, Any], receive: object, send: object) -> None:
            scope[SCOPE_KEY] = self
            await app(scope, receive, send)

        self.app = cast("Any", carried)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.lost.set()

    def on_response_complete(self) -> None:
        if self._took_body:
            # The parser never saw the end of the body, so it cannot read the next request: a fresh one can.
            self._took_body = False
            self.conn = h11.Connection(h11.SERVER)
        super().on_response_complete()

    @property
    def waits_to_send(self) -> bool:
        """Whether the client holds its body back until it is told to continue (`Expect: 100-continue`)."""
        return self.cycle.waiting_for_100_continue

    def close_after_answer(self) -> None:
        """Ends the connection once the present answer is out."""
        self.cycle.keep_alive = False

    def abort(self, *, orderly: bool = False) -> None:
        """Ends the connection now, without an answer: by a reset, or in an orderly way (FIN)."""
        if orderly:
            self.transport.close()
            return
        raw = self.transport.get_extra_info("socket")
        if raw is not None and not self.transport.is_closing():
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    async def take(self, file: int | None, position: int, count: int) -> int:
        """Takes the next `count` bytes of the request's body; returns how many came, fewer if the client went away.

        They are written to the open `file` at `position`, or thrown away where it is None. The body must have a
        Content-Length that covers them. Raises OSError when the disk refused, once the bytes have come nevertheless:
        left on the way they would be taken for the next request.
        """
        if self.waits_to_send:
            go_on = self.conn.send(h11.InformationalResponse(status_code=100, headers=[], reason="Continue"))
            self.transport.write(go_on or b"")
            self.cycle.waiting_for_100_continue = False
        early = memoryview(bytes(self.cycle.body))
        self.cycle.body = bytearray(early[count:])
        intake = _Intake(self, file, position, count)
        intake.keep(early[:count])
        if intake.left and not self.lost.is_set():
            self._took_body = True
            self.transport.set_protocol(intake)
            self.flow.resume_reading()
            await intake.over.wait()
        if intake.error is not None:
            raise intake.error
        return count - intake.left


class _Intake(asyncio.BufferedProtocol):
    """Stands in for the HTTP protocol while a body arrives."""

    def __init__(self, connection: Connection, file: int | None, position: int, count: int) -> None:
        self._connection = connection
        self._file = file
        self._position = position
        self._view = memoryview(bytearray(min(_BUFFER, count)))
        self.left = count
        self.over = asyncio.Event()
        self.error: OSError | None = None

    def keep(self, data: memoryview) -> None:
        """Writes what arrived, until the disk refuses."""
        self.left -= len(data)
        try:
            while data and self._file is not None:
                written = os.pwrite(self._file, data, self._position)
                self._position += written
                data = data[written:]
        except OSError as error:
            self.error, self._file = error, None

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the base class has it
        # Never longer than what is left: the next request on this connection belongs to the parser.
        return self._view[: self.left]

    def buffer_updated(self, nbytes: int) -> None:
        self.keep(self._view[:nbytes])
        if not self.left:
            self._connection.flow.pause_reading()
            self._connection.transport.set_protocol(self._connection)
            self.over.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)
        self.over.set()

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()
