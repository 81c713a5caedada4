"""Links in the documents lead to a file and to a heading in it; the targets of make that they name are there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from .pages import PAGES, TOP

ALL = [*PAGES, TOP / "CHANGELOG.md", TOP / "curriculum.example/README.md"]
FENCED = re.compile(r"^```\w*\n.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    found: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#+ (.+?)\s*#*$", prose(page), re.MULTILINE):
        plain = LINK.sub(lambda link: link[0].partition("]")[0][1:], heading)
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return names


def problem(page: Path, target: str) -> str | None:
    """Return what is wrong with a link of a page; None if it leads somewhere. Other sites are not asked."""
    if re.match(r"[a-z]+:", target):
        return None if target.startswith("https://") else "it is no https"
    place, _, anchor = target.partition("#")
    there = (page.parent / place).resolve() if place else page
    if not there.is_relative_to(TOP) or not there.exists():
        return "there is no such file"
    if anchor and (there.suffix != ".md" or anchor not in anchors(there)):
        return "there is no such heading"
    return None


@pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(TOP)))
def test_every_link_leads_somewhere(page: Path) -> None:
    wrong = {target: told for target in LINK.findall(prose(page)) if (told := problem(page, target))}
    assert wrong == {}


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [TOP / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        for target in LINK.findall(prose(page)):
            place = target.partition("#")[0]
            there = (page.parent / place).resolve() if place and ":" not in place else page
            more = sorted(there.glob("*.md")) if there.is_dir() else [there]
            waiting += [each for each in more if each.suffix == ".md" and each not in reached]
    assert {page.name for page in PAGES} <= {page.name for page in reached}


def test_wrong_links_are_seen(tmp_path: Path) -> None:
    page = TOP / "docs/check.md"
    assert problem(page, "tree.md#blocked-files") is None
    assert problem(page, "../README.md") is None
    assert problem(page, "tree.md#no-such-heading") == "there is no such heading"
    assert problem(page, "no-such-page.md") == "there is no such file"
    assert problem(page, "../../elsewhere.md") == "there is no such file"
    assert problem(page, "http://example.org") == "it is no https"
    twice = tmp_path / "twice.md"
    twice.write_text("# What `x_y` is\n\n## Again, and again\n\n## Again, and again\n\n```sh\n# no heading\n```\n")
    assert anchors(twice) == {"what-x_y-is", "again-and-again", "again-and-again-1"}


def make_targets(text: str) -> set[str]:
    """Return the targets of make that a page names: between backticks, and behind a prompt."""
    found = re.findall(r"`make ([a-z][a-z-]*)", text)
    return {*found, *re.findall(r"^(?:\$ |    )make ([a-z][a-z-]*)", text, re.MULTILINE)}


def test_the_targets_of_make_that_the_documents_name_are_there() -> None:
    known = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test", "docs", "verify-live"} <= make_targets("".join(page.read_text() for page in ALL))
    wrong = {page.name: missing for page in ALL if (missing := make_targets(page.read_text()) - known)}
    assert wrong == {}
