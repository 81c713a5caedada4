"""`curri videos`: the library, listed, shown, edited and deleted."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curri import __version__
from curri.cli import asking
from curri.cli.commands import EMPTY, Courses, DryRun, Kinds, Lessons, app, is_empty
from curri.cli.session import Session, command
from curri.errors import ExitCode
from curri.plan.quantities import clock_text, counted, size_text
from curri.plan.text import printable

if TYPE_CHECKING:
    from curri.catalog.library import Video
    from curri.cli.output import Output
    from curri.flow.deleting import Deletion

videos = typer.Typer(help="List, show, edit and delete the videos of the catalog.", no_args_is_help=True)
app.add_typer(videos, name="videos")

Reference = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        envvar="CURRI_REF",
        help="An id on Stream or in the catalog, a name on Stream, a place such as course_01/01/learning/video.mp4,"
        " or a path on disk.",
    ),
]


@command(videos, "list")
def list_(
    session: Session,
    course: Courses = None,
    lesson: Lessons = None,
    kind: Kinds = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status", metavar="STATUS", envvar="CURRI_STATUS", help="Only queued, inprogress, ready or error."
        ),
    ] = None,
) -> None:
    """List the videos on Stream, in teaching order.

    As the catalog knows them: nothing is asked. --verbose adds their ids on Stream, --json everything.
    """
    from curri.flow import videos as flow

    output = session.output
    with session.catalog() as database:
        found = flow.select(database, flow.Filter(course or (), lesson or (), kind or (), status or ()))
        none = EMPTY if not found and is_empty(database) else "no videos"
    for video in found:
        if output.as_json:
            output.emit("video", **_values(video))
    if output.verbose:
        for video in found:
            _tell_line(output, video)
    elif found:
        rows = [(_where(video), video.status, _length(video), _note(video)) for video in found]
        wide = 4 if any(row[3] for row in rows) else 3  # what every video is needs no column
        columns = ("video", "status", "length", "link")[:wide]
        output.table(columns, [row[:wide] for row in rows], right=("length",), shrink="video")
    counts = Counter(video.status for video in found)
    seconds = sum(video.seconds or 0.0 for video in found)
    parts = [f"{counts[word]} {word}" for word in flow.STATUSES if counts[word]]
    told = f"; {', '.join(parts)}; {seconds / 60:.1f} minutes" if parts else ""
    output.say(f"\n{counted(len(found), 'video')}{told}" if found else none)
    numbers = {"videos": len(found), **{word: counts[word] for word in flow.STATUSES}}
    output.summary(ExitCode.OK, counts={**numbers, "minutes": round(seconds / 60, 1)})


@command(videos, "show")
def show(session: Session, reference: Reference) -> None:
    """Show one video, and where it plays.

    Its state as the catalog knows it, the addresses for players, and the code for a web page.
    """
    from curri.flow import videos as flow

    output = session.output
    with session.catalog() as database:
        video = flow.find(database, reference)
    if output.as_json:
        output.emit("video", **_values(video))
    tell_video(output, video)
    for link in video.appearances:
        removed = ", its file was removed" if link.removed else ""
        output.say(f"{printable(link.place)}, {link.state} since {moment(link.since)}{removed}", word="link")
    if video.status == "ready":
        tell_playback(output, video)
        snippet = flow.player(video)
        if snippet is not None:
            output.say("the code for a web page:", word="embed")
            for line in snippet.splitlines():
                output.say(line)
    else:
        output.say(f"not ready yet: {video.status}" if video.status != "error" else "it cannot be played", word="watch")
    output.summary(ExitCode.OK, counts={"videos": 1})


@command(videos, "edit")
def edit(
    session: Session,
    reference: Reference,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", envvar="CURRI_TITLE", help="The title; empty clears it.")
    ] = None,
    description: Annotated[
        str | None,
        typer.Option(
            "--description", metavar="TEXT", envvar="CURRI_DESCRIPTION", help="The description; empty clears it."
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Set title and description of a video in the catalog.

    For the web pages that read the catalog; without, they show those of the lesson. What is not given stays. Nothing
    changes on Stream: the names there come from the folders, see `curri fix-metadata`.
    """
    from curri.flow import videos as flow

    output = session.output
    with session.catalog() as database:
        video = flow.find(database, reference)
        done = flow.edit(database, video.id, flow.Texts(title, description), dry_run=dry_run, version=__version__)
    changes = [
        (name, old, new)
        for name in ("title", "description")
        for old, new in [(getattr(done.before, name), getattr(done.after, name))]
        if old != new
    ]
    if output.as_json:
        told = [{"field": name, "old": old, "new": new} for name, old, new in changes]
        item = {"path": _where(video), "uid": video.uid, "outcome": done.outcome.value, "changes": told}
        output.emit("item", **item)
    if not changes:
        output.say(f"{_where(video)}: nothing to do, it is so already")
    for name, old, new in changes:
        text = [repr(printable(each)) if each is not None else "(none)" for each in (old, new)]
        output.say(f"{_where(video)}: {name} {text[0]} -> {text[1]}", word="changed")
    output.summary(ExitCode.OK, run_id=done.run_id, counts={"edited": int(bool(changes))}, dry_run=dry_run)


@command(videos, "delete")
def delete(
    session: Session,
    reference: Reference,
    keep_remote: Annotated[
        bool,
        typer.Option("--keep-remote", envvar="CURRI_KEEP_REMOTE", help="Leave the video on Stream."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", envvar="CURRI_YES", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Delete a video, from the catalog and from Stream.

    Shows what goes with it and asks first. The file stays; while it is in the tree, the next `curri upload` sends it
    again. If it is cut short, the same command does the rest.
    """
    from curri.cli.stream import credentials_of
    from curri.flow import videos as flow

    output = session.output
    credentials = credentials_of(session.settings().settings)
    with session.catalog() as database:
        video = flow.find(database, reference)
        agreed = flow.deletion(database, video.id, keep_remote=keep_remote)
        if not dry_run:
            if not keep_remote:
                credentials.account()  # what is missing is said before anybody is asked
            if not yes:
                asking.needs_person(output, "--yes deletes it without being asked")
        if dry_run or not yes:
            _tell_deletion(output, agreed, asking=not dry_run)
        if dry_run:
            _item(output, video, "would be deleted", keep_remote, agreed.due_again)
            output.summary(ExitCode.OK, counts={"deleted": 1, "links": len(agreed.links)}, dry_run=True)
            return
        if not yes and not asking.agreed("Delete it?"):
            output.say("nothing was deleted")
            output.summary(ExitCode.OK, counts={"deleted": 0, "links": 0})
            return
        done = flow.delete(database, agreed, credentials, version=__version__)
    _item(output, video, f"deleted; on Stream: {done.remote}", keep_remote, done.due_again)
    there = {"deleted": "", "absent": "; it was not on Stream any more", "kept": "; it stays on Stream"}[done.remote]
    output.say(f"{_where(video)}: {printable(video.uid)}{there}", word="deleted")
    for place in done.due_again:
        output.say(f"{place} is still in the tree: the next `curri upload` sends it again")
    output.summary(ExitCode.OK, run_id=done.run_id, counts={"deleted": 1, "links": len(done.appearances)})


# --- how a video is told


def moment(time: datetime | None) -> str:
    """Return a time for people, in their zone."""
    return "never" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M}"


def tell_video(output: Output, video: Video) -> None:
    """Print the state of a video on Stream, as recorded."""
    state = f", Stream calls it {video.provider_state}" if video.provider_state not in (None, video.status) else ""
    output.say(f"{printable(video.uid)}: {video.status}, {video.progress} %{printable(state)}", word="video")
    if video.error_code or video.error_message:
        output.below(printable(": ".join(part for part in (video.error_code, video.error_message) if part)))
    sent = "" if video.source_seconds is None else f"; {clock_text(video.source_seconds)} were sent"
    parts = [
        "length not known yet" if video.seconds is None else f"{clock_text(video.seconds)} long",
        f"{video.width}x{video.height}" if video.width and video.height else "",
        size_text(video.size) if video.size is not None else "",
    ]
    output.below(", ".join(part for part in parts if part) + sent)
    name = video.metadata.get("name")
    if name is not None:
        output.below(f"called {printable(str(name))} there")
    if video.title is not None or video.description is not None:
        output.below(f"title {printable(repr(video.title))}, description {printable(repr(video.description))}")
    encoded = f", seen fully encoded {moment(video.fully_encoded_at)}" if video.fully_encoded_at else ""
    if video.ready_at is not None:
        output.below(f"ready since {moment(video.ready_at)}{encoded}")
    again = "due now" if video.next_check_at is None else moment(video.next_check_at)
    output.below(f"last looked at {moment(video.synced_at)}, next look {again}")


def tell_playback(output: Output, video: Video) -> None:
    """Print where a video plays."""
    played = video.playback
    rows = (("watch", played.watch), ("HLS", played.hls), ("DASH", played.dash), ("thumbnail", played.thumbnail))
    for word, address in rows:
        if address is not None:
            output.say(printable(address), word=word)


def values_of(value: Any) -> Any:
    """Return a value of a flow as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: values_of(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [values_of(each) for each in value]
    return value


def _values(video: Video) -> dict[str, Any]:
    from curri.flow.videos import player

    values: dict[str, Any] = values_of(asdict(video))
    values["playback"] = asdict(video.playback)
    values["embed"] = player(video)
    return values


def _where(video: Video) -> str:
    """Return where a video shows, or its id if nothing is linked to it."""
    if not video.appearances:
        return printable(video.uid)
    more = len({each.component_id for each in video.appearances}) - 1
    return printable(video.appearances[0].place) + (f" and {more} more" if more else "")


def _tell_line(output: Output, video: Video) -> None:
    """Print a video of the list with its ids: too long for a column of a table."""
    note = _note(video)
    output.say(f"{_where(video)} ({_length(video)}{f', {note}' if note else ''})", word=video.status)
    output.below(printable(video.uid))
    names = dict.fromkeys(each.name for each in video.appearances if each.name is not None)
    if names:
        output.below(", ".join(map(printable, names)))


def _length(video: Video) -> str:
    return "-" if video.seconds is None else clock_text(video.seconds)


def _note(video: Video) -> str:
    """Return how it is linked, where that is not as usual."""
    if not video.appearances:
        return "none"
    link = video.appearances[0]
    return ", ".join(word for word in (link.state if link.state != "current" else "", "removed" * link.removed) if word)


def _tell_deletion(output: Output, agreed: Deletion, *, asking: bool) -> None:
    """Print what goes: on standard error where it belongs to a question."""
    stream = output.err if asking else output.out
    if output.as_json or (output.quiet and not asking):
        return
    video = agreed.video
    where = "the catalog; it stays on Stream" if agreed.keep_remote else "the catalog and from Stream"
    output.line(f"Video {printable(video.uid)} ({video.status}, {_length(video)}) goes from {where}.", to=stream)
    links = video.appearances
    if len({link.component_id for link in links}) > 1:
        output.line(f"It is linked to {len(links)} places, and all of these links go:", to=stream)
    for link in links:
        output.line(f"{printable(link.place)} ({link.state})", word="link", to=stream)
    for upload in agreed.uploads:
        output.line(f"upload {upload} is given up", word="upload", to=stream)
    for place in agreed.due_again:
        output.line(f"{place} is still in the tree: the next `curri upload` sends it again", to=stream)


def _item(output: Output, video: Video, reason: str, keep_remote: bool, due_again: tuple[str, ...]) -> None:
    if output.as_json:
        links = [{"path": printable(link.place), "state": link.state} for link in video.appearances]
        values = {"path": _where(video), "uid": video.uid, "id": video.id, "outcome": "done", "reason": reason}
        output.emit("item", **values, keep_remote=keep_remote, links=links, due_again=list(due_again))
