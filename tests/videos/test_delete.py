"""`curri videos delete`: what goes and what stays, whatever happens in between."""

from __future__ import annotations

import sys
from typing import Any

import psycopg
import pytest

from catalog.rows import SHA1, Rows
from catalog.waiting import until
from curri.catalog.database import Database, connect
from curri.errors import BusyError, UsageError
from curri.flow import videos
from curri.flow.preflight import Credentials
from curri.sandbox import Fault, When
from support.command import Done
from upkeep.dashboard import Dashboard
from upload.site import Running, Site, objects

from . import driver

NAME = "course_01_L01_learning"
PLACE = "course_01/01/learning/video.mp4"
NOBODY = Credentials(None, None, None)
AGAIN = f"{PLACE} is still in the tree: the next `curri upload` sends it again\n"


def delete(site: Site, *arguments: str, changes: str = "", **variables: str | None) -> Done:
    return site.run("videos", "delete", *arguments, changes=changes, **variables)


def current(site: Site, place: str = PLACE) -> str:
    return next(uid for state, uid in site.links()[place] if state == "current")


def on_stream(site: Site) -> set[str]:
    return {video.uid for video in site.box.videos()}


def without_runs(site: Site) -> dict[str, list[str]]:
    return {**site.everything(), "run": []}


def gone(site: Site, uid: str) -> None:
    """Fail unless nothing of the video is left, here or there, and of the other two everything is."""
    assert uid not in on_stream(site)
    assert len(on_stream(site)) == 2
    assert site.rows("SELECT FROM video WHERE provider_id = %s", uid) == []
    assert site.rows("SELECT FROM component_video WHERE provider_id = %s", uid) == []
    assert site.one("SELECT count(*) FROM course_videos WHERE status = 'ready'") == 2
    assert not site.rows("SELECT FROM upload WHERE state NOT IN ('linked', 'abandoned', 'failed')")


def played(site: Site) -> set[str]:
    """Return the videos that a web page would play."""
    return {uid for (uid,) in site.rows("SELECT cloudflare_video_id FROM course_videos WHERE status = 'ready'")}


@pytest.mark.parametrize("reference", ["uid", "name", "path"])
def test_a_video_goes_from_the_catalog_and_from_stream_and_is_sent_again(uploaded: Site, reference: str) -> None:
    uid = current(uploaded)
    names = {
        "uid": uid,
        "name": NAME,
        "path": str(uploaded.root / "Course_01/Lesson_01/learning/video.mp4"),
    }
    done = delete(uploaded, names[reference], "--yes")
    assert (done.code, done.out, done.err) == (0, f"deleted   {PLACE}: {uid}\n{AGAIN}", "")
    gone(uploaded, uid)
    ((command, code, counts),) = uploaded.rows("SELECT command, exit_code, counts FROM run ORDER BY id DESC LIMIT 1")
    assert (command, code, counts["deleted"], counts["links"]) == ("videos delete", 0, 1, 1)
    assert uploaded.upload().code == 0
    uploaded.linked_once(*(f"course_01_L0{n}_learning" for n in (1, 2, 3)))


def test_a_video_that_is_to_stay_on_stream_stays_there_and_is_no_leftover(uploaded: Site) -> None:
    uid = current(uploaded)
    done = delete(uploaded, uid, "--keep-remote", "--yes", CLOUDFLARE_API_TOKEN=None)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"deleted   {PLACE}: {uid}; it stays on Stream\n{AGAIN}"
    assert uploaded.requests() == []
    assert uid in on_stream(uploaded)
    assert uploaded.rows("SELECT FROM video WHERE provider_id = %s", uid) == []
    assert uploaded.rows("SELECT state::text, error_code FROM upload WHERE provider_id = %s", uid) == [
        ("linked", "kept")
    ]
    swept = uploaded.run("gc", "--yes")
    assert swept.code == 0, swept.err
    assert uid in on_stream(uploaded)


@pytest.mark.parametrize(("when", "reference"), [("before", NAME), ("after", PLACE)])
def test_one_that_is_killed_is_completed_by_the_same_command(uploaded: Site, when: str, reference: str) -> None:
    uid = current(uploaded)
    arguments = [sys.executable, driver.__file__, when, "videos", "delete", reference, "--yes"]
    with Running(arguments, uploaded.environment(), uploaded.folder) as running:
        assert running.done().code == -9
    assert (uid in on_stream(uploaded)) == (when == "before")
    # Nobody is told that it plays, and no upload sends the file while a copy may be there.
    assert uid not in played(uploaded)
    status, code, message = uploaded.rows(
        "SELECT status::text, error_code, error_message FROM video WHERE provider_id = %s", uid
    )[0]
    assert (status, code) == ("error", "DELETING")
    assert f"curri videos delete {uid}" in message
    uploaded.box.clear_requests()
    assert uploaded.upload().code == 3
    assert uploaded.requests("create") == []
    done = delete(uploaded, reference, "--yes")
    assert (done.code, done.err) == (0, "")
    assert ("it was not on Stream any more" in done.out) == (when == "after")
    gone(uploaded, uid)
    assert uploaded.upload().code == 0
    uploaded.linked_once(*(f"course_01_L0{n}_learning" for n in (1, 2, 3)))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_deletion_that_is_given_up_is_put_right_by_the_next_look(uploaded: Site, when: str) -> None:
    uid = current(uploaded)
    uploaded.rows("UPDATE video SET next_check_at = now() + interval '1 day' RETURNING 1")  # nothing is due for a look
    arguments = [sys.executable, driver.__file__, when, "videos", "delete", uid, "--yes"]
    with Running(arguments, uploaded.environment(), uploaded.folder) as running:
        running.done()
    done = uploaded.run("sync-status")
    if when == "before":
        assert (done.code, done.out) == (0, f"changed   {PLACE}: ready\n")
        assert uid in played(uploaded)
    else:
        assert done.code == 3
        assert "MISSING" in done.err
        assert delete(uploaded, uid, "--yes").code == 0
        gone(uploaded, uid)


def test_one_that_stream_does_not_answer_says_what_to_do(uploaded: Site) -> None:
    uid = current(uploaded)
    uploaded.box.faults(Fault("answer", When(path="delete", times=None), status=503))
    done = delete(uploaded, NAME, "--yes", changes="impatient")
    assert done.code == 6
    assert "the same command again completes the deletion" in done.err
    assert uid not in played(uploaded)
    uploaded.box.clear_faults()
    assert delete(uploaded, NAME, "--yes").code == 0
    gone(uploaded, uid)


@pytest.mark.parametrize("word", ["answer-after", "drop-before"])
def test_passing_failures_are_borne(uploaded: Site, word: str) -> None:
    uid = current(uploaded)
    fault = Fault(word, When(path="delete"), status=502) if "answer" in word else Fault(word, When(path="delete"))
    uploaded.box.faults(fault)
    assert delete(uploaded, NAME, "--yes").code == 0
    assert uploaded.happened(word)
    gone(uploaded, uid)


@pytest.mark.parametrize("wrong", ["token", "account", "none"])
def test_another_account_deletes_nothing_here_either(uploaded: Site, wrong: str) -> None:
    before = without_runs(uploaded)
    variables: dict[str, dict[str, str | None]] = {
        "token": {"CLOUDFLARE_API_TOKEN": "x" * 40},
        "account": {"CLOUDFLARE_ACCOUNT_ID": "0" * 32},
        "none": {"CLOUDFLARE_API_TOKEN": None},
    }
    done = delete(uploaded, NAME, "--yes", changes="", **variables[wrong])
    assert done.code == 9, done.err
    assert without_runs(uploaded) == before
    assert len(on_stream(uploaded)) == 3


def test_a_video_that_somebody_deleted_on_stream_goes_from_the_catalog(uploaded: Site, dashboard: Dashboard) -> None:
    uid = current(uploaded)
    dashboard.delete(uid)
    done = delete(uploaded, uid, "--yes")
    assert (done.code, done.out) == (0, f"deleted   {PLACE}: {uid}; it was not on Stream any more\n{AGAIN}")
    gone(uploaded, uid)


def test_off_a_terminal_it_wants_a_yes_and_a_dry_run_only_shows(uploaded: Site) -> None:
    before = uploaded.everything()
    done = delete(uploaded, NAME)
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert delete(uploaded, NAME, "--json").summary["exit_code"] == 2
    dry = delete(uploaded, NAME, "--dry-run", CLOUDFLARE_API_TOKEN=None)
    assert (dry.code, dry.err) == (0, "")
    assert f"link      {PLACE} (current)\n{AGAIN}" in dry.out
    assert uploaded.everything() == before
    assert uploaded.requests() == []


def test_a_file_that_was_removed_is_not_announced(uploaded: Site) -> None:
    (uploaded.root / "Course_01/Lesson_01/learning/video.mp4").unlink()
    done = uploaded.run("import", str(uploaded.root), "--allow-removals")
    assert done.code == 0, done.err
    uid = current(uploaded)
    assert delete(uploaded, uid, "--yes").out == f"deleted   {PLACE}: {uid}\n"


def test_all_links_go_and_all_are_told(uploaded: Site) -> None:
    uid, other = current(uploaded), "course_01/02/learning/video.mp4"
    uploaded.rows(
        "UPDATE component_video SET provider_id = %s WHERE provider_id = %s RETURNING 1", uid, current(uploaded, other)
    )
    dry = delete(uploaded, uid, "--dry-run")
    assert "It is linked to 2 places, and all of these links go:\n" in dry.out
    assert f"link      {PLACE} (current)\nlink      {other} (current)\n" in dry.out
    done = delete(uploaded, uid, "--yes", "--json")
    (item,) = objects(done, "item")
    assert [link["path"] for link in item["links"]] == item["due_again"] == [PLACE, other]
    assert done.summary["counts"] == {"deleted": 1, "links": 2}
    assert uploaded.rows("SELECT FROM component_video WHERE provider_id = %s", uid) == []


@pytest.mark.parametrize("other", ["videos delete", "sync-status", "fix-metadata", "adopt"])
def test_it_waits_for_no_command_that_would_put_the_video_back(uploaded: Site, other: str) -> None:
    before = without_runs(uploaded)
    with connect(uploaded.url) as database:
        database.lock(other)
        done = delete(uploaded, NAME, "--yes")
    assert done.code == 8
    assert f"another `curri {other}` is at work" in done.err
    assert (without_runs(uploaded), uploaded.requests()) == (before, [])


# --- with rows made by hand


class Story:
    """A component with a video, and an upload of it that has not ended."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.component = rows.component(rows.lesson(rows.course()))
        rows.asset(self.component)
        self.video = rows.video(status="ready")
        rows.link(self.component, self.video)

    def upload(self, **values: Any) -> dict[str, Any]:
        usual = {"state": "sending", "provider_id": self.video["provider_id"]}
        return self.rows.upload(self.component, **{**usual, **values})

    def agreed(self, database: Database) -> videos.Deletion:
        return videos.deletion(database, str(self.video["id"]), keep_remote=True)


@pytest.fixture
def story(rows: Rows) -> Story:
    return Story(rows)


def test_an_open_upload_of_the_video_is_given_up(story: Story, shared: Database, rows: Rows) -> None:
    upload = story.upload(upload_url="https://example.org/secret")
    agreed = story.agreed(shared)
    assert agreed.uploads == (str(upload["id"]),)
    videos.delete(shared, agreed, NOBODY, version="test")
    after = rows.get("upload", upload["id"])
    assert (after["state"], after["upload_url"], after["lease_until"]) == ("abandoned", None, None)
    assert after["error_code"] == "kept"
    assert rows.count("video") == rows.count("component_video") == 0


def test_an_open_upload_of_another_video_goes_on(story: Story, shared: Database, rows: Rows) -> None:
    upload = story.upload(provider_id="1" * 32)
    agreed = story.agreed(shared)
    assert agreed.uploads == ()
    videos.delete(shared, agreed, NOBODY, version="test")
    assert rows.get("upload", upload["id"]) == upload


def test_a_video_that_a_run_is_sending_is_busy(story: Story, shared: Database, shared_url: str, rows: Rows) -> None:
    run = rows.run(command="upload")
    with connect(shared_url) as sender:
        sender.announce(run["id"])
        upload = story.upload(run_id=run["id"], lease_until="2999-01-01T00:00:00Z")
        with pytest.raises(BusyError, match=f"run {run['id']} of `curri upload` is at work"):
            story.agreed(shared)
    here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    locks = f"SELECT FROM pg_locks WHERE locktype = 'advisory' AND {here}".encode()
    until(lambda: not rows.connection.execute(locks).fetchall())
    agreed = story.agreed(shared)  # it has died
    with connect(shared_url) as sender:
        sender.announce(run["id"])
        with pytest.raises(BusyError, match="is at work"):
            videos.delete(shared, agreed, NOBODY, version="test")
    assert rows.get("upload", upload["id"]) == upload
    assert rows.count("video") == rows.count("component_video") == 1


@pytest.mark.parametrize("change", ["linked", "retired", "upload"])
def test_what_changed_since_it_was_agreed_to_is_not_deleted(
    story: Story, shared: Database, rows: Rows, change: str
) -> None:
    agreed = story.agreed(shared)
    if change == "linked":
        rows.link(rows.component(rows.lesson(rows.course())), story.video)
    elif change == "retired":
        rows.update("component_video", rows.all("component_video")[0]["id"], state="retired")
    else:
        story.upload()
    before = rows.all("component_video"), rows.all("upload")
    with pytest.raises(BusyError, match="nothing was deleted"):
        videos.delete(shared, agreed, NOBODY, version="test")
    assert (rows.all("component_video"), rows.all("upload")) == before
    (run,) = rows.all("run", command="videos delete")
    assert run["exit_code"] == 8


def test_a_second_deletion_of_what_is_gone_is_refused(story: Story, shared: Database) -> None:
    agreed = story.agreed(shared)
    videos.delete(shared, agreed, NOBODY, version="test")
    with pytest.raises(UsageError, match="has no video"):
        videos.delete(shared, agreed, NOBODY, version="test")
    for gone in (str(story.video["id"]), "no id"):
        with pytest.raises(UsageError, match="has no video"):
            videos.deletion(shared, gone)


@pytest.mark.parametrize("values", [{"provider": "YOUTUBE"}, {"provider_id": "no/id"}])
def test_what_is_not_on_stream_can_only_be_taken_out_of_the_catalog(
    values: dict[str, str], rows: Rows, shared: Database
) -> None:
    video = rows.video(**values)
    with pytest.raises(UsageError) as raised:
        videos.deletion(shared, str(video["id"]))
    assert "--keep-remote" in str(raised.value.hint)
    agreed = videos.deletion(shared, str(video["id"]), keep_remote=True)
    assert videos.delete(shared, agreed, NOBODY, version="test").due_again == ()
    assert rows.count("video") == 0


def test_what_an_upload_would_link_again_is_not_announced_as_sent(story: Story, shared: Database, rows: Rows) -> None:
    former = rows.video(status="ready")
    rows.link(story.component, former, state="retired")
    assert story.agreed(shared).due_again == ()
    other = videos.deletion(shared, str(former["id"]), keep_remote=True)
    videos.delete(shared, other, NOBODY, version="test")
    place = f"{rows.all('course')[0]['slug']}/{rows.all('lesson')[0]['number']}/{story.component['group_key']}"
    assert story.agreed(shared).due_again == (place,)


def test_the_former_video_of_a_component_does_not_count_once_it_is_deleted(
    story: Story, shared: Database, rows: Rows
) -> None:
    rows.update("component_video", rows.all("component_video")[0]["id"], state="retired")
    (place,) = story.agreed(shared).due_again
    assert place.endswith(story.component["group_key"])


def test_the_preview_of_a_course_is_forgotten(rows: Rows, shared: Database) -> None:
    video = rows.video()
    course = rows.course(preview_video_id=video["id"])
    component = rows.component(course, kind="preview")
    rows.asset(component, checksum_sha1=SHA1)
    rows.link(component, video)
    agreed = videos.deletion(shared, str(video["id"]), keep_remote=True)
    assert agreed.due_again == (f"{course['slug']}/{component['group_key']}",)
    videos.delete(shared, agreed, NOBODY, version="test")
    assert rows.get("course", course["id"])["preview_video_id"] is None


def test_no_request_is_made_inside_a_transaction(uploaded: Site) -> None:
    """While Stream is asked to delete, no row of the catalog is locked."""
    uploaded.hold(Fault("stall-before", When(path="delete")))
    with uploaded.start("videos", "delete", NAME, "--yes") as running:
        uploaded.until_held(running)
        with psycopg.connect(uploaded.url) as connection:
            connection.execute("SET lock_timeout = '1s'")
            connection.execute("SELECT FROM video v, component c FOR UPDATE")
            idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
            assert connection.execute(idle).fetchone() == (0,)
        uploaded.box.clear_faults()
        assert running.done().code == 0
