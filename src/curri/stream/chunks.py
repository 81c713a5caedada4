"""How large a piece of a file is sent in one request."""

from __future__ import annotations

from typing import Final

from curri.errors import ConfigError

UNIT: Final = 262_144
"""Bytes. A chunk is a multiple of it, only the last one of a file is not (Cloudflare's page on resumable uploads)."""
SMALLEST: Final = 5_242_880
"""Bytes: 5 MiB, from the same page. A file that is smaller goes as one chunk."""
LARGEST: Final = 209_715_200
"""Bytes: 200 MiB, from the same page."""
USUAL: Final = 52_428_800
"""Bytes: 50 MiB, what the same page recommends for a good connection."""


def checked(size: int) -> int:
    """`size` as it is, if Stream takes chunks of it. Raises ConfigError that says which sizes it takes."""
    if SMALLEST <= size <= LARGEST and size % UNIT == 0:
        return size
    raise ConfigError(
        f"Stream takes no chunks of {size:,} bytes",
        hint=f"choose a multiple of {UNIT:,} from {SMALLEST:,} to {LARGEST:,}; {USUAL:,} is usual",
    )


def smaller(size: int) -> int:
    """About half of `size`, still a chunk that Stream takes; SMALLEST stays SMALLEST."""
    return max(SMALLEST, size // 2 // UNIT * UNIT)
