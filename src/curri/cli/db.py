"""`curri db`: the tables of the catalog, up and down."""

from __future__ import annotations

from typing import Annotated

import typer

from curri.cli import asking
from curri.cli.commands import DryRun, app
from curri.cli.session import Session, command
from curri.errors import ExitCode

db = typer.Typer(help="Make, change and inspect the tables of the catalog.", no_args_is_help=True)
app.add_typer(db, name="db")


@command(db, "upgrade")
def upgrade(
    session: Session,
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="Where to: a revision, or head for the newest.")
    ] = "head",
    dry_run: DryRun = False,
) -> None:
    """Bring the tables up to this version of curri. Safe to run again."""
    _move(session, revision, down=False, dry_run=dry_run)


@command(db, "downgrade")
def downgrade(
    session: Session,
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="Where to: a revision, or base for no tables at all.")
    ],
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", envvar="CURRI_YES", help="Do not ask.")] = False,
) -> None:
    """Take the tables back to an older version.

    What the newer tables hold beyond it is lost.
    """
    if not (yes or dry_run):
        asking.needs_person(session.output, "a downgrade loses data and asks first: `--yes` does it without")
        if not asking.agreed(f"Take the tables back to {revision}? Data beyond it is lost."):
            raise typer.Exit
    _move(session, revision, down=True, dry_run=dry_run)


def _move(session: Session, revision: str, *, down: bool, dry_run: bool) -> None:
    from curri.catalog import migrate

    with session.address() as url:
        before, after = migrate.move(url, revision, down=down, dry_run=dry_run)
    verb = "would go" if dry_run else "went"
    session.output.say(
        f"the tables are at {after or 'base'} already"
        if before == after
        else f"the tables {verb} from {before or 'base'} to {after or 'base'}"
    )
    session.output.summary(ExitCode.OK, dry_run=dry_run, counts={"revisions": int(before != after)})


@command(db, "current")
def current(session: Session) -> None:
    """Print the revision of the tables."""
    from curri.catalog.database import REVISION, connect

    with session.address() as url, connect(url) as database:
        revision = database.revision()
    if session.output.as_json:
        session.output.emit("revision", current=revision, newest=REVISION)
    session.output.say(f"{revision or 'base'}{'' if revision == REVISION else f' (newest is {REVISION})'}")
    session.output.summary(ExitCode.OK)


@command(db, "url")
def url(session: Session) -> None:
    """Print the address of the database, without its password."""
    from curri.catalog.database import masked

    with session.address() as address:
        shown = masked(address)
    if session.output.as_json:
        session.output.emit("url", url=shown)
    session.output.say(shown)
    session.output.summary(ExitCode.OK)
