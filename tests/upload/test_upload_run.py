"""A run from its first line to its last: what arrives on Stream, what is recorded, what is printed."""

from __future__ import annotations

import json
import re
import select
from datetime import UTC, datetime

import pytest

from curri.plan.metadata import OURS
from curri.sandbox import Fault, When
from support.trees import OLD_NS, Tree

from .conftest import Films
from .site import Site, objects

THREE = ("course_01_L01_learning", "course_01_L02_learning", "course_01_L03_learning")


def test_a_second_run_asks_stream_nothing_and_changes_no_row(three: Site) -> None:
    first = three.upload()
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines()[-1].startswith("3 videos sent: ")
    three.linked_once(*THREE)
    before = three.everything()
    three.box.clear_requests()
    second = three.upload()
    assert (second.code, second.out, second.err) == (0, "nothing to do; 3 unchanged\n", "")
    assert three.requests() == []
    assert three.everything() == before


def test_a_second_run_with_verbose_names_every_video(three: Site) -> None:
    assert three.upload().code == 0
    done = three.upload("--verbose")
    lines = [f"unchanged course_01/0{n}/learning/video.mp4: on Stream" for n in (1, 2, 3)]
    assert done.out.splitlines() == [*lines, "nothing to do; 3 unchanged"]


def test_a_video_carries_all_that_is_known_of_it(site: Site, films: Films) -> None:
    site.variables |= {"CURRI_MANAGED_BY": "Grammar Ops", "CURRI_PROGRAM": "Überblick"}
    lesson: Tree = {"lesson.toml": 'title = "Größen: „Maß & Zahl“ 数"', "learning": {"video.mp4": films.plain()}}
    site.put({"Course_01": {"course.toml": 'title = "Einführung"', "Lesson_07": lesson}})
    begun = datetime.now(UTC).replace(microsecond=0)
    assert site.upload().code == 0
    meta = site.named()["course_01_L07_learning"].meta
    ((course, lesson_id, component, sha1, upload),) = site.rows(
        "SELECT c.course_id::text, c.lesson_id::text, c.id::text, a.checksum_sha1, u.id::text"
        " FROM component c JOIN asset a ON a.component_id = c.id JOIN upload u ON u.component_id = c.id"
    )
    uploaded = str(meta.pop("uploadedAt"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", uploaded)
    assert begun <= datetime.fromisoformat(uploaded) <= datetime.now(UTC)
    assert meta == {
        "name": "course_01_L07_learning",
        "courseId": course,
        "courseSlug": "course_01",
        "courseTitle": "Einführung",
        "lessonId": lesson_id,
        "lessonNumber": "07",
        "lessonTitle": "Größen: „Maß & Zahl“ 数",
        "componentId": component,
        "componentType": "learning",
        "managedBy": "Grammar Ops",
        "program": "Überblick",
        "compressed": "false",
        "checksumSha1": sha1,
        "groupKey": "learning/video.mp4",
        "uploadId": upload,
    }
    assert meta.keys() | {"uploadedAt"} == OURS
    assert site.one("SELECT metadata FROM video") == {**meta, "uploadedAt": uploaded}


def test_videos_are_named_by_their_place(site: Site, films: Films) -> None:
    site.put(
        {
            "Course_01": {
                "preview.mp4": films.plain(0),
                "Lesson_01": {
                    "learning": {"video.mp4": films.plain(1), "Part 2.mp4": films.plain(2)},
                    "practice": {"only.mp4": films.plain(3)},
                },
            },
            "Course_12": {"Lesson_103": {"learning": {"deep": {"video.mp4": films.plain(4)}}}},
        }
    )
    assert site.upload().code == 0
    site.linked_once(
        "course_01_preview",
        "course_01_L01_learning",
        "course_01_L01_learning_part-2",
        "course_01_L01_practice",
        "course_12_L103_learning",
    )


def test_the_preview_of_a_course_is_its_own(site: Site, films: Films) -> None:
    site.put({"Course_01": {"preview.mp4": films.plain(), "Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    assert site.upload().code == 0
    video = site.named()["course_01_preview"]
    assert not {"lessonId", "lessonNumber", "lessonTitle"} & video.meta.keys()
    previews = site.rows("SELECT v.provider_id FROM course k JOIN video v ON v.id = k.preview_video_id")
    assert previews == [(video.uid,)]


def test_a_web_application_sees_the_video_in_course_videos(site: Site, films: Films) -> None:
    site.put({"Course_01": {"Lesson_01": {"README.md": "# Bäume\n", "learning": {"video.mp4": films.plain()}}}})
    assert site.upload("--wait").code == 0
    (video,) = site.box.videos()
    ((uid, title, status, seconds, progress, hls, dash, thumbnail, name),) = site.rows(
        "SELECT cloudflare_video_id, title, status::text, duration, processing_progress, playback_hls_url,"
        " playback_dash_url, thumbnail_url, metadata ->> 'name' FROM course_videos"
    )
    assert (uid, title, status, progress) == (video.uid, "Bäume", "ready", 100)
    assert name == "course_01_L01_learning"
    assert seconds == pytest.approx(video.duration)
    assert all(video.uid in address for address in (hls, dash, thumbnail))


def test_an_encode_is_sent_where_it_pays_and_the_row_says_why(encoding: Site, films: Films) -> None:
    film = films.heavy()
    encoding.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": film}}}})
    done = encoding.upload()
    assert (done.code, done.err) == (0, "")
    video = encoding.named()["course_01_L01_learning"]
    assert video.received < len(film) * 0.9
    assert video.meta["compressed"] == "true"
    ((decision, reason, recipe, seconds, sent, source),) = encoding.rows(
        "SELECT decision, decision_reason, recipe, encode_seconds, artifact_bytes, source_sha1 FROM upload"
    )
    assert (decision, recipe is not None, seconds > 0) == ("encode", True, True)
    assert reason.startswith("bit-rate: ")
    assert sent == video.received
    assert source == video.meta["checksumSha1"]
    assert encoding.rows("SELECT compressed FROM component_video") == [(True,)]


def test_a_ready_made_rendition_is_sent_in_place_of_the_original(encoding: Site, films: Films) -> None:
    small = films.plain(1)
    encoding.put(
        {"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.heavy(), "video_compressed.mp4": small}}}}
    )
    done = encoding.upload("--json")
    assert done.code == 0
    (item,) = objects(done, "item")
    assert item["action"] == "rendition"
    video = encoding.named()["course_01_L01_learning"]
    assert encoding.box.file(video.uid).read_bytes() == small
    assert video.meta["compressed"] == "true"
    assert video.meta["checksumSha1"] == encoding.one("SELECT checksum_sha1 FROM asset WHERE role = 'source'")


def test_json_is_a_line_for_every_video_and_a_summary(three: Site) -> None:
    done = three.upload("--json")
    assert done.err == ""
    items = objects(done, "item")
    on_stream = three.named()
    assert {item["path"] for item in items} == {f"course_01/0{n}/learning/video.mp4" for n in (1, 2, 3)}
    for item in items:
        assert (item["outcome"], item["action"]) == ("done", "passthrough")
        assert item["uid"] == on_stream[item["name"]].uid
        assert item["size"] == on_stream[item["name"]].received
    assert done.summary["exit_code"] == 0
    assert done.summary["run_id"] == three.one("SELECT id FROM run WHERE command = 'upload'")
    counts = done.summary["counts"]
    assert (counts["videos"], counts["uploaded"], counts["failed"], counts["left"]) == (3, 3, 0, 0)
    assert counts["bytes"] == sum(video.received for video in on_stream.values())
    assert three.rows("SELECT exit_code, counts FROM run WHERE command = 'upload'") == [(0, counts)]


def test_quiet_says_nothing_when_nothing_is_wrong(three: Site) -> None:
    done = three.upload("--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    three.linked_once(*THREE)


def test_a_dry_run_tells_what_the_run_then_does_and_changes_nothing(encoding: Site, films: Films) -> None:
    learning = {"video.mp4": films.plain(), "big.mp4": films.heavy(1)}
    small = {"video.mp4": films.heavy(2), "video_compressed.mp4": films.plain(3)}
    encoding.put({"Course_01": {"Lesson_01": {"learning": learning}, "Lesson_02": {"learning": small}}})
    before = encoding.everything()
    dry = encoding.upload("--dry-run", "--json")
    assert (dry.code, dry.err) == (0, "")
    assert encoding.everything() == before
    assert encoding.writes() == []
    assert not encoding.state.exists()
    planned = objects(dry, "plan")
    assert [each["due"] for each in planned] == ["new"] * 3
    assert dry.summary["dry_run"] is True
    assert dry.summary["counts"]["due"] == 3

    done = encoding.upload("--json")
    items = objects(done, "item")
    told = {(each["path"], each["name"], each["action"]) for each in items}
    assert told == {(each["path"], each["name"], each["action"]) for each in planned}
    assert {each["action"] for each in items} == {"passthrough", "encode", "rendition"}
    assert all(item["size"] <= next(p["size"] for p in planned if p["path"] == item["path"]) for item in items)
    assert done.summary["counts"]["minutes"] <= dry.summary["counts"]["minutes"]
    again = encoding.upload("--dry-run", "--json")
    assert (again.code, objects(again, "plan"), again.summary["counts"]["due"]) == (0, [], 0)


def test_a_dry_run_needs_no_credentials(three: Site) -> None:
    done = three.upload("--dry-run", CLOUDFLARE_API_TOKEN=None, CLOUDFLARE_ACCOUNT_ID=None)
    assert (done.code, done.err) == (0, "")
    assert "3 videos would be sent" in done.out
    assert "CLOUDFLARE_ACCOUNT_ID is not set" in done.out
    assert three.requests() == []


def test_titles_that_no_terminal_shows_do_no_harm(site: Site, films: Films) -> None:
    lesson: Tree = {"lesson.toml": 'title = "a\\u001b[31mb"', "Ton\nfilm": {"video.mp4": films.plain()}}
    site.put({"Course_01": {"Lesson_01": lesson}})
    done = site.upload("--json")
    assert done.code == 0
    assert len(done.objects) == 2
    human = site.upload("--verbose")
    assert "\x1b" not in human.out
    assert len(human.out.splitlines()) == 2


def test_an_empty_catalog_is_nothing_to_do(site: Site) -> None:
    done = site.upload()
    assert (done.code, done.out, done.err) == (0, "the catalog is empty: `curri import PATH` fills it\n", "")
    assert site.requests() == []


def test_a_file_that_was_only_touched_is_sent_like_any_other(three: Site) -> None:
    path = three.root / "Course_01/Lesson_01/learning/video.mp4"
    path.touch()
    assert path.stat().st_mtime_ns != OLD_NS
    assert three.upload().code == 0
    three.linked_once(*THREE)


def test_every_line_of_json_is_written_as_it_happens(three: Site) -> None:
    """Whoever reads a run of hours must not have to wait for its end."""
    three.hold(Fault("stall-before", When(path="patch", nth=2)))
    with three.start("upload", "--json", "--transfers", "1") as running:
        three.until_held(running)
        assert running.process.stdout is not None
        assert select.select([running.process.stdout], [], [], 10)[0], "nothing is printed"
        assert json.loads(running.process.stdout.readline())["type"] == "item"
        three.box.clear_faults()
        assert running.done().code == 0
