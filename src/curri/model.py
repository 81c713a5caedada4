"""Frozen values that two rooms or more share.

One lesson is seen three times: as *Found* on disk, as *Recorded* in the catalog, as *Held* by Stream. The three
have types of their own, so that mixing them up does not type-check. What lies many thousand times in memory is a
NamedTuple (small, and quick to make); everything else is a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from curri.errors import ExitCode

FINGERPRINT_VERSION = 1
"""The version of (size, mtime_ns, ctime_ns, inode) as evidence. A row written by another version is read again."""


class ComponentType(StrEnum):
    """What a part of a lesson is for."""

    VIDEO = "VIDEO"
    """One video file with its sidecars."""
    LAB = "LAB"
    """One folder of lab material."""
    RESOURCE = "RESOURCE"
    """All remaining files of one kind."""


class Role(StrEnum):
    """What a file is within its component."""

    SOURCE = "source"
    """The video itself."""
    RENDITION = "rendition"
    """A ready-made smaller encode of the source (`<stem>_compressed.<ext>`)."""
    CAPTIONS = "captions"
    POSTER = "poster"
    TRANSCRIPT = "transcript"
    FILE = "file"
    """Anything else: slides, notes, data."""


# --- the tree ---------------------------------------------------------------------------------------------------


class FoundAsset(NamedTuple):
    """A file as the walk saw it. Its bytes have not been read."""

    path: str  # relative to the lesson (or course) folder, as on disk, "/" between the parts
    role: Role
    mime_type: str
    size: int  # bytes
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class FoundComponent:
    """A video, a lab, or the resources of one kind, with its files."""

    type: ComponentType
    kind: str
    name: str
    group_key: str
    position: int  # from 0, natural order within the lesson or course
    assets: tuple[FoundAsset, ...]


@dataclass(frozen=True, slots=True)
class FoundLesson:
    """A lesson folder. `number` is None for what lies directly in the course folder."""

    number: str | None
    folder: str  # relative to the root; also what messages name
    title: str | None  # None: cannot be read now, keep what is recorded
    description: str | None
    position: int
    components: tuple[FoundComponent, ...]
    blocked: tuple[str, ...] = ()
    """Paths (relative to this folder; "" is all of it) that could not be looked into: what is recorded there stays."""


@dataclass(frozen=True, slots=True)
class FoundCourse:
    """A course folder with its lessons; `own` holds the files that lie directly in it."""

    slug: str
    number: str
    folder: str
    title: str | None
    description: str | None
    position: int
    own: FoundLesson
    lessons: tuple[FoundLesson, ...]
    blocked: bool = False
    """The folder itself could not be read: everything recorded for this course stays."""


class Notice(NamedTuple):
    """Something the tree should have otherwise. `rule` is a stable name (docs/tree.md lists them all)."""

    rule: str
    path: str  # relative to the root, made printable
    message: str


@dataclass(frozen=True, slots=True)
class FoundTree:
    """What one walk saw."""

    root: str  # absolute path of the curriculum folder
    courses: tuple[FoundCourse, ...]
    warnings: tuple[Notice, ...]
    blocked: tuple[Notice, ...]


class Place(NamedTuple):
    """Where a file lies: the key under which trees and catalogs are compared."""

    course: str  # slug
    lesson: str  # number; "" for the files directly in the course folder
    path: str


class Digest(NamedTuple):
    """The SHA-1 of a file's bytes, and when its reading began (nanoseconds since 1970, this machine's clock)."""

    sha1: str  # 40 lower-case hex digits
    read_at_ns: int


# --- the catalog ------------------------------------------------------------------------------------------------
# A row as the plan wants it to be (and, with `removed`, as it is recorded). Ids are UUIDs in their canonical text form.


class CourseRow(NamedTuple):
    id: str
    slug: str
    number: str
    title: str
    description: str | None
    position: int
    root: str
    removed: bool = False


class LessonRow(NamedTuple):
    id: str
    course_id: str
    number: str
    title: str
    description: str | None
    position: int
    removed: bool = False


class ComponentRow(NamedTuple):
    id: str
    course_id: str
    lesson_id: str | None
    type: str  # ComponentType
    kind: str
    name: str
    group_key: str
    position: int
    removed: bool = False


class AssetRow(NamedTuple):
    id: str
    component_id: str
    relative_path: str
    role: str  # Role
    mime_type: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha1: str
    version: int  # FINGERPRINT_VERSION, as it was when the row was written
    hashed_at_ns: int  # when the reading began that gave `sha1`
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """The rows that an import may touch, removed ones included.

    `taken` holds ids of rows outside of them (other courses), which no new row may take.
    """

    courses: tuple[CourseRow, ...] = ()
    lessons: tuple[LessonRow, ...] = ()
    components: tuple[ComponentRow, ...] = ()
    assets: tuple[AssetRow, ...] = ()
    taken: frozenset[str] = frozenset()


class LinkRow(NamedTuple):
    """A link of a component to a video on Stream, with what is known of that video."""

    provider_id: str
    source_sha1: str | None  # of the file that was sent; None: not known
    state: str  # pending, current or retired
    status: str  # of the video: queued, inprogress, ready or error
    error_code: str | None
    error_message: str | None


OPEN_STATES = ("intended", "created", "sending", "sent")
"""States of an upload that has not ended: it may still be continued."""


class UploadRow(NamedTuple):
    """One attempt to bring a video to Stream. The address of the upload is left out: only who sends may read it."""

    id: str
    source_sha1: str
    state: str  # intended, created, sending, sent; linked, abandoned, failed
    provider_id: str | None
    acknowledged: int  # bytes
    artifact_bytes: int | None
    error_code: str | None
    error_message: str | None
    held_by: int | None  # the run that is at work on it, None if no run is

    @property
    def is_open(self) -> bool:
        """Whether it may still be continued."""
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class RecordedVideo:
    """A video component, with all that decides whether it must be sent to Stream, and under which name."""

    id: str
    kind: str
    group_key: str
    course_id: str
    course: str  # slug
    course_title: str
    root: str  # the curriculum folder
    lesson_id: str | None  # None: it lies in the course folder, a preview
    lesson: str | None  # number
    lesson_title: str | None
    source: AssetRow
    rendition: AssetRow | None
    links: tuple[LinkRow, ...]  # pending and current ones
    uploads: tuple[UploadRow, ...]  # of the present source, and open ones; the newest first
    former: tuple[LinkRow, ...] = ()  # retired links to videos made of the present source; the newest first

    @property
    def place(self) -> str:
        """Where it lies, for people: course, lesson and path."""
        return "/".join(part for part in (self.course, self.lesson, self.source.relative_path) if part)


class Tracked(NamedTuple):
    """A video on Stream as the catalog knows it, for following what becomes of it."""

    provider_id: str
    status: str  # queued, inprogress, ready or error
    provider_state: str | None
    error_code: str | None
    state_since: datetime  # since when it has this status
    source_seconds: float | None  # duration of what was sent
    provider_created_at: datetime | None
    due: bool  # it is time to look at it
    places: tuple[str, ...]  # of the components that it is linked with, or waits to be


class KnownVideo(NamedTuple):
    """A video on Stream as its row says."""

    uid: str
    status: str  # queued, inprogress, ready or error
    error_code: str | None
    source_seconds: float | None  # duration of what was sent


class KnownLink(NamedTuple):
    """A link of any component, removed or not, to a video."""

    component_id: str
    uid: str
    state: str  # pending, current or retired
    retired_seconds: float | None  # since it retired
    place: str  # course, lesson and path, for people


class KnownAttempt(NamedTuple):
    """One upload that curri began, however it ended."""

    id: str  # uploadId on Stream
    state: str
    uid: str | None
    held: bool  # a run that is alive works at it
    wanted: bool  # its component is still there
    kept: bool  # somebody took the video out of the catalog, and wants it to stay on Stream
    place: str

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything the catalog says of videos on Stream, the retired and the forgotten included."""

    videos: Mapping[str, KnownVideo]  # by uid
    links: tuple[KnownLink, ...]
    attempts: tuple[KnownAttempt, ...]


# --- Stream -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """A video as Cloudflare Stream describes it. Fields that Stream leaves out or marks unknown (-1) are None."""

    uid: str
    state: str  # Stream's own word: pendingupload, downloading, queued, inprogress, ready, error, live-inprogress
    ready_to_stream: bool
    percent: float | None  # 0-100, encoding of all qualities
    meta: dict[str, object] = field(default_factory=dict)
    creator: str | None = None
    duration: float | None = None  # seconds
    width: int | None = None
    height: int | None = None
    size: int | None = None  # bytes
    created: str | None = None  # RFC 3339, kept as sent: list cursors need every digit
    modified: str | None = None
    uploaded: str | None = None
    ready_at: str | None = None
    upload_expiry: str | None = None
    max_duration: int | None = None  # seconds
    error_code: str | None = None
    error_text: str | None = None
    thumbnail: str | None = None
    preview: str | None = None
    hls: str | None = None
    dash: str | None = None

    @property
    def name(self) -> str | None:
        """The title in the dashboard (`meta.name`)."""
        name = self.meta.get("name")
        return name if isinstance(name, str) else None


# --- results ----------------------------------------------------------------------------------------------------


class Result(StrEnum):
    """How an item ended; there is no fifth word, and no silent skip."""

    DONE = "done"
    UNCHANGED = "unchanged"
    BLOCKED = "blocked"
    FAILED = "failed"


class Outcome(NamedTuple):
    """One item of a run and how it ended."""

    path: str  # relative to the root, made printable
    outcome: Result
    reason: str  # new, changed, removed, moved from ..., or a rule and its message


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did, or would do."""

    exit_code: ExitCode
    counts: Mapping[str, int]
    outcomes: tuple[Outcome, ...] = ()
    warnings: tuple[Notice, ...] = ()
    run_id: int | None = None
    dry_run: bool = False
