"""A strict reader of Prometheus's text format, and node_exporter's rules for the files of one folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")

Series = tuple[str, frozenset[tuple[str, str]]]


def parse(text: str) -> tuple[dict[str, tuple[str, str]], dict[Series, float]]:
    """Return (help, type) of each metric, and the value of each series. Fails unless the format is kept to the letter.

    A line each of HELP and TYPE before the samples of a metric, all of its samples together, no series twice, and a
    line feed at the end. node_exporter takes no timestamps.
    """
    assert text.endswith("\n")
    families: dict[str, tuple[str, str]] = {}
    series: dict[Series, float] = {}
    current = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current, _, words = line.removeprefix("# HELP ").partition(" ")
            assert re.fullmatch(NAME, current)
            assert current not in families, f"{current} comes twice"
            assert words
            assert "\\" not in words
            families[current] = (words, "")
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name == current
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped")
            families[name] = (families[name][0], kind)
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            name, labels, value = found.groups()
            assert name == current
            assert families[name][1]
            pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
            key = (name, frozenset(pairs))
            assert len(dict(pairs)) == len(pairs)
            assert key not in series, f"{line} comes twice"
            series[key] = float(value)
    return families, series


def gathered(files: Iterable[Path]) -> dict[Series, float]:
    """Return what node_exporter makes of files: the same help and type everywhere, and no series in two of them."""
    families: dict[str, tuple[str, str]] = {}
    every: dict[Series, float] = {}
    for file in files:
        assert file.name.endswith(".prom")
        own, series = parse(file.read_text())
        for name, texts in own.items():
            assert families.setdefault(name, texts) == texts
        assert not every.keys() & series.keys()
        every |= series
    return every
