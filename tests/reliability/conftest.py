from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from reliability.studio import Studio
from reliability.world import World, world


@pytest.fixture(scope="session")
def studio(server: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Yield the studio with the templates that were asked for so far."""
    made = Studio(server, template, tmp_path_factory.mktemp("studio"))
    yield made
    made.close()


class OpenWorld(Protocol):
    """Makes a world; it ends with the block."""

    def __call__(self, template: str = ..., **settings: Any) -> AbstractContextManager[World]: ...


@pytest.fixture
def open_world(studio: Studio, tmp_path: Path) -> OpenWorld:
    numbers = count(1)

    def opened(template: str = "new", **settings: Any) -> AbstractContextManager[World]:
        folder = tmp_path / f"world-{next(numbers)}"
        folder.mkdir()
        return world(studio, template, folder, **settings)

    return opened
