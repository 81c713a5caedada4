"""Resumable uploads: creation, chunks, offsets, addresses."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from curri.sandbox.clock import SECOND, parse_stamp, stamp
from curri.sandbox.tus import chunk_fault

if TYPE_CHECKING:
    from sandbox.conftest import Client, Clip, OpenBox

MIB = 1024 * 1024
CHUNK = 5 * MIB


def test_a_creation_answers_with_headers_only_and_the_video_waits_for_its_bytes(client: Client) -> None:
    answer = client.creation(1000, name="course_01_L01_learning", maxdurationseconds="60")
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    uid = answer.headers["stream-media-id"]
    location = urlsplit(answer.headers["Location"])
    assert location.path == f"/client/v4/accounts/{client.box.account_id}/media/{uid}"
    assert location.query == "tusv2=true"
    video = client.get(uid)
    assert video["status"]["state"] == "pendingupload"
    assert (video["size"], video["uploaded"], video["maxDurationSeconds"]) == (0, None, 60)
    assert video["uploadExpiry"][:10] > video["created"][:10]  # a day later


def test_metadata_becomes_meta_and_recognised_keys_do_their_work_in_any_case(client: Client) -> None:
    upload = client.create(
        1000,
        name="Zellen: 细胞",
        componentId="abc",
        flag=None,
        requiresignedurls=None,
        maxDurationSeconds="61",
        allowedorigins="example.org, *.example.com",
        thumbnailtimestamppct="0.5",
    )
    video = client.get(upload.uid)
    assert video["meta"] == {"name": "Zellen: 细胞", "componentId": "abc", "flag": ""}
    assert video["requireSignedURLs"] is True
    assert video["maxDurationSeconds"] == 61
    assert video["allowedOrigins"] == ["example.org", "*.example.com"]
    assert video["thumbnailTimestampPct"] == 0.5


def test_recognised_keys_stay_in_meta_by_a_setting(open_box: OpenBox) -> None:
    client = open_box(recognised_keys_stay_in_meta=True)
    upload = client.create(1000, name="a", maxdurationseconds="60")
    assert client.get(upload.uid)["meta"] == {"name": "a", "maxdurationseconds": "60"}


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"maxdurationseconds": "long"}, "maxDurationSeconds"),
        ({"maxdurationseconds": "36001"}, "maxDurationSeconds"),
        ({"allowedorigins": "https://example.org"}, "protocol"),
        ({"thumbnailtimestamppct": "1.5"}, "thumbnailTimestampPct"),
        ({"scheduleddeletion": "2020-01-01T00:00:00Z"}, "scheduledDeletion"),
        ({"scheduleddeletion": "soon"}, "scheduledDeletion"),
    ],
)
def test_a_creation_is_refused_for_metadata_that_makes_no_sense(
    client: Client, metadata: dict[str, str | None], reason: str
) -> None:
    answer = client.creation(1000, **metadata)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == 10005
    assert reason in answer.json()["messages"][0]["message"]
    assert client.listed() == []


@pytest.mark.parametrize("header", ["name ###", "name /w==", "name YQ==,,more"])
def test_a_creation_is_refused_for_metadata_that_is_not_base64_of_text(client: Client, header: str) -> None:
    assert client.creation(1000, {"Upload-Metadata": header}).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "ten"}, 400),
        ({"Upload-Length": str(30_000_000_001)}, 413),
        ({"Upload-Creator": "x" * 65}, 400),
    ],
)
def test_a_creation_is_refused_for_wrong_headers(client: Client, headers: dict[str, str], status: int) -> None:
    answer = client.creation(1000, headers)
    assert answer.status_code == status
    if status == 412:
        assert answer.headers["Tus-Version"] == "1.0.0"
    assert client.listed() == []


def test_a_creation_with_a_body_is_refused(client: Client) -> None:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "10"}
    assert client.http.post("/stream", headers=headers, json={"a": 1}).status_code == 400
    assert client.http.post("/stream", headers=headers, content=iter([b"a"])).status_code == 502


def test_a_file_arrives_in_chunks_as_it_was_sent(client: Client) -> None:
    data = os.urandom(2 * CHUNK + 77)
    upload = client.create(len(data))
    for begin, end in ((0, CHUNK), (CHUNK, 2 * CHUNK), (2 * CHUNK, len(data))):
        assert client.offset(upload) == begin
        answer = client.patch(upload, data[begin:end], begin)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(end))
    video = client.get(upload.uid)
    assert (video["status"]["state"], video["size"]) == ("queued", len(data))
    assert client.box.file(upload.uid).read_bytes() == data


def test_head_tells_offset_and_length_and_forbids_keeping_the_answer(client: Client) -> None:
    upload = client.create(CHUNK + 1)
    client.patch(upload, bytes(CHUNK))
    answer = client.head(upload)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (answer.headers["Upload-Offset"], answer.headers["Upload-Length"]) == (str(CHUNK), str(CHUNK + 1))
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(upload.uid)["size"] == 0  # until it is all there
    assert answer.headers["Tus-Resumable"] == "1.0.0"


def test_an_upload_that_is_done_still_tells_its_offset_and_takes_no_more(client: Client) -> None:
    upload = client.create(10)
    client.patch(upload, bytes(10))
    assert client.offset(upload) == 10
    assert client.patch(upload, b"", 10).status_code == 204
    assert client.patch(upload, b"x", 10).status_code == 413
    assert client.patch(upload, bytes(10), 0).status_code == 409


def test_a_chunk_at_another_offset_is_refused_and_changes_nothing(client: Client) -> None:
    upload = client.create(3 * CHUNK)
    client.patch(upload, bytes(CHUNK))
    for offset in (0, CHUNK - 1, 2 * CHUNK):
        assert client.patch(upload, b"\1" * CHUNK, offset).status_code == 409
    assert client.offset(upload) == CHUNK
    assert set(client.box.file(upload.uid).read_bytes()) == {0}


@pytest.mark.parametrize(
    ("length", "received", "size", "status"),
    [
        (100 * MIB, 0, CHUNK, None),
        (100 * MIB, 0, CHUNK + 262_144, None),
        (100 * MIB, 0, 50 * MIB, None),
        (100 * MIB, 0, CHUNK - 262_144, 400),  # too small
        (100 * MIB, 0, CHUNK + 1, 400),  # not in steps of 256 KiB
        (100 * MIB, 0, 0, 400),
        (1000 * MIB, 0, 200 * MIB, None),
        (1000 * MIB, 0, 200 * MIB + 262_144, 400),  # too large
        (200 * MIB + 1, 0, 200 * MIB + 1, 400),  # too large though it is all
        (100 * MIB + 5, 100 * MIB, 5, None),  # the last one
        (7, 0, 7, None),  # the only one
        (100 * MIB, 95 * MIB + 7, 5 * MIB - 7, None),  # the last one after a cut
        (100 * MIB, 99 * MIB, 2 * MIB, 413),  # beyond the end
        (100 * MIB, 100 * MIB, 0, None),
    ],
)
def test_chunks_follow_the_rules_of_size(length: int, received: int, size: int, status: int | None) -> None:
    refusal = chunk_fault(length, received, size)
    assert (refusal.status if refusal else None) == status


def test_a_refused_chunk_says_why_and_the_connection_goes_on(client: Client) -> None:
    upload = client.create(3 * CHUNK)
    answer = client.patch(upload, bytes(CHUNK + 1))
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"code": 10005, "message": "Bad Request"}]
    assert "262144" in answer.json()["messages"][0]["message"]
    assert client.offset(upload) == 0
    assert client.patch(upload, bytes(CHUNK)).status_code == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus_Resumable": "2.0.0"}, 412),
        ({"Content_Type": "application/octet-stream"}, 415),
        ({"Upload_Offset": "none"}, 400),
        ({"Authorization": "Bearer wrong"}, 403),
    ],
)
def test_a_chunk_with_wrong_headers_is_refused(client: Client, headers: dict[str, str], status: int) -> None:
    upload = client.create(10)
    assert client.patch(upload, bytes(10), **headers).status_code == status
    assert client.offset(upload) == 0


def test_a_chunk_without_content_length_meets_a_bad_gateway(client: Client) -> None:
    upload = client.create(10)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    answer = client.http.patch(upload.location, headers=headers, content=iter([bytes(10)]))
    assert answer.status_code == 502
    assert "text/html" in answer.headers["Content-Type"]
    assert client.offset(upload) == 0


def test_an_unknown_upload_is_not_found(client: Client) -> None:
    upload = client.create(10)
    client.http.delete(f"/stream/{upload.uid}")
    assert client.head(upload).status_code == 404
    assert client.patch(upload, bytes(10)).status_code == 404


@pytest.mark.parametrize("status", [404, 410])
def test_an_expired_upload_answers_as_set_and_its_video_is_gone(open_box: OpenBox, status: int) -> None:
    client = open_box(expired_status=status, upload_lifetime_seconds=3600)
    upload = client.create(2 * CHUNK)
    client.patch(upload, bytes(CHUNK))
    client.box.advance(3599)
    assert client.offset(upload) == CHUNK
    client.box.advance(1)
    assert client.head(upload).status_code == status
    assert client.patch(upload, bytes(CHUNK), CHUNK).status_code == status
    assert client.http.get(f"/stream/{upload.uid}").status_code == 404
    assert client.listed() == []
    assert not client.box.file(upload.uid).exists()


def test_an_upload_ends_when_its_metadata_says_so(client: Client) -> None:
    now = parse_stamp(client.control("GET", "clock").json()["now"])
    upload = client.create(10, expiry=stamp(now + 600 * SECOND))
    assert client.get(upload.uid)["uploadExpiry"] == stamp(now + 600 * SECOND)
    client.box.advance(600)
    assert client.head(upload).status_code == 410


def test_a_direct_user_upload_needs_a_duration_and_then_no_token(client: Client) -> None:
    assert client.creation(10).status_code == 201
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "10"}
    answer = client.http.post("/stream?direct_user=true", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["messages"][0]["message"] == "required field maxDurationSeconds is missing"
    wish = "maxDurationSeconds " + base64.b64encode(b"60").decode()
    answer = client.http.post("/stream?direct_user=true", headers={**headers, "Upload-Metadata": wish})
    location = answer.headers["Location"]
    assert "/tus/" in location
    given = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert client.open.patch(location, headers=given, content=bytes(10)).status_code == 204
    assert client.get(answer.headers["stream-media-id"])["status"]["state"] == "queued"


def test_an_authenticated_location_needs_the_token(client: Client) -> None:
    upload = client.create(10)
    assert client.open.head(upload.location, headers={"Tus-Resumable": "1.0.0"}).status_code == 400


def test_an_authenticated_upload_is_not_reached_by_the_open_address(client: Client) -> None:
    upload = client.create(10)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert client.open.patch(f"/tus/{upload.uid}", headers=headers, content=bytes(10)).status_code == 404
    assert client.offset(upload) == 0


def test_the_location_may_be_relative_or_on_another_host_or_port(open_box: OpenBox) -> None:
    relative = open_box(upload_origin="relative")
    assert relative.create(10).location.startswith("/client/v4/accounts/")
    elsewhere = open_box(upload_origin="other-host")
    assert urlsplit(elsewhere.create(10).location).hostname == "localhost"
    second = open_box(upload_origin="other-port")
    upload = second.create(10)
    assert urlsplit(upload.location).port != urlsplit(second.box.url).port
    assert second.patch(upload, bytes(10)).status_code == 204
    assert second.get(upload.uid)["status"]["state"] == "queued"


def test_an_empty_file_is_complete_at_once(client: Client) -> None:
    upload = client.create(0)
    assert client.offset(upload) == 0
    assert client.get(upload.uid)["status"]["state"] == "queued"


def test_a_client_that_waits_for_a_continue_is_told_to_go_on_or_refused_unsent(client: Client, clip: Clip) -> None:
    data = clip("2s.mp4")
    upload = client.create(len(data))
    with client.raw(_patch_that_waits(client, upload.location, len(data), 0)) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(data)
        assert connection.recv(1000).startswith(b"HTTP/1.1 204")
    assert client.offset(upload) == len(data)
    with client.raw(_patch_that_waits(client, upload.location, 7, 3)) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 409")


def _patch_that_waits(client: Client, location: str, length: int, offset: int) -> bytes:
    parts = urlsplit(location)
    return (
        f"PATCH {parts.path}?{parts.query} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {client.box.token}\r\n"
        f"Tus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream\r\n"
        f"Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    ).encode()
