"""What is said of a command line that does not fit: people are told by Typer, programs here, and of ways out both."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from curri.cli.output import Output
from curri.errors import ExitCode, UsageError

COMMON = ("--json", "--quiet", "-q", "--verbose", "-v", "--config", "--metrics", "--dry-run", "-n", "--yes", "-y")
"""Options that people write before the command, as other programs have them there."""
VALUED = ("--config", "--metrics")
"""Those of them that have a value."""


def is_one(error: Any) -> bool:
    """Return whether an exception is one of the parser: its classes are private, and change with its version."""
    return hasattr(error, "format_message") and getattr(error, "exit_code", None) == ExitCode.USAGE


def tell(output: Output, error: Any, group: Any, args: Sequence[str]) -> None:
    """Print the summary of a run that an error of the parser ended, and add to the error what it does not know.

    `args` are those of the whole program, whose commands `group` has.
    """
    ctx = getattr(error, "ctx", None)
    grouped = hasattr(getattr(ctx, "command", None), "commands")
    if grouped and getattr(error, "option_name", None) in COMMON:
        error.message += f"; options stand after the command: {behind(group, args)}"
        error.possibilities = None  # those of the group: --version
    if ctx is not None and not grouped:
        output.command = name_of(ctx)
    message = (
        "there is no command" if type(error).__name__ == "NoArgsIsHelpError" else error.format_message().rstrip(".")
    )
    path = "curri" if ctx is None else f"curri {name_of(ctx)}".strip()
    output.summary(ExitCode.USAGE, error=UsageError(message, hint=f"look at `{path} --help`"))


def behind(group: Any, args: Sequence[str]) -> str:
    """Return the command line with the options before the command put behind it."""
    words, moved, rest = ["curri"], [], list(args)
    while rest and hasattr(group, "commands"):
        word = rest.pop(0)
        if word.startswith("-"):
            moved.append(word)
            moved += [rest.pop(0)] if word in VALUED and rest else []
        elif word in group.commands:
            words.append(word)
            group = group.commands[word]
        else:
            rest.insert(0, word)
            break
    if len(words) == 1 and not rest:
        words.append("COMMAND")
    return shlex.join([*words, *rest, *moved])


def name_of(ctx: Any) -> str:
    """Return the command without the program's name, which depends on how it was started: "db upgrade"."""
    if ctx.parent is None:
        return ""
    return f"{name_of(ctx.parent)} {ctx.info_name}".strip()
