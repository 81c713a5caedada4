"""How `curri upload` shows its plan, each video as it ends, and what it all came to."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from curri.cli import upload
from curri.cli.output import Output
from curri.errors import ExitCode, ToolError
from curri.flow.jobs import Item
from curri.flow.upload import Planned, Report
from curri.model import Result

ITEM = Item(
    path="course_01/01/learning/video.mp4",
    outcome=Result.DONE,
    reason="encode: it is interlaced",
    name="course_01_L01_learning",
    uid="0" * 32,
    action="encode",
    size=11_940_000,
    seconds=40.0,
    watch="https://example.org/watch",
)
BAD = Item("course_01/02/b.mp4", Result.FAILED, "not-a-video: this is a text", name="course_01_L02_b")
SENT = Planned(
    *("course_01/02/practice/video.mp4", "course_01_L02_practice", "new", "passthrough", "fine"),
    *(2_100_000, 4 / 60, 4 / 60 * 0.005),
)
ENCODED = Planned(
    *("course_01/01/learning/video.mp4", "course_01_L01_learning", "resume", "encode", "it is interlaced"),
    *(14_700_000, 40 / 60, 40 / 60 * 0.005),
)
NONE = Planned("course_01/04/b.mp4", "course_01_L04_b", "new", "none", "not-a-video: this is a text", 0, 0.0, 0.0)
COUNTS = {
    "videos": 9,
    "uploaded": 0,
    "relinked": 0,
    "unchanged": 0,
    "failed": 0,
    "blocked": 0,
    "left": 0,
    "bytes": 0,
    "minutes": 0,
}


def made(**options: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    output = Output(out=out, err=err)
    for name, value in options.items():
        setattr(output, name, value)
    return output, out, err


def item(each: Item, **options: bool) -> tuple[str, str]:
    output, out, err = made(**options)
    upload._item(output, each)
    return out.getvalue(), err.getvalue()


def ended(**counts: float) -> str:
    output, out, _ = made()
    upload._sentence(output, {**COUNTS, **counts})
    return out.getvalue()


def plan(
    *planned: Planned,
    problem: ToolError | None = None,
    not_asked: str | None = None,
    as_json: bool = False,
    **counts: float,
) -> tuple[list[str], str]:
    output, out, err = made(as_json=as_json)
    minutes = sum(each.minutes for each in planned)
    every = {**COUNTS, "minutes": minutes, "usd_per_month": minutes * 0.005, **counts}
    upload._plan(output, Report(ExitCode.OK, every, planned, problem, not_asked))
    return out.getvalue().splitlines(), err.getvalue()


# --- items


def test_a_video_that_was_sent_says_where_it_is() -> None:
    out, err = item(ITEM)
    assert out.splitlines() == [
        "sent      course_01/01/learning/video.mp4 -> course_01_L01_learning",
        "          11.9 MB, encode: it is interlaced",
        "          https://example.org/watch",
    ]
    assert err == ""
    out, _ = item(replace(ITEM, watch=None))
    assert len(out.splitlines()) == 2


@pytest.mark.parametrize("outcome", [Result.FAILED, Result.BLOCKED])
def test_what_went_wrong_is_said_on_standard_error_even_when_quiet(outcome: Result) -> None:
    each = replace(BAD, outcome=outcome)
    told = f"{outcome.value:<9} course_01/02/b.mp4: not-a-video: this is a text\n"
    assert item(each) == item(each, quiet=True) == ("", told)


def test_what_is_as_it_was_is_said_on_request_only() -> None:
    each = Item("course_01/01/a.mp4", Result.UNCHANGED, "on Stream")
    assert item(each) == item(each, quiet=True) == ("", "")
    assert item(each, verbose=True) == ("unchanged course_01/01/a.mp4: on Stream\n", "")


def test_quiet_says_nothing_of_what_went_well() -> None:
    assert item(ITEM, quiet=True) == ("", "")


def test_an_item_in_json_has_all_that_is_known() -> None:
    out, err = item(ITEM, as_json=True)
    assert err == ""
    assert json.loads(out) == {
        "type": "item",
        "path": "course_01/01/learning/video.mp4",
        "outcome": "done",
        "reason": "encode: it is interlaced",
        "name": "course_01_L01_learning",
        "uid": "0" * 32,
        "action": "encode",
        "size": 11_940_000,
        "seconds": 40.0,
        "watch": "https://example.org/watch",
    }
    out, err = item(BAD, as_json=True)
    assert json.loads(out) == {
        "type": "item",
        "path": "course_01/02/b.mp4",
        "outcome": "failed",
        "reason": "not-a-video: this is a text",
        "name": "course_01_L02_b",
        "size": 0,
        "seconds": 0.0,
    }
    out, _ = item(Item("course_01/01/a.mp4", Result.UNCHANGED, "on Stream"), as_json=True)
    assert json.loads(out)["outcome"] == "unchanged"


# --- the closing line


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({}, "nothing to do"),
        ({"unchanged": 3}, "nothing to do; 3 unchanged"),
        ({"left": 2}, "nothing to do; 2 left for another run"),
        ({"relinked": 1, "unchanged": 2}, "nothing was sent; 1 linked again, 2 unchanged"),
        ({"failed": 1, "unchanged": 3}, "nothing was sent; 3 unchanged, 1 failed"),
        ({"blocked": 1}, "nothing was sent; 1 blocked"),
        ({"uploaded": 1, "bytes": 999, "minutes": 0.02}, "1 video sent: 999 B, 0.0 minutes"),
        (
            {"uploaded": 12, "bytes": 31e9, "minutes": 100.26, "failed": 1, "blocked": 2, "left": 3, "unchanged": 4},
            "12 videos sent: 31.0 GB, 100.3 minutes; 4 unchanged, 1 failed, 2 blocked, 3 left for another run",
        ),
    ],
)
def test_the_closing_line(counts: dict[str, float], line: str) -> None:
    assert ended(**counts) == f"{line}\n"


# --- the plan


def test_a_plan_says_what_would_be_done_and_why_and_what_it_comes_to() -> None:
    lines, err = plan(ENCODED, SENT, unchanged=2)
    assert lines == [
        "encode    course_01/01/learning/video.mp4 -> course_01_L01_learning",
        "          resume, at most 14.7 MB, 0.7 min; it is interlaced",
        "send      course_01/02/practice/video.mp4 -> course_01_L02_practice",
        "          new, 2.1 MB, 0.1 min; fine",
        "2 videos would be sent: at most 16.8 MB, 0.7 minutes, less than 0.01 USD a month; 2 unchanged",
    ]
    assert err == ""


def test_a_plan_without_encodes_knows_its_size() -> None:
    lines, _ = plan(SENT, usd_per_month=1.234)
    assert lines[-1] == "1 video would be sent: 2.1 MB, 0.1 minutes, 1.23 USD a month"


def test_a_plan_says_what_would_fail_and_does_not_count_it() -> None:
    lines, _ = plan(SENT, NONE, blocked=1)
    assert lines[2] == "fail      course_01/04/b.mp4: not-a-video: this is a text"
    assert lines[3] == (
        "1 video would be sent: 2.1 MB, 0.1 minutes, less than 0.01 USD a month; 1 would fail, 1 blocked"
    )
    assert plan(NONE)[0][-1] == "nothing can be sent; 1 would fail"


def test_a_plan_of_nothing_is_one_line() -> None:
    assert plan(not_asked="CLOUDFLARE_API_TOKEN") == (["nothing to do"], "")
    assert plan(unchanged=3, left=1) == (["nothing to do; 3 unchanged, 1 left for another run"], "")


def test_a_plan_says_that_stream_was_not_asked() -> None:
    lines, _ = plan(SENT, not_asked="CLOUDFLARE_API_TOKEN")
    assert lines[-1] == "Stream was not asked whether there is room: CLOUDFLARE_API_TOKEN is not set"


def test_a_plan_says_what_would_stop_the_run() -> None:
    lines, err = plan(SENT, problem=ToolError("there is no ffmpeg", hint="install ffmpeg"))
    assert len(lines) == 3
    assert err == "curri: there is no ffmpeg\n  hint: install ffmpeg\n"


def test_a_plan_in_json_keeps_the_cost_of_each_video() -> None:
    lines, _ = plan(ENCODED, NONE, as_json=True)
    objects = [json.loads(line) for line in lines]
    assert objects == [
        {
            "type": "plan",
            "path": "course_01/01/learning/video.mp4",
            "name": "course_01_L01_learning",
            "due": "resume",
            "action": "encode",
            "why": "it is interlaced",
            "size": 14_700_000,
            "minutes": 40 / 60,
            "usd_per_month": 40 / 60 * 0.005,
        },
        {**_values(NONE), "type": "plan"},
    ]


def _values(planned: Planned) -> dict[str, Any]:
    return {name: getattr(planned, name) for name in Planned.__slots__}
