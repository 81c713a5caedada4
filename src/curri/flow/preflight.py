"""What would stop an upload is said before hours of work, not after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curri.errors import ConfigError, ToolError
from curri.flow.ceiling import LIMIT, Ceiling
from curri.flow.jobs import Job
from curri.media.prepare import Workshop
from curri.media.renditions import SPARE_BYTES
from curri.plan.quantities import size_text
from curri.plan.uploads import Due
from curri.stream import failures
from curri.stream.account import PUBLIC, Account
from curri.stream.secret import Secret
from curri.stream.videos import Videos


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whose Stream it is, as far as it is configured. The token is secret."""

    account_id: str | None
    token: Secret | None
    base: str | None  # None: Cloudflare's own

    @property
    def missing(self) -> str | None:
        """The variable that is not set, if one is not."""
        if not self.account_id:
            return "CLOUDFLARE_ACCOUNT_ID"
        return None if self.token else "CLOUDFLARE_API_TOKEN"

    @property
    def hint(self) -> str:
        """Where what is missing comes from."""
        advice = failures.PERMISSION_HINT if self.account_id else failures.ACCOUNT_HINT
        return f"{advice}; `curri sandbox` plays Stream without an account"

    def account(self) -> Account:
        """Return the account. Raises ConfigError if something is missing or cannot be right."""
        if self.account_id and self.token:
            return Account(self.account_id, self.token, self.base or PUBLIC)
        raise ConfigError(f"{self.missing} is not set", hint=self.hint)


def tools(jobs: Sequence[Job], workshop: Workshop, missing: ToolError | None) -> None:
    """Raise ToolError if videos must be encoded and there is no ffmpeg, or no room for the largest encode."""
    encodes = [job for job in jobs if job.encodes]
    if not encodes:
        return
    if workshop.tool is None:
        why = missing.message if missing else "there is no ffmpeg"
        hint = missing.hint if missing and missing.hint else "install ffmpeg"
        raise ToolError(
            f"{len(encodes)} of {len(jobs)} videos to be sent must be encoded, and {why}",
            hint=f"{hint}; --no-compress sends videos as they are",
        )
    needed = max((job.size for job in encodes if job.action == "encode"), default=0)
    free = workshop.cache.room()
    if needed + SPARE_BYTES > free:
        raise ToolError(
            f"the largest encode may take {size_text(needed)}, {size_text(SPARE_BYTES)} are kept free beside it,"
            f" and {size_text(free)} are free",
            where=str(workshop.cache.directory),
            hint="make room, set CURRI_HOME to a larger disk, or use --no-compress",
        )


def stream(jobs: Sequence[Job], videos: Videos, ceiling: Ceiling) -> None:
    """Ask Stream whether what is to come can come: minutes left, and videos in processing.

    The token must have been verified. Raises QuotaExceeded or TooManyProcessing with what to do. Minutes that open
    uploads reserve may or may not be in what Stream calls used (not documented): only videos that are begun now are
    held against what is left, and Stream has the last word.
    """
    usage = videos.storage()
    minutes = sum(job.minutes for job in jobs if job.judgement.due is not Due.RESUME)
    if usage.left is not None and minutes > usage.left:
        raise _no_room(minutes, usage.left, usage.limit)
    busy = ceiling.count()
    if busy >= LIMIT:
        raise failures.failure(failures.TooManyProcessing, f"Stream is working on {busy} videos already")


def _no_room(minutes: float, left: float, limit: int | None) -> failures.QuotaExceeded:
    """Return the error for more minutes than are left, with the way out that there is."""
    if not limit:
        return failures.QuotaExceeded(
            "the account has no minutes for videos",
            hint="subscribe to Stream in the dashboard, or let CLOUDFLARE_ACCOUNT_ID name another account",
        )
    part = f", or send a part of it: --max-minutes {int(left)}" if left >= 1 else ""
    return failures.QuotaExceeded(
        f"{max(minutes, 0.1):.1f} minutes are to be uploaded, and {left:.1f} of {limit} are left",
        hint=f"buy minutes, or delete videos{part}",
    )
