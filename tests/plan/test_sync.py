"""What becomes of a video after its upload: decided from what was known and what Stream says now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from curri.model import Held, Result, Tracked
from curri.plan.sync import DURATION_DIFFERS, MISSING, decide, loses_too_much

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STUCK = timedelta(hours=6)
READY = Held("u1", "ready", ready_to_stream=True, percent=100.0, duration=60.0)
QUEUED = Held("u1", "queued", ready_to_stream=False, percent=None)


def known(status: str = "queued", *, age: timedelta = timedelta(minutes=1), code: str | None = None) -> Tracked:
    return Tracked("u1", status, status, code, NOW - age, 60.0, None, due=True, places=("course_01/01/a.mp4",))


def test_a_video_that_became_ready_may_be_played_and_is_told_of() -> None:
    verdict = decide(known("inprogress"), READY, NOW, STUCK)
    assert (verdict.result, verdict.changed, verdict.may_play) == (Result.DONE, True, True)
    assert verdict.look_again == timedelta(hours=20)


def test_a_video_that_is_ready_as_before_is_not_told_of() -> None:
    verdict = decide(known("ready"), READY, NOW, STUCK)
    assert (verdict.result, verdict.changed, verdict.may_play) == (Result.UNCHANGED, False, True)


def test_a_video_that_failed_is_told_of_once() -> None:
    failed = Held("u1", "error", ready_to_stream=False, percent=None, error_code="ERR_NON_VIDEO")
    first = decide(known(), failed, NOW, STUCK)
    assert (first.result, first.changed, first.may_play) == (Result.FAILED, True, False)
    assert first.reason.startswith("ERR_NON_VIDEO: ")
    again = decide(known("error", code="ERR_NON_VIDEO"), failed, NOW, STUCK)
    assert (again.result, again.changed) == (Result.UNCHANGED, False)


def test_a_video_that_is_not_there_is_missing_and_one_that_comes_back_is_ready() -> None:
    gone = decide(known("ready"), None, NOW, STUCK)
    assert (gone.facts.status, gone.facts.error_code, gone.result) == ("error", MISSING, Result.FAILED)
    back = decide(known("error", code=MISSING), READY, NOW, STUCK)
    assert (back.facts.status, back.facts.error_code, back.result) == ("ready", None, Result.DONE)


@pytest.mark.parametrize(("there", "differs"), [(60.0, False), (61.0, False), (61.1, True), (58.9, True), (30.0, True)])
def test_a_duration_other_than_that_of_what_was_sent_is_never_fine(there: float, differs: bool) -> None:
    verdict = decide(known("inprogress"), replace(READY, duration=there), NOW, STUCK)
    assert (verdict.facts.error_code == DURATION_DIFFERS) is differs
    assert verdict.may_play is not differs
    assert (verdict.result is Result.FAILED) is differs


@pytest.mark.parametrize(
    ("gone", "looked_at", "too_many"),
    [(1, 1, False), (5, 5, False), (6, 6, True), (6, 23, True), (6, 24, False), (7, 24, True), (250, 1000, False)],
)
def test_more_than_a_quarter_and_more_than_a_handful_is_too_much_to_lose(
    gone: int, looked_at: int, too_many: bool
) -> None:
    assert loses_too_much(gone, looked_at) is too_many


def test_of_a_long_video_one_percent_is_allowed() -> None:
    long = known("inprogress")._replace(source_seconds=6000.0)
    assert decide(long, replace(READY, duration=6059.0), NOW, STUCK).may_play
    assert not decide(long, replace(READY, duration=5939.0), NOW, STUCK).may_play


def test_a_video_too_long_in_one_state_is_stuck() -> None:
    verdict = decide(known(age=timedelta(hours=7)), QUEUED, NOW, STUCK)
    assert (verdict.result, verdict.changed) == (Result.FAILED, False)
    assert verdict.reason.startswith("stuck: queued for 7 h")
    assert verdict.look_again == timedelta(hours=6)
    assert decide(known(age=timedelta(hours=5)), QUEUED, NOW, STUCK).result is Result.UNCHANGED


@pytest.mark.parametrize(
    ("age", "again"),
    [(1, timedelta(0)), (30, timedelta(minutes=5)), (120, timedelta(minutes=15)), (60 * 23, timedelta(hours=1))],
)
def test_a_video_in_work_is_looked_at_ever_more_rarely(age: int, again: timedelta) -> None:
    verdict = decide(known(age=timedelta(minutes=age)), QUEUED, NOW, timedelta(days=9))
    assert verdict.look_again == again


def test_a_video_that_can_be_played_and_is_not_fully_encoded_is_looked_at_soon() -> None:
    half = replace(READY, state="inprogress", percent=40.0)
    assert decide(known(), half, NOW, STUCK).look_again == timedelta(0)
