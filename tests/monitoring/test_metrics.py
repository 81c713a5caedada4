"""--metrics FILE: how a run went and how the catalog stands, for node_exporter, whole at any moment."""

from __future__ import annotations

import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from curri.catalog.database import connect
from curri.errors import ConfigError, ExitCode
from curri.flow import metrics
from curri.flow.metrics import Ended, State
from curri.sandbox import Fault, When
from support.command import Done
from support.ordinary import ordinary_user
from upload.conftest import Films
from upload.site import Site

from .exposition import Series, gathered, parse

RUN = Ended("upload", 1_753_600_000.25, 12.5, ExitCode.OK, {"uploaded": 3, "minutes": 0.05})
STATE = State({"due": 2, "uploading": 0, "processing": 1, "ready": 7, "failed": 0}, 12.5, 30.0, 1_700_000_000.0)


def key(metric: str, /, **labels: str) -> Series:
    return metric, frozenset(labels.items())


def read(path: Path) -> dict[Series, float]:
    return parse(path.read_text())[1]


@pytest.fixture
def file(three: Site) -> Path:
    """Return the file that the runs of the site write."""
    path = three.folder / "metrics" / "curri-upload.prom"
    path.parent.mkdir()
    three.variables["CURRI_METRICS"] = str(path)
    return path


# --- the text


def test_the_file_is_in_the_format_of_prometheus() -> None:
    families, series = parse(metrics.text(RUN, STATE))
    assert families == {name: (words, "gauge") for name, words in metrics.HELP.items()}
    upload = {"command": "upload"}
    assert series == {
        key("curri_last_run_timestamp_seconds", **upload): 1_753_600_000.25,
        key("curri_last_run_duration_seconds", **upload): 12.5,
        key("curri_last_run_exit_code", **upload): 0,
        key("curri_last_run_success", **upload): 1,
        key("curri_last_run_counts", **upload, name="uploaded"): 3,
        key("curri_last_run_counts", **upload, name="minutes"): 0.05,
        key("curri_last_success_timestamp_seconds", **upload): 1_753_600_000.25,
        **{key("curri_videos", **upload, status=name): number for name, number in STATE.videos.items()},
        key("curri_stream_minutes", **upload): 12.5,
        key("curri_oldest_unfinished_video_age_seconds", **upload): 30,
    }


def test_without_the_catalog_only_the_run_is_told_of() -> None:
    failed = Ended("upload", 1_753_600_000.0, 1.0, ExitCode.DATABASE)
    _, series = parse(metrics.text(failed, None))
    assert {name for name, _ in series} == {
        "curri_last_run_timestamp_seconds",
        "curri_last_run_duration_seconds",
        "curri_last_run_exit_code",
        "curri_last_run_success",
    }
    assert series[key("curri_last_run_success", command="upload")] == 0


@pytest.mark.parametrize(("state", "expected"), [(None, 1_753_600_000.25), (STATE, 1_753_600_000.25)])
def test_the_last_success_outlives_a_failure(state: State | None, expected: float) -> None:
    """Known from the former file, as runs that find nothing to do are not in the ledger; or from the ledger."""
    failed = Ended("upload", 1_753_700_000.0, 1.0, ExitCode.STREAM)
    last = key("curri_last_success_timestamp_seconds", command="upload")
    assert parse(metrics.text(failed, state, metrics.text(RUN, None)))[1][last] == expected
    assert parse(metrics.text(failed, STATE, "rubbish"))[1][last] == STATE.last_success
    other = metrics.text(Ended("import", 1_753_600_000.0, 1.0, ExitCode.OK), None)
    assert last not in parse(metrics.text(failed, None, other))[1]


def test_what_a_label_may_not_hold_is_escaped() -> None:
    run = Ended("upload", 1.0, 1.0, ExitCode.OK, {'a"b\\c\nd': 1})
    _, series = parse(metrics.text(run, None))
    assert key("curri_last_run_counts", command="upload", name='a\\"b\\\\c\\nd') in series


# --- the file


def test_every_command_of_cron_writes_its_own_and_all_go_into_one_folder(three: Site, tmp_path: Path) -> None:
    folder = tmp_path / "textfile_collector"
    folder.mkdir()
    for command in (["import", "curriculum"], ["upload"], ["sync-status"], ["fix-metadata"]):
        done = three.run(*command, "--metrics", str(folder))
        assert (done.code, done.err) == (0, "")
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == [
        f"curri-{name}.prom" for name in ("fix-metadata", "import", "sync-status", "upload")
    ]
    series = gathered(files)
    assert {dict(labels)["command"] for _, labels in series} == {"import", "upload", "sync-status", "fix-metadata"}
    assert series[key("curri_videos", command="import", status="due")] == 3
    assert series[key("curri_videos", command="upload", status="due")] == 0
    assert series[key("curri_last_run_counts", command="upload", name="uploaded")] == 3
    assert series[key("curri_last_run_counts", command="import", name="files")] == 3


def test_the_numbers_are_those_of_the_run_and_of_the_catalog(three: Site, file: Path) -> None:
    before = time.time()
    assert three.upload("--max-uploads", "2").code == 0
    assert three.run("sync-status", CURRI_METRICS=None).code == 0
    assert three.upload("--max-uploads", "0").code == 0
    series = read(file)
    assert before < series[key("curri_last_run_timestamp_seconds", command="upload")] <= time.time()
    assert 0 < series[key("curri_last_run_duration_seconds", command="upload")] < 60
    assert series[key("curri_videos", command="upload", status="due")] == 1
    assert series[key("curri_videos", command="upload", status="ready")] == 2
    assert series[key("curri_stream_minutes", command="upload")] == pytest.approx(2 / 60, rel=0.1)
    assert series[key("curri_oldest_unfinished_video_age_seconds", command="upload")] == 0


def test_a_video_that_does_not_come_to_an_end_grows_old(three: Site, file: Path) -> None:
    assert three.upload("--max-uploads", "2").code == 0
    age = key("curri_oldest_unfinished_video_age_seconds", command="sync-status")
    one, two = (uid for links in three.links().values() for _, uid in links)
    link = "UPDATE component_video SET linked_at = now() - interval '7 hours' WHERE provider_id = %s RETURNING 1"
    three.rows(link, one)
    state = "UPDATE video SET status = %s, next_check_at = now() + interval '1 day' WHERE provider_id = %s RETURNING 1"
    three.rows(state, "inprogress", one)
    assert three.run("sync-status").code == 0
    assert read(file)[age] == pytest.approx(7 * 3600, abs=120)
    three.rows(state, "error", one)
    assert three.run("sync-status").code == 0
    assert read(file)[age] == 0
    upload = "UPDATE upload SET state = 'sending', created_at = now() - interval '9 hours' WHERE provider_id = %s RETURNING 1"
    three.rows(upload, two)
    assert three.run("sync-status").code == 0
    assert read(file)[age] == pytest.approx(9 * 3600, abs=120)


def test_a_failure_is_written_too_and_the_last_success_stays(three: Site, file: Path) -> None:
    assert three.upload("--max-uploads", "1").code == 0
    success = read(file)[key("curri_last_success_timestamp_seconds", command="upload")]
    assert three.upload(CLOUDFLARE_API_TOKEN="wr0ng").code == 9
    series = read(file)
    assert series[key("curri_last_run_exit_code", command="upload")] == 9
    assert series[key("curri_last_run_success", command="upload")] == 0
    assert series[key("curri_last_success_timestamp_seconds", command="upload")] == success
    assert series[key("curri_videos", command="upload", status="due")] == 2


def test_a_bug_and_a_signal_are_written_too(three: Site, file: Path) -> None:
    assert three.upload(changes="breaking").code == 1
    assert read(file)[key("curri_last_run_exit_code", command="upload")] == 1
    three.hold(Fault("stall-before", When(path="patch")))
    with three.start("upload") as running:
        three.until_held(running)
        running.send(signal.SIGTERM)
        three.box.clear_faults()
        assert running.done().code == 143
    assert read(file)[key("curri_last_run_exit_code", command="upload")] == 143


@pytest.mark.parametrize(
    "variables",
    [{"CURRI_DATABASE_URL": "postgresql://u@127.0.0.1:1/x"}, {"CURRI_TRANSFERS": "many"}],
    ids=["database", "settings"],
)
def test_where_the_catalog_cannot_be_had_the_run_is_still_told_of(
    three: Site, file: Path, variables: dict[str, str]
) -> None:
    assert three.upload().code == 0
    success = read(file)[key("curri_last_success_timestamp_seconds", command="upload")]
    assert three.upload(**variables).code in (5, 9)
    series = read(file)
    assert not [name for name, _ in series if name == "curri_videos"]
    assert series[key("curri_last_run_success", command="upload")] == 0
    assert series[key("curri_last_success_timestamp_seconds", command="upload")] == success


def test_a_run_that_finds_another_at_work_leaves_the_file(three: Site, file: Path) -> None:
    assert three.upload().code == 0
    assert three.run("fix-metadata").code == 0
    before = file.read_bytes()
    three.hold(Fault("stall-before", When(path="list")))
    with three.start("fix-metadata", CURRI_METRICS=None) as running:
        three.until_held(running)
        assert three.run("fix-metadata").code == 8
        three.box.clear_faults()
        assert running.done().code == 0
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "arguments", [["upload", "--dry-run"], ["import", "curriculum", "--check"], ["upload", "--frob"]]
)
def test_what_was_no_run_of_the_job_writes_nothing(three: Site, file: Path, arguments: list[str]) -> None:
    assert three.run(*arguments).code in (0, 2)
    assert list(file.parent.iterdir()) == []


def test_the_flag_comes_before_the_variable_and_both_before_the_file(three: Site, file: Path) -> None:
    (three.folder / "curri.toml").write_text('metrics = "toml.prom"\n')
    assert three.run("sync-status", "--metrics", "flag.prom").code == 0
    assert three.run("sync-status").code == 0
    assert three.run("sync-status", CURRI_METRICS=None).code == 0
    assert (three.folder / "flag.prom").exists()
    assert file.exists()
    assert (three.folder / "toml.prom").exists()


@pytest.mark.parametrize("mask", [0o077, 0o000])
def test_another_user_may_read_it_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        metrics.write(tmp_path / "x.prom", "x\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.prom").stat().st_mode) == 0o644


def test_it_is_whole_at_any_moment_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = metrics.place(tmp_path, "sync-status")
    contents = {letter * 200_000 for letter in "ab"}
    metrics.write(path, "a" * 200_000)
    seen, ended = set[str](), threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen.add(path.read_text())
            assert {each.name for each in tmp_path.iterdir() if each.suffix == ".prom"} == {path.name}

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(50):
        for content in sorted(contents):
            metrics.write(path, content)
    ended.set()
    reader.join()
    assert seen <= contents
    assert [each.name for each in tmp_path.iterdir()] == ["curri-sync-status.prom"]


# --- where it cannot be written


def refused(done: Done) -> str:
    assert done.code == 9
    assert "the file for metrics cannot be written" in done.err
    assert done.err.count("metrics cannot be written") == 1
    return done.err


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere/x.prom", "No such file or directory"),
        ("pipe", "it is not a plain file"),
        ("file/x.prom", "Not a directory"),
    ],
)
def test_a_file_that_cannot_be_written_is_an_error_before_work_begins(three: Site, path: str, words: str) -> None:
    os.mkfifo(three.folder / "pipe")
    (three.folder / "file").touch()
    assert words in refused(three.upload("--metrics", path))
    assert three.requests() == []
    assert three.one("SELECT count(*) FROM run WHERE command = 'upload'") == 0
    assert three.run("status").code == 0  # only where it would be written


@pytest.fixture
def shared(reachable: Path) -> Path:
    """Return a folder in which everybody may make files, and only replace their own."""
    folder = reachable / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of two users")
def test_what_only_its_owner_may_write_is_an_error_for_others(shared: Path) -> None:
    (shared / "x.prom").touch()
    closed = shared / "closed"
    closed.mkdir(mode=0o755)
    with ordinary_user():
        with pytest.raises(ConfigError, match="belongs to another user"):
            metrics.place(shared / "x.prom", "upload")
        with pytest.raises(ConfigError, match="Permission denied"):
            metrics.place(closed, "upload")
        assert metrics.place(shared, "upload") == shared / "curri-upload.prom"


def test_a_file_that_goes_away_meanwhile_is_a_warning(three: Site, file: Path) -> None:
    three.hold(Fault("stall-before", When(path="patch")))
    with three.start("upload") as running:
        three.until_held(running)
        file.parent.rmdir()
        three.box.clear_faults()
        done = running.done()
    assert done.code == 0
    assert done.err == f"warning   the file for metrics cannot be written: {file}: No such file or directory\n"


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.prom"
    link.symlink_to("there/x.prom")
    metrics.write(metrics.place(link, "upload"), "x\n")
    assert link.is_symlink()
    assert (tmp_path / "there/x.prom").read_text() == "x\n"


def test_an_empty_catalog_has_a_state(url: str) -> None:
    with connect(url) as database:
        state = metrics.gather(database, "upload")
    assert state == State(dict.fromkeys(metrics.STATES, 0), 0.0, 0.0, None)


def test_the_last_success_is_that_of_the_command_on_any_host(three: Site, films: Films) -> None:
    three.rows(
        "INSERT INTO run (command, version, host, finished_at, exit_code) VALUES"
        " ('upload', 'x', 'a', '2026-01-02 00:00Z', 0), ('upload', 'x', 'b', '2026-01-03 00:00Z', 3),"
        " ('upload', 'x', 'b', '2026-01-01 00:00Z', 0), ('sync-status', 'x', 'b', '2026-01-05 00:00Z', 0) RETURNING 1"
    )
    with connect(three.url) as database:
        assert metrics.gather(database, "upload").last_success == 1_767_312_000.0


def test_a_trial_and_a_write_that_fails_leave_nothing(tmp_path: Path) -> None:
    path = metrics.place(tmp_path, "upload")
    assert list(tmp_path.iterdir()) == []
    path.mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        metrics.write(path, "x\n")
    assert list(tmp_path.iterdir()) == [path]
