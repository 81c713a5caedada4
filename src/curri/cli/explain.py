"""`curri explain`: why a video is as it is, on one screen."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from curri.cli.commands import app
from curri.cli.session import Session, command
from curri.cli.videos import moment, tell_playback, tell_video, values_of
from curri.errors import ExitCode
from curri.plan.quantities import size_text
from curri.plan.text import printable

if TYPE_CHECKING:
    from curri.catalog.chronicle import Attempt
    from curri.cli.output import Output
    from curri.flow.explain import Explanation

PRESENCE = {
    "same": "on disk as recorded",
    "doubtful": "on disk with other times: only its bytes can tell whether it is the same",
    "changed": "on disk, and changed since the import",
    "missing": "not on disk",
}
WOULD = {
    "send": "send it",
    "link": "link it again",
    "nothing": "do nothing",
    "fail": "not try again",
    "wait": "leave it out",
}


_CODE = re.compile(r"^[a-z0-9-]+: ")
"""What begins a recorded reason, for programs: what follows says the same in words."""


@command(app, "explain", named=True)
def explain(
    session: Session,
    reference: Annotated[
        str,
        typer.Argument(
            metavar="PATH|NAME|UID",
            envvar="CURRI_REF",
            help="A path on disk, a place such as course_01/01/learning/video.mp4, a name on Stream, or an id.",
        ),
    ],
) -> None:
    """Tell all about one video.

    Its file, what an upload would do with it and why, every attempt, its links, its state on Stream, and what happened
    when. As the catalog knows it: Stream is not asked, and nothing is changed.
    """
    from curri.flow import explain as flow

    output = session.output
    with session.catalog() as database:
        found = flow.run(database, reference)
    if output.as_json:
        _emit(output, found)
    else:
        _tell(output, found)
    counts = {"attempts": len(found.attempts), "links": len(found.links), "videos": len(found.videos)}
    output.summary(ExitCode.OK, counts={**counts, "events": len(found.events)})


def _tell(output: Output, found: Explanation) -> None:
    component, file = found.component, found.file
    output.say(printable(component.place if component else found.videos[0].uid))
    if found.note is not None:
        output.say(found.note, word="note")
    if file is not None:
        output.say(printable(file.path or f"(no folder {file.place})"), word="file")
        output.below(f"{size_text(file.size)}, {PRESENCE[file.presence]}; read {moment(file.read_at)}")
        output.say(file.sha1, word="checksum")
    if component is not None:
        output.say(f"{found.name or '(none: it was removed)'}, kind {printable(component.kind)}", word="name")
        output.below(f"component {component.id}")
    if found.verdict is not None:
        due = f"{found.verdict.due}: " if found.verdict.due else ""
        output.say(f"would {WOULD[found.verdict.would]} ({due}{printable(found.verdict.reason)})", word="upload")
    for attempt in found.attempts:
        _tell_attempt(output, attempt)
        if attempt.uid is not None and attempt.uid not in {video.uid for video in found.videos}:
            output.below(f"as video {printable(attempt.uid)}, which is not in the catalog")
    for uid, link in found.links:
        output.say(f"{link.state} since {moment(link.since)}: {printable(uid)}", word="link")
    for video in found.videos:
        tell_video(output, video)
        if video.status == "ready":
            tell_playback(output, video)
    for number, event in enumerate(found.events):
        line = f"{event.at.astimezone():%Y-%m-%d %H:%M:%S}  {event.what}"
        output.below(line) if number else output.say(line, word="history")


def _tell_attempt(output: Output, attempt: Attempt) -> None:
    run = "" if attempt.run_id is None else f" by run {attempt.run_id}"
    ended = "" if attempt.ended_at is None else f", ended {moment(attempt.ended_at)}"
    output.say(f"{attempt.state}: begun {moment(attempt.began_at)}{run}{ended}", word="attempt")
    if attempt.decision is not None:
        reason = _CODE.sub("", attempt.decision_reason or "no reason was recorded", count=1)
        output.below(f"{attempt.decision}: {printable(reason)}")
    sent = []
    if attempt.artifact_bytes is not None:
        of = f"{size_text(attempt.acknowledged_bytes)} of " if attempt.is_open else ""
        sent.append(f"{of}{size_text(attempt.artifact_bytes)}")
    if attempt.encode_seconds is not None:
        sent.append(f"encoded in {attempt.encode_seconds:.1f} s")
    if attempt.recipe is not None:
        sent.append(f"recipe {printable(attempt.recipe)}")
    if sent:
        output.below(", ".join(sent))
    why = ": ".join(printable(part) for part in (attempt.error_code, attempt.error_message) if part)
    if why:
        output.below(why)


def _emit(output: Output, found: Explanation) -> None:
    """Print one object for each thing that is known; the component comes first, what happened last."""
    if found.component is not None:
        component = values_of(asdict(found.component))
        del component["source"]  # told as the file
        values = {**component, "place": found.component.place, "name": found.name, "note": found.note}
        output.emit("component", **values)
    elif found.note is not None:
        output.emit("note", note=found.note)
    if found.file is not None:
        output.emit("file", **values_of(asdict(found.file)))
    if found.verdict is not None:
        output.emit("verdict", **asdict(found.verdict))
    for attempt in found.attempts:
        output.emit("attempt", **values_of(asdict(attempt) | {"ended_at": attempt.ended_at}))
    for uid, link in found.links:
        output.emit("link", uid=uid, place=link.place, **values_of(asdict(link)))
    for video in found.videos:
        values = values_of(asdict(video))
        output.emit("video", **{**values, "playback": asdict(video.playback)})
    for event in found.events:
        output.emit("event", at=event.at.isoformat(), what=event.what)
