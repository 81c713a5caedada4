"""A file that changed is sent anew, and what is watched changes only when the new one can be played."""

from __future__ import annotations

from curri.sandbox import Fault, Timings, When

from .conftest import Films, Open
from .site import Site

PLACE = "course_01/01/learning/video.mp4"
SLOW = Timings(queued=10, encoding=10, playable=10, rising=10)


def shown(site: Site) -> list[str]:
    """Return the ids of the videos that a web application plays."""
    return [uid for (uid,) in site.rows("SELECT cloudflare_video_id FROM course_videos")]


def place(site: Site, film: bytes) -> None:
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": film}}}})


def test_the_old_video_plays_until_the_new_one_can(open_site: Open, films: Films) -> None:
    site = open_site(frozen_clock=True, timings=SLOW)
    place(site, films.plain(1))
    assert site.upload().code == 0
    site.box.advance(60)
    (old,) = shown(site)

    place(site, films.plain(2))
    done = site.upload()
    assert done.code == 0
    assert "the former video plays until this one is ready" in done.out
    assert len(site.box.videos()) == 2
    (_, new) = (uid for _, uid in site.links()[PLACE])
    assert site.links()[PLACE] == [("current", old), ("pending", new)]
    assert shown(site) == [old]

    place(site, films.plain(3))  # once more, before the second was ever ready
    assert site.upload().code == 0
    assert [state for state, _ in site.links()[PLACE]] == ["current", "retired", "pending"]
    site.hold(Fault("stall-before", When(path="get")))
    with site.start("upload", "--wait") as running:
        site.until_held(running)  # it looks whether the new one is ready
        assert shown(site) == [old]
        site.box.advance(60)
        site.box.clear_faults()
        waited = running.done()
    assert (waited.code, waited.err) == (0, "")
    assert [state for state, _ in site.links()[PLACE]] == ["retired", "retired", "current"]
    assert shown(site) == [site.links()[PLACE][2][1]]
    assert len(site.box.videos()) == 3  # nothing is deleted
    assert site.upload().out == "nothing to do; 1 unchanged\n"


def test_a_replacement_that_fails_on_stream_leaves_the_old_video_playing(site: Site, films: Films) -> None:
    place(site, films.plain(1))
    assert site.upload("--wait").code == 0
    (old,) = shown(site)
    place(site, films.plain(2))
    site.box.faults(Fault("fail", When()))
    done = site.upload("--wait")
    assert done.code == 3
    assert shown(site) == [old]
    again = site.upload()
    assert again.code == 3
    assert "--retry-failed" in again.err
    assert site.upload("--retry-failed", "--wait").code == 0
    assert shown(site) != [old]
    assert [state for state, _ in site.links()[PLACE]].count("current") == 1


def test_a_preview_is_replaced_in_its_course_too(site: Site, films: Films) -> None:
    found = []
    for number in (1, 2):
        site.put({"Course_01": {"preview.mp4": films.plain(number)}})
        assert site.upload("--wait").code == 0
        found += site.rows(
            "SELECT v.provider_id, v.metadata ->> 'checksumSha1' FROM course k JOIN video v ON v.id = preview_video_id"
        )
    assert len(set(found)) == 2
    assert found[1][1] == site.one("SELECT checksum_sha1 FROM asset")


def test_a_lesson_that_moved_is_not_sent_again(site: Site, films: Films) -> None:
    place(site, films.plain(1))
    assert site.upload().code == 0
    site.box.clear_requests()
    (site.root / "Course_01/Lesson_01").rename(site.root / "Course_01/Lesson_02")
    site.record()
    done = site.upload()
    assert (done.code, done.out) == (0, "nothing to do; 1 unchanged\n")
    assert site.requests() == []


def test_a_file_that_is_as_before_again_needs_no_third_copy(site: Site, films: Films) -> None:
    """What is on Stream under a retired link is not used again: it may be gone tomorrow."""
    for number in (1, 2, 1):
        place(site, films.plain(number))
        assert site.upload("--wait").code == 0
    states = [state for state, _ in site.links()[PLACE]]
    assert states == ["retired", "retired", "current"]
    assert len(shown(site)) == 1
