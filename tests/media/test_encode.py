"""Real encodes of every kind of source, and all that can go wrong on the way to the final name."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from curri.errors import ExitCode, Interrupted
from curri.media import encode as encoding
from curri.media.encode import Encoded, EncodeFailed, Failure, encode
from curri.media.probe import Probed, probe
from curri.media.process import Watch
from curri.media.recipe import Action, decide, ladder_rate
from curri.media.tools import Ffmpeg
from curri.media.verify import Fault, Refusal, decodes

from .clips import Clips, difference, frames, picture

DAMAGE = """
code = real(arguments)
with open(arguments[-2], "r+b") as file:
    file.seek(os.path.getsize(arguments[-2]) // 2)
    file.write(bytes(20000))
sys.exit(code)
"""
"""Zeroes in the middle, as a bad disk leaves them: the file looks whole, and ffmpeg was content."""
Script = Callable[[str], Ffmpeg]


class Bench:
    """Encodes clips by name into a folder of its own."""

    def __init__(self, clips: Clips, tool: Ffmpeg, watch: Watch, folder: Path) -> None:
        self.clips = clips
        self.tool = tool
        self.watch = watch
        self.folder = folder
        self.target = folder / "result.mp4"

    def encode(self, name: str, *, tool: Ffmpeg | None = None, watch: Watch | None = None) -> Encoded | Refusal:
        probed = self.clips.probed(name)
        decision = decide(probed)
        saving = None if decision.required or decision.action is Action.PASSTHROUGH else 0.1
        return encode(
            self.clips(name), probed, self.target, tool or self.tool, watch or self.watch, minimum_saving=saving
        )

    def done(self, name: str) -> Probed:
        """What a clip has become; it must have worked, and nothing else may lie there."""
        result = self.encode(name)
        assert isinstance(result, Encoded), result
        assert result.path == self.target
        assert self.left == ["result.mp4"]
        assert probe(self.target) == result.probed
        return result.probed

    def failed(self, name: str, tool: Ffmpeg, watch: Watch | None = None) -> EncodeFailed:
        """How an encode failed; nothing may be left of it."""
        with pytest.raises(EncodeFailed) as caught:
            self.encode(name, tool=tool, watch=watch)
        assert self.left == []
        return caught.value

    def refused(self, name: str, tool: Ffmpeg | None = None) -> Refusal:
        """Why an encode is not used; nothing may be left of it."""
        result = self.encode(name, tool=tool)
        assert isinstance(result, Refusal), result
        assert self.left == []
        return result

    @property
    def left(self) -> list[str]:
        return sorted(os.listdir(self.folder))


@pytest.fixture
def bench(clips: Clips, tool: Ffmpeg, watch: Watch, tmp_path: Path) -> Bench:
    (tmp_path / "encodes").mkdir()
    return Bench(clips, tool, watch, tmp_path / "encodes")


@pytest.mark.parametrize(
    "name",
    [
        "heavy.mp4",
        "uhd.mp4",
        "hevc.mp4",
        "vp9.webm",
        "prores.mov",
        "mpeg2.mpg",
        "ten-bit.mp4",
        "hdr.mp4",
        "rotated.mp4",
        "variable.mp4",
        "surround.mp4",
        "silent.mp4",
        "odd.mkv",
        "rgb.mov",
        "full-range.mov",
        "two-videos.mkv",
        "late-sound.ts",
        "windows.wmv",
    ],
)
def test_every_kind_of_source_becomes_what_stream_recommends(bench: Bench, name: str) -> None:
    source = bench.clips.probed(name)
    found = bench.done(name)
    video = found.video
    assert (found.container, video.codec, video.profile) == ("MPEG-4", "AVC", "High")
    assert (video.bit_depth, video.chroma, video.interlaced) == (8, "4:2:0", False)
    assert min(video.width, video.height) <= 1080
    assert video.width % 2 == video.height % 2 == 0
    assert (video.rotation, video.sample_aspect) == (0, 1.0)
    assert not video.variable
    assert video.frame_rate is not None
    assert video.frame_rate <= 60
    assert not video.full_range
    assert (found.audio is None) is (source.audio is None)
    if found.audio:
        assert found.audio.codec == "AAC"
        assert found.audio.channels in (1, 2)
    estimated = source.container == "MPEG-TS"  # MediaInfo looks at the times of some packets only
    assert found.duration == pytest.approx(source.duration, abs=0.5 if estimated else 0.15)
    data = bench.target.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # fast start


def test_an_encode_is_itself_within_the_limits_so_that_it_is_never_encoded_again(bench: Bench) -> None:
    found = bench.done("long.mp4")
    assert decide(found).action is Action.PASSTHROUGH
    assert ladder_rate(320, 240) * 0.7 < found.bit_rate < ladder_rate(320, 240) * 1.15  # at its cap


def test_4k_becomes_1080p(bench: Bench) -> None:
    assert bench.done("uhd.mp4").video.shown == (1920, 1080)


def test_a_portrait_video_is_1080_wide(bench: Bench) -> None:
    assert bench.done("portrait.mp4").video.shown == (1080, 1920)


def test_a_rotated_video_of_a_phone_is_upright_without_the_rotation(bench: Bench) -> None:
    found = bench.done("rotated.mp4")
    assert (found.video.width, found.video.height, found.video.rotation) == (240, 320, 0)
    before = picture(bench.tool, bench.clips("rotated.mp4"))
    assert difference(before, picture(bench.tool, bench.target)) < 3
    assert difference(before, picture(bench.tool, bench.clips("halves.mp4"))) > 100  # it would show: it was on its side


def test_pixels_that_are_not_square_become_square(bench: Bench) -> None:
    assert bench.done("mpeg2.mpg").video.shown == (1024, 576)  # although more high than wide as stored


def test_an_odd_size_becomes_even(bench: Bench) -> None:
    assert bench.done("odd.mkv").video.shown == (320, 240)


@pytest.mark.parametrize("name", ["smpte170m.mp4", "full-range.mov", "rgb.mov", "ten-bit.mp4"])
def test_colours_look_as_before(bench: Bench, name: str) -> None:
    bench.done(name)
    before, after = picture(bench.tool, bench.clips(name)), picture(bench.tool, bench.target)
    assert difference(before, after) < 3


def test_the_meaning_of_colours_is_kept_where_it_is_stated(bench: Bench) -> None:
    video = bench.done("smpte170m.mp4").video
    assert (video.primaries, video.transfer, video.matrix) == ("BT.601 NTSC", "BT.601", "BT.601")


def test_hdr_becomes_the_colours_that_every_player_shows(bench: Bench) -> None:
    video = bench.done("hdr.mp4").video
    assert (video.hdr, video.primaries, video.transfer, video.matrix) == (None, "BT.709", "BT.709", "BT.709")
    shown = picture(bench.tool, bench.target)
    assert max(shown) > 100  # a picture, and no grey or black
    as_coded = ["-v", "error", "-i", str(bench.clips("hdr.mp4")), "-c:v", "libx264", "-qp", "1"]
    naive = bench.folder.parent / "naive.mp4"
    unchanged = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709,format=yuv420p"
    subprocess.run([bench.tool.path, *as_coded, "-vf", unchanged, str(naive)], check=True, capture_output=True)
    assert difference(shown, picture(bench.tool, naive)) > 10  # not the same numbers under another name


def test_a_variable_frame_rate_becomes_constant(bench: Bench) -> None:
    found = bench.done("variable.mp4")
    assert found.video.frame_rate == Fraction(30)
    durations = {round(duration, 4) for _, duration in frames(bench.tool, bench.target)}
    assert durations == {round(1 / 30, 4)}


@pytest.mark.parametrize(("name", "rate"), [("heavy.mp4", 25), ("fast.mp4", 60), ("long.mp4", 5)])
def test_the_frame_rate_is_that_of_the_source_up_to_60(bench: Bench, name: str, rate: int) -> None:
    assert bench.done(name).video.frame_rate == rate


def test_there_is_a_keyframe_at_least_every_two_seconds_and_no_picture_needs_those_before_it(bench: Bench) -> None:
    bench.done("long.mp4")
    keys = [second for second, _ in frames(bench.tool, bench.target, keyframes=True)]
    assert {0.0, 2.0, 4.0} <= {round(second, 2) for second in keys}
    cut = bench.folder / "cut.mp4"  # the second group alone must decode without a complaint
    command = [bench.tool.path, "-v", "error", "-ss", "2.0", "-i", str(bench.target), "-c", "copy", str(cut)]
    assert subprocess.run(command, check=True, capture_output=True).stderr == b""
    assert decodes(cut, bench.tool, bench.watch) is None


def test_aac_is_taken_over_bit_by_bit(bench: Bench) -> None:
    def sound(path: Path) -> bytes:
        command = [bench.tool.path, "-v", "error", "-i", str(path), "-map", "0:a", "-c", "copy", "-f", "adts", "-"]
        return subprocess.run(command, check=True, capture_output=True).stdout

    bench.done("heavy.mp4")
    assert sound(bench.target) == sound(bench.clips("heavy.mp4"))
    assert len(sound(bench.target)) > 1000


def test_five_point_one_becomes_stereo(bench: Bench) -> None:
    found = bench.done("surround.mp4")
    assert found.audio is not None
    assert found.audio.channels == 2


def test_the_place_where_a_phone_stood_is_not_published(bench: Bench) -> None:
    def metadata(path: Path) -> bytes:
        command = [bench.tool.path, "-v", "error", "-i", str(path), "-f", "ffmetadata", "-"]
        return subprocess.run(command, check=True, capture_output=True).stdout

    assert b"location=+47.3000" in metadata(bench.clips("located.mov"))
    bench.done("located.mov")
    assert b"location" not in metadata(bench.target)


@pytest.mark.parametrize("name", ["-y %03d 'a' \"b\" [0:v];,=.mp4", "Übung\N{COMBINING DIAERESIS}: 1\n2.mp4"])
def test_any_name_can_be_encoded(bench: Bench, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    shutil.copy(bench.clips("heavy.mp4"), source)
    bench.target = bench.folder / name
    result = encode(source, bench.clips.probed("heavy.mp4"), bench.target, bench.tool, bench.watch)
    assert isinstance(result, Encoded)
    assert bench.left == [name]


def test_progress_goes_up_to_the_duration(bench: Bench) -> None:
    told: list[float] = []
    probed = bench.clips.probed("variable.mp4")
    encode(bench.clips("variable.mp4"), probed, bench.target, bench.tool, bench.watch, on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(probed.duration, abs=0.3)


def test_the_encode_is_readable_for_its_owner_only(bench: Bench) -> None:
    bench.done("heavy.mp4")
    assert bench.target.stat().st_mode & 0o777 == 0o600


def test_an_encode_that_saves_nothing_is_refused(bench: Bench) -> None:
    probed = replace(bench.clips.probed("plain.mp4"))
    result = encode(bench.clips("plain.mp4"), probed, bench.target, bench.tool, bench.watch)
    assert isinstance(result, Refusal)
    assert result.fault is Fault.NOT_SMALLER
    assert bench.left == []


def test_an_encode_is_given_up_as_soon_as_it_is_too_large(bench: Bench, shell: Script) -> None:
    grows = shell(
        'for t; do [ "$t" = -y ] || target=$t; done; head -c 3000000 /dev/zero >"$target"; read -r nothing <$0.never'
    )
    refusal = bench.refused("heavy.mp4", grows)  # it would never end by itself
    assert refusal.fault is Fault.NOT_SMALLER


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("arguments[-2:-2] = ['-t', '5']", Fault.SHORTER),  # as if the encoder stopped half way, and said all is well
        ("arguments[-2:-2] = ['-frames:v', '20']", Fault.SHORTER),  # picture cut short, sound whole
        ("arguments[arguments.index('0:a:0') - 1 : arguments.index('0:a:0') + 1] = []", Fault.SOUND_LOST),
        ("arguments = [a.replace('320', '240') if 'scale' in a else a for a in arguments]", Fault.SHAPE),
        ("open(arguments[-2], 'w').write('text'); sys.exit(0)", Fault.UNREADABLE),
        ("sys.exit(0)", Fault.UNREADABLE),
        (DAMAGE, Fault.DOES_NOT_DECODE),
    ],
)
def test_a_bad_result_is_refused_although_ffmpeg_said_all_is_well(
    bench: Bench, tampered: Script, tampering: str, fault: Fault
) -> None:
    assert bench.refused("long.mp4", tampered(tampering)).fault is fault


def test_an_encode_replaces_what_had_its_name(bench: Bench) -> None:
    bench.target.write_text("old")
    bench.done("heavy.mp4")


def test_a_refused_or_failed_encode_leaves_what_had_its_name(bench: Bench, shell: Script) -> None:
    bench.target.write_text("old")
    with pytest.raises(EncodeFailed):
        bench.encode("heavy.mp4", tool=shell("exit 1"))
    assert isinstance(bench.encode("heavy.mp4", tool=shell("exit 0")), Refusal)
    assert bench.left == ["result.mp4"]
    assert bench.target.read_text() == "old"


def test_an_encoder_that_hangs_is_killed_and_the_error_says_so(bench: Bench, shell: Script) -> None:
    hangs = shell("echo out_time_us=5; read -r nothing <$0.never")
    error = bench.failed("heavy.mp4", hangs, replace(bench.watch, clock=itertools.count(step=50.0).__next__))
    assert error.failure is Failure.HUNG
    assert error.exit_code is ExitCode.TOOL
    assert error.where == str(bench.clips("heavy.mp4"))


def test_an_encoder_that_fails_is_quoted(bench: Bench, shell: Script) -> None:
    error = bench.failed("heavy.mp4", shell(r"printf 'one\ntwo \033[1mthree\n' >&2; exit 69"))
    assert error.failure is Failure.FAILED
    assert error.message == "ffmpeg failed (exit code 69): one / two [1mthree"


def test_an_encoder_that_crashes_is_told_by_its_signal(bench: Bench, shell: Script) -> None:
    error = bench.failed("heavy.mp4", shell("kill -11 $$"))
    assert "signal 11" in error.message


def test_a_source_that_ffmpeg_cannot_read_fails_and_is_quoted(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "text.mp4"
    source.write_bytes(b"text" * 100)
    probed = replace(bench.clips.probed("heavy.mp4"), size=400)
    with pytest.raises(EncodeFailed, match="Invalid data found") as caught:
        encode(source, probed, bench.target, bench.tool, bench.watch)
    assert caught.value.failure is Failure.FAILED
    assert bench.left == []


def test_a_full_disk_is_said_to_be_full(bench: Bench, tampered: Script) -> None:
    full = tampered("arguments[-2] = '/dev/full'")  # the kernel itself says that there is no space
    error = bench.failed("heavy.mp4", full)
    assert error.failure is Failure.DISK_FULL
    assert error.where == str(bench.folder)
    assert error.hint is not None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_by_the_exit_code_alone(bench: Bench, shell: Script, code: int) -> None:
    assert bench.failed("heavy.mp4", shell(f"exit {256 - code}")).failure is Failure.DISK_FULL


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("av_interleaved_write_frame(): No space left on device", 1),
        ("Error writing trailer of /x/y.part: File too large", 0),  # as seen with 5.1
    ],
)
def test_an_older_ffmpeg_tells_a_full_disk_in_words_alone(bench: Bench, shell: Script, words: str, code: int) -> None:
    assert bench.failed("heavy.mp4", shell(f"echo '{words}' >&2; exit {code}")).failure is Failure.DISK_FULL


@pytest.mark.parametrize("how", ["SIG_IGN", "SIG_DFL"])
def test_a_file_that_may_not_grow_further_is_like_a_full_disk(bench: Bench, tampered: Script, how: str) -> None:
    """Where the signal is ignored ffmpeg reads EFBIG, else it dies of the signal."""
    limited = tampered(
        "import resource, signal\n"
        f"signal.signal(signal.SIGXFSZ, signal.{how})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"os.execv({bench.tool.path!r}, [{bench.tool.path!r}, *arguments])"
    )
    error = bench.failed("heavy.mp4", limited)
    assert error.failure is Failure.DISK_FULL
    assert "ulimit -f" in str(error.hint)


def test_a_disk_that_is_full_only_when_it_is_flushed_is_said_to_be_full(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flush(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", flush)
    assert bench.failed("heavy.mp4", bench.tool).failure is Failure.DISK_FULL


def test_a_folder_that_is_gone_is_an_error(bench: Bench) -> None:
    bench.target = bench.folder / "gone" / "result.mp4"
    assert "No such file" in bench.failed("heavy.mp4", bench.tool).message


def test_a_cancelled_encode_leaves_nothing(bench: Bench) -> None:
    begun: list[float] = []
    probed = bench.clips.probed("uhd.mp4")
    watch = replace(bench.watch, cancelled=lambda: bool(begun))
    with pytest.raises(Interrupted):
        encode(bench.clips("uhd.mp4"), probed, bench.target, bench.tool, watch, on_progress=begun.append)
    assert bench.left == []


def test_a_cancelled_check_of_the_result_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def cancelled(*_: object, **__: object) -> None:
        raise Interrupted("asked to")

    monkeypatch.setattr(encoding, "check", cancelled)
    with pytest.raises(Interrupted):
        bench.encode("heavy.mp4")
    assert bench.left == []


def test_a_video_that_changes_while_it_is_encoded_is_not_published(
    bench: Bench, tmp_path: Path, tampered: Script
) -> None:
    source = tmp_path / "lesson.mp4"
    shutil.copy(bench.clips("heavy.mp4"), source)
    touches = tampered("code = real(arguments)\nos.utime(arguments[arguments.index('-i') + 1], (1, 1)); sys.exit(code)")
    with pytest.raises(EncodeFailed) as caught:
        encode(source, bench.clips.probed("heavy.mp4"), bench.target, touches, bench.watch)
    assert caught.value.failure is Failure.SOURCE_CHANGED
    assert bench.left == []


def test_a_video_that_is_not_the_one_that_was_probed_is_not_published(bench: Bench) -> None:
    with pytest.raises(EncodeFailed) as caught:
        encode(bench.clips("heavy.mp4"), bench.clips.probed("silent.mp4"), bench.target, bench.tool, bench.watch)
    assert caught.value.failure is Failure.SOURCE_CHANGED


def test_the_final_name_is_given_after_the_bytes_are_on_the_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    flush, rename = os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        flush(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        order.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    bench.done("heavy.mp4")
    assert order == ["file", "rename", "folder"]


def test_a_kill_in_the_middle_leaves_nothing_under_the_final_name(bench: Bench) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from curri.media import encode, probe, process, tools\n"
        "source, target, ffmpeg = sys.argv[1:]\n"
        "die = lambda seconds: os.kill(os.getpid(), signal.SIGKILL)\n"
        "tool = tools.Ffmpeg(ffmpeg, '', tools.WANTED, True)\n"
        "encode.encode(Path(source), probe.probe(Path(source)), Path(target), tool, process.Watch(), on_progress=die)\n"
    )
    command = [sys.executable, "-c", code, str(bench.clips("uhd.mp4")), str(bench.target), bench.tool.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(command, env=environment, check=False).returncode == -9
    assert not bench.target.exists()
    assert [name for name in bench.left if not name.endswith(".part")] == []
