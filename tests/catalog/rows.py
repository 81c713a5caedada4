"""Rows made by hand: every column that must be given has a value here, so that a test names only what it is about."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

SHA1 = "0123456789abcdef0123456789abcdef01234567"
OTHER_SHA1 = "fedcba9876543210fedcba9876543210fedcba98"

Row = dict[str, Any]

_numbers = itertools.count(1)


class Rows:
    """Puts rows into a catalog, each committed at once, and returns them whole."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True, row_factory=psycopg.rows.dict_row)

    def insert(self, table: str, values: Row) -> Row:
        names = sql.SQL(", ").join(map(sql.Identifier, values))
        places = sql.SQL(", ").join(sql.Placeholder() * len(values))
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING *")
        if not values:
            statement = sql.SQL("INSERT INTO {} DEFAULT VALUES RETURNING *")
        row = self.connection.execute(
            statement.format(sql.Identifier(table), names, places), [_adapted(value) for value in values.values()]
        ).fetchone()
        assert row is not None
        return row

    def update(self, table: str, row_id: object, **values: Any) -> Row:
        """Change some columns of one row and return it whole."""
        changes = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values)
        row = self.connection.execute(
            sql.SQL("UPDATE {} SET {} WHERE id = %s RETURNING *").format(sql.Identifier(table), changes),
            [*(_adapted(value) for value in values.values()), row_id],
        ).fetchone()
        assert row is not None
        return row

    def delete(self, table: str, row_id: object) -> None:
        self.connection.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(sql.Identifier(table)), [row_id])

    def get(self, table: str, row_id: object) -> Row:
        rows = self.all(table, id=row_id)
        assert len(rows) == 1
        return rows[0]

    def all(self, table: str, **where: Any) -> list[Row]:
        """Return the rows that have these values, in no particular order."""
        conditions = [sql.SQL("{} = %s").format(sql.Identifier(name)) for name in where]
        return self.connection.execute(
            sql.SQL("SELECT * FROM {} WHERE {}").format(
                sql.Identifier(table), sql.SQL(" AND ").join([sql.SQL("true"), *conditions])
            ),
            list(where.values()),
        ).fetchall()

    def count(self, table: str) -> int:
        return len(self.all(table))

    # --- one row of each table; what is not given is like in any other such row

    def course(self, **values: Any) -> Row:
        number = f"{next(_numbers):02}"
        usual: Row = {"slug": f"course_{number}", "number": number, "title": f"Course {number}", "position": 1}
        return self.insert("course", {**usual, "root": "/curriculum", **values})

    def lesson(self, course: Row, **values: Any) -> Row:
        number = f"{next(_numbers):02}"
        usual = {"course_id": course["id"], "number": number, "title": f"Lesson {number}", "position": int(number)}
        return self.insert("lesson", {**usual, **values})

    def component(self, parent: Row, **values: Any) -> Row:
        """A video of a lesson, or (given a course) of the course itself."""
        in_lesson = "course_id" in parent
        usual: Row = {
            "course_id": parent["course_id"] if in_lesson else parent["id"],
            "lesson_id": parent["id"] if in_lesson else None,
            "type": "VIDEO",
            "kind": "learning",
            "name": "video",
            "group_key": f"learning/video-{next(_numbers)}.mp4",
            "position": 0,
        }
        return self.insert("component", {**usual, **values})

    def asset(self, component: Row, **values: Any) -> Row:
        usual: Row = {
            "component_id": component["id"],
            "relative_path": component["group_key"],
            "role": "source",
            "size_bytes": 16678191,
            "checksum_sha1": SHA1,
            "mime_type": "video/mp4",
            "mtime_ns": 1_700_000_000_000_000_000,
            "ctime_ns": 1_700_000_000_000_000_000,
            "inode": 42,
            "fingerprint_version": 1,
            "hashed_at": "2025-11-04T00:00:00Z",
        }
        return self.insert("asset", {**usual, **values})

    def video(self, **values: Any) -> Row:
        return self.insert("video", {"provider_id": uuid.uuid4().hex, **values})

    def link(self, component: Row, video: Row, **values: Any) -> Row:
        usual: Row = {
            "component_id": component["id"],
            "provider": video["provider"],
            "provider_id": video["provider_id"],
            "source_sha1": SHA1,
            "state": "current",
        }
        return self.insert("component_video", {**usual, **values})

    def upload(self, component: Row, **values: Any) -> Row:
        known = {} if values.get("state", "intended") == "intended" else {"provider_id": "0" * 32}
        return self.insert("upload", {"component_id": component["id"], "source_sha1": SHA1, **known, **values})

    def run(self, **values: Any) -> Row:
        return self.insert("run", {"command": "import", "version": "1.0", "host": "here", **values})

    def metadata_change(self, run: Row, video: Row, **values: Any) -> Row:
        return self.insert("metadata_change", {"run_id": run["id"], "video_id": video["id"], **values})

    def one_of_each(self) -> dict[str, Row]:
        """Put a row into every table, all tied together, and return them by table."""
        video = self.video()
        course = self.course(preview_video_id=video["id"])
        lesson = self.lesson(course)
        component = self.component(lesson)
        run = self.run()
        return {
            "video": video,
            "course": course,
            "lesson": lesson,
            "component": component,
            "asset": self.asset(component),
            "component_video": self.link(component, video),
            "upload": self.upload(component),
            "run": run,
            "metadata_change": self.metadata_change(run, video, reverted_by=self.run()["id"]),
        }


def _adapted(value: object) -> object:
    return Jsonb(value) if isinstance(value, dict) else value
