"""The floor: what the machine can do at best for the work of an import, in plain Python with the same libraries.

python floor.py first ROOT URL       walk and stat, read and SHA-1, COPY the same rows into a table like asset
python floor.py again ROOT URL       walk and stat, read the rows
python floor.py digest ROOT          SHA-1 of all files by hashlib, one thread for each core
"""

from __future__ import annotations

import hashlib
import os
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime


def walk(root: str) -> Iterator[tuple[str, os.stat_result]]:
    waiting = [root]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    yield entry.path, entry.stat(follow_symlinks=False)


def first(root: str, url: str) -> int:
    import psycopg

    component = str(uuid.uuid4())
    now = datetime.now(UTC)
    rows = []
    for path, status in walk(root):
        with open(path, "rb") as file:
            digest = hashlib.sha1(file.read(), usedforsecurity=False).hexdigest()
        rows.append(
            (
                str(uuid.uuid4()),
                component,
                path[len(root) :],
                "file",
                status.st_size,
                digest,
                "text/plain",
                status.st_mtime_ns,
                status.st_ctime_ns,
                status.st_ino,
                1,
                now,
            )
        )
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE floor (LIKE asset INCLUDING ALL)")
        columns = (
            "id, component_id, relative_path, role, size_bytes, checksum_sha1, mime_type, mtime_ns, ctime_ns, inode,"
            " fingerprint_version, hashed_at"
        )
        with connection.cursor() as cursor, cursor.copy(f"COPY floor ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    return len(rows)


def again(root: str, url: str) -> int:
    import psycopg

    files = list(walk(root))
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT id::text, component_id::text, relative_path, role::text, mime_type, size_bytes, mtime_ns, ctime_ns,"
            " inode, checksum_sha1, fingerprint_version, hashed_at, removed_at IS NOT NULL FROM asset"
        ).fetchall()
    return len(files) + len(rows)


def digest(root: str) -> int:
    def one(path: str) -> None:
        with open(path, "rb", buffering=0) as file:
            hashlib.file_digest(file, "sha1")

    paths = [path for path, _ in walk(root)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, paths))
    return len(paths)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["first", root, url]:
            print(first(root, url))
        case ["again", root, url]:
            print(again(root, url))
        case ["digest", root]:
            print(digest(root))
        case _:
            sys.exit(__doc__)
