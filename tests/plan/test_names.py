"""Names on Stream: short for the main video of a kind, unique for all, the same in whatever order they are asked."""

from __future__ import annotations

import re
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.plan.names import Named, names
from curri.plan.text import slug

# Few parts on purpose: names that collide are where mistakes live.
KINDS = ["learning", "Learning", "learning_video", "lab", "part 2", ""]
STEMS = ["video", "VIDEO", "part 2", "part-2", "part-2-2", "part", "week1/intro", "week1 intro", ""]
KEYS = [f"{stem}.{extension}" for stem, extension in product(STEMS, ["mp4", "mov"])]
PATHS = st.sampled_from(KEYS + [f"{kind}/{key}" for kind, key in product(KINDS, KEYS)]) | st.text(max_size=8)
LESSONS = st.none() | st.sampled_from(["01", "02", "12"])


def lesson(*group_keys: str, number: str | None = "01") -> list[Named]:
    """Return the videos of a lesson; the kind is the first folder, as in a tree."""
    return [
        Named(key, "course_01", number, key.partition("/")[0] if "/" in key else key.rpartition(".")[0], key)
        for key in group_keys
    ]


def named(*group_keys: str) -> dict[str, str]:
    """Return group key -> what follows `course_01_L01_`."""
    return {key: name.removeprefix("course_01_L01_") for key, name in names(lesson(*group_keys)).items()}


@st.composite
def some_videos(draw: st.DrawFn) -> list[Named]:
    kinds = st.sampled_from(KINDS) | st.text(max_size=4)
    places = draw(st.lists(st.tuples(st.sampled_from(["course_01", "course_02"]), LESSONS, kinds, PATHS), max_size=12))
    return [Named(f"id{number:02}", *place) for number, place in enumerate(places)]


def test_a_name_tells_course_lesson_and_kind() -> None:
    assert names(lesson("learning/video.mp4")) == {"learning/video.mp4": "course_01_L01_learning"}
    assert names(lesson("lab/video.mp4", number="112")) == {"lab/video.mp4": "course_01_L112_lab"}


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param({"learning/clip.mp4": "learning"}, id="the only video of its kind"),
        pytest.param({"learning/week1/intro.mp4": "learning"}, id="the only one, however deep"),
        pytest.param({"intro.mp4": "intro"}, id="directly in the lesson"),
        pytest.param(
            {"learning/video.mp4": "learning", "learning/part 2.mp4": "learning_part-2"}, id="the rest adds its path"
        ),
        pytest.param({"learning/a.mp4": "learning_a", "learning/b.mp4": "learning_b"}, id="no main video"),
        pytest.param(
            {"learning/Video.MP4": "learning", "learning/a.mp4": "learning_a"}, id="the main video in capitals"
        ),
        pytest.param(
            {"learning/week1/intro.mp4": "learning_week1-intro", "learning/week1/video.mp4": "learning_week1-video"},
            id="deeper down nothing is the main video",
        ),
        pytest.param(
            {"learning/video.mov": "learning", "learning/video.mp4": "learning_video"}, id="the first of two main ones"
        ),
        pytest.param(
            {"learning/a.b.mp4": "learning_a-b", "learning/a": "learning_a"}, id="only the last extension goes"
        ),
        pytest.param(
            {"learning/v1.2/intro": "learning_v1-2-intro", "learning/b.mp4": "learning_b"},
            id="a dot in a folder begins no extension",
        ),
        pytest.param({"learning/.mp4": "learning_mp4", "learning/b.mp4": "learning_b"}, id="a dot that begins a name"),
        pytest.param({"learning/video.mp4": "learning", "practice/clip.mp4": "practice"}, id="kinds are separate"),
        pytest.param({"video.mp4": "video_video", "video/a.mp4": "video_a"}, id="not in the folder of its kind"),
        pytest.param({"Part 1/video.mp4": "part-1"}, id="a kind is slugged"),
        pytest.param(
            {"Part 1/video.mp4": "part-1", "part-1/video.mp4": "part-1_video"}, id="kinds that read the same are one"
        ),
        pytest.param(
            {"lab/a.mp4": "lab_a-2", "lab/b.mp4": "lab_b", "lab_a/video.mp4": "lab_a"}, id="bare names come first"
        ),
        pytest.param(
            {"lab/x.mkv": "lab_x", "lab/x.mov": "lab_x-3", "lab/x.mp4": "lab_x-4", "lab/x 2.mp4": "lab_x-2"},
            id="a number never takes a name that is due to another",
        ),
        pytest.param(
            {"lab/x2.mp4": "lab_x2", "lab/x 10.mp4": "lab_x-10", "lab/x!10.mp4": "lab_x-10-2"},
            id="twins after slugging, in natural order",
        ),
        pytest.param({"lab/a!x.mp4": "lab_a-x", "lab/A?x.mp4": "lab_a-x-2"}, id="capitals do not come first"),
        pytest.param({"lab/10/a!.mp4": "lab_10-a", "lab/2/a.mp4": "lab_2-a"}, id="folders tell twins apart"),
        pytest.param({"lab/!.mp4": "lab_file", "lab/?.mp4": "lab_file-2"}, id="names without a letter"),
    ],
)
def test_names_within_a_lesson(expected: dict[str, str]) -> None:
    assert named(*expected) == expected


def test_a_name_in_another_unicode_form_is_the_same_name() -> None:
    assert named("cafe\u0301/video.mp4") == {"cafe\u0301/video.mp4": "caf\u00e9"}


def test_a_preview_has_no_lesson_in_its_name() -> None:
    previews = [
        Named("b", "course_01", None, "preview", "preview.mp4"),
        Named("a", "course_01", None, "preview", "preview.mov"),
    ]
    assert names(previews[:1]) == {"b": "course_01_preview"}
    assert names(previews) == {"a": "course_01_preview", "b": "course_01_preview_preview"}


def test_a_preview_is_not_taken_for_a_lesson() -> None:
    odd = Named("odd", "course_01", None, "L01_learning", "L01_learning.mp4")
    made = names([*lesson("learning/video.mp4"), odd])
    assert made == {"learning/video.mp4": "course_01_L01_learning", "odd": "course_01_l01_learning"}


def test_lessons_and_courses_are_named_each_by_itself() -> None:
    first, second = lesson("learning/a.mp4"), lesson("learning/b.mp4", number="02")
    other = [Named("other", "course_02", "01", "learning", "learning/a.mp4")]
    assert names([*first, *second, *other]) == {
        "learning/a.mp4": "course_01_L01_learning",
        "learning/b.mp4": "course_01_L02_learning",
        "other": "course_02_L01_learning",
    }


def test_nothing_has_no_names() -> None:
    assert names([]) == {}


@given(some_videos())
def test_every_video_has_a_name_and_no_two_have_the_same(videos: list[Named]) -> None:
    made = names(videos)
    assert made.keys() == {video.component_id for video in videos}
    assert len(set(made.values())) == len(videos)
    for video in videos:
        place = video.course if video.lesson is None else f"{video.course}_L{video.lesson}"
        assert made[video.component_id].startswith(f"{place}_")


@given(some_videos(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(videos: list[Named], random: Random) -> None:
    shuffled = list(videos)
    random.shuffle(shuffled)
    assert names(shuffled) == names(videos)


@given(some_videos(), some_videos())
def test_other_lessons_do_not_matter(videos: list[Named], others: list[Named]) -> None:
    places = {(video.course, video.lesson) for video in videos}
    away = [
        other._replace(component_id=f"other {other.component_id}")
        for other in others
        if (other.course, other.lesson) not in places
    ]
    assert names(videos).items() <= names([*away, *videos]).items()


@given(some_videos())
def test_at_most_one_video_of_a_kind_has_the_bare_name_and_an_only_one_always_has(videos: list[Named]) -> None:
    made = names(videos)
    by_kind: dict[tuple[str, str | None, str], list[Named]] = {}
    for video in videos:
        by_kind.setdefault((video.course, video.lesson, slug(video.kind)), []).append(video)
    for (course, number, kind), of_kind in by_kind.items():
        bare = f"{course}_{kind}" if number is None else f"{course}_L{number}_{kind}"
        holders = [video for video in of_kind if made[video.component_id] == bare]
        main = [video for video in of_kind if re.fullmatch(r"[^/]*/video\.(mp4|mov)", video.group_key)]
        assert len(holders) <= 1
        if len(of_kind) == 1 or main or number is None:
            assert len(holders) == 1
