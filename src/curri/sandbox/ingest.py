"""Uploads in one request: the basic form, and one-time addresses."""

from __future__ import annotations

import os

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from curri.sandbox.account import Account, checked_creator
from curri.sandbox.answers import BAD_REQUEST, DECODING_ERROR, NON_VIDEO, NOT_FOUND, Refusal, disk_refusal, envelope
from curri.sandbox.clock import SECOND, stamp
from curri.sandbox.exchange import SCOPE_KEY
from curri.sandbox.form import json_object, pieces
from curri.sandbox.metadata import (
    checked_deletion,
    checked_duration,
    checked_moment,
    checked_origins,
    checked_share,
)
from curri.sandbox.store import Store
from curri.sandbox.video import Video

LARGEST_FORM = 209_715_200
"""Bytes of a file that may come in a form; larger ones need tus."""

_SOONEST = 2 * 60 * SECOND
_LATEST = 6 * 3600 * SECOND
_DEFAULT_LIFETIME = 30 * 60 * SECOND


class Ingest:
    """The routes that take a whole file at once."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def basic(self, request: Request) -> Response:
        """A form with one part `file`. Other fields are ignored; what is no video is refused at once."""
        account = self._account
        await account.processing.settle()
        account.make_room(0)
        video = account.new_video("basic", creator=checked_creator(request.headers.get("upload-creator")))
        request.scope[SCOPE_KEY].entry.uid = video.uid
        try:
            received = await _take_file(request, account.store, video.uid)
        except (Refusal, ClientDisconnect):
            account.store.delete(video.uid)
            raise
        if await account.processing.is_non_video(account.store.file(video.uid)):
            account.store.delete(video.uid)
            raise Refusal(400, NON_VIDEO)
        return envelope(self._complete(video, received))

    async def direct(self, request: Request) -> Response:
        """A one-time address, for a client without a token."""
        account = self._account
        given = await json_object(request)
        if "maxDurationSeconds" not in given:
            raise Refusal(400, BAD_REQUEST, "required field maxDurationSeconds is missing")
        seconds = checked_duration(given["maxDurationSeconds"])
        now = account.clock.now()
        expires = now + _DEFAULT_LIFETIME
        if given.get("expiry") is not None:
            expires = checked_moment(given["expiry"], "expiry")
            if not now + _SOONEST <= expires <= now + _LATEST:
                raise Refusal(400, BAD_REQUEST, "expiry must be 2 minutes to 6 hours from now")
        meta = given.get("meta", {})
        if not isinstance(meta, dict):
            raise Refusal(400, BAD_REQUEST, "meta must be an object")
        deletion = given.get("scheduledDeletion")
        await account.processing.settle()
        account.make_room(seconds)
        video = account.new_video(
            "form",
            meta=meta,
            creator=checked_creator(given.get("creator")),
            allowed_origins=checked_origins(given.get("allowedOrigins", [])),
            require_signed=bool(given.get("requireSignedURLs", False)),
            thumbnail_pct=checked_share(given.get("thumbnailTimestampPct", 0.0)),
            scheduled_deletion=None if deletion is None else checked_deletion(deletion, now),
            max_duration=seconds,
            expires=expires,
            reserved=seconds,
        )
        request.scope[SCOPE_KEY].entry.uid = video.uid
        result: dict[str, object] = {"uploadURL": f"{account.origin}/upload/{video.uid}", "uid": video.uid}
        if video.scheduled_deletion is not None:
            result["scheduledDeletion"] = stamp(video.scheduled_deletion)
        return envelope(result)

    async def form(self, request: Request) -> Response:
        """The one POST to a one-time address. An interrupted one may be repeated until the address ends."""
        account = self._account
        await account.processing.settle()
        video = account.store.get(request.path_params["uid"])
        if video is None or video.way != "form" or video.phase == "expired":
            raise Refusal(404, NOT_FOUND)
        if video.phase != "pending":
            raise Refusal(400, BAD_REQUEST, "a file was already uploaded to this address")
        if request.method != "POST":
            raise Refusal(405, None, "must use POST")
        try:
            received = await _take_file(request, account.store, video.uid)
        except (Refusal, ClientDisconnect):
            account.store.drop_bytes(video.uid)
            raise
        self._complete(video, received)
        return Response(status_code=200)

    def _complete(self, video: Video, received: int) -> dict[str, object]:
        account = self._account
        account.store.update(video.uid, received=received, length=received)
        account.processing.begin(video)
        return account.show(account.video(video.uid))


async def _take_file(request: Request, store: Store, uid: str) -> int:
    """Writes the part `file` to disk piece by piece; returns its size."""
    received = 0
    found = False
    file = os.open(store.file(uid), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        async for piece in pieces(request):
            if piece.name != "file":
                continue
            found = True
            received += os.write(file, piece.data)
            if received >= LARGEST_FORM:
                raise Refusal(413, BAD_REQUEST, "files of 200 MB and more must be uploaded with tus")
    except OSError as error:
        raise disk_refusal(error) from error
    finally:
        os.close(file)
    if not found:
        raise Refusal(400, DECODING_ERROR, "the form has no part named file")
    return received
