"""Uploads in the catalog: what is recorded of each video, and who works at which.

An upload belongs to one run at a time. The run's lock (`Database.announce`) tells others that it is alive, a lease that
it gets on: whoever is dead, or has not renewed its lease, may be taken over from. Every write names the run and
changes nothing for any other (`LeaseLost`): a run that slept through its lease cannot spoil the work of the next.
Times are the server's, so hosts need not agree on the hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from curri.catalog.database import ALIVE, Connection
from curri.catalog.reading import ASSET
from curri.errors import BusyError
from curri.model import OPEN_STATES, AssetRow, LinkRow, RecordedVideo, UploadRow

LEASE_SECONDS = 120
"""How long a run may be silent before another may take its uploads over. Renewed several times in that time."""

OPEN_UPLOAD = f"state IN ({', '.join(repr(state) for state in OPEN_STATES)})"
"""SQL that tells whether an upload may still be continued; a component has at most one such."""
_LEASE = f"now() + make_interval(secs => {LEASE_SECONDS})"
HELD = f"u.run_id IS NOT NULL AND coalesce(u.lease_until > now(), false) AND {ALIVE.format('u.run_id')}"

_VIDEOS = """
    SELECT c.id::text, c.kind, c.group_key, k.id::text AS course_id, k.slug AS course, k.title AS course_title, k.root,
           l.id::text AS lesson_id, l.number AS lesson, l.title AS lesson_title
      FROM component c JOIN course k ON k.id = c.course_id LEFT JOIN lesson l ON l.id = c.lesson_id
     WHERE c.type = 'VIDEO' AND c.removed_at IS NULL AND k.removed_at IS NULL AND l.removed_at IS NULL
       {only}
     ORDER BY k.position, k.slug, l.position NULLS FIRST, c.position, c.id"""
_FILES = f"""
    SELECT {ASSET}
      FROM asset a WHERE a.removed_at IS NULL AND a.role IN ('source', 'rendition')
       {{only}}
     ORDER BY a.relative_path"""
_LINKS = """
    SELECT cv.component_id::text, v.provider_id, cv.source_sha1, cv.state::text, v.status::text, v.error_code,
           v.error_message
      FROM component_video cv JOIN video v USING (provider, provider_id)
     WHERE cv.provider = 'CLOUDFLARE' {only}
     ORDER BY cv.state DESC, cv.linked_at DESC"""  # current before pending
_UPLOADS = f"""
    SELECT u.component_id::text, u.id::text, u.source_sha1, u.state::text, u.provider_id, u.acknowledged_bytes,
           u.artifact_bytes, u.error_code, u.error_message, CASE WHEN {HELD} THEN u.run_id END
      FROM upload u
     WHERE true {{only}}
     ORDER BY u.created_at DESC, u.id"""


class LeaseLost(BusyError):
    """Another run has taken the upload over; this one has changed nothing since and must leave it alone."""


@dataclass(slots=True)
class Claim:
    """An upload that this run works at, as far as the run knows. It goes with the work: see `become`."""

    id: str
    run_id: int
    source_sha1: str
    state: str
    provider_id: str | None
    url: str | None = field(repr=False)
    artifact_sha1: str | None
    artifact_bytes: int | None
    asked_at: datetime | None  # when Stream was last asked to create it, unless it refused: something may be there
    asked_seconds: float | None  # since then
    created_at: datetime

    def become(self, other: Claim) -> None:
        """Be the claim on another upload from now on: the former is given up, and that one begun in its place.

        So whoever holds this claim accounts for the upload that the work is at, whatever error it ends with.
        """
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))


_CLAIM = """id::text, run_id, source_sha1, state::text, provider_id, upload_url, artifact_sha1, artifact_bytes,
    asked_at, date_part('epoch', now() - asked_at)::float8, created_at"""


def read(connection: Connection, only: str | None = None) -> list[RecordedVideo]:
    """Return all videos that are there, in teaching order; `only` the one with this component id."""

    def asked(query: str, column: str) -> tuple[str, list[str]]:
        # Not `%s IS NULL OR ...`: a plan for every parameter, which the server makes soon, would read the whole table.
        return (query.format(only=""), []) if only is None else (query.format(only=f"AND {column} = %s"), [only])

    sources, renditions = _files(connection.execute(*asked(_FILES, "a.component_id")))
    links: dict[str, list[LinkRow]] = defaultdict(list)
    for component, *rest in connection.execute(*asked(_LINKS, "cv.component_id")):
        links[component].append(LinkRow(*rest))
    uploads: dict[str, list[UploadRow]] = defaultdict(list)
    for component, *rest in connection.execute(*asked(_UPLOADS, "u.component_id")):
        uploads[component].append(UploadRow(*rest))
    videos = []
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(*asked(_VIDEOS, "c.id")):
            source = sources.get(row["id"])
            if source is None:
                continue  # it is about to be removed
            linked = links[row["id"]]
            mine = [each for each in uploads[row["id"]] if each.is_open or each.source_sha1 == source.sha1]
            rendition = renditions.get(row["id"])
            videos.append(
                RecordedVideo(
                    **row,
                    source=source,
                    rendition=rendition,
                    links=tuple(link for link in linked if link.state != "retired"),
                    uploads=tuple(mine),
                    former=tuple(
                        link for link in linked if link.state == "retired" and link.source_sha1 == source.sha1
                    ),
                )
            )
    return videos


def _files(rows: Iterable[tuple[Any, ...]]) -> tuple[dict[str, AssetRow], dict[str, AssetRow]]:
    """Return the sources and the renditions by component; of several renditions the first by name."""
    sources: dict[str, AssetRow] = {}
    renditions: dict[str, AssetRow] = {}
    for row in rows:
        asset = AssetRow(*row)
        (sources if asset.role == "source" else renditions).setdefault(asset.component_id, asset)
    return sources, renditions


def lock(connection: Connection, component_id: str) -> None:
    """Let no other run decide about this component until the transaction ends."""
    connection.execute("SELECT FROM component WHERE id = %s FOR UPDATE", [component_id])


def intend(connection: Connection, component_id: str, source_sha1: str, run_id: int) -> Claim:
    """Record the intent to send a video. Call it after `lock`, when no upload of the component is open."""
    row = connection.execute(
        f"INSERT INTO upload (component_id, source_sha1, run_id, lease_until)"
        f" VALUES (%s, %s, %s, {_LEASE}) RETURNING {_CLAIM}",
        [component_id, source_sha1, run_id],
    ).fetchone()
    if row is None:
        raise AssertionError("INSERT ... RETURNING gave no row")
    return Claim(*row)


def take_over(connection: Connection, upload_id: str, run_id: int) -> Claim | None:
    """Go on with an open upload; None if it is another run's, or not open any more. Call it after `lock`."""
    row = connection.execute(
        f"UPDATE upload u SET run_id = %s, lease_until = {_LEASE}"
        f" WHERE u.id = %s AND {OPEN_UPLOAD} AND (u.run_id = %s OR NOT ({HELD})) RETURNING {_CLAIM}",
        [run_id, upload_id, run_id],
    ).fetchone()
    return None if row is None else Claim(*row)


def renew(connection: Connection, run_id: int) -> None:
    """Extend the leases of all uploads that this run works at."""
    connection.execute(
        f"UPDATE upload SET lease_until = {_LEASE} WHERE run_id = %s AND {OPEN_UPLOAD} AND lease_until IS NOT NULL",
        [run_id],
    )


def hold(connection: Connection, claim: Claim) -> None:
    """Prove that the upload is still this run's, and renew its lease. Raises LeaseLost.

    To be called before anything of it is deleted on Stream: a run that slept meanwhile would delete what another has
    brought to its end.
    """
    done = connection.execute(
        f"UPDATE upload SET lease_until = {_LEASE} WHERE id = %s AND run_id = %s AND {OPEN_UPLOAD}",
        [claim.id, claim.run_id],
    )
    if done.rowcount != 1:
        raise _lost()


def decide(
    connection: Connection,
    claim: Claim,
    *,
    artifact: tuple[str, int],
    decision: str,
    reason: str,
    recipe: str | None,
    encode_seconds: float | None,
) -> None:
    """Record what is sent (SHA-1 and bytes), why, and how long encoding took. Raises LeaseLost, like all below."""
    _write(
        connection,
        claim,
        artifact_sha1=artifact[0],
        artifact_bytes=artifact[1],
        decision=decision,
        decision_reason=reason,
        recipe=recipe,
        encode_seconds=encode_seconds,
    )


def ask(connection: Connection, claim: Claim) -> datetime:
    """Record that Stream is about to be asked to create the upload; returns the server's time."""
    row = connection.execute(
        f"UPDATE upload SET attempts = attempts + 1, asked_at = clock_timestamp()"
        f" WHERE id = %s AND run_id = %s AND {OPEN_UPLOAD} RETURNING asked_at",
        [claim.id, claim.run_id],
    ).fetchone()
    if row is None:
        raise _lost()
    asked: datetime = row[0]
    return asked


def refused(connection: Connection, claim: Claim) -> None:
    """Record that Stream was asked and has created nothing, for sure."""
    _write(connection, claim, asked_at=None)


def created(connection: Connection, claim: Claim, provider_id: str, url: str) -> None:
    """Record under which id and address Stream created it: before the first byte is sent."""
    _write(connection, claim, state="created", provider_id=provider_id, upload_url=url, acknowledged_bytes=0)


def acknowledged(connection: Connection, claim: Claim, offset: int) -> None:
    """Record how many bytes Stream says that it holds."""
    _write(connection, claim, state="sending", acknowledged_bytes=offset)


def sent(connection: Connection, claim: Claim) -> None:
    """Record that all bytes are there. The address is of no more use and goes."""
    _write(connection, claim, state="sent", upload_url=None)


def close(
    connection: Connection, claim: Claim, state: str, code: str | None = None, message: str | None = None
) -> None:
    """End an upload for good, as linked, abandoned or failed."""
    _write(connection, claim, state=state, upload_url=None, error_code=code, error_message=message, lease_until=None)


def release(connection: Connection, claim: Claim, code: str | None = None, message: str | None = None) -> None:
    """Leave an upload open for the next run, with what kept this one from ending it."""
    _write(connection, claim, lease_until=None, error_code=code, error_message=message)


def _write(connection: Connection, claim: Claim, **values: object) -> None:
    sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in values)
    statement = sql.SQL("UPDATE upload SET {} WHERE id = %s AND run_id = %s AND {}").format(sets, sql.SQL(OPEN_UPLOAD))
    done = connection.execute(statement, [*values.values(), claim.id, claim.run_id])
    if done.rowcount != 1:
        raise _lost()


def _lost() -> LeaseLost:
    return LeaseLost("another run has taken this upload over")
