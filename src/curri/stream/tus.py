"""Sending files to Stream by tus 1.0, resumable at any point.

Creation is one call that returns what must be committed before the first byte is sent; `send` then does the rest,
and may be called again with the same address by any process. Where the offset stands is always Stream's word: from
the answer to a chunk, or asked for after every failure, never computed here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urljoin

from curri.stream import chunks, failures, notes
from curri.stream.account import host_of
from curri.stream.artefact import BLOCK, Artefact, OpenArtefact
from curri.stream.client import Answer, Ask, Body, Client, Exchange
from curri.stream.held import UID
from curri.stream.pause import Stop, Stopped, stopped
from curri.stream.retry import passing
from curri.stream.secret import Secret
from curri.stream.watchdog import Guard

VERSION: Final = {"Tus-Resumable": "1.0.0"}
LARGEST_FILE: Final = 30 * 2**30
"""Bytes. Cloudflare's FAQ says 30 GB; whether that is 30 * 10^9 or 30 * 2^30 is not documented, so only what exceeds
both is refused here, and the rest is left to Stream."""
LARGEST_METADATA: Final = 8_000
"""Bytes of the `Upload-Metadata` header. No bound is documented; common web servers take 8 KiB."""
LARGEST_CREATOR: Final = 64
"""Characters of `Upload-Creator` (Cloudflare's page on creator ids)."""

# Keys that mean something to Stream. Its own sources spell them in two ways, so the case may not matter.
_OPTIONS = frozenset(
    {
        "allowedorigins",
        "expiry",
        "maxdurationseconds",
        "requiresignedurls",
        "scheduleddeletion",
        "thumbnailtimestamppct",
        "watermark",
    }
)
_KEY = re.compile(r"[!-+\--~]+")  # ASCII without blank and comma
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, slots=True)
class Created:
    """An open upload on Stream. To be committed before anything is sent."""

    uid: str
    url: Secret
    """Where the bytes go, byte for byte as Stream gave it. Whoever has it may write to the upload."""
    expires: datetime | None
    """From `Upload-Expires`, where Stream sends it. Without it, `uploadExpiry` of the video tells."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A file whose bytes Stream acknowledged, every one. That says nothing of how it will encode."""

    size: int
    resumed_at: int
    """Bytes that were there already."""
    bytes_sent: int
    """Bytes handed to the network this time, those sent twice included."""
    chunk_size: int
    """What the connection bore in the end: begin the next file with it."""


def encoded(metadata: Mapping[str, str], **options: str) -> str:
    """The value of `Upload-Metadata`: what shall be kept with the video, and options that Stream obeys.

    Keys are ASCII, values any text (sent as UTF-8). Raises ValueError for a key that tus cannot carry, or that Stream
    would take for an option (`name` is both, and meant), and Refused if the whole is longer than servers take.
    """
    for key in metadata:
        if not _KEY.fullmatch(key) or key.lower() in _OPTIONS:
            raise ValueError(f"not a key for metadata: {key!r}")
    pairs = (
        f"{key} {base64.b64encode(value.encode()).decode()}" if value else key
        for key, value in {**metadata, **options}.items()
    )
    header = ",".join(pairs)
    if len(header) > LARGEST_METADATA:
        raise failures.Refused(
            f"the metadata of the video is too long to be sent ({len(header):,} bytes)",
            hint="shorten the titles of the course and the lesson",
        )
    return header


class Uploads:
    """Creates uploads and fills them. Making one asks nobody; one serves all threads."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(
        self,
        size: int,
        metadata: Mapping[str, str],
        *,
        seconds: int,
        creator: str | None = None,
        stop: Stop | None = None,
    ) -> Created:
        """Open an upload of `size` bytes for a video that lasts at most `seconds`.

        `seconds` reserves that many seconds of the account's minutes until the upload ends; without it Stream
        reserves hours. A second call makes a second video. Only failures that had no effect for sure are tried
        again; after any other, CreationUnknown says that the upload may exist: find it by its metadata
        (`Videos.created_with`) before creating another. Raises QuotaExceeded, TooManyProcessing, TooLarge, Refused,
        StreamUnavailable (then nothing was created), ConfigError, Stopped.
        """
        if size < 1 or seconds < 1:
            raise ValueError("an upload has at least one byte and lasts at least one second")
        if creator is not None and not (creator.isascii() and 0 < len(creator) <= LARGEST_CREATOR):
            raise ValueError("a creator has 1 to 64 ASCII characters")
        if size > LARGEST_FILE:
            raise failures.failure(failures.TooLarge, f"a file of {size:,} bytes is more than Stream takes")
        headers = VERSION | {
            "Upload-Length": str(size),
            "Upload-Metadata": encoded(metadata, maxdurationseconds=str(seconds)),
        }
        if creator is not None:
            headers["Upload-Creator"] = creator
        stop = stop or self._client.stop
        # No body and no content type: clients that sent a JSON type were refused.
        ask = replace(self._client.of_account(Exchange.CREATE, "POST", "/stream"), headers=headers, enveloped=False)
        attempts = self._client.attempts(stop, again=_had_no_effect)
        try:
            answer = attempts(partial(self._client.exchange, ask, stop))
        except failures.Passing as lost:
            if lost.harmless:
                raise
            raise failures.failure(
                failures.CreationUnknown, f"whether the upload was created is not known: {lost.message}", where=ask.what
            ) from lost
        created = _created(answer, ask)
        if created is None:
            raise failures.failure(
                failures.CreationUnknown,
                "Stream created an upload, and did not say where or under which id",
                where=ask.what,
            )
        return created

    def offset(self, url: Secret, *, size: int, stop: Stop | None = None) -> int:
        """How many bytes of the upload Stream holds. Raises NotFound (or Gone) when it holds no such upload,
        WrongUpload when it is for a file of another size, UploadForbidden, StreamUnavailable, ConfigError, Stopped.
        """
        stop = stop or self._client.stop
        return self._client.attempts(stop)(partial(self.ask_offset, url, size, stop))

    def ask_offset(self, url: Secret, size: int, stop: Stop) -> int:
        """`offset`, asked once."""
        ask = replace(self._client.at_upload(Exchange.OFFSET, "HEAD", url), headers=VERSION)
        answer = self.exchange(ask, stop)
        length = answer.headers.get("upload-length", str(size)).strip()
        offset = _offset(answer, ask)
        if length != str(size) or offset > size:
            raise failures.failure(
                failures.WrongUpload, f"the upload is for a file of {length} bytes, not {size}", where=ask.what
            )
        return offset

    def exchange(self, ask: Ask, stop: Stop) -> Answer:
        """One request to an upload. What it answers to a bad token it may as well answer for an upload that is gone
        (tus allows 403 for that; what Stream does is not documented). So the token is tried elsewhere: if it is good,
        the failure is UploadForbidden and concerns this upload alone.
        """
        try:
            return self._client.exchange(ask, stop)
        except failures.Credentials as refused:
            if self._client.account.takes_token(ask.url.reveal()):
                self._client.call(self._client.of_account(Exchange.VERIFY, "GET", "/stream", limit="1"), stop)
            raise failures.failure(failures.UploadForbidden, refused.message, where=ask.what) from refused

    def send(
        self,
        url: Secret,
        artefact: Artefact,
        *,
        offset: int | None = None,
        chunk_size: int = chunks.USUAL,
        on_acknowledged: Callable[[int], None] | None = None,
        stop: Stop | None = None,
    ) -> Sent:
        """Send what is missing of `artefact`, and return when Stream has acknowledged every byte.

        `offset` is given (0) only right after the creation; otherwise it is asked for, and so is one that leaves
        nothing to send. `on_acknowledged` is called
        in this thread with each new offset that Stream names, rarely a smaller one than before. Sending again what is
        there already sends nothing.

        Raises Stopped (with the offset acknowledged last) on a stop: after the chunk in flight, or at once when
        aborting; FileChanged before a chunk of a changed file is complete; NotFound, Gone or UploadForbidden when the
        upload cannot be used any more: look at the video by its uid then, since the failure of the last answer looks
        the same; WrongUpload; QuotaExceeded, TooManyProcessing or Refused as Stream says; StreamUnavailable when
        patience is over; ConfigError. After any of them the upload stands where it stood, and a later call goes on.
        """
        stop = stop or self._client.stop
        sending = _Sending(self, self._client, url, artefact, chunks.checked(chunk_size), stop)
        sending.on_acknowledged = on_acknowledged
        return sending.run(offset)


def _created(answer: Answer, ask: Ask) -> Created | None:
    """What the answer to a creation says; None if it lacks a part, which leaves an upload that nobody can fill."""
    uid = answer.headers.get("stream-media-id", "")  # never from the address: Cloudflare warns against it
    location = answer.headers.get("location", "")
    asked = ask.url.reveal()
    try:
        url = location if _SCHEME.match(location) else urljoin(asked, location)
    except ValueError:
        return None
    secure = url.lower().startswith("https://") or not asked.lower().startswith("https://")
    if not UID.fullmatch(uid) or not location or host_of(url) is None or not secure:
        return None
    expires = notes.http_date(answer.headers.get("upload-expires", ""))
    return Created(uid, Secret(url), None if expires is None else datetime.fromtimestamp(expires, UTC))


class _Sending:
    """One call of `send`."""

    def __init__(
        self, uploads: Uploads, client: Client, url: Secret, artefact: Artefact, chunk_size: int, stop: Stop
    ) -> None:
        self._uploads = uploads
        self._client = client
        self._url = url
        self._artefact = artefact
        self._chunk_size = chunk_size
        self.stop = stop
        self.on_acknowledged: Callable[[int], None] | None = None
        self._stuck = 0  # failed chunks since bytes got through
        self._bytes_sent = 0
        self._resumed_at = 0

    def run(self, offset: int | None) -> Sent:
        if offset is not None and not 0 <= offset < self._artefact.size:
            offset = None  # that all is there must have been seen, not said
        self._offset = offset  # None: not known, ask
        self._best = offset  # the largest that Stream has named
        self._told = offset
        self._attempts = self._client.attempts(self.stop, again=_passing_here)
        try:
            with self._artefact.opened() as opened:
                self._attempts(partial(self._send_rest, opened))
        except Stopped as ended:
            ended.offset = self._best
            raise
        return Sent(self._artefact.size, self._resumed_at, self._bytes_sent, self._chunk_size)

    def _send_rest(self, opened: OpenArtefact) -> None:
        """One attempt: everything that is missing. A failure leaves the offset unknown, so the next one asks."""
        offset = self._offset
        if offset is None:
            offset = self._uploads.ask_offset(self._url, self._artefact.size, self.stop)
            if self._best is None:
                self._resumed_at = offset
            self._acknowledged(offset)
        while offset < self._artefact.size:
            offset = self._send_chunk(opened, offset)

    def _send_chunk(self, opened: OpenArtefact, begin: int) -> int:
        """Send one chunk; the offset that Stream names then."""
        # An offset that is no multiple of 256 KiB would need a rule of its own; none is documented, and a server
        # that keeps whole units never names one.
        end = min(begin + self._chunk_size, self._artefact.size)
        self._offset = None
        ask = replace(
            self._client.at_upload(Exchange.SEND, "PATCH", self._url),
            headers=VERSION | {"Upload-Offset": str(begin), "Content-Type": "application/offset+octet-stream"},
            body=Body(end - begin, partial(self._blocks, opened, begin, end)),
            seconds=self._client.conduct.timeouts.stored,
        )
        try:
            answer = self._uploads.exchange(ask, self.stop)
        except failures.SlowChunk:
            self._chunk_size = chunks.smaller(self._chunk_size)
            raise
        except failures.TooLarge as refused:
            # 413 is what a proxy answers to a request that is too large for it: the chunk may be, not the file.
            if end - begin <= chunks.SMALLEST:
                raise
            self._chunk_size = chunks.smaller(self._chunk_size)
            raise failures.failure(failures.SlowChunk, refused.message, where=ask.what) from refused
        except (failures.ConnectionLost, failures.ServerTrouble):
            # Whether Stream keeps the first part of a chunk that was cut is not known. If it keeps nothing, a line
            # that breaks every minute never carries a chunk that takes longer: the second time, take smaller ones.
            self._stuck += 1
            if self._stuck > 1:
                self._chunk_size = chunks.smaller(self._chunk_size)
            raise
        stands = _offset(answer, ask)
        if stands > end:
            raise failures.failure(
                failures.Conflict, f"Stream holds {stands} bytes of {end} that were sent", where=ask.what
            )
        self._acknowledged(stands)
        if stands <= begin:
            raise failures.failure(failures.NothingTaken, "Stream took no byte of a chunk", where=ask.what)
        return stands

    def _blocks(self, opened: OpenArtefact, begin: int, end: int, guard: Guard) -> Iterator[bytes]:
        """The bytes of a chunk. Before the last block the file is looked at again: of a file that changed meanwhile
        no chunk is ever completed, so Stream never begins to encode it.
        """
        conduct = self._client.conduct
        step = conduct.bandwidth.block(BLOCK)
        stall = conduct.timeouts.stall
        at = begin
        while at < end:
            if self.stop.aborting:
                raise stopped()
            block = opened.read(at, min(step, end - at))
            at += len(block)
            if at == end:
                opened.check()
            conduct.bandwidth.take(len(block), self.stop, partial(guard.expect, stall))
            guard.expect(stall)
            yield block
            self._bytes_sent += len(block)
        guard.expect(conduct.timeouts.stored)

    def _acknowledged(self, offset: int) -> None:
        self._offset = offset
        if self._best is None or offset > self._best:
            self._best = offset
            self._stuck = 0
            self._attempts.advanced()
        if self.on_acknowledged is not None and offset != self._told:
            self._told = offset
            self.on_acknowledged(offset)


def _had_no_effect(failure: BaseException) -> bool:
    return isinstance(failure, failures.Passing) and failure.harmless


def _passing_here(failure: BaseException) -> bool:
    """In the middle of an upload a conflict passes too: the offset is asked for, and sending goes on from there."""
    return passing(failure) or isinstance(failure, failures.Conflict)


def _offset(answer: Answer, ask: Ask) -> int:
    """How many bytes Stream holds, by its answer. Raises Garbled if that is not said."""
    offset = _number(answer.headers.get("upload-offset"))
    if offset is None:
        raise failures.failure(failures.Garbled, "Stream did not say how many bytes it holds", where=ask.what)
    return offset


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None
