"""Which places of the file system the cache touches: its own, whatever it is asked for and whoever laid a trap."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from curri.errors import ConfigError
from curri.media.encode import Encoded
from curri.media.locks import try_lock
from curri.media.renditions import Cache, Swept
from support.ordinary import ordinary_user, reachable

from .test_renditions import ONE, TWO, cache, files, fill, never, pair, reserve
from .test_verify import SOURCE

__all__ = ["cache", "reachable"]

NO_SHA1 = [
    "",
    ".",
    "..",
    "../../precious",
    "/etc/passwd",
    f"../{ONE}",
    f"{ONE}/../{TWO}",
    f"{ONE[:-1]}\0",
    f"{ONE}\n",
    ONE[:-1],
    f"{ONE}0",
    "A" * 40,
    "\u0661" * 40,  # a digit, but not one of hex
    "%2e%2e%2f" * 4,
    "a" * 5000,
]
USES: dict[str, Callable[[Cache, str], object]] = {
    "peek": lambda cache, name: cache.peek(name),
    "reserve": lambda cache, name: cache.reserve(name, never),
    "throw_away": lambda cache, name: cache.throw_away(name),
    "decodes": lambda cache, name: cache.decodes(name),
    "remember_decodes": lambda cache, name: cache.remember_decodes(name),
}


def everything(folder: Path) -> dict[str, bytes | None]:
    """Return all that lies below a folder, with what it holds."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("name", NO_SHA1)
@pytest.mark.parametrize("use", USES)
def test_only_a_digest_names_a_file_of_the_cache(cache: Cache, use: str, name: str) -> None:
    for place in (cache.directory.parent, cache.directory, cache.folder):
        (place / "precious.json").write_text("precious")
        (place / "precious.mp4").write_text("precious")
    (cache.directory / "lock").touch()
    before = everything(cache.directory.parent)
    with pytest.raises(ValueError, match="SHA-1"):
        USES[use](cache, name)
    assert everything(cache.directory.parent) == before


@pytest.mark.parametrize("ending", [".mp4", ".json"])
def test_a_link_in_the_place_of_an_encode_is_replaced_and_not_written_through(cache: Cache, ending: str) -> None:
    victim = cache.directory.parent / "victim"
    victim.write_text("precious")
    with reserve(cache, ONE) as slot:
        made = slot.path.with_name("made")
        made.write_bytes(b"encode")
        link = slot.path.with_suffix(ending)
        link.symlink_to(victim)
        made.replace(slot.path)  # as `encode.publish` does
        slot.store(Encoded(slot.path, SOURCE, 1.0))
    assert victim.read_text() == "precious"
    assert not link.is_symlink()
    assert cache.peek(ONE) is not None


def test_a_link_in_the_place_of_a_lock_is_not_written_through(cache: Cache) -> None:
    victim = cache.directory.parent / "victim"
    victim.write_text("precious")
    (cache.folder / f"{ONE}.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        try_lock(cache.folder / f"{ONE}.lock")
    with pytest.raises(OSError, match="symbolic link"):
        reserve(cache, ONE)
    assert victim.read_text() == "precious"


def test_links_are_thrown_away_and_what_they_lead_to_stays(cache: Cache) -> None:
    victim = cache.directory.parent / "victim"
    victim.write_text("precious")
    for name in (f"{ONE}.mp4", f"{ONE}.json", f"{TWO}.{'a' * 32}.part"):
        (cache.folder / name).symlink_to(victim)
    cache.sweep()
    assert victim.read_text() == "precious"
    assert files(cache) == []


def test_a_linked_folder_in_the_cache_is_not_entered(cache: Cache) -> None:
    elsewhere = cache.directory.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{ONE}.mp4").write_text("precious")
    empty = cache.directory.parent / "empty"
    empty.mkdir()
    (cache.directory / "recipe-linked").symlink_to(elsewhere)
    (cache.directory / "recipe-empty").symlink_to(empty)
    (cache.directory / "recipe-file").write_text("not a folder")
    fill(cache, TWO)
    assert cache.sweep() == Swept(0, 0)
    assert cache.unused([]).keys() == {TWO}
    assert cache.throw_away(ONE) == Swept(0, 0)
    assert (elsewhere / f"{ONE}.mp4").read_text() == "precious"
    assert files(cache) == sorted(["recipe-file", *pair(TWO)])


PLACES: dict[str, str] = {
    "above it": ".",
    "itself": "encodes",
    "one of a recipe": "encodes/recipe-old",
}


@pytest.mark.parametrize("closed", PLACES)
def test_a_folder_that_may_not_be_entered_is_an_error_of_the_settings(reachable: Path, closed: str) -> None:
    """For an ordinary user; some ways of asking whether a file exists raise then."""
    home = reachable / "home"
    (home / "encodes" / "recipe-old").mkdir(parents=True)
    (home / "encodes" / "lock").touch()
    for folder in (home, home / "encodes"):
        folder.chmod(0o755)
    (home / PLACES[closed]).chmod(0o700)
    if os.geteuid() != 0:
        (home / PLACES[closed]).chmod(0)
    cache = Cache(home / "encodes")
    with ordinary_user():
        for use in (cache.room, cache.sweep, lambda: cache.unused([]), lambda: cache.throw_away(ONE)):
            with pytest.raises(ConfigError, match="the state folder cannot be used: Permission denied"):
                use()


def test_a_folder_with_a_name_that_is_too_long_is_an_error_of_the_settings(tmp_path: Path) -> None:
    cache = Cache(tmp_path / ("x" * 300))
    with pytest.raises(ConfigError, match="File name too long"):
        cache.room()
    with pytest.raises(ConfigError, match="File name too long"):
        cache.open()
