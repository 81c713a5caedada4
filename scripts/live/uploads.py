"""Facts about the account and about sending files, in the order in which they are looked at."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from curri.errors import StreamUnavailable
from curri.plan.status import WITHOUT_BYTES
from curri.stream.account import host_of
from curri.stream.chunks import SMALLEST
from curri.stream.client import Answer, Exchange
from curri.stream.failures import Conflict, NotFound, Told
from curri.stream.held import instant, number
from curri.stream.tus import Uploads

from .account import CUT_AFTER, LISTING_DELAY, PADDED, Live, Missing, outcome, until
from .facts import Check, Seen, into

OPEN_SECONDS: Final = 30
"""Seconds that the upload reserves which is never filled."""
OPEN_SIZE: Final = 1_000_000
"""Bytes that it announces."""
GONE: Final = (403, 404, 410)
"""What curri takes for: there is no such upload any more."""
METADATA: Final = {"courseTitle": "Größe & Maß, 学", "groupKey": "learning/video.mp4", "checksumSha1": "0" * 40}
"""Metadata with mixed case and letters beyond ASCII, as curri sends it."""
EMPTY: Final = "program"
"""A key that is sent without a value."""
SOON: Final = 20.0
"""Seconds within which a change should show everywhere."""

CHECKS: list[Check] = []
"""Later ones use what earlier ones left."""
check = partial(into, CHECKS)


# The account.


@check("the check for tokens knows the token as active")
def token_is_known(live: Live) -> Seen:
    ask = live.client.of_user(Exchange.VERIFY, "GET", "/user/tokens/verify")
    try:
        result = live.client.call(ask).result
    except StreamUnavailable:
        raise
    except Told as refused:
        return False, f"it answers {refused.status}, though the token may list videos"
    status = result.get("status") if isinstance(result, dict) else None
    return status == "active", f"its status is {status}"


@check("a listing tells how many videos there are")
def listing_counts(live: Live) -> Seen:
    answer = live.ask(Exchange.LIST, "GET", "/stream", limit="1", include_counts="true")
    live.api_headers = answer.headers
    total = (answer.notes.envelope or {}).get("total")
    return number(total) is not None, "there is no `total`" if total is None else f"`total` is a {type(total).__name__}"


@check("answers of the API tell what is left of the budget of calls")
def api_tells_budget(live: Live) -> Seen:
    if not live.api_headers:
        raise Missing("the listing was not answered")
    return _budget(live.api_headers)


@check("storage usage tells the minutes that are stored", relied=True)
def usage_is_told(live: Live) -> Seen:
    live.usage = live.videos.storage()
    limit = "no limit is named" if live.usage.limit is None else f"{live.usage.limit} are allowed"
    return True, f"{live.usage.minutes:g} minutes are stored, {limit}"


# An upload that is opened and never filled.


@check("a creation answers with the address of the upload and the id of the video", relied=True)
def creation_answers(live: Live) -> Seen:
    created = live.create("open", OPEN_SIZE, OPEN_SECONDS)
    last = urlsplit(created.url.reveal()).path.rpartition("/")[2]
    return True, "both are there" + ("" if last == created.uid else "; the address does not end with the id")


@check("an upload is at the host of the API")
def upload_is_at_api(live: Live) -> Seen:
    url = live.created("open").url.reveal()
    goes = "goes" if live.account.takes_token(url) else "does not go"
    return host_of(url) == host_of(live.account.base), f"it is at {host_of(url)}; the token {goes} there"


@check("a new upload soon shows in the listing", relied=True)
def shows_in_listing(live: Live) -> Seen:
    live.created("open")
    look = live.upload_id("open")
    after = until(LISTING_DELAY + 30, lambda: bool(live.videos.created_with(look, live.begun)))
    if after is None:
        return False, f"not within {LISTING_DELAY + 30:.0f} s"
    return after <= LISTING_DELAY, f"after {after:.1f} s; curri waits {LISTING_DELAY:.0f} s"


@check("a listing by state gives the videos in that state, and no others", relied=True)
def state_is_filtered(live: Live) -> Seen:
    uid = live.created("open").uid
    found = live.videos.listing(status="pendingupload")
    others = sorted({video.state for video in found} - {"pendingupload"})
    if others:
        return False, f"asked for pendingupload, it gives {', '.join(others)}, too"
    there = any(video.uid == uid for video in found)
    return there, f"asked for pendingupload, it gives {len(found)}, " + (
        "the new one, too" if there else "not the new one"
    )


@check("an open upload names the moment when it ends, a day ahead")
def upload_ends(live: Live) -> Seen:
    created = live.created("open")
    video = live.videos.get(created.uid)
    begin, end = instant(video.created), instant(video.upload_expiry)
    header = "`Upload-Expires` is " + ("not sent" if created.expires is None else "sent, too")
    if begin is None or end is None:
        return False, f"`uploadExpiry` is not given; {header}"
    hours = (end - begin) / timedelta(hours=1)
    return 23 <= hours <= 25, f"`uploadExpiry` is {hours:.1f} h after `created`; {header}"


@check("the minutes that an open upload reserves do not show in storage usage")
def reservation_is_hidden(live: Live) -> Seen:
    live.created("open")
    if live.usage is None:
        raise Missing("the minutes before the upload are not known")
    more = live.videos.storage().minutes - live.usage.minutes
    if abs(more) < 0.02:
        return True, "the minutes stay as they were"
    if abs(more - OPEN_SECONDS / 60) < 0.02:
        return False, f"they grow by the {more:g} reserved"
    return None, f"they changed by {more:+g}, not by the {OPEN_SECONDS / 60:g} reserved: someone else uses the account"


@check("HEAD tells offset and length of an upload", relied=True)
def head_tells(live: Live) -> Seen:
    answer = live.head(live.created("open"))
    told = (answer.headers.get("upload-offset"), answer.headers.get("upload-length"))
    beside = [name for name in ("stream-media-id", "cache-control", "upload-expires") if name in answer.headers]
    seen = f"{answer.status}, offset {told[0]}, length {told[1]}; also {', '.join(beside) or 'nothing'}"
    return told == ("0", str(OPEN_SIZE)), seen


@check("an open upload can be deleted, and is gone", relied=True)
def open_is_deleted(live: Live) -> Seen:
    uid = live.created("open").uid
    answer = live.ask(Exchange.DELETE, "DELETE", f"/stream/{uid}")
    del live.made[uid]
    shape = "an envelope" if answer.notes.envelope is not None else "no envelope"
    after = until(SOON, lambda: isinstance(outcome(lambda: live.ask(Exchange.GET, "GET", f"/stream/{uid}")), NotFound))
    gone = "still there" if after is None else f"gone after {after:.1f} s"
    return after is not None, f"{answer.status} with {shape}; the video is {gone}"


@check("deleting a video that is gone answers that there is none", relied=True)
def second_deletion(live: Live) -> Seen:
    uid = _deleted(live)
    answer = outcome(lambda: live.ask(Exchange.DELETE, "DELETE", f"/stream/{uid}"))
    return isinstance(answer, (NotFound, Answer)), f"{answer.status}"


@check("the address of a deleted upload answers 404, 410 or 403", relied=True)
def address_is_gone(live: Live) -> Seen:
    _deleted(live)
    statuses: list[int | None] = []

    def gone() -> bool:
        statuses.append(outcome(lambda: live.head(live.created("open"))).status)
        return statuses[-1] in GONE

    after = until(SOON, gone)
    return after is not None, f"HEAD answers {statuses[-1]}" + (f" after {after:.1f} s" if after else "")


# A clip, made longer, in several chunks; the first one breaks.


@check("what came of a chunk that was cut off is kept")
def cut_is_kept(live: Live) -> Seen:
    artefact = live.padded()
    created = live.create("padded", artefact.size, live.reserved)
    live.cut(created, SMALLEST, artefact.path.read_bytes()[:CUT_AFTER])
    uploads = Uploads(live.client)
    kept = uploads.offset(created.url, size=artefact.size)
    if kept == 0:
        time.sleep(2)
        kept = uploads.offset(created.url, size=artefact.size)
    return kept > 0, f"{kept:,} bytes of the {CUT_AFTER:,} that were sent"


@check("an upload goes on from the offset that HEAD names, and its last chunk may be short", relied=True)
def goes_on(live: Live) -> Seen:
    sent = Uploads(live.client).send(live.created("padded").url, live.padded(), chunk_size=SMALLEST)
    last = (PADDED - sent.resumed_at) % SMALLEST
    return True, f"from {sent.resumed_at:,}, the last chunk with {last:,} bytes"


# The same clip as it is, in one chunk.


@check("a chunk at another offset is refused with 409", relied=True)
def wrong_offset(live: Live) -> Seen:
    data = live.clip.read_bytes()
    created = live.create("clip", len(data), live.reserved, **METADATA, **{EMPTY: ""})
    half = len(data) // 2
    try:
        status = live.patch(created, half, data[half:]).status
    except Conflict as refused:
        return True, f"{refused.status}"
    except StreamUnavailable:
        raise
    except Told as refused:
        return False, refused.message
    return False, f"it is taken with {status}"


@check("a file below the smallest chunk goes as one chunk", relied=True)
def one_chunk(live: Live) -> Seen:
    data = live.clip.read_bytes()
    answer = live.patch(live.created("clip"), 0, data)
    live.sent_at = time.monotonic()
    offset = answer.headers.get("upload-offset")
    return offset == str(len(data)), f"{answer.status}, offset {offset} of {len(data)}"


@check("a video leaves `pendingupload` once its bytes are there", relied=True)
def leaves_pending(live: Live) -> Seen:
    uid = live.sent()
    after = until(60, lambda: live.look(uid).state not in WITHOUT_BYTES)
    if after is None:
        return False, "not within 60 s"
    return True, f"it is {live.timeline[-1].state} after {after:.1f} s"


# The metadata of the clip, and its address.


@check("metadata keep the case of their keys and any letters in their values", relied=True)
def metadata_are_kept(live: Live) -> Seen:
    meta = live.videos.get(live.created("clip").uid).meta
    wanted = METADATA | {"name": live.name("clip"), "uploadId": live.upload_id("clip")}
    lost = [key for key, value in wanted.items() if meta.get(key) != value]
    there = f"on the video: {', '.join(sorted(meta))}"
    return not lost, there if not lost else f"lost or changed: {', '.join(lost)}; {there}"


@check("a key without a value is kept as an empty text")
def empty_is_kept(live: Live) -> Seen:
    meta = live.videos.get(live.created("clip").uid).meta
    return meta.get(EMPTY) == "", f"it is {meta[EMPTY]!r}" if EMPTY in meta else "it is not kept"


@check("`maxdurationseconds` is taken as the limit of the video", relied=True)
def duration_is_limited(live: Live) -> Seen:
    limit = live.row(live.created("clip").uid).get("maxDurationSeconds")
    return limit == live.reserved, f"`maxDurationSeconds` is {limit}, {live.reserved} were sent"


@check("`maxdurationseconds` does not stay in the metadata")
def options_leave(live: Live) -> Seen:
    meta = live.videos.get(live.created("clip").uid).meta
    stays = [key for key in meta if key.lower() == "maxdurationseconds"]
    return not stays, f"it stays as {stays[0]}" if stays else "it does not"


@check("answers of tus tell what is left of the budget of calls")
def tus_tells_budget(live: Live) -> Seen:
    if "PATCH" not in live.tus_headers:
        raise Missing("no PATCH was taken")
    told = {method: _budget(headers) for method, headers in sorted(live.tus_headers.items())}
    return all(there for there, _ in told.values()), "; ".join(f"{key}: {line}" for key, (_, line) in told.items())


@check("the address of a finished upload still tells that all is there")
def finished_head(live: Live) -> Seen:
    live.sent()
    answer = outcome(lambda: live.head(live.created("clip")))
    if isinstance(answer, Told):
        return False, f"HEAD answers {answer.status}"
    offset, size = answer.headers.get("upload-offset"), live.clip.stat().st_size
    return offset == str(size), f"HEAD answers {answer.status}, offset {offset} of {size}"


def _budget(headers: Mapping[str, str]) -> Seen:
    """Whether headers tell the budget, by the names of either family."""
    told = [f"{name}: {headers[name]}" for name in ("ratelimit", "x-ratelimit-remaining") if name in headers]
    return bool(told), ", ".join(told) or "no header tells it"


def _deleted(live: Live) -> str:
    """The id of the open upload, once it was deleted. Raises Missing before."""
    uid = live.created("open").uid
    if uid in live.made:
        raise Missing("the open upload was not deleted")
    return uid
