"""What others wrote as JSON, as PostgreSQL takes it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from psycopg.types.json import Jsonb

from curri.plan.text import storable


def document(values: Mapping[str, object]) -> Jsonb:
    """Return the value for a `jsonb` column.

    JSON can carry NUL and halves of characters, Python reads 1e999 as infinity: PostgreSQL refuses all of them, and one
    such value of one video would keep a whole run from being recorded. Texts get the sign for what cannot be shown in
    their place, numbers become null.
    """
    return Jsonb(_storable(values))


def _storable(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {storable(key): _storable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(each) for each in value]
    return value
