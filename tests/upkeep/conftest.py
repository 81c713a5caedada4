"""The sites of the tests of `curri upload`, and somebody else who works on the same Stream."""

from __future__ import annotations

import pytest

from upload.conftest import ffmpeg, films, open_site, site, three
from upload.site import Site

from .dashboard import Dashboard

__all__ = ["dashboard", "ffmpeg", "films", "open_site", "site", "three", "uploaded"]


@pytest.fixture
def uploaded(three: Site) -> Site:
    """Return a site with three videos that are on Stream, linked and ready; no request is in the journal."""
    assert three.upload().code == 0
    three.box.clear_requests()
    return three


@pytest.fixture
def dashboard(site: Site) -> Dashboard:
    """Return what a person can do on the Stream of `site`."""
    return Dashboard(site.box)
