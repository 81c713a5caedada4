"""The decision, as a table, and the arguments that follow from it. Nothing is run here."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.media import arguments, recipe
from curri.media.probe import Audio, Probed, Video
from curri.media.recipe import Action, Reason, decide

PASS, ENCODE = Action.PASSTHROUGH, Action.ENCODE
VIDEO = Video(
    index=0,
    codec="AVC",
    profile="High",
    level="4",
    width=1920,
    height=1080,
    rotation=0,
    sample_aspect=1.0,
    frame_rate=Fraction(30),
    variable=False,
    bit_depth=8,
    chroma="4:2:0",
    rgb=False,
    primaries=None,
    transfer=None,
    matrix=None,
    full_range=None,
    hdr=None,
    interlaced=False,
    duration=600.0,
)
AAC = Audio(codec="AAC", features="LC", framing="", channels=2, sample_rate=48_000, duration=600.0)


def lesson(mbits: float = 5.0, *, container: str = "MPEG-4", audio: Audio | None = AAC, **changed: Any) -> Probed:
    """Ten minutes of video at so many Mbit/s, 1080p H.264 in MP4 but for what is `changed`."""
    video = replace(VIDEO, **changed)
    size = int(mbits * 1e6 / 8 * 600)
    return Probed(
        container, size, 600.0, video, audio, video_streams=1, audio_streams=1 if audio else 0, text_streams=0
    )


def size(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height}


@pytest.mark.parametrize(
    ("probed", "action", "reason"),
    [
        # the ladder, and 15 % above it
        (lesson(5.0), PASS, Reason.WITHIN_LIMITS),
        (lesson(9.19), PASS, Reason.WITHIN_LIMITS),
        (lesson(9.21), ENCODE, Reason.BIT_RATE),
        (lesson(5.51, **size(1280, 720)), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.53, **size(1280, 720)), ENCODE, Reason.BIT_RATE),
        (lesson(2.75, **size(854, 480)), PASS, Reason.WITHIN_LIMITS),
        (lesson(2.77, **size(854, 480)), ENCODE, Reason.BIT_RATE),
        (lesson(1.14, **size(640, 360)), PASS, Reason.WITHIN_LIMITS),
        (lesson(1.16, **size(640, 360)), ENCODE, Reason.BIT_RATE),
        (lesson(5.5, **size(1024, 576)), PASS, Reason.WITHIN_LIMITS),  # between two steps: the larger
        (lesson(1.16, **size(160, 120)), ENCODE, Reason.BIT_RATE),  # below the smallest step: that one
        # sizes; a portrait video is measured by its width
        (lesson(5.0, **size(3840, 2160)), ENCODE, Reason.PICTURE_SIZE),
        (lesson(5.0, **size(1920, 1200)), ENCODE, Reason.PICTURE_SIZE),
        (lesson(5.0, **size(2560, 1080)), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, **size(1080, 1920)), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, **size(1080, 2400)), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, **size(1440, 2560)), ENCODE, Reason.PICTURE_SIZE),
        (lesson(5.51, **size(720, 1280)), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.53, **size(720, 1280)), ENCODE, Reason.BIT_RATE),
        (lesson(5.0, rotation=90), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, rotation=270, **size(3840, 2160)), ENCODE, Reason.PICTURE_SIZE),
        (lesson(5.0, sample_aspect=4 / 3, **size(1440, 1080)), PASS, Reason.WITHIN_LIMITS),
        # codecs and containers that Stream takes are no reason, others are
        (lesson(5.0, codec="HEVC"), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, codec="VP9", container="WebM"), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, container="Matroska"), PASS, Reason.WITHIN_LIMITS),
        (lesson(120.0, codec="ProRes"), ENCODE, Reason.BIT_RATE),
        (lesson(5.0, codec="AV1"), ENCODE, Reason.CODEC),
        (lesson(5.0, codec="WMV2", container="Windows Media"), ENCODE, Reason.CONTAINER),
        (lesson(0.5, codec="AVC", container="AVC"), ENCODE, Reason.CONTAINER),
        # colours
        (lesson(5.0, bit_depth=10), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, bit_depth=10, hdr="PQ"), PASS, Reason.WITHIN_LIMITS),
        (lesson(50.0, bit_depth=10, hdr="HLG"), ENCODE, Reason.BIT_RATE),
        (lesson(50.0, bit_depth=10, hdr="Dolby Vision"), PASS, Reason.HDR_KEPT),
        # motion
        (lesson(5.0, variable=True), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, frame_rate=Fraction(60)), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, frame_rate=None), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, interlaced=True), ENCODE, Reason.INTERLACED),
        # sound is no reason
        (lesson(5.0, audio=None), PASS, Reason.WITHIN_LIMITS),
        (lesson(5.0, audio=replace(AAC, codec="AC-3", channels=6)), PASS, Reason.WITHIN_LIMITS),
        # several at once: the weightiest counts
        (lesson(50.0, interlaced=True, container="Windows Media", **size(3840, 2160)), ENCODE, Reason.CONTAINER),
        (lesson(50.0, interlaced=True, **size(3840, 2160)), ENCODE, Reason.PICTURE_SIZE),
    ],
)
def test_the_decision(probed: Probed, action: Action, reason: Reason) -> None:
    decision = decide(probed)
    assert (decision.action, decision.reason) == (action, reason)
    assert decision.why


def test_an_encode_is_required_only_where_stream_may_refuse_the_original() -> None:
    assert decide(lesson(5.0, container="Windows Media")).required
    assert decide(lesson(5.0, codec="AV1")).required
    assert decide(replace(lesson(5.0), size=30_000_000_001, duration=40_000.0)).required
    assert not decide(lesson(50.0, interlaced=True, **size(3840, 2160))).required
    assert not decide(lesson(5.0)).required


def test_a_file_of_more_than_30_gb_is_encoded_whatever_its_bit_rate() -> None:
    decision = decide(replace(lesson(5.0), size=30_000_000_001, duration=40_000.0))
    assert (decision.action, decision.reason) == (ENCODE, Reason.FILE_SIZE)
    assert decide(replace(lesson(5.0), size=30_000_000_000, duration=40_000.0)).action is PASS


def test_without_compression_everything_is_sent_as_it_is() -> None:
    decision = decide(lesson(500.0, container="Windows Media"), compress=False)
    assert (decision.action, decision.reason) == (PASS, Reason.NOT_WANTED)


def test_hdr_is_sent_as_it_is_where_ffmpeg_cannot_convert_it() -> None:
    assert decide(lesson(50.0, hdr="PQ"), converts_hdr=False).reason is Reason.HDR_KEPT
    assert decide(lesson(50.0), converts_hdr=False).reason is Reason.BIT_RATE


def test_all_reasons_are_told_in_words() -> None:
    why = decide(lesson(50.0, interlaced=True, **size(3840, 2160))).why
    assert "3840x2160" in why
    assert "50.0 Mbit/s is more than the 8 recommended" in why
    assert "interlaced" in why


@pytest.mark.parametrize(
    ("changed", "target"),
    [
        (size(1920, 1080), (1920, 1080)),
        (size(3840, 2160), (1920, 1080)),
        (size(4096, 2160), (2048, 1080)),
        (size(2560, 1600), (1728, 1080)),
        (size(1440, 2560), (1080, 1920)),
        (size(321, 241), (320, 240)),
        (size(1919, 1079), (1918, 1078)),
        (size(1366, 768), (1366, 768)),
        (size(3, 2), (2, 2)),
        (size(3840, 2160) | {"rotation": 90}, (1080, 1920)),
        (size(720, 576) | {"sample_aspect": 1.067}, (768, 576)),
        (size(1440, 1080) | {"sample_aspect": 1.333}, (1920, 1080)),
    ],
)
def test_the_size_of_the_encode(changed: dict[str, Any], target: tuple[int, int]) -> None:
    assert recipe.target_size(lesson(**changed).video) == target


@given(
    width=st.integers(2, 10_000),
    height=st.integers(2, 10_000),
    rotation=st.sampled_from([0, 90, 180, 270]),
    aspect=st.sampled_from([1.0, 16 / 15, 4 / 3, 0.75]),
)
def test_every_size_becomes_even_and_no_larger_than_1080p_in_the_same_shape(
    width: int, height: int, rotation: int, aspect: float
) -> None:
    video = replace(VIDEO, width=width, height=height, rotation=rotation, sample_aspect=aspect)
    wide, high = recipe.target_size(video)
    assert wide % 2 == high % 2 == 0
    assert min(wide, high) <= recipe.TALLEST
    shown_wide, shown_high = video.shown
    assert wide <= shown_wide + 1  # never enlarged, but for a single row of pixels, which is none
    assert high <= shown_high + 1
    assert abs(wide * shown_high - high * shown_wide) <= 2 * max(shown_wide, shown_high)


@pytest.mark.parametrize(
    ("rate", "variable", "target"),
    [
        (Fraction(25), False, Fraction(25)),
        (Fraction(30_000, 1001), False, Fraction(30_000, 1001)),
        (Fraction(5), False, Fraction(5)),
        (Fraction(60), False, Fraction(60)),
        (Fraction(60_000, 1001), False, Fraction(60_000, 1001)),
        (Fraction(90), False, Fraction(45)),
        (Fraction(100), False, Fraction(50)),
        (Fraction(120_000, 1001), False, Fraction(60_000, 1001)),
        (Fraction(240), False, Fraction(60)),
        (Fraction(2992, 100), True, Fraction(30_000, 1001)),
        (Fraction(3002, 100), True, Fraction(30)),
        (Fraction(2499, 100), True, Fraction(25)),
        (Fraction(15652, 1000), True, Fraction(30)),
        (Fraction(8), True, Fraction(30)),
        (Fraction(58), True, Fraction(60)),
        (Fraction(240), True, Fraction(60)),
        (None, False, None),
        (None, True, None),
    ],
)
def test_the_frame_rate_of_the_encode(rate: Fraction | None, variable: bool, target: Fraction | None) -> None:
    assert recipe.target_frame_rate(replace(VIDEO, frame_rate=rate, variable=variable)) == target


@given(st.fractions(Fraction(1, 10), 1000), st.booleans())
def test_no_frame_rate_is_above_60(rate: Fraction, variable: bool) -> None:
    target = recipe.target_frame_rate(replace(VIDEO, frame_rate=rate, variable=variable))
    assert target is not None
    assert 0 < target <= 60


@pytest.mark.parametrize(
    ("audio", "copied"),
    [
        (AAC, True),
        (replace(AAC, channels=1), True),
        (replace(AAC, features="LC SBR"), True),
        (replace(AAC, features=""), True),
        (replace(AAC, framing="ADTS"), True),
        (replace(AAC, framing="LATM"), False),
        (replace(AAC, channels=6), False),
        (replace(AAC, channels=None), False),
        (replace(AAC, features="ER AAC LD"), False),
        (replace(AAC, codec="Opus"), False),
        (replace(AAC, codec="PCM"), False),
    ],
)
def test_aac_in_mono_or_stereo_is_copied_and_all_else_encoded(audio: Audio, copied: bool) -> None:
    probed = lesson(50.0, audio=audio)
    assert recipe.copies_audio(probed) is copied
    line = arguments.encode(probed, Path("/in.mp4"), Path("/out.mp4"))
    assert (line[line.index("-c:a") + 1] == "copy") is copied


def test_sound_of_more_than_two_channels_is_mixed_down_to_stereo() -> None:
    line = arguments.encode(lesson(50.0, audio=replace(AAC, codec="AC-3", channels=6)), Path("/a"), Path("/b"))
    assert line[line.index("-ac") + 1] == "2"
    line = arguments.encode(lesson(50.0, audio=replace(AAC, codec="PCM", channels=1)), Path("/a"), Path("/b"))
    assert line[line.index("-ac") + 1] == "1"


def test_an_unusual_sample_rate_becomes_48_khz_and_a_usual_one_stays() -> None:
    for rate, expected in ((44_100, "44100"), (22_050, "22050"), (96_000, "48000"), (11_127, "48000"), (None, "48000")):
        probed = lesson(50.0, audio=replace(AAC, codec="PCM", sample_rate=rate))
        line = arguments.encode(probed, Path("/a"), Path("/b"))
        assert line[line.index("-ar") + 1] == expected


def test_the_cap_of_the_bit_rate_is_the_ladder_of_the_encode_and_not_of_the_source() -> None:
    for changed, cap in ((size(3840, 2160), "7600000"), (size(1280, 720), "4560000"), (size(640, 360), "950000")):
        line = arguments.encode(lesson(50.0, **changed), Path("/a"), Path("/b"))
        assert line[line.index("-maxrate") + 1] == cap


def test_ffmpeg_opens_only_files_and_neither_waits_for_keys_nor_prints_for_people() -> None:
    for line in (
        arguments.encode(lesson(), Path("in.mp4"), Path("out.mp4")),
        arguments.decode(Path("in.mp4")),
        arguments.measure(Path("in.mp4")),
    ):
        assert line[line.index("-protocol_whitelist") + 1] == "file"
        assert line.index("-protocol_whitelist") < line.index("-i")
        assert line[line.index("-i") + 1] == str(Path.cwd() / "in.mp4")  # absolute: a name like -y.mp4 is no option
        assert {"-nostdin", "-nostats"} <= set(line)
        assert line[line.index("-progress") + 1] == "pipe:1"


def test_a_check_ends_at_the_first_error() -> None:
    assert "-xerror" in arguments.decode(Path("in.mp4"))


def test_colours_that_are_not_stated_are_not_made_up() -> None:
    assert arguments.colours(VIDEO) == {}
    stated = replace(VIDEO, primaries="BT.601 PAL", transfer="BT.601", matrix="BT.601")
    assert arguments.colours(stated) == {
        "color_primaries": "bt470bg",
        "color_trc": "smpte170m",
        "colorspace": "smpte170m",
    }
    assert arguments.colours(replace(VIDEO, primaries="of a kind yet unknown")) == {}


def test_the_space_reserved_is_the_cap_for_the_whole_duration() -> None:
    cap = (8e6 * 0.95 + 320_000) / 8 * 600
    assert cap < recipe.most_bytes(lesson(50.0)) < cap * 1.05


def test_the_version_of_the_recipe_changes_with_the_arguments() -> None:
    """Whoever changes what is encoded sees this fail: give it a new RECIPE_VERSION, and then the new arguments here."""
    probed = lesson(50.0, interlaced=True, sample_aspect=4 / 3, audio=replace(AAC, codec="PCM"), **size(1440, 1080))
    line = " ".join(arguments.encode(probed, Path("/in.mov"), Path("/out.mp4")))
    assert recipe.RECIPE_VERSION == "h264-1"
    assert line == (
        "-hide_banner -nostdin -nostats -v error -progress pipe:1 -protocol_whitelist file -i /in.mov"
        " -filter_complex [0:V:0]bwdif=deint=interlaced:mode=send_frame[s0];[s0]fps=fps=30[s1];"
        r"[s1]scale=flags=lanczos:h=if(gte(iw*sar\,ih)\,1080\,1920):out_range=tv:w=if(gte(iw*sar\,ih)\,1920\,1080)[s2];"
        "[s2]format=pix_fmts=yuv420p[s3];[s3]setsar=sar=1[s4];[s4]setparams=range=tv[s5] -map [s5] -map 0:a:0"
        " -f mp4 -ac 2 -ar 48000 -b:a 160000 -bufsize 7600000 -c:a aac -c:v libx264 -color_range tv -crf 20"
        " -flags +cgop -force_key_frames expr:gte(t,n_forced*2) -map_chapters -1 -map_metadata -1"
        " -max_muxing_queue_size 4096 -maxrate 7600000 -movflags +faststart -preset veryfast -profile:v high"
        " /out.mp4 -y"
    )
