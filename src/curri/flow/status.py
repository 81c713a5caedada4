"""`curri status`: what is imported, due, on its way, and on Stream."""

from __future__ import annotations

from dataclasses import dataclass

from curri.catalog import inventory, overview
from curri.catalog.database import Database
from curri.catalog.overview import LessonState, Statistics, Trouble
from curri.plan.courses import named

USD_PER_MINUTE = 5 / 1000
"""What Stream asks for a stored minute and month (Cloudflare's page on Stream pricing, 2026: USD 5 per 1,000)."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the catalog."""

    lessons: tuple[LessonState, ...]
    minutes: float  # of video that is on Stream and linked
    usd_per_month: float  # for storing those; watching is billed beside it
    troubles: tuple[Trouble, ...]
    statistics: Statistics


def run(database: Database, courses: list[str]) -> Status:
    """Return the state of the named courses (slugs; none named: of all). Reads only.

    Raises UsageError if a course is not in the catalog, DatabaseError.
    """
    with database.transaction() as connection:
        slugs = named(courses, [slug for slug, _ in inventory.courses(connection)]) or None
    rows = overview.lessons(database, slugs)
    minutes = sum(row.seconds for row in rows) / 60
    with database.transaction() as connection:
        statistics = overview.count(connection, slugs)
    troubles = tuple(overview.troubles(database, slugs))
    return Status(tuple(rows), minutes, minutes * USD_PER_MINUTE, troubles, statistics)
