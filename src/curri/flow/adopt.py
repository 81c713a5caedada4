"""`curri adopt`: links to videos that are on Stream already, found by what Stream says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from curri.catalog import inventory, links, uploads
from curri.catalog.database import Database
from curri.errors import ExitCode
from curri.flow import ledger
from curri.flow.jobs import Item, titles
from curri.flow.ledger import Report
from curri.flow.preflight import Credentials
from curri.media.probe import Probed, probe
from curri.model import Held, RecordedVideo, Result
from curri.plan.adoption import Adoption, by_looks, by_metadata, candidates
from curri.plan.lost import spoken_for, unlinked
from curri.plan.status import facts
from curri.plan.text import printable
from curri.plan.uploads import Selection, select
from curri.stream.client import Client
from curri.stream.held import instant
from curri.stream.videos import Videos
from curri.tree.outline import Roots
from curri.tree.presence import Presence, look

COMMAND = "adopt"


@dataclass(frozen=True, slots=True)
class Options:
    """For which videos to look."""

    courses: Sequence[str] = ()  # slugs; none: all
    dry_run: bool = False


def run(
    database: Database,
    options: Options,
    credentials: Credentials,
    choose: Callable[[Sequence[Adoption]], Sequence[Adoption]],
    on_item: Callable[[Item], None],
    *,
    version: str,
) -> Report:
    """Find the videos on Stream that belong to files without a link, and link those that `choose` returns.

    Each component is linked in one transaction, if it still has no link then. No byte is sent and nothing changes on
    Stream. A second call finds what is left. Raises UsageError, BusyError, ConfigError, StreamError, DatabaseError.
    """
    account = credentials.account()
    if not options.dry_run:
        database.lock(COMMAND)
    with database.snapshot() as connection:
        every = uploads.read(connection)
        known = inventory.read(connection)
    chosen = select(every, Selection(options.courses))
    alone = unlinked(chosen)
    counts: Counter[str] = Counter(videos=len(chosen), without=len(alone))
    if not alone:
        return Report(ExitCode.OK, _counts(counts))
    with Client(account) as client:
        listing = Videos(client).listing()
    found = _match(alone, candidates(listing, spoken_for(known)), titles(every))
    counts["found"] = len({each.video.id for each in found})
    wanted = _by_component(choose(found))
    counts["left"] = len(alone) - len(wanted)
    if options.dry_run or not wanted:
        return Report(ExitCode.OK, _counts(counts))
    seconds = _seconds([adoptions[0].video for adoptions in wanted])
    arguments = {"courses": [printable(each) for each in options.courses]}
    with ledger.entry(database, COMMAND, arguments, version) as entry:
        try:
            for adoptions in wanted:
                item = _link(database, adoptions, seconds.get(adoptions[0].video.id))
                counts["adopted"] += item.outcome is Result.DONE
                on_item(item)
        finally:
            entry.counts = _counts(counts)
        entry.ended(ExitCode.OK, entry.counts)
    return Report(ExitCode.OK, entry.counts, entry.run_id)


def _match(alone: Sequence[RecordedVideo], found: Sequence[Held], called: Mapping[str, str]) -> list[Adoption]:
    """Match by metadata first; only for what is left the files are looked into, for how long they last."""
    adoptions = by_metadata(alone, found)
    done = {each.video.id for each in adoptions}
    taken = {each.held.uid for each in adoptions}
    rest = [video for video in alone if video.id not in done]
    others = [held for held in found if held.uid not in taken]
    if rest and others:
        adoptions += by_looks(rest, others, called, _seconds(rest))
    return adoptions


def _seconds(videos: Sequence[RecordedVideo]) -> dict[str, float]:
    """Return how long files last, of those that are there as they are recorded, and say so."""
    roots = Roots()
    found: dict[str, float] = {}
    for video in videos:
        folder = roots.find(video.root, video.course, video.lesson)
        path = None if folder is None else folder / video.source.relative_path
        if path is None or look(path, video.source).presence is not Presence.SAME:
            continue
        probed = probe(path)
        if isinstance(probed, Probed):
            found[video.id] = probed.duration
    return found


def _by_component(adoptions: Sequence[Adoption]) -> list[list[Adoption]]:
    """Return what each component is linked to, first what it plays; what nobody wants it to play has nothing."""
    found: dict[str, list[Adoption]] = {}
    for each in sorted(adoptions, key=lambda each: each.state != "current"):
        found.setdefault(each.video.id, []).append(each)
    return [several for several in found.values() if several[0].state == "current"]


def _link(database: Database, adoptions: Sequence[Adoption], seconds: float | None) -> Item:
    """Link one component to all videos that are its own, if nothing has done so since it was looked at.

    `seconds` is how long its file lasts: what was made of it, and is no encode of it, must last as long.
    """
    current, component = adoptions[0], adoptions[0].video.id
    place = printable(current.video.place)
    uid, name = current.held.uid, current.held.name
    with database.transaction() as connection:
        uploads.lock(connection, component)
        now = uploads.read(connection, component)
        if not now or now[0].links or any(upload.is_open for upload in now[0].uploads):
            return Item(place, Result.UNCHANGED, "it was linked meanwhile", name, uid)
        for each in adoptions:
            held = each.held
            links.put(connection, held, facts(held), instant(held.ready_at), instant(held.created))
            if seconds is not None and not each.compressed and each.source_sha1 == now[0].source.sha1:
                links.sent_as(connection, held.uid, seconds)
            if each.upload is not None:
                links.restore_upload(connection, component, held.uid, *each.upload)
            links.adopt(
                connection,
                component,
                held.uid,
                state=each.state,
                source_sha1=each.source_sha1,
                compressed=each.compressed,
                linked_at=each.upload.at if each.upload is not None else instant(held.created),
            )
    return Item(place, Result.DONE, f"{current.evidence}: {current.told}", name, uid)


def _counts(counts: Counter[str]) -> dict[str, float]:
    return {name: counts[name] for name in ("videos", "without", "found", "adopted", "left")}
