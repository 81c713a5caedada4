"""Becomes another program that ends with the one that started it. Run as a script, never imported.

    python launch.py NICENESS PARENT PROGRAM [ARGUMENT ...]

Two things must happen between fork and exec, and threads make it unsafe to do them in the forked interpreter of the
parent (`preexec_fn`): lower the priority, and ask the kernel to end this process with its parent. Without the second
an encoder whose parent was killed would go on for hours beside the one that the next run starts.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def become(niceness: int, parent: int, program: list[str]) -> None:
    """Replace this process by `program`; returns only by an exception (OSError: it cannot be started)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)
    if niceness > 0:
        os.nice(niceness)
    os.execv(program[0], program)  # noqa: S606 - a list of arguments, no shell


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
