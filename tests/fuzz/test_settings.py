"""Settings, whatever is in their sources."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curri import config
from curri.errors import ConfigError

from .bounds import TEXTS, fuzz, tried

ODD = [
    "1e999",
    "-inf",
    "nan",
    "-1",
    "true",
    "[]",
    "{}",
    "1979-05-27",
    "0x" + "f" * 300,
    '"~nobody-there/x"',
    '"\\u0000"',
]
ODD += [f'"{"9" * 400}G"', f'"{"a" * 5000}"', '"http://[x"', '"https://user:s3cret@h/x"', '"\\u001b]8;;x"', '"1.5K"']
SETTINGS = st.dictionaries(
    st.sampled_from(list(config.Settings.model_fields)),
    st.sampled_from(ODD) | TEXTS.map(json.dumps) | st.integers().map(str),
    max_size=3,
)


def toml(values: dict[str, str]) -> bytes:
    return "".join(f"{name} = {value}\n" for name, value in values.items()).encode("utf-8", "surrogatepass")


@fuzz(300)
@given(st.binary(max_size=100) | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | SETTINGS.map(toml))
@example(b"x = " + b"[" * 5000)
@example(b"home = 1" + b"0" * 5000)
@example(toml({"cache_size": f'"{"9" * 400}G"'}))
@example(toml({"home": '"~nobody-there/x"'}))
@example(toml({"home": '"\\u0000"'}))
@example(toml({"cloudflare_api_token_file": '"\\u0000"'}))
@example(toml({"metrics": '"~nobody-there/x"'}))
def test_a_settings_file_gives_settings_or_says_which_is_not_usable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "curri.toml"
    path.write_bytes(content)
    assert config.salvage({"ping_url", "metrics"}, {}, file=path, root=None)
    loaded, error = tried(ConfigError, lambda: config.load({}, file=path))
    if loaded is not None:
        assert len(loaded.shown()) == len(config.Settings.model_fields)
        assert loaded.settings.home.is_absolute()
        _, error = tried(ConfigError, lambda: config.token(loaded.settings))
    if error is not None:
        assert error.where
        assert len(error.message) < 10_000


@fuzz(200)
@given(st.sampled_from(list(config.Settings.model_fields)), TEXTS | st.binary().map(os.fsdecode))
@example("cache_size", "9" * 400 + "T")
@example("home", "~nobody-there")
def test_a_variable_gives_a_setting_or_says_that_it_is_not_usable(name: str, value: str) -> None:
    variable = config.variables(name)[0]
    text = value.encode("utf-8", "replace" if "\ud800" in value else "surrogateescape")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        patch.setenv(variable, os.fsdecode(text.replace(b"\0", b"")))
        loaded, error = tried(ConfigError, lambda: config.load({}, file=None))
    assert loaded is None or loaded.shown()
    assert error is None or name in error.message


@fuzz(100)
@given(st.binary(max_size=60))
def test_a_token_file_gives_a_token_or_says_what_it_holds(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    settings = config.Settings(cloudflare_api_token_file=path)
    token, error = tried(ConfigError, lambda: config.token(settings))
    assert token if error is None else error.where == str(path)


def test_a_token_file_without_an_end_is_no_token() -> None:
    token = config.token(config.Settings(cloudflare_api_token_file=Path("/dev/zero")))
    assert len(token or "") == config.LONGEST_TOKEN  # which no account takes: see stream/account.py


def test_a_name_of_a_settings_file_that_no_system_takes_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot be read: File name too long"):
        config.load({}, file=Path("a" * 5000))
