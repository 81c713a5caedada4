"""Where the API token comes from, and what is said when it cannot be read: never the token."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from curri import config
from curri.cli.stream import credentials_of
from curri.config import Settings
from curri.errors import ConfigError, ExitCode

TOKEN = "a-token-that-nobody-may-see"


def settings(file: Path | None = None, token: str | None = None) -> Settings:
    return Settings(cloudflare_api_token=None if token is None else SecretStr(token), cloudflare_api_token_file=file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "token"
    made.write_text(f"\n {TOKEN} \r\n")
    return made


def test_without_either_there_is_no_token() -> None:
    assert config.token(settings()) is None


def test_the_token_itself_comes_before_its_file(tmp_path: Path) -> None:
    assert config.token(settings(tmp_path / "not-there", TOKEN)) == TOKEN


def test_the_token_is_read_from_its_file_without_blanks_around_it(file: Path) -> None:
    assert config.token(settings(file)) == TOKEN


def test_a_byte_order_mark_is_no_part_of_the_token(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + TOKEN.encode())
    assert config.token(settings(file)) == TOKEN


def test_the_file_may_lie_in_the_home_of_the_user(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    assert config.token(settings(Path("~/token"))) == TOKEN


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (f"CLOUDFLARE_API_TOKEN = {TOKEN}".encode(), "holds more than a token"),
        (f"Bearer {TOKEN}".encode(), "begins with `Bearer`: only what stands behind it is the token"),
        (b"\xff\xfe" + TOKEN.encode(), "cannot be read: it is not a text file"),
    ],
)
def test_a_file_without_a_token_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        config.token(settings(path))
    error = caught.value
    assert error.message == f"the file with the API token {message}"
    assert (error.where, error.exit_code) == (str(path), ExitCode.CONFIG)
    assert error.hint == "CLOUDFLARE_API_TOKEN_FILE names a file that holds the token and nothing else"
    assert TOKEN not in repr((error, error.__cause__))


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.token(settings(tmp_path))


def test_credentials_do_not_show_the_token(file: Path) -> None:
    known = credentials_of(settings(file))
    assert known.token is not None
    assert known.token.reveal() == TOKEN
    assert TOKEN not in repr(known)
    assert known.missing == "CLOUDFLARE_ACCOUNT_ID"
    assert credentials_of(settings()).token is None
