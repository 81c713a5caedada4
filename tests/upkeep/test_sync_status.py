"""`curri sync-status`: what became of videos on Stream is recorded, what changed or is wrong is told, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from curri.sandbox import Fault, Sandbox, SandboxSettings, Timings, When
from support.command import Done
from upload.conftest import Films, Open
from upload.site import Site, objects

from .dashboard import Dashboard, planted

PLACE = "course_01/01/learning/video.mp4"
SLOW = Timings(queued=10, encoding=10, playable=10, rising=10)
HOURS_20 = timedelta(hours=20)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def slow(open_site: Open) -> Site:
    """Return a site whose Stream works on a video for 40 s of a clock that stands still."""
    return open_site(frozen_clock=True, timings=SLOW)


def place(site: Site, film: bytes) -> None:
    """Put a video into the tree and onto Stream."""
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": film}}}})
    assert site.upload().code == 0
    site.box.clear_requests()


def row(site: Site, columns: str, uid: str | None = None) -> tuple[Any, ...]:
    """Return columns of one video; without an id, of the only one."""
    (found,) = site.rows(f"SELECT {columns} FROM video WHERE %s IN (provider_id, '')", uid or "")
    return found


def age(site: Site, hours: float) -> None:
    """Let all videos be in their state since so many hours, and be due."""
    site.rows(
        "UPDATE video SET state_since = now() - make_interval(secs => %s), next_check_at = NULL RETURNING 1",
        hours * 3600,
    )


def soon(site: Site) -> timedelta:
    """Return in how long the only video is due."""
    found: timedelta = site.one("SELECT next_check_at - synced_at FROM video")
    return found


def quiet(site: Site, *arguments: str) -> None:
    """Run it, and fail unless it finds nothing to tell."""
    done = site.run("sync-status", *arguments)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_video_that_becomes_ready_is_told_once_and_followed_until_all_is_encoded(slow: Site, films: Films) -> None:
    place(slow, films.plain(1))
    quiet(slow)
    assert row(slow, "status::text, provider_state, ready_at") == ("queued", "queued", None)
    slow.box.advance(15)
    quiet(slow)
    assert row(slow, "status::text, processing_progress, fully_encoded_at") == ("inprogress", 16, None)
    slow.box.advance(7)  # Stream still calls it inprogress, and plays it
    done = slow.run("sync-status")
    assert (done.code, done.out, done.err) == (0, f"changed   {PLACE}: ready\n", "")
    status, state, ready, encoded = row(slow, "status::text, provider_state, ready_at, fully_encoded_at")
    assert (status, state, encoded) == ("ready", "inprogress", None)
    (video,) = slow.box.videos()
    assert video.ready_at is not None
    assert ready.timestamp() == pytest.approx(video.ready_at / 1e6, abs=1e-5)
    slow.box.advance(10)
    quiet(slow)
    assert row(slow, "provider_state, fully_encoded_at") == ("ready", None)
    slow.box.advance(60)
    quiet(slow)
    progress, encoded, again = row(slow, "processing_progress, fully_encoded_at, ready_at")
    assert (progress, again) == (100, ready)
    assert encoded is not None
    assert soon(slow) == HOURS_20
    addresses = row(slow, "thumbnail_url, playback_hls_url, playback_dash_url, preview_url, size_bytes")
    play = f"{slow.box.origin}/{video.uid}"
    ends = ("/thumbnails/thumbnail.jpg", "/manifest/video.m3u8", "/manifest/video.mpd", "/watch")
    assert addresses == (*(play + end for end in ends), video.length)
    assert row(slow, "duration_seconds")[0] == pytest.approx(video.duration)


def test_a_replacement_is_switched_in_one_go_when_it_is_ready(slow: Site, films: Films) -> None:
    place(slow, films.plain(1))
    slow.box.advance(60)
    assert slow.run("sync-status").code == 0
    place(slow, films.plain(2))
    ((_, old), (_, new)) = slow.links()[PLACE]
    quiet(slow)
    slow.box.advance(15)
    quiet(slow)
    assert slow.links()[PLACE] == [("current", old), ("pending", new)]
    slow.box.advance(7)
    done = slow.run("sync-status")
    assert (done.code, done.out) == (0, f"changed   {PLACE}: ready\n")
    assert slow.links()[PLACE] == [("retired", old), ("current", new)]
    assert row(slow, "status::text", new) == ("ready",)
    ((transactions, retired),) = slow.rows("SELECT count(DISTINCT xmin::text), max(retired_at) FROM component_video")
    assert transactions == 1  # wrote both rows
    assert retired is not None
    assert len(slow.box.videos()) == 2  # nothing is deleted


def test_an_error_is_told_once_with_its_reason_and_stays_in_status(slow: Site, films: Films) -> None:
    slow.box.faults(Fault("fail", code="ERR_UNKNOWN"))
    place(slow, films.plain(1))
    slow.box.advance(60)
    done = slow.run("sync-status")
    code, message = row(slow, "error_code, error_message")
    assert code == "ERR_UNKNOWN"
    assert (done.code, done.out, done.err) == (3, "", f"failed    {PLACE}: {code}: {message}\n")
    assert "Stream could not encode the video" in message
    quiet(slow)
    quiet(slow, "--all")
    assert message in slow.run("status").out
    assert soon(slow) == HOURS_20


def test_a_failed_replacement_leaves_the_old_video_current(slow: Site, films: Films) -> None:
    place(slow, films.plain(1))
    slow.box.advance(60)
    assert slow.run("sync-status").code == 0
    slow.box.faults(Fault("fail", code="ERR_UNKNOWN"))
    place(slow, films.plain(2))
    slow.box.advance(60)
    assert slow.run("sync-status").code == 3
    assert [state for state, _ in slow.links()[PLACE]] == ["current", "pending"]


def test_a_video_that_vanished_is_missing_until_it_is_sent_again(uploaded: Site, dashboard: Dashboard) -> None:
    ((_, uid),) = uploaded.links()[PLACE]
    dashboard.delete(uid)
    done = uploaded.run("sync-status")
    told = "the video is not on Stream any more; `curri upload --retry-failed` sends it again"
    assert (done.code, done.out, done.err) == (3, "", f"failed    {PLACE}: MISSING: {told}\n")
    assert row(uploaded, "status::text, error_code, ready_at", uid) == ("error", "MISSING", None)
    quiet(uploaded, "--all")
    assert uploaded.one("SELECT count(*) FROM video WHERE status = 'ready'") == 2

    assert uploaded.upload("--retry-failed").code == 0
    uploaded.linked_once(*(f"course_01_L0{n}_learning" for n in (1, 2, 3)))
    assert [state for state, _ in uploaded.links()[PLACE]] == ["retired", "current"]
    quiet(uploaded, "--all")


def test_a_listing_that_fails_part_way_changes_nothing(site: Site, dashboard: Dashboard) -> None:
    uids = planted(site, 1100)
    dashboard.delete(uids[5])
    dashboard.delete(uids[1050])
    site.box.clear_requests()
    before = site.everything()
    site.box.faults(Fault("answer", When(path="list", nth=2, times=None), status=500))
    done = site.run("sync-status", changes="impatient")
    assert done.code == 6
    assert [entry.status for entry in site.requests()] == [200, 500, 500, 500]
    assert {**site.everything(), "run": []} == {**before, "run": []}
    assert site.rows("SELECT exit_code FROM run") == [(6,)]

    site.box.clear_faults()
    assert site.run("sync-status", "--quiet").code == 3
    missing = {uid for (uid,) in site.rows("SELECT provider_id FROM video WHERE error_code = 'MISSING'")}
    assert missing == {uids[5], uids[1050]}


def test_one_by_one_too_a_failure_calls_no_video_missing(uploaded: Site, dashboard: Dashboard) -> None:
    ((_, gone),) = uploaded.links()[PLACE]
    dashboard.delete(gone)
    before = uploaded.everything()
    uploaded.box.faults(Fault("answer", When(path="get", nth=2, times=None), status=503))
    assert uploaded.run("sync-status", changes="impatient").code == 6
    assert {**uploaded.everything(), "run": []} == {**before, "run": []}


@pytest.mark.parametrize("word", ["answer", "answer-after", "drop-before", "drop-after"])
def test_passing_failures_are_borne(uploaded: Site, word: str) -> None:
    status = 502 if word.startswith("answer") else None
    uploaded.box.faults(Fault(word, When(path="get", nth=2), status=status))
    quiet(uploaded)
    assert uploaded.happened(word)
    assert uploaded.one("SELECT count(*) FROM video WHERE status = 'ready'") == 3


@pytest.mark.parametrize("wrong", ["address", "account"])
def test_another_place_than_ours_calls_no_video_missing(uploaded: Site, wrong: str) -> None:
    before = uploaded.everything()
    variables = {"CURRI_STREAM_URL": f"{uploaded.box.url}/elsewhere"}
    if wrong == "account":
        variables = {"CLOUDFLARE_ACCOUNT_ID": "0" * 32}
    done = uploaded.run("sync-status", **variables)
    assert done.code == 9, done.out + done.err
    assert {**uploaded.everything(), "run": []} == {**before, "run": []}


def test_a_server_that_knows_nothing_calls_no_video_missing(uploaded: Site) -> None:
    before = uploaded.everything()
    uploaded.box.faults(Fault("answer", When(times=None), status=404))
    assert uploaded.run("sync-status").code == 9
    assert {**uploaded.everything(), "run": []} == {**before, "run": []}


@pytest.mark.parametrize("count", [6, 40])  # looked up one by one, and in a listing
def test_the_account_of_somebody_else_calls_no_video_missing(site: Site, count: int) -> None:
    planted(site, count)
    assert site.run("sync-status").code == 0
    before = site.everything()
    with Sandbox(SandboxSettings(account_id="b" * 32)) as other:
        other.plant(({"name": f"theirs {n}"} for n in range(3)), state="ready")
        variables = {"CLOUDFLARE_ACCOUNT_ID": other.account_id, "CURRI_STREAM_URL": other.url}
        for arguments in (["--all"], ["--all"], ["--all", "--dry-run"]):
            done = site.run("sync-status", *arguments, **variables)
            assert (done.code, done.out) == (9, "")
            assert f"at least {count // 4 + 1 if count > 20 else 6} of {count} videos" in done.err
            assert "hint: check CLOUDFLARE_ACCOUNT_ID" in done.err
            assert "--allow-missing" in done.err
            assert {**site.everything(), "run": []} == {**before, "run": []}
    assert site.rows("SELECT exit_code FROM run ORDER BY id") == [(0,), (9,), (9,)]
    quiet(site, "--all")


def test_many_videos_that_were_deleted_are_recorded_once_a_person_says_so(site: Site, dashboard: Dashboard) -> None:
    uids = planted(site, 20)
    for uid in uids[:6]:
        dashboard.delete(uid)
    before = site.everything()
    assert site.run("sync-status").code == 9
    assert {**site.everything(), "run": []} == {**before, "run": []}
    done = site.run("sync-status", "--allow-missing")
    assert done.code == 3
    assert done.err.count("MISSING") == 6
    missing = site.rows("SELECT provider_id FROM video WHERE error_code = 'MISSING'")
    assert sorted(missing) == sorted((uid,) for uid in uids[:6])
    assert site.one("SELECT count(*) FROM video WHERE status = 'ready'") == 14
    quiet(site, "--all")  # what is known to be gone does not count again
    dashboard.delete(uids[6])
    assert site.run("sync-status", "--all").code == 3


def test_a_few_videos_that_were_deleted_are_believed(site: Site, dashboard: Dashboard) -> None:
    for uid in planted(site, 5):
        dashboard.delete(uid)
    assert site.run("sync-status").code == 3
    assert site.one("SELECT count(*) FROM video WHERE error_code = 'MISSING'") == 5


def test_with_nothing_due_nothing_is_asked_said_or_written(uploaded: Site) -> None:
    quiet(uploaded)
    uploaded.box.clear_requests()
    before = uploaded.everything()
    quiet(uploaded)
    quiet(uploaded, "--wait")
    assert uploaded.requests() == []
    assert uploaded.everything() == before
    quiet(uploaded, "--all")
    assert [entry.kind for entry in uploaded.requests()] == ["get"] * 3


def test_what_takes_long_is_looked_at_ever_more_rarely(slow: Site, films: Films) -> None:
    place(slow, films.plain(1))
    for hours, minutes in ((0.1, 0), (0.5, 5), (7, 60), (49, 1200)):
        age(slow, hours)
        slow.box.clear_requests()
        quiet(slow, "--stuck-after", "100h")
        assert soon(slow) == minutes * MINUTE
        quiet(slow, "--stuck-after", "100h")
        assert len(slow.requests()) == (1 if minutes else 2)
    quiet(slow, "--stuck-after", "100h", "--all")
    assert len(slow.requests()) == 2


def test_ten_thousand_open_videos_take_twelve_requests(site: Site) -> None:
    planted(site, 10_000)
    done = site.run("sync-status", "--json")
    assert done.code == 0, done.err
    assert {entry.kind for entry in site.requests()} == {"list"}
    assert len(site.requests()) <= 12
    assert len(objects(done, "item")) == 10_000
    assert done.summary["counts"]["ready"] == done.summary["counts"]["changed"] == 10_000
    assert site.one("SELECT count(*) FROM video WHERE status = 'ready' AND next_check_at > now()") == 10_000


def test_ten_thousand_videos_in_work_take_twelve_requests_each_time(site: Site) -> None:
    uids = planted(site, 10_000, state="queued")
    quiet(site)
    site.box.clear_requests()
    assert site.one("SELECT count(*) FROM video WHERE provider_created_at IS NOT NULL") == len(uids)
    quiet(site)
    assert len(site.requests()) <= 12


def test_another_duration_is_told_and_never_played(slow: Site, films: Films) -> None:
    place(slow, films.plain(1))
    slow.box.advance(60)
    assert slow.run("sync-status").code == 0
    place(slow, films.plain(2))
    ((_, old), (_, new)) = slow.links()[PLACE]
    slow.rows("UPDATE video SET source_seconds = 60 WHERE provider_id = %s RETURNING 1", new)
    slow.box.advance(60)
    done = slow.run("sync-status")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"failed    {PLACE}: DURATION_DIFFERS: it lasts 1.0 s on Stream, and what was sent 60")
    assert slow.links()[PLACE] == [("current", old), ("pending", new)]
    assert row(slow, "error_code", new) == ("DURATION_DIFFERS",)
    quiet(slow, "--all")
    assert slow.links()[PLACE] == [("current", old), ("pending", new)]


@pytest.mark.parametrize("state", ["queued", "inprogress"])
def test_a_stuck_video_is_told_with_the_remedy_and_not_all_the_time(slow: Site, films: Films, state: str) -> None:
    slow.box.faults(Fault("stuck", state=state))
    place(slow, films.plain(1))
    slow.box.advance(3600)
    quiet(slow)  # it has just begun to be so
    quiet(slow)
    age(slow, 7)
    done = slow.run("sync-status")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"failed    {PLACE}: stuck: {state} for 7 h; look at it in the dashboard")
    slow.box.clear_requests()
    quiet(slow)
    assert slow.requests() == []
    assert soon(slow) == timedelta(hours=6)
    quiet(slow, "--all", "--stuck-after", "8h")
    assert slow.run("sync-status", "--all", "--stuck-after", "0s").code == 3
    slow.box.clear_faults()
    slow.box.advance(60)
    done = slow.run("sync-status", "--all")
    assert (done.code, done.out) == (0, f"changed   {PLACE}: ready\n")


@pytest.mark.parametrize("span", ["6", "h", "-1h", "6 weeks", "1e3s", "9" * 400 + "h", "99999999999d"])
def test_a_time_that_is_none_is_refused(site: Site, span: str) -> None:
    done = site.run("sync-status", f"--stuck-after={span}")
    assert done.code == 2, done.err
    assert "Traceback" not in done.err


def test_two_at_once_do_not_overlap(uploaded: Site) -> None:
    uploaded.hold(Fault("stall-before", When(path="get")))
    with uploaded.start("sync-status") as running:
        uploaded.until_held(running)
        second = uploaded.run("sync-status")
        assert (second.code, second.out) == (8, "")
        assert "another `curri sync-status` is at work" in second.err
        uploaded.box.clear_faults()
        assert running.done().code == 0
    assert len(uploaded.requests()) == 3


def test_one_that_is_killed_leaves_all_to_the_next(uploaded: Site, dashboard: Dashboard) -> None:
    ((_, gone),) = uploaded.links()[PLACE]
    dashboard.delete(gone)
    before = uploaded.everything()
    uploaded.hold(Fault("stall-before", When(path="get", nth=3)))
    with uploaded.start("sync-status") as running:
        uploaded.until_held(running)
        running.process.kill()
        assert running.done().code == -9
    uploaded.box.clear_faults()
    assert {**uploaded.everything(), "run": []} == {**before, "run": []}
    assert uploaded.run("sync-status").code == 3
    quiet(uploaded)


def test_a_dry_run_tells_all_and_writes_nothing(slow: Site, films: Films) -> None:
    place(slow, films.plain(1))
    slow.box.advance(60)
    before = slow.everything()
    for _ in range(2):
        done = slow.run("sync-status", "--dry-run")
        assert (done.code, done.out, done.err) == (0, f"changed   {PLACE}: ready\n", "")
    assert slow.everything() == before
    assert slow.writes() == []


def test_json(uploaded: Site, dashboard: Dashboard) -> None:
    ((_, uid),) = uploaded.links()[PLACE]
    dashboard.delete(uid)
    done = uploaded.run("sync-status", "--json")
    (item,) = objects(done, "item")
    assert (item["path"], item["outcome"], item["uid"]) == (PLACE, "failed", uid)
    assert item["reason"].startswith("MISSING: ")
    summary = done.summary
    assert done.objects == [item, summary]
    assert (done.code, summary["exit_code"], summary["command"]) == (3, 3, "sync-status")
    assert summary["run_id"] == uploaded.one("SELECT max(id) FROM run")
    counts = {"changed": 1, "unchanged": 2, "problems": 1, "queued": 0, "inprogress": 0, "ready": 2, "error": 1}
    assert summary["counts"] == counts
    assert uploaded.one("SELECT counts FROM run ORDER BY id DESC LIMIT 1") == counts
    nothing = uploaded.run("sync-status", "--json")
    assert (nothing.code, nothing.objects) == (0, [nothing.summary])
    assert nothing.summary["run_id"] is None


def test_wait_goes_on_until_nothing_is_in_work(slow: Site, films: Films) -> None:
    place(slow, films.plain(1))
    slow.hold(Fault("stall-before", When(path="get", nth=2)))
    with slow.start("sync-status", "--wait", "--json") as running:
        slow.until_held(running)  # it has looked once, and looks again
        assert row(slow, "status::text") == ("queued",)
        slow.box.advance(22)
        slow.box.clear_faults()
        done = running.done()
    assert (done.code, done.err) == (0, "")
    assert [item["reason"] for item in objects(done, "item")] == ["ready"]
    assert len(slow.requests("get")) == 2
    counts = done.summary["counts"]
    assert (counts["changed"], counts["unchanged"], counts["queued"], counts["ready"]) == (1, 0, 0, 1)


def waited(slow: Site) -> Done:
    """Run `sync-status --wait`; Stream comes to the end of its work between the first look and the second."""
    slow.hold(Fault("stall-before", When(path="get", nth=2)))
    with slow.start("sync-status", "--wait") as running:
        slow.until_held(running)
        slow.box.advance(60)
        slow.box.clear_faults()
        return running.done()


def test_wait_waits_also_for_what_was_looked_at_just_now(slow: Site, films: Films) -> None:
    place(slow, films.plain(1))
    age(slow, 0.5)
    quiet(slow)
    quiet(slow)  # the next look is due in minutes
    done = waited(slow)
    assert (done.code, done.out, done.err) == (0, f"changed   {PLACE}: ready\n", "")


def test_wait_ends_with_a_failure(slow: Site, films: Films) -> None:
    slow.box.faults(Fault("fail", code="ERR_UNKNOWN"))
    place(slow, films.plain(1))
    done = waited(slow)
    assert (done.code, done.out) == (3, "")
    assert done.err.count("ERR_UNKNOWN") == 1
