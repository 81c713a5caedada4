"""Uploads in one request, one-time addresses, and the reader of forms below them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from curri.sandbox import Fault, When
from curri.sandbox.answers import Refusal
from curri.sandbox.form import pieces

if TYPE_CHECKING:
    from sandbox.conftest import Client, Clip


def test_a_basic_upload_stores_the_part_named_file_and_ignores_the_rest(client: Client, clip: Clip) -> None:
    data = clip("2s.mp4")
    form = {"meta": '{"name": "ignored"}'}
    video = client.result(client.http.post("/stream", data=form, files={"file": ("a.mp4", data)}))
    assert (video["status"]["state"], video["size"], video["meta"]) == ("queued", len(data), {})
    assert client.box.file(video["uid"]).read_bytes() == data
    client.box.advance(60)
    assert client.get(video["uid"])["status"]["state"] == "ready"


def test_a_basic_upload_of_no_video_is_refused_at_once(client: Client) -> None:
    answer = client.http.post("/stream", files={"file": b"a letter"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 10059)
    assert client.listed() == []


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"raw bytes", "video/mp4"),
        (b"--x\r\n", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ncut', "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Type: text/plain\r\n\r\na\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\na\r\n--xy\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\na\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_a_body_that_is_no_form_with_a_file_is_a_decoding_error(
    client: Client, content: bytes, content_type: str
) -> None:
    answer = client.http.post("/stream", content=content, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 10004)
    assert client.listed() == []


def test_a_form_is_refused_when_its_file_is_too_large_for_one(
    client: Client, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curri.sandbox.ingest.LARGEST_FORM", len(clip("2s.mp4")))
    assert client.http.post("/stream", files={"file": clip("2s.mp4")}).status_code == 413
    assert client.listed() == []
    assert client.http.post("/stream", files={"file": clip("2s.mp4")[:-1]}).status_code == 200


def test_a_basic_upload_that_is_cut_leaves_nothing(client: Client, clip: Clip) -> None:
    client.box.faults(Fault("drop-middle", When(path="basic")))
    with pytest.raises((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
        client.http.post("/stream", files={"file": clip("2s.mp4")})
    assert client.listed() == []
    (entry,) = (entry for entry in client.box.requests() if entry.kind == "basic")
    assert 0 < entry.received < len(clip("2s.mp4"))


def test_a_stall_in_the_middle_of_a_form_loses_nothing(client: Client, clip: Clip) -> None:
    client.box.faults(Fault("stall-middle", When(path="basic"), seconds=0.02, after_bytes=1000))
    video = client.result(client.http.post("/stream", files={"file": clip("2s.mp4")}))
    assert client.box.file(video["uid"]).read_bytes() == clip("2s.mp4")


def test_a_one_time_address_takes_one_file_without_a_token(client: Client, clip: Clip) -> None:
    wish = {"maxDurationSeconds": 60, "meta": {"name": "cells", "n": 1}, "creator": "anna", "requireSignedURLs": True}
    given = client.result(client.http.post("/stream/direct_upload", json=wish))
    video = client.get(given["uid"])
    assert (video["status"]["state"], video["meta"], video["creator"]) == ("pendingupload", wish["meta"], "anna")
    assert client.open.patch(given["uploadURL"], content=b"x").status_code == 405
    assert client.open.post(given["uploadURL"], content=b"raw").json()["errors"][0]["code"] == 10004
    assert client.open.post(given["uploadURL"], files={"file": clip("2s.mp4")}).status_code == 200
    assert client.get(given["uid"])["status"]["state"] == "queued"
    assert client.open.post(given["uploadURL"], files={"file": clip("2s.mp4")}).status_code == 400


def test_a_one_time_address_ends(client: Client, clip: Clip) -> None:
    given = client.result(client.http.post("/stream/direct_upload", json={"maxDurationSeconds": 60}))
    client.box.advance(30 * 60)
    assert client.open.post(given["uploadURL"], files={"file": clip("2s.mp4")}).status_code == 404


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"maxDurationSeconds": 0},
        {"maxDurationSeconds": 36_001},
        {"maxDurationSeconds": True},
        {"maxDurationSeconds": 60, "expiry": "2020-01-01T00:00:00Z"},
        {"maxDurationSeconds": 60, "meta": "name"},
        {"maxDurationSeconds": 60, "thumbnailTimestampPct": "half"},
    ],
)
def test_a_one_time_address_is_refused_for_a_wish_that_makes_no_sense(client: Client, wish: dict[str, object]) -> None:
    answer = client.http.post("/stream/direct_upload", json=wish)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 10005)
    assert client.listed() == []


async def _read(body: bytes, cuts: list[int]) -> dict[str, bytes]:
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    parts = [body[begin:end] for begin, end in pairwise(edges)]
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)

    headers = [(b"content-type", b"multipart/form-data; boundary=edge")]
    found: dict[str, bytes] = {}
    reading: AsyncIterator[object] = pieces(Request({"type": "http", "headers": headers}, receive))
    async for piece in reading:
        found[piece.name] = found.get(piece.name, b"") + piece.data  # type: ignore[attr-defined]
    return found


_CONTENT = st.lists(
    st.sampled_from([b"\r\n", b"--", b"--edge", b"\r\n--edg", b"a", b"-", b"\r", b"\n", bytes(300)])
).map(b"".join)


@given(content=_CONTENT, other=_CONTENT, cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_a_form_is_read_the_same_however_it_is_cut(content: bytes, other: bytes, cuts: list[int]) -> None:
    wanted = {"file": content, "note": other}
    if any(b"\r\n--edge" in b"\r\n" + value for value in wanted.values()):
        return  # the boundary may not stand in a value
    body = b"".join(
        b'--edge\r\nContent-Disposition: form-data; name="'
        + name.encode()
        + b'"; filename="a b.mp4"\r\n\r\n'
        + value
        + b"\r\n"
        for name, value in wanted.items()
    )
    assert asyncio.run(_read(body + b"--edge--\r\n", cuts)) == wanted


def test_a_form_whose_end_is_missing_is_refused() -> None:
    with pytest.raises(Refusal):
        asyncio.run(_read(b'--edge\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--edg', []))
