"""Stream, the database or the disk gives out in the middle of a run; the next run makes up for it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from curri.sandbox import Fault, Sandbox, SandboxSettings, When

from .conftest import Films
from .site import AT_ONCE, Site, objects

THREE = ("course_01_L01_learning", "course_01_L02_learning", "course_01_L03_learning")


def lose_connections(site: Site) -> int:
    """End every connection of `curri` to the catalog, as a restart of the server does; returns how many."""
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'curri' AND datname = %s"
    name = psycopg.conninfo.conninfo_to_dict(site.url)["dbname"]
    return len(site.rows(query, name))


@pytest.mark.parametrize("where", ["create", "patch", "get"])
def test_stream_away_for_longer_than_one_waits(three: Site, where: str) -> None:
    """Every connection breaks, and nothing is sent twice because of that."""
    three.box.faults(Fault("drop-before", When(path=where, times=None)))
    done = three.upload("--transfers", "1", "--json", changes="impatient")
    assert done.code == done.summary["exit_code"] == 6
    assert done.summary["error"]["hint"]
    assert not three.rows("SELECT FROM upload WHERE lease_until IS NOT NULL")
    three.box.clear_faults()
    again = three.upload()
    assert (again.code, again.err) == (0, "")
    three.linked_once(*THREE)
    received = sum(entry.received for entry in three.requests("patch"))
    assert received == sum(video.received for video in three.named().values())


def test_trouble_with_one_video_keeps_no_other_from_arriving(three: Site) -> None:
    three.box.faults(Fault("answer", When(path="patch", name="*L02*", times=None), status=503))
    done = three.upload("--transfers", "1", changes="impatient")
    assert done.code == 3
    assert "2 videos sent" in done.out
    assert "failed    course_01/02/learning/video.mp4: " in done.err
    three.box.clear_faults()
    again = three.upload()  # nothing is wrong with the file, so it is tried again
    assert (again.code, again.err) == (0, "")
    three.linked_once(*THREE)


def test_a_stream_that_ends_in_mid_run_and_comes_back(three: Site) -> None:
    """At the same address, with its state kept, as the real one keeps it."""
    data = three.folder / "stream"
    with Sandbox(SandboxSettings(data=data, timings=AT_ONCE)) as first:
        port = int(first.origin.rpartition(":")[2])
        three.box = first
        three.hold(Fault("stall-middle", When(path="patch", nth=2)))
        running = three.start("upload", "--transfers", "1", changes="impatient")
        three.until_held(running)
    with running:
        done = running.done()
    assert done.code == 6
    assert "Traceback" not in done.err
    assert done.err.count("hint: ") == 1
    with Sandbox(SandboxSettings(data=data, timings=AT_ONCE, port=port)) as second:
        three.box = second
        again = three.upload()
        assert (again.code, again.err) == (0, "")
        three.linked_once(*THREE)


@pytest.mark.parametrize(
    ("word", "where"),
    [("stall-before", "create"), ("stall-after", "create"), ("stall-after", "patch"), ("stall-before", "get")],
)
def test_the_database_goes_away_half_way(three: Site, word: str, where: str) -> None:
    three.hold(Fault(word, When(path=where, name="*L02*" if where != "create" else None, nth=1)))
    with three.start("upload", "--json") as running:
        three.until_held(running, complete=word == "stall-after")
        assert lose_connections(three) == 1
        three.box.clear_faults()
        done = running.done()
    assert done.code == done.summary["exit_code"] == 5
    assert "the connection to the database was lost" in done.summary["error"]["message"]
    assert "run the command again" in done.summary["error"]["hint"]
    assert "Traceback" not in done.err
    known = {uid for (uid,) in three.rows("SELECT provider_id FROM upload")}
    assert {video.uid for video in three.box.videos()} <= known  # what nobody knows of is not left there
    again = three.upload()
    assert (again.code, again.err) == (0, "")
    three.linked_once(*THREE)


def test_the_disk_is_full_when_an_encode_begins(encoding: Site, films: Films) -> None:
    contents = {"Lesson_01": films.plain(1), "Lesson_02": films.heavy(2), "Lesson_03": films.heavy(3)}
    encoding.put({"Course_01": {name: {"learning": {"video.mp4": film}} for name, film in contents.items()}})
    done = encoding.upload("--json", changes="filling")
    assert done.code == 3
    told = {item["path"]: (item["outcome"], item["reason"]) for item in objects(done, "item")}
    assert [outcome for outcome, _ in told.values()].count("failed") == 2
    assert told["course_01/01/learning/video.mp4"][0] == "done"
    assert "no space left" in told["course_01/02/learning/video.mp4"][1]
    assert set(encoding.named()) == {"course_01_L01_learning"}
    again = encoding.upload()
    assert (again.code, again.err) == (0, "")
    encoding.linked_once(*THREE)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Yield a disk of its own, where the test may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_the_disk_fills_up_while_ffmpeg_writes(site: Site, films: Films, ffmpeg: str) -> None:
    contents = {"Lesson_01": films.plain(1), "Lesson_02": films.heavy(2)}
    site.put({"Course_01": {name: {"learning": {"video.mp4": film}} for name, film in contents.items()}})
    with small_disk(site.state) as disk:
        filling = site.folder / "filling"
        filling.write_text(
            '#!/bin/sh\ncase "$*" in *movflags*)'
            f' mount -o remount,size=64k {disk}; {ffmpeg} "$@"; code=$?; mount -o remount,size=600m {disk}; exit $code;;'
            f' esac\nexec {ffmpeg} "$@"\n'
        )
        filling.chmod(0o700)
        done = site.upload(CURRI_FFMPEG=str(filling))
        assert done.code == 3
        assert "failed    course_01/02/learning/video.mp4: there is no space left" in done.err
        assert "free some space" in done.err
        assert "1 video sent" in done.out
        assert not [path.name for path in disk.rglob("*") if path.suffix in (".mp4", ".part")]
        again = site.upload(CURRI_FFMPEG=ffmpeg)
        assert (again.code, again.err) == (0, "")
        site.linked_once("course_01_L01_learning", "course_01_L02_learning")


def test_a_state_folder_that_cannot_be_made_is_told_before_anything_is_sent(three: Site) -> None:
    three.state.write_text("a file, where a folder should be")
    done = three.upload()
    assert done.code == 9
    assert str(three.state) in done.err
    assert three.requests("create") == []
