"""Asking a person before something is changed that cannot be taken back."""

from __future__ import annotations

import sys

import typer

from curri.cli.output import Output
from curri.errors import UsageError
from curri.plan.text import harmless


def needs_person(output: Output, hint: str) -> None:
    """Raise UsageError where nobody can be asked, with the hint how to do without."""
    if output.as_json or output.quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("this needs a yes, and there is nobody to ask", hint=hint)


def agreed(question: str, *, default: bool = False) -> bool:
    """Ask; an input that ends is a no."""
    return answer(question, default=default) or False


def answer(question: str, *, default: bool = False) -> bool | None:
    """Ask; None says that the input has ended (Ctrl-D), and that nobody is there for another question."""
    try:
        return typer.confirm(harmless(question), default=default, err=True)
    except typer.Abort:
        sys.stderr.write("\n")
        return None
