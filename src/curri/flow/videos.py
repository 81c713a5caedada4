"""The library: the videos of the catalog, found, edited, counted and deleted. For the commands and for other programs.

Each function takes an open catalog and returns frozen values. All but `edit` and `delete` only read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from curri.catalog import library, overview
from curri.catalog.database import Database
from curri.catalog.library import Appearance, Filter, Taught, Video
from curri.catalog.overview import Statistics
from curri.errors import ExitCode, UsageError
from curri.flow import ledger, referring
from curri.flow.deleting import Deleted, Deletion, delete, deletion
from curri.model import Result
from curri.plan.playback import Playback, embed, playback
from curri.plan.text import folded, natural, printable

__all__ = [
    "Appearance",
    "Deleted",
    "Deletion",
    "Edited",
    "Filter",
    "Playback",
    "Statistics",
    "Texts",
    "Video",
    "by_course",
    "by_id",
    "by_lesson",
    "by_status",
    "by_uid",
    "delete",
    "deletion",
    "edit",
    "find",
    "playback",
    "player",
    "select",
    "statistics",
]

STATUSES = ("queued", "inprogress", "ready", "error")
EDIT = "videos edit"


@dataclass(frozen=True, slots=True)
class Texts:
    """What a partial edit sets. None leaves a text as it is, an empty one clears it."""

    title: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit changed."""

    before: Video
    after: Video
    outcome: Result  # done or unchanged
    run_id: int | None = None


def select(database: Database, wanted: Filter | None = None) -> list[Video]:
    """Return the videos that fit, in teaching order; those that nothing is linked to come last.

    Without a filter: all, also those that wait or retired. Raises UsageError if the catalog has no such course, lesson
    or kind, or there is no such status; one that has no videos is no error. Raises DatabaseError.
    """
    wanted = wanted or Filter()
    with database.snapshot() as connection:
        wanted = _checked(wanted, library.taught(connection))
        return library.read(connection, library.find(connection, wanted))


def by_course(database: Database, course: str, *, status: str | None = None) -> list[Video]:
    """Return the videos that play in a course (slug), in teaching order; none for a course without. As `select`."""
    statuses = () if status is None else (status,)
    return select(database, Filter(courses=(course,), statuses=statuses, playing=True))


def by_lesson(database: Database, course: str, lesson: str) -> list[Video]:
    """Return the videos that play in one lesson (its number), in teaching order. As `select`."""
    return select(database, Filter(courses=(course,), lessons=(lesson,), playing=True))


def by_status(database: Database, *statuses: str) -> list[Video]:
    """Return all videos with one of these statuses, in teaching order, also those that wait or retired. As `select`."""
    return select(database, Filter(statuses=statuses))


def by_id(database: Database, video_id: str) -> Video | None:
    """Return the video with this id (of its row in the catalog); None if there is none. Raises DatabaseError."""
    with database.snapshot() as connection:
        known = library.read(connection, [video_id])
    return known[0] if known else None


def by_uid(database: Database, uid: str) -> Video | None:
    """Return the video with this id on Stream; None if the catalog knows none. Raises DatabaseError."""
    with database.snapshot() as connection:
        known = library.read(connection, library.find(connection, Filter(uids=(uid,))))
    return next((each for each in known if each.provider == library.CLOUDFLARE), None)


def find(database: Database, reference: str) -> Video:
    """Return the one video that a person means: by an id, a name on Stream, a place or a path on disk.

    Raises UsageError, which names near matches, or all if there are several; DatabaseError.
    """
    with database.snapshot() as connection:
        (found,) = library.read(connection, [referring.video(connection, reference).id])
    return found


def player(video: Video) -> str | None:
    """Return the HTML that shows a video on a page; None if Stream has not told of its host yet."""
    return embed(video.playback, title=video.shown_title, width=video.width, height=video.height)


def statistics(database: Database, courses: Sequence[str] = ()) -> Statistics:
    """Return how many videos there are by status, and their minutes, in these courses (none named: in all).

    What plays or waits to counts, each video once. Raises UsageError if there is no such course, DatabaseError.
    """
    with database.snapshot() as connection:
        wanted = _checked(Filter(courses=courses), library.taught(connection))
        return overview.count(connection, list(wanted.courses) or None)


def edit(database: Database, video_id: str, texts: Texts, *, dry_run: bool = False, version: str) -> Edited:
    """Set title, description or both of a video in the catalog; all else stays as it is, and Stream is not asked.

    A second call changes nothing. Raises UsageError if there is nothing to set or no such video, DatabaseError.
    """
    values = dict(_given(texts))
    if not values:
        raise UsageError("there is nothing to change", hint="give --title or --description; an empty text clears it")
    before = by_id(database, video_id)
    if before is None:
        raise _gone(video_id)
    new = {name: text for name, text in values.items() if text != getattr(before, name)}
    if dry_run or not new:
        after = replace(
            before, title=new.get("title", before.title), description=new.get("description", before.description)
        )
        return Edited(before, after, Result.DONE if new else Result.UNCHANGED)
    with ledger.entry(database, EDIT, {"video": video_id, "fields": sorted(new)}, version) as entry:
        with database.transaction() as connection:
            if not library.lock(connection, video_id):
                raise _gone(video_id)
            library.edit(connection, video_id, new)
            (after,) = library.read(connection, [video_id])
        entry.ended(ExitCode.OK, {"edited": 1})
    return Edited(before, after, Result.DONE, entry.run_id)


def _given(texts: Texts) -> Iterable[tuple[str, str | None]]:
    for name in ("title", "description"):
        text: str | None = getattr(texts, name)
        if text is None:
            continue
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"the {name} is not UTF-8: {printable(text)}") from error
        yield name, text.strip() or None


def _gone(video_id: str) -> UsageError:
    return UsageError(f"the catalog has no video {printable(video_id)}", hint="`curri videos list` shows what there is")


def _checked(wanted: Filter, taught: Sequence[Taught]) -> Filter:
    """Return the filter in the words of the catalog. Raises UsageError for a word that fits nothing there."""
    courses = [course.lower() for course in wanted.courses]
    _require("course", courses, {each.course for each in taught}, "the catalog is empty: run `curri import` first")
    within = [each for each in taught if not courses or each.course in courses]
    lessons = [_number(lesson) for lesson in wanted.lessons]
    _require(
        "lesson", lessons, {each.lesson for each in within if each.lesson is not None}, "there is no lesson at all"
    )
    within = [each for each in within if not lessons or each.lesson in lessons]
    there = {each.kind for each in within if each.kind is not None}
    kinds = [kind for word in wanted.kinds for kind in _alike(word, there)]
    _require("kind", kinds, there, "there is no video at all")
    statuses = [status.lower() for status in wanted.statuses]
    _require("status", statuses, set(STATUSES), "")
    return replace(wanted, courses=tuple(courses), lessons=tuple(lessons), kinds=tuple(kinds), statuses=tuple(statuses))


def _alike(word: str, there: Collection[str]) -> list[str]:
    """Return what differs from a word in capitals only; the word itself if nothing does."""
    wanted = folded(word).casefold()
    return sorted(each for each in there if each.casefold() == wanted) or [word]


def _require(what: str, words: Sequence[str], there: Collection[str], nothing: str) -> None:
    for word in words:
        if word not in there:
            hint = f"there is {', '.join(map(printable, sorted(there, key=natural)))}" if there else nothing
            raise UsageError(f"there is no {what} {printable(word) or '(empty)'}", hint=hint)


def _number(text: str) -> str:
    return f"{int(text):02d}" if text.isascii() and text.isdecimal() else text
