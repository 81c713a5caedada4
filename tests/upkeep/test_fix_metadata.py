"""`curri fix-metadata`: Stream says what the catalog says, without a byte sent; every change can be taken back."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest

from curri.sandbox import Fault, When
from support.command import Done
from upload.conftest import Films
from upload.site import Running, Site, objects

from . import driver
from .dashboard import Dashboard

PLACE = "course_01/{:02}/learning/video.mp4"
NOTHING = "nothing to do: Stream says what the catalog says\n"


def uids(site: Site) -> list[str]:
    """Return the ids of the videos that are played, in teaching order."""
    found = site.links()
    return [uid for place in sorted(found) for state, uid in found[place] if state == "current"]


def metas(site: Site) -> dict[str, dict[str, Any]]:
    """Return the metadata of all videos on Stream by id."""
    return {video.uid: dict(video.meta) for video in site.box.videos()}


def retitle(site: Site, title: str = "Foundations") -> None:
    """Give the course another title, which is part of the metadata of all three videos."""
    (site.root / "Course_01/course.toml").write_text(f'title = "{title}"\n')
    site.record()
    site.box.clear_requests()


def fix(site: Site, *arguments: str, **variables: str) -> Done:
    return site.run("fix-metadata", *arguments, **variables)


def without_runs(site: Site) -> dict[str, list[str]]:
    return {**site.everything(), "run": []}


def last_run(site: Site) -> int:
    return int(site.one("SELECT max(id) FROM run"))


def settled(site: Site) -> None:
    """Fail unless there is nothing to repair: nothing is written then, there or here."""
    before = without_runs(site)
    site.box.clear_requests()
    done = fix(site)
    assert (done.code, done.out, done.err) == (0, NOTHING, "")
    assert [entry.kind for entry in site.requests()] == ["list"]
    assert without_runs(site) == before


def only_edits(site: Site, number: int) -> None:
    """Fail unless so many edits are all that was written: no upload, no byte of a video."""
    assert [(entry.kind, entry.status) for entry in site.writes()] == [("edit", 200)] * number
    assert [entry.kind for entry in site.requests()].count("list") == 1


def test_after_an_upload_there_is_nothing_to_do(uploaded: Site) -> None:
    settled(uploaded)
    assert uploaded.one("SELECT count(*) FROM metadata_change") == 0


def test_a_changed_title_is_repaired_and_keys_of_others_stay(uploaded: Site, dashboard: Dashboard) -> None:
    first, second, _ = uids(uploaded)
    dashboard.edit(second, theirs="kept", downloaded=True)
    before = metas(uploaded)
    retitle(uploaded)
    done = fix(uploaded)
    assert (done.code, done.err) == (0, "")
    assert f"{PLACE.format(1)} ({first})\n{'':10}courseTitle: Course 01 -> Foundations\n" in done.out
    undo = f"3 of 3 videos edited; to take it back: curri fix-metadata --revert {last_run(uploaded)}\n"
    assert done.out.endswith(undo)
    assert metas(uploaded) == {uid: meta | {"courseTitle": "Foundations"} for uid, meta in before.items()}
    assert metas(uploaded)[second]["downloaded"] is True
    only_edits(uploaded, 3)
    journal = uploaded.rows(
        "SELECT v.provider_id, m.before, m.after FROM metadata_change m JOIN video v ON v.id = video_id"
    )
    now = metas(uploaded)
    assert {uid: (old, new) for uid, old, new in journal} == {uid: (before[uid], now[uid]) for uid in now}
    assert dict(uploaded.rows("SELECT provider_id, metadata FROM video")) == now
    settled(uploaded)


def test_a_lesson_with_another_number_is_repaired(uploaded: Site) -> None:
    first, _, third = uids(uploaded)
    (uploaded.root / "Course_01/Lesson_03").rename(uploaded.root / "Course_01/Lesson_07")
    uploaded.record()
    uploaded.box.clear_requests()
    done = fix(uploaded)
    assert done.code == 0
    assert "lessonNumber: 03 -> 07" in done.out
    assert "name: course_01_L03_learning -> course_01_L07_learning" in done.out
    assert metas(uploaded)[third]["lessonNumber"] == "07"
    assert metas(uploaded)[first]["lessonNumber"] == "01"
    only_edits(uploaded, 1)
    settled(uploaded)


def test_a_video_that_moved_is_repaired(uploaded: Site) -> None:
    _, second, _ = uids(uploaded)
    lesson = uploaded.root / "Course_01/Lesson_01"
    (uploaded.root / "Course_01/Lesson_02/learning").rename(lesson / "coding")
    (uploaded.root / "Course_01/Lesson_02").rmdir()
    uploaded.record()
    uploaded.box.clear_requests()
    assert fix(uploaded).code == 0
    meta = metas(uploaded)[second]
    assert (meta["name"], meta["lessonNumber"], meta["componentType"]) == ("course_01_L01_coding", "01", "coding")
    assert meta["lessonId"] == uploaded.one("SELECT id::text FROM lesson WHERE number = '01'")
    only_edits(uploaded, 1)
    settled(uploaded)


def test_a_leftover_of_an_older_script_gets_all_it_lacks(site: Site, dashboard: Dashboard, films: Films) -> None:
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    ((component,),) = site.rows("SELECT id FROM component")
    (video,) = site.box.plant([{"name": "video_compressed.mp4", "theirs": "kept"}])
    site.rows("INSERT INTO video (provider_id, status) VALUES (%s, 'ready') RETURNING 1", video.uid)
    query = "INSERT INTO component_video (component_id, provider_id, state) VALUES (%s, %s, 'current') RETURNING 1"
    site.rows(query, component, video.uid)
    done = fix(site)
    assert (done.code, done.err) == (0, "")
    assert "name: video_compressed.mp4 -> course_01_L01_learning" in done.out
    assert "courseId: (not there) -> " in done.out
    meta = dashboard.meta(video.uid)
    assert (meta["theirs"], meta["componentId"], meta["groupKey"]) == ("kept", str(component), "learning/video.mp4")
    assert not {"uploadId", "uploadedAt", "checksumSha1", "compressed"} & meta.keys()  # nobody knows
    only_edits(site, 1)
    settled(site)
    assert fix(site, "--revert", str(site.one("SELECT run_id FROM metadata_change"))).code == 0
    assert dashboard.meta(video.uid) == {"name": "video_compressed.mp4", "theirs": "kept"}


def test_a_revert_restores_and_a_second_one_does_nothing(uploaded: Site) -> None:
    before = metas(uploaded)
    retitle(uploaded)
    assert fix(uploaded).code == 0
    run = last_run(uploaded)
    done = fix(uploaded, "--revert", str(run))
    assert (done.code, done.err) == (0, "")
    back = last_run(uploaded)
    assert done.out.count("courseTitle: Foundations -> Course 01\n") == 3
    assert done.out.endswith(f"\n3 of 3 videos edited; to take it back: curri fix-metadata --revert {back}\n")
    assert metas(uploaded) == before
    assert uploaded.rows("SELECT DISTINCT reverted_by FROM metadata_change WHERE run_id = %s", run) == [(back,)]
    assert dict(uploaded.rows("SELECT provider_id, metadata FROM video")) == before

    uploaded.box.clear_requests()
    again = fix(uploaded, "--revert", str(run))
    assert (again.code, again.err) == (0, "")
    assert uploaded.requests() == []
    assert fix(uploaded, "--revert", str(back)).code == 0  # what was taken back can be done once more
    assert {meta["courseTitle"] for meta in metas(uploaded).values()} == {"Foundations"}


def test_a_revert_takes_a_listing_and_two_calls_for_each_video(uploaded: Site) -> None:
    retitle(uploaded)
    assert fix(uploaded).code == 0
    uploaded.box.clear_requests()
    assert fix(uploaded, "--revert", str(last_run(uploaded))).code == 0
    assert [entry.kind for entry in uploaded.requests()] == ["list", *["get", "edit"] * 3]


def test_values_of_any_type_come_back_as_they_were(uploaded: Site, dashboard: Dashboard) -> None:
    """The API takes any JSON as a value; other tools may have put a number or a list where curri has a text."""
    first, *_ = uids(uploaded)
    odd = {"lessonNumber": 1, "compressed": False, "courseTitle": None, "program": ["a", {"b": 2.5}], "name": "old"}
    dashboard.replace(first, {**dashboard.meta(first), **odd})
    before = dashboard.meta(first)
    assert before["courseTitle"] is None
    (uploaded.root / "curri.toml").write_text('program = "RUDI"\n')
    assert fix(uploaded).code == 0
    fixed = dashboard.meta(first)
    assert (fixed["lessonNumber"], fixed["compressed"], fixed["program"]) == ("01", "false", "RUDI")
    assert fix(uploaded, "--revert", str(last_run(uploaded))).code == 0
    assert dashboard.meta(first) == before
    kinds = {key: type(value) for key, value in dashboard.meta(first).items()}
    assert kinds == {key: type(value) for key, value in before.items()}
    assert uploaded.one("SELECT metadata FROM video WHERE provider_id = %s", first) == before


def share(site: Site, uid: str, place: str) -> None:
    """Let the component at this place show a video that another shows too."""
    query = "SELECT c.id FROM component c JOIN lesson l ON l.id = c.lesson_id WHERE l.number = %s"
    component = site.one(query, place)
    site.rows("UPDATE component_video SET state = 'retired' WHERE component_id = %s RETURNING 1", component)
    insert = "INSERT INTO component_video (component_id, provider_id, state) VALUES (%s, %s, 'current') RETURNING 1"
    site.rows(insert, component, uid)


def test_a_video_of_two_components_says_of_the_first_in_teaching_order_what_it_is(
    uploaded: Site, dashboard: Dashboard
) -> None:
    """It is edited once, and nobody is told that it was edited elsewhere."""
    _, second, third = uids(uploaded)
    share(uploaded, third, "02")
    share(uploaded, second, "01")
    uploaded.box.clear_requests()
    done = fix(uploaded, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.summary["counts"] == {"videos": 2, "edited": 2, "failed": 0, "missing": 0}
    only_edits(uploaded, 2)
    assert dashboard.meta(second)["name"] == "course_01_L01_learning"
    assert dashboard.meta(third)["name"] == "course_01_L02_learning"
    settled(uploaded)


def test_which_component_it_is_does_not_depend_on_the_course_that_is_chosen(
    uploaded: Site, films: Films, dashboard: Dashboard
) -> None:
    uploaded.put({"Course_02": {"Lesson_09": {"learning": {"video.mp4": films.plain(9)}}}})
    first, *_ = uids(uploaded)
    share(uploaded, first, "09")
    uploaded.box.clear_requests()
    assert fix(uploaded, "--course", "course_02").out == NOTHING
    assert uploaded.requests() == []  # none of its videos is its own
    assert dashboard.meta(first)["courseSlug"] == "course_01"
    settled(uploaded)


def test_what_somebody_changed_since_is_not_taken_back(uploaded: Site, dashboard: Dashboard) -> None:
    first, second, third = uids(uploaded)
    retitle(uploaded)
    assert fix(uploaded).code == 0
    run = str(last_run(uploaded))
    dashboard.edit(first, courseTitle="Mine")
    dashboard.edit(second, theirs="other")  # not a key that was changed
    done = fix(uploaded, "--revert", run)
    assert done.code == 3
    assert done.err.endswith(": it was changed since; nothing was taken back\n")
    assert [metas(uploaded)[uid]["courseTitle"] for uid in (first, second, third)] == ["Mine", "Course 01", "Course 01"]
    assert metas(uploaded)[second]["theirs"] == "other"
    assert fix(uploaded, "--revert", run).code == 3  # still
    dashboard.edit(first, courseTitle="Foundations")
    assert fix(uploaded, "--revert", run).code == 0
    assert dashboard.meta(first)["courseTitle"] == "Course 01"


def test_a_revert_that_fails_is_not_taken_for_done(uploaded: Site, dashboard: Dashboard) -> None:
    """Edited elsewhere between the listing and the look before it is written."""
    retitle(uploaded)
    assert fix(uploaded, "--course", "course_01").code == 0
    run = str(last_run(uploaded))
    uploaded.box.clear_requests()
    uploaded.hold(Fault("stall-before", When(path="get", nth=2)))  # the first is taken back
    with uploaded.start("fix-metadata", "--revert", run) as running:
        uploaded.until_held(running)
        (held,) = (entry.uid for entry in uploaded.requests() if entry.fault)
        assert held is not None
        dashboard.edit(held, theirs="new")
        uploaded.box.clear_faults()
        done = running.done()
    assert done.code == 3
    assert "it was edited elsewhere at the same moment" in done.err
    assert dashboard.meta(held)["courseTitle"] == "Foundations"
    assert fix(uploaded, "--revert", run).code == 0
    assert {meta["courseTitle"] for meta in metas(uploaded).values()} == {"Course 01"}
    assert dashboard.meta(held)["theirs"] == "new"


@pytest.mark.parametrize("key", ["theirs", "courseTitle"])
def test_what_is_edited_elsewhere_at_that_moment_is_let_be(uploaded: Site, dashboard: Dashboard, key: str) -> None:
    first, *_ = uids(uploaded)
    retitle(uploaded)
    uploaded.hold(Fault("stall-before", When(path="get")))
    with uploaded.start("fix-metadata") as running:
        uploaded.until_held(running)
        dashboard.edit(first, **{key: "new"})
        uploaded.box.clear_faults()
        done = running.done()
    assert done.code == 3
    told = "it was edited elsewhere at the same moment; run it again"
    assert done.err == f"failed    {PLACE.format(1)}: {told}\n"
    assert dashboard.meta(first)[key] == "new"
    run = str(last_run(uploaded))
    assert uploaded.one("SELECT count(*) FROM metadata_change") == 2  # what was not done is not in the journal
    assert fix(uploaded, "--revert", run).code == 0
    assert dashboard.meta(first)[key] == "new"
    assert fix(uploaded).code == 0
    assert dashboard.meta(first)["courseTitle"] == "Foundations"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", When(path="list"), status=502),
        Fault("answer", When(path="edit", nth=2), status=500),
        Fault("answer-after", When(path="edit", nth=2), status=503),
        Fault("drop-after", When(path="edit")),
        Fault("answer", When(path="edit"), status=429, retry_after=1),
        Fault("answer", When(path="get", nth=3), status=429, retry_after=1),
    ],
    ids=lambda fault: f"{fault.when.path}-{fault.do}-{fault.status}",
)
def test_passing_failures_are_borne(uploaded: Site, fault: Fault) -> None:
    retitle(uploaded)
    uploaded.box.faults(fault)
    done = fix(uploaded)
    assert (done.code, done.err) == (0, "")
    assert uploaded.happened(fault.do)
    assert {meta["courseTitle"] for meta in metas(uploaded).values()} == {"Foundations"}
    assert uploaded.one("SELECT count(*) FROM metadata_change") == 3
    settled(uploaded)


def test_an_outage_ends_the_run_and_the_next_does_the_rest(uploaded: Site) -> None:
    before = metas(uploaded)
    retitle(uploaded)
    uploaded.box.faults(Fault("answer", When(path="edit", nth=2, times=None), status=500))
    done = fix(uploaded, changes="impatient")
    assert done.code == 6
    assert [meta["courseTitle"] for meta in metas(uploaded).values()].count("Foundations") == 1
    uploaded.box.clear_faults()
    first = last_run(uploaded)
    assert fix(uploaded).code == 0
    second = last_run(uploaded)
    for run in (second, first):
        assert fix(uploaded, "--revert", str(run)).code == 0
    assert metas(uploaded) == before


def test_a_listing_that_fails_part_way_edits_nothing(uploaded: Site) -> None:
    uploaded.box.plant({"name": f"v{n}"} for n in range(1000))
    retitle(uploaded)
    before = without_runs(uploaded)
    uploaded.box.faults(Fault("answer", When(path="list", nth=2, times=None), status=500))
    assert fix(uploaded, changes="impatient").code == 6
    assert uploaded.writes() == []
    assert without_runs(uploaded) == before


def test_one_that_stream_refuses_keeps_no_other_from_its_repair(uploaded: Site) -> None:
    first, second, third = uids(uploaded)
    retitle(uploaded)
    uploaded.box.faults(Fault("answer", When(path="edit", nth=2), status=400))
    done = fix(uploaded)
    assert done.code == 3
    assert done.err.startswith(f"failed    {PLACE.format(2)}: ")
    titles = {uid: meta["courseTitle"] for uid, meta in metas(uploaded).items()}
    assert titles == {first: "Foundations", second: "Course 01", third: "Foundations"}
    assert fix(uploaded).code == 0
    settled(uploaded)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("newest_first", [True, False])
def test_one_that_is_killed_leaves_the_rest_to_the_next_and_all_can_be_taken_back(
    uploaded: Site, when: str, newest_first: bool
) -> None:
    before = metas(uploaded)
    retitle(uploaded)
    arguments = [sys.executable, driver.__file__, when, "2", "fix-metadata"]
    with Running(arguments, uploaded.environment(), uploaded.folder) as running:
        assert running.done().code == -9
    done = [meta["courseTitle"] for meta in metas(uploaded).values()].count("Foundations")
    assert done == (1 if when == "before" else 2)
    assert uploaded.one("SELECT count(*) FROM metadata_change") == 2
    killed = last_run(uploaded)
    uploaded.box.clear_requests()
    assert fix(uploaded).code == 0
    only_edits(uploaded, 3 - done)
    second = last_run(uploaded)
    settled(uploaded)
    for run in sorted((killed, second), reverse=newest_first):
        assert fix(uploaded, "--revert", str(run)).code == 0
    assert metas(uploaded) == before


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_revert_that_is_killed_is_completed_by_the_next(uploaded: Site, when: str) -> None:
    before = metas(uploaded)
    retitle(uploaded)
    assert fix(uploaded).code == 0
    run = str(last_run(uploaded))
    arguments = [sys.executable, driver.__file__, when, "2", "fix-metadata", "--revert", run]
    with Running(arguments, uploaded.environment(), uploaded.folder) as running:
        assert running.done().code == -9
    assert fix(uploaded, "--revert", run).code == 0
    assert metas(uploaded) == before
    assert uploaded.one("SELECT count(*) FROM metadata_change WHERE run_id = %s AND reverted_by IS NULL", run) == 0


@pytest.mark.parametrize("revert", [False, True])
def test_a_dry_run_shows_all_and_writes_nothing(uploaded: Site, revert: bool) -> None:
    retitle(uploaded)
    arguments = ["fix-metadata", "--dry-run"]
    old, new = "Course 01", "Foundations"
    if revert:
        assert fix(uploaded).code == 0
        arguments += ["--revert", str(last_run(uploaded))]
        old, new = new, old
    uploaded.box.clear_requests()
    before = uploaded.everything()
    done = uploaded.run(*arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out.count(f"courseTitle: {old} -> {new}") == 3
    assert done.out.endswith("3 of 3 videos differ\n")
    assert uploaded.everything() == before
    assert uploaded.writes() == []
    shown = uploaded.run(*arguments, "--json")
    assert [each["changes"] for each in objects(shown, "drift")] == [
        [{"key": "courseTitle", "old": old, "new": new}]
    ] * 3
    assert shown.summary["dry_run"] is True


def test_a_video_that_is_not_on_stream_is_let_be_and_mentioned(uploaded: Site, dashboard: Dashboard) -> None:
    first, *_ = uids(uploaded)
    dashboard.delete(first)
    missing = "1 video is not on Stream: `curri sync-status` tells which\n"
    before = without_runs(uploaded)
    done = fix(uploaded)
    assert (done.code, done.out, done.err) == (0, missing, "")
    assert without_runs(uploaded) == before
    retitle(uploaded)
    done = fix(uploaded, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.summary["counts"] == {"videos": 3, "edited": 2, "failed": 0, "missing": 1}
    only_edits(uploaded, 2)


def test_one_that_is_deleted_at_that_moment_is_told(uploaded: Site, dashboard: Dashboard) -> None:
    first, *_ = uids(uploaded)
    retitle(uploaded)
    uploaded.hold(Fault("stall-before", When(path="get")))
    with uploaded.start("fix-metadata") as running:
        uploaded.until_held(running)
        dashboard.delete(first)
        uploaded.box.clear_faults()
        done = running.done()
    assert (done.code, done.err) == (3, f"failed    {PLACE.format(1)}: it is not on Stream any more\n")
    run = str(last_run(uploaded))
    assert uploaded.one("SELECT count(*) FROM metadata_change") == 2
    assert fix(uploaded, "--revert", run).code == 0


def test_a_revert_of_a_video_that_was_deleted_is_told(uploaded: Site, dashboard: Dashboard) -> None:
    first, *_ = uids(uploaded)
    retitle(uploaded)
    assert fix(uploaded).code == 0
    dashboard.delete(first)
    done = fix(uploaded, "--revert", str(last_run(uploaded)))
    assert done.code == 3
    assert done.err == f"failed    {first}: it is not on Stream any more\n"
    assert {meta["courseTitle"] for meta in metas(uploaded).values()} == {"Course 01"}


@pytest.mark.parametrize("run", ["4711", "1", "0", "x"])
@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
def test_a_run_that_changed_nothing_cannot_be_taken_back(uploaded: Site, run: str, dry_run: list[str]) -> None:
    done = fix(uploaded, "--revert", run, *dry_run)  # 1 is that of the upload
    assert (done.code, done.out) == (2, "")
    assert uploaded.requests() == []


def test_a_course_can_be_chosen(uploaded: Site, films: Films) -> None:
    uploaded.put({"Course_02": {"Lesson_01": {"learning": {"video.mp4": films.plain(9)}}}})
    assert uploaded.upload().code == 0
    retitle(uploaded)
    assert fix(uploaded, "--course", "course_02").out == NOTHING
    assert uploaded.writes() == []
    assert fix(uploaded, "--course", "course_03").code == 2
    assert fix(uploaded, "--course", "course_01").code == 0
    assert len(uploaded.writes()) == 3


def test_two_at_once_do_not_overlap(uploaded: Site) -> None:
    retitle(uploaded)
    uploaded.hold(Fault("stall-before", When(path="list")))
    with uploaded.start("fix-metadata") as running:
        uploaded.until_held(running)
        assert fix(uploaded).code == 8
        uploaded.box.clear_faults()
        assert running.done().code == 0
    assert len(uploaded.writes()) == 3


def test_on_a_terminal_a_row_tells_how_far_it_is_and_is_gone_in_the_end(uploaded: Site) -> None:
    retitle(uploaded)
    uploaded.hold(Fault("stall-before", When(path="get", nth=2)))
    leader, follower = pty.openpty()
    environment = uploaded.environment(TERM="xterm", COLUMNS="100")
    command = [sys.executable, "-m", "curri", "fix-metadata"]
    process = subprocess.Popen(
        command, env=environment, cwd=uploaded.folder, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    shown = ""
    while "edit   1 of 3 videos" not in shown:  # reading waits
        shown += os.read(leader, 4096).decode()
    uploaded.box.clear_faults()
    with suppress(OSError):  # Linux says so when the last writer is gone
        while part := os.read(leader, 4096):
            shown += part.decode()
    os.close(leader)
    assert process.wait(60) == 0
    assert " a minute" in shown
    assert " left" in shown
    assert "3 of 3 videos edited; to take it back" in shown.rpartition("\x1b")[2]


def test_json(uploaded: Site) -> None:
    first, *_ = uids(uploaded)
    retitle(uploaded)
    done = fix(uploaded, "--json")
    assert (done.code, done.err) == (0, "")
    drifts, items = objects(done, "drift"), objects(done, "item")
    changes = [{"key": "courseTitle", "old": "Course 01", "new": "Foundations"}]
    assert drifts[0] == {"type": "drift", "path": PLACE.format(1), "uid": first, "changes": changes}
    assert [item["outcome"] for item in items] == ["done"] * 3
    assert len(done.objects) == 7
    summary = done.summary
    assert (summary["command"], summary["run_id"]) == ("fix-metadata", last_run(uploaded))
    assert summary["counts"] == {"videos": 3, "edited": 3, "failed": 0, "missing": 0}
