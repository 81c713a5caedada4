"""Sending a file over a real socket that fails in every way we know of."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from curri.errors import ConfigError, StreamUnavailable
from curri.stream import chunks, failures
from curri.stream.account import Account
from curri.stream.artefact import Artefact
from curri.stream.client import Client, Exchange
from curri.stream.pause import Clock, Stop, Stopped
from curri.stream.secret import Secret
from curri.stream.tus import Created, Sent, Uploads
from curri.stream.wire import Timeouts

from .conftest import FakeClock, Send, conduct_of
from .scripted import ScriptedServer, Upload, envelope

CHUNK = chunks.SMALLEST
MIB = 1_048_576
SIZE = 12 * MIB + 345  # three chunks of the smallest size, the last one short


@pytest.fixture
def artefact(make_file: Send) -> Artefact:
    return make_file(SIZE)


@pytest.fixture
def created(client: Client, artefact: Artefact) -> Created:
    return Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)


def send(client: Client, created: Created, artefact: Artefact, chunk_size: int = CHUNK) -> Sent:
    return Uploads(client).send(created.url, artefact, offset=0, chunk_size=chunk_size)


def arrived(server: ScriptedServer, created: Created) -> Upload:
    return server.uploads[created.uid]


def assert_whole(server: ScriptedServer, created: Created, artefact: Artefact) -> None:
    upload = arrived(server, created)
    assert (upload.offset, upload.digest.hexdigest()) == (artefact.size, artefact.sha1)


def test_a_file_arrives_whole_in_chunks_of_the_size_that_was_chosen(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    sent = send(client, created, artefact)
    assert_whole(server, created, artefact)
    assert sent == Sent(SIZE, resumed_at=0, bytes_sent=SIZE, chunk_size=CHUNK)
    assert server.asked("HEAD") == []  # right after the creation there is nothing to ask
    patches = server.asked("PATCH")
    assert [int(patch.headers["content-length"]) for patch in patches] == [CHUNK, CHUNK, SIZE - 2 * CHUNK]
    assert [int(patch.headers["upload-offset"]) for patch in patches] == [0, CHUNK, 2 * CHUNK]
    for patch in patches:
        assert patch.headers["content-type"] == "application/offset+octet-stream"
        assert patch.headers["tus-resumable"] == "1.0.0"
        assert "transfer-encoding" not in patch.headers
        assert "expect" not in patch.headers


def test_each_acknowledged_offset_is_told_before_the_next_chunk_is_sent(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    told: list[tuple[int, int]] = []
    Uploads(client).send(
        created.url,
        artefact,
        offset=0,
        chunk_size=CHUNK,
        on_acknowledged=lambda offset: told.append((offset, len(server.asked("PATCH")))),
    )
    assert told == [(CHUNK, 1), (2 * CHUNK, 2), (SIZE, 3)]


def test_a_small_file_goes_as_one_chunk(server: ScriptedServer, client: Client, make_file: Send) -> None:
    artefact = make_file(17)
    created = Uploads(client).create(17, {"name": "x"}, seconds=1)
    send(client, created, artefact)
    assert_whole(server, created, artefact)
    assert len(server.asked("PATCH")) == 1


@pytest.mark.parametrize("word", ["cut:before", "cut:half", "cut:half-lost", "cut:after"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_cut_connection_costs_at_most_the_chunk_that_was_cut(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact, word: str, at: int
) -> None:
    server.script("PATCH", "ok " * at + word)
    sent = send(client, created, artefact)
    assert_whole(server, created, artefact)
    assert sent.bytes_sent <= SIZE + CHUNK
    assert len(server.asked("POST")) == 1


@pytest.mark.parametrize(
    "word", ["408", "409", "423", "425", "429", "460", "500", "502:html", "503", "504", "520", "522", "524"]
)
def test_a_passing_refusal_is_followed_by_asking_and_going_on(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact, word: str
) -> None:
    server.script("PATCH", f"ok {word}")
    send(client, created, artefact)
    assert_whole(server, created, artefact)
    methods = [request.method for request in server.journal]
    assert methods[:4] == ["POST", "PATCH", "PATCH", "HEAD"]
    assert methods.count("HEAD") == 1


def test_after_every_failure_the_offset_is_asked_for(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.script("PATCH", "500 cut:half 409 cut:after ok 423 ok")
    server.script("HEAD", "ok 502:html ok cut:before ok")
    send(client, created, artefact)
    assert_whole(server, created, artefact)
    for before, after in itertools.pairwise(server.journal):
        if before.word != "ok":
            assert after.method == "HEAD", f"{before.word} was followed by {after.method}"


def test_the_offset_of_the_answer_counts_and_not_our_own_arithmetic(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    # Another process sent the first chunk meanwhile: 409, and the offset that is asked for is believed.
    with artefact.path.open("rb") as file:
        arrived(server, created).digest.update(file.read(CHUNK + 7))
    arrived(server, created).offset = CHUNK + 7
    sent = send(client, created, artefact)
    assert_whole(server, created, artefact)
    assert int(server.asked("PATCH")[1].headers["upload-offset"]) == CHUNK + 7
    assert sent.bytes_sent <= SIZE + CHUNK


def test_a_chunk_that_was_taken_in_part_is_gone_on_with_from_there(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.script("PATCH", "part ok part ok")
    send(client, created, artefact)
    assert_whole(server, created, artefact)
    assert server.asked("HEAD") == []
    assert int(server.asked("PATCH")[1].headers["upload-offset"]) == CHUNK // 2


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_answer_that_claims_more_than_was_sent_is_not_believed(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact, at: int
) -> None:
    server.script("PATCH", "ok " * at + "boast")
    send(client, created, artefact)
    assert_whole(server, created, artefact)
    assert len(server.asked("HEAD")) == 1


def test_a_server_that_takes_nothing_is_not_asked_for_ever(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.script("PATCH", "ok " + "none " * 20)
    with pytest.raises(failures.NothingTaken):
        send(client, created, artefact)
    assert len(server.asked("PATCH")) == 1 + client.conduct.patience.attempts


def test_an_answer_without_an_offset_is_followed_by_asking(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.offset_header = False
    send(client, created, artefact)
    assert_whole(server, created, artefact)
    assert [request.method for request in server.journal[1:]] == ["PATCH", "HEAD"] * 3


def test_a_failure_after_the_last_byte_is_no_reason_to_send_it_again(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.script("PATCH", "ok ok cut:after")
    sent = send(client, created, artefact)
    assert sent.bytes_sent == SIZE
    assert len(server.asked("PATCH")) == 3


def test_another_process_goes_on_where_the_first_one_ended(
    server: ScriptedServer, account: Account, client: Client, created: Created, artefact: Artefact, clock: FakeClock
) -> None:
    server.script("PATCH", "ok " + "500 " * 20)
    with pytest.raises(StreamUnavailable):
        send(client, created, artefact)
    server.words.clear()
    address = Secret(created.url.reveal())  # all that is left is what was committed
    with Client(account, conduct=conduct_of(clock)) as other:
        artefact.prove(other.stop)
        sent = Uploads(other).send(address, artefact, chunk_size=CHUNK)
    assert_whole(server, created, artefact)
    assert (sent.resumed_at, sent.bytes_sent) == (CHUNK, SIZE - CHUNK)


def test_sending_again_what_is_there_sends_nothing(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    send(client, created, artefact)
    told: list[int] = []
    sent = Uploads(client).send(created.url, artefact, on_acknowledged=told.append)
    assert (sent.bytes_sent, sent.resumed_at, told) == (0, SIZE, [SIZE])
    assert len(server.asked("PATCH")) == 3


def test_that_all_is_there_is_asked_and_never_taken_from_the_caller(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    Uploads(client).send(created.url, artefact, offset=SIZE, chunk_size=CHUNK)
    assert_whole(server, created, artefact)


def test_a_line_that_breaks_again_and_again_but_moves_never_gives_up(
    server: ScriptedServer, client: Client, make_file: Send
) -> None:
    artefact = make_file(20 * MIB)
    created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
    server.script("PATCH", "cut:half " * 12)  # more failures than one stretch of patience allows
    send(client, created, artefact)
    assert_whole(server, created, artefact)


def test_without_progress_patience_ends(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact, clock: FakeClock
) -> None:
    server.script("PATCH", "500 " * 50)
    with pytest.raises(failures.ServerTrouble):
        send(client, created, artefact)
    assert len(server.asked("PATCH")) == client.conduct.patience.attempts
    assert len(clock.waits) == client.conduct.patience.attempts - 1


def test_a_failing_question_does_not_cost_more_than_its_share_of_patience(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.script("HEAD", "503 " * 50)
    with pytest.raises(failures.ServerTrouble):
        Uploads(client).send(created.url, artefact)
    assert len(server.asked("HEAD")) == client.conduct.patience.attempts
    assert server.asked("PATCH") == []


def test_after_a_time_out_of_stream_chunks_become_smaller(
    server: ScriptedServer, client: Client, make_file: Send
) -> None:
    artefact = make_file(30 * MIB)
    created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
    server.script("PATCH", "408 408 408")
    sent = send(client, created, artefact, 20 * MIB)
    assert_whole(server, created, artefact)
    lengths = [int(patch.headers["content-length"]) for patch in server.asked("PATCH")]
    assert lengths[:4] == [20 * MIB, 10 * MIB, 5 * MIB, 5 * MIB]
    assert sent.chunk_size == 5 * MIB


def test_one_broken_connection_does_not_make_chunks_smaller_but_a_second_does(
    server: ScriptedServer, client: Client, make_file: Send
) -> None:
    artefact = make_file(40 * MIB)
    created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
    server.script("PATCH", "cut:half-lost ok cut:half-lost cut:half-lost ok ok")
    sent = send(client, created, artefact, 20 * MIB)
    assert_whole(server, created, artefact)
    lengths = [int(patch.headers["content-length"]) // MIB for patch in server.asked("PATCH")]
    assert lengths == [20, 20, 20, 20, 10, 10]
    assert sent.chunk_size == 10 * MIB


def test_a_chunk_too_large_for_a_proxy_is_made_smaller(server: ScriptedServer, client: Client, make_file: Send) -> None:
    artefact = make_file(12 * MIB)
    created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
    server.script("PATCH", "413 ok")
    send(client, created, artefact, 10 * MIB)
    assert_whole(server, created, artefact)


def test_a_file_too_large_is_told_as_such_once_chunks_cannot_shrink(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.script("PATCH", "413 " * 20)
    with pytest.raises(failures.TooLarge):
        send(client, created, artefact, 20 * MIB)
    assert len(server.asked("PATCH")) == 3


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("400:10005", failures.Refused),
        ("404", failures.NotFound),
        ("410", failures.Gone),
        ("412", failures.Refused),
        ("415", failures.Refused),
        ("413:10011", failures.QuotaExceeded),
        ("307", failures.Redirected),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "HEAD"])
def test_a_final_refusal_is_told_at_once_and_nothing_is_created(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact, word: str, error: type, method: str
) -> None:
    if method == "HEAD" and ":" in word:
        word = word.partition(":")[0]  # an answer to HEAD has no body to carry a code
        error = failures.TooLarge if word == "413" else error
    server.script(method, word)
    with pytest.raises(error):
        Uploads(client).send(created.url, artefact, offset=0 if method == "PATCH" else None, chunk_size=CHUNK)
    assert len(server.asked(method)) == 1
    assert len(server.asked("POST")) == 1


@pytest.mark.parametrize("word", ["401", "403"])
def test_a_forbidden_upload_is_told_from_a_bad_token(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact, word: str
) -> None:
    server.routes["GET", "/stream"] = lambda _: (200, envelope([]))
    server.script("PATCH", word)
    with pytest.raises(failures.UploadForbidden):
        send(client, created, artefact)
    server.script("PATCH", word)
    server.script("GET", "403:10000")
    with pytest.raises(failures.Credentials):
        send(client, created, artefact)


def test_an_upload_for_a_file_of_another_size_gets_no_byte(
    server: ScriptedServer, client: Client, created: Created, make_file: Send
) -> None:
    with pytest.raises(failures.WrongUpload):
        Uploads(client).send(created.url, make_file(SIZE - 1), chunk_size=CHUNK)
    assert server.asked("PATCH") == []


def test_an_offset_beyond_what_was_sent_is_not_believed(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    arrived(server, created).length = SIZE
    server.answer_headers["Upload-Offset"] = str(SIZE + 1)
    with pytest.raises(failures.WrongUpload):
        Uploads(client).offset(created.url, size=SIZE)


@pytest.mark.parametrize("text", ["", "-1", "1e3", "0x10", "१२", "9" * 3 + " 1"])
def test_an_offset_that_is_no_number_is_asked_for_again(
    server: ScriptedServer, client: Client, created: Created, text: str
) -> None:
    server.answer_headers["Upload-Offset"] = text.encode().decode("latin-1")
    with pytest.raises(failures.Garbled):
        Uploads(client).offset(created.url, size=SIZE)
    assert len(server.asked("HEAD")) == client.conduct.patience.attempts


# --- the file ----------------------------------------------------------------------------------------------------


def test_a_file_that_grew_before_it_was_sent_is_not_sent(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    with artefact.path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(failures.FileChanged):
        send(client, created, artefact)
    assert server.asked("PATCH") == []


def test_a_file_touched_while_it_is_sent_never_arrives_whole(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    def touch(_: int) -> None:
        os.utime(artefact.path, ns=(1, 1))

    with pytest.raises(failures.FileChanged):
        Uploads(client).send(created.url, artefact, offset=0, chunk_size=CHUNK, on_acknowledged=touch)
    assert arrived(server, created).offset < SIZE
    assert len(server.asked("PATCH")) <= 2


def test_a_file_cut_short_while_it_is_sent_is_noticed(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    with pytest.raises(failures.FileChanged):
        Uploads(client).send(
            created.url,
            artefact,
            offset=0,
            chunk_size=CHUNK,
            on_acknowledged=lambda _: os.truncate(artefact.path, CHUNK),
        )
    assert arrived(server, created).offset < SIZE


def test_a_file_that_is_not_there_is_told_with_its_name(client: Client, created: Created, artefact: Artefact) -> None:
    artefact.path.unlink()
    with pytest.raises(failures.FileChanged) as caught:
        send(client, created, artefact)
    assert caught.value.where == str(artefact.path)


def test_other_bytes_of_the_same_size_and_time_are_found_by_proving(artefact: Artefact) -> None:
    artefact.prove(Stop())
    data = bytearray(artefact.path.read_bytes())
    data[SIZE // 2] ^= 1
    artefact.path.write_bytes(data)
    os.utime(artefact.path, ns=(artefact.mtime_ns, artefact.mtime_ns))
    with pytest.raises(failures.FileChanged):
        artefact.prove(Stop())


# --- time-outs, stalls, stops ------------------------------------------------------------------------------------

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


# --- chunks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [chunks.SMALLEST, chunks.USUAL, chunks.LARGEST, 10_485_760])
def test_sizes_that_stream_takes_are_taken(size: int) -> None:
    assert chunks.checked(size) == size


@pytest.mark.parametrize(
    "size", [0, -1, 262_144, chunks.SMALLEST - 262_144, chunks.SMALLEST + 1, chunks.LARGEST + 262_144]
)
def test_sizes_that_stream_does_not_take_are_refused_with_those_it_takes(size: int) -> None:
    with pytest.raises(ConfigError) as caught:
        chunks.checked(size)
    assert caught.value.hint
    assert "262,144" in caught.value.hint


def test_a_chunk_size_that_cannot_be_is_refused_before_any_request(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    with pytest.raises(ConfigError):
        send(client, created, artefact, 1_000_000)
    assert server.asked("PATCH") == []


def test_smaller_chunks_are_chunks_that_stream_takes_down_to_the_smallest() -> None:
    size, seen = chunks.LARGEST, [chunks.LARGEST]
    while size > chunks.SMALLEST:
        size = chunks.smaller(size)
        seen.append(chunks.checked(size))
    assert seen == sorted(set(seen), reverse=True)
    assert chunks.smaller(chunks.SMALLEST) == chunks.SMALLEST


# --- exchanges ---------------------------------------------------------------------------------------------------


def test_every_exchange_passes_the_hook_and_is_counted_whatever_came_of_it(
    server: ScriptedServer, account: Account, artefact: Artefact, clock: FakeClock
) -> None:
    seen: list[Exchange] = []
    conduct = conduct_of(clock)
    server.script("PATCH", "ok cut:after 500 ok")
    with Client(account, conduct=conduct, on_exchange=seen.append) as client:
        created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
        send(client, created, artefact)
    assert len(seen) == len(server.journal) == conduct.budget.spent
    names = {"POST": Exchange.CREATE, "PATCH": Exchange.SEND, "HEAD": Exchange.OFFSET}
    assert seen == [names[request.method] for request in server.journal]


def test_the_hook_comes_before_anyone_acts_on_the_answer(
    server: ScriptedServer, account: Account, artefact: Artefact, clock: FakeClock
) -> None:
    class Killed(BaseException):
        pass

    def kill(kind: Exchange) -> None:
        if kind is Exchange.SEND:
            raise Killed

    told: list[int] = []
    with Client(account, conduct=conduct_of(clock), on_exchange=kill) as client:
        created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)
        with pytest.raises(Killed):
            Uploads(client).send(created.url, artefact, offset=0, chunk_size=CHUNK, on_acknowledged=told.append)
    assert (told, arrived(server, created).offset) == ([], CHUNK)


def test_four_files_at_once_keep_four_connections_busy(server: ScriptedServer, client: Client, make_file: Send) -> None:
    files = [make_file(6 * MIB + number) for number in range(4)]
    uploads = [Uploads(client).create(file.size, {"name": "x"}, seconds=10) for file in files]
    together = threading.Barrier(4, timeout=20)

    def meet(offset: int) -> None:
        """Nobody gets past the first chunk before all four have one acknowledged."""
        if offset == CHUNK:
            together.wait()

    def work(created: Created, file: Artefact) -> None:
        Uploads(client).send(created.url, file, offset=0, chunk_size=CHUNK, on_acknowledged=meet)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(uploads, files, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for created, file in zip(uploads, files, strict=True):
        assert_whole(server, created, file)
