"""The films that histories are made of."""

from __future__ import annotations

from upload.conftest import ffmpeg, films

__all__ = ["ffmpeg", "films"]
