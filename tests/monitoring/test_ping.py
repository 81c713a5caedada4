"""CURRI_PING_URL: a service is told how a run ended, whatever the end; and nothing but it learns the address."""

from __future__ import annotations

import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from curri.sandbox import Fault, When
from curri.stream import ping
from curri.stream.secret import Secret
from support.command import Done
from upload.conftest import Films
from upload.site import Running, Site, command_line

from . import driver
from .receiver import SECRET, Answer, Receiver

WARNING = "warning   the call to CURRI_PING_URL failed: "


# --- which address


@pytest.mark.parametrize(
    ("check", "failed", "expected"),
    [
        ("https://hc-ping.com/uuid", False, "https://hc-ping.com/uuid"),
        ("https://hc-ping.com/uuid", True, "https://hc-ping.com/uuid/fail"),
        ("https://hc-ping.com/uuid/", True, "https://hc-ping.com/uuid/fail"),
        ("https://hc-ping.com/key/slug?create=1&rid=a%20b", False, "https://hc-ping.com/key/slug?create=1&rid=a%20b"),
        (
            "https://hc-ping.com/key/slug?create=1&rid=a%20b",
            True,
            "https://hc-ping.com/key/slug/fail?create=1&rid=a%20b",
        ),
        ("http://u:p@h:8000", True, "http://u:p@h:8000/fail"),
        ("http://[::1]:8/x#part", True, "http://[::1]:8/x/fail"),
        (
            "https://hc-ping.com/key/curri-{command}?create=1",
            True,
            "https://hc-ping.com/key/curri-videos-list/fail?create=1",
        ),
    ],
)
def test_a_failure_is_told_at_the_end_of_the_path(check: str, failed: bool, expected: str) -> None:
    assert ping.address(Secret(check), "videos list", failed=failed).reveal() == expected


# --- when


@pytest.mark.parametrize(
    "command", [["import", "curriculum"], ["upload"], ["sync-status"], ["fix-metadata"]], ids=lambda words: words[0]
)
def test_success_is_told_at_the_end_of_every_command_of_cron(
    minded: Site, receiver: Receiver, command: list[str]
) -> None:
    done = minded.run(*command)
    assert (done.code, done.err) == (0, "")
    assert receiver.told == [""]


@pytest.mark.parametrize(
    "command",
    [
        ["import", "curriculum", "--dry-run"],
        ["import", "curriculum", "--check"],
        ["upload", "--dry-run"],
        ["sync-status", "--dry-run"],
        ["fix-metadata", "--dry-run"],
        ["status"],
        ["runs"],
        ["config"],
        ["db", "current"],
        ["upload", "--help"],
        ["upload", "--frob"],
        ["upload", "--course", "course_77"],
        ["import"],
        ["sync-status", "--stuck-after", "soon"],
        ["--frob"],
    ],
    ids=" ".join,
)
def test_nobody_is_told_of_what_was_no_run_of_the_job(minded: Site, receiver: Receiver, command: list[str]) -> None:
    assert minded.run(*command).code in (0, 2)
    assert receiver.told == []


@pytest.mark.parametrize(
    ("arguments", "variables", "code"),
    [
        (["import", "nowhere"], {}, 4),
        (["upload"], {"CURRI_DATABASE_URL": "postgresql://u@127.0.0.1:1/x"}, 5),
        (["upload"], {"CLOUDFLARE_API_TOKEN": "wr0ng"}, 9),
        (["upload"], {"CLOUDFLARE_ACCOUNT_ID": ""}, 9),
        (["upload"], {"CURRI_TRANSFERS": "many"}, 9),
        (["upload", "--config", "nowhere.toml"], {}, 9),
    ],
    ids=["tree", "database", "token", "account", "setting", "file"],
)
def test_an_error_is_told_as_a_failure(
    minded: Site, receiver: Receiver, arguments: list[str], variables: dict[str, str], code: int
) -> None:
    """Also one of the settings: that of the address itself is enough."""
    assert minded.run(*arguments, **variables).code == code
    assert receiver.told == ["/fail"]


def test_items_that_failed_are_a_failure(minded: Site, receiver: Receiver, films: Films) -> None:
    minded.put({"Course_01": {"Lesson_04": {"learning": {"video.mp4": b"no film"}}}})
    assert minded.upload().code == 3
    assert receiver.told == ["/fail"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_is_a_failure(
    minded: Site, receiver: Receiver, number: signal.Signals, code: int
) -> None:
    minded.hold(Fault("stall-before", When(path="patch")))
    with minded.start("upload") as running:
        minded.until_held(running)
        running.send(number)
        minded.box.clear_faults()
        assert running.done().code == code
    assert receiver.told == ["/fail"]


def test_a_bug_is_a_failure(minded: Site, receiver: Receiver) -> None:
    arguments = [sys.executable, driver.__file__, "upload"]
    with Running(arguments, minded.environment(), minded.folder) as running:
        done = running.done()
    assert done.code == 1
    assert "ZeroDivisionError" in done.err
    assert receiver.told == ["/fail"]


def test_a_run_that_finds_another_at_work_is_neither(minded: Site, receiver: Receiver) -> None:
    """The other one tells how it ended."""
    minded.upload()
    minded.hold(Fault("stall-before", When(path="list")))
    receiver.paths.clear()
    with minded.start("fix-metadata") as running:
        minded.until_held(running)
        assert minded.run("fix-metadata").code == 8
        assert receiver.told == []
        minded.box.clear_faults()
        assert running.done().code == 0
    assert receiver.told == [""]


def test_the_address_of_the_curriculum_is_that_of_its_import(three: Site, receiver: Receiver) -> None:
    (three.root / "curri.toml").write_text(f'ping_url = "{receiver.url}/{{command}}"\n')
    assert three.run("import", "curriculum/Course_01").code == 0
    assert receiver.told == ["/import"]


# --- nothing of it changes how the run ended


def failing(done: Done, code: int = 0) -> str:
    """Return what the one warning says."""
    assert done.code == code
    found = re.fullmatch(f"{WARNING}(.*)\n", done.err)
    assert found, done.err
    assert SECRET not in done.out + done.err
    return found[1]


@pytest.mark.parametrize(
    ("answers", "calls", "words"),
    [
        ([Answer(404)], 1, "the answer was 404"),
        ([Answer(503)], 2, "the answer was 503"),
        ([Answer(200, b"OK (not found)")], 1, "the service answered OK (not found)"),
    ],
)
def test_a_call_that_is_not_accepted_is_a_warning(
    minded: Site, receiver: Receiver, answers: list[Answer], calls: int, words: str
) -> None:
    receiver.answers = answers
    done = minded.run("sync-status", "--quiet", "--json")
    assert failing(done) == words
    assert done.summary["exit_code"] == 0
    assert len(receiver.paths) == calls


def test_a_service_that_is_down_for_a_moment_is_called_again(minded: Site, receiver: Receiver) -> None:
    receiver.answers = [Answer(502), Answer()]
    done = minded.run("sync-status")
    assert (done.code, done.err) == (0, "")
    assert receiver.told == ["", ""]


def test_a_service_that_is_not_there_is_a_warning(minded: Site) -> None:
    done = minded.run("sync-status", CURRI_PING_URL=f"http://127.0.0.1:1/{SECRET}")
    assert failing(done) == "ConnectError: [Errno 111] Connection refused"


def test_a_warning_does_not_hide_the_error(minded: Site, receiver: Receiver) -> None:
    receiver.answers = [Answer(404)]
    done = minded.run("import", "nowhere", "--json")
    assert done.code == done.summary["exit_code"] == 4
    assert done.err.startswith("curri: ")
    assert done.err.endswith(f"{WARNING}the answer was 404\n")


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://127.0.0.1:1/x", "the answer was 302, a redirect from http to another scheme"),
        ("file:///etc/passwd", "the answer was 302, a redirect from http to another scheme"),
        (f"/{SECRET}", "more than 3 redirects"),
    ],
)
def test_redirects_end_and_never_lead_to_another_scheme(
    minded: Site, receiver: Receiver, location: str, words: str
) -> None:
    receiver.answers = [Answer(302, location=location)]
    assert failing(minded.run("sync-status")) == words


def test_a_redirect_within_the_scheme_is_followed(minded: Site, receiver: Receiver) -> None:
    receiver.answers = [Answer(301, location="/elsewhere"), Answer()]
    assert minded.run("sync-status").err == ""
    assert receiver.paths == [f"/{SECRET}", "/elsewhere"]


def test_a_service_that_never_answers_is_given_up() -> None:
    """The limit is for the whole call."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = Secret(f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}")
        assert ping.call(url, seconds=0.2) == "no answer within 0.2 seconds"
    assert ping.SECONDS == 10


def test_a_signal_during_the_call_does_not_change_how_the_run_ended(minded: Site, receiver: Receiver) -> None:
    with minded.start("sync-status") as running:

        def once() -> None:
            receiver.on_call = lambda: None  # the redirected call may come when the run is all but over
            running.send(signal.SIGTERM)

        receiver.on_call = once
        receiver.answers = [Answer(302, location=f"/{SECRET}")]
        done = running.done()
    assert done.code == 0
    assert done.err == "warning   monitoring was not told: stopped while it was\n"


@pytest.mark.parametrize(
    "bad",
    [
        f"ftp://h/{SECRET}",
        f"hc-ping.com/{SECRET}",
        f"https:///{SECRET}",
        f"http://[x/{SECRET}",
        f"http://h:x/{SECRET}",
        f"http://h/{SECRET} x",
    ],
)
def test_an_address_that_cannot_be_called_is_an_error_before_work_begins(minded: Site, bad: str) -> None:
    done = minded.upload(CURRI_PING_URL=bad)
    assert done.code == 9
    assert "CURRI_PING_URL" in done.err
    assert SECRET not in done.out + done.err
    assert minded.requests() == []
    assert minded.one("SELECT count(*) FROM run WHERE command = 'upload'") == 0


# --- it is a secret


def test_the_address_is_seen_nowhere_and_no_token_goes_there(minded: Site, receiver: Receiver) -> None:
    receiver.answers = [Answer(404, SECRET.encode())]
    minded.hold(Fault("stall-before", When(path="patch")))
    with minded.start("upload", "--verbose", "--json") as running:
        minded.until_held(running)
        assert SECRET not in "\n".join([command_line(running.pid), *running.descendants().values()])
        minded.box.clear_faults()
        runs = [running.done()]
    runs += [
        minded.run("config", "-v"),
        minded.run("runs", "--json"),
        minded.run("doctor"),
        minded.run("sync-status", "-v"),
    ]
    runs += [minded.run("upload", "--help"), minded.upload(changes="breaking", CURRI_STREAM_URL="http://127.0.0.1:1")]
    assert SECRET not in "".join(run.out + run.err for run in runs)
    assert "CURRI_PING_URL" in runs[1].out
    assert SECRET not in str(minded.everything())
    files = [path for path in minded.state.rglob("*") if path.is_file()]
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
    assert receiver.headers
    for headers in receiver.headers:
        assert "authorization" not in headers
        assert minded.box.token not in str(headers)
        assert headers["user-agent"].startswith("curri/")


def test_ffmpeg_does_not_learn_it(three: Site, films: Films, ffmpeg: str, receiver: Receiver) -> None:
    note = three.folder / "note"
    spy = three.folder / "spy"
    spy.write_text(f'#!/bin/sh\ncase "$*" in *movflags*) env >> {note};; esac\nexec {ffmpeg} "$@"\n')
    spy.chmod(0o700)
    three.put({"Course_01": {"Lesson_05": {"learning": {"video.mp4": films.heavy(5)}}}})
    assert three.upload("--lesson", "5", CURRI_FFMPEG=str(spy), CURRI_PING_URL=receiver.url).code == 0
    assert SECRET not in Path(note).read_text()
