"""The journal of requests: what came in and how it ended, without any token in it."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl, urlencode

from curri.sandbox.clock import stamp

_KEPT = 100_000
"""Entries; older ones are forgotten, so that a sandbox left alone for weeks does not grow."""

_SECRET_KEYS = re.compile(r"token|key|secret|sig", re.IGNORECASE)
_SIGNED = re.compile(r"/[\w-]+\.[\w-]+\.[\w-]+(?=/)")
"""A signed token stands where the uid of a video stands in playback addresses."""


@dataclass(slots=True)
class Entry:
    """One request. It is written when the request begins and completed as it goes on."""

    n: int
    """Its number since the start of the sandbox."""
    at: int
    """When it began, in microseconds since 1970 by the sandbox's clock."""
    method: str
    path: str
    query: str
    kind: str
    uid: str | None
    """The video concerned, where there is one."""
    name: str | None
    """Its name."""
    status: int | None = None
    """The status the client was sent; None while there is no answer, and for ever when the connection was dropped."""
    withheld: int | None = None
    """The status the sandbox had reached when a fault kept it from the client."""
    received: int = 0
    """Bytes of the body that arrived."""
    fault: str | None = None
    """What the request meets, from its begin on: a stall in its middle may not have come yet."""
    stalled: bool = False
    """Whether it hangs now."""

    def as_json(self) -> dict[str, object]:
        """The entry as the control address shows it."""
        shown = asdict(self)
        return {**shown, "at": stamp(self.at)}


class Journal:
    """The requests since the start or the last clearing."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_KEPT)
        self._count = 0

    def begin(self, at: int, method: str, path: str, query: str, about: tuple[str, str | None, str | None]) -> Entry:
        """Writes a new entry; `about` is its kind, uid and name."""
        self._count += 1
        kind, uid, name = about
        entry = Entry(self._count, at, method, _SIGNED.sub("/<token>", path), _masked(query), kind, uid, name)
        self._entries.append(entry)
        return entry

    def entries(self) -> list[Entry]:
        """All entries, oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Forgets the entries; their numbers go on."""
        self._entries.clear()


def _masked(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(key, "***" if _SECRET_KEYS.search(key) else value) for key, value in pairs])
