"""What a person may call a video: which one is meant, and what is said when none or several are."""

from __future__ import annotations

import pytest

from curri.errors import UsageError
from curri.plan.references import Carried, Known, Spot, component, find, nearest, video

A, B, C = (f"{letter * 8}-0000-5000-8000-000000000000" for letter in "abc")
UIDS = tuple(str(number) * 32 for number in range(10))
ROW = "99999999-0000-4000-8000-00000000000"


def carried(number: int, state: str | None = "current", called: str | None = None) -> Carried:
    return Carried(f"{ROW}{number}", UIDS[number], state, called)


def known(
    component: str | None = A,
    *videos: Carried,
    lesson: str | None = "01",
    path: str = "learning/video.mp4",
    name: str | None = "course_01_L01_learning",
    removed: bool = False,
    more: tuple[str, ...] = (),
    attempts: tuple[str, ...] = (),
) -> Known:
    return Known(component, "/data", "course_01", lesson, (path, *more), name, removed, videos, attempts)


ONE = known(A, carried(1))
TWO = known(B, carried(2), lesson="02", name="course_01_L02_learning")
LOST = Known(None, None, None, None, (), None, False, (carried(3, None, "video_compressed.mp4"),), ())
HERE = Spot(None, "course_01", "01", "learning/video.mp4")


@pytest.mark.parametrize("text", [A, A.upper(), UIDS[1], f"{ROW}1"])
def test_an_id_of_any_kind_is_told(text: str) -> None:
    assert component(text, (), [ONE, TWO, LOST]).known == ONE


def test_an_id_is_told_of_all_that_have_it_and_an_upload_of_each_once() -> None:
    begun = known(B, carried(2), lesson="02", attempts=(UIDS[1], UIDS[1].upper()))
    assert [(match.known, match.uid) for match in find(UIDS[1], (), [ONE, begun])] == [(ONE, UIDS[1]), (begun, UIDS[1])]
    same = [known(A), known(A, removed=True)]
    assert [match.known for match in find(A, (), same)] == same


def test_an_id_on_stream_says_which_video_was_meant() -> None:
    twice = known(A, carried(1), carried(4, "retired"))
    assert component(UIDS[4], (), [twice]).uid == UIDS[4]
    assert component(A, (), [twice]).uid is None
    assert video(UIDS[4], (), [twice]).uid == UIDS[4]
    assert video(A, (), [twice]).uid == UIDS[1]


def test_an_id_is_told_exactly_if_it_is_no_hexadecimal_one() -> None:
    youtube = known(A, Carried(f"{ROW}1", "dQw4w9WgXcQ", "current", None))
    assert video("dQw4w9WgXcQ", (), [youtube]).uid == "dQw4w9WgXcQ"
    with pytest.raises(UsageError):
        video("DQW4W9WGXCQ", (), [youtube])


def test_a_place_is_told_by_its_parts_in_any_unicode_form() -> None:
    there = known(A, lesson="01", path="le\u0301on/a.mp4", name=None)
    spot = Spot(None, "course_01", "01", "l\u00e9on/a.mp4")
    assert component("x", [spot], [there, TWO]).known == there
    for other in (spot._replace(course="course_02"), spot._replace(lesson=None), spot._replace(path="leon/a.mp4")):
        assert find("x", [other], [there, TWO]) == []


def test_a_path_on_disk_counts_below_the_folder_of_its_own_course_only() -> None:
    assert find("x", [HERE._replace(root="/data")], [ONE])
    assert not find("x", [HERE._replace(root="/other")], [ONE])


def test_a_sidecar_means_its_video() -> None:
    both = known(A, carried(1), more=("learning/video.en.vtt",))
    assert component("x", [HERE._replace(path="learning/video.en.vtt")], [both, TWO]).known == both


def test_what_is_there_comes_before_what_was_removed_from_the_same_place() -> None:
    gone = known(C, removed=True, name=None)
    assert [match.known for match in find("x", [HERE], [gone, ONE])] == [ONE]
    assert component("x", [HERE], [gone]).known == gone


def test_a_name_is_the_one_that_it_should_have_before_the_one_that_it_has() -> None:
    swapped = [known(A, carried(1, called="b"), name="a"), known(B, carried(2, called="a"), lesson="02", name="b")]
    assert component("a", (), swapped).known.component == A
    assert video("b", (), swapped).uid == UIDS[2]
    assert video("video_compressed.mp4", (), [*swapped, LOST]).uid == UIDS[3]


@pytest.mark.parametrize(
    ("states", "meant"),
    [(("retired", "pending", "current"), 2), (("retired", "pending"), 1), (("current",), 0)],
)
def test_a_place_means_what_plays_there_else_what_waits_to(states: tuple[str, ...], meant: int) -> None:
    videos = [carried(number, state) for number, state in enumerate(states)]
    assert video("x", [HERE], [known(A, *videos)]).uid == UIDS[meant]


@pytest.mark.parametrize("videos", [(), (carried(1, "retired"),)])
def test_a_place_where_nothing_plays_has_no_video(videos: tuple[Carried, ...]) -> None:
    with pytest.raises(UsageError) as raised:
        video("x", [HERE], [known(A, *videos)])
    assert raised.value.message == "course_01/01/learning/video.mp4 has no video on Stream"
    assert raised.value.hint == "`curri explain` tells why; `curri upload` sends it"


def test_an_old_name_that_a_component_had_twice_means_the_video_that_plays() -> None:
    renamed = known(A, carried(1, "retired", "old"), carried(2, "pending", "old"), carried(3, "current", "old"))
    assert component("old", (), [renamed]).uid == UIDS[3]


def test_the_id_of_an_upload_is_explained_and_is_no_video() -> None:
    begun = known(A, attempts=(UIDS[7],))
    assert component(UIDS[7], (), [begun]).uid == UIDS[7]
    with pytest.raises(UsageError, match="no video of the catalog") as raised:
        video(UIDS[7], (), [begun])
    assert f"curri explain {UIDS[7]}" in str(raised.value.hint)
    # Not even if the component plays another one: that was not asked for.
    with pytest.raises(UsageError, match="no video of the catalog"):
        video(UIDS[7], (), [known(A, carried(1), attempts=(UIDS[7],))])


def test_a_video_with_several_links_is_one_video_and_several_components() -> None:
    shared = [known(A, carried(1)), known(B, carried(1), lesson="02", name="course_01_L02_learning")]
    assert video(UIDS[1], (), shared).uid == UIDS[1]
    with pytest.raises(UsageError, match="may mean 2 videos") as raised:
        component(UIDS[1], (), shared)
    hint = str(raised.value.hint)
    assert f"{A} (course_01/01/learning/video.mp4)" in hint
    assert f"{B} (course_01/02/learning/video.mp4)" in hint


def test_several_videos_of_one_old_name_are_named_by_their_ids() -> None:
    leftovers = [
        known(None, carried(number, None, "video_compressed.mp4"))._replace(course=None, lesson=None, files=())
        for number in range(3)
    ]
    for way in (component, video):
        with pytest.raises(UsageError, match="may mean 3 videos") as raised:
            way("video_compressed.mp4", (), leftovers)
        assert all(uid in str(raised.value.hint) for uid in UIDS[:3])


def test_two_places_of_one_name_are_both_named_and_the_name_alone_means_neither() -> None:
    twins = [known(A, carried(1), name="same"), known(B, carried(2), lesson="02", name="same")]
    with pytest.raises(UsageError, match=r"^same may mean 2 videos$") as raised:
        video("same", (), twins)
    first, second = (f"{UIDS[n]} (course_01/0{n}/learning/video.mp4)" for n in (1, 2))
    assert raised.value.hint == f"name one by its id: {first}, {second}"


def test_ten_candidates_are_all_named_and_a_video_without_a_place_by_its_id_alone() -> None:
    lost = [LOST._replace(videos=(carried(number, None, "a.mp4"),)) for number in range(10)]
    with pytest.raises(UsageError) as raised:
        component("a.mp4", (), lost)
    assert raised.value.hint == f"name one by its id: {', '.join(UIDS)}"


def test_a_long_list_of_candidates_is_cut() -> None:
    many = [
        known(f"{number:08d}-0000-5000-8000-000000000000", name="same", lesson=f"{number:02d}") for number in range(30)
    ]
    with pytest.raises(UsageError) as raised:
        component("same", (), many)
    hint = str(raised.value.hint)
    assert hint.endswith(" and 20 more")
    assert (hint.count("course_01/"), "course_01/10/" in hint) == (10, False)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "course_01_L01_lerning",
            "did you mean course_01_L01_learning or course_01_L02_learning or course_01/01/learning/video.mp4?",
        ),
        ("COURSE_01_l02_learning", "did you mean course_01_L02_learning?"),
        ("course_01/01", "did you mean course_01/01/learning/video.mp4?"),
        ("02/learning/video.mp4", "did you mean course_01/02/learning/video.mp4?"),
        ("xyzzy", "`curri status` and `curri videos list` show what there is"),
        ("", "`curri status` and `curri videos list` show what there is"),
    ],
)
def test_what_is_not_there_is_named_with_what_is_near(text: str, hint: str) -> None:
    for way in (component, video):
        with pytest.raises(UsageError) as raised:
            way(text, (), [ONE, TWO])
        assert raised.value.message == f"no video of the catalog is called {text or '(empty)'}"
        assert raised.value.hint == hint


def test_a_place_may_be_begun_or_ended_with_a_slash() -> None:
    assert nearest("/course_01/01/", [TWO, ONE]) == ["course_01/01/learning/video.mp4"]
    assert nearest("/", [ONE]) == []


def test_an_empty_catalog_says_what_fills_it() -> None:
    with pytest.raises(UsageError) as raised:
        component("x", (), [])
    assert raised.value.message == "no video of the catalog is called x"
    assert raised.value.hint == "the catalog has no videos: `curri import PATH` records them"


def test_what_was_removed_is_not_suggested() -> None:
    assert nearest("course_01/01", [known(A, removed=True, name=None)]) == []


def test_messages_are_printable() -> None:
    evil = known(A, path="\x1b]0;owned\x07/video.mp4", name="a")
    with pytest.raises(UsageError) as raised:
        component("\x1b[31m", (), [evil])
    assert "\x1b" not in raised.value.message + str(raised.value.hint)
    assert not any("\x1b" in word for word in nearest("a/video.mp4", [evil]))
    assert "\x1b" not in evil.label
