"""The fault script: which requests go wrong, and how. The words are told in README.md.

A fault waits until its `when` has matched `nth` times, then happens `times` times. Every waiting fault counts every
request it matches; when several are due for one request, the one that was put in first happens and the others stay
due for the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any, Protocol

from curri.errors import ConfigError

KINDS = frozenset(
    {
        "create",
        "patch",
        "head",
        "basic",
        "direct",
        "form",
        "list",
        "get",
        "edit",
        "delete",
        "usage",
        "token",
        "embed",
        "captions",
        "downloads",
        "webhook",
        "verify",
        "play",
        "other",
    }
)
"""What a request is about; `when.path` takes one of these words in place of a glob."""

WORDS: Mapping[str, frozenset[str]] = {
    "drop-before": frozenset({"close"}),
    "drop-middle": frozenset({"close", "after_bytes"}),
    "drop-after": frozenset({"close"}),
    "stall-before": frozenset({"seconds"}),
    "stall-middle": frozenset({"seconds", "after_bytes"}),
    "stall-after": frozenset({"seconds"}),
    "slow": frozenset({"bytes_per_second"}),
    "answer": frozenset({"status", "retry_after"}),
    "answer-after": frozenset({"status", "retry_after"}),
    "stuck": frozenset({"state"}),
    "fail": frozenset({"code"}),
}
"""Every word for `do`, and what may stand beside it."""

PROCESSING_WORDS = frozenset({"stuck", "fail"})
"""Words that befall a video whose bytes are complete, not a request."""

_NEEDED = {"slow": "bytes_per_second", "answer": "status", "answer-after": "status"}
_ALWAYS = "always"


class Call(Protocol):
    """What a fault can see of a request."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class When:
    """Which requests (or, for `stuck` and `fail`, which videos) a fault is for. None stands for all of them."""

    method: str | None = None
    path: str | None = None
    """A kind such as `patch`, or a glob over the path, which has a `/` or a `*` in it."""
    name: str | None = None
    """A glob over the name of the video concerned."""
    nth: int = 1
    """The first match that the fault happens to, counted from 1 since the fault was put in."""
    times: int | None = 1
    """How many times it happens; None for as long as it is there."""

    def __post_init__(self) -> None:
        if self.path is not None and not self._is_glob and self.path not in KINDS:
            raise ConfigError(
                f'"path" is a glob or one of {_listed(KINDS)}, not "{self.path}"' + _near(self.path, KINDS)
            )
        if self.nth < 1:
            raise ConfigError('"nth" counts from 1')
        if self.times is not None and self.times < 1:
            raise ConfigError(f'"times" is 1 or more, or "{_ALWAYS}"')

    @property
    def _is_glob(self) -> bool:
        return self.path is not None and any(mark in self.path for mark in "/*?[")

    def fits(self, call: Call) -> bool:
        """Whether a request is one of those meant."""
        if self.method is not None and self.method.upper() != call.method:
            return False
        if self.path is not None:
            fits = fnmatchcase(call.path, self.path) if self._is_glob else self.path == call.kind
            if not fits:
                return False
        return self.fits_name(call.name)

    def fits_name(self, name: str | None) -> bool:
        """Whether a video of that name is one of those meant."""
        return self.name is None or (name is not None and fnmatchcase(name, self.name))


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the script. Raises `ConfigError` when made from words that do not fit together."""

    do: str
    when: When = When()
    close: bool = False
    """Drops end the connection in an orderly way (FIN) in place of a reset."""
    after_bytes: int | None = None
    """How much of the body is taken before the middle; None takes half."""
    seconds: float | None = None
    """How long a stall lasts, in real seconds; None until it is released."""
    bytes_per_second: int | None = None
    status: int | None = None
    retry_after: int | None = None
    """`Retry-After` of the answer, in seconds."""
    state: str = "queued"
    """Where a video gets stuck: `queued` or `inprogress`."""
    code: str = "ERR_UNKNOWN"
    """Why a video fails."""
    probability: float | None = None
    """Makes a due fault happen by chance, 0 to 1; `times` is then unlimited unless given."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.do not in WORDS:
            raise ConfigError(f'"{self.do}" is not something that can go wrong' + _near(self.do, WORDS))
        needed = _NEEDED.get(self.do)
        if needed and getattr(self, needed) is None:
            raise ConfigError(f'"{self.do}" needs "{needed}"')
        for part in fields(self):
            beside = part.name not in {"do", "when", "probability", "seed"} | WORDS[self.do]
            if beside and getattr(self, part.name) != part.default:
                raise ConfigError(f'"{part.name}" means nothing beside "{self.do}"')
        if self.do in PROCESSING_WORDS and (self.when.method or self.when.path):
            raise ConfigError(f'"{self.do}" befalls videos: its "when" takes "name", "nth" and "times" only')
        self._check_numbers()

    def _check_numbers(self) -> None:
        if self.status is not None and not 400 <= self.status <= 599:
            raise ConfigError(f'"status" is an error status from 400 to 599, not {self.status}')
        if self.bytes_per_second is not None and self.bytes_per_second < 1:
            raise ConfigError('"bytes_per_second" is 1 or more; to stop altogether, use a stall')
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ConfigError('"probability" lies between 0 and 1')
        if self.state not in ("queued", "inprogress"):
            raise ConfigError(f'a video gets stuck in "queued" or "inprogress", not in "{self.state}"')
        for name in ("after_bytes", "seconds", "retry_after"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ConfigError(f'"{name}" cannot be negative')

    def as_json(self) -> dict[str, object]:
        """The fault in the words it is written in, without what was left at its default."""
        when = {
            part.name: getattr(self.when, part.name)
            for part in fields(When)
            if getattr(self.when, part.name) != part.default
        }
        if when.get("times", 1) is None:
            when["times"] = _ALWAYS
        rest = {
            part.name: getattr(self, part.name)
            for part in fields(self)
            if part.name not in ("do", "when") and getattr(self, part.name) != part.default
        }
        return {"do": self.do, **({"when": when} if when else {}), **rest}


class FaultScript:
    """The faults that wait, with their counts."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._waiting: list[_Waiting] = []
        self.add(faults)

    def add(self, faults: Sequence[Fault]) -> None:
        """Puts faults behind those that wait already."""
        self._waiting += [_Waiting(fault) for fault in faults]

    def clear(self) -> None:
        """Forgets every fault."""
        self._waiting.clear()

    def due(self, call: Call) -> Fault | None:
        """The fault that happens to this request, if any. Asking counts as a match."""
        return self._next([w for w in self._waiting if w.fault.do not in PROCESSING_WORDS and w.fault.when.fits(call)])

    def due_for_video(self, name: str | None) -> Fault | None:
        """What befalls a video whose bytes have just become complete. Asking counts as a match."""
        return self._next([w for w in self._waiting if w.fault.do in PROCESSING_WORDS and w.fault.when.fits_name(name)])

    def report(self) -> list[dict[str, object]]:
        """Every waiting fault with how often it matched and happened."""
        return [{**w.fault.as_json(), "matched": w.matched, "happened": w.happened} for w in self._waiting]

    @staticmethod
    def _next(matching: list[_Waiting]) -> Fault | None:
        due = [waiting for waiting in matching if waiting.counts()]
        if not due:
            return None
        due[0].happened += 1
        return due[0].fault


class _Waiting:
    """A fault and its counts."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.matched = 0
        self.happened = 0
        self._random = Random(fault.seed)  # noqa: S311 - repeatable on purpose

    def counts(self) -> bool:
        """Counts one more match; whether the fault is due now."""
        self.matched += 1
        when = self.fault.when
        chance = self.fault.probability
        lucky = chance is None or self._random.random() < chance
        spent = when.times is not None and self.happened >= when.times
        return self.matched >= when.nth and not spent and lucky


def parse_faults(script: object) -> tuple[Fault, ...]:
    """The faults of a decoded JSON script: one fault, a list, or `{"faults": [...]}`. Raises `ConfigError`."""
    if isinstance(script, Mapping) and set(script) == {"faults"}:
        script = script["faults"]
    listed = script if isinstance(script, list) else [script]
    faults = []
    for number, item in enumerate(listed, 1):
        try:
            faults.append(_fault(item))
        except ConfigError as error:
            raise ConfigError(error.message, where=f"fault {number} of {len(listed)}", hint=error.hint) from error
    return tuple(faults)


def read_faults(source: str | Path) -> tuple[Fault, ...]:
    """The faults of a script given as JSON text, or of the file it names. Raises `ConfigError`."""
    text = str(source)
    where = "the fault script"
    if not text.lstrip().startswith(("[", "{")):
        where = text
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("the fault script cannot be read", where=where) from error
    try:
        script = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"the fault script is not JSON: {error}", where=where) from error
    return parse_faults(script)


_TYPES: Mapping[str, tuple[type, ...]] = {
    "do": (str,),
    "close": (bool,),
    "after_bytes": (int,),
    "seconds": (int, float),
    "bytes_per_second": (int,),
    "status": (int,),
    "retry_after": (int,),
    "state": (str,),
    "code": (str,),
    "probability": (int, float),
    "seed": (int,),
    "method": (str,),
    "path": (str,),
    "name": (str,),
    "nth": (int,),
    "times": (int,),
}


def _fault(item: object) -> Fault:
    words = _checked(item, {part.name for part in fields(Fault)}, "a fault")
    if "do" not in words:
        raise ConfigError('a fault needs "do"', hint="one of " + _listed(WORDS))
    when = _checked(words.pop("when", {}), {part.name for part in fields(When)}, '"when"')
    if when.get("times") == _ALWAYS or ("times" not in when and "probability" in words):
        when["times"] = None
    for name, value in [*words.items(), *when.items()]:
        fitting = isinstance(value, _TYPES[name]) and (not isinstance(value, bool) or bool in _TYPES[name])
        if not fitting and not (name == "times" and value is None):
            raise ConfigError(f'"{name}" cannot be {json.dumps(value)}')
    return Fault(**words, when=When(**when))


def _checked(item: object, known: set[str], what: str) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise ConfigError(f"{what} is written as a JSON object, not as {json.dumps(item)}")
    for key in item:
        if key not in known:
            raise ConfigError(f'"{key}" is not a word of {what}' + _near(key, known))
    return dict(item)


def _near(word: str, known: Sequence[str] | Mapping[str, object] | frozenset[str] | set[str]) -> str:
    close = get_close_matches(word, list(known), 1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _listed(words: Mapping[str, object] | frozenset[str]) -> str:
    return ", ".join(sorted(words))
