"""Resumable uploads: creation, PATCH and HEAD, with the chunk rules of Stream."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from curri.sandbox.account import Account, checked_creator
from curri.sandbox.answers import BAD_REQUEST, Refusal, disk_refusal, edge_page
from curri.sandbox.exchange import SCOPE_KEY, Exchange
from curri.sandbox.metadata import read_wishes
from curri.sandbox.video import Video

VERSION = "1.0.0"
CHUNK_UNIT = 262_144
SMALLEST_CHUNK = 5_242_880
LARGEST_CHUNK = 209_715_200
LARGEST_FILE = 30 * 1000**3
"""30 GB."""


def chunk_fault(length: int, received: int, size: int) -> Refusal | None:
    """Why a chunk of `size` bytes is refused after `received` of `length` bytes; None if it is taken."""
    if received + size > length:
        return Refusal(413, None, "the chunk goes beyond Upload-Length")
    if size > LARGEST_CHUNK:
        return Refusal(400, BAD_REQUEST, f"a chunk may have at most {LARGEST_CHUNK} bytes")
    if received + size == length:
        return None
    if size < SMALLEST_CHUNK:
        return Refusal(400, BAD_REQUEST, f"a chunk must have at least {SMALLEST_CHUNK} bytes, except the last one")
    if size % CHUNK_UNIT:
        return Refusal(400, BAD_REQUEST, f"the size of a chunk must be a multiple of {CHUNK_UNIT} bytes (256 KiB)")
    return None


class Tus:
    """The routes of tus."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._running: dict[str, tuple[Exchange, asyncio.Event]] = {}

    async def create(self, request: Request) -> Response:
        """A new upload: the video exists at once, in `pendingupload`. Only its headers answer."""
        headers = request.headers
        if "transfer-encoding" in headers:
            return edge_page(502)
        _check_version(request)
        if headers.get("content-length", "0") != "0":
            raise Refusal(400, BAD_REQUEST, "the creation of an upload has no body")
        length = _whole(headers.get("upload-length"), "Upload-Length")
        if length > LARGEST_FILE:
            raise Refusal(413, BAD_REQUEST, f"a file may have at most {LARGEST_FILE} bytes")
        account = self._account
        keep = account.settings.recognised_keys_stay_in_meta
        wishes = read_wishes(headers.get("upload-metadata", ""), account.clock.now(), keep_recognised=keep)
        direct = request.query_params.get("direct_user") == "true"
        if direct and wishes.max_duration is None:
            raise Refusal(400, BAD_REQUEST, "required field maxDurationSeconds is missing")
        creator = checked_creator(headers.get("upload-creator"))
        reserved = wishes.max_duration or account.settings.default_reservation_seconds
        await account.processing.settle()
        account.make_room(reserved)
        video = account.new_video(
            "direct-tus" if direct else "tus",
            length=length,
            creator=creator,
            meta=wishes.meta,
            require_signed=wishes.require_signed,
            allowed_origins=wishes.allowed_origins,
            thumbnail_pct=wishes.thumbnail_pct,
            watermark=wishes.watermark,
            scheduled_deletion=wishes.scheduled_deletion,
            max_duration=wishes.max_duration,
            expires=wishes.expires,
            reserved=reserved,
        )
        if length == 0:
            account.store.file(video.uid).touch()
            account.processing.begin(video)
        _exchange(request).entry.uid = video.uid
        return Response(
            status_code=201, headers={**_tus(), "Location": self._location(video), "stream-media-id": video.uid}
        )

    async def patch(self, request: Request) -> Response:
        """The next chunk, written to disk as it comes. What arrived before a cut is kept, or dropped by a setting."""
        if "content-length" not in request.headers:
            return edge_page(502)
        _check_version(request)
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/offset+octet-stream":
            raise Refusal(415, None, "Content-Type must be application/offset+octet-stream")
        uid = request.path_params["uid"]
        async with self._alone(uid, _exchange(request)):
            await self._account.processing.settle()
            video = self._upload(request)
            size = _whole(request.headers["content-length"], "Content-Length")
            if _whole(request.headers.get("upload-offset"), "Upload-Offset") != video.received:
                raise Refusal(409, None, "mismatched offset", headers=_tus())
            refusal = chunk_fault(video.length or 0, video.received, size)
            if refusal is not None:
                raise refusal
            received = await self._keep(video, _exchange(request), size)
        return Response(status_code=204, headers={**_tus(), "Upload-Offset": str(received)})

    async def head(self, request: Request) -> Response:
        """How much is there."""
        _check_version(request)
        async with self._alone(request.path_params["uid"], _exchange(request)):
            await self._account.processing.settle()
            video = self._upload(request)
        headers = {
            "Upload-Offset": str(video.received),
            "Upload-Length": str(video.length),
            "Cache-Control": "no-store",
        }
        return Response(status_code=200, headers={**_tus(), **headers})

    async def _keep(self, video: Video, exchange: Exchange, size: int) -> int:
        store, settings = self._account.store, self._account.settings
        came = 0
        try:
            with _opened(None if settings.discard_bytes else store.file(video.uid)) as file:
                came = await exchange.store(file, video.received, size)
                if came < size and settings.partial_patch == "drop":
                    came = 0
                if file is not None:
                    os.ftruncate(file, video.received + came)
        except OSError as error:
            raise disk_refusal(error) from error
        received = video.received + came
        store.update(video.uid, received=received)
        if video.phase == "pending" and received == video.length and store.get(video.uid) is not None:
            self._account.processing.begin(video)
        return received

    def _upload(self, request: Request) -> Video:
        video = self._account.store.get(request.path_params["uid"])
        way = "direct-tus" if request.url.path.startswith("/tus/") else "tus"
        if video is None or video.way != way:
            raise Refusal(404, None, "upload not found", headers=_tus())
        if video.phase == "expired":
            raise Refusal(self._account.settings.expired_status, None, "upload has expired", headers=_tus())
        return video

    def _location(self, video: Video) -> str:
        account = self._account
        if video.way == "direct-tus":
            return f"{account.upload_origin}/tus/{video.uid}?tusv2=true"
        path = f"/client/v4/accounts/{account.settings.account_id}/media/{video.uid}?tusv2=true"
        return account.upload_origin + path

    @asynccontextmanager
    async def _alone(self, uid: str, exchange: Exchange) -> AsyncIterator[None]:
        """Holds the upload. A request that holds it already is waited for, or cut off if it stalls; then 423.

        A client that was killed leaves a connection whose last bytes are still being read; waiting for it makes the
        next HEAD tell the final offset.
        """
        patience = self._account.settings.lock_wait_seconds
        while uid in self._running:
            holder, over = self._running[uid]
            if holder.entry.stalled:
                await holder.drop()
            try:
                await asyncio.wait_for(over.wait(), patience)
            except TimeoutError:
                raise Refusal(423, None, "another request holds this upload", headers=_tus()) from None
        over = asyncio.Event()
        self._running[uid] = (exchange, over)
        try:
            yield
        finally:
            del self._running[uid]
            over.set()


@contextmanager
def _opened(path: Path | None) -> Iterator[int | None]:
    if path is None:
        yield None
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _exchange(request: Request) -> Exchange:
    exchange: Exchange = request.scope[SCOPE_KEY]
    return exchange


def _tus() -> dict[str, str]:
    return {"Tus-Resumable": VERSION}


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise Refusal(412, None, "Tus-Resumable must be 1.0.0", headers={"Tus-Version": VERSION, **_tus()})


def _whole(text: str | None, header: str) -> int:
    if text is None or not (text.isascii() and text.isdigit()):
        raise Refusal(400, BAD_REQUEST, f"{header} must be a whole number of bytes")
    return int(text)
