"""What `curri status` shows, summed up by the database."""

from __future__ import annotations

from dataclasses import dataclass

from curri.catalog.database import Connection, Database
from curri.catalog.uploads import OPEN_UPLOAD


@dataclass(frozen=True, slots=True)
class LessonState:
    """One lesson (or, `number` None, what lies in the course folder itself) and its videos by state."""

    course: str  # slug
    course_title: str
    number: str | None
    title: str
    files: int
    labs: int
    videos: int
    due: int  # no upload yet, or the file changed since
    uploading: int
    processing: int  # the bytes are there, Stream is not ready
    ready: int
    failed: int  # the last attempt with the present file, here or on Stream
    seconds: float  # of the current videos, as Stream measured them


@dataclass(frozen=True, slots=True)
class Trouble:
    """A video that failed, or whose upload was left open by an error."""

    path: str  # course, lesson and path in it
    state: str  # failed or uploading
    code: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Counted:
    """Some videos on Stream."""

    videos: int
    seconds: float  # as Stream measured them; of those that it has not measured yet: 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """The videos on Stream that components play or wait for, by their status; each once."""

    queued: Counted
    inprogress: Counted
    ready: Counted
    error: Counted

    @property
    def total(self) -> Counted:
        """All of them."""
        every = (self.queued, self.inprogress, self.ready, self.error)
        return Counted(sum(each.videos for each in every), sum(each.seconds for each in every))


# A video is in exactly one state; the first that fits counts. A link whose source is not known (it was adopted) counts
# as made of the present file, as in `plan/uploads.py`: else it would be called due, and no upload would send it.
_STATE = f"""
WITH source AS (
    SELECT component_id, relative_path, checksum_sha1 FROM asset WHERE role = 'source' AND removed_at IS NULL
), state AS (
    SELECT c.id, c.course_id, c.lesson_id, s.relative_path, s.checksum_sha1, v.duration_seconds,
           CASE WHEN EXISTS (SELECT FROM upload u WHERE u.component_id = c.id
                                AND u.{OPEN_UPLOAD}) THEN 'uploading'
                WHEN EXISTS (SELECT FROM component_video p JOIN video w USING (provider, provider_id)
                              WHERE p.component_id = c.id AND p.state = 'pending' AND w.status <> 'error'
                                AND coalesce(p.source_sha1, s.checksum_sha1) = s.checksum_sha1) THEN 'processing'
                WHEN v.id IS NOT NULL AND coalesce(l.source_sha1, s.checksum_sha1) = s.checksum_sha1
                     THEN CASE v.status WHEN 'ready' THEN 'ready' WHEN 'error' THEN 'failed' ELSE 'processing' END
                WHEN EXISTS (SELECT FROM component_video p JOIN video w USING (provider, provider_id)
                              WHERE p.component_id = c.id AND p.state = 'pending'
                                AND coalesce(p.source_sha1, s.checksum_sha1) = s.checksum_sha1) THEN 'failed'
                WHEN (SELECT u.state FROM upload u
                       WHERE u.component_id = c.id AND u.source_sha1 = s.checksum_sha1
                       ORDER BY u.created_at DESC LIMIT 1) = 'failed' THEN 'failed'
                ELSE 'due' END AS state
      FROM component c
      JOIN source s ON s.component_id = c.id
      LEFT JOIN component_video l ON l.component_id = c.id AND l.state = 'current'
      LEFT JOIN video v ON v.provider = l.provider AND v.provider_id = l.provider_id
     WHERE c.type = 'VIDEO' AND c.removed_at IS NULL
)
"""
_LESSONS = (
    _STATE
    + """
SELECT k.slug, k.title, l.number, coalesce(l.title, ''),
       (SELECT count(*) FROM asset a JOIN component c ON c.id = a.component_id
         WHERE c.course_id = k.id AND c.lesson_id IS NOT DISTINCT FROM l.id
           AND a.removed_at IS NULL AND c.removed_at IS NULL),
       (SELECT count(*) FROM component c
         WHERE c.course_id = k.id AND c.lesson_id IS NOT DISTINCT FROM l.id
           AND c.type = 'LAB' AND c.removed_at IS NULL),
       count(s.id), count(*) FILTER (WHERE s.state = 'due'), count(*) FILTER (WHERE s.state = 'uploading'),
       count(*) FILTER (WHERE s.state = 'processing'), count(*) FILTER (WHERE s.state = 'ready'),
       count(*) FILTER (WHERE s.state = 'failed'), coalesce(sum(s.duration_seconds), 0)
  FROM course k
  JOIN LATERAL (
        SELECT id, number, title, position FROM lesson WHERE course_id = k.id AND removed_at IS NULL
        UNION ALL SELECT NULL, NULL, NULL, -1
       ) l ON true
  LEFT JOIN state s ON s.course_id = k.id AND s.lesson_id IS NOT DISTINCT FROM l.id
 WHERE k.removed_at IS NULL AND (%(slugs)s::text[] IS NULL OR k.slug = ANY(%(slugs)s))
 GROUP BY k.id, l.id, l.number, l.title, l.position
 ORDER BY k.position, k.slug, l.position
"""
)
# What keeps a video from being ready: Stream's word for the present file, else what ended the last attempt.
_REASONS = (
    _STATE
    + f"""
SELECT concat_ws('/', k.slug, l.number, s.relative_path), s.state, r.code, r.message
  FROM state s
  JOIN course k ON k.id = s.course_id
  LEFT JOIN lesson l ON l.id = s.lesson_id
  JOIN component c ON c.id = s.id
 CROSS JOIN LATERAL (
        SELECT v.error_code AS code, v.error_message AS message, cv.linked_at AS at
          FROM component_video cv JOIN video v USING (provider, provider_id)
         WHERE cv.component_id = s.id AND cv.state <> 'retired' AND v.status = 'error'
           AND coalesce(cv.source_sha1, s.checksum_sha1) = s.checksum_sha1
        UNION ALL
        SELECT u.error_code, u.error_message, u.updated_at FROM upload u
         WHERE u.component_id = s.id AND (u.{OPEN_UPLOAD} OR u.state = 'failed')
           AND u.source_sha1 = s.checksum_sha1 AND u.error_message IS NOT NULL
         ORDER BY at DESC LIMIT 1
       ) r
 WHERE s.state IN ('failed', 'uploading') AND k.removed_at IS NULL
   AND (%(slugs)s::text[] IS NULL OR k.slug = ANY(%(slugs)s))
 ORDER BY k.position, k.slug, l.position NULLS FIRST, c.position
"""
)
_STATISTICS = """
SELECT v.status::text, count(*), coalesce(sum(v.duration_seconds), 0)
  FROM video v
 WHERE EXISTS (SELECT FROM component_video cv
                 JOIN component c ON c.id = cv.component_id
                 JOIN course k ON k.id = c.course_id
                 LEFT JOIN lesson l ON l.id = c.lesson_id
                WHERE cv.provider = v.provider AND cv.provider_id = v.provider_id AND cv.state <> 'retired'
                  AND c.removed_at IS NULL AND l.removed_at IS NULL AND k.removed_at IS NULL
                  AND (%(slugs)s::text[] IS NULL OR k.slug = ANY(%(slugs)s)))
 GROUP BY v.status"""


def lessons(database: Database, slugs: list[str] | None) -> list[LessonState]:
    """Return the state of every lesson of the named courses (None: of all), in teaching order.

    Raises DatabaseError. Unknown courses are simply not in the result.
    """
    with database.transaction() as connection:
        return [LessonState(*row) for row in connection.execute(_LESSONS, {"slugs": slugs})]


def troubles(database: Database, slugs: list[str] | None) -> list[Trouble]:
    """Return the videos of the named courses (None: of all) that something is wrong with, in teaching order.

    Raises DatabaseError.
    """
    with database.transaction() as connection:
        return [Trouble(*row) for row in connection.execute(_REASONS, {"slugs": slugs})]


def count(connection: Connection, slugs: list[str] | None) -> Statistics:
    """Return how many videos of the named courses (None: of all) there are by status. Unknown courses have none."""
    rows = connection.execute(_STATISTICS, {"slugs": slugs})
    found = {status: Counted(videos, seconds) for status, videos, seconds in rows}
    none = Counted(0, 0.0)
    return Statistics(**{status: found.get(status, none) for status in ("queued", "inprogress", "ready", "error")})
