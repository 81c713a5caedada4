"""What speaks for a match, in words a person can judge, and which of several matches is the better one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from curri.model import Held, RecordedVideo
from curri.plan.adoption import Adoption, Evidence, by_looks, by_metadata
from plan.adopting import A, B, C, file, held, named, sent

CALLED = "course_01_L01_learning"
HERE = "its metadata name this course, lesson and kind"
COMPONENT = "its metadata name this component, c1"


def looked(files: list[RecordedVideo], videos: list[Held], seconds: float | None = 60.0) -> list[Adoption]:
    """Match by looks; all files last as long."""
    lasting = {each.id: seconds for each in files if seconds is not None}
    return by_looks(files, videos, {each.id: CALLED for each in files}, lasting)


def words(found: list[Adoption]) -> list[tuple[str, Evidence, str]]:
    return [(each.held.uid, each.evidence, each.told) for each in found]


# --- by metadata


def test_who_made_it_is_told_of_every_video_of_a_component() -> None:
    theirs = sent("u2", sha1=B, day=1, program="Theirs")
    assert words(by_metadata([file()], [theirs, sent("u1", day=5), sent("u3", sha1=C, day=2)])) == [
        ("u1", Evidence.COMPONENT, COMPONENT),
        ("u3", Evidence.COMPONENT, COMPONENT),
        ("u2", Evidence.COMPONENT, f"{COMPONENT}; whether it was sent from here is not known"),
    ]


@pytest.mark.parametrize(
    ("videos", "best"),
    [
        ([sent("u1", sha1=B, day=1), sent("u2", sha1=C, day=2)], "u2"),
        ([sent("u1", sha1=B, day=2), sent("u2", sha1=C, day=1)], "u1"),
        # of our own titles before a newer one of others
        ([sent("u1", sha1=B, day=1), sent("u2", sha1=C, day=2, courseTitle="Another")], "u1"),
        ([sent("u1", sha1=B, day=2, lessonTitle="Another"), sent("u2", sha1=C, day=1)], "u2"),
        # one that plays before a newer one that does not; one that may play some day before one that never will
        ([sent("u1", sha1=B, day=1), sent("u2", sha1=C, day=2, state="queued")], "u1"),
        ([sent("u1", sha1=B, day=1, state="queued"), sent("u2", sha1=C, day=2, state="error")], "u1"),
    ],
)
def test_of_videos_that_were_made_of_other_files_the_most_likely_is_offered(videos: list[Held], best: str) -> None:
    for listed in (videos, videos[::-1]):
        (found,) = by_metadata([file()], listed)
        assert words([found]) == [
            (best, Evidence.COMPONENT, f"{COMPONENT}; it was made of another file than the present one")
        ]
        assert not found.exact


def test_a_checksum_is_named_so_that_it_can_be_compared() -> None:
    (found,) = by_metadata([file()], [sent("u1", "elsewhere")])
    assert words([found]) == [("u1", Evidence.CHECKSUM, f"it was made of a file with this checksum, {A}")]
    here = named(file(2), groupKey="learning/video.mp4")
    (found,) = by_metadata([file(1), file(2)], [held("u1", checksumSha1=A, **here)])
    told = f"2 equal files have this checksum, {A}; it names this place"
    assert (found.video.id, words([found])) == ("c2", [("u1", Evidence.CHECKSUM, told)])


def test_every_one_of_equal_files_gets_the_video_of_its_own_place() -> None:
    files = [file(1), file(2), file(3)]
    videos = [held(f"u{each.lesson}", checksumSha1=A, **named(each)) for each in files]
    found = by_metadata(files, [*videos, held("u9", checksumSha1=A, **named(files[0]), duration=9.0)])
    # Of two that name one place, the later one stands first.
    assert [(each.video.id, each.held.uid) for each in found] == [("c1", "u9"), ("c2", "u02"), ("c3", "u03")]


def test_matches_come_in_the_order_of_the_files_however_they_were_found() -> None:
    files = [file(1, B), file(2, A), file(3, C)]
    videos = [sent("u3", "c3", A), sent("u2", "c2", A), sent("u1", "elsewhere", B)]
    found = by_metadata(files, videos)
    assert [(each.video.id, each.evidence, each.exact) for each in found] == [
        ("c1", Evidence.CHECKSUM, True),
        ("c2", Evidence.COMPONENT, True),
        ("c3", Evidence.COMPONENT, False),
    ]


# --- by looks


@pytest.mark.parametrize(
    ("more", "seconds", "told"),
    [
        ({}, 60.0, f"{HERE}; duration 60.0 s"),
        ({}, None, f"{HERE}; whether it lasts as long is not known"),
        ({}, 70.0, f"{HERE}; it lasts 60.0 s, the file 70.0 s"),
        (
            {"checksumSha1": B},
            60.0,
            f"{HERE}; duration 60.0 s; it was made of another file than the present one",
        ),
        ({"courseTitle": "Another"}, 60.0, f"{HERE}; duration 60.0 s; it names another title"),
    ],
)
def test_what_speaks_for_and_against_a_place_is_told(more: dict[str, str], seconds: float | None, told: str) -> None:
    found = looked([file()], [held(**named(file(), **more))], seconds)
    assert words(found) == [("u1", Evidence.PLACE, told)]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "VIDEO.MOV"}, "name VIDEO.MOV, duration 60.0 s"),
        ({"name": "x", "size": 1000}, "size 1,000 bytes, duration 60.0 s"),
        ({"name": "learning/Video.mov\n", "size": 1000}, "name learning/Video.mov\\n, size 1,000 bytes, duration 60.0 s"),
        (
            {"name": CALLED, "size": 1000, "duration": None},
            f"name {CALLED}, size 1,000 bytes, whether it lasts as long is not known",
        ),
    ],
)  # fmt: skip
def test_what_looks_alike_is_told(given: dict[str, Any], told: str) -> None:
    assert words(looked([file()], [held(**given)])) == [("u1", Evidence.FILE, told)]


def test_that_others_fit_as_well_is_told_of_the_one_that_is_offered() -> None:
    two = [held("u1", **named(file())), held("u2", **named(file()))]
    (found,) = looked([file()], two)
    assert found.told == f"{HERE}; duration 60.0 s; others fit as well"


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        # by place: one that lasts as long, then one of which nobody knows, then one that does not
        (held("u1", duration=None, **named(file())), held("u2", **named(file()))),
        (held("u1", duration=9.0, **named(file())), held("u2", duration=None, **named(file()))),
        # by place before all looks
        (held("u1", size=1000, name="video.mp4"), held("u2", duration=9.0, **named(file()))),
        # by looks: the name that curri would give, or the size, weighs more than the name of the file or the duration
        (held("u1", name="video.mp4"), held("u2", size=1000, name="x")),
        (held("u1", name="video.mp4"), held("u2", duration=None, name=CALLED)),
        (held("u1", size=1000, duration=None, name="x"), held("u2", duration=None, name=CALLED)),
        (held("u1", duration=None, name=CALLED), held("u2", size=1000, name="video.mp4")),
        # and beside the size, the name of the file and the duration still count
        (held("u1", size=1000, duration=None, name="x"), held("u2", size=1000, duration=None, name="video.mp4")),
        (held("u1", size=1000, duration=None, name="x"), held("u2", size=1000, name="x")),
        (held("u1", size=1000, name="x"), held("u2", size=1000, name="video.mp4")),
    ],
)
def test_of_two_videos_the_one_that_more_speaks_for_is_taken(worse: Held, better: Held) -> None:
    for listed in ([worse, better], [better, worse]):
        (found,) = looked([file()], listed)
        assert found.held.uid == "u2"
        assert "others fit" not in found.told


def test_a_better_match_of_one_file_leaves_the_rest_to_the_others() -> None:
    files = [file(1), replace(file(2), rendition=file(2).source._replace(size=500))]
    videos = [held("u1", size=1000, name="x"), held("u2", size=500, name="video_compressed.mp4")]
    found = looked(files, videos)
    assert [(each.video.id, each.held.uid) for each in found] == [("c1", "u1"), ("c2", "u2")]


def test_a_file_that_has_its_video_is_given_no_other_one() -> None:
    files = [file(1), file(2, size=500)]
    videos = [held("u1", size=1000, name="video.mp4"), held("u2", size=500, name="x")]
    found = looked(files, [*videos, held("u3", size=1000, duration=None, name="x")])
    assert [(each.video.id, each.held.uid) for each in found] == [("c1", "u1"), ("c2", "u2")]


@pytest.mark.parametrize(
    ("meta", "fits"),
    [
        ({"groupKey": "learning/video.mp4"}, True),
        ({"groupKey": "learning/video.mp4", "componentType": "other"}, True),
        ({"groupKey": "learning/part-2.mp4"}, False),
        ({"componentType": "practice"}, False),
    ],
)
def test_where_the_metadata_name_the_very_file_the_kind_does_not_matter(meta: dict[str, str], fits: bool) -> None:
    assert bool(looked([file()], [held(**named(file(), **meta))])) is fits


@pytest.mark.parametrize(
    ("number", "fits"), [(None, True), ("", True), ("intro", False), ("0", False), ("\u0661", False)]
)
def test_a_video_of_the_course_itself_names_no_lesson(number: str | None, fits: bool) -> None:
    preview = replace(file(), lesson=None, lesson_id=None, kind="preview")
    meta = {**named(preview), "lessonNumber": number}
    assert bool(looked([preview], [held(**meta)])) is fits
    assert bool(looked([preview], [held(**{key: value for key, value in meta.items() if key != "lessonNumber"})]))


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("video.mp4", True),
        ("elsewhere/Video.MOV", True),
        ("video_compressed.mp4", True),
        ("video", True),
        ("vid\u00e9o.mp4", False),
        ("video.old.mp4", False),
        ("other.mp4", False),
        (".mp4", False),
        ("", False),
    ],
)
def test_names_are_alike_without_folder_extension_and_mark_of_a_rendition(name: str, alike: bool) -> None:
    assert bool(looked([file()], [held(name=name)])) is alike


def test_a_file_that_stream_has_nothing_like_stays_without_a_video() -> None:
    assert looked([file(1), file(2, size=5)], [held(size=5, name="x")])[0].video.id == "c2"
    assert looked([file()], [held(size=8, name="x")]) == []
    assert looked([], [held()]) == []
