"""Every `curri ...` that the documents name is run, in a place where everything is as after a few weeks of use.

The commands come out of the pages themselves; what stands for something in them (`PATH`, `RUN`, `/curriculum`) is
replaced by what it stands for. Each must end as its page says: with 0, or with the exit code that is named here.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from curri.errors import ExitCode

from .consoles import consoles, play
from .pages import PAGES, TOP, commands
from .places import Machine, machine

SECONDS = 60
BUG, USAGE = ExitCode.BUG, ExitCode.USAGE

STANDS_FOR: dict[str, Callable[[Machine], str]] = {
    "/curriculum": lambda here: str(here.curriculum),
    "/srv/curriculum": lambda here: str(here.curriculum),
    ".demo/curriculum": lambda here: str(here.curriculum),
    "school": lambda here: str(here.curriculum),
    "~/tutorial/school": lambda here: str(here.curriculum),
    "PATH": lambda here: str(here.curriculum),
    "REF": lambda here: one(here, "SELECT provider_id FROM component_video WHERE state = 'current' LIMIT 1"),
    "PATH|NAME|UID": lambda _: "course_01/01/learning/video.mp4",
    "REVISION": lambda _: "0001",
    "RUN": lambda here: one(here, "SELECT run_id FROM metadata_change WHERE reverted_by IS NULL LIMIT 1"),
    "COMMAND": lambda _: "upload",
    "%i": lambda _: "sync-status",
    "DIR": lambda here: str(here.home / "findings"),
    "/var/lib/curri/check": lambda here: str(here.home / "findings"),
    "./rehearsal": lambda here: str(here.home / "rehearsal"),
    "~/tutorial/stream": lambda here: str(here.home / "stream"),
    "FILE": lambda here: str(here.home / "curri.prom"),
}
"""What a word of a command line stands for."""

LACKING = {
    "import": ["PATH"],
    "explain": ["REF"],
    "videos show": ["REF"],
    "videos edit": ["REF", "--title", "Anew"],
    "videos edit REF": ["--title", "Anew"],
    "videos delete": ["REF"],
    "videos delete --keep-remote": ["REF"],
    "db downgrade": ["REVISION"],
    "fix-metadata --revert": ["RUN"],
}
"""What a command needs that is named in a sentence without it."""

CODES: dict[str, int] = {}
"""Commands that end with another exit code than 0 here."""

LAST = ("fix-metadata --revert", "gc", "videos delete", "db downgrade")
"""Commands after which little is as it was: they come last, in this order."""

ENDLESS = "sandbox"


def one(here: Machine, query: str) -> str:
    """Return the only value that a query gives."""
    with psycopg.connect(here.environment["CURRI_DATABASE_URL"]) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return str(row[0])


def named() -> list[str]:
    """Return all command lines of the documents, each once, in the order in which they can be run."""
    found = {plain(command) for page in PAGES for command in commands(page)}
    ranks = {command: next((n for n, word in enumerate(LAST) if command.startswith(word)), -1) for command in found}
    return sorted(found, key=lambda command: (ranks[command], command))


def plain(command: str) -> str:
    """Return a command line without what only tells a reader that there may be more."""
    words = [word for word in command.split() if not word.startswith("[") and word not in ("...", "…")]
    line = re.sub(r"(?<=--revert )[0-9]+", "RUN", " ".join(words))
    line = re.sub(r"(?<=explain )PATH$", "REF", line)
    return " ".join([line, *LACKING.get(line, [])])


@pytest.fixture
def here(tmp_path: Path, url: str, ffmpeg: str) -> Iterator[Machine]:
    """A machine on which all is uploaded, one video was replaced, and a lesson has got another number."""
    with machine(tmp_path, url) as made:
        learning = made.curriculum / "Course_01/Lesson_01/learning"
        steps: list[Callable[[], object]] = [
            lambda: do(made, f"import {made.curriculum}"),
            lambda: do(made, "upload"),
            lambda: (learning / "video.mp4").write_bytes((learning.parent / "practice/video.mp4").read_bytes()),
            lambda: (made.curriculum / "Course_01/Lesson_03").rename(made.curriculum / "Course_01/Lesson_04"),
            lambda: do(made, f"import {made.curriculum}"),
            lambda: do(made, "upload"),
            lambda: do(made, "fix-metadata"),
            lambda: do(made, "check"),
        ]
        for step in steps:
            step()
        yield made


def do(here: Machine, line: str) -> None:
    done = subprocess.run(
        [here.curri, *shlex.split(line)],
        env=here.environment,
        cwd=here.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def run(here: Machine, line: str) -> tuple[int, str]:
    """Run a command line as a person would, who answers every question with yes; return exit code and output."""
    words = [STANDS_FOR[word](here) if word in STANDS_FOR else word for word in shlex.split(line)]
    mine, theirs = pty.openpty()
    quiet = termios.tcgetattr(theirs)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, quiet)
    with open(mine, "rb+", buffering=0) as person:
        person.write(b"y\n" * 20)
        with subprocess.Popen(
            [here.curri, *words, *(["--port", "0"] if words[0] == ENDLESS else [])],
            env=here.environment,
            cwd=here.home,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        ) as running:
            os.close(theirs)
            if words[0] == ENDLESS and "--help" not in words:
                assert running.stdout is not None
                said = running.stdout.readline()
                running.send_signal(signal.SIGINT)
                out, _ = running.communicate(timeout=SECONDS)
                out = said + out
            else:
                out, _ = running.communicate(timeout=SECONDS)
        told = b""
        with suppress(OSError):  # nobody writes there any more
            while more := os.read(mine, 65536):
                told += more
    return running.returncode, out + told.decode(errors="replace")


def test_every_command_of_the_documents_runs_and_ends_as_it_should(here: Machine) -> None:
    assert [run(here, line)[0] for line in ("explain no-such-video", "upload --frob")] == [USAGE, USAGE], (
        "it would be seen"
    )
    wrong = []
    for line in named():
        code, told = run(here, line)
        if code in (BUG, USAGE) or code != CODES.get(line, 0) or "Traceback" in told:
            wrong.append(f"curri {line}: {code}\n{told}")
        if line.startswith("db downgrade"):
            do(here, "db upgrade")
    assert not wrong, "\n\n".join(wrong)


def test_command_lines_are_taken_from_every_page_once_each_and_the_last_come_last() -> None:
    found = named()
    assert len(found) == len(set(found)) > 50
    assert found[-1].startswith("db downgrade")
    assert {"fix-metadata --revert RUN", "videos edit REF --title Anew", "import PATH", "sandbox"} <= set(found)


def test_the_page_of_check_prints_what_it_shows(tmp_path: Path, url: str, ffmpeg: str) -> None:
    """Two differences: a file that changed, and a video that is not on Stream."""
    (steps,) = consoles(TOP / "docs/check.md")
    with machine(tmp_path, url) as made:
        for line in (
            "import curriculum",
            "upload --course course_02",
            "upload --lesson 01 --lesson 02",
            "upload --kind preview",
        ):
            do(made, line)
        with (made.curriculum / "Course_01/Lesson_02/learning/video.mp4").open("ab") as film:
            film.write(b"\0\0\0\x08free")
        played = play(steps, {"/var/lib/curri": str(tmp_path)}, made.environment, tmp_path)
    wrong = [each.problem for each in played if each.problem]
    assert not wrong, "\n\n".join(wrong)
    assert [each.code for each in played] == [ExitCode.DIFFERENCES] * 2
    assert (
        (tmp_path / "check/differs.txt")
        .read_text()
        .startswith("Course_01/Lesson_02/learning/video.mp4\tfile-changed\t")
    )
