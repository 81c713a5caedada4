"""The embedded server's folders: any home will do, others can look into none, and nothing above them is opened."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

import pytest

from curri.catalog import cluster, embedded
from curri.errors import ConfigError, CurriError, ToolError

from .homes import Home, make_home, modes, open_to_others, open_to_others_while_used, use
from .processes import ACCOUNTS, AS_ROOT, Account, run


@pytest.mark.parametrize(
    "name", ["long/" * 30 + "name", "a, b", "not UTF-8 \udcff"], ids=["long", "comma", "not UTF-8"]
)
def test_a_home_may_have_a_name_that_no_socket_can_have(
    name: str, ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(ground, ACCOUNTS[-1], name)
    temporary = make_home(ground, ACCOUNTS[-1], "").path
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert run(lambda: use(home, "SELECT 1"), home.account) == 1
    assert run(lambda: use(home, "SELECT 2"), home.account) == 2
    assert home.is_deserted()
    assert list(temporary.iterdir()) == []


def test_a_home_with_a_line_break_in_its_name_is_refused_with_words(account: Account, ground: Path) -> None:
    home = make_home(ground, account, "a\nb")
    with pytest.raises(ConfigError, match="line break"):
        run(lambda: use(home, "SELECT 1"), account)


def test_a_home_that_cannot_be_written_is_named(ground: Path) -> None:
    home = make_home(ground, ACCOUNTS[-1], "state")
    home.path.parent.chmod(0o500)
    with pytest.raises(ConfigError, match="Permission denied") as caught:
        run(lambda: use(home, "SELECT 1"), home.account)
    assert caught.value.where == str(home.path)
    assert "CURRI_HOME" in str(caught.value.hint)


def test_a_file_where_the_home_should_be_is_named(account: Account, ground: Path) -> None:
    home = make_home(ground, account, "state")
    home.path.touch()
    for place in (home, Home(home.path / "deeper", account)):
        with pytest.raises(ConfigError) as caught:
            run(partial(use, place, "SELECT 1"), account)
        assert str(caught.value.where).startswith(str(home.path))


def test_without_the_extra_there_is_a_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster, "PACKAGE", "no_such_package")
    assert not embedded.available()
    with pytest.raises(ConfigError) as caught, embedded.server(tmp_path / "state"):
        pass
    assert ".[embedded]" in str(caught.value.hint)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
def test_others_can_read_nothing_of_a_server_and_nothing_above_it_is_opened(
    umask: int, account: Account, ground: Path
) -> None:
    home = make_home(ground, account, "state")
    programs = cluster._package()
    assert programs is not None
    above = modes(home.path.parent, programs / "bin" / "postgres", cluster.ROOT_HOME.parent)
    for _ in range(2):
        assert run(lambda: open_to_others_while_used(home), account, umask) == []
    assert [path for top in (home.path, home.place) for path in open_to_others(top)] == []
    assert modes(*above) == above


@pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as somebody else")
def test_programs_that_others_may_not_run_are_copied_once_and_their_folder_stays_closed(
    ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = cluster._package()
    assert package is not None
    closed = Path(tempfile.mkdtemp(dir=ground))  # only its owner may enter it
    for name in (cluster.PACKAGE, f"{cluster.PACKAGE}.libs"):
        if (package.parents[1] / name).exists():
            shutil.copytree(package.parents[1] / name, closed / name, ignore=shutil.ignore_patterns("pginstall"))
    programs = closed / cluster.PACKAGE / cluster.PROGRAMS
    monkeypatch.setattr(cluster, "_package", lambda: programs)
    home = make_home(ground, ACCOUNTS[0], "state")
    before = modes(programs / "bin" / "postgres")
    assert use(home, "SELECT 1") == 1
    assert modes(programs / "bin" / "postgres") == before
    [copy] = cluster.ROOT_HOME.glob(f"{cluster.PROGRAMS}*")
    made = copy.stat().st_ino
    (programs / "bin" / "postgres").touch()  # as if installed again
    monkeypatch.setattr(shutil, "copytree", None)
    assert use(home, "SELECT 1") == 1
    assert [path.stat().st_ino for path in cluster.ROOT_HOME.glob(f"{cluster.PROGRAMS}*")] == [made]


@pytest.mark.skipif(not AS_ROOT, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(ground: Path) -> None:
    home = make_home(ground, ACCOUNTS[0], "state")
    (home.place / "run").mkdir(parents=True)
    os.chown(home.place / "run", 12345, 12345)
    with pytest.raises(ToolError, match="belongs to somebody else") as caught:
        use(home, "SELECT 1")
    assert caught.value.where == str(home.place / "run")


@pytest.mark.skipif(not AS_ROOT, reason="only root needs somebody to run the server")
def test_a_system_without_a_user_to_run_the_server_is_told_so(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr("pwd.getpwnam", unknown)
    with pytest.raises(CurriError, match="nobody") as caught:
        use(make_home(ground, ACCOUNTS[0], "state"), "SELECT 1")
    assert "CURRI_DATABASE_URL" in str(caught.value.hint)


def test_a_home_that_is_a_link_to_itself_is_refused_with_words(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.symlink_to("home")
    embedded.place(home)  # `curri doctor` shows it, and finds that it cannot be used
    with pytest.raises(ConfigError, match="has no place"), embedded.server(home):
        pass
