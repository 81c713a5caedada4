"""Servers that stop moving, and sending that is stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from curri.stream.account import Account
from curri.stream.artefact import Artefact
from curri.stream.client import Client, Exchange
from curri.stream.pause import Clock, Stop, Stopped
from curri.stream.tus import Created, Uploads
from curri.stream.wire import Timeouts

from .conftest import FakeClock, Send, conduct_of
from .scripted import ScriptedServer
from .sending import CHUNK, MIB, SIZE, arrived, assert_whole, send

SHORT = Timeouts(connect=5, stall=0.4, answer=0.4, stored=0.4, whole=0.8)


@pytest.mark.parametrize("word", ["stall", "mute"])
def test_a_server_that_stops_reading_or_answering_is_left_and_asked_again(
    server: ScriptedServer, account: Account, clock: FakeClock, make_file: Send, word: str
) -> None:
    artefact = make_file(20 * MIB)  # more than the buffers of both sides hold
    with Client(account, conduct=conduct_of(clock, timeouts=SHORT)) as client:
        created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
        server.script("PATCH", word)
        send(client, created, artefact, 20 * MIB)
    assert_whole(server, created, artefact)
    assert [request.method for request in server.journal][1:3] == ["PATCH", "HEAD"]


def test_a_trickle_counts_as_a_stall(
    server: ScriptedServer, account: Account, clock: FakeClock, make_file: Send
) -> None:
    # Every 50 ms some bytes are taken, so no single write waits long: only the watchdog sees that a block does.
    artefact = make_file(20 * MIB)
    with Client(account, conduct=conduct_of(clock, timeouts=SHORT)) as client:
        created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
        server.script("PATCH", "trickle")
        send(client, created, artefact, 20 * MIB)
    assert_whole(server, created, artefact)
    assert len(server.asked("PATCH")) > 1


def test_a_chunk_that_moves_may_take_longer_than_a_whole_exchange_otherwise(
    server: ScriptedServer, account: Account, clock: FakeClock, make_file: Send
) -> None:
    artefact = make_file(20 * MIB)  # a second, at a MiB every 50 ms
    timeouts = Timeouts(connect=5, stall=2, answer=5, stored=5, whole=0.4)
    with Client(account, conduct=conduct_of(clock, timeouts=timeouts)) as client:
        created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
        server.script("PATCH", "steady")
        send(client, created, artefact, 20 * MIB)
    assert len(server.asked("PATCH")) == 1


def test_the_answer_to_a_chunk_may_take_longer_than_a_stall(
    server: ScriptedServer, account: Account, clock: FakeClock, artefact: Artefact
) -> None:
    timeouts = Timeouts(connect=5, stall=0.4, answer=0.4, stored=10, whole=0.4)
    with Client(account, conduct=conduct_of(clock, timeouts=timeouts)) as client:
        created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
        server.script("PATCH", "late")
        send(client, created, artefact)
    assert server.asked("HEAD") == []


def test_a_question_that_is_never_answered_ends(
    server: ScriptedServer, account: Account, clock: FakeClock, artefact: Artefact
) -> None:
    with Client(account, conduct=conduct_of(clock, timeouts=SHORT)) as client:
        created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
        server.script("HEAD", "mute mute ok")
        assert Uploads(client).offset(created.url, size=SIZE) == 0


def test_a_limit_on_bandwidth_is_no_stall(server: ScriptedServer, account: Account, make_file: Send) -> None:
    # One block takes longer than a stall may: the watchdog must know the pause for what it is.
    artefact = make_file(9_000)
    timeouts = Timeouts(connect=5, stall=0.25, answer=5, stored=5, whole=0.25)
    with Client(account, conduct=conduct_of(Clock(), bytes_per_second=10_000, timeouts=timeouts)) as client:
        created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
        send(client, created, artefact)
    assert_whole(server, created, artefact)
    assert len(server.asked("PATCH")) == 1


def test_the_first_stop_lets_the_chunk_in_flight_come_to_its_end(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    stop = Stop(client.stop)
    with pytest.raises(Stopped) as caught:
        Uploads(client).send(
            created.url, artefact, offset=0, chunk_size=CHUNK, on_acknowledged=lambda _: stop.finish(), stop=stop
        )
    assert caught.value.offset == CHUNK
    assert arrived(server, created).offset == CHUNK
    sent = Uploads(client).send(created.url, artefact, chunk_size=CHUNK)
    assert sent.resumed_at == CHUNK
    assert_whole(server, created, artefact)


LONG = Timeouts(connect=60, stall=60, answer=60, stored=60, whole=60)


@contextmanager
def at_once() -> Iterator[None]:
    """What happens inside must not wait for a time-out."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < LONG.stall / 3


@pytest.mark.parametrize("word", ["stall", "mute"])
def test_the_second_stop_cuts_what_is_in_flight(
    server: ScriptedServer, account: Account, clock: FakeClock, make_file: Send, word: str
) -> None:
    artefact = make_file(20 * MIB)
    stop = Stop()
    server.script("PATCH", f"ok {word}")
    server.when_stalled(stop.finish, stop.abort)
    with Client(account, conduct=conduct_of(clock, timeouts=LONG)) as client:
        created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
        with at_once(), pytest.raises(Stopped) as caught:
            Uploads(client).send(created.url, artefact, offset=0, chunk_size=10 * MIB, stop=stop)
        assert caught.value.offset == 10 * MIB
        assert Uploads(client).send(created.url, artefact).size == artefact.size  # and it goes on afterwards
    assert_whole(server, created, artefact)


def test_an_abort_ends_a_wait_for_the_answer_of_the_api(
    server: ScriptedServer, account: Account, clock: FakeClock
) -> None:
    server.script("GET", "stall")
    with Client(account, conduct=conduct_of(clock, timeouts=LONG)) as client:
        server.when_stalled(client.stop.abort)
        with at_once(), pytest.raises(Stopped):
            client.exchange(client.of_account(Exchange.GET, "GET", "/stream/abc"))


def test_a_stop_between_tries_tells_what_was_acknowledged(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact, clock: FakeClock
) -> None:
    server.script("PATCH", "ok 500")
    clock.on_pause = lambda _: client.stop.finish()
    with pytest.raises(Stopped) as caught:
        send(client, created, artefact)
    assert caught.value.offset == CHUNK


def test_an_error_in_the_callers_own_code_is_not_tried_again(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    def broken(_: int) -> None:
        raise KeyError("the database is gone")

    with pytest.raises(KeyError):
        Uploads(client).send(created.url, artefact, offset=0, chunk_size=CHUNK, on_acknowledged=broken)
    assert len(server.asked("PATCH")) == 1
