"""Where the metadata of a video on Stream are not what they should be: what the catalog says, or what they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from curri.plan.metadata import OURS

OF_A_LESSON = frozenset({"lessonId", "lessonNumber", "lessonTitle"})


@dataclass(frozen=True, slots=True)
class Change:
    """One key of the metadata of a video, as it is and as it should be. None: it is not there."""

    key: str
    old: object  # texts where curri or tus wrote them; others may write any JSON
    new: object


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


def changed(held: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Return metadata with some keys changed; None takes a key out, and every other key stays as it is."""
    return {key: value for key, value in {**held, **changes}.items() if value is not None or key not in changes}


def between(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[Change, ...]:
    """Return what must change for metadata to become other ones, in the order of the keys."""
    return tuple(Change(key, old.get(key), new.get(key)) for key in sorted(_differing(old, new)))


def restored(
    before: Mapping[str, object], after: Mapping[str, object], now: Mapping[str, object]
) -> dict[str, object] | None:
    """Return what metadata become when a change is taken back; None if it cannot be.

    It can if every key that it touched is still as it left it, or as it was before. These become what they were, of
    whatever type; all others stay as they are now.
    """
    touched = _differing(before, after)
    if touched & _differing(now, after) and touched & _differing(now, before):
        return None
    kept = {key: value for key, value in now.items() if key not in touched}
    return kept | {key: before[key] for key in before if key in touched}


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> set[str]:
    """Return the keys that are not the same in both: a key that says null is there."""
    return {key for key in one.keys() | other.keys() if one.get(key, _ABSENT) != other.get(key, _ABSENT)}


_ABSENT = object()
