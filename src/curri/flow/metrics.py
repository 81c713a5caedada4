"""What a monitor may want to know, as a text file for the node exporter of Prometheus."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from curri.catalog import overview, tracking
from curri.catalog.database import Database
from curri.errors import ConfigError

STATES = ("due", "uploading", "processing", "ready", "failed")


def render(database: Database) -> str:
    """Return the numbers of the catalog in the text format of Prometheus (version 0.0.4). Raises DatabaseError."""
    lessons = overview.lessons(database, None)
    with database.transaction() as connection:
        now = tracking.now(connection).timestamp()
    lines = [
        "# HELP curri_videos Videos of the curriculum by what became of them.",
        "# TYPE curri_videos gauge",
        *(f'curri_videos{{state="{state}"}} {sum(getattr(row, state) for row in lessons)}' for state in STATES),
        "# HELP curri_stream_seconds Duration of the videos that are linked.",
        "# TYPE curri_stream_seconds gauge",
        f"curri_stream_seconds {sum(row.seconds for row in lessons):.3f}",
        "# HELP curri_last_sync_timestamp_seconds When the catalog was last brought up to date with Stream.",
        "# TYPE curri_last_sync_timestamp_seconds gauge",
        f"curri_last_sync_timestamp_seconds {now:.0f}",
    ]
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    """Replace `path` in one step: who reads it sees the old text or the new. Raises ConfigError."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).chmod(0o644)  # the exporter runs as another user
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(
            f"the metrics cannot be written: {error.strerror}", where=str(path), hint="check --metrics"
        ) from error
