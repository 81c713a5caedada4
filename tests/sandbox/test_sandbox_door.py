"""The door: tokens, accounts, envelopes, the budget of calls, the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curri.sandbox.faults import KINDS
from curri.sandbox.gate import kind_of

if TYPE_CHECKING:
    from sandbox.conftest import Client, OpenBox


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 400, 9106),
        ("Token abc", 400, 6003),
        ("Bearer", 400, 6003),
        ("Bearer wrong", 403, 10000),
    ],
)
def test_a_request_without_a_good_token_is_refused(client: Client, header: str | None, status: int, code: int) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = client.open.get(f"/client/v4/accounts/{client.box.account_id}/stream", headers=headers)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["code"] == code
    assert answer.json()["messages"] is None


def test_another_account_is_not_found(client: Client) -> None:
    answer = client.http.get(client.box.url + "/accounts/ffffffffffffffffffffffffffffffff/stream")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == 7003


def test_a_path_that_is_none_is_not_found(client: Client) -> None:
    answer = client.http.get("/streams")
    assert answer.status_code == 404
    assert [error["code"] for error in answer.json()["errors"]] == [7003, 7000]
    assert client.http.put("/stream").status_code == 405


def test_a_token_that_may_only_read_cannot_write(open_box: OpenBox) -> None:
    client = open_box(read_token="reader")
    uid = client.create(10).uid
    reader = {"Authorization": "Bearer reader"}
    assert client.http.get(f"/stream/{uid}", headers=reader).status_code == 200
    for answer in (
        client.http.post(f"/stream/{uid}", headers=reader, json={}),
        client.http.delete(f"/stream/{uid}", headers=reader),
        client.creation(10, reader),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, 10000)


def test_a_token_is_verified_for_a_user_and_for_an_account(client: Client) -> None:
    for path in ("/user/tokens/verify", f"/accounts/{client.box.account_id}/tokens/verify"):
        good = client.http.get(client.box.url + path)
        assert (good.status_code, good.json()["result"]["status"]) == (200, "active")
        bad = client.open.get("/client/v4" + path, headers={"Authorization": "Bearer wrong"})
        assert (bad.status_code, bad.json()["success"]) == (401, False)


def test_a_success_and_an_error_have_the_keys_of_the_envelope(client: Client) -> None:
    good, bad = client.http.get("/stream").json(), client.http.get("/stream?limit=0").json()
    assert (good["success"], good["errors"], good["messages"], good["result"]) == (True, [], [], [])
    assert (bad["success"], bad["result"]) == (False, None)
    assert bad["errors"] == [{"code": 10005, "message": "Bad Request"}]
    assert bad["messages"][0]["code"] == 10005


def test_a_missing_video_has_no_messages_at_all(client: Client) -> None:
    body = client.http.get("/stream/" + "0" * 32).json()
    assert body["errors"][0]["code"] == 10003
    assert body["messages"] is None


def test_what_stream_has_and_the_sandbox_has_not_is_said_plainly(client: Client) -> None:
    answer = client.http.post("/stream/copy", json={"url": "https://example.org/a.mp4"})
    assert answer.status_code == 400
    assert answer.json()["messages"][0]["message"] == "the sandbox does not do copy"


def test_every_answer_of_the_api_tells_what_is_left_of_the_budget(open_box: OpenBox) -> None:
    client = open_box(rate_limit_requests=5, rate_limit_window_seconds=60)
    answer = client.http.get("/stream")
    assert answer.headers["Ratelimit"] == '"default";r=4;t=60'
    assert answer.headers["Ratelimit-Policy"] == '"default";q=5;w=60'
    client.box.advance(20)
    assert client.http.get("/nothing").headers["Ratelimit"] == '"default";r=3;t=40'
    client.box.advance(40)
    assert client.http.get("/stream").headers["Ratelimit"] == '"default";r=4;t=60'


def test_a_spent_budget_blocks_every_call_for_a_whole_window(open_box: OpenBox) -> None:
    client = open_box(rate_limit_requests=2, rate_limit_window_seconds=60)
    assert [client.http.get("/stream").status_code for _ in range(3)] == [200, 200, 429]
    client.box.advance(59)
    answer = client.creation(10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert answer.headers["Ratelimit"] == '"default";r=0;t=1'
    client.box.advance(1)
    assert client.http.get("/stream").status_code == 200
    assert client.listed() == []


@pytest.mark.parametrize("counts", [True, False])
def test_tus_requests_count_or_not_by_a_setting(open_box: OpenBox, *, counts: bool) -> None:
    client = open_box(rate_limit_requests=100, rate_limit_counts_tus=counts)
    upload = client.create(10)
    assert ("Ratelimit" in client.head(upload).headers) is counts
    client.patch(upload, bytes(10))
    assert client.http.get("/stream").headers["Ratelimit"].startswith(f'"default";r={96 if counts else 98};')


def test_the_journal_tells_what_came_and_how_it_ended(client: Client) -> None:
    upload = client.create(10, name="cells")
    client.patch(upload, bytes(10))
    client.http.get("/stream/" + "0" * 32)
    entries = client.box.requests()
    assert [(entry.n, entry.kind, entry.status, entry.received) for entry in entries] == [
        (1, "create", 201, 0),
        (2, "patch", 204, 10),
        (3, "get", 404, 0),
    ]
    assert [(entry.uid, entry.name) for entry in entries[:2]] == [(upload.uid, "cells"), (upload.uid, "cells")]
    shown = client.control("GET", "requests").json()["requests"]
    assert (shown[1]["method"], shown[1]["status"], shown[1]["fault"]) == ("PATCH", 204, None)
    client.control("DELETE", "requests")
    client.http.get("/stream")
    assert [entry.n for entry in client.box.requests()] == [4]


def test_the_journal_holds_no_token(client: Client) -> None:
    uid = client.create(10).uid
    token = client.result(client.http.post(f"/stream/{uid}/token"))["token"]
    client.open.get(f"/{token}/watch")
    client.http.get("/stream", params={"access_token": "hidden", "limit": 3})
    text = client.control("GET", "requests").text
    assert client.box.token not in text
    assert token not in text
    assert "hidden" not in text
    assert "limit=3" in text


U = "0123456789abcdef0123456789abcdef"
S = "/client/v4/accounts/acc/stream"


@pytest.mark.parametrize(
    ("method", "path", "kind", "uid"),
    [
        ("POST", S, "create", None),
        ("GET", S, "list", None),
        ("GET", f"{S}/{U}", "get", U),
        ("POST", f"{S}/{U}", "edit", U),
        ("DELETE", f"{S}/{U}", "delete", U),
        ("PUT", f"{S}/{U}", "other", U),
        ("PUT", f"{S}/{U}/captions/en", "captions", U),
        ("POST", f"{S}/{U}/downloads", "downloads", U),
        ("POST", f"{S}/{U}/token", "token", U),
        ("GET", f"{S}/{U}/embed", "embed", U),
        ("GET", f"{S}/storage-usage", "usage", None),
        ("POST", f"{S}/direct_upload", "direct", None),
        ("PUT", f"{S}/webhook", "webhook", None),
        ("POST", f"{S}/copy", "other", None),
        ("PATCH", f"/client/v4/accounts/acc/media/{U}", "patch", U),
        ("HEAD", f"/client/v4/accounts/acc/media/{U}", "head", U),
        ("PATCH", f"/tus/{U}", "patch", U),
        ("POST", f"/upload/{U}", "form", U),
        ("GET", "/client/v4/user/tokens/verify", "verify", None),
        ("GET", "/client/v4/zones", "other", None),
        ("GET", f"{S}/{U}/captions/e\nn", "captions", U),
        ("GET", f"/{U}/watch", "play", U),
        ("GET", "/", "play", None),
    ],
)
def test_every_request_is_of_a_kind(method: str, path: str, kind: str, uid: str | None) -> None:
    assert kind_of(method, path, tus=True) == (kind, uid)
    assert kind in KINDS
    assert kind_of("POST", S, tus=False) == ("basic", None)
