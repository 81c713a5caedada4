"""`curri explain`: everything about one video, in every state that it can be in, without a request or a write."""

from __future__ import annotations

import os
from typing import Any

import pytest

from catalog.rows import OTHER_SHA1, SHA1, Row, Rows
from curri.catalog.database import Database
from curri.errors import UsageError
from curri.flow import explain
from curri.flow.referring import spots
from curri.sandbox import Fault, When
from support.command import Done
from upload.conftest import Films
from upload.site import Site, objects

NAME = "course_01_L01_learning"
PLACE = "course_01/01/learning/video.mp4"
PATH = "Course_01/Lesson_01/learning/video.mp4"


def told(done: Done) -> dict[str, str]:
    """Return the first line that each word of the screen begins."""
    assert done.code == 0, done.err
    words: dict[str, str] = {}
    for line in done.out.splitlines()[1:]:
        if not line.startswith(" "):
            word, _, rest = line.partition(" ")
            words.setdefault(word, rest.strip())
    return words


def test_every_way_to_call_a_video_leads_to_the_same_screen(uploaded: Site) -> None:
    uid = uploaded.links()[PLACE][0][1]
    before = uploaded.everything()
    ids = uploaded.rows(
        "SELECT component_id::text, v.id::text FROM component_video JOIN video v USING (provider_id) WHERE provider_id = %s",
        uid,
    )
    (uploaded.folder / "link").symlink_to(uploaded.root)
    ways = [NAME, PLACE, PATH, str(uploaded.root / PATH), f"curriculum/{PATH}", f"link/{PATH}", uid, *ids[0]]
    screens = {uploaded.run("explain", way).out for way in ways}
    assert len(screens) == 1
    assert screens.pop().startswith(f"{PLACE}\nfile      {uploaded.root / PATH}\n")
    assert (uploaded.everything(), uploaded.requests()) == (before, [])


def test_a_video_that_plays(uploaded: Site) -> None:
    done = uploaded.run("explain", PLACE)
    words = told(done)
    uid = uploaded.links()[PLACE][0][1]
    sha1 = uploaded.one("SELECT source_sha1 FROM upload WHERE provider_id = %s", uid)
    assert words["checksum"] == sha1
    assert words["name"].startswith(NAME)
    assert words["upload"] == "would do nothing (on Stream)"
    assert words["attempt"].startswith("linked: begun ")
    assert words["link"].endswith(f": {uid}")
    assert words["video"] == f"{uid}: ready, 100 %"
    assert words["HLS"] == f"{uploaded.box.origin}/{uid}/manifest/video.m3u8"
    assert "note" not in words
    reason = str(uploaded.one("SELECT decision_reason FROM upload WHERE provider_id = %s", uid))
    code, _, why = reason.partition(": ")
    assert f" passthrough: {why}\n" in done.out
    assert code not in done.out.replace(why, "")
    assert "on disk as recorded" in done.out
    history = [line.split("  ")[-1] for line in done.out.partition("history")[2].splitlines()]
    assert history[0] == "imported"
    assert f"linked, and plays ({uid[:8]})" in history
    assert [what for what in history if what.startswith("upload")] == [
        f"upload begun by run {uploaded.one('SELECT max(id) FROM run')}",
        "upload linked",
    ]


def test_the_address_of_an_open_upload_is_never_shown(site: Site, films: Films) -> None:
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    site.box.faults(Fault("answer", When(path="patch", times=None), status=503))
    assert site.upload(changes="impatient").code != 0
    ((url, uid),) = site.rows("SELECT upload_url, provider_id FROM upload")
    assert url
    for way in (PLACE, uid):
        for flag in ("-v", "--json"):
            done = site.run("explain", way, flag)
            assert done.code == 0, done.err
            assert url not in done.out + done.err
    words = told(site.run("explain", PLACE))
    assert words["upload"].startswith("would send it (resume: ")
    assert words["attempt"].split(":")[0] in ("created", "sending")
    assert "note" in told(site.run("explain", uid))


@pytest.mark.parametrize(
    ("change", "presence", "upload"),
    [
        ("gone", "not on disk", "would leave it out (new: the file is not there"),
        ("other", "on disk, and changed since the import", "would leave it out (new: the file is another one"),
        ("touched", "on disk with other times", "would send it (new: not on Stream yet)"),
    ],
)
def test_what_is_on_disk_decides_whether_it_can_be_sent(three: Site, change: str, presence: str, upload: str) -> None:
    path = three.root / PATH
    if change == "gone":
        path.unlink()
    elif change == "other":
        path.write_bytes(b"another file")
    else:
        os.utime(path, (1, 1))
    done = three.run("explain", PLACE)
    assert presence in done.out
    assert told(done)["upload"].startswith(upload)


def test_a_file_that_was_removed_is_explained_and_said_to_be(uploaded: Site) -> None:
    uid = uploaded.links()[PLACE][0][1]
    (uploaded.root / PATH).unlink()
    assert uploaded.run("import", str(uploaded.root), "--allow-removals").code == 0
    for way in (PLACE, uid):
        done = uploaded.run("explain", way)
        words = told(done)
        assert "removed from the tree" in words["note"]
        assert words["upload"] == "would do nothing (the file was removed from the tree)"
        assert words["link"].startswith("current")
        assert "  file removed from the tree\n" in done.out


def test_a_video_that_retired_is_explained_and_said_to_be(uploaded: Site, films: Films) -> None:
    old = uploaded.links()[PLACE][0][1]
    uploaded.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(9)}}}})
    assert uploaded.upload().code == 0
    new = uploaded.links()[PLACE][1][1]
    done = uploaded.run("explain", old)
    words = told(done)
    assert words["note"] == f"video {old} is retired: {new} plays in its place"
    assert done.out.index(f"video     {new}") < done.out.index(f"video     {old}")
    assert f"  retired ({old[:8]})\n" in done.out
    assert "note" not in told(uploaded.run("explain", new))
    assert [each["state"] for each in objects(uploaded.run("explain", PLACE, "--json"), "link")] == [
        "current",
        "retired",
    ]


def test_a_change_of_metadata_is_part_of_the_history(uploaded: Site) -> None:
    (uploaded.root / "Course_01/course.toml").write_text('title = "Foundations"\n')
    uploaded.record()
    assert uploaded.run("fix-metadata").code == 0
    run = uploaded.one("SELECT max(id) FROM run")
    assert f"metadata changed by run {run}: courseTitle (" in uploaded.run("explain", PLACE).out
    assert uploaded.run("fix-metadata", "--revert", str(run)).code == 0
    assert f"taken back by run {run + 1} (" in uploaded.run("explain", PLACE).out


def test_a_deletion_is_part_of_the_history(uploaded: Site) -> None:
    uid = uploaded.links()[PLACE][0][1]
    assert uploaded.run("videos", "delete", PLACE, "--yes").code == 0
    done = uploaded.run("explain", uid)
    assert done.out.endswith(f"  deleted by run {uploaded.one('SELECT max(id) FROM run')} ({uid[:8]})\n")
    assert f"as video {uid}, which is not in the catalog" in done.out
    assert told(done)["upload"] == "would send it (new: not on Stream yet)"


def test_json_has_it_all_typed(uploaded: Site) -> None:
    done = uploaded.run("explain", NAME, "--json")
    assert done.code == 0
    kinds = [each["type"] for each in done.objects]
    assert kinds[:6] == ["component", "file", "verdict", "attempt", "link", "video"]
    assert set(kinds[6:-1]) == {"event"}
    component, file, verdict, attempt, link, video = done.objects[:6]
    assert (component["place"], component["name"], component["kind"]) == (PLACE, NAME, "learning")
    assert (file["path"], file["presence"], file["removed"]) == (str(uploaded.root / PATH), "same", False)
    assert verdict == {"type": "verdict", "would": "nothing", "due": None, "reason": "on Stream"}
    assert (attempt["state"], attempt["decision"], attempt["source_sha1"]) == ("linked", "passthrough", file["sha1"])
    assert (link["uid"], link["state"]) == (video["uid"], "current")
    assert video["playback"]["player"].endswith(f"/{video['uid']}/iframe")
    events = objects(done, "event")
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert done.summary["counts"] == {"attempts": 1, "links": 1, "videos": 1, "events": len(events)}
    assert done.summary["run_id"] is None


def test_what_is_unknown_is_named_with_what_is_near(three: Site) -> None:
    done = three.run("explain", "course_01_L01_lerning")
    assert (done.code, done.out) == (2, "")
    assert "no video of the catalog is called course_01_L01_lerning" in done.err
    assert f"did you mean {NAME}" in done.err
    (three.folder / "notes.md").write_text("")
    assert "`curri import` records" in three.run("explain", "notes.md").err
    assert three.run("explain", "x", "--json").summary["exit_code"] == 2


# --- with rows made by hand


def component(rows: Rows, **values: Any) -> Row:
    made = rows.component(
        rows.lesson(rows.course(slug="course_01"), number="01"), group_key="learning/video.mp4", **values
    )
    rows.asset(made)
    return made


def test_a_video_that_nothing_is_linked_to_is_explained(rows: Rows, shared: Database) -> None:
    rows.video(
        provider_id="1" * 32, metadata={"name": "video_compressed.mp4"}, provider_created_at="2025-11-04T00:00:00Z"
    )
    for way in ("1" * 32, "video_compressed.mp4"):
        found = explain.run(shared, way)
        assert (found.component, found.file, found.verdict, found.links) == (None, None, None, ())
        assert [video.uid for video in found.videos] == ["1" * 32]
        assert found.note == "no file of the catalog is linked to this video"
        assert [event.what for event in found.events] == ["created on Stream (11111111)"]


def test_a_component_that_never_was_sent(rows: Rows, shared: Database) -> None:
    made = component(rows)
    found = explain.run(shared, str(made["id"]))
    assert (found.attempts, found.videos, found.links) == ((), (), ())
    assert found.file is not None
    assert (found.file.presence, found.file.path, found.file.sha1) == ("missing", None, SHA1)
    assert found.verdict is not None
    assert (found.verdict.would, found.verdict.due) == ("wait", "new")


def test_every_attempt_is_told_with_its_error_in_the_order_in_which_they_began(rows: Rows, shared: Database) -> None:
    made = component(rows)
    for number, (state, code) in enumerate((("failed", "ERR_A"), ("abandoned", "file-gone"), ("failed", "ERR_B"))):
        rows.upload(
            made,
            state=state,
            error_code=code,
            error_message="words",
            source_sha1=OTHER_SHA1 if number == 0 else SHA1,
            created_at=f"2025-11-0{3 - number}T00:00:00Z",
        )
    found = explain.run(shared, "course_01/01/learning/video.mp4")
    assert [attempt.error_code for attempt in found.attempts] == ["ERR_B", "file-gone", "ERR_A"]
    assert found.verdict is not None
    assert (found.verdict.would, found.verdict.due) == ("wait", "new")  # the last one with these bytes was given up
    assert any(event.what == "upload abandoned: file-gone: words" for event in found.events)


def test_an_attempt_whose_video_is_to_stay_on_stream_did_not_end_when_that_was_said(
    rows: Rows, shared: Database
) -> None:
    made = component(rows)
    rows.upload(made, state="linked", error_code="kept", error_message="words")
    found = explain.run(shared, str(made["id"]))
    assert [attempt.ended_at for attempt in found.attempts] == [None]
    assert [event.what for event in found.events if event.what.startswith("upload")] == ["upload begun"]


def test_a_replacement_that_waited_says_when_it_began_to_play(rows: Rows, shared: Database) -> None:
    made = component(rows)
    link = rows.link(
        made, rows.video(provider_id="2" * 32, status="ready"), state="pending", linked_at="2025-11-04T00:00:00Z"
    )
    assert [event.what for event in explain.run(shared, "2" * 32).events if "22222222" in event.what] == [
        "linked (22222222)"
    ]
    rows.update("component_video", link["id"], state="current")
    found = explain.run(shared, "2" * 32)
    assert [event.what for event in found.events if "22222222" in event.what] == [
        "linked (22222222)",
        "plays from here on (22222222)",
    ]


def test_a_file_that_is_again_what_it_was_is_linked_and_not_sent(rows: Rows, shared: Database) -> None:
    made = component(rows)
    rows.link(made, rows.video(status="ready"), state="current", source_sha1=OTHER_SHA1)
    rows.link(made, rows.video(status="ready"), state="retired", source_sha1=SHA1)
    verdict = explain.run(shared, str(made["id"])).verdict
    assert verdict is not None
    assert (verdict.would, verdict.due) == ("link", "returned")


def test_an_error_of_stream_is_told(rows: Rows, shared: Database) -> None:
    made = component(rows)
    rows.link(made, rows.video(status="error", error_code="ERR_NON_VIDEO", error_message="no video in it"))
    found = explain.run(shared, str(made["id"]))
    assert any(event.what.startswith("failed: ERR_NON_VIDEO") for event in found.events)
    assert found.verdict is not None
    assert (found.verdict.would, found.verdict.due) == ("fail", None)
    assert "no video in it" in found.verdict.reason


def test_a_place_that_two_removed_files_had_names_both(rows: Rows, shared: Database) -> None:
    lesson = rows.lesson(rows.course(slug="course_01"), number="01")
    ids = [
        str(rows.component(lesson, group_key="learning/video.mp4", removed_at="2025-11-04T00:00:00Z")["id"])
        for _ in range(2)
    ]
    with pytest.raises(UsageError, match="may mean 2 videos") as raised:
        explain.run(shared, "course_01/01/learning/video.mp4")
    assert all(each in str(raised.value.hint) for each in ids)
    assert explain.run(shared, ids[0]).note is not None


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("course_01/01/a/v.mp4", [(None, "course_01", None, "01/a/v.mp4"), (None, "course_01", "01", "a/v.mp4")]),
        (
            "Course_1-Intro/Lesson_002/v.mp4",
            [(None, "course_01", None, "Lesson_002/v.mp4"), (None, "course_01", "02", "v.mp4")],
        ),
        ("./course_01/preview.mp4", [(None, "course_01", None, "preview.mp4")]),
        ("/data/Course_01/preview.mp4", [("/data", "course_01", None, "preview.mp4")]),
        ("/data/Course_01/01/v.mp4", [("/data", "course_01", None, "01/v.mp4")]),
        ("/database/Course_01/v.mp4", []),
        ("/dataxCourse_01/v.mp4", []),
        ("course_01", []),
        ("course_01/", []),
        ("a\0b", []),
        ("", []),
    ],
)
def test_the_places_that_a_text_may_mean(text: str, places: list[tuple[str | None, ...]]) -> None:
    assert [tuple(spot) for spot in spots(text, ["/data"])] == places
