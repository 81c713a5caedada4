"""Runs `curri` in this process and kills it (SIGKILL) when a video is deleted on Stream.

python driver.py before|after ARGUMENT...

`before`: the catalog is told, and Stream was asked nothing. `after`: it is gone from Stream, and nobody knows.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from curri.cli.main import main
from curri.stream.videos import Videos


def doomed(when: str) -> None:
    """Let the deletion be the last thing that happens."""
    delete = Videos.delete

    def last(*arguments: Any) -> Any:
        if when == "after":
            delete(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Videos, "delete", last)  # noqa: B010


if __name__ == "__main__":
    doomed(sys.argv.pop(1))
    main()
