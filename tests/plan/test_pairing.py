"""Place decides first, content finds what moved."""

from __future__ import annotations

from curri.plan.pairing import Unit, pair


def unit(place: str, *features: str, pinned: bool = False) -> Unit:
    return Unit(place, set(features), pinned)


def test_two_lessons_that_swap_are_told_by_what_only_they_have() -> None:
    found = [unit("01", "intro", "b"), unit("02", "intro", "a")]
    recorded = [unit("01", "intro", "a"), unit("02", "intro", "b")]
    assert pair(found, recorded, place_first=False) == {0: 1, 1: 0}


def test_equal_files_stay_where_they_are() -> None:
    found = [unit("01", "intro"), unit("02", "intro"), unit("03", "intro")]
    recorded = [unit("01", "intro"), unit("02", "intro")]
    assert pair(found, recorded, place_first=True) == {0: 0, 1: 1}


def test_equal_units_that_all_moved_keep_their_order() -> None:
    found = [unit("03", "x", "y"), unit("04", "x", "y")]
    recorded = [unit("01", "x", "y"), unit("02", "x", "y")]
    assert pair(found, recorded, place_first=False) == {0: 0, 1: 1}


def test_the_greater_share_decides_where_a_unit_went() -> None:
    found = [unit("05", "a"), unit("06", "b", "c")]
    recorded = [unit("01", "a", "b", "c")]
    assert pair(found, recorded, place_first=False) == {1: 0}


def test_a_distinctive_file_left_at_its_place_keeps_the_place_although_more_went_elsewhere() -> None:
    found = [unit("01", "a"), unit("02", "b", "c")]
    recorded = [unit("01", "a", "b", "c")]
    assert pair(found, recorded, place_first=False) == {0: 0}


def test_with_nothing_in_common_the_place_still_tells() -> None:
    assert pair([unit("01", "new")], [unit("01", "old")], place_first=True) == {0: 0}


def test_what_moved_away_is_not_taken_for_an_edit_of_its_old_place() -> None:
    found = [unit("learning", "new"), unit("practice", "old")]
    recorded = [unit("learning", "old")]
    assert pair(found, recorded, place_first=True) == {1: 0}


def test_a_file_that_cannot_be_read_is_known_by_its_place_alone() -> None:
    found = [unit("02", "a"), unit("01", pinned=True)]
    recorded = [unit("01", "a")]
    assert pair(found, recorded, place_first=True) == {1: 0}


def test_a_name_in_another_unicode_form_is_the_same_place() -> None:
    found = [Unit("cafe\u0301", {"new"}, alias="caf\u00e9")]
    recorded = [Unit("caf\u00e9", {"old"})]
    assert pair(found, recorded, place_first=True) == {0: 0}


def test_twins_in_two_unicode_forms_stay_apart() -> None:
    nfc, nfd = "\u00e9", "e\u0301"
    found = [Unit(nfd, {"one"}, alias=nfc), Unit(nfc, {"two"}, alias=nfc)]
    recorded = [Unit(nfc, {"two, old"}, alias=nfc), Unit(nfd, {"one, old"}, alias=nfc)]
    assert pair(found, recorded, place_first=True) == {0: 1, 1: 0}


def test_what_only_one_side_has_once_is_no_proof_of_a_move() -> None:
    found = [unit("01", "intro", "b")]
    recorded = [unit("01", "intro", "a"), unit("02", "intro", "b")]
    assert pair(found, recorded, place_first=False) == {0: 1}
    found = [unit("01", "intro", "b"), unit("02", "intro", "c")]
    recorded = [unit("02", "intro", "b")]
    assert pair(found, recorded, place_first=False) == {0: 0}


def test_a_clip_in_many_lessons_weighs_no_more_than_any_other() -> None:
    found = [unit("05", "clip", "y", "z"), unit("06", "clip"), unit("03", "y", "z", "own")]
    recorded = [unit("01", "clip"), unit("02", "y", "z"), unit("03", "y", "z", "own")]
    assert pair(found, recorded, place_first=False) == {0: 1, 1: 0, 2: 2}
