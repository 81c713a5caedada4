"""What a file is found to be: real clips of every kind, and MediaInfo's answers for those that cannot be made here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from curri.errors import ToolError
from curri.media import probe as probing
from curri.media.probe import Flaw, Probed, Track, Unusable, from_tracks, probe

from .clips import Clips


def refused(path: Path) -> Unusable:
    found = probe(path)
    assert isinstance(found, Unusable), found
    return found


def answer(duration: str = "60.000", **described: str) -> Probed | Unusable:
    """What a file is that MediaInfo describes like this."""
    general = {"@type": "General", "Format": "MPEG-4", "Duration": duration}
    usual = {"@type": "Video", "Format": "AVC", "Width": "1920", "Height": "1080", "Duration": "60.000"}
    return from_tracks([general, usual | described], 1_000_000)


def video(**described: str) -> probing.Video:
    found = answer(**described)
    assert isinstance(found, Probed), found
    return found.video


def test_a_video_is_described_with_all_that_the_recipe_needs(clips: Clips) -> None:
    found = clips.probed("plain.mp4")
    assert (found.container, round(found.duration, 1), found.size) == ("MPEG-4", 1.0, clips("plain.mp4").stat().st_size)
    assert (found.video.codec, found.video.width, found.video.height) == ("AVC", 320, 240)
    assert (found.video.frame_rate, found.video.variable) == (Fraction(25), False)
    assert (found.video.bit_depth, found.video.chroma, found.video.hdr) == (8, "4:2:0", None)
    assert found.audio is not None
    assert (found.audio.codec, found.audio.channels, found.audio.sample_rate) == ("AAC", 1, 44100)
    assert (found.video_streams, found.audio_streams, found.text_streams) == (1, 1, 0)
    assert found.bit_rate == pytest.approx(found.size * 8, rel=0.05)


def test_a_variable_frame_rate_is_seen(clips: Clips) -> None:
    assert clips.probed("variable.mp4").video.variable


def test_ten_bits_are_seen(clips: Clips) -> None:
    assert clips.probed("ten-bit.mp4").video.bit_depth == 10


def test_hdr_is_seen(clips: Clips) -> None:
    found = clips.probed("hdr.mp4").video
    assert (found.hdr, found.primaries, found.matrix) == ("PQ", "BT.2020", "BT.2020 non-constant")


def test_a_rotated_video_is_as_high_as_it_is_shown(clips: Clips) -> None:
    found = clips.probed("rotated.mp4").video
    assert (found.width, found.height, found.rotation) == (320, 240, 270)
    assert found.shown == (240, 320)


def test_pixels_that_are_not_square_widen_what_is_shown(clips: Clips) -> None:
    found = clips.probed("mpeg2.mpg").video
    assert (found.width, found.height) == (480, 576)
    assert found.shown == (1024, 576)
    assert found.interlaced


def test_a_cover_picture_is_not_taken_for_the_video(clips: Clips) -> None:
    found = clips.probed("two-videos.mkv")
    assert (found.video.index, found.video.shown, found.video_streams) == (1, (320, 240), 2)


@pytest.mark.parametrize(
    ("name", "flaw"),
    [
        ("sound.mp4", Flaw.AUDIO_ONLY),
        ("picture.mp4", Flaw.PICTURE),
        ("moment.mp4", Flaw.TOO_SHORT),
        ("recorded.webm", Flaw.NO_DURATION),
        ("half-of-plain.mp4", Flaw.TRUNCATED),
        ("half-of-prores.mov", Flaw.TRUNCATED),
        ("half-of-odd.mkv", Flaw.TRUNCATED),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_for_its_own_reason(clips: Clips, name: str, flaw: Flaw) -> None:
    assert refused(clips(name)).flaw is flaw


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (b"", Flaw.EMPTY),
        (b"notes for the lesson\n" * 50, Flaw.NOT_A_VIDEO),
        (b"\x00" * 100_000, Flaw.NOT_A_VIDEO),
        (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", Flaw.NOT_A_VIDEO),
        (b"#EXTM3U\n#EXTINF:2,\nplain.mp4\n", Flaw.PLAYLIST),
        (b"\xef\xbb\xbf<?xml version='1.0'?><MPD/>", Flaw.PLAYLIST),
        (b"ffconcat version 1.0\nfile plain.mp4\n", Flaw.PLAYLIST),
    ],
)
def test_what_is_only_called_a_video_is_refused(tmp_path: Path, content: bytes, flaw: Flaw) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    assert refused(path).flaw is flaw


def test_every_refusal_is_a_sentence_without_the_words_of_programmers(clips: Clips, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("text")
    (tmp_path / "empty.mp4").touch()
    names = ["sound.mp4", "picture.mp4", "moment.mp4", "recorded.webm", "half-of-plain.mp4"]
    found = [refused(clips(name)) for name in names] + [refused(tmp_path / name) for name in ("text.mp4", "empty.mp4")]
    for refusal in found:
        assert refusal.why[0].islower()
        assert not refusal.why.endswith(".")
        assert not {"moov", "None", "Error", "stream", "exception"} & set(refusal.why.replace(":", " ").split())


def test_a_playlist_is_not_followed_to_the_video_beside_it(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    clips("plain.mp4")
    path = clips.folder / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nplain.mp4\n#EXT-X-ENDLIST\n")
    monkeypatch.chdir(clips.folder)
    assert refused(path).flaw is Flaw.PLAYLIST
    monkeypatch.setattr(probing, "_PLAYLISTS", (b"never",))  # a list that is not known by its start
    assert refused(path).flaw is Flaw.PLAYLIST


def test_a_pipe_is_refused_without_waiting_for_its_other_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "video.mp4")
    assert refused(tmp_path / "video.mp4").flaw is Flaw.NOT_A_FILE


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path).flaw is Flaw.NOT_A_FILE
    missing = refused(tmp_path / "missing.mp4")
    assert (missing.flaw, "No such file" in missing.why) == (Flaw.UNREADABLE, True)


def test_a_read_error_in_the_middle_is_a_refusal(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @staticmethod
        def parse(*_: object, **__: object) -> str:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(probing, "_library", lambda: Broken)
    found = refused(clips("plain.mp4"))
    assert (found.flaw, found.why) == (Flaw.UNREADABLE, "the file cannot be read (Input/output error)")


@pytest.mark.parametrize("name", ["Übung 1.mp4", "a'b\"c $(x) %03d.mp4", "-i.mp4", "a:b\n.mp4"])
def test_any_name_will_do(clips: Clips, tmp_path: Path, name: str) -> None:
    shutil.copy(clips("plain.mp4"), tmp_path / name)
    assert isinstance(probe(tmp_path / name), Probed)


def test_a_name_that_is_no_text_will_do_in_any_locale(clips: Clips, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xdcbung.mp4"
    shutil.copy(clips("plain.mp4"), os.fsdecode(name))
    code = "import os; from pathlib import Path; from curri.media.probe import *\n"
    code += f"print(probe(Path(os.fsdecode({name!r}))).video.codec)"
    environment = os.environ | {"LC_ALL": "C", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-X", "utf8=0", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.strip() == "AVC", done.stderr


def test_a_given_duration_stands_in_where_the_file_says_none(clips: Clips) -> None:
    found = probe(clips("recorded.webm"), duration=1.0)
    assert isinstance(found, Probed)
    assert (found.duration, found.container) == (1.0, "WebM")


def test_without_mediainfo_it_is_an_error_of_the_installation(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymediainfo", None)
    with pytest.raises(ToolError, match="MediaInfo is not installed"):
        probe(clips("plain.mp4"))


@pytest.mark.parametrize(
    ("described", "rate"),
    [
        ({"FrameRate": "29.970", "FrameRate_Num": "30000", "FrameRate_Den": "1001"}, Fraction(30000, 1001)),
        ({"FrameRate": "29.970"}, Fraction(30000, 1001)),
        ({"FrameRate": "23.976"}, Fraction(24000, 1001)),
        ({"FrameRate": "12.500"}, Fraction(25, 2)),
        ({"FrameRate": "0.000"}, None),
        ({"FrameRate": "many"}, None),
        ({}, None),
    ],
)
def test_frame_rates_are_exact(described: dict[str, str], rate: Fraction | None) -> None:
    assert video(**described).frame_rate == rate


@pytest.mark.parametrize(
    ("described", "hdr"),
    [
        ({"transfer_characteristics": "HLG"}, "HLG"),
        ({"transfer_characteristics": "BT.709"}, None),
        ({"HDR_Format": "SMPTE ST 2086", "transfer_characteristics": "PQ"}, "PQ"),
        ({"HDR_Format": "Dolby Vision"}, "Dolby Vision"),
        ({"HDR_Format": "Dolby Vision", "HDR_Format_Compatibility": "HLG", "transfer_characteristics": "HLG"}, "HLG"),
    ],
)
def test_kinds_of_hdr_are_told_apart(described: dict[str, str], hdr: str | None) -> None:
    assert video(**described).hdr == hdr


def test_answers_that_make_no_sense_are_refusals_and_no_tracebacks() -> None:
    answers: list[list[Track]] = [
        [],
        [{}],
        [{"@type": "General"}],
        [{"@type": "Video"}],
        [{"@type": "General", "extra": "x"}],
    ]
    for tracks in answers:
        assert isinstance(from_tracks(tracks, 1), Unusable)
    for nonsense in ("nan", "inf", "-1", "", "1e400"):
        assert isinstance(answer(nonsense, Width=nonsense), Unusable)


def test_a_picture_that_lies_in_another_file_is_refused() -> None:
    found = from_tracks([{"@type": "Video", "Width": "9", "Height": "9", "extra": {"Source": "/etc/passwd"}}], 1)
    assert isinstance(found, Unusable)
    assert found.flaw is Flaw.PLAYLIST
