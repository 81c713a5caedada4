"""README.md: its console blocks are typed into a bash as they stand there, and print what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from curri.sandbox import Timings

from .consoles import Step, consoles, play, there
from .crontabs import as_cron, crontab
from .pages import TOP
from .places import Machine, machine

PAGE = TOP / "README.md"
NOT_TYPED = {
    "make demo": "it is the next block, which is typed",
    "make test": "it is what runs this",
    "pipx install .": "tests/test_wheel.py installs the wheel",
    "pip install .": "the same",
    "pip install '.[embedded,sandbox]'": "the same",
}
LOST = "curri check", "curri adopt", "curri gc"


@pytest.fixture
def readers(tmp_path: Path, url: str, ffmpeg: str) -> Iterator[Machine]:
    with machine(tmp_path, url) as made:
        yield made


def shown() -> list[Step]:
    """Return the block in which the demo is shown."""
    (block,) = [block for block in consoles(PAGE) if any(step.said for step in block)]
    return block


def bare(command: str) -> str:
    """Return a command line without the words behind `#`."""
    return re.sub(r"\s+# .*", "", command)


def test_the_demo_prints_what_the_page_shows(tmp_path: Path, url: str, ffmpeg: str) -> None:
    with machine(tmp_path, url, Timings.lasting(2), encodes=True) as made:
        (tmp_path / ".demo").mkdir()
        made.curriculum.rename(tmp_path / ".demo/curriculum")
        played = play(shown(), {}, made.environment, tmp_path)
    wrong = [each.problem for each in played if each.problem]
    assert not wrong, "\n\n".join(wrong)
    assert [each.step.command for each in played if each.code] == []


def test_the_page_shows_what_the_demo_does_in_its_order() -> None:
    script = (TOP / "scripts/demo.sh").read_text()
    does = re.findall(r"^run (.*?)(?: \|.*)?$", script, re.MULTILINE)
    shows = [step.command for step in shown()]
    left = iter(does)
    assert all(command in left for command in shows), "it does not do these, or not in this order"


def test_what_the_reader_is_told_to_type_works(readers: Machine) -> None:
    """From the empty database to the look at what was lost; also the first upload of a single video."""
    token = readers.home / ".config/curri/token"
    token.parent.mkdir(parents=True)
    token.write_text(f"{readers.box.token}\n")
    environment = {name: value for name, value in readers.environment.items() if name != "CLOUDFLARE_API_TOKEN"}
    places = {
        "postgresql://curri:PASSWORD@db.example.org/website": environment.pop("CURRI_DATABASE_URL").replace(
            "'", "'\\''"
        ),
        "<account id>": environment.pop("CLOUDFLARE_ACCOUNT_ID"),
        "/curriculum": str(readers.curriculum),
    }
    steps = [step for block in consoles(PAGE) if block != shown() for step in block]
    assert set(NOT_TYPED) <= {bare(step.command) for step in steps}
    played = play([step for step in steps if bare(step.command) not in NOT_TYPED], places, environment, readers.home)
    wrong = [f"{each.step.command}: {each.code}\n" + "\n".join(each.printed) for each in played if each.code]
    assert not wrong, "\n\n".join(wrong)
    assert [bare(each.step.command) for each in played][-3:] == list(LOST)


def test_every_line_of_the_crontab_does_its_work_and_is_quiet(readers: Machine) -> None:
    variables, jobs = crontab(PAGE)
    token = readers.home / "token"
    token.write_text(f"{readers.box.token}\n")
    places = {
        "/usr/local/bin": str(readers.curri.parent),
        "postgresql://curri:PASSWORD@db.example.org/website": readers.environment["CURRI_DATABASE_URL"],
        "<account id>": readers.box.account_id,
        "/etc/curri/token": str(token),
    }
    variables = {name: there(value, places) for name, value in variables.items()}
    variables |= {"CURRI_STREAM_URL": readers.box.url, "CURRI_HOME": str(readers.home / "state")}
    for _, command in jobs:
        done = as_cron(command.replace("/curriculum", str(readers.curriculum)), variables, readers.home)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command
    assert len(readers.box.videos()) == 10
