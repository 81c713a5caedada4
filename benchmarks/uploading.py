"""What an upload reaches, against a Cloudflare Stream played by this machine: lines for the table of bench.py.

The sandbox is a process of its own and throws the bytes away; curl sends to the same one, in chunks of the same size.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import httpx
from bench import OLD_NS, Line, Run, Server, curri, run

from curri.media import tools

CHUNK = 52_428_800
STALL = 1.0
"""Seconds that the bytes of every small file take, so that what counts is how many are on their way at once: 5 MB on a
line of 40 Mbit/s."""


@contextmanager
def played(faults: str = "[]") -> Iterator[dict[str, str]]:
    """Play Stream in a process of its own; yields the variables that lead there."""
    script = (
        "import sys; from curri.sandbox import SandboxSettings, Timings, read_faults, serve\n"
        "settings = SandboxSettings(discard_bytes=True, timings=Timings.lasting(0.1), rate_limit_requests=10**6,"
        " faults=read_faults(sys.argv[1]))\n"
        "serve(settings, lambda box: print(box.url, box.account_id, box.token, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", script, faults], stdout=subprocess.PIPE, text=True) as process:
        try:
            told = process.stdout.readline() if process.stdout else ""
            url, account, token = told.split()
            yield {"CURRI_STREAM_URL": url, "CLOUDFLARE_ACCOUNT_ID": account, "CLOUDFLARE_API_TOKEN": token}
        finally:
            process.terminate()


def clip(path: Path, *arguments: str) -> None:
    """Make a video with the ffmpeg that curri uses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = tools.find()
    subprocess.run([found.path, "-v", "error", "-nostdin", "-y", *arguments, str(path)], check=True)
    os.utime(path, ns=(OLD_NS, OLD_NS))


def large_file(path: Path, size: int) -> None:
    """Make a video of `size` bytes: a short clip, and behind it a box that says of itself that it is free space."""
    clip(
        path, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2", "-c:v", "libx264", "-pix_fmt", "yuv420p"
    )
    rest = size - path.stat().st_size
    with path.open("ab") as file:
        file.write((1).to_bytes(4, "big") + b"free" + rest.to_bytes(8, "big"))
        file.truncate(size)
    os.utime(path, ns=(OLD_NS, OLD_NS))


def curl(world: dict[str, str], size: int, folder: Path) -> float:
    """Send `size` bytes by curl, one request for each chunk on one connection; returns seconds."""
    chunk = folder / "chunk"
    with chunk.open("wb") as file:
        file.truncate(CHUNK)
    head = {"Authorization": f"Bearer {world['CLOUDFLARE_API_TOKEN']}", "Tus-Resumable": "1.0.0"}
    address = f"{world['CURRI_STREAM_URL']}/accounts/{world['CLOUDFLARE_ACCOUNT_ID']}/stream"
    made = httpx.post(
        address, headers=head | {"Upload-Length": str(size), "Upload-Metadata": "maxdurationseconds NjA="}
    )
    requests = []
    for offset in range(0, size, CHUNK):
        headers = head | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream", "Expect": ""}
        told = "".join(f'header = "{name}: {value}"\n' for name, value in headers.items())
        requests.append(f'url = "{made.headers["location"]}"\nrequest = "PATCH"\nupload-file = "{chunk}"\n{told}fail\n')
    config = folder / "curl.txt"
    config.write_text("next\n".join(requests))
    took = run("curl", "--silent", "--show-error", "--config", str(config)).seconds
    held = httpx.head(made.headers["location"], headers=head).headers["upload-offset"]
    if held != str(size):
        raise SystemExit(f"curl has sent {held} of {size} bytes")
    return took


def imported(server: Server, root: Path, home: Path, world: dict[str, str]) -> dict[str, str]:
    """Import a curriculum into a fresh catalog; returns the variables that an upload needs."""
    variables = {**world, "CURRI_DATABASE_URL": server.fresh(), "CURRI_HOME": str(home)}
    curri("import", str(root), **variables)
    return variables


def large(folder: Path, server: Server, megabytes: int, rounds: int) -> list[Line]:
    """One large file: bytes per second beside curl's, and memory. What the command takes with nothing to do is off."""
    size = megabytes * 1_048_576 // CHUNK * CHUNK
    root = folder / "one"
    large_file(root / "Course_01/Lesson_01/learning/video.mp4", size)
    ours: list[Run] = []
    theirs: list[float] = []
    idle: list[float] = []
    for number in range(rounds):
        with played() as world:  # a fresh one: what Stream holds already, and no catalog knows, is not sent again
            theirs.append(curl(world, size, folder))
            variables = imported(server, root, folder / f"home{number}", world)
            ours.append(curri("upload", "--no-compress", **variables))
            idle.append(curri("upload", "--no-compress", **variables).seconds)
    shutil.rmtree(root)
    mine = size / (min(each.seconds for each in ours) - min(idle)) / 1e6
    curls = size / min(theirs) / 1e6
    memory = max(each.memory for each in ours) / 1e6
    share = mine / curls
    what = f"upload, one file of {size / 1e9:.1f} GB"
    return [
        Line(what, f"{mine:.0f} MB/s", f"{curls:.0f} MB/s (curl)", f"{share:.0%}", "at least 90 %", share >= 0.9),
        Line("... its memory", f"{memory:.0f} MB", "", "", "under 100 MB", memory < 100),
    ]


def small(folder: Path, server: Server, files: int = 40) -> list[Line]:
    """Many small files: how many of the four connections carry bytes at a time, and what a file takes beside them."""
    root = folder / "many"
    first = root / "Course_01/Lesson_01/learning/video.mp4"
    clip(
        first, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2", "-c:v", "libx264", "-pix_fmt", "yuv420p"
    )
    for number in range(2, files + 1):
        copy = root / f"Course_01/Lesson_{number:02d}/learning/video.mp4"
        copy.parent.mkdir(parents=True)
        shutil.copy2(first, copy)
    stall = json.dumps([{"do": "stall-after", "seconds": STALL, "when": {"path": "patch", "times": files}}])
    with played(stall) as world:
        variables = imported(server, root, folder / "home-many", world)
        curri("upload", "--no-compress", **variables)
        origin = world["CURRI_STREAM_URL"].partition("/client")[0]
        journal = httpx.get(f"{origin}/__sandbox__/requests").json()["requests"]
    shutil.rmtree(root)
    times = [datetime.fromisoformat(entry["at"]).timestamp() for entry in journal if entry["kind"] == "patch"]
    took = max(times) - min(times) + STALL
    busy = files * STALL / took
    beside = (took * 4 / files - STALL) * 1000
    return [
        Line(f"upload, {files} small files: connections busy", f"{busy:.1f} of 4", "", "", "at least 3.5", busy >= 3.5),
        Line("... beside its bytes a file takes", f"{beside:.0f} ms", "", "", "no limit", True),
    ]


def overlap(folder: Path, server: Server, files: int = 24) -> Line:
    """Encoding and sending together, beside the longer of the two alone.

    With both equally long, the first encode has nothing to overlap with, and the last file is sent alone: a share of
    one file that no order of work can save.
    """
    root = folder / "encode"
    for number in range(1, files + 1):
        source = f"testsrc2=size=1920x1080:rate=25:duration=2,noise=alls={10 + number}:allf=t"
        path = root / f"Course_01/Lesson_{number:02d}/learning/video.mp4"
        clip(
            path,
            "-f",
            "lavfi",
            "-i",
            source,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-b:v",
            "30M",
            "-pix_fmt",
            "yuv420p",
        )

    def timed(home: Path, *options: str) -> tuple[float, int]:
        with played() as world:
            variables = imported(server, root, home, world)
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "curri", "upload", "--json", *options],
                env={**os.environ, **variables},
                capture_output=True,
                text=True,
                check=True,
            )
            took = time.perf_counter() - began
        return took, json.loads(done.stdout.splitlines()[-1])["counts"]["bytes"]

    encoding, size = timed(folder / "home-encode")
    rate = str(int(size / encoding))  # so that sending alone takes about as long as encoding alone
    sending, _ = timed(folder / "home-encode", "--bwlimit", rate)
    together, _ = timed(folder / "home-together", "--bwlimit", rate)
    shutil.rmtree(root)
    ratio = together / max(encoding, sending)
    return Line(
        f"upload, {files} files encoded and sent",
        f"{together:.1f} s",
        f"{encoding:.1f} s, {sending:.1f} s (one alone)",
        f"{ratio:.2f} x",
        "at most 1.15 x the longer",
        ratio <= 1.15,
    )


def lines(folder: Path, server: Server, megabytes: int, rounds: int) -> list[Line]:
    """All lines about uploading."""
    steps: list[Callable[[], list[Line]]] = [
        lambda: large(folder, server, megabytes, rounds) if shutil.which("curl") else [],
        lambda: small(folder, server),
        lambda: [overlap(folder, server)],
    ]
    return [line for step in steps for line in step()]
