"""What a database consists of, asked of PostgreSQL's own catalog, in a form that can be compared."""

from __future__ import annotations

from typing import Any

import psycopg

_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text, a.attcollation::regcollation::text
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
       AND c.relname <> 'alembic_version'
     ORDER BY c.relname, a.attnum"""
_ENUMS = """
    SELECT t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
      FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
     WHERE t.typnamespace = quote_ident(current_schema())::regnamespace GROUP BY t.typname ORDER BY t.typname"""
_CONSTRAINTS = """
    SELECT c.relname, k.conname, pg_get_constraintdef(k.oid), k.convalidated
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname <> 'alembic_version'
     ORDER BY c.relname, k.conname"""
_INDEXES = """
    SELECT i.relname, pg_get_indexdef(i.oid), x.indisunique, x.indisvalid
      FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname <> 'alembic_version'
     ORDER BY i.relname"""
_SEQUENCES = """
    SELECT sequencename, data_type::text, start_value, increment_by, cycle
      FROM pg_sequences WHERE schemaname = current_schema() ORDER BY sequencename"""
_TRIGGERS = """
    SELECT c.relname, t.tgname
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND NOT t.tgisinternal ORDER BY 1, 2"""
_VIEWS = "SELECT viewname FROM pg_views WHERE schemaname = current_schema() ORDER BY 1"
_FUNCTIONS = "SELECT proname FROM pg_proc WHERE pronamespace = quote_ident(current_schema())::regnamespace ORDER BY 1"
_NAMES = """
    SELECT 'relation', relname::text FROM pg_class WHERE relnamespace = quote_ident(current_schema())::regnamespace
     UNION ALL SELECT 'type', typname::text FROM pg_type WHERE typnamespace = quote_ident(current_schema())::regnamespace
     UNION ALL SELECT 'function', proname::text FROM pg_proc WHERE pronamespace = quote_ident(current_schema())::regnamespace
     ORDER BY 1, 2"""

Facts = list[tuple[Any, ...]]


def _ask(url: str, **questions: str) -> dict[str, Facts]:
    with psycopg.connect(url, autocommit=True) as connection:
        return {name: connection.execute(question.encode()).fetchall() for name, question in questions.items()}


def tables_of(url: str) -> dict[str, Facts]:
    """Return everything about the tables that both the migrations and the SQLModel classes can say."""
    return _ask(url, columns=_COLUMNS, enums=_ENUMS, constraints=_CONSTRAINTS, indexes=_INDEXES, sequences=_SEQUENCES)


def beyond_tables(url: str) -> dict[str, Facts]:
    """Return what only the migrations can make."""
    return _ask(url, triggers=_TRIGGERS, views=_VIEWS, functions=_FUNCTIONS)


def names_in(url: str) -> Facts:
    """Return the kind and name of everything that is in the schema."""
    return _ask(url, names=_NAMES)["names"]
