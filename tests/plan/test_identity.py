"""Ids of new rows: the place's own where it is free, and never one that is taken."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from curri.plan.identity import NAMESPACE, Ids, place_id
from curri.plan.text import folded

PARTS = st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4)

LESSON = ("lesson", "course_01", "02")


def random_ids() -> Iterator[uuid.UUID]:
    return (uuid.UUID(int=number, version=4) for number in range(1, 1000))


@given(PARTS)
def test_an_id_is_the_uuid5_of_the_place(place: list[str]) -> None:
    assert place_id(*place) == str(uuid.uuid5(NAMESPACE, folded("/".join(place))))


def test_ids_are_those_that_any_other_program_would_make_of_the_places() -> None:
    for number in range(40):
        place = f"course_{number:02d}/\u00e9"
        assert place_id("lesson", *place.split("/")) == str(uuid.uuid5(NAMESPACE, f"lesson/{place}"))


def test_one_place_has_one_id_in_whatever_unicode_form_it_is_written() -> None:
    assert place_id("component", "e\u0301te\u0301") == place_id("component", "\u00e9t\u00e9")
    assert place_id("component", "Learning") != place_id("component", "learning")


def test_a_place_with_bytes_that_are_not_utf8_has_an_id_of_its_own() -> None:
    assert place_id("a\udcff") != place_id("a\udcfe")
    assert uuid.UUID(place_id("a\udcff")).version == 5


def test_the_ids_of_a_rebuilt_catalog_are_those_of_the_first_one() -> None:
    # Written down on purpose: a change here gives every catalog that is rebuilt other ids than it had.
    assert place_id("course", "course_01") == str(
        uuid.uuid5(uuid.UUID("5a1f0c0e-6f0b-5d53-9c57-0f1f6b1c6c11"), "course/course_01")
    )
    first, second = Ids(set), Ids(set)
    assert first.new(*LESSON) == second.new(*LESSON) == place_id(*LESSON)


def test_a_taken_id_is_not_given_out_again() -> None:
    numbers = random_ids()
    first, second = next(random_ids()), list(random_ids())[1]
    ids = Ids(lambda: {place_id(*LESSON), str(first)}, lambda: next(numbers))
    assert ids.new(*LESSON) == str(second), "neither the place's own nor the first random one is free"


@given(st.lists(PARTS))
def test_no_id_is_given_out_twice(places: list[list[str]]) -> None:
    ids = Ids(set)
    given_out = [ids.new(*place) for place in places]
    assert len(set(given_out)) == len(places)


def test_nobody_asks_what_is_taken_before_an_id_is_needed() -> None:
    asked: list[int] = []

    def taken() -> set[str]:
        asked.append(1)
        return set()

    ids = Ids(taken)
    assert not asked
    assert ids.new(*LESSON) != ids.new(*LESSON)
    assert len(asked) == 1
