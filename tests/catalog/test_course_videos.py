"""The view `course_videos`: the flat shape in which a web application reads the videos."""

from __future__ import annotations

import pytest

from .rows import Row, Rows

COLUMNS = [
    ("id", "uuid"),
    ("course_id", "uuid"),
    ("lesson_id", "uuid"),
    ("component_id", "uuid"),
    ("cloudflare_video_id", "text"),
    ("title", "text"),
    ("description", "text"),
    ("duration", "double precision"),
    ("thumbnail_url", "text"),
    ("status", "video_status"),
    ("playback_hls_url", "text"),
    ("playback_dash_url", "text"),
    ("processing_progress", "integer"),
    ("error_message", "text"),
    ("metadata", "jsonb"),
    ("created_at", "timestamp with time zone"),
    ("updated_at", "timestamp with time zone"),
]


def seen(rows: Rows, condition: str = "true", order: str = "created_at") -> list[Row]:
    query = f"SELECT * FROM course_videos WHERE {condition} ORDER BY {order}"
    return rows.connection.execute(query.encode()).fetchall()


def linked(rows: Rows, parent: Row, state: str = "current", **video: object) -> Row:
    """Put a component with a video into a lesson or a course; return the video."""
    made = rows.video(**video)
    rows.link(rows.component(parent), made, state=state)
    return made


def test_the_view_has_these_columns_in_this_order(rows: Rows) -> None:
    found = rows.connection.execute(
        """SELECT attname, format_type(atttypid, atttypmod) AS kind FROM pg_attribute
            WHERE attrelid = 'course_videos'::regclass AND attnum > 0 ORDER BY attnum"""
    ).fetchall()
    assert [(row["attname"], row["kind"]) for row in found] == COLUMNS


def test_a_row_shows_the_video_where_it_stands_in_the_course(rows: Rows) -> None:
    lesson = rows.lesson(rows.course())
    component = rows.component(lesson)
    video = rows.video(
        provider_id="d4cbdab307704fa581d567ccaa6c0f5d",
        title="course_01_L01_learning",
        description="What it is about",
        status="ready",
        duration_seconds=61.5,
        thumbnail_url="https://example.org/thumbnail.jpg",
        playback_hls_url="https://example.org/manifest.m3u8",
        playback_dash_url="https://example.org/manifest.mpd",
        processing_progress=100,
        error_message="none",
        metadata={"name": "course_01_L01_learning"},
    )
    rows.link(component, video)
    same = (
        "id", "title", "description", "thumbnail_url", "status", "playback_hls_url", "playback_dash_url",
        "processing_progress", "error_message", "metadata", "created_at", "updated_at",
    )  # fmt: skip
    assert seen(rows) == [
        {
            **{name: video[name] for name in same},
            "course_id": lesson["course_id"],
            "lesson_id": lesson["id"],
            "component_id": component["id"],
            "cloudflare_video_id": "d4cbdab307704fa581d567ccaa6c0f5d",
            "duration": 61.5,
        }
    ]


def test_only_current_links_are_seen(rows: Rows) -> None:
    lesson = rows.lesson(rows.course())
    current = linked(rows, lesson)
    for state in ("pending", "retired"):
        linked(rows, lesson, state)
    rows.video()
    assert [row["id"] for row in seen(rows)] == [current["id"]]


def test_a_replacement_is_seen_from_the_moment_it_becomes_current_and_never_beside_the_old_one(rows: Rows) -> None:
    component = rows.component(rows.lesson(rows.course()))
    old, new = rows.video(), rows.video()
    old_link, new_link = rows.link(component, old), rows.link(component, new, state="pending")
    with rows.connection.transaction():
        rows.update("component_video", old_link["id"], state="retired")
        rows.update("component_video", new_link["id"], state="current")
    assert [row["id"] for row in seen(rows)] == [new["id"]]


def test_videos_of_other_providers_are_not_shown_under_a_cloudflare_id(rows: Rows) -> None:
    linked(rows, rows.lesson(rows.course()), provider="YOUTUBE")
    assert seen(rows) == []


def test_the_video_of_a_removed_component_is_not_shown(rows: Rows) -> None:
    linked(rows, rows.lesson(rows.course()))
    component = rows.all("component")[0]
    rows.update("component", component["id"], removed_at="2025-11-04T00:00:00Z")
    assert seen(rows) == []
    rows.update("component", component["id"], removed_at=None)
    assert len(seen(rows)) == 1


@pytest.mark.parametrize("status", ["queued", "inprogress", "ready", "error"])
def test_videos_are_found_by_status(status: str, rows: Rows) -> None:
    lesson = rows.lesson(rows.course())
    videos = {each: linked(rows, lesson, status=each) for each in ("queued", "inprogress", "ready", "error")}
    assert [row["id"] for row in seen(rows, f"status = '{status}'")] == [videos[status]["id"]]


def test_videos_are_found_by_course_and_by_lesson(rows: Rows) -> None:
    course, other = rows.course(), rows.course()
    lesson, second = rows.lesson(course), rows.lesson(course)
    videos = [linked(rows, place) for place in (lesson, second, rows.lesson(other))]
    assert [row["id"] for row in seen(rows, f"course_id = '{course['id']}'")] == [videos[0]["id"], videos[1]["id"]]
    assert [row["id"] for row in seen(rows, f"lesson_id = '{second['id']}'")] == [videos[1]["id"]]
    assert seen(rows, "course_id = gen_random_uuid()") == []


def test_videos_can_be_listed_newest_first_and_by_progress(rows: Rows) -> None:
    lesson = rows.lesson(rows.course())
    videos = [linked(rows, lesson, processing_progress=progress) for progress in (50, 0, 100)]
    assert [row["id"] for row in seen(rows, order="created_at DESC")] == [video["id"] for video in reversed(videos)]
    assert [row["processing_progress"] for row in seen(rows, order="processing_progress")] == [0, 50, 100]


def test_the_preview_of_a_course_has_no_lesson(rows: Rows) -> None:
    course = rows.course()
    linked(rows, course)
    [row] = seen(rows)
    assert (row["course_id"], row["lesson_id"]) == (course["id"], None)


def test_a_video_without_a_title_shows_that_of_its_lesson_else_of_its_course(rows: Rows) -> None:
    course = rows.course(title="AI Foundations", description="All of it")
    linked(rows, rows.lesson(course, title="Evolution", description="A part"), processing_progress=1)
    linked(rows, course, processing_progress=2)
    linked(rows, rows.lesson(course), title="Own", description="Its own", processing_progress=3)
    assert [(row["title"], row["description"]) for row in seen(rows, order="processing_progress")] == [
        ("Evolution", "A part"),
        ("AI Foundations", "All of it"),
        ("Own", "Its own"),
    ]
