"""A file that changed is sent anew, and what is watched changes only when the new one can be played."""

from __future__ import annotations

from curri.sandbox import Fault, Timings, When
from upkeep.dashboard import Dashboard

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


def test_a_file_that_is_as_before_again_is_linked_again_without_a_byte(site: Site, films: Films) -> None:
    for number in (1, 2):
        place(site, films.plain(number))
        assert site.upload("--wait").code == 0
    (first,), (second,) = uids(site, "retired"), uids(site, "current")
    place(site, films.plain(1))
    site.box.clear_requests()
    planned = site.upload("--dry-run")
    assert (planned.code, site.writes()) == (0, [])
    assert planned.out.startswith(f"relink    {PLACE} -> course_01_L01_learning\n")
    assert planned.out.endswith("nothing to do; 1 would be linked again\n")
    done = site.upload()
    assert done.out.startswith(f"linked    {PLACE} -> course_01_L01_learning\n")
    assert (done.code, done.out.splitlines()[-1]) == (0, "nothing was sent; 1 linked again")
    assert (site.writes(), shown(site)) == ([], [first])
    assert site.links()[PLACE] == [("current", first), ("retired", second)]
    assert site.upload().out == "nothing to do; 1 unchanged\n"


def test_a_former_video_that_is_gone_is_sent_again(site: Site, films: Films) -> None:
    for number in (1, 2):
        place(site, films.plain(number))
        assert site.upload("--wait").code == 0
    (gone,) = uids(site, "retired")
    Dashboard(site.box).delete(gone)
    place(site, films.plain(1))
    assert site.upload("--wait").code == 0
    assert [state for state, _ in site.links()[PLACE]] == ["retired", "retired", "current"]
    assert shown(site) != [gone]


def test_a_former_video_that_is_not_ready_waits_like_any_other(open_site: Open, films: Films) -> None:
    site = open_site(frozen_clock=True, timings=SLOW)
    place(site, films.plain(1))
    assert site.upload().code == 0
    site.box.advance(60)
    for number in (2, 3):
        place(site, films.plain(number))
        assert site.upload().code == 0
    (second,) = uids(site, "retired")
    place(site, films.plain(2))
    assert site.upload().code == 0
    assert [state for state, _ in site.links()[PLACE]] == ["current", "pending", "retired"]
    site.box.advance(60)
    assert site.run("sync-status", "--all").code == 0
    assert shown(site) == [second]
    assert len(site.box.videos()) == 3


def test_a_replacement_whose_file_is_gone_again_is_not_switched_to(open_site: Open, films: Films) -> None:
    site = open_site(frozen_clock=True, timings=SLOW)
    place(site, films.plain(1))
    assert site.upload().code == 0
    site.box.advance(60)
    place(site, films.plain(2))
    assert site.upload().code == 0
    (first,) = uids(site, "current")
    place(site, films.plain(1))
    site.box.advance(60)
    assert site.run("sync-status", "--all").code == 0
    assert shown(site) == [first]
    assert [state for state, _ in site.links()[PLACE]] == ["current", "retired"]
    assert site.upload().out == "nothing to do; 1 unchanged\n"


def uids(site: Site, state: str) -> list[str]:
    """Return the ids of the videos that are linked in that state."""
    return [uid for found, uid in site.links()[PLACE] if found == state]
