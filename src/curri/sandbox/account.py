"""The account behind the address: what all routes share."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from curri.sandbox.answers import BAD_REQUEST, CAPACITY_EXCEEDED, NOT_FOUND, Refusal
from curri.sandbox.clock import SECOND, Clock
from curri.sandbox.exchange import Stalls
from curri.sandbox.faults import FaultScript
from curri.sandbox.journal import Journal
from curri.sandbox.limiter import RateLimiter
from curri.sandbox.processing import Processing, progress
from curri.sandbox.settings import SandboxSettings
from curri.sandbox.store import VISIBLE, Store
from curri.sandbox.video import Video, as_json
from curri.sandbox.webhook import Postman

MAX_CREATOR = 64
"""Characters that a creator may have."""


class Account:
    """One Stream account: its videos, its clock, its faults. Everything runs in one thread."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.store = Store(settings.data, seed=settings.seed)
        offset = int(self.store.setting("clock_offset") or 0)
        self.clock = Clock(frozen=settings.frozen_clock, offset=offset)
        self.faults = FaultScript(settings.faults)
        self.stalls = Stalls()
        self.journal = Journal()
        self.limiter = RateLimiter(settings.rate_limit_requests, settings.rate_limit_window_seconds)
        self.postman = Postman(self.store, self.clock, settings.webhook_copies)
        self.processing = Processing(
            self.store,
            self.clock,
            settings.timings,
            self.faults,
            self._announce,
            bytes_are_kept=not settings.discard_bytes,
        )
        self.origin = ""
        """What public addresses begin with; known once the server listens."""
        self.upload_origin = ""
        """What the addresses of tus uploads begin with; empty makes them relative."""
        self.bugs: list[Exception] = []
        """Errors of the sandbox itself, for whoever stops it."""

    def video(self, uid: str) -> Video:
        """The video of that uid. Refuses with 404 if there is none to show."""
        video = self.store.get(uid)
        if video is None or video.phase == "expired":
            raise Refusal(404, NOT_FOUND)
        return video

    async def requested(self, request: Request) -> Video:
        """The video whose uid stands in a path, as it is now. Refuses with 404 if there is none to show."""
        await self.processing.settle()
        return self.video(request.path_params["uid"])

    def show(self, video: Video) -> dict[str, Any]:
        """The video object of the API, now."""
        return as_json(video, self.origin, progress(video, self.settings.timings, self.clock.now()))

    async def advance(self, seconds: float) -> int:
        """Moves the clock, and waits until all that is due by then is done and told. ValueError for a step back."""
        now = self.clock.advance(seconds)
        self.store.set("clock_offset", str(self.clock.offset))
        await self.processing.settle()
        await self.postman.finish()
        return now

    def clear_faults(self) -> None:
        """Forgets the script and lets go of what it holds: stalled requests and stuck videos."""
        self.faults.clear()
        self.stalls.release()
        self.processing.release()

    def make_room(self, seconds: int) -> None:
        """Refuses (429, or 413 with code 10011) when a new video with that reservation does not fit."""
        settings = self.settings
        working = self.store.count(VISIBLE.in_("phase", ("queued", "encoding", "playable")))
        if working >= settings.processing_limit:
            reason = f"too many videos are queued or encoding: at most {settings.processing_limit} at once"
            raise Refusal(429, 10429, reason)
        held = self.store.stored_minutes() + self.store.reserved_minutes()
        if settings.quota_minutes == 0 or held + seconds / 60 > settings.quota_minutes:
            reason = f"the storage allocated to this account is used up: {settings.quota_minutes} minutes"
            raise Refusal(413, CAPACITY_EXCEEDED, reason)

    def new_video(self, way: str, **known: Any) -> Video:
        """Keeps a new video that waits for its bytes until the upload address ends."""
        now = self.clock.now()
        created = self.store.created_now(now)
        expires = known.pop("expires", None) or now + self.settings.upload_lifetime_seconds * SECOND
        meta = known.pop("meta", {})
        return self.store.insert(
            Video(
                uid=self.store.new_uid(),
                created=created,
                modified=created,
                phase="pending",
                way=way,
                next_change=expires,
                expires=expires,
                meta=meta,
                name=name_of(meta),
                **known,
            )
        )

    def _announce(self, video: Video) -> None:
        self.postman.announce(video.uid, self.show(video))


def name_of(meta: dict[str, Any]) -> str | None:
    """The name in a `meta` object, as searches see it."""
    name = meta.get("name")
    return name if isinstance(name, str) else None


def checked_creator(creator: str | None) -> str | None:
    """A creator id. Refuses with 400 one that is too long."""
    if creator is not None and len(creator) > MAX_CREATOR:
        raise Refusal(400, BAD_REQUEST, "creator must be at most 64 characters")
    return creator
