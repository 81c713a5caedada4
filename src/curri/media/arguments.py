"""The arguments that make ffmpeg follow the recipe. Pure; the graph is written with ffmpeg-python, which runs nothing.

What shapes the result is part of `recipe.RECIPE_VERSION`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType
from typing import Protocol

from curri.media import recipe
from curri.media.probe import Probed, Video

CRF = 20
"""x264's constant quality. Stream encodes once more, so the loss here should not be seen: ffmpeg's guide to H.264
calls 17 to 18 visually lossless, 23 is the default."""
PRESET = "veryfast"
"""The encode has to be quicker than the upload it shortens. Measured on two cores with a made-up clip (zoom with film
grain, 1080p, 25 to 8 Mbit/s): 27 frames a second and VMAF 82.5; `medium` does 12 and 84.1."""
KEYFRAME_SECONDS = 2
"""Closed groups of pictures of 2 s, as is customary for streaming; Stream gives no number."""

HDR_TO_SDR: tuple[tuple[str, dict[str, str]], ...] = (
    ("zscale", {"transfer": "linear", "npl": "100"}),
    ("format", {"pix_fmts": "gbrpf32le"}),
    ("zscale", {"primaries": "bt709"}),
    ("tonemap", {"tonemap": "hable", "desat": "0"}),
    ("zscale", {"transfer": "bt709", "matrix": "bt709", "range": "tv"}),
)
"""Linear light, narrower primaries, tone curve, then BT.709: the order that zimg needs. 100 nits is SDR's white."""

_PRIMARIES = {
    "BT.709": "bt709",
    "BT.2020": "bt2020",
    "BT.601 NTSC": "smpte170m",
    "BT.601 PAL": "bt470bg",
    "SMPTE 240M": "smpte240m",
    "Display P3": "smpte432",
    "DCI P3": "smpte431",
}
_TRANSFERS = {
    "BT.709": "bt709",
    "BT.601": "smpte170m",
    "BT.2020 (10-bit)": "bt2020-10",
    "BT.2020 (12-bit)": "bt2020-12",
    "sRGB/sYCC": "iec61966-2-1",
    "BT.470 System M": "gamma22",
    "BT.470 System B/G": "gamma28",
    "SMPTE 240M": "smpte240m",
    "PQ": "smpte2084",
    "HLG": "arib-std-b67",
}
_MATRICES = {
    "BT.709": "bt709",
    "BT.601": "smpte170m",
    "BT.470 System B/G": "bt470bg",
    "BT.2020 non-constant": "bt2020nc",
    "SMPTE 240M": "smpte240m",
    "FCC 73.682": "fcc",
}
_BT709 = {"color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709"}
_SAMPLE_RATES = frozenset({16_000, 22_050, 24_000, 32_000, 44_100, 48_000})
"""Hz, as in the source; any other becomes 48,000."""


def encode(probed: Probed, source: Path, target: Path) -> list[str]:
    """Arguments (without the program) that encode `source` to an MP4 at `target`, which is overwritten.

    The first moving picture and the first sound are kept; subtitles, chapters and metadata are not: a phone writes
    the place where it stood into the file.
    """
    ffmpeg = _ffmpeg()
    opened = ffmpeg.input(str(source.absolute()), protocol_whitelist="file")
    streams = [_picture(opened[f"V:{probed.video.index}"], probed.video)]
    if probed.audio:
        streams.append(opened["a:0"])
    options = _video_options(probed.video) | _audio_options(probed) | _container_options()
    output = ffmpeg.output(*streams, str(target.absolute()), **options)
    built = ffmpeg.get_args(output, overwrite_output=True)
    return [*quiet(), *(str(argument) for argument in built)]


def decode(path: Path) -> list[str]:
    """Arguments that decode everything in `path` and throw it away; the first error ends it."""
    source = ("-protocol_whitelist", "file", "-i", str(path.absolute()))
    return [*quiet(), "-xerror", *source, "-map", "0:V", "-map", "0:a?", "-f", "null", "-"]


def measure(path: Path) -> list[str]:
    """Arguments that read through `path` without decoding; its progress ends at the duration."""
    source = ("-protocol_whitelist", "file", "-i", str(path.absolute()))
    return [*quiet(), *source, "-map", "0:V:0", "-c", "copy", "-f", "null", "-"]


def quiet() -> list[str]:
    """Errors only on standard error, progress for machines on standard output, nothing read from standard input."""
    return ["-hide_banner", "-nostdin", "-nostats", "-v", "error", "-progress", "pipe:1"]


def colours(video: Video) -> dict[str, str]:
    """The colours of the source in ffmpeg's words, as far as it states them."""
    stated = {
        "color_primaries": _PRIMARIES.get(video.primaries or ""),
        "color_trc": _TRANSFERS.get(video.transfer or ""),
        "colorspace": _MATRICES.get(video.matrix or ""),
    }
    if video.hdr:  # zimg refuses to convert from unknown colours; HDR in the wild is BT.2020
        transfer = "arib-std-b67" if video.hdr == "HLG" else "smpte2084"
        stated = {
            "color_primaries": stated["color_primaries"] or "bt2020",
            "color_trc": transfer,
            "colorspace": stated["colorspace"] or "bt2020nc",
        }
    elif video.rgb:
        stated = {"color_primaries": "bt709", "color_trc": stated["color_trc"] or "bt709", "colorspace": "bt709"}
    return {key: value for key, value in stated.items() if value}


class _Stream(Protocol):
    """What of ffmpeg-python's untyped streams is used here."""

    def filter(self, name: str, **options: str) -> _Stream: ...


def _picture(stream: _Stream, video: Video) -> _Stream:
    """Deinterlaced, constant frame rate, square pixels, upright, at most 1080p, 8 bits, standard colours.

    ffmpeg turns the picture upright by itself before the first filter. Width and height are given for either
    orientation, so that a rotation that only one of MediaInfo and ffmpeg understands cannot squeeze the picture.
    """
    if video.interlaced:
        stream = stream.filter("bwdif", mode="send_frame", deint="interlaced")
    rate = recipe.target_frame_rate(video)
    stream = stream.filter("fps", fps=str(rate) if rate else f"min(source_fps,{recipe.FASTEST})")
    short, long = sorted(recipe.target_size(video))
    size = {"w": f"if(gte(iw*sar,ih),{long},{short})", "h": f"if(gte(iw*sar,ih),{short},{long})"}
    matrix = {"out_color_matrix": "bt709"} if video.rgb else {}
    stream = stream.filter("scale", **size, flags="lanczos", out_range="tv", **matrix)
    tags = colours(video)
    if video.hdr:
        stream = stream.filter("setparams", range="tv", **tags)
        for name, options in HDR_TO_SDR:
            stream = stream.filter(name, **options)
        tags = _BT709
    stream = stream.filter("format", pix_fmts="yuv420p").filter("setsar", sar="1")
    return stream.filter("setparams", range="tv", **tags)


def _video_options(video: Video) -> dict[str, object]:
    rate = recipe.picture_cap(video)
    return {
        "c:v": "libx264",
        "preset": PRESET,
        "crf": CRF,
        "maxrate": rate,
        "bufsize": rate,
        "profile:v": "high",
        "flags": "+cgop",
        "force_key_frames": f"expr:gte(t,n_forced*{KEYFRAME_SECONDS})",
        # Said twice, here and by the last filter: which of the two an encoder takes depends on ffmpeg's version.
        **(_BT709 if video.hdr else colours(video)),
        "color_range": "tv",
    }


def _audio_options(probed: Probed) -> dict[str, object]:
    if probed.audio is None:
        return {}
    if recipe.copies_audio(probed):
        return {"c:a": "copy"}
    channels = recipe.sound_channels(probed)
    rate = probed.audio.sample_rate if probed.audio.sample_rate in _SAMPLE_RATES else 48_000
    return {"c:a": "aac", "b:a": recipe.SOUND_RATES[channels], "ac": channels, "ar": rate}


def _container_options() -> dict[str, object]:
    return {
        "f": "mp4",
        "movflags": "+faststart",
        "map_metadata": -1,
        "map_chapters": -1,
        "max_muxing_queue_size": 4096,  # older versions give up when a stream begins late
    }


def _ffmpeg() -> ModuleType:
    """ffmpeg-python. It and `future`, which it needs, are old: on newer Pythons importing them may warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ffmpeg  # type: ignore[import-untyped]
    module: ModuleType = ffmpeg
    return module
