"""Whose Stream it is: the address of the API, the account and the token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from curri.errors import ConfigError
from curri.stream.failures import BadAddress, Credentials, WrongAccount, failure
from curri.stream.secret import Secret

PUBLIC: Final = "https://api.cloudflare.com/client/v4"
"""The base of Cloudflare's public API."""

_CLOUDFLARE: Final = "cloudflare.com"
_ID = re.compile(r"[0-9A-Za-z_-]{1,32}")  # Cloudflare's own are hex; the API description bounds the length only


@dataclass(frozen=True, slots=True)
class Account:
    """An account on Cloudflare, or on a server that speaks as Cloudflare does.

    Making one raises ConfigError where a part cannot be right, before any request: no message shows the token.
    """

    account_id: str
    token: Secret
    base: str = PUBLIC

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.account_id):
            raise failure(WrongAccount, "the account id is missing or not one that Cloudflare gives")
        if (fault := _fault(self.token.reveal())) is not None:
            raise failure(Credentials, f"the API token {fault}")
        host = host_of(self.base)
        if host is None:
            raise failure(BadAddress, "the address of the API is not one of http or https", where=shown(self.base))
        if "?" in self.base or "#" in self.base or "@" in self.base:
            raise failure(BadAddress, "the address of the API may hold no user, `?` or `#`", where=shown(self.base))
        if _at_cloudflare(host) and not self.base.lower().startswith("https://"):
            raise ConfigError("the token would travel in the clear", where=shown(self.base), hint="use https")

    def address(self, path: str) -> str:
        """The full address of a path of the API."""
        return self.base.rstrip("/") + path

    def of_account(self, path: str) -> str:
        """The full address of a path below this account."""
        return self.address(f"/accounts/{self.account_id}{path}")

    def takes_token(self, url: str) -> bool:
        """Whether the token may travel to `url`: the host that was configured, or Cloudflare's own by https.

        Uploads may be sent to other hosts (`upload.cloudflarestream.com`, say); those addresses are secrets
        themselves and need no token.
        """
        host = host_of(url)
        secure = url.lower().startswith("https://")
        if host is None:
            return False
        if host == host_of(self.base):
            return secure or not self.base.lower().startswith("https://")
        return secure and _at_cloudflare(host)


def _fault(text: str) -> str | None:
    """What is wrong with a token, without a part of it; None if nothing is. httpx would quote a bad header."""
    if not text.strip():
        return "is empty"
    if text.startswith("\ufeff"):
        return "begins with a byte order mark, which an editor has put before it"
    if text.strip() != text:
        return "has blanks or a line break around it"
    if text.lower().startswith(("bearer ", "bearer:", "authorization:")):
        return "begins with `Bearer`: give what stands behind it, alone"
    if not text.isascii() or not text.isprintable() or " " in text:
        return "holds blanks or characters that no token has"
    return None


def host_of(url: str) -> str | None:
    """The lower-case host of an http or https address; None for anything else."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError where it is not a number
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") and parts.hostname else None


def shown(url: str) -> str:
    """What a message may show of an address: its host."""
    return host_of(url) or "CURRI_STREAM_URL"


def _at_cloudflare(host: str) -> bool:
    return host == _CLOUDFLARE or host.endswith("." + _CLOUDFLARE)
