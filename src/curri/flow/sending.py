"""One video's way onto Stream: created, sent, confirmed and linked, from whatever point an earlier run reached.

The order of writes is what makes a kill harmless at every point:

    intended   committed before Stream is asked for anything
    (asked)    committed before each request that creates: without it nothing can have been created
    created    id and address, committed before the first byte is sent
    sending    the bytes that Stream acknowledged
    sent       all bytes are there
    linked     video, link and the end of the upload, in one transaction
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from curri.catalog import links, uploads
from curri.catalog.database import Database
from curri.catalog.uploads import Claim, LeaseLost
from curri.errors import ConfigError, CurriError, DatabaseError, StreamError, StreamUnavailable
from curri.flow.ceiling import Ceiling
from curri.media.prepare import Chosen
from curri.model import Held
from curri.plan.status import Facts, facts
from curri.plan.sync import lasts_as_sent
from curri.stream import failures
from curri.stream.artefact import Artefact
from curri.stream.client import Client
from curri.stream.held import bytes_are_there, instant
from curri.stream.pause import Clock, Stop
from curri.stream.secret import Secret
from curri.stream.tus import Uploads
from curri.stream.videos import Videos

TRIES = 3
"""Times that a video is begun anew in one run, because what was begun has vanished from Stream."""
MARGIN = 1.05
"""How much longer than MediaInfo says a video may turn out to be on Stream: longer ones it refuses."""
MARGIN_SECONDS = 30


class _Vanished(Exception):
    """What was begun is not on Stream any more, or is of no use: the upload begins anew."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be sent for one component."""

    component_id: str
    artefact: Artefact
    chosen: Chosen
    metadata: Callable[[str, datetime], dict[str, str]]
    """Of the upload's id and the time of its creation."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A video that is on Stream and linked."""

    video: Held
    facts: Facts
    link: str  # current or pending


class Sender:
    """Brings parcels to Stream. One serves all threads."""

    def __init__(self, database: Database, client: Client, ceiling: Ceiling, *, chunk_size: int, delay: float) -> None:
        self._database = database
        self._client = client
        self._stream = Uploads(client)
        self._videos = Videos(client)
        self._ceiling = ceiling
        self._chunk_size = chunk_size
        self._delay = delay  # seconds until a new upload is sure to show in a listing
        self._clock = Clock()

    def deliver(
        self, claim: Claim, parcel: Parcel, stop: Stop, on_acknowledged: Callable[[int], None]
    ) -> tuple[Claim, Delivered]:
        """Send what is missing, and link the video; returns the claim under which it arrived.

        Raises Stopped, LeaseLost, and what stream and catalog raise; then the upload stays open where it stood, and
        the claim is on it, even if that is not the upload that was begun with.
        """
        for _ in range(TRIES):
            try:
                fresh = claim.state != "sent"
                uid = self._send(claim, parcel, stop, on_acknowledged)
                return claim, self._link(claim, parcel, uid, fresh=fresh)
            except _Vanished as gone:
                self._begin_anew(claim, parcel, gone)
        raise failures.failure(
            failures.Refused, f"the upload has vanished from Stream {TRIES} times", where=parcel.component_id
        )

    def discard(self, claim: Claim, stop: Stop) -> None:
        """Delete what an upload may have left on Stream, before it is given up. Raises what stream raises."""
        if claim.provider_id is not None:
            self._delete(claim, claim.provider_id)
        elif claim.asked_at is not None:
            self._resolve(claim, claim.asked_seconds or 0.0, stop)

    # --- sending

    def _send(self, claim: Claim, parcel: Parcel, stop: Stop, on_acknowledged: Callable[[int], None]) -> str:
        """Bring all bytes to Stream; returns the id of the video."""
        artefact = parcel.artefact
        if claim.provider_id and (claim.artifact_sha1, claim.artifact_bytes) != (artefact.sha1, artefact.size):
            self._delete(claim, claim.provider_id)
            raise _Vanished("artefact-changed", "what is to be sent is another file than the one that was begun")
        self._decide(claim, parcel)
        if claim.provider_id is None:
            if claim.asked_at is not None:
                self._resolve(claim, claim.asked_seconds or 0.0, stop)
            uid, url = self._create(claim, parcel, stop)
            return self._fill(claim, parcel, uid, url, 0, stop, on_acknowledged)
        if claim.state == "sent":
            return claim.provider_id
        if claim.url is None:
            raise AssertionError("an upload that is open has an address")
        return self._fill(claim, parcel, claim.provider_id, Secret(claim.url), None, stop, on_acknowledged)

    def _decide(self, claim: Claim, parcel: Parcel) -> None:
        """Record what is sent. Only now: before, an upload of another artefact might have been continued with it."""
        chosen = parcel.chosen
        with self._database.transaction() as connection:
            uploads.decide(
                connection,
                claim,
                artifact=(parcel.artefact.sha1, parcel.artefact.size),
                decision=chosen.sent,
                reason=f"{chosen.reason}: {chosen.why}",
                recipe=chosen.recipe,
                encode_seconds=chosen.encode_seconds,
            )

    def _create(self, claim: Claim, parcel: Parcel, stop: Stop) -> tuple[str, Secret]:
        """Have Stream create the upload, and commit where it is."""
        seconds = int(max(parcel.chosen.duration * MARGIN, parcel.chosen.duration + MARGIN_SECONDS)) + 1
        for last in (False, True):
            with self._database.transaction() as connection:
                asked = claim.asked_at = uploads.ask(connection, claim)
            claim.asked_seconds = 0.0
            metadata = parcel.metadata(claim.id, asked)
            try:
                made = self._ceiling.under(
                    stop,
                    lambda: self._stream.create(parcel.artefact.size, metadata, seconds=seconds, stop=stop),  # noqa: B023
                )
                break
            except failures.CreationUnknown:
                # The answer was lost. Nothing can have been sent to what it may have created: away with it.
                self._resolve(claim, 0.0, stop)
                if last:
                    raise
            except (StreamError, ConfigError):
                self._refused(claim)
                raise
        try:
            with self._database.transaction() as connection:
                uploads.created(connection, claim, made.uid, made.url.reveal())
        except (LeaseLost, DatabaseError):
            # Nobody knows of it, so nobody may ever find it.
            with suppress(CurriError):
                Videos(self._client, Stop()).delete(made.uid)  # also when the run is being stopped
            raise
        claim.state, claim.provider_id, claim.url = "created", made.uid, made.url.reveal()
        return made.uid, made.url

    def _refused(self, claim: Claim) -> None:
        """Stream has created nothing, for sure: so the next run need not look for it."""
        with self._database.transaction() as connection:
            uploads.refused(connection, claim)
        claim.asked_at = None

    def _fill(
        self,
        claim: Claim,
        parcel: Parcel,
        uid: str,
        url: Secret,
        offset: int | None,
        stop: Stop,
        on_acknowledged: Callable[[int], None],
    ) -> str:
        def acknowledged(stands: int) -> None:
            with self._database.transaction() as connection:
                uploads.acknowledged(connection, claim, stands)
            on_acknowledged(stands)

        begin = iter((offset,))  # known once; after a refusal in the middle it is asked for
        try:
            sent = self._ceiling.under(
                stop,
                lambda: self._stream.send(
                    url,
                    parcel.artefact,
                    offset=next(begin, None),
                    chunk_size=self._chunk_size,
                    on_acknowledged=acknowledged,
                    stop=stop,
                ),
            )
            self._chunk_size = min(self._chunk_size, sent.chunk_size)
        except (failures.NotFound, failures.UploadForbidden, failures.WrongUpload) as gone:
            self._settle(claim, uid, gone)
        with self._database.transaction() as connection:
            uploads.sent(connection, claim)
        self._ceiling.sent()
        return uid

    def _settle(self, claim: Claim, uid: str, gone: CurriError) -> None:
        """The upload cannot be used any more: return if its bytes are all there, else delete it and begin anew."""
        try:
            video = self._videos.get(uid)
        except failures.NotFound:
            raise _Vanished("upload-gone", gone.message) from gone
        if isinstance(gone, failures.WrongUpload) or not bytes_are_there(video):
            self._delete(claim, uid)
            raise _Vanished("upload-gone", gone.message) from gone

    def _resolve(self, claim: Claim, age: float, stop: Stop) -> None:
        """Delete what Stream may have created without our learning of it: asked `age` seconds ago.

        Without its address such an upload cannot be filled. How soon an upload shows in the listing is not documented:
        a listing without it counts only once `delay` has passed.
        """
        found = self._videos.created_with(claim.id, claim.created_at)
        if not found and age < self._delay:
            self._clock.pause(self._delay - age, stop)
            found = self._videos.created_with(claim.id, claim.created_at)
        self._delete(claim, *(video.uid for video in found))

    def _delete(self, claim: Claim, *uids: str) -> None:
        """Delete what is of no use on Stream, if the upload is still this run's.

        What was found on Stream before that is proved can be of no other run: one that took the upload over would have
        the proof fail.
        """
        if not uids:
            return
        with self._database.transaction() as connection:
            uploads.hold(connection, claim)
        for uid in uids:
            self._videos.delete(uid)

    # --- what becomes of it

    def _begin_anew(self, claim: Claim, parcel: Parcel, gone: _Vanished) -> None:
        """Give the upload up, and record the intent for another, in one step."""
        with self._database.transaction() as connection:
            uploads.lock(connection, parcel.component_id)
            uploads.close(connection, claim, "abandoned", gone.code, str(gone))
            anew = uploads.intend(connection, parcel.component_id, claim.source_sha1, claim.run_id)
        claim.become(anew)

    def _link(self, claim: Claim, parcel: Parcel, uid: str, *, fresh: bool) -> Delivered:
        try:
            video = self._videos.get(uid)
        except failures.NotFound as missing:
            if not fresh:
                raise _Vanished("video-gone", "the video was deleted on Stream before it was linked") from missing
            # All bytes were acknowledged a moment ago. To send them again now might make a second copy.
            raise StreamUnavailable(
                "Stream has taken all bytes and does not show the video yet",
                where=parcel.component_id,
                hint="run the same command again: it looks once more before anything is sent",
            ) from missing
        seen = facts(video)
        with self._database.transaction() as connection:
            uploads.lock(connection, parcel.component_id)
            links.put(connection, video, seen, instant(video.ready_at), instant(video.created))
            links.sent_as(connection, uid, parcel.chosen.duration)
            state = links.link(
                connection,
                parcel.component_id,
                uid,
                source_sha1=claim.source_sha1,
                compressed=parcel.chosen.compressed,
                playable=seen.playable and lasts_as_sent(video.duration, parcel.chosen.duration),
            )
            uploads.close(connection, claim, "linked")
        return Delivered(video, seen, state)
