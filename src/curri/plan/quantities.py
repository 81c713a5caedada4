"""Numbers as text for people: sizes, durations, prices, counts."""

from __future__ import annotations

_UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def size_text(size: float) -> str:
    """Return bytes for people: 16.7 MB."""
    unit, factor = _unit(size)
    return f"{size / factor:.1f} {unit}" if factor > 1 else f"{size:.0f} {unit}"


def amount(done: float, total: float, between: str = " of ") -> str:
    """Return a part of a whole in the unit of the whole: 0.4 of 16.7 MB."""
    unit, factor = _unit(total)
    digits = 1 if factor > 1 else 0
    return f"{done / factor:.{digits}f}{between}{total / factor:.{digits}f} {unit}"


def rate_text(rate: float) -> str:
    """Return bytes a second for people."""
    return f"{size_text(rate)}/s"


def clock_text(seconds: float) -> str:
    """Return a duration as a clock shows it: 0:40, 12:05, 1:00:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def usd_text(usd: float) -> str:
    """Return a price for people; one that is too small to show is still one."""
    return f"{usd:.2f} USD" if usd >= 0.01 or not usd else "less than 0.01 USD"


def counted(number: float, thing: str) -> str:
    """Return a number of things: 1 video, 2 videos."""
    return f"{number:.0f} {thing}{'' if number == 1 else 's'}"


def _unit(size: float) -> tuple[str, float]:
    # From 999,950 on a kilobyte with one digit would read 1000.0.
    return next(((unit, factor) for unit, factor in _UNITS if size >= 0.99995 * factor), ("B", 1.0))
