"""What is told elsewhere of an upload: in `curri status`, in the metadata of a curriculum, in the JSON of an error."""

from __future__ import annotations

from curri.sandbox import Fault, When

from .conftest import Films
from .site import Site


def test_status_tells_why_a_video_is_not_on_stream(site: Site, films: Films) -> None:
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": b"no film"}}}})
    assert site.upload().code == 3
    ((code, message),) = site.rows("SELECT error_code, error_message FROM upload")
    shown = site.run("status").out.splitlines()
    assert f"failed    course_01/01/learning/video.mp4: {code}: {message}" in shown
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain()}}}})
    assert "failed " not in site.run("status").out  # it is another file now, and due


def test_the_labels_of_a_curriculum_are_found_from_wherever_the_command_runs(site: Site, films: Films) -> None:
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain()}}}})
    (site.root / "curri.toml").write_text('managed_by = "Grammar Ops"\nprogram = "From the file"\n')
    assert site.upload(CURRI_PROGRAM="From the environment").code == 0
    (video,) = site.box.videos()
    assert video.meta["managedBy"] == "Grammar Ops"
    assert video.meta["program"] == "From the environment"


def test_a_label_of_a_curriculum_that_is_no_text_is_an_error_and_not_sent(site: Site, films: Films) -> None:
    site.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain()}}}})
    (site.root / "curri.toml").write_text("program = 7\n")
    done = site.upload()
    assert done.code == 9
    assert "program is not usable" in done.err
    assert str(site.root / "curri.toml") in done.err
    assert site.box.videos() == []


def test_the_summary_of_a_run_that_an_error_ended_counts_what_was_done(site: Site, films: Films) -> None:
    site.put({"Course_01": {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in (1, 2)}})
    site.box.faults(Fault("answer", When(path="create", nth=2), status=401))
    done = site.upload("--json", "--transfers", "1")
    assert done.code == 9
    assert done.summary["counts"]["uploaded"] == 1
    assert done.summary["run_id"] == site.one("SELECT id FROM run WHERE command = 'upload'")
