"""The processing clock: the states a video goes through, and why it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.sandbox import Timings
from curri.sandbox.clock import SECOND, Clock, parse_stamp, stamp

if TYPE_CHECKING:
    from sandbox.conftest import Client, Clip, OpenBox

TIMINGS = Timings(queued=10, encoding=30, playable=10, rising=60)


def test_a_video_goes_through_every_state_in_its_time(open_box: OpenBox, clip: Clip) -> None:
    client = open_box(timings=TIMINGS)
    uid = client.upload(clip("2s.mp4"))
    seen = []
    for seconds in (9, 1, 29, 1, 10, 30, 30):
        client.box.advance(seconds)
        video = client.get(uid)
        status = video["status"]
        seen.append((status["state"], status.get("pctComplete"), video["readyToStream"], video["duration"]))
    assert seen == [
        ("queued", None, False, -1),
        ("inprogress", "0.000000", False, 2.0),
        ("inprogress", "29.000000", False, 2.0),
        ("inprogress", "30.000000", True, 2.0),
        ("ready", "40.000000", True, 2.0),
        ("ready", "70.000000", True, 2.0),
        ("ready", "100.000000", True, 2.0),
    ]


def test_what_is_ready_tells_when_it_became_so_however_late_one_looks(open_box: OpenBox, clip: Clip) -> None:
    client = open_box(timings=TIMINGS)
    uid = client.upload(clip("2s.mp4"))
    client.box.advance(100_000)
    video = client.get(uid)
    waited = parse_stamp(video["readyToStreamAt"]) - parse_stamp(video["uploaded"])
    assert waited == 40 * SECOND
    assert video["uploadExpiry"] is None


def test_without_any_time_a_video_is_ready_at_the_next_look(open_box: OpenBox, clip: Clip) -> None:
    client = open_box(timings=Timings.lasting(0))
    assert client.get(client.upload(clip("2s.mp4")))["status"]["pctComplete"] == "100.000000"


def test_a_running_clock_processes_without_help(open_box: OpenBox, clip: Clip) -> None:
    client = open_box(frozen_clock=False, timings=Timings.lasting(0.02))
    uid = client.upload(clip("2s.mp4"))
    while client.get(uid)["status"]["state"] != "ready":
        pass


def test_the_clock_is_told_and_moved_over_http(client: Client) -> None:
    before = parse_stamp(client.control("GET", "clock").json()["now"])
    after = parse_stamp(client.control("POST", "clock", {"advance": 90.5}).json()["now"])
    assert after - before == 90_500_000
    wrong: list[object] = [{"advance": -1}, {"advance": "soon"}, {}, []]
    for nonsense in wrong:
        assert client.control("POST", "clock", nonsense).status_code == 400
    assert parse_stamp(client.control("GET", "clock").json()["now"]) == after


@pytest.mark.parametrize(
    ("name", "width", "height"),
    [
        ("2s.mp4", 64, 36),
        ("tail.mp4", 64, 36),
        ("2s.webm", 64, 36),
        ("2s.mkv", 64, 36),
        ("2s.ts", 64, 36),
        ("phone.mp4", 36, 64),
    ],
)
def test_duration_and_size_are_those_of_the_file(
    client: Client, clip: Clip, name: str, width: int, height: int
) -> None:
    video = _processed(client, clip(name))
    assert video["status"]["state"] == "ready"
    assert video["duration"] == pytest.approx(2, abs=0.1)
    assert video["input"] == {"width": width, "height": height}
    assert video["size"] == len(clip(name))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"this is a letter and not a video", "ERR_NON_VIDEO"),
        (bytes(range(256)) * 40, "ERR_NON_VIDEO"),
        ("sound.m4a", "ERR_NON_VIDEO"),
        ("picture.png", "ERR_NON_VIDEO"),
        ("short.mp4", "ERR_DURATION_TOO_SHORT"),
    ],
)
def test_what_is_no_video_or_too_short_ends_in_an_error(
    client: Client, clip: Clip, data: str | bytes, code: str
) -> None:
    video = _processed(client, clip(data) if isinstance(data, str) else data)
    assert video["status"]["state"] == "error"
    assert video["status"]["errorReasonCode"] == code
    assert video["status"]["errorReasonText"]
    assert video["readyToStream"] is False


@pytest.mark.parametrize("name", ["2s.mp4", "tail.mp4", "2s.webm", "2s.mkv"])
def test_a_file_that_is_cut_short_is_malformed(client: Client, clip: Clip, name: str) -> None:
    data = clip(name)
    video = _processed(client, data[: len(data) * 2 // 3])
    assert video["status"]["errorReasonCode"] == "ERR_MALFORMED_VIDEO"


def test_a_video_longer_than_it_was_announced_ends_in_an_error(client: Client, clip: Clip) -> None:
    data = clip("2s.mp4")
    assert (
        _processed(client, data, maxdurationseconds="1")["status"]["errorReasonCode"]
        == "ERR_DURATION_EXCEED_CONSTRAINT"
    )
    assert _processed(client, data, maxdurationseconds="2")["status"]["state"] == "ready"


def test_an_error_shows_after_the_queue_and_not_before(open_box: OpenBox) -> None:
    client = open_box(timings=TIMINGS)
    uid = client.upload(b"no video")
    states = []
    for seconds in (9, 1, 29, 1):
        client.box.advance(seconds)
        states.append(client.get(uid)["status"]["state"])
    assert states == ["queued", "inprogress", "inprogress", "error"]


def test_a_video_is_deleted_when_that_was_scheduled(client: Client, clip: Clip) -> None:
    uid = client.upload(clip("2s.mp4"))
    client.box.advance(60)
    at = stamp(parse_stamp(client.get(uid)["created"]) + 40 * 86_400 * SECOND)
    client.result(client.http.post(f"/stream/{uid}", json={"scheduledDeletion": at}))
    client.box.advance(39 * 86_400)
    assert client.get(uid)["scheduledDeletion"] == at
    client.box.advance(2 * 86_400)
    assert client.listed() == []


def _processed(client: Client, data: bytes, **metadata: str) -> dict[str, Any]:
    uid = client.upload(data, **metadata)
    client.box.advance(60)
    return client.get(uid)


@given(st.integers(0, 4_000_000_000 * SECOND))
def test_a_moment_survives_being_written_and_read(moment: int) -> None:
    assert parse_stamp(stamp(moment)) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01t00:00:00.5z", 500_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.000001000Z", 1),
        ("1970-01-01T00:00:00.000001001Z", 2),  # rounded up, so that no row before it is let in
    ],
)
def test_a_time_is_read_with_any_zone_and_up_to_nine_decimals(text: str, moment: int) -> None:
    assert parse_stamp(text) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z"])
def test_what_is_no_rfc_3339_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an RFC 3339 time|month must be"):
        parse_stamp(text)


def test_the_clock_never_goes_back() -> None:
    times = iter([0.0, 10.0, 5.0, 20.0])
    clock = Clock(lambda: next(times))
    assert [clock.now(), clock.now(), clock.now()] == [10 * SECOND, 10 * SECOND, 20 * SECOND]
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)
