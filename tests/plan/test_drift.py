"""Where the metadata of a video are not what they should be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curri.plan.drift import Change, differences, restorable
from curri.plan.metadata import OURS

WANTED = {"name": "course_01_L02_learning", "lessonNumber": "02", "lessonId": "l"}
VALUES = st.dictionaries(st.sampled_from([*sorted(OURS), "filename", "note"]), st.text(max_size=5))


def test_only_what_differs_is_changed_and_keys_of_others_are_let_be() -> None:
    held = {"name": "course_01_L01_learning", "lessonNumber": "02", "lessonId": "l", "filename": "x.mp4", "note": 7}
    assert differences(WANTED, held) == (Change("name", "course_01_L01_learning", "course_01_L02_learning"),)


def test_a_video_without_metadata_gets_them_all() -> None:
    assert {change.key: change.new for change in differences(WANTED, {})} == WANTED


def test_a_preview_says_of_no_lesson() -> None:
    held = {"name": "course_01_preview", "lessonId": "l", "lessonTitle": "Old"}
    changes = differences({"name": "course_01_preview"}, held)
    assert changes == (Change("lessonId", "l", None), Change("lessonTitle", "Old", None))


def test_what_is_not_set_here_is_not_cleared_there() -> None:
    assert differences(WANTED, {**WANTED, "managedBy": "Grammar Ops", "compressed": "true"}) == ()


@given(wanted=VALUES, held=VALUES)
def test_after_the_changes_nothing_differs(wanted: dict[str, str], held: dict[str, str]) -> None:
    now: dict[str, object] = dict(held)
    for change in differences(wanted, now):
        if change.new is None:
            del now[change.key]
        else:
            now[change.key] = change.new
    assert differences(wanted, now) == ()
    assert {key: now.get(key) for key in ("filename", "note")} == {key: held.get(key) for key in ("filename", "note")}


def test_a_change_can_be_taken_back_unless_its_keys_were_changed_since() -> None:
    before, after = {"name": "a", "x": "1"}, {"name": "b", "x": "1"}
    assert restorable(before, after, {"name": "b", "x": "2", "y": "new"})
    assert restorable(before, after, {"name": "a"})  # it never came to Stream
    assert not restorable(before, after, {"name": "c", "x": "1"})
    assert not restorable(before, after, {"x": "1"})
