"""The door to PostgreSQL: opening, locking, and turning what the driver says into what a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from curri.errors import BusyError, ConfigError, DatabaseError, NotMigrated

REVISION = "0001"
"""The newest migration: the tables that this version of curri works with. A test holds it against `migrations/`."""

OLDEST_SERVER = 140000
"""PostgreSQL 14, as `server_version` numbers it."""

CONNECT_SECONDS = 10

Connection = psycopg.Connection[tuple[Any, ...]]


class Database:
    """An open catalog. One connection, which is also what the advisory lock of a command hangs on.

    Nothing in this room commits by itself: the flow opens a `transaction()` and thereby decides what belongs together.
    """

    def __init__(self, connection: Connection, address: str) -> None:
        self.connection = connection
        self.address = address
        """Where it is, without the password: for messages."""

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit what happens inside, or nothing of it. Raises DatabaseError."""
        with translated(self.address), self.connection.transaction():
            yield self.connection

    def server_version(self) -> str:
        """Return the version of the server as it calls itself, for instance "16.4"."""
        return self.connection.info.parameter_status("server_version") or "unknown"

    def revision(self) -> str | None:
        """Return the revision of the tables that are there, None if there are none."""
        with self.transaction() as connection:
            known = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
            if not known or not known[0]:
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(row[0]) if row else None

    def require_tables(self) -> None:
        """Raise NotMigrated unless the tables are those of this version of curri."""
        revision = self.revision()
        if revision == REVISION:
            return
        if revision is None:
            raise NotMigrated(
                "the database has no tables of curri yet", where=self.address, hint="run `curri db upgrade` once"
            )
        if revision < REVISION:
            raise NotMigrated(
                f"the tables are at revision {revision}, this curri needs {REVISION}",
                where=self.address,
                hint="run `curri db upgrade`",
            )
        raise NotMigrated(
            f"the tables are at revision {revision}, made by a newer curri (this one knows {REVISION})",
            where=self.address,
            hint="install the newer curri here too",
        )

    def lock(self, command: str) -> None:
        """Take the lock of a command until this connection ends, or raise BusyError at once.

        The lock belongs to the catalog (database and schema). It is the server's, so it dies with the connection
        whatever happens to this process: no lock ever goes stale.
        """
        with self.transaction() as connection:
            row = connection.execute(
                "SELECT pg_try_advisory_lock(hashtext('curri:' || current_schema()), hashtext(%s))", [command]
            ).fetchone()
        if not row or not row[0]:
            raise BusyError(
                f"another `curri {command}` is at work on this catalog",
                where=self.address,
                hint="wait for it to end; `curri runs` shows when it began and on which host",
            )


@contextmanager
def connect(url: str) -> Iterator[Database]:
    """Open a database; closed again at the end. Raises ConfigError for an unusable address, DatabaseError."""
    conninfo, address = parse(url)
    try:
        connection: Connection = psycopg.connect(
            make_conninfo(
                conninfo,
                connect_timeout=CONNECT_SECONDS,
                application_name="curri",
                # An import may read files for hours between two statements: keep routers from forgetting us.
                keepalives_idle=60,
                keepalives_interval=15,
                keepalives_count=4,
            ),
            autocommit=True,
        )
    except psycopg.Error as error:
        raise DatabaseError(
            f"the database cannot be opened: {_first_line(error)}",
            where=address,
            hint="check host, port, user, password and name in CURRI_DATABASE_URL",
        ) from error
    try:
        if connection.info.server_version < OLDEST_SERVER:
            version = connection.info.parameter_status("server_version")
            raise DatabaseError(f"PostgreSQL {version} is too old", where=address, hint="curri needs 14 or newer")
        yield Database(connection, address)
    finally:
        connection.close()


def parse(url: str) -> tuple[str, str]:
    """Return the connection string for the driver, and the address without password for people.

    Takes `postgresql://`, `postgres://`, SQLAlchemy's `postgresql+psycopg://`, and libpq's `key=value` form.
    Raises ConfigError if the text is none of these; the text itself is not repeated, it may hold a password.
    """
    plain = re.sub(r"^postgres(?:ql)?(?:\+[a-z0-9]+)?://", "postgresql://", url.strip())
    hint = "use postgresql://USER:PASSWORD@HOST:5432/NAME, special characters in the password as %XX"
    if "://" in plain and not plain.startswith("postgresql://"):
        raise ConfigError("the database address is not one of PostgreSQL", where="CURRI_DATABASE_URL", hint=hint)
    try:
        parts = conninfo_to_dict(plain)
    except psycopg.ProgrammingError as error:
        raise ConfigError("the database address cannot be understood", where="CURRI_DATABASE_URL", hint=hint) from error
    host = parts.get("host") or parts.get("hostaddr") or "local socket"
    port = f":{parts['port']}" if parts.get("port") else ""
    user = f"{parts['user']}@" if parts.get("user") else ""
    return plain, f"{user}{host}{port}/{parts.get('dbname', '')}"


def masked(url: str) -> str:
    """Return an address as a URL without its password. Raises ConfigError."""
    from urllib.parse import quote

    parts = conninfo_to_dict(parse(url)[0])
    user = f"{quote(str(parts['user']), safe='')}@" if parts.get("user") else ""
    host, port = str(parts.get("host") or ""), f":{parts['port']}" if parts.get("port") else ""
    name = quote(str(parts.get("dbname") or ""), safe="")
    if host.startswith("/"):
        return f"postgresql://{user}/{name}?host={quote(host, safe='')}"
    return f"postgresql://{user}{host}{port}/{name}"


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn the driver's errors into DatabaseError, told apart by class and SQLSTATE."""
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error, address) from error


_HINTS: tuple[tuple[type[psycopg.Error], str, str], ...] = (
    (
        pg.ReadOnlySqlTransaction,
        "the database is read-only",
        "is this a replica? Point CURRI_DATABASE_URL at the primary server",
    ),
    (
        pg.InsufficientPrivilege,
        "the database user is not allowed to do this",
        "let the user own the schema, or run `curri db upgrade` as the owner and grant it the tables",
    ),
    (pg.UndefinedTable, "tables are missing", "run `curri db upgrade`"),
    (pg.UndefinedColumn, "columns are missing", "run `curri db upgrade`"),
    (pg.DiskFull, "the database server's disk is full", "make room there and run the command again"),
    (pg.TooManyConnections, "the database server takes no more connections", "try again later"),
    (
        pg.QueryCanceled,
        "the database server cancelled a statement",
        "a statement_timeout is set for this user; lift it for curri",
    ),
)


def _translate(error: psycopg.Error, address: str) -> DatabaseError:
    for kind, message, hint in _HINTS:
        if isinstance(error, kind):
            detail = f" ({error.diag.message_primary})" if error.diag.message_primary else ""
            return DatabaseError(message + detail, where=address, hint=hint)
    if error.diag.sqlstate is None or isinstance(error, (pg.AdminShutdown, pg.CrashShutdown)):
        return DatabaseError(
            "the connection to the database was lost",
            where=address,
            hint="what was not committed is as before; run the command again when the server is back",
        )
    text = error.diag.message_primary or type(error).__name__
    return DatabaseError(f"the database refused: {text} (SQLSTATE {error.diag.sqlstate})", where=address)


def _first_line(error: psycopg.Error) -> str:
    """Return what libpq says of a failed connection, on one line.

    libpq gives no codes here, and never the password; the text is shown, not interpreted.
    """
    return str(error).strip().partition("\n")[0].removeprefix("connection failed: ").removeprefix("connection is bad: ")
