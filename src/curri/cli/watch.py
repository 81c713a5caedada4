"""Who minds a job that nobody watches: at its end a service is called, and a file for Prometheus is written.

What comes of either never changes how the run ended.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curri.cli.output import Output
from curri.errors import ConfigError, CurriError, ExitCode, Interrupted

if TYPE_CHECKING:
    from curri.catalog.database import Database
    from curri.config import Settings
    from curri.flow.metrics import State

SILENT = (ExitCode.USAGE, ExitCode.BUSY)
"""Ends that nobody is told of: a command line that was not understood was no run of the job, and where another run is
at work it is that run which tells how it ended; if it never ends, its silence is what tells."""

Catalog = Callable[[Path | None], AbstractContextManager["Database"]]


class Watch:
    """One run as those see it who mind it. Until `begin` it is one that nobody minds, and all else does nothing."""

    def __init__(self, output: Output) -> None:
        self.flags: Mapping[str, Any] = {}
        """Settings that were given with the command."""
        self.opened = False
        """Whether the run has reached the catalog."""
        self._output = output
        self._catalog: Catalog | None = None
        self._began = 0.0
        self._sources: tuple[Path | None, Path | None] | None = None  # file and folder that settings are read from
        self._settings: Settings | None = None
        self._file: Path | None = None

    def begin(self, catalog: Catalog, flags: Mapping[str, Any]) -> None:
        """The command line was understood, and the command is one that is minded."""
        self._catalog, self.flags, self._began = catalog, flags, time.monotonic()

    def looks_in(self, file: Path | None, root: Path | None) -> None:
        """Note where settings are read from; the first call counts."""
        self._sources = self._sources or (file, root)

    def prepare(self, settings: Settings) -> None:
        """Make sure that the metrics can be written; again does nothing. Raises ConfigError if they cannot."""
        if self._catalog is None or self._settings is not None:
            return
        self._settings = settings
        if settings.metrics is not None:
            from curri.flow import metrics

            self._file = metrics.place(settings.metrics, self._command)

    def end(self, exit_code: ExitCode) -> None:
        """Tell how the run ended, and warn of what could not be told."""
        if self._catalog is None or exit_code in SILENT:
            return
        seconds = time.monotonic() - self._began
        with suppress(OSError):  # what was printed comes first: a call may take a while
            sys.stdout.flush()
        try:
            self._salvage()
            self._call(exit_code)
            self._write(exit_code, seconds)
        except Interrupted:
            self._warn("monitoring was not told: stopped while it was")

    @property
    def _command(self) -> str:
        return self._output.command or ""

    def _salvage(self) -> None:
        """Find out who is to be told, where the settings as a whole could not be used."""
        if self._settings is None:
            from curri import config

            file, root = self._sources or (None, None)
            with suppress(ConfigError):  # the run has ended with an error of that kind already
                self.prepare(config.salvage({"ping_url", "metrics"}, self.flags, file=file, root=root))

    def _call(self, exit_code: ExitCode) -> None:
        if self._settings is None or self._settings.ping_url is None:
            return
        from curri.stream import ping
        from curri.stream.secret import Secret

        url = Secret(self._settings.ping_url.get_secret_value())
        problem = ping.call(ping.address(url, self._command, failed=exit_code is not ExitCode.OK))
        if problem is not None:
            self._warn(f"the call to CURRI_PING_URL failed: {problem}")

    def _write(self, exit_code: ExitCode, seconds: float) -> None:
        if self._file is None:
            return
        from curri.flow import metrics

        counts = {name: value for name, value in self._output.counts.items() if isinstance(value, (int, float))}
        run = metrics.Ended(self._command, time.time(), seconds, exit_code, counts)
        try:
            metrics.write(self._file, metrics.text(run, self._state(exit_code), metrics.former(self._file)))
        except OSError as error:
            self._warn(f"the file for metrics cannot be written: {self._file}: {error.strerror}")

    def _state(self, exit_code: ExitCode) -> State | None:
        """Return how the catalog stands; None if it cannot be reached, which is not tried twice."""
        from curri.flow import metrics

        configured = self._settings is not None and self._settings.database_url is not None
        if self._catalog is None or not (self.opened or (configured and exit_code is not ExitCode.DATABASE)):
            return None
        _, root = self._sources or (None, None)
        try:
            with self._catalog(root) as database:
                return metrics.gather(database, self._command)
        except Interrupted:
            raise
        except CurriError:
            return None

    def _warn(self, text: str) -> None:
        self._output.line(text, word="warning", to=self._output.err)
