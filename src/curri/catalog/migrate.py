"""Bringing the tables up or down: Alembic on the connection that is already open."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from curri.catalog.database import REVISION, connect, translated
from curri.errors import DatabaseError, UsageError

if TYPE_CHECKING:
    from alembic.config import Config


def scripts() -> Path:
    """Return the folder of the migrations: inside the installed package, or at the top of a source checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


def move(url: str, target: str, *, dry_run: bool = False, wait: bool = False) -> tuple[str | None, str | None]:
    """Bring the tables to a revision ("head", "base", or a number); return the revision before and after.

    Every migration is one transaction; a failed one leaves the tables at the revision before it. A second call
    finds nothing to do. Raises UsageError for an unknown revision, BusyError while another migration runs (unless
    told to wait for it), DatabaseError for everything else.
    """
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from sqlalchemy import create_engine, exc, pool

    with connect(url) as database:
        database.lock("db", wait=wait)
        before = database.revision()
        config = _config()
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if target not in known | {"head", "base"}:
            raise UsageError(f"there is no revision {target}", hint=f"known are {', '.join(sorted(known))}, head, base")
        if before is not None and before not in known:
            database.require_tables()
        wanted = {"head": REVISION, "base": ""}.get(target, target)
        if dry_run or wanted == (before or ""):
            return before, wanted or None
        database.connection.autocommit = False  # else every statement of a migration would be committed by itself
        engine = create_engine("postgresql+psycopg://", creator=lambda: database.connection, poolclass=pool.StaticPool)
        try:
            with translated(database.address), engine.connect() as connection:
                config.attributes["connection"] = connection
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # Alembic's, about its own configuration file
                    (command.upgrade if wanted > (before or "") else command.downgrade)(config, target)
                connection.commit()
        except exc.DBAPIError as error:
            with translated(database.address):
                raise (error.orig or error) from error
        except CommandError as error:
            raise DatabaseError(f"the migration failed: {error}", where=database.address) from error
    with connect(url) as database:
        return before, database.revision()


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
