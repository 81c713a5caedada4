"""tuspy, the tus client for Python, against the sandbox."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from curri.sandbox import Fault, Sandbox, When

from .conftest import CHUNK, MIB, headers, only

tus: Any = pytest.importorskip("tusclient.client", reason="tuspy is not installed: run `make foreign`")
uploader: Any = pytest.importorskip("tusclient.uploader")
storage: Any = pytest.importorskip("tusclient.storage.filestorage")
exceptions: Any = pytest.importorskip("tusclient.exceptions")


@pytest.fixture
def file(clip: Path) -> Iterator[BinaryIO]:
    """A small video, opened here: what tuspy opens itself it never closes."""
    with clip.open("rb") as opened:
        yield opened


@pytest.fixture
def long_file(long_clip: Path) -> Iterator[BinaryIO]:
    """A video of three chunks."""
    with long_clip.open("rb") as opened:
        yield opened


def client_of(box: Sandbox, query: str = "") -> Any:
    """A client that creates uploads."""
    return tus.TusClient(f"{box.url}/accounts/{box.account_id}/stream{query}", headers=headers(box))


def assert_ready(box: Sandbox, file: BinaryIO) -> None:
    """The sandbox holds one video, it is this file, and it plays."""
    file.seek(0)
    # Compared before the assertion: megabytes that differ would be shown.
    same = box.file(only(box.videos()).uid).read_bytes() == file.read()
    assert same
    box.advance(60)
    assert only(box.videos()).state == "ready"


def kinds(box: Sandbox) -> list[str]:
    """What was asked of the sandbox."""
    return [entry.kind for entry in box.requests()]


def test_a_small_file_is_sent(box: Sandbox, file: BinaryIO) -> None:
    client_of(box).uploader(file_stream=file, metadata={"name": "Größe", "lesson": "7"}, chunk_size=CHUNK).upload()
    assert only(box.videos()).meta == {"name": "Größe", "lesson": "7"}
    assert_ready(box, file)


def test_a_file_is_sent_in_chunks(box: Sandbox, long_file: BinaryIO) -> None:
    sending = client_of(box).uploader(file_stream=long_file, metadata={"maxdurationseconds": "60"}, chunk_size=CHUNK)
    sending.upload()
    assert kinds(box) == ["create", "patch", "patch", "patch"]
    assert only(box.videos()).max_duration == 60
    assert_ready(box, long_file)


@pytest.mark.parametrize("close", [False, True], ids=["reset", "orderly"])
def test_an_upload_is_resumed_after_a_cut_in_mid_chunk(box: Sandbox, long_file: BinaryIO, close: bool) -> None:
    box.faults(Fault("drop-middle", When(path="patch", nth=2), after_bytes=MIB, close=close))
    sending = client_of(box).uploader(file_stream=long_file, chunk_size=CHUNK)
    with pytest.raises(exceptions.TusUploadFailed):
        sending.upload()
    again = client_of(box).uploader(file_stream=long_file, url=sending.url, chunk_size=CHUNK)
    assert again.offset == CHUNK + MIB
    again.upload()
    assert kinds(box) == ["create", "patch", "patch", "head", "patch", "patch"]
    assert_ready(box, long_file)


def test_its_own_retries_get_over_a_cut_and_an_error(box: Sandbox, long_file: BinaryIO) -> None:
    box.faults(
        Fault("drop-after", When(path="patch", nth=2)),  # stored, and the answer lost: its retry ends the file
        Fault("answer", When(path="patch", nth=1), status=502),
    )
    client_of(box).uploader(file_stream=long_file, chunk_size=CHUNK, retries=3, retry_delay=0).upload()
    assert_ready(box, long_file)


class KeptOpen(io.BytesIO):
    """tuspy closes a file after its fingerprint, and reads it again then."""

    def close(self) -> None:
        pass


def test_an_address_that_it_remembered_is_gone_on_with(
    box: Sandbox, long_file: BinaryIO, long_clip: Path, tmp_path: Path
) -> None:
    for stop_at in (CHUNK, None):
        with closing(storage.FileStorage(str(tmp_path / "addresses.json"))) as remembered:
            file = KeptOpen(long_clip.read_bytes())
            sending = client_of(box).uploader(
                file_stream=file, chunk_size=CHUNK, store_url=True, url_storage=remembered
            )
            sending.upload(stop_at=stop_at)
    assert kinds(box) == ["create", "patch", "head", "patch", "patch"]
    assert_ready(box, long_file)


def test_the_address_for_a_direct_user_needs_no_token(box: Sandbox, long_file: BinaryIO) -> None:
    created = client_of(box, "?direct_user=true").uploader(file_stream=long_file, metadata={"maxDurationSeconds": "60"})
    address = created.create_url()
    uploader.Uploader(file_stream=long_file, url=address, chunk_size=CHUNK).upload()
    assert_ready(box, long_file)


def test_an_address_of_an_account_needs_the_token(box: Sandbox, long_file: BinaryIO) -> None:
    address = client_of(box).uploader(file_stream=long_file).create_url()
    with pytest.raises(exceptions.TusCommunicationError) as refused:
        uploader.Uploader(file_stream=long_file, url=address, chunk_size=CHUNK)
    assert refused.value.status_code == 400


@pytest.mark.parametrize("size", [MIB, CHUNK + 1], ids=["small", "odd"])
def test_chunks_of_a_wrong_size_are_refused(box: Sandbox, long_file: BinaryIO, size: int) -> None:
    with pytest.raises(exceptions.TusUploadFailed) as refused:
        client_of(box).uploader(file_stream=long_file, chunk_size=size).upload()
    assert refused.value.status_code == 400
    assert only(box.videos()).received == 0


def test_a_wrong_offset_is_refused_and_then_put_right(box: Sandbox, long_file: BinaryIO) -> None:
    sending = client_of(box).uploader(file_stream=long_file, chunk_size=CHUNK)
    sending.upload(stop_at=CHUNK)
    sending.offset = 0
    with pytest.raises(exceptions.TusUploadFailed) as refused:
        sending.upload()
    assert refused.value.status_code == 409
    sending.offset = sending.get_offset()
    sending.upload()
    assert_ready(box, long_file)


def test_an_upload_whose_video_was_deleted_is_not_found(box: Sandbox, long_file: BinaryIO) -> None:
    sending = client_of(box).uploader(file_stream=long_file, chunk_size=CHUNK)
    sending.upload(stop_at=CHUNK)
    requests: Any = pytest.importorskip("requests")
    uid = only(box.videos()).uid
    answer = requests.delete(f"{box.url}/accounts/{box.account_id}/stream/{uid}", headers=headers(box), timeout=10)
    assert answer.status_code == 200
    with pytest.raises(exceptions.TusUploadFailed) as refused:
        sending.upload()
    assert refused.value.status_code == 404
