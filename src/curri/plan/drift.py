"""Where the metadata of a video on Stream are not what the catalog says they should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from curri.plan.metadata import OURS

OF_A_LESSON = frozenset({"lessonId", "lessonNumber", "lessonTitle"})


@dataclass(frozen=True, slots=True)
class Change:
    """One key of the metadata of a video, as it is and as it should be. None: it is not there."""

    key: str
    old: object
    new: str | None


def differences(wanted: Mapping[str, str], held: Mapping[str, object]) -> tuple[Change, ...]:
    """Return what must change for Stream to say what is wanted, in the order of the keys.

    Only keys of ours are looked at; what others wrote stays. A key that is not wanted stays too: a setting that is
    missing where this runs must not clear what was right. Except those of a lesson, for a video that has none.
    """
    changes = [
        Change(key, held.get(key), value) for key, value in wanted.items() if key in OURS and held.get(key) != value
    ]
    if not OF_A_LESSON & wanted.keys():
        changes += [Change(key, held[key], None) for key in OF_A_LESSON if key in held]
    return tuple(sorted(changes, key=lambda change: change.key))


def restorable(before: Mapping[str, object], after: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Return whether a change can be taken back: every key that it touched is still as it left it, or as it was."""
    touched = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    kept = all(now.get(key) == after.get(key) for key in touched)
    return kept or all(now.get(key) == before.get(key) for key in touched)
