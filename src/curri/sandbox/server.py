"""Starts and stops the sandbox: in a thread for tests and demos, or until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import uvicorn

from curri.errors import ConfigError
from curri.sandbox.account import Account
from curri.sandbox.connection import Connection
from curri.sandbox.control import plant
from curri.sandbox.faults import Fault
from curri.sandbox.gate import API
from curri.sandbox.journal import Entry
from curri.sandbox.routes import application
from curri.sandbox.settings import SandboxSettings
from curri.sandbox.store import VISIBLE
from curri.sandbox.video import Video

T = TypeVar("T")

_LOOK_EVERY = 0.25
"""Seconds between two looks at the processing clock, so that webhooks go out though nobody asks."""
_GRACE = 5.0
"""Seconds that requests have to notice that their connection is gone when the sandbox stops."""


class Sandbox:
    """A local Cloudflare Stream, listening between `with` and its end.

    Starting raises `ConfigError` when the port or the folder cannot be used, `BusyError` when another sandbox has the
    folder. Leaving the block stops the server, cuts what is under way, and raises whatever went wrong inside the
    sandbox itself. All methods may be called from any thread while it runs.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = settings or SandboxSettings()
        self._account: Account
        self._service: _Service
        self._thread: threading.Thread
        self.origin = ""
        """Scheme, host and port."""

    @property
    def url(self) -> str:
        """The base of the API, ending in /client/v4."""
        return self.origin + API

    @property
    def token(self) -> str:
        """The API token that is let in."""
        return self.settings.token

    @property
    def account_id(self) -> str:
        """The account it plays."""
        return self.settings.account_id

    def __enter__(self) -> Sandbox:
        sockets = _listen(self.settings)
        try:
            self._account = Account(self.settings)
        except BaseException:
            for each in sockets:
                each.close()
            raise
        self.origin = _origin(self.settings.host, sockets[0])
        self._account.origin = self.settings.public_url or self.origin
        self._account.upload_origin = _upload_origin(self.settings, self._account.origin, sockets)
        self._service = _Service(self._account)
        self._thread = threading.Thread(target=self._service.live, args=(sockets,), name="curri-sandbox", daemon=True)
        self._thread.start()
        self._service.listening.wait()
        if self._service.failure is not None:
            self._thread.join()
            self._account.store.close()
            raise self._service.failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service.stop()
        self._thread.join()
        self._account.store.close()
        broken = self._service.failure or next(iter(self._account.bugs), None)
        if kind is None and broken is not None:
            raise broken

    def faults(self, *faults: Fault) -> None:
        """Puts faults behind those that wait already."""
        self._do(lambda: self._account.faults.add(faults))

    def clear_faults(self) -> None:
        """Forgets all faults and lets go of stalled requests and stuck videos."""
        self._do(self._account.clear_faults)

    def fault_report(self) -> list[dict[str, object]]:
        """Every waiting fault with how often it `matched` and `happened`."""
        return self._do(self._account.faults.report)

    def requests(self) -> list[Entry]:
        """The journal, oldest first; entries of requests under way still change."""
        return self._do(self._account.journal.entries)

    def clear_requests(self) -> None:
        """Forgets the journal."""
        self._do(self._account.journal.clear)

    def advance(self, seconds: float) -> None:
        """Moves the clock on, and returns when everything due by then is done and webhooks are delivered."""
        self._await(self._account.advance(seconds))

    def videos(self) -> list[Video]:
        """Every video on the account, oldest first, as it is now."""

        async def settled() -> list[Video]:
            await self._account.processing.settle()
            return self._account.store.select(VISIBLE)

        return self._await(settled())

    def plant(self, metas: Iterable[dict[str, Any]], **known: Any) -> list[Video]:
        """Puts videos into the library without uploads, one for each `meta`; see `control.plant` for `known`."""
        return self._do(lambda: [plant(self._account, meta=meta, **known) for meta in metas])

    def file(self, uid: str) -> Path:
        """Where the bytes of a video lie."""
        return self._account.store.file(uid)

    def _do(self, action: Callable[[], T]) -> T:
        async def within() -> T:
            return action()

        return self._await(within())

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._service.loop).result()


def serve(settings: SandboxSettings, ready: Callable[[Sandbox], None]) -> None:
    """Runs a sandbox until Ctrl-C or SIGTERM, and then returns. Prints nothing.

    `ready` is called once it listens, with the sandbox, whose `url` tells where. Call it from the main thread.
    """
    ended = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, lambda _number, _frame: ended.set())
        with Sandbox(settings) as sandbox:
            ready(sandbox)
            ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Service(uvicorn.Server):
    """uvicorn without its ticking: it stops when told, at once, and says when it listens."""

    def __init__(self, account: Account) -> None:
        super().__init__(
            uvicorn.Config(
                application(account),
                http=Connection,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=75,
            )
        )
        self._account = account
        self._stopping = asyncio.Event()
        self.listening = threading.Event()
        self.loop: asyncio.AbstractEventLoop
        self.failure: BaseException | None = None
        """Why it never listened, or stopped by itself."""

    def live(self, sockets: list[socket.socket]) -> None:
        """Runs until stopped."""
        try:
            self.run(sockets)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - raised again where the sandbox is used
            self.failure = error
        finally:
            self.listening.set()

    def stop(self) -> None:
        """Ends the service; from any thread."""
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            self.loop.call_soon_threadsafe(self._stopping.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.listening.set()

    async def main_loop(self) -> None:
        looking = asyncio.create_task(self._look())
        await self._stopping.wait()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.abort()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_GRACE)
        for task in self.server_state.tasks:
            task.cancel()
        await self._account.processing.finish()
        await self._account.postman.finish()

    async def _look(self) -> None:
        try:
            while not self._account.clock.frozen:
                await self._account.processing.settle()
                await asyncio.sleep(_LOOK_EVERY)
        except Exception as error:
            self._account.bugs.append(error)
            raise


def _listen(settings: SandboxSettings) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        sockets.append(socket.create_server((settings.host, settings.port), backlog=2048))
        if settings.upload_origin == "other-port":
            sockets.append(socket.create_server((settings.host, 0), backlog=2048))
    except OSError as error:
        for each in sockets:
            each.close()
        raise ConfigError(
            f"the sandbox cannot listen on {settings.host}:{settings.port}: {error.strerror or error}",
            hint="give another --port; 0 takes any that is free",
        ) from error
    return sockets


def _origin(host: str, listener: socket.socket) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _upload_origin(settings: SandboxSettings, public: str, sockets: list[socket.socket]) -> str:
    if settings.upload_origin == "relative":
        return ""
    if settings.upload_origin == "other-host":
        return _origin("localhost", sockets[0])
    if settings.upload_origin == "other-port":
        return _origin(settings.host, sockets[1])
    return public
