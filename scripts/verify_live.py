"""Ask a real account of Cloudflare Stream what its documents leave open, and say whether curri is right about it.

    python scripts/verify_live.py            say what it will do, ask, and do it
    python scripts/verify_live.py --yes      do it
    python scripts/verify_live.py --list     only name the facts

It reads CLOUDFLARE_ACCOUNT_ID, CLOUDFLARE_API_TOKEN (or the file CLOUDFLARE_API_TOKEN_FILE) and CURRI_STREAM_URL. Each
video that it makes is deleted in the end, also after Ctrl-C; no other video is ever changed.

Exit codes: 0 all that curri relies on holds; 6 something of that differs; 3 something of that could not be seen, or a
video is left; 2 not confirmed; 9 credentials; 130 and 143 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.live import library, uploads
from scripts.live.account import MARGIN, PADDED, PREFIX, Live, opened
from scripts.live.facts import Finding, Verdict

from curri.errors import ConfigError, CurriError, ExitCode, ToolError
from curri.media.probe import Probed, probe
from curri.stream.account import PUBLIC, Account, shown
from curri.stream.secret import Secret
from curri.stream.videos import Videos

CLIP = Path(__file__).resolve().parent.parent / "curriculum.example/Course_01/Lesson_01/practice/video.mp4"
CHECKS = [*uploads.CHECKS, *library.CHECKS]


class Ended(KeyboardInterrupt):
    """The system asks for an end, as Ctrl-C does."""


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        description="Ask a real account what the documents of Cloudflare Stream leave open."
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before anything is uploaded")
    parser.add_argument("--list", action="store_true", help="only name the facts, ask nobody")
    parser.add_argument("--wait", type=float, default=600.0, metavar="SECONDS", help="for the processing (default 600)")
    given = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if given.list:
        for check in CHECKS:
            print(f"{'relied on' if check.fact.relied else 'either way'}  {check.fact.name}")
        return ExitCode.OK
    if not given.yes and not sys.stdin.isatty():
        say("nobody can be asked here: give --yes to upload short clips to the account and delete them again")
        return ExitCode.USAGE
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
    try:
        return verify(account(), given.wait, confirmed=given.yes)
    except CurriError as error:
        say("\n  ".join(filter(None, (error.message, error.where, error.hint))))
        return error.exit_code
    except Ended:
        return ExitCode.TERMINATED
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def account() -> Account:
    """Whose Stream it is, from the environment. Raises ConfigError."""
    account_id = os.environ.get("CLOUDFLARE_ACCOUNT_ID", "")
    token = os.environ.get("CLOUDFLARE_API_TOKEN", "")
    file = os.environ.get("CLOUDFLARE_API_TOKEN_FILE", "")
    if not token and file:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("the file with the token cannot be read", where=file, hint=f"check {file}") from error
    lacking = [
        name for name, value in (("CLOUDFLARE_ACCOUNT_ID", account_id), ("CLOUDFLARE_API_TOKEN", token)) if not value
    ]
    if lacking:
        hint = "make a token with the permission Account > Stream > Edit; a file may hold it: CLOUDFLARE_API_TOKEN_FILE"
        raise ConfigError(f"not set: {' and '.join(lacking)}", hint=hint)
    return Account(account_id, Secret(token), os.environ.get("CURRI_STREAM_URL") or PUBLIC)


def verify(whose: Account, wait: float, *, confirmed: bool) -> int:
    """Ask, make all checks, delete what they made; the exit code. Raises CurriError if nothing could be begun."""
    clip = probe(CLIP)
    if not isinstance(clip, Probed):
        raise ToolError(f"the example clip cannot be used: {clip.why}", where=str(CLIP))
    print(_plan(shown(whose.base), clip.duration), flush=True)
    if not confirmed and not _agreed():
        say("nothing was done")
        return ExitCode.USAGE
    with opened(whose) as client, tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        Videos(client).verify()  # before anything is made
        live = Live(client, CLIP, clip.duration, Path(folder), wait, say)
        findings: list[Finding] = []
        try:
            for check in CHECKS:
                findings.append(check.run(live))
                print(_line(findings[-1]), flush=True)
        except KeyboardInterrupt:
            say("interrupted; deleting what was made")
            raise
        finally:
            left = remove(live)
    return summary(findings, left=left)


def remove(live: Live) -> bool:
    """Delete what was made; whether anything is left, which is said then. A second Ctrl-C ends this, too."""
    try:
        left = live.remove_all()
    except KeyboardInterrupt:
        left = dict.fromkeys([*live.made, *live.unanswered.values()], "interrupted")
        say(_left(live, left))
        raise
    if left:
        say(_left(live, left))
    return bool(left)


def summary(findings: list[Finding], *, left: bool) -> int:
    """Print how many facts turned out how; the exit code."""
    count = Counter(finding.verdict for finding in findings)
    print(f"\n{len(findings)} facts: " + ", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict))
    relied = {finding.verdict for finding in findings if finding.fact.relied}
    if Verdict.DIFFERS in relied:
        print("something that curri relies on differs: do not upload with it before that is put right")
        return ExitCode.STREAM
    if Verdict.NOT_SEEN in relied:
        print("something that curri relies on could not be seen: run it again")
        return ExitCode.SOME_ITEMS
    print("all that curri relies on holds")
    return ExitCode.SOME_ITEMS if left else ExitCode.OK


def say(text: str) -> None:
    """Say something beside the results."""
    print(f"verify-live: {text}", file=sys.stderr, flush=True)


def _agreed() -> bool:
    try:
        return input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _plan(host: str, seconds: float) -> str:
    stored, reserved = 2 * seconds, max(uploads.OPEN_SECONDS, 2 * (seconds + MARGIN))
    return f"""This asks the API at {host}, with your token. In your account it
- opens 3 uploads, named {PREFIX}...; no other video is touched
- fills 2 of them with a clip of {seconds:g} s, {(PADDED + CLIP.stat().st_size) / 1e6:.0f} MB in all
- takes less than a minute of storage meanwhile ({stored:g} s are stored, up to {reserved:g} s reserved)
- deletes all of them again, also after Ctrl-C
"""


def _line(finding: Finding) -> str:
    line = f"{finding.verdict:<11}  {finding.fact.name}: {finding.seen}"
    if finding.verdict is Verdict.AS_EXPECTED:
        return line
    return f"{line} ({'curri relies on it' if finding.fact.relied else 'curri is right either way'})"


def _left(live: Live, left: dict[str, str]) -> str:
    lines = [f"  {what}: {why}" for what, why in left.items()]
    return live.scrubbed("\n".join(["NOT DELETED; please delete in the dashboard of Stream:", *lines]))


def _end(_number: int, _frame: FrameType | None) -> None:
    raise Ended


if __name__ == "__main__":
    sys.exit(main())
