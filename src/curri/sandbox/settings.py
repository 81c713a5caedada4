"""What can be set on a sandbox: where it listens, who may come in, its limits, its clock, and what nobody knows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from curri.errors import ConfigError
from curri.sandbox.faults import Fault

SANDBOX_TOKEN = "sandbox-token"  # noqa: S105 - guards nothing: it only lets the auth gate be rehearsed
SANDBOX_ACCOUNT = "5a4db0c5a4db0c5a4db0c5a4db0c5a4d"
_ACCOUNT = re.compile(r"[0-9a-zA-Z]{1,32}")


@dataclass(frozen=True, kw_only=True)
class Timings:
    """How long each stage of processing lasts, in seconds of the sandbox's clock. All 0: ready at the next look."""

    queued: float = 2.0
    """`queued`, from the last byte on."""
    encoding: float = 3.0
    """`inprogress`, nothing playable yet."""
    playable: float = 1.0
    """`inprogress`, but `readyToStream` is already true."""
    rising: float = 4.0
    """`ready` with `pctComplete` under 100; after it the video is at "100.000000"."""

    def __post_init__(self) -> None:
        for stage in ("queued", "encoding", "playable", "rising"):
            if getattr(self, stage) < 0:
                raise ConfigError(f"the sandbox cannot spend less than no time on {stage}")

    @classmethod
    def lasting(cls, seconds: float) -> Timings:
        """The default proportions, stretched so that a video is fully encoded `seconds` after its last byte."""
        share = seconds / 10.0
        return cls(queued=2 * share, encoding=3 * share, playable=share, rising=4 * share)


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """Everything a sandbox can be told at start. Raises `ConfigError` for values that make no sense."""

    host: str = "127.0.0.1"
    """The address to listen on. Anything but loopback lets the network in: the token guards little."""
    port: int = 0
    """0 takes any free port; `Sandbox.url` names it."""
    data: Path | None = None
    """Where videos and state live; a later start with the same folder goes on. None: a temporary folder, removed
    at the end."""
    token: str = field(default=SANDBOX_TOKEN, repr=False)
    """The API token that is let in, with Stream Write."""
    read_token: str | None = field(default=None, repr=False)
    """A second token, with Stream Read only: requests that write are refused to it."""
    account_id: str = SANDBOX_ACCOUNT
    public_url: str | None = None
    """What addresses in answers begin with, where clients reach the sandbox under another name than it listens on."""
    upload_origin: Literal["same", "relative", "other-host", "other-port"] = "same"
    """Where the `Location` of a tus upload points: here, a relative address, `localhost` in place of the numeric
    address, or a second port."""

    quota_minutes: int = 10_000
    """Minutes the account may store; 0 is an account without Stream. Open uploads reserve their share."""
    processing_limit: int = 120
    """How many videos may be `queued` or `inprogress` before new uploads are refused."""
    default_reservation_seconds: int = 300 * 60
    """What a tus upload without `maxdurationseconds` reserves."""
    upload_lifetime_seconds: int = 24 * 3600
    """How long an upload address stays valid."""
    rate_limit_requests: int = 1200
    rate_limit_window_seconds: int = 300
    rate_limit_counts_tus: bool = True
    """Whether PATCH and HEAD of uploads are counted too."""

    timings: Timings = Timings()
    frozen_clock: bool = False
    """The clock stands still and moves only when advanced."""
    faults: tuple[Fault, ...] = ()
    """The fault script at start; see `read_faults`."""
    discard_bytes: bool = False
    """Throws away what tus uploads bring, to measure a client without the disk of the sandbox. Their videos pass for
    whole, as long as they were announced to be at most."""
    seed: int | None = None
    """Makes uids repeat from run to run."""

    partial_patch: Literal["keep", "drop"] = "keep"
    """What becomes of the bytes of a PATCH that was cut."""
    lock_wait_seconds: float = 1.0
    """How long a request waits for another on the same upload to end, in real seconds, before 423."""
    expired_status: Literal[404, 410] = 410
    """What an expired upload address answers."""
    counts_as_strings: bool = True
    """`total` and `range` of a listing as "12" or as 12."""
    usage_includes_reservations: bool = False
    """Whether `totalStorageMinutes` shows what open uploads reserve."""
    edit_merges_meta: bool = False
    """Whether an edit adds to `meta` where it should replace it."""
    recognised_keys_stay_in_meta: bool = False
    """Whether keys of `Upload-Metadata` with a meaning of their own are kept in `meta` too."""
    captions_need_ready: bool = False
    """Whether captions are refused until the video is ready; otherwise they need its bytes only."""
    empty_delete: bool = False
    """Whether a deletion answers with no body at all in place of an envelope around `{}`."""
    webhook_copies: int = 1
    """How many times each webhook event is delivered."""

    def __post_init__(self) -> None:
        if not self.token or any(character.isspace() for character in self.token):
            raise ConfigError("the sandbox's token must be a word without blanks")
        if not _ACCOUNT.fullmatch(self.account_id):
            raise ConfigError("an account id has 1 to 32 letters and digits", where=self.account_id)
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"{self.port} is not a port number")
        at_least = {
            "quota_minutes": 0,
            "processing_limit": 1,
            "default_reservation_seconds": 0,
            "upload_lifetime_seconds": 1,
            "rate_limit_requests": 1,
            "rate_limit_window_seconds": 1,
            "lock_wait_seconds": 0,
            "webhook_copies": 1,
        }
        for name, least in at_least.items():
            if getattr(self, name) < least:
                raise ConfigError(f"the sandbox's {name} must be {least} or more")
