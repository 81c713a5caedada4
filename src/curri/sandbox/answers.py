"""What the sandbox says: Cloudflare's envelope, its refusals, and the pages that stand in for an edge that failed."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

EDGE_STATUSES = frozenset({502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses that come from in front of the API, as HTML."""

NOT_FOUND = 10003
DECODING_ERROR = 10004
BAD_REQUEST = 10005
CAPACITY_EXCEEDED = 10011
NON_VIDEO = 10059
AUTHENTICATION_ERROR = 10000
THROTTLED = 971

_WORDS = {
    NOT_FOUND: "Not Found",
    DECODING_ERROR: "Decoding Error",
    BAD_REQUEST: "Bad Request",
    CAPACITY_EXCEEDED: "Storage capacity exceeded",
    NON_VIDEO: "The file was not recognized as a valid video file",
    AUTHENTICATION_ERROR: "Authentication error",
    THROTTLED: "Please wait and consider throttling your request speed",
}


class Refusal(Exception):
    """A request that is answered with an error; raised anywhere below a route and rendered by `refused`.

    `detail` is the specific reason. Stream puts it in `messages`, and without one `messages` is null, which clients
    must survive. `code` None gives a plain text answer, as tus has it.
    """

    def __init__(
        self,
        status: int,
        code: int | None = None,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, object]] | None = None,
    ) -> None:
        super().__init__(f"{status} {code or ''} {detail or ''}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = errors


def disk_refusal(error: OSError) -> Refusal:
    """What is said when the sandbox cannot store what it is given."""
    return Refusal(500, 10500, f"the sandbox's disk refuses: {error.strerror}")


def envelope(result: object, **beside: object) -> JSONResponse:
    """A success: `result` in Cloudflare's envelope, with further keys beside it."""
    return JSONResponse({"result": result, "success": True, "errors": [], "messages": [], **beside})


def refused(refusal: Refusal) -> Response:
    """The answer for a refusal."""
    if refusal.code is None:
        return PlainTextResponse(f"{refusal.detail or ''}\n", refusal.status, refusal.headers)
    message = _WORDS.get(refusal.code, refusal.detail or "Error")
    reason = None if refusal.detail is None else [{"code": refusal.code, "message": refusal.detail}]
    body = {
        "result": None,
        "success": False,
        "errors": refusal.errors or [{"code": refusal.code, "message": message}],
        "messages": reason,
    }
    return JSONResponse(body, refusal.status, refusal.headers)


def edge_page(status: int) -> HTMLResponse:
    """The page of a proxy in front of the API: HTML, whatever was asked for."""
    words = _phrase(status)
    page = f"<html><head><title>{status} {words}</title></head><body><h1>{status} {words}</h1></body></html>\n"
    return HTMLResponse(page, status)


def canned(status: int, *, plain: bool, retry_after: int | None = None) -> Response:
    """The answer a fault gives: HTML from the edge, tus's plain text, or an envelope."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if status in EDGE_STATUSES:
        page = edge_page(status)
        page.headers.update(headers)
        return page
    words = _phrase(status)
    if plain:
        return PlainTextResponse(f"{words.lower()}\n", status, headers)
    code = THROTTLED if status == 429 else 10_000 + status
    return refused(Refusal(status, code, words, headers=headers))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Web server is returning an unknown error" if status == 520 else "Error"


async def on_refusal(_request: Request, error: Exception) -> Response:
    """Starlette's hook for a `Refusal` raised below a route."""
    if not isinstance(error, Refusal):
        raise error
    return refused(error)


async def on_http_error(_request: Request, error: Exception) -> Response:
    """Starlette's hook for a path or a method that no route takes: the gateway's words, not Stream's."""
    status = getattr(error, "status_code", 500)
    if status == 405:
        return refused(Refusal(405, 10405, "Method not allowed"))
    errors: list[dict[str, object]] = [
        {"code": 7003, "message": "Could not route to the requested path, perhaps your object identifier is invalid?"},
        {"code": 7000, "message": "No route for that URI"},
    ]
    return refused(Refusal(status, 7003, errors=errors))


async def on_disconnect(_request: Request, _error: Exception) -> Response:
    """Starlette's hook for a client that went away: nobody reads this answer."""
    return Response(status_code=400)
