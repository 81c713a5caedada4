"""Which videos are sent, and why: every branch in a table, and what holds for all videos."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.errors import UsageError
from curri.model import AssetRow, LinkRow, RecordedVideo, Result, UploadRow
from curri.plan.uploads import Due, Judgement, Selection, judge, select

NOW, BEFORE = "1" * 40, "2" * 40
OPEN = ("intended", "created", "sending", "sent")
SOURCE = AssetRow("asset", "id", "learning/video.mp4", "source", "video/mp4", 1000, 1, 1, 1, NOW, 1, 9)
VIDEO = RecordedVideo(
    "id", "learning", "learning/video.mp4", "c", "course_01", "One", "/data", "l", "02", "Two", SOURCE, None, (), ()
)


def link(
    status: str = "ready",
    sha1: str | None = NOW,
    *,
    state: str = "current",
    code: str | None = None,
    message: str | None = None,
) -> LinkRow:
    return LinkRow("uid", sha1, state, status, code, message)


def upload(
    state: str,
    sha1: str = NOW,
    *,
    acknowledged: int = 0,
    size: int | None = None,
    code: str | None = None,
    message: str | None = None,
    held_by: int | None = None,
) -> UploadRow:
    return UploadRow("upload", sha1, state, "uid", acknowledged, size, code, message, held_by)


def video(*known: LinkRow | UploadRow) -> RecordedVideo:
    links = tuple(each for each in known if isinstance(each, LinkRow))
    return replace(VIDEO, links=links, uploads=tuple(each for each in known if isinstance(each, UploadRow)))


def due(why: Due, reason: str) -> Judgement:
    return Judgement(why, Result.DONE, reason)


def fine(reason: str) -> Judgement:
    return Judgement(None, Result.UNCHANGED, reason)


def bad(reason: str) -> Judgement:
    return Judgement(None, Result.FAILED, f"{reason} (--retry-failed tries it again)")


NEW = due(Due.NEW, "not on Stream yet")
CHANGED = due(Due.CHANGED, "the file has changed since it was sent")
ON_STREAM = fine("on Stream")
PROCESSING = fine("on Stream, being processed")
BEGUN = due(Due.RESUME, "begun by an earlier run")
FAILED = upload("failed", code="truncated", message="the file ends too early")
ERROR = link("error", code="ERR_NON_VIDEO", message="Stream finds no video")


def test_a_file_that_is_as_before_again_needs_only_a_link() -> None:
    again = replace(video(link(sha1=BEFORE)), former=(link(status="error"), link(state="retired")))
    assert judge(again) == due(Due.RETURNED, "the file is one that was sent before")
    assert judge(replace(again, uploads=(upload("failed"),))).due is Due.RETURNED
    assert judge(replace(again, uploads=(upload("created", BEFORE),))).due is Due.RESUME
    assert judge(replace(again, links=(link(),))) == fine("on Stream")


@pytest.mark.parametrize("bad", [link("error", state="retired"), link(state="retired", code="DURATION_DIFFERS")])
def test_a_former_video_that_failed_is_not_linked_again(bad: LinkRow) -> None:
    assert judge(replace(video(link(sha1=BEFORE)), former=(bad,))).due is Due.CHANGED
    assert judge(replace(VIDEO, former=(bad,))).due is Due.NEW


@pytest.mark.parametrize(
    ("known", "judgement"),
    [
        ((), NEW),
        ((upload("abandoned"),), NEW),
        ((upload("linked"),), NEW),  # its link is gone: the video was taken away
        ((upload("failed", BEFORE),), NEW),  # other bytes failed
        ((link(),), ON_STREAM),
        ((link(sha1=None),), ON_STREAM),
        ((link("queued"),), PROCESSING),
        ((link("inprogress"),), PROCESSING),
        ((link(sha1=BEFORE),), CHANGED),
        ((link(sha1=BEFORE), upload("failed", BEFORE)), CHANGED),
        ((link(sha1=BEFORE), link("queued", state="pending")), PROCESSING),
        ((link(sha1=BEFORE), link("ready", state="pending")), ON_STREAM),
        ((link("error", BEFORE, message="damaged"),), CHANGED),
        ((ERROR,), bad("ERR_NON_VIDEO: Stream finds no video")),
        ((link("error", message="damaged"),), bad("damaged")),
        ((link(code="SHORT", message="the end is missing"),), bad("SHORT: the end is missing")),  # though it plays
        ((link("error", code="MISSING"),), bad("MISSING")),
        ((link("error"),), bad("no reason was given")),
        ((link(sha1=BEFORE), link("error", state="pending", message="damaged")), bad("damaged")),
        ((FAILED,), bad("truncated: the file ends too early")),
        ((upload("failed"),), bad("no reason was given")),
        ((link(sha1=BEFORE), FAILED), bad("truncated: the file ends too early")),
        ((upload("abandoned"), FAILED), NEW),  # the newest counts
        ((FAILED, upload("abandoned")), bad("truncated: the file ends too early")),
        ((link(), FAILED), ON_STREAM),
        *(((upload(state),), BEGUN) for state in OPEN),
        ((upload("intended", BEFORE),), BEGUN),  # it may have left something on Stream
        ((upload("sending", acknowledged=0, size=900),), BEGUN),
        ((upload("sending", acknowledged=500, size=None),), BEGUN),
        ((upload("sending", acknowledged=300, size=900),), due(Due.RESUME, "33 % are on Stream")),
        ((upload("sending", acknowledged=899, size=900),), due(Due.RESUME, "99 % are on Stream")),
        ((upload("sent", acknowledged=900, size=900),), due(Due.RESUME, "100 % are on Stream")),
        ((upload("sending", acknowledged=300, size=900, held_by=7),), fine("run 7 is at work on it")),
        ((upload("intended", held_by=7), link(sha1=BEFORE)), fine("run 7 is at work on it")),
        ((link(), upload("sending")), BEGUN),
        ((ERROR, upload("created")), BEGUN),
        ((FAILED, upload("sending")), BEGUN),
    ],
)
def test_judgement(known: tuple[LinkRow | UploadRow, ...], judgement: Judgement) -> None:
    assert judge(video(*known)) == judgement


@pytest.mark.parametrize(
    ("known", "judgement"),
    [
        ((FAILED,), due(Due.RETRY, "failed before: truncated: the file ends too early")),
        ((upload("failed"),), due(Due.RETRY, "failed before: no reason was given")),
        ((ERROR,), due(Due.RETRY, "failed on Stream: ERR_NON_VIDEO: Stream finds no video")),
        ((link("error", code="MISSING"),), due(Due.RETRY, "failed on Stream: MISSING")),
        ((link("error"),), due(Due.RETRY, "failed on Stream: no reason was given")),
        ((link(code="SHORT"),), due(Due.RETRY, "failed on Stream: SHORT")),
        ((link(sha1=BEFORE), FAILED), due(Due.RETRY, "failed before: truncated: the file ends too early")),
        ((upload("sending", held_by=7), FAILED), fine("run 7 is at work on it")),
        ((link(), FAILED), ON_STREAM),
        ((), NEW),
        ((link(sha1=BEFORE),), CHANGED),
    ],
)
def test_judgement_when_failed_ones_are_tried_again(
    known: tuple[LinkRow | UploadRow, ...], judgement: Judgement
) -> None:
    assert judge(video(*known), retry_failed=True) == judgement


# --- what holds for every video

SHA1S = st.sampled_from([NOW, BEFORE])
TEXTS = st.none() | st.sampled_from(["", "ERR_UNKNOWN", "it is broken"])
LINKS = st.builds(
    LinkRow,
    provider_id=st.just("uid"),
    source_sha1=st.none() | SHA1S,
    state=st.sampled_from(["pending", "current"]),
    status=st.sampled_from(["queued", "inprogress", "ready", "error"]),
    error_code=TEXTS,
    error_message=TEXTS,
)
UPLOADS = st.builds(
    UploadRow,
    id=st.just("upload"),
    source_sha1=SHA1S,
    state=st.sampled_from([*OPEN, "linked", "abandoned", "failed"]),
    provider_id=st.none() | st.just("uid"),
    acknowledged=st.integers(0, 1000),
    artifact_bytes=st.none() | st.just(1000),
    error_code=TEXTS,
    error_message=TEXTS,
    held_by=st.none() | st.just(7),
)
VIDEOS = st.builds(video, LINKS, UPLOADS) | st.builds(
    lambda links, uploads: video(*links, *uploads), st.lists(LINKS, max_size=3), st.lists(UPLOADS, max_size=4)
)


@given(VIDEOS, st.booleans())
def test_an_open_upload_is_brought_to_its_end_before_anything_new_begins(
    recorded: RecordedVideo, retry_failed: bool
) -> None:
    if any(each.is_open for each in recorded.uploads):
        assert judge(recorded, retry_failed=retry_failed).due in (None, Due.RESUME)
    else:
        assert judge(recorded, retry_failed=retry_failed).due is not Due.RESUME


@given(VIDEOS, st.booleans())
def test_what_is_on_stream_and_well_is_not_sent_again(recorded: RecordedVideo, retry_failed: bool) -> None:
    closed = replace(recorded, uploads=tuple(each for each in recorded.uploads if not each.is_open))
    mine = [each for each in closed.links if each.source_sha1 in (NOW, None)]
    if mine and all(each.status != "error" and each.error_code is None for each in mine):
        assert judge(closed, retry_failed=retry_failed).due is None
        assert judge(closed, retry_failed=retry_failed).result is Result.UNCHANGED


@given(VIDEOS)
def test_asking_for_failed_ones_only_adds(recorded: RecordedVideo) -> None:
    usual, asked = judge(recorded), judge(recorded, retry_failed=True)
    if usual.result is Result.FAILED:
        assert asked.due is Due.RETRY
    else:
        assert asked == usual


@given(VIDEOS, st.booleans())
def test_every_judgement_has_a_reason_without_holes(recorded: RecordedVideo, retry_failed: bool) -> None:
    judgement = judge(recorded, retry_failed=retry_failed)
    assert judgement.reason
    assert "None" not in judgement.reason
    assert (judgement.due is not None) == (judgement.result is Result.DONE)


# --- the selection


def lying(course: str, lesson: str | None, kind: str) -> RecordedVideo:
    return replace(VIDEO, id=f"{course} {lesson} {kind}", course=course, lesson=lesson, kind=kind)


EVERY = [
    lying("course_01", None, "preview"),
    lying("course_01", "01", "learning"),
    lying("course_01", "02", "learning"),
    lying("course_01", "02", "practice"),
    lying("course_02", "02", "learning"),
    lying("course_02", "100", "Demo"),
]


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(), [0, 1, 2, 3, 4, 5]),
        (Selection(courses=["course_01"]), [0, 1, 2, 3]),
        (Selection(courses=["COURSE_02"]), [4, 5]),
        (Selection(courses=["course_02", "course_01"]), [0, 1, 2, 3, 4, 5]),
        (Selection(lessons=["2"]), [2, 3, 4]),
        (Selection(lessons=["02", "2", "0002"]), [2, 3, 4]),
        (Selection(lessons=["100"]), [5]),
        (Selection(kinds=["learning"]), [1, 2, 4]),
        (Selection(kinds=["Demo"]), [5]),
        (Selection(kinds=["demo"]), [5]),
        (Selection(kinds=["LEARNING"]), [1, 2, 4]),
        (Selection(courses=["course_01"], lessons=["2"], kinds=["practice", "learning"]), [2, 3]),
    ],
)
def test_selection(selection: Selection, chosen: list[int]) -> None:
    assert select(EVERY, selection) == [EVERY[number] for number in chosen]


@pytest.mark.parametrize(
    ("selection", "message", "hint"),
    [
        (Selection(courses=["course_3"]), "course course_3", "course_01, course_02"),
        (Selection(courses=["course_01", "course_04"]), "course course_04", "course_01, course_02"),
        (Selection(lessons=["7"]), "lesson 07", "01, 02, 100"),
        (Selection(lessons=["two"]), "lesson two", "01, 02, 100"),
        (Selection(lessons=["٢"]), "lesson ٢", "01, 02, 100"),
        (Selection(lessons=[""]), "lesson (empty)", "01, 02, 100"),
        (Selection(kinds=["demos"]), "kind demos", "Demo, learning, practice, preview"),
        (Selection(courses=["course_02"], lessons=["01"]), "lesson 01", "02, 100"),
        (Selection(kinds=["\x1b[31m"]), "kind \\x1b[31m", "Demo, learning, practice, preview"),
    ],
)
def test_a_selection_that_fits_nothing_says_what_there_is(selection: Selection, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(EVERY, selection)
    assert caught.value.message == f"there is no video in {message}"
    assert caught.value.hint == f"there are videos in {hint}"


def test_what_there_is_comes_in_the_order_of_a_reader() -> None:
    parts = [lying("course_01", "01", f"part {number}") for number in (10, 2, 1)]
    with pytest.raises(UsageError) as caught:
        select(parts, Selection(kinds=["part 3"]))
    assert caught.value.hint == "there are videos in part 1, part 2, part 10"


def test_a_selection_in_an_empty_catalog_says_how_videos_get_there() -> None:
    assert select([], Selection()) == []
    with pytest.raises(UsageError, match="there is no video in kind lab") as caught:
        select([], Selection(kinds=["lab"]))
    assert caught.value.hint == "`curri import` records videos"


def test_lessons_of_a_course_with_nothing_but_a_preview_are_not_there() -> None:
    with pytest.raises(UsageError) as caught:
        select(EVERY[:1], Selection(lessons=["1"]))
    assert caught.value.hint == "`curri import` records videos"
