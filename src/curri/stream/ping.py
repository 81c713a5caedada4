"""The call at the end of a run to a service that minds jobs, such as healthchecks.io: "done", or "failed".

The address is the password of such a service, so it is a secret like the token. Nothing else is sent: no token, no
body. What comes of the call never matters to the run.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from curri import __version__
from curri.errors import CurriError
from curri.stream import wire
from curri.stream.secret import Secret
from curri.stream.wire import Timeouts, Wire

SECONDS: Final = 10.0
"""For the whole call, however many tries it takes; a name that is not resolved counts as well."""
TRIES: Final = 2
PAUSE: Final = 1.0
"""Seconds between two tries."""
HOPS: Final = 3
"""Redirects that are followed in one try."""
COMMAND: Final = "{command}"
"""Stands for the command in an address: one address for all jobs, a check for each."""

UNKNOWN: Final = b"OK (not found)"
"""With this, and status 200, healthchecks.io answers where it knows no such check."""

_TIMEOUTS = Timeouts(connect=4.0, stall=4.0, answer=4.0)
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which a second try may help."""


def address(url: Secret, command: str, *, failed: bool) -> Secret:
    """Return what is to be called: the address itself, or with `/fail` at the end of its path, before any query."""
    parts = urlsplit(url.reveal().replace(COMMAND, quote(command.replace(" ", "-"), safe="")))
    path = f"{parts.path.rstrip('/')}/fail" if failed else parts.path
    return Secret(urlunsplit((parts.scheme, parts.netloc, path, parts.query, "")))


def call(url: Secret, *, seconds: float = SECONDS) -> str | None:
    """Call an address; returns None if it was accepted, else why not, in words that do not hold the address.

    Returns after `seconds` at the latest. Raises nothing but what a signal raises meanwhile.
    """
    attempt = _Attempt(url)
    worker = threading.Thread(target=attempt.run, name="ping", daemon=True)
    # In a thread, as nothing else puts a bound to the look-up of a name.
    worker.start()
    worker.join(seconds)
    if worker.is_alive():
        return f"no answer within {seconds:g} seconds"
    return attempt.problem


@dataclass(slots=True)
class _Attempt:
    """One call with its tries, in a thread of its own."""

    url: Secret
    problem: str | None = field(default="it was not made", init=False)

    def run(self) -> None:
        """Call, and call again if that may help; `problem` says what came of it."""
        wire.mute_logs()
        for number in range(TRIES):
            if number:
                time.sleep(PAUSE)
            self.problem, again = self._once()
            if not again:
                return

    def _once(self) -> tuple[str | None, bool]:
        """Return what went wrong, None if nothing did, and whether to try again."""
        try:
            line = Wire(httpx.create_ssl_context(), _TIMEOUTS, f"curri/{__version__}")
            try:
                return self._follow(line.http)
            finally:
                line.close()
        except wire.RAISED as error:
            return self._words(error), True
        except (CurriError, OSError) as error:  # a proxy or certificates that cannot be used
            return self._words(error), False

    def _follow(self, http: httpx.Client) -> tuple[str | None, bool]:
        request = http.build_request("GET", self.url.reveal())
        for _ in range(HOPS + 1):
            response = http.send(request, stream=True)
            try:
                status, following = response.status_code, response.next_request
                if response.is_success:
                    said = next(response.iter_bytes(), b"")[: len(UNKNOWN) + 1].strip()
                    return (f"the service answered {UNKNOWN.decode()}" if said == UNKNOWN else None), False
            finally:
                response.close()
            if following is None:
                return f"the answer was {status}", status in _PASSING
            if following.url.scheme != request.url.scheme:
                return f"the answer was {status}, a redirect from {request.url.scheme} to another scheme", False
            request = following
        return f"more than {HOPS} redirects", False

    def _words(self, error: Exception) -> str:
        """Return what an error says, unless it may quote the address, or one that the service named."""
        safe = isinstance(error, (httpx.ConnectError, CurriError, OSError))
        text = self.url.scrubbed_from(" ".join(str(error).split())) if safe else ""
        return f"{type(error).__name__}: {text}" if text else type(error).__name__
