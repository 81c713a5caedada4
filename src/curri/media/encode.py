"""Encodes one video. Under the final name there is a complete and checked file, or nothing."""

from __future__ import annotations

import errno
import os
import signal
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from curri.errors import ToolError
from curri.media import arguments, process
from curri.media.probe import Probed
from curri.media.process import Hung, Watch
from curri.media.recipe import MINIMUM_SAVING
from curri.media.tools import Ffmpeg
from curri.media.verify import Fault, Refusal, check

PART = ".part"
"""The end of the name of a file that is being made; the ignore rules of the tree know it too."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No more can be written: the disk, the quota, or the size that a file may have (ulimit -f) is used up."""
_FULL_EXITS = frozenset({*(256 - number for number in _FULL), -signal.SIGXFSZ})
"""Newer versions of ffmpeg leave with the low byte of the negative error number (228, seen with 9.0), older with 1."""
_FULL_WORDS = tuple(map(os.strerror, _FULL))
"""ffmpeg 5.1 leaves with 0 where no more than the end of a file could not be written: only its words tell."""


class Failure(StrEnum):
    """How an encode failed."""

    HUNG = "encode-hung"
    FAILED = "encode-failed"
    DISK_FULL = "disk-full"
    SOURCE_CHANGED = "source-changed"


class EncodeFailed(ToolError):
    """The encode of one video failed; nothing is left of it. Others may well succeed, unless the disk is full."""

    def __init__(self, failure: Failure, message: str, *, where: str, hint: str | None = None) -> None:
        super().__init__(message, where=where, hint=hint)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Encoded:
    """A complete and checked encode."""

    path: Path
    probed: Probed
    seconds: float  # how long the encoding took, without the check


def encode(
    source: Path,
    probed: Probed,
    target: Path,
    tool: Ffmpeg,
    watch: Watch,
    *,
    minimum_saving: float | None = MINIMUM_SAVING,
    on_progress: Callable[[float], None] | None = None,
) -> Encoded | Refusal:
    """Encode `source` (probed as `probed`) to `target` by the recipe; `on_progress` gets seconds of video done.

    The file is made beside `target`, checked, flushed to disk and renamed: `target` is replaced whole, or untouched.
    A Refusal means that the encode succeeded, but is not to be used; as soon as it is too large to save
    `minimum_saving` it is given up. Called again it does all again. Raises EncodeFailed, and Interrupted
    once `watch.cancelled`; neither leaves anything behind.
    """
    part = target.with_name(f"{target.stem}.{uuid.uuid4().hex}{PART}")
    most = None if minimum_saving is None else int(probed.size * (1 - minimum_saving))
    try:
        before = _state(source)
        # Made here, so that it is readable for its owner only, whatever ffmpeg's own habits.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            seconds = _run(source, probed, part, tool, watch, most=most, on_progress=on_progress)
        except _TooLarge:
            saving = f"{(minimum_saving or 0) * 100:.0f} %"
            return Refusal(Fault.NOT_SMALLER, f"the encode was given up: it does not save {saving}")
        result = check(probed, part, tool, watch, minimum_saving=minimum_saving)
        if isinstance(result, Refusal):
            return result
        if _state(source) != before or before[0] != probed.size:
            message, hint = "the video was changed while it was encoded", "run the same command again"
            raise EncodeFailed(Failure.SOURCE_CHANGED, message, where=str(source), hint=hint)
        publish(part, target)
    except OSError as error:
        raise unwritable(error, part) from error
    finally:
        part.unlink(missing_ok=True)
    return Encoded(target, result, seconds)


def publish(part: Path, target: Path) -> None:
    """Give a finished file its final name: flushed first, so that not even a power cut leaves half of it there."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class _TooLarge(Exception):
    """The file that is being made is larger than it may be."""


def _run(
    source: Path,
    probed: Probed,
    part: Path,
    tool: Ffmpeg,
    watch: Watch,
    *,
    most: int | None,
    on_progress: Callable[[float], None] | None,
) -> float:
    """Run ffmpeg; the seconds it took."""

    def pulse() -> tuple[int, int]:
        state = part.stat()
        if most is not None and state.st_size > most:
            raise _TooLarge
        return state.st_size, state.st_mtime_ns

    program = [tool.path, *arguments.encode(probed, source, part)]
    try:
        finished = process.run(program, watch, on_progress=on_progress, pulse=pulse)
    except Hung as hung:
        message = f"ffmpeg hung and was stopped ({hung})"
        hint = "if the machine or the disk was just very busy, run the same command again"
        raise EncodeFailed(Failure.HUNG, message, where=str(source), hint=hint) from hung
    if finished.exit_code in _FULL_EXITS or any(words in finished.complaints for words in _FULL_WORDS):
        raise disk_full(part.parent)
    if finished.exit_code == 0:
        return finished.seconds
    ended = f"signal {-finished.exit_code}" if finished.exit_code < 0 else f"exit code {finished.exit_code}"
    raise EncodeFailed(Failure.FAILED, f"ffmpeg failed ({ended}): {finished.last_lines}", where=str(source))


def disk_full(folder: Path) -> EncodeFailed:
    """The error for a disk without space for what is made in `folder`."""
    hint = (
        "free some space there (or lift the limit on files, `ulimit -f`), or let CURRI_HOME be on another disk,"
        " and run the same command again"
    )
    return EncodeFailed(Failure.DISK_FULL, "there is no space left for encoded videos", where=str(folder), hint=hint)


def unwritable(error: OSError, path: Path) -> EncodeFailed:
    """The error for a file that cannot be made at `path`."""
    if error.errno in _FULL:
        return disk_full(path.parent)
    message = f"the encoded video cannot be made: {error.strerror or error}"
    return EncodeFailed(Failure.FAILED, message, where=str(error.filename or path.parent))


def _state(path: Path) -> tuple[int, int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns, state.st_ino
