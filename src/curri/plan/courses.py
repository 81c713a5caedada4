"""The courses that a person names."""

from __future__ import annotations

from collections.abc import Sequence

from curri.errors import UsageError
from curri.plan.text import printable


def named(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the courses that are wanted, in the words of the catalog. Raises UsageError if it has not got one."""
    slugs = [slug.lower() for slug in wanted]
    for slug in slugs:
        if slug not in known:
            hint = f"the catalog has {', '.join(known)}" if known else "the catalog is empty: run `curri import` first"
            raise UsageError(f"there is no course {printable(slug)}", hint=hint)
    return slugs
