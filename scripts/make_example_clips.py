"""Make the clips of `curriculum.example/`, and check them.

    python scripts/make_example_clips.py                                  make every clip and poster
    python scripts/make_example_clips.py --only course_01_L02_learning    make this one (may be repeated)
    python scripts/make_example_clips.py --check                          verify what is there

The clips are drawn by ffmpeg's own generators, with a few tones for sound: small, free of anyone's rights,
and still real video with a moving picture that belongs to its lesson. What there is to make is data: `CLIPS`.

The same ffmpeg makes the same bytes again: seeds are fixed, one thread does the work, and neither dates nor
versions are written. Another build of ffmpeg may write other bytes, of the same picture. ffmpeg is taken from
`CURRI_FFMPEG`, else from PATH, else from the package imageio-ffmpeg; it needs libx264. `--check` needs
pymediainfo, and leaves with 1 if something is wrong.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXAMPLE = Path(__file__).resolve().parent.parent / "curriculum.example"
SIZE_LIMIT = 300_000
"""Every clip stays below this many bytes: the folder is part of the repository."""
RENDITION_AT_MOST = 0.9
"""A compressed copy is worth having only if it is at least ten per cent smaller."""
DURATION_TOLERANCE = 0.1
"""Seconds. Sound comes in whole packets, so a clip may end some hundredths late."""
TIME_LIMIT = 300
"""Seconds after which one run of ffmpeg is taken to hang."""

Picture = Literal[
    "trailer", "life", "rule_90", "line_fit", "descent", "network", "cards", "outlier", "mandelbrot", "test_picture"
]


@dataclass(frozen=True)
class Tune:
    """Plucked notes at even distances, given in half tones above a root."""

    half_tones: tuple[int, ...]
    every: float
    first: float = 0.0
    fade: float = 2.5
    """How fast a note dies away; more is faster."""
    root: float = 220.0


@dataclass(frozen=True)
class Encode:
    """How a clip is encoded."""

    crf: int = 26
    preset: str = "slow"
    profile: str = "high"
    audio_kbit: int = 48


@dataclass(frozen=True)
class Clip:
    """One clip: what it shows, what it sounds like, and how it is stored."""

    name: str
    path: str
    shows: str
    seconds: int
    fps: int = 20
    picture: Picture | None = None
    tunes: tuple[Tune, ...] = ()
    encode: Encode = Encode()
    copy_of: str = ""
    """The name of the clip of which this one is a smaller copy; a copy has neither picture nor tunes of its own."""
    poster_at: float | None = None
    """The second whose frame becomes the poster beside the clip."""

    @property
    def poster(self) -> str:
        return Path(self.path).with_suffix(".jpg").as_posix()


CLIPS = (
    Clip(
        name="course_01_preview",
        path="Course_01/preview.mp4",
        shows="two seconds of each lesson: the Game of Life, a line being fitted, a network",
        seconds=6,
        picture="trailer",
        tunes=(Tune((0, 7, 12, 5, 9, 12, 7, 11, 14, 12, 16, 19), every=0.5),),
        encode=Encode(crf=28),
    ),
    Clip(
        name="course_01_L01_learning",
        path="Course_01/Lesson_01/learning/video.mp4",
        shows="the Game of Life, from a random start",
        seconds=8,
        fps=15,
        picture="life",
        tunes=(Tune((0, 3, 7, 10, 12, 10, 7, 3, 0, 5, 8, 12, 15, 12, 8, 5), every=0.5),),
        encode=Encode(crf=34),
        poster_at=4.0,
    ),
    Clip(
        name="course_01_L01_practice",
        path="Course_01/Lesson_01/practice/video.mp4",
        shows="rule 90: a triangle of triangles that grows row by row from one cell",
        seconds=6,
        fps=15,
        picture="rule_90",
        tunes=(Tune((0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24, 26), every=0.5, fade=4),),
    ),
    Clip(
        name="course_01_L02_learning",
        path="Course_01/Lesson_02/learning/video.mp4",
        shows="a line that turns towards its points while its misses shrink",
        seconds=6,
        picture="line_fit",
        tunes=(Tune((12, 11, 9, 8, 7, 5, 4, 2, 1, 0), every=0.5, first=1.0),),
    ),
    Clip(
        name="course_01_L02_learning_part-2",
        path="Course_01/Lesson_02/learning/part-2.mp4",
        shows="a ball that goes down a bowl in ever shorter steps",
        seconds=6,
        picture="descent",
        tunes=(Tune((24, 19, 16, 12, 9, 7, 5, 4, 2, 1, 0), every=0.5, first=0.5, fade=4),),
    ),
    Clip(
        name="course_01_L03_learning",
        path="Course_01/Lesson_03/learning/video.mp4",
        shows="a small neural network: a signal runs forwards, then a correction backwards",
        seconds=6,
        fps=15,
        picture="network",
        tunes=(
            Tune((0, 7, 12), every=0.85, first=0.65, fade=3),
            Tune((12, 7, 0), every=0.85, first=3.65, fade=3),
        ),
        encode=Encode(crf=33, preset="ultrafast", profile="baseline"),
    ),
    Clip(
        name="course_01_L03_learning_compressed",
        path="Course_01/Lesson_03/learning/video_compressed.mp4",
        shows="the same as course_01_L03_learning, encoded with more care",
        seconds=6,
        fps=15,
        copy_of="course_01_L03_learning",
        encode=Encode(crf=31, preset="veryslow"),
    ),
    Clip(
        name="course_02_L01_learning",
        path="Course_02/Lesson_01/learning/video.mp4",
        shows="four cards, one for each part of a prompt",
        seconds=7,
        picture="cards",
        tunes=(Tune((0, 4, 7, 12), every=1.5, first=0.5, fade=1.5),),
    ),
    Clip(
        name="course_02_L02_learning",
        path="Course_02/Lesson_02/learning/video.mov",
        shows="a bar chart that one wrong value flattens; 2560 x 1440, as screen recordings often are",
        seconds=6,
        fps=30,
        picture="outlier",
        tunes=(
            Tune((0, 4, 7), every=0.35, first=0.3),
            Tune((0, 1), every=0.05, first=1.8, fade=1, root=110),
            Tune((7, 12, 16), every=0.35, first=4.4),
        ),
        encode=Encode(crf=23, preset="ultrafast", audio_kbit=96),
    ),
    Clip(
        name="course_02_L03_learning",
        path="Course_02/Lesson_03/learning/video.mp4",
        shows="a flight towards the edge of the Mandelbrot set",
        seconds=6,
        fps=15,
        picture="mandelbrot",
        tunes=(Tune((0, 5, 7, 12, 17, 19, 24, 29), every=0.75, fade=1.8),),
        encode=Encode(crf=35),
    ),
    Clip(
        name="course_02_L03_practice",
        path="Course_02/Lesson_03/practice/video.mp4",
        shows="a test picture with a running counter, and a beep at every full second",
        seconds=4,
        fps=25,
        picture="test_picture",
        tunes=(Tune((0, 0, 0, 0), every=1.0, fade=12, root=1000),),
        encode=Encode(crf=32),
    ),
)


class ClipError(Exception):
    """A clip cannot be made; the message says why."""


# --- pictures: each function returns a graph of ffmpeg filters whose last output is the picture ------------

Colour = tuple[int, int, int]
NIGHT: Colour = (13, 27, 42)
STEEL: Colour = (94, 118, 148)
CLOUD: Colour = (226, 232, 240)
SUN: Colour = (255, 196, 61)
CORAL: Colour = (239, 91, 91)
SEA: Colour = (56, 178, 172)


def web(colour: Colour) -> str:
    return "0x{:02x}{:02x}{:02x}".format(*colour)


def plain(width: int, height: int, fps: int, colour: Colour = NIGHT) -> str:
    """A picture of one colour."""
    return f"color=c={web(colour)}:s={width}x{height}:r={fps},format=gbrap"


def painted(colour: Colour, *layers: tuple[str, Colour], opaque: str = "1") -> str:
    """Paint layers over a colour: each is a mask (0 to 1, an expression of X, Y and T) and its own colour."""
    channels = [f"a='255*({opaque})'"]
    for place, channel in enumerate("rgb"):
        expression = str(colour[place])
        for mask, paint in layers:
            expression = f"lerp({expression},{paint[place]},{mask})"
        channels.append(f"{channel}='{expression}'")
    return "geq=" + ":".join(channels)


def still(ground: str, paint: str, fps: int) -> str:
    """A painted picture that does not move. Painting is slow, so it is done once, for the first frame."""
    return f"{ground},trim=end_frame=1,{paint},loop=loop=-1:size=1,setpts=N/({fps}*TB)"


def disc(x: float, y: float, radius: float) -> str:
    """Mask of a disc with a soft edge."""
    return f"clip({radius}-hypot(X-{x:.2f},Y-{y:.2f}),0,1)"


def ball(radius: int, colour: Colour, fps: int) -> str:
    """A disc on a clear ground, to be laid over other pictures."""
    shape = painted(colour, opaque=disc(radius - 0.5, radius - 0.5, radius))
    return still(plain(2 * radius, 2 * radius, fps), shape, fps)


def laid_over(scene: str, ground: str, *pieces: tuple[str, str, str]) -> str:
    """Lay pieces over a ground, each at a place that may be an expression of the time t."""
    graph = ground
    for number, (piece, x, y) in enumerate(pieces):
        below, above = f"[{scene}{number}]", f"[{scene}{number}piece]"
        graph += f"{below};{piece}{above};{below}{above}overlay=x='{x}':y='{y}':format=gbrp"
    return graph


def ease(start: float, end: float) -> str:
    """An expression of t: 0 before `start`, 1 after `end`, a smooth rise between them."""
    share = f"clip((t-{start})/{end - start:.2f},0,1)"
    return f"({share}*{share}*(3-2*{share}))"


def life(fps: int) -> str:
    """Conway's Game of Life, five generations a second; cells that died lately still glow."""
    return (
        f"life=s=64x36:r=5:ratio=0.2:seed=1970:mold=40"
        f":life_color={web(SUN)}:death_color=0x2a6f8f:mold_color={web(NIGHT)},fps={fps},scale=640:360:flags=neighbor"
    )


def rule_90(fps: int) -> str:
    """Rows of cells; a cell is set if exactly one of the two above it, left and right, is. A row a frame."""
    return f"cellauto=s=160x90:r={fps}:rule=90:pattern=1:scroll=0:full=0,scale=640:360:flags=neighbor"


def line_fit(fps: int) -> str:
    """Points, and a line that turns until its distances from the points are small."""
    places = range(25, 640, 50)
    heights = "(290-0.33*(50*X+25)+26*sin(2.3*X))"
    learned = "(1-exp(-1.3*max(%s-1,0)))"
    turn = learned % "T"
    line = f"(170+120*{turn}-0.33*{turn}*(50*X+25))"
    misses = f"between(Y,min({heights},{line}),max({heights},{line}))"
    # The misses are painted in a picture one pixel wide for each point, widened, and seen through slits.
    columns = f"{plain(len(places), 360, fps)},{painted(NIGHT, (misses, CORAL))},scale=650:360:flags=neighbor"
    points = "clip(7-hypot(mod(X,50)-25,Y-(290-0.33*(50*floor(X/50)+25)+26*sin(2.3*floor(X/50)))),0,1)"
    stencil = painted(NIGHT, (points, CLOUD), opaque=f"max({points},1-clip(2-abs(mod(X,50)-25),0,1))")
    bar = f"{plain(900, 6, fps, SUN)},pad=900:420:0:207:color=black@0"
    turned = f"{bar},rotate=a='-atan(0.33*{learned % 't'})':c=none"
    return laid_over(
        "fit",
        f"{columns},crop=640:360:0:0",
        (still(plain(640, 360, fps), stencil, fps), "0", "0"),
        (turned, "320-w/2", f"170+14.4*{learned % 't'}-h/2"),
    )


def descent(fps: int) -> str:
    """A ball that goes down a bowl in steps, each shorter than the one before, and leaves a mark at each."""
    bowl = "(310-240*pow((%s-320)/280,2))"
    slope = "(480/280*(X-320)/280)"
    curve = f"clip(3-abs(Y-{bowl % 'X'})/sqrt(1+{slope}*{slope}),0,1)"
    ground = f"0.2*gt(Y,{bowl % 'X'})"
    steps = "(2*max(t-0.5,0))"
    share = f"mod({steps},1)"
    place = f"(320-255*pow(0.66,floor({steps})+{share}*{share}*(3-2*{share})))"
    marks: list[tuple[str, str, str]] = []
    for step in range(11):
        x = 320 - 255 * 0.66**step
        y = 310 - 240 * ((x - 320) / 280) ** 2
        hidden_at_first = f"if(gte({steps},{step}),{y:.0f},-50)-h/2"
        marks.append((ball(6, SEA, fps), f"{x:.0f}-w/2", hidden_at_first))
    roller = (ball(13, SUN, fps), f"{place}-w/2", f"{bowl % place}-h+2")
    hill = still(plain(640, 360, fps), painted(NIGHT, (ground, STEEL), (curve, STEEL)), fps)
    return laid_over("hill", hill, *marks, roller)


def network(fps: int) -> str:
    """Three layers of nodes: for three seconds a signal runs forwards, then a correction runs backwards."""
    columns = [(200, (180, 360, 540)), (640, (120, 280, 440, 600)), (1080, (250, 470))]
    edges: list[str] = []
    for (x1, left), (x2, right) in pairwise(columns):
        for y1 in left:
            for y2 in right:
                slope = (y2 - y1) / (x2 - x1)
                off = f"abs(Y-({y1}+{slope:.6f}*(X-{x1})))/{(1 + slope * slope) ** 0.5:.6f}"
                edges.append(f"if(between(X,{x1},{x2}),clip(2.5-{off},0,1))")
    lines = still(plain(1280, 720, fps), painted(CLOUD, opaque=f"min(1,{'+'.join(edges)})"), fps)
    nodes = [(x, y) for x, rows in columns for y in rows]
    rims = [(ball(36, CLOUD, fps), f"{x - 36}", f"{y - 36}") for x, y in nodes]
    cores = [(ball(29, (190, 225, 225), fps), f"{x - 29}", f"{y - 29}") for x, y in nodes]
    drawn = laid_over("net", plain(1280, 720, fps, (10, 20, 32)), (lines, "0", "0"), *rims, *cores)
    # The light is a picture of a few pixels, made large and multiplied with the drawing.
    glow = "255*(0.25+0.75*exp(-pow((20*X+10-if(lt(T,3),-150+520*T,1430-520*(T-3)))/190,2)))"
    tint = {"r": "if(lt(T,3),0.4,1)", "g": "if(lt(T,3),1,0.65)", "b": "if(lt(T,3),1,0.3)"}
    light = "geq=" + ":".join(f"{channel}='{glow}*{share}'" for channel, share in tint.items())
    lamp = f"color=s=64x36:r={fps},format=gbrp,{light},scale=1280:720:flags=bicubic"
    return f"{drawn}[drawn];{lamp}[lamp];[drawn][lamp]blend=all_mode=multiply:shortest=1,scale=640:360"


def cards(fps: int) -> str:
    """Four cards laid down one after another, each with a heading and lines of text."""
    drift = "c0=0x0d1b2a:c1=0x1f5673:c2=0x12403f:n=3:x0=0:y0=0:x1=1280:y1=720:seed=11:speed=0.012"
    looks = [(SUN, (520,)), (SEA, (640, 300)), (CORAL, (700, 560)), ((167, 139, 250), (360, 420))]
    chain = [f"gradients=s=1280x720:r={fps}:{drift}"]
    for place, (colour, lines) in enumerate(looks):
        top = 55 + 155 * place
        boxes = [(140, top, 1000, 135, (244, 246, 248)), (140, top, 18, 135, colour)]
        boxes += [(190, top + 24, 180, 22, colour)]
        boxes += [(190, top + 68 + 30 * row, width, 12, (154, 168, 184)) for row, width in enumerate(lines)]
        chain += [
            f"drawbox=x={x}:y={y}:w={width}:h={height}:color={web(paint)}:t=fill:enable='gte(t,{0.5 + 1.5 * place})'"
            for x, y, width, height, paint in boxes
        ]
    return ",".join(chain)


def outlier(fps: int) -> str:
    """A bar chart which one absurd value flattens, until the value is put right."""
    values = (620, 880, 560, 760, 980, 700, 840, 500)
    grown, wrong = ease(0.2, 1.2), f"({ease(1.7, 2.3)}-{ease(4.2, 4.9)})"
    bars: list[tuple[str, str, str]] = []
    for place, value in enumerate(values):
        x = str(180 + 280 * place)
        height = f"{grown}*{value}*(1-0.93*{wrong})"
        if place == 5:
            height = f"{grown}*({value}+{1240 - value}*{wrong})"
            bars.append((plain(200, 1240, fps, SEA), x, f"1320-({height})"))
            height = f"if(gt({wrong},0),{height},0)"
        bars.append((plain(200, 1240, fps, CORAL if place == 5 else SEA), x, f"1320-({height})"))
    floor = f"drawbox=x=0:y=1320:w=2560:h=120:color={web(NIGHT)}:t=fill"
    axis = f"drawbox=x=140:y=1320:w=2280:h=8:color={web(CLOUD)}:t=fill"
    return f"{laid_over('chart', plain(2560, 1440, fps), *bars)},{floor},{axis}"


def mandelbrot(fps: int) -> str:
    """A flight towards the edge of the Mandelbrot set: every look shows what the one before had hidden."""
    return (
        f"mandelbrot=s=640x360:r={fps}:maxiter=300:start_scale=3:end_scale=0.25:end_pts={6 * fps}"
        ":start_x=-0.743643887:start_y=0.131825904:inner=black,hue=h=150:s=0.6"
    )


def test_picture(fps: int) -> str:
    """The test picture of engineers: everything in it is known beforehand."""
    return f"testsrc2=s=640x360:r={fps}"


def trailer(fps: int) -> str:
    """Two seconds of each lesson of the first course, with soft changes between them."""
    parts = []
    for name, picture, start in (("a", life(fps), 0.5), ("b", line_fit(fps), 0.9), ("c", network(fps), 0.3)):
        cut = f"trim=start={start}:duration=2.4,setpts=PTS-STARTPTS,fps={fps}"
        parts.append(f"{picture},{cut},scale=640:360,setsar=1,format=yuv420p,settb=1/{fps}[{name}]")
    fades = ["[a][b]xfade=duration=0.4:offset=2[ab]", "[ab][c]xfade=duration=0.4:offset=4"]
    return ";".join(parts + fades)


PICTURES: dict[Picture, Callable[[int], str]] = {
    "trailer": trailer,
    "life": life,
    "rule_90": rule_90,
    "line_fit": line_fit,
    "descent": descent,
    "network": network,
    "cards": cards,
    "outlier": outlier,
    "mandelbrot": mandelbrot,
    "test_picture": test_picture,
}


def sound(tunes: Sequence[Tune]) -> str:
    """All notes of the tunes as one expression of the time t."""
    notes: list[str] = []
    for tune in tunes:
        for number, half_tones in enumerate(tune.half_tones):
            since = f"max(t-{tune.first + tune.every * number:.2f},0)"
            pitch = tune.root * 2 ** (half_tones / 12)
            notes.append(f"0.32*min(1,80*{since})*exp(-{tune.fade}*{since})*sin(2*PI*{pitch:.2f}*{since})")
    return "+".join(notes)


# --- making ------------------------------------------------------------------------------------------------


def find_ffmpeg() -> str:
    """The ffmpeg to use: `CURRI_FFMPEG`, else PATH, else the one that imageio-ffmpeg brings."""
    if wanted := os.environ.get("CURRI_FFMPEG"):
        if found := shutil.which(wanted):
            return found
        raise ClipError(f"CURRI_FFMPEG names {wanted!r}, which is not a program that can be run")
    if found := shutil.which("ffmpeg"):
        return found
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        raise ClipError("no ffmpeg found: install ffmpeg or imageio-ffmpeg, or set CURRI_FFMPEG") from None


def run(ffmpeg: str, arguments: Sequence[str]) -> None:
    command = [ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise ClipError(f"ffmpeg did not finish within {TIME_LIMIT} s") from None
    if done.returncode != 0:
        raise ClipError(f"ffmpeg failed with code {done.returncode}:\n{done.stderr.strip()}")


def write(ffmpeg: str, arguments: Sequence[str], target: Path, container: str) -> None:
    """Let ffmpeg write under a temporary name; the file gets its own name only if it is whole and small enough."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        run(ffmpeg, [*arguments, "-f", container, str(part)])
        size = part.stat().st_size
        if not 0 < size < SIZE_LIMIT:
            raise ClipError(f"{target.name} has {size:,} bytes; it must have some, but fewer than {SIZE_LIMIT:,}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def source_of(clip: Clip) -> list[str]:
    """Where picture and sound come from: the generators, or the clip of which this is a copy."""
    if clip.copy_of:
        original = EXAMPLE / named(clip.copy_of).path
        if not original.is_file():
            raise ClipError(f"{clip.name} is a copy of {clip.copy_of}: make that first")
        return ["-i", str(original), "-map", "0:v", "-map", "0:a"]
    if clip.picture is None:
        raise ClipError(f"{clip.name} has neither a picture nor another clip to copy")
    graph = (
        f"{PICTURES[clip.picture](clip.fps)},scale=out_color_matrix=bt709:out_range=tv,setsar=1,format=yuv420p,"
        "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709[v];"
        f"aevalsrc='{sound(clip.tunes)}':s=48000:c=mono[a]"
    )
    return ["-filter_complex", graph, "-map", "[v]", "-map", "[a]"]


def make(ffmpeg: str, clip: Clip) -> None:
    """Make one clip, and the poster beside it if it has one."""
    encode = clip.encode
    one_thread = ["-threads", "1", "-filter_threads", "1", "-filter_complex_threads", "1"]
    video = ["-c:v", "libx264", "-preset", encode.preset, "-profile:v", encode.profile, "-crf", str(encode.crf)]
    video += ["-threads:v", "1", "-r", str(clip.fps), "-g", str(2 * clip.fps), "-flags:v", "+bitexact+cgop"]
    audio = ["-c:a", "aac", "-b:a", f"{encode.audio_kbit}k", "-flags:a", "+bitexact"]
    if clip.copy_of:
        audio = ["-c:a", "copy"]
    bare = ["-map_metadata", "-1", "-fflags", "+bitexact"]
    end = ["-t", str(clip.seconds), "-movflags", "+faststart", *bare]
    target = EXAMPLE / clip.path
    write(ffmpeg, [*one_thread, *source_of(clip), *video, *audio, *end], target, target.suffix[1:])
    if clip.poster_at is not None:
        frame = [*one_thread, "-ss", str(clip.poster_at), "-i", str(target), "-map", "0:v", "-frames:v", "1"]
        jpeg = ["-q:v", "6", "-threads:v", "1", "-flags:v", "+bitexact", *bare]
        write(ffmpeg, [*frame, *jpeg], EXAMPLE / clip.poster, "mjpeg")


def named(name: str) -> Clip:
    for clip in CLIPS:
        if clip.name == name:
            return clip
    raise ClipError(f"there is no clip {name!r}; there are: {', '.join(clip.name for clip in CLIPS)}")


# --- checking ----------------------------------------------------------------------------------------------


def media_faults(clip: Clip, path: Path) -> list[str]:
    """What is wrong with the inside of a clip: picture, sound, duration."""
    from pymediainfo import MediaInfo

    media = MediaInfo.parse(path)
    if isinstance(media, str):
        return ["cannot be read"]
    faults: list[str] = []
    if not any(track.format == "AVC" and int(track.frame_count or 0) > 1 for track in media.video_tracks):
        faults.append("has no moving picture in H.264")
    if not any(track.format == "AAC" and track.sampling_rate for track in media.audio_tracks):
        faults.append("has no sound in AAC")
    seconds = max((float(track.duration or 0) / 1000 for track in media.general_tracks), default=0.0)
    if abs(seconds - clip.seconds) > DURATION_TOLERANCE:
        faults.append(f"lasts {seconds:.2f} s, not {clip.seconds} s")
    return faults


def faults_of(clip: Clip) -> list[str]:
    """What is wrong with one clip as it lies on the disk; nothing, if all is well."""
    path = EXAMPLE / clip.path
    if not path.is_file():
        return ["is missing"]
    faults = media_faults(clip, path)
    size = path.stat().st_size
    if size >= SIZE_LIMIT:
        faults.append(f"has {size:,} bytes; fewer than {SIZE_LIMIT:,} are allowed")
    if clip.copy_of:
        original = EXAMPLE / named(clip.copy_of).path
        if original.is_file() and size > RENDITION_AT_MOST * original.stat().st_size:
            faults.append(f"is not at least 10 % smaller than {clip.copy_of}")
    if clip.poster_at is not None and not (EXAMPLE / clip.poster).is_file():
        faults.append(f"lacks its poster {Path(clip.poster).name}")
    return faults


def check(clips: Sequence[Clip]) -> bool:
    """Report on each clip; true if all are well."""
    well = True
    for clip in clips:
        faults = faults_of(clip)
        well = well and not faults
        print(f"{'wrong' if faults else 'ok':5}  {clip.path}" + (f": {'; '.join(faults)}" if faults else ""))
    return well


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make the clips of curriculum.example, or check them.")
    parser.add_argument("--only", action="append", metavar="NAME", help="this clip only; may be repeated")
    parser.add_argument("--check", action="store_true", help="verify the clips; exit 1 if something is wrong")
    options = parser.parse_args(arguments)
    try:
        clips = [named(name) for name in options.only] if options.only else list(CLIPS)
        if options.check:
            return 0 if check(clips) else 1
        ffmpeg = find_ffmpeg()
        for clip in clips:
            make(ffmpeg, clip)
            print(f"{(EXAMPLE / clip.path).stat().st_size:>9,}  {clip.path}: {clip.shows}", flush=True)
    except ClipError as error:
        print(f"make_example_clips: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
