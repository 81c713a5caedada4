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
from curri.cli import audit, db, explain, sandbox, streams, upkeep, upload, usage, videos
from curri.cli.commands import app
from curri.cli.environment import load_env_file
from curri.cli.output import Output
from curri.cli.session import Start
from curri.cli.watch import Watch
from curri.errors import ConfigError, CurriError, ExitCode, Interrupted, Terminated
from curri.plan.text import harmless

__all__ = ["app", "audit", "db", "explain", "main", "sandbox", "upkeep", "upload", "videos"]


NO = ("", "0", "false", "f", "no", "n", "off")
"""What a variable of a flag may hold for not given; Typer's own list, for what is said before it reads them."""
ORDER = (
    *("import", "upload", "sync-status", "fix-metadata", "check", "adopt", "gc"),
    *("status", "explain", "videos", "runs", "config", "doctor", "db", "sandbox"),
)
"""The commands as the help lists them: those of the main job first, as they are needed, and last what is rare."""


class _Group(TyperGroup):
    """Turns errors into words and exit codes, in one place for all commands."""

    given: tuple[str, ...] = ()
    """The arguments of the program."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=ORDER.index)

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> Any:
        self.given = tuple(args)
        try:
            return super().make_context(info_name, args, *more, **extra)
        except Exception as error:
            if usage.is_one(error):
                usage.tell(extra["obj"].output, error, self, self.given)
            raise

    def invoke(self, ctx: Any) -> Any:
        start: Start = ctx.obj
        try:
            return super().invoke(ctx)
        except CurriError as error:
            start.output.error(error)
            raise typer.Exit(error.exit_code) from error
        except Exception as error:
            if usage.is_one(error):
                usage.tell(start.output, error, self, self.given)
            raise


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
    sink = streams.prepare()
    output = Output(as_json="--json" in sys.argv or os.environ.get("CURRI_JSON", "").strip().lower() not in NO)
    watch = Watch(output)
    try:
        start = Start(output, watch, load_env_file())
    except ConfigError as error:
        output.error(error)
        sys.exit(_printed(sink, error.exit_code))
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
    try:
        output.summary(exit_code)
        exit_code = _printed(sink, exit_code)
    except Interrupted as error:  # whoever reads it does not
        exit_code = error.exit_code
    try:
        watch.end(exit_code)
    except Exception:  # noqa: BLE001 - shown as what it is, and yet the run has ended as it has
        _bug()
    sys.exit(exit_code)


def _printed(sink: streams.Sink, exit_code: ExitCode) -> ExitCode:
    """Print what is held back; return the exit code, which is another one where that is all that failed."""
    failure = streams.flush(sink)
    if failure is None:
        return exit_code
    sys.stderr.write(f"curri: not all could be printed: {failure.strerror}\n")
    return ExitCode.OUTPUT if exit_code is ExitCode.OK else exit_code


def _bug() -> None:
    sys.stderr.write(harmless(traceback.format_exc()))
    sys.stderr.write("curri: this is a bug; please report it with the lines above\n")


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
