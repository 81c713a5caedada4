"""Which found thing is which recorded thing: lessons, components and files are all paired by one rule.

Place decides first, content finds what moved. Content is a set of features (SHA-1 digests). A feature that stands in
exactly one found and one recorded unit is *distinctive*: it is proof of a move. A clip that lies in every lesson is
not; it only helps where nothing better is left, so that equal files never become one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import NamedTuple


class Unit(NamedTuple):
    """Something with a place and a content."""

    place: Hashable  # exactly as named
    features: Collection[str]
    pinned: bool = False  # content unknown (it could not be read): only the place can tell what it is
    alias: Hashable = None  # the place with names in NFC; None where that is always the same one


class _Pairing:
    def __init__(self, found: Sequence[Unit], recorded: Sequence[Unit]) -> None:
        self.found = found
        self.recorded = recorded
        self.pairs: dict[int, int] = {}
        self.open_found = dict.fromkeys(range(len(found)))  # dicts keep their order: sets that iterate the same always
        self.open_recorded = dict.fromkeys(range(len(recorded)))
        self.owners_found = _owners(found)
        self.owners_recorded = _owners(recorded)

    def join(self, i: int, j: int) -> None:
        self.pairs[i] = j
        del self.open_found[i]
        del self.open_recorded[j]

    def distinctive(self, feature: str) -> bool:
        return len(self.owners_found.get(feature, ())) == 1 and len(self.owners_recorded.get(feature, ())) == 1

    def by_place(self, accept: Callable[[Unit, Unit], bool]) -> None:
        """Join what stands at the same place, if `accept` agrees; exact names before those equal after NFC."""
        if not self.open_found or not self.open_recorded:
            return
        for key in (_place, _alias):
            at: dict[Hashable, list[int]] = defaultdict(list)
            for j in self.open_recorded:
                at[key(self.recorded[j])].append(j)
            for i in list(self.open_found):
                unit = self.found[i]
                for j in at.get(key(unit), ()):
                    if j in self.open_recorded and accept(unit, self.recorded[j]):
                        self.join(i, j)
                        break

    def by_votes(self, *, distinctive_only: bool) -> None:
        """Join across places by what is shared; the pair that shares most goes first."""
        while self.open_found and self.open_recorded:
            votes: Counter[tuple[int, int]] = Counter()
            seen: set[str] = set()
            for i in self.open_found:
                for feature in self.found[i].features:
                    if feature in seen or (distinctive_only and not self.distinctive(feature)):
                        continue
                    seen.add(feature)
                    # One against one, in order: all against all would be millions for a clip in every lesson.
                    mine = (f for f in self.owners_found[feature] if f in self.open_found)
                    theirs = (r for r in self.owners_recorded.get(feature, ()) if r in self.open_recorded)
                    votes.update(zip(mine, theirs, strict=False))
            if not votes:
                return
            for i, j in sorted(votes, key=lambda pair: (-votes[pair], pair)):
                if i in self.open_found and j in self.open_recorded:
                    self.join(i, j)


def _place(unit: Unit) -> Hashable:
    return unit.place


def _alias(unit: Unit) -> Hashable:
    return unit.alias or unit.place


def _owners(units: Sequence[Unit]) -> dict[str, list[int]]:
    owners: dict[str, list[int]] = defaultdict(list)
    for index, unit in enumerate(units):
        for feature in unit.features:
            owners[feature].append(index)
    return owners


def pair(found: Sequence[Unit], recorded: Sequence[Unit], *, place_first: bool) -> dict[int, int]:
    """Return which found unit (by index) is which recorded one; units without a partner are absent.

    With `place_first` any shared feature at the same place settles it (files and components). Without, it takes a
    distinctive one (lessons and courses: after a swap of two lessons the clip that both share proves nothing).
    Deterministic: the same input, in the same order, gives the same pairs.
    """
    pairing = _Pairing(found, recorded)
    if recorded:
        pairing.by_place(lambda a, _: a.pinned)
        if place_first:
            pairing.by_place(_share_any)
        else:
            pairing.by_place(
                lambda a, b: any(feature in b.features and pairing.distinctive(feature) for feature in a.features)
            )
        pairing.by_votes(distinctive_only=True)
        pairing.by_place(_share_any)
        pairing.by_votes(distinctive_only=False)
        pairing.by_place(lambda _a, _b: True)
    return pairing.pairs


def _share_any(a: Unit, b: Unit) -> bool:
    return any(feature in b.features for feature in a.features)
