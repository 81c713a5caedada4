"""All that is recorded of one video: what it may be called, its file, every attempt to send it, every edit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import dict_row

from curri.catalog import library
from curri.catalog.database import Connection
from curri.catalog.inventory import KEPT
from curri.catalog.reading import ASSET
from curri.model import OPEN_STATES, AssetRow
from curri.plan.references import Carried, Known


@dataclass(frozen=True, slots=True)
class Component:
    """A video component with its course, its lesson and its file; also one that was removed."""

    id: str
    kind: str
    group_key: str
    course: str  # slug
    course_title: str
    root: str  # the curriculum folder
    lesson: str | None  # number
    lesson_title: str | None
    created_at: datetime
    removed_at: datetime | None  # it, its lesson or its course, whichever was first
    source: AssetRow | None  # the video file, as last recorded; None: it never had one
    read_at: datetime | None  # when its bytes were last read

    @property
    def place(self) -> str:
        """Where it lies, for people: course, lesson and path."""
        path = self.group_key if self.source is None else self.source.relative_path
        return "/".join(part for part in (self.course, self.lesson, path) if part)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to bring a video to Stream. The address of the upload is left out: only who sends may read it."""

    id: str
    state: str  # intended, created, sending, sent; linked, abandoned, failed
    run_id: int | None
    began_at: datetime
    changed_at: datetime
    decision: str | None  # passthrough, encode, rendition or original
    decision_reason: str | None
    recipe: str | None
    encode_seconds: float | None
    source_sha1: str
    artifact_sha1: str | None
    artifact_bytes: int | None
    acknowledged_bytes: int
    attempts: int  # times that Stream was asked to create it
    uid: str | None
    error_code: str | None
    error_message: str | None

    @property
    def is_open(self) -> bool:
        """Whether it may still be continued."""
        return self.state in OPEN_STATES

    @property
    def ended_at(self) -> datetime | None:
        """When it ended; None if it is open, or if its row was written to after that."""
        return None if self.is_open or self.error_code == KEPT else self.changed_at


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the metadata of a video on Stream."""

    uid: str
    run_id: int
    at: datetime
    before: Mapping[str, object]
    after: Mapping[str, object]
    reverted_by: int | None  # run

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it touched, in order."""
        every = self.before.keys() | self.after.keys()
        return tuple(sorted(key for key in every if self.before.get(key) != self.after.get(key)))


@dataclass(frozen=True, slots=True)
class Deleting:
    """A run that was to delete a video of the catalog, and on Stream unless it was to stay there."""

    uid: str
    run_id: int
    at: datetime  # its end; of one that was cut short: its begin
    done: bool
    keep_remote: bool


_COMPONENTS = """
    SELECT c.id::text AS component, k.root, k.slug AS course, l.number AS lesson, c.group_key,
           coalesce(c.removed_at, l.removed_at, k.removed_at) IS NOT NULL AS removed
      FROM component c JOIN course k ON k.id = c.course_id LEFT JOIN lesson l ON l.id = c.lesson_id
     WHERE c.type = 'VIDEO' ORDER BY k.position, k.slug, l.position NULLS FIRST, c.position, c.id"""
_FILES = """
    SELECT a.component_id::text, array_agg(a.relative_path ORDER BY a.role <> 'source', a.relative_path)
      FROM asset a JOIN component c ON c.id = a.component_id
     WHERE c.type = 'VIDEO' AND a.removed_at IS NULL GROUP BY a.component_id"""
_CARRIED = """
    SELECT cv.component_id::text, v.id::text, v.provider_id, cv.state::text, v.metadata ->> 'name'
      FROM video v LEFT JOIN component_video cv ON cv.provider = v.provider AND cv.provider_id = v.provider_id
     ORDER BY v.created_at, v.id"""
_SOURCE = f"""
    SELECT {ASSET}, a.hashed_at
      FROM asset a WHERE a.component_id = %s AND a.role = 'source'
     ORDER BY a.removed_at DESC NULLS FIRST, a.relative_path LIMIT 1"""  # noqa: S608 - only a constant of this package is put in
_COMPONENT = """
    SELECT c.id::text, c.kind, c.group_key, k.slug AS course, k.title AS course_title, k.root, l.number AS lesson,
           l.title AS lesson_title, c.created_at, least(c.removed_at, l.removed_at, k.removed_at) AS removed_at
      FROM component c JOIN course k ON k.id = c.course_id LEFT JOIN lesson l ON l.id = c.lesson_id
     WHERE c.id = %s"""
_ATTEMPTS = """
    SELECT id::text, state::text, run_id, created_at AS began_at, updated_at AS changed_at, decision::text,
           decision_reason, recipe, encode_seconds, source_sha1, artifact_sha1, artifact_bytes, acknowledged_bytes,
           attempts, provider_id AS uid, error_code, error_message
      FROM upload WHERE component_id = %s ORDER BY created_at, id"""
_EDITS = """
    SELECT v.provider_id AS uid, m.run_id, m.created_at AS at, m.before, m.after, m.reverted_by
      FROM metadata_change m JOIN video v ON v.id = m.video_id
     WHERE v.id = ANY(%s::uuid[]) ORDER BY m.created_at, m.id"""

_DELETIONS = """
    SELECT arguments ->> 'uid', id, coalesce(finished_at, started_at), coalesce(exit_code = 0, false),
           coalesce((arguments ->> 'keep_remote')::boolean, false)
      FROM run WHERE command = %s AND arguments ->> 'uid' = ANY(%s) ORDER BY id"""


def known(connection: Connection) -> list[Known]:
    """Return every video component, removed ones included, and every video that none is linked to, with all that each
    may be called."""
    called = library.titles(connection)
    files: dict[str, list[str]] = dict(connection.execute(_FILES).fetchall())
    carried: dict[str | None, list[Carried]] = defaultdict(list)
    for component, *rest in connection.execute(_CARRIED):
        carried[component].append(Carried(*rest))
    attempts: dict[str, list[str]] = defaultdict(list)
    for component, uid in connection.execute(
        "SELECT DISTINCT component_id::text, provider_id FROM upload WHERE provider_id IS NOT NULL ORDER BY 1, 2"
    ):
        attempts[component].append(uid)
    found = [
        Known(
            component,
            root,
            course,
            lesson,
            tuple(files.get(component) or [group_key]),
            called.get(component),
            removed,
            tuple(carried[component]),
            tuple(attempts[component]),
        )
        for component, root, course, lesson, group_key, removed in connection.execute(_COMPONENTS)
    ]
    return found + [Known(None, None, None, None, (), None, False, (video,), ()) for video in carried[None]]


def component(connection: Connection, component_id: str) -> Component:
    """Return what is recorded of a video component and its file."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_COMPONENT, [component_id]).fetchone()
    if row is None:
        raise AssertionError("a component that was found a moment ago, in the same snapshot")
    source = connection.execute(_SOURCE, [component_id]).fetchone()
    if source is None:
        return Component(**row, source=None, read_at=None)
    return Component(**row, source=AssetRow(*source[:-1]), read_at=source[-1])


def attempts(connection: Connection, component_id: str) -> tuple[Attempt, ...]:
    """Return every attempt to bring a component's video to Stream, the first one first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return tuple(Attempt(**row) for row in cursor.execute(_ATTEMPTS, [component_id]))


def edits(connection: Connection, videos: Sequence[str]) -> tuple[Edit, ...]:
    """Return the journal of these videos (ids of their rows), the first entry first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return tuple(Edit(**row) for row in cursor.execute(_EDITS, [list(videos)]))


def deletions(connection: Connection, command: str, uids: Sequence[str]) -> tuple[Deleting, ...]:
    """Return the runs of the command that deletes which were about these videos, the first one first."""
    return tuple(Deleting(*row) for row in connection.execute(_DELETIONS, [command, list(uids)]))
