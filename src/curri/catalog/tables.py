"""The tables of the catalog, as SQLModel classes: for reading and writing single rows.

The database is made by the migrations in `migrations/`; a test proves that these classes describe the same database.
Bulk work goes through psycopg (reading.py, writing.py). What SQLModel has no words for, the triggers and the view,
stands in `migrations/` alone.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy import Identity as IdentityColumn
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, ENUM, JSONB
from sqlmodel import Field, SQLModel

from curri.catalog.uploads import OPEN_UPLOAD

COMPONENT_TYPE = ENUM("VIDEO", "LAB", "RESOURCE", name="component_type")
ASSET_ROLE = ENUM("source", "rendition", "captions", "poster", "transcript", "file", name="asset_role")
PROVIDER = ENUM("CLOUDFLARE", "YOUTUBE", "MUX", "LOOM", "VIMEO", "WISTIA", name="provider")
VIDEO_STATUS = ENUM("queued", "inprogress", "ready", "error", name="video_status")
LINK_STATE = ENUM("pending", "current", "retired", name="link_state")
UPLOAD_STATE = ENUM("intended", "created", "sending", "sent", "linked", "abandoned", "failed", name="upload_state")
UPLOAD_DECISION = ENUM("passthrough", "encode", "rendition", "original", name="upload_decision")

THERE = "removed_at IS NULL"
"""A row that was not removed. Places are unique among those; a removed row keeps its place only as a memory."""

_NEW_ID = text("gen_random_uuid()")
_NOW = text("now()")


def _id() -> Any:
    return Field(default_factory=uuid.uuid4, sa_column=Column(Uuid, primary_key=True, server_default=_NEW_ID))


def _time(*, now: bool = False) -> Any:
    column: Column[Any] = Column(DateTime(timezone=True), nullable=not now, server_default=_NOW if now else None)
    return Field(default=None, sa_column=column)


def _reference(*, nullable: bool = False) -> Any:
    column: Column[Any] = Column(Uuid, nullable=nullable)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def _text(*, nullable: bool = False) -> Any:
    column: Column[Any] = Column(Text, nullable=nullable)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def _enum(kind: ENUM, default: str | None = None, *, nullable: bool = False) -> Any:
    server = text(f"'{default}'") if default else None
    return Field(default=default, sa_column=Column(kind, nullable=nullable, server_default=server))


def _integer(*, big: bool = False, nullable: bool = False, default: int | None = None) -> Any:
    server = text(str(default)) if default is not None else None
    kind = BigInteger if big else Integer
    return Field(default=default, sa_column=Column(kind, nullable=nullable, server_default=server))


def _number() -> Any:
    return Field(default=None, sa_column=Column(DOUBLE_PRECISION))


def _json() -> Any:
    return Field(default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default=text("'{}'::jsonb")))


class Course(SQLModel, table=True):
    __tablename__: ClassVar[str] = "course"
    __table_args__ = (
        ForeignKeyConstraint(
            ["preview_video_id"], ["video.id"], name="course_preview_video_id_fkey", ondelete="SET NULL"
        ),
        Index("course_slug_key", "slug", unique=True, postgresql_where=text(THERE)),
        Index("course_preview_video_id_idx", "preview_video_id"),
    )

    id: uuid.UUID = _id()
    slug: str = _text()
    number: str = _text()
    title: str = _text()
    description: str | None = _text(nullable=True)
    position: int = _integer()
    root: str = _text()  # the curriculum folder it was last imported from
    preview_video_id: uuid.UUID | None = _reference(nullable=True)
    removed_at: datetime | None = _time()
    created_at: datetime | None = _time(now=True)
    updated_at: datetime | None = _time(now=True)


class Lesson(SQLModel, table=True):
    __tablename__: ClassVar[str] = "lesson"
    __table_args__ = (
        ForeignKeyConstraint(["course_id"], ["course.id"], name="lesson_course_id_fkey", ondelete="CASCADE"),
        Index("lesson_course_id_number_key", "course_id", "number", unique=True, postgresql_where=text(THERE)),
        Index("lesson_course_id_idx", "course_id"),
    )

    id: uuid.UUID = _id()
    course_id: uuid.UUID = _reference()
    number: str = _text()
    title: str = _text()
    description: str | None = _text(nullable=True)
    position: int = _integer()
    removed_at: datetime | None = _time()
    created_at: datetime | None = _time(now=True)
    updated_at: datetime | None = _time(now=True)


class Component(SQLModel, table=True):
    __tablename__: ClassVar[str] = "component"
    __table_args__ = (
        ForeignKeyConstraint(["course_id"], ["course.id"], name="component_course_id_fkey", ondelete="CASCADE"),
        ForeignKeyConstraint(["lesson_id"], ["lesson.id"], name="component_lesson_id_fkey", ondelete="CASCADE"),
        Index(
            "component_lesson_id_group_key_key",
            "lesson_id",
            "group_key",
            unique=True,
            postgresql_where=text(f"lesson_id IS NOT NULL AND {THERE}"),
        ),
        Index(
            "component_course_id_group_key_key",
            "course_id",
            "group_key",
            unique=True,
            postgresql_where=text(f"lesson_id IS NULL AND {THERE}"),
        ),
        Index("component_course_id_idx", "course_id"),
        Index("component_lesson_id_idx", "lesson_id"),
    )

    id: uuid.UUID = _id()
    course_id: uuid.UUID = _reference()
    lesson_id: uuid.UUID | None = _reference(nullable=True)  # null: lies directly in the course folder
    type: str = _enum(COMPONENT_TYPE)
    kind: str = _text()
    name: str = _text()
    group_key: str = _text()
    position: int = _integer()
    removed_at: datetime | None = _time()
    created_at: datetime | None = _time(now=True)
    updated_at: datetime | None = _time(now=True)


class Asset(SQLModel, table=True):
    __tablename__: ClassVar[str] = "asset"
    __table_args__ = (
        ForeignKeyConstraint(["component_id"], ["component.id"], name="asset_component_id_fkey", ondelete="CASCADE"),
        CheckConstraint("size_bytes >= 0", name="asset_size_bytes_check"),
        CheckConstraint("checksum_sha1 ~ '^[0-9a-f]{40}$'", name="asset_checksum_sha1_check"),
        Index(
            "asset_component_id_relative_path_key",
            "component_id",
            "relative_path",
            unique=True,
            postgresql_where=text(THERE),
        ),
        Index("asset_component_id_idx", "component_id"),
        Index("asset_checksum_sha1_idx", "checksum_sha1"),
    )

    id: uuid.UUID = _id()
    component_id: uuid.UUID = _reference()
    relative_path: str = _text()  # in the lesson (or course) folder
    role: str = _enum(ASSET_ROLE)
    size_bytes: int = _integer(big=True)
    checksum_sha1: str = _text()
    mime_type: str = _text()
    mtime_ns: int = _integer(big=True)
    ctime_ns: int = _integer(big=True)
    inode: int = _integer(big=True)  # unsigned 64 bits on disk, kept as the signed number of the same bits
    fingerprint_version: int = _integer()
    hashed_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    removed_at: datetime | None = _time()
    created_at: datetime | None = _time(now=True)
    updated_at: datetime | None = _time(now=True)


class Video(SQLModel, table=True):
    __tablename__: ClassVar[str] = "video"
    __table_args__ = (
        UniqueConstraint("provider", "provider_id", name="video_provider_provider_id_key"),
        CheckConstraint("processing_progress BETWEEN 0 AND 100", name="video_processing_progress_check"),
        CheckConstraint("duration_seconds >= 0", name="video_duration_seconds_check"),
        CheckConstraint("source_seconds >= 0", name="video_source_seconds_check"),
        CheckConstraint("size_bytes >= 0", name="video_size_bytes_check"),
        Index("video_status_idx", "status"),
        Index("video_next_check_at_idx", "next_check_at"),
        Index("video_created_at_idx", "created_at"),
    )

    id: uuid.UUID = _id()
    provider: str = _enum(PROVIDER, "CLOUDFLARE")
    provider_id: str = _text()
    title: str | None = _text(nullable=True)
    description: str | None = _text(nullable=True)
    status: str = _enum(VIDEO_STATUS, "queued")
    provider_state: str | None = _text(nullable=True)  # the provider's own word
    duration_seconds: float | None = _number()
    width: int | None = _integer(nullable=True)
    height: int | None = _integer(nullable=True)
    size_bytes: int | None = _integer(big=True, nullable=True)
    thumbnail_url: str | None = _text(nullable=True)
    playback_hls_url: str | None = _text(nullable=True)
    playback_dash_url: str | None = _text(nullable=True)
    preview_url: str | None = _text(nullable=True)
    processing_progress: int = _integer(default=0)  # percent
    error_code: str | None = _text(nullable=True)
    error_message: str | None = _text(nullable=True)
    details: dict[str, Any] = Field(
        default_factory=dict,  # the column is called metadata, a name that SQLModel keeps for itself
        sa_column=Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    )
    source_seconds: float | None = _number()  # duration of what was sent
    provider_created_at: datetime | None = _time()  # when the provider created it, by its own clock
    state_since: datetime | None = _time(now=True)  # since when it has the status that it has
    ready_at: datetime | None = _time()
    fully_encoded_at: datetime | None = _time()
    synced_at: datetime | None = _time()  # when the provider was last asked
    next_check_at: datetime | None = _time()  # when it is to be asked again; null: now
    created_at: datetime | None = _time(now=True)
    updated_at: datetime | None = _time(now=True)


class ComponentVideo(SQLModel, table=True):
    __tablename__: ClassVar[str] = "component_video"
    __table_args__ = (
        ForeignKeyConstraint(
            ["component_id"], ["component.id"], name="component_video_component_id_fkey", ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["provider", "provider_id"],
            ["video.provider", "video.provider_id"],
            name="component_video_provider_provider_id_fkey",
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
        CheckConstraint("source_sha1 ~ '^[0-9a-f]{40}$'", name="component_video_source_sha1_check"),
        UniqueConstraint(
            "component_id", "provider", "provider_id", name="component_video_component_id_provider_provider_id_key"
        ),
        Index("component_video_one_current", "component_id", unique=True, postgresql_where=text("state = 'current'")),
        Index("component_video_provider_provider_id_idx", "provider", "provider_id"),
    )

    id: uuid.UUID = _id()
    component_id: uuid.UUID = _reference()
    provider: str = _enum(PROVIDER, "CLOUDFLARE")
    provider_id: str = _text()
    source_sha1: str | None = _text(nullable=True)
    compressed: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    state: str = _enum(LINK_STATE, "pending")
    linked_at: datetime | None = _time()
    retired_at: datetime | None = _time()
    created_at: datetime | None = _time(now=True)
    updated_at: datetime | None = _time(now=True)


class Upload(SQLModel, table=True):
    __tablename__: ClassVar[str] = "upload"
    __table_args__ = (
        ForeignKeyConstraint(["component_id"], ["component.id"], name="upload_component_id_fkey", ondelete="CASCADE"),
        ForeignKeyConstraint(["run_id"], ["run.id"], name="upload_run_id_fkey", ondelete="SET NULL"),
        CheckConstraint("source_sha1 ~ '^[0-9a-f]{40}$'", name="upload_source_sha1_check"),
        CheckConstraint("artifact_sha1 ~ '^[0-9a-f]{40}$'", name="upload_artifact_sha1_check"),
        CheckConstraint("artifact_bytes >= 0", name="upload_artifact_bytes_check"),
        CheckConstraint(
            "acknowledged_bytes >= 0 AND (artifact_bytes IS NULL OR acknowledged_bytes <= artifact_bytes)",
            name="upload_acknowledged_bytes_check",
        ),
        CheckConstraint("attempts >= 0", name="upload_attempts_check"),
        CheckConstraint("upload_url IS NULL OR state IN ('created', 'sending')", name="upload_upload_url_check"),
        CheckConstraint(
            "provider_id IS NOT NULL OR state IN ('intended', 'abandoned', 'failed')",
            name="upload_provider_id_check",
        ),
        Index("upload_one_open", "component_id", unique=True, postgresql_where=text(OPEN_UPLOAD)),
        Index("upload_component_id_idx", "component_id"),
        Index("upload_provider_id_idx", "provider_id"),
        Index("upload_run_id_idx", "run_id"),
    )

    id: uuid.UUID = _id()
    component_id: uuid.UUID = _reference()
    source_sha1: str = _text()
    artifact_sha1: str | None = _text(nullable=True)
    artifact_bytes: int | None = _integer(big=True, nullable=True)
    decision: str | None = _enum(UPLOAD_DECISION, nullable=True)
    decision_reason: str | None = _text(nullable=True)
    recipe: str | None = _text(nullable=True)
    encode_seconds: float | None = _number()
    state: str = _enum(UPLOAD_STATE, "intended")
    provider_id: str | None = _text(nullable=True)
    upload_url: str | None = _text(nullable=True)  # there only while the upload is open: whoever has it may write
    acknowledged_bytes: int = _integer(big=True, default=0)
    attempts: int = _integer(default=0)
    error_code: str | None = _text(nullable=True)
    error_message: str | None = _text(nullable=True)
    asked_at: datetime | None = _time()  # when Stream was last asked to create it
    run_id: int | None = _integer(big=True, nullable=True)  # the run that works, or last worked, at it
    lease_until: datetime | None = _time()  # until when no other run takes it over
    created_at: datetime | None = _time(now=True)
    updated_at: datetime | None = _time(now=True)


class Run(SQLModel, table=True):
    __tablename__: ClassVar[str] = "run"
    __table_args__ = (Index("run_started_at_idx", "started_at"), Index("run_command_idx", "command"))

    id: int | None = Field(default=None, sa_column=Column(BigInteger, IdentityColumn(always=True), primary_key=True))
    command: str = _text()
    arguments: dict[str, Any] = _json()
    version: str = _text()
    host: str = _text()
    started_at: datetime = _time(now=True)
    finished_at: datetime | None = _time()
    exit_code: int | None = _integer(nullable=True)
    counts: dict[str, Any] = _json()
    created_at: datetime | None = _time(now=True)
    updated_at: datetime | None = _time(now=True)


class MetadataChange(SQLModel, table=True):
    __tablename__: ClassVar[str] = "metadata_change"
    __table_args__ = (
        ForeignKeyConstraint(["run_id"], ["run.id"], name="metadata_change_run_id_fkey", ondelete="CASCADE"),
        ForeignKeyConstraint(["video_id"], ["video.id"], name="metadata_change_video_id_fkey", ondelete="CASCADE"),
        ForeignKeyConstraint(["reverted_by"], ["run.id"], name="metadata_change_reverted_by_fkey", ondelete="SET NULL"),
        Index("metadata_change_run_id_idx", "run_id"),
        Index("metadata_change_video_id_idx", "video_id"),
        Index("metadata_change_reverted_by_idx", "reverted_by"),
    )

    id: uuid.UUID = _id()
    run_id: int = _integer(big=True)
    video_id: uuid.UUID = _reference()
    before: dict[str, Any] = _json()
    after: dict[str, Any] = _json()
    reverted_by: int | None = _integer(big=True, nullable=True)
    created_at: datetime | None = _time(now=True)
    updated_at: datetime | None = _time(now=True)


TABLES = ("course", "lesson", "component", "asset", "video", "component_video", "upload", "run", "metadata_change")
