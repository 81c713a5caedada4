"""Video files whose picture is to be shown turned, as phones record them."""

from __future__ import annotations

_UPRIGHT = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000")
_TURNED = bytes.fromhex("00000000 ffff0000 00000000 00010000 00000000 00000000 00000000 00000000 40000000")


def turned(mp4: bytes) -> bytes:
    """Return an MP4 file with its first track, the picture, turned by a quarter to the left.

    By the matrix in the track's header (ISO/IEC 14496-12, `tkhd`): ffmpeg has an option for it from 6.0 on only.
    """
    begin = mp4.index(_UPRIGHT, mp4.index(b"tkhd"))
    return mp4[:begin] + _TURNED + mp4[begin + len(_UPRIGHT) :]
