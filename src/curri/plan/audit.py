"""Where the three worlds differ: every finding with a mark, a rule and what to do, decided from what was gathered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple, TypeAlias

from curri.model import Held, Inventory, KnownLink, LinkRow, RecordedVideo, Report, Result
from curri.plan.adoption import of_another
from curri.plan.drift import differences
from curri.plan.lost import already_there
from curri.plan.status import WITHOUT_BYTES, facts
from curri.plan.sync import DURATION_DIFFERS, MISSING, lasts_as_sent
from curri.plan.text import printable
from curri.plan.uploads import Due, judge


class Mark(StrEnum):
    """How the two sides of a comparison compare. Here: the tree, or the catalog where Stream is the other side."""

    SAME = "="
    HERE = "+"
    """Only on the side nearer to the source of truth: a file without a row, a video that is not on Stream."""
    THERE = "-"
    """Only on the other side: a row without a file, a video on Stream without a link."""
    DIFFERS = "*"
    ERROR = "!"
    """It could not be compared, or is in a state that no comparison ends in: unreadable, failed, left open."""


Rule: TypeAlias = Literal[
    "in-step",
    "file-without-row",
    "row-without-file",
    "file-changed",
    "file-moved",
    "details",
    "unreadable",
    "no-tree",
    "not-uploaded",
    "not-linked",
    "outdated",
    "upload-open",
    "failed",
    "missing",
    "status",
    "not-switched",
    "duration",
    "metadata",
    "duplicate",
    "unlinked",
]
"""What a finding is about: stable names, which docs/check.md lists."""


class Finding(NamedTuple):
    """One thing that was compared."""

    mark: Mark
    rule: Rule
    path: str  # course, lesson and path; of a video that has none, its id on Stream. Printable
    message: str  # what is so, and the command that mends it
    uid: str | None = None


_OF_TREE: Mapping[str, tuple[Mark, Rule, str]] = {
    "new": (Mark.HERE, "file-without-row", "it is not in the catalog; `curri import` records it"),
    "restored": (Mark.HERE, "file-without-row", "it is there again; `curri import` records it"),
    "removed": (Mark.THERE, "row-without-file", "the catalog has it; `curri import` records that it is gone"),
    "changed": (Mark.DIFFERS, "file-changed", "its bytes are not those recorded; `curri import` records them"),
    "moved": (Mark.DIFFERS, "file-moved", "it lies elsewhere in the catalog; `curri import` records where"),
}


def of_tree(report: Report) -> list[Finding]:
    """Return what an import would do as findings; of files that are as recorded, nothing."""
    findings = []
    for outcome in report.outcomes:
        if outcome.outcome is Result.BLOCKED:
            findings.append(Finding(Mark.ERROR, "unreadable", outcome.path, outcome.reason))
            continue
        word, _, rest = outcome.reason.partition(" ")
        if word in _OF_TREE:
            mark, rule, message = _OF_TREE[word]
            findings.append(Finding(mark, rule, outcome.path, f"{rest}: {message}" if rest else message))
        else:
            message = f"{outcome.reason}; `curri import` records it"
            findings.append(Finding(Mark.DIFFERS, "details", outcome.path, message))
    if report.counts.get("rows_changed") and not findings:
        message = "titles, order or times are not those recorded; `curri import` records them"
        findings.append(Finding(Mark.DIFFERS, "details", "", message))
    return findings


Wanted = Mapping[tuple[str, str], Mapping[str, str]]
"""What the metadata should be, by component and id on Stream."""


def of_stream(
    videos: Sequence[RecordedVideo], inventory: Inventory, held: Mapping[str, Held], wanted: Wanted, *, whole: bool
) -> list[Finding]:
    """Return how the catalog and Stream compare, in teaching order; then what only Stream has.

    `videos` are those asked for (`whole`: all that there are), `held` is all of Stream. Videos of others, which carry
    no mark of curri's, are no difference: an account may hold anything beside.
    """
    findings = []
    there = already_there(videos, held.values(), inventory)
    for video in videos:
        found = [*_of_video(video, there.get(video.id)), *_of_links(video, inventory, held, wanted)]
        place = printable(video.place)
        findings += found or [Finding(Mark.SAME, "in-step", place, "on Stream", _shown(video))]
    if whole:
        findings += _of_attempts(inventory)
    findings += _strays(videos, inventory, held, whole=whole)
    return findings


def _shown(video: RecordedVideo) -> str | None:
    return next((link.provider_id for link in video.links), None)


def _of_video(video: RecordedVideo, there: str | None) -> Iterator[Finding]:
    """Compare the file with what was sent; `there` is what Stream holds of it without a link."""
    place = printable(video.place)
    judgement = judge(video)
    if judgement.due is Due.NEW and there is not None:
        message = f"on Stream already ({there}), and nothing in the catalog links it; `curri adopt` does"
        yield Finding(Mark.HERE, "not-linked", place, message, there)
    elif judgement.due is Due.NEW:
        yield Finding(Mark.HERE, "not-uploaded", place, f"{judgement.reason}; `curri upload` sends it")
    elif judgement.due is Due.CHANGED:
        yield Finding(Mark.DIFFERS, "outdated", place, f"{judgement.reason}; `curri upload` sends it")
    elif judgement.due is Due.RETURNED:
        yield Finding(Mark.DIFFERS, "outdated", place, f"{judgement.reason}; `curri upload` links its video again")
    elif judgement.due is Due.RESUME:
        yield Finding(Mark.ERROR, "upload-open", place, f"{judgement.reason}; `curri upload` goes on")
    elif any(upload.is_open for upload in video.uploads):
        yield Finding(Mark.ERROR, "upload-open", place, judgement.reason)
    elif judgement.result is Result.FAILED:
        yield Finding(Mark.ERROR, "failed", place, judgement.reason, _shown(video))


def _of_links(
    video: RecordedVideo, inventory: Inventory, held: Mapping[str, Held], wanted: Wanted
) -> Iterator[Finding]:
    """Compare what a component plays, and what it waits for, with what Stream holds."""
    place = printable(video.place)
    failed = judge(video).result is Result.FAILED  # then it is told, with the way out
    for link in video.links:
        uid = link.provider_id
        there = held.get(uid)
        if there is None:
            if link.error_code != MISSING:
                message = "the catalog links it, and it is not on Stream; `curri sync-status --all` records that"
                yield Finding(Mark.HERE, "missing", place, message, uid)
            elif not failed:
                message = f"the {link.state} video is not on Stream any more; another one is on its way"
                yield Finding(Mark.HERE, "missing", place, message, uid)
            continue
        known = link.error_code == DURATION_DIFFERS
        yield from _of_state(place, uid, link, there)
        sent = inventory.videos[uid].source_seconds if uid in inventory.videos else None
        if facts(there).playable and not (known and failed) and not lasts_as_sent(there.duration, sent):
            message = f"it lasts {there.duration:.1f} s on Stream, and what was sent {sent:.1f} s; watch its end"
            message += "" if known else ": `curri sync-status --all` records that it is not fine"
            yield Finding(Mark.DIFFERS, "duration", place, message, uid)
        if (video.id, uid) not in wanted:
            continue  # several show it, and another one decides
        for change in differences(wanted[video.id, uid], there.meta):
            old = "(not there)" if change.old is None else printable(str(change.old))
            new = "(removed)" if change.new is None else printable(str(change.new))
            message = f"{change.key}: {old} -> {new}; `curri fix-metadata` edits it"
            yield Finding(Mark.DIFFERS, "metadata", place, message, uid)


def _of_state(place: str, uid: str, link: LinkRow, there: Held) -> Iterator[Finding]:
    now = facts(there)
    if now.status != link.status:
        told = f"it is {now.status} on Stream, and {link.status} in the catalog"
        yield Finding(Mark.DIFFERS, "status", place, f"{told}; `curri sync-status --all` records that", uid)
    elif link.state == "pending" and now.playable and link.error_code is None:
        message = "it can be played, and the former video still is; `curri sync-status --all` switches"
        yield Finding(Mark.DIFFERS, "not-switched", place, message, uid)


def _of_attempts(inventory: Inventory) -> Iterator[Finding]:
    """Name uploads that nobody will end: those of present videos are told with their video."""
    for attempt in inventory.attempts:
        if attempt.is_open and not (attempt.wanted or attempt.held):
            message = "an upload was begun, and its file is gone from the tree; `curri gc` ends it"
            yield Finding(Mark.ERROR, "upload-open", printable(attempt.place), message, attempt.uid)


def _strays(
    videos: Sequence[RecordedVideo], inventory: Inventory, held: Mapping[str, Held], *, whole: bool
) -> Iterator[Finding]:
    """Name what Stream holds under a mark of curri's without a link in the catalog."""
    components = {video.id: video for video in videos}
    linked = {link.uid for link in inventory.links}
    plays: dict[str, list[KnownLink]] = defaultdict(list)
    for link in inventory.links:
        if link.state != "retired":
            plays[link.component_id].append(link)
    attempts = {attempt.id: attempt for attempt in inventory.attempts}
    under_way = {each.uid for each in inventory.attempts if each.is_open}
    for uid, video in held.items():
        component = str(video.meta.get("componentId"))
        attempt = attempts.get(str(video.meta.get("uploadId")))
        if uid in linked or uid in under_way or not (component in components or (whole and attempt)):
            continue
        if attempt is None and of_another(components[component], video):
            continue
        if attempt is not None and (attempt.held or attempt.kept or attempt.is_open):
            continue  # a run at work has just made it, somebody wants it to stay, or it is told with its upload
        name = printable(video.name or "without a name")
        if component in plays:
            message = f"{name}: a second video of {printable(plays[component][0].place)}; {_way(attempt is not None)}"
            yield Finding(Mark.THERE, "duplicate", uid, message, uid)
        elif video.state in WITHOUT_BYTES:
            message = f"{name}: an upload that nobody will end; {_way(attempt is not None)}"
            yield Finding(Mark.THERE, "unlinked", uid, message, uid)
        elif attempt is not None:
            message = f"{name}: made by curri, and nothing in the catalog links it; {_way(mine=True)}"
            yield Finding(Mark.THERE, "unlinked", uid, message, uid)
        else:
            message = f"{name}: nothing in the catalog links it; `curri adopt` does, or {_way(mine=False)}"
            yield Finding(Mark.THERE, "unlinked", uid, message, uid)


def others(held: Mapping[str, Held], inventory: Inventory) -> int:
    """Return how many videos on Stream the catalog neither knows nor knows to have made.

    Metadata alone do not say whose a video is: another catalog may share the account.
    """
    attempts = {attempt.id for attempt in inventory.attempts}
    return sum(
        uid not in inventory.videos and video.meta.get("uploadId") not in attempts for uid, video in held.items()
    )


def _way(mine: bool) -> str:
    """Return how to be rid of a video: `curri gc` takes only what this catalog knows to be of its own making."""
    return "`curri gc` deletes it" if mine else "look at it in the dashboard: nothing here tells who sent it"
