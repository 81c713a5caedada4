"""What names say: course and lesson folders, media types; and the fingerprint of a file."""

from __future__ import annotations

import mimetypes
import os

import pytest

from curri.tree import layout


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("{}_01", "01"),
        ("{}_1", "01"),
        ("{}_001", "01"),
        ("{}_0", "00"),
        ("{}_3_", "03"),
        ("{}_12_Statistics for beginners", "12"),
        ("{}_07-Ünï çødé\nline two", "07"),
        ("{}_100", "100"),
        ("{}_20240901", "20240901"),
        ("{}_000000000000999999999", "999999999"),
        ("{}_1000000000", None),  # more than a PostgreSQL integer may hold
        ("{}", None),
        ("{}_", None),
        ("{}_x1", None),
        ("{}01", None),
        ("{}-01", None),
        ("{}_01 copy", None),
        ("{}_01.zip", None),
        ("My {}_01", None),
        ("{}_١٢", None),  # Arabic digits
    ],
)
def test_course_and_lesson_folders_are_told_by_their_names_in_any_case(name: str, number: str | None) -> None:
    for word in ("Course", "course", "COURSE", "cOURse"):
        assert layout.course_number(name.format(word)) == number
        assert layout.lesson_number(name.format(word)) is None
    for word in ("Lesson", "lesson", "LESSON", "lesSON"):
        assert layout.lesson_number(name.format(word)) == number
        assert layout.course_number(name.format(word)) is None


def test_a_letter_that_only_looks_like_one_of_the_word_makes_another_word() -> None:
    assert layout.course_number("cour\u017fe_01") is None  # a long s, which is an s when case is ignored


@pytest.mark.parametrize(
    ("name", "stem", "extension"),
    [
        ("video.mp4", "video", "mp4"),
        ("Video.MP4", "Video", "mp4"),
        ("a.b.tar.gz", "a.b.tar", "gz"),
        ("README", "README", ""),
        (".env", ".env", ""),
        ("video.", "video", ""),
        (".mp4", ".mp4", ""),
    ],
)
def test_a_name_has_a_stem_and_an_extension(name: str, stem: str, extension: str) -> None:
    assert layout.split(name) == (stem, extension)


def test_media_types_are_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    mimetypes.init()
    monkeypatch.setattr(mimetypes._db, "types_map", ({}, {".csv": "text/machine", ".xyzzy": "text/machine"}))  # type: ignore[attr-defined]
    monkeypatch.setattr(layout, "_KNOWN_TYPES", {})
    assert mimetypes.guess_type("a.xyzzy")[0] == "text/machine"
    expected = {
        "xyzzy": "application/octet-stream",
        "": "application/octet-stream",
        "csv": "text/csv",
        "pdf": "application/pdf",
        "mp4": "video/mp4",
        "mov": "video/quicktime",
        "ts": "video/mp2t",
        "md": "text/markdown",
        "vtt": "text/vtt",
        "ipynb": "application/x-ipynb+json",
        # These differ between the versions of Python.
        "js": "text/javascript",
        "rtf": "text/rtf",
        "webp": "image/webp",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    }
    assert {extension: layout.mime_type(extension) for extension in expected} == expected
    assert {extension: layout.mime_type(extension) for extension in expected} == expected, "asked again"


def _stat(size: int, mtime: int, ctime: int, inode: int) -> os.stat_result:
    plain = (0o100644, inode, 1, 1, 0, 0, size, 0, 0, 0)
    extra = {"st_mtime_ns": mtime, "st_ctime_ns": ctime, "st_atime_ns": 0}
    return os.stat_result(plain, extra)


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4)),
        ((1, -5, 3, 2**63 - 1), (1, -5, 3, 2**63 - 1)),
        ((1, 2, 3, 2**63), (1, 2, 3, -(2**63))),
        ((1, 2, 3, 2**64 - 1), (1, 2, 3, -1)),
        ((1, 2**70 + 7, -(2**63) - 1, 4), (1, 7, 2**63 - 1, 4)),
    ],
)
def test_a_fingerprint_fits_into_the_catalog_whatever_the_file_system_says(
    seen: tuple[int, int, int, int], kept: tuple[int, int, int, int]
) -> None:
    assert layout.fingerprint(_stat(*seen)) == kept
