"""The signature of a webhook."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from curri.stream.secret import Secret
from curri.stream.webhook import is_genuine

SECRET = Secret("0123456789abcdef0123456789abcdef")
BODY = b'{"uid": "abc", "readyToStream": true}\n'
NOW = 1_700_000_000.0


def signed(body: bytes = BODY, time: str = "1700000000") -> str:
    key = SECRET.reveal().encode()
    return f"time={time},sig1={hmac.new(key, time.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def test_a_signature_made_by_another_program_is_genuine() -> None:
    # printf '%s' '1230811200.{"uid":"abc"}' | openssl dgst -sha256 -hmac secret
    made = "time=1230811200,sig1=fbadfae27c910b6fbc5c026838f5c8fac150983bfa63cf14d8df4d52d6d7897a"
    assert is_genuine(b'{"uid":"abc"}', made, Secret("secret"), now=1_230_811_200)


@pytest.mark.parametrize("now", [NOW, NOW - 300, NOW + 300])
def test_a_recent_signature_is_genuine(now: float) -> None:
    assert is_genuine(BODY, signed(), SECRET, now=now)


@pytest.mark.parametrize("now", [NOW - 301, NOW + 301, 0.0])
def test_a_signature_from_another_time_is_not(now: float) -> None:
    assert not is_genuine(BODY, signed(), SECRET, now=now)


def test_other_schemes_and_blanks_are_passed_over() -> None:
    time, sig = signed().split(",")
    assert is_genuine(BODY, f"{time}, sig0=00, {sig},sig2=ff,", SECRET, now=NOW)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "time=1700000000",
        "time=1700000000,sig1=",
        signed(BODY + b" "),
        signed(BODY.strip()),
        signed().replace("time=1700000000", "time=1700000001"),
        signed().replace("sig1", "sig2"),
        signed().upper(),
        signed() + ",sig1=00",
        "time=1," + signed(),
        signed().replace("1700000000", "17e8"),
        signed().replace("1700000000", ""),
        signed().replace("1700000000", "१७०००००००००"),
        "time=" + "9" * 5_000 + ",sig1=00",
        "sig1=\udcff,time=1700000000",
    ],
)
def test_what_was_not_signed_so_is_not_genuine(signature: str) -> None:
    assert not is_genuine(BODY, signature, SECRET, now=NOW)


def test_another_secret_does_not_fit() -> None:
    assert not is_genuine(BODY, signed(), Secret("other"), now=NOW)
