"""Captions: one WebVTT text for each language of a video."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from curri.sandbox.account import Account
from curri.sandbox.answers import BAD_REQUEST, DECODING_ERROR, NOT_FOUND, Refusal, envelope
from curri.sandbox.form import pieces
from curri.sandbox.video import Video

LARGEST_CAPTION = 10 * 1024 * 1024
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_LABELS = {
    "cs": "čeština",
    "de": "Deutsch",
    "en": "English",
    "en-GB": "British English",
    "es": "español",
    "fr": "français",
    "it": "italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "pl": "polski",
    "pt": "português",
    "ru": "русский",
    "uk": "українська",
}


class Captions:
    """The routes of captions."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def list(self, request: Request) -> Response:
        """Every caption of a video."""
        video = await self._account.requested(request)
        return envelope([_caption(language, label) for language, label in self._account.store.captions(video.uid)])

    async def get(self, request: Request) -> Response:
        """One caption."""
        video = await self._account.requested(request)
        language = request.path_params["language"]
        for found, label in self._account.store.captions(video.uid):
            if found == language:
                return envelope(_caption(found, label))
        raise Refusal(404, NOT_FOUND)

    async def put(self, request: Request) -> Response:
        """Sets the caption of a language, from a form with a part or a field `file`."""
        video = await self._account.requested(request)
        language = request.path_params["language"]
        if not _LANGUAGE.fullmatch(language):
            raise Refusal(400, BAD_REQUEST, "the language must be a BCP 47 tag")
        if video.phase == "pending" or (self._account.settings.captions_need_ready and not video.ready_to_stream):
            raise Refusal(400, BAD_REQUEST, "the video must be uploaded before it gets captions")
        text = await _text(request)
        if not text.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT"):
            raise Refusal(400, BAD_REQUEST, "captions must be a WebVTT file")
        label = _LABELS.get(language) or _LABELS.get(language.partition("-")[0]) or language
        self._account.store.put_caption(video.uid, language, label, text)
        return envelope(_caption(language, label))

    async def delete(self, request: Request) -> Response:
        """Deletes the caption of a language."""
        video, language, _ = await self._found(request)
        self._account.store.delete_caption(video.uid, language)
        return envelope("")

    async def vtt(self, request: Request) -> Response:
        """The text of a caption."""
        _, _, text = await self._found(request)
        return Response(text, media_type="text/vtt")

    async def _found(self, request: Request) -> tuple[Video, str, bytes]:
        video = await self._account.requested(request)
        language = request.path_params["language"]
        text = self._account.store.caption_text(video.uid, language)
        if text is None:
            raise Refusal(404, NOT_FOUND)
        return video, language, text


async def _text(request: Request) -> bytes:
    text = bytearray()
    found = False
    async for piece in pieces(request):
        if piece.name == "file":
            found = True
            text += piece.data
            if len(text) > LARGEST_CAPTION:
                raise Refusal(413, BAD_REQUEST, "captions may have at most 10 MB")
    if not found:
        raise Refusal(400, DECODING_ERROR, "the form has no part named file")
    return bytes(text)


def _caption(language: str, label: str) -> dict[str, object]:
    return {"language": language, "label": label, "generated": False, "status": "ready"}
