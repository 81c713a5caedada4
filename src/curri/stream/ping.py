"""Tells a monitor that a run ended: one request, no retries, and never a reason to fail."""

from __future__ import annotations

from typing import Final

import httpx

from curri import __version__
from curri.stream.secret import Secret
from curri.stream.wire import RAISED

SECONDS: Final = 10.0
"""Until the monitor is given up: a run must not hang because of it."""


def ping(url: Secret, *, ok: bool) -> str | None:
    """Ask `url`, with `/fail` behind its path if the run went wrong (as healthchecks.io and its kind have it).

    Returns what went wrong in words that do not hold the address, None if the monitor answered well. Never raises.
    """
    try:
        address = httpx.URL(url.reveal())
        if not ok:
            address = address.copy_with(path=address.path.rstrip("/") + "/fail")
        answer = httpx.get(address, timeout=SECONDS, headers={"User-Agent": f"curri/{__version__}"})
    except (*RAISED, httpx.InvalidURL, ValueError) as error:
        return f"the monitor could not be reached ({type(error).__name__})"
    return None if answer.is_success else f"the monitor answered {answer.status_code}"
