"""What a run was and how the catalog stands, as a file that Prometheus reads through node_exporter.

node_exporter puts all files of a folder together. There, a metric must have the same help in every file, and no series
may be in two of them: else it gives out none. So the texts are constants, and every series carries its command.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from curri.catalog import overview, vitals
from curri.catalog.database import Database
from curri.errors import ConfigError, ExitCode

MODE: Final = 0o644
"""Whatever the umask: node_exporter reads the file as another user, and nothing in it is secret."""

STATES: Final = ("due", "uploading", "processing", "ready", "failed")

HELP: Final[Mapping[str, str]] = {
    "curri_last_run_timestamp_seconds": "When the last run of the command ended, in seconds since 1970.",
    "curri_last_run_duration_seconds": "How long the last run of the command took.",
    "curri_last_run_exit_code": "The exit code of the last run of the command.",
    "curri_last_run_success": "Whether the last run of the command ended with exit code 0.",
    "curri_last_run_counts": "What the last run of the command counted, by name.",
    "curri_last_success_timestamp_seconds": "When the command last ended with exit code 0, in seconds since 1970.",
    "curri_videos": "Videos of the curriculum by status, as the catalog was after the last run of the command.",
    "curri_stream_minutes": "Minutes of linked videos on Stream, as after the last run of the command.",
    "curri_oldest_unfinished_video_age_seconds": (
        "How long ago the oldest video was begun that is neither ready nor failed; 0 if there is none."
    ),
}
"""Every metric; all are gauges."""

_LAST_SUCCESS: Final = "curri_last_success_timestamp_seconds"


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended."""

    command: str
    at: float  # seconds since 1970
    seconds: float
    exit_code: ExitCode
    counts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """How the catalog stands."""

    videos: Mapping[str, int]  # by status
    minutes: float  # on Stream and linked
    unfinished: float  # seconds since the oldest video was begun that is neither ready nor failed; 0: there is none
    last_success: float | None  # of the command, as the ledger has it


def gather(database: Database, command: str) -> State:
    """Return how the catalog stands now. Reads only. Raises DatabaseError."""
    videos: Counter[str] = Counter()
    seconds = 0.0
    for row in overview.lessons(database, None):
        seconds += row.seconds
        for name in STATES:
            videos[name] += getattr(row, name)
    with database.transaction() as connection:
        known = vitals.read(connection, command)
    return State({name: videos[name] for name in STATES}, seconds / 60, known.unfinished, known.last_success)


def text(run: Ended, state: State | None, before: str = "") -> str:
    """Return the file, in Prometheus's text format. Without a state, what is known of the run alone.

    `before` is what the file held: the last success may be known from there only, as the ledger has no runs that
    found nothing to do.
    """
    series: dict[str, list[tuple[dict[str, str], float]]] = {name: [] for name in HELP}
    mine = {"command": run.command}
    series["curri_last_run_timestamp_seconds"].append((mine, run.at))
    series["curri_last_run_duration_seconds"].append((mine, run.seconds))
    series["curri_last_run_exit_code"].append((mine, int(run.exit_code)))
    series["curri_last_run_success"].append((mine, int(run.exit_code is ExitCode.OK)))
    for name, count in run.counts.items():
        series["curri_last_run_counts"].append(({**mine, "name": name}, count))
    successes = [_success_in(before, run.command), state.last_success if state else None]
    successes += [run.at] if run.exit_code is ExitCode.OK else []
    if known := [moment for moment in successes if moment is not None]:
        series[_LAST_SUCCESS].append((mine, max(known)))
    if state is not None:
        for status, count in state.videos.items():
            series["curri_videos"].append(({**mine, "status": status}, count))
        series["curri_stream_minutes"].append((mine, state.minutes))
        series["curri_oldest_unfinished_video_age_seconds"].append((mine, state.unfinished))
    return "".join(_family(name, found) for name, found in series.items() if found)


def _family(name: str, series: list[tuple[dict[str, str], float]]) -> str:
    lines = [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge"]
    for labels, value in series:
        shown = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        lines.append(f"{name}{{{shown}}} {round(value, 3):.15g}")
    return "".join(f"{line}\n" for line in lines)


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _success_in(before: str, command: str) -> float | None:
    found = re.search(rf'^{_LAST_SUCCESS}{{command="{re.escape(_escaped(command))}"}} ([0-9.]+)$', before, re.MULTILINE)
    with suppress(ValueError):
        return float(found[1]) if found else None
    return None


def place(given: Path, command: str) -> Path:
    """Return the file that a setting means for a command: itself, or the command's own in it if it is a folder.

    Raises ConfigError if a file could not be written there: tried out, as permissions do not tell all.
    """
    path = Path(os.path.realpath(given.expanduser()))  # a link stays, and what it leads to is replaced
    hint = "--metrics (CURRI_METRICS) names a file in a folder where this user may make files"
    try:
        if path.is_dir():
            path = path / f"curri-{command.replace(' ', '-')}.prom"
        _refuse(path)
        with _beside(path) as trial:
            trial.touch(exist_ok=False)
    except OSError as error:
        raise ConfigError(
            f"the file for metrics cannot be written: {error.strerror or error}", where=str(path), hint=hint
        ) from error
    return path


def _refuse(path: Path) -> None:
    """Raise OSError if what lies there now must not, or could not, be replaced."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(there.st_mode):  # to rename a file over /dev/null would take it from everybody
        raise OSError("it is not a plain file")
    folder = path.parent.stat()
    if folder.st_mode & stat.S_ISVTX and os.geteuid() not in (0, there.st_uid, folder.st_uid):
        raise OSError("it belongs to another user, in a folder where only its owner may replace it")


def former(path: Path) -> str:
    """Return what the file holds; "" if there is none, or none that can be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def write(path: Path, content: str) -> None:
    """Put a file in place in one step: whoever reads it sees the old one or the new one. Raises OSError."""
    with _beside(path) as whole:
        with whole.open("x", encoding="utf-8") as file:  # never through a link that somebody has laid there
            file.write(content)
        whole.chmod(MODE)
        whole.replace(path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a temporary name in the same folder, not one that node_exporter reads; what is there goes in the end."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
