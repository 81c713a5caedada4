"""Prints docs/schema.md: the tables of the catalog as PostgreSQL itself describes them, after the migrations have run.

python scripts/schema_md.py > docs/schema.md      # `make docs`

What a column means stands once: as the comment behind its field in src/curri/catalog/tables.py where that has one, else
here. A column with neither, or with both, is an error.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from curri.catalog import embedded, migrate, tables

VIEW = "course_videos"

ABOUT = {
    "course": "A course: a folder `Course_NN`.",
    "lesson": "A lesson of a course: a folder `Lesson_NN` in it.",
    "component": "A part of a lesson or course: a video with its sidecars, a lab, or the resources of one kind.",
    "asset": "A file. Each belongs to one component.",
    "video": "A video on Stream, as Stream described it last.",
    "component_video": "Which video shows which component: at most one of them is `current`.",
    "upload": "An attempt to bring the video of a component to Stream.",
    "run": "The ledger of runs, of every command that changes the catalog or Stream.",
    "metadata_change": "What `curri fix-metadata` changed on Stream, so that `--revert` can take it back.",
    VIEW: "What a website reads: a row for each component that is there and has a current video on Cloudflare Stream.",
}

EVERYWHERE = {
    "id": "Given once and kept through every move: [design.md](design.md#the-catalog) tells how it is made.",
    "removed_at": "Since when it is gone from the folders; null: it is there.",
    "created_at": "When the row was made.",
    "updated_at": "When the row last changed. Kept by a trigger.",
}
"""What a column means wherever it is, unless its table says otherwise."""

MEANING = {
    "course.slug": "Its name for machines, such as `course_01`. Unique among the courses that are there.",
    "course.number": "The number in the folder's name, of two digits or more.",
    "course.title": "From `course.toml`, else the heading of `README.md`, else made of the number.",
    "course.description": "From `course.toml`.",
    "course.position": "Its place in teaching order, from 0.",
    "course.preview_video_id": "The video that shows the course's preview.",
    "lesson.course_id": "The course it is in.",
    "lesson.number": "The number in the folder's name, of two digits or more. Unique in its course.",
    "lesson.title": "From `lesson.toml`, else the heading of `README.md`, else made of the number.",
    "lesson.description": "From `lesson.toml`.",
    "lesson.position": "Its place in the course, from 0.",
    "component.course_id": "The course it is in.",
    "component.type": "Video, lab or resource.",
    "component.kind": "What it is for, such as `learning`, told from the folder: [tree.md](tree.md#components).",
    "component.name": "Its name for people: of a video, that of the file without its ending.",
    "component.group_key": "Its place in the lesson: of a video its path, of a lab its folder, else the kind.",
    "component.position": "Its place in the lesson, or in the course, from 0.",
    "asset.component_id": "The component it belongs to.",
    "asset.role": "What it is to its component: of a video the source, or a sidecar; else a file.",
    "asset.size_bytes": "Its size.",
    "asset.checksum_sha1": "SHA-1 of its bytes, 40 hexadecimal digits.",
    "asset.mime_type": "Its type, told from its name.",
    "asset.mtime_ns": "When its bytes were last changed, in nanoseconds since 1970.",
    "asset.ctime_ns": "When anything about it was last changed, in nanoseconds since 1970.",
    "asset.fingerprint_version": "By which rules size, times and inode were compared; other rules mean: read it again.",
    "asset.hashed_at": "When its bytes were last read.",
    "video.id": "Made of its id on Stream, so that a catalog built anew gives it the same.",
    "video.provider": "Who plays it. Today always Cloudflare.",
    "video.provider_id": "Its id there.",
    "video.title": "Set with `curri videos edit`; null: a page shows that of the lesson.",
    "video.description": "Set with `curri videos edit`; null: a page shows that of the lesson.",
    "video.status": "`ready` can be played; `queued` and `inprogress` not yet; `error` will not.",
    "video.duration_seconds": "How long it is on Stream.",
    "video.width": "Pixels, as it came in.",
    "video.height": "Pixels, as it came in.",
    "video.size_bytes": "Bytes that Stream received.",
    "video.thumbnail_url": "A still picture.",
    "video.playback_hls_url": "For players that speak HLS.",
    "video.playback_dash_url": "For players that speak DASH.",
    "video.preview_url": "A page on which it plays.",
    "video.error_code": "Why it is in error: Stream's code, or curri's own such as `MISSING`.",
    "video.error_message": "The same in words.",
    "video.metadata": "What Stream keeps with it: name, course, lesson and so on.",
    "video.ready_at": "When it could first be played.",
    "video.fully_encoded_at": "When Stream was seen to be done with all its qualities.",
    "component_video.id": "Made of the ids of both that it links.",
    "component_video.component_id": "The component that is shown.",
    "component_video.provider": "With `provider_id`: the video that shows it.",
    "component_video.provider_id": "With `provider`: the video that shows it.",
    "component_video.source_sha1": "SHA-1 of the file that the video was made of; null: not known.",
    "component_video.compressed": "Whether something smaller than the file itself was sent.",
    "component_video.state": "`current` plays; `pending` waits until it can be played; `retired` was replaced.",
    "component_video.linked_at": "When the video was linked.",
    "component_video.retired_at": "When another one took its place.",
    "upload.id": "Also sent to Stream, as `uploadId` in the metadata.",
    "upload.component_id": "The component whose video is sent.",
    "upload.source_sha1": "SHA-1 of the file in the curriculum.",
    "upload.artifact_sha1": "SHA-1 of what is sent: the file itself, or an encode of it.",
    "upload.artifact_bytes": "Size of what is sent.",
    "upload.decision": "What is sent.",
    "upload.decision_reason": "Why, in words.",
    "upload.recipe": "How it was encoded.",
    "upload.encode_seconds": "How long encoding took.",
    "upload.state": "How far it is; [reliability.md](reliability.md#why-it-holds-the-order-of-writes) has the order.",
    "upload.provider_id": "The id that Stream gave for it.",
    "upload.acknowledged_bytes": "How many bytes Stream has, as it said last. For showing only.",
    "upload.attempts": "How often Stream was asked to create it.",
    "upload.error_code": "What went wrong last.",
    "upload.error_message": "The same in words.",
    "run.id": "Counts up. `curri runs` shows it.",
    "run.command": "Which command, such as `import`.",
    "run.arguments": "What it was asked for. Never a secret.",
    "run.version": "Of curri.",
    "run.host": "The machine it ran on.",
    "run.started_at": "When it began.",
    "run.finished_at": "When it ended; null: it is at work, or was killed.",
    "run.exit_code": "How it ended: [exit-codes.md](exit-codes.md).",
    "run.counts": "What it counted, as in the summary of `--json`.",
    "metadata_change.id": "Made by the database.",
    "metadata_change.run_id": "The run that changed it.",
    "metadata_change.video_id": "The video whose metadata were changed.",
    "metadata_change.before": "The keys that were changed, as they were.",
    "metadata_change.after": "The same keys as they became.",
    "metadata_change.reverted_by": "The run that took it back.",
    f"{VIEW}.id": "The video: `video.id`.",
    f"{VIEW}.course_id": "The course it belongs to.",
    f"{VIEW}.lesson_id": "The lesson; null: it lies in the course folder, as a preview does.",
    f"{VIEW}.component_id": "The component that it shows.",
    f"{VIEW}.cloudflare_video_id": "Its id on Stream.",
    f"{VIEW}.title": "That of the video, else of the lesson, else of the course.",
    f"{VIEW}.description": "That of the video, else of the lesson, else of the course.",
    f"{VIEW}.duration": "Seconds.",
    f"{VIEW}.status": "Offer only what is `ready`: what is still being processed is here as well.",
    f"{VIEW}.error_message": "Why it is in error.",
    f"{VIEW}.created_at": "When the video's row was made.",
    f"{VIEW}.updated_at": "When the video last changed, on Stream or here.",
}

WORDS = {
    "asset_role": "What a file is to its component.",
    "component_type": "What a component is.",
    "link_state": "Whether a video plays for its component: not yet, now, or no more.",
    "provider": "Who plays a video.",
    "upload_decision": "What is sent: the file, as encoding would not pay; an encode; the smaller copy that lies beside"
    " the file; or the file, as its encode turned out not to be usable.",
    "upload_state": "How far an attempt is. The first four are open: they are continued.",
    "video_status": "What a page must know of a video.",
}

HEAD = """# The tables of the catalog

<!-- Written by `make docs` from a database that the migrations have made: change those, or scripts/schema_md.py. -->

For whoever reads the catalog: a website, a report. curri alone writes it. A website needs the view
[`course_videos`](#course_videos) and the tables [`course`](#course), [`lesson`](#lesson) and [`component`](#component);
the rest is curri's own. Give it a database user that may only read ([SECURITY.md](../SECURITY.md)).

Rows are marked as removed, not deleted: `WHERE removed_at IS NULL` is what is there. Columns and tables may be added by
any version; what is here keeps its meaning, unless the [changelog](../CHANGELOG.md) says otherwise.
"""

QUERIES = """## Three queries

The current video of every component, in teaching order:

```sql
SELECT k.slug, l.number AS lesson, c.kind, v.cloudflare_video_id, v.title, v.duration, v.status
  FROM course_videos v
  JOIN component c ON c.id = v.component_id
  JOIN course k ON k.id = v.course_id
  LEFT JOIN lesson l ON l.id = v.lesson_id
 ORDER BY k.position, l.position NULLS FIRST, c.position;
```

What cannot be played yet, and why: videos without a link, and links to a video that is not ready:

```sql
SELECT k.slug, l.number AS lesson, c.group_key, coalesce(v.status::text, 'not on Stream') AS status, v.error_message
  FROM component c
  JOIN course k ON k.id = c.course_id
  LEFT JOIN lesson l ON l.id = c.lesson_id
  LEFT JOIN course_videos v ON v.component_id = c.id
 WHERE c.type = 'VIDEO' AND c.removed_at IS NULL AND v.status IS DISTINCT FROM 'ready'
 ORDER BY k.position, l.position NULLS FIRST, c.position;
```

A course with its lessons, and what each of them holds:

```sql
SELECT l.number, l.title,
       count(v.id) FILTER (WHERE v.status = 'ready') AS videos,
       coalesce(sum(v.duration) FILTER (WHERE v.status = 'ready'), 0) AS seconds,
       count(*) FILTER (WHERE c.type = 'LAB') AS labs,
       array_agg(DISTINCT c.kind ORDER BY c.kind) AS kinds
  FROM course k
  JOIN lesson l ON l.course_id = k.id AND l.removed_at IS NULL
  JOIN component c ON c.lesson_id = l.id AND c.removed_at IS NULL
  LEFT JOIN course_videos v ON v.component_id = c.id
 WHERE k.slug = 'course_01' AND k.removed_at IS NULL
 GROUP BY l.id
 ORDER BY l.position;
```
"""


class Column(NamedTuple):
    """A column of a table or view."""

    name: str
    type: str
    required: bool
    default: str | None


class Key(NamedTuple):
    """A foreign key."""

    table: str
    columns: tuple[str, ...]
    target: str
    required: bool
    """Whether each row has one."""
    single: bool
    """Whether at most one row has the same."""


class Schema(NamedTuple):
    """What the database says. All of it in an order that depends on nothing but names."""

    columns: dict[str, list[Column]]
    constraints: dict[str, list[tuple[str, str]]]
    indexes: dict[str, list[tuple[str, str]]]
    triggers: dict[str, list[tuple[str, str]]]
    keys: list[Key]
    marked: dict[tuple[str, str], str]
    """By table and column: PK, FK or UK."""
    enums: dict[str, list[str]]
    view: str


def main() -> None:
    """Print the page."""
    with made() as url:
        print(page(url), end="")


@contextmanager
def made() -> Iterator[str]:
    """Yield the address of an empty database that the migrations have brought to head; nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix="curri-schema-") as folder:
        home = Path(folder)
        try:
            with embedded.server(home) as url:
                migrate.move(url, "head")
                yield url
        finally:
            if os.geteuid() == 0:
                shutil.rmtree(embedded.place(home), ignore_errors=True)


def page(url: str) -> str:
    """Return the page for the database at an address."""
    schema = read(url)
    meaning = _meanings(schema)
    order = list(tables.TABLES)
    parts = [HEAD, _contents(order), f"## As a drawing\n\n```mermaid\n{_drawing(schema, order)}\n```\n", QUERIES]
    parts += [_table(schema, meaning, name) for name in order]
    parts += [_view(schema, meaning), _enums(schema)]
    return "\n".join(parts)


# --- asking the database


def read(url: str) -> Schema:
    """Ask PostgreSQL's own catalog."""
    with psycopg.connect(url, autocommit=True) as connection:

        def ask(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query.encode()).fetchall()

        return Schema(
            columns=_grouped(ask(_COLUMNS), lambda row: Column(*row)),
            constraints=_grouped(ask(_CONSTRAINTS), lambda row: (row[0], row[1])),
            indexes=_grouped(ask(_INDEXES), lambda row: (row[0], _bare(_INDEX, row[1]))),
            triggers=_grouped(ask(_TRIGGERS), lambda row: (row[0], _bare(_TRIGGER, row[1]))),
            keys=[Key(table, tuple(columns), *rest) for table, columns, *rest in ask(_KEYS)],
            marked={(table, column): mark for table, column, mark in ask(_MARKED)},
            enums=dict(ask(_ENUMS)),
            view=ask(f"SELECT pg_get_viewdef('{VIEW}'::regclass, true)")[0][0],
        )


def _grouped(rows: Sequence[tuple[Any, ...]], make: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, *rest in rows:
        found.setdefault(name, []).append(make(rest))
    return found


def _bare(pattern: str, definition: str) -> str:
    """Return a definition without what the row of a page says already: its name, and that of its table."""
    return re.sub(pattern, lambda found: found[1] or "", definition)


_INDEX = r"^CREATE (UNIQUE )?INDEX \S+ ON \S+ USING (?:btree )?"
_TRIGGER = r"(?:^CREATE TRIGGER \S+ )?((?:BEFORE|AFTER) [A-Z ]+) ON \S+"

_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           CASE a.attidentity WHEN '' THEN pg_get_expr(d.adbin, d.adrelid) ELSE 'GENERATED AS IDENTITY' END
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind IN ('r', 'v')
       AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY c.relname, a.attnum"""
# NOT NULL is told with the column; from PostgreSQL 18 on it is a constraint as well.
_CONSTRAINTS = """
    SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND k.contype <> 'n'
     ORDER BY c.relname, array_position(ARRAY['p', 'f', 'u', 'c'], k.contype::text), k.conname"""
_INDEXES = """
    SELECT c.relname, i.relname, pg_get_indexdef(i.oid)
      FROM pg_index x
      JOIN pg_class i ON i.oid = x.indexrelid
      JOIN pg_class c ON c.oid = x.indrelid
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace
       AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u'))
     ORDER BY c.relname, NOT x.indisunique, i.relname"""
_TRIGGERS = """
    SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid)
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND NOT t.tgisinternal
     ORDER BY c.relname, t.tgname"""
_KEYS = """
    SELECT c.relname, columns.names, p.relname, columns.required,
           EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisunique AND x.indpred IS NULL
                      AND x.indkey::int2[] <@ k.conkey)
      FROM pg_constraint k
      JOIN pg_class c ON c.oid = k.conrelid
      JOIN pg_class p ON p.oid = k.confrelid
     CROSS JOIN LATERAL (
        SELECT array_agg(a.attname::text ORDER BY each.number) AS names, bool_and(a.attnotnull) AS required
          FROM unnest(k.conkey) WITH ORDINALITY AS each (attnum, number)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = each.attnum) AS columns
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND k.contype = 'f'
     ORDER BY p.relname, c.relname, k.conname"""
_MARKED = """
    SELECT DISTINCT ON (c.relname, a.attname) c.relname, a.attname, marks.mark
      FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
     CROSS JOIN LATERAL (
        SELECT 1 AS rank, 'PK' AS mark FROM pg_index x
         WHERE x.indrelid = c.oid AND x.indisprimary AND a.attnum = ANY (x.indkey)
         UNION ALL
        SELECT 2, 'FK' FROM pg_constraint k
         WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)
         UNION ALL
        SELECT 3, 'UK' FROM pg_index x
         WHERE x.indrelid = c.oid AND x.indisunique AND a.attnum = ANY (x.indkey)) AS marks
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind = 'r'
     ORDER BY c.relname, a.attname, marks.rank"""
_ENUMS = """
    SELECT t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
      FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
     WHERE t.typnamespace = quote_ident(current_schema())::regnamespace GROUP BY t.typname ORDER BY t.typname"""


# --- what it means


def _meanings(schema: Schema) -> dict[tuple[str, str], str]:
    """Return what every column means. Raises SystemExit for one that nobody tells of, or that two do."""
    commented = comments(Path(tables.__file__).read_text())
    found, wrong = {}, []
    names = {(table, column.name) for table in _described(schema) for column in schema.columns[table]}
    for table, column in sorted(names):
        own, other = MEANING.get(f"{table}.{column}"), commented.get((table, column))
        through = _seen_through(schema, commented, column) if table == VIEW else None
        if own and other:
            wrong.append(f"{table}.{column} is told of in tables.py and here")
        told = own or other or through or EVERYWHERE.get(column)
        if told is None:
            wrong.append(f"nothing tells what {table}.{column} means")
        found[table, column] = told or ""
    wrong += [f"there is no column {each}" for each in MEANING if tuple(each.split(".")) not in names]
    wrong += [f"there is no column {'.'.join(each)}" for each in commented if each not in names]
    wrong += [f"nothing tells what {each} is" for each in {*_described(schema), *schema.enums} - {*ABOUT, *WORDS}]
    wrong += [f"there is no {each}" for each in {*ABOUT, *WORDS} - {*_described(schema), *schema.enums}]
    if {*tables.TABLES, VIEW} != set(_described(schema)):
        wrong.append("TABLES in tables.py does not name the tables that there are")
    if wrong:
        sys.exit("schema_md.py: " + "; ".join(wrong))
    return found


def _described(schema: Schema) -> list[str]:
    return [name for name in schema.columns if name != "alembic_version"]


def _seen_through(schema: Schema, commented: Mapping[tuple[str, str], str], column: str) -> str | None:
    """Return what a column of the view means that is simply that of the video."""
    if column in {each.name for each in schema.columns["video"]}:
        return MEANING.get(f"video.{column}") or commented.get(("video", column))
    return None


def comments(source: str) -> dict[tuple[str, str], str]:
    """Return the comments behind the fields of the classes in tables.py, by table and column, as sentences."""
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        table = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name).lower()
        for field in node.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id[:2] != "__":
                comment = lines[field.lineno - 1].partition("  # ")[2]
                if field.lineno == field.end_lineno and comment:
                    found[table, field.target.id] = f"{comment[0].upper()}{comment[1:]}."
    return found


# --- writing it down


def _contents(order: Sequence[str]) -> str:
    return _rows(("table or view", "holds"), [(f"[`{name}`](#{name})", ABOUT[name]) for name in [*order, VIEW]])


def _drawing(schema: Schema, order: Sequence[str]) -> str:
    lines = ["erDiagram"]
    for key in sorted(schema.keys, key=lambda each: (order.index(each.target), order.index(each.table), each.columns)):
        ends = f"{'||' if key.required else '|o'}--{'o|' if key.single else 'o{'}"
        lines.append(f'    {key.target} {ends} {key.table} : "{", ".join(key.columns)}"')
    for table in order:
        lines.append(f"    {table} {{")
        for column in schema.columns[table]:
            mark = schema.marked.get((table, column.name))
            if mark:
                lines.append(f"        {_short(column.type)} {column.name} {mark}")
        lines.append("    }")
    return "\n".join(lines)


def _short(kind: str) -> str:
    return kind.replace("timestamp with time zone", "timestamptz").replace(" ", "_")


def _table(schema: Schema, meaning: Mapping[tuple[str, str], str], name: str) -> str:
    parts = [
        f"## {name}\n\n{ABOUT[name]}\n",
        _rows(
            ("column", "type", "null", "default", "meaning"),
            [
                (f"`{each.name}`", _type(schema, each), "" if each.required else "yes", _code(each.default), told)
                for each in schema.columns[name]
                for told in [meaning[name, each.name]]
            ],
        ),
    ]
    beside = {"constraint": schema.constraints, "index": schema.indexes, "trigger": schema.triggers}
    for heading, found in beside.items():
        if name in found:
            parts.append(_rows((heading, "definition"), [(f"`{each}`", _code(text)) for each, text in found[name]]))
    return "\n".join(parts)


def _view(schema: Schema, meaning: Mapping[tuple[str, str], str]) -> str:
    rows = [(f"`{each.name}`", _type(schema, each), meaning[VIEW, each.name]) for each in schema.columns[VIEW]]
    table = _rows(("column", "type", "meaning"), rows)
    return f"## {VIEW}\n\n{ABOUT[VIEW]}\n\n{table}\n```sql\nCREATE VIEW {VIEW} AS\n{schema.view}\n```\n"


def _enums(schema: Schema) -> str:
    rows = [
        (f"`{name}`", ", ".join(f"`{value}`" for value in values), WORDS[name]) for name, values in schema.enums.items()
    ]
    table = _rows(("enum", "values", "meaning"), rows)
    return f"## Enums\n\nThe order of the values is that of `ORDER BY`.\n\n{table}"


def _rows(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:], ""])


def _type(schema: Schema, column: Column) -> str:
    return f"[`{column.type}`](#enums)" if column.type in schema.enums else f"`{column.type}`"


def _code(text: str | None) -> str:
    return "" if text is None else f"`{text.replace('|', chr(92) + '|')}`"


if __name__ == "__main__":
    main()
