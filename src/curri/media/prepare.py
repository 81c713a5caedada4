"""What is sent to Stream for a video: the video itself, a ready-made rendition beside it, or an encode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from curri.errors import ToolError
from curri.media.encode import Encoded, EncodeFailed, Failure, encode, unwritable
from curri.media.probe import Flaw, Probed, Unusable, probe
from curri.media.process import Watch
from curri.media.recipe import MINIMUM_SAVING, RECIPE_VERSION, Action, Decision, decide, most_bytes
from curri.media.renditions import Cache, Rendition, Slot
from curri.media.tools import Ffmpeg
from curri.media.verify import Fault, Refusal, compare, decodes, measure, unreadable

_NOT_FOR_EVER = frozenset({Fault.DOES_NOT_DECODE, Fault.UNREADABLE})
"""Refusals that another ffmpeg, or a better day, may not give: they are not remembered."""


class Sent(StrEnum):
    """What is sent. The words are stored in the catalog and never change."""

    PASSTHROUGH = "passthrough"
    """The original, as encoding would not pay."""
    RENDITION = "rendition"
    """A ready-made smaller file that lies beside the original."""
    ENCODE = "encode"
    ORIGINAL = "original"
    """The original, as the encode turned out not to be usable."""


@dataclass(frozen=True, slots=True)
class Source:
    """A video in the tree. `sha1` must be that of the file as it is now: the caller has just looked (size, times)."""

    path: Path
    sha1: str
    rendition: Path | None = None  # `<stem>_compressed.<ext>` beside it
    rendition_sha1: str | None = None


@dataclass(frozen=True, slots=True)
class Workshop:
    """What it takes to prepare videos. One is shared by all threads."""

    cache: Cache
    tool: Ffmpeg | None  # None: there is no ffmpeg; enough if nothing has to be encoded or checked
    compress: bool = True
    watch: Watch = field(default_factory=Watch)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The file to send, and why it is this one."""

    path: Path
    sha1: str
    size: int  # bytes
    duration: float  # seconds
    sent: Sent
    reason: str  # a word of Reason, Fault or Failure; "rendition" for a ready-made one
    why: str
    recipe: str | None = None  # RECIPE_VERSION for an encode; None, like the rest, for a file of the tree
    encode_seconds: float | None = None  # what the encode took when it was made
    mtime_ns: int | None = None  # of the encode, from the same stat as its digest

    @property
    def compressed(self) -> bool:
        """Whether something else than the original is sent."""
        return self.sent in (Sent.ENCODE, Sent.RENDITION)


class Prepared:
    """A chosen file that stays where it is until this is closed."""

    def __init__(self, chosen: Chosen, slot: Slot | None = None) -> None:
        self.chosen = chosen
        self._slot = slot

    def close(self) -> None:
        """The file is sent, or no longer wanted: the cache may throw it away. Called again it does nothing."""
        if self._slot is not None:
            self._slot.close()

    def __enter__(self) -> Chosen:
        return self.chosen

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def examine(path: Path, workshop: Workshop) -> Probed | Unusable:
    """`probe`, which also finds the duration of a file that does not state it, if there is an ffmpeg to read it."""
    found = probe(path)
    if isinstance(found, Unusable) and found.flaw is Flaw.NO_DURATION and workshop.tool:
        return probe(path, duration=measure(path, workshop.tool, workshop.watch))
    return found


def plan(probed: Probed, workshop: Workshop) -> Decision:
    """What `prepare` will set out to do: reads and changes nothing."""
    converts_hdr = workshop.tool is None or workshop.tool.converts_hdr
    return decide(probed, compress=workshop.compress, converts_hdr=converts_hdr)


def prepare(
    source: Source, workshop: Workshop, *, on_progress: Callable[[float], None] | None = None
) -> Prepared | Unusable:
    """The file to send for `source`; encodes it if that pays and is not done yet. Close what comes back.

    A ready-made rendition is taken if it passes the same checks as an encode. If an encode fails or is refused, the
    original is sent, unless Stream is not known to take that. `on_progress` gets seconds of video encoded. Called
    again it takes the encode from the cache. Raises EncodeFailed, ToolError (no ffmpeg), Interrupted.
    """
    probed = examine(source.path, workshop)
    if isinstance(probed, Unusable):
        return probed
    job = _Job(source, probed, plan(probed, workshop), workshop)
    note = ""
    if workshop.compress and source.rendition and source.rendition_sha1:
        taken = _ready_made(job, source.rendition, source.rendition_sha1)
        if isinstance(taken, Chosen):
            return Prepared(taken)
        note = f" ({source.rendition.name} beside it is not used: {taken.why})"
    if job.decision.action is Action.PASSTHROUGH:
        return Prepared(job.original(Sent.PASSTHROUGH, job.decision.reason, job.decision.why + note))
    try:
        return _encoded(job, on_progress, note)
    except OSError as error:  # the folder of the cache went away, or may not be written to
        raise unwritable(error, workshop.cache.folder / source.sha1) from error


@dataclass(frozen=True, slots=True)
class _Job:
    """One video on its way through this module."""

    source: Source
    probed: Probed
    decision: Decision
    workshop: Workshop

    @property
    def tool(self) -> Ffmpeg:
        if self.workshop.tool is None:
            raise ToolError("ffmpeg is needed for this video, but there is none", where=str(self.source.path))
        return self.workshop.tool

    @property
    def saving(self) -> float | None:
        """The share of bytes to be saved; None if the original is not known to be taken by Stream."""
        return None if self.decision.required else MINIMUM_SAVING

    def original(self, sent: Sent, reason: str, why: str) -> Chosen:
        return Chosen(self.source.path, self.source.sha1, self.probed.size, self.probed.duration, sent, reason, why)


def _ready_made(job: _Job, path: Path, sha1: str) -> Chosen | Refusal:
    """The rendition that lies beside the original, if it may stand in for it."""
    found = examine(path, job.workshop)
    if isinstance(found, Unusable):
        return unreadable(found)
    if refusal := compare(job.probed, found, minimum_saving=job.saving):
        return refusal
    if (decision := plan(found, job.workshop)).required:
        return Refusal(Fault.UNREADABLE, decision.why)
    if not job.workshop.cache.decodes(sha1):
        if refusal := decodes(path, job.tool, job.workshop.watch):
            return refusal
        job.workshop.cache.remember_decodes(sha1)
    why = f"{path.name} lies beside it and is {100 * (1 - found.size / job.probed.size):.0f} % smaller"
    return Chosen(path, sha1, found.size, found.duration, Sent.RENDITION, "rendition", why)


def _encoded(job: _Job, on_progress: Callable[[float], None] | None, note: str) -> Prepared:
    """An encode, from the cache or made now; the original if that fails and will do."""
    slot = _reserve(job)
    try:
        result = slot.lookup() or _make(job, slot, on_progress)
        if isinstance(result, Rendition):
            chosen = Chosen(
                path=result.path,
                sha1=result.sha1,
                size=result.size,
                duration=result.duration,
                sent=Sent.ENCODE,
                reason=job.decision.reason,
                why=job.decision.why + note,
                recipe=RECIPE_VERSION,
                encode_seconds=result.encode_seconds,
                mtime_ns=result.mtime_ns,
            )
            return Prepared(chosen, slot)
    except EncodeFailed as failed:
        slot.close()
        if job.decision.required or failed.failure not in (Failure.HUNG, Failure.FAILED):
            raise
        return Prepared(job.original(Sent.ORIGINAL, failed.failure, failed.message + note))
    except BaseException:
        slot.close()
        raise
    slot.close()
    if job.decision.required:
        raise EncodeFailed(Failure.FAILED, f"{job.decision.why}, and {result.why}", where=str(job.source.path))
    return Prepared(job.original(Sent.ORIGINAL, result.fault, result.why + note))


def _reserve(job: _Job) -> Slot:
    """The locked slot of this video; an encode in it that no longer looks as it should is thrown away."""
    cache, cancelled = job.workshop.cache, job.workshop.watch.cancelled
    slot = cache.reserve(job.source.sha1, cancelled)
    try:
        if not isinstance(known := slot.lookup(), Rendition):
            return slot
        seen = probe(known.path)
        if isinstance(seen, Probed) and not compare(job.probed, seen, minimum_saving=job.saving):
            return slot
    except BaseException:
        slot.close()
        raise
    slot.discard()
    return cache.reserve(job.source.sha1, cancelled)


def _make(job: _Job, slot: Slot, on_progress: Callable[[float], None] | None) -> Rendition | Refusal:
    """Encode into the locked slot, and remember how that went."""
    needed = most_bytes(job.probed)
    if job.saving is not None:
        needed = min(needed, job.probed.size)  # it is given up before it gets as large
    slot.make_room(needed)
    result = encode(
        job.source.path,
        job.probed,
        slot.path,
        job.tool,
        job.workshop.watch,
        minimum_saving=job.saving,
        on_progress=on_progress,
    )
    if isinstance(result, Encoded):
        return slot.store(result)
    if result.fault not in _NOT_FOR_EVER:
        slot.refuse(result)
    return result
