"""From settings to what the flows need to speak to Stream."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from curri import config
from curri.config import Loaded, Settings
from curri.flow.preflight import Credentials
from curri.flow.upload import Means
from curri.flow.worker import Labels
from curri.stream.secret import Secret


def credentials_of(settings: Settings) -> Credentials:
    """Return whose Stream it is, as far as it is configured. Raises ConfigError if the token's file cannot be read."""
    token = config.token(settings)
    return Credentials(settings.cloudflare_account_id, Secret(token) if token else None, settings.stream_url)


def means_of(loaded: Loaded) -> Means:
    """Return what an upload works with. Raises ConfigError if the token's file cannot be read."""
    settings = loaded.settings

    @cache
    def labels(root: str) -> Labels:
        return Labels(*(config.of_curriculum(loaded, Path(root), name) for name in config.OF_CURRICULUM))

    return Means(
        credentials=credentials_of(settings),
        home=settings.home,
        ffmpeg=settings.ffmpeg,
        labels=labels,
        transfers=settings.transfers,
        encoders=settings.encoders,
        bwlimit=settings.bwlimit,
        chunk_size=settings.chunk_size,
        cache_size=settings.cache_size,
        delay=settings.listing_delay,
    )
