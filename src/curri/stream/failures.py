"""What can go wrong with Stream, cut by what the caller must do; and which answer means which.

StreamUnavailable            passing: tried again by retry.py
├── Unreachable              no connection; the request had no effect
├── RateLimited              429; the request had no effect
├── ConnectionLost           no answer came: the request may or may not have been carried out
│   └── Stalled              ... because nothing moved for too long
├── ServerTrouble            5xx, 425
├── Garbled                  2xx, but not what Stream answers
├── SlowChunk                408: send smaller chunks
├── Locked                   423: another request (perhaps our own dead one) holds the upload
├── Mangled                  460: send the chunk again
└── NothingTaken             204, but the offset stayed where it was
StreamError                  not tried again
├── Refused                  any other 4xx
│   ├── NotFound             404, code 10003
│   │   └── Gone             410
│   ├── Conflict             409: the offset is another one
│   └── TooLarge             413, a file over 30 GB
├── QuotaExceeded            code 10011: no minutes left; the same for every upload to come
├── TooManyProcessing        120 videos are waiting or encoding: wait until some are through
├── UploadForbidden          401/403 for the upload alone, while the token is good
├── WrongUpload              the upload on Stream is for a file of another size
├── CreationUnknown          an upload may have been created: look for it, never create a second
├── Unlistable               a listing could not be completed
└── Redirected               3xx: never followed, the token would travel along
ConfigError
├── Credentials              the token is wrong, or lacks a permission
├── WrongAccount             no such account
├── BadAddress               the address of the API cannot be used
└── Untrusted                the certificate was not accepted
TreeError
└── FileChanged              the file changed while it was being sent, or cannot be read
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

from curri.errors import ConfigError, CurriError, StreamError, StreamUnavailable, TreeError
from curri.stream.notes import Notes

PERMISSION_HINT: Final = (
    "make a token with the permission Account > Stream > Edit for this account, and put it in "
    "CLOUDFLARE_API_TOKEN (or its file in CLOUDFLARE_API_TOKEN_FILE)"
)
ACCOUNT_HINT: Final = (
    "CLOUDFLARE_ACCOUNT_ID is the 32-digit id in the address of the dashboard: dash.cloudflare.com/<account id>"
)


class Told(CurriError):
    """What an answer said, for callers that want more than words."""

    status: int | None = None
    """The HTTP status; None where there was no answer."""
    codes: tuple[int, ...] = ()
    """The codes in `errors[]` and `messages[]`."""
    retry_after: float | None = None
    """Seconds that the answer asks us to wait."""
    advice: ClassVar[str | None] = None
    """The hint of this class."""
    harmless: ClassVar[bool] = False
    """Whether the request had no effect for sure, so that even a creation may be repeated."""


class Passing(Told, StreamUnavailable):
    """A failure that may be gone when asked again."""


class Unreachable(Passing):
    """No connection to Stream."""

    harmless = True
    advice = "check the network (and HTTPS_PROXY, where one is needed), then run the same command again"


class RateLimited(Passing):
    """Too many calls; everybody waits."""

    harmless = True
    advice = "Cloudflare allows 1,200 calls in 5 minutes for a user, all tools together; run the command again later"


class ConnectionLost(Passing):
    """The connection ended before the answer: the request may or may not have been carried out."""

    advice = "run the same command again: it asks Stream what arrived, and goes on from there"


class Stalled(ConnectionLost):
    """Nothing moved for too long, so the connection was cut from this side."""


class ServerTrouble(Passing):
    """Cloudflare had a fault."""

    advice = "run the same command again later; https://www.cloudflarestatus.com tells of known trouble"


class Garbled(Passing):
    """The answer is not one that Stream gives: a portal or proxy may have answered in its place."""

    advice = "check CURRI_STREAM_URL, and whether a proxy or a login page stands between"


class SlowChunk(Passing):
    """Stream gave up waiting for the rest of a chunk."""

    advice = "the connection is slow: choose smaller chunks"


class Locked(Passing):
    """Another request holds this upload. Our own dead connection may be the one."""


class Mangled(Passing):
    """The bytes arrived damaged."""


class NothingTaken(Passing):
    """Stream accepted a chunk and stands where it stood before."""


class Denied(Told, StreamError):
    """A failure that asking again would not change."""


class Refused(Denied):
    """Stream refused the request itself."""


class NotFound(Refused):
    """There is no such video or upload."""


class Gone(NotFound):
    """The upload existed, and has expired or been removed."""


class Conflict(Refused):
    """The upload stands at another offset than the one we sent."""


class TooLarge(Refused):
    """The file, or one chunk of it, is larger than what is taken."""

    advice = "Stream takes files of up to 30 GB"


class QuotaExceeded(Denied):
    """The minutes of the account are used up."""

    advice = "buy minutes, or delete videos; an open upload reserves minutes too (`curri gc` lists leftovers)"


class TooManyProcessing(Denied):
    """As many videos wait or encode as Stream allows at once."""

    advice = "Stream works on 120 videos at once; run the command again when some are through"


class UploadForbidden(Denied):
    """The token is good, yet this upload may not be used: it is treated like one that is gone."""


class WrongUpload(Denied):
    """The upload on Stream belongs to a file of another size."""


class CreationUnknown(Denied):
    """An upload may have been created, and its answer was lost or unusable.

    Whoever catches it lists what was created since, and adopts or deletes what carries the same upload id.
    """

    advice = "run the same command again: it looks for the upload before it creates another"


class Unlistable(Denied):
    """The listing cannot be completed; half a listing is never returned."""


class Redirected(Denied):
    """The answer points elsewhere. The token is not carried there."""

    advice = "set CURRI_STREAM_URL to the final address"


class Credentials(Told, ConfigError):
    """The token was not accepted, or lacks a permission."""

    advice = PERMISSION_HINT


class WrongAccount(Told, ConfigError):
    """The account id is unknown to Cloudflare."""

    advice = ACCOUNT_HINT


class BadAddress(Told, ConfigError):
    """The address of the API cannot be used."""

    advice = "check CURRI_STREAM_URL, and the proxy settings"


class Untrusted(Told, ConfigError):
    """The certificate of the other side was not accepted."""

    advice = "check the clock of this machine; behind a company's proxy, point SSL_CERT_FILE to its certificate"


class FileChanged(TreeError):
    """The file is not the one that was to be sent: size or time changed, or it cannot be read any more."""


Failure = type[Told]

STATUSES: Final[dict[int, Failure]] = {
    401: Credentials,
    403: Credentials,
    404: NotFound,
    407: BadAddress,  # a proxy asks for a password
    408: SlowChunk,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    423: Locked,
    425: ServerTrouble,  # "too early": the same request passes later
    429: RateLimited,
    460: Mangled,
}

# Codes tell more than the status: Cloudflare uses several statuses for one code. 10011 was seen with 413 and with
# 403; 10000, 9106, 9109 and 6003 (malformed headers, which for us can only be the token) with 400, 401 and 403.
CODES: Final[dict[int, Failure]] = {
    10011: QuotaExceeded,
    10003: NotFound,
    10000: Credentials,
    9106: Credentials,
    9109: Credentials,
    6003: Credentials,
    7003: WrongAccount,
}

# The answer to the 121st video is known to be 429 or 413 and nothing more, so its words decide. A miss is safe
# either way: taken for a rate limit it is waited out, taken for a full queue the caller waits for encodings.
_QUEUE = re.compile(r"queue|encod|process|concurren|in[- ]?progress", re.IGNORECASE)
_QUOTA = re.compile(r"quota|capacity|minutes", re.IGNORECASE)


def kind_of(status: int, notes: Notes) -> Failure | None:
    """Which failure an answer means; None for success. Total: every status from 100 to 599 has its place."""
    by_code = next((CODES[code] for code in notes.codes if code in CODES), None)
    if 200 <= status < 300:
        return (by_code or Refused) if notes.success is False else None
    if status < 200:
        return Garbled  # an interim answer that came as the last one
    if status < 400:
        return Redirected
    if status >= 500:
        return ServerTrouble
    if by_code is not None:
        return by_code
    if status in (413, 429) and _QUEUE.search(notes.text):
        return TooManyProcessing
    if status == 413 and _QUOTA.search(notes.text):
        return QuotaExceeded
    return STATUSES.get(status, Refused)


def failure(kind: Failure, message: str, *, where: str | None = None) -> Told:
    """An error of that kind, with the hint of its class."""
    return kind(message, where=where, hint=kind.advice)


def from_answer(status: int, notes: Notes, *, where: str, retry_after: float | None = None) -> Told | None:
    """The error that an answer stands for, or None for success. The text of the answer is part of the message."""
    kind = kind_of(status, notes)
    if kind is None:
        return None
    said = f": {notes.text}" if notes.text else ""
    error = failure(kind, f"Stream answered {status}{said}", where=where)
    error.status = status
    error.codes = notes.codes
    error.retry_after = retry_after
    return error
