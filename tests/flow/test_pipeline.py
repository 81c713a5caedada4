"""The threads of an upload: nothing waits that need not, and none is left when it ends, however it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import pytest

from catalog.waiting import until
from curri.errors import CurriError, DatabaseError, Interrupted, Terminated
from curri.flow.jobs import Item, Job
from curri.flow.pipeline import Pipeline
from curri.flow.worker import Package, Worker
from curri.model import Result
from curri.stream.pause import Stop, Stopped

from .recorded import job

SECONDS = 30
"""Whatever takes longer does not happen any more."""


class Prepared:
    """A package: all that matters here is whose it is."""

    def __init__(self, mine: Job) -> None:
        self.job = mine


class FakeWorker:
    """Does nothing, and remembers what it was told to do. A gate holds a step of a job until it is opened."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        self.lock = threading.Lock()
        self.steps: list[str] = []
        self.at_once: dict[str, int] = {"encode": 0, "send": 0}
        self.most: dict[str, int] = {"encode": 0, "send": 0}
        self.waiting = self.most_waiting = 0
        self.gates: dict[str, threading.Event] = {}
        self.errors: dict[str, BaseException] = {}
        self.items: dict[str, Result] = {}
        self.given_up: list[str] = []

    def hold(self, step: str) -> threading.Event:
        return self.gates.setdefault(step, threading.Event())

    def prepare(self, mine: Job) -> Package | Item:
        if mine.encodes:
            self._step("encode", mine)
        if (result := self.items.get(f"prepare {_number(mine)}")) is not None:
            return _item(mine, result)
        if mine.encodes:
            with self.lock:
                self.waiting += 1
                self.most_waiting = max(self.most_waiting, self.waiting)
        return cast(Package, Prepared(mine))

    def deliver(self, package: Package) -> Item:
        mine = package.job
        if mine.encodes:
            with self.lock:
                self.waiting -= 1
        self._step("send", mine)
        return _item(mine, Result.DONE)

    def give_up(self, package: Package) -> None:
        self.given_up.append(_number(package.job))

    def _step(self, kind: str, mine: Job) -> None:
        step = f"{kind} {_number(mine)}"
        with self.lock:
            self.steps.append(step)
            self.at_once[kind] += 1
            self.most[kind] = max(self.most[kind], self.at_once[kind])
        try:
            if step in self.gates:
                assert self.gates[step].wait(SECONDS), f"{step} is never let go on"
            if step in self.errors:
                raise self.errors[step]
        finally:
            with self.lock:
                self.at_once[kind] -= 1


def _number(mine: Job) -> str:
    return mine.video.id.removeprefix("id-")


def _item(mine: Job, outcome: Result) -> Item:
    return Item(_number(mine), outcome, "")


class Run:
    """A pipeline over a fake worker."""

    def __init__(self, *, encoders: int = 1, transfers: int = 2) -> None:
        self.stop = Stop()
        self.worker = FakeWorker(self.stop)
        self.ended: list[str] = []
        self.on_item: Callable[[Item], None] = lambda item: self.ended.append(item.path)
        self.ticks = 0
        self.pipeline = Pipeline(
            cast(Worker, self.worker),
            self.stop,
            encoders=encoders,
            transfers=transfers,
            on_item=self._on_item,
        )

    def __call__(self, *jobs: Job, every: float = 3600.0, tick: Callable[[], None] | None = None) -> None:
        before = set(threading.enumerate())
        try:
            self.pipeline.run(jobs, every, tick or self._tick)
        finally:
            assert self.worker.at_once == {"encode": 0, "send": 0}
            until(lambda: set(threading.enumerate()) <= before)  # no thread is left, but for its last breath

    def _on_item(self, item: Item) -> None:
        self.on_item(item)

    def _tick(self) -> None:
        self.ticks += 1

    def beside(self, check: Callable[[], None]) -> Callable[[], None]:
        """Return a tick that does this once."""
        todo = [check]

        def tick() -> None:
            if todo:
                todo.pop()()

        return tick


def direct(*numbers: int) -> list[Job]:
    return [job(number) for number in numbers]


def encodes(*numbers: int) -> list[Job]:
    return [job(number, encodes=True) for number in numbers]


def test_every_job_is_done_once() -> None:
    run = Run(encoders=2, transfers=3)
    run(*encodes(1, 2, 3, 4), *direct(5, 6, 7, 8))
    assert sorted(run.ended) == [str(number) for number in range(1, 9)]
    assert sorted(run.worker.steps) == [
        *(f"encode {number}" for number in range(1, 5)),
        *(f"send {number}" for number in range(1, 9)),
    ]
    assert run.worker.given_up == []


def test_no_jobs_are_no_work() -> None:
    run = Run()
    run()
    assert (run.worker.steps, run.ended, run.ticks) == ([], [], 0)


def test_a_long_encode_does_not_keep_the_others_waiting() -> None:
    run = Run(transfers=1)
    gate = run.worker.hold("encode 1")

    def others_are_through() -> None:
        until(lambda: len(run.ended) == 3)
        gate.set()

    run(*encodes(1), *direct(2, 3, 4), every=0.0, tick=run.beside(others_are_through))
    assert run.ended == ["2", "3", "4", "1"]


def test_the_next_is_encoded_while_the_last_is_sent() -> None:
    run = Run(transfers=1)
    gate = run.worker.hold("send 1")

    def next_is_begun() -> None:
        until(lambda: "encode 2" in run.worker.steps)
        assert run.ended == []
        gate.set()

    run(*encodes(1, 2), every=0.0, tick=run.beside(next_is_begun))
    assert run.ended == ["1", "2"]


def test_what_is_encoded_is_sent_before_what_need_not_be() -> None:
    """It takes room on disk."""
    run = Run(transfers=1)
    encode, send = run.worker.hold("encode 1"), run.worker.hold("send 2")

    def encoded() -> None:
        until(lambda: run.worker.at_once["send"])
        encode.set()
        until(lambda: run.pipeline._ready)
        send.set()

    run(*encodes(1), *direct(2, 3), every=0.0, tick=run.beside(encoded))
    assert run.ended == ["2", "1", "3"]


def test_encodes_do_not_pile_up_before_slow_senders() -> None:
    run = Run(transfers=2)
    gates = [run.worker.hold(f"send {number}") for number in (1, 2)]

    def full() -> None:
        until(lambda: len(run.pipeline._ready) == 2)
        assert not run.worker.at_once["encode"]
        for gate in gates:
            gate.set()

    run(*encodes(*range(1, 9)), every=0.0, tick=run.beside(full))
    assert len(run.ended) == 8
    assert run.worker.most_waiting <= 3  # two wait, and a sender has just taken one


@pytest.mark.parametrize(("encoders", "transfers"), [(1, 1), (1, 3), (2, 1), (3, 2)])
def test_as_many_as_asked_for_are_at_work_and_no_more(encoders: int, transfers: int) -> None:
    run = Run(encoders=encoders, transfers=transfers)
    gates = [run.worker.hold(f"encode {number}") for number in range(10)]
    gates += [run.worker.hold(f"send {number}") for number in range(10, 30)]
    threads: list[int] = []

    def all_at_it() -> None:
        until(lambda: run.worker.at_once == {"encode": encoders, "send": transfers})
        names = [thread.name for thread in threading.enumerate()]
        threads.extend((names.count("_encode"), names.count("_send")))
        for gate in gates:
            gate.set()

    run(*encodes(*range(10)), *direct(*range(10, 30)), every=0.0, tick=run.beside(all_at_it))
    assert threads == [encoders, transfers]
    assert run.worker.most == {"encode": encoders, "send": transfers}
    assert len(run.ended) == 30


def test_no_more_threads_than_jobs() -> None:
    run = Run(encoders=8, transfers=8)
    gate = run.worker.hold("encode 1")
    threads: list[int] = []

    def count() -> None:
        until(lambda: run.worker.at_once["encode"])
        names = [thread.name for thread in threading.enumerate()]
        threads.extend((names.count("_encode"), names.count("_send")))
        gate.set()

    run(*encodes(1), every=0.0, tick=run.beside(count))
    assert threads == [1, 1]


def test_a_video_that_fails_to_be_prepared_is_an_item_like_any_other() -> None:
    run = Run()
    run.worker.items = {"prepare 1": Result.FAILED, "prepare 2": Result.BLOCKED}
    run(*encodes(1), *direct(2, 3))
    assert sorted(run.ended) == ["1", "2", "3"]
    assert "send 1" not in run.worker.steps
    assert "send 2" not in run.worker.steps


def test_items_end_one_after_the_other() -> None:
    """Whoever counts and prints them needs no lock."""
    run = Run(transfers=4)
    gates = [run.worker.hold(f"send {number}") for number in (1, 2, 3, 4)]
    second = threading.Event()

    def all_at_once() -> None:
        until(lambda: run.worker.at_once["send"] == 4)
        for gate in gates:
            gate.set()

    def on_item(item: Item) -> None:
        run.ended.append(item.path)
        if len(run.ended) > 1:
            second.set()
            return
        until(lambda: not run.worker.at_once["send"])
        assert not second.wait(0.1)

    run.on_item = on_item
    run(*direct(1, 2, 3, 4), every=0.0, tick=run.beside(all_at_once))
    assert sorted(run.ended) == ["1", "2", "3", "4"]


def test_the_tick_comes_while_work_lasts() -> None:
    run = Run()
    gate = run.worker.hold("send 1")
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 3:
            gate.set()

    run(*direct(1), every=0.0, tick=tick)
    assert len(ticks) >= 3


# --- how it ends before its time


@pytest.mark.parametrize("step", ["encode 1", "send 1", "send 2"])
def test_the_first_error_ends_the_run_and_is_raised(step: str) -> None:
    run = Run(transfers=1)
    error = DatabaseError("the connection was lost")
    run.worker.errors[step] = error
    with pytest.raises(DatabaseError) as caught:
        run(*encodes(1), *direct(2), *encodes(*range(3, 20)), *direct(*range(20, 40)))
    assert caught.value is error
    assert run.stop.finishing
    assert len(run.ended) < 39


def one_after_the_other(run: Run) -> Callable[[], None]:
    """Return a tick that lets the first end when two are being sent, and the second when that has ended the run."""
    gates = [run.worker.hold(f"send {number}") for number in (1, 2)]

    def tick() -> None:
        until(lambda: run.worker.at_once["send"] == 2)
        gates[0].set()
        until(lambda: run.stop.finishing)
        gates[1].set()

    return run.beside(tick)


def test_stops_that_follow_an_error_do_not_hide_it() -> None:
    run = Run(transfers=2)
    error = DatabaseError("the connection was lost")
    run.worker.errors = {"send 1": error, "send 2": Stopped("stopped on request")}
    with pytest.raises(DatabaseError) as caught:
        run(*direct(1, 2), every=0.0, tick=one_after_the_other(run))
    assert caught.value is error


def test_an_error_of_one_does_not_cut_what_others_send() -> None:
    run = Run(transfers=2)
    run.worker.errors["send 1"] = DatabaseError("the connection was lost")
    with pytest.raises(DatabaseError):
        run(*direct(1, 2, 3), every=0.0, tick=one_after_the_other(run))
    assert run.ended == ["2"]
    assert not run.stop.aborting


def test_what_was_encoded_and_is_not_sent_is_given_up() -> None:
    run = Run(transfers=1)
    run.worker.errors["send 1"] = DatabaseError("the connection was lost")
    send, encode = run.worker.hold("send 1"), run.worker.hold("encode 2")

    def encoded() -> None:
        until(lambda: run.worker.at_once["send"])
        encode.set()
        until(lambda: run.pipeline._ready)
        send.set()

    with pytest.raises(DatabaseError):
        run(*direct(1), *encodes(2), every=0.0, tick=run.beside(encoded))
    assert run.worker.given_up == ["2"]


@pytest.mark.parametrize("kind", [Interrupted, Terminated])
def test_a_signal_ends_the_run_and_is_raised_when_all_in_flight_is_done(kind: type[Interrupted]) -> None:
    run = Run(transfers=2)
    run.worker.errors["send 2"] = Stopped("stopped on request")
    gates = [run.worker.hold(f"send {number}") for number in (1, 2)]
    arrived = kind("stopped by a signal")

    def signal() -> None:
        until(lambda: run.worker.at_once["send"] == 2)
        threading.Thread(target=let_go).start()
        raise arrived

    def let_go() -> None:
        until(lambda: run.stop.finishing)
        for gate in gates:
            gate.set()

    with pytest.raises(kind) as caught:
        run(*direct(*range(1, 9)), every=0.0, tick=run.beside(signal))
    assert caught.value is arrived
    assert run.ended == ["1"]  # it was in flight; nothing new was begun
    assert run.worker.steps == ["send 1", "send 2"] or run.worker.steps == ["send 2", "send 1"]


def test_an_error_of_the_tick_ends_the_run() -> None:
    run = Run()
    gate = run.worker.hold("send 1")
    error = DatabaseError("the connection was lost")

    def tick() -> None:
        gate.set()
        raise error

    with pytest.raises(DatabaseError) as caught:
        run(*direct(1), every=0.0, tick=run.beside(tick))
    assert caught.value is error


@pytest.mark.parametrize("error", [Interrupted("stopped by a signal"), DatabaseError("the connection was lost")])
def test_the_tick_comes_until_the_last_has_ended_however_the_run_ends(error: CurriError) -> None:
    """It keeps the leases: without them another run would send what is still being sent."""
    run = Run(transfers=2)
    gate = run.worker.hold("send 1")
    ticks: list[bool] = []

    def tick() -> None:
        ticks.append(run.stop.finishing)
        if len(ticks) == 1:
            until(lambda: run.ended == ["2"] and run.worker.at_once["send"] == 1)
            raise error
        if len(ticks) == 3:
            gate.set()

    with pytest.raises(type(error)) as caught:
        run(*direct(1, 2), every=0.0, tick=tick)
    assert caught.value is error
    assert ticks[:3] == [False, True, True]
    assert run.ended == ["2", "1"]


def test_ticks_that_fail_while_the_run_winds_down_neither_end_it_nor_hide_why_it_ends() -> None:
    run = Run(transfers=1)
    gate = run.worker.hold("send 1")
    errors = [DatabaseError(f"error {number}") for number in range(3)]
    raised = iter(errors)

    def tick() -> None:
        until(lambda: run.worker.at_once["send"] or gate.is_set())
        if (error := next(raised, None)) is None:
            gate.set()
        else:
            raise error

    with pytest.raises(DatabaseError) as caught:
        run(*direct(1), every=0.0, tick=tick)
    assert caught.value is errors[0]
    assert run.ended == ["1"]


def test_an_error_of_who_is_told_ends_the_run() -> None:
    run = Run()

    def on_item(_item: Item) -> None:
        raise BrokenPipeError

    run.on_item = on_item
    with pytest.raises(BrokenPipeError):
        run(*direct(*range(20)))
    assert len(run.worker.steps) <= 2


def test_a_thread_that_cannot_be_started_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(transfers=3)
    start = threading.Thread.start
    begun: list[threading.Thread] = []

    def start_two(thread: threading.Thread) -> None:
        if len(begun) == 2:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run(*direct(*range(20)))
    assert not any(thread.is_alive() for thread in begun)
