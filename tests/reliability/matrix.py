"""The kill matrix: a run is struck at one point, and the same command is given again."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curri.sandbox import Fault, When
from reliability.studio import Studio
from reliability.world import World, at_most_a_chunk_twice, check, check_nothing_left, world

PARTS = 6
"""Into how many tests the points of a scenario are dealt."""


@dataclass(frozen=True)
class Scenario:
    """What a run has to do when it is struck."""

    name: str
    what: str
    arguments: tuple[str, ...]
    lessons: tuple[str, ...]
    template: str = "new"
    faults: tuple[Fault, ...] = ()
    how: tuple[str, ...] = ("killed", "hung")
    ordered: bool = True  # the points always come in the same order
    since: str = "commit: intend"  # the first point at which a run is struck; before it all scenarios are alike


SCENARIOS = (
    Scenario("chunks", "a video that is sent as it is, in three chunks", ("upload", "--lesson=1"), ("01",), since=""),
    Scenario("encode", "a video that is encoded first", ("upload", "--lesson=2"), ("02",)),
    Scenario(
        "replacement",
        "a video whose file has changed; the old one plays until the new one can (`--wait`)",
        ("upload", "--lesson=1", "--wait"),
        ("01",),
        template="changed",
    ),
    Scenario(
        "lost answer",
        "the answer to the creation is lost on the way",
        ("upload", "--lesson=1"),
        ("01",),
        faults=(Fault("drop-after", When(path="create")),),
    ),
    Scenario(
        "together",
        "both videos in one run: one is encoded while the other is sent",
        ("upload",),
        ("01", "02"),
        how=("killed",),
        ordered=False,
    ),
)


@dataclass(frozen=True)
class Line:
    """One line of the printed matrix."""

    scenario: str
    how: str
    number: int
    point: str
    ok: bool
    stream: str = ""  # what was there when it was struck
    catalog: str = ""
    next_run: str = ""  # what the next run asked Stream for
    videos: int = 0  # that the runs have left on Stream
    twice: int = 0  # bytes

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Matrix:
    """Strikes runs of the scenarios, each in a world of its own."""

    def __init__(self, studio: Studio, folder: Path) -> None:
        self._studio = studio
        self._folder = folder
        self._points: dict[str, list[str]] = {}

    def points(self, scenario: Scenario) -> list[str]:
        """The points that a run passes that nothing happens to; counted once."""
        if scenario.name not in self._points:
            with self._world(scenario, "count") as here:
                run = here.start(*scenario.arguments)
                assert run.done().code == 0
                check(here, *scenario.lessons)
                self._points[scenario.name] = run.points
        return self._points[scenario.name]

    def numbers(self, scenario: Scenario) -> range:
        """The numbers of the points at which its runs are struck; the first is 1."""
        points = self.points(scenario)
        first = next(number for number, point in enumerate(points, 1) if point.startswith(scenario.since))
        return range(first, len(points) + 1)

    def struck(self, scenario: Scenario, number: int, how: str) -> Line:
        """Strike a run at a point; run the same command again; see that all is well, and nothing is left to do."""
        strike = {"killed": _killed, "hung": _hung}[how]
        with self._world(scenario, f"{how}-{number}") as here:
            seen = strike(here, scenario, number)
            twice = at_most_a_chunk_twice(here)
            check(here, *scenario.lessons)
            check_nothing_left(here, *scenario.arguments)
        assert not scenario.ordered or seen["point"] == self.points(scenario)[number - 1]
        return Line(scenario.name, how, number, ok=True, **seen, twice=twice)

    def _world(self, scenario: Scenario, name: str) -> AbstractContextManager[World]:
        folder = self._folder / f"{scenario.name.replace(' ', '-')}-{name}"
        folder.mkdir()
        return world(self._studio, scenario.template, folder, faults=scenario.faults)


def _killed(here: World, scenario: Scenario, number: int) -> dict[str, Any]:
    """Kill a run at a point, and run the command again."""
    run = here.start(*scenario.arguments, at=number)
    run.killed()
    seen = {"point": run.points[-1], **_seen(here)}
    before = len(here.box.requests())
    here.run(*scenario.arguments)
    return {**seen, "next_run": _asked(here, before), "videos": len(here.videos())}


def _hung(here: World, scenario: Scenario, number: int) -> dict[str, Any]:
    """Stop a run at a point until its lease is over and another host has done its work, and let it go on then."""
    run = here.start(*scenario.arguments, at=number, how="SIGSTOP")
    run.stopped()
    seen = {"point": run.points[-1], **_seen(here)}
    here.runs_out()
    before = len(here.box.requests())
    here.run(*scenario.arguments, host="another")
    next_run = _asked(here, before)
    run.go_on()
    return {**seen, "next_run": next_run, "videos": len(here.videos())}


def _seen(here: World) -> dict[str, str]:
    """What is there at this moment."""
    videos = [
        "whole" if video.uploaded is not None else f"open, {video.received / 1e6:.1f} MB" for video in here.videos()
    ]
    uploads = [row["state"] for row in here.uploads()]
    links = here.rows("SELECT state::text FROM component_video WHERE state = 'pending'")
    return {
        "stream": " + ".join(videos) or "nothing",
        "catalog": " + ".join([*uploads, *(row["state"] for row in links)]) or "nothing",
    }


def _asked(here: World, before: int) -> str:
    """The requests since then, in few words."""
    kinds = Counter(entry.kind for entry in here.box.requests()[before:])
    return ", ".join(f"{count} x {kind}" if count > 1 else kind for kind, count in kinds.items()) or "nothing"
