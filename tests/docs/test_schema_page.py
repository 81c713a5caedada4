"""docs/schema.md is what `make docs` writes from a database, and its queries answer what it says."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import psycopg
import pytest

from catalog.rows import Row, Rows
from curri.catalog.tables import TABLES

from .pages import TOP, blocks

PAGE = TOP / "docs/schema.md"
SCRIPT = TOP / "scripts/schema_md.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("schema_md", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rows(url: str) -> Iterator[Rows]:
    made = Rows(url)
    yield made
    made.connection.close()


def test_the_page_of_tables_is_what_the_database_says(script: ModuleType, url: str) -> None:
    assert PAGE.read_text() == script.page(url), "run `make docs`"


def test_the_script_makes_a_database_of_its_own(script: ModuleType) -> None:
    printed = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True).stdout
    assert printed == PAGE.read_text()


def test_the_page_shows_what_is_new_in_the_database(script: ModuleType, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (
            "CREATE INDEX course_root_idx ON course (root)",
            "ALTER TABLE asset ADD CONSTRAINT asset_inode_check CHECK (inode <> 1)",
            "ALTER TYPE link_state ADD VALUE 'lost'",
            "ALTER TABLE lesson ALTER description SET DEFAULT 'none', ALTER description SET NOT NULL",
            "ALTER TABLE upload ADD CONSTRAINT upload_video_fkey FOREIGN KEY (id) REFERENCES video",
        ):
            connection.execute(statement.encode())
    new = set(script.page(url).splitlines()) - set(PAGE.read_text().splitlines())
    assert sorted(new) == [
        '    video ||--o| upload : "id"',
        "| `asset_inode_check` | `CHECK ((inode <> 1))` |",
        "| `course_root_idx` | `(root)` |",
        "| `description` | `text` |  | `'none'::text` | From `lesson.toml`. |",
        f"| `link_state` | `pending`, `current`, `retired`, `lost` | {script.WORDS['link_state']} |",
        "| `upload_video_fkey` | `FOREIGN KEY (id) REFERENCES video(id)` |",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE course ADD colour text", "nothing tells what course.colour means"),
        ("ALTER TABLE lesson DROP COLUMN position", "there is no column lesson.position"),
        ("ALTER TABLE asset DROP COLUMN inode", "there is no column asset.inode"),
        ("CREATE TABLE teacher (id uuid PRIMARY KEY)", "nothing tells what teacher is"),
        ("CREATE TYPE colour AS ENUM ('red')", "nothing tells what colour is"),
    ],
)
def test_a_column_or_table_that_nobody_tells_of_is_an_error(
    change: str, told: str, script: ModuleType, url: str
) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(change.encode())
    with pytest.raises(SystemExit, match=told):
        script.page(url)


def test_what_a_column_means_stands_in_one_place(script: ModuleType, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(script.MEANING, "course.root", "Where it lies.")
    with pytest.raises(SystemExit, match=r"course\.root is told of in tables\.py and here"):
        script.page(url)


def test_the_drawing_has_every_table_and_every_foreign_key(url: str) -> None:
    (drawing,) = blocks(PAGE, "mermaid")
    assert re.findall(r"^    (\w+) \{$", drawing, re.MULTILINE) == list(TABLES)
    with psycopg.connect(url) as connection:
        (count,) = connection.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").fetchone() or (0,)
    lines = re.findall(r'^    (\w+) \S+ (\w+) : "[a-z_, ]+"$', drawing, re.MULTILINE)
    assert len(lines) == count
    assert {table for pair in lines for table in pair} == set(TABLES)


# --- the queries


def answers(rows: Rows, number: int) -> list[Row]:
    queries = [block for block in blocks(PAGE, "sql") if not block.startswith("CREATE")]
    assert len(queries) == 3
    return rows.connection.execute(queries[number].encode()).fetchall()


@pytest.fixture
def school(rows: Rows) -> dict[str, Any]:
    """A course with a preview and two lessons, made in another order than it is taught in; and one that is gone."""
    course = rows.course(slug="course_01", number="01", title="Coffee", position=1)
    earlier = rows.course(slug="course_00", number="00", title="Water", position=0)
    second = rows.lesson(course, number="02", title="Brewing", position=1)
    first = rows.lesson(course, number="01", title="Grinding", position=0)
    gone = rows.lesson(course, number="03", title="Gone", position=2, removed_at="2026-01-01T00:00:00Z")
    made = {
        "second": rows.component(second, position=0, kind="learning", group_key="learning/video.mp4"),
        "practice": rows.component(first, position=1, kind="practice", group_key="practice/video.mp4"),
        "first": rows.component(first, position=0, kind="learning", group_key="learning/video.mp4"),
        "lab": rows.component(first, position=2, kind="lab", group_key="lab", type="LAB"),
        "gone": rows.component(gone, position=0, removed_at="2026-01-01T00:00:00Z"),
        "preview": rows.component(course, position=0, kind="preview", group_key="preview.mp4"),
        "water": rows.component(rows.lesson(earlier, number="01", position=0), position=0),
    }
    for name, status in (("first", "ready"), ("second", "error"), ("preview", "ready"), ("gone", "ready")):
        video = rows.video(status=status, provider_id=name, duration_seconds=60, error_message="it broke")
        rows.link(made[name], video, state="current")
    old = rows.video(status="ready", provider_id="old", duration_seconds=30)
    rows.link(made["first"], old, state="retired")
    return made


@pytest.mark.usefixtures("school")
def test_the_first_query_gives_the_current_videos_in_teaching_order(rows: Rows) -> None:
    found = [(row["slug"], row["lesson"], row["cloudflare_video_id"], row["title"]) for row in answers(rows, 0)]
    assert found == [
        ("course_01", None, "preview", "Coffee"),
        ("course_01", "01", "first", "Grinding"),
        ("course_01", "02", "second", "Brewing"),
    ]


@pytest.mark.usefixtures("school")
def test_the_second_query_gives_what_cannot_be_played_yet(rows: Rows) -> None:
    found = [(row["slug"], row["lesson"], row["status"], row["error_message"]) for row in answers(rows, 1)]
    assert found == [
        ("course_00", "01", "not on Stream", None),
        ("course_01", "01", "not on Stream", None),
        ("course_01", "02", "error", "it broke"),
    ]


@pytest.mark.usefixtures("school")
def test_the_third_query_gives_a_course_with_its_lessons(rows: Rows) -> None:
    found = [tuple(row.values()) for row in answers(rows, 2)]
    assert found == [
        ("01", "Grinding", 1, 60, 1, ["lab", "learning", "practice"]),
        ("02", "Brewing", 0, 0, 0, ["learning"]),
    ]
