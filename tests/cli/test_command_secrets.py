"""Token, password, and the address of the service that is called: no command shows one, whatever goes wrong."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from audit.conftest import House, house, nursery
from support.command import Done
from upload.conftest import Films, films

__all__ = ["films", "house", "nursery"]

TOKEN = "t0ken-that-nobody-may-see"
PASSWORD = "passw0rd/that@nobody:may-see"
CHECK = "ping-that-nobody-may-see"
UID = "0123456789abcdef0123456789abcdef"

COMMANDS = [
    ["import", "curriculum"],
    ["upload"],
    ["upload", "--dry-run"],
    ["sync-status", "--all"],
    ["fix-metadata"],
    ["check"],
    ["adopt", "--yes"],
    ["gc", "--yes"],
    ["status"],
    ["explain", UID],
    ["videos", "list"],
    ["videos", "show", UID],
    ["videos", "edit", UID, "--title", "x"],
    ["videos", "delete", UID, "--yes"],
    ["runs"],
    ["config"],
    ["doctor"],
    ["db", "current"],
    ["db", "url"],
    ["db", "upgrade", "--dry-run"],
]


def seen(done: Done) -> set[str]:
    said = done.out + done.err
    return {each for each in (TOKEN, PASSWORD, quote(PASSWORD, safe=""), CHECK, PASSWORD.split("@")[0]) if each in said}


@pytest.fixture
def guarded(house: House, films: Films) -> House:
    """Return a site with secrets of its own; the token is a wrong one."""
    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    house.variables |= {
        "CURRI_DATABASE_URL": psycopg.conninfo.make_conninfo(house.url, password=PASSWORD),
        "CLOUDFLARE_API_TOKEN": TOKEN,
    }
    return house


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"CURRI_PING_URL": f"http://127.0.0.1:1/{CHECK}"},
        {"CURRI_DATABASE_URL": f"postgresql://u:{quote(PASSWORD, safe='')}@127.0.0.1:1/x"},
        {"CURRI_DATABASE_URL": f"mysql://u:{PASSWORD}@h/x"},
        {"CURRI_DATABASE_URL": f"postgresql://u:{PASSWORD}@h/x?schema=public"},
        {"CURRI_PING_URL": f"ftp://{CHECK}", "CURRI_CACHE_SIZE": TOKEN[:3]},
        {"CLOUDFLARE_API_TOKEN": f"{TOKEN} {TOKEN}", "CURRI_STREAM_URL": f"https://u:{PASSWORD}@h"},
    ],
    ids=["token", "service", "database", "scheme", "address", "check", "stream"],
)
def test_no_command_shows_a_secret(guarded: House, wrong: dict[str, str]) -> None:
    shows_addresses = [["config"]] if "CURRI_STREAM_URL" in wrong else []  # with a password in it none is ever used
    watched = COMMANDS[:8] if "/" in wrong.get("CURRI_PING_URL", "").partition("://")[2] else COMMANDS
    for number, command in enumerate(each for each in watched if each not in shows_addresses):
        done = guarded.run(*command, ("--verbose", "--json")[number % 2], **wrong)
        assert seen(done) == set(), command
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "content",
    [
        f"CLOUDFLARE_API_TOKEN={TOKEN}\n".encode() + b"CURRI_X=\xff\n",
        f"CLOUDFLARE_API_TOKEN={TOKEN}\nCURRI_PROGRAM=a\0b\n".encode(),
        f"CLOUDFLARE_API_TOKEN='{TOKEN}\n".encode(),
        None,
    ],
    ids=["bytes", "nul", "quote", "folder"],
)
def test_a_dotenv_that_is_none_is_an_error_without_its_values(house: House, content: bytes | None) -> None:
    path = house.folder / ".env"
    path.mkdir() if content is None else path.write_bytes(content)
    done = house.run("config", "--json")
    assert done.code in (0, 9)
    assert seen(done) == set()
    assert "Traceback" not in done.err
    assert done.summary["exit_code"] == done.code


def test_settings_that_are_no_toml_are_an_error_without_their_values(house: House, tmp_path: Path) -> None:
    for text in (f'cloudflare_api_token = "{TOKEN}', f"{TOKEN}", f'transfers = "{TOKEN}"', f"ping_url = '{TOKEN}'"):
        path = tmp_path / "curri.toml"
        path.write_text(text)
        done = house.run("config", "--config", str(path))
        assert done.code == 9
        assert seen(done) == set()
