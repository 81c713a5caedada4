"""Tree against catalog: what must be read, and then which rows to write so that the catalog equals the tree.

Two pure steps with the reading of files between them:

    comparison = compare(found, recorded)      # settles what is provably as recorded, names what must be read
    ... the flow reads comparison.unread ...
    plan = decide(comparison, digests)         # every row to insert, update or mark as removed
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from curri.model import Digest, Place
from curri.plan.changes import ContentPlan, write_down
from curri.plan.comparison import Comparison, compare
from curri.plan.matching import match

__all__ = ["Comparison", "ContentPlan", "compare", "decide"]


def decide(
    comparison: Comparison,
    digests: Mapping[Place, Digest],
    *,
    random: Callable[[], uuid.UUID] = uuid.uuid4,
) -> ContentPlan:
    """Return the plan that makes the catalog equal the tree.

    A file without a digest (neither in `digests` nor known) is blocked: what is recorded of it stays as it is.
    Ids survive every move; deciding again on the result finds nothing to do.
    """
    return write_down(match(comparison, {**comparison.known, **digests}), random)
