"""Catalogs of rows made by hand, and the sites of the tests of `curri upload`."""

from __future__ import annotations

import pytest

from catalog.conftest import rows, shared
from upkeep.conftest import dashboard, uploaded
from upload.conftest import ffmpeg, films, open_site, site, three

__all__ = ["dashboard", "ffmpeg", "films", "open_site", "rows", "shared", "shared_url", "site", "three", "uploaded"]


@pytest.fixture
def shared_url(url: str) -> str:
    """Return the address of the catalog that `rows` puts rows into: the test's own."""
    return url
