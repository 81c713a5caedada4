"""Minutes, reservations, and how many videos may be processed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from sandbox.conftest import Client, Clip, OpenBox


def _is_full(answer: httpx.Response, minutes: int) -> bool:
    return (
        answer.status_code == 413
        and answer.json()["errors"][0]["code"] == 10011
        and f"{minutes} minutes" in answer.json()["messages"][0]["message"]
    )


def test_an_open_upload_holds_its_minutes_until_it_is_deleted(open_box: OpenBox) -> None:
    client = open_box(quota_minutes=10)
    first = client.create(10, maxdurationseconds="360")
    assert _is_full(client.creation(10, maxdurationseconds="241"), 10)
    assert client.creation(10, maxdurationseconds="240").status_code == 201
    assert _is_full(client.creation(10, maxdurationseconds="1"), 10)
    client.http.delete(f"/stream/{first.uid}")
    assert client.creation(10, maxdurationseconds="360").status_code == 201


def test_an_open_upload_lets_go_of_its_minutes_when_it_expires(open_box: OpenBox) -> None:
    client = open_box(quota_minutes=10)
    client.create(10, maxdurationseconds="600")
    client.box.advance(24 * 3600)
    assert client.creation(10, maxdurationseconds="600").status_code == 201


def test_once_its_duration_is_known_a_video_counts_no_more_than_that(open_box: OpenBox, clip: Clip) -> None:
    client = open_box(quota_minutes=10)
    client.upload(clip("2s.mp4"), maxdurationseconds="600")
    assert _is_full(client.creation(10, maxdurationseconds="597"), 10)  # still in the queue
    client.box.advance(3)
    assert client.creation(10, maxdurationseconds="598").status_code == 201


def test_a_video_that_failed_counts_nothing(open_box: OpenBox) -> None:
    client = open_box(quota_minutes=10)
    client.upload(b"no video", maxdurationseconds="600")
    client.box.advance(60)
    assert client.creation(10, maxdurationseconds="600").status_code == 201


def test_the_minutes_of_a_video_that_was_too_long_are_not_counted(open_box: OpenBox, clip: Clip) -> None:
    client = open_box()
    uid = client.upload(clip("2s.mp4"), maxdurationseconds="1")
    client.box.advance(60)
    assert client.get(uid)["duration"] == 2.0
    assert client.result(client.http.get("/stream/storage-usage"))["totalStorageMinutes"] == 0


def test_an_upload_without_a_duration_holds_five_hours(open_box: OpenBox) -> None:
    client = open_box(quota_minutes=599)
    assert client.creation(10).status_code == 201
    assert _is_full(client.creation(10), 599)


def test_an_account_without_stream_refuses_every_way_to_upload(open_box: OpenBox) -> None:
    client = open_box(quota_minutes=0)
    assert _is_full(client.creation(10, maxdurationseconds="1"), 0)
    assert _is_full(client.http.post("/stream/direct_upload", json={"maxDurationSeconds": 1}), 0)
    assert _is_full(client.http.post("/stream", files={"file": b"x"}), 0)
    assert client.listed() == []


def test_too_many_videos_in_processing_refuse_the_next(open_box: OpenBox, clip: Clip) -> None:
    client = open_box(processing_limit=2)
    client.upload(clip("2s.mp4"))
    client.create(10)  # waits for its bytes: not in processing
    client.box.plant([{}, {}], state="error")
    client.box.plant([{}], state="inprogress")
    refused = client.creation(10)
    assert (refused.status_code, refused.json()["success"]) == (429, False)
    client.box.advance(60)
    assert client.creation(10).status_code == 201


def test_the_ceiling_stands_at_120(client: Client) -> None:
    client.box.plant([{}] * 119, state="queued")
    assert client.creation(10).status_code == 201
    client.box.plant([{}], state="queued")
    assert client.creation(10).status_code == 429
