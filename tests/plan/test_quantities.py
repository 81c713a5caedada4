"""Numbers as people read them."""

from __future__ import annotations

import pytest

from curri.plan.quantities import amount, clock_text, counted, rate_text, size_text, usd_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (237_900, "237.9 kB"),
        (999_940, "999.9 kB"),
        (999_960, "1.0 MB"),
        (16_678_191, "16.7 MB"),
        (31_000_000_000, "31.0 GB"),
        (2_500_000_000_000, "2.5 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text
    assert rate_text(size) == f"{text}/s"


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (0, 0, "0 of 0 B"),
        (400_000, 16_700_000, "0.4 of 16.7 MB"),
        (16_700_000, 16_700_000, "16.7 of 16.7 MB"),
        (12, 999, "12 of 999 B"),
        (5_000_000, 31_000_000_000, "0.0 of 31.0 GB"),
    ],
)
def test_a_part_has_the_unit_of_the_whole(done: int, total: int, text: str) -> None:
    assert amount(done, total) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (39.6, "0:40"), (59.6, "1:00"), (725, "12:05"), (3599.7, "1:00:00")]
)
def test_durations(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 videos"), (1, "1 video"), (1.0, "1 video"), (2, "2 videos")])
def test_numbers_of_things(number: float, text: str) -> None:
    assert counted(number, "video") == text


@pytest.mark.parametrize(
    ("usd", "text"), [(0.0, "0.00 USD"), (0.0099, "less than 0.01 USD"), (0.01, "0.01 USD"), (12.345, "12.35 USD")]
)
def test_prices(usd: float, text: str) -> None:
    assert usd_text(usd) == text
