"""Reading Stream's description of a video."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from curri.model import Held
from curri.stream.failures import Garbled
from curri.stream.held import bytes_are_there, held, instant

FULL: dict[str, object] = {
    "uid": "ea95132c15732412d22c1476fa83f27a",
    "creator": "curri",
    "meta": {"name": "course_01_L01_learning", "n": 1},
    "status": {"state": "ready", "pctComplete": "39.000000", "errorReasonCode": "", "errorReasonText": ""},
    "readyToStream": True,
    "readyToStreamAt": "2026-01-02T03:04:05.678901Z",
    "duration": 5.5,
    "input": {"width": 1920, "height": 1080},
    "size": 4190963,
    "playback": {"hls": "https://c/manifest/video.m3u8", "dash": "https://c/manifest/video.mpd"},
    "preview": "https://c/watch",
    "thumbnail": "https://c/thumbnail.jpg",
    "uploaded": "2026-01-02T03:04:05.678901Z",
    "created": "2026-01-02T03:04:05.678901234Z",
    "modified": "2026-01-02T03:04:06Z",
    "uploadExpiry": None,
    "maxDurationSeconds": 300,
    "labels": ["left over"],
}


def test_everything_that_stream_tells_is_read() -> None:
    assert held(FULL) == Held(
        uid="ea95132c15732412d22c1476fa83f27a",
        state="ready",
        ready_to_stream=True,
        percent=39.0,
        meta={"name": "course_01_L01_learning", "n": 1},
        creator="curri",
        duration=5.5,
        width=1920,
        height=1080,
        size=4190963,
        created="2026-01-02T03:04:05.678901234Z",
        modified="2026-01-02T03:04:06Z",
        uploaded="2026-01-02T03:04:05.678901Z",
        ready_at="2026-01-02T03:04:05.678901Z",
        upload_expiry=None,
        max_duration=300,
        thumbnail="https://c/thumbnail.jpg",
        preview="https://c/watch",
        hls="https://c/manifest/video.m3u8",
        dash="https://c/manifest/video.mpd",
    )


def test_what_is_marked_unknown_is_none() -> None:
    video = held(
        FULL
        | {"duration": -1, "input": {"width": -1, "height": -1}, "size": 0, "maxDurationSeconds": -1, "creator": None}
    )
    unknown = (video.duration, video.width, video.height, video.size, video.max_duration, video.creator)
    assert unknown == (None,) * 6


def test_a_row_with_nothing_but_an_id_is_a_video() -> None:
    video = held({"uid": "x"})
    assert video == Held(uid="x", state="unknown", ready_to_stream=False, percent=None)
    assert video.name is None


@pytest.mark.parametrize("odd", [None, 7, "x", [], {"state": 3}, True])
def test_values_of_another_type_are_unknown_and_never_an_exception(odd: object) -> None:
    video = held({"uid": "x"} | {key: odd for key in FULL if key != "uid"})
    assert video.percent is None
    assert video.duration in (None, 7.0)
    assert isinstance(video.meta, dict)


@pytest.mark.parametrize(
    ("given", "percent"),
    [
        ("39.000000", 39.0),
        ("100", 100.0),
        (42, 42.0),
        ("101", 100.0),
        ("", None),
        ("-1", None),
        ("nan", None),
        (True, None),
    ],
)
def test_progress_is_a_number_from_0_to_100_or_unknown(given: object, percent: float | None) -> None:
    assert held({"uid": "x", "status": {"pctComplete": given}}).percent == percent


@pytest.mark.parametrize("prefix", ["errorReason", "errReason"])
def test_the_reason_of_an_error_is_read_in_both_spellings(prefix: str) -> None:
    status = {"state": "error", f"{prefix}Code": "ERR_NON_VIDEO", f"{prefix}Text": "not a video"}
    video = held({"uid": "x", "status": status})
    assert (video.state, video.error_code, video.error_text) == ("error", "ERR_NON_VIDEO", "not a video")


@pytest.mark.parametrize("row", [None, [], "x", {}, {"uid": ""}, {"uid": 7}])
def test_a_row_without_an_id_is_no_video(row: object) -> None:
    with pytest.raises(Garbled):
        held(row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.6Z", datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.678901Z", datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)),
        ("2026-01-02T03:04:05.678901999Z", datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)),
        ("2026-01-02t03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05-0130", datetime(2026, 1, 2, 4, 34, 5, tzinfo=UTC)),
        ("2026-02-30T03:04:05Z", None),
        ("2026-01-02T03:04:05", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_times_with_any_number_of_digits_are_read(text: str | None, expected: datetime | None) -> None:
    assert instant(text) == expected


@pytest.mark.parametrize(
    ("state", "there"),
    [
        ("pendingupload", False),
        ("downloading", False),
        ("queued", True),
        ("inprogress", True),
        ("ready", True),
        ("error", False),
        ("unknown", False),
    ],
)
def test_the_state_tells_whether_the_bytes_are_there(state: str, there: bool) -> None:
    assert bytes_are_there(Held(uid="x", state=state, ready_to_stream=False, percent=None)) is there
