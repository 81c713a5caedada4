"""`curri sync-status`: what became of the videos on Stream, into the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from curri.catalog import links, tracking
from curri.catalog.database import Database
from curri.errors import ConfigError, ExitCode
from curri.flow import ledger
from curri.flow.jobs import Item
from curri.flow.ledger import Report
from curri.flow.preflight import Credentials
from curri.model import Held, Result, Tracked
from curri.plan.status import IN_PROCESSING
from curri.plan.sync import MISSING, Verdict, decide, loses_too_much
from curri.plan.text import printable
from curri.stream.client import Client
from curri.stream.failures import NotFound
from curri.stream.held import instant
from curri.stream.pause import Clock, Stop
from curri.stream.videos import Videos, start_before

COMMAND = "sync-status"
STUCK_AFTER = timedelta(hours=6)
FEW = 10
"""Videos up to which each is asked for by itself: cheaper than listing a large library."""
BATCH = 500
"""Videos that are written down in one transaction."""
FIRST_LOOK, LONGEST_PAUSE = 2.0, 30.0
"""Seconds between two looks while waiting: the first comes soon, then ever more rarely."""
GIVE_UP = timedelta(hours=6)
"""For how long one waits; the next run goes on from there."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to look at."""

    every: bool = False
    """Also videos that are not due for a look."""
    wait: bool = False
    """Look also at videos in processing that are not due, and go on until each can be played or has failed."""
    stuck_after: timedelta = STUCK_AFTER
    dry_run: bool = False
    allow_missing: bool = False
    """Go on if more than a quarter of the videos is gone."""


def run(
    database: Database,
    options: Options,
    credentials: Credentials,
    on_item: Callable[[Item], None],
    *,
    version: str,
) -> Report:
    """Look at the videos that are due, write down what Stream says, and let components play what became ready.

    Tells of each video that changed, failed or is stuck. A video is called missing only if asking for it says so: a
    listing that fails part-way ends the run instead, and so does (ConfigError) an account that so many are missing from
    that it looks like another one. A second call right away asks nothing, unless something is still being worked on.
    Raises BusyError, ConfigError, StreamError, DatabaseError.
    """
    looks = _Looks(database, options, on_item)
    due = _due(database, options)
    if not due:
        return looks.report(None)
    account = credentials.account()
    if options.dry_run:
        with Client(account) as client:
            looks.look(Videos(client), due)
        return looks.report(None)
    database.lock(COMMAND)
    due = _due(database, options)  # another run may have looked at them meanwhile
    if not due:
        return looks.report(None)
    arguments = {
        "all": options.every,
        "wait": options.wait,
        "stuck_after": options.stuck_after.total_seconds(),
        "allow_missing": options.allow_missing,
    }
    with ledger.entry(database, COMMAND, arguments, version) as entry, Client(account) as client:
        videos = Videos(client)
        waiting = looks.look(videos, due)
        if options.wait:
            _wait(looks, videos, waiting, client.stop)
        report = looks.report(entry.run_id)
        entry.ended(report.exit_code, report.counts)
    return report


def _due(database: Database, options: Options) -> list[Tracked]:
    with database.transaction() as connection:
        known = tracking.read(connection)
    if options.every:
        return known
    return [video for video in known if video.due or (options.wait and video.status in IN_PROCESSING)]


def follow(
    database: Database,
    videos: Videos,
    uids: Collection[str],
    stop: Stop,
    on_item: Callable[[Item], None],
    clock: Clock | None = None,
) -> set[str]:
    """Follow these linked videos until each can be played or has failed; returns those that are neither in the end.

    Tells of each as it becomes ready or fails. Raises Stopped, ConfigError if so many are missing that it looks like
    another account, and what stream and catalog raise.
    """
    looks = _Looks(database, Options(every=True), on_item)
    waiting = looks.look_up(videos, uids)
    return {video.provider_id for video in _wait(looks, videos, waiting, stop, clock)}


def _wait(
    looks: _Looks, videos: Videos, waiting: list[Tracked], stop: Stop, clock: Clock | None = None
) -> list[Tracked]:
    clock = clock or Clock()
    begun, pause = clock.now(), FIRST_LOOK
    while waiting and clock.now() - begun < GIVE_UP.total_seconds():
        clock.pause(pause, stop)
        pause = min(pause * 1.5, LONGEST_PAUSE)
        waiting = looks.look_up(videos, [video.provider_id for video in waiting])
    return waiting


class _Looks:
    """Looks at videos, one after another or again and again, and keeps count of what they showed."""

    def __init__(self, database: Database, options: Options, on_item: Callable[[Item], None]) -> None:
        self._database = database
        self._options = options
        self._on_item = on_item
        self._last: dict[str, tuple[str, str]] = {}  # by video: how it fared in this run, and its status now
        self._looked_at: set[str] = set()
        self._lost: set[str] = set()  # those of them that were there, as far as was known
        self._problems: set[str] = set()
        self._told: set[tuple[str, str]] = set()

    def look_up(self, videos: Videos, uids: Collection[str]) -> list[Tracked]:
        """Look at the videos with these ids, by what is recorded of them now."""
        with self._database.transaction() as connection:
            known = tracking.read(connection, uids)
        return self.look(videos, known)

    def look(self, videos: Videos, known: Sequence[Tracked]) -> list[Tracked]:
        """Ask for videos, write down what Stream says; returns those that it still works on.

        Raises ConfigError, before anything is written, if too many are not there.
        """
        self._looked_at.update(video.provider_id for video in known)
        found = [self._believed(video, held) for video, held in _ask(videos, known)]
        with self._database.transaction() as connection:
            moment = tracking.now(connection)
        verdicts = [(video, held, decide(video, held, moment, self._options.stuck_after)) for video, held in found]
        for begin in range(0, len(verdicts), BATCH):
            if not self._options.dry_run:
                self._write(verdicts[begin : begin + BATCH])
        for video, held, verdict in verdicts:
            self._tell(video, held, verdict)
        return [video for video, _, verdict in verdicts if verdict.facts.status in IN_PROCESSING]

    def _believed(self, video: Tracked, held: Held | None) -> tuple[Tracked, Held | None]:
        """Return a finding, unless it is one too many of a video that is gone: what is known then is enough to stop."""
        if held is None and video.error_code != MISSING:
            self._lost.add(video.provider_id)
        if not self._options.allow_missing and loses_too_much(len(self._lost), len(self._looked_at)):
            raise ConfigError(
                f"at least {len(self._lost)} of {len(self._looked_at)} videos are not in this account: too many to be"
                " recorded as missing",
                hint="check CLOUDFLARE_ACCOUNT_ID; if they were deleted on purpose:"
                " `curri sync-status --allow-missing`",
            )
        return video, held

    def _write(self, verdicts: Sequence[tuple[Tracked, Held | None, Verdict]]) -> None:
        with self._database.transaction() as connection:
            with connection.pipeline():
                for video, held, verdict in verdicts:
                    if held is None:
                        tracking.lost(connection, video.provider_id, MISSING, verdict.facts.error_message or "")
                    else:
                        links.put(connection, held, verdict.facts, instant(held.ready_at), instant(held.created))
            playable = [video.provider_id for video, _, verdict in verdicts if verdict.may_play]
            for uid in tracking.waited_for(connection, playable):
                links.switch(connection, uid)
            again = [(video.provider_id, verdict.look_again.total_seconds()) for video, _, verdict in verdicts]
            tracking.schedule(connection, again)

    def _tell(self, video: Tracked, held: Held | None, verdict: Verdict) -> None:
        uid = video.provider_id
        former, _ = self._last.get(uid, ("unchanged", ""))
        self._last[uid] = ("changed" if verdict.changed else former, verdict.facts.status)
        if verdict.result is Result.FAILED:
            self._problems.add(uid)
        key = (uid, verdict.reason)
        if verdict.result is Result.UNCHANGED or key in self._told:
            return
        self._told.add(key)
        place = printable(video.places[0])
        name = held.name if held and held.name else None
        self._on_item(Item(place, verdict.result, verdict.reason, name=name, uid=uid))

    def report(self, run_id: int | None) -> Report:
        """Sum up what was seen: every video once, however often it was looked at."""
        counts = Counter(word for words in self._last.values() for word in words)
        counts["problems"] = len(self._problems)
        names = ("changed", "unchanged", "problems", "queued", "inprogress", "ready", "error")
        exit_code = ExitCode.SOME_ITEMS if self._problems else ExitCode.OK
        return Report(exit_code, {name: counts[name] for name in names}, run_id)


def _ask(videos: Videos, known: Sequence[Tracked]) -> Iterator[tuple[Tracked, Held | None]]:
    """Yield each video with what Stream says of it; None if asking for it shows that it is not there.

    One listing from the oldest on, or, while they are few, one request each.
    """
    listed: dict[str, Held] = {}
    if len(known) > FEW:
        times = [video.provider_created_at for video in known]
        oldest = None if None in times else min(time for time in times if time is not None)
        start = None if oldest is None else start_before(oldest)
        listed = {video.uid: video for video in videos.listing(start=start)}
    proved = bool(listed)
    for video in known:
        held = listed.get(video.provider_id)
        if held is None:
            try:
                held = videos.get(video.provider_id)
            except NotFound:
                if not proved:
                    videos.verify()  # a wrong address knows no video either
                held = None
            proved = True
        yield video, held
