"""Ids of new rows: the same place gets the same id, so that a catalog can be rebuilt from the tree alone.

An id is the UUID (version 5) of the row's first place. It never changes afterwards: a lesson that is re-numbered
keeps its id, and the id of its old place is then *taken*; whatever appears there next gets a random one.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable

from curri.plan.text import folded

NAMESPACE = uuid.UUID("5a1f0c0e-6f0b-5d53-9c57-0f1f6b1c6c11")
"""The name space of all places. Changing it changes every id of every catalog that is built anew."""


_BEGUN = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)


def place_id(*place: str) -> str:
    """Return the id of a place: its level and then its parts, for instance `("lesson", "course_01", "02")`."""
    digest = _BEGUN.copy()
    digest.update(folded("/".join(place)).encode("utf-8", "surrogateescape"))
    # What uuid.uuid5 does, without building a UUID object for each of a hundred thousand files.
    text = digest.hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


class Ids:
    """Gives out ids that nobody has: the place's own where it is free, else a random one.

    `taken` gives the ids in use; it is asked once, when the first new id is needed: most imports need none.
    """

    def __init__(self, taken: Callable[[], set[str]], random: Callable[[], uuid.UUID] = uuid.uuid4) -> None:
        self._ask = taken
        self._taken: set[str] | None = None
        self._random = random

    def new(self, *place: str) -> str:
        """Return an id for a new row at `place`; the same place asked for again gets another one."""
        if self._taken is None:
            self._taken = self._ask()
        chosen = place_id(*place)
        while chosen in self._taken:
            chosen = str(self._random())
        self._taken.add(chosen)
        return chosen
