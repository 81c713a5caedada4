"""A local Cloudflare Stream: a real HTTP server that takes uploads, processes them by a clock and plays them back.

    with Sandbox(SandboxSettings(quota_minutes=60)) as box:
        upload_to(box.url, box.token, box.account_id)
        box.advance(60)

It needs the extra `sandbox`; importing this package without it raises `ConfigError`. It imports nothing of curri
but `curri.errors`, so it can be trusted to know Cloudflare's side only. README.md beside this file tells which
behaviours rest on documents and which on guesses, and how faults are written.
"""

from __future__ import annotations

from curri.errors import ConfigError

try:
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ModuleNotFoundError as error:
    raise ConfigError(
        "the sandbox needs starlette and uvicorn, which are not installed",
        hint="from the checkout: pip install '.[sandbox]'",
    ) from error

from curri.sandbox.faults import Fault, When, read_faults
from curri.sandbox.journal import Entry
from curri.sandbox.server import Sandbox, serve
from curri.sandbox.settings import SandboxSettings, Timings
from curri.sandbox.video import Video

__all__ = [
    "Entry",
    "Fault",
    "Sandbox",
    "SandboxSettings",
    "Timings",
    "Video",
    "When",
    "read_faults",
    "serve",
]
