"""Reading: the right SHA-1, in flat memory, and never of a file that did not stand still."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from curri.model import Digest
from curri.plan.comparison import RACY_NS, Unread
from curri.tree.digest import BLOCK, LARGE, NotReadable, Reader
from support.ordinary import ordinary_user
from support.trees import OLD_NS, make_tree
from support.walks import unread

Make = Callable[..., Path]

FOLDER = "Course_01/Lesson_01/a"
SIZES = [0, 1, 1000, LARGE - 1, LARGE, LARGE + 1, 3 * BLOCK, 5 * BLOCK + 17]


def content(size: int) -> bytes:
    """Return bytes that do not repeat, so that a lost, doubled or exchanged piece shows."""
    return random.Random(size).randbytes(size)


def make(curriculum: Make, files: dict[str, bytes], mtime_ns: int = OLD_NS) -> Path:
    return curriculum({"Course_01": {"Lesson_01": {"a": files}}}, mtime_ns=mtime_ns)


def results(reader: Reader, files: tuple[Unread, ...]) -> dict[str, str]:
    """Return for each file its SHA-1, or the rule by which it is blocked. Each file must be given back once."""
    seen = [(file.asset.path.removeprefix("a/"), result) for file, result in reader.read(files)]
    assert sorted(name for name, _ in seen) == sorted(file.asset.path.removeprefix("a/") for file in files)
    return {name: result.rule if isinstance(result, NotReadable) else result.sha1 for name, result in seen}


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def step_on(folder: Path, after_ns: int) -> None:
    """Return once a change would get a later time stamp: clocks of file systems tick every few milliseconds."""
    probe = folder / "clock"
    probe.touch()
    while probe.stat().st_ctime_ns <= after_ns:
        probe.touch()
    probe.unlink()


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_digest_is_that_of_hashlib(threads: int, curriculum: Make) -> None:
    files = {f"{number}-{size}": content(size) for number, size in enumerate(SIZES * 2)}
    root = make(curriculum, files)
    read: list[int] = []
    reader = Reader(str(root), progress=read.append, threads=threads)
    assert results(reader, unread(root)) == {name: sha1(data) for name, data in files.items()}
    assert sum(read) == sum(map(len, files.values()))


def drive(read: Callable[[int, int], bytes], readv: Callable[[int, list[memoryview]], int]) -> SimpleNamespace:
    """Return the module `os` with other ways to read."""
    return SimpleNamespace(**{**vars(os), "read": read, "readv": readv})


@pytest.mark.parametrize("size", [1000, 3 * BLOCK])
def test_a_drive_that_gives_the_bytes_in_small_pieces_gives_the_same_digest(
    size: int, curriculum: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make(curriculum, {"f": content(size)})
    files = unread(root)

    def read(handle: int, count: int) -> bytes:
        return os.read(handle, min(count, 7))

    def readv(handle: int, blocks: list[memoryview]) -> int:
        return os.readv(handle, [blocks[0][:100_003]])

    monkeypatch.setattr("curri.tree.digest.os", drive(read, readv))
    assert results(Reader(str(root)), files) == {"f": sha1(content(size))}


@pytest.mark.parametrize("size", [1000, 3 * BLOCK])
def test_a_drive_that_gives_fewer_bytes_than_the_file_has_is_not_believed(
    size: int, curriculum: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make(curriculum, {"f": content(size)})
    files = unread(root)
    pieces = iter([b"abc", b"", b""])

    def read(handle: int, count: int) -> bytes:
        return next(pieces)

    def readv(handle: int, blocks: list[memoryview]) -> int:
        return len(next(pieces))

    monkeypatch.setattr("curri.tree.digest.os", drive(read, readv))
    assert results(Reader(str(root)), files) == {"f": "being-written"}


def test_reading_begins_before_the_first_byte(curriculum: Make) -> None:
    root = make(curriculum, {"f": b"x"})
    times = iter([OLD_NS * 2, OLD_NS * 2 + 5])
    ((_, result),) = Reader(str(root), clock=lambda: next(times)).read(unread(root))
    assert result == Digest(sha1(b"x"), OLD_NS * 2 + 5)


# --- files that do not stand still


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def rewrite(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(bytes(size))
    os.utime(path, ns=(OLD_NS, OLD_NS))  # as tools do that keep the times of what they copy


def replace(path: Path) -> None:
    twin = path.with_name("twin")
    twin.write_bytes(path.read_bytes())
    os.utime(twin, ns=(OLD_NS, OLD_NS))
    twin.replace(path)


def touch(path: Path) -> None:
    path.touch()


CHANGES: list[Callable[[Path], None]] = [grow, shrink, rewrite, replace, touch]


@pytest.mark.parametrize("size", [1000, 3 * BLOCK])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_since_it_was_listed_is_being_written(
    change: Callable[[Path], None], size: int, curriculum: Make
) -> None:
    root = make(curriculum, {"f": content(size), "still": b"still"})
    files = unread(root)
    step_on(root, max(file.asset.ctime_ns for file in files))
    change(root / FOLDER / "f")
    read: list[int] = []
    assert results(Reader(str(root), progress=read.append), files) == {"f": "being-written", "still": sha1(b"still")}
    assert BLOCK not in read, "of a large file nothing is read in vain"


@pytest.mark.parametrize("size", [1000, 3 * BLOCK])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read_is_being_written(
    change: Callable[[Path], None], size: int, curriculum: Make
) -> None:
    root = make(curriculum, {"f": content(size)})
    files = unread(root)
    step_on(root, files[0].asset.ctime_ns)
    left = [change]
    reader = Reader(str(root), progress=lambda _: left.pop()(root / FOLDER / "f") if left else None)
    assert results(reader, files) == {"f": "being-written"}
    assert not left
    if change in (rewrite, touch):  # the next import reads it in its new state
        again = Reader(str(root), sleep=lambda _: None)
        assert results(again, unread(root)) == {"f": sha1((root / FOLDER / "f").read_bytes())}


def test_nobody_runs_after_a_file_that_grows_as_fast_as_it_is_read(curriculum: Make) -> None:
    root = make(curriculum, {"f": content(2 * BLOCK)})
    files = unread(root)
    read: list[int] = []

    def write_on(count: int) -> None:
        read.append(count)
        assert len(read) < 100, "still reading"
        with (root / FOLDER / "f").open("ab") as file:
            file.write(bytes(BLOCK))

    assert results(Reader(str(root), progress=write_on), files) == {"f": "being-written"}
    assert sum(read) == 3 * BLOCK


@pytest.fixture
def writer(curriculum: Make) -> Iterator[Callable[[Path], None]]:
    """Yield a function that puts a pipe in a file's place, where somebody is about to write."""
    handles: list[int] = []

    def put(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)
        handles.append(os.open(path, os.O_RDWR))

    yield put
    for handle in handles:
        os.close(handle)


@pytest.mark.parametrize("size", [1000, 3 * BLOCK])
def test_a_file_that_has_become_something_else_is_named_and_not_waited_for(
    size: int, curriculum: Make, writer: Callable[[Path], None]
) -> None:
    names = ["pipe", "busy-pipe", "folder", "device", "gone"]
    root = make(curriculum, {name: content(size) for name in names})
    files = unread(root)
    folder = root / FOLDER
    for name in ("pipe", "folder", "device", "gone"):
        (folder / name).unlink()
    os.mkfifo(folder / "pipe")
    writer(folder / "busy-pipe")
    (folder / "folder").mkdir()
    (folder / "device").symlink_to("/dev/null")
    found = {file.asset.path: result for file, result in Reader(str(root)).read(files)}
    said = {
        path.removeprefix("a/"): (result.rule, str(result))
        for path, result in found.items()
        if isinstance(result, NotReadable)
    }
    assert said == {
        **dict.fromkeys(("pipe", "busy-pipe", "folder", "device"), ("special-file", "is no longer a regular file")),
        "gone": ("unreadable", "No such file or directory"),
    }


def test_a_file_that_may_not_be_read_is_unreadable(reachable: Path) -> None:
    root = make_tree(reachable / "c", {"Course_01": {"Lesson_01": {"a": {"open": b"o", "closed": b"c"}}}})
    (root / FOLDER / "closed").chmod(0)
    with ordinary_user():
        assert results(Reader(str(root)), unread(root)) == {"open": sha1(b"o"), "closed": "unreadable"}


# --- fresh files


class Clock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * 1e9)


@pytest.mark.parametrize(
    ("age", "pause"), [(0, 2.0), (500_000_000, 1.5), (1_999_999_980, 20e-9), (-1_500_000_000, 3.5)]
)
def test_fresh_files_are_read_two_seconds_after_the_last_change(age: int, pause: float, curriculum: Make) -> None:
    mtimes = {"fresh": OLD_NS - age, "earlier": OLD_NS - age - 10, "old": OLD_NS - RACY_NS - 10**9}
    for name, mtime in mtimes.items():
        root = make(curriculum, {f"{name}-small": b"s", f"{name}-large": content(2 * BLOCK)}, mtime_ns=mtime)
    clock = Clock(OLD_NS)
    reader = Reader(str(root), clock=clock, sleep=clock.sleep)
    seen = [(file.asset, clock.now, result) for file, result in reader.read(unread(root))]
    assert clock.slept == [pytest.approx(pause)]
    assert [now for _, now, _ in seen[:2]] == [OLD_NS, OLD_NS], "old files are not kept waiting"
    assert len(seen) == 6
    for asset, _, result in seen:
        assert isinstance(result, Digest)
        assert result.read_at_ns - asset.mtime_ns >= RACY_NS


@pytest.mark.parametrize("age", [RACY_NS, 10**15, -RACY_NS, -(10**15)])
def test_a_file_that_is_not_fresh_is_read_at_once(age: int, curriculum: Make) -> None:
    root = make(curriculum, {"f": b"x"}, mtime_ns=OLD_NS - age)
    clock = Clock(OLD_NS)
    assert results(Reader(str(root), clock=clock, sleep=clock.sleep), unread(root)) == {"f": sha1(b"x")}
    assert clock.slept == []


def test_a_fresh_file_that_changes_during_the_wait_is_being_written(curriculum: Make) -> None:
    root = make(curriculum, {"f": b"x"})
    clock = Clock(OLD_NS)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        grow(root / FOLDER / "f")

    assert results(Reader(str(root), clock=clock, sleep=sleep), unread(root)) == {"f": "being-written"}


# --- large files


def sparse(curriculum: Make, size: int, *names: str) -> Path:
    root = make(curriculum, {"small": b"s"})
    for name in names:
        (root / FOLDER / name).touch()
        os.truncate(root / FOLDER / name, size)
        os.utime(root / FOLDER / name, ns=(OLD_NS, OLD_NS))
    return root


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_when_the_run_is_interrupted_all_reading_ends(error: type[BaseException], curriculum: Make) -> None:
    root = sparse(curriculum, 64 << 30, "one", "two", "three")
    both = threading.Barrier(3, timeout=60)
    begun = threading.local()
    read: list[int] = []

    def progress(count: int) -> None:
        read.append(count)
        if len(read) > 1000:
            raise RuntimeError("reading goes on")
        if count == BLOCK and not hasattr(begun, "yes"):
            begun.yes = True
            both.wait()

    def consume() -> None:
        for _ in Reader(str(root), progress=progress, threads=2).read(unread(root)):
            both.wait()  # until two large files are in the middle of being read
            raise error

    with pytest.raises(error):
        consume()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("curri-read")] == []
    assert len(read) < 1000, "reading went on"


def test_an_error_in_a_reading_thread_reaches_the_run(curriculum: Make) -> None:
    root = sparse(curriculum, 64 << 30, "one", "two")

    def progress(count: int) -> None:
        if count == BLOCK:
            raise RuntimeError("the display broke")

    with pytest.raises(RuntimeError, match="the display broke"):
        results(Reader(str(root), progress=progress, threads=2), unread(root))


MEMORY = """
import resource, sys
from pathlib import Path
from curri.tree.digest import Reader
from support.walks import unread
root = sys.argv[1]
files = unread(Path(root))
read = []
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for file, result in Reader(root, progress=read.append).read(files):
    print(file.asset.size, len(result.sha1), sum(read), (peak() - before) >> 10)
"""


@pytest.mark.slow
def test_a_file_of_five_gigabytes_is_read_in_flat_memory(curriculum: Make) -> None:
    root = sparse(curriculum, 5 * 10**9, "huge")
    (root / FOLDER / "small").unlink()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", MEMORY, str(root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    size, digits, read, mebibytes = map(int, done.stdout.split())
    assert (size, digits, read) == (5 * 10**9, 40, 5 * 10**9)
    assert mebibytes < 16
