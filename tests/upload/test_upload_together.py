"""Several runs at once on one catalog share the work, and none does what another does."""

from __future__ import annotations

import signal
from contextlib import ExitStack

import pytest

from curri.sandbox import Fault, When

from .conftest import Films
from .site import Site, objects

EIGHT = tuple(f"course_01_L0{n}_learning" for n in range(1, 9))


@pytest.fixture
def eight(site: Site, films: Films) -> Site:
    site.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in range(1, 9)}})
    return site


def test_two_runs_at_once_send_every_video_once(eight: Site) -> None:
    eight.box.faults(Fault("stall-before", When(path="usage"), seconds=3))  # neither is through before the other begins
    with ExitStack() as stack:
        runs = [stack.enter_context(eight.start("upload", "--json", "--transfers", "2")) for _ in range(2)]
        done = [run.done() for run in runs]
    assert [(each.code, each.err) for each in done] == [(0, ""), (0, "")]
    eight.linked_once(*EIGHT)
    assert len(eight.requests("create")) == 8
    sent = [item["name"] for each in done for item in objects(each, "item") if item["outcome"] == "done"]
    assert sorted(sent) == sorted(EIGHT)
    assert all(state == "linked" for state, _ in eight.uploads())
    for each in done:
        assert {item["outcome"] for item in objects(each, "item")} <= {"done", "unchanged"}


def test_one_of_two_runs_is_killed_and_the_other_goes_on(eight: Site) -> None:
    eight.hold(Fault("stall-middle", When(path="patch", name="*L01*")))
    with eight.start("upload", "--transfers", "1") as first:
        eight.until_held(first)
        with eight.start("upload", "--transfers", "1") as second:
            done = second.done()
            assert (done.code, done.err) == (0, "")
            assert "7 videos sent" in done.out
            assert "1 unchanged" in done.out
        first.send(signal.SIGKILL)
        assert first.done().code == -9
    eight.box.clear_faults()
    last = eight.upload()
    assert (last.code, last.err) == (0, "")
    assert "1 video sent" in last.out
    eight.linked_once(*EIGHT)
    assert len(eight.requests("create")) == 8


def test_a_run_takes_over_at_once_what_a_dead_one_held(eight: Site) -> None:
    """Killed while the other is at work: what it held is free as soon as it is dead, not when a lease is over."""
    eight.box.faults(Fault("stall-middle", When(path="patch", name="*L08*")))
    with eight.start("upload", "--lesson", "8") as first:
        eight.until_held(first)
        eight.box.faults(Fault("stall-before", When(path="patch", name="*L01*")))
        with eight.start("upload", "--lesson", "1") as second:
            eight.until_held(second, number=2)
            first.send(signal.SIGKILL)
            first.done()
            third = eight.upload("--lesson", "8", "--lesson", "1", "--json")
            told = {item["name"]: item["outcome"] for item in objects(third, "item") if "name" in item}
            assert third.code == 0
            assert told == {EIGHT[7]: "done"}
            eight.box.clear_faults()
            assert second.done().code == 0
    eight.linked_once(EIGHT[0], EIGHT[7])


def test_a_video_that_another_run_holds_is_unchanged_and_that_is_said(three: Site) -> None:
    three.hold(Fault("stall-before", When(path="patch", name="*L02*")))
    with three.start("upload") as first:
        three.until_held(first)
        quiet = three.upload("--quiet", "--lesson", "2")
        assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
        done = three.upload("--json", "--lesson", "2")
        (item,) = objects(done, "item")
        assert (done.code, item["outcome"]) == (0, "unchanged")
        assert "is at work on it" in item["reason"]
        retried = three.upload("--retry-failed", "--lesson", "2")
        assert (retried.code, retried.err) == (0, "")
        three.box.clear_faults()
        assert first.done().code == 0
    assert len(three.requests("create")) == 3


def test_an_import_may_run_while_videos_are_sent(three: Site, films: Films) -> None:
    """What it changes meanwhile is seen: nothing is linked as another file than it is."""
    three.hold(Fault("stall-before", When(path="patch", name="*L02*")))
    with three.start("upload", "--json") as running:
        three.until_held(running)
        three.put({"Course_01": {"Lesson_02": {"learning": {"video.mp4": films.plain(7)}}}})
        three.box.clear_faults()
        running.done()
    done = three.upload("--wait")
    assert done.code == 0
    shown = three.rows(
        "SELECT a.checksum_sha1 = v.metadata ->> 'checksumSha1' FROM course_videos v"
        " JOIN asset a USING (component_id) WHERE a.role = 'source' AND a.removed_at IS NULL"
    )
    assert shown == [(True,)] * 3
    assert three.upload().out == "nothing to do; 3 unchanged\n"
