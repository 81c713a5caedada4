"""What a large library takes: 10,000 videos on Stream and in the catalog. Lines for the table of bench.py.

The videos are planted on the sandbox with the metadata that curri would have sent, and linked by `curri adopt`.
"""

from __future__ import annotations

import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
from bench import OLD_NS, Line, Run, Server, curri, run
from uploading import clip, imported, played

from curri.catalog import uploads
from curri.catalog.database import connect
from curri.flow.jobs import titles
from curri.flow.worker import about_video
from curri.plan.metadata import Attempt, metadata

PAGES = "import sys, library; library.pages(*sys.argv[1:])"
UNLIMITED = (
    "from curri.stream.budget import Budget; "
    "Budget.__init__.__kwdefaults__.update(calls=10**7, burst=10**6); "
    "from curri.cli.main import main; main()"
)
"""`curri` without Stream's limit on calls: with it, ten thousand edits take an hour and a half whatever curri does."""
LABELS = {"CURRI_MANAGED_BY": "Bench", "CURRI_PROGRAM": "Bench"}


def pages(stream: str, account: str, token: str, database: str) -> None:
    """The floor: get every page of the listing, and the rows of all videos."""
    found: set[str] = set()
    start: dict[str, str] = {}
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        while True:
            query = {"asc": "true", "limit": "1000", **start}
            rows = client.get(f"{stream}/accounts/{account}/stream", params=query).json()["result"]
            found |= {row["uid"] for row in rows}
            if len(rows) < 1000:
                break
            start = {"start": rows[-1]["created"]}
    with psycopg.connect(database) as connection:
        held = connection.execute("SELECT * FROM video").fetchall()
    if len(found) != len(held):
        raise SystemExit(f"{len(found)} videos on Stream, {len(held)} in the catalog")


def tree(root: Path, count: int) -> None:
    """Make lessons of one short video each, no two alike."""
    made = root.parent / "small.mp4"
    clip(made, "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10:duration=1", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    body = made.read_bytes()
    for number in range(count):
        course, lesson = divmod(number, 100)
        path = root / f"Course_{course + 1:03d}/Lesson_{lesson + 1:02d}/learning/video.mp4"
        path.parent.mkdir(parents=True)
        path.write_bytes(body + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big"))
        os.utime(path, ns=(OLD_NS, OLD_NS))


def plant(controls: str, url: str) -> None:
    """Put on Stream what curri would have sent."""
    sent = datetime(2026, 1, 1, tzinfo=UTC)
    with connect(url) as database, database.snapshot() as connection:
        every = uploads.read(connection)
    names = titles(every)
    items = []
    for video in every:
        attempt = Attempt(str(uuid.uuid4()), video.source.sha1, compressed=False, uploaded_at=sent)
        labels = {"managed_by": LABELS["CURRI_MANAGED_BY"], "program": LABELS["CURRI_PROGRAM"]}
        items.append({"meta": metadata(names[video.id], about_video(video), attempt, **labels), "duration": 1.0})
    httpx.post(f"{controls}/videos", json=items, timeout=300).raise_for_status()


def lines(folder: Path, server: Server, count: int) -> list[Line]:
    """All lines about a large library."""
    root = folder / "library"
    tree(root, count)
    found: list[Line] = []
    with played() as world:
        variables = imported(server, root, folder / "home-library", world) | LABELS
        controls = world["CURRI_STREAM_URL"].partition("/client")[0] + "/__sandbox__"
        plant(controls, variables["CURRI_DATABASE_URL"])

        def asked() -> int:
            return len(httpx.get(f"{controls}/requests", timeout=60).json()["requests"])

        def took(what: str, *command: str, most: int | None = None, unlimited: bool = False) -> Run:
            httpx.delete(f"{controls}/requests").raise_for_status()
            program = ["-c", UNLIMITED] if unlimited else ["-m", "curri"]
            done = run(sys.executable, *program, *command, **variables)
            requests = asked()
            limit, kept = ("no limit", True) if most is None else (f"at most {most} requests", requests <= most)
            shown = f"{done.seconds:.1f} s, {requests:,} requests, {done.memory / 1e6:.0f} MB"
            found.append(Line(f"{what}, {count:,} videos", shown, *beside(done), limit, kept))
            return done

        least = 0.0

        def beside(done: Run) -> tuple[str, str]:
            return (f"{least:.1f} s", f"{done.seconds / least:.1f} x") if least else ("", "")

        took("adopt, linking", "adopt", "--yes", "--quiet", most=12)
        given = [world["CURRI_STREAM_URL"], world["CLOUDFLARE_ACCOUNT_ID"], world["CLOUDFLARE_API_TOKEN"]]
        floor = [sys.executable, "-c", PAGES, *given, variables["CURRI_DATABASE_URL"]]
        least = min(run(*floor, PYTHONPATH=str(Path(__file__).parent)).seconds for _ in range(3))
        took("sync-status --all", "sync-status", "--all", "--quiet", most=12)
        took("sync-status, none due", "sync-status", "--quiet", most=0)
        took("check", "check", "--quiet", most=12)
        took("fix-metadata, nothing to edit", "fix-metadata", "--quiet", most=12)
        least = 0.0
        for course in root.iterdir():
            (course / "course.toml").write_text('title = "Another"\n')
        curri("import", str(root), **variables)
        took("fix-metadata, all edited", "fix-metadata", "--quiet", unlimited=True)
        took("status", "status", most=0)
    return found
