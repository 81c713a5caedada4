"""What can go wrong, in families cut by what the user can do about it.

    CurriError
    ├── UsageError              2    the command line does not fit; read the help
    ├── TreeError               4    the curriculum folder must be put right
    ├── DatabaseError           5    the database cannot be used
    │   └── NotMigrated         5    ... until `curri db upgrade` has run
    ├── StreamError             6    Cloudflare Stream refused
    │   └── StreamUnavailable   6    ... for the moment: the only error that is tried again
    ├── ToolError               7    ffmpeg or another program failed
    ├── BusyError               8    another run of the same command is at work
    ├── ConfigError             9    a setting or a credential must be put right
    └── Interrupted           130  Ctrl-C
        └── Terminated        143  the system asked the run to end (SIGTERM)

Anything else that reaches the top is a bug and leaves with exit code 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The process exit codes. They are part of the interface: scripts rely on them, so they never change."""

    OK = 0
    """Done, or nothing to do."""
    BUG = 1
    """A bug in curri: please report it."""
    USAGE = 2
    """The command line does not fit."""
    SOME_ITEMS = 3
    """The run ended, but some items failed or were blocked; each is named with its reason."""
    TREE = 4
    """The curriculum folder is not usable as it is; nothing was changed."""
    DATABASE = 5
    """The database cannot be reached, is not migrated, refused, or went away."""
    STREAM = 6
    """Cloudflare Stream refused or could not be reached."""
    TOOL = 7
    """ffmpeg or another program is missing or failed."""
    BUSY = 8
    """Another run of the same command holds the lock."""
    CONFIG = 9
    """A setting or a credential is missing or wrong."""
    DIFFERENCES = 10
    """`--check` or `curri check` found differences."""
    OUTPUT = 11
    """All was done, but not all could be printed: standard output is full, say."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C."""
    TERMINATED = 143
    """Stopped by the system (SIGTERM)."""


class CurriError(Exception):
    """An error with three parts: what happened, where, and what to do.

    `message` is one sentence without a final stop, `where` names the file, row or address concerned, `hint`
    says the way out. None of them ever holds a password, a token or an upload URL.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.run_id: int | None = None
        """The run that it ended, once one was recorded."""
        self.counts: Mapping[str, float] = {}
        """What that run had done until then."""


class UsageError(CurriError):
    """The command line does not fit."""

    exit_code = ExitCode.USAGE


class TreeError(CurriError):
    """The curriculum folder is not usable as it is. Nothing was changed."""

    exit_code = ExitCode.TREE


class DatabaseError(CurriError):
    """The database cannot be reached, refused, or went away; what was not committed is as before."""

    exit_code = ExitCode.DATABASE


class NotMigrated(DatabaseError):
    """The database can be reached, but its tables are not those of this version of curri."""


class StreamError(CurriError):
    """Cloudflare Stream refused a request; asking again would not help."""

    exit_code = ExitCode.STREAM


class StreamUnavailable(StreamError):
    """Cloudflare Stream did not answer, or not now; the one family of errors that is tried again."""


class ToolError(CurriError):
    """ffmpeg or another program is missing, failed, or hung."""

    exit_code = ExitCode.TOOL


class BusyError(CurriError):
    """Another run of the same command is at work on the same catalog."""

    exit_code = ExitCode.BUSY


class ConfigError(CurriError):
    """A setting or a credential is missing or wrong."""

    exit_code = ExitCode.CONFIG


class Interrupted(CurriError):
    """The run was asked to end by Ctrl-C (SIGINT); what was not committed is as before."""

    exit_code = ExitCode.INTERRUPTED


class Terminated(Interrupted):
    """The run was asked to end by the system (SIGTERM)."""

    exit_code = ExitCode.TERMINATED
