"""The catalog: courses, lessons, components, assets, videos, links, uploads, runs and the view for web applications.

Written in SQL and never changed once released: a migration says what was done, not what the tables look like today.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("course", "lesson", "component", "asset", "video", "component_video", "upload", "run", "metadata_change")

ENUMS = {
    "component_type": ("VIDEO", "LAB", "RESOURCE"),
    "asset_role": ("source", "rendition", "captions", "poster", "transcript", "file"),
    "provider": ("CLOUDFLARE", "YOUTUBE", "MUX", "LOOM", "VIMEO", "WISTIA"),
    "video_status": ("queued", "inprogress", "ready", "error"),
    "link_state": ("pending", "current", "retired"),
    "upload_state": ("intended", "created", "sending", "sent", "linked", "abandoned", "failed"),
    "upload_decision": ("passthrough", "encode", "rendition", "original"),
}

DATA = """
CREATE TABLE video (
    id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    provider            provider NOT NULL DEFAULT 'CLOUDFLARE',
    provider_id         text NOT NULL,
    title               text,
    description         text,
    status              video_status NOT NULL DEFAULT 'queued',
    provider_state      text,
    duration_seconds    double precision CONSTRAINT video_duration_seconds_check CHECK (duration_seconds >= 0),
    width               integer,
    height              integer,
    size_bytes          bigint CONSTRAINT video_size_bytes_check CHECK (size_bytes >= 0),
    thumbnail_url       text,
    playback_hls_url    text,
    playback_dash_url   text,
    preview_url         text,
    processing_progress integer NOT NULL DEFAULT 0
        CONSTRAINT video_processing_progress_check CHECK (processing_progress BETWEEN 0 AND 100),
    error_code          text,
    error_message       text,
    metadata            jsonb NOT NULL DEFAULT '{}',
    source_seconds      double precision CONSTRAINT video_source_seconds_check CHECK (source_seconds >= 0),
    provider_created_at timestamptz,
    state_since         timestamptz NOT NULL DEFAULT now(),
    ready_at            timestamptz,
    fully_encoded_at    timestamptz,
    synced_at           timestamptz,
    next_check_at       timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT video_provider_provider_id_key UNIQUE (provider, provider_id)
);
CREATE INDEX video_status_idx ON video (status);
CREATE INDEX video_next_check_at_idx ON video (next_check_at);
CREATE INDEX video_created_at_idx ON video (created_at);

CREATE TABLE course (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug             text NOT NULL,
    number           text NOT NULL,
    title            text NOT NULL,
    description      text,
    position         integer NOT NULL,
    root             text NOT NULL,
    preview_video_id uuid CONSTRAINT course_preview_video_id_fkey REFERENCES video ON DELETE SET NULL,
    removed_at       timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX course_slug_key ON course (slug) WHERE removed_at IS NULL;
CREATE INDEX course_preview_video_id_idx ON course (preview_video_id);

CREATE TABLE lesson (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    course_id   uuid NOT NULL CONSTRAINT lesson_course_id_fkey REFERENCES course ON DELETE CASCADE,
    number      text NOT NULL,
    title       text NOT NULL,
    description text,
    position    integer NOT NULL,
    removed_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX lesson_course_id_number_key ON lesson (course_id, number) WHERE removed_at IS NULL;
CREATE INDEX lesson_course_id_idx ON lesson (course_id);

CREATE TABLE component (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    course_id  uuid NOT NULL CONSTRAINT component_course_id_fkey REFERENCES course ON DELETE CASCADE,
    lesson_id  uuid CONSTRAINT component_lesson_id_fkey REFERENCES lesson ON DELETE CASCADE,
    type       component_type NOT NULL,
    kind       text NOT NULL,
    name       text NOT NULL,
    group_key  text NOT NULL,
    position   integer NOT NULL,
    removed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX component_lesson_id_group_key_key ON component (lesson_id, group_key)
    WHERE lesson_id IS NOT NULL AND removed_at IS NULL;
CREATE UNIQUE INDEX component_course_id_group_key_key ON component (course_id, group_key)
    WHERE lesson_id IS NULL AND removed_at IS NULL;
CREATE INDEX component_course_id_idx ON component (course_id);
CREATE INDEX component_lesson_id_idx ON component (lesson_id);

CREATE TABLE asset (
    id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    component_id        uuid NOT NULL CONSTRAINT asset_component_id_fkey REFERENCES component ON DELETE CASCADE,
    relative_path       text NOT NULL,
    role                asset_role NOT NULL,
    size_bytes          bigint NOT NULL CONSTRAINT asset_size_bytes_check CHECK (size_bytes >= 0),
    checksum_sha1       text NOT NULL CONSTRAINT asset_checksum_sha1_check CHECK (checksum_sha1 ~ '^[0-9a-f]{40}$'),
    mime_type           text NOT NULL,
    mtime_ns            bigint NOT NULL,
    ctime_ns            bigint NOT NULL,
    inode               bigint NOT NULL,
    fingerprint_version integer NOT NULL,
    hashed_at           timestamptz NOT NULL,
    removed_at          timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX asset_component_id_relative_path_key ON asset (component_id, relative_path)
    WHERE removed_at IS NULL;
CREATE INDEX asset_component_id_idx ON asset (component_id);
CREATE INDEX asset_checksum_sha1_idx ON asset (checksum_sha1);

CREATE TABLE component_video (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    component_id uuid NOT NULL CONSTRAINT component_video_component_id_fkey REFERENCES component ON DELETE CASCADE,
    provider     provider NOT NULL DEFAULT 'CLOUDFLARE',
    provider_id  text NOT NULL,
    source_sha1  text CONSTRAINT component_video_source_sha1_check CHECK (source_sha1 ~ '^[0-9a-f]{40}$'),
    compressed   boolean NOT NULL DEFAULT false,
    state        link_state NOT NULL DEFAULT 'pending',
    linked_at    timestamptz,
    retired_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT component_video_provider_provider_id_fkey FOREIGN KEY (provider, provider_id)
        REFERENCES video (provider, provider_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT component_video_component_id_provider_provider_id_key UNIQUE (component_id, provider, provider_id)
);
CREATE UNIQUE INDEX component_video_one_current ON component_video (component_id) WHERE state = 'current';
CREATE INDEX component_video_provider_provider_id_idx ON component_video (provider, provider_id);

CREATE TABLE run (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    command     text NOT NULL,
    arguments   jsonb NOT NULL DEFAULT '{}',
    version     text NOT NULL,
    host        text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    exit_code   integer,
    counts      jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX run_started_at_idx ON run (started_at);
CREATE INDEX run_command_idx ON run (command);

CREATE TABLE upload (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    component_id       uuid NOT NULL CONSTRAINT upload_component_id_fkey REFERENCES component ON DELETE CASCADE,
    source_sha1        text NOT NULL CONSTRAINT upload_source_sha1_check CHECK (source_sha1 ~ '^[0-9a-f]{40}$'),
    artifact_sha1      text CONSTRAINT upload_artifact_sha1_check CHECK (artifact_sha1 ~ '^[0-9a-f]{40}$'),
    artifact_bytes     bigint CONSTRAINT upload_artifact_bytes_check CHECK (artifact_bytes >= 0),
    decision           upload_decision,
    decision_reason    text,
    recipe             text,
    encode_seconds     double precision,
    state              upload_state NOT NULL DEFAULT 'intended',
    provider_id        text,
    upload_url         text,
    acknowledged_bytes bigint NOT NULL DEFAULT 0,
    attempts           integer NOT NULL DEFAULT 0 CONSTRAINT upload_attempts_check CHECK (attempts >= 0),
    error_code         text,
    error_message      text,
    asked_at           timestamptz,
    run_id             bigint CONSTRAINT upload_run_id_fkey REFERENCES run ON DELETE SET NULL,
    lease_until        timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT upload_acknowledged_bytes_check
        CHECK (acknowledged_bytes >= 0 AND (artifact_bytes IS NULL OR acknowledged_bytes <= artifact_bytes)),
    CONSTRAINT upload_upload_url_check CHECK (upload_url IS NULL OR state IN ('created', 'sending')),
    CONSTRAINT upload_provider_id_check CHECK (provider_id IS NOT NULL OR state IN ('intended', 'abandoned', 'failed'))
);
CREATE UNIQUE INDEX upload_one_open ON upload (component_id)
    WHERE state IN ('intended', 'created', 'sending', 'sent');
CREATE INDEX upload_component_id_idx ON upload (component_id);
CREATE INDEX upload_provider_id_idx ON upload (provider_id);
CREATE INDEX upload_run_id_idx ON upload (run_id);

CREATE TABLE metadata_change (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    run_id      bigint NOT NULL CONSTRAINT metadata_change_run_id_fkey REFERENCES run ON DELETE CASCADE,
    video_id    uuid NOT NULL CONSTRAINT metadata_change_video_id_fkey REFERENCES video ON DELETE CASCADE,
    before      jsonb NOT NULL DEFAULT '{}',
    after       jsonb NOT NULL DEFAULT '{}',
    reverted_by bigint CONSTRAINT metadata_change_reverted_by_fkey REFERENCES run ON DELETE SET NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX metadata_change_run_id_idx ON metadata_change (run_id);
CREATE INDEX metadata_change_video_id_idx ON metadata_change (video_id);
CREATE INDEX metadata_change_reverted_by_idx ON metadata_change (reverted_by);
"""

# The time of the statement, not of the transaction: two changes in one transaction are two changes.
FUNCTION = """
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = clock_timestamp();
    RETURN NEW;
END
$$
"""

# That Stream was asked again and said the same is no change of a video.
_LOOKS = "'{synced_at,next_check_at}'::text[]"
CHANGES = {"video": f"to_jsonb(OLD) - {_LOOKS} IS DISTINCT FROM to_jsonb(NEW) - {_LOOKS}"}

VIEW = """
CREATE VIEW course_videos AS
SELECT v.id,
       c.course_id,
       c.lesson_id,
       c.id AS component_id,
       v.provider_id AS cloudflare_video_id,
       coalesce(v.title, l.title, k.title) AS title,
       coalesce(v.description, l.description, k.description) AS description,
       v.duration_seconds AS duration,
       v.thumbnail_url,
       v.status,
       v.playback_hls_url,
       v.playback_dash_url,
       v.processing_progress,
       v.error_message,
       v.metadata,
       v.created_at,
       v.updated_at
  FROM component_video cv
  JOIN video v ON v.provider = cv.provider AND v.provider_id = cv.provider_id
  JOIN component c ON c.id = cv.component_id
  JOIN course k ON k.id = c.course_id
  LEFT JOIN lesson l ON l.id = c.lesson_id
 WHERE cv.state = 'current'
   AND cv.provider = 'CLOUDFLARE'
   AND c.removed_at IS NULL
"""


def upgrade() -> None:
    for name, values in ENUMS.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ({', '.join(repr(value) for value in values)})")
    for statement in DATA.rstrip().rstrip(";").split(";\n"):
        op.execute(statement)
    op.execute(FUNCTION)
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER set_updated_at BEFORE UPDATE ON {table} FOR EACH ROW"
            f" WHEN ({CHANGES.get(table, 'OLD.* IS DISTINCT FROM NEW.*')}) EXECUTE FUNCTION set_updated_at()"
        )
    op.execute(VIEW)


def downgrade() -> None:
    op.execute("DROP VIEW course_videos")
    for table in ("metadata_change", "upload", "run", "component_video", "asset", "component", "lesson", "course"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP TABLE video")
    op.execute("DROP FUNCTION set_updated_at()")
    for name in reversed(ENUMS):
        op.execute(f"DROP TYPE {name}")
