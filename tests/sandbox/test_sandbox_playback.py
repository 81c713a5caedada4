"""Playing back what was uploaded, and who may."""

from __future__ import annotations

import subprocess
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from sandbox.conftest import Client, Clip


def _ready(client: Client, data: bytes, **metadata: str) -> str:
    uid = client.upload(data, **metadata)
    client.box.advance(60)
    return uid


def test_the_preview_is_a_page_that_plays_the_file(client: Client, clip: Clip) -> None:
    uid = _ready(client, clip("2s.mp4"), name="<Cells> & walls")
    page = client.open.get(client.get(uid)["preview"])
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<title>&lt;Cells&gt; &amp; walls</title>" in page.text
    address = page.text.split('src="')[1].split('"')[0]
    video = client.open.get(address)
    assert (video.content, video.headers["Content-Type"]) == (clip("2s.mp4"), "video/mp4")


def test_a_player_can_seek(client: Client, clip: Clip) -> None:
    uid = _ready(client, clip("2s.mp4"))
    answer = client.open.get(f"/{uid}/downloads/default.mp4", headers={"Range": "bytes=100-199"})
    assert (answer.status_code, answer.content) == (206, clip("2s.mp4")[100:200])
    assert answer.headers["Content-Range"] == f"bytes 100-199/{len(clip('2s.mp4'))}"


def test_a_webm_is_served_as_what_it_is(client: Client, clip: Clip) -> None:
    uid = _ready(client, clip("2s.webm"))
    assert client.open.get(f"/{uid}/downloads/default.mp4").headers["Content-Type"] == "video/webm"


def test_the_hls_playlist_is_played_by_ffmpeg(client: Client, clip: Clip) -> None:
    video = client.get(_ready(client, clip("2s.mp4")))
    playlist = client.open.get(video["playback"]["hls"])
    assert playlist.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert playlist.text.startswith("#EXTM3U\n")
    program = import_module("imageio_ffmpeg").get_ffmpeg_exe()
    arguments = ["-v", "error", "-i", video["playback"]["hls"], "-f", "framecrc", "-"]
    played = subprocess.run([program, *arguments], capture_output=True, check=True, text=True, stdin=subprocess.DEVNULL)
    frames = [line for line in played.stdout.splitlines() if line.startswith("0,")]
    assert len(frames) == 20  # two seconds at 10 frames a second


def test_the_dash_manifest_points_to_the_file(client: Client, clip: Clip) -> None:
    video = client.get(_ready(client, clip("2s.mp4")))
    manifest = ET.fromstring(client.open.get(video["playback"]["dash"]).text)  # noqa: S314 - our own
    base = manifest.find(".//{urn:mpeg:dash:schema:mpd:2011}BaseURL")
    assert base is not None
    assert client.open.get(urljoin(video["playback"]["dash"], base.text or "")).content == clip("2s.mp4")


def test_the_thumbnail_is_a_picture(client: Client, clip: Clip) -> None:
    video = client.get(_ready(client, clip("2s.mp4"), name="a<b"))
    picture = client.open.get(video["thumbnail"], params={"time": "1s", "height": "270"})
    assert picture.headers["Content-Type"].startswith("image/svg+xml")
    assert ET.fromstring(picture.text).tag.endswith("svg")  # noqa: S314 - our own


def test_what_is_not_ready_cannot_be_played_and_what_failed_says_so(client: Client, clip: Clip) -> None:
    waiting = client.upload(clip("2s.mp4"))
    assert client.open.get(f"/{waiting}/watch").status_code == 404
    failed = _ready(client, b"no video")
    assert client.open.get(f"/{failed}/manifest/video.m3u8").status_code == 424
    assert client.open.get(f"/{'0' * 32}/watch").status_code == 404


def test_a_private_video_plays_with_its_token_only_and_while_that_lasts(client: Client, clip: Clip) -> None:
    uid, other = _ready(client, clip("2s.mp4"), requiresignedurls="1"), _ready(client, clip("2s.mp4"))
    now = int(client.box.requests()[-1].at / 1e6)
    token = client.result(client.http.post(f"/stream/{uid}/token", json={"exp": now + 600}))["token"]
    assert client.open.get(f"/{uid}/watch").status_code == 401
    assert client.open.get(f"/{token}/watch").status_code == 200
    assert client.open.get(f"/{token}/downloads/default.mp4").content == clip("2s.mp4")
    head, body, seal = token.split(".")
    assert client.open.get(f"/{head}.{body}x.{seal}/watch").status_code == 401
    stranger = client.result(client.http.post(f"/stream/{other}/token"))["token"]
    assert client.open.get(f"/{stranger.split('.')[0]}.{body}.{stranger.split('.')[2]}/watch").status_code == 401
    client.box.advance(601)
    assert client.open.get(f"/{token}/watch").status_code == 401


@pytest.mark.parametrize("wish", [{"exp": 1}, {"exp": 10**12}, {"exp": "soon"}, {"nbf": "now"}])
def test_a_token_is_refused_for_times_that_make_no_sense(client: Client, wish: dict[str, object]) -> None:
    assert client.http.post(f"/stream/{client.create(10).uid}/token", json=wish).status_code == 400


def test_an_embed_snippet_points_to_a_page(client: Client, clip: Clip) -> None:
    uid = _ready(client, clip("2s.mp4"))
    snippet = client.http.get(f"/stream/{uid}/embed")
    assert snippet.headers["Content-Type"].startswith("text/html")
    assert client.open.get(snippet.text.split('src="')[1].split('"')[0]).status_code == 200


def test_a_download_is_asked_for_shown_and_ended(client: Client, clip: Clip) -> None:
    at = f"/stream/{client.upload(clip('2s.mp4'))}/downloads"
    assert client.http.post(at).status_code == 400  # not ready yet
    client.box.advance(60)
    assert client.result(client.http.get(at)) == {}
    made = client.result(client.http.post(f"{at}/default"))
    assert (made["default"]["status"], made["default"]["percentComplete"]) == ("ready", 100.0)
    assert client.result(client.http.get(at)) == made
    assert client.open.get(made["default"]["url"]).content == clip("2s.mp4")
    assert client.http.post(f"{at}/audio").status_code == 400
    assert client.result(client.http.delete(at)) == ""
    assert client.result(client.http.get(at)) == {}
