"""How many calls, and how many bytes, all threads together use."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Mapping
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.stream.budget import BURST, CALLS, WINDOW, Bandwidth, Budget
from curri.stream.pause import Stop, Stopped

from .conftest import FakeClock


def take(budget: Budget, headers: Mapping[str, str] | None = None, *, limited: bool = False) -> None:
    budget.take(Stop())
    budget.settle(headers, limited=limited)


@given(st.lists(st.floats(min_value=0, max_value=120), max_size=60))
def test_no_window_of_five_minutes_ever_holds_more_calls_than_allowed(rests: list[float]) -> None:
    clock = FakeClock()
    budget = Budget(clock)
    calls: list[float] = []
    for rest in [*rests, 0.0, 400.0, 0.0]:
        clock.time += rest
        for _ in range(60):
            take(budget)
            calls.append(clock.time)
    for at, moment in enumerate(calls):
        assert bisect.bisect_left(calls, moment + WINDOW) - at <= CALLS


def test_calls_as_fast_as_possible_use_nearly_all_that_is_allowed() -> None:
    clock = FakeClock()
    budget = Budget(clock)
    while clock.time < 1_000.0 + WINDOW:
        take(budget)
    assert CALLS - 5 <= budget.spent <= CALLS + 1


def test_a_rested_budget_allows_a_burst_without_waiting(clock: FakeClock) -> None:
    budget = Budget(clock)
    for _ in range(BURST):
        take(budget)
    assert clock.waits == []
    take(budget)
    assert len(clock.waits) == 1


def test_a_long_rest_saves_up_no_more_than_a_burst(clock: FakeClock) -> None:
    budget = Budget(clock)
    clock.time += 86_400
    for _ in range(BURST + 1):
        take(budget)
    assert len(clock.waits) == 1


def test_the_budget_is_one_for_all_threads(clock: FakeClock) -> None:
    budget = Budget(clock, calls=40, burst=40)
    gone = threading.Barrier(4)

    def work() -> None:
        gone.wait()
        for _ in range(10):
            take(budget)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (budget.spent, clock.waits) == (40, [])


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit": '"default";r=0;t=42'},
        {"ratelimit": '"big";r=900;t=9, "default";r=0;t=42'},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": formatdate(1_700_000_000 + 1_000 + 42, usegmt=True)},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "42"},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(1_700_000_000 + 1_000 + 42)},
    ],
)
def test_when_nothing_remains_everybody_waits_for_the_next_window(clock: FakeClock, headers: dict[str, str]) -> None:
    budget = Budget(clock)
    take(budget, headers)
    take(budget)
    assert sum(clock.waits) == pytest.approx(42, abs=1.1)


def test_calls_in_flight_are_taken_off_what_remains(clock: FakeClock) -> None:
    budget = Budget(clock)
    for _ in range(3):
        budget.take(Stop())
    budget.settle({"ratelimit": '"default";r=2;t=42'})  # two others are still under way, and use these two
    budget.take(Stop())
    assert sum(clock.waits) == pytest.approx(42)


def test_what_others_use_slows_us_down_before_the_end(clock: FakeClock) -> None:
    budget = Budget(clock)
    take(budget, {"ratelimit": '"default";r=10;t=200'})
    for _ in range(10):
        take(budget)
    assert clock.waits == []
    take(budget)
    assert clock.waits == [pytest.approx(20.0)]  # ten calls in 200 seconds


def test_a_smaller_quota_is_obeyed_and_a_larger_one_not_used(clock: FakeClock) -> None:
    small = Budget(clock)
    take(small, {"ratelimit-policy": '"ip";q=200;w=1, "default";q=60;w=60'})
    begun = clock.time
    for _ in range(59):
        take(small)
    assert clock.time - begun <= 60
    for _ in range(60):
        take(small)
    assert clock.time - begun >= 60
    large = Budget(clock)
    begun = clock.time
    take(large, {"ratelimit-policy": '"default";q=100000;w=60', "ratelimit": '"default";r=99999;t=60'})
    for _ in range(CALLS + 100):
        take(large)
    assert clock.time - begun >= WINDOW


def test_headers_that_cannot_be_read_change_nothing(clock: FakeClock) -> None:
    budget = Budget(clock)
    for text in ("", "default", '"default";r=;t=', "r=x", '"a";q=0;w=0', "-1"):
        take(budget, {"ratelimit": text, "ratelimit-policy": text, "x-ratelimit-remaining": text})
    assert clock.waits == []


def test_a_rate_limit_stops_everybody_as_long_as_it_says(clock: FakeClock) -> None:
    budget = Budget(clock)
    take(budget, {"retry-after": "30"}, limited=True)
    take(budget)
    assert sum(clock.waits) == 30


def test_a_block_is_never_longer_than_five_minutes(clock: FakeClock) -> None:
    budget = Budget(clock)
    take(budget, {"retry-after": "86400"}, limited=True)
    take(budget, {"ratelimit": '"default";r=0;t=86400'})
    take(budget)
    assert clock.waits == [300, 300]


def test_a_rate_limit_without_a_time_stops_everybody_longer_each_time(clock: FakeClock) -> None:
    budget = Budget(clock)
    for _ in range(7):
        take(budget, {}, limited=True)
    assert clock.waits == [15, 30, 60, 120, 240, 300]
    take(budget, {})
    take(budget, {}, limited=True)
    take(budget)
    assert clock.waits[-1] == 15


def test_many_answers_to_one_overrun_count_once(clock: FakeClock) -> None:
    budget = Budget(clock)
    for _ in range(5):
        budget.take(Stop())
    for _ in range(5):
        budget.settle({}, limited=True)
    take(budget)
    assert sum(clock.waits) == 15


def test_a_call_that_failed_on_the_way_counts_and_frees_its_place(clock: FakeClock) -> None:
    budget = Budget(clock)
    take(budget, None)
    take(budget, {"ratelimit": '"default";r=1;t=42'})
    take(budget)
    assert (budget.spent, clock.waits) == (3, [])


def test_waiting_for_the_budget_ends_with_a_stop(clock: FakeClock) -> None:
    budget = Budget(clock)
    take(budget, {"retry-after": "30"}, limited=True)
    stop = Stop()
    stop.finish()
    with pytest.raises(Stopped):
        budget.take(stop)
    assert budget.spent == 1


def test_bytes_flow_no_faster_than_the_limit_for_all_threads_together(clock: FakeClock) -> None:
    bandwidth = Bandwidth(clock, 1_000_000)
    begun = clock.time
    for _ in range(100):
        bandwidth.take(65_536, Stop(), lambda: None)
    assert clock.time - begun == pytest.approx(99 * 65_536 / 1_000_000)


def test_idle_time_is_not_saved_up(clock: FakeClock) -> None:
    bandwidth = Bandwidth(clock, 1_000)
    bandwidth.take(10, Stop(), lambda: None)
    clock.time += 3_600
    begun = clock.time
    for _ in range(3):
        bandwidth.take(1_000, Stop(), lambda: None)
    assert clock.time - begun == pytest.approx(2.0)


def test_without_a_limit_nothing_waits_and_blocks_are_whole(clock: FakeClock) -> None:
    bandwidth = Bandwidth(clock)
    bandwidth.take(10**9, Stop(), lambda: None)
    assert (clock.waits, bandwidth.block(65_536)) == ([], 65_536)


@pytest.mark.parametrize(("rate", "block"), [(10_000_000, 65_536), (80_000, 10_000), (100, 1_024)])
def test_a_tight_limit_sends_small_blocks(clock: FakeClock, rate: int, block: int) -> None:
    assert Bandwidth(clock, rate).block(65_536) == block


def test_a_long_wait_for_bandwidth_is_reported_every_second(clock: FakeClock) -> None:
    bandwidth = Bandwidth(clock, 100)
    reported: list[float] = []
    for _ in range(2):
        bandwidth.take(1_000, Stop(), lambda: reported.append(clock.time))
    assert len(reported) == 10
    assert max(clock.waits) <= 1.0


def test_a_wait_for_bandwidth_ends_by_an_abort_only(clock: FakeClock) -> None:
    bandwidth = Bandwidth(clock, 100)
    stop = Stop()
    stop.finish()
    for _ in range(2):
        bandwidth.take(1_000, stop, lambda: None)  # the chunk in flight comes to its end
    stop.abort()
    with pytest.raises(Stopped):
        bandwidth.take(1_000, stop, lambda: None)


def test_a_limit_of_nothing_is_refused(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="at least 1 byte"):
        Bandwidth(clock, 0)


def test_the_least_time_for_calls_is_what_they_take_where_nothing_else_delays_them(clock: FakeClock) -> None:
    for calls in (1, BURST, BURST + 1, 1_000, 6_000):
        budget, begun = Budget(clock), clock.now()
        foretold = budget.least(calls)
        for _ in range(calls):
            budget.take(Stop())
            budget.settle({})
        assert clock.now() - begun == pytest.approx(foretold, rel=0.001, abs=0.001)


def test_the_least_time_knows_of_a_block(clock: FakeClock) -> None:
    budget = Budget(clock)
    assert budget.least(0) == budget.least(100) == 0
    budget.take(Stop())
    budget.settle({"retry-after": "40"}, limited=True)
    assert budget.least(1) == 40
    assert budget.least(0) == 0
