"""One request on its way through the sandbox: its journal entry, its fault, and its body."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curri.sandbox.answers import canned
from curri.sandbox.faults import Fault
from curri.sandbox.journal import Entry

if TYPE_CHECKING:
    from curri.sandbox.connection import Connection

SCOPE_KEY = "curri.exchange"
"""Where a route finds the `Exchange` of its request."""

_PORTIONS_PER_SECOND = 20
"""Into how many portions a second of a slowed body is cut."""


class Stalls:
    """The requests that are stalled now."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self.releases = 0
        """How many there have been."""

    def add(self, wake: asyncio.Event) -> None:
        """Has the event set at the next release."""
        self._waiting.add(wake)

    def discard(self, wake: asyncio.Event) -> None:
        """The stall is over."""
        self._waiting.discard(wake)

    def release(self) -> None:
        """Lets every stalled request go on; those that are still on their way to a stall will not stop there."""
        self.releases += 1
        for wake in self._waiting:
            wake.set()


class Exchange:
    """Stands between the server and the application for one request, and does to it what its fault says.

    `decorate` gives the headers that every answer carries, at the moment it is sent.
    """

    def __init__(
        self,
        connection: Connection,
        entry: Entry,
        fault: Fault | None,
        stalls: Stalls,
        decorate: Callable[[], dict[str, str]],
    ) -> None:
        self.connection = connection
        self.entry = entry
        self.fault = fault
        self._stalls = stalls
        self._begun = stalls.releases
        self._decorate = decorate
        self._scope: Scope = {}
        self._receive: Receive
        self._send: Send
        self._length: int | None = None
        self._body_over = True
        self._held: Message | None = None
        self._middle_is_past = False
        self._answer_is_past = False

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on to `app`."""
        scope[SCOPE_KEY] = self
        self._scope, self._receive, self._send = scope, receive, send
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"")
        self._length = int(announced) if announced.isdigit() else None
        self._body_over = not self._length and b"transfer-encoding" not in headers
        if self.fault is not None:
            self.entry.fault = self.fault.do
        if self._does("drop-before"):
            await self.drop()
        elif self._does("answer"):
            await self._answer_wrongly()
        elif not self._does("stall-before") or await self._stall():
            await app(scope, self.receive, self.send)

    @property
    def gone(self) -> bool:
        """Whether the connection is over."""
        return self.connection.lost.is_set() or self.connection.transport.is_closing()

    async def drop(self) -> None:
        """Ends the connection: by a reset, or as the fault says."""
        self._answer_is_past = True
        self.connection.abort(orderly=self.fault is not None and self.fault.close)
        await self.connection.lost.wait()

    # the body

    async def store(self, file: int | None, position: int, length: int) -> int:
        """Writes the whole body to an open file; returns how many bytes came, fewer if the connection ended.

        Without a file the bytes are only counted. Raises OSError when the disk refuses.
        """
        done = 0
        while True:
            if self._is_middle(done) and not await self._pass_middle():
                break
            wanted = self._until_middle(done, length)
            moved = await self._take(file, position + done, wanted)
            done += moved
            if moved < wanted or done == length:
                break
        self._body_over = done == length
        return done

    async def receive(self) -> Message:
        """The next message for the application, counted and faulted."""
        if self._is_middle(self.entry.received) and not await self._pass_middle():
            return {"type": "http.disconnect"}
        message, self._held = self._held or await self._receive(), None
        if message["type"] != "http.request":
            return message
        body = message.get("body", b"")
        room = self._until_middle(self.entry.received, self.entry.received + len(body))
        if room < len(body):
            self._held = {**message, "body": body[room:]}
            message = {**message, "body": body[:room], "more_body": True}
        self.entry.received += min(room, len(body))
        self._body_over = not message.get("more_body", False)
        await self._pace(min(room, len(body)))
        return message

    async def _take(self, file: int | None, position: int, count: int) -> int:
        portion = self._portion() or count
        taken = 0
        while taken < count:
            wanted = min(portion, count - taken)
            try:
                moved = await self.connection.take(file, position + taken, wanted)
            except OSError:
                self.entry.received += wanted
                raise
            taken += moved
            self.entry.received += moved
            if moved < wanted:
                break
            await self._pace(moved)
        return taken

    def _portion(self) -> int | None:
        """How many bytes a slowed connection moves at once; None for one that is not slowed."""
        rate = self.fault.bytes_per_second if self.fault is not None else None
        return max(1, rate // _PORTIONS_PER_SECOND) if rate else None

    async def _pace(self, count: int) -> None:
        if self.fault is not None and self.fault.bytes_per_second and count:
            await asyncio.sleep(count / self.fault.bytes_per_second)

    def _middle(self) -> int | None:
        """After how many bytes the body is interrupted; always before its last one. None if it is not."""
        if self.fault is None or self.fault.do not in ("drop-middle", "stall-middle") or not self._length:
            return None
        half = self._length // 2
        return min(half if self.fault.after_bytes is None else self.fault.after_bytes, self._length - 1)

    def _is_middle(self, done: int) -> bool:
        return not self._middle_is_past and done == self._middle()

    def _until_middle(self, done: int, end: int) -> int:
        middle = None if self._middle_is_past else self._middle()
        return (end if middle is None or middle > end else middle) - done

    async def _pass_middle(self) -> bool:
        """Interrupts the body as the fault says; whether the request goes on after it."""
        self._middle_is_past = True
        if self._does("drop-middle"):
            await self.drop()
            return False
        return await self._stall()

    # the answer

    async def send(self, message: Message) -> None:
        """Passes the answer on, unless the fault has other plans."""
        if self._answer_is_past:
            return
        if message["type"] == "http.response.start":
            await self._drain()
            if not await self._may_answer(message["status"]):
                self._answer_is_past = True
                return
        await self._forward(message)

    async def _forward(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            beside = [(key.lower().encode(), value.encode()) for key, value in self._decorate().items()]
            message = {**message, "headers": [*message.get("headers", []), *beside]}
            # Before the client can know it, so that whoever has the answer finds it in the journal.
            self.entry.status = message["status"]
        body = message.get("body", b"")
        portion = self._portion()
        while portion is not None and len(body) > portion:
            await self._pace(portion)
            await self._send({**message, "body": body[:portion], "more_body": True})
            body = body[portion:]
            message = {**message, "body": body}
        await self._pace(len(body))
        await self._send(message)

    async def _may_answer(self, status: int) -> bool:
        if self._does("drop-after"):
            self.entry.withheld = status
            await self.drop()
            return False
        if self._does("answer-after"):
            self.entry.withheld = status
            await self._answer_wrongly()
            return False
        if self._does("stall-after"):
            self.entry.withheld = status
            if not await self._stall():
                return False
            self.entry.withheld = None
        return True

    async def _answer_wrongly(self) -> None:
        if self.fault is None or self.fault.status is None:
            return
        await self._drain()
        plain = self.entry.kind in ("patch", "head")
        response = canned(self.fault.status, plain=plain, retry_after=self.fault.retry_after)
        await response(self._scope, self._receive, self._forward)

    async def _drain(self) -> None:
        """Takes the rest of a body nobody wanted: closing on unread bytes would destroy the answer on its way."""
        if self._body_over or self.gone:
            return
        if self.connection.waits_to_send:
            self.connection.close_after_answer()
            return
        self._body_over = True
        if self._length is not None:
            held = len(self._held.get("body", b"")) if self._held else 0
            await self._take(None, 0, self._length - self.entry.received - held)
            return
        while True:
            message = await self._receive()
            self.entry.received += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body"):
                return

    async def _stall(self) -> bool:
        """Waits for the release, for the fault's time, or for the client to leave; whether it is still there."""
        if self._stalls.releases != self._begun:
            return not self.gone
        wake = asyncio.Event()
        self.entry.stalled = True
        self._stalls.add(wake)
        waits = [asyncio.create_task(self.connection.lost.wait()), asyncio.create_task(wake.wait())]
        try:
            seconds = None if self.fault is None else self.fault.seconds
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            self._stalls.discard(wake)
            self.entry.stalled = False
        return not self.gone

    def _does(self, word: str) -> bool:
        return self.fault is not None and self.fault.do == word
