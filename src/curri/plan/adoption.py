"""Which videos on Stream belong to which files, decided from what Stream says of them, and how sure that is."""

from __future__ import annotations

import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from curri.model import Held, RecordedVideo
from curri.plan.status import WITHOUT_BYTES, facts
from curri.plan.sync import lasts_as_sent
from curri.plan.text import folded, printable

_SHA1 = re.compile(r"[0-9a-f]{40}")
_SENDER = ("courseTitle", "lessonTitle", "managedBy", "program")
"""Keys that videos of one component have alike if they were sent from one catalog."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Evidence(StrEnum):
    """By what a video was recognised; the first that fits counts."""

    COMPONENT = "componentId"
    CHECKSUM = "checksumSha1"
    PLACE = "course, lesson and kind"
    FILE = "name, size and duration"
    """Of a video without metadata: sent by hand, or by an older script."""


class Upload(NamedTuple):
    """The attempt that brought a video to Stream, as its metadata tell."""

    id: str
    source_sha1: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Adoption:
    """A video that a component should be linked to."""

    video: RecordedVideo
    held: Held
    evidence: Evidence
    exact: bool
    """Nothing speaks against it, and nothing else fits as well: no person needs to look."""
    told: str  # what speaks for it, for people
    state: str = "current"  # current, pending or retired
    source_sha1: str | None = None  # None: taken to be made of the present file
    compressed: bool = False
    upload: Upload | None = None


def candidates(held: Iterable[Held], known: Iterable[str]) -> list[Held]:
    """Return the videos that may be adopted: whole, and named by nothing in the catalog. The oldest first."""
    taken = set(known)
    return [video for video in held if video.uid not in taken and video.state not in WITHOUT_BYTES]


def by_metadata(videos: Sequence[RecordedVideo], found: Sequence[Held]) -> list[Adoption]:
    """Match by `componentId`, else by `checksumSha1`. `videos` are those without a link and without an open upload.

    Ids are made of places: two lessons that were swapped have each other's in a catalog that is built anew, and so has
    another curriculum that numbers its courses alike. So an id alone is never exact: the checksum must be that of the
    file, too, or the video be older than one with that checksum, and say the same of where it was sent from.

    A component with several videos plays the newest that is ready; one that is newer and cannot be played waits, the
    others were replaced. The files of a lesson that was copied are equal: then the place decides, and without one
    nothing is matched for sure.
    """
    by_id = {video.id: video for video in videos}
    mine: dict[str, list[Held]] = defaultdict(list)
    for held in found:
        if (component := str(held.meta.get("componentId"))) in by_id:
            mine[component].append(held)
    proven = [each for component, several in mine.items() for each in _proven(by_id[component], several)]
    done, taken = _settled(proven)
    free = [video for video in videos if video.id not in done]
    proven += _by_checksum(free, [held for held in found if held.uid not in taken])
    done, taken = _settled(proven)
    likely = [
        _likely(by_id[component], rest)
        for component, several in mine.items()
        if component not in done and (rest := [held for held in several if held.uid not in taken])
    ]
    return _in_order(proven + likely, videos)


def _in_order(adoptions: Sequence[Adoption], videos: Sequence[RecordedVideo]) -> list[Adoption]:
    positions = {video.id: position for position, video in enumerate(videos)}
    return sorted(adoptions, key=lambda each: positions[each.video.id])


def _settled(adoptions: Sequence[Adoption]) -> tuple[set[str], set[str]]:
    """Return the components and the videos that are matched."""
    return {each.video.id for each in adoptions}, {each.held.uid for each in adoptions}


def _proven(video: RecordedVideo, several: Sequence[Held]) -> list[Adoption]:
    """Say which of its videos a component plays, and which waits; nothing if none was made of the present file.

    The one to be played comes first. Of those that were replaced some may not be proven to be its own.
    """
    ordered = sorted(several, key=_moment, reverse=True)
    whole = [held for held in ordered if held.meta.get("checksumSha1") == video.source.sha1]
    if not whole:
        return []
    newest = whole[0]
    older = ordered[ordered.index(newest) :]
    sure = [held for held in older if held in whole or _same_sender(held, newest)]
    current = _best_to_play(sure)
    told = f"its metadata name this component, {video.id}"
    adoptions = [_adoption(video, current, Evidence.COMPONENT, told, exact=True)]
    for held in older:
        if held is current:
            continue
        state = "pending" if held is newest else "retired"
        more = "" if held in sure else "; whether it was sent from here is not known"
        adoptions.append(_adoption(video, held, Evidence.COMPONENT, f"{told}{more}", exact=held in sure, state=state))
    return adoptions


def _likely(video: RecordedVideo, several: Sequence[Held]) -> Adoption:
    """Offer the best of the videos that name a component and were made of another file."""
    best = _best_to_play(sorted(several, key=lambda held: (not of_another(video, held), _moment(held)), reverse=True))
    told = f"its metadata name this component, {video.id}; it was made of another file than the present one"
    return _adoption(video, best, Evidence.COMPONENT, told, exact=False)


def _best_to_play(ordered: Sequence[Held]) -> Held:
    """Return the first that can be played, else the first that may be some day."""
    playable = [held for held in ordered if facts(held).status == "ready"]
    sound = [held for held in ordered if facts(held).status != "error"]
    return (playable or sound or ordered)[0]


def _same_sender(one: Held, other: Held) -> bool:
    return all(one.meta.get(key) == other.meta.get(key) for key in _SENDER)


def _by_checksum(videos: Sequence[RecordedVideo], found: Sequence[Held]) -> list[Adoption]:
    equal: dict[str, list[RecordedVideo]] = defaultdict(list)
    for video in videos:
        equal[video.source.sha1].append(video)
    made: dict[str, list[Held]] = defaultdict(list)
    # Of several videos made of one file, one is enough; the others are nobody's.
    for held in sorted(found, key=lambda held: (facts(held).status == "ready", _moment(held)), reverse=True):
        sha1 = str(held.meta.get("checksumSha1"))
        if sha1 in equal:
            made[sha1].append(held)
    adoptions = []
    for sha1, several in made.items():
        files = list(equal[sha1])
        if len(files) == 1:
            told = f"it was made of a file with this checksum, {sha1}"
            adoptions.append(_adoption(files[0], several[0], Evidence.CHECKSUM, told, exact=True))
            continue
        told = f"{len(files)} equal files have this checksum, {sha1}"
        for held in several:
            here = next((video for video in files if _same_place(video, held)), None)
            if here is not None:
                files.remove(here)
                adoptions.append(_adoption(here, held, Evidence.CHECKSUM, f"{told}; it names this place", exact=True))
    return adoptions


def by_looks(
    videos: Sequence[RecordedVideo], found: Sequence[Held], titles: Mapping[str, str], seconds: Mapping[str, float]
) -> list[Adoption]:
    """Match what is left by course, lesson and kind, then by name, size and duration.

    `seconds` is how long the files last, by component, as far as that is known. Exact only where the duration agrees,
    nothing in the metadata speaks against it, and no other file or video fits as well. By name, size and duration only
    where the size agrees: many videos last as long, and two curricula may call theirs the same.
    """
    of_lesson = _gathered(found, lambda held: [_lesson_of(held)])
    adoptions = _best(
        [
            pair
            for video in videos
            for held in of_lesson.get((video.course, video.lesson), ())
            if (pair := _place(video, held, seconds.get(video.id))) is not None
        ]
    )
    done, taken = _settled(adoptions)
    # Only what shares a size or a name can be the same: to hold every file against every video would take hours.
    rest = {held.uid: position for position, held in enumerate(found) if held.uid not in taken}
    alike = _gathered(
        (held for held in found if held.uid in rest), lambda held: [held.size, held.name, _stem(held.name)]
    )
    adoptions += _best(
        [
            pair
            for video in videos
            if video.id not in done
            for held in sorted(_alike(video, titles[video.id], alike), key=lambda held: rest[held.uid])
            if (pair := _looks(video, held, titles[video.id], seconds.get(video.id))) is not None
        ]
    )
    return _in_order(adoptions, videos)


def _gathered(found: Iterable[Held], keys: Callable[[Held], Iterable[object]]) -> dict[object, list[Held]]:
    """Return the videos by each of their keys, in their order."""
    gathered: dict[object, list[Held]] = defaultdict(list)
    for held in found:
        for key in dict.fromkeys(keys(held)):
            gathered[key].append(held)
    return gathered


def _alike(video: RecordedVideo, title: str, by_key: Mapping[object, Sequence[Held]]) -> list[Held]:
    """Return the videos that have the size or a name of a file; of several keys each once."""
    keys = [*_sizes(video), title, _stem(video.source.relative_path)]
    return list({held.uid: held for key in keys for held in by_key.get(key, ())}.values())


class _Pair(NamedTuple):
    """A file and a video that may belong together, and how much speaks for it."""

    score: int
    sure: bool
    video: RecordedVideo
    held: Held
    evidence: Evidence
    told: str


def _best(pairs: Sequence[_Pair]) -> list[Adoption]:
    """Give every file and every video at most one partner, the best first; exact only without a rival as good."""
    files = Counter((pair.score, pair.video.id) for pair in pairs)
    videos = Counter((pair.score, pair.held.uid) for pair in pairs)
    chosen: list[Adoption] = []
    taken: set[str] = set()
    for pair in sorted(pairs, key=lambda pair: -pair.score):
        video, held = pair.video, pair.held
        if video.id in taken or held.uid in taken:
            continue
        taken |= {video.id, held.uid}
        alone = files[pair.score, video.id] == 1 and videos[pair.score, held.uid] == 1
        told = pair.told if alone else f"{pair.told}; others fit as well"
        chosen.append(_adoption(video, held, pair.evidence, told, exact=pair.sure and alone))
    return chosen


def _place(video: RecordedVideo, held: Held, seconds: float | None) -> _Pair | None:
    """Compare course, lesson and kind with what the metadata name, as older scripts wrote them."""
    if not _same_place(video, held):
        return None
    lasts, told = _duration(held, seconds)
    changed = _made_of_another(video, held)
    if changed:
        told += "; it was made of another file than the present one"
    elif of_another(video, held):
        changed = True
        told += "; it names another title"
    score = (lasts is True) - (lasts is False)
    words = f"its metadata name this course, lesson and kind; {told}"
    return _Pair(score, lasts is True and not changed, video, held, Evidence.PLACE, words)


def _looks(video: RecordedVideo, held: Held, title: str, seconds: float | None) -> _Pair | None:
    """Compare name, size and duration. A duration that differs, or nothing but the duration, is no evidence."""
    if _made_of_another(video, held):
        return None
    lasts, told = _duration(held, seconds)
    size = held.size in _sizes(video)
    called = held.name == title
    name = called or _stem(held.name) == _stem(video.source.relative_path)
    if lasts is False or not (size or name) or not (lasts or size or called):
        return None
    words = [f"name {printable(str(held.name))}"] if name else []
    words += [f"size {held.size:,} bytes"] if size else []
    sure = lasts is True and size and "courseSlug" not in held.meta  # else it says that it is another one
    score = 2 * size + 2 * called + name + (lasts is True)
    return _Pair(score, sure, video, held, Evidence.FILE, ", ".join([*words, told]))


def _sizes(video: RecordedVideo) -> set[int]:
    return {video.source.size, *([video.rendition.size] if video.rendition is not None else [])}


def _duration(held: Held, seconds: float | None) -> tuple[bool | None, str]:
    """Return whether both last as long, None if that is not known, and the words for it."""
    if held.duration is None or seconds is None:
        return None, "whether it lasts as long is not known"
    if lasts_as_sent(held.duration, seconds):
        return True, f"duration {held.duration:.1f} s"
    return False, f"it lasts {held.duration:.1f} s, the file {seconds:.1f} s"


def of_another(video: RecordedVideo, held: Held) -> bool:
    """Return whether a video that names this component is one of another curriculum.

    Ids are made of places: two curricula that number their courses alike have the same, and may share an account.
    """
    if held.meta.get("checksumSha1") == video.source.sha1:
        return False
    titles = {"courseTitle": video.course_title, "lessonTitle": video.lesson_title}
    return any(held.meta.get(key, title) != title for key, title in titles.items())


def _made_of_another(video: RecordedVideo, held: Held) -> bool:
    return str(held.meta.get("checksumSha1", video.source.sha1)) != video.source.sha1


def _same_place(video: RecordedVideo, held: Held) -> bool:
    meta = held.meta
    if _lesson_of(held) != (video.course, video.lesson):
        return False
    if "groupKey" in meta:
        return meta["groupKey"] == video.group_key
    return meta.get("componentType") == video.kind


def _lesson_of(held: Held) -> tuple[str, str | None]:
    """Return course and lesson as the metadata name them."""
    return str(held.meta.get("courseSlug")), _number(held.meta.get("lessonNumber"))


def _number(value: object) -> str | None:
    """Return the number of a lesson as the catalog writes it: older scripts wrote 1 for 01."""
    text = "" if value is None else str(value)
    return f"{int(text):02d}" if text.isascii() and text.isdecimal() else text or None


def _stem(name: str | None) -> str | None:
    """Return what a file is called, without folders, extension and the mark of a rendition."""
    if not name:
        return None
    stem = folded(name.rpartition("/")[2]).casefold()
    stem = stem.rpartition(".")[0] or stem
    return stem.removesuffix("_compressed")


def _moment(held: Held) -> tuple[datetime, str]:
    """Return when a video was sent, for ordering: as Stream says, else by its metadata, which know whole seconds."""
    created = _aware(str(held.created))
    upload = _upload(held)
    return (created or (upload.at if upload is not None else _LONG_AGO), held.uid)


def _aware(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _upload(held: Held) -> Upload | None:
    """Return the attempt that a video's metadata tell of; None if they are not whole."""
    upload_id, sha1, at = (str(held.meta.get(key)) for key in ("uploadId", "checksumSha1", "uploadedAt"))
    moment = _aware(at)
    try:
        known = str(uuid.UUID(upload_id))
    except ValueError:
        return None
    return Upload(known, sha1, moment) if moment is not None and _SHA1.fullmatch(sha1) else None


def _adoption(
    video: RecordedVideo, held: Held, evidence: Evidence, told: str, *, exact: bool, state: str = "current"
) -> Adoption:
    sha1 = str(held.meta.get("checksumSha1"))
    return Adoption(
        video,
        held,
        evidence,
        exact,
        told,
        state,
        sha1 if _SHA1.fullmatch(sha1) else None,
        str(held.meta.get("compressed")).lower() == "true" or _is_rendition(video, held),
        _upload(held),
    )


def _is_rendition(video: RecordedVideo, held: Held) -> bool:
    return video.rendition is not None and held.size == video.rendition.size and held.size != video.source.size
