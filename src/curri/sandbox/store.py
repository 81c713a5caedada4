"""Where the sandbox keeps its videos: rows in SQLite, bytes in files, in a folder that a later start finds again.

Only the sandbox uses SQLite, for what Cloudflare would keep; the catalog of curri never does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from random import Random
from typing import Any, TextIO

from curri.errors import BusyError, ConfigError
from curri.sandbox.video import Video

UID = re.compile(r"[0-9a-f]{32}")
"""The id of a video. It names a file."""

_VERSION = "1"
_COLUMNS = [part.name for part in fields(Video)]
_JSON = frozenset({"meta", "allowed_origins", "public_details"})
_BOOL = frozenset({"require_signed", "download"})
_SCHEMA = f"""
    CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS video ({", ".join(_COLUMNS)}, PRIMARY KEY (uid));
    CREATE INDEX IF NOT EXISTS video_created ON video (created);
    CREATE INDEX IF NOT EXISTS video_next_change ON video (next_change) WHERE next_change IS NOT NULL;
    CREATE INDEX IF NOT EXISTS video_name ON video (name);
    CREATE INDEX IF NOT EXISTS video_phase ON video (phase);
    CREATE TABLE IF NOT EXISTS caption (uid TEXT, language TEXT, label TEXT NOT NULL, text BLOB NOT NULL,
        PRIMARY KEY (uid, language));
"""


@dataclass(frozen=True, slots=True)
class Query:
    """A condition in SQL with its values; `and_` joins two."""

    sql: str = "1"
    values: tuple[object, ...] = ()

    def and_(self, sql: str, *values: object) -> Query:
        """Both conditions."""
        return Query(f"{self.sql} AND {sql}", (*self.values, *values))

    def in_(self, column: str, values: Sequence[object]) -> Query:
        """And the column has one of these values."""
        return self.and_(f"{column} IN ({', '.join('?' * len(values))})", *values)


VISIBLE = Query("phase != 'expired'")
"""Every video the API shows."""


class Store:
    """The folder. Used from one thread at a time; raises `ConfigError` or `BusyError` when it cannot be opened."""

    def __init__(self, folder: Path | None, *, seed: int | None = None) -> None:
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="curri-sandbox-")) if folder is None else folder
        self._random = None if seed is None else Random(seed)  # noqa: S311 - repeatable on purpose
        try:
            (self.folder / "media").mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self.folder / "lock")
        except OSError as error:
            raise ConfigError("the sandbox's folder cannot be used", where=str(self.folder)) from error
        try:
            self._base = _open(self.folder / "stream.sqlite3")
        except sqlite3.DatabaseError as error:
            self._lock.close()
            raise ConfigError("the sandbox's folder holds something else", where=str(self.folder)) from error
        self._check_version()
        self._last_created: int = self._one("SELECT coalesce(max(created), 0) FROM video")

    def _check_version(self) -> None:
        version = self.setting("version")
        if version is None:
            self.set("version", _VERSION)
        elif version != _VERSION:
            self.close()
            raise ConfigError(
                "the sandbox's folder was written by another version of curri",
                where=str(self.folder),
                hint="give it a new folder; what it holds is a rehearsal only",
            )

    def close(self) -> None:
        """Ends the use of the folder, and removes it if it was a temporary one."""
        self._base.close()
        self._lock.close()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    # videos

    def new_uid(self) -> str:
        """32 hexadecimal digits that no video has."""
        while True:
            uid = secrets.token_hex(16) if self._random is None else f"{self._random.getrandbits(128):032x}"
            if self.get(uid) is None:
                return uid

    def created_now(self, now: int) -> int:
        """A moment for `created` that is later than that of every video, even if the clock stands still."""
        self._last_created = max(now, self._last_created + 1)
        return self._last_created

    def insert(self, video: Video) -> Video:
        """Keeps a new video."""
        marks = ", ".join("?" * len(_COLUMNS))
        values = [_packed(key, value) for key, value in asdict(video).items()]
        self._base.execute(f"INSERT INTO video ({', '.join(_COLUMNS)}) VALUES ({marks})", values)  # noqa: S608
        return video

    def get(self, uid: str) -> Video | None:
        """The video, expired ones too; None if there is none."""
        found = self.select(Query("uid = ?", (uid,)))
        return found[0] if found else None

    def update(self, uid: str, **changes: object) -> None:
        """Changes columns of a video; does nothing when it is gone."""
        self.update_all(Query("uid = ?", (uid,)), **changes)

    def update_all(self, where: Query, **changes: object) -> None:
        """Changes columns of every video that fits."""
        columns = ", ".join(f"{key} = ?" for key in changes)
        values = [_packed(key, value) for key, value in changes.items()]
        self._base.execute(f"UPDATE video SET {columns} WHERE {where.sql}", (*values, *where.values))  # noqa: S608

    def delete(self, uid: str) -> None:
        """Forgets a video, its captions and its bytes."""
        self._base.execute("DELETE FROM video WHERE uid = ?", (uid,))
        self._base.execute("DELETE FROM caption WHERE uid = ?", (uid,))
        self.drop_bytes(uid)

    def drop_bytes(self, uid: str) -> None:
        """Removes the file of a video, if there is one."""
        self.file(uid).unlink(missing_ok=True)

    def select(self, where: Query, *, ascending: bool = True, limit: int = -1) -> list[Video]:
        """The videos that fit, by `created`."""
        order = "ASC" if ascending else "DESC"
        rows = self._base.execute(
            f"SELECT * FROM video WHERE {where.sql} ORDER BY created {order}, uid {order} LIMIT ?",  # noqa: S608
            (*where.values, limit),
        )
        return [_unpacked(row) for row in rows]

    def count(self, where: Query) -> int:
        """How many videos fit."""
        return int(self._one(f"SELECT count(*) FROM video WHERE {where.sql}", *where.values))  # noqa: S608

    def due(self, now: int) -> list[Video]:
        """The videos whose phase ends now or ended before."""
        return self.select(Query("next_change <= ?", (now,)))

    def stored_minutes(self, where: Query = VISIBLE) -> float:
        """Minutes of known duration, each video rounded up to a second; failed videos count nothing."""
        sql = f"SELECT coalesce(sum(cast(duration + 0.999999 AS INTEGER)), 0) FROM video WHERE {where.sql}"  # noqa: S608
        return float(self._one(sql + " AND duration > 0 AND phase != 'error'", *where.values)) / 60

    def reserved_minutes(self, where: Query = VISIBLE) -> float:
        """Minutes held by videos whose duration is not known yet."""
        sql = f"SELECT coalesce(sum(reserved), 0) FROM video WHERE {where.sql}"  # noqa: S608
        held = " AND duration < 0 AND phase IN ('pending', 'queued', 'encoding')"
        return float(self._one(sql + held, *where.values)) / 60

    def file(self, uid: str) -> Path:
        """Where the bytes of a video lie. Raises ValueError for what is no uid: it could name a file elsewhere."""
        if not UID.fullmatch(uid):
            raise ValueError(f"not the uid of a video: {uid[:80]!r}")
        return self.folder / "media" / uid

    # captions

    def put_caption(self, uid: str, language: str, label: str, text: bytes) -> None:
        """Keeps a caption, in place of the former one in that language."""
        self._base.execute("REPLACE INTO caption VALUES (?, ?, ?, ?)", (uid, language, label, text))

    def captions(self, uid: str) -> list[tuple[str, str]]:
        """Language and label of every caption of a video."""
        rows = self._base.execute("SELECT language, label FROM caption WHERE uid = ? ORDER BY language", (uid,))
        return [(row["language"], row["label"]) for row in rows]

    def caption_text(self, uid: str, language: str) -> bytes | None:
        """The WebVTT of a caption; None if there is none."""
        row = self._base.execute("SELECT text FROM caption WHERE uid = ? AND language = ?", (uid, language)).fetchone()
        return None if row is None else bytes(row["text"])

    def delete_caption(self, uid: str, language: str) -> None:
        """Forgets a caption."""
        self._base.execute("DELETE FROM caption WHERE uid = ? AND language = ?", (uid, language))

    # settings

    def setting(self, key: str) -> str | None:
        """A value kept under a name; None if there is none."""
        row = self._base.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row["value"])

    def set(self, key: str, value: str | None) -> None:
        """Keeps a value under a name; None forgets it."""
        if value is None:
            self._base.execute("DELETE FROM setting WHERE key = ?", (key,))
        else:
            self._base.execute("REPLACE INTO setting VALUES (?, ?)", (key, value))

    def _one(self, sql: str, *values: object) -> Any:
        return self._base.execute(sql, values).fetchone()[0]


def _open(path: Path) -> sqlite3.Connection:
    # The loop runs in a thread of its own, but only that thread uses the connection between opening and closing.
    base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        base.row_factory = sqlite3.Row
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")
        base.create_function("word_part", 2, _word_part, deterministic=True)
        base.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        base.close()
        raise
    return base


def _lock(path: Path) -> TextIO:
    handle = path.open("a", encoding="ascii")
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return handle
    handle.close()
    raise BusyError("another sandbox uses this folder", where=str(path.parent), hint="stop it, or give another --data")


def _word_part(search: str, name: str | None) -> bool:
    """Whether every word searched for is part of the name, whatever the case."""
    text = (name or "").casefold()
    return all(word in text for word in search.casefold().split())


def _packed(key: str, value: object) -> Any:
    return json.dumps(value) if key in _JSON else value


def _unpacked(row: sqlite3.Row) -> Video:
    values: dict[str, Any] = dict(row)
    for key in _JSON:
        values[key] = json.loads(values[key])
    for key in _BOOL:
        values[key] = bool(values[key])
    return Video(**values)
