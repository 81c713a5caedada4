"""`curri gc`: what is of no use any more, thrown away once a person has said so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from curri.catalog import inventory, uploads
from curri.catalog.database import Connection, Database
from curri.errors import ConfigError, ExitCode
from curri.flow import ledger
from curri.flow.jobs import Item
from curri.flow.ledger import Report
from curri.flow.upload import Means
from curri.media.renditions import Cache
from curri.model import Held, Inventory, Result
from curri.plan.leftovers import Leftover, Why, leftovers
from curri.plan.sync import MISSING, loses_too_much
from curri.stream.client import Client
from curri.stream.failures import NotFound, Refused
from curri.stream.videos import Videos

COMMAND = "gc"
GRACE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Options:
    """What to throw away."""

    grace: timedelta = GRACE
    """How long a video that was replaced is kept."""
    max_deletes: int | None = None
    """Videos deleted on Stream at most; the rest is left for another run."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be thrown away."""

    leftovers: tuple[Leftover, ...]
    left: int  # more than `max_deletes` allows
    encodes: Mapping[str, int]  # bytes by the SHA-1 of the source

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to throw away."""
        return not self.leftovers and not self.encodes

    @property
    def seconds(self) -> float:
        """How long the videos last that would be deleted."""
        return sum(each.seconds or 0.0 for each in self.leftovers)


def run(
    database: Database,
    options: Options,
    means: Means,
    agreed: Callable[[Plan], bool],
    on_item: Callable[[Item], None],
    *,
    version: str,
) -> Report:
    """Find what is of no use any more, show it to `agreed`, and throw it away if that returns true.

    Before each deletion the catalog is read once more, and the links to the video go first: a kill at any moment
    leaves a video that nothing shows, which the next run finds. Nothing that this catalog did not make is touched. A
    second call finds nothing. Raises BusyError, ConfigError, StreamError, DatabaseError.
    """
    account = means.credentials.account()
    cache = Cache(means.home / "renditions", budget=means.cache_size)
    if not options.dry_run:
        database.lock(COMMAND)
    with Client(account) as client:
        videos = Videos(client)
        held = {video.uid: video for video in videos.listing()}
        plan = _plan(database, videos, held, cache, options)
        if not agreed(plan) or options.dry_run or plan.is_empty:
            return Report(ExitCode.OK, _planned(plan) if options.dry_run else _counts(plan, Counter(), 0.0))
        arguments = {"grace": options.grace.total_seconds(), "max_deletes": options.max_deletes}
        with ledger.entry(database, COMMAND, arguments, version) as entry:
            done: Counter[str] = Counter()
            seconds = 0.0
            try:
                for leftover in plan.leftovers:
                    item = _throw_away(database, videos, leftover, held, options)
                    done[f"{leftover.why}s"] += item.outcome is Result.DONE
                    done[item.outcome] += 1
                    if item.outcome is Result.DONE:
                        seconds += leftover.seconds or 0
                    on_item(item)
                for sha1 in plan.encodes:
                    swept = cache.throw_away(sha1)  # nothing, if it is in use
                    done["encodes"] += swept.files > 0
                    done["freed"] += swept.freed
            finally:
                entry.counts = _counts(plan, done, seconds)
            exit_code = ExitCode.SOME_ITEMS if done[Result.FAILED] else ExitCode.OK
            entry.ended(exit_code, entry.counts)
    return Report(exit_code, entry.counts, entry.run_id)


def _plan(database: Database, videos: Videos, held: Mapping[str, Held], cache: Cache, options: Options) -> Plan:
    with database.snapshot() as connection:
        known = inventory.read(connection)
        sources = {video.source.sha1 for video in uploads.read(connection)}
    _prove(videos, known, held)
    found = leftovers(known, held, options.grace.total_seconds())
    chosen, left, room = [], 0, options.max_deletes
    for leftover in found:
        if leftover.why is not Why.ROW and room is not None:
            if room == 0:
                left += 1
                continue
            room -= 1
        chosen.append(leftover)
    return Plan(tuple(chosen), left, cache.unused(sources))


def _prove(videos: Videos, known: Inventory, held: Mapping[str, Held]) -> None:
    """Raise ConfigError if the listing is of another account: seen from there, every row here would be left over."""
    lost = {uid for uid, video in known.videos.items() if video.error_code == MISSING}
    played = {link.uid for link in known.links if link.state != "retired"} - lost
    absent = sorted(played - held.keys())
    if not absent or (len(absent) < len(played) and not loses_too_much(len(absent), len(played))):
        return
    if not _is_there(videos, absent[0]):  # else the listing is a moment behind
        raise ConfigError(
            f"{len(absent)} of {len(played)} videos are not in this account; nothing was deleted",
            hint="check CLOUDFLARE_ACCOUNT_ID; if they were deleted on purpose: `curri sync-status --all` first",
        )


def _throw_away(
    database: Database, videos: Videos, leftover: Leftover, held: Mapping[str, Held], options: Options
) -> Item:
    """Let go of a video in the catalog, delete it on Stream, forget its row: in this order, each safe to repeat."""
    uid = leftover.uid
    if uid is not None and leftover.why is Why.ROW and _is_there(videos, uid):
        return _item(leftover, Result.UNCHANGED, "it is on Stream after all; it was left alone")
    with database.transaction() as connection:
        if uid is not None:
            inventory.lock(connection, uid)
        now = _still(inventory.read(connection, uid), leftover, held, options)
        if now is None or not all(_end(connection, attempt) for attempt in now.attempts):
            return _item(leftover, Result.UNCHANGED, "something needs it again; it was left alone")
        if uid is None:
            return _item(leftover, Result.DONE, leftover.told)
        inventory.unlink(connection, uid)
    if leftover.why is not Why.ROW:
        try:
            videos.delete(uid)
        except Refused as refused:
            return _item(leftover, Result.FAILED, refused.message)
    with database.transaction() as connection:
        inventory.forget(connection, uid)
    return _item(leftover, Result.DONE, leftover.told)


def _still(known: Inventory, leftover: Leftover, held: Mapping[str, Held], options: Options) -> Leftover | None:
    """Return a leftover as it is now, None if it is none any more."""
    uid = leftover.uid
    seen = held if uid is None else {uid: held[uid]} if uid in held else {}
    found = leftovers(known, seen, options.grace.total_seconds())
    return next((each for each in found if each.uid == uid and (uid or each.attempts == leftover.attempts)), None)


def _end(connection: Connection, attempt: str) -> bool:
    return inventory.end_attempt(connection, attempt, "file-gone", "its file is gone from the tree")


def _is_there(videos: Videos, uid: str) -> bool:
    """Ask for a video that the listing does not have: that alone proves that it is gone."""
    try:
        videos.get(uid)
    except NotFound:
        videos.verify()  # a wrong address knows no video either
        return False
    return True


def _item(leftover: Leftover, outcome: Result, reason: str) -> Item:
    return Item(
        leftover.name,
        outcome,
        reason,
        leftover.name,
        leftover.uid,
        size=leftover.size or 0,
        seconds=leftover.seconds or 0,
    )


def _counts(plan: Plan, done: Counter[str], seconds: float) -> dict[str, float]:
    """Sum up what was done, and what was left."""
    return {
        **{f"{why}s": done[f"{why}s"] for why in Why},
        "failed": done[Result.FAILED],
        "left": plan.left,
        "minutes": round(seconds / 60, 2),
        "encodes": done["encodes"],
        "encode_bytes": done["freed"],
    }


def _planned(plan: Plan) -> dict[str, float]:
    """Sum up what would be done."""
    done = Counter(f"{each.why}s" for each in plan.leftovers)
    done.update(encodes=len(plan.encodes), freed=sum(plan.encodes.values()))
    return _counts(plan, done, plan.seconds)
