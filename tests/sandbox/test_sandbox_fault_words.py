"""The words of the fault script, and when a fault is due."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.errors import ConfigError
from curri.sandbox import Fault, SandboxSettings, When, read_faults
from curri.sandbox.faults import FaultScript, parse_faults


@dataclass
class _Call:
    method: str = "GET"
    path: str = "/client/v4/accounts/acc/stream"
    kind: str = "list"
    name: str | None = None


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ({}, '"do"'),
        ("drop-before", "JSON object"),
        ({"do": "explode"}, "not something that can go wrong"),
        ({"do": "drop-after", "nth": 2}, '"nth" is not a word of a fault'),
        ({"do": "drop-after", "when": {"nht": 2}}, 'did you mean "nth"'),
        ({"do": "drop-after", "when": {"path": "creat"}}, 'did you mean "create"'),
        ({"do": "drop-after", "when": {"nth": 0}}, "counts from 1"),
        ({"do": "drop-after", "when": {"nth": True}}, '"nth" cannot be true'),
        ({"do": "drop-after", "when": {"times": 0}}, '"always"'),
        ({"do": "drop-after", "when": 3}, "JSON object"),
        ({"do": "answer"}, 'needs "status"'),
        ({"do": "answer", "status": 200}, "error status"),
        ({"do": "answer", "status": "500"}, '"status" cannot be "500"'),
        ({"do": "slow"}, 'needs "bytes_per_second"'),
        ({"do": "slow", "bytes_per_second": 0}, "use a stall"),
        ({"do": "drop-before", "status": 500}, 'means nothing beside "drop-before"'),
        ({"do": "stuck", "state": "ready"}, '"inprogress"'),
        ({"do": "stuck", "when": {"path": "patch"}}, "befalls videos"),
        ({"do": "drop-before", "probability": 1.5}, "between 0 and 1"),
        ({"do": "stall-before", "seconds": -1}, "cannot be negative"),
    ],
)
def test_a_word_that_does_not_fit_is_named_with_its_place(script: object, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_faults([{"do": "drop-before"}, script])
    assert message in raised.value.message
    assert raised.value.where == "fault 2 of 2"


@pytest.mark.parametrize(
    ("when", "call", "fits"),
    [
        (When(), _Call(), True),
        (When(method="get"), _Call(), True),
        (When(method="PATCH"), _Call(), False),
        (When(path="list"), _Call(), True),
        (When(path="patch"), _Call(), False),
        (When(path="*/stream"), _Call(), True),
        (When(path="/client/v4/user/*"), _Call(), False),
        (When(name="course_01*"), _Call(name="course_01_L01"), True),
        (When(name="course_01*"), _Call(name="course_02_L01"), False),
        (When(name="*"), _Call(name=None), False),
    ],
)
def test_a_fault_fits_the_requests_it_is_meant_for(when: When, call: _Call, fits: bool) -> None:
    assert when.fits(call) is fits


def _pattern(fault: Fault, calls: int) -> str:
    script = FaultScript([fault])
    return "".join("x" if script.due(_Call()) else "." for _ in range(calls))


def test_a_fault_waits_for_its_turn_and_happens_so_many_times() -> None:
    assert _pattern(Fault("drop-before"), 5) == "x...."
    assert _pattern(Fault("drop-before", When(nth=3)), 5) == "..x.."
    assert _pattern(Fault("drop-before", When(nth=2, times=2)), 5) == ".xx.."
    assert _pattern(Fault("drop-before", When(nth=2, times=None)), 5) == ".xxxx"


def test_when_two_faults_are_due_the_first_happens_and_the_second_stays_due() -> None:
    script = FaultScript([Fault("drop-before"), Fault("drop-after")])
    happened = [script.due(_Call()) for _ in range(3)]
    assert [fault.do if fault else None for fault in happened] == ["drop-before", "drop-after", None]


def test_chance_repeats_with_its_seed_and_is_not_limited_to_once() -> None:
    (fault,) = parse_faults({"do": "drop-before", "probability": 0.3, "seed": 7})
    pattern = _pattern(fault, 1000)
    assert pattern == _pattern(fault, 1000)
    assert 200 < pattern.count("x") < 400
    (other,) = parse_faults({"do": "drop-before", "probability": 0.3, "seed": 8})
    assert _pattern(other, 1000) != pattern
    (once,) = parse_faults({"do": "drop-before", "probability": 1, "when": {"times": 1}})
    assert _pattern(once, 3) == "x.."


@given(
    fault=st.builds(
        Fault,
        do=st.just("answer"),
        status=st.integers(400, 599),
        retry_after=st.none() | st.integers(0, 9),
        probability=st.none() | st.floats(0, 1),
        seed=st.integers(0, 9),
        when=st.builds(
            When,
            method=st.none() | st.just("PATCH"),
            path=st.none() | st.sampled_from(["patch", "*/media/*"]),
            name=st.none() | st.just("a*"),
            nth=st.integers(1, 9),
            times=st.none() | st.integers(2, 9),
        ),
    )
)
def test_what_is_shown_of_a_fault_can_be_put_in_again(fault: Fault) -> None:
    shown = json.loads(json.dumps(fault.as_json()))
    assert parse_faults(shown) == (fault,)


def test_a_script_is_read_from_text_or_from_a_file(tmp_path: Path) -> None:
    text = '{"faults": [{"do": "drop-after", "when": {"path": "create"}}]}'
    wanted = (Fault("drop-after", When(path="create")),)
    assert read_faults(text) == wanted
    script = tmp_path / "faults.json"
    script.write_text(text, encoding="utf-8")
    assert read_faults(script) == wanted
    assert SandboxSettings(faults=read_faults(script)).faults == wanted
    for unreadable in (tmp_path / "missing.json", "[{]"):
        with pytest.raises(ConfigError):
            read_faults(unreadable)
