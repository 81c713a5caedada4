"""Which answer and which exception means which failure."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import httpcore
import httpx
import pytest
import respx

from curri.errors import ConfigError, CurriError, StreamError, StreamUnavailable
from curri.stream import failures, lines, notes, wire
from curri.stream.client import Client, Exchange
from curri.stream.notes import Notes

from .scripted import envelope

PASSING = {408, 423, 425, 429, 460, *range(500, 600)}


def tree_of_httpx() -> set[type[Exception]]:
    """Every exception class that httpx defines, found by looking, so that a new one in a later version shows."""

    def below(cls: type[Exception]) -> Iterator[type[Exception]]:
        yield cls
        for child in cls.__subclasses__():
            yield from below(child)

    named = [value for value in vars(httpx).values() if isinstance(value, type) and issubclass(value, Exception)]
    return {cls for root in named for cls in below(root) if cls.__module__.startswith("httpx")}


def test_every_exception_class_of_httpx_is_named_in_the_map() -> None:
    found = tree_of_httpx()
    assert len(found) >= 27
    assert found == set(wire.EXCEPTIONS)


def test_every_exception_of_httpx_is_below_a_root_that_the_client_catches() -> None:
    assert all(issubclass(cls, wire.RAISED) for cls in tree_of_httpx())


def test_every_exception_of_the_engine_below_httpx_has_its_namesake() -> None:
    found = {value for value in vars(httpcore).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert found - {httpcore.ConnectionNotAvailable} == set(lines.NAMESAKES)  # which never leaves httpcore
    assert all(core.__name__ == outer.__name__ for core, outer in lines.NAMESAKES.items())


def make(cls: type[Exception]) -> Exception:
    """An instance, whatever its constructor wants."""
    request = httpx.Request("GET", "http://x/")
    if cls is httpx.HTTPStatusError:
        return httpx.HTTPStatusError("boom", request=request, response=httpx.Response(500, request=request))
    if issubclass(cls, httpx.StreamError) and cls is not httpx.StreamError:
        return cls(*[])
    return cls(*["boom"])


@pytest.mark.parametrize("cls", sorted(tree_of_httpx(), key=str), ids=str)
def test_every_exception_of_httpx_becomes_an_error_of_curri(cls: type[Exception]) -> None:
    error = wire.from_exception(make(cls), where="GET /stream")
    assert isinstance(error, (StreamError, ConfigError))
    assert error.where == "GET /stream"
    assert cls.__name__ in error.message


@pytest.mark.parametrize("cls", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError])
def test_a_request_that_was_never_made_is_told_from_one_whose_answer_was_lost(cls: type[Exception]) -> None:
    assert isinstance(error := wire.from_exception(make(cls), where=""), failures.Passing)
    assert error.harmless
    lost = {httpx.ReadError, httpx.WriteError, httpx.ReadTimeout, httpx.WriteTimeout, httpx.RemoteProtocolError}
    for other in lost:
        assert isinstance(error := wire.from_exception(make(other), where=""), failures.ConnectionLost)
        assert not error.harmless


def test_a_certificate_that_is_not_accepted_is_not_tried_again() -> None:
    outer = httpx.ConnectError("x")
    middle = OSError("y")
    middle.__context__ = ssl.SSLCertVerificationError("self-signed")
    outer.__cause__ = middle
    error = wire.from_exception(outer, where="GET /stream")
    assert isinstance(error, failures.Untrusted)
    assert error.hint
    assert "SSL_CERT_FILE" in error.hint


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_its_failure_or_is_success(status: int) -> None:
    error = failures.from_answer(status, Notes(), where="GET /stream", retry_after=7.0)
    if 200 <= status < 300:
        assert error is None
        return
    assert isinstance(error, failures.Told)
    assert (error.status, error.retry_after) == (status, 7.0)
    assert str(status) in error.message
    # 1xx can never be the last answer; taken for a garbled one it is asked for again
    assert isinstance(error, StreamUnavailable) == (status in PASSING or status < 200)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, None, failures.Refused),
        (401, None, failures.Credentials),
        (403, None, failures.Credentials),
        (403, 10000, failures.Credentials),
        (400, 9106, failures.Credentials),
        (401, 9109, failures.Credentials),
        (400, 6003, failures.Credentials),
        (404, 7003, failures.WrongAccount),
        (400, 7003, failures.WrongAccount),
        (404, 10003, failures.NotFound),
        (404, None, failures.NotFound),
        (410, None, failures.Gone),
        (409, None, failures.Conflict),
        (408, None, failures.SlowChunk),
        (413, None, failures.TooLarge),
        (413, 10011, failures.QuotaExceeded),
        (403, 10011, failures.QuotaExceeded),
        (423, None, failures.Locked),
        (429, None, failures.RateLimited),
        (460, None, failures.Mangled),
        (400, 10005, failures.Refused),
        (302, None, failures.Redirected),
        (502, None, failures.ServerTrouble),
        (520, 10000, failures.ServerTrouble),
    ],
)
def test_status_and_code_name_the_failure(status: int, code: int | None, expected: type[CurriError]) -> None:
    assert failures.kind_of(status, Notes(False, () if code is None else (code,))) is expected


@pytest.mark.parametrize("status", [413, 429])
def test_a_full_encoding_queue_is_told_from_a_rate_limit_by_its_words(status: int) -> None:
    told = Notes(text="you have reached the limit of 120 videos queued or encoding")
    assert failures.kind_of(status, told) is failures.TooManyProcessing
    assert failures.kind_of(429, Notes(text="too many requests, slow down")) is failures.RateLimited


def test_a_quota_without_its_code_is_known_by_its_words() -> None:
    assert failures.kind_of(413, Notes(text="Storage capacity exceeded")) is failures.QuotaExceeded


def test_success_that_says_it_is_none_is_a_failure() -> None:
    assert failures.kind_of(200, Notes(success=False)) is failures.Refused
    assert failures.kind_of(200, Notes(success=False, codes=(10011,))) is failures.QuotaExceeded


def test_errors_and_messages_are_both_shown() -> None:
    body = envelope(errors=[(10005, "Bad Request")], messages=[(10005, "required field maxDurationSeconds is missing")])
    error = failures.from_answer(400, notes.read(json.dumps(body).encode()), where="POST /stream")
    assert error is not None
    assert error.message == "Stream answered 400: 10005 Bad Request; 10005 required field maxDurationSeconds is missing"
    assert isinstance(error, failures.Refused)
    assert error.codes == (10005,)


def test_the_chain_of_an_error_is_shown() -> None:
    entry = {"code": 6003, "message": "Invalid request headers", "error_chain": [{"code": 6111, "message": "bad"}]}
    found = notes.read(json.dumps({"success": False, "errors": [entry], "messages": None}).encode())
    assert found.text == "6003 Invalid request headers; 6111 bad"
    assert found.codes == (6003, 6111)


@pytest.mark.parametrize(
    "body",
    [
        b'{"success": false, "errors": null, "messages": null, "result": null}',
        b'{"errors": [null, 3, {}, {"code": "x", "message": 7}, {"code": true}], "messages": {}}',
        b"{}",
    ],
)
def test_lists_that_are_null_or_odd_are_empty(body: bytes) -> None:
    found = notes.read(body)
    assert (found.codes, found.text) == ((), "")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"[1, 2]", "[1, 2]"),
        (b"no such\r\n upload", "no such upload"),
        (b"<html><head><title>502 Bad\nGateway</title></head><body>x</body></html>", "502 Bad Gateway"),
        (b"<html><style>p {}</style><p>Sorry,<br>not now</p><script>x()</script></html>", "Sorry, not now"),
        (b"\x1b[31mred\x07 \xff", "[31mred \ufffd"),
        (b"[" * 100_000, None),
    ],
)
def test_what_is_not_an_envelope_is_shown_as_one_short_line(body: bytes, text: str | None) -> None:
    found = notes.read(body)
    assert found.envelope is None
    assert len(found.text) <= notes.LONGEST
    if text is not None:
        assert found.text == text


def test_a_long_text_is_trimmed() -> None:
    body = envelope(errors=[(1, "x" * 10_000)])
    assert len(notes.read(json.dumps(body).encode()).text) == notes.LONGEST


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 2.5 ", 2.5),
        ("-3", 0.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    assert notes.retry_after(value, wall=1_700_000_000.0) == seconds


@pytest.mark.parametrize("cls", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.DecodingError])
def test_the_client_raises_what_the_map_says_for_an_exception(client: Client, cls: type[Exception]) -> None:
    ask = client.of_account(Exchange.GET, "GET", "/stream/x")
    with respx.mock() as router:
        router.get(ask.url.reveal()).mock(side_effect=cls)
        with pytest.raises(StreamUnavailable) as caught:
            client.exchange(ask)
    assert type(caught.value).__name__ == wire.EXCEPTIONS[cls].__name__


@pytest.mark.parametrize("status", [*range(300, 309), *range(400, 430), 451, 460, *range(500, 505), 520, 522, 524, 599])
def test_the_client_raises_what_the_map_says_for_a_status(client: Client, status: int) -> None:
    ask = client.of_account(Exchange.GET, "GET", "/stream/x")
    with respx.mock() as router:
        router.get(ask.url.reveal()).respond(status, html="<title>no</title>", headers={"Location": "https://evil/"})
        with pytest.raises((StreamError, ConfigError)) as caught:
            client.exchange(ask)
        assert router.calls.call_count == 1
    assert type(caught.value) is failures.kind_of(status, Notes())
    assert "no" in caught.value.message
