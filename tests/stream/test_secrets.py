"""The token and the address of an upload are in no message, repr, log or traceback."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest

from curri.errors import ConfigError, CurriError
from curri.stream import failures
from curri.stream.account import Account
from curri.stream.client import Client
from curri.stream.pause import Stop, Stopped
from curri.stream.secret import Secret
from curri.stream.tus import Created, Uploads
from curri.stream.videos import Videos

from .conftest import FakeClock, Send, conduct_of
from .scripted import ACCOUNT, TOKEN, ScriptedServer, envelope

HIDDEN = "xyzzy-address-of-an-upload"


def test_a_secret_cannot_be_formatted() -> None:
    secret = Secret("plugh")
    for leak in (str, "{}".format, "%s".__mod__, lambda s: f"{s}", lambda s: f"{s:>9}", pickle.dumps, json.dumps):
        with pytest.raises(TypeError) as caught:
            leak(secret)
        assert "plugh" not in str(caught.value)
    assert repr(secret) == "Secret(***)"
    assert f"{secret!r} {[secret]} {Created('u', secret, None)}".count("plugh") == 0


def test_a_secret_is_copied_and_compared_by_its_text() -> None:
    secret = Secret("plugh")
    assert copy.deepcopy({"a": [secret]})["a"][0] is copy.copy(secret) is secret
    assert secret == Secret("plugh") != Secret("xyzzy")
    assert {secret: 1}[Secret("plugh")] == 1
    assert secret != "plugh"
    assert not Secret("")
    assert secret.reveal() == "plugh"


def test_what_is_shown_of_a_text_lacks_the_secret() -> None:
    assert Secret("plugh").scrubbed_from("say plugh, plugh") == "say ***, ***"
    assert Secret("").scrubbed_from("say") == "say"


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def all_that_can_be_seen(error: BaseException) -> str:
    """The error and its causes with the local variables of every frame, but those of the tests."""
    seen: list[str] = []
    todo: list[BaseException] = [error]
    while todo:
        each = todo.pop()
        told = traceback.TracebackException.from_exception(each, capture_locals=True)
        told.stack[:] = [frame for frame in told.stack if "/tests/" not in frame.filename]
        seen += told.format(chain=False)
        seen += [repr(each), str(each), repr(vars(each))]
        todo += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
    return "\n".join(seen)


@pytest.mark.parametrize(
    "word", ["500", "502:html", "400:10005", "403", "404", "408", "cut:before", "cut:half-lost", "429"]
)
def test_no_failure_of_an_upload_shows_token_or_address(
    server: ScriptedServer, client: Client, make_file: Send, everything: pytest.LogCaptureFixture, word: str
) -> None:
    artefact = make_file(300_000)
    server.location = lambda uid: f"{server.origin}/up/{HIDDEN}/{uid}?tusv2=true&{HIDDEN}"
    created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
    server.script("PATCH", " ".join([word] * 20))
    server.script("HEAD", "ok " * 20)
    if word == "403":
        server.routes["GET", "/stream"] = lambda _: (200, envelope([]))
    with pytest.raises(CurriError) as caught:
        Uploads(client).send(created.url, artefact, offset=0)
    seen = all_that_can_be_seen(caught.value) + everything.text
    assert HIDDEN not in seen
    assert TOKEN not in seen
    assert "_send_chunk" in seen  # the frames are there, so there was something to look through


def test_no_failure_of_the_network_shows_token_or_address(
    account: Account, clock: FakeClock, make_file: Send, everything: pytest.LogCaptureFixture
) -> None:
    with Client(account, conduct=conduct_of(clock)) as client, pytest.raises(failures.Unreachable) as caught:
        Uploads(client).send(Secret(f"http://127.0.0.1:1/{HIDDEN}"), make_file(300_000), offset=0)
    seen = all_that_can_be_seen(caught.value) + everything.text
    assert HIDDEN not in seen
    assert TOKEN not in seen


def test_a_server_that_echoes_our_secrets_does_not_make_us_show_them(server: ScriptedServer, client: Client) -> None:
    server.routes["GET", "/stream/abc"] = lambda request: (
        400,
        envelope(errors=[(10005, f"bad header {request.headers['authorization']}")]),
    )
    with pytest.raises(failures.Refused) as caught:
        Videos(client).get("abc")
    assert caught.value.message == "Stream answered 400: 10005 bad header Bearer ***"


def test_a_creation_that_cannot_be_used_does_not_show_its_address(server: ScriptedServer, client: Client) -> None:
    server.location = lambda uid: f"ftp://{HIDDEN}/{uid}"
    with pytest.raises(failures.CreationUnknown) as caught:
        Uploads(client).create(9, {"name": "x"}, seconds=10)
    assert HIDDEN not in all_that_can_be_seen(caught.value)


def test_the_log_of_a_good_upload_tells_what_happened_and_no_secret(
    server: ScriptedServer, client: Client, make_file: Send, everything: pytest.LogCaptureFixture
) -> None:
    artefact = make_file(300_000)
    server.location = lambda uid: f"{server.origin}/up/{HIDDEN}/{uid}"
    created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
    Uploads(client).send(created.url, artefact)
    assert "PATCH upload at 127.0.0.1: 204" in everything.text
    assert HIDDEN not in everything.text
    assert TOKEN not in everything.text


def test_httpx_stays_mute_even_if_someone_sets_its_level_later(
    server: ScriptedServer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="httpx"), caplog.at_level(logging.DEBUG, logger="httpcore.http11"):
        Videos(client).delete("abc")
    assert not [record for record in caplog.records if record.name.startswith("http")]


@pytest.mark.parametrize("token", ["", "a b", "abc\n", "tök", "Bearer abc"])
def test_a_token_that_cannot_be_one_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(failures.Credentials) as caught:
        Account(ACCOUNT, Secret(token))
    assert caught.value.hint
    if token:
        assert token not in all_that_can_be_seen(caught.value)


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        ("  ", "is empty"),
        ("\ufeffabc", "byte order mark"),
        (" abc", "has blanks or a line break around it"),
        ("abc\n", "has blanks or a line break around it"),
        ("Bearer abc", "begins with `Bearer`"),
        ("bearer: abc", "begins with `Bearer`"),
        ("a b", "holds blanks or characters that no token has"),
    ],
)
def test_the_fault_of_a_token_is_named(token: str, fault: str) -> None:
    with pytest.raises(failures.Credentials) as caught:
        Account(ACCOUNT, Secret(token))
    assert fault in caught.value.message


@pytest.mark.parametrize("base", ["https://user:pw@x/", "https://x/?a=b", "https://x/#a"])
def test_what_an_address_may_not_hold_is_named(base: str) -> None:
    with pytest.raises(failures.BadAddress, match=r"may hold no user, `\?` or `#`"):
        Account(ACCOUNT, Secret(TOKEN), base)


@pytest.mark.parametrize(
    ("base", "account_id", "error"),
    [
        ("ftp://x", ACCOUNT, failures.BadAddress),
        ("https://", ACCOUNT, failures.BadAddress),
        ("https://user:pw@x/", ACCOUNT, failures.BadAddress),
        ("https://x/?a=b", ACCOUNT, failures.BadAddress),
        ("https://x:port/", ACCOUNT, failures.BadAddress),
        ("http://api.cloudflare.com/client/v4", ACCOUNT, ConfigError),
        ("https://x", "", failures.WrongAccount),
        ("https://x", "../../user", failures.WrongAccount),
    ],
)
def test_settings_that_cannot_be_right_are_refused_before_any_request(
    base: str, account_id: str, error: type[CurriError]
) -> None:
    with pytest.raises(error) as caught:
        Account(account_id, Secret(TOKEN), base)
    assert "pw" not in f"{caught.value.message} {caught.value.where} {caught.value.hint}"


@pytest.mark.parametrize(
    ("base", "url", "takes"),
    [
        ("https://api.cloudflare.com/client/v4", "https://api.cloudflare.com/x", True),
        (
            "https://api.cloudflare.com/client/v4",
            "https://edge-production.gateway.api.cloudflare.com/x?tusv2=true",
            True,
        ),
        ("https://api.cloudflare.com/client/v4", "https://API.Cloudflare.com:443/x", True),
        ("https://api.cloudflare.com/client/v4", "http://api.cloudflare.com/x", False),
        ("https://api.cloudflare.com/client/v4", "https://upload.cloudflarestream.com/tus/x", False),
        ("https://api.cloudflare.com/client/v4", "https://upload.videodelivery.net/tus/x", False),
        ("https://api.cloudflare.com/client/v4", "https://evilcloudflare.com/x", False),
        ("https://api.cloudflare.com/client/v4", "https://cloudflare.com.evil.org/x", False),
        ("https://api.cloudflare.com/client/v4", "https://api.cloudflare.com@evil.org/x", False),
        ("https://api.cloudflare.com/client/v4", "https://evil.org/?https://api.cloudflare.com", False),
        ("https://api.cloudflare.com/client/v4", "ftp://api.cloudflare.com/x", False),
        ("http://127.0.0.1:8080/client/v4", "http://127.0.0.1:9090/x", True),
        ("http://127.0.0.1:8080/client/v4", "http://localhost:8080/x", False),
        ("http://127.0.0.1:8080/client/v4", "https://api.cloudflare.com/x", True),
        ("http://127.0.0.1:8080/client/v4", "http://api.cloudflare.com/x", False),
        ("https://stream.example/v4", "http://stream.example/x", False),
    ],
)
def test_the_token_travels_only_to_the_configured_host_and_to_cloudflare(base: str, url: str, takes: bool) -> None:
    assert Account(ACCOUNT, Secret(TOKEN), base).takes_token(url) is takes


def test_an_upload_at_a_foreign_host_gets_the_bytes_and_not_the_token(
    server: ScriptedServer, client: Client, make_file: Send
) -> None:
    server.location = lambda uid: f"http://localhost:{server.server_address[1]}/tus/{uid}"
    artefact = make_file(10_000)
    created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
    with pytest.raises(failures.UploadForbidden):  # this server insists on the token; what counts is what was sent
        Uploads(client).send(created.url, artefact, offset=0)
    assert [request.headers.get("authorization") for request in server.asked("PATCH")] == [None]
    assert server.asked("POST")[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_redirect_is_not_followed(server: ScriptedServer, client: Client) -> None:
    server.routes["GET", "/stream/abc"] = lambda _: (302, None)
    server.routes["GET", "/elsewhere"] = lambda _: (200, envelope({"uid": "abc"}))
    server.answer_headers["Location"] = f"{server.base}/accounts/{ACCOUNT}/elsewhere"
    with pytest.raises(failures.Redirected):
        Videos(client).get("abc")
    assert len(server.journal) == 1


def test_secrets_in_an_aborted_upload_stay_hidden(
    server: ScriptedServer, account: Account, clock: FakeClock, make_file: Send
) -> None:
    stop = Stop()
    server.script("PATCH", "stall")
    server.when_stalled(stop.abort)
    with Client(account, conduct=conduct_of(clock), stop=stop) as client:
        created = Uploads(client).create(20_000_000, {"name": "x"}, seconds=10)
        with pytest.raises(Stopped) as caught:
            Uploads(client).send(created.url, make_file(20_000_000), offset=0)
    assert created.url.reveal() not in all_that_can_be_seen(caught.value)
