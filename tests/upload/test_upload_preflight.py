"""What would stop a run is said before anything is begun, with what to do; and it stands in no later run's way."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from curri.errors import ToolError
from curri.flow import preflight
from curri.flow.jobs import Job
from curri.media.prepare import Workshop
from curri.media.renditions import Cache
from curri.sandbox import Fault, When
from support.command import Done

from .conftest import Films, Open
from .site import Site

THREE = ("course_01_L01_learning", "course_01_L02_learning", "course_01_L03_learning")


def nothing_began(site: Site, done: Done) -> None:
    """Fail unless a run ended with one error that says what to do, before anything was begun."""
    assert done.out == ""
    assert done.err.startswith("curri: ")
    assert "\n  hint: " in done.err
    assert "Traceback" not in done.err
    assert site.requests("create") == []
    assert site.uploads() == []


def recovers(site: Site) -> None:
    """Fail unless the next run, with all in order, does everything."""
    done = site.upload()
    assert (done.code, done.err) == (0, "")
    site.linked_once(*THREE)


def test_no_token(three: Site) -> None:
    done = three.upload(CLOUDFLARE_API_TOKEN=None)
    nothing_began(three, done)
    assert done.code == 9
    assert "CLOUDFLARE_API_TOKEN is not set" in done.err
    assert "Stream > Edit" in done.err
    assert three.requests() == []
    recovers(three)


def test_sizes_are_told_in_units_that_show_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    monkeypatch.setattr(cache, "room", lambda: 100_000_000)
    job = SimpleNamespace(encodes=True, action="encode", size=2_000_000)
    workshop = SimpleNamespace(tool=object(), cache=cache)
    with pytest.raises(ToolError) as caught:
        preflight.tools([cast("Job", job)], cast("Workshop", workshop), None)
    told = "the largest encode may take 2.0 MB, 536.9 MB are kept free beside it, and 100.0 MB are free"
    assert caught.value.message == told


def test_no_account(three: Site) -> None:
    done = three.upload("--json", CLOUDFLARE_ACCOUNT_ID=None)
    assert done.code == done.summary["exit_code"] == 9
    assert done.summary["error"]["message"] == "CLOUDFLARE_ACCOUNT_ID is not set"
    assert done.summary["error"]["hint"]
    assert three.uploads() == []


def test_a_token_from_a_file(three: Site) -> None:
    secret = three.folder / "token"
    missing = three.upload(CLOUDFLARE_API_TOKEN=None, CLOUDFLARE_API_TOKEN_FILE=str(secret))
    nothing_began(three, missing)
    assert missing.code == 9
    secret.write_text(f"{three.box.token}\n")
    done = three.upload(CLOUDFLARE_API_TOKEN=None, CLOUDFLARE_API_TOKEN_FILE=str(secret))
    assert (done.code, done.err) == (0, "")


def test_a_wrong_token(three: Site) -> None:
    done = three.upload(CLOUDFLARE_API_TOKEN="some-other-token")
    nothing_began(three, done)
    assert done.code == 9
    assert "CLOUDFLARE_API_TOKEN" in done.err
    assert "some-other-token" not in done.err
    assert three.rows("SELECT exit_code FROM run WHERE command = 'upload'") == [(9,)]
    recovers(three)


def test_an_account_that_is_not_ones_own(three: Site) -> None:
    done = three.upload(CLOUDFLARE_ACCOUNT_ID="0" * 32)
    nothing_began(three, done)
    assert done.code == 9
    assert "CLOUDFLARE_ACCOUNT_ID" in done.err


def test_an_account_without_stream(open_site: Open, films: Films) -> None:
    site = open_site(quota_minutes=0)
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain()}}}})
    done = site.upload()
    nothing_began(site, done)
    assert done.code == 6
    assert "the account has no minutes" in done.err
    assert "--max-minutes" not in done.err  # this advice would be none


def test_a_full_quota_is_seen_before_anything_is_sent(open_site: Open, films: Films) -> None:
    site = open_site(quota_minutes=10)
    site.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in (1, 2, 3)}})
    site.box.plant([{"name": "old"}], duration=599.0)
    dry = site.upload("--dry-run")
    assert dry.code == 6
    assert "3 videos would be sent" in dry.out
    done = site.upload("--json")
    assert done.code == 6
    assert "3 videos" not in done.out
    assert done.summary["error"]["message"] == dry.err.splitlines()[0].removeprefix("curri: ")
    assert done.summary["error"]["hint"] == "buy minutes, or delete videos"
    assert site.uploads() == []
    assert site.writes() == []


def test_a_full_quota_that_shows_only_at_the_creation(open_site: Open, films: Films) -> None:
    """Each upload reserves half a minute more than its video lasts, and storage usage need not show that."""
    site = open_site(quota_minutes=1)
    site.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in (1, 2, 3)}})
    site.box.faults(Fault("drop-before", When(path="patch", times=None)))
    assert site.upload("--lesson", "2", changes="impatient").code == 3
    site.box.clear_faults()
    full = site.upload("--lesson", "1")
    assert full.code == 6
    assert "10011" in full.err
    assert "minutes" in full.err.partition("hint: ")[2]
    assert site.uploads() == [("created", "ConnectionLost"), ("intended", "QuotaExceeded")]
    assert not site.rows("SELECT FROM upload WHERE state = 'intended' AND lease_until IS NOT NULL")
    done = site.upload("--transfers", "1")  # what is open comes first, so that its minutes are free for the others
    assert (done.code, done.err) == (0, "")
    site.linked_once(*THREE)


def test_as_many_videos_in_processing_as_stream_takes(three: Site) -> None:
    planted = three.box.plant([{"name": f"busy {number}"} for number in range(120)], state="queued")
    done = three.upload()
    nothing_began(three, done)
    assert done.code == 6
    assert "120" in done.err
    assert "when some are through" in done.err
    assert len(planted) == 120
    dry = three.upload("--dry-run")
    assert dry.code == 6
    assert "120" in dry.err


@pytest.mark.parametrize("flag", [(), ("--dry-run",)])
def test_a_stream_that_is_not_there(three: Site, flag: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = three.upload(*flag, changes="impatient", CURRI_STREAM_URL=f"http://127.0.0.1:{port}/client/v4")
    assert done.code == 6
    assert "network" in done.err.partition("hint: ")[2]
    assert three.uploads() == []
    if not flag:
        nothing_began(three, done)
        recovers(three)


def test_an_address_that_is_none(three: Site) -> None:
    done = three.upload(CURRI_STREAM_URL="ftp://example.org")
    nothing_began(three, done)
    assert done.code == 9
    assert "CURRI_STREAM_URL" in done.err


def test_no_ffmpeg_where_one_is_needed(site: Site, films: Films) -> None:
    lessons = {"Lesson_01": films.plain(1), "Lesson_02": films.heavy(2)}
    site.put({"Course_01": {name: {"learning": {"video.mp4": film}} for name, film in lessons.items()}})
    done = site.upload()
    nothing_began(site, done)
    assert done.code == 7
    assert "--no-compress" in done.err
    assert site.upload("--lesson", "1").code == 0  # of the others it keeps none
    assert site.upload("--no-compress").code == 0
    site.linked_once("course_01_L01_learning", "course_01_L02_learning")


def test_a_token_that_may_only_read(open_site: Open, films: Films) -> None:
    """That it may not write shows with the first creation; nothing is left that Stream would have to forget."""
    site = open_site(read_token="read-only-token")
    site.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in (1, 2, 3)}})
    done = site.upload(CLOUDFLARE_API_TOKEN="read-only-token")
    assert done.code == 9
    assert "Stream > Edit" in done.err
    assert site.box.videos() == []
    recovers(site)


def test_a_setting_that_stream_would_refuse_is_told_at_once(three: Site) -> None:
    done = three.upload(CURRI_CHUNK_SIZE="1M")
    assert done.code == 9
    assert three.requests() == []
    assert "chunk" in done.err
