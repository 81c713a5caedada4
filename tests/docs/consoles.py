"""Blocks of console in the documents: what is typed, what is said to be printed, and a bash that tries it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from .pages import blocks

SECONDS = 180
MARK = "\x1e"
ANY_ORDER = ("curri upload", "curri sync-status", "curri adopt")
"""Commands that work on several videos at once: which of them is printed first is nobody's promise."""


class Step(NamedTuple):
    """A command line of a page, and the lines that stand below it."""

    command: str
    said: tuple[str, ...]


class Played(NamedTuple):
    """A step that was tried."""

    step: Step
    printed: tuple[str, ...]
    code: int

    @property
    def problem(self) -> str | None:
        """What differs from the page; None if nothing does. A step without lines below it may print anything."""
        said = self.step.said
        if not said or _fits(said, self.printed, in_order=not self.step.command.startswith(ANY_ORDER)):
            return None
        return "\n".join([f"$ {self.step.command}", "--- the page says", *said, "--- it prints", *self.printed])


def consoles(page: Path) -> list[list[Step]]:
    """Return the steps of every block of console."""
    return [_steps(block) for block in blocks(page, "console")]


def _steps(block: str) -> list[Step]:
    found: list[tuple[list[str], list[str]]] = []
    ending = None  # of a here-document: its lines belong to the command
    for line in block.splitlines():
        if ending is not None:
            found[-1][0].append(line)
            ending = None if line == ending else ending
        elif line.startswith("$ "):
            found.append(([line.removeprefix("$ ")], []))
            here = re.search(r"<<'?(\w+)'?$", line)
            ending = here[1] if here else None
        elif found:
            found[-1][1].append(line)
    assert ending is None, block
    return [Step("\n".join(typed), tuple(said)) for typed, said in found]


def play(
    steps: Iterable[Step], places: Mapping[str, str], environment: Mapping[str, str], folder: Path
) -> list[Played]:
    """Have one bash do all steps, one after the other. `places` says what stands for what, on this machine."""
    steps = list(steps)
    script = ["exec 2>&1"]
    for step in steps:
        typed = there(step.command, places)
        script += [typed, "__=$?; printf '\\036%s\\036' $__; (exit $__)"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert not done.stderr, done.stderr
    parts = done.stdout.split(MARK)
    assert len(parts) == 2 * len(steps) + 1, done.stdout
    return [
        Played(step, tuple(back(parts[2 * n], places).splitlines()), int(parts[2 * n + 1]))
        for n, step in enumerate(steps)
    ]


def there(text: str, places: Mapping[str, str]) -> str:
    """Return a text of the page with the places of this machine."""
    for named, place in places.items():
        text = text.replace(named, place)
    return text


def back(text: str, places: Mapping[str, str]) -> str:
    """Return what was printed here with the places that the page names."""
    for named, place in places.items():
        text = text.replace(place, named)
    return text


def _fits(said: tuple[str, ...], printed: tuple[str, ...], *, in_order: bool) -> bool:
    if in_order:
        pattern = "".join(r"(?:.*\n)*?" if line == "..." else f"{_pattern(line)}\n" for line in said)
        return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None
    left = list(printed)
    for line in said:
        if line != "...":
            found = next((each for each in left if re.fullmatch(_pattern(line), each)), None)
            if found is None:
                return False
            left.remove(found)
    return not left or "..." in said


def _pattern(line: str) -> str:
    """Return what a line of the page stands for: `d8b8...` for an id, `...` for anything, a time for any time."""
    pattern = re.escape(line.rstrip()).replace(r"\.\.\.", "...")
    pattern = re.sub(r"(?<![0-9a-f])[0-9a-f]{4}\.\.\.", "[0-9a-f-]{32,40}", pattern)
    pattern = re.sub(r"[0-9]{4}\\-[0-9]{2}\\-[0-9]{2}\\ [0-9:]{5,8}", r"[0-9-]{10} [0-9:]{5,8}", pattern)
    pattern = re.sub(r"(?<=\S)(?:\\ ){2,}", r"\\s+", pattern)  # columns are as wide as what differs makes them
    return pattern.replace("...", ".*") + r"\s*"
