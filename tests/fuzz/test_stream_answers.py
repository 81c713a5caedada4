"""What comes from Stream, whatever it is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from curri.catalog import changes, links
from curri.catalog.database import Connection, Database
from curri.catalog.documents import document
from curri.errors import CurriError
from curri.model import Held
from curri.plan.status import facts
from curri.stream import failures, notes, tus
from curri.stream.account import Account
from curri.stream.client import Answer, Ask, Exchange, _target
from curri.stream.held import DEEPEST, held, instant
from curri.stream.notes import Notes
from curri.stream.secret import Secret
from curri.stream.webhook import is_genuine

from .bounds import TEXTS, VALUES, fuzz

UID = "0123456789abcdef0123456789abcdef"


def some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return objects with some of these parts, or something else altogether."""
    return st.fixed_dictionaries({}, optional=parts) | VALUES


NUMBERS = st.sampled_from([10**12, 1e30, 1e308, -1, 0, "1e5", "9" * 400, "inf", True]) | VALUES
CHAINS: st.SearchStrategy[Any] = st.deferred(
    lambda: some(code=VALUES, message=TEXTS, error_chain=st.lists(CHAINS, max_size=2))
)
ENVELOPES = some(
    errors=st.lists(CHAINS, max_size=2), messages=st.lists(CHAINS, max_size=2), success=VALUES, result=VALUES
)
TIMES = TEXTS | st.from_regex(r"\A\d{1,4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,10})?([Zz]|[+-]\d\d:?\d\d)\Z")
ROWS = st.fixed_dictionaries(
    {"uid": st.just(UID) | TEXTS},
    optional={
        "status": some(state=st.sampled_from(["ready", "error", "ready\0"]) | TEXTS, pctComplete=NUMBERS, errorReasonCode=TEXTS, errorReasonText=TEXTS),
        "input": some(width=NUMBERS, height=NUMBERS),
        "playback": some(hls=TEXTS, dash=TEXTS),
        "meta": st.dictionaries(TEXTS, VALUES, max_size=3),
        "readyToStream": VALUES,
        "duration": NUMBERS,
        "size": NUMBERS,
        "created": TIMES,
        "readyToStreamAt": TIMES,
        "thumbnail": TEXTS,
        "maxDurationSeconds": NUMBERS,
    },
)  # fmt: skip


def received(value: object) -> Any:
    """Return a value as it is after it has come over the network."""
    return json.loads(json.dumps(value))


def nested(levels: int, key: str) -> str:
    return f'{{"{key}":[' * levels + "]}" * levels


@fuzz(250)
@given(st.binary(max_size=200) | ENVELOPES.map(lambda value: json.dumps(value).encode()))
@example(("[" * 100_000).encode())
@example(nested(300, "error_chain").replace("{", '{"errors":[', 1).replace("]}", "]}]}", 1).encode())
@example(b'{"errors":[{"code":' + b"9" * 5000 + b"}]}")
def test_any_body_has_notes(body: bytes) -> None:
    said = notes.read(body)
    assert len(said.text) <= notes.LONGEST
    assert said.text == said.text.encode().decode()
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in said.text)
    for status in (200, 400, 403, 404, 413, 429, 500):
        failures.from_answer(status, said, where="GET /stream")


def test_a_chain_of_errors_is_followed_for_a_while_only() -> None:
    entry: dict[str, object] = {"message": "the last"}
    for number in range(200):
        entry = {"message": f"m{number}", "error_chain": [entry]}
    assert len(list(notes._entries([entry]))) == notes.DEEPEST + 1


@fuzz(250)
@given(ROWS | VALUES)
def test_any_row_is_a_video_or_none(row: object) -> None:
    video = video_of(row)
    if video is None:
        return
    assert facts(video).progress in range(101)
    for text in (video.state, video.error_text, video.hls, video.thumbnail, video.created):
        assert "\0" not in (text or "").encode().decode()
    for size in (video.width, video.height, video.size, video.max_duration):
        assert size is None or 1 <= size < 2**63
    assert video.duration is None or math.isfinite(video.duration)
    instant(video.created)


def video_of(row: object) -> Held | None:
    try:
        return held(received(row))
    except failures.Garbled:
        return None


@pytest.mark.parametrize("uid", ["", "../x", "a/b", "a b", "a\n", "\x1b[31m", "é", "a" * 65, "..", None, 7])
def test_an_id_that_could_not_be_part_of_an_address_is_none(uid: object) -> None:
    """It went into addresses and messages: a later request for it was a bug of ours, with a traceback."""
    assert video_of({"uid": uid}) is None


def test_metadata_nested_beyond_reason_are_refused_by_name() -> None:
    """To print or to store them ended in a RecursionError."""
    meta: dict[str, object] = {}
    for _ in range(DEEPEST + 1):
        meta = {"a": meta}
    with pytest.raises(failures.Garbled, match=f"metadata of video {UID}"):
        held({"uid": UID, "meta": meta})
    assert video_of({"uid": UID, "meta": meta["a"]}) is not None


@pytest.fixture(scope="module")
def kept(server: str, template: str) -> Iterator[Database]:
    """Yield an open catalog for all cases."""
    from curri.catalog.database import connect
    from support.postgres import _fresh

    for url in _fresh(server, template):
        with connect(url) as database:
            yield database


class _Undo(Exception):
    """So that nothing is committed."""


@contextmanager
def undone(database: Database) -> Iterator[Connection]:
    with suppress(_Undo), database.transaction() as connection:
        yield connection
        raise _Undo


@fuzz(80)
@given(row=ROWS.map(lambda row: row | {"uid": UID}))
@example({"uid": UID, "meta": {"name": "a\0b", "\ud800": "x", "n": [math.inf, {"\0": math.nan}]}})
@example({"uid": UID, "input": {"width": 10**12, "height": 2**31}, "size": 1e30})
@example({"uid": UID, "thumbnail": "\ud800\0", "preview": "\0", "playback": {"hls": "\0", "dash": "\udcff"}})
def test_every_video_can_be_recorded(kept: Database, row: object) -> None:
    """One video whose metadata held a NUL kept all others from being recorded."""
    video = video_of(row)
    assert video is not None
    with undone(kept) as connection:
        links.put(connection, video, facts(video), instant(video.ready_at), instant(video.created))
        changes.confirm(connection, UID, video.meta)
        found = connection.execute("SELECT provider_id, metadata FROM video").fetchall()
        assert found[0][0] == UID
        assert len(found) == 1
        assert len(found[0][1]) <= len(video.meta)


def test_texts_that_say_sql_or_json_are_stored_as_they_are(kept: Database) -> None:
    texts = ["'; DROP TABLE video; --", '{"a": 1}', "%s %(x)s", "\\u0041", "${x}", "é日本🙂"]
    with undone(kept) as connection:
        (meta,) = connection.execute("SELECT %s::jsonb", [document({"texts": texts})]).fetchall()
        (plain,) = connection.execute("SELECT %s::jsonb", [Jsonb({"texts": texts})]).fetchall()
        assert meta == plain == ({"texts": texts},)


# --- the headers of an upload

ASK = Ask(Exchange.CREATE, "POST", Secret("https://api.example/client/v4/accounts/a/stream"), "POST /stream")
DATES = TEXTS | st.from_regex(r"\A(Mon|Fri), \d{1,2} (Jan|Feb|Dec) \d{1,5} \d\d:\d\d:\d\d ?(GMT|[+-]\d{4,6})?\Z")
ADDRESSES = TEXTS | TEXTS.map("https://".__add__) | TEXTS.map("https://h.example/".__add__) | TEXTS.map("//".__add__)


@fuzz(250)
@given(uid=TEXTS | st.just(UID), location=ADDRESSES, expires=DATES)
@example(UID, "https://h.example/x", "Fri, 31 Dec 9999 23:59:59 -1200")
@example(UID, "https://h.example/x", "Fri, 01 Jan 0001 00:00:00 +1200")
@example(UID, "//[", "")
def test_the_answer_to_a_creation_is_an_upload_or_none(uid: str, location: str, expires: str) -> None:
    headers = {"stream-media-id": uid, "location": location, "upload-expires": expires}
    created = tus._created(Answer(201, headers, Notes()), ASK)
    if created is None:
        return
    assert created.url.reveal().lower().startswith("https://")
    _target(created.url) if created.url.reveal().isascii() else None
    Account("a", Secret("t")).takes_token(created.url.reveal())


@fuzz(150)
@given(TEXTS | st.integers(0, 10**25).map(str))
@example("9" * 5000)
@example("\u0663")
def test_an_offset_is_a_number_or_none(text: str) -> None:
    number = tus._number(text)
    assert number is None or str(number) == text.strip().lstrip("0") or number == 0


@fuzz(150)
@given(DATES | st.floats().map(str) | st.integers().map(str), st.floats(0, 4e9))
def test_a_time_to_wait_is_a_number_of_seconds_or_none(text: str, now: float) -> None:
    wait = notes.retry_after(text, now)
    assert wait is None or 0 <= wait < 1e12


@fuzz(150)
@given(
    st.binary(max_size=50),
    TEXTS
    | st.from_regex(r"\Atime=1700000000,sig1=[0-9a-f]{64}\Z")
    | st.from_regex(r"\Atime=\d{1,20},(sig1=[0-9a-f]{0,64},?)*\Z"),
)
def test_no_signature_is_genuine_that_was_not_made_with_the_secret(body: bytes, signature: str) -> None:
    assert not is_genuine(body, signature, Secret("secret"), now=1_700_000_000.0)


@fuzz(100)
@given(st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_metadata_become_a_header_or_are_refused(metadata: dict[str, str]) -> None:
    try:
        header = tus.encoded(metadata)
    except (ValueError, CurriError):
        return
    assert header.isascii()
    assert header.isprintable()
