"""What curri keeps is its user's alone, whatever the umask; and it writes through no link that somebody has laid."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from curri.catalog import embedded
from curri.cli import audit
from curri.errors import ConfigError
from curri.flow import metrics
from support.command import Done
from upload.conftest import Films, encoding, ffmpeg, films, open_site, site
from upload.site import Site

__all__ = ["encoding", "ffmpeg", "films", "open_site", "site"]


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Return what others may read, write or enter: the folder itself, and all below."""
    found = [path for path in (folder, *folder.rglob("*")) if not path.is_symlink()]
    assert len(found) > 3
    return [f"{path} {stat.filemode(path.stat().st_mode)}" for path in found if path.stat().st_mode & 0o077]


@pytest.mark.parametrize("mask", [0o022, 0o000])
def test_what_an_upload_keeps_is_its_users_alone(encoding: Site, films: Films, mask: int) -> None:
    encoding.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.heavy()}}}})
    with umask(mask):
        assert encoding.upload().code == 0
    assert list(encoding.state.rglob("*.mp4"))
    assert open_to_others(encoding.state) == []


@pytest.mark.parametrize("mask", [0o022, 0o000])
def test_what_the_embedded_server_keeps_is_its_users_alone(
    curri: Callable[..., Done], state_folder: Path, mask: int
) -> None:
    with umask(mask):
        assert curri("status", CURRI_HOME=str(state_folder)).code == 0
    place = embedded.place(state_folder)
    assert [path for path in open_to_others(place) if not path.startswith(f"{place} drwx--x--x")] == []
    assert stat.S_IMODE(state_folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((state_folder / "postgres" / "use.lock").stat().st_mode) == 0o600


def test_a_state_folder_that_others_can_read_is_a_finding(curri: Callable[..., Done], tmp_path: Path, url: str) -> None:
    home = tmp_path / "open"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    assert "can be read by others" in curri("doctor", CURRI_HOME=str(home), url=url).out


def test_a_state_folder_may_be_a_link(encoding: Site, films: Films) -> None:
    """To another disk, say."""
    elsewhere = encoding.folder / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    encoding.state.symlink_to(elsewhere)
    encoding.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.heavy()}}}})
    assert encoding.upload().code == 0
    assert encoding.state.is_symlink()
    assert list(elsewhere.rglob("*.mp4"))
    assert open_to_others(elsewhere) == []


def test_findings_can_be_written_by_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "findings"
    with umask(0):
        audit._usable(folder)
        audit._write(folder, [])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent, *folder.iterdir())}
    assert modes == {"findings": 0o755, "new": 0o755, **dict.fromkeys((*audit.FILES.values(), audit.ALL), 0o644)}


def test_metrics_are_not_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "curri.prom"
    trap = tmp_path / f".curri.prom.{os.getpid()}.tmp"
    trap.symlink_to(victim)
    metrics.place(path, "import")
    trap.unlink(missing_ok=True)
    trap.symlink_to(victim)
    metrics.write(path, "new\n")
    assert victim.read_text() == "precious"
    assert path.read_text() == "new\n"
    assert not path.is_symlink()


def test_findings_are_not_written_through_a_link(tmp_path: Path) -> None:
    victim, missing = tmp_path / "victim", tmp_path / "missing"
    victim.write_text("precious")
    folder = tmp_path / "found"
    folder.mkdir()
    (folder / "same.txt.part").symlink_to(victim)
    (folder / "same.txt").symlink_to(victim)
    (folder / "combined.txt.part").symlink_to(missing)
    audit._usable(folder)
    audit._write(folder, [])
    assert victim.read_text() == "precious"
    assert not missing.exists()
    assert (folder / "same.txt").read_text() == ""


def test_a_file_in_place_of_a_folder_for_findings_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        audit._usable(tmp_path / "file")
