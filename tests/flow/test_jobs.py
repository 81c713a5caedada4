"""What an upload would do with each video, found out by looking at the files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.flow import jobs, upload
from curri.flow.jobs import Item, Job, decided_again, gather, limited, titles
from curri.flow.preflight import Credentials
from curri.flow.worker import Labels
from curri.media import tools
from curri.media.encode import Encoded
from curri.media.prepare import Workshop
from curri.media.probe import Flaw, Probed, Unusable
from curri.media.recipe import most_bytes
from curri.media.renditions import Cache
from curri.media.tools import Ffmpeg
from curri.model import RecordedVideo, Result
from curri.plan.uploads import Judgement, judge
from curri.stream.pause import Stop
from curri.tree.layout import fingerprint
from support.trees import make_tree

from .recorded import HEAVY, PROBED, ROW, SHA1, VIDEO, job

PATH = "Course_01/Lesson_01/learning/video.mp4"
READ_NS = 2_000_000_000_000_000_000
"""When the files were read: long after they were written."""


class Site:
    """A curriculum folder, and what a probe would say of its files."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.workshop = Workshop(Cache(home), None)
        self.says: dict[str, Probed | Unusable] = {}
        self.examined: list[str] = []

    def examine(self, path: Path, workshop: Workshop) -> Probed | Unusable:
        text = path.read_text()
        self.examined.append(text)
        said = self.says.get(text, PROBED)
        measured = isinstance(said, Unusable) and said.flaw is Flaw.NO_DURATION and workshop.tool is not None
        return PROBED if measured else said

    def recorded(self, path: str = PATH, *, rendition: str | None = None) -> RecordedVideo:
        """The video at this path as an import has recorded it just now."""
        file = self.root / path
        size, mtime_ns, ctime_ns, inode = fingerprint(os.stat(file))
        row = ROW._replace(
            relative_path="/".join(path.split("/")[2:]),
            size=size,
            mtime_ns=mtime_ns,
            ctime_ns=ctime_ns,
            inode=inode,
            hashed_at_ns=READ_NS,
        )
        beside = (
            None if rendition is None else self.recorded(rendition).source._replace(role="rendition", sha1="2" * 40)
        )
        return replace(VIDEO, root=str(self.root), source=row, rendition=beside)

    def gather(self, *videos: RecordedVideo) -> tuple[list[Job], list[Item]]:
        due: list[tuple[RecordedVideo, Judgement]] = [(video, judge(video)) for video in videos]
        return gather(due, titles(videos), self.workshop)

    def job(self, video: RecordedVideo) -> Job:
        found, blocked = self.gather(video)
        assert not blocked
        return found[0]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    root = make_tree(tmp_path / "data", {"Course_01": {"Lesson_01": {"learning": {"video.mp4": "plain"}}}})
    made = Site(root, tmp_path / "home")
    monkeypatch.setattr(jobs, "examine", made.examine)
    return made


def test_a_video_as_stream_recommends_it_is_sent_as_it_is(site: Site) -> None:
    video = site.recorded()
    found = site.job(video)
    assert (found.video, found.name, found.judgement) == (video, "course_01_L01_learning", judge(video))
    assert (found.path, found.mtime_ns, found.doubtful) == (site.root / PATH, video.source.mtime_ns, False)
    assert (found.action, found.size, found.encodes, found.rendition) == ("passthrough", 5, False, None)
    assert found.why == "already as Stream recommends: AVC, 1920x1080, 0.8 Mbit/s"
    assert (found.seconds, found.minutes) == (10.0, 10 / 60)


def test_looking_changes_nothing(site: Site) -> None:
    site.job(site.recorded())
    assert not site.workshop.cache.directory.exists()


def test_a_video_with_too_many_bits_is_encoded(site: Site) -> None:
    site.says["plain"] = HEAVY
    video = site.recorded()
    found = site.job(replace(video, source=video.source._replace()))
    assert (found.action, found.encodes, found.size) == ("encode", True, 5)  # never more than the original
    assert found.why == "80.0 Mbit/s is more than the 8 recommended for 1920x1080"


def test_an_encode_that_must_be_may_take_more_than_the_original(site: Site) -> None:
    site.says["plain"] = replace(PROBED, container="RealMedia")
    assert site.job(site.recorded()).size == most_bytes(PROBED) > 5


def test_without_compression_everything_is_sent_as_it_is(site: Site) -> None:
    site.says["plain"] = HEAVY
    site.workshop = replace(site.workshop, compress=False)
    make_tree(site.root, {"Course_01": {"Lesson_01": {"learning": {"video_compressed.mp4": "less"}}}})
    found = site.job(site.recorded(rendition=PATH.replace(".mp4", "_compressed.mp4")))
    assert (found.action, found.size, found.encodes, found.rendition) == ("passthrough", 5, False, None)


def test_what_was_encoded_before_is_not_encoded_again(site: Site) -> None:
    site.says["plain"] = HEAVY
    site.workshop.cache.open()
    with site.workshop.cache.reserve(SHA1, lambda: False) as slot:
        slot.path.write_bytes(b"abc")
        slot.store(Encoded(slot.path, PROBED, 12.5))
    found = site.job(site.recorded())
    assert (found.action, found.size, found.encodes) == ("encode", 3, False)
    assert found.why.endswith("; encoded before")


def test_a_rendition_beside_the_video_is_sent_in_its_place(site: Site) -> None:
    make_tree(site.root, {"Course_01": {"Lesson_01": {"learning": {"video_compressed.mp4": "less"}}}})
    beside = PATH.replace(".mp4", "_compressed.mp4")
    found = site.job(site.recorded(rendition=beside))
    assert (found.action, found.size, found.rendition) == ("rendition", 4, site.root / beside)
    assert found.encodes  # to see whether it decodes takes ffmpeg and time
    assert found.why == "video_compressed.mp4 lies beside it"


@pytest.mark.parametrize("change", ["gone", "other"])
def test_a_rendition_that_is_not_as_recorded_is_not_used(site: Site, change: str) -> None:
    make_tree(site.root, {"Course_01": {"Lesson_01": {"learning": {"video_compressed.mp4": "less"}}}})
    beside = PATH.replace(".mp4", "_compressed.mp4")
    video = site.recorded(rendition=beside)
    if change == "gone":
        (site.root / beside).unlink()
    else:
        os.utime(site.root / beside, ns=(5, 5))
    found = site.job(video)
    assert (found.action, found.rendition) == ("passthrough", None)


def test_what_is_no_video_is_known_before_anything_is_sent(site: Site) -> None:
    site.says["plain"] = Unusable(Flaw.NOT_A_VIDEO, "this is a text")
    found = site.job(site.recorded())
    assert (found.action, found.why, found.encodes) == ("none", "not-a-video: this is a text", False)
    assert (found.size, found.seconds, found.minutes) == (0, 0.0, 0.0)


def test_a_file_that_another_host_sees_with_other_times_is_doubtful(site: Site) -> None:
    video = site.recorded()
    os.utime(site.root / PATH, ns=(7, 7))
    found = site.job(video)
    assert (found.doubtful, found.mtime_ns) == (True, 7)


def test_a_file_of_another_size_is_blocked(site: Site) -> None:
    video = site.recorded()
    (site.root / PATH).write_text("plainer")
    found, (item,) = site.gather(video)
    assert not found
    assert (item.path, item.outcome) == ("course_01/01/learning/video.mp4", Result.BLOCKED)
    assert item.reason == "changed: the file is another one than the import saw; run `curri import` first"


@pytest.mark.parametrize("gone", [PATH, "Course_01/Lesson_01", "Course_01", ""])
def test_a_file_that_is_not_there_is_blocked(site: Site, gone: str) -> None:
    video = site.recorded()
    (site.root / gone).rename(site.root.parent / "elsewhere")
    found, (item,) = site.gather(video)
    assert not found
    assert item.outcome is Result.BLOCKED
    assert item.reason == (
        f"missing: it is not below {site.root}; is the disk mounted? `curri import` records what was moved"
    )


SAYS: dict[str, Probed | Unusable] = {
    "plain": PROBED,
    "heavy": HEAVY,
    "bright": replace(HEAVY, video=replace(HEAVY.video, hdr="HDR10")),
    "endless": Unusable(Flaw.NO_DURATION, "it does not say how long it is"),
    "text": Unusable(Flaw.NOT_A_VIDEO, "this is a text"),
}
FFMPEG = Ffmpeg("/ffmpeg", "1", tools.WANTED, converts_hdr=False)


@pytest.fixture
def one_of_each(site: Site) -> list[RecordedVideo]:
    """A video of each kind in `SAYS`, in that order."""
    site.says = SAYS
    make_tree(site.root, {"Course_01": {f"Lesson_0{n}": {"video.mp4": text} for n, text in enumerate(SAYS, start=2)}})
    numbers = range(2, 2 + len(SAYS))
    return [replace(site.recorded(f"Course_01/Lesson_0{n}/video.mp4"), id=str(n), lesson=f"0{n}") for n in numbers]


def test_with_an_ffmpeg_only_what_could_not_be_probed_without_it_is_examined_again(
    site: Site, one_of_each: list[RecordedVideo]
) -> None:
    without, blocked = site.gather(*one_of_each)
    assert not blocked
    assert [found.action for found in without] == ["passthrough", "encode", "encode", "none", "none"]
    site.examined.clear()
    site.workshop = replace(site.workshop, tool=FFMPEG)
    found = decided_again(without, site.workshop)
    assert site.examined == ["endless"]
    assert found == site.gather(*one_of_each)[0]  # as if all had been looked at with it
    assert [each.action for each in found] == ["passthrough", "encode", "passthrough", "passthrough", "none"]


def test_a_plan_examines_each_file_once_and_one_again_that_takes_an_ffmpeg(
    site: Site, one_of_each: list[RecordedVideo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "find", lambda _: FFMPEG)
    settings: dict[str, Any] = {
        "transfers": 1,
        "encoders": 1,
        "bwlimit": None,
        "chunk_size": 1,
        "cache_size": 1,
        "delay": 0.0,
    }
    means = upload.Means(Credentials(None, None, None), tmp_path, None, lambda _: Labels("", ""), **settings)
    due = [(video, judge(video)) for video in one_of_each]
    tally = upload._Tally(lambda _: None)
    planned = upload._plan(one_of_each, due, upload.Options(), means, tally, Stop())
    assert site.examined == [*SAYS, "endless"]
    assert [job.action for job in planned.jobs] == ["passthrough", "encode", "passthrough", "passthrough", "none"]


def test_one_blocked_video_does_not_keep_the_others(site: Site) -> None:
    make_tree(site.root, {"Course_01": {"Lesson_02": {"learning": {"video.mp4": "two"}}, "intro.mp4": "three"}})
    first = site.recorded()
    second = replace(site.recorded(PATH.replace("Lesson_01", "Lesson_02")), id="2", lesson="02")
    course = site.recorded("Course_01/intro.mp4")
    preview = replace(
        course,
        id="3",
        lesson=None,
        lesson_id=None,
        kind="intro",
        group_key="intro.mp4",
        source=course.source._replace(relative_path="intro.mp4"),
    )
    (site.root / PATH).unlink()
    found, blocked = site.gather(first, second, preview)
    assert [(each.video.id, each.name) for each in found] == [("2", "course_01_L02_learning"), ("3", "course_01_intro")]
    assert [item.path for item in blocked] == [first.place]


def test_control_characters_of_a_path_are_not_shown_raw(site: Site) -> None:
    video = site.recorded()
    odd = replace(video, source=video.source._replace(relative_path="a\x1b[31m.mp4"), root="/x\n")
    _, (item,) = site.gather(odd)
    assert item.path.isprintable()
    assert item.reason.isprintable()


@pytest.mark.parametrize(("seconds", "billed"), [(0.1, 1), (1.0, 1), (1.001, 2), (59.5, 60), (3600.0, 3600)])
def test_stream_bills_every_begun_second(seconds: float, billed: int) -> None:
    assert job(1, seconds=seconds).minutes * 60 == pytest.approx(billed)


# --- limits


@pytest.mark.parametrize(
    ("seconds", "uploads", "minutes", "chosen"),
    [
        ([60, 60, 60], None, None, [0, 1, 2]),
        ([60, 60, 60], 2, None, [0, 1]),
        ([60, 60, 60], 0, None, []),
        ([60, 60, 60], None, 2.0, [0, 1]),
        ([60, 60, 60], None, 0.0, []),
        ([60, 600, 60], None, 2.0, [0, 2]),  # what is too long is passed over
        ([600, 60, 60], 1, 2.0, [1]),
        ([60, 60, 60], 1, 2.0, [0]),
        ([6, 6, 6], None, 0.3, [0, 1, 2]),  # 0.1 + 0.1 + 0.1 is more than 0.3
        ([60.2], None, 1.0, []),
        ([], 3, 3.0, []),
    ],
)
def test_limits(seconds: list[float], uploads: int | None, minutes: float | None, chosen: list[int]) -> None:
    every = [job(number, seconds=each) for number, each in enumerate(seconds)]
    taken, left = limited(every, uploads, minutes)
    assert [each.video.lesson for each in taken] == [f"{number:02d}" for number in chosen]
    assert left == len(seconds) - len(chosen)


@given(
    st.lists(st.floats(0, 4000), max_size=8),
    st.none() | st.integers(0, 9),
    st.none() | st.floats(0, 200),
)
def test_limits_are_kept_and_nothing_is_lost(seconds: list[float], uploads: int | None, minutes: float | None) -> None:
    every = [job(number, seconds=each) for number, each in enumerate(seconds)]
    taken, left = limited(every, uploads, minutes)
    assert len(taken) + left == len(every)
    assert [each for each in every if each in taken] == taken
    assert uploads is None or len(taken) <= uploads
    assert minutes is None or sum(each.minutes for each in taken) <= minutes + 1e-3
