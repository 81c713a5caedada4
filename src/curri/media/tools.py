"""Finds ffmpeg and tries out what it can do."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from curri.errors import ToolError
from curri.media.arguments import HDR_TO_SDR
from curri.media.process import environment, printable

WANTED = frozenset({"libx264", "aac"})
"""The encoders of the recipe."""

_TRIAL_SECONDS = 30.0
"""How long a trial may take; it takes some 0.1 s. A binary on a network drive that went away never answers."""
_INSTALL = (
    "install ffmpeg with libx264 (the extra `embedded` brings one; from the checkout: pip install '.[embedded]'),"
    " or name one in CURRI_FFMPEG"
)
_PICTURE = ("-f", "lavfi", "-i", "color=size=64x64:rate=25:duration=0.08")
_SOUND = ("-f", "lavfi", "-i", "anullsrc=sample_rate=48000", "-t", "0.08")
_HDR = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """An ffmpeg that runs."""

    path: str  # absolute
    version: str  # as it calls itself, for messages and records only: "7.1.1", "n9.0.2-17-g2a571b6068"
    encoders: frozenset[str] = field(default_factory=frozenset)
    """Those of `WANTED` that encoded a frame when tried."""
    converts_hdr: bool = False
    """It has zscale (zimg) and tonemap, without which HDR pictures come out grey."""


def find(configured: str | None = None, *, search_path: str | None = None) -> Ffmpeg:
    """The ffmpeg to use: `configured` (CURRI_FFMPEG) and no other, else that of PATH, else that of imageio-ffmpeg.

    `search_path` stands in for PATH. The first that has the encoders of `WANTED` is taken. Takes about 0.3 s; nothing
    is remembered between calls. Raises ToolError, with what was wrong with each one tried, if there is none.
    """
    wrong: list[str] = []
    for origin, path in _candidates(configured, search_path):
        try:
            found = examine(path)
        except ToolError as error:
            wrong.append(f"{origin}: {error.message}")
            continue
        if not (missing := WANTED - found.encoders):
            return found
        wrong.append(f"{origin}: {path} has no encoder {' and '.join(sorted(missing))}")
    if not wrong:
        raise ToolError("ffmpeg was not found", hint=_INSTALL)
    raise ToolError(f"no usable ffmpeg ({'; '.join(wrong)})", where=configured, hint=_INSTALL)


def examine(path: str) -> Ffmpeg:
    """Try out the ffmpeg at `path`: real encodes of two frames, as its lists are text for people.

    Raises ToolError if it cannot be started, does not end, or is not ffmpeg.
    """
    version = _ask(path, "-hide_banner", "-version")
    name, _, rest = version.stdout.decode("utf-8", "replace").partition(" version ")
    if version.returncode or name != "ffmpeg":
        reason = printable(version.stderr).replace("\n", " / ") or f"exit code {version.returncode}"
        raise ToolError(f"{path} is not a working ffmpeg: {reason}", where=path, hint=_INSTALL)
    both = (*_PICTURE, *_SOUND, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")
    if _works(path, *both):
        encoders = WANTED
    else:
        trials = {
            "libx264": (*_PICTURE, "-pix_fmt", "yuv420p", "-c:v", "libx264"),
            "aac": (*_SOUND, "-c:a", "aac"),
        }
        encoders = frozenset(name for name, arguments in trials.items() if _works(path, *arguments))
    chain = [f"{name}={':'.join(f'{key}={value}' for key, value in options.items())}" for name, options in HDR_TO_SDR]
    filters = ",".join([_HDR, *chain, "format=pix_fmts=yuv420p"])
    converts = _works(path, *_PICTURE, "-vf", filters, "-c:v", "rawvideo")
    return Ffmpeg(path, rest.split(" ", 1)[0].strip(), encoders, converts)


def _candidates(configured: str | None, search_path: str | None) -> list[tuple[str, str]]:
    if configured:
        found = shutil.which(Path(configured).expanduser(), path=search_path)
        if found is None:
            hint = "set CURRI_FFMPEG to the ffmpeg program itself, or remove it to search PATH"
            raise ToolError("CURRI_FFMPEG names no program that can be run", where=configured, hint=hint)
        return [("CURRI_FFMPEG", _absolute(str(found)))]
    found = shutil.which("ffmpeg", path=search_path)
    candidates = [("PATH", _absolute(found))] if found else []
    if bundled := _bundled():
        candidates.append(("imageio-ffmpeg", bundled))
    return candidates


def _bundled() -> str | None:
    """The ffmpeg inside the wheel of imageio-ffmpeg, if that is installed and has one for this machine."""
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped,unused-ignore]  # heavy, optional
    except ImportError:
        return None
    try:
        path: str = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        return None
    return _absolute(path)


def _absolute(path: str) -> str:
    """Without following links: a program may behave by the name it is called by."""
    return str(Path(path).absolute())


def _works(path: str, *arguments: str) -> bool:
    return _ask(path, "-nostdin", "-v", "error", *arguments, "-f", "null", "-").returncode == 0


def _ask(path: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRIAL_SECONDS,
            env=environment(os.environ),
            check=False,
        )
    except OSError as error:
        raise ToolError(f"{path} cannot be started: {error.strerror}", where=path, hint=_INSTALL) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{path} does not answer", where=path, hint=_INSTALL) from error
