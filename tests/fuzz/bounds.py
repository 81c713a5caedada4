"""How many cases are tried, and of what they are made."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

T = TypeVar("T")
E = TypeVar("E", bound=Exception)
TIMES = int(os.environ.get("CURRI_TEST_FUZZ", "1"))

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What no screen may get: control characters but newline and tab, separators of lines, marks of direction."""

NASTY = (
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "\x9b2J",
    "\u202egpj.exe",
    "\u2067RTL",
    "\rover",
    "\b\b\x7f",
    "a\u2028b",
    "'; DROP TABLE video; --",
    '{"type": "summary"}',
    "{{7*7}} %s %(x)s {0}",
    "../../../etc/passwd",
    "A" * 300,
    "e\u0301\u00e9",
    "\u200c\u200d\ufeff",
    "9" * 5000,
)
"""Texts that did harm somewhere."""

TEXTS = (
    st.text()
    | st.sampled_from(NASTY)
    | st.lists(st.sampled_from(NASTY), max_size=3).map("".join)
    | st.text(st.characters(max_codepoint=0xFF) | st.sampled_from("\ud800\udcff\u202e"), max_size=20)
)

LEAVES = st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
"""What JSON may hold, and Python's JSON besides."""


def fuzz(examples: int) -> settings:
    """Return how to try so many cases; the same ones each time, unless more are asked for."""
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        derandomize=TIMES == 1,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )


def tried(kind: type[E], call: Callable[[], T]) -> tuple[T | None, E | None]:
    """Return what a call gives, or the one kind of error that it may end in."""
    try:
        return call(), None
    except kind as error:
        return None, error
