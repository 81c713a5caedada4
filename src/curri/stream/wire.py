"""Connections: httpx kept in one place, its exceptions translated, its logs muted, and each connection cuttable."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from typing import Final

import httpx

from curri.stream import failures
from curri.stream.failures import BadAddress, Failure, Told
from curri.stream.lines import Lines, Transport


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. Nothing in this room waits without one of these; only the system's name look-up has its own."""

    connect: float = 10.0
    stall: float = 60.0
    """For the other side to take the next bytes of a body, and the next block of a file (256 KiB) as a whole: a
    trickle under about 4 KB/s ends as well."""
    answer: float = 60.0
    """From one byte of an answer to the next. Cloudflare's own Python client waits as long."""
    stored: float = 180.0
    """For the answer to a chunk: up to 4 MiB may still lie in the system's send buffer by then, and the chunk has
    to be stored."""
    whole: float = 300.0
    """For a whole exchange without a file, however the bytes trickle in."""


# Every class of httpx's exception tree is named, and a test asserts it. What ConnectError hides (a certificate) is
# looked for in `_kind`. Whether an answer was lost or no request was made is what a creation depends on: in doubt
# it is ConnectionLost.
EXCEPTIONS: Final[dict[type[Exception], Failure]] = {
    httpx.HTTPError: failures.ConnectionLost,
    httpx.RequestError: failures.ConnectionLost,
    httpx.TransportError: failures.ConnectionLost,
    httpx.TimeoutException: failures.Stalled,
    httpx.ConnectTimeout: failures.Unreachable,
    httpx.PoolTimeout: failures.Unreachable,
    httpx.ReadTimeout: failures.Stalled,
    httpx.WriteTimeout: failures.Stalled,
    httpx.NetworkError: failures.ConnectionLost,
    httpx.ConnectError: failures.Unreachable,
    httpx.ReadError: failures.ConnectionLost,
    httpx.WriteError: failures.ConnectionLost,
    httpx.CloseError: failures.ConnectionLost,
    httpx.ProtocolError: failures.ConnectionLost,
    httpx.RemoteProtocolError: failures.ConnectionLost,
    httpx.LocalProtocolError: failures.Refused,  # we formed a request that HTTP does not allow
    httpx.ProxyError: failures.Unreachable,
    httpx.UnsupportedProtocol: BadAddress,
    httpx.InvalidURL: BadAddress,
    httpx.DecodingError: failures.ConnectionLost,  # the answer is damaged, hence as good as lost
    httpx.TooManyRedirects: failures.Redirected,
    httpx.HTTPStatusError: failures.Refused,
    httpx.CookieConflict: failures.Refused,
    httpx.StreamError: failures.Refused,  # these four mean that this room misuses httpx
    httpx.StreamConsumed: failures.Refused,
    httpx.StreamClosed: failures.Refused,
    httpx.ResponseNotRead: failures.Refused,
    httpx.RequestNotRead: failures.Refused,
}

RAISED: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)
"""The roots of that tree, for `except`."""


def from_exception(error: Exception, *, where: str) -> Told:
    """The error that an exception of httpx stands for. The caller removes secrets from its message."""
    kind = next(EXCEPTIONS[cls] for cls in type(error).__mro__ if cls in EXCEPTIONS)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            kind = failures.Untrusted
            break
        cause = cause.__cause__ or cause.__context__
    text = str(error)
    words = {
        failures.Unreachable: "Stream cannot be reached",
        failures.Stalled: "nothing moved on the connection to Stream for too long",
        failures.ConnectionLost: "the connection to Stream ended before the answer",
        failures.Untrusted: "the certificate of the other side was not accepted",
    }.get(kind, "the request could not be made")
    return failures.failure(kind, f"{words} ({type(error).__name__}{': ' if text else ''}{text})", where=where)


class _Mute(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - the signature is logging's
        return False


_MUTE = _Mute()
_LOGGERS: Final = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)


def mute_logs() -> None:
    """Drop the log of httpx and httpcore, at any level: it shows full addresses and the headers of answers, among
    them the address of an upload. A filter holds even where someone sets the level later. Calling it again adds
    nothing.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_MUTE)


class Wire:
    """The connections of one worker at a time; another thread may cut them."""

    def __init__(self, tls: ssl.SSLContext, timeouts: Timeouts, user_agent: str) -> None:
        self._lines = Lines()
        self.http = httpx.Client(
            transport=Transport(tls, self._lines),
            timeout=httpx.Timeout(
                connect=timeouts.connect, read=timeouts.answer, write=timeouts.stall, pool=timeouts.connect
            ),
            follow_redirects=False,  # a redirect would be followed with the token
            headers={"User-Agent": user_agent},
        )

    def cut(self) -> None:
        """End every connection, from any thread: what blocks on one fails at once. Again does no harm."""
        self._lines.cut()

    def close(self) -> None:
        self.http.close()
