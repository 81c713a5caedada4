"""The one webhook of an account: where it goes, and its signed deliveries."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from curri.sandbox.answers import BAD_REQUEST, NOT_FOUND, Refusal, envelope
from curri.sandbox.clock import SECOND, Clock, stamp
from curri.sandbox.form import json_object
from curri.sandbox.store import Store

_PATIENCE = 5.0
"""Seconds a receiver has to answer."""


def signature(secret: str, at: int, body: bytes) -> str:
    """The `Webhook-Signature` of a body sent at a second since 1970."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"time={at},sig1={digest}"


class Postman:
    """Delivers events, each `copies` times. A delivery that fails is not tried again."""

    def __init__(self, store: Store, clock: Clock, copies: int) -> None:
        self._store = store
        self._clock = clock
        self._copies = copies
        self._under_way: set[asyncio.Task[None]] = set()
        self.delivered: list[dict[str, object]] = []
        """What was sent: moment, uid, state and the receiver's status (None: it did not answer)."""

    def announce(self, uid: str, video: dict[str, Any]) -> None:
        """Sends the video object to the webhook, if there is one."""
        url, secret = self._store.setting("webhook_url"), self._store.setting("webhook_secret")
        if url is None or secret is None:
            return
        body = json.dumps(video).encode()
        now = self._clock.now()
        headers = {
            "Content-Type": "application/json",
            "Webhook-Signature": signature(secret, now // SECOND, body),
        }
        state = video["status"]["state"]
        for _ in range(self._copies):
            task = asyncio.create_task(
                self._deliver(url, body, headers, {"at": stamp(now), "uid": uid, "state": state})
            )
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Waits for the deliveries under way."""
        await asyncio.gather(*self._under_way)

    async def _deliver(self, url: str, body: bytes, headers: dict[str, str], event: dict[str, object]) -> None:
        try:
            status = await asyncio.to_thread(_post, url, body, headers)
        except (OSError, http.client.HTTPException):
            status = None
        self.delivered.append({**event, "status": status})


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_PATIENCE)
    try:
        connection.request("POST", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


class WebhookRoutes:
    """PUT, GET and DELETE of the webhook."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def put(self, request: Request) -> Response:
        """Sets the address. Another address than before gets a new secret."""
        given = await json_object(request)
        url = given.get("notificationUrl", given.get("notification_url"))
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise Refusal(400, BAD_REQUEST, "notificationUrl must start with http:// or https://")
        if url != self._store.setting("webhook_url"):
            self._store.set("webhook_url", url)
            self._store.set("webhook_secret", secrets.token_hex(16))
        self._store.set("webhook_modified", stamp(self._clock.now()))
        return self._show()

    async def get(self, _request: Request) -> Response:
        """The present webhook."""
        return self._show()

    async def delete(self, _request: Request) -> Response:
        """Ends the deliveries."""
        self._show()
        for key in ("webhook_url", "webhook_secret", "webhook_modified"):
            self._store.set(key, None)
        return envelope("")

    def _show(self) -> Response:
        url = self._store.setting("webhook_url")
        if url is None:
            raise Refusal(404, NOT_FOUND)
        shown = {"notificationUrl": url, "notification_url": url}
        shown |= {key: self._store.setting(f"webhook_{key}") or "" for key in ("modified", "secret")}
        return envelope(shown)
