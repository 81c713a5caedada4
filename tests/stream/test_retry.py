"""When something is tried again, and how long the waits are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from curri.errors import StreamError
from curri.stream import failures
from curri.stream.failures import Passing
from curri.stream.pause import Clock, Stop, Stopped
from curri.stream.retry import Attempts, Patience

from .conftest import FakeClock


def failing(*errors: BaseException, then: str = "done") -> Callable[[], str]:
    """Work that raises each of these in turn and then succeeds."""
    rest = list(errors)

    def work() -> str:
        if rest:
            raise rest.pop(0)
        return then

    return work


def longest(low: float, high: float) -> float:
    """Chance that always takes the upper end."""
    return high


def attempts(clock: FakeClock, patience: Patience | None = None, stop: Stop | None = None) -> Attempts:
    return Attempts(patience or Patience(), clock, stop or Stop(), spread=longest)


def test_a_passing_failure_is_tried_again(clock: FakeClock) -> None:
    assert attempts(clock)(failing(failures.ServerTrouble("x"), failures.Unreachable("y"))) == "done"
    assert len(clock.waits) == 2


@pytest.mark.parametrize("error", [StreamError("x"), failures.Refused("x"), failures.Credentials("x"), ValueError("x")])
def test_a_failure_that_does_not_pass_is_not_tried_again(clock: FakeClock, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        attempts(clock)(failing(error))
    assert caught.value is error
    assert clock.waits == []


def test_the_waits_grow_and_end_at_the_longest(clock: FakeClock) -> None:
    patience = Patience(attempts=8, first=1.0, longest=10.0)
    with pytest.raises(failures.ServerTrouble):
        attempts(clock, patience)(failing(*[failures.ServerTrouble("x")] * 8))
    assert clock.waits == [1, 2, 4, 8, 10, 10, 10]


def test_the_last_failure_is_the_one_that_is_raised(clock: FakeClock) -> None:
    last = failures.Stalled("last")
    with pytest.raises(failures.Stalled) as caught:
        attempts(clock, Patience(attempts=3))(failing(failures.ServerTrouble("a"), failures.ServerTrouble("b"), last))
    assert caught.value is last


def test_half_of_each_wait_is_chance(clock: FakeClock) -> None:
    seen: list[tuple[float, float]] = []
    spread = lambda low, high: seen.append((low, high)) or low  # type: ignore[func-returns-value]  # noqa: E731
    Attempts(Patience(first=4.0), clock, Stop(), spread=spread)(failing(failures.ServerTrouble("x")))
    assert seen == [(2.0, 4.0)]
    assert clock.waits == [2.0]


def test_threads_that_failed_together_do_not_come_back_together(clock: FakeClock) -> None:
    for _ in range(20):
        Attempts(Patience(), clock, Stop())(failing(failures.ServerTrouble("x")))
    assert len(set(clock.waits)) > 10
    assert all(0.25 <= wait <= 0.5 for wait in clock.waits)


def limited(seconds: float) -> Passing:
    error = failures.RateLimited("x")
    error.retry_after = seconds
    return error


@pytest.mark.parametrize(
    ("asked", "low", "high"), [(7.0, 7.0, 8.0), (0.0, 0.0, 0.5), (300.0, 300, 301), (9e5, 300, 301)]
)
def test_the_wait_that_an_answer_asks_for_is_kept_up_to_the_block_of_five_minutes(
    clock: FakeClock, asked: float, low: float, high: float
) -> None:
    assert attempts(clock)(failing(limited(asked))) == "done"
    assert low <= clock.waits[0] <= high


def test_progress_begins_the_count_of_tries_anew(clock: FakeClock) -> None:
    tries = attempts(clock, Patience(attempts=3, first=1.0))
    outcomes = ["fail", "fail", "move", "fail", "move", "fail", "move", "fail", "done"]

    def work() -> str:
        outcome = outcomes.pop(0)
        if outcome == "move":
            tries.advanced()
        if outcome != "done":
            raise failures.ConnectionLost(outcome)
        return outcome

    assert tries(work) == "done"
    assert clock.waits == [1, 2, 1, 2, 1, 2, 1, 2]


def test_without_progress_the_tries_end(clock: FakeClock) -> None:
    with pytest.raises(failures.ConnectionLost):
        attempts(clock, Patience(attempts=3))(failing(*[failures.ConnectionLost("x")] * 9))
    assert len(clock.waits) == 2


def test_attempts_used_again_begin_anew(clock: FakeClock) -> None:
    tries = attempts(clock, Patience(attempts=2, first=1.0))
    for _ in range(3):
        assert tries(failing(failures.ServerTrouble("x"))) == "done"
    assert clock.waits == [1, 1, 1]


def test_a_stop_ends_a_wait(clock: FakeClock) -> None:
    stop = Stop()
    clock.on_pause = lambda _: stop.finish()
    with pytest.raises(Stopped):
        attempts(clock, stop=stop)(failing(*[failures.ServerTrouble("x")] * 5))
    assert len(clock.waits) == 1


def test_the_real_clock_leaves_a_long_wait_soon_after_a_stop() -> None:
    stop = Stop()
    stop.finish()
    with pytest.raises(Stopped):
        Clock().pause(3_600, stop)


def test_the_real_clock_waits_as_long_as_it_was_told() -> None:
    clock = Clock()
    begun = clock.now()
    clock.pause(0.03, Stop())
    assert 0.03 <= clock.now() - begun < 5


def test_a_stop_of_the_run_reaches_the_uploads_below_it_and_not_the_other_way() -> None:
    run = Stop()
    one, other = Stop(run), Stop(run)
    one.finish()
    assert (run.finishing, one.finishing, other.finishing) == (False, True, False)
    run.abort()
    assert (other.finishing, other.aborting, one.aborting) == (True, True, True)
    with pytest.raises(Stopped):
        other.check()


def test_to_finish_is_not_to_abort() -> None:
    stop = Stop()
    stop.check()
    stop.finish()
    assert (stop.finishing, stop.aborting) == (True, False)
