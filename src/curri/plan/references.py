"""What a person may call a video, and which one is meant: an id, a place, a path on disk, a name on Stream."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from curri.errors import UsageError
from curri.plan.text import folded, printable

NEAR = 3
"""Near matches that a message names."""
MANY = 10
"""Candidates that a message names."""
_STATES = ("current", "pending", "retired")


class Spot(NamedTuple):
    """A place that a text may mean."""

    root: str | None  # the curriculum folder that a path on disk lies in; None: a place as the catalog writes it
    course: str  # slug
    lesson: str | None  # number; None: in the course folder itself
    path: str  # in the lesson or course folder


class Carried(NamedTuple):
    """A video that a component is, or was, linked to."""

    id: str  # of its row
    uid: str
    state: str | None  # of the link: current, pending or retired; None: nothing is linked to it
    called: str | None  # its name on Stream when that was last looked at


class Known(NamedTuple):
    """A video component of the catalog (or a video that none is linked to), and all that it is called by."""

    component: str | None  # id
    root: str | None
    course: str | None
    lesson: str | None
    files: tuple[str, ...]  # in the lesson or course folder; the video itself first
    name: str | None  # on Stream, as it should be; of a component that was removed: None
    removed: bool
    videos: tuple[Carried, ...]
    attempts: tuple[str, ...]  # ids of uploads

    @property
    def place(self) -> str | None:
        """Where it lies, for people: course, lesson and path."""
        return "/".join(part for part in (self.course, self.lesson, *self.files[:1]) if part) or None

    @property
    def label(self) -> str:
        """What a message calls it."""
        if self.place is None:
            return " ".join(video.uid for video in self.videos)
        return f"{printable(self.place)} ({self.component}, removed)" if self.removed else printable(self.place)


class Match(NamedTuple):
    """What a text means."""

    known: Known
    video: Carried | None = None  # the one of its videos that was named; None: the component was
    uid: str | None = None  # the id on Stream that was named, also one that only an upload has


def find(text: str, spots: Iterable[Spot], known: Sequence[Known]) -> list[Match]:
    """Return what a text may mean: the matches of the first way to read it that has any.

    An id is told before a place, a place before the name that a video should have on Stream, and that before the name
    it had there. What is there comes before what was removed from the same place.
    """
    ids = _by_id(text, known)
    if ids:
        return ids
    wanted = list(spots)
    places = [Match(each) for each in known if any(_lies_at(each, spot) for spot in wanted)]
    if places:
        return [match for match in places if not match.known.removed] or places
    names = [Match(each) for each in known if each.name is not None and folded(each.name) == folded(text)]
    if names:
        return names
    return [
        Match(each, video, video.uid)
        for each in known
        for video in each.videos
        if video.called is not None and folded(video.called) == folded(text)
    ]


def component(text: str, spots: Iterable[Spot], known: Sequence[Known]) -> Match:
    """Return the one component that a text means, or the one video that none is linked to.

    Raises UsageError: naming near matches if there is none, naming all if there are several.
    """
    matches = find(text, spots, known)
    if not matches:
        raise _unknown(text, known)
    subjects = {(match.known.component, match.known.label): match for match in matches}
    if len(subjects) > 1:
        raise _ambiguous(text, [(match.known.component or match.known.label, match) for match in subjects.values()])
    return _best(matches)


def video(text: str, spots: Iterable[Spot], known: Sequence[Known]) -> Carried:
    """Return the one video that a text means. A place or name means the video that plays there, else the one that
    waits to.

    Raises UsageError like `component`, and if nothing plays or waits there.
    """
    matches = find(text, spots, known)
    if not matches:
        raise _unknown(text, known)
    found: dict[str, tuple[Carried, Match]] = {}
    for match in matches:
        meant = match.video or _played(match.known) if match.uid is None else match.video
        if meant is not None:
            found.setdefault(meant.id, (meant, match))
    if not found:
        where = matches[0].known.label
        if matches[0].uid is not None:
            raise UsageError(
                f"{printable(text)} is an upload of {where}, and no video of the catalog",
                hint=f"`curri explain {printable(text)}` tells what became of it",
            )
        raise UsageError(f"{where} has no video on Stream", hint="`curri explain` tells why; `curri upload` sends it")
    if len(found) > 1:
        raise _ambiguous(text, [(meant.uid, match) for meant, match in found.values()])
    ((meant, _),) = found.values()
    return meant


def _by_id(text: str, known: Sequence[Known]) -> list[Match]:
    ids = {text, text.lower()}
    found = []
    for each in known:
        if each.component in ids:
            found.append(Match(each))
            continue
        carried = next((video for video in each.videos if video.id in ids or video.uid in ids), None)
        if carried is not None:
            found.append(Match(each, carried, carried.uid))
        else:
            found += [Match(each, None, uid) for uid in each.attempts if uid in ids][:1]
    return found


def _lies_at(known: Known, spot: Spot) -> bool:
    if (known.course, known.lesson) != (spot.course, spot.lesson) or spot.root not in (None, known.root):
        return False
    return folded(spot.path) in {folded(path) for path in known.files}


def _played(known: Known) -> Carried | None:
    """Return the video that a component plays, else the one that it waits for."""
    return next((video for state in ("current", "pending") for video in known.videos if video.state == state), None)


def _best(matches: Sequence[Match]) -> Match:
    """Return the match of the most recent link, where one video was named that a component had twice."""
    return min(matches, key=lambda match: _STATES.index(match.video.state) if match.video and match.video.state else 0)


def _unknown(text: str, known: Sequence[Known]) -> UsageError:
    shown = printable(text) or "(empty)"
    if not known:
        return UsageError(
            f"no video of the catalog is called {shown}",
            hint="the catalog has no videos: `curri import PATH` records them",
        )
    near = nearest(text, known)
    hint = f"did you mean {' or '.join(near)}?" if near else "`curri status` and `curri videos list` show what there is"
    return UsageError(f"no video of the catalog is called {shown}", hint=hint)


def nearest(text: str, known: Sequence[Known]) -> list[str]:
    """Return the places and names that are most like a text, the most similar first; none if nothing is like it."""
    words: dict[str, str] = {}  # folded -> as shown
    for each in known:
        for word in (each.name, each.place):
            if word is not None and not each.removed:
                words.setdefault(folded(word).casefold(), printable(word))
    wanted = folded(text).casefold().strip("/")
    begin = [word for word in words if wanted and (word.startswith(wanted) or word.endswith(f"/{wanted}"))]
    near = begin[:NEAR] or difflib.get_close_matches(wanted, words, n=NEAR)
    return [words[word] for word in near]


def _ambiguous(text: str, candidates: Sequence[tuple[str, Match]]) -> UsageError:
    told = [f"{name} ({match.known.label})" if name != match.known.label else name for name, match in candidates[:MANY]]
    more = f" and {len(candidates) - MANY} more" if len(candidates) > MANY else ""
    return UsageError(
        f"{printable(text)} may mean {len(candidates)} videos", hint=f"name one by its id: {', '.join(told)}{more}"
    )
