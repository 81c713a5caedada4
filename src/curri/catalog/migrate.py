"""Bringing the tables up or down: Alembic on the connection that is already open."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from curri.catalog import fitness
from curri.catalog.database import REVISION, Database, connect
from curri.catalog.engine import engine
from curri.errors import DatabaseError, NotMigrated, UsageError

if TYPE_CHECKING:
    from alembic.config import Config


def scripts() -> Path:
    """Return the folder of the migrations: inside the installed package, or at the top of a source checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


def move(
    url: str, target: str, *, down: bool = False, dry_run: bool = False, wait: bool = False
) -> tuple[str | None, str | None]:
    """Bring the tables up (or `down`) to a revision ("head", "base", a number); return the revision before and after.

    Every migration is one transaction; a failed one leaves the tables at the revision before it. A second call
    finds nothing to do. Raises UsageError for an unknown revision and for one that lies the other way, BusyError while
    another migration runs (unless told to wait for it), DatabaseError for everything else.
    """
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    with connect(url) as database:
        database.lock("db", wait=wait)
        before = database.revision()
        config = _config()
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if target not in known | {"head", "base"}:
            end = "base" if down else "head"
            raise UsageError(f"there is no revision {target}", hint=f"known are {', '.join(sorted(known))}, {end}")
        if before is not None and before not in known:
            _unknown(database, before)
        wanted = {"head": REVISION, "base": ""}.get(target, target)
        if wanted != (before or ""):
            _check(database, before, target, upwards=wanted > (before or ""), down=down)
        if dry_run or wanted == (before or ""):
            return before, wanted or None
        database.connection.autocommit = False  # else every statement of a migration would be committed by itself
        try:
            with engine(database) as opened, opened.connect() as connection:
                config.attributes["connection"] = connection
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # Alembic's, about its own configuration file
                    (command.downgrade if down else command.upgrade)(config, target)
                connection.commit()
        except CommandError as error:
            raise DatabaseError(f"the migration failed: {error}", where=database.address) from error
    with connect(url) as database:
        return before, database.revision()


def _unknown(database: Database, revision: str) -> NoReturn:
    """Raise NotMigrated for a revision that no migration here leads from."""
    if revision.isdigit() and revision < REVISION:  # else `require_tables` would name the command that was just run
        raise NotMigrated(
            f"the tables are at revision {revision}, which this curri does not know",
            where=database.address,
            hint="take them down with the curri that made them, or give this one a schema of its own",
        )
    database.require_tables()
    raise AssertionError("the revision of this curri is none of its migrations")


def _check(database: Database, before: str | None, target: str, *, upwards: bool, down: bool) -> None:
    """Raise UsageError if the way leads in the other direction, DatabaseError if it cannot be gone."""
    if upwards and down:
        message = f"{target} is newer than what is there: {before or 'base'}"
        raise UsageError(message, hint=f"`curri db upgrade {target}`")
    if not upwards and not down:
        message = f"{target} is older than what is there: {before}"
        raise UsageError(message, hint=f"`curri db downgrade {target}`: what the newer tables hold beyond it is lost")
    looks = [fitness.read_only] if before is not None else [fitness.read_only, fitness.no_room, fitness.unlisted]
    for look in looks:
        error = look(database)
        if error is not None:
            raise error


def move_if_needed(url: str) -> None:
    """Bring the tables of the embedded server up to date; it belongs to nobody else. Raises DatabaseError.

    Tables of a newer curri stay as they are: whoever opens the catalog is told.
    """
    with connect(url) as database:
        revision = database.revision()
    if revision is None or revision < REVISION:
        move(url, "head", wait=True)  # two commands may be the first at once


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
