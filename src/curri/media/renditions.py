"""The cache of encodes: one for each (SHA-1 of the source, version of the recipe), within a budget of bytes.

    <directory>/lock                              held while something is looked for or thrown away
    <directory>/recipe-<version>/<sha1>.mp4       an encode
    <directory>/recipe-<version>/<sha1>.json      what is known of it, or why there is none; last use = its mtime
    <directory>/recipe-<version>/<sha1>.lock      exclusive: being made; shared: being sent
    <directory>/recipe-<version>/<sha1>.*.part    being made
    <directory>/decoded/<sha1>                    a ready-made rendition that was seen to decode

What a killed process leaves is told by its lock, which died with it. Nothing but these names is ever touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from curri.errors import ConfigError, Interrupted
from curri.media.encode import PART, Encoded, disk_full, unwritable
from curri.media.locks import FileLock, locked, try_lock
from curri.media.recipe import RECIPE_VERSION
from curri.media.verify import Fault, Refusal

DEFAULT_BUDGET = 20_000_000_000
"""Bytes: about five hours at 8 Mbit/s."""
SPARE_BYTES = 512 * 1024 * 1024
"""Left free on the disk beside what an encode needs: databases on the same disk stop for good when it is full."""

_SHA1 = re.compile(r"[0-9a-f]{40}")
_OURS = re.compile(r"([0-9a-f]{40})(\.[0-9a-f]{32})?\.(mp4|json|lock|part)")
_POLL = 0.2  # seconds between two looks at a lock that another holds


@dataclass(frozen=True, slots=True)
class Rendition:
    """An encode in the cache."""

    path: Path
    sha1: str
    size: int  # bytes
    mtime_ns: int  # from the same stat as the digest
    duration: float  # seconds
    width: int
    height: int
    encode_seconds: float  # what it took, when it was made


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed."""

    files: int
    freed: int  # bytes


class Cache:
    """The encodes in one directory. Several threads and processes may use it at once.

    `sha1` is always 40 lower-case hex digits: anything else is a ValueError, as it could name a file elsewhere.
    """

    def __init__(self, directory: Path, *, budget: int = DEFAULT_BUDGET, recipe: str = RECIPE_VERSION) -> None:
        self.directory = directory
        self.budget = budget  # bytes; what is in use may pass it
        self.folder = directory / f"recipe-{recipe}"

    def open(self) -> None:
        """Make the folders, readable for their owner only. Raises ConfigError if that is not possible."""
        with self._usable():
            for place in (self.directory.parent, self.directory):  # one at a time: the mode is for the last one only
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.folder, self.directory / "decoded"):
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(0o700)

    def room(self) -> int:
        """Bytes that an encode may take: what is free, and what encodes that nobody uses would free.

        The folders need not be there yet. Raises ConfigError if they could not be used.
        """
        with self._usable():
            place = next(folder for folder in (self.directory, *self.directory.parents) if folder.exists())
            kept = [folder / name for folder in self._folders() for name in os.listdir(folder) if name.endswith(".mp4")]
            return shutil.disk_usage(place).free + sum(map(_size, kept))

    def peek(self, sha1: str) -> Rendition | Refusal | None:
        """What is known of the encode of a source, for showing a plan: without a lock, it may be gone at once."""
        return _read(self.folder, sha1)

    def reserve(self, sha1: str, cancelled: Callable[[], bool]) -> Slot:
        """The place of the encode of a source, locked: shared if there is an answer, else exclusive, to make one.

        Waits while another thread or process makes it. Close the slot in the end. Raises Interrupted once `cancelled`,
        and OSError.
        """
        path = _file(self.folder, sha1, ".lock")
        while True:
            if (lock := try_lock(path, shared=True)) is not None:
                if _read(self.folder, sha1) is not None:
                    return Slot(self, sha1, lock, exclusive=False)
                lock.close()
                if (lock := try_lock(path)) is not None:
                    return Slot(self, sha1, lock, exclusive=True)
            if cancelled():
                raise Interrupted("stopped while waiting for the encode of the same video")
            time.sleep(_POLL)

    def sweep(self) -> Swept:
        """Throw away what no one uses: half-made files, encodes of other recipes, and then, until the budget is kept,
        the longest unused. For the start of a run; what a file in use leaves undone is for the next one. Raises
        ConfigError."""
        removed = Swept(0, 0)
        with self._usable(), self._closed():
            for folder in self._folders():
                for sha1, files in _contents(folder).items():
                    keep_known = folder == self.folder
                    removed = _plus(removed, _remove_unused(folder, sha1, files, keep_known=keep_known))
                if folder != self.folder and not any(folder.iterdir()):
                    folder.rmdir()
            return _plus(removed, self._shrink(self.budget))

    def unused(self, sources: Collection[str]) -> dict[str, int]:
        """The encodes of files that are not among `sources` (their SHA-1), with their bytes. Changes nothing.

        Raises ConfigError.
        """
        found: dict[str, int] = {}
        with self._usable():
            for folder in self._folders():
                for sha1, files in _contents(folder).items():
                    size = sum(_size(folder / file) for file in files)
                    if sha1 not in sources and size:
                        found[sha1] = found.get(sha1, 0) + size
        return found

    def throw_away(self, sha1: str) -> Swept:
        """Remove the encode of one source, unless it is in use. Raises ConfigError."""
        removed = Swept(0, 0)
        with self._usable(), self._closed():
            for folder in self._folders():
                removed = _plus(removed, _remove_unused(folder, sha1, _contents(folder).get(sha1, [])))
        return removed

    def decodes(self, sha1: str) -> bool:
        """Whether the file with this SHA-1 was once seen to decode from end to end."""
        return _file(self.directory / "decoded", sha1).exists()

    def remember_decodes(self, sha1: str) -> None:
        """The file with this SHA-1 decodes: that will be true tomorrow. Where it cannot be noted it is found again."""
        with contextlib.suppress(OSError):
            _file(self.directory / "decoded", sha1).touch(mode=0o600)

    def _folders(self) -> list[Path]:
        """The folders of all recipes; a link among them is not ours. Raises OSError, which glob may swallow."""
        try:
            names = sorted(os.listdir(self.directory))
        except FileNotFoundError:
            return []
        paths = [self.directory / name for name in names if name.startswith("recipe-")]
        return [path for path in paths if path.is_dir() and not path.is_symlink()]

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        """Turn what the system refuses into ConfigError."""
        try:
            yield
        except OSError as error:
            message = f"the state folder cannot be used: {error.strerror}"
            hint = "set CURRI_HOME to a folder of your own"
            raise ConfigError(message, where=str(self.directory), hint=hint) from error

    def _closed(self) -> AbstractContextManager[None]:
        """Nobody else looks for space or throws anything away meanwhile. Raises OSError."""
        return locked(self.directory / "lock")

    def _make_room(self, sha1: str, lock: FileLock, needed: int) -> None:
        with self._closed():
            lock.write(str(needed))
            self._shrink(max(self.budget - needed, 0))
            promised = self._promised(sha1)
            while shutil.disk_usage(self.directory).free - promised < needed + SPARE_BYTES:
                if not self._shrink(0, at_least_one=True).files:
                    raise disk_full(self.directory)

    def _promised(self, but: str) -> int:
        """Bytes that other encodes at work will still need."""
        total = 0
        for sha1, files in _contents(self.folder).items():
            path = _file(self.folder, sha1, ".lock")
            if sha1 == but:
                continue
            if (lock := try_lock(path, shared=True)) is not None:
                lock.close()
                continue
            try:
                wanted = path.read_text()
            except FileNotFoundError:
                continue
            written = sum(_size(self.folder / file) for file in files if file.endswith(PART))
            total += max(int(wanted) - written, 0) if wanted.isdecimal() else 0
        return total

    def _shrink(self, budget: int, *, at_least_one: bool = False) -> Swept:
        """Throw away encodes, the longest unused first, until they take at most `budget` bytes, or (`at_least_one`)
        until one is gone. What is in use stays."""
        encodes = []
        for sha1, files in _contents(self.folder).items():
            if isinstance(found := _read(self.folder, sha1), Rendition):
                encodes.append((_last_use(self.folder, sha1), sha1, found.size, files))
        total = sum(size for _, _, size, _ in encodes)
        removed = Swept(0, 0)
        for _, sha1, size, files in sorted(encodes):
            if total <= budget or (at_least_one and removed.files):
                break
            gone = _remove_unused(self.folder, sha1, files)
            total -= size if gone.files else 0
            removed = _plus(removed, gone)
        return removed


class Slot:
    """The place of one encode, locked. Close it when the encode is sent, or was not made."""

    def __init__(self, cache: Cache, sha1: str, lock: FileLock, *, exclusive: bool) -> None:
        self._cache = cache
        self._lock = lock
        self.sha1 = sha1
        self.path = _file(cache.folder, sha1, ".mp4")
        self.exclusive = exclusive  # False: there was an answer already

    def lookup(self) -> Rendition | Refusal | None:
        """The encode, or why there is none, if that is known; it counts as used now."""
        found = _read(self._cache.folder, self.sha1)
        if found is not None:
            os.utime(_file(self._cache.folder, self.sha1, ".json"))
        return found

    def make_room(self, needed: int) -> None:
        """See to it that `needed` bytes can be written: throws away unused encodes, the longest unused first.

        Counts what other encodes at work will need. Raises EncodeFailed (disk full).
        """
        self._cache._make_room(self.sha1, self._lock, needed)

    def store(self, encoded: Encoded) -> Rendition:
        """Keep an encode that was made at `self.path`. From now on others may use it too. Reads it once (SHA-1)."""
        with encoded.path.open("rb") as file:
            state = os.fstat(file.fileno())
            sha1 = hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
        width, height = encoded.probed.video.shown
        rendition = Rendition(
            path=encoded.path,
            sha1=sha1,
            size=state.st_size,
            mtime_ns=state.st_mtime_ns,
            duration=encoded.probed.duration,
            width=width,
            height=height,
            encode_seconds=encoded.seconds,
        )
        known = asdict(rendition) | {"path": encoded.path.name}
        _write(self._cache.folder, self.sha1, {"encode": known})
        self._share()
        return rendition

    def refuse(self, refusal: Refusal) -> None:
        """Remember that the encode of this source is not to be used, so that it is not made again and again."""
        _write(self._cache.folder, self.sha1, {"refusal": {"fault": refusal.fault, "why": refusal.why}})
        self._share()

    def discard(self) -> None:
        """Forget the encode, as it turned out bad, and close the slot. Stays if another thread is just using it."""
        self.close()
        with self._cache._closed():
            files = _contents(self._cache.folder).get(self.sha1, [])
            _remove_unused(self._cache.folder, self.sha1, files)

    def close(self) -> None:
        """Unlock. Called again it does nothing."""
        self._lock.close()

    def __enter__(self) -> Slot:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _share(self) -> None:
        with self._cache._closed():  # between the two locks nobody may throw it away
            self._lock.share()
        self.exclusive = False


def _file(folder: Path, sha1: str, ending: str = "") -> Path:
    """The path of a file of ours. Raises ValueError for what is no SHA-1: it could name a file elsewhere."""
    if not _SHA1.fullmatch(sha1):
        raise ValueError(f"not a SHA-1: {sha1[:80]!r}")
    return folder / f"{sha1}{ending}"


def _contents(folder: Path) -> dict[str, list[str]]:
    """The names of our files in `folder`, by the SHA-1 of the source that they belong to."""
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):
        if match := _OURS.fullmatch(name):
            found.setdefault(match[1], []).append(name)
    return found


def _read(folder: Path, sha1: str) -> Rendition | Refusal | None:
    """What the sidecar says, if it is whole and the encode is still the file it speaks of."""
    sidecar, encode = _file(folder, sha1, ".json"), _file(folder, sha1, ".mp4")
    try:
        known = json.loads(sidecar.read_text())
        if refusal := known.get("refusal"):
            return Refusal(Fault(refusal["fault"]), str(refusal["why"]))
        rendition = Rendition(**known["encode"] | {"path": encode})
        state = encode.stat()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return rendition if (state.st_size, state.st_mtime_ns) == (rendition.size, rendition.mtime_ns) else None


def _write(folder: Path, sha1: str, known: dict[str, object]) -> None:
    part = _file(folder, sha1, f".{uuid.uuid4().hex}{PART}")
    try:
        part.write_text(json.dumps(known, indent=1) + "\n")
        part.chmod(0o600)
        part.replace(_file(folder, sha1, ".json"))
    except OSError as error:
        part.unlink(missing_ok=True)
        raise unwritable(error, part) from error


def _last_use(folder: Path, sha1: str) -> float:
    try:
        return _file(folder, sha1, ".json").stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _remove_unused(folder: Path, sha1: str, files: list[str], *, keep_known: bool = False) -> Swept:
    """Remove `files`, which belong to one source, unless it is in use. With `keep_known`, an encode or a refusal that
    can be used stays, and only what is half-made goes; that is asked under the lock, as it may just have been made."""
    path = _file(folder, sha1, ".lock")
    lock = try_lock(path)
    if lock is None:
        return Swept(0, 0)
    removed = Swept(0, 0)
    with lock:
        known = keep_known and _read(folder, sha1) is not None
        for file in files:
            if known and not file.endswith(PART):
                continue
            if not file.endswith(".lock") and (folder / file).exists():
                removed = _plus(removed, Swept(1, _size(folder / file)))
            (folder / file).unlink(missing_ok=True)
        if not known:
            path.unlink(missing_ok=True)
    return removed


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _plus(one: Swept, other: Swept) -> Swept:
    return Swept(one.files + other.files, one.freed + other.freed)
