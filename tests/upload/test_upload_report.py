"""What a run returns, records and tells while it works: begun as the command begins it, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.waiting import until
from curri.catalog.database import connect
from curri.cli.transfers import Silent
from curri.errors import ExitCode
from curri.flow import sync, upload
from curri.flow.jobs import Item
from curri.flow.preflight import Credentials
from curri.flow.upload import Means, Options, Planned, Report
from curri.flow.worker import Labels
from curri.model import Result
from curri.plan.uploads import Selection
from curri.sandbox import Fault, Timings, When
from curri.stream.client import Exchange
from curri.stream.retry import Patience
from curri.stream.secret import Secret
from support.trees import Tree

from .conftest import Films, Open
from .site import NO_FFMPEG, Site

MIB = 2**20
SLOW = Timings(queued=10, encoding=10, playable=10, rising=10)
"""A Stream that gets on only when its clock is set forward."""


class Heard(Silent):
    """Keeps what a run tells of its progress."""

    def __init__(self, on_end: Callable[[], None] = lambda: None) -> None:
        self.on_end = on_end
        self.begun: list[tuple[int, int]] = []  # videos and bytes
        self.over: list[str] = []

    def start(self, videos: int, size: int) -> None:
        self.begun.append((videos, size))

    def ended(self, name: str) -> None:
        self.over.append(name)
        self.on_end()


@dataclass
class Runs:
    """Runs of `upload` on one site, and what the last one told."""

    site: Site
    means: dict[str, Any] = field(default_factory=dict)
    """What is set beside the usual."""
    on_exchange: Callable[[Exchange], None] | None = None
    on_end: Callable[[], None] = lambda: None
    """What happens whenever the run is through with a video."""
    heard: Heard = field(default_factory=Heard)
    items: list[Item] = field(default_factory=list)

    def __call__(self, **options: Any) -> Report:
        self.heard, self.items = Heard(self.on_end), []
        usual: dict[str, Any] = {
            "credentials": Credentials(self.site.box.account_id, Secret(self.site.box.token), self.site.box.url),
            "home": self.site.state,
            "ffmpeg": Path(NO_FFMPEG),
            "labels": lambda _: Labels("tests", "tests"),
            "transfers": 1,
            "encoders": 1,
            "bwlimit": None,
            "chunk_size": 5 * MIB,
            "cache_size": 10**9,
            "delay": 0.0,
        }
        with connect(self.site.url) as database:
            return upload.run(
                database,
                Options(**options),
                Means(**{**usual, **self.means}),
                self.heard,
                self.items.append,
                version="9.9",
                on_exchange=self.on_exchange,
            )

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Lesson and outcome of each item, in the order in which they were told."""
        return [(item.path.split("/")[1], item.outcome.value) for item in self.items]


@pytest.fixture
def runs(site: Site) -> Runs:
    return Runs(site)


@pytest.fixture
def slow(open_site: Open, films: Films) -> Runs:
    """Return two videos in two lessons, for a Stream that works on each as long as the test wants."""
    site = open_site(frozen_clock=True, timings=SLOW)
    site.put(lessons(films.plain(1), films.plain(2)))
    return Runs(site)


def lessons(*films: bytes) -> Tree:
    """Return a course with a video in each lesson, counted from one."""
    return {"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": film}} for n, film in enumerate(films, 1)}}


def place(number: int) -> str:
    return f"course_01/0{number}/learning/video.mp4"


def name(number: int) -> str:
    return f"course_01_L0{number}_learning"


def test_every_video_is_counted_once_by_how_it_ended(runs: Runs, films: Films) -> None:
    runs.site.put(lessons(films.plain(1)))
    assert runs().exit_code is ExitCode.OK
    film, long = films.plain(4), films.long()
    runs.site.put(lessons(films.plain(1), b"no film", films.plain(3), film, long, films.plain(6)))
    (runs.site.root / "Course_01/Lesson_03/learning/video.mp4").unlink()
    report = runs(compress=False, max_uploads=3)
    assert runs.outcomes == [
        ("01", "unchanged"),
        ("03", "blocked"),
        ("02", "failed"),
        ("04", "done"),
        ("05", "done"),
    ]
    assert report.counts == {
        "videos": 6,
        "uploaded": 2,
        "relinked": 0,
        "unchanged": 1,
        "failed": 1,
        "blocked": 1,
        "left": 1,
        "bytes": len(film) + len(long),
        "minutes": pytest.approx(0.18),  # eleven seconds
    }
    assert report.exit_code is ExitCode.SOME_ITEMS
    assert runs.site.rows("SELECT id, exit_code, counts FROM run ORDER BY id DESC LIMIT 1") == [
        (report.run_id, 3, report.counts)
    ]


def test_a_video_that_needs_a_link_only_is_not_counted_as_sent(runs: Runs, films: Films) -> None:
    for number in (1, 2):
        runs.site.put(lessons(films.plain(number)))
        runs(wait=True)
    first = runs.site.one("SELECT provider_id FROM component_video WHERE state = 'retired'")
    runs.site.put(lessons(films.plain(1), films.plain(3)))
    report = runs()
    counts = report.counts
    assert (counts["videos"], counts["relinked"], counts["uploaded"], counts["bytes"]) == (2, 1, 1, len(films.plain(3)))
    assert [(item.path, item.name, item.action) for item in runs.items] == [
        (place(1), name(1), "relink"),
        (place(2), name(2), "passthrough"),
    ]
    assert runs.items[0].uid == first
    assert report.exit_code is ExitCode.OK


@pytest.mark.parametrize("bad", [b"no film", None])
def test_one_video_that_failed_or_is_not_there_shows_in_the_exit_code(
    runs: Runs, films: Films, bad: bytes | None
) -> None:
    runs.site.put(lessons(films.plain(1), bad or films.plain(2)))
    if bad is None:
        (runs.site.root / "Course_01/Lesson_02/learning/video.mp4").unlink()
    assert runs().exit_code is ExitCode.SOME_ITEMS


def test_minutes_are_told_to_the_hundredth(runs: Runs, films: Films) -> None:
    runs.site.put(lessons(films.long()))
    assert runs(compress=False).counts["minutes"] == 0.17


def test_the_journal_says_what_a_run_was_asked_for_and_what_it_sent(runs: Runs, films: Films) -> None:
    runs.site.put(lessons(films.plain(1), films.plain(2)))
    chosen = Selection(["course_01"], ["2"], ["learning"])
    report = runs(selection=chosen, compress=False, retry_failed=True, max_uploads=7, max_minutes=1.5)
    ((command, arguments, version, code),) = runs.site.rows(
        "SELECT command, arguments, version, exit_code FROM run WHERE id = %s", report.run_id
    )
    assert (command, version, code) == ("upload", "9.9", 0)
    assert arguments == {
        "courses": ["course_01"],
        "lessons": ["2"],
        "kinds": ["learning"],
        "compress": False,
        "retry_failed": True,
        "max_uploads": 7,
        "max_minutes": 1.5,
    }
    assert runs.site.one("SELECT run_id FROM upload") == report.run_id


def test_progress_knows_from_the_start_how_much_there_is_and_hears_of_every_end(runs: Runs, films: Films) -> None:
    good = films.plain(1), films.plain(3, size=100_000)
    runs.site.put(lessons(good[0], b"no film", good[1]))
    runs()
    assert runs.heard.begun == [(3, sum(map(len, good)))]
    assert sorted(runs.heard.over) == [name(1), name(2), name(3)]


def test_every_exchange_with_stream_can_be_followed(runs: Runs, films: Films) -> None:
    seen: list[Exchange] = []
    runs.on_exchange = seen.append
    runs.site.put(lessons(films.plain(1)))
    runs()
    assert len(seen) == len(runs.site.requests())
    assert {Exchange.VERIFY, Exchange.CREATE, Exchange.SEND} <= set(seen)


def test_sending_alone_takes_as_long_as_the_limit_on_bytes_per_second_asks_for(runs: Runs, films: Films) -> None:
    ended: dict[Exchange, float] = {}
    runs.on_exchange = lambda kind: ended.update({kind: time.monotonic()})
    runs.means["bwlimit"] = 500_000
    runs.site.put(lessons(films.plain(1, size=600_000)))
    runs(compress=False)
    assert ended[Exchange.SEND] - ended[Exchange.CREATE] > 0.8 * 600_000 / 500_000


def test_what_was_begun_on_stream_comes_before_what_was_not(
    runs: Runs, films: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it ends it keeps minutes of the account that the others may need. The first was sent, and has changed."""
    monkeypatch.setattr(Patience.__init__, "__defaults__", (3, 0.01, 0.02, 0.1))
    runs.site.put(lessons(films.plain(1)))
    runs()
    runs.site.put(lessons(films.plain(7), films.plain(2), films.plain(3)))
    runs.site.box.faults(Fault("drop-before", When(path="patch", times=None)))
    runs(selection=Selection(lessons=["3"]))
    runs.site.box.clear_faults()
    runs(max_uploads=1)
    assert ("03", "done") in runs.outcomes
    runs()
    assert runs.outcomes[-2:] == [("01", "done"), ("02", "done")]


def test_the_lease_of_a_video_is_renewed_while_it_is_sent(
    runs: Runs, films: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or another run would take it over in the middle of a long file."""
    monkeypatch.setattr(upload, "RENEW_SECONDS", 0.01)
    runs.site.put(lessons(films.plain(1)))
    renewed = []

    def wait(kind: Exchange) -> None:
        if kind is Exchange.CREATE:
            lease = "SELECT lease_until FROM upload"
            first = runs.site.one(lease)
            until(lambda: runs.site.one(lease) > first)
            renewed.append(True)

    runs.on_exchange = wait
    assert runs().counts["uploaded"] == 1
    assert renewed == [True]


# --- nothing to do


def test_nothing_to_do_is_no_run(runs: Runs, films: Films) -> None:
    runs.site.put(lessons(films.plain(1)))
    runs(wait=True)
    runs.site.box.clear_requests()
    before = runs.site.everything()
    report = runs(wait=True)
    assert (report.exit_code, report.run_id) == (ExitCode.OK, None)
    assert (report.counts["videos"], report.counts["unchanged"]) == (1, 1)
    assert (runs.site.requests(), runs.site.everything()) == ([], before)
    assert runs.items == [Item(place(1), Result.UNCHANGED, "on Stream")]


def test_what_stream_still_works_on_is_looked_after_only_on_request(slow: Runs) -> None:
    slow()
    slow.site.box.clear_requests()
    assert (slow().counts["unchanged"], slow.site.requests()) == (2, [])
    slow.site.box.advance(60)
    report = slow(wait=True)
    assert (report.counts["unchanged"], report.exit_code) == (2, ExitCode.OK)
    assert slow.site.rows("SELECT status::text FROM video") == [("ready",), ("ready",)]


# --- waiting


def test_a_video_of_this_run_that_fails_on_stream_is_not_counted_as_sent(slow: Runs, films: Films) -> None:
    slow.site.put(lessons(films.plain(1), films.plain(2), films.plain(3)))
    slow.site.box.faults(*(Fault("fail", When(name=f"*L0{n}*"), code="ERR_NON_VIDEO") for n in (2, 3)))
    slow.on_end = lambda: slow.site.box.advance(60)  # after it was sent well
    report = slow(wait=True)
    counts = report.counts
    assert (counts["videos"], counts["uploaded"], counts["failed"], counts["unchanged"]) == (3, 1, 2, 0)
    assert report.exit_code is ExitCode.SOME_ITEMS
    assert slow.outcomes[:3] == [("01", "done"), ("02", "done"), ("03", "done")]
    told = {item.path: item for item in slow.items[3:]}
    assert set(told) == {place(2), place(3)}
    for item in told.values():
        assert (item.outcome, item.uid) == (Result.FAILED, next(i.uid for i in slow.items if i.path == item.path))
        assert "ERR_NON_VIDEO" in item.reason


def test_a_video_that_stream_rejects_at_once_fails_once_and_counts_no_bytes(runs: Runs, films: Films) -> None:
    good = films.plain(1)
    runs.site.put(lessons(good, films.plain(2)))
    runs.site.box.faults(Fault("fail", When(name="*L02*")))
    counts = runs(wait=True).counts
    assert (counts["uploaded"], counts["failed"], counts["bytes"]) == (1, 1, len(good))
    assert runs.outcomes == [("01", "done"), ("02", "failed")]


def test_a_video_of_an_earlier_run_that_fails_on_stream_is_not_counted_as_unchanged(slow: Runs) -> None:
    slow.site.box.faults(Fault("fail", When(name="*L02*")))
    slow()
    slow.site.box.advance(60)
    report = slow(wait=True)
    assert (report.counts["unchanged"], report.counts["failed"], report.counts["uploaded"]) == (1, 1, 0)
    assert slow.outcomes == [("01", "unchanged"), ("02", "unchanged"), ("02", "failed")]
    assert slow.items[-1].path == place(2)


def test_a_video_that_stream_does_not_get_done_with_is_told_of_in_the_end(
    slow: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "GIVE_UP", timedelta(0))
    report = slow(wait=True, max_uploads=1)
    assert (report.counts["uploaded"], report.counts["failed"], report.exit_code) == (0, 1, ExitCode.SOME_ITEMS)
    last = slow.items[-1]
    uid = slow.site.one("SELECT provider_id FROM video")
    assert last == Item(
        place(1), Result.FAILED, "Stream is still working on it; `curri sync-status` follows it", uid=uid
    )


# --- a dry run


def test_a_plan_says_of_every_video_what_would_be_done_and_why(runs: Runs, films: Films) -> None:
    for number in (1, 2):
        runs.site.put(lessons(films.plain(number)))
        runs(wait=True)
    long = films.long()
    runs.site.put(lessons(films.plain(1), long, b"no film", films.plain(4)))
    report = runs(dry_run=True, compress=False, max_uploads=2)
    again, sent, bad = report.planned
    assert again == Planned(place(1), name(1), "returned", "relink", "the file is one that was sent before", 0, 0, 0)
    assert (sent.path, sent.name, sent.due, sent.action) == (place(2), name(2), "new", "passthrough")
    assert sent.why
    assert sent.size == len(long)
    assert sent.minutes == pytest.approx(10 / 60)
    assert sent.usd_per_month == pytest.approx(10 / 60 * 5 / 1000)  # 5 USD for 1000 minutes
    assert (bad.path, bad.action, bad.size, bad.minutes) == (place(3), "none", 0, 0)
    assert report.counts["left"] == 1
    assert {key: report.counts[key] for key in ("due", "bytes", "minutes", "usd_per_month")} == {
        "due": 3,
        "bytes": len(long),
        "minutes": 0.17,
        "usd_per_month": 0.0008,
    }
    assert (report.exit_code, report.problem, report.not_asked, report.run_id) == (ExitCode.OK, None, None, None)


def test_a_plan_leaves_out_what_is_blocked_and_says_so(runs: Runs, films: Films) -> None:
    runs.site.put(lessons(films.plain(1), films.plain(2)))
    (runs.site.root / "Course_01/Lesson_02/learning/video.mp4").unlink()
    report = runs(dry_run=True)
    assert [each.path for each in report.planned] == [place(1)]
    assert runs.outcomes == [("02", "blocked")]
    assert (report.counts["blocked"], report.exit_code) == (1, ExitCode.SOME_ITEMS)


def test_a_plan_comes_with_what_would_stop_the_run(open_site: Open, films: Films) -> None:
    runs = Runs(open_site(quota_minutes=0))
    runs.site.put(lessons(films.plain(1)))
    report = runs(dry_run=True)
    assert [each.path for each in report.planned] == [place(1)]
    assert report.problem is not None
    assert report.problem.message == "the account has no minutes for videos"
    assert report.exit_code is report.problem.exit_code is ExitCode.STREAM


def test_a_plan_that_sends_nothing_asks_stream_nothing(runs: Runs, films: Films) -> None:
    for number in (1, 2):
        runs.site.put(lessons(films.plain(number)))
        runs(wait=True)
    runs.site.put(lessons(films.plain(1)))
    runs.site.box.clear_requests()
    (planned,) = runs(dry_run=True).planned
    assert (planned.action, runs.site.requests()) == ("relink", [])


def test_a_plan_without_credentials_names_the_one_that_is_missing(runs: Runs, films: Films) -> None:
    runs.means["credentials"] = Credentials(runs.site.box.account_id, None, runs.site.box.url)
    runs.site.put(lessons(films.plain(1)))
    report = runs(dry_run=True)
    assert (report.not_asked, report.exit_code) == ("CLOUDFLARE_API_TOKEN", ExitCode.OK)
    assert runs.site.requests() == []


# --- ffmpeg


def test_a_plan_says_that_the_ffmpeg_which_was_set_is_none(runs: Runs, films: Films) -> None:
    runs.means["ffmpeg"] = runs.site.folder / "no-ffmpeg-here"
    runs.site.put(lessons(films.heavy()))
    report = runs(dry_run=True)
    assert report.exit_code is ExitCode.TOOL
    assert report.problem is not None
    assert "CURRI_FFMPEG names no program" in report.problem.message
    assert [each.action for each in report.planned] == ["encode"]


def test_without_a_setting_the_ffmpeg_of_the_machine_is_taken(
    runs: Runs, films: Films, ffmpeg: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(ffmpeg).parent))
    runs.means["ffmpeg"] = None
    runs.site.put(lessons(films.heavy()))
    assert runs(dry_run=True).problem is None


def test_an_encode_is_kept_below_the_home_of_curri_within_its_budget(runs: Runs, films: Films, ffmpeg: str) -> None:
    runs.means["ffmpeg"] = Path(ffmpeg)
    runs.site.put(lessons(films.heavy()))
    assert runs().counts["uploaded"] == 1

    def kept() -> list[int]:
        return [path.stat().st_size for path in (runs.site.state / "renditions").glob("recipe-*/*.mp4")]

    (video,) = runs.site.box.videos()
    assert kept() == [video.received]
    runs.means["cache_size"] = 0
    runs.site.put(lessons(films.plain(1)))
    runs()
    assert kept() == []
