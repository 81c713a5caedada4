"""Which files the sandbox touches: those in its folder, whatever stands in an address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curri.sandbox import Sandbox

if TYPE_CHECKING:
    from sandbox.conftest import Client, OpenBox

VTT = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
PRECIOUS = b"precious"
NAMES = {
    "parent": "..",
    "parent, encoded": "%2e%2e",
    "file above": "../precious",
    "file above, encoded": "%2e%2e%2fprecious",
    "file above, encoded twice": "%252e%252e%252fprecious",
    "file above, with a backslash": "..%5cprecious",
    "lock of the folder": "..%2flock",
    "state of the folder": "../stream.sqlite3",
    "absolute": "/etc/passwd",
    "absolute, encoded": "%2fetc%2fpasswd",
    "NUL": "%00",
    "NUL after a file above": "..%2fprecious%00",
    "line break": "0%0a",
    "not UTF-8": "%ff%fe",
    "long": "a" * 5_000,
    "long and encoded": "%61" * 5_000,
    "dots": ". .",
    "digits of another script": "%d9%a1" * 32,
}


def everything(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder, but for the database, which is written to all the time."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and "sqlite3" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with something precious beside that of the sandbox, and in it."""
    for place in (tmp_path, tmp_path / "box"):
        place.mkdir(exist_ok=True)
        (place / "precious").write_bytes(PRECIOUS)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_no_address_leads_out_of_the_folder(open_box: OpenBox, house: Path, name: str) -> None:
    client = open_box(data=house / "box")
    given = NAMES[name]
    uid = client.create(10).uid
    before = everything(house)
    tus = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    api = f"/client/v4/accounts/{client.box.account_id}"
    for method, path in (
        ("GET", f"{api}/stream/{given}"),
        ("POST", f"{api}/stream/{given}"),
        ("DELETE", f"{api}/stream/{given}"),
        ("HEAD", f"{api}/media/{given}"),
        ("PATCH", f"{api}/media/{given}"),
        ("PATCH", f"/tus/{given}"),
        ("POST", f"/upload/{given}"),
        ("GET", f"/{given}/downloads/default.mp4"),
        ("GET", f"/{given}/watch"),
        ("PUT", f"{api}/stream/{given}/captions/en"),
        ("PUT", f"{api}/stream/{uid}/captions/{given}"),
        ("GET", f"{api}/stream/{uid}/captions/{given}/vtt"),
        ("DELETE", f"{api}/stream/{uid}/captions/{given}"),
    ):
        status, body = spoken(client, method, path, tus)
        assert 400 <= status < 500, (method, path[:80], status)
        assert PRECIOUS not in body
        assert b"root:" not in body
    assert everything(house) == before


def spoken(client: Client, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """Ask for exactly this path, which an HTTP library would tidy up; return the status and the whole answer."""
    body = b"{}" if method == "POST" else VTT
    lines = {
        "Host": "sandbox",
        "Authorization": f"Bearer {client.box.token}",
        "Connection": "close",
        "Content-Length": str(len(body) if method in ("POST", "PATCH", "PUT") else 0),
        **headers,
    }
    head = f"{method} {path.replace(' ', '%20')} HTTP/1.1\r\n" + "".join(
        f"{key}: {value}\r\n" for key, value in lines.items()
    )
    sent = body if method in ("POST", "PATCH", "PUT") else b""
    with client.raw(head.encode() + b"\r\n" + sent) as connection:
        answer = b""
        while data := connection.recv(65_536):
            answer += data
    return int(answer.split(b" ", 2)[1]), answer


@pytest.mark.parametrize(
    "uid", ["", "..", "../lock", "/etc/passwd", "\0", "0" * 31, "0" * 33, "0" * 32 + "\n", "F" * 32]
)
def test_only_the_uid_of_a_video_names_a_file(uid: str) -> None:
    with Sandbox() as box, pytest.raises(ValueError, match="not the uid of a video"):
        box.file(uid)


@pytest.mark.parametrize("name", ["../../precious", "/etc/passwd", "\0", "a" * 5_000, "%2e%2e%2f"])
def test_the_name_of_a_video_is_no_name_of_a_file(open_box: OpenBox, house: Path, name: str) -> None:
    client = open_box(data=house / "box")
    before = everything(house)
    data = b"0123456789"
    uid = client.upload(data, name=name)
    assert client.get(uid)["meta"]["name"] == name
    assert everything(house) == {**before, f"box/media/{uid}": data}


def test_nothing_is_written_through_a_link_in_the_folder(open_box: OpenBox, house: Path) -> None:
    client = open_box(data=house / "box")
    created = client.create(10)
    client.box.file(created.uid).symlink_to(house / "precious")
    client.http.delete(f"/stream/{created.uid}")
    assert (house / "precious").read_bytes() == PRECIOUS
    assert not client.box.file(created.uid).is_symlink()
