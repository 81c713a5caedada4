"""Where a video plays, and the code that shows it on a page."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from curri.plan.playback import Playback, embed, playback

UID = "6b9e68b07dfee8cc2d116e4c51d6a957"
HOST = "https://customer-f33zs165nr7gyfy4.cloudflarestream.com"
OWN = f"{HOST}/{UID}"
WHOLE = Playback(
    f"{OWN}/manifest/video.m3u8",
    f"{OWN}/manifest/video.mpd",
    f"{OWN}/thumbnails/thumbnail.jpg",
    f"{OWN}/watch",
    f"{OWN}/iframe",
)
NOWHERE = Playback(None, None, None, None, None)


def played(**recorded: str) -> Playback:
    given: dict[str, str | None] = {"hls": None, "dash": None, "thumbnail": None, "watch": None, **recorded}
    return playback(UID, **given)


@pytest.mark.parametrize(
    ("field", "kind"), [("hls", "hls"), ("dash", "dash"), ("thumbnail", "thumbnail"), ("watch", "watch")]
)
def test_one_address_tells_all_the_others(field: str, kind: str) -> None:
    assert played(**{field: getattr(WHOLE, kind)}) == WHOLE


def test_what_is_recorded_stays_as_it_is() -> None:
    found = played(hls=f"{OWN}/manifest/video.m3u8?clientBandwidthHint=1.8", thumbnail="https://example.org/own.jpg")
    assert found.hls == f"{OWN}/manifest/video.m3u8?clientBandwidthHint=1.8"
    assert found.thumbnail == "https://example.org/own.jpg"
    assert (found.dash, found.watch, found.player) == (WHOLE.dash, WHOLE.watch, WHOLE.player)


def test_an_address_of_a_host_without_encryption_tells_as_much() -> None:
    """As a local sandbox gives them."""
    assert played(watch=f"http://localhost:8787/{UID}/watch").player == f"http://localhost:8787/{UID}/iframe"


def test_the_first_address_that_tells_the_host_is_followed() -> None:
    found = played(hls=f"https://videodelivery.net/{UID}/manifest/video.m3u8", thumbnail=WHOLE.thumbnail or "")
    assert (found.dash, found.player) == (WHOLE.dash, WHOLE.player)


@pytest.mark.parametrize(
    "other",
    [
        "https://watch.example.org/" + UID,  # no folder of the video: the others cannot lie beside it
        f"{HOST}/another/watch",
        f"https://videodelivery.net/{UID}/manifest/video.m3u8",
        f"{HOST}/x{UID}/watch",
        f"javascript://x/{UID}/watch",
        f"//x/{UID}/watch",
        f"https:///{UID}/watch",
        f"http://[x/{UID}/watch",
        "",
        "no address",
    ],
)
def test_an_address_of_another_form_tells_nothing(other: str) -> None:
    found = played(watch=other)
    assert (found.player, found.hls) == (None, None)
    assert embed(found, title="t") is None


def test_of_a_video_that_stream_told_nothing_of_nothing_is_made_up() -> None:
    assert played() == NOWHERE


class _Reader(HTMLParser):
    """Reads a snippet as a browser does."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def read(snippet: str | None) -> list[tuple[str, dict[str, str | None]]]:
    assert snippet is not None
    reader = _Reader()
    reader.feed(snippet)
    reader.close()
    return reader.found


def test_the_snippet_is_cloudflares_player_in_the_shape_of_the_video() -> None:
    snippet = embed(WHOLE, title="Evolution of Intelligence", width=640, height=480)
    (box, style), (frame, attributes) = read(snippet)
    assert str(snippet).endswith("></iframe>\n</div>")
    assert (box, style) == ("div", {"style": "position: relative; padding-top: 75.00%;"})
    assert frame == "iframe"
    assert attributes["src"] == f"{OWN}/iframe"
    assert attributes["title"] == "Evolution of Intelligence"
    assert attributes["allow"] == "accelerometer; gyroscope; autoplay; encrypted-media; picture-in-picture;"
    assert "allowfullscreen" in attributes


@pytest.mark.parametrize(("width", "height"), [(None, None), (640, None), (0, 0), (None, 360)])
def test_a_video_of_unknown_measures_is_shown_in_the_usual_shape(width: int | None, height: int | None) -> None:
    ((_, style), _) = read(embed(WHOLE, title="t", width=width, height=height))
    assert style["style"] == "position: relative; padding-top: 56.25%;"


@pytest.mark.parametrize(
    "title", ['"><script>alert(1)</script>', "a & b <c>", "it's", "&quot;", 'x" onload="y', "日本"]
)
def test_a_title_cannot_leave_its_attribute(title: str) -> None:
    tags = read(embed(WHOLE, title=title))
    assert [tag for tag, _ in tags] == ["div", "iframe"]
    assert tags[1][1]["title"] == title
    assert "onload" not in tags[1][1]


def test_an_address_cannot_leave_its_attribute() -> None:
    found = read(embed(Playback(None, None, None, None, f'{OWN}/iframe?a="><b>&c=1'), title="t"))
    assert [tag for tag, _ in found] == ["div", "iframe"]
    assert found[1][1]["src"] == f'{OWN}/iframe?a="><b>&c=1'
