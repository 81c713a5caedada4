"""What stands in the environment, in `.env` and in the working folder, and cannot be used."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from curri.cli import environment
from curri.cli.main import app
from curri.cli.session import VARIABLES
from support.command import CURRI, Done, clean_environment
from support.trees import SMALL

Curri = Callable[..., Done]
Make = Callable[..., Path]

assert app  # with it, every command is registered


def test_a_variable_that_nobody_knows_is_told_once_and_never_in_json(curri: Curri, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CURRI_TRANSFER=s3cret\n")
    done = curri("config", "--quiet", "--json", CURRI_DRYRUN="1", CURRI_TEST_ME="1", CURRI_EMPTY="", CURRI_COURSE="x")
    assert done.code == 0
    assert done.err.splitlines() == [
        "warning   CURRI_DRYRUN is not a variable of curri: did you mean CURRI_DRY_RUN?",
        "warning   CURRI_TRANSFER is not a variable of curri: did you mean CURRI_TRANSFERS?",
    ]
    assert done.objects


def test_the_nearest_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CURRI_")]:
        monkeypatch.delenv(name)
    for name in ("CURRI_CLOUDFLARE_API_TOKEN", "CURRI_SANDBOX_PROT", "CURRI_QQQ"):
        monkeypatch.setenv(name, "1")
    assert environment.unknown(VARIABLES) == [
        "CURRI_CLOUDFLARE_API_TOKEN is not a variable of curri: did you mean CLOUDFLARE_API_TOKEN?",
        "CURRI_QQQ is not a variable of curri: `curri --help` and `curri config` name all",
        "CURRI_SANDBOX_PROT is not a variable of curri: did you mean CURRI_SANDBOX_PORT?",
    ]


@pytest.mark.parametrize("variable", ["CURRI_DRY_RUN", "CURRI_COURSE", "CURRI_REF", "CURRI_YES", "CURRI_SANDBOX_DATA"])
def test_the_variables_of_options_and_arguments_are_known(variable: str) -> None:
    assert variable in VARIABLES


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("A=1\n\n\nCURRI_DATABASE_URL: postgresql://u:s3cret@h/x\n", 4),
        ("# A comment\nCURRI_DATABASE_URL='postgresql://u:s3cret@h/x\n", 2),
        ("CURRI_HOME=x\nCURRI_MANAGED BY=s3cret\nCURRI_PROGRAM=y\n", 2),
    ],
)
def test_a_line_of_the_env_file_that_is_not_understood_ends_the_run(
    curri: Curri, tmp_path: Path, content: str, line: int
) -> None:
    (tmp_path / ".env").write_text(content)
    done = curri("config")
    assert (done.code, done.out) == (9, "")
    assert f"line {line} of .env is not understood\n  in: {tmp_path / '.env'}:{line}\n" in done.err
    assert "s3cret" not in done.err


@pytest.mark.parametrize(("value", "objects"), [("yes", 1), ("1", 1), ("No", 0), ("off", 0), ("0", 0), ("", 0)])
def test_what_is_wrong_before_options_are_read_is_told_as_their_variable_says(
    curri: Curri, tmp_path: Path, value: str, objects: int
) -> None:
    (tmp_path / ".env").write_text("CURRI_DATABASE_URL: x\n")
    done = curri("config", CURRI_JSON=value)
    assert (done.code, len(done.objects if done.out else [])) == (9, objects)
    assert "line 1 of .env is not understood" in (done.out if objects else done.err)


def test_an_env_file_of_an_editor_that_puts_a_mark_before_it_is_read(curri: Curri, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfCURRI_MANAGED_BY=somebody\n")
    shown = {each["name"]: each["value"] for each in curri("config", "--json").objects[:-1]}
    assert shown["managed_by"] == "somebody"


@pytest.mark.parametrize("arguments", [["import", "tree"], ["upload"], ["check"], ["adopt"], ["explain", "x"], ["gc"]])
def test_names_of_files_are_read_as_utf_8_or_not_at_all(curri: Curri, arguments: list[str]) -> None:
    """Before anything is opened: this database is not there."""
    done = curri(*arguments, url="postgresql://u@127.0.0.1:1/x", LC_ALL="POSIX", PYTHONUTF8="0")
    assert done.code == 9
    assert "file names would be read as ASCII\n  hint: set LC_ALL=C.UTF-8 or PYTHONUTF8=1" in done.err


def test_the_plain_locale_is_no_hindrance(curri: Curri, url: str, curriculum: Make) -> None:
    assert curri("import", curriculum(SMALL), url=url, LC_ALL="", LANG="C").code == 0


@pytest.mark.parametrize(
    ("arguments", "home", "code"), [(["config"], "state", 9), (["import", "tree"], "/nowhere/at/all", 4)]
)
def test_a_working_folder_that_is_gone_is_named(
    curri: Curri, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, arguments: list[str], home: str, code: int
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    variables = clean_environment(tmp_path, CURRI_HOME=home, CURRI_DATABASE_URL=url)
    done = subprocess.run([*CURRI, *arguments], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "the working folder is gone" in done.stderr
    assert "Traceback" not in done.stderr
