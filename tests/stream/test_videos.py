"""Reading, listing, editing and deleting videos, over a real socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curri.stream import failures
from curri.stream.client import Client
from curri.stream.videos import Edited, Usage, Videos, start_before

from .scripted import Request, ScriptedServer, envelope, library

Row = dict[str, object]


def row(number: int, created: str | None = None, **more: object) -> Row:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    stamp = created or moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{number:06}Z"
    return {"uid": f"uid{number:05}", "created": stamp, "status": {"state": "ready"}, "meta": {}} | more


def queries(server: ScriptedServer) -> list[dict[str, str]]:
    return [
        {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        for request in server.asked("GET")
    ]


def uids(server: ScriptedServer, client: Client, page: int = 1_000) -> list[str]:
    return [video.uid for video in Videos(client).listing(page=page)]


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 6, 7, 20])
def test_a_listing_has_every_video_once_oldest_first(
    server: ScriptedServer, client: Client, count: int, inclusive: bool
) -> None:
    rows = [row(number) for number in range(count)]
    server.routes["GET", "/stream"] = library(rows[::-1], inclusive=inclusive)
    assert uids(server, client, page=3) == [one["uid"] for one in rows]


@pytest.mark.parametrize("inclusive", [True, False])
def test_videos_of_one_moment_on_both_sides_of_a_page_are_not_missed(
    server: ScriptedServer, client: Client, inclusive: bool
) -> None:
    moments = [1, 2, 3, 4, 4, 5]
    stamps = [f"2026-01-01T00:00:00.12345678{moment}Z" for moment in moments]
    server.routes["GET", "/stream"] = library([row(n, s) for n, s in enumerate(stamps)], inclusive=inclusive)
    assert len(uids(server, client, page=4)) == 6


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(st.integers(min_value=0, max_value=12), max_size=20),
    inclusive=st.booleans(),
    cap=st.sampled_from([4, 5, 1_000]),
)
def test_no_listing_is_ever_partial_without_saying_so(
    server: ScriptedServer, client: Client, moments: list[int], inclusive: bool, cap: int
) -> None:
    rows = [row(n, f"2026-01-01T00:00:{moment:02}.5Z") for n, moment in enumerate(moments)]
    server.routes["GET", "/stream"] = library(rows, inclusive=inclusive, cap=cap)
    # Nothing helps where one moment fills a page. Real pages hold 1,000, and moments are micro- or nanoseconds.
    crowded = max((moments.count(moment) for moment in moments), default=0) >= min(cap, 5)
    try:
        found = uids(server, client, page=5)
    except failures.Unlistable:
        assert crowded
    else:
        whole = sorted(found) == sorted(str(one["uid"]) for one in rows)
        assert whole or (crowded and cap < 5)


def test_a_server_that_gives_less_than_asked_for_does_not_end_the_listing(
    server: ScriptedServer, client: Client
) -> None:
    server.routes["GET", "/stream"] = library([row(number) for number in range(30)], cap=7)
    assert len(uids(server, client)) == 30


def test_a_total_that_counts_more_than_the_filter_lets_through_costs_one_call_and_no_failure(
    server: ScriptedServer, client: Client
) -> None:
    server.routes["GET", "/stream"] = lambda _: (200, envelope([row(1)]) | {"total": 500, "range": "1"})
    assert uids(server, client) == ["uid00001"]
    assert len(server.journal) == 2


def test_ten_thousand_videos_take_at_most_twelve_calls(server: ScriptedServer, client: Client) -> None:
    server.routes["GET", "/stream"] = library([row(number) for number in range(10_000)])
    assert len(uids(server, client)) == 10_000
    assert len(server.journal) <= 12


def test_the_cursor_is_streams_own_text(server: ScriptedServer, client: Client) -> None:
    stamps = [f"2026-01-01T00:00:00.12345678{digit}Z" for digit in range(6)]
    server.routes["GET", "/stream"] = library([row(n, stamp) for n, stamp in enumerate(stamps)])
    assert len(uids(server, client, page=3)) == 6
    assert queries(server)[1]["start"] == stamps[1]


def test_filters_and_order_are_sent_with_every_page(server: ScriptedServer, client: Client) -> None:
    rows = [row(number, meta={"name": "a b&c"}) for number in range(5)]
    server.routes["GET", "/stream"] = library(rows)
    found = Videos(client).listing(
        status="ready", creator="me", video_name="a b&c", start="2025-01-01T00:00:00Z", page=3
    )
    assert len(found) == 5
    for query in queries(server):
        wanted = {"status": "ready", "creator": "me", "video_name": "a b&c", "asc": "true", "limit": "3"}
        assert wanted.items() <= query.items()
    assert queries(server)[0]["start"] == "2025-01-01T00:00:00Z"


def test_an_error_on_a_later_page_loses_the_listing_and_not_its_tail(server: ScriptedServer, client: Client) -> None:
    server.routes["GET", "/stream"] = library([row(number) for number in range(9)])
    server.script("GET", "ok 400:10005")
    with pytest.raises(failures.Refused):
        uids(server, client, page=4)


def test_a_passing_failure_on_a_later_page_is_tried_again(server: ScriptedServer, client: Client) -> None:
    server.routes["GET", "/stream"] = library([row(number) for number in range(9)])
    server.script("GET", "ok 500 cut:after ok")
    assert len(uids(server, client, page=4)) == 9


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: (200, envelope({"videos": []})),
        lambda _: (200, envelope(None)),
        lambda _: (200, envelope([row(n, "2026-01-01T00:00:00Z") for n in range(3)])),  # one moment fills a page
        lambda _: (200, envelope([row(n) for n in range(3)])),  # `start` is not obeyed
        lambda _: (200, envelope([row(n) | {"created": None} for n in range(3)])),
    ],
)
def test_a_listing_that_cannot_be_completed_is_no_listing(
    server: ScriptedServer, client: Client, answer: Callable[[Request], tuple[int, object]]
) -> None:
    server.routes["GET", "/stream"] = answer
    with pytest.raises(failures.Unlistable):
        uids(server, client, page=3)


def test_a_row_without_an_id_is_not_passed_over(server: ScriptedServer, client: Client) -> None:
    server.routes["GET", "/stream"] = lambda _: (200, envelope([row(1), {"created": "x"}]))
    with pytest.raises(failures.Garbled):
        uids(server, client)


def test_an_upload_whose_creation_was_not_answered_is_found_by_its_id(server: ScriptedServer, client: Client) -> None:
    rows = [row(n, meta={"uploadId": f"u{n % 3}", "name": "x"}) for n in range(6)]
    server.routes["GET", "/stream"] = library(rows)
    since = datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert [video.uid for video in Videos(client).created_with("u1", since)] == ["uid00001", "uid00004"]
    assert queries(server)[0]["start"] == "2026-01-01T00:00:00Z"  # an hour earlier: clocks differ
    assert Videos(client).created_with("u9", since) == []


def test_one_video_is_read(server: ScriptedServer, client: Client) -> None:
    server.routes["GET", "/stream/abc"] = lambda _: (200, envelope(row(7, meta={"name": "x"})))
    video = Videos(client).get("abc")
    assert (video.uid, video.name, video.state) == ("uid00007", "x", "ready")
    with pytest.raises(failures.NotFound):
        Videos(client).get("other")


@pytest.mark.parametrize("uid", ["", "..", "a/b", "a?b", "ü", "x" * 65])
def test_what_is_no_id_makes_no_request(server: ScriptedServer, client: Client, uid: str) -> None:
    for work in (Videos(client).get, Videos(client).delete, lambda uid: Videos(client).edit(uid, {})):
        with pytest.raises(ValueError, match="not the id"):
            work(uid)
    assert server.journal == []


# --- editing -----------------------------------------------------------------------------------------------------


class Shelf:
    """One video that can be edited, replacing its metadata or merging into it."""

    def __init__(self, server: ScriptedServer, meta: Row, *, merging: bool = False) -> None:
        self.meta = meta
        self.merging = merging
        server.routes["GET", "/stream/abc"] = lambda _: (200, envelope(row(1, meta=self.meta)))
        server.routes["POST", "/stream/abc"] = self.post

    def post(self, request: Request) -> tuple[int, object]:
        new = json.loads(request.body)["meta"]
        self.meta = {**self.meta, **new} if self.merging else new
        return 200, envelope(row(1, meta=self.meta))


@pytest.mark.parametrize("merging", [True, False])
def test_an_edit_changes_its_keys_and_keeps_all_others(server: ScriptedServer, client: Client, merging: bool) -> None:
    shelf = Shelf(server, {"name": "old", "theirs": {"deep": [1, None]}, "n": 7}, merging=merging)
    edited = Videos(client).edit("abc", {"name": "new", "lessonId": "1"})
    assert shelf.meta == {"name": "new", "theirs": {"deep": [1, None]}, "n": 7, "lessonId": "1"}
    assert edited == Edited({"name": "old", "theirs": {"deep": [1, None]}, "n": 7}, shelf.meta, written=True)


def test_an_edit_that_changes_nothing_is_not_sent(server: ScriptedServer, client: Client) -> None:
    Shelf(server, {"name": "x"})
    assert not Videos(client).edit("abc", {"name": "x", "gone": None}).written
    assert server.asked("POST") == []


def test_a_removed_key_is_gone_where_stream_replaces(server: ScriptedServer, client: Client) -> None:
    shelf = Shelf(server, {"name": "x", "extra": "y"})
    edited = Videos(client).edit("abc", {"extra": None})
    assert shelf.meta == edited.after == {"name": "x"}
    assert edited.kept == ()


def test_a_key_that_stream_would_not_give_up_is_told(server: ScriptedServer, client: Client) -> None:
    Shelf(server, {"name": "x", "extra": "y"}, merging=True)
    edited = Videos(client).edit("abc", {"extra": None, "name": "z"})
    assert edited.kept == ("extra",)
    assert edited.after == {"name": "z", "extra": "y"}


def test_undoing_an_edit_gives_what_was_there_before(server: ScriptedServer, client: Client) -> None:
    shelf = Shelf(server, {"name": "old", "theirs": "1"})
    edited = Videos(client).edit("abc", {"name": "new", "lessonId": "1"})
    back = {key: None if (old := edited.before.get(key)) is None else str(old) for key in ("name", "lessonId")}
    Videos(client).edit("abc", back)
    assert shelf.meta == edited.before


def test_an_edit_whose_answer_was_lost_is_made_again(server: ScriptedServer, client: Client) -> None:
    shelf = Shelf(server, {"name": "old"})
    server.script("POST", "cut:after 502:html ok")
    edited = Videos(client).edit("abc", {"name": "new"})
    assert shelf.meta == edited.after == {"name": "new"}


def test_an_edit_answered_without_the_video_is_read_back(server: ScriptedServer, client: Client) -> None:
    shelf = Shelf(server, {"name": "old"})
    server.routes["POST", "/stream/abc"] = lambda request: (shelf.post(request)[0], envelope(None))
    assert Videos(client).edit("abc", {"name": "new"}).after == {"name": "new"}


# --- deleting, storage, token ------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [(200, envelope({})), (200, envelope(None)), (204, None)])
def test_a_deletion_is_done_whatever_the_answer_holds(
    server: ScriptedServer, client: Client, answer: tuple[int, object]
) -> None:
    server.routes["DELETE", "/stream/abc"] = lambda _: answer
    assert Videos(client).delete("abc") is True


def test_deleting_what_is_gone_is_success(server: ScriptedServer, client: Client) -> None:
    assert Videos(client).delete("abc") is False


def test_a_deletion_that_was_refused_is_not_success(server: ScriptedServer, client: Client) -> None:
    server.script("DELETE", "400:10005")
    with pytest.raises(failures.Refused):
        Videos(client).delete("abc")
    server.routes["DELETE", "/stream/abc"] = lambda _: (200, envelope({}, errors=[(10005, "no")]))
    with pytest.raises(failures.Refused):
        Videos(client).delete("abc")


@pytest.mark.parametrize(
    ("result", "usage", "left"),
    [
        (
            {"totalStorageMinutes": 10.5, "totalStorageMinutesLimit": 1000, "videoCount": 3},
            Usage(10.5, 1000, 3),
            989.5,
        ),
        ({"totalStorageMinutes": "1200", "totalStorageMinutesLimit": "1000"}, Usage(1200, 1000, None), 0.0),
        ({"totalStorageMinutes": 0}, Usage(0, None, None), None),
    ],
)
def test_storage_is_read_and_what_is_left_is_never_negative(
    server: ScriptedServer, client: Client, result: Row, usage: Usage, left: float | None
) -> None:
    server.routes["GET", "/stream/storage-usage"] = lambda _: (200, envelope(result))
    found = Videos(client).storage()
    assert found == usage
    assert found.left == left


def test_storage_that_is_not_told_is_not_taken_for_nothing(server: ScriptedServer, client: Client) -> None:
    server.routes["GET", "/stream/storage-usage"] = lambda _: (200, envelope({}))
    with pytest.raises(failures.Garbled):
        Videos(client).storage()


def test_a_good_token_is_verified_by_one_call(server: ScriptedServer, client: Client) -> None:
    server.routes["GET", "/stream"] = library([])
    Videos(client).verify()
    assert len(server.journal) == 1


@pytest.mark.parametrize("active", [True, False])
def test_a_bad_token_is_told_from_one_that_lacks_a_permission(
    server: ScriptedServer, client: Client, active: bool
) -> None:
    server.script("GET", "403:10000")
    if active:
        server.routes["GET", "/user/tokens/verify"] = lambda _: (200, envelope({"status": "active"}))
    else:
        server.script("GET", "401:1000")
    with pytest.raises(failures.Credentials) as caught:
        Videos(client).verify()
    assert caught.value.hint
    assert ("the token is valid" in caught.value.message) is active
    assert ("CLOUDFLARE_ACCOUNT_ID" in caught.value.hint) is active


def test_an_account_that_does_not_exist_is_told_as_such(server: ScriptedServer, client: Client) -> None:
    server.script("GET", "404:7003")
    with pytest.raises(failures.WrongAccount) as caught:
        Videos(client).verify()
    assert str(caught.value.hint).startswith("check CURRI_STREAM_URL")  # it is not Cloudflare's own
    server.script("GET", "404")
    with pytest.raises(failures.WrongAccount):
        Videos(client).verify()


def test_a_listing_begins_early_enough_whatever_zone_a_time_is_given_in() -> None:
    noon = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert start_before(noon) == start_before(noon.astimezone(timezone(timedelta(hours=5)))) == "2026-03-01T11:00:00Z"
