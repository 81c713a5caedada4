"""The cache: who may use what, what is thrown away, and what is never touched."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from curri.errors import ConfigError, ExitCode, Interrupted
from curri.media import renditions
from curri.media.encode import Encoded, EncodeFailed, Failure
from curri.media.locks import FileLock, try_lock
from curri.media.recipe import RECIPE_VERSION
from curri.media.renditions import Cache, Rendition, Slot, Swept
from curri.media.verify import Fault, Refusal

from .clips import sha1
from .test_verify import SOURCE

ONE, TWO, THREE = ("1" * 40, "2" * 40, "3" * 40)
KILO = 1000
REFUSED = Refusal(Fault.NOT_SMALLER, "the result is 3 % larger")


def never() -> bool:
    return False


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = Cache(tmp_path / "encodes", budget=10 * KILO)
    made.open()
    return made


def reserve(cache: Cache, source: str) -> Slot:
    return cache.reserve(source, never)


def fill(cache: Cache, source: str, size: int = KILO, *, used: int | None = None) -> Rendition:
    """Put an encode of `size` bytes into the cache, last used at `used` (seconds since 1970)."""
    with reserve(cache, source) as slot:
        slot.path.write_bytes(source[:1].encode() * size)
        rendition = slot.store(Encoded(slot.path, SOURCE, 12.5))
    if used is not None:
        os.utime(cache.folder / f"{source}.json", (used, used))
    return rendition


def files(cache: Cache) -> list[str]:
    """All that lies in the cache but for locks."""
    found = (path for path in cache.directory.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(str(path.relative_to(cache.directory)) for path in found if path.name != "lock")


def pair(source: str) -> list[str]:
    return [f"recipe-{RECIPE_VERSION}/{source}.json", f"recipe-{RECIPE_VERSION}/{source}.mp4"]


def test_an_encode_is_found_again_with_all_that_is_known_of_it(cache: Cache) -> None:
    stored = fill(cache, ONE)
    with reserve(cache, ONE) as slot:
        assert slot.lookup() == stored
        assert not slot.exclusive
    assert (stored.sha1, stored.size, stored.encode_seconds) == (sha1(stored.path), KILO, 12.5)
    assert (stored.width, stored.height, stored.duration) == (1920, 1080, 600.0)
    assert stored.mtime_ns == stored.path.stat().st_mtime_ns
    assert cache.peek(ONE) == stored


def test_what_is_not_there_is_not_found(cache: Cache) -> None:
    assert cache.peek(ONE) is None
    with reserve(cache, ONE) as slot:
        assert slot.lookup() is None
        assert slot.exclusive


def test_an_encode_of_another_recipe_is_not_found(cache: Cache) -> None:
    fill(cache, ONE)
    assert Cache(cache.directory, recipe="h264-0").peek(ONE) is None


def test_a_refusal_is_remembered(cache: Cache) -> None:
    with reserve(cache, ONE) as slot:
        slot.refuse(REFUSED)
    with reserve(cache, ONE) as slot:
        assert slot.lookup() == REFUSED


@pytest.mark.parametrize("change", ["longer", "shorter", "touched", "gone"])
def test_an_encode_that_is_no_longer_the_file_that_was_checked_is_not_used(cache: Cache, change: str) -> None:
    path = fill(cache, ONE).path
    if change == "gone":
        path.unlink()
    elif change == "touched":
        os.utime(path, ns=(1, 1))
    else:
        state = path.stat()
        path.write_bytes(b"x" * (KILO + (1 if change == "longer" else -1)))
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert cache.peek(ONE) is None
    with reserve(cache, ONE) as slot:
        assert slot.exclusive  # so that it is made again


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"encode": {}}', '{"refusal": {"fault": "new", "why": ""}}'])
def test_a_sidecar_that_makes_no_sense_counts_as_none(cache: Cache, text: str) -> None:
    fill(cache, ONE)
    (cache.folder / f"{ONE}.json").write_text(text)
    assert cache.peek(ONE) is None


def test_only_the_owner_can_look_into_the_cache(cache: Cache) -> None:
    fill(cache, ONE)
    for path in (cache.directory, cache.folder, cache.directory / "decoded"):
        assert path.stat().st_mode & 0o777 == 0o700
    for path in cache.folder.glob("*.json"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_others_chose_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Cache(tmp_path).open()
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_folder_that_cannot_be_made_is_an_error_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        Cache(tmp_path / "file" / "encodes").open()
    assert caught.value.exit_code is ExitCode.CONFIG


def test_while_one_makes_an_encode_another_waits_and_then_uses_it(cache: Cache) -> None:
    first = reserve(cache, ONE)
    waiting = threading.Event()
    found: list[object] = []

    def wait() -> None:
        def cancelled() -> bool:
            waiting.set()
            return False

        with cache.reserve(ONE, cancelled) as slot:
            found.append(slot.lookup())

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(20)
    assert found == []
    first.path.write_bytes(b"encode")
    stored = first.store(Encoded(first.path, SOURCE, 1.0))  # and keeps it, as it is being sent
    thread.join(20)
    assert found == [stored]
    first.close()


def test_while_one_makes_an_encode_another_can_be_stopped(cache: Cache) -> None:
    with reserve(cache, ONE), pytest.raises(Interrupted):
        cache.reserve(ONE, lambda: True)


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_on_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    holders: list[FileLock | None] = []
    lock = fcntl.flock

    def removed_just_then(descriptor: int, how: int) -> None:
        """As if the last holder had removed the file between our open and our lock, and another locked the next."""
        lock(descriptor, how)
        if not holders:
            path.unlink()
            holders.append(None)
            holders[0] = try_lock(path)

    monkeypatch.setattr(fcntl, "flock", removed_just_then)
    assert try_lock(path) is None
    assert holders[0] is not None
    holders[0].close()
    mine = try_lock(path)
    assert mine is not None
    mine.close()


def test_encodes_of_different_sources_do_not_wait_for_each_other(cache: Cache) -> None:
    with reserve(cache, ONE) as one, reserve(cache, TWO) as two:
        assert one.exclusive
        assert two.exclusive


def test_a_sweep_throws_away_what_a_killed_process_left(cache: Cache) -> None:
    fill(cache, ONE)
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom curri.media.renditions import *\n"
        "cache = Cache(Path(sys.argv[1])); cache.open()\n"
        "slot = cache.reserve('2' * 40, lambda: False); slot.make_room(5)\n"
        "(cache.folder / f'{slot.sha1}.{\"a\" * 32}.part').write_bytes(b'half')\n"
        "slot.path.write_bytes(b'whole, but not yet entered')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, str(cache.directory)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(command, env=environment, check=False).returncode == -9
    assert len(files(cache)) == 4
    assert cache.sweep() == Swept(2, len(b"half") + len(b"whole, but not yet entered"))
    assert files(cache) == pair(ONE)
    assert not (cache.folder / f"{TWO}.lock").exists()


def test_a_sweep_leaves_no_lock_of_what_it_throws_away(cache: Cache) -> None:
    (cache.folder / f"{ONE}.mp4").write_bytes(b"of unknown origin")
    cache.sweep()
    assert list(cache.folder.iterdir()) == []


def test_a_sweep_leaves_what_is_being_made_or_sent(cache: Cache) -> None:
    cache.budget = 0
    fill(cache, ONE)
    fill(cache, TWO)
    part = cache.folder / f"{THREE}.{'a' * 32}.part"
    with reserve(cache, ONE) as sent, reserve(cache, THREE) as made:
        assert (sent.exclusive, made.exclusive) == (False, True)
        part.write_bytes(b"half")
        assert cache.sweep().files == 2
        assert cache.peek(TWO) is None
        assert part.exists()
        assert sent.lookup() is not None
    assert cache.sweep().files == 3
    assert files(cache) == []


def test_a_sweep_leaves_an_encode_that_is_entered_just_then(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = reserve(cache, ONE)
    slot.path.write_bytes(b"encode")
    part = cache.folder / f"{ONE}.{'a' * 32}.part"
    part.touch()
    look = renditions._contents

    def then_entered(folder: Path) -> dict[str, list[str]]:
        """The sweep has seen an encode without a sidecar, and a half-made file. Then the encoder comes to its end."""
        seen = look(folder)
        if part.exists():
            part.unlink()
            with monkeypatch.context() as other_process:
                other_process.setattr(Slot, "_share", Slot.close)
                slot.store(Encoded(slot.path, SOURCE, 1.0))
        return seen

    monkeypatch.setattr(renditions, "_contents", then_entered)
    assert cache.sweep() == Swept(0, 0)
    assert cache.peek(ONE) is not None


def test_a_sweep_throws_away_encodes_of_other_recipes(cache: Cache) -> None:
    old = Cache(cache.directory, recipe="h264-0")
    old.open()
    fill(old, ONE)
    fill(cache, ONE)
    cache.sweep()
    assert files(cache) == pair(ONE)
    assert not old.folder.exists()


def test_a_sweep_leaves_an_encode_of_another_recipe_that_is_being_sent(cache: Cache) -> None:
    old = Cache(cache.directory, recipe="h264-0")
    old.open()
    stored = fill(old, ONE)
    with reserve(old, ONE):
        cache.sweep()
        assert stored.path.exists()
    cache.sweep()
    assert not stored.path.exists()


def test_over_budget_the_longest_unused_go_first(cache: Cache) -> None:
    fill(cache, ONE, 4 * KILO, used=300)
    fill(cache, TWO, 4 * KILO, used=100)
    fill(cache, THREE, 4 * KILO, used=200)
    cache.sweep()
    assert files(cache) == pair(ONE) + pair(THREE)


def test_within_budget_nothing_goes(cache: Cache) -> None:
    fill(cache, ONE, 5 * KILO)
    fill(cache, TWO, 5 * KILO)
    assert cache.sweep() == Swept(0, 0)


def test_an_encode_that_was_just_looked_up_is_not_the_longest_unused(cache: Cache) -> None:
    fill(cache, ONE, 6 * KILO, used=100)
    fill(cache, TWO, 6 * KILO, used=200)
    with reserve(cache, ONE) as slot:
        slot.lookup()
    cache.sweep()
    assert files(cache) == pair(ONE)


def test_a_sweep_never_touches_what_is_not_its_own(cache: Cache) -> None:
    others = ["notes.txt", "video.mp4", f"{ONE}.mp4", "recipe-holiday/video.mp4", f"recipe-{RECIPE_VERSION}/mine.mp4"]
    for name in others:
        path = cache.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    cache.budget = 0
    cache.sweep()
    assert files(cache) == sorted(others)


def test_room_is_made_by_throwing_away_the_longest_unused(cache: Cache) -> None:
    fill(cache, ONE, 4 * KILO, used=100)
    fill(cache, TWO, 4 * KILO, used=200)
    with reserve(cache, THREE) as slot:
        slot.make_room(5 * KILO)
    assert files(cache) == pair(TWO)


Usage = namedtuple("Usage", ["total", "used", "free"])


def free_space(monkeypatch: pytest.MonkeyPatch, cache: Cache, *, free: int) -> None:
    """A disk on which so many bytes were free before anything was put into the cache."""

    def usage(_: Path) -> Usage:
        used = sum(path.stat().st_size for path in cache.folder.iterdir() if path.suffix in (".mp4", ".part"))
        return Usage(10**12, 0, renditions.SPARE_BYTES + free - used)

    monkeypatch.setattr(shutil, "disk_usage", usage)


def test_an_encode_does_not_begin_on_a_full_disk(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    free_space(monkeypatch, cache, free=4 * KILO)
    with reserve(cache, ONE) as slot:
        slot.make_room(4 * KILO)
        with pytest.raises(EncodeFailed) as caught:
            slot.make_room(4 * KILO + 1)
    assert caught.value.failure is Failure.DISK_FULL
    assert caught.value.hint is not None


def test_unused_encodes_make_room_on_a_full_disk_but_not_more_than_needed(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cache, ONE, 2 * KILO, used=100)
    fill(cache, TWO, 2 * KILO, used=200)
    free_space(monkeypatch, cache, free=5 * KILO)
    with reserve(cache, THREE) as slot:
        slot.make_room(3 * KILO)
    assert files(cache) == pair(TWO)


def test_two_encodes_at_once_are_not_promised_the_same_space(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    free_space(monkeypatch, cache, free=5 * KILO)
    with reserve(cache, ONE) as one, reserve(cache, TWO) as two:
        one.make_room(3 * KILO)
        with pytest.raises(EncodeFailed):
            two.make_room(3 * KILO)
        one.path.write_bytes(b"x" * KILO)
        one.store(Encoded(one.path, SOURCE, 1.0))  # it needed less than it was promised
        two.make_room(3 * KILO)


def test_what_an_encode_has_written_of_its_space_is_not_counted_twice(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_space(monkeypatch, cache, free=6 * KILO)
    with reserve(cache, ONE) as one, reserve(cache, TWO) as two:
        one.make_room(3 * KILO)
        (cache.folder / f"{ONE}.{'a' * 32}.part").write_bytes(b"x" * 2 * KILO)
        two.make_room(3 * KILO)
        with pytest.raises(EncodeFailed):
            two.make_room(3 * KILO + 1)


def test_what_a_dead_process_was_promised_is_free_again(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    free_space(monkeypatch, cache, free=5 * KILO)
    with reserve(cache, ONE) as one:
        one.make_room(3 * KILO)
    with reserve(cache, TWO) as two:
        two.make_room(3 * KILO)


def test_a_discarded_encode_is_gone_and_is_made_again(cache: Cache) -> None:
    fill(cache, ONE)
    reserve(cache, ONE).discard()
    assert files(cache) == []
    with reserve(cache, ONE) as slot:
        assert slot.exclusive


def test_an_encode_that_another_is_sending_is_not_discarded(cache: Cache) -> None:
    fill(cache, ONE)
    with reserve(cache, ONE):
        reserve(cache, ONE).discard()
        assert files(cache) == pair(ONE)


def test_a_disk_that_is_full_for_the_sidecar_is_said_to_be_full(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with reserve(cache, ONE) as slot:
        slot.path.write_bytes(b"encode")
        monkeypatch.setattr(Path, "write_text", full)
        with pytest.raises(EncodeFailed) as caught:
            slot.store(Encoded(slot.path, SOURCE, 1.0))
    assert caught.value.failure is Failure.DISK_FULL
    assert cache.peek(ONE) is None


def test_that_a_file_decodes_is_remembered_by_its_digest(cache: Cache) -> None:
    assert not cache.decodes(ONE)
    cache.remember_decodes(ONE)
    cache.remember_decodes(ONE)
    assert cache.decodes(ONE)
    assert not cache.decodes(TWO)
    cache.sweep()
    assert cache.decodes(ONE)


def test_the_sidecar_is_json_that_people_can_read(cache: Cache) -> None:
    fill(cache, ONE)
    known = json.loads((cache.folder / f"{ONE}.json").read_text())
    assert known["encode"]["size"] == KILO


def test_the_shape_of_what_is_stored_is_that_of_the_result_and_upright(cache: Cache) -> None:
    phone = replace(SOURCE, video=replace(SOURCE.video, rotation=90))
    with reserve(cache, ONE) as slot:
        slot.path.write_bytes(b"x")
        stored = slot.store(Encoded(slot.path, phone, 1.0))
    assert (stored.width, stored.height) == (1080, 1920)
