"""The parts of a lesson and a course: kinds, videos, labs, resources, sidecars, renditions, and their order."""

from __future__ import annotations

import unicodedata
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curri.model import ComponentType, FoundComponent, Role
from curri.tree import layout
from curri.tree.layout import Directory, Entry

VIDEO, LAB, RESOURCE = ComponentType.VIDEO, ComponentType.LAB, ComponentType.RESOURCE
SOURCE, RENDITION, CAPTIONS = Role.SOURCE, Role.RENDITION, Role.CAPTIONS
POSTER, TRANSCRIPT, FILE = Role.POSTER, Role.TRANSCRIPT, Role.FILE

Parts: TypeAlias = dict[str, tuple[ComponentType, str, str, dict[str, Role]]]
"""Group key -> type, kind, name, and the role of each file."""


def directories(*paths: str) -> list[Directory]:
    folders: dict[str, list[Entry]] = {}
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(Entry(name, 1, 2, 3, 4))
    return [Directory(folder, tuple(entries)) for folder, entries in folders.items()]


def parts(components: tuple[FoundComponent, ...]) -> Parts:
    found = {
        component.group_key: (
            component.type,
            component.kind,
            component.name,
            {asset.path: asset.role for asset in component.assets},
        )
        for component in components
    }
    assert len(found) == len(components), "two components have one key"
    return found


def lesson(*paths: str) -> Parts:
    return parts(layout.lesson_components(directories(*paths)))


def course(*names: str) -> Parts:
    return parts(layout.course_components(Directory("", tuple(Entry(name, 1, 2, 3, 4) for name in sorted(names)))))


@pytest.mark.parametrize(
    "extension", ["mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mxf", "flv", "3gp", "wmv"]
)
def test_every_video_format_makes_a_video(extension: str) -> None:
    for name in (f"talk.{extension}", f"talk.{extension.upper()}"):
        assert lesson(f"learning/{name}") == {
            f"learning/{name}": (VIDEO, "learning", "talk", {f"learning/{name}": SOURCE})
        }


CASES: dict[str, tuple[list[str], Parts]] = {
    "a video is a part of its own, other files of the kind are one resource": (
        ["learning/video.mp4", "learning/part-2.mov", "learning/deck.pdf", "learning/more/links.html"],
        {
            "learning/video.mp4": (VIDEO, "learning", "video", {"learning/video.mp4": SOURCE}),
            "learning/part-2.mov": (VIDEO, "learning", "part-2", {"learning/part-2.mov": SOURCE}),
            "learning": (
                RESOURCE,
                "learning",
                "learning",
                {"learning/deck.pdf": FILE, "learning/more/links.html": FILE},
            ),
        },
    ),
    "a video lies wherever it lies": (
        ["learning/week 1/deep/talk.mkv", "lab/walkthrough.mp4", "labs/one/intro.mp4"],
        {
            "learning/week 1/deep/talk.mkv": (VIDEO, "learning", "talk", {"learning/week 1/deep/talk.mkv": SOURCE}),
            "lab/walkthrough.mp4": (VIDEO, "lab", "walkthrough", {"lab/walkthrough.mp4": SOURCE}),
            "labs/one/intro.mp4": (VIDEO, "labs", "intro", {"labs/one/intro.mp4": SOURCE}),
        },
    ),
    "a file directly in the lesson has the slug of its stem as kind": (
        ["Intro Talk.mp4", "Reading List (2024).pdf", "README.md", "LICENSE", ".env", "___.md"],
        {
            "Intro Talk.mp4": (VIDEO, "intro-talk", "Intro Talk", {"Intro Talk.mp4": SOURCE}),
            "reading-list-2024": (
                RESOURCE,
                "reading-list-2024",
                "reading-list-2024",
                {"Reading List (2024).pdf": FILE},
            ),
            "readme": (RESOURCE, "readme", "readme", {"README.md": FILE}),
            "license": (RESOURCE, "license", "license", {"LICENSE": FILE}),
            "env": (RESOURCE, "env", "env", {".env": FILE}),
            "file": (RESOURCE, "file", "file", {"___.md": FILE}),
        },
    ),
    "a file joins the folder that is called like its kind": (
        ["slides.pdf", "slides/deck.pdf"],
        {"slides": (RESOURCE, "slides", "slides", {"slides.pdf": FILE, "slides/deck.pdf": FILE})},
    ),
    "labs are folders, with everything below them": (
        ["lab/start.ipynb", "lab/data/table.csv", "lab_2/a.py", "LAB-three/b.py", "laboratory/c.py", "labs.txt"],
        {
            "lab": (LAB, "lab", "lab", {"lab/start.ipynb": FILE, "lab/data/table.csv": FILE}),
            "lab_2": (LAB, "lab_2", "lab_2", {"lab_2/a.py": FILE}),
            "LAB-three": (LAB, "LAB-three", "LAB-three", {"LAB-three/b.py": FILE}),
            "laboratory": (RESOURCE, "laboratory", "laboratory", {"laboratory/c.py": FILE}),
            "labs": (RESOURCE, "labs", "labs", {"labs.txt": FILE}),
        },
    ),
    "every folder of labs is a lab, a file beside them is not": (
        ["labs/one/a.py", "labs/two/lab_3/b.py", "Labs/x/c.py", "labs/overview.md"],
        {
            "labs/one": (LAB, "labs", "one", {"labs/one/a.py": FILE}),
            "labs/two": (LAB, "labs", "two", {"labs/two/lab_3/b.py": FILE}),
            "Labs/x": (LAB, "Labs", "x", {"Labs/x/c.py": FILE}),
            "labs": (RESOURCE, "labs", "labs", {"labs/overview.md": FILE}),
        },
    ),
    "a lab deeper down belongs to the kind around it": (
        ["practice/lab-1/a.py", "practice/sheet.pdf"],
        {
            "practice/lab-1": (LAB, "practice", "lab-1", {"practice/lab-1/a.py": FILE}),
            "practice": (RESOURCE, "practice", "practice", {"practice/sheet.pdf": FILE}),
        },
    ),
    "lab.md beside the folder lab joins that lab": (
        ["lab.md", "lab/start.ipynb"],
        {"lab": (LAB, "lab", "lab", {"lab.md": FILE, "lab/start.ipynb": FILE})},
    ),
    "sidecars go with the video of their folder and stem": (
        [
            "learning/video.mp4",
            "learning/video.vtt",
            "learning/video.en.vtt",
            "learning/video.pt-BR.SRT",
            "learning/video.zh-Hant-TW.vtt",
            "learning/video.JPG",
            "learning/video.webp",
            "learning/video.txt",
            "learning/video.md",
            "learning/video.pdf",
            "learning/video.loud version.vtt",
            "learning/video2.vtt",
            "learning/Video.txt",
            "notes/video.txt",
        ],
        {
            "learning/video.mp4": (
                VIDEO,
                "learning",
                "video",
                {
                    "learning/video.mp4": SOURCE,
                    "learning/video.vtt": CAPTIONS,
                    "learning/video.en.vtt": CAPTIONS,
                    "learning/video.pt-BR.SRT": CAPTIONS,
                    "learning/video.zh-Hant-TW.vtt": CAPTIONS,
                    "learning/video.JPG": POSTER,
                    "learning/video.webp": POSTER,
                    "learning/video.txt": TRANSCRIPT,
                    "learning/video.md": TRANSCRIPT,
                },
            ),
            "learning": (
                RESOURCE,
                "learning",
                "learning",
                {
                    "learning/video.pdf": FILE,
                    "learning/video.loud version.vtt": FILE,
                    "learning/video2.vtt": FILE,
                    "learning/Video.txt": FILE,
                },
            ),
            "notes": (RESOURCE, "notes", "notes", {"notes/video.txt": FILE}),
        },
    ),
    "a sidecar of two videos goes with the first in natural order": (
        ["talk.mov", "talk.mp4", "talk.png"],
        {
            "talk.mov": (VIDEO, "talk", "talk", {"talk.mov": SOURCE, "talk.png": POSTER}),
            "talk.mp4": (VIDEO, "talk", "talk", {"talk.mp4": SOURCE}),
        },
    ),
    "an encode beside its original is a rendition, and its sidecars are the video's": (
        ["a/video.mov", "a/video_compressed.mp4", "a/video_compressed.en.vtt", "b/video_compressed.mp4"],
        {
            "a/video.mov": (
                VIDEO,
                "a",
                "video",
                {
                    "a/video.mov": SOURCE,
                    "a/video_compressed.mp4": RENDITION,
                    "a/video_compressed.en.vtt": CAPTIONS,
                },
            ),
            "b/video_compressed.mp4": (VIDEO, "b", "video_compressed", {"b/video_compressed.mp4": SOURCE}),
        },
    ),
    "of two originals the one with the extension of the rendition has it": (
        ["v/talk.avi", "v/talk.mp4", "v/talk_compressed.mp4", "v/talk_compressed.webm"],
        {
            "v/talk.avi": (VIDEO, "v", "talk", {"v/talk.avi": SOURCE, "v/talk_compressed.webm": RENDITION}),
            "v/talk.mp4": (VIDEO, "v", "talk", {"v/talk.mp4": SOURCE, "v/talk_compressed.mp4": RENDITION}),
        },
    ),
    "an encode of an encode is a video like any other": (
        ["v/a.mp4", "v/a_compressed.mp4", "v/a_compressed_compressed.mp4"],
        {
            "v/a.mp4": (VIDEO, "v", "a", {"v/a.mp4": SOURCE, "v/a_compressed.mp4": RENDITION}),
            "v/a_compressed_compressed.mp4": (
                VIDEO,
                "v",
                "a_compressed_compressed",
                {"v/a_compressed_compressed.mp4": SOURCE},
            ),
        },
    ),
    "an original that is called compressed has its rendition, too": (
        ["v/a_compressed.mp4", "v/a_compressed_compressed.mp4"],
        {
            "v/a_compressed.mp4": (
                VIDEO,
                "v",
                "a_compressed",
                {"v/a_compressed.mp4": SOURCE, "v/a_compressed_compressed.mp4": RENDITION},
            )
        },
    ),
    "names are compared in one Unicode form": (
        ["e\u0301tude/vide\u0301o.mp4", "e\u0301tude/vid\u00e9o.fr.vtt", "\u00e9tude/notes.pdf"],
        {
            "e\u0301tude/vide\u0301o.mp4": (
                VIDEO,
                "\u00e9tude",
                "vide\u0301o",
                {"e\u0301tude/vide\u0301o.mp4": SOURCE, "e\u0301tude/vid\u00e9o.fr.vtt": CAPTIONS},
            ),
            "\u00e9tude": (RESOURCE, "\u00e9tude", "\u00e9tude", {"\u00e9tude/notes.pdf": FILE}),
        },
    ),
    "a folder that looks like a video of the lesson does not take its key": (
        ["\u00e9.mp4", "e\u0301.mp4/notes.txt"],
        {"\u00e9.mp4": (VIDEO, "\u00e9", "\u00e9", {"\u00e9.mp4": SOURCE, "e\u0301.mp4/notes.txt": FILE})},
    ),
}


@pytest.mark.parametrize(("paths", "expected"), CASES.values(), ids=CASES.keys())
def test_the_files_of_a_lesson_are_sorted_into_parts(paths: list[str], expected: Parts) -> None:
    assert lesson(*paths) == expected


COURSE_CASES: dict[str, tuple[list[str], Parts]] = {
    "the preview is a video, all else is one resource": (
        ["Preview.MP4", "Preview.en.vtt", "Preview_compressed.mp4", "Preview.png", "syllabus.pdf", "trailer.mp4"],
        {
            "Preview.MP4": (
                VIDEO,
                "preview",
                "Preview",
                {
                    "Preview.MP4": SOURCE,
                    "Preview.en.vtt": CAPTIONS,
                    "Preview_compressed.mp4": RENDITION,
                    "Preview.png": POSTER,
                },
            ),
            "course": (RESOURCE, "course", "course", {"syllabus.pdf": FILE, "trailer.mp4": FILE}),
        },
    ),
    "without a preview its sidecars are files": (
        ["preview.txt", "preview.png", "trailer.mp4", "trailer.vtt"],
        {
            "course": (
                RESOURCE,
                "course",
                "course",
                {"preview.txt": FILE, "preview.png": FILE, "trailer.mp4": FILE, "trailer.vtt": FILE},
            )
        },
    ),
    "an encode alone is the preview": (
        ["preview_compressed.mp4"],
        {"preview_compressed.mp4": (VIDEO, "preview", "preview_compressed", {"preview_compressed.mp4": SOURCE})},
    ),
    "nothing makes no part": ([], {}),
}


@pytest.mark.parametrize(("names", "expected"), COURSE_CASES.values(), ids=COURSE_CASES.keys())
def test_the_files_of_a_course_are_sorted_into_parts(names: list[str], expected: Parts) -> None:
    assert course(*names) == expected


def test_parts_are_in_natural_order() -> None:
    names = ["10 end.mp4", "9 late.mp4", "Part 2/a.pdf", "part 1/a.pdf", "part 10/video.mp4"]
    components = layout.lesson_components(directories(*names))
    assert [(component.position, component.group_key) for component in components] == [
        (0, "9 late.mp4"),
        (1, "10 end.mp4"),
        (2, "part 1"),
        (3, "Part 2"),
        (4, "part 10/video.mp4"),
    ]


FOLDERS = st.sampled_from(
    [
        *(
            "",
            "learning",
            "learning/deep",
            "lab",
            "lab/data",
            "lab_e\u0301",
            "lab_\u00e9",
            "labs",
            "labs/one",
            "labs/one/x",
        ),
        *("e\u0301.mp4", "\u00e9.mp4", "video.mp4", "readme", "README.md", "preview", "course"),
    ]
)
NAMES = st.sampled_from(
    [
        *("video.mp4", "video.mov", "VIDEO.MP4", "video_compressed.mp4", "video_compressed_compressed.mp4"),
        *("video.vtt", "video.en.vtt", "video.txt", "video.jpg", "video_compressed.vtt"),
        *("\u00e9", "\u00e9.md", "\u00e9.mp4", "e\u0301.mp4", "e\u0301.en.vtt"),
        *("lab.md", "lab_e\u0301.md", "labs", "README.md", "readme", ".env", "notes.pdf", "x", "a\nb.ts"),
    ]
)


def _possible(paths: set[str]) -> list[str]:
    """Return the paths that can lie together on a disk: what is a folder cannot be a file."""
    above = {path[: path.index("/", start)] for path in paths for start in range(len(path)) if "/" in path[start:]}
    return sorted(paths - above)


@given(st.sets(st.tuples(FOLDERS, NAMES).map(lambda pair: "/".join(filter(None, pair))), max_size=14).map(_possible))
@settings(max_examples=400, deadline=None)
def test_every_file_is_in_exactly_one_part_exactly_once(paths: list[str]) -> None:
    components = layout.lesson_components(directories(*paths))
    assert sorted(asset.path for component in components for asset in component.assets) == paths
    keys = [component.group_key for component in components]
    assert len(set(keys)) == len(keys)
    assert [component.position for component in components] == list(range(len(components)))
    for component in components:
        sources = [asset.path for asset in component.assets if asset.role is SOURCE]
        assert sources == ([component.group_key] if component.type is VIDEO else [])
        if component.type is not VIDEO:
            assert {asset.role for asset in component.assets} == {FILE}
        assert component.kind == unicodedata.normalize("NFC", component.kind)


def test_a_file_keeps_the_stat_of_its_entry_and_has_a_type() -> None:
    entry = Entry("video.mp4", 11, 12, 13, 14)
    (component,) = layout.lesson_components([Directory("learning", (entry,))])
    assert component.assets == (("learning/video.mp4", SOURCE, "video/mp4", 11, 12, 13, 14),)
