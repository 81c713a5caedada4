"""Programs that hang, linger, talk too much, or lose their parent."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curri.errors import Interrupted
from curri.media import process
from curri.media.process import Hung, Watch, printable, run
from curri.media.tools import Ffmpeg

Shell = Callable[[str], Ffmpeg]
FOR_EVER = "read -r nothing <$0.never"
GONE = 20.0  # seconds; how long a killed program may take to be gone on a busy machine


class Lifeline:
    """A pipe that a program holds open as long as it, or anything it started, lives."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self) -> bytes:
        """What was written next; b"" when all that held it are gone. Fails rather than waiting for ever."""
        ready, _, _ = select.select([self._reader], [], [], GONE)
        assert ready, "still alive"
        return os.read(self._reader, 100)

    def close(self) -> None:
        os.close(self._reader)


@pytest.fixture
def lifeline(tmp_path: Path) -> Lifeline:
    return Lifeline(tmp_path / "lifeline")


def test_progress_is_told_in_seconds_as_ffmpeg_tells_it_to_machines(shell: Shell, watch: Watch) -> None:
    told: list[float] = []
    script = shell(
        "printf 'frame=1\\nout_time_us=N/A\\nprogress=continue\\n'; printf 'out_time_us=15000'; "
        "printf '00\\nprogress=continue\\nout_time_us=2500000\\nout_time=00:00:02.50\\nprogress=end\\n'"
    )
    finished = run([script.path], watch, on_progress=told.append)
    assert (finished.exit_code, finished.complaints) == (0, "")
    assert told[-1] == 2.5
    assert set(told) <= {1.5, 2.5}


def test_progress_may_come_in_pieces() -> None:
    progress = process._Progress()
    for piece in (b"out_time_us=15", b"00", b"000\nprog", b"ress=continue\nout_ti"):
        progress.feed(piece)
    assert progress.seconds == 1.5
    assert progress.values == {"out_time_us": "1500000", "progress": "continue"}


def test_a_program_that_hangs_is_killed_with_all_it_started(shell: Shell, watch: Watch, lifeline: Lifeline) -> None:
    script = shell(f"exec 9>{lifeline.path}; ({FOR_EVER}) & echo started >&9; {FOR_EVER}")
    clock = itertools.count(step=50.0).__next__  # fifty seconds pass between any two looks at it
    with pytest.raises(Hung, match="120 s"):
        run([script.path], replace(watch, clock=clock))
    while lifeline.read():
        pass


def test_a_program_that_closes_its_outputs_and_hangs_is_killed(shell: Shell, watch: Watch) -> None:
    script = shell(f"exec >&- 2>&-; {FOR_EVER}")
    with pytest.raises(Hung):
        run([script.path], replace(watch, clock=itertools.count(step=50.0).__next__))


def test_a_slow_program_that_makes_progress_is_not_killed(shell: Shell, watch: Watch) -> None:
    steps = "".join(f"echo out_time_us={n}; read -r line <&8; " for n in range(1, 6))
    script = shell(f"exec 8<$0.go; {steps}")
    os.mkfifo(script.path + ".go")
    go = os.open(script.path + ".go", os.O_RDWR)
    told: list[float] = []

    def let_go_on(seconds: float) -> None:
        told.append(seconds)
        os.write(go, b"on\n")

    clock = lambda: 100.0 * len(told)  # noqa: E731 - 100 s for each step, of which 120 s are allowed: 500 s in all
    assert run([script.path], replace(watch, clock=clock), on_progress=let_go_on).exit_code == 0
    os.close(go)
    assert len(told) == 5


def test_a_file_that_grows_is_a_sign_of_life(shell: Shell, watch: Watch) -> None:
    looks = itertools.count()

    def cancelled() -> bool:
        return next(looks) > 5

    clock = itertools.count(step=100.0).__next__
    with pytest.raises(Interrupted):  # and not Hung: it lived until it was cancelled
        run([shell(FOR_EVER).path], replace(watch, clock=clock, cancelled=cancelled), pulse=itertools.count().__next__)


def test_a_cancelled_program_is_killed_with_all_it_started(shell: Shell, watch: Watch, lifeline: Lifeline) -> None:
    script = shell(f"exec 9>{lifeline.path}; ({FOR_EVER}) & echo started >&9; {FOR_EVER}")
    started: list[bytes] = []

    def cancelled() -> bool:
        started.append(lifeline.read())
        return True

    with pytest.raises(Interrupted):
        run([script.path], replace(watch, cancelled=cancelled))
    assert started == [b"started\n"]
    assert lifeline.read() == b""


def test_an_error_of_the_caller_kills_the_program(shell: Shell, watch: Watch, lifeline: Lifeline) -> None:
    script = shell(f"exec 9>{lifeline.path}; echo out_time_us=1; {FOR_EVER}")

    def fail(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([script.path], watch, on_progress=fail)
    assert lifeline.read() == b""


def test_a_program_dies_with_a_parent_that_was_killed(shell: Shell, lifeline: Lifeline) -> None:
    script = shell(f"exec 9>{lifeline.path}; echo started >&9; {FOR_EVER}")
    code = f"from curri.media.process import *; run([{script.path!r}], Watch())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as parent:
        assert lifeline.read() == b"started\n"
        parent.send_signal(signal.SIGKILL)
    assert lifeline.read() == b""


def test_a_program_whose_parent_died_before_it_began_does_not_begin(tmp_path: Path) -> None:
    launch = Path(process.__file__).with_name("launch.py")
    nobody = "1" if os.getpid() != 1 else "2"
    command = [sys.executable, "-I", "-S", str(launch), "0", nobody, "/bin/sh", "-c", f"touch {tmp_path}/began"]
    assert subprocess.run(command, check=False).returncode == 1
    assert not (tmp_path / "began").exists()


def test_a_program_waits_for_no_keys_and_yields_to_others(shell: Shell, watch: Watch, tmp_path: Path) -> None:
    script = shell(f"cat >{tmp_path}/typed; nice >{tmp_path}/niceness")
    reader, writer = os.pipe()
    os.write(writer, b"q")
    os.close(writer)
    own = os.dup(0)
    os.dup2(reader, 0)  # somebody types while curri runs
    try:
        assert run([script.path], replace(watch, niceness=7)).exit_code == 0
    finally:
        os.dup2(own, 0)
        os.close(own)
        os.close(reader)
    assert (tmp_path / "typed").read_text() == ""
    assert int((tmp_path / "niceness").read_text()) == min(os.nice(0) + 7, 19)


def test_ctrl_c_reaches_curri_and_not_the_program(shell: Shell, watch: Watch, tmp_path: Path) -> None:
    script = shell(f"ps -o pgid= -p $$ >{tmp_path}/group 2>/dev/null || cut -d' ' -f5 /proc/$$/stat >{tmp_path}/group")
    assert run([script.path], watch).exit_code == 0
    assert int((tmp_path / "group").read_text()) != os.getpgrp()


def test_credentials_are_not_handed_on(shell: Shell, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "secret-word")
    monkeypatch.setenv("PLAIN", "plain-word")
    complaints = run([shell("env >&2").path], watch).complaints
    assert "plain-word" in complaints
    assert "secret-word" not in complaints


def test_a_program_that_complains_without_end_is_not_kept_in_memory(shell: Shell, watch: Watch) -> None:
    script = shell("head -c 3000000 /dev/zero | tr '\\0' 'x' >&2; echo the last word >&2; exit 9")
    finished = run([script.path], watch)
    assert finished.exit_code == 9
    assert len(finished.complaints) <= 65_536
    assert finished.complaints.endswith("the last word")


def test_a_program_that_is_killed_from_outside_is_told_by_its_signal(shell: Shell, watch: Watch) -> None:
    assert run([shell("kill -11 $$").path], watch).exit_code == -11


def test_a_program_that_ends_while_another_holds_its_outputs_is_not_waited_for(
    shell: Shell, watch: Watch, lifeline: Lifeline
) -> None:
    script = shell(f"exec 9>{lifeline.path}; setsid tail -f /dev/null & echo $! >&9; exit 3")
    finished = run([script.path], watch)
    assert finished.exit_code == 3
    os.kill(int(lifeline.read()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"plain\n", "plain"),
        (b"\x1b[31mred\x1b[0m \x07bell\x00", "[31mred[0m bell"),
        (b"frame 1\rframe 2\r\n\n\nlast", "frame 1\nframe 2\nlast"),
        (b"\xff\xfe broken", "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} broken"),
        ("right\N{RIGHT-TO-LEFT OVERRIDE}left".encode(), "rightleft"),
        (b"", ""),
    ],
)
def test_foreign_text_is_made_safe_to_show(text: bytes, shown: str) -> None:
    assert printable(text) == shown


def test_the_last_lines_are_shown_in_one() -> None:
    finished = process.Finished(1, "\n".join(str(n) for n in range(9)), 0.0)
    assert finished.last_lines == "5 / 6 / 7 / 8"
    assert process.Finished(1, "", 0.0).last_lines == "it gave no reason"
