"""The sites of the tests of `curri upload`, and who is told how the runs ended."""

from monitoring.conftest import receiver
from upload.conftest import ffmpeg, films, open_site, site, three

__all__ = ["ffmpeg", "films", "open_site", "receiver", "site", "three"]
