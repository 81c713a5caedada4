"""docs/tutorial.md: every command in it is typed into one bash, from the first to the last, and prints what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from curri.catalog import embedded
from curri.sandbox import Sandbox, SandboxSettings, Timings
from support.command import clean_environment

from .consoles import Played, consoles, play
from .crontabs import as_cron, crontab
from .pages import TOP
from .preloaded import program

PAGE = TOP / "docs/tutorial.md"
NOT_TYPED = {
    "python3 -m venv ~/tutorial/venv": "the program of this checkout is there already",
    '~/tutorial/venv/bin/pip install --quiet "$HOME/curri[embedded,sandbox]"': "tests/test_wheel.py installs it",
}
CODES = {"curri import school": {4}, "curri check": {10}}
"""Exit codes that the page has on purpose, beside 0; it shows them with `echo $?`."""
ADDRESS = "http://127.0.0.1:8787"
TOKEN = "a-token-of-a-real-account"


class Desk(NamedTuple):
    """The machine of somebody who does the tutorial."""

    home: Path
    environment: dict[str, str]
    places: dict[str, str]
    sandbox: Played


@contextmanager
def prepared(home: Path, database: str) -> Iterator[Desk]:
    """Yield a home with a checkout and an installed curri, the sandbox of the second terminal, and a real account."""
    (home / "curri").symlink_to(TOP)
    state = home / "tutorial/state"
    environment = clean_environment(home)
    steps = [step for block in consoles(PAGE) for step in block]
    (background,) = (step for step in steps if step.command.startswith("curri sandbox"))
    with (
        program(home / "tutorial/venv/bin") as curri,
        Sandbox(SandboxSettings(timings=Timings.lasting(1), token=TOKEN, account_id="0123456789abcdef" * 2)) as real,
        embedded.server(state),  # it stays up meanwhile: to start it for each command would take most of the time
    ):
        words = background.command.replace("~", str(home)).split()[1:]
        with subprocess.Popen(
            [curri, *words, "--port", "0"], env=environment, cwd=home, stdout=subprocess.PIPE, text=True
        ) as second:
            try:
                assert second.stdout is not None
                printed: list[str] = []
                while not (printed and printed[-1].startswith("Ctrl-C")):
                    line = second.stdout.readline()
                    assert line, printed
                    printed.append(line.rstrip("\n"))
                origin = printed[0].rpartition(" ")[2]
                places = {
                    ADDRESS: origin,
                    # Never Cloudflare itself, wherever the page has the reader do without the sandbox.
                    "unset CURRI_STREAM_URL": f"export CURRI_STREAM_URL={real.url}",
                    'export CURRI_HOME="$HOME': f'export CURRI_STREAM_URL={real.url} CURRI_HOME="$HOME',
                    "https://customer-CODE.cloudflarestream.com": real.origin,
                    "<account id>": real.account_id,
                    "<token>": TOKEN,
                    "postgresql://curri:PASSWORD@db.example.org/website": database.replace("'", "'\\''"),
                }
                told = Played(background, tuple(line.replace(origin, ADDRESS) for line in printed), 0)
                yield Desk(home, environment, places, told)
            finally:
                second.terminate()
    if os.geteuid() == 0:
        shutil.rmtree(embedded.place(state))


def typed(desk: Desk) -> list[Played]:
    """Type all commands of the page but those of the second terminal, and return what came of them."""
    steps = [
        step._replace(command=":") if step.command in NOT_TYPED else step
        for block in consoles(PAGE)
        if not any(step.command.startswith("curri sandbox") for step in block)
        for step in block
    ]
    return play(steps, desk.places, desk.environment, desk.home)


@pytest.fixture
def desk(tmp_path: Path, empty_url: str, ffmpeg: str) -> Iterator[Desk]:
    with prepared(tmp_path, empty_url) as made:
        yield made


def test_the_tutorial_does_what_it_says_from_the_first_command_to_the_last(desk: Desk) -> None:
    assert desk.sandbox.problem is None
    played = typed(desk)
    wrong = [each.problem for each in played if each.problem]
    assert not wrong, "\n\n".join(wrong)
    assert [each.step.command for each in played if each.code not in (0, *CODES.get(each.step.command, ()))] == []
    variables, jobs = crontab(PAGE)
    assert variables == {}
    for _, command in jobs:
        done = as_cron(command, {}, desk.home)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command


def test_the_tutorial_leaves_out_nothing_but_the_installation() -> None:
    commands = {step.command for block in consoles(PAGE) for step in block}
    assert set(NOT_TYPED) <= commands
    said = [step for block in consoles(PAGE) for step in block if step.command.startswith("curri ")]
    silent = [step.command for step in said if not step.said]
    assert silent == [], "what a command prints stands below it"
