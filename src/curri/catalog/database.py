"""The door to PostgreSQL: opening, locking, and turning what the driver says into what a person can act on."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import errors as pg
from psycopg import generators, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from curri.catalog import pooling, refusals
from curri.errors import BusyError, ConfigError, DatabaseError, NotMigrated

# The driver logs what it ignores while it cleans up after an error. A person is told of the error itself, once.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

REVISION = "0001"
"""The newest migration: the tables that this version of curri works with. A test holds it against `migrations/`."""

OLDEST_SERVER = 140000
"""PostgreSQL 14, as `server_version` numbers it."""

DEFAULTS: Mapping[str, str | int] = {
    "connect_timeout": 10,  # seconds
    "application_name": "curri",
    # An import may read files for hours between two statements: keep routers from forgetting us.
    "keepalives_idle": 60,
    "keepalives_interval": 15,
    "keepalives_count": 4,
}
"""What a connection gets unless the address says otherwise."""

CANCEL_SECONDS = 5

IDLE = """SELECT set_config('idle_in_transaction_session_timeout', '5min', false)
    WHERE current_setting('idle_in_transaction_session_timeout') = '0'"""
"""No transaction of ours waits for anything but the server; only a frozen process lets one lie so long. What the site
has set is left as it is."""

_SCHEMA = "(SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('alembic_version'))"
"""The schema of the tables, by whichever search_path they are found: a lock belongs to the catalog in it."""
_RUNS = f"hashtext('curri run:' || coalesce({_SCHEMA}, current_schema(), ''))"
_KEYS = 2**31 - 1

ALIVE = f"""EXISTS (SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint = {_RUNS}::bigint & 4294967295 AND objid::bigint = mod({{}}, {_KEYS}))"""
"""SQL that tells whether the run with the id {} is alive: the server drops its lock with its connection."""

Connection = psycopg.Connection[tuple[Any, ...]]


class Database:
    """An open catalog. One connection, which is also what the advisory lock of a command hangs on.

    Nothing in this room commits by itself: the flow opens a `transaction()` and thereby decides what belongs together,
    or a `snapshot()` and thereby what is seen together.
    Threads may share it: they take turns, a transaction each.
    """

    def __init__(self, connection: Connection, address: str) -> None:
        self.connection = connection
        self.address = address
        """Where it is, without the password: for messages."""
        self._turn = threading.RLock()
        self._is_session = False
        self._holds_locks = False

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit what happens inside, or nothing of it. Raises DatabaseError."""
        with self._turn, translated(self.address):
            outermost = self.connection.info.transaction_status is pq.TransactionStatus.IDLE
            try:
                with self.connection.transaction():
                    try:
                        yield self.connection
                    except BaseException:
                        self._end_statement()
                        raise
            except BaseException:
                if outermost:
                    self._end_transaction()
                raise

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Read, as often as need be, what was committed at one moment; nothing can be written. Raises DatabaseError.

        Not to be opened inside a transaction: what that has read before would be of another moment.
        """
        with self.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection

    def _end_statement(self) -> None:
        """End the statement that a signal cut short: else the server works on, and the locks are held meanwhile."""
        if self.connection.info.transaction_status is not pq.TransactionStatus.ACTIVE:
            return
        with suppress(psycopg.Error):
            self.connection.cancel_safe(timeout=CANCEL_SECONDS)
            self.connection.wait(generators.execute(self.connection.pgconn))
        if self.connection.info.transaction_status is pq.TransactionStatus.ACTIVE:
            self.connection.close()

    def _end_transaction(self) -> None:
        """End one that a signal cut short at its BEGIN or COMMIT: what follows would be a part of it, and lost."""
        self._end_statement()
        if self.connection.info.transaction_status in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR):
            with suppress(psycopg.Error):
                self.connection.pgconn.exec_(b"ROLLBACK")

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
        if not revision.isdigit():
            raise NotMigrated(
                f"the tables are at revision {revision}, which is not one of curri's",
                where=self.address,
                hint="another program keeps its tables here; give curri a database or a schema of its own",
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

    def require_session(self) -> None:
        """Raise DatabaseError if a pooler stands between that would lose a lock: it belongs to a session."""
        with self._turn, translated(self.address):
            if self._is_session or self.connection.info.transaction_status is not pq.TransactionStatus.IDLE:
                return
            pooling.refuse(self.connection, self.address)
            self._is_session = True

    def announce(self, run_id: int) -> None:
        """Hold the lock of a run until it is dismissed or this connection ends: it shows that the run is alive.

        Others ask with `ALIVE`. Raises DatabaseError.
        """
        self.require_session()
        self._holds_locks = True
        with self.transaction() as connection:
            connection.execute(f"SELECT pg_advisory_lock({_RUNS}, mod(%s, {_KEYS})::int)", [run_id])

    def dismiss(self, run_id: int) -> None:
        """Let go of the lock of a run that has ended; a connection that goes on would collect them. Once for each."""
        with self.transaction() as connection:
            connection.execute(f"SELECT pg_advisory_unlock({_RUNS}, mod(%s, {_KEYS})::int)", [run_id])

    def lock(self, command: str, *, wait: bool = False) -> None:
        """Take the lock of a command until this connection ends, or (unless told to wait) raise BusyError at once.

        The lock belongs to the catalog: to the schema of its tables, by whichever search_path they are found. It is
        the server's, so it dies with the connection whatever happens to this process: no lock ever goes stale.
        """
        self.require_session()
        key = f"hashtext('curri:' || coalesce({_SCHEMA}, current_schema(), '')), hashtext(%s)"
        self._holds_locks = True
        with self.transaction() as connection:
            if wait:
                connection.execute(f"SELECT pg_advisory_lock({key})", [command])
                return
            row = connection.execute(f"SELECT pg_try_advisory_lock({key})", [command]).fetchone()
        if not row or not row[0]:
            raise BusyError(
                f"another `curri {command}` is at work on this catalog",
                where=self.address,
                hint="wait for it to end; `curri runs` shows when it began and on which host",
            )

    def close(self) -> None:
        """End the connection, and with it all locks. A second call does nothing.

        The locks are let go of before: the server ends a session some moments after its connection, and a command
        that begins meanwhile would find this one at work.
        """
        try:
            if self._holds_locks and self.connection.info.transaction_status is pq.TransactionStatus.IDLE:
                with suppress(psycopg.Error):
                    self.connection.execute("SELECT pg_advisory_unlock_all()")
        finally:
            self.connection.close()


@contextmanager
def connect(url: str) -> Iterator[Database]:
    """Open a database; closed again at the end. Raises ConfigError for an unusable address, DatabaseError."""
    conninfo, address = parse(url)
    settings: dict[str, Any] = {**DEFAULTS, **conninfo_to_dict(conninfo), "client_encoding": "utf8"}
    try:
        connection: Connection = psycopg.connect(make_conninfo(**settings), autocommit=True)
    except (psycopg.Error, UnicodeError) as error:  # UnicodeError: a host name that can be none
        reason, hint = refusals.explained(error)
        raise DatabaseError(f"the database cannot be opened: {reason}", where=address, hint=hint) from error
    database = Database(connection, address)
    try:
        if connection.info.server_version < OLDEST_SERVER:
            version = connection.info.parameter_status("server_version")
            raise DatabaseError(f"PostgreSQL {version} is too old", where=address, hint="curri needs 14 or newer")
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            hint = "make one for curri: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            raise DatabaseError(f"the database holds texts as {encoding}, not as UTF8", where=address, hint=hint)
        # A process that is frozen in the middle of a transaction would keep others waiting for its locks for ever.
        connection.execute(IDLE)
        yield database
    finally:
        database.close()


_URL = re.compile(r"postgresql://(?:[^@/]*@)?+[^@?]*(?:\?.*)?", re.DOTALL)
"""An address whose password ends where the driver thinks: one with a bare @ or / would be read as part of the host,
and shown as such."""


def parse(url: str) -> tuple[str, str]:
    """Return the connection string for the driver, and the address without password for people.

    Takes `postgresql://`, `postgres://`, SQLAlchemy's `postgresql+psycopg://`, and libpq's `key=value` form.
    Raises ConfigError if the text is none of these; the text itself is not repeated, it may hold a password.
    """
    plain = re.sub(r"^postgres(?:ql)?(?:\+\w+)?://", "postgresql://", url.strip(), flags=re.IGNORECASE)
    hint = (
        "use postgresql://USER:PASSWORD@HOST:5432/NAME, special characters in the password as %XX,"
        " without parameters that only other drivers know (?schema=); a schema is chosen with"
        " ?options=-csearch_path%3DNAME"
    )
    if re.search(r"[?&]options=[^&]*=", plain):
        hint = "inside of `options` write each `=` as %3D: ?options=-csearch_path%3DNAME"
    if re.match(r"[\w+.-]+://", plain) and not plain.startswith("postgresql://"):
        raise ConfigError("the database address is not one of PostgreSQL", where="CURRI_DATABASE_URL", hint=hint)
    error = ConfigError("the database address cannot be understood", where="CURRI_DATABASE_URL", hint=hint)
    try:
        parts = conninfo_to_dict(plain)
    except (psycopg.ProgrammingError, UnicodeError):
        raise error from None  # the cause would repeat the text
    if not plain or "\0" in plain or not re.fullmatch(r"[0-9,]*", str(parts.get("port") or "")):
        raise error
    if plain.startswith("postgresql://") and not _URL.fullmatch(plain):
        raise error
    user = f"{parts['user']}@" if parts.get("user") else ""
    return plain, f"{user}{_hosts(parts)}/{parts.get('dbname') or ''}"


def _hosts(parts: Mapping[str, Any]) -> str:
    """Return the host or hosts of an address, each with its port."""
    hosts = str(parts.get("host") or parts.get("hostaddr") or "local socket").split(",")
    ports = str(parts.get("port") or "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    pairs = zip(hosts, ports, strict=False)  # the driver refuses what does not fit together
    return ",".join((f"[{host}]" if ":" in host else host) + (f":{port}" if port else "") for host, port in pairs)


def masked(url: str) -> str:
    """Return an address as a URL that the driver takes, without what is secret in it. Raises ConfigError."""
    secret = {option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.dispchar}
    parts = {name: str(value) for name, value in conninfo_to_dict(parse(url)[0]).items() if name not in secret}
    user = f"{quote(parts.pop('user'), safe='')}@" if parts.get("user") else ""
    name = quote(parts.pop("dbname", ""), safe="")
    where = ""
    if re.fullmatch(r"[\w.:-]+", parts.get("host", "")):  # else a socket or several hosts: these stand behind the "?"
        where = _hosts(parts)
        del parts["host"]
        parts.pop("port", None)
    query = f"?{urlencode(parts, quote_via=quote, safe='')}" if parts else ""
    return f"postgresql://{user}{where}/{name}{query}"


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn the driver's errors into DatabaseError, told apart by class and SQLSTATE."""
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error, address) from error


_HINTS: tuple[tuple[tuple[type[psycopg.Error], ...], str, str], ...] = (
    (
        (pg.ReadOnlySqlTransaction,),
        "the database is read-only",
        "point CURRI_DATABASE_URL at the primary server; or is default_transaction_read_only on? `curri doctor` tells",
    ),
    (
        (pg.InsufficientPrivilege,),
        "the database user is not allowed to do this",
        "let the user own the schema, or run `curri db upgrade` as the owner and grant it the tables",
    ),
    ((pg.UndefinedTable,), "tables are missing", "run `curri db upgrade`"),
    ((pg.UndefinedColumn,), "columns are missing", "run `curri db upgrade`"),
    (
        (pg.DuplicateTable, pg.DuplicateObject, pg.DuplicateFunction),
        "the database holds something else under a name that curri needs",
        "give curri a database or a schema of its own",
    ),
    (
        (pg.InvalidSchemaName,),
        "the schema does not exist, or this user may not use it",
        "CREATE SCHEMA NAME AUTHORIZATION USER, or correct the search_path (?options=-csearch_path%3DNAME)",
    ),
    ((pg.DiskFull,), "the database server's disk is full", "make room there and run the command again"),
    (
        (pg.QueryCanceled,),
        "the database server cancelled a statement",
        "a statement_timeout is set for this user; lift it for curri",
    ),
    (
        (pg.DeadlockDetected, pg.SerializationFailure, pg.LockNotAvailable),
        "another command changes the same rows",
        "what was not committed is as before; run the command again",
    ),
)

_LOST = re.compile(r"08...|57P..|25P0[34]")
"""SQLSTATEs with which a server ends a connection: shut down, crashed, or told to end idle or long sessions."""


def _translate(error: psycopg.Error, address: str) -> DatabaseError:
    state, text = error.diag.sqlstate, error.diag.message_primary
    detail = f" ({text})" if text else ""
    for kinds, message, hint in _HINTS:
        if isinstance(error, kinds):
            return DatabaseError(message + detail, where=address, hint=hint)
    if _LOST.fullmatch(state) if state else isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return DatabaseError(
            f"the connection to the database was lost{detail}",
            where=address,
            hint="what was not committed is as before; run the command again when the server is back",
        )
    if state is None:
        return DatabaseError(f"the database driver refused: {error}", where=address)
    return DatabaseError(f"the database refused: {text} (SQLSTATE {state})", where=address)
