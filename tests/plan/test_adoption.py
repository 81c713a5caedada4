"""Which videos belong to which files: what is sure, what a person must look at, and what is nobody's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.model import Held, RecordedVideo
from curri.plan.adoption import Evidence, Upload, by_looks, by_metadata, candidates
from plan.adopting import ID, A, B, C, file, held, named, sent, told

# --- by componentId and checksumSha1


def test_a_video_that_names_the_component_and_the_bytes_is_its_own() -> None:
    (found,) = by_metadata([file()], [sent("u1")])
    assert told([found]) == [("c1", "u1", "current", True)]
    assert (found.evidence, found.source_sha1, found.compressed) == (Evidence.COMPONENT, A, False)
    assert found.upload == Upload(ID + "1", A, datetime(2026, 1, 1, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("videos", "expected"),
    [
        # replaced: the newest plays, the others have had their time
        ([sent("u1", sha1=B, day=1), sent("u2", day=2)], {"u1": "retired", "u2": "current"}),
        ([sent("u1", sha1=C, day=1), sent("u2", sha1=B, day=2), sent("u3", day=3)],
         {"u1": "retired", "u2": "retired", "u3": "current"}),
        # a replacement that cannot be played yet, or never will, waits
        ([sent("u1", sha1=B, day=1), sent("u2", day=2, state="queued")], {"u1": "current", "u2": "pending"}),
        ([sent("u1", sha1=B, day=1), sent("u2", day=2, state="error")], {"u1": "current", "u2": "pending"}),
        # none can be played
        ([sent("u1", sha1=B, day=1, state="error"), sent("u2", day=2, state="queued")], {"u1": "retired", "u2": "current"}),
        ([sent("u1", day=1, state="error")], {"u1": "current"}),
        # sent again after a failure
        ([sent("u1", day=1, state="error"), sent("u2", day=2)], {"u1": "retired", "u2": "current"}),
        # whatever the order of the listing
        ([sent("u2", day=2), sent("u1", sha1=B, day=1)], {"u1": "retired", "u2": "current"}),
    ],
)  # fmt: skip
def test_several_videos_of_one_component(videos: list[Held], expected: dict[str, str]) -> None:
    found = by_metadata([file()], videos)
    assert {each.held.uid: each.state for each in found} == expected
    assert all(each.exact for each in found)


@pytest.mark.parametrize("state", ["ready", "queued", "error"])
def test_another_curriculum_with_the_same_numbers_is_never_exact(state: str) -> None:
    """Its components have the same ids, as ids are made of places."""
    theirs = sent("u1", sha1=B, state=state, courseTitle="Another", lessonTitle="Other")
    assert told(by_metadata([file()], [theirs])) == [("c1", "u1", "current", False)]
    same_titles = sent("u1", sha1=B, state=state)
    assert told(by_metadata([file()], [same_titles])) == [("c1", "u1", "current", False)]


@pytest.mark.parametrize(
    "theirs",
    [
        sent("u2", sha1=B, day=1, courseTitle="Another"),
        sent("u2", sha1=B, day=1, lessonTitle="Another"),
        sent("u2", sha1=B, day=1, program="Theirs"),
        sent("u2", sha1=B, day=1, managedBy="Them"),
    ],
)
def test_beside_our_own_an_older_one_of_another_sender_is_not_exact(theirs: Held) -> None:
    found = by_metadata([file()], [theirs, sent("u1", day=5)])
    assert told(found) == [("c1", "u1", "current", True), ("c1", "u2", "retired", False)]
    assert "not known" in found[1].told
    waiting = by_metadata([file()], [theirs, sent("u1", day=5, state="queued")])
    assert told(waiting) == [("c1", "u1", "current", True), ("c1", "u2", "retired", False)]


def test_beside_our_own_a_newer_one_of_other_bytes_is_none_of_ours() -> None:
    """We send the present file last."""
    assert told(by_metadata([file()], [sent("u2", sha1=B, day=9), sent("u1")])) == [("c1", "u1", "current", True)]


def test_one_that_is_found_by_its_id_needs_none_of_the_same_bytes() -> None:
    assert told(by_metadata([file()], [sent("u1"), sent("u2", "elsewhere")])) == [("c1", "u1", "current", True)]


def test_one_that_names_its_component_is_not_given_to_an_equal_file_as_well() -> None:
    files = [file(1), file(2)]
    assert told(
        by_metadata(files, [sent("u1", "c1", courseSlug="course_01", lessonNumber="02", groupKey="learning/video.mp4")])
    ) == [("c1", "u1", "current", True)]


def test_within_one_second_the_time_of_stream_decides() -> None:
    one, two = (
        replace(sent(uid, sha1=sha1), created=f"2026-01-01T10:00:00{part}Z")
        for uid, sha1, part in (("u9", B, ".1"), ("u1", A, ".20"))
    )
    assert {each.held.uid: each.state for each in by_metadata([file()], [two, one])} == {
        "u1": "current",
        "u9": "retired",
    }


def test_lessons_that_were_swapped_get_their_own_videos() -> None:
    """In a catalog that is built anew, each has the id that the other one had."""
    swapped = [file(1, B), file(2, A)]
    found = by_metadata(swapped, [sent("u1", "c1", A), sent("u2", "c2", B)])
    assert told(found) == [("c1", "u2", "current", True), ("c2", "u1", "current", True)]
    assert {each.evidence for each in found} == {Evidence.CHECKSUM}


def test_a_file_that_was_moved_is_found_by_its_bytes_and_the_best_of_several_is_taken() -> None:
    videos = [
        sent("u1", "old", day=1),
        sent("u2", "old", day=2),
        sent("u3", "old", day=3, state="error"),
        sent("u4", "old", B, day=4),
    ]
    assert told(by_metadata([file()], videos)) == [("c1", "u2", "current", True)]


def test_of_equal_files_the_place_decides_and_without_one_nothing_is_sure() -> None:
    files = [file(1), file(2), file(3)]
    here = named(files[1], groupKey="learning/video.mp4")
    first, better = (held(f"u{n}", checksumSha1=A, **here, state=state) for n, state in ((1, "ready"), (2, "ready")))
    assert told(by_metadata(files, [first, better])) == [("c2", "u2", "current", True)]
    broken = replace(better, state="error", ready_to_stream=False)
    assert told(by_metadata(files, [broken, first])) == [("c2", "u1", "current", True)]
    assert by_metadata(files, [held("u1", checksumSha1=A)]) == []
    assert by_metadata(files, [held("u1", checksumSha1=A, **named(file(4)))]) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("uploadId", "no uuid"),
        ("uploadedAt", "2026-01-01T10:00:00"),
        ("uploadedAt", "then"),
        ("uploadedAt", "0001-01-01T00:00:00+09:00"),
        ("uploadId", None),
    ],
)
def test_metadata_that_are_not_whole_tell_of_no_attempt(key: str, value: Any) -> None:
    (found,) = by_metadata([file()], [sent("u1", **{key: value})])
    assert (found.exact, found.upload) == (True, None)


@pytest.mark.parametrize(
    ("value", "compressed"), [("true", True), (True, True), ("false", False), (False, False), (None, False)]
)
def test_whether_an_encode_was_sent(value: object, compressed: bool) -> None:
    """Older scripts wrote it as JSON has it."""
    (found,) = by_metadata([file()], [sent("u1", compressed=value)])
    assert found.compressed is compressed


def test_a_checksum_that_is_none_is_not_recorded() -> None:
    (found,) = by_looks([file()], [held(**named(file()))], {"c1": "n"}, {"c1": 60.0})
    assert found.source_sha1 is None


def test_candidates_are_whole_and_unknown() -> None:
    videos = [held("u1"), held("u2"), held("u3", "pendingupload"), held("u4", "downloading"), held("u5", "error")]
    assert [each.uid for each in candidates(videos, ["u2"])] == ["u1", "u5"]


# --- by looks


def looks(files: list[RecordedVideo], videos: list[Held], **seconds: float) -> list[tuple[str, str, str, bool]]:
    called = {each.id: f"course_01_L{each.lesson}_learning" for each in files}
    return told(by_looks(files, videos, called, {each.id: 60.0 for each in files} | seconds))


@pytest.mark.parametrize("number", ["01", "1", 1])
def test_what_an_older_script_sent_is_known_by_course_lesson_and_kind(number: object) -> None:
    video = held(**named(file(), lessonNumber=number))
    assert looks([file()], [video]) == [("c1", "u1", "current", True)]


@pytest.mark.parametrize(
    ("change", "seconds"),
    [
        ({}, {"c1": 70.0}),
        ({"courseTitle": "Another"}, {}),
        ({"lessonTitle": "Another"}, {}),
        ({"checksumSha1": B}, {}),
    ],
)
def test_by_place_nothing_may_speak_against_it(change: dict[str, str], seconds: dict[str, float]) -> None:
    """Another curriculum with the same numbers is one of these."""
    assert looks([file()], [held(**named(file(), **change))], **seconds) == [("c1", "u1", "current", False)]


def test_where_the_duration_is_not_known_nothing_is_exact() -> None:
    assert told(by_looks([file()], [held(**named(file()))], {"c1": "n"}, {})) == [("c1", "u1", "current", False)]
    unknown = held(duration=None, **named(file()))
    assert looks([file()], [unknown]) == [("c1", "u1", "current", False)]


@pytest.mark.parametrize("change", [{"courseSlug": "course_02"}, {"lessonNumber": "02"}, {"componentType": "practice"}])
def test_another_place_is_no_evidence(change: dict[str, str]) -> None:
    assert looks([file()], [held(**named(file(), **change))]) == []


def test_two_that_fit_as_well_are_never_exact() -> None:
    two = [held("u1", **named(file())), held("u2", **named(file()))]
    assert looks([file()], two) == [("c1", "u1", "current", False)]
    both = [file(1), replace(file(2), lesson="01")]
    assert [each[3] for each in looks(both, [held(**named(file()))])] == [False]
    better = held("u1", duration=None, **named(file())), held("u2", **named(file()))
    assert looks([file()], list(better)) == [("c1", "u2", "current", True)]


@pytest.mark.parametrize(
    ("name", "size", "duration", "expected"),
    [
        ("video_compressed.mp4", 1000, 60.0, True),  # size and duration
        ("whatever", 1000, 60.0, True),
        ("video_compressed.mp4", 7, 60.0, False),  # name and duration
        ("VIDEO.MOV", 7, 60.0, False),
        ("course_01_L01_learning", 7, 60.0, False),  # as another curriculum would call it, too
        ("course_01_L01_learning", 7, None, False),
        ("whatever", 1000, None, False),
        ("video_compressed.mp4", 7, None, None),  # nothing but what every video is called
        ("whatever", 7, 60.0, None),  # nothing but how long it lasts
        ("course_01_L01_learning", 1000, 30.0, None),  # it is another one
    ],
)
def test_what_has_no_metadata_is_known_by_name_size_and_duration(
    name: str, size: int, duration: float | None, expected: bool | None
) -> None:
    found = looks([file()], [held(duration=duration, size=size, name=name)])
    assert found == ([] if expected is None else [("c1", "u1", "current", expected)])


def test_the_size_of_a_rendition_counts_and_tells_that_it_was_compressed() -> None:
    asset = file().source._replace(role="rendition", size=500)
    video = replace(file(), rendition=asset)
    (found,) = by_looks([video], [held(size=500, name="video_compressed.mp4")], {"c1": "n"}, {"c1": 60.0})
    assert (found.exact, found.compressed) == (True, True)


def test_size_and_duration_do_not_outweigh_what_the_metadata_say() -> None:
    assert looks([file()], [held(size=1000, checksumSha1=B)]) == []
    assert looks([file()], [held(size=1000, **named(file(2)))]) == [("c1", "u1", "current", False)]


def test_equal_looks_are_never_exact() -> None:
    same = [held("u1", size=1000, name="video.mp4"), held("u2", size=1000, name="video.mp4")]
    assert [each[3] for each in looks([file(1), file(2)], same)] == [False, False]
    assert [each[3] for each in looks([file(1), file(2)], same[:1])] == [False]
    assert [each[3] for each in looks([file(1)], same)] == [False]


# --- whatever there is

FILES = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([A, B])), unique_by=lambda each: each[0], max_size=4)
METAS = st.fixed_dictionaries(
    {},
    optional={
        "componentId": st.sampled_from(["c1", "c2", "c3", "x"]),
        "checksumSha1": st.sampled_from([A, B, C, "no sha"]),
        "courseSlug": st.sampled_from(["course_01", "course_02"]),
        "lessonNumber": st.sampled_from(["1", "02", 3, None]),
        "componentType": st.just("learning"),
        "courseTitle": st.sampled_from(["One", "Other"]),
        "uploadedAt": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "never"]),
        "uploadId": st.sampled_from([ID + "1", ID + "2", "none"]),
        "name": st.sampled_from(["video_compressed.mp4", "course_01_L01_learning", 5]),
    },
)  # fmt: skip
HELD = st.lists(
    st.tuples(METAS, st.sampled_from(["ready", "queued", "error"]), st.sampled_from([7, 1000]), st.sampled_from([60.0, 30.0, None])),
    max_size=6,
)  # fmt: skip


@given(FILES, HELD)
def test_whatever_there_is_nothing_is_given_twice_and_exact_is_never_of_other_bytes(
    files: list[tuple[int, str]], videos: list[tuple[dict[str, Any], str, int, float | None]]
) -> None:
    alone = [file(number, sha1) for number, sha1 in files]
    listing = [
        held(f"u{n}", state, size=size, duration=duration, **meta)
        for n, (meta, state, size, duration) in enumerate(videos)
    ]
    found = by_metadata(alone, listing)
    done, taken = {each.video.id for each in found}, {each.held.uid for each in found}
    rest = [video for video in alone if video.id not in done], [each for each in listing if each.uid not in taken]
    found += by_looks(*rest, {each.id: f"n{each.id}" for each in alone}, {each.id: 60.0 for each in alone})
    assert len({each.held.uid for each in found}) == len(found)
    for video in alone:
        mine = [each for each in found if each.video.id == video.id]
        assert [each.state for each in mine].count("current") == bool(mine)
        assert sum(each.state == "pending" for each in mine) <= 1
        for each in mine:
            sha1 = each.held.meta.get("checksumSha1", video.source.sha1)
            if each.exact and sha1 != video.source.sha1:  # then it is older than one of the present file
                assert any(other.exact and other.held.meta.get("checksumSha1") == video.source.sha1 for other in mine)
