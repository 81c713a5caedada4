"""`curri import` as its users run it: a process, an exit code, what it prints, and what a kill leaves."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from curri.catalog.database import connect
from curri.cli.progress import Silent
from curri.flow import importing
from support import killed
from support.command import Done, clean_environment, start
from support.postgres import everything, rows
from support.trees import SMALL, make_tree

Make = Callable[..., Path]
Curri = Callable[..., Done]


def test_the_first_import_tells_what_it_did_and_the_second_that_there_was_nothing_to_do(
    curri: Curri, url: str, curriculum: Make
) -> None:
    root = curriculum(SMALL)
    first = curri("import", root, url=url)
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines()[-1] == "2 courses, 3 lessons, 9 files: 9 new; the catalog is up to date"
    second = curri("import", root, url=url)
    assert (second.code, second.err) == (0, "")
    assert second.out == "nothing to do: 2 courses, 3 lessons, 9 files; the catalog is up to date\n"


def test_json_gives_an_item_for_every_file_and_a_summary(curri: Curri, url: str, curriculum: Make) -> None:
    done = curri("import", curriculum(SMALL), "--json", url=url)
    items = [each for each in done.objects if each["type"] == "item"]
    assert {(each["outcome"], each["reason"]) for each in items} == {("done", "new")}
    assert len(items) == 9
    assert set(done.summary) == {"type", "schema", "command", "exit_code", "run_id", "dry_run", "counts"}
    assert done.summary["schema"] == 1
    assert done.summary["command"] == "import"
    assert done.summary["run_id"] == 1
    assert done.summary["counts"] == {
        "courses": 2,
        "lessons": 3,
        "files": 9,
        "new": 9,
        "changed": 0,
        "moved": 0,
        "restored": 0,
        "removed": 0,
        "unchanged": 0,
        "blocked": 0,
        "warnings": 0,
        "rows_changed": 20,
    }


def test_quiet_says_nothing_when_nothing_is_wrong(curri: Curri, url: str, curriculum: Make) -> None:
    done = curri("import", curriculum(SMALL), "--quiet", url=url)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_every_flag_has_a_variable(curri: Curri, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    done = curri("import", url=url, CURRI_PATH=str(root), CURRI_CHECK="1", CURRI_JSON="1")
    assert done.code == 10
    assert done.summary["dry_run"] is True


def test_a_variable_may_stand_in_an_env_file(curri: Curri, url: str, curriculum: Make, tmp_path: Path) -> None:
    root = curriculum(SMALL)
    (tmp_path / ".env").write_text(f'CURRI_DATABASE_URL="{url}"\nCURRI_CHECK=1\n')
    assert curri("import", root).code == 10
    assert curri("import", root, CURRI_CHECK="0").code == 0


HARD_NAMES = [
    "with space.pdf",
    "quote'\".pdf",
    "new\nline.pdf",
    "tab\tand\\back.pdf",
    "emoji 🎬.pdf",
    "caf\u00e9.pdf",
    "cafe\u0301.pdf",
    "\u202egnp.pdf",
    "\x1b[31mred.pdf",
    "x" * 251 + ".pdf",
    "\\.",
    "-rf",
    "%s{}$HOME.pdf",
]


def test_hard_names_are_imported_as_they_are(curri: Curri, url: str, curriculum: Make) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {"slides": {name: name for name in HARD_NAMES}}}})
    done = curri("import", root, "-v", url=url)
    assert done.code == 0
    assert "\x1b" not in done.out + done.err
    assert {row[0] for row in rows(url, "SELECT relative_path FROM asset")} == {f"slides/{name}" for name in HARD_NAMES}
    assert curri("import", root, "--check", url=url).code == 0


def test_the_longest_path_is_recorded_and_a_longer_one_is_blocked(curri: Curri, url: str, curriculum: Make) -> None:
    chance = random.Random(7)  # random letters: the database would make an index entry of equal ones short enough
    parts = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=199)) for _ in range(10)]
    root = curriculum({"Course_01": {"Lesson_01": {}}})
    folder = root / "Course_01/Lesson_01" / "/".join(parts[:9])
    folder.mkdir(parents=True)
    for name in (parts[9] + "x", parts[9] + "xy"):
        (folder / name).write_text(name)
        os.utime(folder / name, ns=(10**18, 10**18))
    done = curri("import", root, url=url)
    assert done.code == 3
    assert "path-too-long" in done.err
    assert rows(url, "SELECT octet_length(relative_path) FROM asset") == [(2000,)]


def test_a_name_that_is_not_utf8_is_blocked_by_a_readable_name(curri: Curri, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    (root / "Course_01/Lesson_01" / os.fsdecode(b"caf\xe9.pdf")).write_bytes(b"latin 1")
    done = curri("import", root, url=url)
    assert done.code == 3
    assert "Course_01/Lesson_01/caf\\xe9.pdf" in done.err
    assert "Traceback" not in done.err
    assert rows(url, "SELECT count(*) FROM asset") == [(9,)]


def test_a_terminal_that_knows_no_unicode_is_no_reason_to_fail(curri: Curri, url: str, curriculum: Make) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {"slides": {"emoji 🎬.pdf": "x"}}}})
    done = curri("import", root, url=url, LC_ALL="C.UTF-8", PYTHONIOENCODING="ascii")
    assert done.code == 0
    assert "\\U0001f3ac" in done.out


def test_an_empty_folder_in_place_of_the_disk_is_exit_4(curri: Curri, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    curri("import", root, url=url)
    before = everything(url)
    shutil.rmtree(root)
    root.mkdir()
    done = curri("import", root, "--json", url=url)
    assert done.code == done.summary["exit_code"] == 4
    assert "is the disk mounted" in done.err
    assert done.summary["error"]["message"] == "there is no course folder here"
    assert everything(url) == before


def test_two_folders_with_one_number_are_named_and_nothing_is_recorded(
    curri: Curri, url: str, curriculum: Make
) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {"a.pdf": "a"}, "lesson_1-old": {"b.pdf": "b"}}})
    done = curri("import", root, url=url)
    assert done.code == 4
    assert "duplicate-lesson-number" in done.err
    assert "Course_01/Lesson_01, Course_01/lesson_1-old" in done.err
    assert rows(url, "SELECT count(*) FROM course") == [(0,)]


def test_two_imports_at_once_the_second_leaves_with_8(curri: Curri, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    with connect(url) as other:
        other.lock(importing.COMMAND)
        done = curri("import", root, "--json", url=url)
        assert done.code == done.summary["exit_code"] == 8
        assert "another `curri import` is at work" in done.err
        assert curri("import", root, "--dry-run", url=url).code == 0
        assert curri("status", url=url).code == 0
    assert curri("import", root, url=url).code == 0


def _killed_at(point: int, root: Path, url: str, home: Path) -> int:
    environment = clean_environment(home, CURRI_DATABASE_URL=url, PYTHONPATH=os.pathsep.join(sys.path))
    command = [sys.executable, killed.__file__, str(point), "import", str(root)]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, timeout=60, check=False).returncode


@pytest.mark.slow
def test_a_kill_at_any_point_leaves_the_catalog_as_before_or_as_after(
    url: str, empty_url: str, curriculum: Make, tmp_path: Path, template: str, server: str
) -> None:
    root = curriculum(SMALL)
    with connect(url) as database:
        importing.run(database, root, importing.Options(), Silent(), version="test")
    before = _content(url)
    changed = make_tree(
        tmp_path / "changed", {**SMALL, "Course_03": {"Lesson_01": {"learning": {"video.mp4": b"new"}}}}
    )
    shutil.rmtree(root)
    changed.rename(root)
    (root / "Course_01/Lesson_02").rename(root / "Course_01/Lesson_05")
    (root / "Course_01/Lesson_01/slides/notes.md").unlink()
    point, killed_runs = 0, 0
    while True:
        point += 1
        code = _killed_at(point, root, url, tmp_path)
        if code != -signal.SIGKILL:
            break
        killed_runs += 1
        now = _content(url)
        if now != before:
            break
    after = _content(url)
    assert killed_runs > 40, "the points were not passed"
    assert after != before
    # From here on the change is complete: the remaining kills leave it so, and a last run finds nothing to do.
    while code == -signal.SIGKILL:
        point += 1
        code = _killed_at(point, root, url, tmp_path)
        assert _content(url) == after
    assert code == 0
    with connect(url) as database:
        assert importing.run(database, root, importing.Options(check=True), Silent(), version="test").exit_code == 0


def _content(url: str) -> list[tuple[object, ...]]:
    """Return what is recorded, without the ids and times that differ from run to run."""
    query = """
        SELECT k.slug, k.title, l.number, l.title, c.group_key, c.position, a.relative_path, a.checksum_sha1,
               a.removed_at IS NULL, c.removed_at IS NULL, l.removed_at IS NULL, k.removed_at IS NULL
          FROM course k LEFT JOIN component c ON c.course_id = k.id LEFT JOIN lesson l ON l.id = c.lesson_id
          LEFT JOIN asset a ON a.component_id = c.id ORDER BY 1, 3, 5, 7, 8"""
    return rows(url, query)


def test_sigterm_ends_a_run_in_order_and_the_ledger_knows(url: str, curriculum: Make, tmp_path: Path) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {"learning": {}}}})
    with (root / "Course_01/Lesson_01/learning/video.mp4").open("wb") as file:
        file.truncate(200 << 30)  # sparse: takes no room, and hours to read
    os.utime(root / "Course_01/Lesson_01/learning/video.mp4", ns=(10**18, 10**18))
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        environment = clean_environment(tmp_path, CURRI_DATABASE_URL=url)
        process = start(["import", str(root), "--json"], environment, tmp_path)
        while not _has_open(process.pid, "video.mp4"):
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert json.loads(out.splitlines()[-1])["exit_code"] == code
        assert "nothing is lost; to go on: curri import" in err
        assert "Traceback" not in err
    assert rows(url, "SELECT exit_code FROM run ORDER BY id") == [(143,), (130,)]
    assert rows(url, "SELECT count(*) FROM course") == [(0,)]


def test_ctrl_c_in_the_middle_of_writing_leaves_the_catalog_as_before(
    url: str, curri: Curri, curriculum: Make, tmp_path: Path
) -> None:
    root = curriculum(SMALL)
    curri("import", root, url=url)
    before = everything(url)
    (root / "Course_01/Lesson_02").rename(root / "Course_01/Lesson_05")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_advisory_lock(7, 7); RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER wait BEFORE UPDATE ON lesson FOR EACH ROW EXECUTE FUNCTION wait()")
        connection.execute("SELECT pg_advisory_lock(7, 7)")
        process = start(["import", str(root), "--json"], clean_environment(tmp_path, CURRI_DATABASE_URL=url), tmp_path)
        while not connection.execute("SELECT FROM pg_locks WHERE classid = 7 AND NOT granted").rowcount:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        waiting = connection.execute("SELECT FROM pg_locks WHERE classid = 7 AND NOT granted").rowcount
        assert waiting == 0, "the statement goes on at the server"
    assert process.returncode == 130, err
    assert json.loads(out.splitlines()[-1])["exit_code"] == 130
    assert everything(url) == before
    assert rows(url, "SELECT exit_code FROM run ORDER BY id") == [(0,), (130,)]


def _has_open(pid: int, name: str) -> bool:
    """Return whether a process has a file of that name open: it is in the middle of reading it."""
    handles = Path(f"/proc/{pid}/fd")
    links = []
    for handle in os.listdir(handles):
        with suppress(FileNotFoundError):
            links.append(os.readlink(handles / handle))
    return any(link.endswith(name) for link in links)


def test_a_large_sparse_file_is_read_in_flat_memory(curri: Curri, url: str, curriculum: Make) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {"learning": {}}}})
    video = root / "Course_01/Lesson_01/learning/video.mp4"
    with video.open("wb") as file:
        file.truncate(5 << 30)
    os.utime(video, ns=(10**18, 10**18))
    # Not ru_maxrss: that begins with what the process had before it became another program.
    script = (
        "import pathlib, re, sys\nfrom curri.cli.main import main\n"
        "try: main()\nfinally:\n"
        "    status = pathlib.Path('/proc/self/status').read_text()\n"
        "    print(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1], file=sys.stderr)\n"
    )
    environment = clean_environment(root.parent, CURRI_DATABASE_URL=url, PYTHONPATH=os.pathsep.join(sys.path))
    command = [sys.executable, "-c", script, "import", str(root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split()[-1]) < 100_000, "more than 100 MB for one file"
    assert rows(url, "SELECT size_bytes FROM asset") == [(5 << 30,)]
