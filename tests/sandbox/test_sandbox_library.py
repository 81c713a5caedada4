"""The library: listing with every parameter, editing, deleting, counting minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from curri.sandbox.clock import parse_stamp, stamp

if TYPE_CHECKING:
    from sandbox.conftest import Client, Clip, OpenBox

FIELDS = {
    *("uid", "creator", "thumbnail", "thumbnailTimestampPct", "readyToStream", "readyToStreamAt", "status", "meta"),
    *("created", "modified", "scheduledDeletion", "size", "preview", "allowedOrigins", "requireSignedURLs", "uploaded"),
    *("uploadExpiry", "maxSizeBytes", "maxDurationSeconds", "duration", "input", "playback", "watermark"),
    *("clippedFrom", "publicDetails"),
}


def _planted(client: Client, *names: str, **known: Any) -> list[str]:
    return [video.uid for video in client.box.plant([{"name": name} for name in names], **known)]


def test_a_video_has_every_field(client: Client) -> None:
    uid = client.create(10).uid
    assert set(client.get(uid)) == FIELDS


def test_a_listing_is_newest_first_unless_asked_otherwise(client: Client) -> None:
    a, b, c = _planted(client, "a", "b", "c")
    assert client.listed() == [c, b, a]
    assert client.listed(asc="true") == [a, b, c]
    assert client.listed(asc="true", limit=2) == [a, b]


def test_videos_made_while_the_clock_stands_still_have_different_times(client: Client) -> None:
    _planted(client, *"abcdefgh")
    created = {video.created for video in client.box.videos()}
    assert len(created) == 8


@pytest.mark.parametrize("pair", [("start", "end"), ("after", "before")])
def test_start_is_included_and_end_is_not(client: Client, pair: tuple[str, str]) -> None:
    start, end = pair
    a, b, c = _planted(client, "a", "b", "c")
    at = client.get(b)["created"]
    assert client.listed(**{start: at}) == [c, b]
    assert client.listed(**{end: at}) == [a]
    assert client.listed(**{start: at, end: at}) == []
    later = at.replace("Z", "001Z")  # a nanosecond after it
    assert client.listed(**{start: later}) == [c]
    assert client.listed(**{end: later}) == [b, a]


def test_a_large_library_is_paged_by_its_cursor(client: Client) -> None:
    wanted = _planted(client, *(f"video {number}" for number in range(2500)))
    seen: dict[str, None] = {}
    start, requests = "1970-01-01T00:00:00Z", 0
    while True:
        params: dict[str, str | int] = {"asc": "true", "limit": 1000, "start": start}
        page = client.result(client.http.get("/stream", params=params))
        requests += 1
        seen.update({video["uid"]: None for video in page})
        start = page[-1]["created"]
        if len(page) < 1000:
            break
    assert (list(seen), requests) == (wanted, 3)


def test_a_listing_is_chosen_by_state(client: Client) -> None:
    uids = {
        state: _planted(client, state, state=state)[0]
        for state in ("pendingupload", "queued", "inprogress", "ready", "error")
    }
    for state, uid in uids.items():
        assert client.listed(status=state) == [uid]
    assert set(client.listed(status="queued,error")) == {uids["queued"], uids["error"]}
    assert client.listed(status="downloading") == []
    assert client.http.get("/stream", params={"status": "finished"}).status_code == 400


def test_a_listing_is_chosen_by_name_creator_and_id(client: Client) -> None:
    a, b, c = _planted(client, "course_01_L01", "course_01_L010", "Other", creator="anna")
    (d,) = _planted(client, "course_01_L01", creator="ben")
    assert client.listed(video_name="course_01_L01") == [d, a]
    assert client.listed(video_name="course_01") == []
    assert client.listed(search="COURSE l010") == [b]
    assert client.listed(search="course_01_L01") == [d, b, a]
    assert client.listed(creator="ben") == [d]
    assert client.listed(creator="ben", video_name="Other") == []
    assert client.listed(id=f"{a},{c}") == [c, a]
    assert client.listed(name=f"Other,{b}") == [c, b]
    assert client.listed(type="vod") == [d, c, b, a]
    assert client.listed(type="live") == []
    assert client.listed(live_input_id="x" * 32) == []


@pytest.mark.parametrize(
    "params", [{"limit": "0"}, {"limit": "1001"}, {"limit": "all"}, {"asc": "up"}, {"start": "soon"}, {"type": "film"}]
)
def test_a_listing_with_a_senseless_parameter_is_refused(client: Client, params: dict[str, str]) -> None:
    answer = client.http.get("/stream", params=params)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == 10005
    assert next(iter(params)) in answer.json()["messages"][0]["message"]


@pytest.mark.parametrize("strings", [True, False])
def test_counts_come_beside_the_result_as_strings_or_numbers(open_box: OpenBox, *, strings: bool) -> None:
    client = open_box(counts_as_strings=strings)
    _, b, _ = _planted(client, "a", "b", "c")
    params = {"include_counts": "true", "limit": "1", "start": client.get(b)["created"]}
    body = client.http.get("/stream", params=params).json()
    counts = (body["total"], body["range"])
    assert counts == (("3", "2") if strings else (3, 2))
    assert "total" not in client.http.get("/stream").json()


def test_an_edit_replaces_meta_and_leaves_the_rest(client: Client) -> None:
    uid = client.create(10, name="old", componentId="1", allowedorigins="example.org").uid
    created = client.get(uid)
    client.box.advance(5)
    edited = client.result(client.http.post(f"/stream/{uid}", json={"meta": {"name": "new"}, "colour": "red"}))
    assert edited["meta"] == {"name": "new"}
    assert edited["allowedOrigins"] == ["example.org"]
    assert edited["modified"] > created["modified"]
    assert (client.get(uid), client.listed(video_name="new")) == (edited, [uid])


def test_an_edit_merges_meta_by_a_setting(open_box: OpenBox) -> None:
    client = open_box(edit_merges_meta=True)
    uid = client.create(10, name="old", componentId="1").uid
    client.http.post(f"/stream/{uid}", json={"meta": {"name": "new"}})
    assert client.get(uid)["meta"] == {"name": "new", "componentId": "1"}


def test_an_edit_sets_and_clears_a_scheduled_deletion(client: Client) -> None:
    uid = client.create(10).uid
    at = stamp(parse_stamp(client.get(uid)["created"]) + 40 * 86_400 * 1_000_000)
    assert client.result(client.http.post(f"/stream/{uid}", json={"scheduledDeletion": at}))["scheduledDeletion"] == at
    assert client.result(client.http.post(f"/stream/{uid}", json={"meta": {}}))["scheduledDeletion"] == at
    assert (
        client.result(client.http.post(f"/stream/{uid}", json={"scheduledDeletion": None}))["scheduledDeletion"] is None
    )


def test_an_edit_sets_every_other_field(client: Client) -> None:
    uid = client.create(10).uid
    changes = {
        "creator": "anna",
        "allowedOrigins": ["example.org"],
        "requireSignedURLs": True,
        "thumbnailTimestampPct": 0.25,
        "publicDetails": {"title": "Cells"},
        "maxDurationSeconds": 90,
    }
    edited = client.result(client.http.post(f"/stream/{uid}", json={**changes, "uid": uid}))
    assert {key: edited[key] for key in changes} == changes


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"meta": {', 10004),
        (b"[]", 10005),
        (b'{"meta": "name"}', 10005),
        (b'{"uid": "other"}', 10005),
        (b'{"requireSignedURLs": "yes"}', 10005),
        (b'{"allowedOrigins": ["http://example.org"]}', 10005),
        (b'{"scheduledDeletion": "2020-01-01T00:00:00Z"}', 10005),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused_and_changes_nothing(client: Client, body: bytes, code: int) -> None:
    uid = client.create(10, name="kept").uid
    before = client.get(uid)
    answer = client.http.post(f"/stream/{uid}", content=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == code
    assert client.get(uid) == before


def test_a_deleted_video_is_gone_with_its_bytes_and_cannot_be_deleted_again(client: Client, clip: Clip) -> None:
    uid = client.upload(clip("2s.mp4"))
    assert client.result(client.http.delete(f"/stream/{uid}")) == {}
    assert not client.box.file(uid).exists()
    assert client.listed() == []
    for answer in (client.http.delete(f"/stream/{uid}"), client.http.get(f"/stream/{uid}")):
        assert answer.status_code == 404
        assert answer.json()["errors"] == [{"code": 10003, "message": "Not Found"}]


def test_a_deletion_answers_with_nothing_by_a_setting(open_box: OpenBox) -> None:
    client = open_box(empty_delete=True)
    answer = client.http.delete(f"/stream/{client.create(10).uid}")
    assert (answer.status_code, answer.content) == (200, b"")


def test_minutes_are_counted_in_whole_seconds_without_failed_videos(client: Client) -> None:
    _planted(client, "a", "b", duration=89.2, creator="anna")
    _planted(client, "c", duration=60.0)
    _planted(client, "d", state="error")
    client.create(10, maxdurationseconds="600")
    usage = client.result(client.http.get("/stream/storage-usage"))
    assert usage == {"totalStorageMinutes": 4.0, "totalStorageMinutesLimit": 10_000, "videoCount": 5}
    assert client.result(client.http.get("/stream/storage-usage?creator=anna"))["totalStorageMinutes"] == 3.0


def test_reservations_show_in_the_minutes_by_a_setting(open_box: OpenBox) -> None:
    client = open_box(usage_includes_reservations=True)
    client.create(10, maxdurationseconds="600")
    assert client.result(client.http.get("/stream/storage-usage"))["totalStorageMinutes"] == 10.0


def test_what_the_sandbox_knows_beyond_the_api_is_shown_and_planted_over_http(client: Client) -> None:
    planted = [{"meta": {"name": "a"}, "state": "error"}, {"meta": {"name": "b"}, "created": "2026-01-01T00:00:00Z"}]
    shown = client.control("POST", "videos", planted).json()["videos"]
    assert [(video["meta"]["name"], video["status"]["state"]) for video in shown] == [("b", "ready"), ("a", "error")]
    assert shown[0]["sandbox"] == {"way": "planted", "phase": "complete", "received": 0, "length": None}
    assert client.control("POST", "videos", {"state": "lost"}).status_code == 400
    assert client.control("POST", "videos", {"colour": "red"}).status_code == 400
