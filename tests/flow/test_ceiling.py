"""Waiting for room on Stream, in a time that does not pass by itself."""

from __future__ import annotations

from typing import cast

import pytest

from curri.flow.ceiling import LIMIT, LONGEST_WAIT, LOOK_SECONDS, Ceiling
from curri.model import Held
from curri.stream import failures
from curri.stream.pause import Stop, Stopped
from curri.stream.videos import Videos

from .recorded import FakeClock

FULL = failures.failure(failures.TooManyProcessing, "Stream is working on too many videos")


class Listing:
    """Answers with as many videos as it is told to, one number for each time that it is asked for those in a queue."""

    def __init__(self, *queued: int, encoding: int = 0) -> None:
        self.queued = list(queued)
        self.encoding = encoding
        self.asked: list[str] = []

    def listing(self, *, status: str) -> list[Held]:
        self.asked.append(status)
        number = {"queued": self.queued[0], "inprogress": self.encoding}[status]
        if status == "queued" and len(self.queued) > 1:
            self.queued.pop(0)
        return [held(f"{status}-{each}", status) for each in range(number)]


def held(uid: str, state: str) -> Held:
    return Held(uid, state, ready_to_stream=False, percent=None)


class Unfiltered:
    """Answers with all videos, whatever state is asked for."""

    def __init__(self, *states: str) -> None:
        self.videos = [held(f"{number}", state) for number, state in enumerate(states)]

    def listing(self, *, status: str) -> list[Held]:
        assert status in ("queued", "inprogress")
        return self.videos


class Moving:
    """Answers with one video, which has got on by the next time."""

    def listing(self, *, status: str) -> list[Held]:
        return [held("a", status)]


def ceiling(videos: Listing, clock: FakeClock, *, count: bool = True) -> Ceiling:
    made = Ceiling(cast(Videos, videos), clock)
    if count:
        made.count()
        videos.asked.clear()
    return made


def test_what_waits_and_what_is_encoded_counts() -> None:
    videos = Listing(3, encoding=4)
    assert Ceiling(cast(Videos, videos)).count() == 7
    assert sorted(videos.asked) == ["inprogress", "queued"]


def test_what_a_listing_holds_beside_what_was_asked_for_does_not_count() -> None:
    states = ("ready", "queued", "pendingupload", "inprogress", "error", "downloading", "queued", "live-inprogress")
    assert Ceiling(cast(Videos, Unfiltered(*states))).count() == 3


def test_a_video_that_gets_on_between_the_two_requests_counts_once() -> None:
    assert Ceiling(cast(Videos, Moving())).count() == 1


def test_while_there_is_room_nobody_asks_or_waits() -> None:
    clock = FakeClock()
    videos = Listing(LIMIT - 1)
    assert ceiling(videos, clock).under(Stop(), lambda: "done") == "done"
    assert (videos.asked, clock.waits) == ([], [])


def test_those_sent_since_the_last_look_count_too() -> None:
    clock = FakeClock()
    videos = Listing(LIMIT - 2, LIMIT, LIMIT - 1)
    full = ceiling(videos, clock)
    full.sent()
    assert full.under(Stop(), lambda: "done") == "done"
    assert videos.asked == []
    full.sent()
    assert full.under(Stop(), lambda: "done") == "done"
    assert len(videos.asked) == 4  # one look found no room, the next did
    assert clock.waits == [LOOK_SECONDS]


def test_a_look_forgets_those_that_it_has_seen() -> None:
    clock = FakeClock()
    videos = Listing(0, LIMIT - 1, LIMIT - 1)
    seen = ceiling(videos, clock)
    for _ in range(LIMIT):
        seen.sent()
    assert seen.under(Stop(), lambda: "done") == "done"
    videos.asked.clear()
    assert seen.under(Stop(), lambda: "done") == "done"
    assert (videos.asked, clock.waits) == ([], [])


def test_when_it_is_full_one_waits_for_room() -> None:
    clock = FakeClock()
    videos = Listing(LIMIT, LIMIT + 5, LIMIT, LIMIT - 1)
    begun: list[float] = []
    ceiling(videos, clock).under(Stop(), lambda: begun.append(clock.time))
    assert clock.waits == [LOOK_SECONDS] * 2
    assert begun == [1000.0 + 2 * LOOK_SECONDS]


def test_what_stream_refuses_all_the_same_is_done_again() -> None:
    clock = FakeClock()
    refusals = [FULL, FULL]

    def work() -> str:
        if refusals:
            raise refusals.pop()
        return "done"

    assert ceiling(Listing(0), clock).under(Stop(), work) == "done"
    assert clock.waits == [LOOK_SECONDS] * 2


def test_after_an_hour_without_room_one_gives_up() -> None:
    clock = FakeClock()
    with pytest.raises(failures.TooManyProcessing, match=f"working on {LIMIT} videos for an hour") as caught:
        ceiling(Listing(LIMIT), clock).under(Stop(), lambda: pytest.fail("there was no room"))
    assert sum(clock.waits) == LONGEST_WAIT
    assert caught.value.hint


def test_after_an_hour_of_refusals_the_refusal_is_raised() -> None:
    clock = FakeClock()

    def work() -> None:
        raise FULL

    with pytest.raises(failures.TooManyProcessing) as caught:
        ceiling(Listing(0), clock).under(Stop(), work)
    assert caught.value is FULL
    assert sum(clock.waits) == LONGEST_WAIT


def test_looks_without_room_and_refusals_make_up_the_hour_together() -> None:
    clock = FakeClock()
    full = ceiling(Listing(LIMIT - 1, LIMIT, LIMIT - 1, LIMIT, LIMIT - 1), clock)

    def work() -> None:
        full.sent()
        raise FULL

    with pytest.raises(failures.TooManyProcessing):
        full.under(Stop(), work)
    assert sum(clock.waits) == LONGEST_WAIT


def test_other_failures_are_not_waited_out() -> None:
    clock = FakeClock()

    def work() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        ceiling(Listing(0), clock).under(Stop(), work)
    assert clock.waits == []


def test_a_stop_ends_the_wait() -> None:
    clock, stop = FakeClock(), Stop()
    clock.on_pause = stop.finish
    with pytest.raises(Stopped):
        ceiling(Listing(LIMIT), clock).under(stop, lambda: pytest.fail("there was no room"))
    assert clock.waits == [LOOK_SECONDS]
