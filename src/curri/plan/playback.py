"""Where a video plays: the addresses that Stream gave, the others of the same host, and the code for a web page."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

_ALLOWED = "accelerometer; gyroscope; autoplay; encrypted-media; picture-in-picture;"
"""What a page lets Cloudflare's player do (its page on the Stream Player)."""
_FILLING = "border: none; position: absolute; top: 0; left: 0; height: 100%; width: 100%;"
_FORMER_HOST = "videodelivery.net"
"""What old accounts still have recorded: its player and its pages lie on hosts of other names."""
_USUAL_SHAPE = 9 / 16
"""Height by width of a video whose measures are not known."""


@dataclass(frozen=True, slots=True)
class Playback:
    """The public addresses of a video. None: not known, as long as Stream has given none of its host."""

    hls: str | None
    dash: str | None
    thumbnail: str | None
    watch: str | None  # a page that plays it
    player: str | None  # what an <iframe> shows


def playback(uid: str, *, hls: str | None, dash: str | None, thumbnail: str | None, watch: str | None) -> Playback:
    """Return where a video plays, given the addresses that are recorded of it.

    What is recorded stays as it is. What is not, is put together with the host of what is: one account has one, which
    nothing else tells. Hosts that are not of the form `<host>/<uid>/...` tell nothing.
    """
    own = next((found for url in (hls, dash, thumbnail, watch) if url and (found := _own(uid, url))), None)

    def at(path: str) -> str | None:
        return None if own is None else f"{own}/{path}"

    return Playback(
        hls=hls or at("manifest/video.m3u8"),
        dash=dash or at("manifest/video.mpd"),
        thumbnail=thumbnail or at("thumbnails/thumbnail.jpg"),
        watch=watch or at("watch"),
        player=at("iframe"),
    )


def embed(played: Playback, *, title: str, width: int | None = None, height: int | None = None) -> str | None:
    """Return the HTML that shows the player, as wide as the page has room and in the shape of the video.

    Everything in it is escaped, so a title may hold any character. None if the address of the player is not known.
    """
    if played.player is None:
        return None
    shape = height / width if width and height else _USUAL_SHAPE
    return (
        f'<div style="position: relative; padding-top: {100 * shape:.2f}%;">\n'
        f'<iframe src="{escape(played.player)}" title="{escape(" ".join(title.split()))}" loading="lazy"\n'
        f'style="{_FILLING}"\n'
        f'allow="{_ALLOWED}" allowfullscreen="true"></iframe>\n'
        "</div>"
    )


def _own(uid: str, url: str) -> str | None:
    """Return the part of an address that all addresses of the video begin with, if it has one."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.netloc == _FORMER_HOST:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc or not parts.path.startswith(f"/{uid}/"):
        return None
    return f"{parts.scheme}://{parts.netloc}/{uid}"
