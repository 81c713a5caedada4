"""Names as text: one form for comparing, one order for showing, one shape for identifiers, one way to print."""

from __future__ import annotations

import re
import unicodedata

_DIGITS = re.compile(r"([0-9]+)")
_UNSTORABLE = re.compile("[\\x00\ud800-\udfff]")
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1: 9b alone begins an escape code
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of what follows
    "\u2028\u2029\ud800-\udfff]"  # further ends of lines, and what no encoding can carry
)
_JOINERS = "\u200c\u200d"  # without them emoji fall apart, and words in Persian and the scripts of India


def folded(name: str) -> str:
    """Return `name` in the form under which names are compared: Unicode NFC.

    A tree copied from a Mac holds decomposed letters (NFD); it is the same tree.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts `part-2` before `part-10`, without regard to case."""
    return tuple(
        (0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part)
        for part in _DIGITS.split(folded(name).casefold())
        if part
    )


def slug(name: str) -> str:
    """Return `name` in lower case with everything but letters, digits and `_` turned into single hyphens.

    Letters of every script stay, with the marks that belong to them: a title in Japanese must not become an empty
    identifier, nor one in Hindi lose its vowels. Never empty.
    """
    kept = (character if _in_word(character) else " " for character in folded(folded(name).casefold()))
    return "-".join("".join(kept).split()).strip("-_") or "file"


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")


def printable(name: str) -> str:
    r"""Return `name` fit for a terminal, a log and UTF-8: no control characters, no undecodable bytes.

    Newlines and escape codes are shown as `\n`, `\x1b`; bytes that were not UTF-8 as `\xff`. The joiners stay.
    """
    if name.isascii() and name.isprintable():
        return name
    parts: list[str] = []
    for character in name:
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte that is not UTF-8 (PEP 383)
            parts.append(f"\\x{code - 0xDC00:02x}")
        elif character.isprintable() or character in _JOINERS:
            parts.append(character)
        else:
            parts.append(character.encode("unicode_escape").decode("ascii"))
    return "".join(parts)


def storable(text: str) -> str:
    """Return a foreign text as UTF-8 and PostgreSQL can hold it: without NUL and without halves of characters."""
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("\ufffd", text)


def harmless(text: str) -> str:
    r"""Return a text of ours, which may quote foreign ones, with nothing in it that steers a terminal.

    Unlike `printable` it keeps lines and tabs. What has passed it stays as it is.
    """
    return _STEERING.sub(lambda found: printable(found[0]), text)


def harmless_json(text: str) -> str:
    """Return JSON of the same meaning in which nothing steers a terminal: the encoder leaves DEL, C1 and others."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
