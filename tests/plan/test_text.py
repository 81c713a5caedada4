"""Names as text: compared in one form, shown in natural order, made into identifiers, and printed."""

from __future__ import annotations

import json
import os
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.plan.text import folded, harmless, harmless_json, natural, printable, slug, storable

NAMES = st.text() | st.text(alphabet="aAbB019 _-./\u00e9\u0301\n\udcff")


def test_names_are_compared_in_nfc() -> None:
    assert folded("e\u0301te\u0301") == folded("\u00e9t\u00e9") == "\u00e9t\u00e9"
    assert folded("plain ASCII") == "plain ASCII"
    assert folded("Case Stays") != folded("case stays")


@given(NAMES)
def test_folding_is_nfc_and_settles_at_once(name: str) -> None:
    assert folded(name) == unicodedata.normalize("NFC", name)
    assert folded(folded(name)) == folded(name)


@pytest.mark.parametrize(
    "ordered",
    [
        ["part-2", "part-10", "part-100"],
        ["1 end", "1a", "2", "10", "a1", "a02", "a10b", "a10c"],
        ["Alpha", "beta", "Gamma"],
        ["a", "a/b", "a/c"],
        ["1", "a", "\u00e9"],
        ["x99999999999999999998", "x99999999999999999999"],
        ["x1.2", "x1.10", "x2.1"],
        ["", "0"],
    ],
)
def test_order_is_natural(ordered: list[str]) -> None:
    backwards = ordered[::-1]
    assert sorted(backwards, key=natural) == ordered


def test_order_does_not_look_at_case_unicode_form_or_leading_zeros() -> None:
    assert natural("Part-02") == natural("pART-2")
    assert natural("e\u0301") == natural("\u00c9")
    assert natural("a\u0663") != natural("a3"), "an Arabic three is a letter here"
    assert natural("\u00b2") > natural("3"), "a superscript is no number"


@given(st.lists(NAMES))
def test_any_names_can_be_put_in_order(names: list[str]) -> None:
    keys = [natural(name) for name in sorted(names, key=natural)]
    assert all(first <= second for first, second in pairwise(keys))


@given(st.text(alphabet="ab-_ "), st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_are_ordered_as_numbers(stem: str, first: int, second: int) -> None:
    assert (natural(f"{stem}{first}") < natural(f"{stem}{second}")) == (first < second)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Reading List (2024)", "reading-list-2024"),
        ("  spaces  and -- dashes ", "spaces-and-dashes"),
        ("__private__", "private"),
        ("snake_case stays", "snake_case-stays"),
        ("Caf\u00e9 CREME", "caf\u00e9-creme"),
        ("Cafe\u0301", "caf\u00e9"),
        ("Stra\u00dfe", "strasse"),
        ("日本語 入門", "日本語-入門"),
        ("a\nb\x00c", "a-b-c"),
        ("a\udcffb", "a-b"),
        ("../../etc", "etc"),
        ("!!!", "file"),
        ("_-_", "file"),
        ("👩", "file"),
        ("", "file"),
    ],
)
def test_a_slug_keeps_letters_and_digits(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_a_slug_keeps_the_marks_of_a_script() -> None:
    assert slug("\u0939\u093f\u0928\u094d\u0926\u0940 1") == "\u0939\u093f\u0928\u094d\u0926\u0940-1"  # "Hindi 1"
    assert slug("\u0130stanbul") == "i\u0307stanbul"


@given(NAMES)
def test_a_slug_is_never_empty_and_can_stand_in_a_path_and_an_address(name: str) -> None:
    made = slug(name)
    assert made
    assert not made.startswith(("-", "_"))
    assert not made.endswith(("-", "_"))
    marks = {character for character in made if unicodedata.category(character).startswith("M")}
    assert all(character.isalnum() or character in "-_" for character in made if character not in marks)
    assert made == slug(unicodedata.normalize("NFD", name))
    assert "--" not in made


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.mp4", "plain name.mp4"),
        ("日本語 é 👩", "日本語 é 👩"),
        ("e\u0301", "e\u0301"),
        ("\U0001f469\u200d\U0001f680 \u0645\u06cc\u200c\u062e", "\U0001f469\u200d\U0001f680 \u0645\u06cc\u200c\u062e"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u2028b\u200bc", "a\\u2028b\\u200bc"),
        ("\U000e0001", "\\U000e0001"),
        (os.fsdecode(b"caf\xe9 \xff \x80"), "caf\\xe9 \\xff \\x80"),
        ("\ud800\udd00", "\\ud800\\udd00"),
        ("", ""),
    ],
)
def test_what_is_printed_shows_what_cannot_be_printed(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text() | st.binary().map(os.fsdecode))
def test_every_name_can_be_printed_and_what_is_printed_stays(name: str) -> None:
    shown = printable(name)
    assert shown.replace("\u200c", "").replace("\u200d", "").isprintable()
    assert shown.encode().decode() == shown
    assert printable(shown) == shown
    if name.isprintable():
        assert shown == name


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("plain\ntext\x1b", "plain\ntext\x1b"),
        ("caf\u00e9 \U0001f469", "caf\u00e9 \U0001f469"),
        ("a\0b", "a\ufffdb"),
        ("\u00e9\0", "\u00e9\ufffd"),
        ("half \ud83d of a character", "half \ufffd of a character"),
        ("", ""),
    ],
)
def test_what_no_database_can_hold_is_replaced_and_all_else_stays(text: str, stored: str) -> None:
    assert storable(text) == stored


@pytest.mark.parametrize(
    "text", ["two\n\tlines", "\u0645\u06cc\u200c\u062e", "\U0001f469\u200d\U0001f680", "caf\u00e9", ""]
)
def test_lines_and_joiners_do_not_steer_a_terminal(text: str) -> None:
    assert harmless(text) == text
    assert harmless_json(text) == text


@pytest.mark.parametrize(
    ("text", "shown", "in_json"),
    [
        ("\x1b[2J", "\\x1b[2J", "\\u001b[2J"),
        ("a\rb", "a\\rb", "a\\u000db"),
        ("\x7f\x9b31m", "\\x7f\\x9b31m", "\\u007f\\u009b31m"),
        ("\u202egpj.exe", "\\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u2028b", "a\\u2028b", "a\\u2028b"),
        ("\udcff\ud800", "\\xff\\ud800", "\\udcff\\ud800"),
    ],
)
def test_what_steers_a_terminal_is_shown_and_json_keeps_its_meaning(text: str, shown: str, in_json: str) -> None:
    assert harmless(text) == shown
    assert harmless(shown) == shown
    assert harmless_json(text) == in_json
    assert json.loads(f'"{in_json}"') == text
