"""Standard input, output and error as a command finds them: there, missing, full, or read by nobody any more."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any


class Sink(io.RawIOBase):
    """Writes to a file, and never fails: what came in between is kept in `failure`, and the run does its work.

    A reader that has left (`| head`) is no failure: it had seen enough.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream  # kept, as it would close its file in the end
        self._raw = getattr(stream.buffer, "raw", stream.buffer)
        self._lost = False
        self.failure: OSError | None = None

    def write(self, data: Any) -> int | None:
        if not self._lost:
            try:
                written: int | None = self._raw.write(data)
            except OSError as error:
                self._lost = True
                self.failure = None if error.errno == errno.EPIPE else error
            else:
                return written
        return memoryview(data).nbytes

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def fileno(self) -> int:
        return int(self._raw.fileno())


def prepare() -> Sink:
    """Make the standard streams ones that can be used, whatever the shell has closed; return that of the output.

    A title in a language that the terminal cannot show must not end a run either.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file to be opened, a lock or a connection, would pass for this stream
            with suppress(OSError):
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it is there until the end
    sink, sys.stdout = _lasting(sys.stdout, 1)
    _, sys.stderr = _lasting(sys.stderr, 2)
    return sink


def flush(sink: Sink) -> OSError | None:
    """Write what is still held back; return why some of the output was lost, if it was."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    return sink.failure


def _lasting(stream: Any, number: int) -> tuple[Sink, io.TextIOWrapper]:
    if stream is None:
        stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - it is there until the end
    with suppress(OSError, ValueError):
        stream.flush()
    sink = Sink(stream)
    buffered = hasattr(stream.buffer, "raw")  # not with PYTHONUNBUFFERED
    lasting: Any = io.BufferedWriter(sink) if buffered else sink
    line_buffering = stream.line_buffering or number == 2
    return sink, io.TextIOWrapper(
        lasting,
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=line_buffering,
        write_through=stream.write_through,
    )
