"""Whether a video is encoded before it is sent, and to what. Pure: nothing is opened or run.

Stream bills minutes, not bytes, and encodes everything anew. Encoding here only makes the upload shorter, so a video
that is as Stream recommends it is sent as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from curri.media.probe import Probed, Video

RECIPE_VERSION = "h264-1"
"""Names everything in this module and in `arguments` that shapes an encode. A change there needs a new one: cached
encodes of another version are thrown away, and the catalog records which version a video was sent with."""

LADDER = ((360, 1_000_000), (480, 2_400_000), (720, 4_800_000), (1080, 8_000_000))
"""(height, bits a second) that Stream recommends for an upload (Cloudflare's FAQ of Stream)."""
TALLEST = 1080
"""Stream's largest output; the width counts for portrait videos (since 2024-08-15, its release notes)."""
TOLERANCE = 0.15
"""How far above the ladder a bit rate may lie: sound and container add to it, and 15 % less is no saving."""
CAP_SHARE = 0.95
"""The share of the ladder that the picture of an encode may take: with its sound it then stays within `TOLERANCE`,
so that an encode, should it come back as a source, is not encoded again."""
MINIMUM_SAVING = 0.10
"""An encode that is not this much smaller is not used: it would cost quality and save no time."""
LARGEST_FILE = 30_000_000_000
"""Bytes; Stream takes 30 GB (Cloudflare's FAQ of Stream)."""
FASTEST = 60
"""Frames a second that are kept: Stream's page on uploads recommends at most 60 and says its output has at most 70."""
VARIABLE_UP_TO = Fraction(61, 2)
"""A variable frame rate with a mean up to this becomes 30: Stream drops what lies closer than 1/30 s anyway."""
SOUND_RATES = {1: 96_000, 2: 160_000}
"""Bits a second for AAC by channels: ffmpeg's own default (128 kbit/s for stereo) and some more for music."""

CONTAINERS = frozenset(
    {"MPEG-4", "Matroska", "WebM", "AVI", "Flash Video", "MPEG-TS", "BDAV", "MPEG-PS", "MXF", "GXF", "LXF"}
)
"""What Stream says it takes, in MediaInfo's words (MP4, MOV and 3GP are MPEG-4)."""
CODECS = frozenset(
    {"AVC", "HEVC", "VP8", "VP9", "MPEG Video", "MPEG-4 Visual", "ProRes", "DV", "H.263", "Sorenson Spark", "JPEG"}
)
"""Stream names containers only; these are the codecs that usually lie in them. Any other is encoded, to be safe."""


class Action(StrEnum):
    """What is done with a video."""

    PASSTHROUGH = "passthrough"
    ENCODE = "encode"


class Reason(StrEnum):
    """Why. The words are stored in the catalog and never change."""

    WITHIN_LIMITS = "within-limits"
    NOT_WANTED = "not-wanted"
    HDR_KEPT = "hdr-kept"
    """It would be encoded, but this ffmpeg cannot turn its colours into what every player shows."""
    CONTAINER = "container"
    CODEC = "codec"
    FILE_SIZE = "file-size"
    PICTURE_SIZE = "picture-size"
    BIT_RATE = "bit-rate"
    INTERLACED = "interlaced"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with a video, and why."""

    action: Action
    reason: Reason  # the weightiest, where there are several
    why: str  # all of them, in words, without a final stop
    required: bool = False
    """Stream is not known to take the video as it is: an encode is used even if it is not smaller."""


def decide(probed: Probed, *, compress: bool = True, converts_hdr: bool = True) -> Decision:
    """Passthrough or encode.

    `compress=False` (--no-compress) sends everything as it is. `converts_hdr` is what `Ffmpeg.converts_hdr` says: an
    HDR video is not encoded without it, nor is Dolby Vision without a plain picture beside it, which no ffmpeg reads.
    """
    if not compress:
        return Decision(Action.PASSTHROUGH, Reason.NOT_WANTED, "compression is switched off")
    against = _against(probed)
    if not against:
        return Decision(Action.PASSTHROUGH, Reason.WITHIN_LIMITS, _praise(probed))
    why = "; ".join(words for _, words, _ in against)
    required = any(needed for _, _, needed in against)
    if probed.video.hdr == "Dolby Vision" or (probed.video.hdr and not converts_hdr):
        words = f"sent as it is, as encoding would spoil the colours ({probed.video.hdr}), although {why}"
        return Decision(Action.PASSTHROUGH, Reason.HDR_KEPT, words)
    return Decision(Action.ENCODE, against[0][0], why, required=required)


def _against(probed: Probed) -> list[tuple[Reason, str, bool]]:
    """What is not as Stream recommends, the weightiest first: (reason, words, whether Stream may refuse it)."""
    video, (width, height) = probed.video, probed.video.shown
    limit = ladder_rate(width, height)
    found: list[tuple[Reason, str, bool]] = []
    if probed.container not in CONTAINERS:
        found.append((Reason.CONTAINER, f"Stream does not take files of the kind {probed.container}", True))
    if video.codec not in CODECS:
        found.append((Reason.CODEC, f"Stream is not known to take {video.codec} pictures", True))
    if probed.size > LARGEST_FILE:
        found.append((Reason.FILE_SIZE, f"{probed.size / 1e9:.1f} GB are more than the 30 GB of Stream", True))
    if min(width, height) > TALLEST:
        found.append((Reason.PICTURE_SIZE, f"{width}x{height} is more than the {TALLEST}p that Stream shows", False))
    if probed.bit_rate > limit * (1 + TOLERANCE):
        words = f"{probed.bit_rate / 1e6:.1f} Mbit/s is more than the {limit / 1e6:g} recommended for {width}x{height}"
        found.append((Reason.BIT_RATE, words, False))
    if video.interlaced:
        found.append((Reason.INTERLACED, "it is interlaced", False))
    return found


def _praise(probed: Probed) -> str:
    width, height = probed.video.shown
    return f"already as Stream recommends: {probed.video.codec}, {width}x{height}, {probed.bit_rate / 1e6:.1f} Mbit/s"


def ladder_rate(width: int, height: int) -> int:
    """The bit rate that Stream recommends for a picture of this size; between two steps, that of the larger."""
    return next((rate for step, rate in LADDER if min(width, height) <= step), LADDER[-1][1])


def picture_cap(video: Video) -> int:
    """The most bits a second that the picture of the encode may take, over any second or so."""
    return int(ladder_rate(*target_size(video)) * CAP_SHARE)


def target_size(video: Video) -> tuple[int, int]:
    """Width and height of the encode: upright, square pixels, at most 1080p, even (4:2:0 needs pairs of pixels)."""
    width, height = video.shown
    short = min(width, height)
    if short > TALLEST:
        width, height = (round(side * TALLEST / short / 2) * 2 for side in (width, height))
    return max(width // 2 * 2, 2), max(height // 2 * 2, 2)


def target_frame_rate(video: Video) -> Fraction | None:
    """The constant frame rate of the encode; None: that of the source, whatever it turns out to be.

    Above 60 every second (third, ...) frame is kept, so that motion stays even. A variable rate becomes the usual
    one that it is close to, else 30, or 60 if its mean says that more than 30 are there.
    """
    rate = video.frame_rate
    if rate is None or rate <= 0:
        return None
    if video.variable:
        usual = (Fraction(24_000, 1001), Fraction(24), Fraction(25), Fraction(30_000, 1001), Fraction(30))
        nearest = min(usual, key=lambda known: abs(known - rate))
        if abs(nearest - rate) <= nearest / 200:
            return nearest
        return Fraction(30) if rate <= VARIABLE_UP_TO else Fraction(FASTEST)
    return rate / math.ceil(rate / FASTEST)


def copies_audio(probed: Probed) -> bool:
    """Whether the sound is taken over bit by bit: AAC that MP4 can hold, in mono or stereo."""
    audio = probed.audio
    return (
        audio is not None
        and audio.codec == "AAC"
        and (not audio.features or audio.features.startswith("LC"))
        and audio.framing != "LATM"
        and audio.channels in (1, 2)
    )


def sound_channels(probed: Probed) -> int:
    """Channels of an encoded sound: as in the source up to stereo, to which more are mixed down."""
    return 1 if probed.audio and probed.audio.channels == 1 else 2


def most_bytes(probed: Probed) -> int:
    """The most that an encode of this video can take on disk: the cap of the recipe for its whole duration.

    3 % and 1 MB on top are for the container and for the second that the encoder may run ahead of its cap.
    """
    rate = picture_cap(probed.video)
    sound = max(SOUND_RATES.values()) * 2 if probed.audio else 0  # copied sound may be richer than encoded
    return int((rate + sound) / 8 * (probed.duration + 1) * 1.03) + 1_000_000
