"""Every command that the documents name is there, with its options; and docs/commands.md is what `make docs` writes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from curri.cli.main import app
from curri.config import variables
from curri.errors import ExitCode

from .pages import PAGES, TOP, commands

SCRIPT = TOP / "scripts/commands_md.py"


def problem(command: str) -> str | None:
    """Return what is wrong with a command line; None if `curri` would understand it. Nothing is executed."""
    words = [word for word in shlex.split(command.replace("…", "")) if not word.startswith("[")]
    at: Any = typer.main.get_command(app)
    values = 0
    while words:
        word = words.pop(0)
        name, _, value = word.partition("=")
        if word == "...":
            continue
        if name.startswith("-") and len(name) > 1:
            option = next((each for each in at.params if name in [*each.opts, *each.secondary_opts]), None)
            if option is None and name not in ("--help", "-h"):
                return f"no option {name}"
            if option is not None and not option.is_flag and not value:
                if not words:
                    return f"{name} needs a value"
                words.pop(0)
        elif hasattr(at, "commands"):
            if word not in at.commands:
                return f"no command {word}"
            at = at.commands[word]
        else:
            values += 1
    most = sum(each.nargs for each in at.params if each.param_type_name == "argument")
    return f"{values} arguments, and it takes {most}" if values > most else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_documents_is_there_with_its_options(page: Path) -> None:
    named = [command for command in commands(page) if not command.startswith(("COMMAND", "%i"))]
    wrong = {command: told for command in named if (told := problem(command)) is not None}
    assert wrong == {}


def test_the_commands_of_the_documents_are_found_and_wrong_ones_are_seen() -> None:
    found = commands(TOP / "README.md")
    assert {"upload --dry-run", "fix-metadata --revert 5", "sync-status --quiet"} <= set(found)
    assert problem("import /x --dry-run -q") is None
    assert problem("db upgrade --help") is None
    assert problem("frob") == "no command frob"
    assert problem("db frob") == "no command frob"
    assert problem("upload --frob") == "no option --frob"
    assert problem("upload --course") == "--course needs a value"
    assert problem("import a b") == "2 arguments, and it takes 1"


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    printed = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True).stdout
    assert (TOP / "docs/commands.md").read_text() == printed, "run `make docs`"


def test_the_page_of_commands_tells_everything() -> None:
    page = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True).stdout
    section = page.partition("\n## curri upload\n")[2].partition("\n## ")[0]
    assert "curri upload [OPTIONS]\n" in section
    assert "Safe to run again, and to stop at any moment" in section
    assert (
        "| `--course SLUG` | Only this course, such as course_01. Can be given more than once. | `CURRI_COURSE` |"
        in section
    )
    assert f"| `--transfers N` | Videos sent at the same time. | `{variables('transfers')[0]}` | `4` |" in section
    assert "7 TOOL" in section
    assert "--json" not in section
    imports = page.partition("\n## curri import\n")[2].partition("\n## ")[0]
    assert "| `PATH` | The curriculum folder, or one course folder. | `CURRI_PATH` |" in imports
    assert f"{int(ExitCode.TREE)} TREE" in imports
    for word in ("db upgrade", "videos list"):
        assert f"\n## curri {word}\n" in page
