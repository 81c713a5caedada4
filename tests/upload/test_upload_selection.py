"""Which videos a run is about, how much of them it sends, and how fast."""

from __future__ import annotations

import time

import pytest

from support.trees import Tree

from .conftest import Films
from .site import Site, objects, patch


def several(films: Films) -> Tree:
    """Return five videos in two courses."""
    return {
        "Course_01": {
            "preview.mp4": films.plain(0),
            "Lesson_01": {"learning": {"video.mp4": films.plain(1)}, "practice": {"video.mp4": films.plain(2)}},
            "Lesson_03": {"learning": {"video.mp4": films.plain(3)}},
        },
        "Course_02": {"Lesson_03": {"learning": {"video.mp4": films.plain(4)}}},
    }


def test_selectors_choose_and_together_they_narrow(site: Site, films: Films) -> None:
    site.put(several(films))

    def planned(*selectors: str, **variables: str) -> set[str]:
        done = site.upload("--dry-run", "--json", *selectors, **variables)
        assert (done.code, done.err) == (0, "")
        return {each["name"] for each in objects(done, "plan")}

    third = {"course_01_L03_learning", "course_02_L03_learning"}
    assert planned("--lesson", "3") == planned("--lesson", "03") == third
    assert planned("--course", "COURSE_02") == {"course_02_L03_learning"}
    assert planned("--kind", "practice", "--kind", "preview") == {"course_01_L01_practice", "course_01_preview"}
    assert planned("--course", "course_01", "--lesson", "1", "--kind", "learning") == {"course_01_L01_learning"}
    assert planned(CURRI_COURSE="course_02") == {"course_02_L03_learning"}
    assert site.upload("--lesson", "3", "--course", "course_01").code == 0
    site.linked_once("course_01_L03_learning")


@pytest.mark.parametrize(
    "selector", [("--course", "course_9"), ("--lesson", "4"), ("--kind", "lab"), ("--lesson", "x\x1b[1m")]
)
def test_a_selector_that_fits_nothing_is_a_mistake_of_the_command_line(three: Site, selector: tuple[str, str]) -> None:
    done = three.upload(*selector, "--json")
    assert done.code == done.summary["exit_code"] == 2
    assert "there is no video in" in done.err
    assert "\x1b" not in done.err
    assert "hint: there are videos in" in done.err
    assert three.requests() == []
    assert three.uploads() == []


@pytest.mark.parametrize(
    "wrong", [("--max-uploads", "-1"), ("--transfers", "0"), ("--bwlimit", "fast"), ("--nonsense",)]
)
def test_options_that_make_no_sense(three: Site, wrong: tuple[str, ...]) -> None:
    done = three.upload(*wrong)
    assert done.code in (2, 9)
    assert done.err
    assert "Traceback" not in done.err
    assert three.requests() == []


def test_a_run_may_be_told_to_send_a_part_and_the_next_goes_on(three: Site) -> None:
    first = three.upload("--max-uploads", "2", "--json")
    assert first.code == 0
    assert (first.summary["counts"]["uploaded"], first.summary["counts"]["left"]) == (2, 1)
    three.linked_once("course_01_L01_learning", "course_01_L02_learning")
    none = three.upload("--max-uploads", "0")
    assert none.code == 0
    assert "1 left for another run" in none.out
    last = three.upload("--max-uploads", "2", "--json")
    assert (last.summary["counts"]["uploaded"], last.summary["counts"]["left"]) == (1, 0)
    three.linked_once(*(f"course_01_L0{n}_learning" for n in (1, 2, 3)))


def test_a_run_may_be_told_how_many_minutes_it_may_send(three: Site) -> None:
    """Each of the videos lasts a second, and whole seconds are billed."""
    done = three.upload("--max-minutes", "0.04", "--json")
    assert done.code == 0
    counts = done.summary["counts"]
    assert (counts["uploaded"], counts["left"]) == (2, 1)
    assert len(three.box.videos()) == 2


def test_without_compression_every_video_goes_as_it_is(site: Site, films: Films) -> None:
    """And needs no ffmpeg."""
    film = films.heavy()
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": film, "video_compressed.mp4": films.plain()}}}})
    done = site.upload("--no-compress", "--json")
    assert done.code == 0
    (item,) = objects(done, "item")
    assert item["action"] == "passthrough"
    (video,) = site.box.videos()
    assert site.box.file(video.uid).read_bytes() == film
    assert video.meta["compressed"] == "false"


def test_a_limit_on_bytes_per_second_is_kept(site: Site, films: Films) -> None:
    size = 3_000_000
    videos = {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n, size=size // 2)}} for n in (1, 2)}
    site.put({"Course_01": videos})
    begun = time.monotonic()
    done = site.upload("--no-compress", "--bwlimit", "1M")
    took = time.monotonic() - begun
    assert done.code == 0
    assert took > 0.8 * size / 2**20
    site.linked_once("course_01_L01_learning", "course_01_L02_learning")


@pytest.mark.parametrize("transfers", [1, 3])
def test_as_many_videos_are_sent_at_once_as_asked_for(three: Site, transfers: int) -> None:
    three.box.faults(patch("stall-before", when={"times": None}))
    with three.start("upload", "--transfers", str(transfers)) as running:
        three.until_held(running, number=transfers)
        assert len(three.requests("patch")) == transfers
        three.box.clear_faults()
        assert running.done().code == 0
    stalled = [entry.fault for entry in three.requests("patch")]
    assert stalled.count("stall-before") == transfers
    three.linked_once(*(f"course_01_L0{n}_learning" for n in (1, 2, 3)))
