"""What goes wrong on the line and on Stream, within one run and between two."""

from __future__ import annotations

import itertools

import pytest
from starlette.datastructures import QueryParams

from catalog.waiting import until
from curri.sandbox import Fault, When, library
from curri.sandbox.clock import SECOND
from curri.sandbox.store import Query
from reliability.conftest import OpenWorld
from reliability.world import World, at_most_a_chunk_twice, check, check_nothing_left
from support.trees import make_tree

SEND = ("upload", "--lesson=1")
ENCODE = ("upload", "--lesson=2")
MIDDLE = 100_000
"""Bytes after which a chunk stalls."""


def stalled_in_the_middle(here: World) -> bool:
    """Whether the sandbox has read a chunk up to where it stalls, and so can be told from a client that is slow."""
    return any(entry.fault == "stall-middle" and entry.received == MIDDLE for entry in here.asked("patch"))


def finish(here: World, lesson: str = "01") -> None:
    """See that all is well, and nothing left to do."""
    check(here, lesson)
    check_nothing_left(here, "upload", f"--lesson={lesson}")


# --- the creation


@pytest.mark.parametrize(
    "fault",
    [
        Fault("drop-after", When(path="create")),
        Fault("drop-after", When(path="create"), close=True),
        Fault("answer-after", When(path="create"), status=500),
        Fault("answer-after", When(path="create"), status=502),
        Fault("answer-after", When(path="create"), status=520),
    ],
    ids=lambda fault: f"{fault.do}-{fault.status or ('closed' if fault.close else 'reset')}",
)
def test_a_creation_that_was_not_answered_is_found_and_deleted(open_world: OpenWorld, fault: Fault) -> None:
    with open_world(faults=(fault,)) as here:
        here.run(*SEND)
        assert [entry.withheld for entry in here.asked("create")] == [201, None]
        assert len(here.asked("delete")) == 1
        assert [row["attempts"] for row in here.uploads()] == [2]
        assert here.sent_twice() == 0
        finish(here)


def test_a_creation_that_is_never_answered_fails_and_the_next_run_clears_up(open_world: OpenWorld) -> None:
    with open_world(faults=(Fault("drop-after", When(path="create", times=None)),)) as here:
        done = here.run(*SEND, code=3)
        assert "whether the upload was created is not known" in done.out
        assert [row["state"] for row in here.uploads()] == ["intended"]
        here.box.clear_faults()
        here.run(*SEND)
        finish(here)


@pytest.mark.parametrize("killed", [False, True], ids=["one-run", "killed"])
def test_an_upload_that_shows_late_in_the_listing_is_waited_for(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch, *, killed: bool
) -> None:
    with open_world(faults=(Fault("drop-after", When(path="create")),)) as here:
        list_late(here, monkeypatch, seconds=55)
        if killed:
            here.killed(*SEND, name="exchange: create")
        here.run(*SEND)
        assert len(here.asked("create")) == 2
        here.box.advance(60)
        finish(here)


def test_the_wait_for_the_listing_is_a_real_one(open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Fault("drop-after", When(path="create"))
    with open_world(faults=(lost,), frozen_clock=False) as here:
        usual = library.listing
        looks = itertools.count(1)

        def late(params: QueryParams) -> Query:
            return usual(params).and_("0") if "start" in params and next(looks) == 1 else usual(params)

        monkeypatch.setattr(library, "listing", late)
        here.run(*SEND, clock=False, CURRI_LISTING_DELAY="1")
        first, second = here.asked("create")
        assert second.at - first.at >= 1 * SECOND
        finish(here)


def list_late(here: World, monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> None:
    """Let the listing show uploads only some time after they were created."""
    account = here.box._account
    usual = library.listing

    def late(params: QueryParams) -> Query:
        return usual(params).and_("created <= ?", account.clock.now() - round(seconds * SECOND))

    monkeypatch.setattr(library, "listing", late)


# --- sending


@pytest.mark.parametrize("kept", ["keep", "drop"])
@pytest.mark.parametrize("chunk", [1, 2, 3])
@pytest.mark.parametrize("word", ["drop-before", "drop-middle", "drop-after"])
def test_a_connection_that_is_cut_costs_a_chunk_at_most(
    open_world: OpenWorld, word: str, chunk: int, kept: str
) -> None:
    with open_world(faults=(Fault(word, When(path="patch", nth=chunk)),), partial_patch=kept) as here:
        here.run(*SEND)
        assert [entry.fault for entry in here.asked("patch")].count(word) == 1
        twice = at_most_a_chunk_twice(here)
        assert (twice > 0) == (word == "drop-middle" and kept == "drop")
        finish(here)


@pytest.mark.parametrize("kept", ["keep", "drop"])
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_a_kill_in_the_middle_of_a_chunk_costs_that_chunk_at_most(open_world: OpenWorld, chunk: int, kept: str) -> None:
    stall = Fault("stall-middle", When(path="patch", nth=chunk), after_bytes=MIDDLE)
    with open_world(faults=(stall,), partial_patch=kept) as here:
        run = here.start(*SEND)
        until(lambda: stalled_in_the_middle(here))
        run.kill()
        here.run(*SEND)
        at_most_a_chunk_twice(here)
        finish(here)


@pytest.mark.parametrize("status", [404, 410, 403])
@pytest.mark.parametrize("killed", [False, True], ids=["one-run", "killed"])
def test_an_upload_that_is_gone_once_all_bytes_are_there_is_not_begun_again(
    open_world: OpenWorld, status: int, *, killed: bool
) -> None:
    last = Fault("drop-after", When(path="patch", nth=3))
    gone = Fault("answer", When(path="head", times=None), status=status)
    with open_world(faults=(last, gone)) as here:
        if killed:
            here.killed(*SEND, name="exchange: send", at=3)
        here.run(*SEND)
        assert [entry.withheld for entry in here.asked("patch")] == [None, None, 204]
        assert {entry.status for entry in here.asked("head")} == {status}
        assert len(here.asked("create")) == 1
        assert here.asked("delete") == []
        assert here.sent_twice() == 0
        finish(here)


# --- between two runs

STATES = {
    "created": ("commit: created", 1),
    "sending": ("commit: acknowledged", 1),
    "all-acknowledged": ("commit: acknowledged", 3),
    "sent": ("commit: sent", 1),
}


@pytest.mark.parametrize("state", ["created", "sending"])
@pytest.mark.parametrize("status", [404, 410])
def test_an_upload_that_has_expired_begins_anew(open_world: OpenWorld, status: int, state: str) -> None:
    name, at = STATES[state]
    with open_world(expired_status=status) as here:
        here.killed(*SEND, name=name, at=at)
        here.box.advance(25 * 3600)
        assert here.videos() == []
        here.run(*SEND)
        assert [row["state"] for row in here.uploads()] == ["abandoned", "linked"]
        assert here.uploads()[0]["error_code"] == "upload-gone"
        finish(here)


@pytest.mark.parametrize("state", STATES)
def test_a_video_that_somebody_deleted_on_stream_is_sent_anew(open_world: OpenWorld, state: str) -> None:
    name, at = STATES[state]
    with open_world() as here:
        here.killed(*SEND, name=name, at=at)
        (video,) = here.videos()
        here.delete(video.uid)
        here.run(*SEND)
        assert [row["state"] for row in here.uploads()] == ["abandoned", "linked"]
        finish(here)


@pytest.mark.parametrize("state", ["intended", "asked", *STATES])
def test_a_file_that_changed_meanwhile_is_what_arrives(open_world: OpenWorld, state: str) -> None:
    name, at = {"intended": ("commit: intend", 1), "asked": ("exchange: create", 1), **STATES}[state]
    with open_world() as here:
        tree = here.own_tree()
        here.killed(*SEND, name=name, at=at)
        make_tree(tree, {"Course_01": {"Lesson_01": {"learning": {"video.mp4": here.clip("short.mp4")}}}})
        here.run("import", str(tree))
        here.run(*SEND)
        assert [row["state"] for row in here.uploads()] == ["abandoned", "linked"]
        assert here.uploads()[0]["error_code"] == "source-changed"
        finish(here)


@pytest.mark.parametrize("state", ["asked", "created", "sent"])
def test_an_encode_that_turns_out_different_is_not_continued_with(open_world: OpenWorld, state: str) -> None:
    name, at = {"asked": ("exchange: create", 1), **STATES}[state]
    with open_world() as here:
        here.killed(*ENCODE, name=name, at=at)
        here.encode_differently()
        here.run(*ENCODE)
        assert len({row["artifact_sha1"] for row in here.uploads()}) == len(here.uploads())
        finish(here, "02")


# --- a run that hangs until another has taken its work over, and then goes on


def test_a_run_that_hangs_in_mid_chunk_spoils_nothing_when_it_goes_on(open_world: OpenWorld) -> None:
    with open_world(faults=(Fault("stall-middle", When(path="patch", nth=2), after_bytes=MIDDLE),)) as here:
        hung = here.start(*SEND)
        until(lambda: stalled_in_the_middle(here))
        hung.stop()
        here.runs_out()
        here.run(*SEND, host="another")
        (item, _) = hung.go_on().objects
        assert (item["outcome"], item["reason"]) == ("unchanged", "another run has taken it over")
        at_most_a_chunk_twice(here)
        finish(here)


STOPPED_AT = ("commit: decide", "commit: ask", "exchange: create", "commit: created", "exchange: send")
NEXT_AT = ("commit: take_over", "commit: decide", "exchange: create", "exchange: send")
PAIRS = [
    (first, second)
    for first in STOPPED_AT
    for second in NEXT_AT
    if second != "exchange: create" or first in STOPPED_AT[:3]  # else the next goes on with what is created already
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("faults", [(), (Fault("drop-after", When(path="create")),)], ids=["plain", "lost-answer"])
def test_a_run_that_goes_on_while_the_next_is_at_work_leaves_it_alone(
    open_world: OpenWorld, faults: tuple[Fault, ...], first: str, second: str
) -> None:
    with open_world(faults=faults) as here:
        hung = here.start(*SEND, name=first, at=1, how="SIGSTOP")
        hung.stopped()
        here.runs_out()
        other = here.start(*SEND, name=second, at=1, how="SIGSTOP", host="another")
        other.stopped()
        (item, _) = hung.go_on().objects
        assert (item["outcome"], item["reason"]) == ("unchanged", "another run has taken it over")
        (item, _) = other.go_on().objects
        assert item["outcome"] == "done"
        at_most_a_chunk_twice(here)
        finish(here)


def test_a_run_that_hangs_and_is_then_refused_deletes_nothing_of_the_next(open_world: OpenWorld) -> None:
    with open_world() as here:
        here.killed(*SEND, name="commit: created")
        here.box.faults(Fault("answer", When(path="patch"), status=400))
        hung = here.start(*SEND, name="exchange: send", at=1, how="SIGSTOP")
        hung.stopped()
        here.runs_out()
        here.run(*SEND, host="another")
        (item, _) = hung.go_on().objects
        assert (item["outcome"], item["reason"]) == ("unchanged", "another run has taken it over")
        assert here.asked("delete") == []
        finish(here)


def test_a_run_that_hangs_and_would_send_another_file_deletes_nothing_of_the_next(open_world: OpenWorld) -> None:
    with open_world() as here:
        here.killed(*ENCODE, name="commit: created")
        hung = here.start(*ENCODE, "--no-compress", name="commit: take_over", at=1, how="SIGSTOP")
        hung.stopped()
        here.runs_out()
        here.run(*ENCODE)
        (item, _) = hung.go_on().objects
        assert (item["outcome"], item["reason"]) == ("unchanged", "another run has taken it over")
        assert here.asked("delete") == []
        finish(here, "02")


# --- trouble in the end


def test_nothing_is_left_on_stream_of_what_it_refuses(open_world: OpenWorld) -> None:
    with open_world(faults=(Fault("answer", When(path="patch", nth=2), status=400),)) as here:
        here.run(*SEND, code=3)
        assert here.videos() == []
        assert [(row["state"], row["error_code"]) for row in here.uploads()] == [("failed", "refused-by-stream")]


# --- trouble while something is begun anew


def test_a_refusal_of_the_second_beginning_is_the_failure_of_that_video_alone(open_world: OpenWorld) -> None:
    with open_world() as here:
        here.killed(*SEND, name="commit: created")
        here.delete(here.videos()[0].uid)
        here.box.faults(Fault("answer", When(path="create", times=None), status=400))
        done = here.run("upload", code=3)
        outcomes = {item["path"]: item["outcome"] for item in done.objects if item["type"] == "item"}
        assert outcomes == {"course_01/01/learning/video.mp4": "failed", "course_01/02/learning/video.mov": "failed"}
        states = [(row["lesson"], row["state"], row["error_code"]) for row in here.uploads()]
        assert sorted(states) == [
            ("01", "abandoned", "upload-gone"),
            ("01", "failed", "refused-by-stream"),
            ("02", "failed", "refused-by-stream"),
        ]


def test_trouble_at_the_second_beginning_leaves_it_to_the_next_run(open_world: OpenWorld) -> None:
    with open_world() as here:
        here.killed(*SEND, name="commit: created")
        here.delete(here.videos()[0].uid)
        here.box.faults(Fault("answer", When(path="create", times=None), status=500))
        here.run(*SEND, code=3)
        assert [(row["state"], row["lease_until"]) for row in here.uploads()][1] == ("intended", None)
        here.box.clear_faults()
        here.run(*SEND)
        finish(here)


def test_an_upload_that_vanishes_again_and_again_is_given_up(open_world: OpenWorld) -> None:
    with open_world(faults=(Fault("answer", When(path="patch", times=None), status=404),)) as here:
        done = here.run(*SEND, code=3)
        assert "vanished" in done.out
        assert here.videos() == []
        assert {row["state"] for row in here.uploads()} == {"abandoned", "failed"}
        here.box.clear_faults()
        here.run(*SEND, "--retry-failed")
        (video,) = here.videos()
        assert video.uploaded is not None
