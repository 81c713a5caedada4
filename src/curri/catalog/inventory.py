"""Everything the catalog says of videos on Stream: for comparing it with all that is there."""

from __future__ import annotations

from curri.catalog.database import Connection
from curri.catalog.uploads import HELD, OPEN_UPLOAD
from curri.model import Inventory, KnownAttempt, KnownLink, KnownVideo

KEPT = "kept"
"""The error code of an upload whose video was taken out of the catalog, and is to stay on Stream."""

_PLACE = "concat_ws('/', k.slug, l.number, c.group_key)"
_LINKS = f"""
    SELECT cv.component_id::text, cv.provider_id, cv.state::text,
           date_part('epoch', now() - cv.retired_at)::float8, {_PLACE}
      FROM component_video cv
      JOIN component c ON c.id = cv.component_id
      JOIN course k ON k.id = c.course_id
      LEFT JOIN lesson l ON l.id = c.lesson_id
     WHERE cv.provider = 'CLOUDFLARE' AND (%(only)s::text IS NULL OR cv.provider_id = %(only)s)
     ORDER BY k.position, l.position NULLS FIRST, c.position, cv.linked_at"""
_ATTEMPTS = f"""
    SELECT u.id::text, u.state::text, u.provider_id, {HELD},
           c.removed_at IS NULL AND k.removed_at IS NULL AND (l.id IS NULL OR l.removed_at IS NULL),
           coalesce(u.error_code = '{KEPT}', false), {_PLACE}
      FROM upload u
      JOIN component c ON c.id = u.component_id
      JOIN course k ON k.id = c.course_id
      LEFT JOIN lesson l ON l.id = c.lesson_id
     ORDER BY u.created_at, u.id"""


def read(connection: Connection, only: str | None = None) -> Inventory:
    """Return what is recorded of all videos, links and attempts; `only`: videos and links of this one (its uid)."""
    within = {"only": only}
    videos = connection.execute(
        "SELECT provider_id, status::text, error_code, source_seconds FROM video"
        " WHERE provider = 'CLOUDFLARE' AND (%(only)s::text IS NULL OR provider_id = %(only)s)",
        within,
    )
    return Inventory(
        {row[0]: KnownVideo(*row) for row in videos},
        tuple(KnownLink(*row) for row in connection.execute(_LINKS, within)),
        tuple(KnownAttempt(*row) for row in connection.execute(_ATTEMPTS)),
    )


def unlink(connection: Connection, uid: str) -> None:
    """Take the retired links to a video away: from then on nothing shows it, or ever can."""
    connection.execute(
        "DELETE FROM component_video WHERE provider = 'CLOUDFLARE' AND provider_id = %s AND state = 'retired'", [uid]
    )


def forget(connection: Connection, uid: str) -> None:
    """Take the row of a video away that nothing is linked to, after it was deleted on Stream."""
    connection.execute(
        "DELETE FROM video v WHERE provider = 'CLOUDFLARE' AND provider_id = %s AND NOT EXISTS"
        " (SELECT FROM component_video cv WHERE cv.provider = v.provider AND cv.provider_id = v.provider_id)",
        [uid],
    )


def end_attempt(connection: Connection, upload_id: str, code: str, message: str) -> bool:
    """End an open upload that no run works at, as abandoned; False if one does, or it has ended already."""
    done = connection.execute(
        f"UPDATE upload u SET state = 'abandoned', upload_url = NULL, lease_until = NULL, error_code = %s,"
        f" error_message = %s WHERE u.id = %s AND u.{OPEN_UPLOAD} AND NOT ({HELD})",
        [code, message, upload_id],
    )
    return done.rowcount == 1


def lock(connection: Connection, uid: str) -> None:
    """Let nobody link, switch or retire this video until the transaction ends."""
    connection.execute(
        "SELECT FROM component c WHERE id IN (SELECT component_id FROM component_video"
        " WHERE provider = 'CLOUDFLARE' AND provider_id = %s) ORDER BY id FOR UPDATE",
        [uid],
    )


def courses(connection: Connection) -> list[tuple[str, str]]:
    """Return slug and curriculum folder of every course that is there, in teaching order."""
    rows = connection.execute("SELECT slug, root FROM course WHERE removed_at IS NULL ORDER BY position, slug")
    return [(slug, root) for slug, root in rows]
