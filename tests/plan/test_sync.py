"""What becomes of a video after its upload: decided from what was known and what Stream says now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from curri.model import Held, Result, Tracked
from curri.plan.status import Facts
from curri.plan.sync import DURATION_DIFFERS, MISSING, decide, loses_too_much

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STUCK = timedelta(hours=6)
READY = Held("u1", "ready", ready_to_stream=True, percent=100.0, duration=60.0)
QUEUED = Held("u1", "queued", ready_to_stream=False, percent=None)


SENT_AGAIN = "`curri upload --retry-failed`"


def known(status: str = "queued", *, age: timedelta = timedelta(minutes=1), code: str | None = None) -> Tracked:
    return Tracked("u1", status, status, code, NOW - age, 60.0, None, due=True, places=("course_01/01/a.mp4",))


def test_a_video_that_became_ready_may_be_played_and_is_told_of() -> None:
    verdict = decide(known("inprogress"), READY, NOW, STUCK)
    assert (verdict.result, verdict.reason, verdict.changed, verdict.may_play) == (Result.DONE, "ready", True, True)
    assert verdict.look_again == timedelta(hours=20)


def test_a_video_that_is_ready_as_before_is_not_told_of() -> None:
    verdict = decide(known("ready"), READY, NOW, STUCK)
    assert (verdict.result, verdict.changed, verdict.may_play) == (Result.UNCHANGED, False, True)


def test_a_video_that_failed_is_told_of_once() -> None:
    failed = Held("u1", "error", ready_to_stream=False, percent=None, error_code="ERR_NON_VIDEO")
    first = decide(known(), failed, NOW, STUCK)
    assert (first.result, first.changed, first.may_play) == (Result.FAILED, True, False)
    assert first.reason.startswith("ERR_NON_VIDEO: ")
    assert first.look_again == timedelta(hours=20), "it will not get better by looking"
    again = decide(known("error", code="ERR_NON_VIDEO"), failed, NOW, STUCK)
    assert (again.result, again.changed) == (Result.UNCHANGED, False)


def test_a_video_that_is_not_there_is_missing_and_one_that_comes_back_is_ready() -> None:
    gone = decide(known("ready"), None, NOW, STUCK)
    message = f"the video is not on Stream any more; {SENT_AGAIN} sends it again"
    assert (gone.facts, gone.result) == (Facts("error", "ready", 0, False, False, MISSING, message), Result.FAILED)
    assert (gone.reason, gone.may_play) == (f"{MISSING}: {message}", False)
    back = decide(known("error", code=MISSING), READY, NOW, STUCK)
    assert (back.facts.status, back.facts.error_code, back.result) == ("ready", None, Result.DONE)


def test_of_a_missing_video_that_was_never_looked_at_stream_has_no_word() -> None:
    assert decide(known()._replace(provider_state=None), None, NOW, STUCK).facts.provider_state == ""


@pytest.mark.parametrize(("there", "differs"), [(60.0, False), (61.0, False), (61.1, True), (58.9, True), (30.0, True)])
def test_a_duration_other_than_that_of_what_was_sent_is_never_fine(there: float, differs: bool) -> None:
    verdict = decide(known("inprogress"), replace(READY, duration=there), NOW, STUCK)
    assert (verdict.facts.error_code == DURATION_DIFFERS) is differs
    assert verdict.may_play is not differs
    assert (verdict.result is Result.FAILED) is differs


def test_a_duration_that_differs_is_told_with_both_and_what_to_do() -> None:
    message = (
        "it lasts 30.0 s on Stream, and what was sent 60.0 s;"
        f" watch its end, and if some is missing, send it again: {SENT_AGAIN}"
    )
    verdict = decide(known("inprogress"), replace(READY, duration=30.0), NOW, STUCK)
    assert (verdict.facts.status, verdict.facts.error_message) == ("ready", message)
    assert verdict.reason == f"{DURATION_DIFFERS}: {message}"


def test_the_duration_counts_from_when_the_video_can_be_played() -> None:
    verdict = decide(known(), replace(QUEUED, duration=30.0), NOW, STUCK)
    assert (verdict.facts.error_code, verdict.result) == (None, Result.UNCHANGED)


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
    verdict = decide(known(age=timedelta(hours=7.5)), QUEUED, NOW, STUCK)
    assert (verdict.result, verdict.changed, verdict.may_play) == (Result.FAILED, False, False)
    assert verdict.facts.status == "queued"
    assert verdict.reason == (
        "stuck: queued for 8 h; look at it in the dashboard, then delete it there:"
        f" the next look tells that it is missing, and {SENT_AGAIN} sends it again"
    )
    assert verdict.look_again == timedelta(hours=6)
    assert decide(known(age=STUCK), QUEUED, NOW, STUCK).result is Result.UNCHANGED


def test_a_video_that_has_moved_on_is_not_stuck_however_long_it_waited() -> None:
    working = replace(QUEUED, state="inprogress", percent=39.9)
    verdict = decide(known(age=timedelta(days=3)), working, NOW, STUCK)
    assert (verdict.facts.status, verdict.changed, verdict.may_play) == ("inprogress", True, False)
    assert (verdict.result, verdict.reason) == (Result.UNCHANGED, "inprogress, 39 %")
    assert verdict.look_again == timedelta(0)


@pytest.mark.parametrize(
    ("age", "again"),
    [
        (9, timedelta(0)),
        (10, timedelta(minutes=5)),
        (59, timedelta(minutes=5)),
        (60, timedelta(minutes=15)),
        (60 * 6 - 1, timedelta(minutes=15)),
        (60 * 6, timedelta(hours=1)),
        (60 * 48 - 1, timedelta(hours=1)),
        (60 * 48, timedelta(hours=20)),
    ],
)
def test_a_video_in_work_is_looked_at_ever_more_rarely(age: int, again: timedelta) -> None:
    verdict = decide(known(age=timedelta(minutes=age)), QUEUED, NOW, timedelta(days=9))
    assert verdict.look_again == again


def test_a_video_that_can_be_played_and_is_not_fully_encoded_is_looked_at_soon() -> None:
    half = replace(READY, state="inprogress", percent=40.0)
    assert decide(known(), half, NOW, STUCK).look_again == timedelta(0)
