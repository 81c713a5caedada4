"""The sandbox's own controls, below /__sandbox__: they need no token and leave no trace in the journal."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from curri.errors import ConfigError
from curri.sandbox.account import Account, name_of
from curri.sandbox.clock import parse_stamp, stamp
from curri.sandbox.faults import parse_faults
from curri.sandbox.store import VISIBLE
from curri.sandbox.video import STATES, Video


class Control:
    """The routes of the controls."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def faults(self, request: Request) -> Response:
        """Shows the script (GET), adds to it (POST), or clears it and lets go of what it holds (DELETE)."""
        if request.method == "POST":
            try:
                self._account.faults.add(parse_faults(await _json(request)))
            except ConfigError as error:
                return _wrong(error.message, error.where)
        elif request.method == "DELETE":
            self._account.clear_faults()
        return JSONResponse({"faults": self._account.faults.report()})

    async def requests(self, request: Request) -> Response:
        """Shows the journal (GET) or clears it (DELETE)."""
        if request.method == "DELETE":
            self._account.journal.clear()
        return JSONResponse({"requests": [entry.as_json() for entry in self._account.journal.entries()]})

    async def clock(self, request: Request) -> Response:
        """Tells the time (GET) or moves it on: POST {"advance": seconds}."""
        now = self._account.clock.now()
        if request.method == "POST":
            try:
                given = await _json(request)
                now = await self._account.advance(float(given["advance"]))
            except (ConfigError, ValueError, TypeError, KeyError):
                return _wrong('the clock is moved by {"advance": seconds}, forward only')
        return JSONResponse({"now": stamp(now)})

    async def videos(self, request: Request) -> Response:
        """Shows every video with what only the sandbox knows (GET), or plants some (POST a list of objects)."""
        if request.method == "POST":
            try:
                given = await _json(request)
                for item in given if isinstance(given, list) else [given]:
                    plant(self._account, **item)
            except (ConfigError, TypeError, ValueError) as error:
                return _wrong(str(error))
        await self._account.processing.settle()
        return JSONResponse({"videos": [self._inside(video) for video in self._account.store.select(VISIBLE)]})

    async def deliveries(self, _request: Request) -> Response:
        """Shows what was sent to the webhook."""
        return JSONResponse({"deliveries": self._account.postman.delivered})

    def _inside(self, video: Video) -> dict[str, Any]:
        inside = {"way": video.way, "phase": video.phase, "received": video.received, "length": video.length}
        return {**self._account.show(video), "sandbox": inside}


def plant(
    account: Account,
    *,
    meta: dict[str, Any] | None = None,
    state: str = "ready",
    duration: float = 60.0,
    creator: str | None = None,
    created: str | None = None,
) -> Video:
    """Puts a video into the library without an upload, in a state it stays in. Raises ValueError for an unknown state.

    `duration` is in seconds, `created` an RFC 3339 time. It has no bytes, so it cannot be played.
    """
    phases = STATES.get(state, ())
    if not phases:
        raise ValueError(f"a video cannot be planted in the state {state!r}")
    now = account.store.created_now(account.clock.now())
    at = now if created is None else parse_stamp(created)
    known = phases[-1] in ("playable", "complete")
    return account.store.insert(
        Video(
            uid=account.store.new_uid(),
            created=at,
            modified=at,
            phase=phases[-1],
            way="planted",
            next_change=None,
            meta=meta or {},
            name=name_of(meta or {}),
            creator=creator,
            uploaded=None if state == "pendingupload" else at,
            duration=duration if known else -1.0,
            width=1920 if known else -1,
            height=1080 if known else -1,
            ready_at=at if known else None,
            error_code="ERR_UNKNOWN" if state == "error" else "",
        )
    )


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError as error:
        raise ConfigError(f"the body is not JSON: {error}") from error


def _wrong(message: str, where: str | None = None) -> Response:
    return JSONResponse({"error": message, "where": where}, 400)
