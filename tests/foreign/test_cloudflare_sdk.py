"""Cloudflare's own Python client against the sandbox.

It checks every answer against its types, which are made from Cloudflare's description of the API.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from curri.sandbox import Fault, Sandbox, When

from .conftest import CHUNK, only

cloudflare: Any = pytest.importorskip("cloudflare", reason="cloudflare is not installed: run `make foreign`")


@pytest.fixture
def api(box: Sandbox) -> Iterator[Any]:
    with cloudflare.Cloudflare(
        api_token=box.token, base_url=box.url, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture
def plant(box: Sandbox) -> list[str]:
    """The uids of five ready videos of a minute each, oldest first; the third and the fifth have a creator."""
    uids = []
    for number in range(1, 6):
        creator = "ann" if number in (3, 5) else None
        meta = {"name": f"course_01_L{number:02d}_learning"}
        uids += [video.uid for video in box.plant([meta], state="ready", duration=60.0, creator=creator)]
        box.advance(1)
    return uids


def uids(page: Any) -> list[str]:
    """Which videos a listing gives."""
    return [video.uid for video in page]


def test_a_listing_is_newest_first_unless_asked_otherwise(api: Any, box: Sandbox, plant: list[str]) -> None:
    assert uids(api.stream.list(account_id=box.account_id)) == plant[::-1]
    assert uids(api.stream.list(account_id=box.account_id, asc=True)) == plant


def test_a_listing_is_paged_by_time(api: Any, box: Sandbox, plant: list[str]) -> None:
    """The client knows one page only; `created` of the last row begins the next, as a datetime or as it was."""
    found: dict[str, Any] = {}
    start: Any = datetime(2000, 1, 1, tzinfo=UTC)
    pages = 0
    while True:
        page = list(api.stream.list(account_id=box.account_id, asc=True, limit=2, start=start))
        new = [video for video in page if video.uid not in found]
        found |= {video.uid: video for video in new}
        pages += 1
        if not new:
            break
        start = page[-1].created
    assert list(found) == plant
    assert pages == 5  # each repeats the row that it begins with; the last holds nothing else
    backwards = api.stream.list(account_id=box.account_id, limit=2, end=found[plant[3]].created)
    assert uids(backwards) == [plant[2], plant[1]]
    between = api.stream.list(account_id=box.account_id, after=found[plant[1]].created, before=found[plant[3]].created)
    assert uids(between) == [plant[2], plant[1]]


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"creator": "ann"}, [5, 3]),
        ({"video_name": "course_01_L02_learning"}, [2]),
        ({"video_name": "course_01_L02"}, []),
        ({"search": "L04"}, [4]),
        ({"name": "course_01_L01_learning,course_01_L05_learning"}, [5, 1]),
        ({"status": "ready", "limit": 1}, [5]),
        ({"status": "error"}, []),
        ({"type": "live"}, []),
        ({"creator": "ann", "asc": True, "limit": 1}, [3]),
    ],
    ids=str,
)
def test_a_listing_is_filtered(
    api: Any, box: Sandbox, plant: list[str], filters: dict[str, Any], numbers: list[int]
) -> None:
    assert uids(api.stream.list(account_id=box.account_id, **filters)) == [plant[number - 1] for number in numbers]


def test_a_listing_takes_uids_and_counts(api: Any, box: Sandbox, plant: list[str]) -> None:
    chosen = ",".join(plant[:2])
    assert uids(api.stream.list(account_id=box.account_id, id=chosen)) == [plant[1], plant[0]]
    raw = api.stream.with_raw_response.list(account_id=box.account_id, include_counts=True, limit=2)
    body = httpx.Response(200, content=raw.read()).json()
    assert (int(body["total"]), int(body["range"]), len(body["result"])) == (5, 5, 2)


def test_a_video_is_got(api: Any, box: Sandbox, plant: list[str]) -> None:
    video = api.stream.get(plant[0], account_id=box.account_id)
    assert (video.uid, video.meta, video.duration) == (plant[0], {"name": "course_01_L01_learning"}, 60)
    assert (video.status.state, video.status.pct_complete, video.ready_to_stream) == ("ready", "100.000000", True)
    assert video.playback.hls.endswith(".m3u8")
    assert isinstance(video.created, datetime)


def test_a_video_is_edited(api: Any, box: Sandbox, plant: list[str]) -> None:
    far = datetime.now(UTC).replace(microsecond=0) + timedelta(days=60)
    video = api.stream.edit(
        plant[0],
        account_id=box.account_id,
        uid=plant[0],
        meta={"name": "new", "lesson": 7},
        creator="bob",
        allowed_origins=["example.com", "*.example.org"],
        require_signed_urls=True,
        thumbnail_timestamp_pct=0.25,
        scheduled_deletion=far,
        public_details={"title": "A title", "logo": None},
    )
    again = api.stream.get(plant[0], account_id=box.account_id)
    assert video == again
    assert again.meta == {"name": "new", "lesson": 7}
    assert (again.creator, again.allowed_origins) == ("bob", ["example.com", "*.example.org"])
    assert (again.require_signed_urls, again.thumbnail_timestamp_pct) == (True, 0.25)
    assert (again.scheduled_deletion, again.public_details.title) == (far, "A title")
    assert uids(api.stream.list(account_id=box.account_id, video_name="new")) == [plant[0]]


def test_an_edit_that_makes_no_sense_is_refused(api: Any, box: Sandbox, plant: list[str]) -> None:
    with pytest.raises(cloudflare.BadRequestError) as refused:
        api.stream.edit(plant[0], account_id=box.account_id, thumbnail_timestamp_pct=1.5)
    assert [error.code for error in refused.value.errors] == [10005]
    assert api.stream.get(plant[0], account_id=box.account_id).thumbnail_timestamp_pct == 0


def test_a_video_is_deleted(api: Any, box: Sandbox, plant: list[str]) -> None:
    assert api.stream.delete(plant[0], account_id=box.account_id) is None
    for ask in (api.stream.get, api.stream.delete):
        with pytest.raises(cloudflare.NotFoundError) as gone:
            ask(plant[0], account_id=box.account_id)
        assert [error.code for error in gone.value.errors] == [10003]
    assert uids(api.stream.list(account_id=box.account_id)) == plant[:0:-1]


def test_the_minutes_are_told(api: Any, box: Sandbox, plant: list[str]) -> None:
    usage = api.stream.videos.storage_usage(account_id=box.account_id)
    told = (usage.total_storage_minutes, usage.total_storage_minutes_limit, usage.video_count)
    assert told == (5, 10_000, 5)
    usage = api.stream.videos.storage_usage(account_id=box.account_id, creator="ann")
    assert (usage.total_storage_minutes, usage.video_count, usage.creator) == (2, 2, "ann")


def test_a_direct_upload_is_made_and_used(api: Any, box: Sandbox, clip: Path) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    made = api.stream.direct_upload.create(
        account_id=box.account_id, max_duration_seconds=60, expiry=soon, creator="ann", meta={"name": "direct"}
    )
    video = api.stream.get(made.uid, account_id=box.account_id)
    assert (video.status.state, video.creator, video.meta) == ("pendingupload", "ann", {"name": "direct"})
    assert (video.max_duration_seconds, video.upload_expiry, video.duration) == (60, soon, -1)
    with httpx.Client(trust_env=False) as browser:
        files = {"file": (clip.name, clip.read_bytes(), "video/mp4")}
        assert browser.post(made.upload_url, files=files).status_code == 200
    box.advance(60)
    video = api.stream.get(made.uid, account_id=box.account_id)
    assert (video.status.state, video.ready_to_stream, video.size) == ("ready", True, clip.stat().st_size)
    assert 0 < video.duration <= 60
    assert video.input.width > 0


def test_a_tus_upload_is_created_and_filled(api: Any, box: Sandbox, clip: Path) -> None:
    """The client creates, and leaves the bytes to others."""
    name = base64.b64encode(b"by tus").decode()
    answer = api.stream.with_raw_response.create(
        account_id=box.account_id,
        tus_resumable="1.0.0",
        upload_length=clip.stat().st_size,
        upload_creator="ann",
        upload_metadata=f"name {name},requiresignedurls",
    )
    assert answer.status_code == 201
    uid, location = answer.headers["stream-media-id"], answer.headers["location"]
    video = api.stream.get(uid, account_id=box.account_id)
    assert (video.meta, video.creator, video.require_signed_urls) == ({"name": "by tus"}, "ann", True)
    assert clip.stat().st_size < CHUNK
    sent = api.patch(
        location,
        cast_to=httpx.Response,
        content=clip.read_bytes(),
        options={
            "headers": {
                "Tus-Resumable": "1.0.0",
                "Upload-Offset": "0",
                "Content-Type": "application/offset+octet-stream",
            }
        },
    )
    assert sent.status_code == 204
    box.advance(60)
    assert api.stream.get(uid, account_id=box.account_id).status.state == "ready"


def test_every_state_is_one_that_it_knows(api: Any, box: Sandbox) -> None:
    states = ["pendingupload", "queued", "inprogress", "ready", "error"]
    for state in states:
        box.plant([{"name": state}], state=state)
    listed = api.stream.list(account_id=box.account_id, asc=True)
    assert [video.status.state for video in listed] == states


def test_captions_tokens_and_downloads_are_as_it_expects(api: Any, box: Sandbox, plant: list[str]) -> None:
    account = box.account_id
    text = "WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"  # it takes no path and no bytes here
    made = api.stream.captions.language.update("en", account_id=account, identifier=plant[0], file=text)
    assert (made.language, made.generated, made.status) == ("en", False, "ready")
    assert [caption.language for caption in api.stream.captions.get(plant[0], account_id=account)] == ["en"]
    assert "Hello" in api.stream.captions.language.vtt.get("en", account_id=account, identifier=plant[0])
    assert api.stream.captions.language.delete("en", account_id=account, identifier=plant[0]) == ""
    assert api.stream.token.create(plant[0], account_id=account).token.count(".") == 2
    assert plant[0] in api.stream.embed.get(plant[0], account_id=account)
    assert api.stream.downloads.create(plant[0], account_id=account).default.status == "ready"
    assert api.stream.downloads.get(plant[0], account_id=account).default.url.endswith("default.mp4")


@pytest.mark.parametrize("spelling", ["body_notification_url_1", "body_notification_url_2"])
def test_the_webhook_is_set_in_both_spellings(api: Any, box: Sandbox, spelling: str) -> None:
    """It sends `notification_url` and `notificationUrl`."""
    hook = api.stream.webhooks.update(account_id=box.account_id, **{spelling: "http://127.0.0.1:9/hook"})
    assert hook.notification_url == "http://127.0.0.1:9/hook"
    assert isinstance(hook.modified, datetime)
    assert api.stream.webhooks.get(account_id=box.account_id).model_dump() == hook.model_dump()
    assert api.stream.webhooks.delete(account_id=box.account_id) == ""
    with pytest.raises(cloudflare.NotFoundError):
        api.stream.webhooks.get(account_id=box.account_id)


def test_a_wrong_token_is_refused(box: Sandbox) -> None:
    with (
        cloudflare.Cloudflare(api_token="wrong", base_url=box.url, max_retries=0) as stranger,
        pytest.raises(cloudflare.PermissionDeniedError) as refused,
    ):
        stranger.stream.list(account_id=box.account_id)
    assert [error.code for error in refused.value.errors] == [10000]


def test_its_own_retries_get_over_what_passes(api: Any, box: Sandbox, plant: list[str]) -> None:
    box.faults(
        Fault("answer", When(path="get"), status=502),
        Fault("drop-after", When(path="get", nth=1)),
        Fault("answer", When(path="get"), status=429, retry_after=0),
    )
    patient = api.with_options(max_retries=4)
    assert patient.stream.get(plant[0], account_id=box.account_id).uid == plant[0]
    assert [entry.status for entry in box.requests()] == [502, None, 429, 200]


def test_the_budget_is_told_and_enforced(api: Any, box: Sandbox, plant: list[str]) -> None:
    answer = api.stream.with_raw_response.get(plant[0], account_id=box.account_id)
    assert answer.headers["ratelimit"].startswith('"default";r=1199')
    box.faults(Fault("answer", When(path="list"), status=429, retry_after=7))
    with pytest.raises(cloudflare.RateLimitError) as limited:
        api.stream.list(account_id=box.account_id)
    assert limited.value.response.headers["retry-after"] == "7"
    assert uids(api.stream.list(account_id=box.account_id, limit=1)) == [only(plant[-1:])]
