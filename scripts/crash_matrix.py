"""Prints the kill matrix as Markdown: runs its tests, on two cores about three minutes, and shows what they saw.

python scripts/crash_matrix.py [FILE]      # with a file, the table between the marks in it is replaced
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "tests")]

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
HEAD = "| n | point | on Stream then | in the catalog | the next run asked for | videos | bytes twice | ok |"
TITLES = {
    "killed": "Killed (SIGKILL), and the command given again",
    "hung": "Hung (SIGSTOP) past its lease, another host took over, then it went on",
}

Row = Mapping[str, Any]


class Collector:
    """Gathers the lines that the tests record."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.rows += [value for name, value in report.user_properties if name == "line" and isinstance(value, dict)]


def tables(rows: Iterable[Row]) -> str:
    """All tables, one for each scenario and way to be struck."""
    from reliability.matrix import SCENARIOS  # not before pytest, which wants to see to its own imports first

    found = sorted(rows, key=lambda row: int(row["number"]))
    text = []
    for how, title in TITLES.items():
        text.append(f"### {title}\n")
        for scenario in SCENARIOS:
            mine = [row for row in found if (row["scenario"], row["how"]) == (scenario.name, how)]
            if mine:
                text += [f"**{scenario.name}**: {scenario.what}\n", HEAD, "|---" * 8 + "|", *map(_line, mine), ""]
    return "\n".join(text)


def _line(row: Row) -> str:
    cells = [str(row[cell]) for cell in ("number", "point", "stream", "catalog", "next_run", "videos")]
    return f"| {' | '.join(cells)} | {row['twice']:,} | {'yes' if row['ok'] else '**NO**'} |"


def main() -> int:
    collector = Collector()
    tests = str(TOP / "tests/reliability/test_kill_matrix.py")
    options = ["-q", "-n", "2", "--no-header", "--rootdir", str(TOP), "-c", str(TOP / "pyproject.toml")]
    code = pytest.main([*options, tests], plugins=[collector])
    printed = tables(collector.rows)
    print(printed)
    if code == 0 and len(sys.argv) > 1:
        document = Path(sys.argv[1])
        marks = re.compile(f"{BEGIN}.*{END}", re.DOTALL)
        document.write_text(marks.sub(lambda _: f"{BEGIN}\n{printed}{END}", document.read_text()))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
