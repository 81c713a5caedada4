"""Standard streams that are closed, full, or read by nobody any more."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from support.command import CURRI, clean_environment
from support.postgres import rows
from support.trees import SMALL, make_tree

QUIETLY = ("Traceback", "Exception ignored", "BrokenPipe", "NoneType", "bug")


def shell(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `curri` is the command under test; it ends as the first that failed."""
    line = f'set -o pipefail; curri() {{ {shlex.join(CURRI)} "$@"; }}; {command}'
    environment = clean_environment(folder, **variables)
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    for word in QUIETLY:
        assert word not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_one_that_nobody_reads(tmp_path: Path, closed: str) -> None:
    done = shell(f"curri config {closed}", tmp_path)
    assert done.returncode == 0
    assert ("CURRI_HOME" in done.stdout) is (">&-" not in closed.replace("2>&-", ""))


def test_nobody_is_asked_where_there_is_no_input(tmp_path: Path) -> None:
    done = shell("curri db downgrade base <&-", tmp_path, CURRI_DATABASE_URL="postgresql://u@127.0.0.1:1/x")
    assert done.returncode == 2
    assert "--yes" in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_ends_no_command(tmp_path: Path, url: str, unbuffered: str) -> None:
    make_tree(tmp_path / "tree", SMALL)
    command = "curri import tree --json --verbose | true"
    done = shell(command, tmp_path, CURRI_DATABASE_URL=url, PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(url, "SELECT exit_code FROM run") == [(0,)]


def test_both_streams_may_lose_their_reader(tmp_path: Path) -> None:
    assert shell("{ sleep 0.2; curri frob; } 2>&1 | true", tmp_path).returncode == 2


@pytest.mark.parametrize("arguments", ["config", "config --json", "--help", "--version"])
def test_a_full_disk_is_one_line_and_an_exit_code(tmp_path: Path, arguments: str) -> None:
    done = shell(f"curri {arguments} >/dev/full", tmp_path)
    assert done.returncode == 11
    assert done.stderr == "curri: not all could be printed: No space left on device\n"


def test_a_full_disk_hides_no_other_failure(tmp_path: Path) -> None:
    done = shell("curri config --config nowhere --json >/dev/full", tmp_path)
    assert done.returncode == 9
    assert "does not exist" in done.stderr
    assert shell("curri frob 2>/dev/full", tmp_path).returncode == 2


def test_a_stream_that_was_closed_is_not_taken_for_the_next_file_that_is_opened(tmp_path: Path) -> None:
    """Without a placeholder, 1 would be the number of a lock, a connection or a log."""
    script = "import os\nfrom curri.cli import streams\nstreams.prepare()\nassert os.open('/', os.O_RDONLY) > 2\n"
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(CURRI[0])} script.py <&- >&- 2>&-"],
        cwd=tmp_path,
        env=dict(os.environ),
        check=False,
    )
    assert done.returncode == 0
