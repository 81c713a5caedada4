"""The house: what the documents say is what the code does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import get_args

import pytest
import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from curri.cli.main import app
from curri.config import Settings, variables
from curri.errors import ExitCode
from curri.tree.rules import BlockedRule, ErrorRule, WarningRule

TOP = Path(__file__).resolve().parent.parent


def tracked() -> list[Path]:
    """Return all files of the project that are text."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=True).stdout
    paths = [TOP / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()]


def commands() -> list[tuple[str, TyperCommand]]:
    """Return every command of the command line with its full name."""
    found: list[tuple[str, TyperCommand]] = []

    def collect(group: TyperGroup, prefix: str) -> None:
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                collect(command, f"{prefix}{name} ")
            else:
                assert isinstance(command, TyperCommand)
                found.append((prefix + name, command))

    group = typer.main.get_group(app)
    collect(group, "")
    return found


@pytest.mark.parametrize(
    ("heading", "rules"),
    [("Warnings, by name", WarningRule), ("Blocked files", BlockedRule), ("Errors", ErrorRule)],
)
def test_every_rule_of_the_tree_is_in_the_documents_and_every_documented_one_exists(
    heading: str, rules: object
) -> None:
    section = (TOP / "docs/tree.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.MULTILINE) == list(get_args(rules))


def test_every_rule_of_the_tree_is_used() -> None:
    code = "".join(path.read_text() for path in (TOP / "src/curri/tree").glob("*.py") if path.name != "rules.py")
    for rule in (*get_args(WarningRule), *get_args(BlockedRule)):
        assert f'"{rule}"' in code, rule


def test_every_exit_code_is_in_the_documents() -> None:
    rows = re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", (TOP / "docs/exit-codes.md").read_text(), re.MULTILINE)
    assert rows == [(str(int(code)), code.name) for code in ExitCode]


def test_every_setting_is_in_the_documents() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| `([A-Z_]+)`", (TOP / "docs/configuration.md").read_text(), re.MULTILINE)
    assert rows == [(name, variables(name)[0]) for name in Settings.model_fields]


def test_every_command_has_help_and_is_in_the_readme() -> None:
    readme = (TOP / "README.md").read_text()
    named = {name for name, _ in commands()}
    assert {"import", "status", "runs", "config", "doctor", "db upgrade"} <= named
    for name, command in commands():
        assert command.help, name
        first, _, rest = name.partition(" ")
        assert f"curri {first}" in readme
        assert not rest or f"`{rest}`" in readme or f"curri {name}" in readme


def test_every_flag_has_a_variable() -> None:
    for name, command in commands():
        for parameter in command.params:
            if parameter.name != "help":
                known = parameter.envvar or parameter.name in Settings.model_fields  # config.py reads those
                assert name.startswith("db ") or known, f"{name} {parameter.name}"


@pytest.mark.parametrize("name", ["--json", "--quiet", "--verbose", "--config"])
def test_every_command_takes_the_common_options(name: str) -> None:
    for command, definition in commands():
        assert any(name in parameter.opts for parameter in definition.params), command


WRITERS = {"import", "upload", "sync-status", "fix-metadata", "adopt", "gc", "edit", "delete", "upgrade", "downgrade"}


def test_every_command_that_writes_has_a_dry_run() -> None:
    for name, command in commands():
        if name.split()[-1] in WRITERS:
            assert any("--dry-run" in parameter.opts for parameter in command.params), name


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    forbidden = re.compile(
        r"pypi\.org/simple|pythonhosted|registry\.npmjs|deb\.debian\.org|/home/[a-z]|/Users/[a-z]|/roo" + "t/"
    )
    for path in tracked():
        found = forbidden.search(path.read_text(errors="replace"))
        assert found is None or path.name == Path(__file__).name, f"{path}: {found}"


def test_constraints_are_names_and_versions() -> None:
    for line in (TOP / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+", line), line


def test_links_in_the_documents_lead_somewhere() -> None:
    for path in [TOP / "README.md", *(TOP / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_modules_and_functions_stay_small() -> None:
    for path in (TOP / "src/curri").rglob("*.py"):
        lines = path.read_text().count("\n")
        assert lines <= 400, f"{path} has {lines} lines"
