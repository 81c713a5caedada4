"""`curri sandbox` as its users run it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from support.command import Done, clean_environment, start

Curri = Callable[..., Done]


def test_it_listens_until_ctrl_c_and_lets_its_token_in(tmp_path: Path) -> None:
    process = start(["sandbox", "--port", "0", "--json"], clean_environment(tmp_path), tmp_path)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert told["type"] == "sandbox"
    listing = f"{told['url']}/accounts/{told['account_id']}/stream"
    answer = httpx.get(listing, headers={"Authorization": "Bearer sandbox-token"})
    assert (answer.status_code, answer.json()["result"]) == (200, [])
    assert httpx.get(listing, headers={"Authorization": "Bearer another"}).status_code == 403
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["exit_code"] == 0


def test_a_token_of_ones_own_is_not_printed(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path, CURRI_SANDBOX_TOKEN="my-own-token")
    process = start(["sandbox", "--port", "0"], environment, tmp_path)
    assert process.stdout is not None
    shown = ""
    while "Ctrl-C" not in shown:
        shown += process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert "my-own-token" not in shown + out + err


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ([], "Ctrl-C ends it; nothing is kept then; `--data DIR` keeps it."),
        (["--data", "box"], "Ctrl-C ends it; videos and state are kept in box."),
    ],
)
def test_it_says_what_is_kept(tmp_path: Path, more: list[str], kept: str) -> None:
    process = start(["sandbox", "--port", "0", *more], clean_environment(tmp_path), tmp_path)
    assert process.stdout is not None
    shown = ""
    while "Ctrl-C" not in shown:
        shown = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert shown == f"{kept}\n"


def test_a_fault_script_that_makes_no_sense_is_exit_9(curri: Curri) -> None:
    done = curri("sandbox", "--port", "0", "--faults", '[{"do": "explode"}]')
    assert done.code == 9
    assert "explode" in done.err
    assert "Traceback" not in done.err
