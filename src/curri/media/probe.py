"""What a video file is, as MediaInfo sees it; or why it is none, in words for the person who made it.

MediaInfo is asked for JSON and given an open file: it never sees a name (names that are not UTF-8 stop it), and what
it is told stays the same whatever the locale. Its words (AVC, BT.2020, PQ) are kept: docs and bug reports use them.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from curri.errors import ToolError

if TYPE_CHECKING:
    from pymediainfo import MediaInfo

SHORTEST_SECONDS = 0.1
"""Stream answers ERR_DURATION_TOO_SHORT below (Cloudflare's documentation of its error codes)."""

Track: TypeAlias = Mapping[str, object]

_PLAYLISTS = (b"#EXTM3U", b"<?xml", b"ffconcat")
"""Text that makes other files, or addresses, be opened. MediaInfo and ffmpeg would follow it."""


class Flaw(StrEnum):
    """Why a file cannot be used as a video."""

    NOT_A_FILE = "not-a-file"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    NOT_A_VIDEO = "not-a-video"
    AUDIO_ONLY = "audio-only"
    PICTURE = "picture"
    PLAYLIST = "playlist"
    TOO_SHORT = "too-short"
    NO_DURATION = "no-duration"
    """A recording of a browser often has none. `verify.measure` finds it; then probe again with that."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """The refusal of a file: a stable name and a sentence (without a final stop)."""

    flaw: Flaw
    why: str


@dataclass(frozen=True, slots=True)
class Video:
    """The first moving picture of a file."""

    index: int  # among the video streams, from 0
    codec: str  # MediaInfo's word: AVC, HEVC, VP9, ProRes, MPEG Video
    profile: str | None
    level: str | None
    width: int  # pixels as stored, before rotation
    height: int
    rotation: int  # degrees to turn it by for showing: 0, 90, 180 or 270
    sample_aspect: float  # width of a pixel / its height
    frame_rate: Fraction | None  # frames a second; the mean if it varies
    variable: bool
    bit_depth: int | None
    chroma: str | None  # 4:2:0
    rgb: bool
    primaries: str | None
    transfer: str | None
    matrix: str | None
    full_range: bool | None
    hdr: str | None  # PQ, HLG, or "Dolby Vision" for a picture that has no other reading
    interlaced: bool
    duration: float | None  # seconds

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height as shown: upright, with square pixels."""
        wide = max(round(self.width * self.sample_aspect), 1)
        return (self.height, wide) if self.rotation in (90, 270) else (wide, self.height)


@dataclass(frozen=True, slots=True)
class Audio:
    """The first sound of a file."""

    codec: str  # AAC, Opus, PCM, MPEG Audio
    features: str  # LC, LC SBR; "" if MediaInfo says nothing
    framing: str  # ADTS, LATM; "" where the container does it
    channels: int | None
    sample_rate: int | None  # Hz
    duration: float | None  # seconds


@dataclass(frozen=True, slots=True)
class Probed:
    """A file that is a video."""

    container: str  # MediaInfo's word: MPEG-4 (also for MOV and 3GP), Matroska, WebM, MPEG-TS, Windows Media
    size: int  # bytes
    duration: float  # seconds
    video: Video
    audio: Audio | None
    video_streams: int
    audio_streams: int
    text_streams: int

    @property
    def bit_rate(self) -> float:
        """Bits a second of everything: what an upload has to carry."""
        return self.size * 8 / self.duration


def probe(path: Path, *, duration: float | None = None) -> Probed | Unusable:
    """What the file at `path` is. Reads some headers, not the whole; takes some 10 ms.

    `duration` (seconds) stands in where the file does not say. Raises ToolError only if MediaInfo itself is missing:
    whatever is wrong with the file comes back as Unusable.
    """
    media_info = _library()
    try:
        if (file := _open(path)) is None:
            return Unusable(Flaw.NOT_A_FILE, "this is not a regular file")
        with file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                return Unusable(Flaw.EMPTY, "the file is empty (0 bytes): copy or export it again")
            start = file.read(16).lstrip(b"\xef\xbb\xbf")
            if start.startswith(_PLAYLISTS):
                return Unusable(Flaw.PLAYLIST, "this is a list of addresses of a video, not the video: download it")
            file.seek(0)
            answer = media_info.parse(file, output="JSON", full=False, encoding_errors="replace")
    except (OSError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "MediaInfo gave up"
        return Unusable(Flaw.UNREADABLE, f"the file cannot be read ({reason})")
    try:
        tracks = json.loads(answer)["media"]["track"]
    except (ValueError, KeyError, TypeError):
        return Unusable(Flaw.NOT_A_VIDEO, "this is not a video that can be recognised")
    return from_tracks(tracks, size, duration=duration)


def from_tracks(tracks: Sequence[Track], size: int, *, duration: float | None = None) -> Probed | Unusable:
    """Pure: MediaInfo's tracks (`media.track` of its JSON) of a file of `size` bytes -> what it is."""
    general = next((track for track in tracks if track.get("@type") == "General"), {})
    videos = [track for track in tracks if track.get("@type") == "Video"]
    audios = [track for track in tracks if track.get("@type") == "Audio"]
    moving = [(n, track) for n, track in enumerate(videos) if _text(track, "FrameCount") != "1"]  # no cover pictures
    if flaw := _flaw(general, tracks, moving=bool(moving)):
        return flaw
    video = _video(*moving[0])
    audio = _audio(audios[0]) if audios else None
    if video.width < 2 or video.height < 2:
        return Unusable(Flaw.NOT_A_VIDEO, "the video has no picture size: it was not finished, or is damaged")
    stated = _number(general, "Duration")
    known = [d for d in (stated, video.duration, audio.duration if audio else None) if d]
    length = stated or max(known, default=0.0) or duration or 0.0
    if not length:
        return Unusable(Flaw.NO_DURATION, "the file does not say how long it is: convert it to MP4")
    if length < SHORTEST_SECONDS:
        return Unusable(Flaw.TOO_SHORT, f"the video is shorter than {SHORTEST_SECONDS} s")
    return Probed(
        container=_text(general, "Format"),
        size=size,
        duration=length,
        video=video,
        audio=audio,
        video_streams=len(videos),
        audio_streams=len(audios),
        text_streams=sum(track.get("@type") == "Text" for track in tracks),
    )


def _flaw(general: Track, tracks: Sequence[Track], *, moving: bool) -> Unusable | None:
    """What speaks against the file as a whole, the plainest first."""
    kinds = {track.get("@type") for track in tracks}
    extra = general.get("extra")
    cut = isinstance(extra, dict) and extra.get("IsTruncated") == "Yes"
    # A recording of a browser has sizes "unknown", which MediaInfo takes for missing bytes; it has no duration either.
    live = _text(general, "Format") in ("WebM", "Matroska") and not _number(general, "Duration")
    if cut and not live:
        why = "the file ends too early: it is still being copied, or the recording or the download was cut off"
        return Unusable(Flaw.TRUNCATED, why)
    if any(isinstance(more := track.get("extra"), dict) and "Source" in more for track in tracks):
        return Unusable(Flaw.PLAYLIST, "the picture lies in another file: export the video as one file")
    if moving:
        return None
    if "Video" in kinds or "Image" in kinds:
        return Unusable(Flaw.PICTURE, "this is a still picture, not a video")
    if "Audio" in kinds:
        return Unusable(Flaw.AUDIO_ONLY, "the file has sound but no picture: export it again with the picture")
    kind = _text(general, "Format")
    if kind == "MPEG-4":
        return Unusable(Flaw.TRUNCATED, "the file has no picture and no sound: the recording was not finished")
    return Unusable(Flaw.NOT_A_VIDEO, f"this is not a video{f' but {kind}' if kind else ''}, whatever its name says")


def _video(index: int, track: Track) -> Video:
    hdr_format, compatible = _text(track, "HDR_Format"), _text(track, "HDR_Format_Compatibility")
    transfer = _text(track, "transfer_characteristics") or None
    hdr = transfer if transfer in ("PQ", "HLG") else None
    if "Dolby Vision" in hdr_format and not compatible:
        hdr = "Dolby Vision"
    colour = _text(track, "ColorSpace")
    codec = _text(track, "Format") or "unknown"
    colour_range = _text(track, "colour_range")
    return Video(
        index=index,
        codec=codec,
        profile=_text(track, "Format_Profile") or None,
        level=_text(track, "Format_Level") or None,
        width=int(_number(track, "Width") or 0),
        height=int(_number(track, "Height") or 0),
        rotation=round((_number(track, "Rotation") or 0.0) / 90) * 90 % 360,
        sample_aspect=_number(track, "PixelAspectRatio") or 1.0,
        frame_rate=_frame_rate(track),
        variable=_text(track, "FrameRate_Mode") == "VFR",
        bit_depth=int(_number(track, "BitDepth") or 0) or None,
        chroma=_text(track, "ChromaSubsampling") or None,
        rgb=colour.startswith("RGB") or codec == "PNG",  # of PNG it does not say
        primaries=_text(track, "colour_primaries") or None,
        transfer=transfer,
        matrix=_text(track, "matrix_coefficients") or None,
        full_range=colour_range == "Full" if colour_range else None,
        hdr=hdr,
        interlaced=_text(track, "ScanType") in ("Interlaced", "MBAFF"),
        duration=_number(track, "Duration"),
    )


def _audio(track: Track) -> Audio:
    return Audio(
        codec=_text(track, "Format") or "unknown",
        features=_text(track, "Format_AdditionalFeatures"),
        framing=_text(track, "MuxingMode"),
        channels=int(_number(track, "Channels") or 0) or None,
        sample_rate=int(_number(track, "SamplingRate") or 0) or None,
        duration=_number(track, "Duration"),
    )


def _frame_rate(track: Track) -> Fraction | None:
    """Exact where MediaInfo gives a fraction; its three decimals else, where 29.970 means 30000/1001."""
    above, below = _number(track, "FrameRate_Num"), _number(track, "FrameRate_Den")
    if above and below:
        return Fraction(int(above), int(below))
    if not (rate := _number(track, "FrameRate")):
        return None
    for whole in (24, 30, 48, 60, 120):
        if abs(rate - whole / 1.001) < 0.0006:
            return Fraction(whole * 1000, 1001)
    return Fraction(rate).limit_denominator(1000)


def _text(track: Track, key: str) -> str:
    value = track.get(key)
    return value.strip() if isinstance(value, str) else ""


def _number(track: Track, key: str) -> float | None:
    """A finite number above nothing at all; None where it is missing or no number."""
    try:
        value = float(_text(track, key))
    except ValueError:
        return None
    return value if -1e15 < value < 1e15 else None


def _open(path: Path) -> BinaryIO | None:
    """The file, open; None for a folder, a pipe and the like. Never waits for a pipe's other end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    return None


def _library() -> type[MediaInfo]:
    hint = "install curri again: pymediainfo brings MediaInfo along on Linux, macOS and Windows"
    try:
        from pymediainfo import MediaInfo  # here: `curri --help` must stay quick
    except ImportError as error:
        raise ToolError("MediaInfo is not installed", hint=hint) from error
    if not MediaInfo.can_parse():
        raise ToolError("MediaInfo is installed, but its library cannot be loaded", hint=hint)
    return MediaInfo
