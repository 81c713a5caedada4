"""The server as a whole: starting, stopping, going on where it stopped, and how little memory it needs."""

from __future__ import annotations

import ast
import os
import select
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

import curri.sandbox
from curri.errors import BusyError, ConfigError
from curri.sandbox import Fault, Sandbox, SandboxSettings, Timings, When

if TYPE_CHECKING:
    from sandbox.conftest import Client, Clip, OpenBox, Upload

CHUNK = 5_242_880


def test_it_listens_on_loopback_only() -> None:
    with Sandbox() as box:
        assert box.url.startswith("http://127.0.0.1:")
        assert box.url.endswith("/client/v4")


def test_it_stops_at_once_whatever_is_under_way(open_box: OpenBox) -> None:
    settings = SandboxSettings(faults=(Fault("stall-before", When(path="list")),))
    failed = threading.Event()

    def ask(box: Sandbox) -> None:
        headers = {"Authorization": f"Bearer {box.token}"}
        try:
            httpx.get(f"{box.url}/accounts/{box.account_id}/stream", headers=headers, trust_env=False)
        except httpx.TransportError:
            failed.set()

    with Sandbox(settings) as box:
        asking = threading.Thread(target=ask, args=(box,))
        asking.start()
        while not box.requests():
            pass
        begin = time.monotonic()
    assert time.monotonic() - begin < 3
    asking.join(10)
    assert failed.is_set()


def test_an_error_inside_the_sandbox_is_raised_where_it_is_used(
    speak: Callable[[Sandbox], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curri.sandbox.account.Account.show", lambda *_: 1 / 0)
    box = Sandbox().__enter__()
    client = speak(box)
    assert client.http.get(f"/stream/{client.create(10).uid}").status_code == 500
    client.close()
    with pytest.raises(ZeroDivisionError):
        box.__exit__(None, None, None)


def test_a_temporary_folder_goes_with_the_sandbox() -> None:
    with Sandbox() as box:
        folder = box.file("0" * 32).parent.parent
        assert folder.is_dir()
    assert not folder.exists()


def test_a_port_that_is_taken_is_said_plainly() -> None:
    with Sandbox() as box, pytest.raises(ConfigError, match="cannot listen"):
        Sandbox(SandboxSettings(port=urlsplit(box.url).port or 0)).__enter__()


def test_a_folder_serves_one_sandbox_at_a_time(tmp_path: Path) -> None:
    settings = SandboxSettings(data=tmp_path)
    with Sandbox(settings), pytest.raises(BusyError):
        Sandbox(settings).__enter__()
    with Sandbox(settings):
        pass


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stream.sqlite3").write_bytes(b"a letter" * 1000)
    with pytest.raises(ConfigError):
        Sandbox(SandboxSettings(data=tmp_path)).__enter__()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError):
        Sandbox(SandboxSettings(data=tmp_path / "file")).__enter__()


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": ""},
        {"token": "two words"},
        {"account_id": "../etc"},
        {"port": 70_000},
        {"quota_minutes": -1},
        {"processing_limit": 0},
        {"webhook_copies": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SandboxSettings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        Timings(queued=-1)


def test_no_token_is_shown_with_the_settings() -> None:
    assert "hidden" not in repr(SandboxSettings(token="hidden-one", read_token="hidden-two"))


def test_an_upload_goes_on_after_a_restart(
    open_box: OpenBox, speak: Callable[[Sandbox], Client], tmp_path: Path, clip: Clip
) -> None:
    data = os.urandom(CHUNK) + clip("2s.mp4")
    with Sandbox(SandboxSettings(data=tmp_path, frozen_clock=True)) as box:
        upload, client = _begun(speak, box, data)
        client.box.advance(3600)
        created = client.get(upload.uid)["created"]
        now = client.control("GET", "clock").json()["now"]
        client.close()
    # What a crash left beyond the recorded offset must not survive.
    with (tmp_path / "media" / upload.uid).open("ab") as file:
        file.write(b"torn")
    second = open_box(data=tmp_path)
    assert second.get(upload.uid)["created"] == created
    assert second.control("GET", "clock").json()["now"] >= now
    moved = type(upload)(
        upload.uid, second.box.origin + urlsplit(upload.location)._replace(scheme="", netloc="").geturl(), upload.length
    )
    assert second.offset(moved) == CHUNK
    assert second.patch(moved, data[CHUNK:], CHUNK).status_code == 204
    assert second.box.file(upload.uid).read_bytes() == data


def _begun(speak: Callable[[Sandbox], Client], box: Sandbox, data: bytes) -> tuple[Upload, Client]:
    client = speak(box)
    upload = client.create(len(data), name="cells")
    assert client.patch(upload, data[:CHUNK]).status_code == 204
    return upload, client


def test_processing_goes_on_after_a_restart(speak: Callable[[Sandbox], Client], tmp_path: Path, clip: Clip) -> None:
    settings = SandboxSettings(data=tmp_path, frozen_clock=True)
    with Sandbox(settings) as box:
        client = speak(box)
        uid = client.upload(clip("2s.mp4"))
        client.close()
    with Sandbox(settings) as box:
        box.advance(60)
        (video,) = box.videos()
        assert (video.uid, video.phase, video.duration) == (uid, "complete", 2.0)


def test_the_largest_chunk_costs_little_memory(client: Client) -> None:
    size = 209_715_200
    upload = client.create(size)
    block = bytes(1024 * 1024)
    tracemalloc.start()
    try:
        with client.raw_patch(upload, b"", size) as connection:
            for _ in range(size // len(block)):
                connection.sendall(block)
            assert connection.recv(12) == b"HTTP/1.1 204"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert client.box.file(upload.uid).stat().st_size == size
    assert peak < 8 * 1024 * 1024


def test_requests_on_one_connection_follow_each_other_after_a_chunk(client: Client) -> None:
    upload = client.create(2 * CHUNK)
    with client.raw_patch(upload, bytes(CHUNK), CHUNK) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 204")
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: sandbox\r\n\r\n")
            answer = HTTPResponse(connection)
            answer.begin()
            assert (answer.status, answer.read()[:7]) == (200, b"A local")
            answer.close()


def test_a_full_disk_is_an_error_and_not_a_hang(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = client.create(2 * CHUNK)
    real = os.pwrite
    left = [2 * 1024 * 1024]

    def full(file: int, data: bytes, position: int) -> int:
        left[0] -= len(data)
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return real(file, data, position)

    monkeypatch.setattr(os, "pwrite", full)
    answer = client.patch(upload, bytes(CHUNK))
    monkeypatch.undo()
    assert answer.status_code == 500
    assert "No space left on device" in answer.json()["messages"][0]["message"]
    assert client.offset(upload) == 0
    assert client.patch(upload, bytes(CHUNK)).status_code == 204


def test_two_sandboxes_with_a_seed_give_the_same_ids(open_box: OpenBox) -> None:
    first, second = open_box(seed=3), open_box(seed=3)
    ids = [[client.create(10).uid for _ in range(3)] for client in (first, second)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3


_SERVING = """
import sys
from pathlib import Path
from curri.sandbox import SandboxSettings, serve
serve(SandboxSettings(), lambda box: sys.stdout.write(f"{box.url} {box.file('0' * 32).parent.parent}\\n") and sys.stdout.flush())
sys.stdout.write("ended\\n")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serving_ends_cleanly_when_told_and_says_nothing_itself(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _SERVING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 20)[0]
        url, folder = process.stdout.readline().split()
        assert httpx.get(url.removesuffix("/client/v4"), trust_env=False).status_code == 200
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "ended\n", "")
    assert not Path(folder).exists()


def test_bytes_are_thrown_away_by_a_setting_and_the_video_passes_for_whole(open_box: OpenBox) -> None:
    client = open_box(discard_bytes=True)
    upload = client.create(CHUNK + 9, maxdurationseconds="33")
    assert client.patch(upload, bytes(CHUNK)).status_code == 204
    assert client.patch(upload, bytes(9), CHUNK).status_code == 204
    assert not client.box.file(upload.uid).exists()
    client.box.advance(60)
    video = client.get(upload.uid)
    assert (video["status"]["state"], video["duration"], video["size"]) == ("ready", 33.0, CHUNK + 9)


def test_an_answer_leaves_without_waiting_for_the_client_to_acknowledge_its_head(client: Client) -> None:
    client.http.get("/stream")
    times = []
    for _ in range(21):
        begin = time.perf_counter()
        client.http.get("/stream")
        times.append(time.perf_counter() - begin)
    # Held back, each of them takes the 40 ms of a delayed acknowledgement.
    assert sorted(times)[len(times) // 2] < 0.03


def test_four_uploads_at_once_arrive_whole(client: Client, speak: Callable[[Sandbox], Client]) -> None:
    data = [bytes([number]) * (2 * CHUNK + number) for number in range(4)]

    def send(content: bytes) -> str:
        own = speak(client.box)
        upload = own.create(len(content))
        for offset in range(0, len(content), CHUNK):
            assert own.patch(upload, content[offset : offset + CHUNK], offset).status_code == 204
        own.close()
        return upload.uid

    with ThreadPoolExecutor(4) as threads:
        uids = list(threads.map(send, data))
    assert [client.box.file(uid).read_bytes() == content for uid, content in zip(uids, data, strict=True)] == [True] * 4


def test_without_the_extra_it_is_said_what_to_install() -> None:
    script = "import sys; sys.modules['uvicorn'] = None; import curri.sandbox"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "curri.errors.ConfigError: the sandbox needs starlette and uvicorn" in done.stderr


def test_the_sandbox_knows_nothing_of_curri_but_its_errors() -> None:
    folder = Path(curri.sandbox.__file__).parent
    known = {"curri.errors"}
    for module in folder.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            foreign = [name for name in names if name.startswith("curri") and not name.startswith("curri.sandbox")]
            assert set(foreign) <= known, module.name
