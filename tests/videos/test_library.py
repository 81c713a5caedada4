"""The functions that other programs call: videos by course, lesson, id and status, their texts, their numbers."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest

from catalog.rows import Row, Rows
from curri.catalog.database import Database
from curri.errors import UsageError
from curri.flow import videos
from curri.flow.videos import Filter, Texts
from curri.model import Result

HOST = "https://customer-code.cloudflarestream.com"
GONE = "2025-11-04T00:00:00Z"


def played(rows: Rows, parent: Row, *, state: str = "current", kind: str = "learning", **values: Any) -> Row:
    """Put a component with a video into a lesson or a course; return the video's row."""
    video = rows.video(**values)
    rows.link(rows.component(parent, kind=kind), video, state=state, linked_at=GONE)
    return video


def uids(found: list[videos.Video]) -> list[str]:
    return [video.uid for video in found]


def edited(database: Database, video_id: object, **texts: str) -> videos.Edited:
    return videos.edit(database, str(video_id), Texts(**texts), version="test")


# --- finding


def test_the_videos_of_a_course_come_in_teaching_order(rows: Rows, shared: Database) -> None:
    course, other = rows.course(slug="course_01"), rows.course(slug="course_02")
    for number, position in (("10", 2), ("9", 1), ("2", 0)):
        lesson = rows.lesson(course, number=number, position=position)
        for place in (1, 0):
            video = rows.video(provider_id=f"{number}-{place}")
            rows.link(rows.component(lesson, position=place), video)
    played(rows, course, kind="preview", provider_id="preview")
    played(rows, rows.lesson(other), provider_id="other")
    expected = ["preview", "2-0", "2-1", "9-0", "9-1", "10-0", "10-1"]
    assert uids(videos.by_course(shared, "course_01")) == expected
    assert uids(videos.by_course(shared, "COURSE_01")) == expected
    assert uids(videos.select(shared)) == [*expected, "other"]


def test_the_videos_of_one_lesson(rows: Rows, shared: Database) -> None:
    course = rows.course(slug="course_01")
    played(rows, rows.lesson(course, number="01"), provider_id="a")
    played(rows, rows.lesson(course, number="02"), provider_id="b")
    played(rows, rows.lesson(rows.course(slug="course_02"), number="01"), provider_id="c")
    assert uids(videos.by_lesson(shared, "course_01", "01")) == ["a"]
    assert uids(videos.by_lesson(shared, "course_01", "2")) == ["b"]
    assert sorted(uids(videos.select(shared, Filter(lessons=("01",))))) == ["a", "c"]


def test_what_plays_is_told_from_what_waits_retired_or_was_removed(rows: Rows, shared: Database) -> None:
    lesson = rows.lesson(rows.course(slug="course_01"), number="01")
    component = rows.component(lesson)
    for state in ("retired", "pending", "current"):
        rows.link(component, rows.video(provider_id=state), state=state)
    gone = rows.component(lesson, removed_at=GONE)
    rows.link(gone, rows.video(provider_id="removed"))
    rows.video(provider_id="nowhere")
    assert uids(videos.by_course(shared, "course_01")) == ["current"]
    assert uids(videos.by_lesson(shared, "course_01", "01")) == ["current"]
    every = videos.select(shared)
    assert uids(every) == ["current", "pending", "retired", "removed", "nowhere"]
    assert every[-1].appearances == ()
    assert [each.appearances[0].removed for each in every[:-1]] == [False, False, False, True]
    assert [each.appearances[0].name for each in every[2:4]] == [f"course_01_L01_{KIND}", None]


KIND = "learning"


def test_videos_are_found_by_one_status_or_several(rows: Rows, shared: Database) -> None:
    lesson = rows.lesson(rows.course(slug="course_01"))
    for status in ("queued", "inprogress", "ready", "error"):
        played(rows, lesson, provider_id=status, status=status)
    for status in ("queued", "inprogress", "ready", "error"):
        assert uids(videos.by_status(shared, status)) == [status]
        assert uids(videos.by_course(shared, "course_01", status=status)) == [status]
    assert sorted(uids(videos.by_status(shared, "ready", "error"))) == ["error", "ready"]


def test_videos_are_found_by_kind(rows: Rows, shared: Database) -> None:
    course = rows.course()
    lesson = rows.lesson(course)
    for parent, kind in ((lesson, "learning"), (lesson, "practice"), (course, "preview")):
        played(rows, parent, provider_id=kind, kind=kind)
    for kind in ("learning", "practice", "preview"):
        assert uids(videos.select(shared, Filter(kinds=(kind,)))) == [kind]


def test_filters_narrow_each_other(rows: Rows, shared: Database) -> None:
    for slug in ("course_01", "course_02"):
        lesson = rows.lesson(rows.course(slug=slug), number="01")
        for status in ("ready", "queued"):
            played(rows, lesson, provider_id=f"{slug} {status}", status=status)
    found = videos.select(shared, Filter(courses=("course_02",), lessons=("01",), statuses=("ready",)))
    assert uids(found) == ["course_02 ready"]


@pytest.mark.parametrize("lesson", [False, True])
def test_a_course_without_videos_or_without_lessons_has_none_and_is_no_error(
    lesson: bool, rows: Rows, shared: Database
) -> None:
    course = rows.course(slug="course_01")
    if lesson:
        rows.lesson(course, number="01")
        assert videos.by_lesson(shared, "course_01", "01") == []
    assert videos.by_course(shared, "course_01") == []
    assert videos.statistics(shared, ["course_01"]).total == videos.statistics(shared).total
    assert videos.statistics(shared, ["course_01"]).total.videos == 0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Filter(courses=("course_7",)), "there is no course course_7"),
        (Filter(lessons=("9",)), "there is no lesson 09"),
        (Filter(courses=("course_02",), lessons=("01",)), "there is no lesson 01"),
        (Filter(kinds=("coding",)), "there is no kind coding"),
        (Filter(statuses=("done",)), "there is no status done"),
        (Filter(courses=("",)), "(empty)"),
    ],
)
def test_a_word_that_fits_nothing_is_an_error_that_names_what_there_is(
    wanted: Filter, said: str, rows: Rows, shared: Database
) -> None:
    played(rows, rows.lesson(rows.course(slug="course_01"), number="01"))
    rows.course(slug="course_02")
    with pytest.raises(UsageError) as raised:
        videos.select(shared, wanted)
    assert said in raised.value.message
    assert raised.value.hint


def test_one_video_is_found_by_either_id(rows: Rows, shared: Database) -> None:
    row = played(rows, rows.lesson(rows.course()), metadata={"deep": {"list": [1, None, "é"]}}, status="ready")
    by_id, by_uid = videos.by_id(shared, str(row["id"])), videos.by_uid(shared, row["provider_id"])
    assert by_id == by_uid
    assert by_id is not None
    assert by_id.metadata == row["metadata"]
    assert (by_id.id, by_id.uid, by_id.status) == (str(row["id"]), row["provider_id"], "ready")
    assert by_id.updated_at == row["updated_at"]
    for nothing in (str(uuid.uuid4()), "no id", ""):
        assert videos.by_id(shared, nothing) is None
        assert videos.by_uid(shared, nothing) is None


def test_the_id_of_another_provider_is_not_one_of_stream(rows: Rows, shared: Database) -> None:
    rows.video(provider_id="a", provider="YOUTUBE")
    assert videos.by_uid(shared, "a") is None
    mine = rows.video(provider_id="a")
    found = videos.by_uid(shared, "a")
    assert found is not None
    assert found.id == str(mine["id"])


def test_a_video_in_several_places_is_one_video(rows: Rows, shared: Database) -> None:
    video = rows.video()
    courses = [rows.course(slug=f"course_0{number}", position=number) for number in (2, 1)]
    for course in courses:
        rows.link(rows.component(rows.lesson(course)), video)
    (found,) = videos.select(shared)
    assert [each.course for each in found.appearances] == ["course_01", "course_02"]
    assert videos.by_course(shared, "course_02") == [found]


# --- playing


def test_where_a_video_plays_and_what_a_page_calls_it(rows: Rows, shared: Database) -> None:
    lesson = rows.lesson(rows.course(title="AI"), title="Evolution <1>")
    row = played(rows, lesson, provider_id="u1", preview_url=f"{HOST}/u1/watch", width=640, height=360)
    video = videos.by_id(shared, str(row["id"]))
    assert video is not None
    assert video.playback.hls == f"{HOST}/u1/manifest/video.m3u8"
    snippet = videos.player(video)
    assert snippet is not None
    assert f'src="{HOST}/u1/iframe" title="Evolution &lt;1&gt;"' in snippet
    assert video.shown_title == "Evolution <1>"
    own = edited(shared, row["id"], title="Mine").after
    assert own.shown_title == "Mine"


def test_a_title_is_that_of_the_view_for_web_applications(rows: Rows, shared: Database) -> None:
    course = rows.course(title="AI")
    for parent, values in (
        (course, {}),
        (rows.lesson(course, title="One"), {}),
        (rows.lesson(course), {"title": "Own"}),
    ):
        played(rows, parent, **values)
    view = {
        str(row["id"]): row["title"]
        for row in rows.connection.execute("SELECT id, title FROM course_videos").fetchall()
    }
    assert {video.id: video.shown_title for video in videos.select(shared)} == view


# --- editing


def test_an_edit_changes_what_is_given_and_nothing_else(rows: Rows, shared: Database) -> None:
    row = played(rows, rows.lesson(rows.course()), title="a", description="b", metadata={"name": "c"}, status="ready")
    neighbour = rows.video(title="a", description="b")
    done = edited(shared, row["id"], title="A")
    after = rows.get("video", row["id"])
    assert {name for name in row if row[name] != after[name]} == {"title", "updated_at"}
    assert (after["title"], after["description"]) == ("A", "b")
    assert after["updated_at"] > row["updated_at"]
    assert (done.outcome, done.before.title, done.after.title) == (Result.DONE, "a", "A")
    assert rows.get("video", neighbour["id"]) == neighbour
    edited(shared, row["id"], title="T", description="D")
    both = rows.get("video", row["id"])
    assert (both["title"], both["description"]) == ("T", "D")


def test_an_empty_text_clears_and_an_absent_one_does_not(rows: Rows, shared: Database) -> None:
    row = rows.video(title="a", description="b")
    edited(shared, row["id"], description="")
    after = rows.get("video", row["id"])
    assert (after["title"], after["description"]) == ("a", None)
    edited(shared, row["id"], title="  ")
    assert rows.get("video", row["id"])["title"] is None


def test_the_same_edit_again_changes_nothing_and_leaves_no_entry(rows: Rows, shared: Database) -> None:
    row = rows.video()
    first = edited(shared, row["id"], title="A")
    (run,) = rows.all("run")
    assert (run["id"], run["command"], run["exit_code"]) == (first.run_id, "videos edit", 0)
    before = rows.get("video", row["id"])
    again = edited(shared, row["id"], title="A")
    assert (again.outcome, again.run_id) == (Result.UNCHANGED, None)
    assert rows.get("video", row["id"]) == before
    assert rows.count("run") == 1


def test_a_dry_edit_tells_and_writes_nothing(rows: Rows, shared: Database) -> None:
    row = rows.video(title="a")
    done = videos.edit(shared, str(row["id"]), Texts(title="b"), dry_run=True, version="test")
    assert (done.outcome, done.before.title, done.after.title) == (Result.DONE, "a", "b")
    assert rows.get("video", row["id"]) == row
    assert rows.count("run") == 0


def test_an_edit_of_nothing_or_of_no_video_is_refused(rows: Rows, shared: Database) -> None:
    row = rows.video(title="a")
    with pytest.raises(UsageError, match="nothing to change"):
        edited(shared, row["id"])
    with pytest.raises(UsageError, match="has no video"):
        edited(shared, uuid.uuid4(), title="b")
    with pytest.raises(UsageError, match="not UTF-8"):
        edited(shared, row["id"], title="\udcff")
    assert rows.get("video", row["id"]) == row


# --- counting


def test_statistics_count_each_video_once_by_its_status(rows: Rows, shared: Database) -> None:
    course = rows.course(slug="course_01")
    lesson = rows.lesson(course)
    played(rows, lesson, status="ready", duration_seconds=60)
    twice = played(rows, lesson, status="ready", duration_seconds=30)
    rows.link(rows.component(lesson), twice)
    played(rows, lesson, status="inprogress", state="pending", duration_seconds=6)
    played(rows, lesson, status="queued")
    played(rows, lesson, status="error", duration_seconds=12)
    for state, removed in (("retired", None), ("current", GONE)):
        rows.link(
            rows.component(lesson, removed_at=removed), rows.video(status="ready", duration_seconds=999), state=state
        )
    rows.video(status="ready", duration_seconds=999)
    played(rows, rows.lesson(rows.course(slug="course_02")), status="ready", duration_seconds=600)
    found = videos.statistics(shared, ["course_01"])
    counted = {name: dataclasses.astuple(getattr(found, name)) for name in ("queued", "inprogress", "ready", "error")}
    assert counted == {"queued": (1, 0), "inprogress": (1, 6), "ready": (2, 90), "error": (1, 12)}
    assert dataclasses.astuple(found.total) == (5, 108)
    assert dataclasses.astuple(videos.statistics(shared).total) == (6, 708)


def test_statistics_of_a_course_that_is_not_there_are_an_error(shared: Database) -> None:
    with pytest.raises(UsageError, match="there is no course course_9"):
        videos.statistics(shared, ["course_9"])


def test_a_course_takes_what_lies_below_it_and_its_videos_stay_without_a_link(rows: Rows, shared: Database) -> None:
    course = rows.course(slug="course_01")
    row = played(rows, rows.lesson(course), status="ready", duration_seconds=60)
    rows.delete("course", course["id"])
    (left,) = videos.select(shared)
    assert (left.uid, left.appearances) == (row["provider_id"], ())
    assert videos.statistics(shared).total.videos == 0
