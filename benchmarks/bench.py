"""Measure curri against the floor, in one run on one machine, and print the table of docs/performance.md.

    python benchmarks/bench.py [--files 100000] [--large-mb 16384] [--upload-mb 5000] [--videos 10000]
                               [--rounds 3] [--check]

Every figure is the best of several rounds; curri and floor take turns, so that a noisy neighbour hits both. Both are
whole processes, start-up included. `--check` ends with exit code 1 if a limit of DESIGN section 11 is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psycopg

from curri.catalog import embedded, migrate

FLOOR = Path(__file__).with_name("floor.py")
OLD_NS = 1_700_000_000_000_000_000


class Run(NamedTuple):
    """One process: how long it took (s), how much memory it had at most (bytes)."""

    seconds: float
    memory: int


@dataclass
class Line:
    """One line of the table."""

    what: str
    curri: str
    floor: str
    ratio: str
    limit: str
    kept: bool


def run(*command: str, **variables: str) -> Run:
    """Run a program and measure it; it must succeed."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return Run(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def curri(*arguments: str, **variables: str) -> Run:
    return run(sys.executable, "-m", "curri", *arguments, **variables)


def floor(*arguments: str) -> Run:
    return run(sys.executable, str(FLOOR), *arguments)


def small_tree(root: Path, files: int) -> None:
    """Make a curriculum of many small files: 200 in a lesson, 50 lessons in a course, 100 bytes to 4 kB each."""
    chance = random.Random(7)
    for number in range(files):
        lesson, index = divmod(number, 200)
        course, lesson = divmod(lesson, 50)
        folder = (
            root
            / f"Course_{course + 1:02d}/Lesson_{lesson + 1:02d}/{('slides', 'notes', 'lab', 'practice')[index % 4]}"
        )
        if index < 4:
            folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"page-{index}.txt"
        path.write_bytes(chance.randbytes(chance.randrange(100, 4000)))
        os.utime(path, ns=(OLD_NS, OLD_NS))


def large_tree(root: Path, megabytes: int) -> None:
    """Make large videos, two for each core. They are sparse: they take no room, and reading them costs no disk."""
    count = 2 * (os.cpu_count() or 1)
    for number in range(count):
        folder = root / f"Course_01/Lesson_{number + 1:02d}/learning"
        folder.mkdir(parents=True)
        with (folder / "video.mp4").open("wb") as file:
            file.truncate((megabytes << 20) // count)
        os.utime(folder / "video.mp4", ns=(OLD_NS, OLD_NS))


class Server:
    """The server that both sides use, with a fresh catalog on demand."""

    def __init__(self, url: str) -> None:
        self.url = url
        migrate.move(url, "head")
        self._number = 0

    def fresh(self) -> str:
        self._number += 1
        with psycopg.connect(
            psycopg.conninfo.make_conninfo(self.url, dbname="template1"), autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE bench_{self._number} TEMPLATE postgres")
        return psycopg.conninfo.make_conninfo(self.url, dbname=f"bench_{self._number}")


def compare(rounds: int, ours: Callable[[], Run], theirs: Callable[[], Run]) -> tuple[Run, Run]:
    """Return the best run of each, taking turns."""
    pairs = [(theirs(), ours()) for _ in range(rounds)]
    return min(pair[1] for pair in pairs), min(pair[0] for pair in pairs)


def line(what: str, ours: Run, theirs: Run, limit: float) -> Line:
    ratio = ours.seconds / theirs.seconds
    return Line(
        what,
        f"{ours.seconds:.2f} s",
        f"{theirs.seconds:.2f} s",
        f"{ratio:.2f} x",
        f"at most {limit:g} x",
        ratio <= limit,
    )


def measure(folder: Path, server: Server, options: argparse.Namespace) -> list[Line]:
    lines: list[Line] = []
    small, large = folder / "small", folder / "large"
    small_tree(small, options.files)
    kept = server.fresh()
    curri("import", str(small), CURRI_DATABASE_URL=kept)  # warms the page cache for both sides

    def first() -> Run:
        return curri("import", str(small), CURRI_DATABASE_URL=server.fresh())

    ours, theirs = compare(options.rounds, first, lambda: floor("first", str(small), server.fresh()))
    lines.append(line(f"first import, {options.files:,} small files", ours, theirs, 2))

    ours, theirs = compare(
        options.rounds,
        lambda: curri("import", str(small), CURRI_DATABASE_URL=kept),
        lambda: floor("again", str(small), kept),
    )
    lines.append(line("import again, nothing changed", ours, theirs, 2))
    memory = ours.memory / 1e6
    lines.append(Line("... its memory", f"{memory:.0f} MB", "", "", "under 200 MB", memory < 200))
    shutil.rmtree(small)

    large_tree(large, options.large_mb)
    ours, theirs = compare(
        options.rounds,
        lambda: curri("import", str(large), CURRI_DATABASE_URL=server.fresh()),
        lambda: floor("digest", str(large)),
    )
    total = sum(path.stat().st_size for path in large.rglob("*.mp4"))
    speed, best = total / ours.seconds / 1e6, total / theirs.seconds / 1e6
    share = speed / best
    lines.append(
        Line(
            f"large files, {total / 1e9:.0f} GB",
            f"{speed:.0f} MB/s",
            f"{best:.0f} MB/s",
            f"{share:.0%}",
            "at least 90 %",
            share >= 0.9,
        )
    )
    shutil.rmtree(large)
    if options.upload_mb:
        import uploading  # which takes from this module

        lines.extend(uploading.lines(folder, server, options.upload_mb, options.rounds))
    if options.videos:
        import library

        lines.extend(library.lines(folder, server, options.videos))
    helped = min(run(str(Path(sys.executable).with_name("curri")), "--help").seconds for _ in range(5))
    lines.append(Line("curri --help", f"{helped:.2f} s", "", "", "at most 0.2 s", helped <= 0.2))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--large-mb", type=int, default=16384)
    parser.add_argument("--upload-mb", type=int, default=5000, help="0 leaves uploads out")
    parser.add_argument("--videos", type=int, default=10_000, help="0 leaves the large library out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="curri-bench-") as name:
        folder = Path(name)
        home = folder / "home"
        with embedded.server(home) as url:
            lines = measure(folder, Server(url), options)
        if os.geteuid() == 0:
            shutil.rmtree(embedded.place(home))
    python = ".".join(platform.python_version_tuple()[:2])
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {python}"
    print(f"\n{machine}, best of {options.rounds}\n")
    print("| what | curri | floor | ratio | limit | kept |\n|---|---|---|---|---|---|")
    for each in lines:
        kept = "yes" if each.kept else "**no**"
        print(f"| {each.what} | {each.curri} | {each.floor} | {each.ratio} | {each.limit} | {kept} |")
    return 0 if not options.check or all(each.kept for each in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
