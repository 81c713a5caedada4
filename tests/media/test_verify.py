"""What may stand in for a source, and what may not."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curri.errors import Interrupted
from curri.media.probe import Audio, Probed
from curri.media.process import Watch
from curri.media.tools import Ffmpeg
from curri.media.verify import Fault, Refusal, check, compare, decodes, measure

from .clips import Clips
from .test_recipe import AAC, VIDEO

MINUTES_10 = 600.0
SOURCE = Probed("MPEG-4", 1_000_000, MINUTES_10, VIDEO, AAC, video_streams=1, audio_streams=1, text_streams=0)


def result(
    *,
    size: int = 500_000,
    picture: float = MINUTES_10,
    sound: float | None = MINUTES_10,
    shown: tuple[int, int] = (1920, 1080),
) -> Probed:
    """What came of `SOURCE`: half its bytes, the rest the same but for what is said."""
    video = replace(VIDEO, duration=picture, width=shown[0], height=shown[1])
    audio = None if sound is None else replace(AAC, duration=sound)
    return replace(SOURCE, size=size, video=video, audio=audio, duration=max(picture, sound or 0.0))


@pytest.mark.parametrize(
    ("after", "fault"),
    [
        (result(), None),
        # duration: 1 s or 1 %, up to 5 s; of ten minutes that is 5 s
        (result(picture=595.1), None),
        (result(picture=594.9), Fault.SHORTER),
        (result(picture=300.0, sound=MINUTES_10), Fault.SHORTER),
        (result(sound=594.9), Fault.SHORTER),
        (result(picture=604.9), None),
        (result(picture=605.1), Fault.LONGER),
        (result(picture=0.0), Fault.SHORTER),
        # streams
        (result(sound=None), Fault.SOUND_LOST),
        # shape
        (result(shown=(1280, 720)), None),
        (result(shown=(1366, 768)), None),
        (result(shown=(1080, 1920)), Fault.SHAPE),
        (result(shown=(1440, 1080)), Fault.SHAPE),
        (result(shown=(64, 36)), None),
        # size: 10 % at least
        (result(size=900_000), None),
        (result(size=900_001), Fault.NOT_SMALLER),
        (result(size=2_000_000), Fault.NOT_SMALLER),
        # what is wrong comes before what does not pay
        (result(size=2_000_000, picture=10.0), Fault.SHORTER),
    ],
)
def test_the_comparison(after: Probed, fault: Fault | None) -> None:
    refusal = compare(SOURCE, after)
    assert (refusal.fault if refusal else None) == fault


def test_sound_that_the_source_does_not_have_is_refused() -> None:
    refusal = compare(replace(SOURCE, audio=None), result())
    assert refusal is not None
    assert refusal.fault is Fault.SOUND_ADDED


@pytest.mark.parametrize(("seconds", "allowed"), [(2.0, 1.0), (60.0, 1.0), (200.0, 2.0), (500.0, 5.0), (7200.0, 5.0)])
def test_how_much_shorter_a_result_may_be(seconds: float, allowed: float) -> None:
    source = replace(SOURCE, audio=None, duration=seconds, video=replace(VIDEO, duration=seconds))
    for missing, fine in ((allowed - 0.01, True), (allowed + 0.01, False)):
        left = seconds - missing
        after = replace(result(picture=left, sound=None), duration=left)
        assert (compare(source, after) is None) is fine


def test_where_no_saving_is_asked_a_larger_result_may_be_used_but_never_a_shorter_one() -> None:
    assert compare(SOURCE, result(size=9_000_000), minimum_saving=None) is None
    assert compare(SOURCE, result(picture=10.0), minimum_saving=None) is not None


def test_where_the_streams_of_the_source_have_no_duration_the_whole_is_compared() -> None:
    source = replace(SOURCE, video=replace(VIDEO, duration=None), audio=replace(AAC, duration=None))
    assert compare(source, result()) is None
    refusal = compare(source, result(picture=300.0, sound=300.0))
    assert refusal is not None
    assert refusal.fault is Fault.SHORTER


def test_the_refusal_tells_by_how_much() -> None:
    for size, words in ((950_000, "5 % smaller"), (1_200_000, "20 % larger")):
        refusal = compare(SOURCE, result(size=size))
        assert refusal is not None
        assert words in refusal.why


@pytest.mark.parametrize("name", ["plain.mp4", "heavy.mp4", "vp9.webm", "mpeg2.mpg", "late-sound.ts", "surround.mp4"])
def test_a_whole_video_decodes(clips: Clips, tool: Ffmpeg, watch: Watch, name: str) -> None:
    assert decodes(clips(name), tool, watch) is None


@pytest.mark.parametrize("name", ["half-of-heavy.mp4", "half-of-long.mp4"])
def test_half_a_video_does_not_decode(clips: Clips, tool: Ffmpeg, watch: Watch, name: str) -> None:
    refusal = decodes(clips(name), tool, watch)
    assert refusal is not None
    assert refusal.fault is Fault.DOES_NOT_DECODE


def damaged(clips: Clips, path: Path) -> Path:
    """A whole file with some bytes of its picture wrong, as a bad disk or cable makes it."""
    data = bytearray(clips("heavy.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    path.write_bytes(data)
    return path


def test_a_video_with_damaged_bytes_is_probed_as_whole_but_does_not_decode(
    clips: Clips, tool: Ffmpeg, watch: Watch, tmp_path: Path
) -> None:
    path = damaged(clips, tmp_path / "damaged.mp4")
    source = replace(clips.probed("heavy.mp4"), size=path.stat().st_size * 2)
    found = check(source, path, tool, watch)
    assert isinstance(found, Refusal)
    assert found.fault is Fault.DOES_NOT_DECODE


def test_a_complaint_is_enough_even_if_the_exit_code_is_0(
    shell: Callable[[str], Ffmpeg], watch: Watch, clips: Clips
) -> None:
    refusal = decodes(clips("plain.mp4"), shell("echo 'error while decoding MB 3 4' >&2"), watch)
    assert refusal is not None
    assert "error while decoding MB 3 4" in refusal.why


def test_an_exit_code_is_enough_even_without_a_complaint(
    shell: Callable[[str], Ffmpeg], watch: Watch, clips: Clips
) -> None:
    assert decodes(clips("plain.mp4"), shell("exit 1"), watch) is not None


def test_a_decoder_that_hangs_is_a_refusal(shell: Callable[[str], Ffmpeg], watch: Watch, clips: Clips) -> None:
    hung = replace(watch, clock=itertools.count(step=50.0).__next__)
    refusal = decodes(clips("plain.mp4"), shell("read -r nothing <$0.never"), hung)
    assert refusal is not None
    assert refusal.fault is Fault.DOES_NOT_DECODE


def test_a_cancelled_check_stops_and_is_no_verdict(clips: Clips, tool: Ffmpeg, watch: Watch) -> None:
    with pytest.raises(Interrupted):
        decodes(clips("heavy.mp4"), tool, replace(watch, cancelled=lambda: True))


def test_a_result_that_is_no_video_is_refused(clips: Clips, tool: Ffmpeg, watch: Watch) -> None:
    found = check(SOURCE, clips("sound.mp4"), tool, watch)
    assert isinstance(found, Refusal)
    assert found.fault is Fault.UNREADABLE


def test_a_good_result_is_told_what_it_is(clips: Clips, tool: Ffmpeg, watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "copy.mp4"
    shutil.copy(clips("plain.mp4"), path)
    source = clips.probed("heavy.mp4")
    assert check(source, path, tool, watch) == clips.probed("plain.mp4")


def test_the_duration_of_a_recording_that_states_none_is_measured(clips: Clips, tool: Ffmpeg, watch: Watch) -> None:
    assert measure(clips("recorded.webm"), tool, watch) == pytest.approx(1.0, abs=0.1)


def test_what_cannot_be_read_has_no_measure(clips: Clips, tool: Ffmpeg, watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("text")
    assert measure(path, tool, watch) is None


def test_audio_of_another_kind_is_the_same_sound() -> None:
    other = Audio(codec="PCM", features="", framing="", channels=6, sample_rate=96_000, duration=MINUTES_10)
    assert compare(replace(SOURCE, audio=other), result()) is None
