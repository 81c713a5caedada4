"""`curri` without the half second in which Python reads it: a server that has read it, and forks for every command.

python preloaded.py SOCKET        # makes SOCKET, and works until it is ended

What runs is the real `main`, in a process of its own, with the arguments, the environment, the working folder and the
terminal of whoever asked. The documents name a hundred commands; started one by one they would take a minute more.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
SECONDS = 60

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX) as door:
    door.connect({socket!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(door, [len(asked).to_bytes(4, "big")], [0, 1, 2])
    door.sendall(asked)
    pid = int.from_bytes(door.recv(4, socket.MSG_WAITALL), "big")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    said = door.recv(4, socket.MSG_WAITALL)
    sys.exit(int.from_bytes(said, "big") if said else 1)
"""


@contextmanager
def program(folder: Path) -> Iterator[Path]:
    """Yield a program `curri` in a folder, which is as the real one and at once there."""
    folder.mkdir(parents=True, exist_ok=True)
    door = folder / "door"
    client = folder / "curri"
    client.write_text(CLIENT.format(python=sys.executable, socket=str(door)))
    client.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "PYTHONWARNINGS": "error"}
    with subprocess.Popen([sys.executable, HERE, door], env=environment, stdin=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + SECONDS
            while not door.exists():
                assert server.poll() is None, "it did not start"
                assert time.monotonic() < deadline, "it does not start"
                time.sleep(0.01)
            yield client
        finally:
            server.terminate()


def _read_all() -> None:
    """Import all of curri, and what it imports when first used."""
    import curri

    for module in pkgutil.walk_packages(curri.__path__, "curri."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("alembic.command", "alembic.script", "rich.table", "rich.console", "sqlalchemy.dialects.postgresql"):
        importlib.import_module(name)


def _serve(door: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        part = door.with_suffix(".part")
        listening.bind(str(part))
        listening.listen(16)
        part.rename(door)  # who sees it can connect
        while True:
            asking, _ = listening.accept()
            with asking:
                if os.fork() == 0:
                    listening.close()
                    _answer(asking)


def _answer(asking: socket.socket) -> None:
    """Start the command that was asked for, wait for its end, and say how it ended."""
    head, descriptors, _, _ = socket.recv_fds(asking, 4, 3)
    words, folder, environment = json.loads(_exactly(asking, int.from_bytes(head, "big")))
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        asking.close()
        _become(words, folder, environment, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    asking.sendall(pid.to_bytes(4, "big"))
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    asking.sendall((128 - code if code < 0 else code).to_bytes(4, "big"))
    os._exit(0)


def _become(words: list[str], folder: str, environment: dict[str, str], descriptors: list[int]) -> None:
    from curri.cli.main import main

    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    # What Python made of the server's own files remembers what those were.
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1)
    code: Any = 1
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        sys.argv = ["curri", *words]
        main()
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:  # noqa: BLE001 - a process that was forked must not go back to where it came from
        sys.excepthook(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(int(code or 0))


def _exactly(asking: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        found += asking.recv(length - len(found))
    return found


if __name__ == "__main__":
    _read_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
    _serve(Path(sys.argv[1]))
