"""The check for real accounts, run against the sandbox: it must find what is there, and leave nothing behind."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from curri.sandbox import Fault, Sandbox, SandboxSettings, Timings, When
from support.command import Done, clean_environment

TOP = Path(__file__).resolve().parent.parent
SCRIPT = TOP / "scripts" / "verify_live.py"
OTHERS = ["curri-verify-of-somebody-else", "A lesson"]
TOKEN = "a-token-that-nobody-may-see"
SECONDS = 60


@dataclass(frozen=True)
class Desk:
    """Where the script is run."""

    home: Path

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments],
            env=clean_environment(self.home, **variables),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> Done:
        return ended(self.start(*arguments, **variables))


def ended(process: subprocess.Popen[str]) -> Done:
    """How it ended; one that hangs is killed and fails the test."""
    with process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Done(process.returncode, out, err)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def box_with(*faults: Fault, **settings: Any) -> Sandbox:
    """A sandbox that is ready as soon as it is asked; its clock moves, so that waits end."""
    timings = Timings(queued=0, encoding=0, playable=0, rising=0)
    return Sandbox(SandboxSettings(**{"token": TOKEN, "timings": timings, "faults": faults, **settings}))


def variables(box: Sandbox) -> dict[str, str]:
    return {
        "CLOUDFLARE_ACCOUNT_ID": box.account_id,
        "CLOUDFLARE_API_TOKEN": box.token,
        "CURRI_STREAM_URL": box.url,
    }


def names(box: Sandbox) -> list[str | None]:
    return [video.name for video in box.videos()]


def verdicts(done: Done) -> dict[str, str]:
    """Each fact with its verdict."""
    lines = re.findall(r"^(as expected|differs|not seen) +(.+?): ", done.out, re.MULTILINE)
    return {fact: verdict for verdict, fact in lines}


def listed(desk: Desk) -> dict[str, bool]:
    """Each fact, and whether curri relies on it, as `--list` names them."""
    done = desk.run("--list")
    assert done.code == 0, done.err
    lines = re.findall(r"^(relied on|either way)  (.+)$", done.out, re.MULTILINE)
    return {fact: word == "relied on" for word, fact in lines}


def test_all_facts_hold_on_the_sandbox_and_nothing_is_left(desk: Desk) -> None:
    with box_with() as box:
        box.plant([{"name": name} for name in OTHERS], state="ready", duration=60)
        done = desk.run("--yes", **variables(box))
        assert done.code == 0, done.out + done.err
        assert names(box) == OTHERS
        made = {entry.uid for entry in box.requests() if entry.kind == "create"}
        touched = {entry.uid for entry in box.requests() if entry.kind in ("edit", "delete", "patch")}
    assert verdicts(done) == dict.fromkeys(listed(desk), "as expected"), done.out
    assert len(made) == 3
    assert touched == made


def test_neither_the_token_nor_the_address_of_an_upload_is_shown(desk: Desk) -> None:
    # Refusals, too: a server may repeat what it was sent.
    faults = [Fault("answer", When(path=path, nth=3), status=400) for path in ("patch", "head", "get", "edit")]
    with box_with(*faults) as box:
        done = desk.run("--yes", **variables(box))
    said = done.out + done.err
    assert "differs" in said
    assert TOKEN not in said
    assert "/media/" not in said
    assert "tusv2" not in said


def test_a_token_may_come_from_a_file(desk: Desk) -> None:
    (desk.home / "token").write_text(TOKEN + "\n")
    with box_with(Fault("answer", When(path="list", times=None), status=403)) as box:
        given = variables(box) | {"CLOUDFLARE_API_TOKEN": "", "CLOUDFLARE_API_TOKEN_FILE": str(desk.home / "token")}
        done = desk.run("--yes", **given)
    assert done.code == 9
    assert "the token is valid, but may not use Stream" in done.err


def test_off_a_terminal_it_refuses_without_yes(desk: Desk) -> None:
    with box_with() as box:
        done = desk.run(**variables(box))
        assert not box.requests()
    assert done.code == 2
    assert "--yes" in done.err


@pytest.mark.parametrize("lacking", ["CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"])
def test_without_credentials_it_names_what_is_not_set(desk: Desk, lacking: str) -> None:
    with box_with() as box:
        done = desk.run("--yes", **variables(box) | {lacking: ""})
        assert not box.requests()
    assert done.code == 9
    assert f"not set: {lacking}\n" in done.err


def test_a_listing_out_of_order_keeps_nothing_from_being_deleted(desk: Desk) -> None:
    with box_with(Fault("answer", When(path="list", nth=2, times=None), status=500)) as box:
        done = desk.run("--yes", **variables(box))
        assert names(box) == []
    assert done.code == 3, done.out + done.err
    assert verdicts(done)["a new upload soon shows in the listing"] == "not seen"


def test_an_upload_whose_creation_was_never_answered_is_found_and_deleted(desk: Desk) -> None:
    with box_with(Fault("drop-after", When(path="create"))) as box:
        box.plant([{"name": name} for name in OTHERS], state="ready", duration=60)
        done = desk.run("--yes", **variables(box))
        assert names(box) == OTHERS
    assert done.code == 3
    assert "creation was not answered" in done.err
    fact = "a creation answers with the address of the upload and the id of the video"
    assert verdicts(done)[fact] == "not seen"


def test_what_cannot_be_deleted_is_named(desk: Desk) -> None:
    with box_with(Fault("answer", When(path="delete", nth=3, times=None), status=403)) as box:
        done = desk.run("--yes", **variables(box))
        left = [video.uid for video in box.videos()]
    assert done.code == 3, done.out + done.err
    assert len(left) == 2
    assert "NOT DELETED" in done.err
    assert all(uid in done.err for uid in left)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_deletes_what_it_made(desk: Desk, number: signal.Signals, code: int) -> None:
    with box_with(Fault("stall-before", When(path="patch", nth=3))) as box:
        process = desk.start("--yes", **variables(box))
        try:
            until(partial(has_come, box, "patch", 3))
            assert len(names(box)) == 1
        finally:
            process.send_signal(number)
        done = ended(process)
        assert names(box) == []
    assert done.code == code, done.err
    assert "Traceback" not in done.err


def test_a_second_interrupt_ends_the_deleting_and_names_what_is_left(desk: Desk) -> None:
    stalls = [Fault("stall-before", When(path="patch", nth=2)), Fault("stall-before", When(path="delete", nth=3))]
    with box_with(*stalls) as box:
        process = desk.start("--yes", **variables(box))
        try:
            for kind, count in (("patch", 2), ("delete", 3)):
                until(partial(has_come, box, kind, count))
                process.send_signal(signal.SIGINT)
        finally:
            done = ended(process)
        left = [video.uid for video in box.videos()]
    assert done.code == 130, done.err
    assert len(left) == 1
    assert f"{left[0]}: interrupted" in done.err


def test_what_curri_can_bear_either_way_does_not_fail_the_run(desk: Desk) -> None:
    other: dict[str, Any] = {
        "usage_includes_reservations": True,
        "partial_patch": "drop",
        "recognised_keys_stay_in_meta": True,
        "rate_limit_counts_tus": False,
        "edit_merges_meta": True,
        "upload_lifetime_seconds": 7200,
        "counts_as_strings": False,
        "empty_delete": True,
    }
    with box_with(**other) as box:
        done = desk.run("--yes", **variables(box))
        assert names(box) == []
    assert done.code == 0, done.out + done.err
    assert sorted(fact for fact, verdict in verdicts(done).items() if verdict != "as expected") == [
        "`maxdurationseconds` does not stay in the metadata",
        "an edit can remove a key",
        "an edit replaces the metadata as a whole",
        "an open upload names the moment when it ends, a day ahead",
        "answers of tus tell what is left of the budget of calls",
        "the minutes that an open upload reserves do not show in storage usage",
        "what came of a chunk that was cut off is kept",
    ]
    assert "differs" in verdicts(done).values()
    assert "curri relies on it" not in done.out


def test_what_curri_relies_on_fails_the_run_where_it_differs(desk: Desk) -> None:
    with box_with(Fault("answer", When(path="patch", name="*clip*"), status=400)) as box:
        done = desk.run("--yes", **variables(box))
        assert names(box) == []
    assert done.code == 6
    assert verdicts(done)["a chunk at another offset is refused with 409"] == "differs"
    assert done.out.count("(curri relies on it)") == 1


def test_a_video_that_stream_cannot_process_is_told_and_deleted(desk: Desk) -> None:
    with box_with(Fault("fail", When(name="*clip*"), code="ERR_MALFORMED_VIDEO")) as box:
        done = desk.run("--yes", **variables(box))
        assert names(box) == []
    assert done.code == 6
    assert "error ERR_MALFORMED_VIDEO" in done.out


def test_every_fact_is_in_the_documents_and_every_documented_one_is_looked_at(desk: Desk) -> None:
    section = (TOP / "docs/live.md").read_text().partition("## The facts\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+) \| (Relied on|Either way): [^|]+ \| `([a-z/_]+\.py)` \|$", section, re.MULTILINE)
    assert [(fact, word == "Relied on") for fact, word, _ in rows] == list(listed(desk).items())
    for _, _, path in rows:
        assert (TOP / "src" / "curri" / path).is_file(), path


def test_make_knows_the_target_and_lists_it() -> None:
    done = subprocess.run(["make", "help"], cwd=TOP, capture_output=True, text=True, check=True)
    assert re.search(r"^  make verify-live +\S", done.stdout, re.MULTILINE)


def has_come(box: Sandbox, kind: str, count: int) -> bool:
    """Whether so many requests of a kind have come."""
    return sum(entry.kind == kind for entry in box.requests()) == count


def until(look: Callable[[], bool]) -> None:
    """Wait until it is true."""
    end = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < end
        time.sleep(0.01)
