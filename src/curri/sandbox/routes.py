"""Which path goes where."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from curri.sandbox.account import Account
from curri.sandbox.answers import Refusal, on_disconnect, on_http_error, on_refusal
from curri.sandbox.captions import Captions
from curri.sandbox.control import Control
from curri.sandbox.gate import API, CONTROL, Gate
from curri.sandbox.ingest import Ingest
from curri.sandbox.library import Library
from curri.sandbox.playback import Playback, front, not_here, verify_token
from curri.sandbox.tus import Tus
from curri.sandbox.webhook import WebhookRoutes

_ELSEWHERE = ("copy", "clip", "keys", "watermarks", "live_inputs")
"""Words below /stream that are no uid: parts of Stream that are left out."""


def application(account: Account) -> Gate:
    """The whole sandbox as one ASGI application."""
    app = Starlette(
        routes=[*_uploads(account), *_library(account), *_public(account), *_control(account)],
        exception_handlers={
            Refusal: on_refusal,
            HTTPException: on_http_error,
            ClientDisconnect: on_disconnect,
        },
    )
    app.router.redirect_slashes = False
    return Gate(account, app)


def _uploads(account: Account) -> list[BaseRoute]:
    tus, ingest = Tus(account), Ingest(account)
    stream = f"{API}/accounts/{{account}}/stream"

    async def post(request: Request) -> Response:
        # One path, two protocols: the header tells which.
        return await (tus.create(request) if "tus-resumable" in request.headers else ingest.basic(request))

    routes: list[BaseRoute] = [
        Route(stream, post, methods=["POST"]),
        Route(f"{stream}/direct_upload", ingest.direct, methods=["POST"]),
        Route("/upload/{uid}", ingest.form, methods=["POST", "PATCH", "PUT"]),
    ]
    for path in (f"{API}/accounts/{{account}}/media/{{uid}}", "/tus/{uid}"):
        routes += [Route(path, tus.patch, methods=["PATCH"]), Route(path, tus.head, methods=["HEAD"])]
    return routes


def _library(account: Account) -> list[BaseRoute]:
    library, captions, playback = Library(account), Captions(account), Playback(account)
    webhook = WebhookRoutes(account.store, account.clock)
    stream = f"{API}/accounts/{{account}}/stream"
    video = f"{stream}/{{uid}}"
    caption = f"{video}/captions/{{language}}"
    routes: list[BaseRoute] = [
        Route(f"{API}/user/tokens/verify", verify_token),
        Route(f"{API}/accounts/{{account}}/tokens/verify", verify_token),
        Route(stream, library.list),
        Route(f"{stream}/storage-usage", library.usage),
        Route(f"{stream}/webhook", webhook.put, methods=["PUT"]),
        Route(f"{stream}/webhook", webhook.get),
        Route(f"{stream}/webhook", webhook.delete, methods=["DELETE"]),
    ]
    for word in _ELSEWHERE:
        routes += [Route(f"{stream}/{word}", not_here, methods=["GET", "POST"])]
    routes += [
        Route(video, library.get),
        Route(video, library.edit, methods=["POST"]),
        Route(video, library.delete, methods=["DELETE"]),
        Route(f"{video}/token", playback.token, methods=["POST"]),
        Route(f"{video}/embed", playback.embed),
        Route(f"{video}/downloads", playback.downloads, methods=["GET", "POST", "DELETE"]),
        Route(f"{video}/downloads/{{kind}}", playback.downloads, methods=["POST", "DELETE"]),
        Route(f"{video}/audio", not_here, methods=["GET", "POST"]),
        Route(f"{video}/captions", captions.list),
        Route(caption, captions.get),
        Route(caption, captions.put, methods=["PUT"]),
        Route(caption, captions.delete, methods=["DELETE"]),
        Route(f"{caption}/vtt", captions.vtt),
        Route(f"{caption}/generate", not_here, methods=["POST"]),
    ]
    return routes


def _public(account: Account) -> list[BaseRoute]:
    playback = Playback(account)
    return [
        Route("/", front),
        Route("/{uid}/watch", playback.watch),
        Route("/{uid}/iframe", playback.watch),
        Route("/{uid}/downloads/default.mp4", playback.download),
        Route("/{uid}/thumbnails/thumbnail.jpg", playback.thumbnail),
        Route("/{uid}/thumbnails/thumbnail.gif", playback.thumbnail),
        Route("/{uid}/manifest/video.m3u8", playback.hls),
        Route("/{uid}/manifest/video.mpd", playback.dash),
    ]


def _control(account: Account) -> list[BaseRoute]:
    control = Control(account)
    return [
        Route(f"{CONTROL}/faults", control.faults, methods=["GET", "POST", "DELETE"]),
        Route(f"{CONTROL}/requests", control.requests, methods=["GET", "DELETE"]),
        Route(f"{CONTROL}/clock", control.clock, methods=["GET", "POST"]),
        Route(f"{CONTROL}/videos", control.videos, methods=["GET", "POST"]),
        Route(f"{CONTROL}/deliveries", control.deliveries),
    ]
