"""What an answer says about itself: the envelope of Cloudflare's API, and bodies that have none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST: Final = 400
"""Characters of an answer's text that a message shows."""
DEEPEST: Final = 20
"""Links of a chain of errors that are followed."""

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_HIDDEN = re.compile(r"<(script|style)\b.*?</\1>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Notes:
    """The envelope, read leniently: any part may be absent or null."""

    success: bool | None = None
    codes: tuple[int, ...] = ()
    text: str = ""
    """`errors[]` and `messages[]` on one line, or the words of a body that has no envelope."""
    envelope: dict[str, object] | None = field(default=None, repr=False)


def read(body: bytes) -> Notes:
    """The notes of an answer. Never raises: HTML, plain text, half a JSON and nothing at all have notes too."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):  # ValueError covers bad JSON and bad UTF-8
        return Notes(text=_words(body))
    if not isinstance(value, dict):
        return Notes(text=_words(body))
    entries = [*_entries(value.get("errors")), *_entries(value.get("messages"))]
    # Stream tells the specific reason in `messages`, often under the same code as the general one in `errors`.
    texts = list(dict.fromkeys(_one_line(f"{code} {text}" if code else text) for code, text in entries))
    success = value.get("success")
    return Notes(
        success=success if isinstance(success, bool) else None,
        codes=tuple(dict.fromkeys(code for code, _ in entries if code is not None)),
        text=_trimmed("; ".join(text for text in texts if text)),
        envelope=value,
    )


def _entries(value: object, links: int = DEEPEST) -> Iterator[tuple[int | None, str]]:
    """Code and text of each entry, chains included. The lists may be null, and an entry a bare text."""
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, str):
            yield None, entry
        elif isinstance(entry, dict):
            code = entry.get("code")
            text = entry.get("message")
            yield (
                code if isinstance(code, int) and not isinstance(code, bool) else None,
                text if isinstance(text, str) else "",
            )
            if links:
                yield from _entries(entry.get("error_chain"), links - 1)


def _words(body: bytes) -> str:
    """The readable part of a body without an envelope: a page's title, or its text without tags."""
    text = body[:65_536].decode("utf-8", "replace")
    if "<" in text and ">" in text:
        title = _TITLE.search(text)
        text = title[1] if title and title[1].strip() else _TAG.sub(" ", _HIDDEN.sub(" ", text))
    return _trimmed(_one_line(text))


def _one_line(text: str) -> str:
    """Without line breaks and control characters: what came from outside must not steer a terminal."""
    return _BLANK.sub(" ", text).strip()


def _trimmed(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def retry_after(value: str | None, wall: float) -> float | None:
    """Seconds to wait from a `Retry-After` header: a number, or a date compared with `wall` (seconds since 1970).

    None if the header is absent or cannot be read; never negative.
    """
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        date = http_date(text)
        return None if date is None else max(0.0, date - wall)
    return max(0.0, seconds) if seconds < 1e9 else None  # rules out nan and infinity as well


def http_date(text: str) -> float | None:
    """A date of HTTP as seconds since 1970, or None: also for one that its zone puts outside of all years."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC).timestamp()
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
