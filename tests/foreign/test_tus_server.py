"""curri's uploads against @tus/server, the tus server of the people who wrote the protocol down.

It knows nothing of Stream: what Stream adds, the token and `stream-media-id`, is put there by its own hooks, and
`maxdurationseconds` is one more piece of metadata to it. Everything else is its own: what it takes, where it says that
an upload stands, and how it refuses.
"""

from __future__ import annotations

import hashlib
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from curri.errors import ConfigError
from curri.stream import failures
from curri.stream.artefact import Artefact
from curri.stream.client import Exchange
from curri.stream.secret import Secret
from curri.stream.tus import Created, Sent

from .conftest import ACCOUNT, CHUNK, MIB, TOKEN, MakeFile, Ours, Theirs, uploading
from .cutting import Line

TUS = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {TOKEN}"}


def noted(theirs: Theirs, uid: str) -> dict[str, Any]:
    """What the server keeps of an upload beside its bytes."""
    return dict(json.loads(theirs.note(uid).read_text()))


def assert_whole(theirs: Theirs, created: Created, artefact: Artefact) -> None:
    """The server has every byte, in order, once."""
    stored = theirs.stored(created.uid)
    assert (len(stored), hashlib.sha1(stored, usedforsecurity=False).hexdigest()) == (artefact.size, artefact.sha1)


def patch(created: Created, data: bytes) -> None:
    """Send the first bytes of an upload by another client."""
    headers = TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    with httpx.Client(trust_env=False) as other:
        answer = other.patch(created.url.reveal(), content=data, headers=headers)
    assert answer.status_code == 204, answer.text


def test_a_creation_is_understood_metadata_and_all(theirs: Theirs, ours: Ours) -> None:
    metadata = {"name": "course_01_L01_learning", "lessonTitle": "Größe, 大きさ, 🎓", "groupKey": "", "uploadId": "a1"}
    created = ours.uploads.create(17, metadata, seconds=90)
    note = noted(theirs, created.uid)
    assert note["size"] == 17
    assert note["metadata"] == {**metadata, "groupKey": None, "maxdurationseconds": "90"}
    assert created.url.reveal().endswith(f"/accounts/{ACCOUNT}/stream/{created.uid}")
    assert created.expires is not None  # it sends Upload-Expires, which Stream may not
    assert ours.uploads.offset(created.url, size=17) == 0


def test_a_file_is_sent_in_chunks(theirs: Theirs, ours: Ours, created: Created, artefact: Artefact) -> None:
    told: list[int] = []
    sent = ours.uploads.send(created.url, artefact, offset=0, chunk_size=CHUNK, on_acknowledged=told.append)
    assert sent == Sent(artefact.size, resumed_at=0, bytes_sent=artefact.size, chunk_size=CHUNK)
    assert told == [CHUNK, 2 * CHUNK, artefact.size]
    assert ours.asked == [Exchange.SEND] * 3
    assert_whole(theirs, created, artefact)


def test_an_upload_that_is_whole_is_seen_to_be(theirs: Theirs, ours: Ours, make_file: MakeFile) -> None:
    artefact = make_file(17)
    created = ours.uploads.create(17, {"name": "x"}, seconds=1)
    ours.uploads.send(created.url, artefact, offset=0)
    ours.asked.clear()
    assert ours.uploads.send(created.url, artefact).resumed_at == 17
    assert ours.asked == [Exchange.OFFSET]


@pytest.mark.parametrize("after", [100, 1_024, 3 * MIB], ids=["in its head", "at its begin", "half way"])
def test_a_chunk_that_is_cut_is_gone_on_with_from_where_the_server_stands(
    theirs: Theirs, line: Line, artefact: Artefact, after: int
) -> None:
    """Cut in the second chunk: what arrived before may be kept or not, and only the server knows how much."""
    told: list[int] = []

    def acknowledged(offset: int) -> None:
        told.append(offset)
        if offset == CHUNK:
            line.cut_after(after)

    with uploading(theirs.account(port=line.port)) as ours:
        created = ours.uploads.create(artefact.size, {"name": "x"}, seconds=10)
        sent = ours.uploads.send(created.url, artefact, offset=0, chunk_size=CHUNK, on_acknowledged=acknowledged)
    assert line.cuts == 1
    assert ours.asked[:4] == [Exchange.CREATE, Exchange.SEND, Exchange.SEND, Exchange.OFFSET]
    assert told[0] == CHUNK
    assert told == sorted(set(told))  # never back, never twice
    assert told[1] < CHUNK + after or told[1] == 2 * CHUNK  # what was kept of it, or nothing and it came again
    assert sent.resumed_at == 0
    assert_whole(theirs, created, artefact)


def test_another_process_goes_on_where_one_was_cut_off(
    theirs: Theirs, ours: Ours, created: Created, artefact: Artefact
) -> None:
    patch(created, artefact.path.read_bytes()[:CHUNK])
    with uploading(theirs.account()) as later:
        sent = later.uploads.send(Secret(created.url.reveal()), artefact, chunk_size=CHUNK)
    assert (sent.resumed_at, sent.bytes_sent) == (CHUNK, artefact.size - CHUNK)
    assert later.asked == [Exchange.OFFSET, Exchange.SEND, Exchange.SEND]
    assert_whole(theirs, created, artefact)


def test_a_connection_that_a_dead_process_left_open_is_in_nobodys_way(
    theirs: Theirs, ours: Ours, created: Created, artefact: Artefact
) -> None:
    """It holds the upload in mid chunk. The server lets go of it when curri asks for the offset."""
    head = (
        f"PATCH {urlsplit(created.url.reveal()).path} HTTP/1.1\r\nHost: theirs\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n"
        f"Content-Length: {CHUNK}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", theirs.port), timeout=10) as dead:
        dead.sendall(head.encode())
        assert b" 100 " in dead.recv(1_024)  # the server has begun with it
        dead.sendall(artefact.path.read_bytes()[:MIB])
        sent = ours.uploads.send(created.url, artefact, chunk_size=CHUNK)
        answer = dead.recv(4_096).decode().lower()
    assert f"upload-offset: {sent.resumed_at}\r\n" in answer  # it is told what was kept of its bytes
    assert 0 <= sent.resumed_at <= MIB
    assert sent.bytes_sent == artefact.size - sent.resumed_at
    assert_whole(theirs, created, artefact)


@pytest.mark.parametrize("there", [5, 16])
def test_a_wrong_offset_is_put_right(
    theirs: Theirs, ours: Ours, make_file: MakeFile, caplog: pytest.LogCaptureFixture, there: int
) -> None:
    artefact = make_file(17)
    created = ours.uploads.create(17, {"name": "x"}, seconds=1)
    patch(created, artefact.path.read_bytes()[:there])
    ours.asked.clear()
    with caplog.at_level("DEBUG", "curri.stream"):
        ours.uploads.send(created.url, artefact, offset=0)
    assert ours.asked == [Exchange.SEND, Exchange.OFFSET, Exchange.SEND]
    assert "Conflict" in caplog.text  # 409
    assert_whole(theirs, created, artefact)


def test_a_wrong_offset_of_a_large_chunk_is_put_right(
    theirs: Theirs, ours: Ours, created: Created, artefact: Artefact
) -> None:
    """The refusal comes while the chunk is still on its way: read or not, the offset is asked for."""
    patch(created, artefact.path.read_bytes()[: 2 * MIB])
    ours.uploads.send(created.url, artefact, offset=0, chunk_size=CHUNK)
    assert ours.asked[:2] == [Exchange.SEND, Exchange.OFFSET]
    assert_whole(theirs, created, artefact)


def test_an_upload_that_never_was_is_not_found(ours: Ours, theirs: Theirs, make_file: MakeFile) -> None:
    nowhere = Secret(theirs.account().of_account("/stream/" + "0" * 32))
    with pytest.raises(failures.NotFound) as asked:
        ours.uploads.offset(nowhere, size=17)
    assert asked.value.status == 404
    with pytest.raises(failures.NotFound):
        ours.uploads.send(nowhere, make_file(17), offset=0)
    assert ours.asked == [Exchange.OFFSET, Exchange.SEND]


def test_a_refusal_is_heard_though_the_chunk_was_not_read(ours: Ours, theirs: Theirs, artefact: Artefact) -> None:
    """The server answers and closes while the chunk is on its way, which may destroy the answer: then it is asked."""
    nowhere = Secret(theirs.account().of_account("/stream/" + "0" * 32))
    with pytest.raises(failures.NotFound):
        ours.uploads.send(nowhere, artefact, offset=0, chunk_size=CHUNK)
    assert ours.asked in ([Exchange.SEND], [Exchange.SEND, Exchange.OFFSET])


def test_an_upload_that_was_ended_is_not_found(ours: Ours, created: Created, artefact: Artefact) -> None:
    with httpx.Client(trust_env=False) as other:
        assert other.delete(created.url.reveal(), headers=TUS).status_code == 204
    with pytest.raises(failures.NotFound) as gone:
        ours.uploads.send(created.url, artefact)
    assert gone.value.status == 404


def test_an_upload_that_has_expired_is_gone(theirs: Theirs, ours: Ours, created: Created, artefact: Artefact) -> None:
    note = noted(theirs, created.uid)
    theirs.note(created.uid).write_text(json.dumps({**note, "creation_date": "2020-01-01T00:00:00.000Z"}))
    with pytest.raises(failures.Gone) as asked:
        ours.uploads.offset(created.url, size=artefact.size)
    assert asked.value.status == 410
    with pytest.raises(failures.Gone):
        ours.uploads.send(created.url, artefact, offset=0, chunk_size=CHUNK)
    assert theirs.stored(created.uid) == b""


def test_an_upload_for_another_file_is_noticed(
    ours: Ours, theirs: Theirs, created: Created, artefact: Artefact
) -> None:
    with pytest.raises(failures.WrongUpload):
        ours.uploads.offset(created.url, size=artefact.size - 1)
    assert theirs.stored(created.uid) == b""


def test_a_token_that_is_refused_is_named_as_the_reason(theirs: Theirs) -> None:
    with uploading(theirs.account(token="another-token")) as stranger, pytest.raises(ConfigError):
        stranger.uploads.create(17, {"name": "x"}, seconds=1)
