"""`curri doctor` where something is wrong: what could not work is not called fine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import psycopg
import pytest

from curri.catalog import embedded
from curri.errors import ExitCode
from curri.flow import doctor
from curri.flow.doctor import Configured, Finding
from curri.flow.preflight import Credentials
from curri.sandbox import Sandbox, SandboxSettings
from curri.stream.failures import NotFound
from curri.stream.videos import Videos
from support.command import Done
from support.ordinary import NOBODY, ordinary_user
from support.trees import SMALL

Make = Callable[..., Path]
Curri = Callable[..., Done]


def state_folder_of(home: Path) -> Finding:
    """Return what an ordinary user is told of a state folder."""
    nothing = Credentials(None, None, None)
    with ordinary_user():
        found = doctor.run(Configured("mysql://x", home, Path("/nowhere"), None, lambda: nothing))
    return next(each for each in found if each.name == "state folder")


def refused(home: Path) -> Finding:
    finding = state_folder_of(home)
    assert (finding.state, finding.exit_code, finding.where) == ("problem", ExitCode.CONFIG, str(home))
    assert "set CURRI_HOME" in str(finding.hint)
    return finding


def own(folder: Path, mode: int) -> Path:
    """Make a folder of the ordinary user's own."""
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    folder.chmod(mode)
    return folder


def test_a_state_folder_of_ones_own_is_fine(reachable: Path) -> None:
    assert state_folder_of(own(reachable / "mine", 0o700)).state == "ok"
    assert state_folder_of(reachable / "mine" / "new" / "one").state == "ok"


@pytest.mark.parametrize("mode", [0o500, 0o600, 0o000])
def test_a_state_folder_that_nothing_can_be_put_into_is_a_problem(reachable: Path, mode: int) -> None:
    home = own(reachable / "mine", mode)
    assert refused(home).hint == f"chmod 700 {home}, or set CURRI_HOME to a folder of your own"


def test_a_state_folder_behind_a_closed_door_is_a_problem(reachable: Path) -> None:
    closed = reachable / "closed"
    closed.mkdir(mode=0o700)
    if os.geteuid() != 0:
        closed.chmod(0)
    assert refused(closed / "state").text == "the state folder cannot be used: Permission denied"


@pytest.mark.skipif(os.geteuid() != 0, reason="nothing is another user's")
def test_a_state_folder_of_somebody_else_is_a_problem_and_no_advice_for_its_owner(reachable: Path) -> None:
    theirs = reachable / "theirs"
    theirs.mkdir()
    theirs.chmod(0o755)
    assert "another user" in refused(theirs).text
    assert "chmod" not in str(refused(theirs).hint)
    assert "cannot be made" in refused(theirs / "below").text


def test_a_file_is_no_state_folder(reachable: Path) -> None:
    (reachable / "file").touch()
    assert "is not a folder" in refused(reachable / "file").text
    assert "Not a directory" in refused(reachable / "file" / "below").text


def test_what_is_wrong_is_named_with_its_place(curri: Curri, tmp_path: Path) -> None:
    done = curri("doctor", CLOUDFLARE_API_TOKEN_FILE=str(tmp_path / "nowhere"), url="postgresql://u@127.0.0.1:1/x")
    assert f"in: {tmp_path / 'nowhere'}\n" in done.out
    assert "in: u@127.0.0.1:1/x\n" in done.out


def test_a_token_file_that_others_can_read_is_a_warning(curri: Curri, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("t0ken")
    secret.chmod(0o644)
    told = f"warning   token file: {secret} can be read by others\n          hint: chmod 600 {secret}\n"
    assert told in curri("doctor", CLOUDFLARE_API_TOKEN_FILE=str(secret)).out
    assert "token file" not in curri("doctor", CLOUDFLARE_API_TOKEN_FILE=str(secret), CLOUDFLARE_API_TOKEN="x").out
    secret.chmod(0o600)
    assert "token file" not in curri("doctor", CLOUDFLARE_API_TOKEN_FILE=str(secret)).out


def test_names_of_files_that_are_not_read_as_utf_8_are_a_problem(curri: Curri, url: str) -> None:
    done = curri("doctor", url=url, LC_ALL="POSIX", PYTHONUTF8="0")
    assert done.code == 9
    assert "problem   python:" in done.out


def test_the_account_without_an_id_is_told_where_it_stands(curri: Curri, url: str) -> None:
    out = curri("doctor", url=url).out
    assert "dash.cloudflare.com/<account id>" in out
    assert "Stream > Edit" not in out
    assert "Stream > Edit" in curri("doctor", url=url, CLOUDFLARE_ACCOUNT_ID="a").out


def link(url: str, *uids: str) -> None:
    """Let lessons play these videos, the last one linked last."""
    with psycopg.connect(url, autocommit=True) as connection:
        components = connection.execute("SELECT id FROM component WHERE type = 'VIDEO' ORDER BY id").fetchall()
        for number, uid in enumerate(uids):
            values = {"uid": uid, "component": components[number][0], "ago": f"{10 - number} minutes"}
            connection.execute(
                "INSERT INTO video (id, provider_id, status) VALUES (gen_random_uuid(), %(uid)s, 'ready')", values
            )
            connection.execute(
                "INSERT INTO component_video (id, component_id, provider_id, state, linked_at)"
                " VALUES (gen_random_uuid(), %(component)s, %(uid)s, 'current', now() - %(ago)s::interval)",
                values,
            )


def test_videos_of_another_account_are_a_problem(curri: Curri, url: str, curriculum: Make) -> None:
    curri("import", curriculum(SMALL), url=url)
    link(url, "a" * 32, "b" * 32)
    with Sandbox(SandboxSettings()) as box:
        names = {"CURRI_STREAM_URL": box.url, "CLOUDFLARE_ACCOUNT_ID": box.account_id}
        done = curri("doctor", url=url, CLOUDFLARE_API_TOKEN=box.token, **names)
        without = curri("doctor", url=url, **names)
    assert done.code == 9
    assert (
        f"problem   videos: the catalog's videos are not in this account (asked for {'b' * 32} of course_0" in done.out
    )
    assert "CLOUDFLARE_ACCOUNT_ID or CURRI_STREAM_URL" in done.out
    assert "videos:" not in without.out


class Account:
    """An account that holds some videos."""

    def __init__(self, *uids: str) -> None:
        self.uids = uids
        self.asked: list[str] = []

    def get(self, uid: str) -> None:
        self.asked.append(uid)
        if uid not in self.uids:
            raise NotFound("there is no such video")


@pytest.mark.parametrize(
    ("there", "state", "asked"),
    [(("a", "b"), "ok", ["a"]), (("b",), "warning", ["a", "b"]), ((), "problem", ["a", "b"])],
)
def test_one_video_that_was_deleted_is_not_another_account(
    there: tuple[str, ...], state: str, asked: list[str]
) -> None:
    account = Account(*there)
    (finding,) = doctor.linked_videos(cast("Videos", account), lambda: [("a", "course_01/01/a"), ("b", "course_01/b")])
    assert (finding.state, account.asked) == (state, asked)
    assert "a of course_01/01/a" in finding.text


def test_a_sandbox_that_is_rehearsed_with_is_known_by_the_embedded_server_too(
    curri: Curri, curriculum: Make, state_folder: Path
) -> None:
    curri("import", curriculum(SMALL))
    with embedded.server(state_folder) as url:
        link(url, "a" * 32)
    with Sandbox(SandboxSettings()) as box:
        names = {"CURRI_STREAM_URL": box.url, "CLOUDFLARE_ACCOUNT_ID": box.account_id}
        done = curri("doctor", CLOUDFLARE_API_TOKEN=box.token, **names)
    assert done.code == 9
    assert "problem   videos:" in done.out
