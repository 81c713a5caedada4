"""Changes the code in small ways, one at a time, and counts the changes that no test notices, for each place.

python scripts/mutants.py [PLACE ...]               # `make mutants`; the places stand in pyproject.toml
python scripts/mutants.py --survivors [PLACE ...]   # what the last run left, as differences of the code

Each place is tried in a copy below build/mutants, from the beginning: a result that is kept would not notice that a
test was changed. Leaves with 1 if a place has fewer of its changes noticed than its `least` (percent).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curri.catalog import embedded

TOP = Path(__file__).resolve().parent.parent
COPIES = TOP / "build/mutants"

NOTICED = {
    1: "noticed",
    3: "noticed",
    24: "hung",
    -24: "hung",
    36: "hung",
    152: "hung",
    0: "survived",
    5: "untested",
    33: "untested",
}
"""What mutmut's exit codes say. A test that hangs notices, too; anything else is an accident and counts as survived."""
WORDS = ("noticed", "hung", "survived", "untested")


def main() -> int:
    config = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["curri"]["mutants"]
    places: Mapping[str, dict[str, Any]] = config.pop("places")
    parser = argparse.ArgumentParser(description="Count the changes of the code that no test notices.")
    parser.add_argument("places", nargs="*", metavar="PLACE", help=f"one of {', '.join(places)} (default: all)")
    parser.add_argument("--survivors", action="store_true", help="show what the last run left; run nothing")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time (default: one a core)")
    given = parser.parse_args()
    if unknown := set(given.places) - set(places):
        parser.error(f"no such place: {', '.join(sorted(unknown))}")
    chosen = given.places or list(places)
    if given.survivors:
        for name in chosen:
            _show(name)
        return 0
    low = []
    with tempfile.TemporaryDirectory(prefix="curri-mutants-") as folder, server(Path(folder)) as url:
        for name in chosen:
            settings = dict(places[name])
            least = settings.pop("least")
            _run(name, config | settings, given.jobs, url)
            if _table(name) < least:
                low.append(f"{name}: fewer than {least} % were noticed")
    print("\n".join(low) or "every place has its score", file=sys.stderr)
    return 1 if low else 0


@contextmanager
def server(home: Path) -> Iterator[str]:
    """Start one PostgreSQL for all tests: else every change that is tried would wait for one of its own."""
    with embedded.server(home) as url:
        yield url
    if os.geteuid() == 0:
        shutil.rmtree(embedded.place(home))


def _run(place: str, settings: Mapping[str, Any], jobs: int, database: str) -> None:
    copy, log = COPIES / place, COPIES / f"{place}.log"
    shutil.rmtree(copy, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=TOP, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    paths = [Path(name) for name in listed.split("\0") if name and (TOP / name).is_file()]
    for path in paths:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / path, copy / path)
    # Tests read the documents, the migrations and more: all that is there lies beside the changed code, too.
    beside = sorted({path.parts[0] for path in paths} - {"src", "tests"})
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**settings, "also_copy": beside}.items()]
    with (copy / "pyproject.toml").open("a") as file:
        file.write("\n".join(["\n[tool.mutmut]", *lines, ""]))
    print(f"{place}: trying the changes one by one; see {log.relative_to(TOP)}", file=sys.stderr)
    with log.open("w") as file:
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs)]
        variables = {**os.environ, "CURRI_TEST_DATABASE_URL": database}
        done = subprocess.run(command, cwd=copy, env=variables, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        sys.exit(f"mutmut failed; the end of {log}:\n{log.read_text(errors='replace')[-2000:]}")


def _results(place: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each changed module with what became of its changes, by their names."""
    code = COPIES / place / "mutants/src"
    for path in sorted(code.rglob("*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        if codes:
            yield (
                str(path.relative_to(code).with_suffix("")),
                {name: NOTICED.get(code, "survived") for name, code in codes.items()},
            )


def _table(place: str) -> float:
    """Print the score of each module and of the place; return the latter, in percent."""
    total: Counter[str] = Counter()
    print(f"{place:32}", *(f"{word:>9}" for word in WORDS), f"{'score':>9}")
    for module, became in _results(place):
        _line(module, counts := Counter(became.values()))
        total += counts
    return _line("all", total)


def _line(what: str, counts: Counter[str]) -> float:
    score = 100 * (counts["noticed"] + counts["hung"]) / max(counts.total(), 1)
    print(f"  {what:30}", *(f"{counts[word]:9}" for word in WORDS), f"{score:8.1f}%")
    return score


def _show(place: str) -> None:
    for _, became in _results(place):
        for name in (name for name, what in became.items() if what in ("survived", "untested")):
            subprocess.run([sys.executable, "-m", "mutmut", "show", name], cwd=COPIES / place, check=False)


if __name__ == "__main__":
    sys.exit(main())
