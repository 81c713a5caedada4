"""A video that fails keeps no other from arriving, is told with its reason, and is not tried again for nothing."""

from __future__ import annotations

import pytest

from curri.sandbox import Fault, Timings, When

from .conftest import Films, Open
from .site import Site, objects

BAD = "course_01/02/learning/video.mp4"


def with_one_bad(site: Site, films: Films, bad: bytes) -> None:
    contents = (films.plain(1), bad, films.plain(3))
    site.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": film}} for n, film in enumerate(contents, 1)}})


def test_one_bad_file_among_many(site: Site, films: Films) -> None:
    with_one_bad(site, films, b"this is no film, whatever its name says")
    done = site.upload()
    assert done.code == 3
    assert done.out.splitlines()[-1].startswith("2 videos sent: ")
    assert done.out.endswith("; 1 failed\n")
    ((code, message),) = site.rows("SELECT error_code, error_message FROM upload WHERE state = 'failed'")
    assert done.err == f"failed    {BAD}: {code}: {message}\n"
    site.linked_once("course_01_L01_learning", "course_01_L03_learning")
    assert len(site.requests("create")) == 2

    site.box.clear_requests()
    before = site.everything()
    again = site.upload()
    assert again.code == 3
    assert again.err == f"failed    {BAD}: {code}: {message} (--retry-failed tries it again)\n"
    assert again.out == "nothing was sent; 2 unchanged, 1 failed\n"
    assert site.requests() == []
    assert site.everything() == before

    retried = site.upload("--retry-failed", "--json")
    assert retried.code == 3
    assert retried.summary["counts"]["failed"] == 1
    assert site.writes() == []
    assert [state for state, _ in site.uploads() if state == "failed"] == ["failed", "failed"]

    site.put({"Course_01": {"Lesson_02": {"learning": {"video.mp4": films.plain(2)}}}})
    repaired = site.upload()
    assert (repaired.code, repaired.err) == (0, "")
    assert "1 video sent" in repaired.out
    site.linked_once(*(f"course_01_L0{n}_learning" for n in (1, 2, 3)))
    assert site.upload().code == 0


@pytest.mark.parametrize("compress", [True, False])
def test_a_video_that_was_cut_short_is_not_sent(site: Site, films: Films, *, compress: bool) -> None:
    with_one_bad(site, films, films.cut())
    done = site.upload(*([] if compress else ["--no-compress"]), "--json")
    assert done.code == 3
    (bad,) = (item for item in objects(done, "item") if item["path"] == BAD)
    assert bad["outcome"] == "failed"
    assert bad["reason"]
    site.linked_once("course_01_L01_learning", "course_01_L03_learning")
    assert [item["outcome"] for item in objects(done, "item")].count("done") == 2


def test_an_encoder_that_breaks_down_fails_no_video_that_stream_takes_as_it_is(
    site: Site, films: Films, ffmpeg: str
) -> None:
    broken = site.folder / "broken"
    broken.write_text(f'#!/bin/sh\ncase "$*" in *movflags*) echo out of order >&2; exit 9;; esac\nexec {ffmpeg} "$@"\n')
    broken.chmod(0o700)
    film = films.heavy()
    with_one_bad(site, films, film)
    done = site.upload("--json", CURRI_FFMPEG=str(broken))
    assert (done.code, done.err) == (0, "")
    (item,) = (item for item in objects(done, "item") if item["path"] == BAD)
    assert item["action"] == "original"
    assert "out of order" in item["reason"]
    assert site.named()["course_01_L02_learning"].received == len(film)


def test_a_video_that_stream_refuses(three: Site) -> None:
    three.box.faults(Fault("answer", When(path="create", name="*L02*"), status=422))
    done = three.upload()
    assert done.code == 3
    assert f"failed    {BAD}: refused-by-stream: Stream answered 422" in done.err
    assert "2 videos sent" in done.out
    three.box.clear_requests()
    again = three.upload()
    assert (again.code, three.requests()) == (3, [])
    assert "refused-by-stream" in again.err
    retried = three.upload("--retry-failed")
    assert (retried.code, retried.err) == (0, "")
    three.linked_once(*(f"course_01_L0{n}_learning" for n in (1, 2, 3)))


def test_a_video_that_stream_cannot_encode_fails_with_wait_and_is_sent_again_on_request(three: Site) -> None:
    three.box.faults(Fault("fail", When(name="*L02*"), code="ERR_MALFORMED_VIDEO"))
    done = three.upload("--wait")
    assert done.code == 3
    assert "2 videos sent" in done.out
    assert done.err.startswith(f"failed    {BAD}: ")
    assert three.rows("SELECT status::text, error_code FROM video WHERE status = 'error'") == [
        ("error", "ERR_MALFORMED_VIDEO")
    ]
    three.box.clear_requests()
    again = three.upload()
    assert again.code == 3
    assert "ERR_MALFORMED_VIDEO" in again.err
    assert three.requests() == []
    retried = three.upload("--retry-failed", "--wait")
    assert (retried.code, retried.err) == (0, "")
    states = [state for state, _ in three.links()[BAD]]
    assert states == ["retired", "current"]
    assert three.rows("SELECT status::text FROM course_videos") == [("ready",)] * 3


def test_a_file_that_is_not_there_or_not_as_imported_is_blocked(three: Site, films: Films) -> None:
    (three.root / "Course_01/Lesson_01/learning/video.mp4").unlink()
    (three.root / "Course_01/Lesson_02/learning/video.mp4").write_bytes(films.plain(9, size=100_000))
    done = three.upload()
    assert done.code == 3
    assert "1 video sent" in done.out
    assert "blocked   course_01/01/learning/video.mp4: missing: " in done.err
    assert "blocked   course_01/02/learning/video.mp4: changed: " in done.err
    assert "curri import" in done.err
    assert three.rows("SELECT count(*) FROM upload") == [(1,)]
    three.linked_once("course_01_L03_learning")


def test_a_disk_that_gives_no_bytes_spoils_a_video_for_no_later_run(three: Site) -> None:
    done = three.upload(changes="unreadable")
    assert done.code == 3
    assert "2 videos sent" in done.out
    assert done.err == f"blocked   {BAD}: unreadable: the file cannot be read (Input/output error)\n"
    again = three.upload()
    assert (again.code, again.err) == (0, "")
    three.linked_once(*(f"course_01_L0{n}_learning" for n in (1, 2, 3)))


def test_a_video_that_only_ffmpeg_can_measure_waits_for_one(site: Site, films: Films, ffmpeg: str) -> None:
    film = films.clips("recorded.webm").read_bytes()
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.webm": film}}}})
    done = site.upload()
    assert done.code == 3
    assert "blocked   course_01/01/learning/video.webm: no-duration: " in done.err
    assert "ffmpeg would find it" in done.err
    site.upload(CURRI_FFMPEG=ffmpeg)
    assert site.named()["course_01_L01_learning"].received == len(film)


def test_a_file_that_changes_while_it_is_sent_is_never_completed(three: Site, films: Films) -> None:
    """Same size, other bytes: what Stream got is thrown away, and the new file is sent once it is imported."""
    three.put({"Course_01": {"Lesson_02": {"learning": {"video.mp4": films.plain(2, size=6_000_000)}}}})
    three.variables["CURRI_CHUNK_SIZE"] = "5M"
    three.box.faults(Fault("stall-after", When(path="patch", name="*L02*")))
    with three.start("upload", "--no-compress") as running:
        three.until_held(running, complete=True)
        (three.root / "Course_01/Lesson_02/learning/video.mp4").write_bytes(films.plain(7, size=6_000_000))
        three.box.clear_faults()
        done = running.done()
    assert done.code == 3
    assert f"blocked   {BAD}: changed: " in done.err
    three.record()
    assert three.upload("--no-compress").code == 0
    three.linked_once(*(f"course_01_L0{n}_learning" for n in (1, 2, 3)))
    video = three.named()["course_01_L02_learning"]
    assert three.box.file(video.uid).read_bytes() == films.plain(7, size=6_000_000)


def test_more_videos_than_stream_works_on_at_once_wait_for_room(open_site: Open, films: Films) -> None:
    site = open_site(processing_limit=2, timings=Timings(queued=0.5, encoding=0.5, playable=0, rising=0))
    site.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in range(1, 6)}})
    done = site.upload("--json", changes="looking")
    assert (done.code, done.err) == (0, "")
    assert 429 in {entry.status for entry in site.requests("create")}
    site.linked_once(*(f"course_01_L0{n}_learning" for n in range(1, 6)))
