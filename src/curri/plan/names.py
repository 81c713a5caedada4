"""Names of videos on Stream, such as `course_01_L01_learning`: for people and for searching, never identity."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from curri.plan.text import folded, natural, slug

MAIN_STEM = "video"
"""`<kind>/video.<ext>` is the main video of its kind."""


class Named(NamedTuple):
    """A video that needs a name."""

    component_id: str  # unique
    course: str  # slug, "course_01"
    lesson: str | None  # number, "01"; None: the video lies in the course folder (a preview)
    kind: str
    group_key: str  # path in the lesson or course folder, with its extension


def names(videos: Iterable[Named]) -> dict[str, str]:
    """Return component id -> name, unique within each course and the same in whatever order `videos` come.

    A lesson (or course folder) is named from all of its own videos and from nothing else, so it must be given
    completely. A video that comes or goes can rename others of its lesson; none of another lesson.
    """
    folders: dict[tuple[str, str | None], list[Named]] = defaultdict(list)
    for video in videos:
        folders[video.course, video.lesson].append(video)
    return {component_id: name for folder in folders.values() for component_id, name in _folder(folder).items()}


def _folder(videos: Sequence[Named]) -> dict[str, str]:
    """Name the videos of one lesson, or those of one course folder."""
    ordered = sorted(videos, key=lambda video: (natural(video.group_key), video.group_key, video.component_id))
    # Kinds that read the same in a name are one kind: "Part 1" and "part-1" cannot both be `_part-1`.
    sizes = Counter(slug(video.kind) for video in ordered)
    given: dict[str, str] = {}  # name -> component id
    rest: list[tuple[str, str]] = []
    for video in ordered:
        kind = slug(video.kind)
        bare = _bare(video)
        if bare not in given and (sizes[kind] == 1 or _is_main(video)):
            given[bare] = video.component_id
        else:
            rest.append((f"{bare}_{slug(_within_kind(video.group_key))}", video.component_id))
    # A number never takes the name that another video has by its own path: those are all given out before.
    late: list[tuple[str, str]] = []
    for name, component_id in rest:
        if name in given:
            late.append((name, component_id))
        else:
            given[name] = component_id
    for name, component_id in late:
        number = 2
        while (numbered := f"{name}-{number}") in given:
            number += 1
        given[numbered] = component_id
    return {component_id: name for name, component_id in given.items()}


def _bare(video: Named) -> str:
    """Return the name without the part that tells videos of one kind apart.

    A kind is slugged to lower case, so that what lies in a course folder is never taken for lesson `L01`.
    """
    lesson = "" if video.lesson is None else f"_L{video.lesson}"
    return f"{video.course}{lesson}_{slug(video.kind)}"


def _is_main(video: Named) -> bool:
    """Return whether a video may have the bare name although its kind has others."""
    if video.lesson is None:
        return True  # all lie in the one folder there is, and the first is as good as any
    _, _, below = video.group_key.partition("/")  # "" for a video in no folder, which is nobody's main video
    return folded(_without_extension(below)).casefold() == MAIN_STEM


def _within_kind(group_key: str) -> str:
    """Return the path below the folder of the kind; a video that lies in none has only its stem."""
    folder, slash, path = group_key.partition("/")
    return _without_extension(path if slash else folder)


def _without_extension(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem, _, _ = name.rpartition(".")
    return f"{folder}{slash}{stem or name}"
