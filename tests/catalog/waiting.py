"""Waiting for what another process or thread does: never longer than needed, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 60
"""Whatever takes longer does not happen any more."""


def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds; fail if it never does."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.005)
