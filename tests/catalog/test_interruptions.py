"""A plan that is cut short at any moment leaves the catalog as before, or is all there; and the next one succeeds."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest

from curri.catalog import writing
from curri.catalog.database import Connection, Database, connect
from curri.errors import DatabaseError, Interrupted
from curri.plan.changes import ContentPlan

from .plans import asset, component, course, held, lesson, plan, timeless
from .processes import start
from .sessions import IS_WAITING, ask, content, terminate
from .waiting import until

COURSES = [course("course 1", "course_01"), course("course 2", "course_02")]
LESSONS = [lesson(f"lesson {number}", COURSES[0], number) for number in ("01", "02", "03")]
COMPONENTS = [component(f"component {n}", row, "learning/video.mp4") for n, row in enumerate(LESSONS)]
ASSETS = [asset(f"asset {n}", row, "learning/video.mp4") for n, row in enumerate(COMPONENTS)]
BEFORE = [*COURSES, *LESSONS, *COMPONENTS, *ASSETS]

NEW_COURSE = course("course 3", "course_03")
NEW_LESSON = lesson("lesson new", NEW_COURSE, "01")
NEW_COMPONENT = component("component new", NEW_LESSON, "lab")
NEW = [NEW_COURSE, NEW_LESSON, NEW_COMPONENT, asset("asset new", NEW_COMPONENT, "lab/a.txt")]
MOVED = [
    COURSES[0]._replace(slug="course_02"),
    COURSES[1]._replace(slug="course_01"),
    LESSONS[0]._replace(number="02"),
    LESSONS[1]._replace(number="01"),
    COMPONENTS[0]._replace(group_key="moved"),
    ASSETS[0]._replace(relative_path="moved"),
]
REMOVED = [LESSONS[2], COMPONENTS[2], ASSETS[2]]

PLAN = plan(insert=NEW, update=MOVED, remove=REMOVED)
"""Something of everything: each table gets a new row and a moved one, and all but the first lose one."""

GONE = [LESSONS[2]._replace(removed=True), COMPONENTS[2]._replace(removed=True), ASSETS[2]._replace(removed=True)]
AFTER = [*NEW, *MOVED, *GONE, COMPONENTS[1], ASSETS[1]]


@pytest.fixture
def full(shared: Database) -> Database:
    """Return a catalog that holds BEFORE."""
    writing.apply(shared, plan(insert=BEFORE))
    return shared


def before_exchange(number: int, do: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """Return what makes a connection do something before its n-th exchange with the server.

    Every statement, every BEGIN and COMMIT, and every part of a COPY is an exchange.
    """

    def prepare(connection: Connection) -> None:
        wait, seen = connection.wait, 0

        def counted(*given: Any, **named: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == number:
                do(connection)
            return wait(*given, **named)

        connection.wait = counted  # type: ignore[method-assign]

    return prepare


def apply_to(url: str, prepare: Callable[[Connection], None], _: object = None) -> None:
    with connect(url) as database:
        prepare(database.connection)
        writing.apply(database, PLAN)


def kill(_: Connection) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt(_: Connection) -> None:
    raise Interrupted("stopped by Ctrl-C")


def test_a_kill_at_any_moment_leaves_the_catalog_as_before_or_as_after(full: Database, shared_url: str) -> None:
    before = content(full)
    for number in range(1, 1000):
        child = start(partial(apply_to, shared_url, before_exchange(number, kill)))
        if child.wait() == 0:
            break
        assert child.status == -signal.SIGKILL
        child.close()
        assert content(full) == before
    child.result()
    child.close()
    assert number > 30
    assert held(full) == timeless(*AFTER)


@pytest.mark.parametrize("how", ["session ended", "Ctrl-C"])
def test_a_lost_session_or_ctrl_c_at_any_moment_leaves_the_catalog_as_before(
    how: str, full: Database, shared_url: str
) -> None:
    def end(connection: Connection) -> None:
        terminate(shared_url, connection.info.backend_pid)

    expected, do = (DatabaseError, end) if how == "session ended" else (Interrupted, interrupt)
    before = content(full)
    for number in range(1, 1000):
        try:
            apply_to(shared_url, before_exchange(number, do))
        except expected:
            assert content(full) == before
        else:
            break
    assert number > 30
    assert held(full) == timeless(*AFTER)


def test_a_reader_sees_the_catalog_of_one_moment_whatever_is_committed_while_it_reads(
    full: Database, shared_url: str
) -> None:
    seen = set()
    for number in range(1, 1000):
        change = plan(remove=BEFORE) if number % 2 else plan(update=BEFORE)
        reached: list[None] = []

        def commit(_: Connection, change: ContentPlan = change, reached: list[None] = reached) -> None:
            writing.apply(full, change)
            reached.append(None)

        with connect(shared_url) as reader:
            before_exchange(number, commit)(reader.connection)
            found = held(reader)
        if not reached:
            break
        removed = {row[-1] for row in found}
        assert len(removed) == 1, "some rows are of before, others of after"
        seen |= removed
    assert number > 6
    assert seen == {True, False}


def asleep(connection: Connection) -> None:
    connection.execute("SELECT pg_sleep(600)")


def waiting(connection: Connection) -> None:
    connection.execute("UPDATE asset SET size_bytes = 7")


def waiting_to_copy(connection: Connection) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY asset (id) FROM STDIN") as copy:
        copy.write_row(["no id"])


IS_ASLEEP = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = %s"
IS_IDLE = "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = %s"


@pytest.mark.parametrize(
    ("work", "at_work"), [(asleep, IS_ASLEEP), (waiting, IS_WAITING), (waiting_to_copy, IS_WAITING)]
)
def test_ctrl_c_in_the_middle_of_a_statement_ends_it_on_the_server_too(
    work: Callable[[Connection], None], at_work: str, full: Database, shared_url: str
) -> None:
    """Else the server would go on with it, and hold the lock of the command meanwhile: the next run would be busy."""

    def work_in_vain() -> None:
        with full.transaction() as connection:
            connection.execute("UPDATE course SET title = 'in vain'")
            work(connection)

    pid, main = full.connection.info.backend_pid, threading.main_thread().ident
    assert main is not None

    def press() -> None:
        until(lambda: ask(shared_url, at_work, pid))
        signal.pthread_kill(main, signal.SIGUSR1)

    def stop(*_: object) -> None:
        raise Interrupted("stopped by Ctrl-C")

    presser = threading.Thread(target=press)
    previous = signal.signal(signal.SIGUSR1, stop)
    try:
        with psycopg.connect(shared_url) as holder:
            holder.execute("LOCK TABLE asset IN SHARE MODE")  # what writes to it must wait
            presser.start()
            with pytest.raises(Interrupted):
                work_in_vain()
            assert ask(shared_url, IS_IDLE, pid)
            assert full.revision() is not None
    finally:
        presser.join()
        signal.signal(signal.SIGUSR1, previous)
    assert held(full) == timeless(*BEFORE)


def test_a_connection_whose_statement_cannot_be_ended_is_closed(
    shared: Database, shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = shared.connection.info.backend_pid

    def unreachable(**_: object) -> None:
        raise psycopg.OperationalError("the network is gone")

    def sleep() -> None:
        with shared.transaction() as connection:
            connection.pgconn.send_query(b"SELECT pg_sleep(600)")
            raise Interrupted("stopped by Ctrl-C")

    monkeypatch.setattr(shared.connection, "cancel_safe", unreachable)
    try:
        with pytest.raises(Interrupted):
            sleep()
        assert shared.connection.closed
    finally:
        terminate(shared_url, pid)
