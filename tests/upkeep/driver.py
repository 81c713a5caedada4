"""Runs `curri` in this process and kills it (SIGKILL) at the n-th edit of metadata.

python driver.py before|after N ARGUMENT...

`before`: the journal has the change, and Stream was asked nothing. `after`: Stream has it, and nobody knows.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from curri.cli.main import main
from curri.stream.videos import Videos


def doomed(when: str, number: int) -> None:
    """Let the n-th edit be the last thing that happens."""
    rewrite = Videos.rewrite
    left = number

    def last(*arguments: Any, **keywords: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        edited = rewrite(*arguments, **keywords)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return edited

    setattr(Videos, "rewrite", last)  # noqa: B010


if __name__ == "__main__":
    doomed(sys.argv.pop(1), int(sys.argv.pop(1)))
    main()
