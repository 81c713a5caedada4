"""The door: every request is written down, meets its fault, shows its token and is counted before a route sees it."""

from __future__ import annotations

import hmac
import re

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from curri.sandbox.account import Account
from curri.sandbox.answers import AUTHENTICATION_ERROR, Refusal, refused
from curri.sandbox.connection import SCOPE_KEY as CONNECTION
from curri.sandbox.exchange import Exchange
from curri.sandbox.metadata import parse_metadata
from curri.sandbox.store import UID

API = "/client/v4"
CONTROL = "/__sandbox__"

_ACCOUNT_PATH = re.compile(rf"{API}/accounts/([^/]+)(/.*)?", re.DOTALL)
_BELOW_STREAM = re.compile(r"/stream/([^/]+)(?:/([^/]+))?.*", re.DOTALL)
_OPEN_UPLOAD = re.compile(r"/(tus|upload)/([^/]+)")

_WORDS_BELOW_STREAM = {"direct_upload": "direct", "storage-usage": "usage", "webhook": "webhook"}
_AT_STREAM = {"GET": "list", "HEAD": "list"}
_AT_VIDEO = {"GET": "get", "HEAD": "get", "POST": "edit", "DELETE": "delete"}
_BELOW_VIDEO = {"captions": "captions", "downloads": "downloads", "token": "token", "embed": "embed"}
_TUS_METHODS = {"PATCH": "patch", "HEAD": "head"}


def kind_of(method: str, path: str, *, tus: bool) -> tuple[str, str | None]:
    """What a request is about (see `faults.KINDS`), and the uid in its path."""
    opened = _OPEN_UPLOAD.fullmatch(path)
    if opened is not None:
        kind = _TUS_METHODS.get(method, "other") if opened[1] == "tus" else "form"
        return kind, opened[2]
    if not path.startswith(API):
        uid = path.split("/")[1]
        return "play", uid if UID.fullmatch(uid) else None
    if path.endswith("/tokens/verify"):
        return "verify", None
    account = _ACCOUNT_PATH.fullmatch(path)
    below = (account[2] or "") if account else ""
    if below.startswith("/media/"):
        return _TUS_METHODS.get(method, "other"), below.removeprefix("/media/")
    if below == "/stream":
        creation = "create" if tus else "basic"
        return _AT_STREAM.get(method, creation if method == "POST" else "other"), None
    stream = _BELOW_STREAM.fullmatch(below)
    if stream is None:
        return "other", None
    if stream[1] in _WORDS_BELOW_STREAM:
        return _WORDS_BELOW_STREAM[stream[1]], None
    if not UID.fullmatch(stream[1]):
        return "other", None
    if stream[2] is None:
        return _AT_VIDEO.get(method, "other"), stream[1]
    return _BELOW_VIDEO.get(stream[2], "other"), stream[1]


class _About:
    """What the fault script may know of a request."""

    def __init__(self, method: str, path: str, kind: str, name: str | None) -> None:
        self.method = method
        self.path = path
        self.kind = kind
        self.name = name


class Gate:
    """The outermost application."""

    def __init__(self, account: Account, app: ASGIApp) -> None:
        self._account = account
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(CONTROL):
            await self._app(scope, receive, send)
            return
        account = self._account
        headers = Headers(scope=scope)
        method, path = scope["method"], scope["path"]
        kind, uid = kind_of(method, path, tus="tus-resumable" in headers)
        name = self._name(kind, uid, headers)
        query = scope["query_string"].decode("latin-1")
        entry = account.journal.begin(account.clock.now(), method, path, query, (kind, uid, name))
        fault = account.faults.due(_About(method, path, kind, name))
        limited = path.startswith(API) and (account.settings.rate_limit_counts_tus or kind not in ("patch", "head"))
        exchange = Exchange(
            scope[CONNECTION],
            entry,
            fault,
            account.stalls,
            lambda: account.limiter.headers(account.clock.now()) if limited else {},
        )

        async def checked(scope: Scope, receive: Receive, send: Send) -> None:
            refusal = self._refusal(path, kind, method, headers, limited=limited)
            answer: ASGIApp | Response = self._app if refusal is None else refused(refusal)
            await answer(scope, receive, send)

        try:
            await exchange.run(checked, scope, receive, send)
        except Exception as error:
            account.bugs.append(error)
            raise

    def _name(self, kind: str, uid: str | None, headers: Headers) -> str | None:
        if kind == "create":
            try:
                return parse_metadata(headers.get("upload-metadata", "")).get("name")
            except Refusal:
                return None
        video = self._account.store.get(uid) if uid else None
        return video.name if video else None

    def _refusal(self, path: str, kind: str, method: str, headers: Headers, *, limited: bool) -> Refusal | None:
        if not path.startswith(API):
            return None
        try:
            self._check_token(kind, method, headers)
            account = _ACCOUNT_PATH.fullmatch(path)
            if account is not None and account[1] != self._account.settings.account_id:
                raise Refusal(404, 7003, errors=[{"code": 7003, "message": "Could not route to this account"}])
            if limited:
                self._account.limiter.spend(self._account.clock.now())
        except Refusal as refusal:
            return refusal
        return None

    def _check_token(self, kind: str, method: str, headers: Headers) -> None:
        settings = self._account.settings
        given = headers.get("authorization")
        if given is None:
            raise Refusal(
                400,
                9106,
                errors=[{"code": 9106, "message": "Missing X-Auth-Key, X-Auth-Email or Authorization headers"}],
            )
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            chain = [{"code": 6111, "message": "Invalid format for Authorization header"}]
            raise Refusal(
                400, 6003, errors=[{"code": 6003, "message": "Invalid request headers", "error_chain": chain}]
            )
        if _same(token.strip(), settings.token):
            return
        if settings.read_token is not None and _same(token.strip(), settings.read_token):
            if method in ("GET", "HEAD"):
                return
            raise Refusal(403, AUTHENTICATION_ERROR)
        if kind == "verify":
            raise Refusal(401, 1000, errors=[{"code": 1000, "message": "Invalid API Token"}])
        raise Refusal(403, AUTHENTICATION_ERROR)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
