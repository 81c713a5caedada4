"""Keeping the ledger of runs while a flow works."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from curri.catalog import runs
from curri.catalog.database import Database
from curri.errors import CurriError, DatabaseError, ExitCode


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended, or (without an id) what one would do."""

    exit_code: ExitCode
    counts: Mapping[str, float]
    run_id: int | None = None


class Entry:
    """One run while it lasts; the flow says in the end how it went."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.exit_code = ExitCode.BUG
        self.counts: Mapping[str, float] = {}

    def ended(self, exit_code: ExitCode, counts: Mapping[str, float]) -> None:
        """Say how the run went; recorded when the run's block ends."""
        self.exit_code = exit_code
        self.counts = counts


@contextmanager
def entry(database: Database, command: str, arguments: Mapping[str, Any], version: str) -> Iterator[Entry]:
    """Record a run from its begin to its end, also if it ends with an error, which then carries id and counts."""
    mine = Entry(runs.begin(database, command, arguments, version))
    try:
        yield mine
    except CurriError as error:
        error.run_id, error.counts = mine.run_id, mine.counts
        with suppress(DatabaseError):  # the first error is the one to report; a run without an end was cut off
            runs.end(database, mine.run_id, error.exit_code, mine.counts)
        raise
    except Exception:
        with suppress(DatabaseError):
            runs.end(database, mine.run_id, ExitCode.BUG, mine.counts)
        raise
    runs.end(database, mine.run_id, mine.exit_code, mine.counts)
