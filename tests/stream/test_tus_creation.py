"""Opening an upload: once, with everything that must be known before the first byte."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from curri.errors import StreamUnavailable
from curri.stream import failures, tus
from curri.stream.account import Account
from curri.stream.client import Answer, Client, Exchange
from curri.stream.notes import Notes
from curri.stream.pause import Stop, Stopped
from curri.stream.secret import Secret
from curri.stream.tus import Created, Uploads

from .conftest import FakeClock, conduct_of
from .scripted import ACCOUNT, BASE, TOKEN, UPLOAD_PATH, ScriptedServer, closed_port

WHERE = "POST /stream"
METADATA = {"name": "course_01_L01_learning", "courseTitle": "Größe, Maß & Ünïcödé 数学", "componentType": "learning"}


def create(client: Client, metadata: dict[str, str] | None = None, **more: str) -> Created:
    return Uploads(client).create(1_000, METADATA if metadata is None else metadata, seconds=61, **more)  # type: ignore[arg-type]


def test_a_creation_carries_length_metadata_and_duration_and_no_body(server: ScriptedServer, client: Client) -> None:
    created = create(client, creator="curri:1")
    request = server.asked("POST")[0]
    assert request.path == f"{BASE}/stream"
    assert request.headers["tus-resumable"] == "1.0.0"
    assert request.headers["upload-length"] == "1000"
    assert request.headers["upload-creator"] == "curri:1"
    assert request.headers["content-length"] == "0"
    assert "content-type" not in request.headers
    assert server.uploads[created.uid].metadata == METADATA | {"maxdurationseconds": "61"}


def test_a_creation_without_metadata_still_bounds_the_duration(server: ScriptedServer, client: Client) -> None:
    assert server.uploads[create(client, {}).uid].metadata == {"maxdurationseconds": "61"}


def test_the_id_is_the_one_that_stream_names_and_not_part_of_the_address(
    server: ScriptedServer, client: Client
) -> None:
    server.location = lambda _: f"{server.origin}/media/something-else?tusv2=true"
    assert create(client).uid == next(iter(server.uploads))


@pytest.mark.parametrize(
    "rest",
    [
        "/media/0a%2Fb?tusv2=true",
        "/x//y/./z/../w?a=%7e&b=[1]|2&c",
        "/x?",
        "?tusv2=true",
        "/a'b(c)*;d=1,2",
        "/%e2%82%ac?q=%C3",
    ],
)
def test_the_address_is_kept_and_used_byte_for_byte(server: ScriptedServer, client: Client, rest: str) -> None:
    server.location = lambda _: server.origin + rest
    created = create(client)
    assert created.url.reveal() == server.origin + rest
    with pytest.raises(failures.NotFound):
        Uploads(client).offset(created.url, size=1_000)
    assert server.asked("HEAD")[0].path == (rest if rest.startswith("/") else "/" + rest)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/media/abc?tusv2=true", "/media/abc?tusv2=true"),
        ("media/abc?tusv2=true", f"{BASE}/media/abc?tusv2=true"),
        ("//{host}/media/abc", "/media/abc"),
    ],
)
def test_a_relative_address_is_resolved(server: ScriptedServer, client: Client, location: str, path: str) -> None:
    server.location = lambda _: location.format(host=server.origin.partition("//")[2])
    assert create(client).url.reveal() == server.origin + path


def test_the_expiry_is_told_where_stream_tells_it(server: ScriptedServer, client: Client) -> None:
    assert create(client).expires is None
    server.answer_headers["Upload-Expires"] = "Tue, 14 Nov 2023 22:13:20 GMT"
    assert create(client).expires == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize("word", ["cut:before", "cut:after", "500", "502:html", "503", "520", "524", "408", "423"])
def test_a_creation_whose_fate_is_unknown_is_never_repeated(server: ScriptedServer, client: Client, word: str) -> None:
    server.script("POST", word)
    with pytest.raises(failures.CreationUnknown) as caught:
        create(client)
    assert not isinstance(caught.value, StreamUnavailable)
    assert caught.value.message.startswith("whether the upload was created is not known: ")
    assert caught.value.where == WHERE
    assert len(server.asked("POST")) == 1
    assert len(server.uploads) == (1 if word == "cut:after" else 0)


@pytest.mark.parametrize("missing", ["Location", "stream-media-id"])
def test_a_creation_without_address_or_id_counts_as_unknown(
    server: ScriptedServer, client: Client, missing: str
) -> None:
    server.answer_headers[missing] = ""
    with pytest.raises(failures.CreationUnknown) as caught:
        create(client)
    assert caught.value.message == "Stream created an upload, and did not say where or under which id"
    assert caught.value.where == WHERE
    assert len(server.uploads) == 1


@pytest.mark.parametrize("location", ["ftp://x/y", "http://", "http://[::1/x"])
def test_an_address_that_is_none_counts_as_unknown(server: ScriptedServer, client: Client, location: str) -> None:
    server.location = lambda _: location
    with pytest.raises(failures.CreationUnknown):
        create(client)


@pytest.mark.parametrize(
    "location", ["https://upload.example/x", "HTTPS://upload.example/x", "/x", "http://a.example/x"]
)
def test_bytes_never_go_in_the_clear_where_the_api_is_encrypted(location: str) -> None:
    ask = Client(Account(ACCOUNT, Secret(TOKEN))).of_account(Exchange.CREATE, "POST", "/stream")
    answer = Answer(201, {"stream-media-id": "0" * 32, "location": location}, Notes())
    assert (tus._created(answer, ask) is None) == location.startswith("http://")


def test_a_creation_that_was_refused_for_its_rate_is_repeated(
    server: ScriptedServer, client: Client, clock: FakeClock
) -> None:
    server.script("POST", "429:wait=7")
    create(client)
    assert len(server.uploads) == 1
    assert 7.0 <= clock.waits[0] <= 8.0


def test_a_creation_that_reached_nobody_is_repeated_and_then_told_as_such(clock: FakeClock) -> None:
    account = Account(ACCOUNT, Secret(TOKEN), f"http://127.0.0.1:{closed_port()}")
    with Client(account, conduct=conduct_of(clock)) as client, pytest.raises(failures.Unreachable):
        create(client)
    assert len(clock.waits) == 7


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("413:10011", failures.QuotaExceeded),
        ("403:10011", failures.QuotaExceeded),
        ("413", failures.TooLarge),
        ("400:10005", failures.Refused),
        ("403:10000", failures.Credentials),
        ("404:7003", failures.WrongAccount),
    ],
)
def test_a_refused_creation_says_why_and_is_not_repeated(
    server: ScriptedServer, client: Client, word: str, error: type[Exception]
) -> None:
    server.script("POST", word)
    with pytest.raises(error):
        create(client)
    assert len(server.asked("POST")) == 1


def test_an_answer_whose_body_breaks_off_still_tells_address_and_id(server: ScriptedServer, client: Client) -> None:
    # A body is announced and never comes.
    server.answer_headers |= {"Transfer-Encoding": "chunked", "Connection": "close"}
    assert create(client).uid in server.uploads


def test_nothing_is_created_once_a_stop_was_asked_for(server: ScriptedServer, client: Client) -> None:
    client.stop.finish()
    with pytest.raises(Stopped):
        create(client)
    assert server.journal == []


def test_a_stop_for_one_upload_leaves_the_others_alone(server: ScriptedServer, client: Client) -> None:
    one = Stop(client.stop)
    one.finish()
    with pytest.raises(Stopped):
        Uploads(client).create(10, METADATA, seconds=1, stop=one)
    create(client)
    assert len(server.uploads) == 1


@pytest.mark.parametrize(
    "key", ["", "two words", "a,b", "naïve", "maxDurationSeconds", "requiresignedurls", "Expiry", "tab\t", "a\nb"]
)
def test_a_key_that_tus_cannot_carry_or_stream_would_obey_is_refused(client: Client, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        create(client, {key: "x"})


def test_an_empty_value_is_a_key_alone() -> None:
    assert tus.encoded({"a": "", "b": "x"}) == "a,b eA=="


def test_metadata_that_no_server_takes_is_refused_with_a_hint(server: ScriptedServer, client: Client) -> None:
    with pytest.raises(failures.Refused) as caught:
        create(client, {"name": "x" * 9_000})
    assert re.fullmatch(r"the metadata of the video is too long to be sent \(12,\d{3} bytes\)", caught.value.message)
    assert caught.value.hint == "shorten the titles of the course and the lesson"
    assert server.journal == []


def test_metadata_may_take_eight_thousand_bytes() -> None:
    assert len(tus.encoded({"key": "x" * 5_997})) == 8_000
    with pytest.raises(failures.Refused):
        tus.encoded({"key": "x" * 5_998})


def test_a_file_over_the_limit_is_refused_before_any_request(server: ScriptedServer, client: Client) -> None:
    with pytest.raises(failures.TooLarge, match=r"^a file of 32,212,254,721 bytes is more than Stream takes$"):
        Uploads(client).create(30 * 2**30 + 1, METADATA, seconds=1)
    assert server.journal == []


def test_whatever_is_within_the_limits_is_left_to_stream(server: ScriptedServer, client: Client) -> None:
    for size, creator in ((1, "x"), (30 * 2**30, "x" * 64)):
        created = Uploads(client).create(size, METADATA, seconds=1, creator=creator)
        assert server.uploads[created.uid].length == size
        assert server.journal[-1].headers["upload-creator"] == creator


@pytest.mark.parametrize(
    ("size", "seconds", "creator"), [(0, 1, None), (1, 0, None), (1, 1, "x" * 65), (1, 1, "ü"), (1, 1, "")]
)
def test_numbers_and_creators_that_make_no_sense_are_refused(
    client: Client, size: int, seconds: int, creator: str | None
) -> None:
    told = "^(an upload has at least one byte and lasts at least one second|a creator has 1 to 64 ASCII characters)$"
    with pytest.raises(ValueError, match=told):
        Uploads(client).create(size, METADATA, seconds=seconds, creator=creator)


def test_the_address_in_this_test_server_looks_as_cloudflares() -> None:
    assert UPLOAD_PATH.fullmatch(f"{BASE}/media/{'0' * 32}?tusv2=true")
