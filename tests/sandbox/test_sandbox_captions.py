"""Captions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curri.sandbox import Sandbox, SandboxSettings

if TYPE_CHECKING:
    from sandbox.conftest import Client, Clip, OpenBox

VTT = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"


def test_a_caption_is_put_shown_replaced_and_deleted(client: Client, clip: Clip) -> None:
    at = f"/stream/{client.upload(clip('2s.mp4'))}/captions"
    put = client.result(client.http.put(f"{at}/en-GB", files={"file": ("en.vtt", VTT)}))
    assert put == {"language": "en-GB", "label": "British English", "generated": False, "status": "ready"}
    client.result(client.http.put(f"{at}/de", files={"file": VTT}))
    assert [caption["language"] for caption in client.result(client.http.get(at))] == ["de", "en-GB"]
    client.result(client.http.put(f"{at}/en-GB", files={"file": VTT + b"\nmore"}))
    text = client.http.get(f"{at}/en-GB/vtt")
    assert (text.content, text.headers["Content-Type"].split(";")[0]) == (VTT + b"\nmore", "text/vtt")
    assert client.result(client.http.get(f"{at}/en-GB")) == put
    assert client.result(client.http.delete(f"{at}/en-GB")) == ""
    for answer in (
        client.http.get(f"{at}/en-GB"),
        client.http.get(f"{at}/en-GB/vtt"),
        client.http.delete(f"{at}/en-GB"),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, 10003)


def test_a_caption_may_come_as_a_field_without_a_file_name(client: Client, clip: Clip) -> None:
    at = f"/stream/{client.upload(clip('2s.mp4'))}/captions/en"
    client.result(client.http.put(at, files={"file": (None, VTT)}))
    assert client.http.get(f"{at}/vtt").content == VTT


@pytest.mark.parametrize(
    ("language", "text", "status"),
    [
        ("en", b"1\n00:00:00,000 --> 00:00:01,000\nHello\n", 400),
        ("english!", VTT, 400),
        ("en", VTT + b"x" * (10 * 1024 * 1024), 413),
    ],
)
def test_a_caption_is_refused(client: Client, clip: Clip, language: str, text: bytes, status: int) -> None:
    at = f"/stream/{client.upload(clip('2s.mp4'))}/captions"
    assert client.http.put(f"{at}/{language}", files={"file": text}).status_code == status
    assert client.result(client.http.get(at)) == []


def test_a_caption_needs_the_bytes_of_its_video_or_by_a_setting_a_ready_one(open_box: OpenBox, clip: Clip) -> None:
    client = open_box()
    waiting = client.create(10)
    assert client.http.put(f"/stream/{waiting.uid}/captions/en", files={"file": VTT}).status_code == 400
    strict = open_box(captions_need_ready=True)
    at = f"/stream/{strict.upload(clip('2s.mp4'))}/captions/en"
    assert strict.http.put(at, files={"file": VTT}).status_code == 400
    strict.box.advance(60)
    assert strict.http.put(at, files={"file": VTT}).status_code == 200


def test_captions_go_with_their_video(speak: Callable[[Sandbox], Client], clip: Clip, tmp_path: Path) -> None:
    # The same seed gives the next video the uid of the first: it must not inherit its captions.
    settings = SandboxSettings(data=tmp_path, seed=5)
    for _ in range(2):
        with Sandbox(settings) as box:
            client = speak(box)
            uid = client.upload(clip("2s.mp4"))
            assert client.result(client.http.get(f"/stream/{uid}/captions")) == []
            assert client.http.put(f"/stream/{uid}/captions/en", files={"file": VTT}).status_code == 200
            client.http.delete(f"/stream/{uid}")
            assert client.http.get(f"/stream/{uid}/captions/en/vtt").status_code == 404
            client.close()


def test_captions_are_not_generated_here(client: Client, clip: Clip) -> None:
    answer = client.http.post(f"/stream/{client.upload(clip('2s.mp4'))}/captions/en/generate")
    assert (answer.status_code, answer.json()["messages"][0]["message"]) == (400, "the sandbox does not do generate")
