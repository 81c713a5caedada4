"""Which ffmpeg is used, and what is said when none can be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curri.errors import ExitCode, ToolError
from curri.media import tools
from curri.media.tools import Ffmpeg

VERSION = "echo 'ffmpeg version 4.2 Copyright'"


def program(folder: Path, text: str, name: str = "ffmpeg") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


def able(folder: Path, version: str) -> Path:
    """A program that claims to be this version, and to succeed at whatever it is asked."""
    return program(folder, f"echo 'ffmpeg version {version} Copyright'")


@pytest.fixture
def nothing_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_bundled", lambda: None)


def test_the_configured_ffmpeg_comes_before_that_of_the_path(tmp_path: Path) -> None:
    configured = able(tmp_path / "chosen", "5.0")
    able(tmp_path / "bin", "6.0")
    found = tools.find(str(configured), search_path=str(tmp_path / "bin"))
    assert (found.path, found.version) == (str(configured), "5.0")


def test_the_ffmpeg_of_the_path_comes_before_the_bundled_one(tmp_path: Path) -> None:
    able(tmp_path / "bin", "6.0")
    assert tools.find(search_path=str(tmp_path / "bin")).version == "6.0"


def test_the_bundled_ffmpeg_is_used_where_there_is_no_other(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    found = tools.find(search_path=str(tmp_path))
    assert found.encoders == tools.WANTED


def test_an_ffmpeg_of_the_path_without_x264_gives_way_to_the_bundled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", f'case "$*" in *libx264*) exit 8;; *-version*) {VERSION};; esac')
    bundled = able(tmp_path / "bundled", "9.0")
    monkeypatch.setattr(tools, "_bundled", lambda: str(bundled))
    assert tools.find(search_path=str(tmp_path / "bin")).version == "9.0"


def test_a_configured_ffmpeg_without_x264_is_an_error_and_no_other_is_taken(tmp_path: Path) -> None:
    configured = program(tmp_path / "chosen", f'case "$*" in *libx264*) exit 8;; *-version*) {VERSION};; esac')
    able(tmp_path / "bin", "6.0")
    with pytest.raises(ToolError, match="no encoder libx264") as caught:
        tools.find(str(configured), search_path=str(tmp_path / "bin"))
    assert caught.value.hint is not None


def test_a_configured_ffmpeg_that_is_not_there_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        tools.find(str(tmp_path / "nowhere"))
    assert caught.value.exit_code is ExitCode.TOOL
    assert "CURRI_FFMPEG" in str(caught.value.hint)


@pytest.mark.usefixtures("nothing_bundled")
def test_no_ffmpeg_at_all_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="ffmpeg was not found") as caught:
        tools.find(search_path=str(tmp_path))
    assert caught.value.exit_code is ExitCode.TOOL
    assert ".[embedded]" in str(caught.value.hint)


@pytest.mark.usefixtures("nothing_bundled")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 'symbol lookup error: libavcodec' >&2; exit 127", "symbol lookup error"),
        ("echo 'something else 1.0'", "is not a working ffmpeg"),
        ("exit 3", "exit code 3"),
    ],
)
def test_an_ffmpeg_that_does_not_run_is_an_error_that_says_why(tmp_path: Path, text: str, said: str) -> None:
    program(tmp_path / "bin", text)
    with pytest.raises(ToolError, match=said):
        tools.find(search_path=str(tmp_path / "bin"))


@pytest.mark.usefixtures("nothing_bundled")
def test_a_file_that_is_no_program_is_an_error_that_says_why(tmp_path: Path) -> None:
    path = tmp_path / "ffmpeg"
    path.write_bytes(b"\x7fELF but not really")
    path.chmod(0o700)
    with pytest.raises(ToolError, match="cannot be started"):
        tools.find(search_path=str(tmp_path))


@pytest.mark.usefixtures("nothing_bundled")
def test_an_ffmpeg_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "exec tail -f /dev/null")
    monkeypatch.setattr(tools, "_TRIAL_SECONDS", 0.1)
    with pytest.raises(ToolError, match="does not answer"):
        tools.find(search_path=str(tmp_path / "bin") + os.pathsep + os.defpath)


def test_what_ffmpeg_says_is_stripped_of_control_characters(tmp_path: Path) -> None:
    path = program(tmp_path / "bin", r"printf 'bad \033[31mred\007\n' >&2; exit 1")
    with pytest.raises(ToolError) as caught:
        tools.examine(str(path))
    assert "bad [31mred" in caught.value.message


def test_credentials_are_not_handed_to_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLOUDFLARE_API_TOKEN", "CURRI_DATABASE_URL", "DATABASE_URL", "PGPASSWORD"):
        monkeypatch.setenv(name, "secret-word")
    path = program(tmp_path / "bin", f"env >> {tmp_path}/environment; {VERSION}")
    tools.examine(str(path))
    seen = (tmp_path / "environment").read_text()
    assert "PATH=" in seen
    assert "secret-word" not in seen


def test_the_real_ffmpeg_is_tried_out(tool: Ffmpeg) -> None:
    found = tools.examine(tool.path)
    assert found.encoders == {"libx264", "aac"}
    assert found.version


def test_an_ffmpeg_without_zscale_does_not_convert_hdr(tmp_path: Path, tool: Ffmpeg) -> None:
    path = program(tmp_path / "bin", f'case "$*" in *zscale*) exit 8;; esac; exec {tool.path} "$@"')
    assert not tools.examine(str(path)).converts_hdr
    assert tools.examine(str(path)).encoders == tools.WANTED
