"""The one function that makes requests, and what every request has: a time-out, a budget, an error in words."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Final
from urllib.parse import urlencode, urlsplit

import httpx

from curri import __version__
from curri.errors import CurriError
from curri.stream import failures, notes, wire
from curri.stream.account import PUBLIC, Account, shown
from curri.stream.budget import Bandwidth, Budget
from curri.stream.notes import Notes
from curri.stream.pause import Clock, Stop, stopped
from curri.stream.retry import Attempts, Patience, passing
from curri.stream.secret import Secret
from curri.stream.watchdog import Guard, Watchdog
from curri.stream.wire import Timeouts, Wire

LARGEST_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of an answer that are read: a listing of 1,000 videos is about 2 MB. More is not Stream's."""
LARGEST_REFUSAL: Final = 64 * 1024
"""Bytes that are read of an answer that is an error."""

log = logging.getLogger("curri.stream")


class Exchange(StrEnum):
    """The kinds of HTTP exchange; each passes `on_exchange` under this name."""

    CREATE = "create"
    SEND = "send"
    OFFSET = "offset"
    GET = "get"
    LIST = "list"
    EDIT = "edit"
    DELETE = "delete"
    USAGE = "usage"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is sent piece by piece. `blocks` yields exactly `length` bytes, and speaks to the guard."""

    length: int
    blocks: Callable[[Guard], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. Its address is secret, because that of an upload is; `what` is what messages show instead."""

    kind: Exchange
    method: str
    url: Secret
    what: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: object = field(default=None, repr=False)
    body: Body | None = None
    enveloped: bool = True
    """Whether an answer without Cloudflare's envelope is a failure."""
    seconds: float | None = None
    """Until the first byte of the answer, where the usual time is not enough."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer. Headers (lower-case names) and body stay out of its repr: they may name an upload."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    notes: Notes = field(repr=False)

    @property
    def result(self) -> object:
        """`result` of the envelope, None without one."""
        return None if self.notes.envelope is None else self.notes.envelope.get("result")


@dataclass(frozen=True, slots=True)
class Conduct:
    """How the client behaves towards Cloudflare. Budget and bandwidth are shared by all that use this object."""

    budget: Budget
    bandwidth: Bandwidth
    clock: Clock
    patience: Patience = field(default_factory=Patience)
    timeouts: Timeouts = field(default_factory=Timeouts)

    @classmethod
    def usual(cls, *, bytes_per_second: int | None = None) -> Conduct:
        """Cloudflare's documented limits, and a limit on sending where one is wanted."""
        clock = Clock()
        return cls(Budget(clock), Bandwidth(clock, bytes_per_second), clock)


class Client:
    """Requests to one account. Used as a context manager; making it does nothing, opening it asks nobody.

    One client serves all threads. `stop` ends waits and (when aborting) exchanges in flight; `on_exchange` is called
    with the kind after every exchange that was tried, whatever came of it and before anyone sees it.
    """

    def __init__(
        self,
        account: Account,
        *,
        conduct: Conduct | None = None,
        stop: Stop | None = None,
        on_exchange: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.account = account
        self.conduct = conduct or Conduct.usual()
        self.stop = stop or Stop()
        self._on_exchange = on_exchange
        self._lock = threading.Lock()
        self._idle: list[Wire] = []
        self._new_wire: Callable[[], Wire] | None = None
        self._watchdog = Watchdog()

    def __enter__(self) -> Client:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Make ready: no request, no connection. Calling it again on an open client changes nothing."""
        if self._new_wire is not None:
            return
        wire.mute_logs()
        try:
            tls = httpx.create_ssl_context()  # obeys SSL_CERT_FILE; made once, as reading certificates takes 20 ms
        except OSError as error:
            raise failures.failure(
                failures.Untrusted, "the certificates cannot be read", where="SSL_CERT_FILE"
            ) from error
        timeouts = self.conduct.timeouts
        self._new_wire = lambda: Wire(tls, timeouts, f"curri/{__version__}")
        self._watchdog = Watchdog()
        self._watchdog.start()

    def close(self) -> None:
        """Close all connections. Requests must have ended. Calling it again changes nothing."""
        self._new_wire = None
        self._watchdog.end()
        with self._lock:
            idle, self._idle = self._idle, []
        for unused in idle:
            unused.close()

    def call(self, ask: Ask, stop: Stop | None = None) -> Answer:
        """`exchange`, tried again while the failure is a passing one. Only for what may be done twice."""
        stop = stop or self.stop
        return self.attempts(stop)(lambda: self.exchange(ask, stop))

    def attempts(self, stop: Stop, *, again: Callable[[BaseException], bool] = passing) -> Attempts:
        """A fresh count of tries, by this client's patience; `again` says which failures are worth another."""
        return Attempts(self.conduct.patience, self.conduct.clock, stop, again=again)

    def exchange(self, ask: Ask, stop: Stop | None = None) -> Answer:
        """Make one request, once. Raises the errors of failures.py, ConfigError for credentials, and Stopped.

        The error is raised out here, where no frame holds an address or a header, and without httpx's exception as
        its cause: a traceback that shows local variables has nothing to show.
        """
        stop = stop or self.stop
        stop.check()
        self.conduct.budget.take(stop)
        begun = time.monotonic()
        outcome = self._outcome(ask, stop)
        status = outcome.status if isinstance(outcome, Answer) else type(outcome).__name__
        log.debug("%s: %s after %.0f ms", ask.what, status, (time.monotonic() - begun) * 1_000)
        if self._on_exchange is not None:
            self._on_exchange(ask.kind)
        if isinstance(outcome, CurriError):
            raise self.blamed(outcome)
        return outcome

    def blamed(self, error: CurriError) -> CurriError:
        """Let the hint of an error say that the address may be wrong, where it is not Cloudflare's own."""
        if self.account.base != PUBLIC and isinstance(error, (failures.Unreachable, failures.WrongAccount)):
            error.hint = f"check CURRI_STREAM_URL ({shown(self.account.base)}); or {error.hint}"
        return error

    def _outcome(self, ask: Ask, stop: Stop) -> Answer | CurriError:
        """The answer, or what went wrong, settled with the budget."""
        raw: _Raw | CurriError | None = None
        try:
            raw = self._roundtrip(ask, stop)
        finally:
            if not isinstance(raw, _Raw):
                self.conduct.budget.settle()
        if isinstance(raw, CurriError):
            return raw
        said = notes.read(raw.body)
        said = Notes(said.success, said.codes, self._scrubbed(said.text, ask), said.envelope)
        wait = notes.retry_after(raw.headers.get("retry-after"), self.conduct.clock.wall())
        error = failures.from_answer(raw.status, said, where=ask.what, retry_after=wait)
        self.conduct.budget.settle(raw.headers, limited=isinstance(error, failures.RateLimited))
        if error is not None:
            return error
        if raw.broken is not None:
            return raw.broken
        if ask.enveloped and said.envelope is None:
            told = f": {said.text}" if said.text else ""
            return failures.failure(failures.Garbled, f"Stream's answer is not JSON{told}", where=ask.what)
        return Answer(raw.status, raw.headers, said)

    def _roundtrip(self, ask: Ask, stop: Stop) -> _Raw | CurriError:
        """Send and receive. What httpx raises ends here."""
        used = self._borrow()
        timeouts = self.conduct.timeouts
        try:
            with self._watchdog.guarding(used, stop, timeouts.whole) as guard:
                try:
                    return self._transfer(ask, used, guard)
                except wire.RAISED as error:
                    return self._explained(error, guard, ask)
                except CurriError as error:
                    # From the body: the file changed, or a stop. Without httpx's frames, which hold the address.
                    return error.with_traceback(None)
        finally:
            self._give_back(used)

    def _transfer(self, ask: Ask, used: Wire, guard: Guard) -> _Raw:
        """The exchange itself, by httpx. An answer that ends early is returned with what is known of it."""
        url = httpx.URL(ask.url.reveal())
        headers = dict(ask.headers)
        if self.account.takes_token(ask.url.reveal()):
            headers["Authorization"] = "Bearer " + self.account.token.reveal()
        extensions: dict[str, object] = {}
        if (target := _target(ask.url)) != url.raw_path and target.isascii():
            extensions["target"] = target
        if ask.seconds is not None:
            extensions["timeout"] = {**used.http.timeout.as_dict(), "read": ask.seconds}
        content = None
        if ask.body is not None:
            headers["Content-Length"] = str(ask.body.length)  # or httpx sends it chunked, which Stream answers by 502
            content = ask.body.blocks(guard)
        request = used.http.build_request(
            ask.method, url, headers=headers, json=ask.json, content=content, extensions=extensions
        )
        response = used.http.send(request, stream=True)
        try:
            body, broken = self._read(response, guard, ask)
        finally:
            response.close()
        received = {name.lower(): value for name, value in response.headers.items()}
        return _Raw(response.status_code, received, body, broken)

    def _read(self, response: httpx.Response, guard: Guard, ask: Ask) -> tuple[bytes, CurriError | None]:
        """The body, and what kept us from reading all of it. Of an error, the first part is enough."""
        good = response.is_success
        limit = LARGEST_ANSWER if good else LARGEST_REFUSAL
        parts: list[bytes] = []
        size = 0
        try:
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > limit:
                    too_long = failures.failure(failures.Garbled, "Stream's answer does not end", where=ask.what)
                    return b"".join(parts)[:limit], too_long if good else None
        except wire.RAISED as error:
            # Without an envelope to read, the status and the headers say all: a creation is not lost for this.
            return b"".join(parts), self._explained(error, guard, ask) if good and ask.enveloped else None
        return b"".join(parts), None

    def _explained(self, error: Exception, guard: Guard, ask: Ask) -> CurriError:
        """What an exception of httpx means, given that the watchdog may be behind it."""
        if guard.stopped:
            return stopped()
        if guard.stalled:
            message = "nothing moved on the connection to Stream for too long; it was cut"
            return failures.failure(failures.Stalled, message, where=ask.what)
        told = wire.from_exception(error, where=ask.what)
        told.message = self._scrubbed(told.message, ask)
        told.args = (told.message,)
        return told

    def _scrubbed(self, text: str, ask: Ask) -> str:
        """`text` without the token, and without the address of the request: a server may echo both."""
        text = ask.url.scrubbed_from(self.account.token.scrubbed_from(text))
        if ask.kind in (Exchange.SEND, Exchange.OFFSET):
            parts = urlsplit(ask.url.reveal())
            for part in (f"{parts.path}?{parts.query}", parts.path, parts.path.rpartition("/")[2]):
                text = text.replace(part, "***") if len(part) > 3 else text
        return text

    def _borrow(self) -> Wire:
        if self._new_wire is None:
            raise RuntimeError("the client is not open; use it in a with statement")
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._new_wire()

    def _give_back(self, used: Wire) -> None:
        with self._lock:
            if self._new_wire is not None:
                self._idle.append(used)
                return
        used.close()

    # What the modules beside this one ask for.

    def of_account(self, kind: Exchange, method: str, path: str, **query: str) -> Ask:
        """A request below this account; `path` begins with `/stream`."""
        address = self.account.of_account(path) + (f"?{urlencode(query)}" if query else "")
        return Ask(kind, method, Secret(address), f"{method} {path}")

    def of_user(self, kind: Exchange, method: str, path: str) -> Ask:
        """A request about the owner of the token."""
        return Ask(kind, method, Secret(self.account.address(path)), f"{method} {path}")

    def at_upload(self, kind: Exchange, method: str, url: Secret) -> Ask:
        """A request to an upload, named by its host only."""
        return Ask(kind, method, url, f"{method} upload at {shown(url.reveal())}", enveloped=False)


@dataclass(frozen=True, slots=True)
class _Raw:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    broken: CurriError | None


def _target(url: Secret) -> bytes:
    """Path and query of an address, byte for byte: httpx writes some characters in another way."""
    rest = url.reveal().partition("#")[0].partition("://")[2]
    cut = min((rest.find(mark) for mark in "/?" if mark in rest), default=len(rest))
    path = rest[cut:] or "/"
    return (path if path.startswith("/") else "/" + path).encode()
