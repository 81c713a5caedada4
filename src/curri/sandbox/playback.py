"""Plays back what was uploaded: a page, a picture, two manifests and the bytes themselves.

Nothing is encoded here: every rendition is the file as it came. A browser plays it if it knows the format.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import secrets
from html import escape

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response

from curri.sandbox.account import Account
from curri.sandbox.answers import BAD_REQUEST, Refusal, envelope
from curri.sandbox.clock import SECOND
from curri.sandbox.form import json_object
from curri.sandbox.video import Video

_HOUR = 3600
_LONGEST_TOKEN = 24 * _HOUR


class Playback:
    """The public routes of a video, and what hands out access to them.

    Signed access is a stand-in: the tokens are JWTs with HS256 and a key of this sandbox, where Stream signs with
    RS256. They look and travel the same, but no real key verifies them.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        key = account.store.setting("playback_key")
        if key is None:
            key = secrets.token_hex(32)
            account.store.set("playback_key", key)
        self._key = key.encode()

    async def watch(self, request: Request) -> Response:
        """A page with a player."""
        video, handle = await self._playable(request)
        title = escape(video.name or video.uid)
        page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 0; background: #111; color: #eee; font: 1rem system-ui; text-align: center }}
video {{ width: 100%; max-height: 90vh; background: #000 }}</style></head>
<body><video controls preload="metadata" poster="/{handle}/thumbnails/thumbnail.jpg"
src="/{handle}/downloads/default.mp4"></video><p>{title}</p></body></html>
"""
        return HTMLResponse(page)

    async def download(self, request: Request) -> Response:
        """The bytes, whole or in ranges."""
        video, _ = await self._playable(request)
        return FileResponse(self._account.store.file(video.uid), media_type=video.media_type)

    async def thumbnail(self, request: Request) -> Response:
        """A drawing with the name of the video, in place of one of its pictures."""
        video, _ = await self._playable(request)
        width, height = (video.width, video.height) if video.width > 0 else (640, 360)
        name = escape(video.name or video.uid)
        size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        font = f'font-size="{max(height // 12, 6)}" font-family="sans-serif"'
        picture = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}><rect width="100%" height="100%" fill="#222"/>'
            f'<text x="50%" y="50%" fill="#eee" text-anchor="middle" {font}>{name}</text></svg>'
        )
        return Response(picture, media_type="image/svg+xml")

    async def hls(self, request: Request) -> Response:
        """A playlist of one segment: the file."""
        video, _ = await self._playable(request)
        playlist = (
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n"
            f"#EXT-X-TARGETDURATION:{max(1, math.ceil(video.duration))}\n"
            f"#EXTINF:{video.duration:.3f},\n../downloads/default.mp4\n#EXT-X-ENDLIST\n"
        )
        return Response(playlist, media_type="application/vnd.apple.mpegurl")

    async def dash(self, request: Request) -> Response:
        """A manifest of one representation: the file."""
        video, _ = await self._playable(request)
        length = f"PT{video.duration:.3f}S"
        rate = max(1, round(video.received * 8 / max(video.duration, 0.001)))
        manifest = f"""<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"
 mediaPresentationDuration="{length}" minBufferTime="PT2S">
<Period><AdaptationSet contentType="video" mimeType="{video.media_type}">
<Representation id="0" bandwidth="{rate}" width="{video.width}" height="{video.height}">
<BaseURL>../downloads/default.mp4</BaseURL>
</Representation></AdaptationSet></Period></MPD>
"""
        return Response(manifest, media_type="application/dash+xml")

    async def embed(self, request: Request) -> Response:
        """A snippet for a page."""
        video = await self._account.requested(request)
        address = escape(f"{self._account.origin}/{video.uid}/iframe", quote=True)
        return HTMLResponse(f'<iframe src="{address}" allowfullscreen style="border: none"></iframe>\n')

    async def token(self, request: Request) -> Response:
        """A token that takes the place of the uid in playback addresses, for an hour unless asked otherwise."""
        given = await json_object(request, optional=True)
        video = await self._account.requested(request)
        now = self._account.clock.now() // SECOND
        ends, begins = given.get("exp", now + _HOUR), given.get("nbf", now - _HOUR)
        if not isinstance(ends, int) or not isinstance(begins, int) or not now < ends <= now + _LONGEST_TOKEN:
            raise Refusal(400, BAD_REQUEST, "exp and nbf are seconds since 1970, exp at most 24 hours from now")
        claims = {"sub": video.uid, "kid": "sandbox", "exp": ends, "nbf": begins}
        claims |= {key: given[key] for key in ("downloadable", "accessRules") if key in given}
        return envelope({"token": self._sign(claims)})

    async def downloads(self, request: Request) -> Response:
        """Asks for an MP4 (POST), tells of it (GET) or ends it (DELETE). It is ready at once."""
        video = await self._account.requested(request)
        if request.path_params.get("kind", "default") != "default":
            raise Refusal(400, BAD_REQUEST, "the sandbox extracts no audio: only the default download is there")
        if request.method == "DELETE":
            self._account.store.update(video.uid, download=False)
            return envelope("")
        wanted = video.download or request.method == "POST"
        if request.method == "POST":
            if video.phase not in ("ready", "complete"):
                raise Refusal(400, BAD_REQUEST, "the video must be ready before it can be downloaded")
            self._account.store.update(video.uid, download=True)
        url = f"{self._account.origin}/{video.uid}/downloads/default.mp4"
        return envelope({"default": {"status": "ready", "url": url, "percentComplete": 100.0}} if wanted else {})

    async def _playable(self, request: Request) -> tuple[Video, str]:
        """The video of an address, which names it by uid or by token. Refuses with 401, 404 or 424."""
        await self._account.processing.settle()
        handle = request.path_params["uid"]
        signed = "." in handle
        video = self._account.store.get(self._verified(handle) if signed else handle)
        if video is None or video.phase == "expired":
            raise Refusal(404, None, "there is no such video")
        if video.require_signed and not signed:
            raise Refusal(401, None, "this video needs a signed address")
        if video.phase == "error":
            raise Refusal(424, None, "this video could not be processed")
        if not video.ready_to_stream or not self._account.store.file(video.uid).exists():
            raise Refusal(404, None, "this video cannot be played yet")
        return video, handle

    def _sign(self, claims: dict[str, object]) -> str:
        head = _packed({"alg": "HS256", "kid": "sandbox", "typ": "JWT"})
        body = _packed(claims)
        return f"{head}.{body}.{self._seal(head, body)}"

    def _seal(self, head: str, body: str) -> str:
        return _plain64(hmac.new(self._key, f"{head}.{body}".encode(), hashlib.sha256).digest())

    def _verified(self, token: str) -> str:
        head, _, rest = token.partition(".")
        body, _, seal = rest.partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(head, body).encode()):
            raise Refusal(401, None, "the token is not one of this sandbox")
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if not claims["nbf"] <= self._account.clock.now() // SECOND < claims["exp"]:
            raise Refusal(401, None, "the token is not valid now")
        return str(claims["sub"])


async def front(_request: Request) -> Response:
    """What a person sees who opens the bare address."""
    return PlainTextResponse(
        "A local Cloudflare Stream. The API begins at /client/v4, its controls at /__sandbox__/.\n"
    )


async def verify_token(_request: Request) -> Response:
    """The check of a token; whoever gets here has a good one."""
    return JSONResponse(
        {
            "result": {"id": "sandbox", "status": "active"},
            "success": True,
            "errors": [],
            "messages": [{"code": 10000, "message": "This API Token is valid and active", "type": None}],
        }
    )


async def not_here(request: Request) -> Response:
    """What Stream has and the sandbox has not."""
    what = request.url.path.rpartition("/")[2]
    raise Refusal(400, BAD_REQUEST, f"the sandbox does not do {what}")


def _packed(value: object) -> str:
    return _plain64(json.dumps(value, separators=(",", ":")).encode())


def _plain64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
