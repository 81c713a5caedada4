"""Runs `curri` in this process with a bug in the flow of `upload`: deep below the command, and not in what tells of it.

python driver.py ARGUMENT...
"""

from __future__ import annotations

from typing import Any

from curri.cli.main import main
from curri.flow import upload


def broken(*_: Any, **__: Any) -> None:
    raise ZeroDivisionError("a bug")


if __name__ == "__main__":
    setattr(upload, "run", broken)  # noqa: B010
    main()
