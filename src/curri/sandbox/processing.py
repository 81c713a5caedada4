"""The processing clock: moves videos from `queued` to fully encoded, and ends what has run out of time.

Nothing happens between two looks: `settle` brings every video to where it belongs at the present moment, each phase
entered at the moment it was due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from curri.sandbox.clock import SECOND, Clock
from curri.sandbox.faults import FaultScript
from curri.sandbox.probe import Seen, look
from curri.sandbox.settings import Timings
from curri.sandbox.store import Query, Store
from curri.sandbox.video import Video

_NEXT = {"queued": "encoding", "encoding": "playable", "playable": "ready", "ready": "complete"}
_AFTER_QUEUE = ("encoding", "playable", "ready")


def progress(video: Video, timings: Timings, now: int) -> float | None:
    """`pctComplete` as a number from 0 to 100; None where Stream shows none."""
    if video.phase == "complete":
        return 100.0
    if video.phase not in _AFTER_QUEUE or video.uploaded is None:
        return None
    lengths = {"encoding": timings.encoding, "playable": timings.playable, "ready": timings.rising}
    begin = video.uploaded + round(timings.queued * SECOND)
    total = sum(lengths.values()) * SECOND
    share = (now - begin) / total if total else 1.0
    # A stuck video must not creep past the end of its phase.
    end = sum(lengths[phase] for phase in _AFTER_QUEUE[: _AFTER_QUEUE.index(video.phase) + 1]) * SECOND
    ceiling = min(end / total, 0.99) if total else 0.99
    return 100.0 * max(0.0, min(share, ceiling))


def next_phase(video: Video, timings: Timings, seen: Seen | None) -> Video:
    """The video as it is once its present phase has ended. Pure; `seen` is needed when it leaves `queued`."""
    at = video.next_change or 0
    if video.phase == "queued" and seen is not None:
        video = replace(
            video,
            duration=seen.duration,
            width=seen.width,
            height=seen.height,
            media_type=seen.media_type,
            doom=video.doom or seen.error or None,
        )
    phase = "error" if video.phase == "encoding" and video.doom else _NEXT[video.phase]
    video = replace(video, phase=phase, modified=at, next_change=_end(phase, at, timings))
    if phase == "error":
        return replace(video, error_code=video.doom or "ERR_UNKNOWN", next_change=video.scheduled_deletion)
    if phase == "playable":
        return replace(video, ready_at=at)
    if phase == "complete":
        return replace(video, next_change=video.scheduled_deletion)
    hangs = video.stuck == "inprogress" and phase == "encoding"
    return replace(video, next_change=None) if hangs else video


def _end(phase: str, at: int, timings: Timings) -> int:
    lasts = {"encoding": timings.encoding, "playable": timings.playable, "ready": timings.rising}
    return at + round(lasts.get(phase, 0.0) * SECOND)


class Processing:
    """Moves videos on. `announce` is called with each video that has just become `ready` or `error`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        timings: Timings,
        faults: FaultScript,
        announce: Callable[[Video], None],
        *,
        bytes_are_kept: bool = True,
    ) -> None:
        self._bytes_are_kept = bytes_are_kept
        self._store = store
        self._clock = clock
        self._timings = timings
        self._faults = faults
        self._announce = announce
        self._probes: dict[str, asyncio.Task[Seen]] = {}
        self._settling = asyncio.Lock()

    def begin(self, video: Video) -> None:
        """Takes a video whose last byte has just been stored: it is `queued` from now on, and being probed."""
        now = self._clock.now()
        fault = self._faults.due_for_video(video.name)
        stuck = fault.state if fault and fault.do == "stuck" else None
        doom = fault.code if fault and fault.do == "fail" else None
        self._store.update(
            video.uid,
            phase="queued",
            uploaded=now,
            modified=now,
            expires=None,
            stuck=stuck,
            doom=doom,
            next_change=None if stuck == "queued" else now + round(self._timings.queued * SECOND),
        )
        self._probe(video)

    def release(self) -> None:
        """Lets every stuck video go on; the time it hung is made up for at once."""
        self._store.update_all(Query("stuck IS NOT NULL AND next_change IS NULL"), next_change=self._clock.now())
        self._store.update_all(Query("stuck IS NOT NULL"), stuck=None)

    async def settle(self) -> None:
        """Brings every video to where it belongs now; waits for the probes that this needs."""
        now = self._clock.now()
        if not self._store.due(now):
            return
        async with self._settling:
            while due := self._store.due(now):
                for video in due:
                    await self._move(video, now)

    async def is_non_video(self, path: Path) -> bool:
        """Whether the bytes in a file are no video at all."""
        return (await asyncio.to_thread(look, path)).error == "ERR_NON_VIDEO"

    async def finish(self) -> None:
        """Waits for every probe under way."""
        await asyncio.gather(*self._probes.values(), return_exceptions=True)

    async def _move(self, video: Video, now: int) -> None:
        if video.phase == "pending":
            self._store.drop_bytes(video.uid)
            self._store.update(video.uid, phase="expired", next_change=None, modified=now)
            return
        if video.scheduled_deletion is not None and video.scheduled_deletion <= now:
            self._store.delete(video.uid)
            return
        if video.phase not in _NEXT:
            self._store.update(video.uid, next_change=video.scheduled_deletion)
            return
        seen = await self._seen(video) if video.phase == "queued" else None
        current = self._store.get(video.uid)
        if current is None or current.phase != video.phase or current.next_change is None:
            return  # deleted or held while it was probed
        moved = next_phase(current, self._timings, seen)
        self._store.update(video.uid, **_changed(current, moved))
        if moved.phase in ("ready", "error"):
            self._announce(moved)

    async def _seen(self, video: Video) -> Seen:
        probe = self._probes.get(video.uid) or self._probe(video)
        try:
            return await probe
        finally:
            self._probes.pop(video.uid, None)

    def _probe(self, video: Video) -> asyncio.Task[Seen]:
        path = self._store.file(video.uid)
        task = asyncio.create_task(asyncio.to_thread(self._look, path, video.max_duration))
        self._probes[video.uid] = task
        return task

    def _look(self, path: Path, max_duration: int | None) -> Seen:
        try:
            return look(path, max_duration)
        except FileNotFoundError:
            if self._bytes_are_kept:
                return Seen(error="ERR_UNKNOWN")  # deleted while it waited; nobody will see this
            return Seen(float(max_duration or 60), 1920, 1080, "video/mp4")


def _changed(before: Video, after: Video) -> dict[str, object]:
    names = [part.name for part in fields(Video)]
    return {name: getattr(after, name) for name in names if getattr(before, name) != getattr(after, name)}
