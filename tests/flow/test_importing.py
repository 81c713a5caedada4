"""What `curri import` promises, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.postgres import everything
from support.trees import SMALL

from curri.catalog.database import Database
from curri.cli.progress import Silent
from curri.flow import importing
from curri.flow.importing import Options
from curri.model import Report


def do_import(database: Database, root: Path, **options: bool) -> Report:
    return importing.run(database, root, Options(**options), Silent(), version="test")


def test_a_second_import_changes_no_row(database: Database, url: str, curriculum: Callable[..., Path]) -> None:
    root = curriculum(SMALL)
    first = do_import(database, root)
    assert first.counts["new"] == 9
    before = everything(url)
    second = do_import(database, root)
    assert everything(url) == before
    assert second.counts["rows_changed"] == 0
    assert second.counts["unchanged"] == 9
