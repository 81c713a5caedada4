"""The videos of the catalog: finding them as a course has them, one by one with all that is known, and editing them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from psycopg import sql
from psycopg.rows import dict_row

from curri.catalog.database import Connection
from curri.catalog.inventory import KEPT
from curri.model import OPEN_STATES
from curri.plan.names import Named, names
from curri.plan.playback import Playback, playback

CLOUDFLARE = "CLOUDFLARE"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which videos are meant; an empty list is no restriction."""

    courses: Sequence[str] = ()  # slugs
    lessons: Sequence[str] = ()  # numbers, "01"
    kinds: Sequence[str] = ()
    statuses: Sequence[str] = ()  # queued, inprogress, ready, error
    playing: bool = False
    """Only what a component plays that is there: neither what waits or retired, nor what was removed."""
    uids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Appearance:
    """A link of a video: where it shows, showed, or waits to."""

    component_id: str
    course: str  # slug
    course_title: str
    lesson: str | None  # number; None: it lies in the course folder
    lesson_title: str | None
    kind: str
    group_key: str
    removed: bool  # its file is gone from the tree
    state: str  # pending, current or retired
    since: datetime  # when it came into this state
    linked_at: datetime | None
    retired_at: datetime | None
    source_sha1: str | None  # of the file that was sent; None: not known
    compressed: bool  # an encode was sent, not the source
    name: str | None = None  # what Stream should call the video; of what was removed: None

    @property
    def place(self) -> str:
        """Where it lies, for people: course, lesson and path."""
        return "/".join(part for part in (self.course, self.lesson, self.group_key) if part)


@dataclass(frozen=True, slots=True)
class Video:
    """A video as the catalog knows it. Times are aware; `title` and `description` are the catalog's own."""

    id: str
    provider: str
    uid: str
    title: str | None
    description: str | None
    status: str  # queued, inprogress, ready or error
    provider_state: str | None  # the provider's own word
    progress: int  # percent
    seconds: float | None
    source_seconds: float | None  # duration of what was sent
    width: int | None
    height: int | None
    size: int | None  # bytes
    thumbnail_url: str | None
    hls_url: str | None
    dash_url: str | None
    preview_url: str | None
    error_code: str | None
    error_message: str | None
    metadata: Mapping[str, object]
    state_since: datetime
    provider_created_at: datetime | None
    ready_at: datetime | None
    fully_encoded_at: datetime | None
    synced_at: datetime | None
    next_check_at: datetime | None
    created_at: datetime
    updated_at: datetime
    appearances: tuple[Appearance, ...] = ()  # in teaching order; what plays before what waits before what retired

    @property
    def playback(self) -> Playback:
        """Where it plays."""
        recorded = {"hls": self.hls_url, "dash": self.dash_url}
        return playback(self.uid, **recorded, thumbnail=self.thumbnail_url, watch=self.preview_url)

    @property
    def shown_title(self) -> str:
        """What a page calls it, as the view `course_videos` has it: its own title, else that of where it appears."""
        shown = (
            self.title,
            *(title for each in self.appearances[:1] for title in (each.lesson_title, each.course_title)),
        )
        return next((title for title in shown if title is not None), self.uid)


class Taught(NamedTuple):
    """A course, one of its lessons, and a kind of video in there, as far as there are such."""

    course: str
    lesson: str | None
    kind: str | None


_APPEARING = """
      FROM video v
      LEFT JOIN component_video cv ON cv.provider = v.provider AND cv.provider_id = v.provider_id
      LEFT JOIN component c ON c.id = cv.component_id
      LEFT JOIN course k ON k.id = c.course_id
      LEFT JOIN lesson l ON l.id = c.lesson_id"""
_GONE = "coalesce(c.removed_at, l.removed_at, k.removed_at) IS NOT NULL"
_IN_ORDER = f"""
     ORDER BY k.position, k.slug, l.position NULLS FIRST, c.position, {_GONE}, c.id,
              cv.state <> 'current', cv.state <> 'pending', cv.linked_at DESC, v.created_at, v.id"""
_FIND = f"""
    SELECT v.id::text {_APPEARING}
     WHERE (%(courses)s::text[] IS NULL OR k.slug = ANY(%(courses)s))
       AND (%(lessons)s::text[] IS NULL OR l.number = ANY(%(lessons)s))
       AND (%(kinds)s::text[] IS NULL OR c.kind = ANY(%(kinds)s))
       AND (%(statuses)s::text[] IS NULL OR v.status::text = ANY(%(statuses)s))
       AND (%(uids)s::text[] IS NULL OR v.provider_id = ANY(%(uids)s))
       AND (NOT %(playing)s OR (cv.state = 'current' AND NOT {_GONE})) {_IN_ORDER}"""
_VIDEOS = """
    SELECT v.id::text, v.provider::text, v.provider_id AS uid, v.title, v.description, v.status::text,
           v.provider_state, v.processing_progress AS progress, v.duration_seconds AS seconds, v.source_seconds,
           v.width, v.height, v.size_bytes AS size, v.thumbnail_url, v.playback_hls_url AS hls_url,
           v.playback_dash_url AS dash_url, v.preview_url, v.error_code, v.error_message, v.metadata, v.state_since,
           v.provider_created_at, v.ready_at, v.fully_encoded_at, v.synced_at, v.next_check_at, v.created_at,
           v.updated_at
      FROM video v WHERE v.id = ANY(%(ids)s::uuid[])"""
# A link that became current after it had waited was changed then for the last time.
_APPEARANCES = f"""
    SELECT v.id::text, c.id::text AS component_id, k.slug AS course, k.title AS course_title, l.number AS lesson,
           l.title AS lesson_title, c.kind, c.group_key, {_GONE} AS removed, cv.state::text, cv.linked_at,
           cv.retired_at, cv.source_sha1, cv.compressed,
           CASE cv.state WHEN 'retired' THEN coalesce(cv.retired_at, cv.updated_at)
                         WHEN 'pending' THEN coalesce(cv.linked_at, cv.created_at) ELSE cv.updated_at END AS since
      {_APPEARING} WHERE v.id = ANY(%(ids)s::uuid[]) AND cv.id IS NOT NULL {_IN_ORDER}"""
_NAMED = """
    SELECT c.id::text, k.slug, l.number, c.kind, c.group_key
      FROM component c JOIN course k ON k.id = c.course_id LEFT JOIN lesson l ON l.id = c.lesson_id
     WHERE c.type = 'VIDEO' AND c.removed_at IS NULL AND k.removed_at IS NULL AND l.removed_at IS NULL
       AND (%(courses)s::text[] IS NULL OR k.slug = ANY(%(courses)s))"""
_TAUGHT = """
    SELECT DISTINCT k.slug, l.number, c.kind
      FROM course k
      LEFT JOIN LATERAL (SELECT id, number FROM lesson WHERE course_id = k.id AND removed_at IS NULL
                          UNION ALL SELECT NULL, NULL) l ON true
      LEFT JOIN component c ON c.course_id = k.id AND c.lesson_id IS NOT DISTINCT FROM l.id
                           AND c.type = 'VIDEO' AND c.removed_at IS NULL
     WHERE k.removed_at IS NULL"""


def find(connection: Connection, wanted: Filter) -> list[str]:
    """Return the ids of the videos that fit, in teaching order; those that nothing is linked to come last."""
    rows = connection.execute(
        _FIND,
        {
            "courses": list(wanted.courses) or None,
            "lessons": list(wanted.lessons) or None,
            "kinds": list(wanted.kinds) or None,
            "statuses": list(wanted.statuses) or None,
            "uids": list(wanted.uids) or None,
            "playing": wanted.playing,
        },
    )
    return list(dict.fromkeys(row[0] for row in rows))


def read(connection: Connection, ids: Sequence[str]) -> list[Video]:
    """Return the videos with these ids (of their rows), in this order; those that are not there are left out."""
    within = {"ids": [each for each in ids if _is_uuid(each)]}
    links: dict[str, list[Appearance]] = defaultdict(list)
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_APPEARANCES, within).fetchall():
            links[row.pop("id")].append(Appearance(**row))
        called = titles(connection, sorted({each.course for many in links.values() for each in many}))
        videos = {
            row["id"]: Video(
                **row,
                appearances=tuple(replace(each, name=called.get(each.component_id)) for each in links[row["id"]]),
            )
            for row in cursor.execute(_VIDEOS, within)
        }
    return [videos[each] for each in ids if each in videos]


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def titles(connection: Connection, courses: Sequence[str] | None = None) -> dict[str, str]:
    """Return the name on Stream of every video component that is there (in these courses), by its id."""
    rows = connection.execute(_NAMED, {"courses": None if courses is None else list(courses)})
    return names(Named(*row) for row in rows)


def taught(connection: Connection) -> list[Taught]:
    """Return which courses, lessons and kinds of videos there are: a course without lessons, a lesson without videos
    and what lies in the course folder too."""
    return [Taught(*row) for row in connection.execute(_TAUGHT)]


# --- editing


def lock(connection: Connection, video_id: str) -> bool:
    """Let nobody else change the row of a video until the transaction ends; False if there is none."""
    return connection.execute("SELECT FROM video WHERE id = %s FOR UPDATE", [video_id]).rowcount == 1


def edit(connection: Connection, video_id: str, texts: Mapping[str, str | None]) -> None:
    """Change title, description or both; what is not among `texts` stays."""
    if not texts.keys() <= {"title", "description"}:
        raise ValueError(f"not for editing: {sorted(texts)}")
    sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in texts)
    connection.execute(sql.SQL("UPDATE video SET {} WHERE id = %s").format(sets), [*texts.values(), video_id])


def condemn(connection: Connection, video_id: str, code: str, message: str) -> None:
    """Record that a video is about to be deleted: from now on nobody is told that it plays. Due for a look, so that
    the next one puts it right, should it come to nothing."""
    connection.execute(
        "UPDATE video SET status = 'error', error_code = %s, error_message = %s, ready_at = NULL,"
        " fully_encoded_at = NULL, next_check_at = NULL,"
        " state_since = CASE WHEN status <> 'error' THEN now() ELSE state_since END WHERE id = %s",
        [code, message, video_id],
    )


def remove(connection: Connection, video_id: str) -> bool:
    """Delete the row of a video with all its links and the journal of its metadata; False if there is none."""
    return connection.execute("DELETE FROM video WHERE id = %s", [video_id]).rowcount == 1


def keep(connection: Connection, uid: str) -> None:
    """Record of all attempts that brought a video to Stream that it is to stay there: it is no leftover."""
    connection.execute(
        "UPDATE upload SET error_code = %s, error_message = 'taken out of the catalog; the video stays on Stream'"
        " WHERE provider_id = %s",
        [KEPT, uid],
    )


def open_uploads(connection: Connection, uid: str) -> list[tuple[str, str]]:
    """Return (id, component id) of every upload of this video that may still be continued."""
    rows = connection.execute(
        "SELECT id::text, component_id::text FROM upload WHERE provider_id = %s AND state::text = ANY(%s) ORDER BY id",
        [uid, list(OPEN_STATES)],
    )
    return [(upload, component) for upload, component in rows]
