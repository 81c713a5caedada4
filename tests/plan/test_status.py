"""What the catalog says about a video, given what Stream says."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.model import Held
from curri.plan.status import Facts, Status, facts, retryable

STATES = ["pendingupload", "downloading", "queued", "inprogress", "ready", "error", "live-inprogress"]
CODES = [
    "ERR_NON_VIDEO",
    "ERR_DURATION_EXCEED_CONSTRAINT",
    "ERR_FETCH_ORIGIN_ERROR",
    "ERR_MALFORMED_VIDEO",
    "ERR_DURATION_TOO_SHORT",
    "ERR_UNKNOWN",
]
RETRIED = {"ERR_DURATION_EXCEED_CONSTRAINT", "ERR_FETCH_ORIGIN_ERROR", "ERR_UNKNOWN"}
VIDEOS = st.builds(
    Held,
    uid=st.text(),
    state=st.sampled_from(STATES) | st.text(),
    ready_to_stream=st.booleans(),
    percent=st.none() | st.sampled_from([0.0, 39.0, 100.0]) | st.floats(),
    error_code=st.none() | st.sampled_from(CODES) | st.text(),
    error_text=st.none() | st.text(),
)


def video(
    state: str,
    percent: float | None = None,
    *,
    playable: bool = False,
    code: str | None = None,
    text: str | None = None,
) -> Held:
    return Held("uid", state, ready_to_stream=playable, percent=percent, error_code=code, error_text=text)


@pytest.mark.parametrize(
    ("held", "status", "progress", "playable", "fully_encoded"),
    [
        (video("pendingupload"), "queued", 0, False, False),
        (video("downloading"), "queued", 0, False, False),
        (video("queued"), "queued", 0, False, False),
        (video("queued", 0.0), "queued", 0, False, False),
        (video("inprogress"), "inprogress", 0, False, False),
        (video("inprogress", 39.9), "inprogress", 39, False, False),
        (video("inprogress", 39.0, playable=True), "ready", 39, True, False),
        (video("inprogress", playable=True), "ready", 0, True, False),
        (video("inprogress", 100.0, playable=True), "ready", 100, True, False),
        (video("queued", playable=True), "ready", 0, True, False),
        (video("live-inprogress"), "inprogress", 0, False, False),
        (video("ready", 39.0, playable=True), "ready", 39, True, False),
        (video("ready", 99.999999, playable=True), "ready", 99, True, False),
        (video("ready", 100.0, playable=True), "ready", 100, True, True),
        (video("ready", playable=True), "ready", 100, True, True),
        (video("ready", 100.0), "inprogress", 100, False, False),
        (video("ready"), "inprogress", 0, False, False),
        (video("error", 39.0), "error", 39, False, False),
        (video("error", 100.0, playable=True), "error", 100, False, False),
        (video("unknown"), "queued", 0, False, False),
        (video("a word of next year", 5.0), "queued", 5, False, False),
    ],
)
def test_states(held: Held, status: str, progress: int, playable: bool, fully_encoded: bool) -> None:
    told = facts(held)
    assert told[:5] == (status, held.state, progress, playable, fully_encoded)


@pytest.mark.parametrize(
    ("percent", "progress"), [(-1.0, 0), (250.0, 100), (math.inf, 100), (-math.inf, 0), (math.nan, 0), (0.99, 0)]
)
def test_progress_fits_the_catalog_whatever_is_sent(percent: float, progress: int) -> None:
    assert facts(video("inprogress", percent)).progress == progress


def test_a_percentage_that_is_no_number_counts_as_absent() -> None:
    assert facts(video("ready", math.nan, playable=True)).fully_encoded


@pytest.mark.parametrize(
    ("code", "says", "again"),
    [
        ("ERR_NON_VIDEO", "no video in the file", False),
        ("ERR_MALFORMED_VIDEO", "damaged", False),
        ("ERR_DURATION_TOO_SHORT", "shorter", False),
        ("ERR_DURATION_EXCEED_CONSTRAINT", "longer", True),
        ("ERR_FETCH_ORIGIN_ERROR", "could not fetch", True),
        ("ERR_UNKNOWN", "once", True),
    ],
)
def test_a_known_code_says_what_to_do(code: str, says: str, again: bool) -> None:
    told = facts(video("error", code=code))
    assert told.error_code == code
    assert told.error_message is not None
    assert says in told.error_message
    assert ("upload it again" in told.error_message) == again
    assert retryable(code) == again


def test_what_stream_adds_to_a_known_code_is_kept() -> None:
    plain = facts(video("error", code="ERR_UNKNOWN")).error_message
    told = facts(video("error", code="ERR_UNKNOWN", text="disk on fire")).error_message
    assert told == f"{plain} (Stream: disk on fire)"


@pytest.mark.parametrize("code", [None, "", "ERR_OF_NEXT_YEAR", "err_unknown"])
def test_for_another_code_stream_has_the_word_and_a_person_decides(code: str | None) -> None:
    told = facts(video("error", code=code, text="disk on fire"))
    assert (told.error_code, told.error_message) == (code or None, "disk on fire")
    assert not retryable(code)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_an_error_without_a_word_has_a_message_too(text: str | None) -> None:
    told = facts(video("error", text=text))
    assert told.error_code is None
    assert told.error_message == "Stream could not encode the video and gives no reason"


def test_only_an_error_has_an_error() -> None:
    told = facts(video("ready", 100.0, playable=True, code="ERR_UNKNOWN", text="left over"))
    assert (told.error_code, told.error_message) == (None, None)


def test_control_characters_do_not_reach_a_terminal_or_the_catalog() -> None:
    told = facts(video("error", code="A\x00", text="\x1b[31mred\ud800"))
    assert (told.error_code, told.error_message) == ("A\\x00", "\\x1b[31mred\\ud800")
    assert facts(video("que\x00ued")).provider_state == "que\\x00ued"


@given(VIDEOS)
def test_the_facts_of_any_video_agree_with_each_other(held: Held) -> None:
    told = facts(held)
    assert isinstance(told, Facts)
    assert told.status in get_args(Status)
    assert type(told.progress) is int
    assert 0 <= told.progress <= 100
    assert told.playable == (told.status == "ready")
    assert told.playable == (held.ready_to_stream and held.state != "error")
    assert told.playable or not told.fully_encoded
    assert not told.fully_encoded or told.progress == 100
    assert (told.status == "error") == (held.state == "error") == (told.error_message is not None)
    assert told.error_message != ""
    assert told.error_code is None or told.status == "error"
    for text in (told.provider_state, told.error_code, told.error_message):
        assert text is None or text.isprintable()
    assert facts(held) == told


@given(st.none() | st.sampled_from(CODES) | st.text())
def test_only_known_codes_are_worth_another_upload(code: str | None) -> None:
    assert retryable(code) == (code in RETRIED)
