"""Checking that a webhook comes from Cloudflare Stream."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from curri.stream.secret import Secret

TOLERANCE: Final = 300.0
"""Seconds that the time in a signature may lie from now, either way."""


def is_genuine(body: bytes, signature: str, secret: Secret, *, now: float, tolerance: float = TOLERANCE) -> bool:
    """Whether `signature`, the value of the header `Webhook-Signature`, is that of `body` under `secret`.

    The header reads `time=<seconds since 1970>,sig1=<hex>`, the hex being HMAC-SHA256 over the time, a full stop and
    the body byte for byte (Cloudflare's page on webhooks). `sig1` names the scheme; other schemes are ignored. A time
    too far from `now` (seconds since 1970) is refused, so that a recorded message cannot be sent again later. The same
    message within that time is genuine again: what was done is for the caller to know, by uid and state.
    """
    parts: dict[str, str] = {}
    for part in signature.split(","):
        name, _, value = part.strip().partition("=")
        if name in parts:
            return False  # two times or two signatures: nobody can say which one is meant
        parts[name] = value
    sent, given = parts.get("time", ""), parts.get("sig1", "")
    if not (sent.isascii() and sent.isdecimal() and len(sent) < 16) or abs(now - int(sent)) > tolerance:
        return False
    if not given.isascii():
        return False
    wanted = hmac.new(secret.reveal().encode(), sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), given.encode())
