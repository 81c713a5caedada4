"""Facts about the library: finding, processing, playing and editing videos, in the order in which they are looked at.

They use what the checks of uploads.py left: two clips, whose bytes are there.
"""

from __future__ import annotations

from functools import partial
from typing import Final
from urllib.parse import urlsplit

from curri.model import Held
from curri.stream.client import Exchange
from curri.stream.held import held, number

from .account import LISTING_DELAY, Live, Missing, Moment, outcome, until
from .facts import Check, Seen, into
from .uploads import SOON

STATES: Final = frozenset({"pendingupload", "queued", "inprogress", "ready", "error"})
"""What curri has a word for."""
TOLERANCE: Final = 1.0
"""Seconds that the duration on Stream may differ from that of the file."""

CHECKS: list[Check] = []
"""Later ones use what earlier ones left."""
check = partial(into, CHECKS)


# Processing: the first check waits until it is over, the others read what it saw.


@check("a video ends as `ready`, playable, with `pctComplete` 100", relied=True)
def becomes_ready(live: Live) -> Seen:
    uid = live.sent()
    live.note(f"waiting for Stream to process {live.seconds:g} s of video, {live.patience:.0f} s at most")
    videos: list[Held] = []

    def over() -> bool:
        videos[:] = [live.look(uid)]
        return any(video.state == "error" or (_is_ready(video) and video.percent == 100) for video in videos)

    waited = until(live.patience, over)
    video, last = videos[-1], live.timeline[-1]
    words = [video.state, video.error_code or "", "" if last.playable else "not playable"]
    seen = f"{' '.join(filter(None, words))} after {last.seconds:.1f} s, `pctComplete` {last.percent!r}"
    if waited is not None:
        return video.state != "error", seen
    if not _is_ready(video):
        return (False if video.state == "ready" else None), f"still {seen}"
    return last.percent is None, f"still {seen}; where there is no number, curri goes by the word"


@check("a video passes through states that curri knows")
def states_are_known(live: Live) -> Seen:
    first = {moment.state: moment.seconds for moment in reversed(_timeline(live))}
    order = sorted(first, key=lambda state: first[state])
    return set(first) <= STATES, ", ".join(f"{state} after {first[state]:.1f} s" for state in order)


@check("`readyToStream` comes with `ready`, not before")
def playable_when_ready(live: Live) -> Seen:
    playable = next((moment for moment in _timeline(live) if moment.playable), None)
    if playable is None:
        return None, "it never was playable"
    return playable.state == "ready", f"first seen in {playable.state}, after {playable.seconds:.1f} s"


@check("`pctComplete` is a number in a text")
def percent_is_text(live: Live) -> Seen:
    given = [moment.percent for moment in _timeline(live) if moment.percent is not None]
    if not given:
        return None, "it was never given"
    values = list(dict.fromkeys(map(repr, given)))
    fits = all(isinstance(value, str) and number(value) is not None for value in given)
    return fits, ", ".join(values[:4]) + (" and more" if len(values) > 4 else "")


@check("a ready video names its pictures, its page and its manifests", relied=True)
def addresses_are_named(live: Live) -> Seen:
    video = live.videos.get(_ready(live))
    named = {"thumbnail": video.thumbnail, "preview": video.preview, "hls": video.hls, "dash": video.dash}
    lacking = [key for key, url in named.items() if url is None]
    hosts = sorted({urlsplit(url).hostname or "?" for url in named.values() if url is not None})
    return not lacking, f"lacking: {', '.join(lacking)}" if lacking else f"all at {', '.join(hosts)}"


@check("its picture, page and manifest can be fetched")
def addresses_work(live: Live) -> Seen:
    video = live.videos.get(_ready(live))
    named = {"thumbnail": video.thumbnail, "preview": video.preview, "hls": video.hls}
    statuses: dict[str, int | None] = {}

    def all_work() -> bool:
        statuses.update(
            {key: outcome(partial(live.public, url)).status for key, url in named.items() if url is not None}
        )
        return set(statuses.values()) == {200}

    after = until(SOON, all_work)
    return after is not None, ", ".join(f"{key} {status}" for key, status in statuses.items()) or "none is named"


@check("the duration on Stream is that of the file")
def duration_is_kept(live: Live) -> Seen:
    duration = live.videos.get(_ready(live)).duration
    if duration is None:
        return False, "Stream names none"
    return abs(duration - live.seconds) <= TOLERANCE, f"{duration:g} s on Stream, {live.seconds:g} s in the file"


# Finding videos.


@check("`start` of a listing includes its own moment")
def start_includes(live: Live) -> Seen:
    first, later = live.created("padded").uid, live.created("clip").uid
    start = live.videos.get(first).created or ""
    uids: set[str] = set()

    def later_shows() -> bool:
        rows = live.ask(Exchange.LIST, "GET", "/stream", start=start, asc="true", limit="1000").result
        uids.update(held(row).uid for row in (rows if isinstance(rows, list) else ()))
        return later in uids

    if until(LISTING_DELAY, later_shows) is None:
        return None, "a video created later does not show either"
    return first in uids, "it does" if first in uids else "it does not"


@check("`video_name` finds a title exactly, whatever its letters")
def name_is_found(live: Live) -> Seen:
    uid = live.created("clip").uid
    found: list[str] = []

    def shows() -> bool:
        found[:] = [video.uid for video in live.videos.listing(video_name=live.name("clip"))]
        return uid in found

    after = until(SOON, shows)
    return found == [uid], f"after {after:.1f} s" if after is not None else f"not within {SOON:.0f} s"


# Editing.


@check("an edit replaces the metadata as a whole")
def edit_replaces(live: Live) -> Seen:
    uid = live.created("clip").uid
    kept = {"name": live.name("clip"), "uploadId": live.upload_id("clip")}
    live.ask(Exchange.EDIT, "POST", f"/stream/{uid}", json={"meta": kept | {"courseTitle": "replaced"}})
    meta = live.videos.get(uid).meta
    if meta.get("courseTitle") != "replaced":
        return None, "the edit does not show"
    return "groupKey" not in meta, "what was left out is " + ("still there" if "groupKey" in meta else "gone")


@check("an edit by curri changes what it should and keeps all else", relied=True)
def edit_keeps(live: Live) -> Seen:
    uid = live.created("clip").uid
    changes = {"courseTitle": "Geändert 学", "lessonTitle": "added"}
    edited = live.videos.edit(uid, changes)
    wanted = edited.before | changes
    meta = live.videos.get(uid).meta
    wrong = [key for key in sorted(wanted.keys() | meta.keys()) if wanted.get(key) != meta.get(key)]
    return not wrong, f"wrong: {', '.join(wrong)}" if wrong else f"{len(wanted)} keys are as they should be"


@check("an edit can remove a key")
def edit_removes(live: Live) -> Seen:
    edited = live.videos.edit(live.created("clip").uid, {"courseTitle": None})
    return not edited.kept, "it stays" if edited.kept else "it is gone"


def _is_ready(video: Held) -> bool:
    return video.state == "ready" and video.ready_to_stream


def _timeline(live: Live) -> list[Moment]:
    if not live.timeline:
        raise Missing("the video was not seen in processing")
    return live.timeline


def _ready(live: Live) -> str:
    """The id of the clip, once it is ready. Raises Missing before."""
    if _timeline(live)[-1].state != "ready":
        raise Missing("the video did not become ready")
    return live.created("clip").uid
