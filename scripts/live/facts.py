"""What a fact about Stream is, how it is looked at, and how it turned out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from curri.errors import CurriError, Interrupted, StreamUnavailable
from curri.stream.failures import CreationUnknown

from .account import Live, Missing

Seen: TypeAlias = tuple[bool | None, str]
"""Whether it is as expected (None: it did not show), and what was seen, in one line."""
Look: TypeAlias = Callable[[Live], Seen]


class Verdict(StrEnum):
    """How a fact turned out."""

    AS_EXPECTED = "as expected"
    DIFFERS = "differs"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about Stream that its documents leave open, or that nobody tried."""

    name: str
    relied: bool  # False: curri is right either way


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about a fact."""

    fact: Fact
    verdict: Verdict
    seen: str


@dataclass(frozen=True, slots=True)
class Check:
    """A fact, and how to look at it."""

    fact: Fact
    look: Look

    def run(self, live: Live) -> Finding:
        """Look. A refusal means that the service differs; trouble, or a missing step, that nothing was seen."""
        try:
            expected, seen = self.look(live)
        except Missing as missing:
            expected, seen = None, str(missing)
        except Interrupted:
            raise
        except CreationUnknown as unknown:  # its cause is trouble on the way; an answer that lacks a part has none
            expected, seen = (None if unknown.__cause__ else False), unknown.message
        except StreamUnavailable as trouble:
            expected, seen = None, trouble.message
        except CurriError as refused:
            expected, seen = False, refused.message
        verdict = {True: Verdict.AS_EXPECTED, False: Verdict.DIFFERS, None: Verdict.NOT_SEEN}[expected]
        return Finding(self.fact, verdict, live.scrubbed(seen))


def into(checks: list[Check], name: str, *, relied: bool = False) -> Callable[[Look], Look]:
    """Decorate a function as the next of `checks`; `relied`: curri works only if it is as expected."""

    def add(look: Look) -> Look:
        checks.append(Check(Fact(name, relied), look))
        return look

    return add
