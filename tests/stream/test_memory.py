"""Sending takes the same memory whatever the size of the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .scripted import ACCOUNT, TOKEN, ScriptedServer

SENDER = """
import json, resource, sys
from pathlib import Path
from curri.stream.account import Account
from curri.stream.artefact import Artefact
from curri.stream.client import Client
from curri.stream.secret import Secret
from curri.stream.tus import Uploads

base, account, token, *paths = sys.argv[1:]
peaks = []
with Client(Account(account, Secret(token), base)) as client:
    for path in paths:
        found = Path(path).stat()
        artefact = Artefact(Path(path), found.st_size, "", found.st_mtime_ns)
        created = Uploads(client).create(found.st_size, {"name": "x"}, seconds=1)
        sent = Uploads(client).send(created.url, artefact, chunk_size=209_715_200)
        peaks.append((sent.bytes_sent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))  # KiB on Linux
print(json.dumps(peaks))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
def test_a_file_of_a_gigabyte_takes_no_more_memory_than_a_small_one(server: ScriptedServer, tmp_path: Path) -> None:
    paths = []
    for size in (1_000_000, 1_000_000_000):
        path = tmp_path / f"{size}.mp4"
        path.touch()
        with path.open("r+b") as file:
            file.truncate(size)
        paths.append(str(path))
    told = subprocess.run(
        [sys.executable, "-c", SENDER, server.base, ACCOUNT, TOKEN, *paths],
        capture_output=True,
        check=True,
        timeout=120,
    )
    (small, before), (large, after) = json.loads(told.stdout)
    assert (small, large) == (1_000_000, 1_000_000_000)
    assert after - before < 8_192, f"{after - before} KiB more for a gigabyte"
