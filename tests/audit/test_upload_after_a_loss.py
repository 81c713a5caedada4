"""`curri upload` after the catalog was lost: what Stream surely holds already is not sent a second time."""

from __future__ import annotations

import pytest

from upload.conftest import Films
from upload.site import objects

from .conftest import PLACE, House

SECOND = PLACE.replace("/01/", "/02/")


@pytest.fixture
def sent(house: House, films: Films) -> House:
    """A site with two videos on Stream, and a catalog that knows of none."""
    house.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in (1, 2)}})
    house.good("upload")
    house.lose()
    house.box.clear_requests()
    return house


def test_nothing_is_sent_that_can_be_adopted(sent: House) -> None:
    before = sent.listed()
    done = sent.good("upload", code=3)
    for place in (PLACE, SECOND):
        assert f"blocked   {place}: on Stream already (" in done.err
    assert done.err.count("nothing in the catalog links it: `curri adopt` does") == 2
    assert sent.writes() == []
    assert sent.uploads() == []
    sent.good("adopt", "--yes")
    assert sent.good("upload").out == "nothing to do; 2 unchanged\n"
    assert sent.listed() == before


def test_a_dry_run_says_the_same(sent: House) -> None:
    done = sent.good("upload", "--dry-run", "--json", code=3)
    assert [(each["path"], each["outcome"]) for each in objects(done, "item")] == [
        (PLACE, "blocked"),
        (SECOND, "blocked"),
    ]
    assert done.summary["counts"]["due"] == 0
    assert sent.writes() == []


def test_what_stream_does_not_hold_is_sent_beside(sent: House, films: Films) -> None:
    sent.put({"Course_01": {"Lesson_02": {"learning": {"video.mp4": films.plain(5)}}}})
    done = sent.good("upload", code=3)
    assert f"blocked   {PLACE}" in done.err
    assert list(sent.links()) == [SECOND]


def test_another_curriculum_with_the_same_places_keeps_nothing_back(house: House, films: Films) -> None:
    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    house.good("upload")
    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(2)}}}})
    house.lose()
    house.good("upload")
    assert len(house.listed()) == 2


def test_stream_is_asked_only_while_the_catalog_links_nothing(house: House, films: Films) -> None:
    def lists() -> int:
        house.box.clear_requests()
        house.good("upload")
        return len(house.requests("list"))

    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    first = lists()
    house.put({"Course_01": {"Lesson_02": {"learning": {"video.mp4": films.plain(2)}}}})
    assert lists() == first - 1
