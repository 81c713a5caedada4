"""Token, database password and upload addresses are seen nowhere: not in what is printed, stored, or listed as running."""

from __future__ import annotations

import signal
from pathlib import Path

import psycopg
import pytest

from curri.sandbox import Fault, When
from support.command import Done

from .conftest import Films, Open
from .site import Running, Site, command_line

TOKEN = "t0ken-that-nobody-may-see"
PASSWORD = "passw0rd-that-nobody-may-see"


@pytest.fixture
def guarded(open_site: Open, films: Films, ffmpeg: str) -> Site:
    """Return a site with secrets of its own, and a video of each kind."""
    site = open_site(token=TOKEN)
    contents = {"Lesson_01": films.plain(1), "Lesson_02": films.heavy(2), "Lesson_03": b"no film"}
    site.put({"Course_01": {name: {"learning": {"video.mp4": film}} for name, film in contents.items()}})
    site.variables |= {
        "CURRI_DATABASE_URL": psycopg.conninfo.make_conninfo(site.url, password=PASSWORD),
        "CURRI_FFMPEG": ffmpeg,
    }
    return site


def addresses(site: Site) -> set[str]:
    """Return what tells the address of an upload: what the requests went to, and the part that makes it one."""
    paths = {entry.path for entry in site.requests() if entry.kind in ("patch", "head")}
    assert paths
    return paths | {"/media/", "tusv2"}


def seen(site: Site, text: str) -> set[str]:
    """Return the secrets that stand in a text."""
    return {secret for secret in {TOKEN, PASSWORD, *addresses(site)} if secret in text}


def printed(*runs: Done) -> str:
    return "".join(run.out + run.err for run in runs)


def stored(site: Site) -> dict[str, str]:
    """Return all that lies in the tables and in the files of CURRI_HOME, by where it is."""
    rows = {f"table {table}": "\n".join(rows) for table, rows in site.everything().items()}
    found = [path for path in site.state.rglob("*") if path.is_file()]
    files = {str(path): path.name + path.read_bytes().decode("latin-1") for path in found}
    return rows | files


def leaks(site: Site) -> dict[str, set[str]]:
    return {where: found for where, text in stored(site).items() if (found := seen(site, text))}


def processes(running: Running) -> str:
    """Return the command lines of a run and of all that it has started."""
    return "\n".join([command_line(running.pid), *running.descendants().values()])


def test_nothing_is_seen_of_a_run_that_goes_well_or_badly(guarded: Site, films: Films) -> None:
    runs = [guarded.upload("--dry-run", "--verbose", "--json"), guarded.upload("--verbose")]
    guarded.box.faults(
        Fault("drop-middle", When(path="patch")),
        Fault("answer", When(path="head"), status=500),
        Fault("answer", When(path="patch"), status=404),
        Fault("drop-after", When(path="create", nth=2)),
    )
    guarded.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in (4, 5, 6)}})
    runs += [guarded.upload("--verbose", "--json", "--retry-failed"), guarded.upload("--verbose", "--no-compress")]
    runs += [guarded.run("status", "-v"), guarded.run("runs"), guarded.run("config"), guarded.run("doctor", "--json")]
    assert {fault["happened"] for fault in guarded.box.fault_report()} == {1}
    guarded.box.faults(Fault("drop-before", When(path="patch", times=None)))
    guarded.put({"Course_01": {f"Lesson_0{n}": {"practice": {"video.mp4": films.plain(n + 10)}} for n in (4, 5, 6)}})
    runs += [guarded.upload("--verbose", changes="impatient")]
    assert "  in: PATCH upload at 127.0.0.1\n" in runs[-1].err
    guarded.box.clear_faults()
    assert guarded.upload("--quiet").code == 3
    guarded.put({"Course_01": {"Lesson_07": {"learning": {"video.mp4": films.plain(7)}}}})
    runs += [guarded.upload("-v", CLOUDFLARE_ACCOUNT_ID="0" * 32), guarded.upload("-v", CURRI_STREAM_URL="http://[x")]
    assert {run.code for run in runs} >= {0, 3, 9}
    assert seen(guarded, printed(*runs)) == set()
    assert leaks(guarded) == {}
    assert guarded.rows("SELECT FROM upload WHERE upload_url IS NOT NULL") == []


def test_nothing_is_seen_while_an_upload_is_open_but_its_address_in_its_row(guarded: Site) -> None:
    guarded.hold(Fault("stall-before", When(path="patch", name="*L01*")))
    with guarded.start("upload", "--verbose", "--json", "--lesson", "1") as running:
        guarded.until_held(running)
        assert "curri" in processes(running)
        assert seen(guarded, processes(running)) == set()
        (address,) = (url for (url,) in guarded.rows("SELECT upload_url FROM upload WHERE state = 'created'"))
        (video,) = guarded.box.videos()
        assert address == f"{guarded.box.url}/accounts/{guarded.box.account_id}/media/{video.uid}?tusv2=true"
        assert leaks(guarded).keys() == {"table upload"}
        assert [name for name, text in stored(guarded).items() if address in text] == ["table upload"]
        others = guarded.rows("SELECT to_jsonb(u) - 'upload_url' FROM upload u")
        assert seen(guarded, str(others)) == set()
        running.send(signal.SIGKILL)
        killed = running.done()
    guarded.box.clear_faults()
    done = guarded.upload("--verbose", "--lesson", "1")
    assert done.code == 0
    assert seen(guarded, printed(killed, done)) == set()
    assert leaks(guarded) == {}


def test_a_run_that_dies_of_a_bug_shows_none_either(guarded: Site) -> None:
    """A traceback tells lines of code, and no values."""
    guarded.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": b"x" * 10}}}})
    done = guarded.upload("--verbose", changes="breaking")
    assert done.code == 1
    assert "Traceback" in done.err
    assert not {secret for secret in (TOKEN, PASSWORD, "tusv2") if secret in printed(done)}


def test_ffmpeg_is_told_no_secret(guarded: Site, ffmpeg: str) -> None:
    """Its arguments are everybody's to read, and its environment is copied by whatever it starts."""
    note = guarded.folder / "note"
    spy = guarded.folder / "spy"
    spy.write_text(
        f'#!/bin/sh\ncase "$*" in *movflags*) env > {note}; echo "$*" >> {note};; esac\nexec {ffmpeg} "$@"\n'
    )
    spy.chmod(0o700)
    assert guarded.upload("--lesson", "2", CURRI_FFMPEG=str(spy)).code == 0
    told = Path(note).read_text()
    assert "movflags" in told
    assert seen(guarded, told) == set()
    assert "CLOUDFLARE" not in told
