"""`curri videos list`, `show` and `edit`, and what `curri status` counts, as their users run them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios

import psycopg

from curri.sandbox import Fault
from upload.conftest import Films, Open
from upload.site import Site, objects

PLACES = [f"course_01/0{number}/learning/video.mp4" for number in (1, 2, 3)]
NAME = "course_01_L01_learning"


def on_terminal(site: Site, *arguments: str, width: int, answer: str = "") -> tuple[int, list[str]]:
    """Run a command on a terminal of this width; returns its exit code and the lines without colours."""
    pid, leader = pty.fork()
    if pid == 0:
        environment = site.environment(TERM="xterm")
        os.chdir(site.folder)
        os.execvpe(sys.executable, [sys.executable, "-m", "curri", *arguments], environment)  # noqa: S606
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    if answer:
        os.write(leader, f"{answer}\n".encode())
    shown = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # Linux says so when the last writer is gone
            break
        if not chunk:
            break
        shown += chunk
    _, status = os.waitpid(pid, 0)
    os.close(leader)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    return os.waitstatus_to_exitcode(status), text.replace("\r\n", "\n").splitlines()


def test_the_list_is_in_teaching_order_and_sums_up(uploaded: Site) -> None:
    uploaded.rows("UPDATE video SET duration_seconds = 30 RETURNING 1")
    done = uploaded.run("videos", "list")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].split() == ["video", "status", "length"]
    assert [line.split() for line in lines[1:4]] == [[place, "ready", "0:30"] for place in PLACES]
    assert lines[-1] == "3 videos; 3 ready; 1.5 minutes"
    assert uploaded.run("videos", "list", "--lesson", "2").out.splitlines()[1].split()[0] == PLACES[1]
    verbose = uploaded.run("videos", "list", "-v").out
    assert f"ready     {PLACES[0]} (0:30)\n          {uploaded.links()[PLACES[0]][0][1]}\n          {NAME}\n" in verbose
    assert uploaded.run("videos", "list", "--quiet").out == ""


def test_a_link_that_is_not_current_gets_a_column(uploaded: Site, films: Films) -> None:
    uploaded.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(9)}}}})
    assert uploaded.upload().code == 0
    lines = [line.split() for line in uploaded.run("videos", "list").out.splitlines()]
    assert lines[0] == ["video", "status", "length", "link"]
    assert [line[3:] for line in lines[1:5]] == [[], ["retired"], [], []]


def test_the_list_in_json_has_everything(uploaded: Site) -> None:
    done = uploaded.run("videos", "list", "--json", "--status", "ready")
    listed = objects(done, "video")
    assert [video["appearances"][0]["group_key"] for video in listed] == ["learning/video.mp4"] * 3
    first = listed[0]
    assert first["metadata"]["name"] == first["appearances"][0]["name"] == NAME
    assert first["playback"]["watch"].endswith(f"/{first['uid']}/watch")
    assert "<iframe" in first["embed"]
    counts = done.summary["counts"]
    assert {**counts, "minutes": 0} == {"videos": 3, "queued": 0, "inprogress": 0, "ready": 3, "error": 0, "minutes": 0}


def test_words_of_a_selection_may_be_written_in_capitals(uploaded: Site) -> None:
    plain = uploaded.run("videos", "list", "--kind", "learning", "--status", "ready", "--course", "course_01")
    capitals = uploaded.run("videos", "list", "--kind", "LEARNING", "--status", "Ready", "--course", "1")
    assert (capitals.code, capitals.out) == (0, plain.out)
    assert uploaded.run("videos", "list", "--status", "Nothing").code == 2


def test_an_empty_catalog_or_selection_has_no_videos(site: Site, films: Films) -> None:
    assert "the catalog is empty" in site.run("videos", "list").out
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    assert site.run("videos", "list", "--course", "course_01").out == "no videos\n"
    wrong = site.run("videos", "list", "--course", "course_7")
    assert wrong.code == 2
    assert "there is course_01" in wrong.err


def test_show_tells_no_address_of_a_video_that_cannot_be_played_yet(uploaded: Site) -> None:
    with psycopg.connect(uploaded.url) as connection:
        connection.execute("UPDATE video SET status = 'queued', ready_at = NULL")
    done = uploaded.run("videos", "show", NAME)
    assert "watch     not ready yet: queued\n" in done.out
    assert not [word for word in ("HLS", "DASH", "embed", "iframe", "manifest") if word in done.out]


def test_show_tells_where_a_video_plays_and_how_to_embed_it(uploaded: Site) -> None:
    uid = uploaded.links()[PLACES[0]][0][1]
    own = f"{uploaded.box.origin}/{uid}"
    done = uploaded.run("videos", "show", NAME)
    assert (done.code, done.err) == (0, "")
    for line in (
        f"video     {uid}: ready, 100 %",
        f"watch     {own}/watch",
        f"HLS       {own}/manifest/video.m3u8",
        f"DASH      {own}/manifest/video.mpd",
        f"thumbnail {own}/thumbnails/thumbnail.jpg",
        f'<iframe src="{own}/iframe" title="Lesson 01" loading="lazy"',
        "</div>",
    ):
        assert line in done.out.splitlines()
    assert f"link      {PLACES[0]}, current since " in done.out
    assert uploaded.requests() == []
    (video,) = objects(uploaded.run("videos", "show", uid, "--json"), "video")
    assert video["embed"] == done.out[done.out.index("<div") :].rstrip("\n")
    assert uploaded.run("videos", "show", "nothing").code == 2


def test_edit_changes_the_catalog_and_the_web_page_and_not_stream(uploaded: Site) -> None:
    uid = uploaded.links()[PLACES[0]][0][1]
    page = "SELECT title, description FROM course_videos WHERE cloudflare_video_id = %s"
    assert uploaded.rows(page, uid) == [("Lesson 01", None)]
    dry = uploaded.run("videos", "edit", NAME, "--title", "Mine", "--dry-run")
    assert dry.out == f"changed   {PLACES[0]}: title (none) -> 'Mine'\n"
    assert uploaded.rows(page, uid) == [("Lesson 01", None)]
    done = uploaded.run("videos", "edit", NAME, "--title", "Mine", "--description", "Ours", "--json")
    (item,) = objects(done, "item")
    assert item["changes"][0] == {"field": "title", "old": None, "new": "Mine"}
    assert done.summary["run_id"] == uploaded.one("SELECT max(id) FROM run")
    assert uploaded.rows(page, uid) == [("Mine", "Ours")]
    assert uploaded.run("videos", "edit", uid, "--title", "").code == 0
    assert uploaded.rows(page, uid) == [("Lesson 01", "Ours")]
    assert "it is so already" in uploaded.run("videos", "edit", uid, "--title", "").out
    assert uploaded.run("videos", "edit", uid).code == 2
    assert uploaded.requests() == []
    assert uploaded.run("fix-metadata", "--dry-run").out.startswith("nothing to do")


def test_all_fits_a_terminal_of_80_columns_but_for_addresses_and_paths(uploaded: Site) -> None:
    for command in (
        ["videos", "list"],
        ["videos", "list", "-v"],
        ["videos", "show", NAME],
        ["explain", NAME],
        ["status"],
    ):
        code, lines = on_terminal(uploaded, *command, width=80)
        assert code == 0, lines
        wide = [line for line in lines if len(line) > 80 and "http" not in line and not line.startswith("file ")]
        assert wide == []
        assert len(lines) < 40  # one screen


def test_a_person_who_says_no_keeps_the_video_and_one_who_says_yes_does_not(uploaded: Site) -> None:
    before = uploaded.everything()
    code, lines = on_terminal(uploaded, "videos", "delete", NAME, width=80, answer="n")
    assert (code, lines[-1].rpartition(": ")[2]) == (0, "nothing was deleted")
    assert any(line == f"link      {PLACES[0]} (current)" for line in lines)
    assert uploaded.everything() == before
    code, lines = on_terminal(uploaded, "videos", "delete", NAME, width=80, answer="y")
    assert code == 0
    assert len(uploaded.box.videos()) == 2


def test_status_counts_what_is_on_stream_in_one_line(open_site: Open, films: Films) -> None:
    site = open_site()
    site.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in (1, 2)}})
    site.put({"Course_02": {"Lesson_01": {"slides": {"a.pdf": b"%PDF"}}}})
    assert "on Stream:" not in site.run("status").out
    site.box.faults(Fault("fail", code="ERR_UNKNOWN"))
    site.upload()
    site.run("sync-status")
    site.rows("UPDATE video SET duration_seconds = CASE status WHEN 'ready' THEN 90 ELSE 0 END RETURNING 1")
    (line,) = [line for line in site.run("status").out.splitlines() if line.startswith("on Stream:")]
    assert line == "on Stream: 1 ready (1.5 min), 1 error (0.0 min)"
    (counted,) = objects(site.run("status", "--json"), "statistics")
    assert counted["ready"] == {"videos": 1, "seconds": 90.0}
    assert counted["total"] == {"videos": 2, "seconds": 90.0}
    other = site.run("status", "--course", "course_02", "--json")
    (nothing,) = objects(other, "statistics")
    assert (other.code, nothing["total"]) == (0, {"videos": 0, "seconds": 0})
