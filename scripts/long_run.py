"""A long run: a whole curriculum sent while requests fail and runs are killed; prints what came of it as Markdown.

    python scripts/long_run.py [--lessons 2000] [--seed 7] [--clean] [--write docs/reliability.md]

The real command, a real PostgreSQL, real ffmpeg, and the sandbox on a real socket, which lets one request in ten go
wrong. Until three quarters of the videos are there, every run of `curri upload` (of the next four courses) is struck
after a few seconds: two of three by SIGKILL, the others by SIGTERM. The last run, of all the rest, is left alone, and
its memory is watched. Then everything is counted. Ends with exit code 1 if anything is not as docs/reliability.md
promises. `--clean` leaves faults and strikes out, for comparison; with `--write` the table between the marks in a file
is replaced.

Stream's limit on calls is lifted, for the sandbox and for curri: with it, the same would take an hour.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from curri.catalog import embedded, migrate
from curri.media import tools

BEGIN, END = "<!-- long run: begin -->", "<!-- long run: end -->"
OLD_NS = 1_700_000_000_000_000_000
CHUNK = 5_242_880
EVERY_ENCODED = 40
"""Of so many lessons one has a video that is encoded before it is sent."""
EVERY_LARGE = 100
"""And one has a video of three chunks."""
STRUCK_AFTER = (0.0, 6.0)
"""Seconds after a run has begun its first upload; every fourth run is struck so long after its start already."""
KEPT = (".mp4", ".json", ".lock")
"""What the cache of encodes consists of."""
HANGS = 900
"""Seconds after which a run that is left alone is said to hang."""

FAULTS = (
    {"do": "drop-before", "probability": 0.027},
    {"do": "drop-after", "probability": 0.027},
    {"do": "drop-middle", "probability": 0.015},
    {"do": "answer", "status": 503, "probability": 0.015},
    {"do": "answer", "status": 500, "probability": 0.01},
    {"do": "answer-after", "status": 502, "probability": 0.01},
    {"do": "answer", "status": 429, "retry_after": 1, "probability": 0.003},
    {"do": "stall-after", "seconds": 1, "probability": 0.004},
    {"do": "slow", "bytes_per_second": 50_000, "probability": 0.005},
)
"""Together one request in ten. What makes a connection slow or a request hang is rarer, as it takes time."""

UNLIMITED = (
    "from curri.stream.budget import Budget; "
    "Budget.__init__.__kwdefaults__.update(calls=10**7, burst=10**6); "
    "from curri.cli.main import main; main()"
)
PLAYED = (
    "import sys; from pathlib import Path; from curri.sandbox import SandboxSettings, Timings, read_faults, serve; "
    "serve(SandboxSettings(timings=Timings.lasting(0.5), rate_limit_requests=10**7, processing_limit=10**6,"
    " quota_minutes=10**6, data=Path(sys.argv[1]), faults=read_faults(sys.argv[2])),"
    " lambda box: print(box.url, box.account_id, box.token, flush=True))"
)


@dataclass
class Tally:
    """What was counted."""

    runs: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    peak: int = 0  # bytes of memory that any run had
    watched: list[tuple[int, int]] = field(default_factory=list)  # (videos linked, bytes of memory) of the last run
    lines: list[tuple[str, str, bool | None]] = field(default_factory=list)

    def line(self, what: str, value: object, kept: bool | None = None) -> None:
        """Add a line of the table; `kept` is None where nothing is promised."""
        self.lines.append((what, str(value), kept))


# --- the world


def curriculum(root: Path, lessons: int) -> None:
    """Make lessons of one video each, no two alike; most are sent as they are."""
    found = tools.find()

    def clip(name: str, *arguments: str) -> bytes:
        path = root.parent / name
        command = [found.path, "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", *arguments, str(path)]
        subprocess.run(command, check=True)
        return path.read_bytes()

    small = clip("small.mp4", "testsrc2=size=320x180:rate=25:duration=1", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    long = clip("long.mp4", "testsrc2=size=320x180:rate=5:duration=120", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    heavy = ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "20M", "-pix_fmt", "yuv420p"]
    fat = clip("fat.mp4", "testsrc2=size=640x360:rate=25:duration=1,noise=alls=40:allf=t", *heavy)
    for number in range(lessons):
        course, lesson = divmod(number, 50)
        path = root / f"Course_{course + 1:02d}/Lesson_{lesson + 1:02d}/learning/video.mp4"
        path.parent.mkdir(parents=True)
        large = number % EVERY_LARGE == 2
        body = fat if number % EVERY_ENCODED == 1 else long if large else small
        size = 2 * CHUNK + 1_000_000 if large else 1_000
        tail = hashlib.sha1(str(number).encode(), usedforsecurity=False).digest().ljust(size, b"\0")
        path.write_bytes(body + (8 + size).to_bytes(4, "big") + b"free" + tail)
        os.utime(path, ns=(OLD_NS, OLD_NS))


@dataclass
class World:
    """The folders, the catalog and Stream, and `curri` at work on them."""

    folder: Path
    url: str
    stream: subprocess.Popen[str]
    variables: Mapping[str, str]

    @property
    def controls(self) -> str:
        return self.variables["CURRI_STREAM_URL"].partition("/client")[0] + "/__sandbox__"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `curri` without Stream's limit on calls; its output goes to a file."""
        with (self.folder / "output").open("a") as output:
            output.write(f"$ curri {' '.join(arguments)}\n")
            output.flush()
            command = [sys.executable, "-c", UNLIMITED, *arguments]
            return subprocess.Popen(command, env=dict(self.variables), stdout=output, stderr=output, text=True)

    def run(self, *arguments: str) -> int:
        """Run `curri` to its end; returns its exit code."""
        return self.start(*arguments).wait(HANGS)

    def one(self, query: str) -> Any:
        """Return the only value that a query gives."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
            return row[0] if row else None

    def linked(self) -> int:
        """How many videos are linked."""
        return int(self.one("SELECT count(*) FROM component_video WHERE state = 'current'"))

    def unfinished(self) -> list[str]:
        """The next four courses with a video that is not linked: to look into all files takes longer than a run has."""
        query = (
            "SELECT DISTINCT k.slug FROM component c JOIN course k ON k.id = c.course_id"
            " WHERE c.type = 'VIDEO' AND NOT EXISTS (SELECT FROM component_video WHERE component_id = c.id)"
            " ORDER BY k.slug LIMIT 4"
        )
        with psycopg.connect(self.url, autocommit=True) as connection:
            return [slug for (slug,) in connection.execute(query)]

    def asked(self) -> list[dict[str, Any]]:
        """The journal of Stream."""
        return list(httpx.get(f"{self.controls}/requests", timeout=120).json()["requests"])

    def forget(self, what: str) -> None:
        httpx.delete(f"{self.controls}/{what}", timeout=60).raise_for_status()


@contextmanager
def world(folder: Path, faults: str) -> Iterator[World]:
    """Make a world below `folder`; everything in it has ended afterwards."""
    home, temporary = folder / "home", folder / "tmp"
    temporary.mkdir()
    with embedded.server(folder / "server") as url:
        migrate.move(url, "head")
        command = [sys.executable, "-c", PLAYED, str(folder / "stream"), faults]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stream:
            try:
                address, account, token = (stream.stdout.readline() if stream.stdout else "").split()
                variables = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | {
                    "HOME": str(folder),
                    "TMPDIR": str(temporary),
                    "CURRI_HOME": str(home),
                    "CURRI_DATABASE_URL": url,
                    "CURRI_STREAM_URL": address,
                    "CLOUDFLARE_ACCOUNT_ID": account,
                    "CLOUDFLARE_API_TOKEN": token,
                    "CURRI_CHUNK_SIZE": str(CHUNK),
                    "CURRI_LISTING_DELAY": "0",  # this Stream lists an upload at once
                }
                yield World(folder, url, stream, variables)
            finally:
                stream.terminate()
    if os.geteuid() == 0:
        shutil.rmtree(embedded.place(folder / "server"))


# --- the run


def strike(at: World, chance: random.Random, tally: Tally) -> None:
    """Run an upload and strike it down after a few seconds, unless it ends before."""
    runs = at.one("SELECT max(id) FROM run")
    process = at.start("upload", "--quiet", *(f"--course={slug}" for slug in at.unfinished()))
    number = signal.SIGTERM if chance.random() < 1 / 3 else signal.SIGKILL
    after = chance.uniform(*STRUCK_AFTER)
    until = time.monotonic() + after if chance.random() < 1 / 4 else None
    while until is None or time.monotonic() < until:
        if until is None and at.one(f"SELECT count(*) FROM upload WHERE run_id > {runs}"):  # noqa: S608 - a number
            until = time.monotonic() + after
        if ended(process, tally):
            tally.runs[f"ended by itself ({process.returncode})"] += 1
            return
        time.sleep(0.05)
    process.send_signal(number)
    began = time.monotonic()
    while not ended(process, tally):
        if time.monotonic() - began > HANGS:
            raise SystemExit("a run did not end on SIGTERM")
        time.sleep(0.02)
    tally.runs[signal.Signals(number).name] += 1


def ended(process: subprocess.Popen[str], tally: Tally) -> bool:
    """Whether a process has ended; if not, how much memory it had at most is kept.

    The kernel's own figure for a process that has ended begins with that of the one that started it.
    """
    tally.peak = max(tally.peak, _kilobytes(process.pid, "VmHWM") * 1024)
    return process.poll() is not None


def _kilobytes(pid: int, what: str) -> int:
    found = re.search(rf"{what}:\s+(\d+) kB", _text(Path(f"/proc/{pid}/status")))
    return int(found[1]) if found else 0


def last(at: World, tally: Tally) -> int:
    """Run an upload to its end, and watch its memory."""
    process = at.start("upload", "--quiet")
    began = time.monotonic()
    while not ended(process, tally):
        if held := _kilobytes(process.pid, "VmRSS"):
            tally.watched.append((at.linked(), held * 1024))
        if time.monotonic() - began > HANGS:
            process.kill()
            raise SystemExit(f"a run hangs; see {at.folder / 'output'}")
        time.sleep(0.25)
    tally.runs["left alone"] += 1
    return int(process.returncode)


def play(at: World, options: argparse.Namespace, tally: Tally) -> None:
    """Import, upload with strikes, and upload to the end."""
    chance = random.Random(options.seed)  # noqa: S311 - nothing secret hangs on it
    if at.run("import", str(at.folder / "curriculum"), "--quiet"):
        raise SystemExit(f"the import failed; see {at.folder / 'output'}")
    began = time.monotonic()
    if not options.clean:
        while at.linked() < options.lessons * 3 // 4:
            strike(at, chance, tally)
            print(f"\r{sum(tally.runs.values())} runs, {at.linked()} videos", end="", file=sys.stderr, flush=True)
    code = last(at, tally)
    while code == 3 and tally.runs["left alone"] < 5:  # a video that met six faults in a row is for the next run
        code = last(at, tally)
    tally.seconds = time.monotonic() - began
    print(file=sys.stderr)
    tally.line("exit code of the last run", code, code == 0)


# --- what came of it


def compare(at: World, lessons: int, tally: Tally) -> None:
    """Count what is on Stream and in the catalog."""
    asked = at.asked()
    at.forget("faults")
    faults = Counter(str(entry["fault"]) for entry in asked if entry.get("fault"))
    struck = sum(faults.values())
    told = ", ".join(f"{number} {name}" for name, number in sorted(faults.items()))
    tally.line("requests that Stream got", f"{len(asked):,}")
    tally.line("... of them struck by a fault", f"{struck:,} ({struck / len(asked):.1%}): {told}" if struck else 0)
    held = httpx.get(f"{at.controls}/videos", timeout=300).json()["videos"]
    tally.line("videos on Stream", len(held), len(held) == lessons)
    names = {video["meta"]["name"] for video in held}
    tally.line("different names among them", len(names), len(names) == lessons)
    whole = sum(video["sandbox"]["received"] == video["sandbox"]["length"] for video in held)
    tally.line("... whose bytes are all there", whole, whole == lessons)
    with psycopg.connect(at.url) as connection:
        wanted: dict[str, str] = dict(
            connection.execute("SELECT provider_id, artifact_sha1 FROM upload WHERE state = 'linked'").fetchall()
        )
    media = at.folder / "stream/media"
    same = sum(_sha1(media / uid) == sha1 for uid, sha1 in wanted.items() if (media / uid).exists())
    tally.line("... whose bytes are those that were to be sent (SHA-1)", same, same == lessons)
    tally.line("videos linked in the catalog", at.linked(), at.linked() == lessons)
    open_ones = at.one("SELECT count(*) FROM upload WHERE state IN ('intended', 'created', 'sending', 'sent')")
    tally.line("uploads left open", open_ones, open_ones == 0)
    size = sum(video["sandbox"]["length"] for video in held)
    sent = sum(entry["received"] for entry in asked if entry["kind"] == "patch")
    tally.line("bytes of the videos", f"{size / 1e6:,.1f} MB")
    tally.line("bytes that Stream got beyond them", f"{(sent - size) / 1e6:,.1f} MB ({sent / size - 1:.1%})")


def again(at: World, tally: Tally) -> None:
    """Give the commands again, when nothing is left to do."""
    at.forget("requests")
    code = at.run("upload", "--quiet")
    asked = len(at.asked())
    tally.line("`curri upload` again: exit code, requests", f"{code}, {asked}", (code, asked) == (0, 0))
    for command in (["sync-status", "--wait"], ["fix-metadata"], ["check"]):
        code = at.run(*command, "--quiet")
        tally.line(f"`curri {command[0]}` then: exit code", code, code == 0)


def leaks(at: World, tally: Tally) -> None:
    """Look for what is left."""
    processes = [
        pid
        for pid in Path("/proc").iterdir()
        if pid.name.isdecimal() and _text(pid / "environ").find(f"CURRI_HOME={at.variables['CURRI_HOME']}\0") >= 0
    ]
    tally.line("processes left", len(processes), not processes)
    others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    connections = at.one(f"SELECT count(*) {others}")
    tally.line("connections to the database left", connections, connections == 0)
    locks = at.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    tally.line("locks left in the database", locks, locks == 0)
    sockets = _established(at.stream.pid)
    tally.line("connections to Stream left", sockets, sockets == 0)
    temporary = [path.name for path in (at.folder / "tmp").rglob("*")]
    tally.line("files left in the temporary folder", len(temporary), not temporary)
    cache = [path for path in (at.folder / "home").rglob("*") if path.is_file()]
    odd = [path.name for path in cache if path.suffix not in KEPT and path.name != "lock"]
    tally.line("unfinished files left in CURRI_HOME", ", ".join(odd) or 0, not odd)


def _established(pid: int) -> int:
    """Return how many TCP connections a process has open, those that are listened for aside."""
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", str(handle.readlink()))
        except FileNotFoundError:
            continue
        if found:
            inodes.add(found[1])
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return sum(line[9] in inodes and line[3] == "01" for line in lines)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except (OSError, ProcessLookupError):
        return ""  # it has ended meanwhile


def _sha1(path: Path) -> str:
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def memory(tally: Tally) -> None:
    """Compare what the last run had early and late."""
    tally.line("most memory that a run had", f"{tally.peak / 1e6:.0f} MB")
    done = [linked for linked, _ in tally.watched]
    if not done or done[-1] - done[0] < 100:
        return
    early = max(each for linked, each in tally.watched if linked <= done[0] + (done[-1] - done[0]) / 5)
    late = max(each for linked, each in tally.watched if linked >= done[-1] - (done[-1] - done[0]) / 5)
    text = f"{early / 1e6:.0f} MB, {late / 1e6:.0f} MB"
    tally.line(
        f"... of the last run in its first and last fifth ({done[-1] - done[0]} videos)", text, late < early * 1.1
    )


def table(tally: Tally, lessons: int) -> str:
    """All lines, as Markdown."""
    runs = ", ".join(f"{number} {how}" for how, number in sorted(tally.runs.items()))
    kinds = f"one in {EVERY_ENCODED} encoded, one in {EVERY_LARGE} of three chunks"
    head = [
        f"{lessons:,} lessons with a video each, {kinds}.\n",
        "| what | seen | as promised |\n|---|---|---|",
        f"| runs | {runs} | |",
        f"| time | {tally.seconds:.0f} s | |",
    ]
    marks: Callable[[bool | None], str] = lambda kept: "" if kept is None else "yes" if kept else "**NO**"  # noqa: E731
    return "\n".join([*head, *(f"| {what} | {value} | {marks(kept)} |" for what, value, kept in tally.lines)]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lessons", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    seeded = [{**fault, "seed": options.seed + number} for number, fault in enumerate(FAULTS)]
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="curri-long-") as name:
        folder = Path(name)
        curriculum(folder / "curriculum", options.lessons)
        with world(folder, "[]" if options.clean else json.dumps(seeded)) as at:
            play(at, options, tally)
            compare(at, options.lessons, tally)
            again(at, tally)
            leaks(at, tally)
            memory(tally)
        kept = all(kept is not False for _, _, kept in tally.lines)
        if not kept:
            output = Path(tempfile.gettempdir()) / "curri-long-run.log"
            shutil.copy(folder / "output", output)
            print(f"what the runs said: {output}", file=sys.stderr)
    printed = table(tally, options.lessons)
    print(printed)
    if kept and options.write:
        marks = re.compile(f"{BEGIN}.*{END}", re.DOTALL)
        options.write.write_text(marks.sub(lambda _: f"{BEGIN}\n{printed}{END}", options.write.read_text()))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
