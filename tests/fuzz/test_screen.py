"""Hostile texts everywhere at once, and every command: nothing reaches the screen that steers a terminal."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given

from audit.conftest import House, house, nursery
from curri.cli.output import Output
from curri.errors import CurriError
from curri.plan.text import harmless, harmless_json
from support.command import Done
from support.trees import Tree, make_tree
from upkeep.dashboard import Dashboard
from upload.conftest import Films, films

from .bounds import STEERING, TEXTS, fuzz

__all__ = ["films", "house", "nursery"]

EVIL = (
    "\x1b[31m\x9b2J\x1b]8;;https://evil.example\x07X\x1b]8;;\x07\u202e\u2067\u2028\x7f\b\nFORGED '; DROP TABLE video;--"
)
"""Colour, an erased screen, a link, turned text, a line that looks like one of ours."""
NAME = EVIL.replace("/", ":")


@fuzz(300)
@given(TEXTS)
def test_what_is_harmless_steers_nothing_and_stays_so(text: str) -> None:
    once = harmless(text)
    assert not STEERING.search(once)
    assert once.encode().decode() == once == harmless(once)
    assert once == text or STEERING.search(text) or any("\ud800" <= each <= "\udfff" for each in text)


@fuzz(300)
@given(TEXTS)
def test_json_without_what_steers_means_the_same(text: str) -> None:
    shown = harmless_json(json.dumps([text], ensure_ascii=False))
    assert not STEERING.search(shown)
    assert json.loads(shown) == json.loads(json.dumps([text]))


def test_letters_joiners_and_lines_stay() -> None:
    text = "\u0645\u06cc\u200c\u062e 👩\u200d🚀 e\u0301 日本\tx\ny"
    assert harmless(text) == text


def test_all_that_output_prints_is_harmless() -> None:
    for as_json in (False, True):
        out, err = StringIO(), StringIO()
        output = Output(as_json=as_json, out=out, err=err)
        output.line(EVIL, word="new")
        output.line(EVIL, to=err)
        output.say(EVIL)
        output.below(EVIL)
        output.table(("title",), [(EVIL,)])
        output.problem(CurriError(EVIL, where=EVIL, hint=EVIL))
        output.emit("item", path=EVIL, **{"key\x9b": EVIL})
        assert not STEERING.search(out.getvalue() + err.getvalue())


def clean(done: Done, *, codes: tuple[int, ...] = (0,)) -> None:
    """Fail unless a command ended as expected, and printed nothing that steers, nor a line of somebody else's."""
    said = done.out + done.err
    assert done.code in codes, said
    assert "Traceback" not in said
    assert not STEERING.search(said), ascii(STEERING.search(said))
    assert not [line for line in said.splitlines() if line.startswith("FORGED")]


@pytest.fixture
def hostile(house: House, films: Films) -> House:
    """Return a site with hostile texts in every place that a person or a program can write to."""
    lesson: Tree = {
        "lesson.toml": f"title = {json.dumps(EVIL)}\ndescription = {json.dumps(EVIL)}",
        "learning": {"video.mp4": films.plain(1), f"{NAME}.mp4": films.plain(2), f"{NAME}.pdf": b"x"},
        NAME: {f"{NAME}.mp4": films.plain(3), f"{NAME}.en.vtt": b"WEBVTT", "empty": b""},
    }
    tree: Tree = {
        f"Course_01-{NAME}": {
            "README.md": f"# {EVIL}\n",
            f"Lesson_01-{NAME}": lesson,
            f"Lesson_02-{NAME}": {"lesson.toml": b"\x1b = \x9b", "learning": {"video.mp4": b"no film"}},
            f"{NAME}": {"x": b"x"},
        },
        NAME: {"x": b"x"},
        f"{NAME}.txt": b"x",
    }
    house.variables |= {"CURRI_MANAGED_BY": EVIL, "CURRI_PROGRAM": EVIL}
    make_tree(house.root, tree)
    (house.root / f"Course_01-{NAME}" / f"Lesson_01-{NAME}" / "learning" / "bad\udcff.mp4").write_bytes(b"x")
    return house


def test_no_command_lets_a_name_or_a_title_steer_the_terminal(hostile: House) -> None:
    house = hostile
    for more in ([], ["--json"], ["--dry-run", "--verbose"]):
        clean(house.run("import", str(house.root), *more), codes=(3,))
    clean(house.run("upload", "--dry-run", "--verbose"), codes=(0, 3))
    clean(house.run("upload", "--verbose"), codes=(3,))
    clean(house.run("upload", "--json", "--retry-failed"), codes=(3,))
    uids = [uid for links in house.links().values() for _, uid in links]
    assert len(uids) == 3
    board = Dashboard(house.box)
    board.edit(uids[0], name=EVIL, lessonTitle=EVIL, **{EVIL: EVIL})
    house.planted(
        {"name": EVIL},
        {"name": EVIL, "componentId": house.one("SELECT min(id::text) FROM component"), "courseTitle": EVIL},
    )
    clean(house.run("sync-status", "--all", "--verbose"))
    for more in (["--verbose"], ["--json"], ["--output", str(house.folder / "found")]):
        clean(house.run("check", *more), codes=(10,))
    for found in (house.folder / "found").iterdir():
        assert not STEERING.search(found.read_text())
        assert "\nFORGED" not in found.read_text()
    clean(house.run("fix-metadata", "--dry-run"))
    clean(house.run("fix-metadata", "--json", "--dry-run"))
    clean(house.run("fix-metadata", "--verbose"))
    clean(house.run("videos", "edit", uids[0], "--title", EVIL, "--description", EVIL))
    for text in ("video", "upload"):
        house.execute(f"UPDATE {text} SET error_code = %s, error_message = %s", EVIL, EVIL)
    house.execute("UPDATE video SET status = 'error', provider_state = %s WHERE provider_id = %s", EVIL, uids[1])
    house.execute("UPDATE upload SET decision_reason = %s, recipe = %s", EVIL, EVIL)
    house.execute("UPDATE course SET title = %s; ", EVIL)
    house.execute("UPDATE run SET host = %s, command = %s", EVIL, EVIL)
    for more in (["-v"], ["--json"], []):
        clean(house.run("status", *more))
        clean(house.run("runs", *more))
        clean(house.run("videos", "list", *more))
        clean(house.run("config", *more))
        clean(house.run("doctor", *more), codes=(0, 3, 7, 9))
        for uid in uids:
            clean(house.run("videos", "show", uid, *more))
            clean(house.run("explain", uid, *more))
    clean(house.run("explain", EVIL), codes=(2,))
    clean(house.run("videos", "delete", uids[2], "--dry-run"))
    clean(house.run("videos", "delete", uids[2], "--yes"))
    clean(house.run("gc", "--dry-run", "--older-than", "0s"), codes=(0, 9))
    house.forget()
    clean(house.run("adopt", "--dry-run"))
    clean(house.run("adopt", "--yes", "--json"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".curriignore", f"a\n[{EVIL}-"),
        ("curri.toml", f"{json.dumps(EVIL)} = 1"),
        ("curri.toml", f"home = {json.dumps(EVIL)}\n\x9b"),
    ],
    ids=["pattern", "setting", "syntax"],
)
def test_no_error_about_a_file_steers_the_terminal(house: House, name: str, content: str) -> None:
    folder = house.folder / NAME
    (folder / "Course_01").mkdir(parents=True)
    (folder / name).write_text(content)
    clean(house.run("import", str(folder)), codes=(0, 4, 9))
    clean(house.run("import", str(folder), "--json"), codes=(0, 4, 9))
    clean(house.run("config", "--config", str(folder / f"{NAME}.toml")), codes=(9,))


class _Evil(BaseHTTPRequestHandler):
    """Answers to everything with an error of Cloudflare's shape, and texts of its own."""

    def _answer(self) -> None:
        error = {"code": 10005, "message": EVIL, "error_chain": [{"message": EVIL + "\ud800"}]}
        body = json.dumps({"success": False, "errors": [error], "messages": [EVIL]}).encode()
        self.send_response_only(400, "\x9b2J")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_HEAD = do_DELETE = _answer  # noqa: N815 - the names are http.server's

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def evil() -> Iterator[str]:
    """Yield the address of a Stream that is somebody else's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Evil)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_error_of_stream_steers_the_terminal(house: House, films: Films, evil: str) -> None:
    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    house.variables["CURRI_STREAM_URL"] = evil
    clean(house.run("doctor"), codes=(6, 9))
    clean(house.run("upload", "-v"), codes=(3, 6))
    clean(house.run("explain", "course_01/01/learning/video.mp4"))
    for command in ("check", "adopt", "gc"):
        clean(house.run(command, "--json"), codes=(6,))


def test_json_is_json_where_the_terminal_is_not_utf_8(house: House, curri: Callable[..., Done]) -> None:
    """`\\xe9` in place of a letter is none."""
    house.put({"Course_01": {"Lesson_01": {"README.md": "# Évolution 日本 \\x41", "a.pdf": b"x"}}})
    done = curri("status", "--json", url=house.url, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.objects[0]["title"] == "Évolution 日本 \\x41"


def test_a_path_of_a_state_folder_may_be_anything(house: House, tmp_path: Path) -> None:
    done = house.run("config", CURRI_HOME=str(tmp_path / NAME))
    clean(done)
    assert "\\x1b[31m" in done.out
