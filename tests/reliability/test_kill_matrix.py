"""A run is killed, or hangs, at every point; the next one brings every video to Stream once, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reliability.matrix import PARTS, SCENARIOS, Line, Matrix, Scenario
from reliability.studio import Studio

CASES = [(how, scenario, part) for scenario in SCENARIOS for how in scenario.how for part in range(PARTS)]


@pytest.fixture(scope="session")
def matrix(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    return Matrix(studio, tmp_path_factory.mktemp("matrix"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "scenario", "part"),
    CASES,
    ids=[f"{how}-{scenario.name.replace(' ', '-')}-{part + 1}-of-{PARTS}" for how, scenario, part in CASES],
)
def test_every_video_arrives_once_whatever_happened_to_the_run_before(
    matrix: Matrix, how: str, scenario: Scenario, part: int, record_property: Callable[[str, object], None]
) -> None:
    points = matrix.points(scenario)
    failed = []
    for number in matrix.numbers(scenario)[part::PARTS]:
        try:
            line = matrix.struck(scenario, number, how)
        except AssertionError as error:
            failed.append(f"{how} at point {number}, {points[number - 1]}: {error}")
            line = Line(scenario.name, how, number, points[number - 1], ok=False)
        record_property("line", line.as_json())
    assert not failed, "\n\n".join(failed)


def test_the_order_of_writes(matrix: Matrix) -> None:
    chunk = ["exchange: send", "commit: acknowledged"]
    points = matrix.points(SCENARIOS[0])
    assert points[points.index("commit: intend") :] == [
        "commit: intend",
        "commit: decide",
        "commit: ask",
        "exchange: create",
        "commit: created",
        *chunk * 3,
        "commit: sent",
        "exchange: get",
        "commit: put, sent_as, link, make_current, close linked",
        "commit: end",
        "commit: dismiss",
    ]
