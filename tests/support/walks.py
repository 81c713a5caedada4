"""What a walk saw, in the few words that tests compare."""

from __future__ import annotations

from pathlib import Path

from curri.model import FoundTree, Recorded
from curri.plan.comparison import Unread, compare
from curri.tree.walk import walk


def files(found: FoundTree) -> list[str]:
    """Return the paths of all files, relative to the root, sorted."""
    return sorted(
        f"{lesson.folder}/{asset.path}"
        for course in found.courses
        for lesson in (course.own, *course.lessons)
        for component in lesson.components
        for asset in component.assets
    )


def warned(found: FoundTree) -> set[tuple[str, str]]:
    """Return rule and path of every warning; none may come twice."""
    assert len({(notice.rule, notice.path) for notice in found.warnings}) == len(found.warnings)
    return {(notice.rule, notice.path) for notice in found.warnings}


def blocked(found: FoundTree) -> set[tuple[str, str]]:
    """Return rule and path of every blocked item; none may come twice."""
    assert len({(notice.rule, notice.path) for notice in found.blocked}) == len(found.blocked)
    return {(notice.rule, notice.path) for notice in found.blocked}


def unread(root: Path) -> tuple[Unread, ...]:
    """Return what a first import of the curriculum would read."""
    return compare(walk(root), Recorded()).unread
