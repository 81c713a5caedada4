"""The ffmpeg of this machine. (This file cannot be named after it: scripts beside it would import it in its place.)"""

from __future__ import annotations

import os

import pytest

from curri.errors import ToolError
from curri.media import tools
from curri.media.tools import Ffmpeg


@pytest.fixture(scope="session")
def tool() -> Ffmpeg:
    """The ffmpeg of this machine. Without one these tests are skipped, but never where CI says they must run."""
    try:
        return tools.find(os.environ.get("CURRI_FFMPEG"))
    except ToolError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(error.message)


@pytest.fixture(scope="session")
def ffmpeg(tool: Ffmpeg) -> str:
    """Where it lies."""
    return tool.path
