"""Real clips, made by ffmpeg when a test asks for one: short, small, and noisy where they must be worth encoding."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from curri.media.probe import Probed, probe
from curri.media.tools import Ffmpeg
from support.turned import turned

SOUND = "-f lavfi -i sine=frequency=440:duration={0}"
NOISY = "-f lavfi -i testsrc2=size={0}:rate={1}:duration={2},noise=alls=60:allf=t"
X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"
SURROUND = "-f lavfi -i anoisesrc=duration=1:amplitude=0.1,pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0"
X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none"
PQ = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
BARS = (
    "-f lavfi -i color=red:size=320x240:rate=25:duration=1,drawbox=x=80:w=80:color=0x20c040:t=fill,"
    "drawbox=x=160:w=80:color=blue:t=fill,drawbox=x=240:w=80:color=0xf0e0d0:t=fill"
)
SMPTE170M = "setparams=colorspace=smpte170m:color_primaries=smpte170m:color_trc=smpte170m"
STATED = "-colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m"
"""What newer versions of ffmpeg take from the filter above, older ones (5.1) must be told."""
HALVES = "-f lavfi -i color=white:size=320x240:rate=25:duration=1,drawbox=y=120:h=120:color=black:t=fill"

CLIPS = {
    # as Stream recommends it
    "plain.mp4": f"{NOISY.format('320x240', 25, 1)} {SOUND.format(1)} {X264} -b:v 500k -maxrate 600k -bufsize 300k",
    # worth encoding: too large or too many bits for their size
    "uhd.mp4": f"-f lavfi -i testsrc2=size=3840x2160:rate=30:duration=0.2 {X264}",
    "portrait.mp4": f"-f lavfi -i testsrc2=size=1440x2560:rate=30:duration=0.2 {X264}",
    "heavy.mp4": f"{NOISY.format('320x240', 25, 1)} {SOUND.format(1)} {X264} -b:v 8M",
    "long.mp4": f"{NOISY.format('320x240', 5, 10)} {SOUND.format(10)} {X264} -b:v 6M",
    "hevc.mp4": f"{NOISY.format('320x240', 25, 1)} {X265} -b:v 6M -pix_fmt yuv420p -tag:v hvc1",
    "vp9.webm": f"{NOISY.format('320x240', 25, 1)} {SOUND.format(1)}"
    " -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 6M -c:a libopus",
    "prores.mov": f"{NOISY.format('320x240', 25, 1)} {SOUND.format(1)} -c:v prores_ks -c:a pcm_s16le",
    "mpeg2.mpg": "-f lavfi -i testsrc2=size=480x576:rate=25:duration=1,noise=alls=20:allf=t,setsar=32/15,setfield=tff"
    f" {SOUND.format(1)} -c:v mpeg2video -flags +ildct+ilme -q:v 3 -c:a mp2",
    "ten-bit.mp4": f"{NOISY.format('320x240', 25, 1)} -c:v libx264 -preset ultrafast -pix_fmt yuv420p10le -b:v 6M",
    "hdr.mp4": f"{NOISY.format('320x240', 25, 1)} {X265}:{PQ} -b:v 6M -pix_fmt yuv420p10le -tag:v hvc1",
    "variable.mp4": "-f lavfi -i testsrc2=size=320x240:rate=30:duration=2,noise=alls=60:allf=t,"
    f"setpts='if(lt(N,20),N,20+(N-20)*2.5)/30/TB' -fps_mode vfr {X264} -b:v 8M",
    "fast.mp4": f"{NOISY.format('320x240', 120, 1)} {X264} -b:v 8M",
    "surround.mp4": f"{NOISY.format('320x240', 25, 1)} {SURROUND} {X264} -b:v 6M -c:a aac",
    "silent.mp4": f"{NOISY.format('320x240', 25, 1)} {X264} -b:v 6M",
    "odd.mkv": f"{NOISY.format('640x480', 25, 1)} -vf scale=321:241 -c:v ffv1",
    "rgb.mov": f"{BARS},format=rgb24 -c:v qtrle",
    "full-range.mov": f"{BARS},scale=out_range=pc -c:v mjpeg -q:v 1 -color_range pc -pix_fmt yuvj420p",
    "smpte170m.mp4": f"{BARS},scale=out_color_matrix=smpte170m,{SMPTE170M} {X264} {STATED}",
    "two-videos.mkv": f"{NOISY.format('320x240', 25, 1)} -f lavfi -i color=red:size=64x64:rate=25:duration=0.04"
    f" -map 1 -map 0 {X264} -b:v 6M",
    "located.mov": f"{NOISY.format('320x240', 25, 1)} {X264} -b:v 6M -metadata location=+47.3000+008.5000/",
    "late-sound.ts": f"{NOISY.format('320x240', 25, 1)} -itsoffset 0.4 {SOUND.format(1)} {X264} -b:v 6M -c:a aac",
    "windows.wmv": "-f lavfi -i testsrc2=size=320x240:rate=25:duration=1 -c:v wmv2 -b:v 200k",
    # not a video
    "sound.mp4": f"{SOUND.format(1)} -c:a aac",
    "picture.mp4": "-f lavfi -i testsrc2=size=320x240 -frames:v 1 -c:v png -update 1 -f image2",
    "moment.mp4": f"-f lavfi -i testsrc2=size=320x240:rate=100:duration=0.05 {X264}",
    "recorded.webm": f"{NOISY.format('320x240', 25, 1)} {SOUND.format(1)} -c:v libvpx -deadline realtime -cpu-used 8"
    " -c:a libopus -f webm -live 1",
}


class Clips:
    """Makes each clip once for all tests; a test that changes one copies it first."""

    def __init__(self, folder: Path, tool: Ffmpeg) -> None:
        self.folder = folder
        self.tool = tool

    def __call__(self, name: str) -> Path:
        path = self.folder / name
        if path.exists():
            return path
        if name == "rotated.mp4":
            plain = self._make("halves.mp4", f"{HALVES} {X264} -x264-params keyint=1:qp=0 -profile:v high444")
            path.write_bytes(turned(plain.read_bytes()))
            return path
        if name.startswith("half-of-"):
            whole = self(name.removeprefix("half-of-")).read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            return path
        return self._make(name, CLIPS[name])

    def probed(self, name: str) -> Probed:
        """What a clip is; it must be a video."""
        found = probe(self(name))
        assert isinstance(found, Probed), found
        return found

    def _make(self, name: str, arguments: str) -> Path:
        return self._run(self.folder / name, arguments)

    def _run(self, path: Path, arguments: str) -> Path:
        program = [self.tool.path, "-hide_banner", "-nostdin", "-v", "error", "-y", *arguments.split()]
        subprocess.run([*program, str(path)], check=True, capture_output=True, timeout=60)
        return path


def sha1(path: Path) -> str:
    """The digest of a file, as the catalog has it."""
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def picture(tool: Ffmpeg, path: Path, *, size: int = 4) -> list[int]:
    """The first frame as a player would show it (upright, its colours understood), made small: RGB bytes."""
    arguments = [
        "-v",
        "error",
        "-i",
        str(path),
        "-frames:v",
        "1",
        "-vf",
        f"format=rgb24,scale={size}:{size}:flags=area",
    ]
    shown = subprocess.run([tool.path, *arguments, "-f", "rawvideo", "-"], check=True, capture_output=True, timeout=60)
    assert len(shown.stdout) == size * size * 3
    return list(shown.stdout)


def difference(one: list[int], other: list[int]) -> float:
    """The mean difference of two pictures, of 255."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def frames(tool: Ffmpeg, path: Path, *, keyframes: bool = False) -> list[tuple[float, float]]:
    """(second, duration) of every frame, or of the keyframes only."""
    only = ["-skip_frame", "nokey"] if keyframes else []
    arguments = [
        "-v",
        "error",
        *only,
        "-i",
        str(path),
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
        "-f",
        "framecrc",
        "-",
    ]
    shown = subprocess.run([tool.path, *arguments], check=True, capture_output=True, text=True, timeout=60).stdout
    base = next(line for line in shown.splitlines() if line.startswith("#tb 0:")).split()[-1].split("/")
    second = int(base[1]) / int(base[0])
    rows = [line.split(",") for line in shown.splitlines() if not line.startswith("#")]
    return [(int(row[2]) / second, int(row[3]) / second) for row in rows]
