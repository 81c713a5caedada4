"""The account that is looked at: every request of the checks, and every video they made.

Nothing is ever touched here but what was made here: an upload is deleted by the id that its own creation named, or, if
that creation was never answered, by the name and the `uploadId` that only this run can have given it.
"""

from __future__ import annotations

import hashlib
import math
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from curri.config import Settings
from curri.errors import CurriError, StreamUnavailable
from curri.model import Held
from curri.stream.account import Account
from curri.stream.artefact import Artefact
from curri.stream.chunks import SMALLEST
from curri.stream.client import Answer, Body, Client, Conduct, Exchange
from curri.stream.failures import CreationUnknown, Told
from curri.stream.held import held
from curri.stream.pause import Stopped, stopped
from curri.stream.retry import Patience
from curri.stream.secret import Secret
from curri.stream.tus import VERSION, Created, Uploads
from curri.stream.videos import Usage, Videos
from curri.stream.watchdog import Guard

PREFIX: Final = "curri-verify-"
"""What the name of every video begins with that a check makes."""
LISTING_DELAY: Final = float(Settings.model_fields["listing_delay"].default)
"""Seconds after which curri takes it that a new upload shows in a listing."""
PADDED: Final = 2 * SMALLEST + 300_001
"""Bytes of the clip that is sent in several chunks: whatever is kept of the first, the last one is a short one."""
CUT_AFTER: Final = SMALLEST // 2 + 12_345
"""Bytes of a chunk after which its connection is closed; no multiple of anything."""
MARGIN: Final = 5
"""Seconds that are reserved beyond the length of the clip."""
_BLOCK: Final = 65_536


class Missing(Exception):
    """An earlier step did not bring about what a check needs."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A video at one look while it was processed."""

    seconds: float  # since its last byte was acknowledged
    state: str
    percent: object  # `pctComplete` as it was sent; None if it was not
    playable: bool


@dataclass
class Live:
    """One run. The client must be open; `clip` is a short video file, `folder` one for temporary files."""

    client: Client
    clip: Path
    seconds: float  # how long the clip plays
    folder: Path
    patience: float  # seconds that processing may take
    note: Callable[[str], None]  # says on the way what is waited for
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    made: dict[str, str] = field(default_factory=dict)  # uid: name, of all that is on the account now
    unanswered: dict[str, str] = field(default_factory=dict)  # uploadId: name, of creations without an answer
    uploads: dict[str, Created] = field(default_factory=dict)  # by part
    usage: Usage | None = None  # before anything was made
    api_headers: Mapping[str, str] = field(default_factory=dict)
    tus_headers: dict[str, Mapping[str, str]] = field(default_factory=dict)  # by method
    timeline: list[Moment] = field(default_factory=list)
    sent_at: float | None = None  # on the clock that never jumps

    def __post_init__(self) -> None:
        self.begun = datetime.now(UTC)
        self.videos = Videos(self.client)

    @property
    def account(self) -> Account:
        """Whose Stream it is."""
        return self.client.account

    @property
    def reserved(self) -> int:
        """Seconds that the upload of the clip reserves."""
        return math.ceil(self.seconds) + MARGIN

    # Making and removing.

    def name(self, part: str) -> str:
        """The title of a video of this run; with letters that are not ASCII, as a course may have them."""
        return f"{PREFIX}{self.run} {part} Übung ß 學"

    def upload_id(self, part: str) -> str:
        """The `uploadId` of a video of this run."""
        return f"{self.run}-{part}"

    def create(self, part: str, size: int, seconds: int, **metadata: str) -> Created:
        """Open an upload as curri does. What `Uploads.create` raises."""
        name, upload_id = self.name(part), self.upload_id(part)
        self.unanswered[upload_id] = name
        try:
            created = Uploads(self.client).create(
                size, {"name": name, "uploadId": upload_id, **metadata}, seconds=seconds
            )
        except CreationUnknown:
            raise
        except CurriError:
            del self.unanswered[upload_id]  # then nothing was created
            raise
        self.made[created.uid] = name
        self.uploads[part] = created
        del self.unanswered[upload_id]
        return created

    def created(self, part: str) -> Created:
        """The upload of a part. Raises Missing if it was not created."""
        if part not in self.uploads:
            raise Missing(f"the upload for it ({part}) was not created")
        return self.uploads[part]

    def sent(self) -> str:
        """The id of the clip. Raises Missing if it was not sent."""
        if self.sent_at is None:
            raise Missing("the clip was not sent")
        return self.created("clip").uid

    def remove_all(self) -> dict[str, str]:
        """Delete everything that was made; what could not be deleted, with the reason: by uid, or by name where the
        creation was not answered. More patient than the checks. A video that is gone already counts as deleted.
        """
        conduct = replace(self.client.conduct, patience=Patience())
        left: dict[str, str] = {}
        with Client(self.account, conduct=conduct) as client:
            videos = Videos(client)
            for uid in list(self.made):
                try:
                    videos.delete(uid)
                except CurriError as error:
                    left[uid] = error.message
                else:
                    del self.made[uid]
            if self.unanswered:
                self.note("looking for an upload whose creation was not answered")
                left |= self._remove_unanswered(videos)
        return left

    def _remove_unanswered(self, videos: Videos) -> dict[str, str]:
        """Look for them until a new upload is sure to show, and delete what is found."""

        def removed() -> bool:
            for upload_id, name in list(self.unanswered.items()):
                for video in videos.created_with(upload_id, self.begun):
                    if video.name == name:
                        self.made[video.uid] = name
                        videos.delete(video.uid)
                        del self.made[video.uid]
                        self.unanswered.pop(upload_id, None)
            return not self.unanswered

        try:
            until(LISTING_DELAY, removed)
        except CurriError as error:
            return dict.fromkeys([*self.made, *self.unanswered.values()], error.message)
        return dict.fromkeys(self.unanswered.values(), "its creation was not answered, and no listing shows it so far")

    def scrubbed(self, text: str) -> str:
        """`text` without the token and the addresses of uploads."""
        text = self.account.token.scrubbed_from(text)
        for created in self.uploads.values():
            text = created.url.scrubbed_from(text)
        return text

    # Requests.

    def ask(self, kind: Exchange, method: str, path: str, *, json: object = None, **query: str) -> Answer:
        """A request to the API, tried again as curri does. Raises the errors of `curri.stream.failures`."""
        ask = self.client.of_account(kind, method, path, **query)
        return self.client.call(replace(ask, json=json, enveloped=kind is not Exchange.DELETE))

    def row(self, uid: str) -> dict[str, object]:
        """A video in Stream's own words."""
        result = self.ask(Exchange.GET, "GET", f"/stream/{uid}").result
        return result if isinstance(result, dict) else {}

    def look(self, uid: str) -> Held:
        """The clip while it is processed; keeps what was seen, and when."""
        row = self.row(uid)
        video = held(row)
        status = row.get("status")
        percent = status.get("pctComplete") if isinstance(status, dict) else None
        seconds = time.monotonic() - (self.sent_at or time.monotonic())
        self.timeline.append(Moment(seconds, video.state, percent, video.ready_to_stream))
        return video

    def head(self, created: Created) -> Answer:
        """Ask an upload where it stands, and keep the headers."""
        ask = replace(self.client.at_upload(Exchange.OFFSET, "HEAD", created.url), headers=VERSION)
        answer = self.client.call(ask)
        self.tus_headers["HEAD"] = answer.headers
        return answer

    def patch(self, created: Created, offset: int, data: bytes) -> Answer:
        """Send one chunk, once, and keep the headers."""
        answer = self._patch(created, offset, len(data), lambda _: iter([data]))
        self.tus_headers["PATCH"] = answer.headers
        return answer

    def cut(self, created: Created, size: int, data: bytes) -> None:
        """Announce a chunk of `size` bytes at 0, send `data`, which is less, and close the connection."""
        try:
            self._patch(created, 0, size, partial(_cut_short, data))
        except Stopped:
            return
        raise Missing("the chunk was answered before it was cut")

    def _patch(self, created: Created, offset: int, size: int, blocks: Callable[[Guard], Iterator[bytes]]) -> Answer:
        headers = VERSION | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        ask = self.client.at_upload(Exchange.SEND, "PATCH", created.url)
        return self.client.exchange(replace(ask, headers=headers, body=Body(size, blocks)))

    def public(self, url: str) -> Answer:
        """What a viewer's address gives. The client carries the token to the API and to Cloudflare's own hosts only."""
        ask = replace(self.client.at_upload(Exchange.GET, "GET", Secret(url)), what="GET a public address")
        return self.client.call(ask)

    def padded(self) -> Artefact:
        """A copy of the clip that is `PADDED` bytes long, and still the same video: a box that players pass over
        fills it up.
        """
        path = self.folder / "padded.mp4"
        clip = self.clip.read_bytes()
        room = PADDED - len(clip)
        data = clip + room.to_bytes(4, "big") + b"free" + bytes(room - 8)
        path.write_bytes(data)
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        return Artefact(path, len(data), digest, path.stat().st_mtime_ns)


def opened(account: Account) -> Client:
    """A client that gives up on a passing failure after a few seconds: a check that cannot be made says so."""
    return Client(account, conduct=replace(Conduct.usual(), patience=Patience(attempts=3)))


def outcome(request: Callable[[], Answer]) -> Answer | Told:
    """What a request is answered with, good or bad; both have a status. Raises StreamUnavailable for trouble."""
    try:
        return request()
    except Told as refused:
        if refused.status is None or isinstance(refused, StreamUnavailable):
            raise
        return refused


def until(seconds: float, look: Callable[[], bool]) -> float | None:
    """Look until it is true: after how many seconds it was; None if it was not within `seconds`."""
    begun = time.monotonic()
    pause = 0.1
    while not look():
        if time.monotonic() - begun > seconds:
            return None
        time.sleep(pause)
        pause = min(pause * 1.5, 3.0)
    return time.monotonic() - begun


def _cut_short(data: bytes, _: Guard) -> Iterator[bytes]:
    for at in range(0, len(data), _BLOCK):
        yield data[at : at + _BLOCK]
    raise stopped()
