"""Sending a file over a real socket that fails in every way we know of."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from curri.errors import StreamUnavailable
from curri.stream import failures
from curri.stream.account import Account
from curri.stream.artefact import Artefact
from curri.stream.client import Client, Exchange
from curri.stream.pause import Stop, Stopped
from curri.stream.retry import Patience
from curri.stream.secret import Secret
from curri.stream.tus import Created, Sent, Uploads

from .conftest import FakeClock, Send, conduct_of
from .scripted import ScriptedServer, envelope
from .sending import CHUNK, MIB, SIZE, arrived, assert_whole, send


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


def test_an_offset_that_is_known_already_is_not_told_again(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.script("PATCH", "none ok none ok")
    told: list[int] = []
    Uploads(client).send(created.url, artefact, offset=0, chunk_size=CHUNK, on_acknowledged=told.append)
    assert told == [CHUNK, 2 * CHUNK, SIZE]


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
    with pytest.raises(failures.NothingTaken) as caught:
        send(client, created, artefact)
    assert caught.value.message == "Stream took no byte of a chunk"
    assert str(caught.value.where).startswith("PATCH upload at ")
    assert len(server.asked("PATCH")) == 1 + client.conduct.patience.attempts


def test_a_server_that_claims_more_and_more_is_given_up(
    server: ScriptedServer, client: Client, make_file: Send
) -> None:
    created = Uploads(client).create(10, {"name": "x"}, seconds=1)
    server.script("PATCH", "lie " * 20)
    with pytest.raises(failures.Conflict) as caught:
        send(client, created, make_file(10))
    assert caught.value.message == "Stream holds 20 bytes of 10 that were sent"
    assert str(caught.value.where).startswith("PATCH upload at ")
    assert len(server.asked("PATCH")) == client.conduct.patience.attempts


def test_an_answer_without_an_offset_is_followed_by_asking(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.offset_header = False
    send(client, created, artefact)
    assert_whole(server, created, artefact)
    assert [request.method for request in server.journal[1:]] == ["PATCH", "HEAD"] * 3


def test_a_server_that_never_says_what_it_holds_is_given_up(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.offset_header = False
    server.script("PATCH", "none " * 20)
    with pytest.raises(failures.Garbled) as caught:
        send(client, created, artefact)
    assert str(caught.value.where).startswith("PATCH upload at ")


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


def test_a_chunk_of_the_smallest_size_that_is_too_large_is_not_sent_again(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    server.script("PATCH", "ok 413 ok")
    with pytest.raises(failures.TooLarge):
        send(client, created, artefact)
    assert len(server.asked("PATCH")) == 2


def test_a_chunk_that_was_too_large_to_the_last_is_told_with_the_answer(
    server: ScriptedServer, account: Account, clock: FakeClock, artefact: Artefact
) -> None:
    server.script("PATCH", "413 " * 20)
    conduct = replace(conduct_of(clock), patience=Patience(attempts=2))
    with Client(account, conduct=conduct) as client:
        created = Uploads(client).create(SIZE, {"name": "x"}, seconds=10)
        with pytest.raises(failures.SlowChunk, match=r"^Stream answered 413$") as caught:
            send(client, created, artefact, 200 * MIB)
    assert str(caught.value.where).startswith("PATCH upload at ")


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
    with pytest.raises(failures.UploadForbidden) as caught:
        send(client, created, artefact)
    assert caught.value.message == f"Stream answered {word}"
    assert str(caught.value.where).startswith("PATCH upload at ")
    assert [request.path.rpartition("/")[2] for request in server.asked("GET")] == ["stream?limit=1"]
    server.script("PATCH", word)
    server.script("GET", "403:10000")
    with pytest.raises(failures.Credentials):
        send(client, created, artefact)


def test_the_token_is_tried_as_any_other_exchange_and_not_after_a_stop(
    server: ScriptedServer, account: Account, clock: FakeClock, artefact: Artefact
) -> None:
    server.routes["GET", "/stream"] = lambda _: (200, envelope([]))
    server.script("PATCH", "403 403")
    stop = Stop()
    seen: list[Exchange] = []
    with Client(account, conduct=conduct_of(clock), on_exchange=seen.append) as client:
        created = Uploads(client).create(SIZE, {"name": "x"}, seconds=10)
        with pytest.raises(failures.UploadForbidden):
            Uploads(client).send(created.url, artefact, stop=stop)
        assert seen == [Exchange.CREATE, Exchange.OFFSET, Exchange.SEND, Exchange.VERIFY]
    stopping = Client(account, conduct=conduct_of(clock), on_exchange=lambda _: stop.finish())
    with stopping as client, pytest.raises(Stopped):
        Uploads(client).send(created.url, artefact, offset=0, stop=stop)
    assert (len(server.asked("PATCH")), len(server.asked("GET"))) == (2, 1)


def test_an_upload_for_a_file_of_another_size_gets_no_byte(
    server: ScriptedServer, client: Client, created: Created, make_file: Send
) -> None:
    with pytest.raises(failures.WrongUpload) as caught:
        Uploads(client).send(created.url, make_file(SIZE - 1), chunk_size=CHUNK)
    assert caught.value.message == f"the upload is for a file of {SIZE} bytes, not {SIZE - 1}"
    assert str(caught.value.where).startswith("HEAD upload at 127.0.0.1")
    assert server.asked("PATCH") == []


def test_where_an_upload_stands_is_asked_for_by_the_rules_of_tus(
    server: ScriptedServer, client: Client, created: Created
) -> None:
    assert Uploads(client).offset(created.url, size=SIZE) == 0
    (asked,) = server.asked("HEAD")
    assert asked.headers["tus-resumable"] == "1.0.0"


def test_an_upload_whose_size_stream_does_not_tell_is_taken_for_the_right_one(
    server: ScriptedServer, client: Client, created: Created
) -> None:
    server.length_header = False
    arrived(server, created).offset = CHUNK
    assert Uploads(client).offset(created.url, size=SIZE) == CHUNK


def test_nobody_is_asked_once_a_stop_was_asked_for(
    server: ScriptedServer, client: Client, created: Created, artefact: Artefact
) -> None:
    stop = Stop(client.stop)
    stop.finish()
    with pytest.raises(Stopped):
        Uploads(client).offset(created.url, size=SIZE, stop=stop)
    with pytest.raises(Stopped):
        Uploads(client).send(created.url, artefact, stop=stop)
    assert server.asked("HEAD", "PATCH") == []


@pytest.mark.parametrize("offset", [SIZE + 1, 10**19 - 1])
def test_an_offset_beyond_what_was_sent_is_not_believed(
    server: ScriptedServer, client: Client, created: Created, offset: int
) -> None:
    server.answer_headers["Upload-Offset"] = str(offset)
    with pytest.raises(failures.WrongUpload):
        Uploads(client).offset(created.url, size=SIZE)


@pytest.mark.parametrize("text", ["", "-1", "1e3", "0x10", "१२", "9" * 3 + " 1", "9" * 20])
def test_an_offset_that_is_no_number_is_asked_for_again(
    server: ScriptedServer, client: Client, created: Created, text: str
) -> None:
    server.answer_headers["Upload-Offset"] = text.encode().decode("latin-1")
    with pytest.raises(failures.Garbled) as caught:
        Uploads(client).offset(created.url, size=SIZE)
    assert caught.value.message == "Stream did not say how many bytes it holds"
    assert str(caught.value.where).startswith("HEAD upload at 127.0.0.1")
    assert len(server.asked("HEAD")) == client.conduct.patience.attempts
