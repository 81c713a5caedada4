"""Videos on Stream as the catalog knows them, and which component each belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from curri.catalog.database import Connection
from curri.catalog.documents import document
from curri.model import Held
from curri.plan.identity import place_id
from curri.plan.status import Facts

_PUT = """
    INSERT INTO video AS v (id, provider_id, status, provider_state, duration_seconds, width, height, size_bytes,
        thumbnail_url, playback_hls_url, playback_dash_url, preview_url, processing_progress, error_code,
        error_message, metadata, ready_at, fully_encoded_at, synced_at, provider_created_at)
    VALUES (%(id)s, %(uid)s, %(status)s, %(state)s, %(duration)s, %(width)s, %(height)s, %(size)s, %(thumbnail)s,
        %(hls)s, %(dash)s, %(preview)s, %(progress)s, %(code)s, %(message)s, %(meta)s,
        CASE WHEN %(playable)s THEN coalesce(%(ready_at)s, now()) END,
        CASE WHEN %(encoded)s THEN now() END, now(), %(created_at)s)
    ON CONFLICT (provider, provider_id) DO UPDATE SET
        status = EXCLUDED.status, provider_state = EXCLUDED.provider_state,
        state_since = CASE WHEN v.status <> EXCLUDED.status THEN now() ELSE v.state_since END,
        duration_seconds = coalesce(EXCLUDED.duration_seconds, v.duration_seconds),
        width = coalesce(EXCLUDED.width, v.width), height = coalesce(EXCLUDED.height, v.height),
        size_bytes = coalesce(EXCLUDED.size_bytes, v.size_bytes),
        thumbnail_url = coalesce(EXCLUDED.thumbnail_url, v.thumbnail_url),
        playback_hls_url = coalesce(EXCLUDED.playback_hls_url, v.playback_hls_url),
        playback_dash_url = coalesce(EXCLUDED.playback_dash_url, v.playback_dash_url),
        preview_url = coalesce(EXCLUDED.preview_url, v.preview_url),
        processing_progress = EXCLUDED.processing_progress, error_code = EXCLUDED.error_code,
        error_message = EXCLUDED.error_message, metadata = EXCLUDED.metadata,
        ready_at = CASE WHEN EXCLUDED.ready_at IS NOT NULL THEN coalesce(v.ready_at, EXCLUDED.ready_at) END,
        fully_encoded_at = CASE WHEN EXCLUDED.fully_encoded_at IS NOT NULL
            THEN coalesce(v.fully_encoded_at, EXCLUDED.fully_encoded_at) END,
        synced_at = EXCLUDED.synced_at,
        provider_created_at = coalesce(EXCLUDED.provider_created_at, v.provider_created_at)"""

_PREVIEWS = """
    UPDATE course k SET preview_video_id = found.video_id
      FROM (SELECT o.id, (SELECT v.id FROM component c JOIN component_video cv ON cv.component_id = c.id
                            JOIN video v USING (provider, provider_id)
                           WHERE c.course_id = o.id AND c.lesson_id IS NULL AND c.type = 'VIDEO'
                             AND c.removed_at IS NULL AND cv.state = 'current'
                           ORDER BY c.position, c.id LIMIT 1) AS video_id
              FROM course o WHERE o.id = ANY(%(courses)s::uuid[])) found
     WHERE k.id = found.id AND k.preview_video_id IS DISTINCT FROM found.video_id"""


def put(
    connection: Connection,
    video: Held,
    facts: Facts,
    ready_at: datetime | None,
    created_at: datetime | None = None,
) -> None:
    """Record what Stream says of a video; what it leaves out stays. A second call changes `synced_at` only."""
    values = {
        "id": place_id("video", video.uid),  # a catalog that is built anew gives it the same
        "uid": video.uid,
        "status": facts.status,
        "state": facts.provider_state,
        "duration": video.duration,
        "width": video.width,
        "height": video.height,
        "size": video.size,
        "thumbnail": video.thumbnail,
        "hls": video.hls,
        "dash": video.dash,
        "preview": video.preview,
        "progress": facts.progress,
        "code": facts.error_code,
        "message": facts.error_message,
        "meta": document(video.meta),
        "playable": facts.playable,
        "ready_at": ready_at,
        "created_at": created_at,
        "encoded": facts.fully_encoded,
    }
    connection.execute(_PUT, values)


def sent_as(connection: Connection, provider_id: str, seconds: float) -> None:
    """Record how long the video is that was sent: what Stream makes of it must last as long."""
    connection.execute(
        "UPDATE video SET source_seconds = %s WHERE provider = 'CLOUDFLARE' AND provider_id = %s",
        [seconds, provider_id],
    )


def link(
    connection: Connection, component_id: str, provider_id: str, *, source_sha1: str, compressed: bool, playable: bool
) -> str:
    """Link a component to a video whose bytes are all on Stream; returns the state of the link.

    The first is current at once. A replacement waits as pending until it is playable, unless what it replaces failed.
    The component must be locked (`uploads.lock`), the video be recorded. A second call changes nothing.
    """
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM component_video cv JOIN video v USING (provider, provider_id)"
        " WHERE cv.component_id = %s AND cv.state = 'current' AND v.status <> 'error' AND cv.provider_id <> %s)",
        [component_id, provider_id],
    ).fetchone()
    connection.execute(
        "UPDATE component_video SET state = 'retired', retired_at = now()"
        " WHERE component_id = %s AND state = 'pending' AND provider_id <> %s",
        [component_id, provider_id],
    )
    connection.execute(
        "INSERT INTO component_video (id, component_id, provider_id, source_sha1, compressed, linked_at)"
        " VALUES (%s, %s, %s, %s, %s, now()) ON CONFLICT (component_id, provider, provider_id)"
        " DO UPDATE SET state = 'pending', retired_at = NULL WHERE component_video.state = 'retired'",
        [place_id("link", component_id, provider_id), component_id, provider_id, source_sha1, compressed],
    )
    if row and row[0] and not playable:
        return "pending"
    make_current(connection, component_id, provider_id)
    return "current"


def adopt(
    connection: Connection,
    component_id: str,
    provider_id: str,
    *,
    state: str,
    source_sha1: str | None,
    compressed: bool,
    linked_at: datetime | None,
) -> None:
    """Link a component that has no link to a video that it had in another catalog, or should have; in that state.

    The component must be locked, the video be recorded. A second call changes nothing.
    """
    connection.execute(
        "INSERT INTO component_video (id, component_id, provider_id, source_sha1, compressed, state, linked_at,"
        " retired_at) VALUES (%(id)s, %(component)s, %(uid)s, %(sha1)s, %(compressed)s, %(state)s::link_state,"
        " coalesce(%(at)s, now()), CASE WHEN %(state)s = 'retired' THEN now() END)"
        " ON CONFLICT (component_id, provider, provider_id) DO NOTHING",
        {
            "id": place_id("link", component_id, provider_id),
            "component": component_id,
            "uid": provider_id,
            "sha1": source_sha1,
            "compressed": compressed,
            "state": "pending" if state == "current" else state,
            "at": linked_at,
        },
    )
    if state == "current":
        make_current(connection, component_id, provider_id)


def restore_upload(
    connection: Connection, component_id: str, provider_id: str, upload_id: str, source_sha1: str, at: datetime
) -> None:
    """Record the attempt that brought an adopted video to Stream, as its metadata tell.

    With it the catalog knows that curri made the video, and what its metadata must go on saying.
    """
    connection.execute(
        "INSERT INTO upload AS u (id, component_id, source_sha1, state, provider_id, asked_at, created_at)"
        " VALUES (%s, %s, %s, 'linked', %s, %s, %s) ON CONFLICT (id) DO UPDATE"
        " SET state = 'linked', provider_id = EXCLUDED.provider_id, error_code = NULL, error_message = NULL"
        " WHERE u.component_id = EXCLUDED.component_id AND u.state IN ('linked', 'abandoned', 'failed')",
        [upload_id, component_id, source_sha1, provider_id, at, at],
    )


def make_current(connection: Connection, component_id: str, provider_id: str) -> None:
    """Let a component play this video from now on, in one step: what it played before retires."""
    connection.execute(
        "UPDATE component_video SET state = 'retired', retired_at = now()"
        " WHERE component_id = %s AND state = 'current' AND provider_id <> %s",
        [component_id, provider_id],
    )
    connection.execute(
        "UPDATE component_video SET state = 'current', retired_at = NULL"
        " WHERE component_id = %s AND provider_id = %s AND state <> 'current'",
        [component_id, provider_id],
    )
    course = connection.execute(
        "SELECT course_id::text FROM component WHERE id = %s AND lesson_id IS NULL", [component_id]
    ).fetchone()
    if course is not None:
        show_previews(connection, [course[0]])


def newest(connection: Connection, most: int) -> list[tuple[str, str]]:
    """Return the videos that were linked last, of those that play: id on Stream and place. Failed ones are left out."""
    rows = connection.execute(
        "SELECT cv.provider_id, concat_ws('/', k.slug, l.number, c.group_key)"
        "  FROM component_video cv JOIN video v USING (provider, provider_id)"
        "  JOIN component c ON c.id = cv.component_id JOIN course k ON k.id = c.course_id"
        "  LEFT JOIN lesson l ON l.id = c.lesson_id"
        " WHERE cv.state = 'current' AND v.status <> 'error' AND c.removed_at IS NULL"
        " ORDER BY coalesce(cv.linked_at, cv.created_at) DESC, cv.id LIMIT %s",
        [most],
    ).fetchall()
    return [(str(uid), str(place)) for uid, place in rows]


def show_previews(connection: Connection, courses: Sequence[str]) -> None:
    """Let courses (ids) show the first of their previews that is there and on Stream, or none."""
    if not courses:
        return
    within = {"courses": list(courses)}
    # Whoever else sets one at this moment is waited for, so that this sees what that has written.
    connection.execute("SELECT FROM course WHERE id = ANY(%(courses)s::uuid[]) ORDER BY id FOR NO KEY UPDATE", within)
    connection.execute(_PREVIEWS, within)


def switch(connection: Connection, provider_id: str) -> None:
    """Let the components that wait for this video play it from now on, in one step with what it replaces.

    Where the file has meanwhile become again what is played, the waiting video is of no use and retires. A second call
    changes nothing.
    """
    for component_id in pending(connection, provider_id):
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM component_video cv JOIN video v USING (provider, provider_id)"
            "  JOIN asset a ON a.component_id = cv.component_id AND a.role = 'source' AND a.removed_at IS NULL"
            " WHERE cv.component_id = %(component)s AND cv.state = 'current' AND v.status <> 'error'"
            "   AND cv.source_sha1 = a.checksum_sha1 AND NOT EXISTS (SELECT FROM component_video w"
            "     WHERE w.component_id = cv.component_id AND w.provider_id = %(uid)s"
            "       AND w.source_sha1 IS NOT DISTINCT FROM a.checksum_sha1))",
            {"component": component_id, "uid": provider_id},
        ).fetchone()
        if row and row[0]:
            connection.execute(
                "UPDATE component_video SET state = 'retired', retired_at = now()"
                " WHERE component_id = %s AND provider_id = %s AND state = 'pending'",
                [component_id, provider_id],
            )
        else:
            make_current(connection, component_id, provider_id)


def pending(connection: Connection, provider_id: str) -> list[str]:
    """Return the components whose link to this video waits for it to be playable, and lock them.

    The links are locked too, so that one which another run retires meanwhile is seen to be so, and left out.
    """
    rows = connection.execute(
        "SELECT c.id::text FROM component c JOIN component_video cv ON cv.component_id = c.id"
        " WHERE cv.provider_id = %s AND cv.state = 'pending' ORDER BY c.id FOR UPDATE OF c, cv",
        [provider_id],
    )
    return [row[0] for row in rows]
