"""Following videos until Stream is done with them, in a time that does not pass by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

import pytest

from catalog.rows import SHA1, Row, Rows
from curri.catalog.database import Database
from curri.errors import ConfigError
from curri.flow import sync
from curri.flow.jobs import Item
from curri.flow.sync import FEW, FIRST_LOOK, GIVE_UP, LONGEST_PAUSE
from curri.model import Held
from curri.stream import failures
from curri.stream.pause import Stop, Stopped
from curri.stream.videos import Videos

from .recorded import FakeClock

QUEUED = Held("", "queued", ready_to_stream=False, percent=None)
READY = replace(QUEUED, state="ready", ready_to_stream=True, percent=100.0, ready_at="2026-03-01T12:00:00.123Z")
FAILED = replace(QUEUED, state="error", error_code="ERR_NON_VIDEO", error_text="no video")


class Library:
    """Videos whose state depends on how often it was asked for."""

    def __init__(self, **states: list[Held]) -> None:
        self.states = states  # id -> one for each look; the last stays
        self.calls: list[str] = []

    def _next(self, uid: str) -> Held:
        states = self.states[uid]
        return replace(states.pop(0) if len(states) > 1 else states[0], uid=uid)

    def get(self, uid: str) -> Held:
        self.calls.append(uid)
        if uid not in self.states:
            raise failures.failure(failures.NotFound, "there is no such video")
        return self._next(uid)

    def verify(self) -> None:
        """The token is good."""

    def listing(self, start: str | None) -> list[Held]:
        assert start is None  # nothing is known of when they were created
        self.calls.append("listing")
        return [self._next(uid) for uid in self.states]


@pytest.fixture
def rows(url: str) -> Iterator[Rows]:
    made = Rows(url)
    yield made
    made.connection.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


Follow = Callable[..., set[str]]


@pytest.fixture
def settled() -> list[tuple[str, str]]:
    """Id and outcome of each video that was told of."""
    return []


@pytest.fixture
def follow(database: Database, rows: Rows, clock: FakeClock, settled: list[tuple[str, str]]) -> Follow:
    def wait(library: Library, *uids: str, stop: Stop | None = None) -> set[str]:
        there = {row["provider_id"] for row in rows.all("video")}
        for uid in sorted({*uids, *library.states} - there):  # each is linked with a component
            rows.link(rows.component(rows.lesson(rows.course())), rows.video(provider_id=uid))

        def on_item(item: Item) -> None:
            settled.append((str(item.uid), item.outcome.value))

        return sync.follow(database, cast(Videos, library), uids, stop or Stop(), on_item, clock)

    return wait


def replacement(rows: Rows, uid: str, *, current: str = "ready") -> tuple[Row, Row]:
    """Put in a component that plays a video, and waits for the one with this id."""
    component = rows.component(rows.lesson(rows.course()))
    old = rows.video(status=current)
    rows.link(component, old)
    rows.link(component, rows.video(provider_id=uid), state="pending", source_sha1=SHA1)
    return component, old


def states(rows: Rows, component: Row) -> dict[str, str]:
    return {row["provider_id"]: row["state"] for row in rows.all("component_video", component_id=component["id"])}


def test_what_can_be_played_becomes_current_in_one_step(rows: Rows, follow: Follow) -> None:
    component, old = replacement(rows, "a")
    assert follow(Library(a=[READY]), "a") == set()
    assert states(rows, component) == {old["provider_id"]: "retired", "a": "current"}
    (video,) = rows.all("video", provider_id="a")
    assert (video["status"], video["ready_at"].isoformat()) == ("ready", "2026-03-01T12:00:00.123000+00:00")
    links = rows.all("component_video")
    follow(Library(a=[READY]), "a")
    assert rows.all("component_video") == links


@pytest.mark.parametrize("video", [QUEUED, FAILED, replace(READY, ready_to_stream=False)])
def test_what_cannot_be_played_replaces_nothing(rows: Rows, follow: Follow, video: Held) -> None:
    component, old = replacement(rows, "a")
    follow(Library(a=[video]), "a")
    assert states(rows, component) == {old["provider_id"]: "current", "a": "pending"}


def test_what_lasts_otherwise_than_what_was_sent_replaces_nothing(
    rows: Rows, follow: Follow, settled: list[tuple[str, str]]
) -> None:
    component, old = replacement(rows, "a")
    rows.update("video", rows.all("video", provider_id="a")[0]["id"], source_seconds=60.0)
    follow(Library(a=[replace(READY, duration=30.0)]), "a")
    assert states(rows, component) == {old["provider_id"]: "current", "a": "pending"}
    assert settled == [("a", "failed")]
    follow(Library(a=[replace(READY, duration=60.5)]), "a")
    assert states(rows, component)["a"] == "current"


def test_a_video_of_two_components_becomes_current_in_both(rows: Rows, follow: Follow) -> None:
    component, _ = replacement(rows, "a")
    other = rows.component(rows.lesson(rows.course()))
    rows.link(other, rows.all("video", provider_id="a")[0], state="pending")
    follow(Library(a=[READY]), "a")
    assert states(rows, component)["a"] == states(rows, other)["a"] == "current"


def test_videos_are_followed_until_each_can_be_played_or_has_failed(
    rows: Rows, clock: FakeClock, follow: Follow, settled: list[tuple[str, str]]
) -> None:
    component, _ = replacement(rows, "a")
    library = Library(a=[QUEUED, QUEUED, READY], b=[QUEUED, FAILED], c=[READY], other=[QUEUED])
    assert follow(library, "a", "b", "c") == set()
    assert settled == [("c", "done"), ("b", "failed"), ("a", "done")]
    assert library.calls == ["a", "b", "c", "a", "b", "a"]  # what is settled is not asked for again
    assert states(rows, component)["a"] == "current"
    assert {row["provider_id"]: row["status"] for row in rows.all("video")}.items() >= {
        *(("a", "ready"), ("b", "error"), ("c", "ready")),
    }
    assert clock.waits == [FIRST_LOOK, FIRST_LOOK * 1.5]


def test_many_are_looked_up_in_a_listing_and_the_last_few_one_by_one(
    clock: FakeClock, follow: Follow, settled: list[tuple[str, str]]
) -> None:
    many = {f"v{number:02d}": [QUEUED, READY] for number in range(FEW)}
    library = Library(last=[QUEUED, QUEUED, READY], somebody_elses=[READY], **many)
    assert follow(library, "last", *many) == set()
    assert library.calls == ["listing", "listing", "last"]
    assert sorted(uid for uid, _ in settled) == sorted(["last", *many])


def test_few_are_asked_for_one_by_one(follow: Follow) -> None:
    few = {f"v{number:02d}": [READY] for number in range(FEW)}
    library = Library(**few)
    follow(library, *few)
    assert library.calls == sorted(few)


def test_pauses_grow_up_to_a_limit_and_one_gives_up_in_the_end(
    clock: FakeClock, follow: Follow, settled: list[tuple[str, str]]
) -> None:
    assert follow(Library(a=[QUEUED], b=[READY]), "a", "b") == {"a"}
    assert settled == [("b", "done")]
    assert clock.waits[0] == FIRST_LOOK
    assert clock.waits == sorted(clock.waits)
    assert clock.waits[-1] == LONGEST_PAUSE
    assert 0 <= sum(clock.waits) - GIVE_UP.total_seconds() < LONGEST_PAUSE


def test_a_video_that_was_deleted_meanwhile_does_not_end_the_wait_for_others(
    follow: Follow, settled: list[tuple[str, str]]
) -> None:
    assert follow(Library(b=[QUEUED, READY]), "a", "b") == set()
    assert settled == [("a", "failed"), ("b", "done")]


@pytest.mark.parametrize(("gone", "believed"), [(7, True), (8, False)])
def test_how_many_may_vanish_is_told_by_all_that_are_followed_not_by_those_left(
    rows: Rows, clock: FakeClock, follow: Follow, settled: list[tuple[str, str]], gone: int, believed: bool
) -> None:
    uids = [f"v{number:02d}" for number in range(30)]
    library = Library(**{uid: [QUEUED] if number < gone else [READY] for number, uid in enumerate(uids)})

    def vanish() -> None:
        library.states = {uid: states for uid, states in library.states.items() if uid not in uids[:gone]}

    clock.on_pause = vanish
    if believed:
        assert follow(library, *uids) == set()
        assert settled[-gone:] == [(uid, "failed") for uid in uids[:gone]]
    else:
        with pytest.raises(ConfigError, match="at least 8 of 30 videos"):
            follow(library, *uids)
    statuses = [row["status"] for row in rows.all("video")]
    assert statuses.count("error") == (gone if believed else 0)


def test_nothing_to_follow_asks_nothing(clock: FakeClock, follow: Follow) -> None:
    library = Library()
    assert follow(library) == set()
    assert (library.calls, clock.waits) == ([], [])


def test_a_stop_ends_the_wait(clock: FakeClock, follow: Follow, settled: list[tuple[str, str]]) -> None:
    stop = Stop()
    clock.on_pause = stop.finish
    with pytest.raises(Stopped):
        follow(Library(a=[QUEUED], b=[READY]), "a", "b", stop=stop)
    assert settled == [("b", "done")]
    assert clock.waits == [FIRST_LOOK]


def test_other_failures_end_the_wait(follow: Follow) -> None:
    class Broken(Library):
        def get(self, uid: str) -> Held:
            raise failures.failure(failures.Unreachable, "no connection", where=uid)

    with pytest.raises(failures.Unreachable):
        follow(Broken(), "a")
