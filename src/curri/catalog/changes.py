"""What metadata say of linked videos, and the journal of what was changed on Stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from curri.catalog.database import Connection
from curri.catalog.documents import document


class Linked(NamedTuple):
    """A link, with the attempt that brought the video to Stream where that is known."""

    component_id: str
    provider_id: str
    source_sha1: str | None
    compressed: bool
    upload_id: str | None
    uploaded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Journalled:
    """One change of the metadata of a video."""

    id: str
    provider_id: str
    before: dict[str, object]
    after: dict[str, object]
    reverted: bool


_LINKED = """
    SELECT cv.component_id::text, cv.provider_id, cv.source_sha1, cv.compressed, u.id::text, u.asked_at
      FROM component_video cv
      LEFT JOIN LATERAL (
            SELECT id, asked_at FROM upload u
             WHERE u.component_id = cv.component_id AND u.provider_id = cv.provider_id AND u.state = 'linked'
             ORDER BY created_at DESC LIMIT 1
           ) u ON true
     WHERE cv.state <> 'retired' AND cv.provider = 'CLOUDFLARE'
     ORDER BY cv.component_id, cv.provider_id"""


def linked(connection: Connection) -> list[Linked]:
    """Return all links that are current or wait to be."""
    return [Linked(*row) for row in connection.execute(_LINKED)]


def write_down(
    connection: Connection, run_id: int, provider_id: str, before: Mapping[str, object], after: Mapping[str, object]
) -> str:
    """Record that a run is about to change the metadata of a video: before it does, so that no change is unknown.

    Returns the id of the entry.
    """
    row = connection.execute(
        "INSERT INTO metadata_change (run_id, video_id, before, after)"
        " SELECT %s, id, %s, %s FROM video WHERE provider = 'CLOUDFLARE' AND provider_id = %s"
        " RETURNING id::text",
        [run_id, document(before), document(after), provider_id],
    ).fetchone()
    if row is None:
        raise AssertionError("a link without its video, which a foreign key forbids")
    return str(row[0])


def withdraw(connection: Connection, change_id: str) -> None:
    """Take back an entry of a change that was not made."""
    connection.execute("DELETE FROM metadata_change WHERE id = %s", [change_id])


def confirm(connection: Connection, provider_id: str, metadata: Mapping[str, object]) -> None:
    """Record what Stream says after a change."""
    connection.execute(
        "UPDATE video SET metadata = %s WHERE provider = 'CLOUDFLARE' AND provider_id = %s",
        [document(metadata), provider_id],
    )


def of_run(connection: Connection, run_id: int) -> list[Journalled]:
    """Return what a run changed, the last first: in the order in which it is taken back."""
    rows = connection.execute(
        "SELECT m.id::text, v.provider_id, m.before, m.after, m.reverted_by IS NOT NULL"
        " FROM metadata_change m JOIN video v ON v.id = m.video_id WHERE m.run_id = %s"
        " ORDER BY m.created_at DESC, m.id",
        [run_id],
    )
    return [Journalled(*row) for row in rows]


def reverted(connection: Connection, change_id: str, run_id: int) -> None:
    """Record which run took a change back."""
    connection.execute("UPDATE metadata_change SET reverted_by = %s WHERE id = %s", [run_id, change_id])
