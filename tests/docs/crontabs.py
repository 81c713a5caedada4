"""Crontabs in the documents, read and run as cron does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .pages import blocks

FIELD = r"(?:\*|[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*)(?:/[0-9]+)?"
JOB = re.compile(rf"((?:{FIELD}\s+){{5}})(\S.*)")
SECONDS = 60


def crontab(page: Path) -> tuple[dict[str, str], list[tuple[list[str], str]]]:
    """Return variables and jobs (fields, command) by cron's own rules; fails for what cron would not take."""
    (table,) = blocks(page, "crontab")
    variables: dict[str, str] = {}
    jobs: list[tuple[list[str], str]] = []
    for line in table.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if found := re.fullmatch(r"([A-Za-z_]+)\s*=\s*(.*)", line):
            assert not jobs, "a variable counts for the jobs below it only"
            variables[found[1]] = found[2].strip("\"'")
            continue
        job = JOB.fullmatch(line)
        assert job, line
        assert "%" not in job[2].replace("\\%", ""), "cron takes it for a new line"
        assert len(line) < 998
        jobs.append((job[1].split(), job[2]))
    return variables, jobs


def as_cron(command: str, variables: Mapping[str, str], home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as cron does: by its shell, with next to no environment, in the home folder."""
    given = {"HOME": str(home), "LOGNAME": "curri", "USER": "curri", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    environment = {**given, **variables}
    return subprocess.run(
        [environment["SHELL"], "-c", command],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
