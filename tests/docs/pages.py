"""The documents, and what can be tried of them."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
STARTS = r"(?:^|\$ |; |exec |: |bin/|\* |\$\(|[0-9]h )"
"""What stands before a command in a block of code: a prompt, another command, the times of a crontab. Elsewhere `curri`
is a user or a folder."""
PAGES = [
    TOP / "README.md",
    TOP / "SECURITY.md",
    *sorted((TOP / "docs").rglob("*.md")),
    TOP / "src/curri/sandbox/README.md",
]


def blocks(page: Path, language: str) -> list[str]:
    """Return the contents of all blocks of code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """Return every `curri ...` of a page: in a block of code, or between backticks in a line of text."""
    text = page.read_text()
    found = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        # What a console prints may begin with the word as well: `curri 0.1.0`.
        starts = STARTS.replace("^|", "") if language == "console" else STARTS
        found += re.findall(rf"{starts}curri ([^\n;|&#>)`]+)", block, re.MULTILINE)
    prose = re.sub(r"^```\w*\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found += re.findall(r"^ {4}curri ([^\n;|&#>)]+)", prose, re.MULTILINE)
    found += [re.split(r"\s[|;]|;|&&", words)[0] for words in re.findall(r"`curri\s+([^`]+)`", prose)]
    return [" ".join(words.split()) for words in found]
