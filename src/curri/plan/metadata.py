"""What Stream is told about a video: sent with the upload, and restored later from the same facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

OURS = frozenset(
    {
        "name",
        "courseId",
        "courseSlug",
        "courseTitle",
        "lessonId",
        "lessonNumber",
        "lessonTitle",
        "componentId",
        "componentType",
        "managedBy",
        "program",
        "compressed",
        "uploadedAt",
        "checksumSha1",
        "groupKey",
        "uploadId",
    }
)
"""All keys that curri owns. Any other key of a video belongs to somebody else and stays as it is."""


@dataclass(frozen=True, slots=True)
class About:
    """What a video is part of. The lesson is None for a video of the course itself."""

    component_id: str
    course_id: str
    course: str  # slug, "course_01"
    course_title: str
    lesson_id: str | None
    lesson: str | None  # number, "01"
    lesson_title: str | None
    kind: str
    group_key: str  # path in the lesson or course folder


@dataclass(frozen=True, slots=True)
class Attempt:
    """The upload that brought the bytes to Stream."""

    upload_id: str
    source_sha1: str  # of the file in the tree, also where an encode of it was sent
    compressed: bool  # an encode was sent, not the source
    uploaded_at: datetime  # aware


def metadata(
    name: str,
    about: About,
    attempt: Attempt | None,
    *,
    managed_by: str | None = None,
    program: str | None = None,
) -> dict[str, str]:
    """Return the metadata of a video by key, in a fixed order; every value is a text that is not empty.

    `attempt` is None for a video that curri did not upload: its four keys are then absent. `managed_by` and `program`
    are settings. Times are in UTC and cut to whole seconds. Raises ValueError if `uploaded_at` has no time zone.

    What is empty or None is left out. An upload may carry a key without a value, but what Stream keeps then (an empty
    text, null, no key) is not documented: a comparison with it could differ for ever, however often it is put right.
    """
    found: dict[str, str | None] = {
        "name": name,
        "courseId": about.course_id,
        "courseSlug": about.course,
        "courseTitle": about.course_title,
        "lessonId": about.lesson_id,
        "lessonNumber": about.lesson,
        "lessonTitle": about.lesson_title,
        "componentId": about.component_id,
        "componentType": about.kind,
        "managedBy": managed_by,
        "program": program,
        "groupKey": about.group_key,
    }
    if attempt is not None:
        found |= {
            "compressed": "true" if attempt.compressed else "false",
            "uploadedAt": _utc(attempt.uploaded_at),
            "checksumSha1": attempt.source_sha1,
            "uploadId": attempt.upload_id,
        }
    return {key: value for key, value in found.items() if value}


def _utc(moment: datetime) -> str:
    if moment.utcoffset() is None:
        raise ValueError("a time without its zone is another moment on every machine")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
