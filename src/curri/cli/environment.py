"""What the environment and `.env` say to curri, and what in them nobody listens to."""

from __future__ import annotations

import os
from collections.abc import Collection

from curri.errors import ConfigError

PREFIX = "CURRI_"
TESTS = "CURRI_TEST_"
"""What the project's own tests and scripts use begins so, and is nobody else's concern."""
OURS = (PREFIX, "DATABASE_URL", "CLOUDFLARE_")


def load_env_file() -> frozenset[str]:
    """Let a `.env` in the working folder set what the environment does not; return the names it set.

    Raises ConfigError if it cannot be read, or a line of it not be understood: without what it says, a command could
    work on another database.
    """
    if not os.path.exists(".env"):  # noqa: PTH110 - pathlib would be the slowest import of `curri --help`
        return frozenset()
    from io import StringIO

    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    where = os.path.abspath(".env")  # noqa: PTH100 - as above
    try:
        with open(".env", encoding="utf-8-sig") as file:  # noqa: PTH123 - as above
            text = file.read()
        broken = next((each.original for each in parse_stream(StringIO(text)) if each.error), None)
        if broken is not None:  # dotenv would leave it out. Not shown: it may hold a password
            line = broken.line + broken.string[: len(broken.string) - len(broken.string.lstrip())].count("\n")
            hint = "a line is NAME=value; quotes around the value must be closed"
            raise ConfigError(f"line {line} of .env is not understood", where=f"{where}:{line}", hint=hint)
        values = dotenv_values(stream=StringIO(text)).items()
        given = {name: value for name, value in values if value and name.startswith(OURS) and name not in os.environ}
        os.environ.update(given)
    except (OSError, ValueError) as error:  # not UTF-8, or a NUL, which no variable holds
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file in UTF-8"
        raise ConfigError(f"the settings in .env cannot be read: {reason}", where=where) from None
    return frozenset(given)


def unknown(options: Collection[str]) -> list[str]:
    """Return what to say of the variables that look like curri's and are none: one line each, without the value.

    `options` are the variables of the options of all commands. A variable without a value counts as not set.
    """
    given = [name for name, value in sorted(os.environ.items()) if value]
    ours = [name for name in given if name.startswith(PREFIX) and not name.startswith(TESTS)]
    if not ours:
        return []  # as on most machines: nothing has to be imported for it

    import difflib

    from curri.config import Settings, variables

    known = {variable for name in Settings.model_fields for variable in variables(name)} | set(options)
    short = {name.removeprefix(PREFIX): name for name in sorted(known)}  # what all have would make all alike
    told = []
    for name in ours:
        if name not in known:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), short, n=1)
            meant = f": did you mean {short[near[0]]}?" if near else ": `curri --help` and `curri config` name all"
            told.append(f"{name} is not a variable of curri{meant}")
    return told
