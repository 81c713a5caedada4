"""Courses that a person names: in the words of the catalog, or not at all."""

from __future__ import annotations

import pytest

from curri.errors import UsageError
from curri.plan.courses import named

KNOWN = ["course_01", "course_02"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([], []),
        (["course_02"], ["course_02"]),
        (["Course_02", "COURSE_01"], ["course_02", "course_01"]),
    ],
)
def test_a_course_may_be_written_in_capitals_and_the_order_stays(wanted: list[str], expected: list[str]) -> None:
    assert named(wanted, KNOWN) == expected


@pytest.mark.parametrize(
    ("known", "hint"),
    [
        (KNOWN, "the catalog has course_01, course_02"),
        ([], "the catalog is empty: run `curri import` first"),
    ],
)
def test_a_course_that_is_not_there_is_named_with_those_that_are(known: list[str], hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        named(["course_0\x1b"], known)
    assert (raised.value.message, raised.value.hint) == ("there is no course course_0\\x1b", hint)


def test_one_that_is_there_does_not_excuse_one_that_is_not() -> None:
    with pytest.raises(UsageError, match="course_03"):
        named(["course_01", "course_03"], KNOWN)
