"""Whether an encode may stand in for its source. ffmpeg's exit code says little: it is 0 for a video cut short."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from curri.media import arguments, process
from curri.media.probe import Probed, Unusable, probe
from curri.media.process import Hung, Watch
from curri.media.recipe import MINIMUM_SAVING
from curri.media.tools import Ffmpeg

SECONDS_OFF = 1.0
"""A difference in duration that is always fine: sound and picture end at different times, containers round."""
SHARE_OFF = 0.01
"""A share of the duration that is fine too, as some containers (MPEG-PS, TS) only allow an estimate ..."""
MOST_SECONDS_OFF = 5.0
"""... but never more than this: 1 % of a lecture of two hours would be its last minute."""
SHAPE_OFF = 0.02
"""A difference of width / height that rounding to even pixels explains."""


class Fault(StrEnum):
    """Why a result is not used. The words are stored and never change."""

    UNREADABLE = "unreadable"
    SHORTER = "shorter"
    LONGER = "longer"
    SOUND_LOST = "sound-lost"
    SOUND_ADDED = "sound-added"
    SHAPE = "shape"
    NOT_SMALLER = "not-smaller"
    DOES_NOT_DECODE = "does-not-decode"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A result that is not used, and why (a sentence without a final stop)."""

    fault: Fault
    why: str


def check(
    source: Probed,
    path: Path,
    tool: Ffmpeg,
    watch: Watch,
    *,
    minimum_saving: float | None = MINIMUM_SAVING,
) -> Probed | Refusal:
    """All there is to check about the file at `path` as a stand-in for `source`: what it is, if it may be used.

    Reads and decodes the whole file. `minimum_saving` as for `compare`. Raises Interrupted once `watch.cancelled`.
    """
    result = probe(path)
    if isinstance(result, Unusable):
        return unreadable(result)
    return compare(source, result, minimum_saving=minimum_saving) or decodes(path, tool, watch) or result


def unreadable(result: Unusable) -> Refusal:
    """The refusal of a result that is no video at all."""
    return Refusal(Fault.UNREADABLE, f"the result is no video: {result.why}")


def compare(source: Probed, result: Probed, *, minimum_saving: float | None = MINIMUM_SAVING) -> Refusal | None:
    """Pure, and the cheap part: streams, shape, duration, size.

    Picture and sound are compared one by one: a file whose picture stops half way is as long as its sound.
    `minimum_saving` is the share of the source's bytes that must be saved; None asks for none.
    """
    if source.audio and not result.audio:
        return Refusal(Fault.SOUND_LOST, "the result has no sound, the source has")
    if result.audio and not source.audio:
        return Refusal(Fault.SOUND_ADDED, "the result has sound, the source has none")
    (width, height), (new_width, new_height) = source.video.shown, result.video.shown
    change = new_width * height / (new_height * width)
    rounding = 2 / min(new_width, new_height)
    if abs(change - 1) > max(SHAPE_OFF, rounding):
        return Refusal(Fault.SHAPE, f"the picture is {new_width}x{new_height}, that of the source {width}x{height}")
    for part, before, after in _durations(source, result):
        if refusal := _duration(part, before, after):
            return refusal
    if minimum_saving is not None and result.size > source.size * (1 - minimum_saving):
        saved = 100 * (1 - result.size / source.size)
        words = f"{saved:.0f} % smaller" if saved >= 0 else f"{-saved:.0f} % larger"
        return Refusal(Fault.NOT_SMALLER, f"the result is {words}; {minimum_saving * 100:.0f} % must be saved")
    return None


def decodes(path: Path, tool: Ffmpeg, watch: Watch) -> Refusal | None:
    """Decode all of `path`; None if ffmpeg ends well and has nothing to complain about. Raises Interrupted."""
    try:
        finished = process.run([tool.path, *arguments.decode(path)], watch)
    except Hung as hung:
        return Refusal(Fault.DOES_NOT_DECODE, f"the result does not decode: {hung}")
    if finished.exit_code or finished.complaints:
        return Refusal(Fault.DOES_NOT_DECODE, f"the result does not decode: {finished.last_lines}")
    return None


def measure(path: Path, tool: Ffmpeg, watch: Watch) -> float | None:
    """The duration, in seconds, of a file that does not state it (Flaw.NO_DURATION): reads it through once.

    None if ffmpeg cannot read it to its end. Raises Interrupted.
    """
    last = 0.0

    def remember(seconds: float) -> None:
        nonlocal last
        last = seconds

    try:
        finished = process.run([tool.path, *arguments.measure(path)], watch, on_progress=remember)
    except Hung:
        return None
    return last if last and finished.exit_code == 0 else None


def _durations(source: Probed, result: Probed) -> list[tuple[str, float | None, float | None]]:
    pairs = [("picture", source.video.duration, result.video.duration)]
    if source.audio and result.audio:
        pairs.append(("sound", source.audio.duration, result.audio.duration))
    if not source.video.duration:
        pairs.append(("result", source.duration, result.duration))
    return pairs


def _duration(part: str, before: float | None, after: float | None) -> Refusal | None:
    if not before:
        return None
    after = after or 0.0
    allowed = max(SECONDS_OFF, min(before * SHARE_OFF, MOST_SECONDS_OFF))
    if abs(before - after) <= allowed:
        return None
    fault = Fault.SHORTER if after < before else Fault.LONGER
    return Refusal(fault, f"the {part} lasts {after:.1f} s, in the source {before:.1f} s")
