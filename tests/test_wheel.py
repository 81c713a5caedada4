"""The built wheel, installed with only its own dependencies, does the main job."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.command import clean_environment
from support.trees import SMALL, make_tree

TOP = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_the_wheel_in_a_clean_environment_imports_and_shows(url: str, tmp_path: Path) -> None:
    out = tmp_path / "dist"
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(TOP)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = out.glob("curri-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "curri/migrations/env.py" in names
    assert any(name.startswith("curri/migrations/versions/0001") for name in names)
    assert "curri/py.typed" in names
    assert not any(name.startswith(("tests", "migrations", "curriculum")) for name in names)

    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=120)
    install = [
        str(venv / "bin/python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "-c",
        str(TOP / "constraints.txt"),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=400)
    root = make_tree(tmp_path / "curriculum", SMALL)
    environment = clean_environment(tmp_path, CURRI_DATABASE_URL=url)

    def curri(*arguments: str) -> str:
        command = [str(venv / "bin/curri"), *arguments]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    curri("db", "downgrade", "base", "--yes")
    assert curri("db", "upgrade") == "the tables went from base to 0001\n"
    assert "9 files: 9 new" in curri("import", str(root))
    assert "course_02" in curri("status")
    assert "import" in curri("runs")
