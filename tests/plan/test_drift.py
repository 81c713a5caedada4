"""Where the metadata of a video are not what they should be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curri.plan.drift import Change, between, changed, differences, restored
from curri.plan.metadata import OURS

WANTED = {"name": "course_01_L02_learning", "lessonNumber": "02", "lessonId": "l"}
VALUES = st.dictionaries(st.sampled_from([*sorted(OURS), "filename", "note"]), st.text(max_size=5))


def test_only_what_differs_is_changed_and_keys_of_others_are_let_be() -> None:
    held = {"name": "course_01_L01_learning", "lessonNumber": "02", "lessonId": "l", "filename": "x.mp4", "note": 7}
    assert differences(WANTED, held) == (Change("name", "course_01_L01_learning", "course_01_L02_learning"),)


def test_a_video_without_metadata_gets_them_all() -> None:
    assert {change.key: change.new for change in differences(WANTED, {})} == WANTED


def test_a_preview_says_of_no_lesson() -> None:
    held = {"name": "old", "lessonId": "l", "lessonTitle": "Old"}
    changes = differences({"name": "course_01_preview"}, held)
    assert changes == (
        Change("lessonId", "l", None),
        Change("lessonTitle", "Old", None),
        Change("name", "old", "course_01_preview"),
    )


def test_what_is_not_set_here_is_not_cleared_there() -> None:
    assert differences(WANTED, {**WANTED, "managedBy": "Grammar Ops", "compressed": "true"}) == ()


@given(wanted=VALUES, held=VALUES)
def test_after_the_changes_nothing_differs(wanted: dict[str, str], held: dict[str, str]) -> None:
    now = changed(held, {change.key: change.new for change in differences(wanted, held)})
    assert differences(wanted, now) == ()
    assert {key: now.get(key) for key in ("filename", "note")} == {key: held.get(key) for key in ("filename", "note")}


def test_a_key_of_none_is_taken_out_and_others_stay() -> None:
    assert changed({"a": 1, "b": None, "c": "x"}, {"c": None, "d": "y"}) == {"a": 1, "b": None, "d": "y"}


def test_what_is_between_two_is_in_the_order_of_the_keys() -> None:
    found = between({"b": 1, "e": None, "a": "x", "c": [1]}, {"c": [1], "b": "1", "d": None})
    assert found == (Change("a", "x", None), Change("b", 1, "1"), Change("d", None, None), Change("e", None, None))


def test_a_change_can_be_taken_back_unless_its_keys_were_changed_since() -> None:
    before, after = {"name": "a", "x": "1"}, {"name": "b", "x": "1"}
    assert restored(before, after, {"name": "b", "x": "2", "y": "new"}) == {"name": "a", "x": "2", "y": "new"}
    assert restored(before, after, {"name": "a"}) == {"name": "a"}  # it never came to Stream
    assert restored(before, after, {"name": "c", "x": "1"}) is None
    assert restored(before, after, {"x": "1"}) is None


def test_what_is_taken_back_keeps_its_type_and_null_is_a_value() -> None:
    before = {"number": 1, "list": [None, {"a": 2.5}], "null": None}
    after = {"number": "01", "list": "x", "null": "y", "added": "z"}
    assert restored(before, after, {**after, "theirs": True}) == {**before, "theirs": True}
    assert restored(before, after, {**after, "null": None}) is None


JSON = st.dictionaries(st.sampled_from("abc"), st.none() | st.booleans() | st.text(max_size=1) | st.lists(st.none()))


@given(before=JSON, after=JSON, more=st.dictionaries(st.sampled_from("xyz"), st.integers()))
def test_a_change_that_is_taken_back_leaves_what_was_there(
    before: dict[str, object], after: dict[str, object], more: dict[str, object]
) -> None:
    assert restored(before, after, after | more) == before | more
    assert restored(before, after, before | more) == before | more
