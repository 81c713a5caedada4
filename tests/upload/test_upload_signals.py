"""Ctrl-C and SIGTERM: once, what is in flight comes to its end; twice, the run ends at once. Both are safe."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.waiting import until
from curri.sandbox import Fault, When

from .conftest import Films
from .driver import MARK
from .site import Running, Site, objects

CHUNK = 5 * 2**20
SIZE = 2 * CHUNK + 1000
NAMES = ("course_01_L01_learning", "course_01_L02_learning")


@pytest.fixture
def long(site: Site, films: Films) -> Site:
    """Return a site with a video of three chunks, and a short one."""
    contents = {"Lesson_01": films.plain(1, size=SIZE), "Lesson_02": films.plain(2)}
    site.put({"Course_01": {name: {"learning": {"video.mp4": film}} for name, film in contents.items()}})
    site.variables |= {"CURRI_CHUNK_SIZE": "5M", "CURRI_NO_COMPRESS": "1", MARK: str(site.folder / "ending")}
    return site


def tell(site: Site, running: Running, number: signal.Signals) -> None:
    """Send a signal, and return when the run has understood it."""
    running.send(number)
    until(Path(site.variables[MARK]).exists)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_once_the_chunk_in_flight_comes_to_its_end(long: Site, number: signal.Signals, code: int) -> None:
    long.hold(Fault("stall-middle", When(path="patch", name="*L01*")))
    with long.start("upload", "--transfers", "1", "--json", changes="telling") as running:
        long.until_held(running)
        tell(long, running, number)
        long.box.clear_faults()
        done = running.done()
    assert done.code == done.summary["exit_code"] == code
    assert "to go on: curri upload --transfers 1 --json" in done.summary["error"]["hint"]
    assert "Traceback" not in done.err
    (row,) = long.rows("SELECT state::text, acknowledged_bytes, lease_until, error_code FROM upload")
    assert row == ("sending", CHUNK, None, None)
    assert long.rows("SELECT exit_code FROM run WHERE command = 'upload'") == [(code,)]
    assert len(long.requests("patch")) == 1

    again = long.upload()
    assert (again.code, again.err) == (0, "")
    long.linked_once(*NAMES)
    sent = [entry for entry in long.requests("patch") if entry.name == NAMES[0]]
    assert sum(entry.received for entry in sent) == SIZE
    assert len([entry for entry in long.requests("create") if entry.name == NAMES[0]]) == 1


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ("*L01*", "nothing was sent; 2 left for another run\n"),
        ("*L02*", "1 video sent: 10.5 MB, 0.0 minutes; 1 left for another run\n"),
    ],
)
def test_a_run_that_is_stopped_says_what_it_has_done(long: Site, held: str, told: str) -> None:
    long.hold(Fault("stall-middle", When(path="patch", name=held)))
    with long.start("upload", "--transfers", "1", changes="telling") as running:
        long.until_held(running)
        tell(long, running, signal.SIGINT)
        long.box.clear_faults()
        done = running.done()
    assert done.code == 130
    assert done.out.endswith(told)
    assert done.err.startswith("curri: stopped by Ctrl-C\n")


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)])
def test_twice_the_run_ends_at_once(long: Site, numbers: tuple[signal.Signals, signal.Signals]) -> None:
    long.hold(Fault("stall-middle", When(path="patch", name="*L01*")))
    with long.start("upload", "--transfers", "1", changes="telling") as running:
        long.until_held(running)
        tell(long, running, numbers[0])
        assert running.process.poll() is None
        running.send(numbers[1])
        done = running.done()  # though Stream still hangs
    assert done.code == 130
    assert "Traceback" not in done.err
    long.box.clear_faults()
    again = long.upload()
    assert (again.code, again.err) == (0, "")
    long.linked_once(*NAMES)


def test_a_signal_while_stream_is_asked_whether_there_is_room(long: Site) -> None:
    long.hold(Fault("stall-before", When(path="usage")))
    with long.start("upload", "--json") as running:
        long.until_held(running)
        running.send(signal.SIGTERM)
        done = running.done()
    assert done.code == done.summary["exit_code"] == 143
    assert long.uploads() == []


def test_a_signal_while_one_waits_for_stream_to_be_ready(long: Site) -> None:
    long.box.faults(Fault("stuck", When(times=None)))
    with long.start("upload", "--wait", "--json") as running:
        until(lambda: len(long.requests("get")) > len(NAMES))
        running.send(signal.SIGINT)
        done = running.done()
    assert done.code == done.summary["exit_code"] == 130
    assert long.one("SELECT counts ->> 'uploaded' FROM run WHERE command = 'upload'") == "2"
    long.linked_once(*NAMES)
    long.box.clear_faults()
    assert long.upload("--wait").code == 0
    assert long.rows("SELECT DISTINCT status::text FROM course_videos") == [("ready",)]


@pytest.fixture
def crawling(site: Site, films: Films, ffmpeg: str) -> Site:
    """Return a site with a video that takes minutes to encode."""
    slow = site.folder / "slow-ffmpeg"
    slow.write_text(
        f'#!/bin/sh\ncase "$*" in *movflags*) exec {ffmpeg} -readrate 0.01 "$@";; esac\nexec {ffmpeg} "$@"\n'
    )
    slow.chmod(0o700)
    site.variables |= {"CURRI_FFMPEG": str(slow), MARK: str(site.folder / "ending")}
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.heavy()}}}})
    return site


def encoders(site: Site, running: Running) -> Callable[[], list[int]]:
    """Return what lists the processes that write an encode."""
    return lambda: [pid for pid, line in running.descendants().items() if ".part" in line and "launch.py" not in line]


def encoder(site: Site, running: Running) -> int:
    """Wait for the one process that writes an encode; while it is started there may be two of that name, or none."""
    found: list[int] = []

    def is_alone() -> bool:
        found[:] = encoders(site, running)()
        return len(found) == 1

    until(is_alone)
    return found[0]


def is_gone(pid: int) -> bool:
    """Whether a process has ended, also if nobody has asked yet how."""
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(
    "numbers", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT), (signal.SIGKILL,)]
)
def test_while_it_encodes_no_encoder_and_no_half_file_is_left(
    crawling: Site, ffmpeg: str, numbers: tuple[signal.Signals, ...]
) -> None:
    with crawling.start("upload", "--json") as running:
        pid = encoder(crawling, running)
        for number in numbers:
            running.send(number)
        done = running.done()
    assert done.code == {signal.SIGTERM: 143, signal.SIGKILL: -9}.get(numbers[0], 130)
    until(lambda: is_gone(pid))
    names = [path.suffix for path in crawling.state.rglob("*") if path.is_file()]
    assert ".mp4" not in names
    if len(numbers) == 1 and numbers[0] is not signal.SIGKILL:
        assert ".part" not in names
        assert "curri upload" in done.summary["error"]["hint"]
        assert crawling.uploads() == [("intended", None)]
    assert crawling.writes() == []
    again = crawling.upload(CURRI_FFMPEG=ffmpeg)
    assert (again.code, again.err) == (0, "")
    crawling.linked_once("course_01_L01_learning")
    assert ".part" not in [path.suffix for path in crawling.state.rglob("*")]


def test_videos_that_were_sent_before_the_signal_are_told(long: Site) -> None:
    """Those who read only what is printed must know them."""
    long.hold(Fault("stall-before", When(path="patch", name="*L01*")))
    with long.start("upload", "--transfers", "2", "--json", changes="telling") as running:
        long.until_held(running)
        until(lambda: ("linked", None) in long.uploads())
        tell(long, running, signal.SIGINT)
        long.box.clear_faults()
        done = running.done()
    assert [item["name"] for item in objects(done, "item")] == [NAMES[1]]
    assert long.one("SELECT counts ->> 'uploaded' FROM run WHERE command = 'upload'") == "1"
