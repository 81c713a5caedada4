"""The file that is sent, the pieces it is sent in, and the exchanges that it takes."""

from __future__ import annotations

import os
import threading

import pytest

from curri.errors import ConfigError
from curri.stream import chunks, failures
from curri.stream.account import Account
from curri.stream.artefact import Artefact
from curri.stream.client import Client, Exchange
from curri.stream.pause import Stop
from curri.stream.tus import Created, Uploads

from .conftest import FakeClock, Send, conduct_of
from .scripted import ScriptedServer
from .sending import CHUNK, MIB, SIZE, arrived, assert_whole, send


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


def test_a_file_touched_before_the_last_few_bytes_never_arrives_whole(
    server: ScriptedServer, client: Client, make_file: Send
) -> None:
    artefact = make_file(CHUNK + 100)
    created = Uploads(client).create(artefact.size, {"name": "x"}, seconds=10)

    def touch(_: int) -> None:
        os.utime(artefact.path, ns=(1, 1))

    with pytest.raises(failures.FileChanged):
        Uploads(client).send(created.url, artefact, offset=0, chunk_size=CHUNK, on_acknowledged=touch)
    assert arrived(server, created).offset < artefact.size


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
