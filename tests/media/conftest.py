"""Fixtures of this folder: clips, and programs that only pretend to be ffmpeg."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from curri.media import tools
from curri.media.process import Watch
from curri.media.tools import Ffmpeg

from .clips import Clips

Script = Callable[[str], Ffmpeg]


@pytest.fixture(scope="session")
def clips(tool: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return Clips(tmp_path_factory.mktemp("clips"), tool)


@pytest.fixture
def watch() -> Watch:
    """Patient enough for a busy machine."""
    return Watch(niceness=0)


@pytest.fixture
def shell(tmp_path: Path) -> Script:
    """Makes a program of shell text that stands in for ffmpeg. In it, `read -r nothing <$0.never` waits for ever."""

    def make(text: str) -> Ffmpeg:
        path = tmp_path / f"pretended-ffmpeg-{len(os.listdir(tmp_path))}"
        os.mkfifo(f"{path}.never")
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)
        return Ffmpeg(str(path), "pretended", tools.WANTED, converts_hdr=True)

    return make


@pytest.fixture
def tampered(tmp_path: Path, tool: Ffmpeg) -> Script:
    """Makes an ffmpeg that does something else when it encodes (and only then): Python text that works on `arguments`,
    of which the last but one is the target, and may run `real(arguments)` itself."""

    def make(text: str) -> Ffmpeg:
        path = tmp_path / "tampered-ffmpeg"
        path.write_text(
            f"#!{sys.executable} -IS\n"
            "import os, subprocess, sys\n"
            f"def real(arguments): return subprocess.call([{tool.path!r}, *arguments])\n"
            "arguments = sys.argv[1:]\n"
            "if '-movflags' in arguments:\n"
            + "".join(f"    {line}\n" for line in text.splitlines())
            + "sys.exit(real(arguments))\n"
        )
        path.chmod(0o700)
        return Ffmpeg(str(path), tool.version, tool.encoders, tool.converts_hdr)

    return make
