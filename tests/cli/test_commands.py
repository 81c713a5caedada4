"""The other commands, as their users run them."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from curri.catalog import embedded, runs
from curri.catalog.database import connect
from curri.cli import commands
from curri.cli.main import app
from curri.errors import ExitCode
from curri.sandbox import Sandbox, SandboxSettings
from support.command import Done, clean_environment
from support.postgres import rows
from support.trees import SMALL

Make = Callable[..., Path]
Curri = Callable[..., Done]


def test_status_shows_every_lesson_and_what_is_due(curri: Curri, url: str, curriculum: Make) -> None:
    assert "the catalog is empty" in curri("status", url=url).out
    curri("import", curriculum(SMALL), url=url)
    done = curri("status", url=url)
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert ["course_01/01", "Evolution", "of", "Intelligence", "5", "0", "1", "1"] in lines
    assert ["course_01/02", "Lesson", "02", "3", "1", "1", "1"] in lines
    assert "3 videos, 3 due; 0.0 minutes on Stream, 0.00 USD a month" in done.out


def test_a_course_has_its_title_and_what_its_lessons_and_itself_come_to(
    curri: Curri, url: str, curriculum: Make
) -> None:
    lesson = {"learning": {"video.mp4": "x"}, "slides": {"a.pdf": "y", "b.pdf": "z"}}
    first = {
        "course.toml": 'title = "One"',
        "preview.mp4": "p",
        "Lesson_01": lesson,
        "Lesson_02": {"a": {"c.pdf": "c"}},
    }
    second = {"course.toml": 'title = "Two"', "Lesson_01": {"a": {"d.pdf": "d"}}}
    curri("import", curriculum({"Course_01": first, "Course_02": second}), url=url)
    lines = [line.split() for line in curri("status", url=url).out.splitlines()]
    assert [line for line in lines if line and line[0] in ("course_01", "course_02")] == [
        ["course_01", "One", "5", "2", "2"],
        ["course_02", "Two", "1", "0", "0"],
    ]
    done = curri("status", "--json", url=url)
    objects = [(each["course"], each["number"], each["files"]) for each in done.objects if each["type"] == "lesson"]
    assert objects == [("course_01", None, 1), ("course_01", "01", 3), ("course_01", "02", 1), ("course_02", "01", 1)]


def test_an_empty_catalog_says_how_it_is_filled(curri: Curri, url: str) -> None:
    for command in (["runs"], ["videos", "list"], ["upload", "--dry-run"], ["status"]):
        assert curri(*command, url=url).out == "the catalog is empty: `curri import PATH` fills it\n"


def test_status_of_one_course_and_of_one_that_is_not_there(curri: Curri, url: str, curriculum: Make) -> None:
    curri("import", curriculum(SMALL), url=url)
    done = curri("status", "--course", "course_02", "--json", url=url)
    assert [each["course"] for each in done.objects if each["type"] == "lesson"] == ["course_02"]
    assert [each["type"] for each in done.objects] == ["lesson", "statistics", "summary"]
    assert done.summary["counts"]["videos"] == 1
    wrong = curri("status", "--course", "course_7", url=url)
    assert wrong.code == 2
    assert "the catalog has course_01, course_02" in wrong.err


def test_runs_shows_how_each_ended(curri: Curri, url: str, curriculum: Make, tmp_path: Path) -> None:
    curri("import", curriculum(SMALL), url=url)
    curri("import", tmp_path / "nowhere", url=url)
    lines = curri("runs", url=url).out.splitlines()
    assert re.search(r"^ *2 .* import .* 4 tree", lines[1])
    assert re.search(r"^ *1 .* import .* 0 ok .*9 files", lines[2])
    assert len(curri("runs", "--limit", "1", "--json", url=url).objects) == 2


def test_runs_tells_those_at_work_from_those_that_were_cut_off(curri: Curri, url: str) -> None:
    def told() -> tuple[list[str], list[bool]]:
        lines = curri("runs", url=url).out.splitlines()
        found = [each["running"] for each in curri("runs", "--json", url=url).objects if each["type"] == "run"]
        return lines, found

    with connect(url) as database:
        ended = runs.begin(database, "import", {}, "1.0")
        runs.end(database, ended, ExitCode.OK, {})
        runs.begin(database, "sync-status", {}, "1.0")
        lines, running = told()
    assert lines[1].endswith("running")
    assert len(lines) == 3
    assert running == [True, False]
    lines, running = told()
    assert lines[1].endswith("ended without a word")
    assert re.search(r"ended without a word: .*killed, or .* connection .* was lost", lines[-1])
    assert running == [False, False]


def test_config_shows_each_value_with_its_origin_and_masks_the_secret(curri: Curri, tmp_path: Path) -> None:
    (tmp_path / "curri.toml").write_text('managed_by = "Grammar Ops"\nprogram = "from the file"\n')
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://u:s3cret@h/x\n")
    done = curri("config", "--json", CURRI_PROGRAM="from the environment")
    shown = {each["name"]: (each["value"], each["origin"]) for each in done.objects[:-1]}
    assert shown["managed_by"] == ("Grammar Ops", "curri.toml")
    assert shown["program"] == ("from the environment", "environment")
    assert shown["database_url"] == ("********", ".env")
    assert shown["home"] == (str(tmp_path / "state"), "environment")
    assert "s3cret" not in done.out + curri("config").out


def test_a_setting_that_does_not_exist_is_an_error_that_names_the_nearest(curri: Curri, tmp_path: Path) -> None:
    (tmp_path / "curri.toml").write_text('manged_by = "x"\n')
    done = curri("config")
    assert done.code == 9
    assert "unknown setting 'manged_by'" in done.err
    assert "did you mean managed_by?" in done.err


@pytest.mark.parametrize("content", ["managed_by = ", "managed_by = 7", "\xff\xfe"])
def test_a_configuration_file_that_cannot_be_used_is_named(curri: Curri, tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.toml"
    path.write_bytes(content.encode("latin-1"))
    done = curri("config", "--config", path)
    assert done.code == 9
    assert "other.toml" in done.err
    assert "Traceback" not in done.err


def test_the_variables_of_cloudflare_have_the_names_that_its_own_tools_use(curri: Curri) -> None:
    done = curri("config", "--json", CLOUDFLARE_ACCOUNT_ID="abc", CLOUDFLARE_API_TOKEN="t0ken", CURRI_BWLIMIT="1.5M")
    shown = {line["variable"]: line for line in done.objects if line["type"] == "setting"}
    assert shown["CLOUDFLARE_ACCOUNT_ID"]["value"] == "abc"
    assert shown["CLOUDFLARE_API_TOKEN"]["value"] == "********"
    assert "t0ken" not in done.out + done.err
    assert shown["CURRI_BWLIMIT"]["value"] == str(3 << 19)


@pytest.mark.parametrize("size", ["10 apples", "-1", "12", "M"])
def test_a_size_that_is_none_is_named(curri: Curri, size: str) -> None:
    done = curri("config", CURRI_BWLIMIT=size)
    assert done.code == 9
    assert "CURRI_BWLIMIT" in done.err


def test_a_configuration_file_that_is_not_there_is_an_error(curri: Curri) -> None:
    assert curri("config", "--config", "nowhere.toml").code == 9


def test_the_curriculum_has_its_own_configuration(curri: Curri, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    (root / "curri.toml").write_text(f"database_url = {json.dumps(url)}\n")
    assert curri("import", root).code == 0
    assert rows(url, "SELECT count(*) FROM course") == [(2,)]


def test_a_single_course_is_imported_by_the_configuration_of_its_curriculum(
    curri: Curri, url: str, curriculum: Make
) -> None:
    root = curriculum(SMALL)
    (root / "curri.toml").write_text(f"database_url = {json.dumps(url)}\n")
    assert curri("import", root / "Course_02").code == 0
    assert rows(url, "SELECT slug FROM course") == [("course_02",)]


def at(box: Sandbox, **extra: str) -> dict[str, str]:
    """Return the variables that lead to a sandbox."""
    names = {"CURRI_STREAM_URL": box.url, "CLOUDFLARE_ACCOUNT_ID": box.account_id, "CLOUDFLARE_API_TOKEN": box.token}
    return {**names, **extra}


def test_doctor_is_content_when_all_is_well(curri: Curri, url: str) -> None:
    with Sandbox(SandboxSettings()) as box:
        done = curri("doctor", url=url, **at(box))
    assert done.code == 0, done.out
    names = [line.split()[1] for line in done.out.splitlines()]
    assert names == ["python:", "database:", "tables:", "ffmpeg:", "state", "stream:", "room"]
    assert {line.split()[0] for line in done.out.splitlines()} == {"ok"}
    assert "0.0 of 10000 minutes are stored, 0 of 120 videos in processing" in done.out


def test_doctor_tells_what_stream_lacks(curri: Curri, url: str, tmp_path: Path) -> None:
    with Sandbox(SandboxSettings(quota_minutes=5)) as box:
        full = curri("doctor", url=url, **at(box))
        wrong = curri("doctor", url=url, **at(box, CLOUDFLARE_API_TOKEN="wr0ng"))
        unread = curri("doctor", url=url, CLOUDFLARE_API_TOKEN_FILE=str(tmp_path / "nowhere"))
    assert full.code == 0
    assert "warning   room on stream: 0.0 of 5 minutes are stored" in full.out
    assert wrong.code == 9
    assert "problem   stream:" in wrong.out
    assert "Account > Stream > Edit" in wrong.out
    assert "wr0ng" not in wrong.out + wrong.err
    assert unread.code == 9
    assert "problem   stream: the file with the API token cannot be read" in unread.out


def test_doctor_warns_where_no_stream_is_configured(curri: Curri, url: str) -> None:
    done = curri("doctor", url=url)
    assert done.code == 0
    assert "warning   stream: CLOUDFLARE_ACCOUNT_ID is not set" in done.out


def test_doctor_names_what_is_wrong_and_the_way_out(curri: Curri, empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    done = curri("doctor", url=empty_url)
    assert done.code == 5
    assert "problem   tables: the database has no tables of curri yet" in done.out
    assert "hint: run `curri db upgrade` once" in done.out
    assert "can be read by others" in done.out
    unreachable = curri("doctor", url="postgresql://u:s3cret@127.0.0.1:1/x")
    assert unreachable.code == 5
    assert "s3cret" not in unreachable.out + unreachable.err


def test_doctor_tells_of_a_state_folder_that_cannot_be_looked_at(curri: Curri, url: str, tmp_path: Path) -> None:
    done = curri("doctor", url=url, CURRI_HOME=str(tmp_path / ("x" * 300)))
    assert done.code == 9
    assert "problem   state folder:" in done.out
    assert "File name too long" in done.out
    assert "warning   stream:" in done.out


def test_doctor_tells_which_ffmpeg_is_used_and_warns_of_one_that_does_not_run(
    curri: Curri, url: str, tmp_path: Path
) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    done = curri("doctor", url=url, CURRI_FFMPEG=str(broken))
    assert done.code == 0
    assert "warning   ffmpeg:" in done.out
    assert "hint:" in done.out


def test_db_goes_up_and_down_and_tells_where_it_is(curri: Curri, empty_url: str) -> None:
    assert curri("db", "current", url=empty_url).out == "base (newest is 0001)\n"
    assert curri("db", "upgrade", "--dry-run", url=empty_url).out == "the tables would go from base to 0001\n"
    assert curri("db", "upgrade", url=empty_url).out == "the tables went from base to 0001\n"
    assert curri("db", "upgrade", url=empty_url).out == "the tables are at 0001 already\n"
    assert curri("db", "current", url=empty_url).out == "0001\n"
    assert curri("db", "upgrade", "base", url=empty_url).code == 2
    assert curri("db", "current", url=empty_url).out == "0001\n"
    refused = curri("db", "downgrade", "base", url=empty_url)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert curri("db", "downgrade", "base", "--yes", url=empty_url).code == 0
    assert curri("db", "downgrade", "head", "--yes", url=empty_url).code == 2
    assert curri("db", "current", url=empty_url).out == "base (newest is 0001)\n"
    assert curri("db", "upgrade", "9999", url=empty_url).code == 2


def test_the_address_is_shown_without_its_password(curri: Curri) -> None:
    done = curri("db", "url", url="postgres://user:s3cret@db.example.org:5433/site?sslmode=require")
    assert done.out == "postgresql://user@db.example.org:5433/site?sslmode=require\n"


def test_with_no_database_configured_the_embedded_server_does_the_job(
    curri: Curri, curriculum: Make, state_folder: Path
) -> None:
    root = curriculum(SMALL)
    done = curri("import", root)
    assert (done.code, done.err) == (0, "")
    assert curri("import", root, "--check").code == 0
    assert "embedded" in curri("doctor").out
    assert state_folder.stat().st_mode & 0o777 == 0o700
    assert not list(embedded.place(state_folder).glob("data-*/postmaster.pid")), "the server was left running"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frob"], "No such command 'frob'"),
        (["import"], "PATH"),
        (["import", "x", "--jsn"], "--json"),
        (["status", "--course"], "--course"),
        (["db", "upgrad"], "upgrade"),
    ],
)
def test_a_mistyped_command_line_is_exit_2_and_says_what_was_meant(
    curri: Curri, arguments: list[str], words: str
) -> None:
    done = curri(*arguments)
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_mistyped_command_line_still_ends_with_a_summary(curri: Curri) -> None:
    done = curri("import", "--json")
    assert done.code == done.summary["exit_code"] == 2
    assert done.summary["command"] == "import"
    assert done.summary["error"] == {
        "message": "Missing argument 'PATH'",
        "where": None,
        "hint": "look at `curri import --help`",
    }
    done = curri("frob", "--json")
    assert (done.summary["command"], done.summary["error"]["message"]) == (None, "No such command 'frob'")


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (["--json", "status"], "curri status --json"),
        (["-v", "--config", "a b", "videos", "list", "--kind", "x"], "curri videos list --kind x -v --config 'a b'"),
        (["db", "--json", "upgrade"], "curri db upgrade --json"),
        (["-q"], "curri COMMAND -q"),
    ],
)
def test_options_before_the_command_are_said_to_stand_after_it(curri: Curri, arguments: list[str], right: str) -> None:
    done = curri(*arguments)
    assert done.code == 2
    assert f"options stand after the command: {right}\n" in done.err
    if "--json" in arguments:
        assert done.summary["error"]["message"].endswith(f"options stand after the command: {right}")


def test_help_lists_the_commands_as_they_are_needed_and_cuts_nothing(curri: Curri) -> None:
    lines = curri("--help", COLUMNS="80").out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == [
        *("import", "upload", "sync-status", "fix-metadata", "check", "adopt", "gc"),
        *("status", "explain", "videos", "runs", "config", "doctor", "db", "sandbox"),
    ]
    assert not [line for line in lines if "..." in line or not line.endswith(".")]


def test_help_speaks_of_what_is_meant_and_not_of_types() -> None:
    group = typer.main.get_command(app)
    for name, each in _every(group):
        shown = each.get_help(each.context_class(each, info_name=name))
        assert not re.findall(r"<[a-z]+( range)?>|\(CURRI_", shown), shown


def _every(group: Any) -> Iterator[tuple[str, Any]]:
    for name, each in group.commands.items():
        yield from _every(each) if hasattr(each, "commands") else [(name, each)]


@pytest.mark.parametrize(
    ("command", "counts", "told"),
    [
        ("import", {"files": 9, "new": 9, "courses": 1}, "9 files, 9 new"),
        ("upload", {"videos": 9, "uploaded": 8, "bytes": 31e9, "left": 1, "minutes": 7.5}, "8 sent, 31.0 GB, 1 left"),
        ("upload", {"relinked": 1, "failed": 2, "blocked": 3}, "1 linked again, 2 failed, 3 blocked"),
        (
            "sync-status",
            {"changed": 1, "unchanged": 7, "ready": 2, "queued": 3, "inprogress": 1, "error": 1, "problems": 1},
            "1 changed, 2 ready, 4 in work, 1 in trouble",
        ),
        ("fix-metadata", {"videos": 4, "edited": 2, "failed": 1, "missing": 1}, "2 edited, 1 failed, 1 not on Stream"),
        ("adopt", {"videos": 9, "without": 4, "found": 3, "adopted": 3, "left": 1}, "3 linked, 1 left"),
        (
            "gc",
            {"retireds": 1, "orphans": 2, "opens": 0, "rows": 1, "encodes": 1, "encode_bytes": 5000, "left": 2},
            "3 deleted, 1 forgotten, 5.0 kB of encodes, 2 left",
        ),
        ("videos delete", {"deleted": 1, "links": 2}, "1 deleted"),
        ("unheard of", {"files": 1}, ""),
    ],
)
def test_runs_tells_what_each_command_counts(command: str, counts: dict[str, float], told: str) -> None:
    assert commands._counted(command, counts) == told


def test_help_and_version_need_no_database(curri: Curri) -> None:
    assert curri("--version").out.startswith("curri ")
    assert "import" in curri("--help").out
    assert "--allow-removals" in curri("import", "--help").out


def test_help_does_not_load_what_it_does_not_need(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom curri.cli.main import main\nsys.argv = ['curri', '--help']\n"
        "try: main()\nexcept SystemExit: pass\nimport json; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    environment = clean_environment(tmp_path)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stderr))
    heavy = {"psycopg", "sqlalchemy", "sqlmodel", "alembic", "pydantic", "httpx", "tenacity", "pymediainfo", "ffmpeg"}
    assert not loaded & heavy


def _on_terminal(arguments: list[str], environment: dict[str, str], cwd: Path) -> str:
    """Run a command with a terminal as its output and return what arrived there."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "curri", *arguments],
        env=environment,
        cwd=cwd,
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    chunks: list[bytes] = []
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # Linux says so when the last writer is gone
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(leader)
    assert process.wait(60) == 0
    return b"".join(chunks).decode()


def test_on_a_terminal_there_are_colours_and_a_bar_and_elsewhere_there_are_not(
    url: str, curriculum: Make, tmp_path: Path, curri: Curri
) -> None:
    root = curriculum(SMALL)
    environment = clean_environment(tmp_path, CURRI_DATABASE_URL=url, TERM="xterm-256color")
    shown = _on_terminal(["import", str(root)], environment, tmp_path)
    assert "\x1b[32mnew" in shown
    assert "reading" in shown
    plain = curri("import", root, "--rehash", url=url)
    assert "\x1b" not in plain.out + plain.err


def test_names_with_escape_codes_do_not_reach_the_terminal(url: str, curriculum: Make, tmp_path: Path) -> None:
    root = curriculum({"Course_01": {"Lesson_01": {"a": {"\x1b]0;owned\x07.pdf": "x"}}}})
    environment = clean_environment(tmp_path, CURRI_DATABASE_URL=url, TERM="xterm-256color")
    shown = _on_terminal(["import", str(root)], environment, tmp_path)
    assert "\x1b]0;owned" not in shown
    assert "\\x1b]0;owned\\x07.pdf" in shown
