"""`curri check`: every rule is told when its cause is there, and no more after the command that it names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curri.catalog.database import Database
from curri.cli.progress import Silent
from curri.flow import check
from curri.sandbox import Fault, When
from support.command import Done
from support.trees import make_tree
from upkeep.dashboard import Dashboard, planted
from upload.conftest import Films
from upload.site import objects

from .conftest import FILE, PLACE, House

IN_STEP = "2 files, 2 videos: all in step\n"
HALF_IN_STEP = "2 files, 2 videos: tree and catalog in step; Stream was not asked\n"


def found(done: Done) -> list[tuple[str, str, str]]:
    """Return mark, rule and path of all differences that a run printed."""
    return [(each["mark"], each["rule"], each["path"]) for each in objects(done, "finding") if each["mark"] != "="]


def differs(house: House, *arguments: str) -> list[tuple[str, str, str]]:
    """Run it; return the differences, which the exit code must agree with."""
    done = house.run("check", "--json", *arguments)
    assert done.code == (10 if found(done) else 0), done.out + done.err
    assert done.summary["exit_code"] == done.code
    return found(done)


def renamed(house: House) -> None:
    (house.root / "Course_01/Lesson_01/learning").rename(house.root / "Course_01/Lesson_01/practice")


def rewritten(house: House) -> None:
    make_tree(house.root, {"Course_01": {"Lesson_01": {"learning": {"video.mp4": b"other bytes"}}}})


def added(house: House) -> None:
    make_tree(house.root, {"Course_01": {"Lesson_01": {"slides": {"notes.md": "words"}}}})


def removed(house: House) -> None:
    (house.root / FILE).unlink()


def retitled(house: House) -> None:
    make_tree(house.root, {"Course_01": {"course.toml": 'title = "Other"'}})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (added, [("+", "file-without-row", "Course_01/Lesson_01/slides/notes.md")]),
        (removed, [("-", "row-without-file", "Course_01/Lesson_01/learning/video.mp4")]),
        (rewritten, [("*", "file-changed", FILE)]),
        (renamed, [("*", "file-moved", "Course_01/Lesson_01/practice/video.mp4")]),
        (retitled, [("*", "details", "Course_01")]),
    ],
)
def test_the_tree(taught: House, change: Callable[[House], None], expected: list[tuple[str, str, str]]) -> None:
    change(taught)
    before, writes = taught.everything(), len(taught.writes())
    assert differs(taught) == expected
    assert (taught.everything(), len(taught.writes())) == (before, writes)
    taught.good("import", str(taught.root), "--allow-removals")
    # What is left is for the next command, and is told so.
    assert {rule for _, rule, _ in differs(taught)} <= {"outdated", "metadata"}


def test_what_cannot_be_read_and_what_is_not_utf8_are_errors(taught: House) -> None:
    make_tree(taught.root, {"Course_01": {"Lesson_01": {"lesson.toml": "title = ", "slides": {"x.md": "x"}}}})
    Path(os.fsdecode(os.fsencode(taught.root) + b"/Course_01/Lesson_02/\xff.md")).write_text("x")
    before = taught.everything()
    assert differs(taught) == [
        ("+", "file-without-row", "Course_01/Lesson_01/slides/x.md"),
        ("!", "unreadable", "Course_01/Lesson_01/lesson.toml"),
        ("!", "unreadable", "Course_01/Lesson_02/\\xff.md"),
    ]
    assert taught.everything() == before


def test_a_folder_that_is_not_there_is_one_error_and_stream_is_compared_all_the_same(
    taught: House, dashboard: Dashboard
) -> None:
    dashboard.delete(taught.uid())
    taught.root.rename(taught.folder / "unmounted")
    assert differs(taught) == [("!", "no-tree", str(taught.root)), ("+", "missing", PLACE)]
    taught.root.mkdir()  # the mount point
    assert {rule for _, rule, _ in differs(taught)} & {"no-tree", "row-without-file"}


def test_all_in_step_is_one_line(taught: House) -> None:
    before = taught.everything()
    done = taught.run("check")
    assert (done.code, done.out, done.err) == (0, IN_STEP, "")
    assert taught.run("check", "--quiet") == Done(0, "", "")
    assert [each["rule"] for each in objects(taught.run("check", "--json"), "finding")] == ["in-step"] * 2
    assert taught.run("check", "--verbose").out.count("= course_01/") == 2
    assert taught.everything() == before
    assert {entry.kind for entry in taught.requests()} == {"list"}


def test_an_empty_catalog_is_in_step_with_an_account_of_others(house: House) -> None:
    house.box.plant([{"name": "a holiday"}])
    done = house.run("check", "--json")
    assert (done.code, done.summary["counts"]["others"]) == (0, 1)
    done = house.run("check")
    empty = "the catalog is empty: `curri import PATH`, then `curri adopt`"
    assert (done.code, done.out) == (0, f"{empty}; 1 other video on Stream\n")
    done = house.run("check", CLOUDFLARE_API_TOKEN=None)
    assert (done.code, done.out) == (0, f"{empty}; Stream was not asked\n")


def test_a_video_that_was_not_sent_and_one_that_is_another_by_now(taught: House, films: Films) -> None:
    third = {"Lesson_03": {"learning": {"video.mp4": films.plain(3)}}}
    taught.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(9)}}, **third}})
    assert differs(taught) == [("*", "outdated", PLACE), ("+", "not-uploaded", PLACE.replace("/01/", "/03/"))]
    taught.good("upload")
    assert differs(taught) == []
    done = taught.run("check")
    assert done.out.splitlines()[0] == "1 video that others have replaced: `curri gc` deletes what is old enough"


def test_an_upload_that_was_left_open(house: House, films: Films) -> None:
    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    house.begin("upload", at=1, name="commit: created").killed()
    assert differs(house) == [("!", "upload-open", PLACE)]
    house.good("upload")
    assert differs(house) == []


def test_an_upload_whose_creation_was_not_answered_is_told_once(house: House, films: Films) -> None:
    """The video is on Stream, the catalog does not know its id yet: the next upload finds it."""
    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    house.begin("upload", at=1, name="exchange: create").killed()
    assert len(house.listed()) == 1
    assert differs(house) == [("!", "upload-open", PLACE)]
    house.good("upload")
    assert differs(house) == []


@pytest.mark.parametrize("at", ["commit: intend", "exchange: create"])
def test_an_upload_that_was_left_open_and_whose_file_is_gone(taught: House, films: Films, at: str) -> None:
    taught.put({"Course_01": {"Lesson_03": {"learning": {"video.mp4": films.plain(3)}}}})
    taught.begin("upload", at=1, name=at).killed()
    make_tree(taught.root, {"Course_01": {"Lesson_03": {"notes.md": "x"}}})
    (taught.root / "Course_01/Lesson_03/learning/video.mp4").unlink()
    taught.good("import", str(taught.root), "--allow-removals")
    assert differs(taught) == [("!", "upload-open", PLACE.replace("/01/", "/03/"))]
    taught.good("gc", "--yes")
    assert differs(taught) == []
    assert len(taught.listed()) == 2


def test_a_video_that_was_deleted_in_the_dashboard(taught: House, dashboard: Dashboard) -> None:
    dashboard.delete(taught.uid())
    assert differs(taught) == [("+", "missing", PLACE)]
    taught.good("sync-status", "--all", code=3)
    assert differs(taught) == [("!", "failed", PLACE)]
    taught.good("upload", "--retry-failed")
    assert differs(taught) == []


@pytest.mark.parametrize("drift", ["status = 'queued'", "status = 'error', error_code = 'MISSING'"])
def test_a_state_that_is_not_the_one_recorded(taught: House, drift: str) -> None:
    taught.execute(f"UPDATE video SET {drift}, ready_at = NULL WHERE provider_id = %s", taught.uid())
    assert ("*", "status", PLACE) in differs(taught)
    taught.good("sync-status", "--all")
    assert differs(taught) == []


def test_a_replacement_that_could_be_played(taught: House, films: Films) -> None:
    taught.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(9)}}}})
    taught.good("upload")
    taught.execute("UPDATE component_video SET state = 'pending' WHERE provider_id = %s", taught.uid())
    taught.execute("UPDATE component_video SET state = 'current', retired_at = NULL WHERE state = 'retired'")
    assert differs(taught) == [("*", "not-switched", PLACE)]
    taught.good("sync-status", "--all")
    assert differs(taught) == []


def test_metadata_that_differ(taught: House, dashboard: Dashboard) -> None:
    dashboard.edit(taught.uid(), name="mine", lessonTitle=None, note="kept")
    told = [each["message"] for each in objects(taught.run("check", "--json"), "finding") if each["mark"] != "="]
    ends = "; `curri fix-metadata` edits it"
    assert told == [
        f"lessonTitle: (not there) -> Lesson 01{ends}",
        f"name: mine -> course_01_L01_learning{ends}",
    ]
    taught.good("fix-metadata")
    assert differs(taught) == []


def test_another_duration(taught: House) -> None:
    taught.execute("UPDATE video SET source_seconds = 60 WHERE provider_id = %s", taught.uid())
    assert differs(taught) == [("*", "duration", PLACE)]
    taught.good("sync-status", "--all", code=3)
    assert differs(taught) == [("!", "failed", PLACE)]
    taught.good("upload", "--retry-failed")
    assert differs(taught) == []


def test_a_second_video_of_one_component_and_one_that_nothing_links(taught: House) -> None:
    mine = dict(next(video.meta for video in taught.box.videos() if video.uid == taught.uid()))
    second, other = (video.uid for video in taught.box.plant([mine, mine | {"uploadId": "x"}]))
    assert differs(taught) == [("-", "duplicate", second), ("-", "duplicate", other)]
    taught.good("gc", "--yes")
    assert differs(taught) == [("-", "duplicate", other)]
    Dashboard(taught.box).delete(other)
    taught.execute("DELETE FROM component_video WHERE provider_id = %s", lost := taught.uid())
    assert differs(taught) == [("+", "not-linked", PLACE), ("-", "unlinked", lost)]


def test_what_a_lost_catalog_has_left_is_told_and_adopted(taught: House) -> None:
    uid = taught.uid()
    taught.lose()
    assert ("-", "unlinked", uid) in differs(taught)
    taught.good("adopt", "--yes")
    assert differs(taught) == []


def test_a_video_that_failed(house: House, films: Films) -> None:
    house.box.faults(Fault("fail", code="ERR_UNKNOWN"))
    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    house.good("upload", code=3)
    assert differs(house) == [("!", "failed", PLACE)]
    house.good("upload", "--retry-failed")
    assert differs(house) == []


def test_videos_of_others_are_no_difference(taught: House) -> None:
    mine = dict(next(video.meta for video in taught.box.videos() if video.uid == taught.uid()))
    theirs = mine | {"uploadId": "theirs", "checksumSha1": "0" * 40, "courseTitle": "Same numbers, another course"}
    taught.box.plant([{"name": "a holiday"}, {"componentId": "x", "uploadId": "y"}, {}, theirs])
    assert differs(taught) == []
    assert taught.run("check", "--json").summary["counts"]["others"] == 4
    assert taught.run("check").out == IN_STEP.replace("\n", "; 4 other videos on Stream\n")
    (taught.root / FILE).write_bytes(b"other bytes")
    assert taught.run("check").out.endswith(": 1 differ; 4 other videos on Stream\n")


def test_rehash_finds_bytes_that_changed_behind_the_same_times_and_size(taught: House) -> None:
    path = taught.root / FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, 1_700_000_000_000_000_000))
    now = path.stat()
    taught.execute(
        "UPDATE asset SET mtime_ns = %s, ctime_ns = %s WHERE inode = %s", now.st_mtime_ns, now.st_ctime_ns, now.st_ino
    )
    assert differs(taught) == []
    assert differs(taught, "--rehash") == [("*", "file-changed", FILE)]


def test_one_course(taught: House, films: Films, dashboard: Dashboard) -> None:
    taught.put({"Course_02": {"Lesson_01": {"learning": {"video.mp4": films.plain(5)}}}})
    added(taught)
    dashboard.edit(taught.uid(), name="mine")
    second = [("+", "not-uploaded", "course_02/01/learning/video.mp4")]
    assert differs(taught, "--course", "course_02") == second
    assert differs(taught, "--course", "COURSE_02") == second
    first = [("+", "file-without-row", "Course_01/Lesson_01/slides/notes.md"), ("*", "metadata", PLACE)]
    assert differs(taught, "--course", "course_01") == first
    assert differs(taught) == first + second
    (taught.root / "Course_02").rename(taught.folder / "elsewhere")
    gone = ("-", "row-without-file", "Course_02/Lesson_01/learning/video.mp4")
    assert differs(taught, "--course", "course_02") == [gone, *second]
    done = taught.run("check", "--course", "course_03")
    assert (done.code, done.out) == (2, "")
    assert "the catalog has course_01, course_02" in done.err


@pytest.mark.parametrize("missing", ["CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"])
def test_without_credentials_only_the_tree_is_compared_and_that_is_said(
    taught: House, dashboard: Dashboard, missing: str
) -> None:
    dashboard.delete(taught.uid())
    taught.box.clear_requests()
    without: dict[str, Any] = {missing: None}
    told = f"Stream was not asked: {missing} is not set"
    done = taught.run("check", **without)
    assert (done.code, done.out, done.err) == (0, HALF_IN_STEP, f"warning   {told}\n")
    assert told in taught.run("check", "--quiet", **without).err
    as_json = taught.run("check", "--json", **without)
    assert [each["message"] for each in objects(as_json, "warning")] == [told]
    added(taught)
    assert taught.run("check", **without).code == 10
    assert taught.requests() == []


def test_a_listing_that_fails_part_way_says_nothing_of_stream(house: House, dashboard: Dashboard) -> None:
    uids = planted(house, 1100)
    dashboard.delete(uids[5])
    dashboard.delete(uids[1050])
    before = house.everything()
    house.box.faults(Fault("answer", When(path="list", nth=2, times=None), status=500))
    done = house.run("check", "--json", "--output", "findings")
    assert done.code == 6
    assert done.objects == [done.summary]
    assert house.everything() == before
    assert not list((house.folder / "findings").iterdir())


def test_ten_thousand_videos_take_twelve_requests(house: House, dashboard: Dashboard, films: Films) -> None:
    uids = planted(house, 10_000)
    house.execute(
        "INSERT INTO asset (component_id, relative_path, role, size_bytes, checksum_sha1, mime_type, mtime_ns, ctime_ns,"
        " inode, fingerprint_version, hashed_at)"
        " SELECT id, group_key, 'source', 1, repeat('0', 40), 'video/mp4', 1, 1, 1, 1, now() FROM component"
        " WHERE name = ANY(%s)",
        uids[:1000],  # those that have a file; what differs in all would take half a minute to print
    )
    house.execute("UPDATE video SET status = 'ready'")
    dashboard.delete(uids[7])
    house.box.clear_requests()
    done = house.run("check", "--json", "--quiet")
    assert done.code == 10
    assert len(house.requests()) <= 12
    assert done.summary["counts"]["videos"] == 1000
    assert [each["uid"] for each in objects(done, "finding") if each["rule"] == "missing"] == [uids[7]]


def test_a_video_that_the_listing_does_not_have_yet_is_asked_for(
    taught: House, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How soon a new video shows in a listing is not documented."""
    taught.hide(monkeypatch, taught.uid())
    report = check.run(database, check.Options(), taught.means(), Silent(), version="test")
    assert (report.exit_code, report.counts["same"]) == (0, 2)
    assert [entry.kind for entry in taught.requests()] == ["list", "get"]


def test_what_is_linked_while_stream_answers_is_no_difference(house: House, films: Films) -> None:
    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    house.hold(Fault("stall-after", When(path="list")))
    looking = house.begin("check", "--json")
    house.until_stalled()
    house.good("upload")
    house.box.clear_faults()
    assert found(looking.done()) == []


def test_the_findings_are_written_by_mark_also_where_there_are_none(taught: House, dashboard: Dashboard) -> None:
    added(taught)
    dashboard.edit(taught.uid(), name="a\tb")
    folder = taught.folder / "new" / "findings"
    done = taught.run("check", "--quiet", "--output", str(folder))
    assert done.code == 10
    ends = "`curri fix-metadata` edits it"
    new = "Course_01/Lesson_01/slides/notes.md\tfile-without-row\tit is not in the catalog; `curri import` records it"
    drift = f"{PLACE}\tmetadata\tname: a\\tb -> course_01_L01_learning; {ends}"
    same = f"{PLACE.replace('/01/', '/02/')}\tin-step\ton Stream"
    written = {path.name: path.read_text().splitlines() for path in folder.iterdir()}
    assert written == {
        "same.txt": [same],
        "only-here.txt": [new],
        "only-there.txt": [],
        "differs.txt": [drift],
        "errors.txt": [],
        "combined.txt": [f"+ {new}", f"* {drift}", f"= {same}"],
    }
    taught.good("fix-metadata")
    taught.record()
    taught.good("check", "--output", str(folder))
    assert {path.name for path in folder.iterdir() if path.read_text()} == {"same.txt", "combined.txt"}


@pytest.mark.parametrize("folder", ["/proc", "file", "file/below"])
def test_a_folder_that_cannot_be_written_is_an_error_before_the_work(taught: House, folder: str) -> None:
    (taught.folder / "file").touch()
    done = taught.run("check", "--output", folder)
    assert (done.code, done.out) == (9, "")
    assert "the folder for the findings cannot be used" in done.err
    assert taught.requests() == []


def test_an_encode_of_a_file_that_is_gone_is_no_difference_and_told(taught: House) -> None:
    encode(taught, "0" * 40)
    done = taught.run("check")
    told = "1 encode of files that are gone: `curri gc` deletes what is old enough\n"
    assert (done.code, done.out) == (0, told + IN_STEP)
    assert taught.run("check", "--json").summary["counts"]["rendition_bytes"] == 5


def encode(house: House, sha1: str) -> Path:
    """Put an encode into the cache of a site."""
    folder = house.state / "renditions" / "recipe-1"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha1}.mp4"
    path.write_bytes(b"bytes")
    return path


@pytest.mark.parametrize("columns", [40, 80])
def test_at_a_terminal_lines_fit(taught: House, columns: int) -> None:
    added(taught)
    with taught.terminal("check", columns=columns) as terminal:
        assert terminal.done() == 10
    lines = [line for line in terminal.shown.splitlines() if "\x1b" not in line]
    assert lines[-1].endswith("1 only here") or "only here" in lines[-1]
    assert all(len(line) <= columns for line in lines if "/" not in line)
