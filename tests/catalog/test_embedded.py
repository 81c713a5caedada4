"""The embedded server: started for who needs it, stopped after the last one, whatever is killed meanwhile.

Everything here is done as every account that the machine lets the tests be: as root, who may not run PostgreSQL
himself, and as an ordinary user.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curri.catalog import cluster, embedded
from curri.errors import ConfigError, ExitCode, ToolError

from .homes import Home, make_home, open_to_others_while_used, pids, use, user
from .processes import ACCOUNTS, AS_ROOT, Account, gone, hold, run, running, start
from .sessions import ask, tell
from .waiting import until

ODD_NAME = 'it\'s a "home" 100% é\\n'
"""A name that is quoted wrongly somewhere, if it can be."""


@pytest.fixture(scope="module", params=ACCOUNTS, ids=lambda account: account.name)
def shared_home(ground: Path, request: pytest.FixtureRequest) -> Home:
    """Return a home where a database was made already."""
    home = make_home(ground, request.param, ODD_NAME)
    run(lambda: use(home, "SELECT 1"), home.account)
    return home


@pytest.fixture
def home(shared_home: Home) -> Iterator[Home]:
    """Yield a home with a database in it; after the test no process of its server may be left."""
    yield shared_home
    assert shared_home.is_deserted()


# --- starting and stopping


def test_a_first_start_makes_a_database_and_a_second_start_finds_it_again(account: Account, ground: Path) -> None:
    home = make_home(ground, account, "state")

    def first() -> tuple[set[int], object]:
        with embedded.server(home.path) as url:
            tell(url, "CREATE TABLE kept AS SELECT 42 AS answer")
            assert ask(url, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == "C"
            assert ask(url, "SHOW server_encoding") == "UTF8"
            return pids(url) | {home.pid}, ask(url, "SELECT system_identifier FROM pg_control_system()")

    processes, made = run(first, account)
    assert len(processes) > 3
    assert [pid for pid in processes if not gone(pid)] == []
    assert run(lambda: use(home, "SELECT answer FROM kept"), account) == 42
    assert run(lambda: use(home, "SELECT system_identifier FROM pg_control_system()"), account) == made
    assert home.is_deserted()


def test_a_second_start_makes_no_database(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_make_data", None)
    assert run(lambda: use(home, "SELECT 1"), home.account) == 1


def test_the_server_can_be_reached_through_its_socket_alone_and_by_its_owner_alone(home: Home) -> None:
    assert run(lambda: use(home, "SHOW listen_addresses"), home.account) == ""
    assert run(lambda: use(home, "SHOW unix_socket_permissions"), home.account) == "0700"


def test_the_server_stops_only_after_the_last_of_its_users(home: Home) -> None:
    with running(user(home), home.account) as one:
        pid = home.pid
        with running(user(home), home.account) as two:
            assert run(lambda: use(home, "SELECT 1"), home.account) == 1
            assert home.pid == pid
            one.kill()
            assert run(lambda: use(home, "SELECT 1"), home.account) == 1
            assert not gone(pid)
            two.kill()
        assert not gone(pid)
    assert run(lambda: use(home, "SELECT 1"), home.account) == 1
    assert gone(pid)


def test_two_that_leave_in_any_order_share_one_server(home: Home) -> None:
    def nested() -> list[int]:
        seen = []
        outer, inner = embedded.server(home.path), embedded.server(home.path)
        first = outer.__enter__()
        second = inner.__enter__()
        seen.append(home.pid)
        outer.__exit__(None, None, None)
        assert ask(second, "SELECT 1") == 1
        assert first == second
        seen.append(home.pid)
        inner.__exit__(None, None, None)
        return seen

    before, after = run(nested, home.account)
    assert before == after
    assert gone(before)


def test_several_that_come_first_at_once_find_one_server(account: Account, ground: Path) -> None:
    home = make_home(ground, account, "state")
    query = "SELECT system_identifier FROM pg_control_system()"
    children = [start(lambda _: [use(home, query) for _ in range(3)], account) for _ in range(4)]
    try:
        answers = [answer for child in children for answer in child.result()]
    finally:
        for child in children:
            child.close()
    assert len(answers) == 12
    assert len(set(answers)) == 1
    assert home.is_deserted()


def test_a_killed_user_does_not_keep_the_next_one_from_stopping_the_server(home: Home) -> None:
    with running(user(home), home.account) as killed:
        pid = home.pid
        killed.kill()
        assert not gone(pid)
        assert run(lambda: use(home, "SELECT 1"), home.account) == 1
        assert gone(pid)


def test_a_stopped_server_is_no_zombie(home: Home) -> None:
    def children() -> list[int]:
        use(home, "SELECT 1")
        try:
            return [os.waitpid(-1, os.WNOHANG)[0]]
        except ChildProcessError:
            return []

    assert run(children, home.account) == []


def test_the_server_stops_when_its_user_fails(home: Home) -> None:
    def fail() -> None:
        with embedded.server(home.path):
            (home.path / "pid").write_text(str(home.pid))
            raise ConfigError("something else")

    with pytest.raises(ConfigError, match="something else"):
        run(fail, home.account)
    assert gone(int((home.path / "pid").read_text()))


def test_ctrl_c_in_the_middle_of_a_start_leaves_no_server_behind(home: Home) -> None:
    def interrupted() -> None:
        seen = []

        def is_running(_: object) -> None:
            seen.append(1)
            if len(seen) == 3:
                raise KeyboardInterrupt

        embedded._running = is_running  # type: ignore[assignment]
        use(home, "SELECT 1")

    with pytest.raises(KeyboardInterrupt):
        run(interrupted, home.account)
    assert home.is_deserted()
    assert run(lambda: use(home, "SELECT 1"), home.account) == 1


# --- after a crash


def test_a_killed_server_recovers_at_the_next_start_with_all_that_was_committed(home: Home) -> None:
    def crash() -> int:
        with embedded.server(home.path) as url:
            tell(url, "CREATE TABLE IF NOT EXISTS crashes (at timestamptz DEFAULT now())")
            tell(url, "INSERT INTO crashes DEFAULT VALUES")
            os.kill(home.pid, signal.SIGKILL)
            return int(home.pid)

    pid = run(crash, home.account)
    until(lambda: gone(pid))
    assert (home.data / "postmaster.pid").exists()
    assert run(lambda: use(home, "SELECT count(*) > 0 FROM crashes"), home.account) is True


def test_a_server_that_dies_under_its_user_is_started_again_by_the_next(home: Home) -> None:
    with running(user(home), home.account):
        pid = home.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: gone(pid))
        assert run(lambda: use(home, "SELECT 1"), home.account) == 1
        assert not gone(home.pid)
    assert run(lambda: use(home, "SELECT 1"), home.account) == 1


def test_a_number_left_by_a_crash_that_now_belongs_to_somebody_else_is_neither_trusted_nor_killed(home: Home) -> None:
    def innocent(ready: Callable[[], None]) -> None:
        ready()
        hold()

    def crash() -> int:
        with embedded.server(home.path):
            os.kill(home.pid, signal.SIGKILL)
            return int(home.pid)

    # The server runs as another account than root: a process of that account is what its number may fall to.
    owner = Account("owner of the data", home.data.stat().st_uid) if AS_ROOT else home.account
    with running(innocent, owner) as other:
        pid = run(crash, home.account)
        until(lambda: gone(pid))
        for file in (home.data / "postmaster.pid", home.place / "run" / f"{cluster.SOCKET}.lock"):
            file.write_text(file.read_text().replace(str(pid), str(other.pid), 1))
        assert run(lambda: use(home, "SELECT 1"), home.account) == 1
        assert not gone(other.pid)


def test_a_kill_while_the_database_is_made_is_made_good_by_the_next_start(account: Account, ground: Path) -> None:
    home = make_home(ground, account, "state")
    half_made = home.place / f"data-{cluster.MAJOR}.new"
    with running(user(home, early=True), account) as killed:
        until((half_made / "PG_VERSION").exists)
        killed.kill()
    assert half_made.exists()
    assert not home.data.exists()
    assert run(lambda: use(home, "SELECT 1"), account) == 1
    assert not half_made.exists()
    assert home.is_deserted()


def test_a_server_that_cannot_start_says_why_and_where_its_log_is(home: Home) -> None:
    settings = home.data / "postgresql.conf"
    good = settings.read_bytes()
    settings.write_bytes(good + b"\nno_such_setting = 1\n")
    began = time.monotonic()
    try:
        with pytest.raises(ToolError, match=r"did not start: .*FATAL") as caught:
            run(lambda: use(home, "SELECT 1"), home.account)
    finally:
        settings.write_bytes(good)
    assert time.monotonic() - began < embedded.START_SECONDS, "nobody looked whether it had ended"
    assert caught.value.where == str(home.place / "postgres.log")
    assert caught.value.exit_code is ExitCode.TOOL
    assert "no_such_setting" in (home.place / "postgres.log").read_text()


def test_others_can_read_nothing_of_a_server_made_with_the_usual_umask(home: Home) -> None:
    assert run(lambda: open_to_others_while_used(home), home.account) == []


def test_the_environment_of_another_server_does_not_lead_astray(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    astray = {
        "PGPORT": "6543", "PGHOST": "192.0.2.1", "PGHOSTADDR": "192.0.2.1", "PGUSER": "nobody", "PGDATABASE": "none",
        "PGDATA": "/nowhere", "PGPASSWORD": "secret",
    }  # fmt: skip
    for name, value in astray.items():
        monkeypatch.setenv(name, value)
    assert run(lambda: use(home, "SELECT current_user || current_database()"), home.account) == "postgrespostgres"
