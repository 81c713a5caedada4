"""What is said of a setting that cannot be used: what it must be, where it stands, and what was meant."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from typer.main import get_command

from curri import config
from curri.cli import commands
from curri.cli.main import app
from curri.cli.output import Output
from curri.cli.session import Start
from curri.cli.watch import Watch
from curri.errors import ConfigError, CurriError, ExitCode, TreeError, UsageError
from support.command import Done
from support.ordinary import ordinary_user
from support.trees import SMALL

Make = Callable[..., Path]
Curri = Callable[..., Done]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("CURRI_", "DATABASE_URL", "CLOUDFLARE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def of_file(tmp_path: Path, content: str) -> CurriError:
    path = tmp_path / "curri.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        config.load({}, file=path)
    assert caught.value.where == str(path)
    return caught.value


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("transfers = 0", "transfers is not usable: it must be 1 to 32"),
        ("transfers = true", "transfers is not usable: it must not be true or false"),
        ("listing_delay = false", "listing_delay is not usable: it must not be true or false"),
        ("listing_delay = 'x'", "listing_delay is not usable: it must be 0 to 3600"),
        ("bwlimit = 12", "bwlimit is not usable: it must be 1024 or more"),
        ("chunk_size = []", "chunk_size is not usable: it must be a number or a size such as 10M"),
        ("home = 5", "home is not usable: it must be a text, in quotes"),
        ("database_url = 5", "database_url is not usable: it must be a text, in quotes"),
        ("ping_url = 'x'", "ping_url is not usable: it must be an address that begins with https:// or http://"),
    ],
)
def test_what_a_value_must_be_is_said_in_plain_words(tmp_path: Path, content: str, told: str) -> None:
    assert of_file(tmp_path, content).message == told


@pytest.mark.parametrize(
    ("content", "meant"),
    [
        ("CURRI_TRANSFERS = 4", "did you mean transfers? "),
        ("DATABASE_URL = 'x'", "did you mean database_url? "),
        ("Transfers = 4", "did you mean transfers? "),
        ("[curri]\ntransfers = 4", "settings stand in no table: leave out [curri]; "),
        ("[settings]\nhome = 'x'", "settings stand in no table: leave out [settings]; "),
        ("qqq = 1", ""),
    ],
)
def test_a_key_that_is_none_is_told_with_what_was_meant(tmp_path: Path, content: str, meant: str) -> None:
    assert of_file(tmp_path, content).hint == f"{meant}`curri config` lists all settings"


@pytest.mark.parametrize(("name", "value", "option"), [("transfers", 0, "--transfers"), ("bwlimit", "x", "--bwlimit")])
def test_a_flag_is_an_error_of_the_command_line(name: str, value: object, option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} is not usable: "):
        config.load({name: value}, file=None)


@pytest.mark.parametrize("variable", ["CURRI_DATABASE_URL", "DATABASE_URL"])
def test_a_variable_is_named_by_the_name_it_was_given_by(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "postgresql://x")
    assert config.load({}, file=None).where("database_url") == f"environment ({variable})"


def test_an_address_that_is_none_is_reported_where_it_stands(curri: Curri, tmp_path: Path) -> None:
    (tmp_path / "curri.toml").write_text('database_url = "mysql://u:s3cret@h/x"\n')
    done = curri("status")
    assert done.code == 9
    assert "in: curri.toml\n" in done.err
    assert "in: curri.toml\n" in curri("doctor").out


def test_a_folder_is_no_configuration_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the configuration file is a folder"):
        config.load({}, file=tmp_path)


def test_a_home_that_the_shell_did_not_put_in_is_put_in(
    monkeypatch: pytest.MonkeyPatch, curri: Curri, tmp_path: Path, url: str, curriculum: Make
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my.toml").write_text("transfers = 7\n")
    assert config.load({}, file=Path("~/my.toml")).settings.transfers == 7
    root = curriculum(SMALL)
    assert root.parent == tmp_path
    assert curri("import", url=url, CURRI_PATH=f"~/{root.name}").code == 0


def test_what_a_curriculum_may_set_is_told_beside_the_default(curri: Curri) -> None:
    told = "a curriculum's own curri.toml goes before the default"
    assert f"CURRI_MANAGED_BY and CURRI_PROGRAM: {told}" in curri("config").out
    assert f"\nCURRI_PROGRAM: {told}" in curri("config", CURRI_MANAGED_BY="x").out


def test_no_path_is_not_the_working_folder(curri: Curri) -> None:
    done = curri("import", "")
    assert done.code == 2
    assert "it is empty" in done.err


def test_a_number_of_runs_beyond_all_is_an_error_of_the_command_line(curri: Curri) -> None:
    assert curri("runs", "--limit", "9" * 20).code == 2


def test_a_folder_that_may_not_be_read_is_curris_own_error(reachable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not Typer's, which would be one of the command line, and monitoring be told of none."""
    noread = reachable / "noread"
    noread.mkdir()
    noread.chmod(0)
    seen: list[Path] = []

    def look(path: Path) -> Path:
        seen.append(path)
        raise TreeError("it is asked for settings")

    # As a process of that user would have it, whose real id is the effective one.
    monkeypatch.setattr(os, "access", partial(os.access, effective_ids=True))
    monkeypatch.setattr("curri.tree.outline.root_of", look)
    monkeypatch.setattr("curri.config.load", lambda *_, **__: None)
    importlib.import_module("curri.flow.importing")  # the ordinary user may not see where it lies
    command = get_command(app)
    start = Start(Output(), Watch(Output()))
    with ordinary_user():
        assert command.main(["import", str(noread)], obj=start, standalone_mode=False) == ExitCode.TREE
    assert seen == [noread]


@pytest.mark.parametrize("word", ["1", "01", "course_1", "Course_01", "COURSE-1"])
def test_a_course_may_be_named_by_its_number(curri: Curri, url: str, curriculum: Make, word: str) -> None:
    if word == "1":
        curri("import", curriculum(SMALL), url=url)
        done = curri("status", "--course", word, "--json", url=url)
        assert {each["course"] for each in done.objects if each["type"] == "lesson"} == {"course_01"}
    assert commands._course(word) == "course_01"
