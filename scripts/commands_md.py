"""Prints docs/commands.md: every command with what it takes and how it ends, from the commands themselves.

python scripts/commands_md.py > docs/commands.md      # `make docs`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer.main

from curri import config
from curri.cli.main import app
from curri.errors import ExitCode

COMMON = ("json", "quiet", "verbose", "config")
"""Options of every command, told of once."""

ALWAYS = frozenset({0, 1, 2, 9, 130, 143})
CATALOG = frozenset({5})
WORK = frozenset({3, 5, 6, 8})
CODES: Mapping[str, frozenset[int]] = {
    "adopt": WORK,
    "check": frozenset({5, 6, 10}),
    "config": frozenset(),
    "doctor": frozenset({5, 6, 7}),
    "fix-metadata": WORK,
    "gc": WORK,
    "import": frozenset({3, 4, 5, 8, 10}),
    "sandbox": frozenset(),
    "sync-status": WORK,
    "upload": WORK | {7},
    "videos delete": frozenset({3, 5, 6}),
}
"""The exit codes of a command beside those that every command may have. Of one that is not here: those of a look at
the catalog."""

HEAD = """# Commands

<!-- Written by `make docs` from the commands themselves: change those. -->

`curri COMMAND --help` says the same. An option is an argument, else its variable, else `curri.toml` where it is a
setting ([configuration.md](configuration.md)); a variable that is a switch is on with `1`.
"""


def main() -> None:
    """Print the page."""
    group = typer.main.get_command(app)
    commands = dict(sorted(_commands(group)))
    print(HEAD)
    print(
        _table(
            ("command", "does"),
            [(f"[`curri {name}`](#{_anchor(name)})", _first(each)) for name, each in commands.items()],
        )
    )
    print("\n## Options of every command\n")
    some = next(iter(commands.values()))
    print(_table(OPTION, [_option(each) for each in some.params if each.name in COMMON]))
    print("\n`curri --version` prints the version.")
    for name, each in commands.items():
        print(_section(name, each))


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command with its name, those of groups with both words."""
    for name, each in group.commands.items():
        if each.hidden:
            continue
        if hasattr(each, "commands"):
            yield from _commands(each, f"{before}{name} ")
        else:
            yield f"{before}{name}", each


def _section(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.name not in COMMON]
    words = [_placeholder(each) if each.required else f"[{_placeholder(each)}]" for each in arguments]
    usage = " ".join(["curri", name, *words, "[OPTIONS]"])
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", command.help or "")]
    parts = [f"\n## curri {name}", f"```\n{usage}\n```", *paragraphs]
    if arguments:
        rows = [(f"`{_placeholder(each)}`", each.help or "", _variable(each), _default(each)) for each in arguments]
        parts.append(_table(("argument", "meaning", "variable", "default"), rows))
    if options:
        parts.append(_table(OPTION, [_option(each) for each in options]))
    codes = [ExitCode(code) for code in sorted(ALWAYS | CODES.get(name, CATALOG))]
    told = ", ".join(f"{code.value} {code.name}" for code in codes)
    parts.append(f"[Exit codes](exit-codes.md): {told}.")
    return "\n\n".join(parts)


OPTION = ("option", "meaning", "variable", "default")


def _option(option: Any) -> tuple[str, ...]:
    takes = "" if option.is_flag else f" {_placeholder(option)}"
    names = ", ".join(f"`{name}{takes}`" for name in sorted(option.opts, key=len, reverse=True))
    again = " Can be given more than once." if option.multiple else ""
    return names, f"{_meaning(option)}{again}", _variable(option), _default(option)


def _meaning(option: Any) -> str:
    """Return the help, without the variable and the default that it names where the option is a setting."""
    return re.sub(r" +\[env var: [^]]*\]", "", option.help or "") if _is_setting(option) else option.help or ""


def _placeholder(parameter: Any) -> str:
    word = parameter.metavar or parameter.name.upper()
    return str(word)


def _variable(parameter: Any) -> str:
    if _is_setting(parameter):
        return f"`{config.variables(parameter.name)[0]}`"
    return f"`{parameter.envvar}`" if parameter.envvar else ""


def _default(parameter: Any) -> str:
    default = config.Settings.model_fields[parameter.name].default if _is_setting(parameter) else parameter.default
    return "" if default is None or default is False else f"`{default}`"


def _is_setting(parameter: Any) -> bool:
    return parameter.envvar is None and parameter.name in config.Settings.model_fields


def _first(command: Any) -> str:
    return " ".join(re.split(r"\n\s*\n", command.help or "")[0].split())


def _anchor(name: str) -> str:
    return f"curri {name}".replace(" ", "-")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table, without columns in which nothing stands."""
    kept = [number for number in range(len(head)) if any(row[number] for row in rows)]
    lines = [[row[number].replace("|", "\\|") for number in kept] for row in (head, *rows)]
    first, *rest = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([first, f"|{'---|' * len(kept)}", *rest])


if __name__ == "__main__":
    main()
