"""Whatever happened, running import, upload, sync-status and fix-metadata until nothing changes puts it right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from curri.errors import ExitCode
from curri.plan.audit import Mark
from curri.sandbox import Sandbox, SandboxSettings
from upload.conftest import Films

from .world import World

ROUNDS = 6
"""More rounds than any history takes to settle: import, upload, look, and a retry of what was found missing."""

lessons = st.integers(1, 4)
kinds = st.sampled_from(["learning", "practice"])
numbers = st.integers(0, 5)
people = st.one_of(
    st.tuples(st.just("put"), lessons, kinds, st.integers(0, 3)),
    st.tuples(st.just("take_away"), lessons, kinds),
    st.tuples(st.just("swap"), lessons, lessons),
    st.tuples(st.just("retitle"), st.sampled_from(["Foundations", "Basics"])),
)
dashboard = st.one_of(
    st.tuples(st.just("rename"), numbers),
    st.tuples(st.just("unlabel"), numbers),
    st.tuples(st.just("annotate"), numbers),
    st.tuples(st.just("wipe"), numbers),
    st.tuples(st.just("delete"), numbers),
    st.tuples(st.just("plant"), numbers),
    st.tuples(st.just("wait"), st.integers(1, 3)),
)
cron = st.sampled_from(
    [("night",), ("night",), ("run_import",), ("run_upload",), ("upload_one",), ("run_sync",), ("run_fix",)]
)
histories = st.lists(st.one_of(people, dashboard, cron), min_size=4, max_size=16)


@pytest.fixture
def world(tmp_path: Path, url: str, films: Films) -> Iterator[World]:
    frozen = SandboxSettings(frozen_clock=True, rate_limit_requests=1_000_000)
    with Sandbox(frozen) as box:
        yield World(tmp_path, url, box, [films.plain(number) for number in range(4)])


def play(world: World, step: tuple[Any, ...]) -> None:
    """Do one thing of a history."""
    what, *how = step
    match what:
        case "rename":
            world.edit(*how, name="video_compressed.mp4")
        case "unlabel":
            world.edit(*how, componentId=None, lessonId=None, uploadId=None)
        case "annotate":
            world.edit(*how, theirs="kept")
        case "night":
            world.run_import()
            world.run_upload()
            world.wait(1)
            world.run_sync()
        case "upload_one":
            world.run_upload(max_uploads=1)
        case _:
            getattr(world, what)(*how)


def settle(world: World) -> int:
    """Run everything until nothing changes; returns after how many rounds that was."""
    before = world.state()
    for number in range(ROUNDS):
        world.run_import()
        world.run_upload(retry_failed=True)
        world.wait(1)
        world.run_sync(every=True)
        world.run_fix()
        now = world.state()
        if now == before:
            return number
        before = now
    raise AssertionError(f"still changing after {ROUNDS} rounds")


@given(history=histories)
@example(history=[("night",), ("put", 1, "learning", 2)])  # a replacement
@example(history=[("night",), ("put", 1, "learning", 2), ("run_import",), ("run_upload",), ("put", 1, "learning", 0)])
@example(history=[("night",), ("swap", 1, 2), ("retitle", "Basics")])
@example(history=[("night",), ("delete", 0), ("unlabel", 0), ("plant", 0)])
@example(history=[("night",), ("take_away", 1, "learning"), ("night",), ("put", 3, "practice", 0), ("wipe", 0)])
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # to shrink a history takes many minutes, and they are short
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_happened_it_ends_in_step(world: World, history: list[tuple[Any, ...]]) -> None:
    world.clear()
    for step in history:
        play(world, step)
    settle(world)
    report = world.check()
    wrong = [finding for finding in report.findings if finding.mark is not Mark.SAME]
    assert (report.exit_code, wrong) == (ExitCode.OK, [])
    assert world.playing() == world.expected()
