"""What an ordinary user meets: root may read everything, so that tests of permissions run as somebody else."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534

# Imported by Python or curri when first used; by then the user may not be allowed to see where they lie.
for name in ("encodings.unicode_escape", "encodings.utf_8_sig", "pathspec.patterns.gitignore"):
    importlib.import_module(name)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Be a user without privileges for a while. No file may be opened meanwhile that belongs to the test run."""
    if os.geteuid() != 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Yield a folder that an ordinary user can reach (pytest's own belong to whoever runs the tests, alone)."""
    folder = Path(tempfile.mkdtemp(prefix="curri-test-"))
    folder.chmod(0o755)
    yield folder
    for path, folders, _ in os.walk(folder):
        for name in folders:
            if not os.path.islink(f"{path}/{name}"):
                Path(path, name).chmod(0o755)
    shutil.rmtree(folder)
