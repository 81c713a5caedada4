"""The way in and the one way out: signals, errors and exit codes."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import traceback
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from curri import __version__
from curri.cli import audit, db, explain, sandbox, upkeep, upload, videos
from curri.cli.commands import app
from curri.cli.output import Output
from curri.cli.session import Start
from curri.cli.watch import Watch
from curri.errors import ConfigError, CurriError, ExitCode, Interrupted, Terminated
from curri.plan.text import harmless

__all__ = ["app", "audit", "db", "explain", "main", "sandbox", "upkeep", "upload", "videos"]


class _Group(TyperGroup):
    """Turns errors into words and exit codes, in one place for all commands."""

    def invoke(self, ctx: Any) -> Any:
        start: Start = ctx.obj
        try:
            return super().invoke(ctx)
        except CurriError as error:
            start.output.error(error)
            raise typer.Exit(error.exit_code) from error


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"curri {__version__}")
        raise typer.Exit


@app.callback(cls=_Group)
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None: ...


def main() -> None:
    """Run the command line and leave with one of the documented exit codes."""
    for stream in (sys.stdout, sys.stderr):
        # A title in a language that the terminal cannot show must not end a run.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    output = Output(as_json="--json" in sys.argv or os.environ.get("CURRI_JSON", "") not in ("", "0", "false"))
    watch = Watch(output)
    try:
        start = Start(output, watch, _load_env_file())
    except ConfigError as error:
        output.error(error)
        sys.exit(error.exit_code)
    _catch_signals(output)
    code: int | str | None = ExitCode.BUG
    try:
        app(obj=start)
    except SystemExit as leaving:
        code = leaving.code
    except CurriError as error:  # a signal outside of any command
        output.error(error)
        code = error.exit_code
    except Exception:  # noqa: BLE001 - the last resort: whatever it is, programs that read JSON get their summary
        _bug()
    exit_code = ExitCode(int(code or 0))
    output.summary(exit_code)
    try:
        watch.end(exit_code)
    except Exception:  # noqa: BLE001 - shown as what it is, and yet the run has ended as it has
        _bug()
    sys.exit(exit_code)


def _bug() -> None:
    sys.stderr.write(harmless(traceback.format_exc()))
    sys.stderr.write("curri: this is a bug; please report it with the lines above\n")


def _load_env_file() -> frozenset[str]:
    """Let a `.env` in the working folder set what the environment does not; return the names it set.

    Raises ConfigError if it cannot be read: without what it says, a command could work on another database.
    """
    if not os.path.exists(".env"):  # noqa: PTH110 - pathlib would be the slowest import of `curri --help`
        return frozenset()
    from dotenv import dotenv_values

    ours = ("CURRI_", "DATABASE_URL", "CLOUDFLARE_")
    try:
        values = {name: value for name, value in dotenv_values(".env").items() if value and name.startswith(ours)}
        added = frozenset(values) - frozenset(os.environ)
        os.environ.update({name: values[name] or "" for name in added})
    except (OSError, ValueError) as error:  # not UTF-8, or a NUL, which no variable holds
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file in UTF-8"
        raise ConfigError(f"the settings in .env cannot be read: {reason}", where=os.path.abspath(".env")) from None  # noqa: PTH100
    return added


def _catch_signals(output: Output) -> None:
    """Make Ctrl-C and SIGTERM end the run in order; a second one ends it at once, which is safe too."""

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, leave)
        signal.signal(signal.SIGTERM, leave)
        output.stopping = True
        if sys.stderr.isatty() and not output.rows:
            # What is in flight may take a while to come to its end. Not through Python's buffers: a signal may come
            # while one of them is being written to.
            os.write(sys.stderr.fileno(), b"\ncurri: stopping; once more stops at once\n")
        hint = f"nothing is lost; to go on: {shlex.join(['curri', *sys.argv[1:]])}"
        if number == signal.SIGTERM:
            raise Terminated("stopped by the system", hint=hint)
        raise Interrupted("stopped by Ctrl-C", hint=hint)

    def leave(number: int, _frame: FrameType | None) -> None:
        if output.rows:  # back to where the rows began, away with them, and the cursor is seen again
            up = f"\x1b[{output.rows - 1}A" if output.rows > 1 else ""
            os.write(sys.stderr.fileno(), f"\r{up}\x1b[J\x1b[?25h".encode())
        os._exit(ExitCode.TERMINATED if number == signal.SIGTERM else ExitCode.INTERRUPTED)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
