"""What monitoring asks of the catalog: when a command last went well, and since when a video waits to be ready."""

from __future__ import annotations

from dataclasses import dataclass

from curri.catalog.database import Connection
from curri.catalog.uploads import OPEN_UPLOAD


@dataclass(frozen=True, slots=True)
class Vitals:
    """Times as monitoring counts them."""

    last_success: float | None  # seconds since 1970, of the end of the run, on whichever host it was; None: never
    unfinished: float  # seconds since the oldest video was begun that is neither ready nor failed; 0: there is none


_LAST_SUCCESS = "SELECT extract(epoch FROM max(finished_at)) FROM run WHERE command = %s AND exit_code = 0"
_OLDEST = f"""
    SELECT coalesce(greatest(extract(epoch FROM now() - min(begun)), 0), 0) FROM (
        SELECT u.created_at AS begun FROM upload u JOIN component c ON c.id = u.component_id
         WHERE u.{OPEN_UPLOAD} AND c.removed_at IS NULL
        UNION ALL
        SELECT coalesce(cv.linked_at, cv.created_at)
          FROM component_video cv JOIN video v USING (provider, provider_id) JOIN component c ON c.id = cv.component_id
         WHERE cv.state <> 'retired' AND v.status IN ('queued', 'inprogress') AND c.removed_at IS NULL
    ) unfinished"""


def read(connection: Connection, command: str) -> Vitals:
    """Return the vitals; the last success is that of this command."""
    row = connection.execute(_LAST_SUCCESS, [command]).fetchone()
    oldest = connection.execute(_OLDEST).fetchone()
    if row is None or oldest is None:
        raise AssertionError("an aggregate gave no row")
    return Vitals(None if row[0] is None else float(row[0]), float(oldest[0]))
