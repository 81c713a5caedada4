"""Bodies of requests: JSON objects, and multipart forms read piece by piece in flat memory."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

from starlette.requests import Request

from curri.sandbox.answers import BAD_REQUEST, DECODING_ERROR, Refusal

_HEADERS_LIMIT = 16_384
_NO_STREAM = "the body could not be decoded as a form; let the HTTP library set Content-Type with its boundary"


async def json_object(request: Request, *, optional: bool = False) -> dict[str, Any]:
    """The JSON object in a body; {} for an empty one where it is optional. Refuses with 400 what is none."""
    body = await request.body()
    if optional and not body.strip():
        return {}
    try:
        given = json.loads(body)
    except ValueError as error:
        raise Refusal(400, DECODING_ERROR, f"the body is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise Refusal(400, BAD_REQUEST, "the body must be a JSON object")
    return given


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of one part of a form; a part has one piece at least, however empty."""

    name: str
    filename: str | None
    data: bytes


async def pieces(request: Request) -> AsyncIterator[Piece]:
    """The parts of a multipart body as they arrive. Refuses with 400 and code 10004 what is no form."""
    described = Message()
    described["Content-Type"] = request.headers.get("content-type", "")
    boundary = described.get_param("boundary")
    if described.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise Refusal(400, DECODING_ERROR, _NO_STREAM)
    # A line break in front lets the very first boundary be found like every other one.
    form = _Form(request.stream(), b"\r\n--" + boundary.encode("latin-1"), bytearray(b"\r\n"))
    await form.skip_to_boundary()
    while await form.another_part():
        name, filename = await form.headers()
        empty = True
        async for data in form.data():
            empty = False
            yield Piece(name, filename, data)
        if empty:
            yield Piece(name, filename, b"")


class _Form:
    """Reads a multipart body from left to right."""

    def __init__(self, stream: AsyncIterator[bytes], mark: bytes, buffer: bytearray) -> None:
        self._stream = stream
        self._mark = mark
        self._buffer = buffer

    async def skip_to_boundary(self) -> None:
        """Passes over what stands before the first part."""
        async for _ in self.data():
            continue

    async def another_part(self) -> bool:
        """Whether a part follows the boundary just read."""
        while len(self._buffer) < 2:
            await self._more()
        following = bytes(self._buffer[:2])
        del self._buffer[:2]
        if following not in (b"\r\n", b"--"):
            raise Refusal(400, DECODING_ERROR, _NO_STREAM)
        return following == b"\r\n"

    async def headers(self) -> tuple[str, str | None]:
        """Name and file name of the part that begins here."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _HEADERS_LIMIT:
                raise Refusal(400, DECODING_ERROR, _NO_STREAM)
            await self._more()
        text = bytes(self._buffer[:end]).decode("utf-8", "replace")
        del self._buffer[: end + 4]
        described = Message()
        for line in text.split("\r\n"):
            key, _, value = line.partition(":")
            if re.fullmatch(r"[\w-]+", key):
                described[key] = value.strip()
        name = described.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise Refusal(400, DECODING_ERROR, _NO_STREAM)
        return name, described.get_filename()

    async def data(self) -> AsyncIterator[bytes]:
        """The bytes up to the next boundary, which is read too."""
        keep = len(self._mark) - 1
        while (end := self._buffer.find(self._mark)) < 0:
            if len(self._buffer) > keep:
                # Only the last bytes can be the beginning of a boundary.
                sure = bytes(self._buffer[:-keep])
                del self._buffer[:-keep]
                yield sure
            await self._more()
        if end:
            yield bytes(self._buffer[:end])
        del self._buffer[: end + len(self._mark)]

    async def _more(self) -> None:
        try:
            self._buffer += await anext(self._stream)
        except StopAsyncIteration:
            raise Refusal(400, DECODING_ERROR, _NO_STREAM) from None
