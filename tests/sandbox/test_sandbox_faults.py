"""What a client sees when the fault script strikes, and what the sandbox has stored then."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from curri.sandbox import Fault, When

if TYPE_CHECKING:
    from sandbox.conftest import Client, Clip, OpenBox, Upload

CHUNK = 5_242_880
CUT = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
"""What httpx makes of a connection that ends without an answer."""


def _cut_patch(client: Client, upload: Upload, data: bytes, offset: int = 0) -> None:
    with pytest.raises(CUT):
        client.patch(upload, data, offset)


def test_a_patch_dropped_before_storing_keeps_nothing(client: Client) -> None:
    upload = client.create(2 * CHUNK)
    client.box.faults(Fault("drop-before", When(path="patch")))
    _cut_patch(client, upload, bytes(CHUNK))
    assert client.offset(upload) == 0
    assert client.patch(upload, bytes(CHUNK)).status_code == 204


def test_a_patch_dropped_in_the_middle_keeps_the_bytes_that_arrived(client: Client) -> None:
    upload = client.create(2 * CHUNK)
    client.box.faults(
        Fault("drop-middle", When(path="patch"), after_bytes=1_000_003), Fault("drop-middle", When(path="patch"))
    )
    data = bytes(range(256)) * (CHUNK // 256)
    _cut_patch(client, upload, data)
    assert client.offset(upload) == 1_000_003
    _cut_patch(client, upload, bytes(CHUNK), 1_000_003)
    assert client.offset(upload) == 1_000_003 + CHUNK // 2
    assert client.box.file(upload.uid).read_bytes()[:1_000_003] == data[:1_000_003]


def test_a_patch_dropped_in_the_middle_keeps_nothing_by_a_setting(open_box: OpenBox) -> None:
    client = open_box(partial_patch="drop")
    upload = client.create(2 * CHUNK)
    client.patch(upload, bytes(CHUNK))
    client.box.faults(Fault("drop-middle", When(path="patch")))
    _cut_patch(client, upload, bytes(CHUNK), CHUNK)
    assert client.offset(upload) == CHUNK
    assert client.box.file(upload.uid).stat().st_size == CHUNK


def test_a_patch_dropped_after_storing_keeps_it_all(client: Client) -> None:
    upload = client.create(CHUNK)
    client.box.faults(Fault("drop-after", When(path="patch")))
    _cut_patch(client, upload, bytes(CHUNK))
    assert client.offset(upload) == CHUNK
    assert client.get(upload.uid)["status"]["state"] == "queued"
    entry = next(entry for entry in client.box.requests() if entry.kind == "patch")
    assert (entry.status, entry.withheld, entry.received, entry.fault) == (None, 204, CHUNK, "drop-after")


def test_a_swallowed_creation_leaves_a_video_that_nobody_was_told_of(client: Client) -> None:
    client.box.faults(Fault("drop-after", When(path="create")))
    with pytest.raises(CUT):
        client.creation(1000, name="lost", uploadId="attempt-1")
    (orphan,) = client.box.videos()
    assert (orphan.state, orphan.meta) == ("pendingupload", {"name": "lost", "uploadId": "attempt-1"})
    assert client.listed(video_name="lost") == [orphan.uid]


@pytest.mark.parametrize("do", ["drop-before", "drop-after"])
def test_a_drop_resets_the_connection_or_closes_it_in_order_but_answers_nothing(client: Client, do: str) -> None:
    request = (
        f"GET /client/v4/accounts/{client.box.account_id}/stream HTTP/1.1\r\nHost: sandbox\r\n"
        f"Authorization: Bearer {client.box.token}\r\n\r\n"
    ).encode()
    client.box.faults(Fault(do), Fault(do, close=True))
    with client.raw(request) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    with client.raw(request) as connection:
        assert connection.recv(1) == b""
    with client.raw(request) as connection:
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_client_that_vanishes_in_the_middle_leaves_what_it_sent(client: Client) -> None:
    upload = client.create(2 * CHUNK)
    client.raw_patch(upload, b"x" * 700_001, CHUNK).close()
    _until(client, "patch")
    assert client.offset(upload) == 700_001


@pytest.mark.parametrize("status", [408, 409, 423, 429, 500])
def test_the_nth_chunk_is_answered_with_an_error_and_not_stored(client: Client, status: int) -> None:
    upload = client.create(3 * CHUNK)
    client.box.faults(Fault("answer", When(method="PATCH", nth=2), status=status, retry_after=7))
    assert client.patch(upload, bytes(CHUNK)).status_code == 204
    answer = client.patch(upload, bytes(CHUNK), CHUNK)
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "7")
    assert client.box.requests()[-1].received == CHUNK  # taken in before the answer, as a proxy does
    assert client.offset(upload) == CHUNK
    assert client.patch(upload, bytes(CHUNK), CHUNK).status_code == 204


@pytest.mark.parametrize("status", [502, 503, 520, 522])
def test_errors_of_the_edge_are_pages(client: Client, status: int) -> None:
    client.box.faults(Fault("answer", status=status))
    answer = client.http.get("/stream")
    assert answer.status_code == status
    assert answer.text.startswith("<html>")


def test_errors_of_the_api_are_envelopes(client: Client) -> None:
    client.box.faults(Fault("answer", When(path="list"), status=500))
    body = client.http.get("/stream").json()
    assert body["success"] is False
    assert body["errors"]


def test_an_answer_after_the_work_hides_that_it_was_done(client: Client) -> None:
    upload = client.create(CHUNK)
    client.box.faults(Fault("answer-after", When(path="patch"), status=502))
    answer = client.patch(upload, bytes(CHUNK))
    assert (answer.status_code, answer.text[:6]) == (502, "<html>")
    assert client.offset(upload) == CHUNK
    client.box.faults(Fault("answer-after", When(path="delete"), status=500))
    assert client.http.delete(f"/stream/{upload.uid}").status_code == 500
    assert client.http.get(f"/stream/{upload.uid}").status_code == 404


def test_a_stalled_request_goes_on_when_the_faults_are_cleared(client: Client) -> None:
    client.box.faults(Fault("stall-before", When(path="list")))
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(client.http.get("/stream").status_code))
    asking.start()
    _until(client, "list", stalled=True)
    assert answers == []
    client.box.clear_faults()
    asking.join(10)
    assert answers == [200]
    assert [entry.stalled for entry in client.box.requests()] == [False]


def test_a_request_on_its_way_to_a_stall_does_not_stop_there_once_the_faults_are_cleared(client: Client) -> None:
    upload = client.create(CHUNK)
    client.box.faults(Fault("stall-middle", When(path="patch"), after_bytes=2000))
    with client.raw_patch(upload, bytes(1000), CHUNK) as sending:
        _until(client, "patch")
        (entry,) = [entry for entry in client.box.requests() if entry.kind == "patch"]
        assert (entry.fault, entry.stalled) == ("stall-middle", False)
        client.box.clear_faults()
        sending.sendall(bytes(CHUNK - 1000))
        sending.settimeout(10)
        assert sending.recv(12) == b"HTTP/1.1 204"


def test_a_stall_ends_by_itself_after_its_seconds(client: Client) -> None:
    client.box.faults(Fault("stall-after", When(path="list"), seconds=0.2))
    begin = time.monotonic()
    assert client.http.get("/stream").status_code == 200
    assert time.monotonic() - begin >= 0.2


def test_a_creation_that_stalls_is_not_carried_out_for_a_client_that_left(client: Client) -> None:
    client.box.faults(Fault("stall-before", When(path="create"), seconds=60))
    with pytest.raises(httpx.ReadTimeout):
        client.http.post("/stream", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "10"}, timeout=0.1)
    client.box.clear_faults()
    assert client.listed() == []


def test_a_patch_that_stalls_in_the_middle_gives_way_to_a_head(client: Client) -> None:
    upload = client.create(2 * CHUNK)
    client.box.faults(Fault("stall-middle", When(path="patch"), after_bytes=CHUNK - 100_000))
    with client.raw_patch(upload, bytes(CHUNK), CHUNK) as stalled:
        _until(client, "patch", received=CHUNK - 100_000)
        assert client.offset(upload) == CHUNK - 100_000
        with pytest.raises(ConnectionResetError):
            stalled.recv(1)


def test_a_patch_that_stalled_in_the_middle_is_completed_when_released(client: Client) -> None:
    upload = client.create(2 * CHUNK)
    client.box.faults(Fault("stall-middle", When(path="patch"), seconds=0.05))
    assert client.patch(upload, bytes(CHUNK)).status_code == 204
    assert client.offset(upload) == CHUNK


def test_an_upload_that_is_being_written_is_locked(open_box: OpenBox) -> None:
    client = open_box(lock_wait_seconds=0.05)
    upload = client.create(2 * CHUNK)
    with client.raw_patch(upload, bytes(1000), CHUNK):
        _until(client, "patch")
        assert client.head(upload).status_code == 423
        assert client.patch(upload, bytes(CHUNK), 0).status_code == 423
    assert client.offset(upload) == 1000


def test_a_slow_connection_takes_its_time_both_ways(client: Client, clip: Clip) -> None:
    upload = client.create(100_000)
    client.box.faults(Fault("slow", When(path="patch"), bytes_per_second=500_000))
    begin = time.monotonic()
    assert client.patch(upload, bytes(100_000)).status_code == 204
    assert time.monotonic() - begin >= 0.19
    uid = client.upload(clip("2s.mp4"))
    client.box.advance(60)
    size = len(clip("2s.mp4"))
    client.box.faults(Fault("slow", When(path="play"), bytes_per_second=size * 5))
    begin = time.monotonic()
    answer = client.open.get(f"/{uid}/downloads/default.mp4")
    assert answer.content == clip("2s.mp4")
    assert time.monotonic() - begin >= 0.19


def test_a_video_stuck_in_the_queue_stays_there_until_the_faults_are_cleared(client: Client, clip: Clip) -> None:
    client.box.faults(Fault("stuck", When(name="bad*")))
    stuck, fine = client.upload(clip("2s.mp4"), name="bad one"), client.upload(clip("2s.mp4"), name="good one")
    client.box.advance(3600)
    assert client.get(stuck)["status"]["state"] == "queued"
    assert client.get(fine)["status"]["state"] == "ready"
    client.box.clear_faults()
    client.box.advance(60)
    assert client.get(stuck)["status"]["pctComplete"] == "100.000000"


def test_a_video_stuck_in_progress_does_not_creep_on(client: Client, clip: Clip) -> None:
    client.box.faults(Fault("stuck", state="inprogress"))
    uid = client.upload(clip("2s.mp4"))
    client.box.advance(3600)
    video = client.get(uid)
    assert (video["status"]["state"], video["readyToStream"]) == ("inprogress", False)
    assert float(video["status"]["pctComplete"]) < 50
    client.box.clear_faults()
    client.box.advance(60)
    assert client.get(uid)["status"]["state"] == "ready"


def test_a_video_whose_fault_is_cleared_in_time_never_gets_stuck(client: Client, clip: Clip) -> None:
    client.box.faults(Fault("stuck", state="inprogress"))
    uid = client.upload(clip("2s.mp4"))
    client.box.clear_faults()
    client.box.advance(60)
    assert client.get(uid)["status"]["state"] == "ready"


def test_a_video_can_be_made_to_fail_whatever_its_bytes_are(client: Client, clip: Clip) -> None:
    client.box.faults(Fault("fail", When(nth=2), code="ERR_MALFORMED_VIDEO"))
    fine, failed = client.upload(clip("2s.mp4")), client.upload(clip("2s.mp4"))
    client.box.advance(60)
    assert client.get(fine)["status"]["state"] == "ready"
    assert client.get(failed)["status"]["errorReasonCode"] == "ERR_MALFORMED_VIDEO"


def test_a_fault_can_be_for_the_video_of_a_name(client: Client) -> None:
    client.box.faults(Fault("answer", When(path="patch", name="*_L02_*", times=None), status=500))
    fine, failing = client.create(10, name="course_01_L01_learning"), client.create(10, name="course_01_L02_learning")
    assert client.patch(failing, bytes(10)).status_code == 500
    assert client.patch(fine, bytes(10)).status_code == 204
    assert client.patch(failing, bytes(10)).status_code == 500
    client.box.faults(Fault("answer", When(path="create", name="course_02*"), status=429))
    assert client.creation(10, name="course_01").status_code == 201
    assert client.creation(10, name="course_02").status_code == 429


def test_faults_are_set_shown_and_cleared_over_http(client: Client) -> None:
    script = [{"do": "answer", "status": 500, "when": {"path": "list", "nth": 2, "times": "always"}}]
    assert client.control("POST", "faults", script).status_code == 200
    statuses = [client.http.get("/stream").status_code for _ in range(3)]
    assert statuses == [200, 500, 500]
    shown = client.control("GET", "faults").json()["faults"]
    assert shown == [{**script[0], "matched": 3, "happened": 2}]
    assert client.control("DELETE", "faults").json() == {"faults": []}
    assert client.http.get("/stream").status_code == 200


def test_a_script_that_makes_no_sense_is_refused_over_http_with_its_place(client: Client) -> None:
    answer = client.control("POST", "faults", [{"do": "stuck"}, {"do": "drop-befor"}])
    assert answer.status_code == 400
    assert answer.json() == {
        "error": '"drop-befor" is not something that can go wrong; did you mean "drop-before"?',
        "where": "fault 2 of 2",
    }
    assert client.control("GET", "faults").json() == {"faults": []}


def test_an_uploader_that_asks_for_the_offset_after_every_failure_gets_through(client: Client) -> None:
    data = bytes(range(256)) * (4 * CHUNK // 256) + b"the end"
    upload = client.create(len(data), name="cells")
    each = [
        ("drop-before", {}),
        ("drop-middle", {}),
        ("drop-after", {}),
        ("answer", {"status": 500}),
        ("answer-after", {"status": 502}),
    ]
    for seed, (do, rest) in enumerate(each):
        client.control(
            "POST", "faults", {"do": do, "when": {"path": "patch"}, "probability": 0.2, "seed": seed, **rest}
        )
    failures = 0
    while (offset := client.offset(upload)) < len(data):
        try:
            failures += client.patch(upload, data[offset : offset + CHUNK], offset).status_code != 204
        except CUT:
            failures += 1
    assert failures > 0
    assert client.box.file(upload.uid).read_bytes() == data
    assert len(client.box.videos()) == 1


def _until(client: Client, kind: str, received: int = 0, *, stalled: bool = False) -> None:
    """Waits until the sandbox has such a request in hand."""

    def there() -> bool:
        entries = [entry for entry in client.box.requests() if entry.kind == kind and entry.received >= received]
        return any(entry.stalled or not stalled for entry in entries)

    end = time.monotonic() + 10
    while not there():
        assert time.monotonic() < end, "the request never arrived"
