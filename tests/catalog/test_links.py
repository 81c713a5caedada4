"""Videos and links: what Stream says is recorded, and playback never has a gap."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from curri.catalog import links, uploads
from curri.catalog.database import Database, connect
from curri.model import Held
from curri.plan.status import facts

from .rows import OTHER_SHA1, SHA1, Row, Rows
from .sessions import IS_WAITING, ask
from .waiting import until

READY_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
READY = Held(
    uid="a" * 32,
    state="ready",
    ready_to_stream=True,
    percent=100.0,
    meta={"name": "course_01_L01_learning", "number": 1, "nested": {"it's": ["😀", None]}},
    duration=61.5,
    width=1920,
    height=1080,
    size=31_000_000_000,
    thumbnail="https://example.org/thumbnail.jpg",
    preview="https://example.org/watch",
    hls="https://example.org/manifest.m3u8",
    dash="https://example.org/manifest.mpd",
)
QUEUED = Held("a" * 32, "queued", ready_to_stream=False, percent=None)
FAILED = replace(QUEUED, state="error", error_code="ERR_UNKNOWN", error_text="it broke")


@pytest.fixture
def lesson(rows: Rows) -> Row:
    return rows.lesson(rows.course())


@pytest.fixture
def component(rows: Rows, lesson: Row) -> Row:
    return rows.component(lesson)


def put(database: Database, video: Held, ready_at: datetime | None = None) -> None:
    with database.transaction() as connection:
        links.put(connection, video, facts(video), ready_at)


def link(database: Database, component: Row, video: Row, *, playable: bool = False, sha1: str = SHA1) -> str:
    with database.transaction() as connection:
        uploads.lock(connection, str(component["id"]))
        return links.link(
            connection,
            str(component["id"]),
            video["provider_id"],
            source_sha1=sha1,
            compressed=True,
            playable=playable,
        )


def states(rows: Rows, component: Row) -> dict[str, str]:
    """Id on Stream -> state of the link."""
    return {row["provider_id"]: row["state"] for row in rows.all("component_video", component_id=component["id"])}


# --- what Stream says of a video


def test_everything_that_stream_says_is_recorded(rows: Rows, shared: Database) -> None:
    put(shared, READY, READY_AT)
    (row,) = rows.all("video")
    assert (row["provider"], row["provider_id"], row["status"], row["provider_state"]) == (
        *("CLOUDFLARE", READY.uid, "ready", "ready"),
    )
    assert (row["duration_seconds"], row["width"], row["height"]) == (61.5, 1920, 1080)
    assert (row["size_bytes"], row["processing_progress"], row["metadata"]) == (31_000_000_000, 100, READY.meta)
    assert (row["thumbnail_url"], row["preview_url"]) == (READY.thumbnail, READY.preview)
    assert (row["playback_hls_url"], row["playback_dash_url"]) == (READY.hls, READY.dash)
    assert (row["error_code"], row["error_message"], row["ready_at"]) == (None, None, READY_AT)
    assert row["fully_encoded_at"] == row["synced_at"] == row["created_at"]


def test_to_record_the_same_again_changes_nothing_but_the_time_of_the_look(rows: Rows, shared: Database) -> None:
    put(shared, READY, READY_AT)
    (first,) = rows.all("video")
    put(shared, READY, READY_AT)
    (second,) = rows.all("video")
    assert second["synced_at"] > first["synced_at"]
    looked = {"synced_at", "updated_at"}
    assert {key: second[key] for key in second if key not in looked} == {
        key: first[key] for key in first if key not in looked
    }


def test_a_failure_is_recorded_with_its_reason_and_a_recovery_takes_it_away(rows: Rows, shared: Database) -> None:
    put(shared, FAILED)
    (row,) = rows.all("video")
    assert (row["status"], row["error_code"]) == ("error", "ERR_UNKNOWN")
    assert "it broke" in row["error_message"]
    put(shared, READY, READY_AT)
    (row,) = rows.all("video")
    assert (row["status"], row["error_code"], row["error_message"]) == ("ready", None, None)


def test_what_stream_leaves_out_stays(rows: Rows, shared: Database) -> None:
    put(shared, READY, READY_AT)
    put(shared, replace(FAILED, uid=READY.uid))
    (row,) = rows.all("video")
    assert (row["duration_seconds"], row["width"], row["height"]) == (61.5, 1920, 1080)
    assert row["size_bytes"] == READY.size
    assert (row["thumbnail_url"], row["preview_url"]) == (READY.thumbnail, READY.preview)
    assert (row["playback_hls_url"], row["playback_dash_url"]) == (READY.hls, READY.dash)
    assert row["metadata"] == {}  # this is never left out: an empty one is empty


def test_the_moment_of_readiness_is_the_first_and_goes_with_it(rows: Rows, shared: Database) -> None:
    put(shared, QUEUED)
    (row,) = rows.all("video")
    assert (row["ready_at"], row["fully_encoded_at"]) == (None, None)
    put(shared, replace(READY, percent=40.0))
    (row,) = rows.all("video")
    assert row["ready_at"] == row["synced_at"]  # Stream did not say when
    assert row["fully_encoded_at"] is None
    put(shared, READY, READY_AT)
    (later,) = rows.all("video")
    assert later["ready_at"] == row["ready_at"]
    assert later["fully_encoded_at"] == later["synced_at"]
    put(shared, READY, READY_AT)
    assert rows.all("video")[0]["fully_encoded_at"] == later["fully_encoded_at"]
    put(shared, FAILED, READY_AT)
    (row,) = rows.all("video")
    assert (row["ready_at"], row["fully_encoded_at"]) == (None, None)


def test_each_video_has_a_row_of_its_own_and_so_has_each_provider(rows: Rows, shared: Database) -> None:
    other = rows.video(provider="YOUTUBE", provider_id=READY.uid)
    put(shared, READY)
    put(shared, replace(QUEUED, uid="b" * 32))
    assert rows.get("video", other["id"]) == other
    assert sorted((row["provider"], row["provider_id"][0], row["status"]) for row in rows.all("video")) == [
        ("CLOUDFLARE", "a", "ready"),
        ("CLOUDFLARE", "b", "queued"),
        ("YOUTUBE", "a", other["status"]),
    ]


# --- links


@pytest.mark.parametrize("playable", [False, True])
def test_the_first_video_is_current_at_once(rows: Rows, shared: Database, component: Row, playable: bool) -> None:
    video = rows.video()
    assert link(shared, component, video, playable=playable) == "current"
    (row,) = rows.all("component_video")
    assert (row["component_id"], row["provider_id"], row["provider"]) == (
        *(component["id"], video["provider_id"], "CLOUDFLARE"),
    )
    assert (row["state"], row["source_sha1"], row["compressed"]) == ("current", SHA1, True)
    assert row["linked_at"] is not None
    assert row["retired_at"] is None


def test_a_replacement_waits_until_it_can_be_played(rows: Rows, shared: Database, component: Row) -> None:
    old, new = rows.video(status="ready"), rows.video()
    rows.link(component, old)
    assert link(shared, component, new, sha1=OTHER_SHA1) == "pending"
    assert states(rows, component) == {old["provider_id"]: "current", new["provider_id"]: "pending"}
    with shared.transaction() as connection:
        links.make_current(connection, str(component["id"]), new["provider_id"])
    assert states(rows, component) == {old["provider_id"]: "retired", new["provider_id"]: "current"}
    (retired,) = rows.all("component_video", state="retired")
    assert retired["retired_at"] is not None


@pytest.mark.parametrize("status", ["queued", "inprogress"])
def test_what_is_still_being_processed_is_replaced_no_sooner(
    rows: Rows, shared: Database, component: Row, status: str
) -> None:
    """It may be ready before its replacement is."""
    rows.link(component, rows.video(status=status))
    assert link(shared, component, rows.video()) == "pending"


def test_a_replacement_that_can_be_played_is_current_at_once(rows: Rows, shared: Database, component: Row) -> None:
    old, new = rows.video(status="ready"), rows.video()
    rows.link(component, old)
    assert link(shared, component, new, playable=True) == "current"
    assert states(rows, component) == {old["provider_id"]: "retired", new["provider_id"]: "current"}


def test_what_replaces_a_failure_is_current_at_once(rows: Rows, shared: Database, component: Row) -> None:
    old, new = rows.video(status="error"), rows.video()
    rows.link(component, old)
    assert link(shared, component, new) == "current"
    assert states(rows, component) == {old["provider_id"]: "retired", new["provider_id"]: "current"}


@pytest.mark.parametrize("playable", [False, True])
def test_an_older_replacement_that_still_waits_retires(
    rows: Rows, shared: Database, component: Row, playable: bool
) -> None:
    current, older, newer = rows.video(status="ready"), rows.video(), rows.video()
    rows.link(component, current)
    rows.link(component, older, state="pending")
    link(shared, component, newer, playable=playable)
    found = states(rows, component)
    assert found[older["provider_id"]] == "retired"
    assert found[newer["provider_id"]] == ("current" if playable else "pending")
    assert found[current["provider_id"]] == ("retired" if playable else "current")
    assert all(row["retired_at"] for row in rows.all("component_video", state="retired"))


@pytest.mark.parametrize("playable", [False, True])
@pytest.mark.parametrize("replaces", [False, True])
def test_to_link_again_changes_nothing(
    rows: Rows, shared: Database, component: Row, playable: bool, replaces: bool
) -> None:
    if replaces:
        rows.link(component, rows.video(status="ready"))
    video = rows.video()
    first = link(shared, component, video, playable=playable)
    before = rows.all("component_video")
    assert link(shared, component, video, playable=playable, sha1=OTHER_SHA1) == first
    assert sorted(before, key=str) == sorted(rows.all("component_video"), key=str)


@pytest.mark.parametrize("playable", [False, True])
def test_a_video_that_had_retired_takes_part_again(
    rows: Rows, shared: Database, component: Row, playable: bool
) -> None:
    current, back = rows.video(status="ready"), rows.video()
    rows.link(component, current)
    rows.link(component, back, state="retired", retired_at=READY_AT)
    state = link(shared, component, back, playable=playable)
    assert states(rows, component)[back["provider_id"]] == state == ("current" if playable else "pending")
    assert rows.all("component_video", provider_id=back["provider_id"])[0]["retired_at"] is None


def test_links_of_other_components_stay(rows: Rows, shared: Database, lesson: Row, component: Row) -> None:
    neighbour = rows.component(lesson)
    for state in ("current", "pending"):
        rows.link(neighbour, rows.video(), state=state)
    before = rows.all("component_video", component_id=neighbour["id"])
    link(shared, component, rows.video(), playable=True)
    shared_video = rows.video()
    rows.link(neighbour, shared_video, state="pending")
    link(shared, component, shared_video, playable=True)
    assert states(rows, neighbour)[shared_video["provider_id"]] == "pending"
    assert rows.all("component_video", component_id=neighbour["id"])[: len(before)] == before


def test_to_make_current_what_is_current_changes_nothing(rows: Rows, shared: Database, component: Row) -> None:
    video = rows.video()
    link(shared, component, video)
    before = rows.all("component_video")
    with shared.transaction() as connection:
        links.make_current(connection, str(component["id"]), video["provider_id"])
    assert rows.all("component_video") == before


# --- the preview of a course


def preview(rows: Rows, course: Row) -> Any:
    return rows.get("course", course["id"])["preview_video_id"]


def test_the_video_of_a_course_becomes_its_preview(rows: Rows, shared: Database) -> None:
    course, other = rows.course(), rows.course()
    component = rows.component(course, kind="preview")
    old, new = rows.video(status="ready"), rows.video()
    link(shared, component, old)
    assert preview(rows, course) == old["id"]
    assert link(shared, component, new) == "pending"
    assert preview(rows, course) == old["id"]
    with shared.transaction() as connection:
        links.make_current(connection, str(component["id"]), new["provider_id"])
    assert preview(rows, course) == new["id"]
    assert preview(rows, other) is None


def test_a_video_of_a_lesson_is_no_preview(rows: Rows, shared: Database) -> None:
    course = rows.course()
    link(shared, rows.component(rows.lesson(course)), rows.video(), playable=True)
    assert preview(rows, course) is None


@pytest.mark.parametrize("first_comes_first", [True, False])
def test_of_several_videos_of_a_course_the_first_in_order_is_its_preview(
    rows: Rows, shared: Database, first_comes_first: bool
) -> None:
    course = rows.course()
    rows.component(course, position=0, removed_at=READY_AT)
    rows.component(rows.lesson(course), position=0)
    rows.component(course, position=0, type="RESOURCE", kind="course", group_key="course")
    components = [rows.component(course, position=number) for number in (1, 2)]
    videos = [rows.video(), rows.video()]
    for number in (0, 1) if first_comes_first else (1, 0):
        link(shared, components[number], videos[number])
    assert preview(rows, course) == videos[0]["id"]


def test_the_video_of_another_provider_is_not_taken_for_the_preview(rows: Rows, shared: Database) -> None:
    course = rows.course()
    before = rows.video(provider="YOUTUBE", provider_id="b" * 32)
    video = rows.video(provider_id=before["provider_id"])
    rows.video(provider="MUX", provider_id=before["provider_id"])
    link(shared, rows.component(course), video)
    assert preview(rows, course) == video["id"]


# --- what waits for a video


def pending(database: Database, video: Row) -> list[str]:
    with database.transaction() as connection:
        return links.pending(connection, video["provider_id"])


def test_what_waits_for_a_video_is_found(rows: Rows, shared: Database, lesson: Row) -> None:
    video = rows.video()
    waiting = [rows.component(lesson), rows.component(lesson)]
    for component in waiting:
        rows.link(component, video, state="pending")
    for state in ("current", "retired"):
        rows.link(rows.component(lesson), video, state=state)
    rows.link(rows.component(lesson), rows.video(), state="pending")
    assert pending(shared, video) == sorted(str(each["id"]) for each in waiting)
    assert pending(shared, rows.video()) == []


def test_what_retires_while_one_asks_does_not_come_back(
    rows: Rows, shared: Database, shared_url: str, component: Row
) -> None:
    """Else an old video, ready late, would push out the newer one that took its place."""
    current, older, newer = rows.video(status="ready"), rows.video(), rows.video()
    rows.link(component, current)
    rows.link(component, older, state="pending")
    found: list[list[str]] = []
    with connect(shared_url) as second:
        asking = threading.Thread(target=lambda: found.append(pending(second, older)))
        with shared.transaction() as connection:
            uploads.lock(connection, str(component["id"]))
            links.link(
                *(connection, str(component["id"]), newer["provider_id"]),
                source_sha1=OTHER_SHA1,
                compressed=False,
                playable=True,
            )
            asking.start()
            until(lambda: ask(shared_url, IS_WAITING, second.connection.info.backend_pid))
        asking.join(60)
    assert found == [[]]
