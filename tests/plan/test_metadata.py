"""What Stream is told about a video: complete, all text, nothing empty."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.plan.metadata import OURS, About, Attempt, metadata

SHA1 = "0123456789abcdef0123456789abcdef01234567"
ABOUT = About("c-id", "k-id", "course_01", "Grammar", "l-id", "02", "Verbs", "learning", "learning/video.mp4")
PREVIEW = replace(ABOUT, lesson_id=None, lesson=None, lesson_title=None, kind="preview", group_key="preview.mp4")
ATTEMPT = Attempt("u-id", SHA1, compressed=True, uploaded_at=datetime(2026, 11, 21, 12, tzinfo=UTC))


def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))


ABOUTS = st.builds(About, *[st.text()] * 4, *[st.none() | st.text()] * 3, *[st.text()] * 2)
MOMENTS = st.builds(
    lambda microseconds, zone: datetime(2026, 1, 1, tzinfo=zone) + timedelta(microseconds=microseconds),
    st.integers(-(10**15), 10**15),
    st.integers(-720, 720).map(_zone),
)
ATTEMPTS = st.none() | st.builds(Attempt, st.text(), st.text(), st.booleans(), MOMENTS)


def test_a_video_of_a_lesson_carries_every_key() -> None:
    made = metadata("course_01_L02_learning", ABOUT, ATTEMPT, managed_by="Grammar Ops", program="RUDI Applied GenAI")
    assert made == {
        "name": "course_01_L02_learning",
        "courseId": "k-id",
        "courseSlug": "course_01",
        "courseTitle": "Grammar",
        "lessonId": "l-id",
        "lessonNumber": "02",
        "lessonTitle": "Verbs",
        "componentId": "c-id",
        "componentType": "learning",
        "managedBy": "Grammar Ops",
        "program": "RUDI Applied GenAI",
        "compressed": "true",
        "uploadedAt": "2026-11-21T12:00:00Z",
        "checksumSha1": SHA1,
        "groupKey": "learning/video.mp4",
        "uploadId": "u-id",
    }
    assert made.keys() == OURS


def test_a_preview_has_no_lesson() -> None:
    made = metadata("course_01_preview", PREVIEW, ATTEMPT, managed_by="m", program="p")
    assert OURS - made.keys() == {"lessonId", "lessonNumber", "lessonTitle"}


@pytest.mark.parametrize("unset", [None, ""])
def test_settings_that_are_not_set_are_left_out(unset: str | None) -> None:
    made = metadata("n", ABOUT, ATTEMPT, managed_by=unset, program=unset)
    assert OURS - made.keys() == {"managedBy", "program"}


def test_a_video_that_was_not_uploaded_here_says_nothing_of_an_upload() -> None:
    made = metadata("n", ABOUT, None, managed_by="m", program="p")
    assert OURS - made.keys() == {"compressed", "uploadedAt", "checksumSha1", "uploadId"}


def test_an_original_is_not_compressed() -> None:
    assert metadata("n", ABOUT, replace(ATTEMPT, compressed=False))["compressed"] == "false"


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2026, 1, 1, 0, 30, tzinfo=_zone(60)), "2025-12-31T23:30:00Z"),
        (datetime(2026, 1, 1, 12, 0, 59, 999_999, tzinfo=UTC), "2026-01-01T12:00:59Z"),
    ],
)
def test_times_are_in_utc_and_whole_seconds(moment: datetime, shown: str) -> None:
    assert metadata("n", ABOUT, replace(ATTEMPT, uploaded_at=moment))["uploadedAt"] == shown


def test_the_zone_of_this_machine_changes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert metadata("n", ABOUT, ATTEMPT)["uploadedAt"] == "2026-11-21T12:00:00Z"
    time.tzset()


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a time without its zone is another moment on every machine$"):
        metadata("n", ABOUT, replace(ATTEMPT, uploaded_at=datetime(2026, 11, 21, 12)))  # noqa: DTZ001


def test_keys_can_be_sent_with_an_upload() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9]+", key) for key in OURS)


@given(st.text(), ABOUTS, ATTEMPTS, st.none() | st.text(), st.none() | st.text())
def test_values_are_texts_as_given_and_never_empty(
    name: str, about: About, attempt: Attempt | None, managed_by: str | None, program: str | None
) -> None:
    made = metadata(name, about, attempt, managed_by=managed_by, program=program)
    assert made.keys() <= OURS
    assert all(type(value) is str and value for value in made.values())
    assert made.get("name", "") == name
    assert made.get("lessonTitle") == (about.lesson_title or None)
    assert made.get("program") == (program or None)
    assert made == metadata(name, about, attempt, managed_by=managed_by, program=program)
    if attempt is not None:
        told = datetime.fromisoformat(made["uploadedAt"])
        assert timedelta(0) <= attempt.uploaded_at - told < timedelta(seconds=1)
