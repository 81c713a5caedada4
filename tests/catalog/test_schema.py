"""What the database itself guarantees, whoever writes to it: enums, checks, unique places, cascades, times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import errors as pg

from curri.catalog.tables import TABLES
from curri.model import ComponentType, Role

from .rows import OTHER_SHA1, SHA1, Row, Rows

OPEN = ("intended", "created", "sending", "sent")
CLOSED = ("linked", "abandoned", "failed")


# --- enums and defaults


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("video_status", ["queued", "inprogress", "ready", "error"]),
        ("provider", ["CLOUDFLARE", "YOUTUBE", "MUX", "LOOM", "VIMEO", "WISTIA"]),
        ("link_state", ["pending", "current", "retired"]),
        ("upload_state", [*OPEN, *CLOSED]),
        ("component_type", [member.value for member in ComponentType]),
        ("asset_role", [member.value for member in Role]),
    ],
)
def test_an_enum_has_its_values_in_this_order(name: str, values: list[str], rows: Rows) -> None:
    found = rows.connection.execute(f"SELECT unnest(enum_range(NULL::{name}))::text AS value".encode()).fetchall()
    assert [row["value"] for row in found] == values


@pytest.mark.parametrize(
    ("column", "value"), [("status", "done"), ("status", "READY"), ("provider", "cloudflare"), ("status", "")]
)
def test_a_word_that_is_not_in_an_enum_is_refused(column: str, value: str, rows: Rows) -> None:
    with pytest.raises(pg.InvalidTextRepresentation):
        rows.video(**{column: value})


def test_a_video_of_which_only_the_id_is_known_is_queued_on_cloudflare_and_has_no_progress(rows: Rows) -> None:
    video = rows.video(provider_id="d4cbdab307704fa581d567ccaa6c0f5d")
    given = {"provider": "CLOUDFLARE", "status": "queued", "processing_progress": 0, "metadata": {}}
    assert {name: video[name] for name in given} == given
    known = {*given, "id", "provider_id", "state_since", "created_at", "updated_at"}
    assert {name for name, value in video.items() if value is not None} == known


def test_a_link_begins_as_pending_and_an_upload_as_intended(rows: Rows) -> None:
    component, video = rows.component(rows.lesson(rows.course())), rows.video()
    link = rows.insert("component_video", {"component_id": component["id"], "provider_id": video["provider_id"]})
    assert (link["state"], link["provider"], link["compressed"]) == ("pending", "CLOUDFLARE", False)
    upload = rows.upload(component)
    assert (upload["state"], upload["acknowledged_bytes"], upload["attempts"]) == ("intended", 0, 0)


# --- unique


def test_a_providers_id_names_one_video_but_two_providers_may_use_the_same(rows: Rows) -> None:
    rows.video(provider_id="a")
    with pytest.raises(pg.UniqueViolation):
        rows.video(provider_id="a")
    rows.video(provider_id="a", provider="YOUTUBE")
    assert rows.count("video") == 2


def test_a_component_has_one_current_video_and_any_number_of_others(rows: Rows) -> None:
    component, other = (rows.component(rows.lesson(rows.course())) for _ in range(2))
    videos = [rows.video() for _ in range(4)]
    rows.link(component, videos[0], state="current")
    for video, state in zip(videos[1:], ("pending", "retired", "retired"), strict=True):
        rows.link(component, video, state=state)
    with pytest.raises(pg.UniqueViolation):
        rows.link(component, rows.video(), state="current")
    pending = rows.all("component_video", component_id=component["id"], state="pending")[0]
    with pytest.raises(pg.UniqueViolation):
        rows.update("component_video", pending["id"], state="current")
    rows.link(other, videos[0], state="current")


def test_a_component_and_a_video_are_linked_once(rows: Rows) -> None:
    component, video = rows.component(rows.lesson(rows.course())), rows.video()
    rows.link(component, video, state="retired")
    with pytest.raises(pg.UniqueViolation):
        rows.link(component, video, state="pending")


@pytest.mark.parametrize("state", OPEN)
def test_a_component_has_one_upload_that_is_still_open(state: str, rows: Rows) -> None:
    component = rows.component(rows.lesson(rows.course()))
    for closed in CLOSED:
        rows.upload(component, state=closed)
    rows.upload(component, state=state)
    for second in OPEN:
        with pytest.raises(pg.UniqueViolation):
            rows.upload(component, state=second, source_sha1=OTHER_SHA1)
    for closed in CLOSED:
        with pytest.raises(pg.UniqueViolation):
            rows.update("upload", rows.upload(component, state=closed)["id"], state=state, provider_id="0" * 32)
    rows.upload(rows.component(rows.lesson(rows.course())), state=state)


@pytest.mark.parametrize("level", ["course", "lesson", "component", "course component", "asset"])
def test_a_place_is_taken_once_among_the_rows_that_are_there(level: str, rows: Rows) -> None:
    course = rows.course(slug="course_01")
    lesson = rows.lesson(course, number="01")
    component = rows.component(lesson, group_key="learning/video.mp4")

    def put() -> Row:
        match level:
            case "course":
                return rows.course(slug="course_02")
            case "lesson":
                return rows.lesson(course, number="02")
            case "component":
                return rows.component(lesson, group_key="lab")
            case "course component":
                return rows.component(course, group_key="lab")
            case _:
                return rows.asset(component, relative_path="learning/video.mp4")

    table = level.split()[-1]
    first = put()
    with pytest.raises(pg.UniqueViolation):
        put()
    rows.update(table, first["id"], removed_at="2025-11-04T00:00:00Z")
    second = put()
    with pytest.raises(pg.UniqueViolation):
        rows.update(table, first["id"], removed_at=None)
    rows.update(table, second["id"], removed_at="2025-11-04T00:00:00Z")
    rows.update(table, first["id"], removed_at=None)


def test_equal_places_below_different_parents_are_different_places(rows: Rows) -> None:
    for course in (rows.course(), rows.course()):
        rows.component(course, group_key="lab")
        for number in ("01", "02"):
            lesson = rows.lesson(course, number=number)
            for key in ("lab", "learning/video.mp4"):
                rows.asset(rows.component(lesson, group_key=key), relative_path="video.mp4")
    assert (rows.count("lesson"), rows.count("component"), rows.count("asset")) == (4, 10, 8)


# --- checks


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("processing_progress", -1),
        ("processing_progress", 101),
        ("duration_seconds", -0.5),
        ("size_bytes", -1),
    ],
)
def test_a_video_has_no_impossible_numbers(column: str, value: float, rows: Rows) -> None:
    with pytest.raises(pg.CheckViolation):
        rows.video(**{column: value})


@pytest.mark.parametrize("progress", [0, 1, 99, 100])
def test_progress_is_anything_from_0_to_100(progress: int, rows: Rows) -> None:
    assert rows.video(processing_progress=progress)["processing_progress"] == progress


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("source_sha1", SHA1.upper()),
        ("source_sha1", SHA1[:-1]),
        ("source_sha1", SHA1 + "\n"),
        ("artifact_sha1", ""),
        ("artifact_bytes", -1),
        ("acknowledged_bytes", -1),
        ("acknowledged_bytes", 101),
        ("attempts", -1),
    ],
)
def test_an_upload_has_no_impossible_values(column: str, value: object, rows: Rows) -> None:
    component = rows.component(rows.lesson(rows.course()))
    values: Row = {"artifact_bytes": 100, column: value}
    with pytest.raises(pg.CheckViolation):
        rows.upload(component, **values)
    rows.upload(component, artifact_bytes=100, acknowledged_bytes=100, artifact_sha1=OTHER_SHA1)


@pytest.mark.parametrize("state", ["intended", "sent", *CLOSED])
def test_the_address_of_an_upload_is_kept_only_while_something_may_be_sent_to_it(state: str, rows: Rows) -> None:
    component = rows.component(rows.lesson(rows.course()))
    with pytest.raises(pg.CheckViolation):
        rows.upload(component, state=state, upload_url="https://upload.example/1")
    rows.upload(component, state="sending", upload_url="https://upload.example/1")


@pytest.mark.parametrize("state", ["created", "sending", "sent", "linked"])
def test_an_upload_that_stream_knows_has_its_id(state: str, rows: Rows) -> None:
    component = rows.component(rows.lesson(rows.course()))
    with pytest.raises(pg.CheckViolation):
        rows.upload(component, state=state, provider_id=None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("size_bytes", -1),
        *(("checksum_sha1", wrong) for wrong in ("", "g" * 40, SHA1[:-1], SHA1 + "0", SHA1.upper(), f"{SHA1}\n")),
    ],
)
def test_an_asset_has_no_impossible_values(column: str, value: object, rows: Rows) -> None:
    component = rows.component(rows.lesson(rows.course()))
    with pytest.raises(pg.CheckViolation):
        rows.asset(component, **{column: value})


def test_sizes_and_inodes_have_room_for_what_file_systems_have(rows: Rows) -> None:
    component = rows.component(rows.lesson(rows.course()))
    values: dict[str, Any] = {"size_bytes": 5 << 40, "inode": -(1 << 63), "mtime_ns": (1 << 63) - 1}
    asset = rows.asset(component, **values)
    assert {name: asset[name] for name in values} == values


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("lesson", "course_id"),
        ("component", "lesson_id"),
        ("asset", "component_id"),
        ("component_video", "provider_id"),
        ("component_video", "component_id"),
        ("upload", "component_id"),
        ("metadata_change", "video_id"),
        ("metadata_change", "run_id"),
        ("metadata_change", "reverted_by"),
        ("course", "preview_video_id"),
    ],
)
def test_a_row_points_to_rows_that_exist(table: str, column: str, rows: Rows) -> None:
    row = rows.one_of_each()[table]
    nowhere: Any = 999_999 if isinstance(row[column], int) else "00000000-0000-0000-0000-000000000000"
    with pytest.raises(pg.ForeignKeyViolation):
        rows.update(table, row["id"], **{column: nowhere})


# --- cascades


def test_deleting_a_course_takes_everything_below_it_and_leaves_videos_and_other_courses(rows: Rows) -> None:
    mine, other = rows.one_of_each(), rows.one_of_each()
    rows.delete("course", mine["course"]["id"])
    below = ("course", "lesson", "component", "asset", "component_video", "upload")
    assert {table: rows.all(table) for table in below} == {table: [other[table]] for table in below}
    assert rows.get("video", mine["video"]["id"]) == mine["video"]
    assert rows.count("metadata_change") == 2


def test_deleting_a_video_takes_its_links_and_is_forgotten_as_preview(rows: Rows) -> None:
    mine = rows.one_of_each()
    rows.delete("video", mine["video"]["id"])
    assert (rows.count("component_video"), rows.count("metadata_change"), rows.count("component")) == (0, 0, 1)
    assert rows.get("course", mine["course"]["id"])["preview_video_id"] is None


def test_deleting_a_run_takes_its_changes_and_un_reverts_those_of_others(rows: Rows) -> None:
    change = rows.one_of_each()["metadata_change"]
    rows.delete("run", change["reverted_by"])
    assert rows.get("metadata_change", change["id"])["reverted_by"] is None
    rows.delete("run", change["run_id"])
    assert rows.count("metadata_change") == 0


def test_a_video_that_gets_another_id_keeps_its_links(rows: Rows) -> None:
    mine = rows.one_of_each()
    rows.update("video", mine["video"]["id"], provider_id="another")
    assert rows.get("component_video", mine["component_video"]["id"])["provider_id"] == "another"


# --- times


CHANGE: dict[str, tuple[str, object]] = {
    "course": ("title", "AI Foundations"),
    "lesson": ("title", "Evolution of Intelligence"),
    "component": ("position", 7),
    "asset": ("size_bytes", 7),
    "video": ("metadata", {"name": "course_01_L01_learning"}),
    "component_video": ("compressed", True),
    "upload": ("attempts", 1),
    "run": ("exit_code", 0),
    "metadata_change": ("after", {"name": "b"}),
}


@pytest.mark.parametrize("table", TABLES)
def test_a_change_moves_updated_at_and_an_update_that_changes_nothing_does_not(table: str, rows: Rows) -> None:
    before = rows.one_of_each()[table]
    column, value = CHANGE[table]
    assert rows.update(table, before["id"], **{column: before[column]}) == before
    after = rows.update(table, before["id"], **{column: value})
    assert after == {**before, column: value, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    assert rows.update(table, before["id"], **{column: value}) == after


def test_a_look_at_a_video_that_finds_nothing_new_is_no_change(rows: Rows) -> None:
    video = rows.video()
    looked = rows.update("video", video["id"], synced_at=datetime.now(UTC), next_check_at=datetime.now(UTC))
    assert looked["updated_at"] == video["updated_at"]
    assert rows.update("video", video["id"], status="ready")["updated_at"] > video["updated_at"]


def test_two_changes_in_one_transaction_have_two_times(rows: Rows) -> None:
    video = rows.video()
    with rows.connection.transaction():
        first = rows.update("video", video["id"], title="a")
        second = rows.update("video", video["id"], title="b")
    assert video["updated_at"] < first["updated_at"] < second["updated_at"]


def test_nobody_can_set_updated_at_by_hand(rows: Rows) -> None:
    video = rows.video()
    assert rows.update("video", video["id"], updated_at="1999-01-01T00:00:00Z")["updated_at"] > video["updated_at"]


def test_an_update_of_one_column_leaves_the_others_as_they_were(rows: Rows) -> None:
    before = rows.video(title="a", description="b", status="inprogress", processing_progress=40, metadata={"a": 1})
    after = rows.update("video", before["id"], status="ready")
    changed = {name for name, value in after.items() if value != before[name]}
    assert changed == {"status", "updated_at"}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"name": "course_01_L01_learning", "compressed": "true"},
        {"deep": {"list": [1, 2.5, None, True, {"x": "y"}]}, "text": "é 😀 \" \\ \n '", "": ""},
    ],
)
def test_metadata_comes_back_as_it_was_stored(value: dict[str, Any], rows: Rows) -> None:
    video = rows.video(metadata=value)
    assert rows.get("video", video["id"])["metadata"] == value


def test_videos_can_be_found_by_what_their_metadata_holds(rows: Rows) -> None:
    wanted = rows.video(metadata={"name": "course_01_L01_learning", "uploadId": "7"})
    rows.video(metadata={"name": "course_01_L02_learning"})
    found = rows.connection.execute(
        """SELECT id FROM video WHERE metadata @> '{"name": "course_01_L01_learning"}'"""
    ).fetchall()
    assert [row["id"] for row in found] == [wanted["id"]]
