"""The library of an account: reading, listing, editing and deleting videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from curri.model import Held
from curri.plan.drift import changed
from curri.stream import failures
from curri.stream.client import Ask, Client, Exchange
from curri.stream.held import UID, held, number
from curri.stream.pause import Stop

PAGE: Final = 1_000
"""Rows in one answer: the most that Stream gives."""
SKEW: Final = timedelta(hours=1)
"""How far this machine's clock and Cloudflare's may be apart when a video is looked for by its time."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account stores. Whether minutes reserved by open uploads are among them is not documented."""

    minutes: float
    limit: int | None
    """None: Stream named none."""
    videos: int | None

    @property
    def left(self) -> float | None:
        """Minutes that may still be stored; None if no limit is known."""
        return None if self.limit is None else max(0.0, self.limit - self.minutes)


@dataclass(frozen=True, slots=True)
class Edited:
    """The metadata of a video before and after an edit, for a journal that can undo it."""

    before: dict[str, object]
    after: dict[str, object]
    """As Stream gave it back, not as it was sent."""
    written: bool
    """False: it was so already, and nothing was sent."""
    kept: tuple[str, ...] = ()
    """Keys that were to be removed and that Stream still has."""


class Videos:
    """The videos of one account. Every call is tried again while its failure is a passing one.

    All raise StreamUnavailable when patience is over, ConfigError for token and account, and Stopped.
    """

    def __init__(self, client: Client, stop: Stop | None = None) -> None:
        self._client = client
        self._stop = stop or client.stop

    def get(self, uid: str) -> Held:
        """One video. Raises NotFound."""
        return held(self._client.call(self._of(Exchange.GET, "GET", uid), self._stop).result)

    def listing(
        self,
        *,
        status: str | None = None,
        creator: str | None = None,
        video_name: str | None = None,
        start: str | None = None,
        page: int = PAGE,
    ) -> list[Held]:
        """All videos, oldest first, each once; with filters, those that match all of them.

        `status` is one of Stream's states, `video_name` the exact title, `start` a time of RFC 3339 (whether a video
        created at that very moment is in is not documented: leave a margin). Raises Unlistable, or what any page
        raises: half a listing is never returned. One call for each 1,000 videos.
        """
        filters = {"status": status, "creator": creator, "video_name": video_name}
        query = {key: value for key, value in filters.items() if value is not None}
        query |= {"asc": "true", "limit": str(page)}
        found: dict[str, Held] = {}
        total = 0.0
        cursor = start
        while True:
            at = {} if cursor is None else {"start": cursor}
            first = {"include_counts": "true"} if not found else {}
            ask = self._client.of_account(Exchange.LIST, "GET", "/stream", **query, **at, **first)
            answer = self._client.call(ask, self._stop)
            if not isinstance(answer.result, list):
                raise failures.failure(failures.Unlistable, "Stream answered without a list", where=ask.what)
            rows = [held(row) for row in answer.result]
            before = len(found)
            for row in rows:
                found[row.uid] = row
            total = max(total, number((answer.notes.envelope or {}).get("total")) or 0.0)
            full = len(rows) >= page
            # A short page is the last one, unless the server gives less than it was asked for: then the total that
            # it named is not reached yet, and only a page without anything new is the end.
            if not full and len(found) >= total:
                break
            if len(found) > before:
                cursor = _next(rows, ask, full=full)
            elif rows and cursor != rows[-1].created and any(row.created == cursor for row in rows):
                cursor = rows[-1].created  # `start` includes its moment, as this page shows: nothing can be missed
            elif not full:
                break
            else:
                cursor = None
            if cursor is None:
                raise failures.failure(failures.Unlistable, "the listing does not advance", where=ask.what)
        return list(found.values())

    def created_with(self, upload_id: str, since: datetime) -> list[Held]:
        """The videos whose metadata carry `uploadId`, created at `since` (by this machine's clock) or later.

        This is how an upload is found whose creation was not answered. Stream cannot search metadata, so all that was
        created since is listed. How soon a new upload shows in a listing is not documented: an empty answer within
        the first minute proves nothing.
        """
        return [video for video in self.listing(start=start_before(since)) if video.meta.get("uploadId") == upload_id]

    def edit(self, uid: str, changes: Mapping[str, object]) -> Edited:
        """Change some keys of a video's metadata; None removes a key, all others stay as they are.

        The whole is read, changed and written: whether Stream replaces or merges what it is sent is not documented,
        and this is right either way. Only a removal may fail under merging, so it is checked by reading again.
        Nothing is sent when nothing would change. Between reading and writing, someone else's change is lost: Stream
        knows no conditional edit. Raises NotFound, Refused.
        """
        before = self.get(uid).meta
        return self._write(uid, before, changed(before, changes))

    def rewrite(self, uid: str, seen: Mapping[str, object], after: Mapping[str, object]) -> Edited | None:
        """Make `after` of a video's metadata if they are what was `seen` of them; None, and nothing sent, if not.

        As with `edit`. Two calls; a third where a key is removed.
        """
        before = self.get(uid).meta
        return self._write(uid, before, after) if before == seen else None

    def _write(self, uid: str, before: dict[str, object], after: Mapping[str, object]) -> Edited:
        if after == before:
            return Edited(before, before, written=False)
        ask = replace(self._of(Exchange.EDIT, "POST", uid), json={"meta": dict(after)})
        answer = self._client.call(ask, self._stop)
        removed = [key for key in before if key not in after]
        told = isinstance(answer.result, dict) and not removed
        now = held(answer.result).meta if told else self.get(uid).meta
        return Edited(before, now, written=True, kept=tuple(key for key in removed if key in now))

    def delete(self, uid: str) -> bool:
        """Delete a video, or an open upload with the minutes it reserves. False if there was none: also success."""
        try:
            self._client.call(replace(self._of(Exchange.DELETE, "DELETE", uid), enveloped=False), self._stop)
        except failures.NotFound:
            return False
        return True

    def storage(self) -> Usage:
        """Minutes stored and allowed."""
        ask = self._client.of_account(Exchange.USAGE, "GET", "/stream/storage-usage")
        result = self._client.call(ask, self._stop).result
        values = result if isinstance(result, dict) else {}
        minutes = number(values.get("totalStorageMinutes"))
        if minutes is None:
            raise failures.failure(failures.Garbled, "Stream did not say how many minutes are stored", where=ask.what)
        limit, videos = number(values.get("totalStorageMinutesLimit")), number(values.get("videoCount"))
        return Usage(minutes, None if limit is None else int(limit), None if videos is None else int(videos))

    def verify(self) -> None:
        """Return if the token may read Stream in this account.

        The listing decides: the check that Cloudflare has for tokens knows nothing of Stream, and not the tokens that
        an account owns. It is asked only after a refusal, to tell a bad token from a missing permission. Whether the
        token may write shows with the first upload only. Raises Credentials or WrongAccount with what to do.
        """
        try:
            self._client.call(self._client.of_account(Exchange.VERIFY, "GET", "/stream", limit="1"), self._stop)
        except failures.Credentials as refused:
            refusal = refused
        except failures.NotFound as missing:
            wrong = failures.failure(failures.WrongAccount, missing.message, where=missing.where)
            raise self._client.blamed(wrong) from missing
        else:
            return
        if self._active():
            refusal = failures.Credentials(
                f"the token is valid, but may not use Stream in this account ({refusal.message})",
                where=refusal.where,
                hint=f"{failures.PERMISSION_HINT}; or CLOUDFLARE_ACCOUNT_ID names another account",
            )
        raise refusal

    def _active(self) -> bool:
        """Whether Cloudflare knows the token as an active one of a user."""
        ask = self._client.of_user(Exchange.VERIFY, "GET", "/user/tokens/verify")
        try:
            result = self._client.call(ask, self._stop).result
        except (failures.Denied, failures.Credentials):
            return False
        return isinstance(result, dict) and result.get("status") == "active"

    def _of(self, kind: Exchange, method: str, uid: str) -> Ask:
        if not UID.fullmatch(uid):
            raise ValueError(f"not the id of a video: {uid!r}")
        return self._client.of_account(kind, method, f"/stream/{uid}")


def start_before(moment: datetime) -> str:
    """Where a listing begins that must hold everything created at `moment`, whatever the two clocks say."""
    return (moment - SKEW).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _next(rows: list[Held], ask: Ask, *, full: bool) -> str | None:
    """Where the next page begins: at the last moment but one of this page, in Stream's own spelling.

    Whether `start` includes its moment is not documented. Begun at the last one, the next page could miss a video of
    the same moment that did not fit on this page; begun one earlier, it repeats a few rows and misses none.
    None if a full page holds a single moment: nobody can say then how many more there are.
    """
    last = rows[-1].created if rows else None
    if last is None:
        raise failures.failure(failures.Unlistable, "Stream listed a video without a time", where=ask.what)
    earlier = next((row.created for row in reversed(rows) if row.created not in (None, last)), None)
    return earlier if full or earlier is not None else last
