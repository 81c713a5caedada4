"""The videos that are followed: what is known of them, and which are due for a look."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from curri.catalog.database import Connection
from curri.model import Tracked

_TRACKED = """
    SELECT v.provider_id, v.status::text, v.provider_state, v.error_code, v.state_since, v.source_seconds,
           v.provider_created_at, v.next_check_at IS NULL OR v.next_check_at <= now(),
           array_agg(concat_ws('/', k.slug, l.number, c.group_key) ORDER BY k.position, l.position, c.position)
      FROM video v
      JOIN component_video cv USING (provider, provider_id)
      JOIN component c ON c.id = cv.component_id
      JOIN course k ON k.id = c.course_id
      LEFT JOIN lesson l ON l.id = c.lesson_id
     WHERE v.provider = 'CLOUDFLARE' AND cv.state <> 'retired'
       AND (%(uids)s::text[] IS NULL OR v.provider_id = ANY(%(uids)s))
     GROUP BY v.id ORDER BY min(k.position), min(l.position) NULLS FIRST, min(c.position), v.provider_id"""


def read(connection: Connection, uids: Collection[str] | None = None) -> list[Tracked]:
    """Return the videos that components show or wait for, in teaching order; with `uids`, those of them."""
    rows = connection.execute(_TRACKED, {"uids": None if uids is None else list(uids)})
    return [Tracked._make((*row[:-1], tuple(row[-1]))) for row in rows]


def now(connection: Connection) -> datetime:
    """Return the server's time."""
    row = connection.execute("SELECT now()").fetchone()
    if row is None:
        raise AssertionError("SELECT now() gave no row")
    moment: datetime = row[0]
    return moment


def schedule(connection: Connection, when: Sequence[tuple[str, float]]) -> None:
    """Set when videos are to be looked at again: (id on Stream, seconds from now)."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE video SET next_check_at = now() + make_interval(secs => %s), synced_at = now()"
            " WHERE provider = 'CLOUDFLARE' AND provider_id = %s",
            [(seconds, uid) for uid, seconds in when],
        )


def waited_for(connection: Connection, uids: Sequence[str]) -> list[str]:
    """Return those of the videos that a component waits for: few, where `links.switch` of each would be many calls."""
    rows = connection.execute(
        "SELECT DISTINCT provider_id FROM component_video"
        " WHERE provider = 'CLOUDFLARE' AND state = 'pending' AND provider_id = ANY(%s) ORDER BY 1",
        [list(uids)],
    )
    return [row[0] for row in rows]


def lost(connection: Connection, provider_id: str, code: str, message: str) -> None:
    """Record that a video is not on Stream any more; what was known of it stays."""
    connection.execute(
        "UPDATE video SET status = 'error', error_code = %s, error_message = %s, processing_progress = 0,"
        " ready_at = NULL, fully_encoded_at = NULL,"
        " state_since = CASE WHEN status <> 'error' THEN now() ELSE state_since END"
        " WHERE provider = 'CLOUDFLARE' AND provider_id = %s",
        [code, message, provider_id],
    )
