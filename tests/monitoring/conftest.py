"""The sites of the tests of `curri upload`, and who is told how the runs ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from upload.conftest import ffmpeg, films, open_site, site, three
from upload.site import Site

from .receiver import Receiver, receiving

__all__ = ["ffmpeg", "films", "minded", "open_site", "receiver", "site", "three"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def minded(three: Site, receiver: Receiver) -> Site:
    """Return a site with three videos to send, and a service that is told."""
    three.variables["CURRI_PING_URL"] = receiver.url
    return three
