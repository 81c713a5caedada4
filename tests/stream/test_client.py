"""The one function that makes requests, over a real socket."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from curri.stream import failures
from curri.stream.account import Account
from curri.stream.budget import Budget
from curri.stream.client import LARGEST_ANSWER, Answer, Client, Exchange
from curri.stream.pause import Clock
from curri.stream.retry import Patience
from curri.stream.secret import Secret
from curri.stream.wire import Timeouts

from .conftest import FakeClock, conduct_of
from .scripted import ACCOUNT, BASE, TOKEN, ScriptedServer, closed_port, envelope


def get(client: Client) -> Answer:
    return client.exchange(client.of_account(Exchange.GET, "GET", "/stream/abc"))


@pytest.fixture(autouse=True)
def _one_video(server: ScriptedServer) -> None:
    server.routes["GET", "/stream/abc"] = lambda _: (200, envelope({"uid": "abc"}))


def test_an_answer_gives_the_result_of_its_envelope(server: ScriptedServer, client: Client) -> None:
    assert get(client).result == {"uid": "abc"}
    request = server.journal[0]
    assert request.path == f"{BASE}/stream/abc"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["user-agent"].startswith("curri/")


def test_making_and_opening_a_client_asks_nobody(account: Account, server: ScriptedServer) -> None:
    with Client(account):
        pass
    assert server.journal == []


def test_a_client_that_is_not_open_says_so(account: Account, clock: FakeClock) -> None:
    client = Client(account, conduct=conduct_of(clock))
    with pytest.raises(RuntimeError, match="with statement"):
        get(client)
    with client:
        get(client)
    with pytest.raises(RuntimeError, match="with statement"):
        get(client)


def test_opening_and_closing_twice_changes_nothing(account: Account, clock: FakeClock) -> None:
    client = Client(account, conduct=conduct_of(clock))
    client.open()
    client.open()
    get(client)
    assert [thread.name for thread in threading.enumerate()].count("stream-watchdog") == 1
    client.close()
    client.close()
    assert [thread.name for thread in threading.enumerate()].count("stream-watchdog") == 0
    client.open()
    get(client)
    client.close()


def test_a_failure_is_raised_once_and_tried_again_only_by_call(
    server: ScriptedServer, client: Client, clock: FakeClock
) -> None:
    server.script("GET", "503 503 503")
    ask = client.of_account(Exchange.GET, "GET", "/stream/abc")
    with pytest.raises(failures.ServerTrouble):
        client.exchange(ask)
    assert client.call(ask).result == {"uid": "abc"}
    assert len(server.journal) == 4
    assert len(clock.waits) == 2


@pytest.mark.parametrize("word", ["cut:before", "cut:after", "500", "502:html", "408", "429"])
def test_reading_is_tried_again_after_every_passing_failure(server: ScriptedServer, client: Client, word: str) -> None:
    server.script("GET", f"{word} {word}")
    assert client.call(client.of_account(Exchange.GET, "GET", "/stream/abc")).result == {"uid": "abc"}


def test_a_rate_limit_holds_back_every_thread(server: ScriptedServer, client: Client, clock: FakeClock) -> None:
    server.script("GET", "429:wait=30")
    with pytest.raises(failures.RateLimited) as caught:
        get(client)
    assert caught.value.retry_after == 30
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(get, [client] * 3))
    assert sum(clock.waits) >= 30


@pytest.mark.parametrize("status", [200, 404, 500])
def test_the_headers_of_every_answer_reach_the_budget(
    server: ScriptedServer, client: Client, clock: FakeClock, status: int
) -> None:
    server.routes["GET", "/stream/other"] = lambda _: (status, envelope({}))
    server.answer_headers["Ratelimit"] = '"default";r=0;t=77'
    with suppress(failures.Told):
        client.exchange(client.of_account(Exchange.GET, "GET", "/stream/other"))
    get(client)
    assert clock.waits == [77]


@pytest.mark.parametrize(
    "body", [b"<html><title>Log in to the hotel</title></html>", b"", b"[]", b'{"success": true, "result": {"uid": ']
)
def test_an_answer_that_is_not_streams_is_garbled(server: ScriptedServer, client: Client, body: bytes) -> None:
    server.raw = body
    with pytest.raises(failures.Garbled):
        get(client)


def test_an_answer_without_end_is_not_read_to_its_end(server: ScriptedServer, client: Client) -> None:
    server.raw = b"x" * (LARGEST_ANSWER + 1)
    with pytest.raises(failures.Garbled, match="does not end"):
        get(client)
    server.raw = None
    assert get(client).status == 200


def test_a_body_that_drips_ends_with_the_time_for_the_whole(
    server: ScriptedServer, account: Account, clock: FakeClock
) -> None:
    # Each byte comes long before the limit for one read: only the limit for all of it can end this.
    timeouts = Timeouts(connect=5, stall=5, answer=5, stored=5, whole=0.4)
    server.drip = True
    with Client(account, conduct=conduct_of(clock, timeouts=timeouts)) as client, pytest.raises(failures.Stalled):
        get(client)


def test_nobody_at_the_other_end_is_unreachable_with_what_to_do(clock: FakeClock) -> None:
    account = Account(ACCOUNT, Secret(TOKEN), f"http://127.0.0.1:{closed_port()}")
    with Client(account, conduct=conduct_of(clock)) as client, pytest.raises(failures.Unreachable) as caught:
        get(client)
    assert caught.value.hint
    assert "refused" in caught.value.message
    assert "CURRI_STREAM_URL (127.0.0.1); or check the network" in caught.value.hint


def test_connections_are_used_again(server: ScriptedServer, client: Client) -> None:
    for _ in range(5):
        get(client)
    assert server.connections == 1


@pytest.mark.parametrize(
    "proxy", ["gopher://me:plugh@127.0.0.1:70", "socks5://me:plugh@127.0.0.1:70", "http://me:plugh@127.0.0.1:port"]
)
def test_a_proxy_that_cannot_be_used_is_a_setting_to_put_right(
    account: Account, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with Client(account, conduct=conduct_of(clock)) as client, pytest.raises(failures.BadAddress) as caught:
        get(client)
    assert caught.value.where == "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY"
    assert "plugh" not in "".join(traceback.format_exception(caught.value))


def test_requests_go_through_the_proxy_of_the_environment(
    server: ScriptedServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(ACCOUNT, Secret(TOKEN), "http://stream.example/client/v4")
    monkeypatch.setenv("HTTP_PROXY", server.origin.removeprefix("http://"))
    with Client(account, conduct=conduct_of(clock)) as client:
        assert get(client).result == {"uid": "abc"}
        assert server.journal[0].path == f"http://stream.example{BASE}/stream/abc"
        monkeypatch.setenv("NO_PROXY", "stream.example")
        with pytest.raises(failures.Unreachable):
            get(client)


def test_certificates_that_cannot_be_read_are_a_setting_to_put_right(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")
    with pytest.raises(failures.Untrusted) as caught, Client(account):
        pass
    assert caught.value.where == "SSL_CERT_FILE"


def test_an_error_frees_its_place_in_the_budget(account: Account, server: ScriptedServer) -> None:
    conduct = conduct_of(FakeClock())
    with Client(account, conduct=conduct) as client:
        server.script("GET", "cut:before 500 404")
        for _ in range(3):
            with pytest.raises(failures.Told):
                get(client)
    assert conduct.budget._in_flight == 0
    assert conduct.budget.spent == 3


def test_defaults_are_cloudflares_limits() -> None:
    client = Client(Account(ACCOUNT, Secret(TOKEN)))
    assert client.account.base == "https://api.cloudflare.com/client/v4"
    assert isinstance(client.conduct.budget, Budget)
    assert isinstance(client.conduct.clock, Clock)
    assert client.conduct.patience == Patience()
    assert client.conduct.bandwidth.block(1 << 30) == 1 << 30


@pytest.mark.parametrize("module", ["secret", "pause", "chunks", "account", "failures", "budget", "webhook", "held"])
def test_what_settings_and_flows_need_early_does_not_load_httpx(module: str) -> None:
    code = f"import sys, curri.stream.{module}; sys.exit(bool({{'httpx', 'tenacity', 'ssl'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
