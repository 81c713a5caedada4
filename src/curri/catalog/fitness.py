"""Whether a database can be worked in: what stands in the way, each with the way out, said before anything begins."""

from __future__ import annotations

from typing import Any

from curri.catalog.database import REVISION, Connection, Database
from curri.errors import DatabaseError

TABLES = ("course", "lesson", "component", "asset", "video", "component_video", "upload", "run", "metadata_change")
VIEW = "course_videos"
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")

_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on', pg_is_in_recovery(), quote_ident(current_user)"
_SCHEMA = """
    SELECT quote_ident(current_schema()), has_schema_privilege(current_schema(), 'CREATE'), quote_ident(current_user),
           current_setting('search_path')"""
_PRESENT = (
    "SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS t (name, n) WHERE to_regclass(name) IS {} NULL ORDER BY n"
)
_WITHOUT = """
    SELECT t.name, string_agg(r.name, ', ' ORDER BY r.n)
      FROM unnest(%s::text[]) WITH ORDINALITY AS t (name, n)
     CROSS JOIN unnest(%s::text[]) WITH ORDINALITY AS r (name, n)
     WHERE NOT has_table_privilege(to_regclass(t.name), r.name)
     GROUP BY t.name, t.n ORDER BY t.n"""
_WHERE = """
    SELECT quote_ident(relnamespace::regnamespace::text), quote_ident(current_user), quote_ident(current_database()),
           has_database_privilege(current_database(), 'TEMPORARY')
      FROM pg_class WHERE oid = to_regclass('alembic_version')"""


def read_only(database: Database) -> DatabaseError | None:
    """Return why nothing can be written, None if something can. Raises DatabaseError, as all here do."""
    with database.transaction() as connection:
        row = _one(connection, _READ_ONLY)
    if not row[0]:
        return None
    if row[1]:
        hint = "this server is a standby, a copy of another: point CURRI_DATABASE_URL at the primary server"
    else:
        hint = f"default_transaction_read_only is on: ALTER ROLE {row[2]} SET default_transaction_read_only = off"
    return DatabaseError("the database is read-only", where=database.address, hint=hint)


def no_room(database: Database) -> DatabaseError | None:
    """Return why no tables can be made where they would be looked for, None if they can."""
    with database.transaction() as connection:
        schema, allowed, user, path = _one(connection, _SCHEMA)
    choose = f"`?options=-csearch_path%3DNAME` in the address, or ALTER ROLE {user} SET search_path = NAME"
    own = f"make one for curri, CREATE SCHEMA NAME AUTHORIZATION {user}, and choose it: {choose}"
    if schema is None:
        message = f"no schema of the search_path ({path}) exists, or this user may not use it"
        return DatabaseError(message, where=database.address, hint=own)
    if not allowed:
        message = f"this user may make no tables in the schema {schema}"
        grant = f"or GRANT CREATE ON SCHEMA {schema} TO {user}"
        return DatabaseError(message, where=database.address, hint=f"{own}; {grant}")
    return None


def unlisted(database: Database) -> DatabaseError | None:
    """Return what is wrong where all tables are there although no revision is said to be, None if that is not so."""
    with database.transaction() as connection:
        there = _names(connection, "NOT")
    if set(there) != {*TABLES, VIEW}:
        return None
    again = f"INSERT INTO alembic_version VALUES ('{REVISION}')"  # noqa: S608 - a constant, and only shown
    return DatabaseError(
        "the tables of curri are there, but alembic_version says of none which revision they are",
        where=database.address,
        hint=f"was it emptied by hand, or left out of a backup? If they are those of {REVISION}: {again}; else give"
        " curri a schema of its own",
    )


def gaps(database: Database) -> list[DatabaseError]:
    """Return what is missing where the tables are said to be there: some of them, the view, or the rights to them."""
    with database.transaction() as connection:
        missing = _names(connection, "")
        without = connection.execute(_WITHOUT, [list(TABLES), list(RIGHTS)]).fetchall()
        schema, user, name, temporary = _one(connection, _WHERE)
    found = []
    if missing:
        message = f"the tables are said to be at revision {REVISION}, but these are not there: {', '.join(missing)}"
        hint = (
            "restore them from a backup; or give curri an empty schema, where `curri db upgrade`, `curri import` and"
            " `curri adopt` build the catalog anew"
        )
        found.append(DatabaseError(message, where=database.address, hint=hint))
    if without:
        told = "; ".join(f"{table} ({rights})" for table, rights in without)
        message = f"the database user {user} lacks rights to {len(without)} of {len(TABLES)} tables: {told}"
        hint = f"GRANT {', '.join(RIGHTS)} ON ALL TABLES IN SCHEMA {schema} TO {user}"
        found.append(DatabaseError(message, where=database.address, hint=hint))
    if not temporary:
        message = f"the database user {user} may make no temporary tables, which `curri import` needs"
        hint = f"GRANT TEMPORARY ON DATABASE {name} TO {user}"
        found.append(DatabaseError(message, where=database.address, hint=hint))
    return found


def _names(connection: Connection, negated: str) -> list[str]:
    """Return which of the tables and the view are missing or, with "NOT", there."""
    return [row[0] for row in connection.execute(_PRESENT.format(negated).encode(), [[*TABLES, VIEW]])]


def _one(connection: Connection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query.encode()).fetchone()
    if row is None:
        raise AssertionError("the catalog's own tables are gone within a moment")
    return row
