"""From a video in the tree to the file that is sent: real clips, a real ffmpeg, a real cache."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curri.errors import Interrupted, ToolError
from curri.media import prepare as preparing
from curri.media.encode import EncodeFailed, Failure
from curri.media.prepare import Chosen, Sent, Source, Workshop, examine, plan, prepare
from curri.media.probe import Flaw, Probed, Unusable, probe
from curri.media.process import Watch
from curri.media.recipe import RECIPE_VERSION, Action
from curri.media.renditions import Cache
from curri.media.tools import Ffmpeg
from curri.media.verify import Refusal

from .clips import Clips, sha1

Script = Callable[[str], Ffmpeg]


class Lesson:
    """A folder with one video, and what it takes to prepare it."""

    def __init__(self, folder: Path, clips: Clips, tool: Ffmpeg, watch: Watch) -> None:
        self.folder = folder
        self.clips = clips
        cache = Cache(folder / "encodes")
        cache.open()
        self.workshop = Workshop(cache, tool, watch=watch)
        self.source: Source | None = None

    def video(self, clip: str, rendition: str | None = None) -> Source:
        """Lay a clip down as the lesson's video, and another beside it as its ready-made rendition."""
        path = Path(shutil.copy(self.clips(clip), self.folder / f"video{Path(clip).suffix}"))
        beside = None
        if rendition:
            beside = Path(shutil.copy(self.clips(rendition), self.folder / "video_compressed.mp4"))
        self.source = Source(path, sha1(path), beside, sha1(beside) if beside else None)
        return self.source

    def chosen(self, clip: str, rendition: str | None = None, **changed: object) -> Chosen:
        """What is sent for a clip."""
        prepared = prepare(self.video(clip, rendition), replace(self.workshop, **changed))  # type: ignore[arg-type]
        assert not isinstance(prepared, Unusable), prepared
        with prepared as chosen:
            assert chosen.path.stat().st_size == chosen.size
            assert sha1(chosen.path) == chosen.sha1
            return chosen

    @property
    def cached(self) -> list[str]:
        return sorted(path.suffix for path in self.workshop.cache.folder.iterdir() if path.suffix != ".lock")


@pytest.fixture
def lesson(tmp_path: Path, clips: Clips, tool: Ffmpeg, watch: Watch) -> Lesson:
    return Lesson(tmp_path, clips, tool, watch)


def test_a_video_within_the_limits_is_sent_as_it_is(lesson: Lesson) -> None:
    chosen = lesson.chosen("plain.mp4")
    assert (chosen.sent, chosen.reason, chosen.compressed) == (Sent.PASSTHROUGH, "within-limits", False)
    assert (chosen.path.name, chosen.recipe, chosen.encode_seconds) == ("video.mp4", None, None)
    assert lesson.cached == []


def test_a_heavy_video_is_encoded_and_the_next_time_taken_from_the_cache(lesson: Lesson, shell: Script) -> None:
    first = lesson.chosen("heavy.mp4")
    assert (first.sent, first.reason, first.compressed) == (Sent.ENCODE, "bit-rate", True)
    assert first.recipe == RECIPE_VERSION
    assert first.encode_seconds
    assert first.mtime_ns == first.path.stat().st_mtime_ns
    assert first.size < lesson.clips("heavy.mp4").stat().st_size * 0.9
    assert lesson.chosen("heavy.mp4", tool=shell("exit 1")) == first  # an ffmpeg that does nothing is not missed


def test_the_encode_stays_until_it_is_sent(lesson: Lesson) -> None:
    prepared = prepare(lesson.video("heavy.mp4"), lesson.workshop)
    assert not isinstance(prepared, Unusable)
    lesson.workshop.cache.budget = 0
    lesson.workshop.cache.sweep()
    assert prepared.chosen.path.exists()
    prepared.close()
    prepared.close()
    lesson.workshop.cache.sweep()
    assert not prepared.chosen.path.exists()


def test_an_encode_that_does_not_pay_is_remembered_and_the_original_sent(lesson: Lesson, tampered: Script) -> None:
    blown_up = tampered(
        "arguments[arguments.index('-crf') + 1] = '0'; i = arguments.index('-profile:v'); "
        "del arguments[i:i+2]; i = arguments.index('-maxrate'); del arguments[i:i+2]"
    )
    chosen = lesson.chosen("heavy.mp4", tool=blown_up)
    assert (chosen.sent, chosen.reason, chosen.compressed) == (Sent.ORIGINAL, "not-smaller", False)
    assert lesson.cached == [".json"]
    again = lesson.chosen("heavy.mp4")  # although this ffmpeg would do better: it is not tried again and again
    assert (again.sent, again.reason) == (Sent.ORIGINAL, "not-smaller")


def test_a_truncated_encode_is_never_sent(lesson: Lesson, tampered: Script) -> None:
    chosen = lesson.chosen("long.mp4", tool=tampered("arguments[-2:-2] = ['-t', '5']"))
    assert (chosen.sent, chosen.reason, chosen.path.name) == (Sent.ORIGINAL, "shorter", "video.mp4")


def test_a_failed_encode_sends_the_original_and_is_tried_again_the_next_time(lesson: Lesson, shell: Script) -> None:
    chosen = lesson.chosen("heavy.mp4", tool=shell("echo 'out of order' >&2; exit 1"))
    assert (chosen.sent, chosen.reason) == (Sent.ORIGINAL, "encode-failed")
    assert "out of order" in chosen.why
    assert lesson.cached == []
    assert lesson.chosen("heavy.mp4").sent is Sent.ENCODE


def test_a_full_disk_is_an_error_and_not_a_reason_to_send_the_original(lesson: Lesson, tampered: Script) -> None:
    with pytest.raises(EncodeFailed) as caught:
        lesson.chosen("heavy.mp4", tool=tampered("arguments[-2] = '/dev/full'"))
    assert caught.value.failure is Failure.DISK_FULL
    assert lesson.cached == []


def test_on_a_full_disk_no_encode_is_begun(lesson: Lesson, shell: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12, 0))
    source = lesson.video("heavy.mp4")
    with pytest.raises(EncodeFailed) as caught:
        prepare(source, replace(lesson.workshop, tool=shell(f"touch {lesson.folder}/begun")))
    assert caught.value.failure is Failure.DISK_FULL
    assert not (lesson.folder / "begun").exists()
    assert prepare(lesson.video("plain.mp4"), lesson.workshop)  # what needs no space is prepared


def test_a_cache_that_went_away_is_an_error_that_names_it(lesson: Lesson) -> None:
    shutil.rmtree(lesson.workshop.cache.directory)
    with pytest.raises(EncodeFailed, match="No such file") as caught:
        lesson.chosen("heavy.mp4")
    assert str(lesson.workshop.cache.directory) in str(caught.value.where)
    assert lesson.chosen("heavy.mp4", "plain.mp4").sent is Sent.RENDITION  # that cannot be remembered, but it is good


def test_what_stream_does_not_take_is_sent_encoded_even_if_that_is_larger(lesson: Lesson, tampered: Script) -> None:
    blown_up = tampered(
        "arguments[arguments.index('-crf') + 1] = '1'; arguments[arguments.index('-maxrate') + 1] = '9M'; "
        "arguments[arguments.index('-bufsize') + 1] = '9M'"
    )
    chosen = lesson.chosen("windows.wmv", tool=blown_up)
    assert chosen.sent is Sent.ENCODE
    assert chosen.size > lesson.clips("windows.wmv").stat().st_size


def test_what_stream_does_not_take_and_cannot_be_encoded_is_an_error(lesson: Lesson, shell: Script) -> None:
    with pytest.raises(EncodeFailed):
        lesson.chosen("windows.wmv", tool=shell("exit 1"))
    with pytest.raises(EncodeFailed, match="Stream does not take files of the kind Windows Media"):
        lesson.chosen("windows.wmv", tool=shell("exit 0"))


def test_without_ffmpeg_only_what_needs_none_can_be_sent(lesson: Lesson) -> None:
    assert lesson.chosen("plain.mp4", tool=None).sent is Sent.PASSTHROUGH
    with pytest.raises(ToolError, match="ffmpeg is needed"):
        lesson.chosen("heavy.mp4", tool=None)
    assert lesson.chosen("heavy.mp4", tool=None, compress=False).reason == "not-wanted"


@pytest.mark.parametrize(
    ("clip", "flaw"),
    [("sound.mp4", Flaw.AUDIO_ONLY), ("half-of-plain.mp4", Flaw.TRUNCATED), ("picture.mp4", Flaw.PICTURE)],
)
def test_what_is_no_video_is_refused(lesson: Lesson, clip: str, flaw: Flaw) -> None:
    found = prepare(lesson.video(clip), lesson.workshop)
    assert isinstance(found, Unusable)
    assert found.flaw is flaw


def test_a_recording_of_a_browser_is_measured_and_sent(lesson: Lesson) -> None:
    chosen = lesson.chosen("recorded.webm")
    assert chosen.duration == pytest.approx(1.0, abs=0.1)
    assert isinstance(examine(lesson.clips("recorded.webm"), replace(lesson.workshop, tool=None)), Unusable)


def test_a_ready_made_rendition_is_sent_instead_of_an_encode(lesson: Lesson) -> None:
    chosen = lesson.chosen("heavy.mp4", "plain.mp4")
    assert (chosen.sent, chosen.path.name, chosen.compressed) == (Sent.RENDITION, "video_compressed.mp4", True)
    assert (chosen.recipe, lesson.cached) == (None, [])


def test_a_rendition_is_decoded_once_and_then_remembered(lesson: Lesson, shell: Script) -> None:
    lesson.chosen("heavy.mp4", "plain.mp4")
    assert lesson.chosen("heavy.mp4", "plain.mp4", tool=shell("exit 1")).sent is Sent.RENDITION


@pytest.mark.parametrize(
    ("rendition", "said"),
    [
        ("silent.mp4", "has no sound"),
        ("long.mp4", "lasts 10.0 s"),
        ("half-of-plain.mp4", "ends too early"),
        ("sound.mp4", "no picture"),
        ("portrait.mp4", "has no sound"),
    ],
)
def test_a_rendition_that_does_not_pass_the_checks_is_not_sent(lesson: Lesson, rendition: str, said: str) -> None:
    chosen = lesson.chosen("heavy.mp4", rendition)
    assert chosen.sent is Sent.ENCODE
    assert said in chosen.why
    assert "video_compressed.mp4 beside it is not used" in chosen.why


def test_a_rendition_with_damaged_bytes_is_not_sent(lesson: Lesson) -> None:
    source = lesson.video("heavy.mp4", "surround.mp4")
    assert source.rendition is not None
    with source.rendition.open("r+b") as file:
        file.seek(source.rendition.stat().st_size // 2)
        file.write(bytes(20_000))
    prepared = prepare(replace(source, rendition_sha1=sha1(source.rendition)), lesson.workshop)
    assert not isinstance(prepared, Unusable)
    assert prepared.chosen.sent is Sent.ENCODE
    assert "does not decode" in prepared.chosen.why


def test_without_compression_no_rendition_is_sent_either(lesson: Lesson) -> None:
    assert lesson.chosen("heavy.mp4", "plain.mp4", compress=False).sent is Sent.PASSTHROUGH


def test_equal_videos_in_several_lessons_are_encoded_once(lesson: Lesson, tampered: Script) -> None:
    counted = tampered(f"open({str(lesson.folder / 'count')!r}, 'a').write('x')")
    workshop = replace(lesson.workshop, tool=counted)
    source = lesson.video("heavy.mp4")
    found: list[Path] = []

    def work() -> None:
        prepared = prepare(source, workshop)
        assert not isinstance(prepared, Unusable)
        with prepared as chosen:
            found.append(chosen.path)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 3
    assert (lesson.folder / "count").read_text() == "x"


def test_a_cached_encode_that_no_longer_looks_as_it_should_is_made_again(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lesson.chosen("heavy.mp4")
    asked: list[Path] = []

    def changed(path: Path, *, duration: float | None = None) -> Probed | Unusable:
        asked.append(path)
        if path == first.path and asked.count(path) == 1:
            return Unusable(Flaw.TRUNCATED, "the file ends too early")
        return probe(path, duration=duration)

    monkeypatch.setattr(preparing, "probe", changed)
    again = lesson.chosen("heavy.mp4")
    assert again.sent is Sent.ENCODE
    assert again.mtime_ns != first.mtime_ns


def test_a_cancelled_encode_is_no_answer_and_leaves_the_slot_free(lesson: Lesson) -> None:
    begun: list[float] = []
    watch = replace(lesson.workshop.watch, cancelled=lambda: bool(begun))
    with pytest.raises(Interrupted):
        prepare(lesson.video("uhd.mp4"), replace(lesson.workshop, watch=watch), on_progress=begun.append)
    assert lesson.cached == []
    assert lesson.chosen("uhd.mp4").sent is Sent.ENCODE


def test_a_kill_in_the_middle_of_an_encode_leaves_what_the_next_run_sweeps_and_does_again(lesson: Lesson) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from curri.media import prepare, process, renditions, tools\n"
        "source, digest, folder, ffmpeg = sys.argv[1:]\n"
        "die = lambda seconds: os.kill(os.getpid(), signal.SIGKILL)\n"
        "shop = prepare.Workshop(renditions.Cache(Path(folder)), tools.Ffmpeg(ffmpeg, '', tools.WANTED, True))\n"
        "prepare.prepare(prepare.Source(Path(source), digest), shop, on_progress=die)\n"
    )
    source, cache = lesson.video("uhd.mp4"), lesson.workshop.cache
    assert lesson.workshop.tool is not None
    command = [
        sys.executable,
        "-c",
        code,
        str(source.path),
        source.sha1,
        str(cache.directory),
        lesson.workshop.tool.path,
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert lesson.cached == [".part"]
    assert cache.peek(source.sha1) is None
    cache.sweep()
    assert lesson.cached == []
    assert lesson.chosen("uhd.mp4").sent is Sent.ENCODE


def test_the_plan_says_beforehand_what_is_done(lesson: Lesson) -> None:
    for clip, sent in (("plain.mp4", Sent.PASSTHROUGH), ("heavy.mp4", Sent.ENCODE)):
        probed = examine(lesson.clips(clip), lesson.workshop)
        assert isinstance(probed, Probed)
        assert (plan(probed, lesson.workshop).action is Action.ENCODE) is (lesson.chosen(clip).sent is Sent.ENCODE)
        assert lesson.chosen(clip).sent is sent
    assert not isinstance(lesson.workshop.cache.peek(sha1(lesson.clips("heavy.mp4"))), Refusal | None)


def test_preparing_does_not_change_the_tree(lesson: Lesson) -> None:
    source = lesson.video("heavy.mp4", "long.mp4")
    before = {path.name: (path.stat().st_mtime_ns, sha1(path)) for path in lesson.folder.glob("video*")}
    prepare(source, lesson.workshop)
    assert {path.name: (path.stat().st_mtime_ns, sha1(path)) for path in lesson.folder.glob("video*")} == before
