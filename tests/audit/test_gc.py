"""`curri gc`: what curri made itself and nothing needs is deleted, once a person has said so; nothing else ever is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from curri.catalog.database import Database
from curri.flow import gc
from curri.flow.jobs import Item
from curri.media.recipe import RECIPE_VERSION
from curri.model import Result
from curri.sandbox import Fault, Sandbox, SandboxSettings, When
from support.command import Done
from support.trees import make_tree
from upkeep.dashboard import Dashboard
from upload.conftest import Films
from upload.site import objects

from .conftest import PLACE, House

THIRD = PLACE.replace("/01/", "/03/")
NOTHING = "nothing to do: nothing is left over\n"


@pytest.fixture
def replaced(taught: House, films: Films) -> House:
    """Return a site whose first lesson plays another video than it did."""
    taught.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(9)}}}})
    taught.good("upload")
    taught.box.clear_requests()
    return taught


def age(house: House, days: float) -> None:
    """Let what has retired have done so before so many days."""
    house.execute(
        "UPDATE component_video SET retired_at = now() - make_interval(secs => %s) WHERE state = 'retired'",
        days * 86400,
    )


def begun(house: House, films: Films, at: str) -> None:
    """Leave an upload of a third lesson open, and take its file away."""
    house.put({"Course_01": {"Lesson_03": {"learning": {"video.mp4": films.plain(3)}}}})
    house.begin("upload", at=1, name=at).killed()
    make_tree(house.root, {"Course_01": {"Lesson_03": {"notes.md": "x"}}})
    (house.root / "Course_01/Lesson_03/learning/video.mp4").unlink()
    house.good("import", str(house.root), "--allow-removals")


def meta(house: House, uid: str) -> dict[str, object]:
    """Return the metadata of a video on Stream."""
    (found,) = (video.meta for video in house.box.videos() if video.uid == uid)
    return dict(found)


def encode(house: House, sha1: str) -> Path:
    """Put an encode of a source into the cache of a site."""
    folder = house.state / "renditions" / f"recipe-{RECIPE_VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha1}.mp4"
    path.write_bytes(b"bytes")
    return path


def whys(done: Done) -> list[str]:
    """Return why each thing of the plan that a run printed may go."""
    return [each["why"] for each in objects(done, "leftover")]


def dump(house: House, table: str, uid: str) -> str:
    """Return a row of a video as JSON."""
    row: str = house.one(f"SELECT to_jsonb(t)::text FROM {table} t WHERE provider_id = %s", uid)
    return row


def deletions(house: House) -> int:
    """Return how often Stream was asked to delete."""
    return len(house.requests("delete"))


# --- what goes, and what stays


def test_a_replaced_video_is_kept_for_its_time_and_then_deleted(replaced: House) -> None:
    old, new = replaced.uid(state="retired"), replaced.uid()
    age(replaced, 29.9)
    assert replaced.good("gc", "--yes").out == NOTHING
    age(replaced, 30.1)
    done = replaced.good("gc", "--yes")
    assert done.out.splitlines() == [
        f"retired   course_01_L01_learning (0:01): replaced 30 days ago in {PLACE}",
        f"          {old}",
        "to be deleted: 1 video on Stream, 0.0 minutes",
        "deleted: 1 video on Stream, 0.0 minutes",
    ]
    assert old not in replaced.listed()
    assert replaced.links()[PLACE] == [("current", new)]
    assert not replaced.rows("SELECT FROM video WHERE provider_id = %s", old)
    replaced.good("check")
    replaced.box.clear_requests()
    assert replaced.good("gc", "--yes").out == NOTHING
    assert deletions(replaced) == 0


def test_the_time_can_be_given(replaced: House) -> None:
    age(replaced, 2)
    assert whys(replaced.good("gc", "--dry-run", "--json", "--older-than", "3d")) == []
    assert whys(replaced.good("gc", "--dry-run", "--json", "--older-than", "36h")) == ["retired"]
    assert replaced.run("gc", "--older-than", "soon").code == 2


def test_only_what_this_catalog_made_is_an_orphan(taught: House) -> None:
    mine = meta(taught, taught.uid())
    (stray,) = taught.planted(mine)
    theirs = taught.planted(
        mine | {"uploadId": "5e1f7f6e-0000-4000-8000-000000000000"},
        mine | {"uploadId": None},
        {"name": "a holiday"},
        {},
    )
    done = taught.good("gc", "--yes", "--json")
    assert [(each["uid"], each["why"]) for each in objects(done, "leftover")] == [(stray, "orphan")]
    assert [(each["uid"], each["outcome"]) for each in objects(done, "item")] == [(stray, "done")]
    assert set(taught.listed()) == {*theirs, *(taught.uid(place) for place in taught.links())}
    assert done.summary["counts"]["orphans"] == 1
    assert taught.one("SELECT counts FROM run WHERE command = 'gc'") == done.summary["counts"]


def test_after_an_adoption_another_curriculum_is_safe(taught: House, films: Films) -> None:
    """It has the same numbers, so its components have the same ids."""
    theirs = set(taught.listed())
    lessons = {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(50 + n)}} for n in (1, 2)}
    taught.put({"Course_01": {"course.toml": 'title = "Ours"', **lessons}})
    taught.lose()
    taught.good("upload")
    taught.forget()
    taught.good("adopt", "--yes")
    age(taught, 99)
    taught.good("gc", "--yes")
    assert theirs <= set(taught.listed())


@pytest.mark.parametrize(
    ("at", "why"),
    [("commit: intend", "row"), ("exchange: create", "open"), ("commit: created", "open"), ("commit: sent", "open")],
)
def test_an_upload_of_a_file_that_is_gone_is_ended_on_both_sides(
    taught: House, films: Films, at: str, why: str
) -> None:
    begun(taught, films, at)
    done = taught.good("gc", "--yes", "--json")
    assert whys(done) == [why]
    assert len(taught.listed()) == 2
    assert taught.rows("SELECT state::text, error_code, upload_url FROM upload WHERE state <> 'linked'") == [
        ("abandoned", "file-gone", None)
    ]
    assert taught.good("gc", "--yes").out == NOTHING


def test_an_upload_whose_file_is_there_is_left_to_the_next_run(taught: House, films: Films) -> None:
    taught.put({"Course_01": {"Lesson_03": {"learning": {"video.mp4": films.plain(3)}}}})
    taught.begin("upload", at=1, name="commit: sent").killed()
    assert taught.good("gc", "--yes").out == NOTHING
    taught.good("upload")
    assert len(taught.links()) == 3


def test_what_a_run_works_at_is_left_alone(taught: House, films: Films) -> None:
    taught.put({"Course_01": {"Lesson_03": {"learning": {"video.mp4": films.plain(3)}}}})
    taught.hold(Fault("stall-before", When(path="patch")))
    sending = taught.begin("upload")
    taught.until_stalled()
    taught.execute(
        "UPDATE component SET removed_at = now() WHERE lesson_id = (SELECT id FROM lesson WHERE number = '03')"
    )
    assert taught.good("gc", "--yes").out == NOTHING
    taught.box.clear_faults()
    assert sending.done().code in (0, 3)
    assert deletions(taught) == 0


def test_what_somebody_wants_to_stay_stays(replaced: House) -> None:
    age(replaced, 99)
    replaced.execute("UPDATE upload SET error_code = 'kept' WHERE provider_id = %s", replaced.uid(state="retired"))
    replaced.execute("DELETE FROM component_video WHERE state = 'retired'")
    assert replaced.good("gc", "--yes").out == NOTHING
    replaced.good("check")


def test_the_row_of_a_video_that_is_gone_goes_without_a_deletion(replaced: House, dashboard: Dashboard) -> None:
    old = replaced.uid(state="retired")
    dashboard.delete(old)
    replaced.box.clear_requests()
    done = replaced.good("gc", "--yes")
    assert done.out.splitlines()[-2:] == ["to be deleted: 1 row of the catalog", "deleted: 1 row of the catalog"]
    assert deletions(replaced) == 0
    assert not replaced.rows("SELECT FROM video WHERE provider_id = %s", old)
    replaced.good("check")


def test_a_row_of_a_video_that_the_listing_does_not_have_yet_stays(
    replaced: House, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How soon a video shows in a listing is not documented: only asking for it proves that it is gone."""
    old = replaced.uid(state="retired")
    replaced.hide(monkeypatch, old)
    before = replaced.untouched()
    items: list[Item] = []
    report = gc.run(database, gc.Options(), replaced.means(), lambda _: True, items.append, version="test")
    assert report.counts["rows"] == 0
    assert [(item.uid, item.outcome, item.reason) for item in items] == [
        (old, Result.UNCHANGED, "it is on Stream after all; it was left alone")
    ]
    assert replaced.untouched() == before


def test_a_listing_that_is_a_moment_behind_is_no_other_account(
    house: House, films: Films, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(1)}}}})
    house.good("upload")
    house.hide(monkeypatch, house.uid())
    plans: list[gc.Plan] = []

    def agreed(plan: gc.Plan) -> bool:
        plans.append(plan)
        return True

    gc.run(database, gc.Options(), house.means(), agreed, print, version="test")
    assert [plan.is_empty for plan in plans] == [True]


# --- encodes


def test_encodes_of_files_that_are_gone_go_and_those_in_use_stay(taught: House) -> None:
    sha1 = taught.one("SELECT min(checksum_sha1) FROM asset WHERE role = 'source'")
    needed, gone, used = (encode(taught, each) for each in (sha1, "0" * 40, "1" * 40))
    held = os.open(used.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(held, fcntl.LOCK_SH)
        done = taught.good("gc", "--yes")
    finally:
        os.close(held)
    assert done.out.splitlines() == ["to be deleted: 2 encodes here, 10 B", "deleted: 1 encode here, 5 B"]
    assert (needed.exists(), gone.exists(), used.exists()) == (True, False, True)
    assert taught.good("gc", "--yes", "--json").summary["counts"]["encodes"] == 1
    assert not used.exists()


# --- asking, and not asking


def test_a_dry_run_changes_nothing(replaced: House, films: Films) -> None:
    age(replaced, 40)
    begun(replaced, films, "commit: sent")
    path = encode(replaced, "0" * 40)
    before = replaced.everything()
    done = replaced.good("gc", "--dry-run", "--json")
    assert sorted(whys(done)) == ["open", "retired"]
    counts = done.summary["counts"]
    assert (counts["opens"], counts["retireds"], counts["encodes"], counts["encode_bytes"]) == (1, 1, 1, 5)
    assert (replaced.everything(), deletions(replaced), path.exists()) == (before, 0, True)


def test_where_nobody_can_be_asked_nothing_is_deleted(replaced: House) -> None:
    age(replaced, 40)
    before = replaced.everything()
    for arguments in ([], ["--json"], ["--quiet"]):
        done = replaced.good("gc", *arguments, code=2)
        assert "hint: `--yes` deletes without asking" in done.err
    assert (replaced.everything(), deletions(replaced)) == (before, 0)
    age(replaced, 1)
    assert replaced.good("gc").out == NOTHING  # then there is nothing to ask


def test_no_more_than_allowed_are_deleted(taught: House) -> None:
    taught.planted(*[meta(taught, taught.uid())] * 3)
    assert taught.good("gc", "--yes", "--max-deletes", "0").out == "nothing to do: --max-deletes allows none\n"
    done = taught.good("gc", "--yes", "--max-deletes", "2")
    assert "2 videos on Stream, 2.0 minutes; 1 more is left to another run" in done.out
    assert (len(taught.listed()), deletions(taught)) == (3, 2)
    taught.good("gc", "--yes", "--max-deletes", "2")
    assert len(taught.listed()) == 2


@pytest.mark.parametrize(("keys", "code"), [("\n", 0), ("\x04", 0), ("\x03", 130)])
def test_a_person_who_does_not_agree_keeps_everything(replaced: House, keys: str, code: int) -> None:
    age(replaced, 40)
    before = replaced.everything()
    with replaced.terminal("gc", columns=40) as terminal:
        shown = terminal.until("Delete it? [y/N]: ")
        assert replaced.uid(state="retired") in shown
        terminal.type(keys)
        assert terminal.done() == code
    assert "Traceback" not in terminal.shown
    assert ("nothing was deleted" in terminal.shown) is (code == 0)
    assert (replaced.everything(), deletions(replaced)) == (before, 0)


def test_a_video_that_is_needed_again_when_the_answer_comes_is_left_alone(replaced: House) -> None:
    age(replaced, 40)
    old, new = replaced.uid(state="retired"), replaced.uid()
    (stray,) = replaced.planted(meta(replaced, new))
    with replaced.terminal("gc") as terminal:
        terminal.until("Delete them? [y/N]: ")
        replaced.execute("UPDATE component_video SET state = 'retired', retired_at = now() WHERE provider_id = %s", new)
        replaced.execute("UPDATE component_video SET state = 'current', retired_at = NULL WHERE provider_id = %s", old)
        terminal.type("y\n")
        assert terminal.done() == 0
    assert "something needs it again; it was left alone" in terminal.shown
    assert (old in replaced.listed(), stray in replaced.listed()) == (True, False)
    assert replaced.uid() == old


def test_an_upload_whose_file_is_back_when_the_answer_comes_is_left_alone(taught: House, films: Films) -> None:
    begun(taught, films, "commit: intend")
    with taught.terminal("gc") as terminal:
        terminal.until("Delete it? [y/N]: ")
        taught.put({"Course_01": {"Lesson_03": {"learning": {"video.mp4": films.plain(3)}}}})
        terminal.type("y\n")
        assert terminal.done() == 0
    assert taught.one("SELECT count(*) FROM upload WHERE state = 'intended'") == 1
    taught.good("upload")
    taught.good("check")


# --- when things go wrong


def test_killed_at_any_point_the_next_one_completes_it(replaced: House) -> None:
    age(replaced, 40)
    old, new = replaced.uid(state="retired"), replaced.uid()
    told, kept = meta(replaced, old), [dump(replaced, table, old) for table in ("video", "component_video")]
    points = replaced.points("gc", "--yes")
    first = points.index("commit: throw_away")
    assert points[first : first + 3] == ["commit: throw_away", "exchange: delete", "commit: throw_away"]
    after = replaced.untouched()
    for number in range(first, len(points) + 1):  # the first one before anything is done
        (again,) = replaced.planted(told)
        replaced.execute("UPDATE upload SET provider_id = %s WHERE provider_id = %s", again, old)
        for table, row in zip(("video", "component_video"), kept, strict=True):
            replaced.execute(
                f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s::jsonb)",
                row.replace(old, again),
            )
        replaced.begin("gc", "--yes", at=number).killed()
        assert replaced.uid() == new
        replaced.good("gc", "--yes")
        assert again not in replaced.listed()
        assert new in replaced.listed()
        assert {**replaced.untouched(), "upload": []} == {**after, "upload": []}
        old, kept = again, [row.replace(old, again) for row in kept]
    replaced.good("check")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", When(path="delete"), status=429, retry_after=1),
        Fault("answer-after", When(path="delete"), status=500),
        Fault("drop-before", When(path="delete")),
        Fault("drop-after", When(path="delete")),
    ],
    ids=lambda fault: fault.do,
)
def test_a_passing_failure_or_a_lost_answer_is_borne(replaced: House, fault: Fault) -> None:
    age(replaced, 40)
    old = replaced.uid(state="retired")
    replaced.box.faults(fault)
    replaced.good("gc", "--yes")
    assert replaced.happened(fault.do)
    assert old not in replaced.listed()
    assert not replaced.rows("SELECT FROM video WHERE provider_id = %s", old)
    replaced.good("check")


def test_a_lasting_failure_ends_the_run_and_the_next_one_does_the_rest(replaced: House) -> None:
    age(replaced, 40)
    old = replaced.uid(state="retired")
    (stray,) = replaced.planted(meta(replaced, replaced.uid()))
    replaced.box.faults(Fault("answer", When(path="delete", times=None), status=500))
    done = replaced.run("gc", "--yes", "--json")
    assert (done.code, done.summary["exit_code"]) == (6, 6)
    assert replaced.rows("SELECT exit_code FROM run WHERE command = 'gc'") == [(6,)]
    replaced.box.clear_faults()
    replaced.good("gc", "--yes")
    assert not {old, stray} & set(replaced.listed())


def test_what_stream_refuses_is_told_and_does_not_keep_the_rest(replaced: House) -> None:
    age(replaced, 40)
    replaced.planted(meta(replaced, replaced.uid()))
    replaced.box.faults(Fault("answer", When(path="delete"), status=400))
    done = replaced.run("gc", "--yes", "--json")
    assert [each["outcome"] for each in objects(done, "item")] == ["failed", "done"]
    assert (done.code, done.summary["counts"]["failed"], len(replaced.listed())) == (3, 1, 3)
    replaced.good("gc", "--yes")
    assert len(replaced.listed()) == 2


def test_two_at_once_do_not_overlap(replaced: House) -> None:
    age(replaced, 40)
    replaced.hold(Fault("stall-before", When(path="list")))
    first = replaced.begin("gc", "--yes")
    replaced.until_stalled()
    assert replaced.run("gc", "--yes").code == 8
    replaced.box.clear_faults()
    assert first.done().code == 0
    assert deletions(replaced) == 1


def test_a_listing_that_fails_part_way_deletes_nothing(replaced: House) -> None:
    age(replaced, 40)
    replaced.planted(*({"name": f"v{n}"} for n in range(1000)))
    replaced.box.faults(Fault("answer", When(path="list", nth=2, times=None), status=500))
    before = replaced.everything()
    assert replaced.run("gc", "--yes").code == 6
    assert replaced.everything() == before


@pytest.mark.parametrize("arguments", [["--yes"], ["--dry-run"]])
def test_another_account_loses_nothing(replaced: House, films: Films, arguments: list[str]) -> None:
    begun(replaced, films, "commit: created")
    age(replaced, 40)
    before = replaced.everything()
    with Sandbox(SandboxSettings(account_id="b" * 32)) as other:
        other.plant([{"name": "theirs"}])
        variables = {"CLOUDFLARE_ACCOUNT_ID": other.account_id, "CURRI_STREAM_URL": other.url}
        done = replaced.run("gc", *arguments, **variables)
        assert (done.code, done.out) == (9, "")
        assert "2 of 2 videos are not in this account" in done.err
        assert len(other.videos()) == 1
    assert replaced.everything() == before
    assert replaced.good("gc", "--yes", "--json").summary["counts"]["retireds"] == 1


def test_videos_that_were_deleted_on_purpose_are_no_other_account_once_that_is_recorded(
    taught: House, dashboard: Dashboard
) -> None:
    for place in list(taught.links()):
        dashboard.delete(taught.uid(place))
    done = taught.run("gc", "--yes")
    assert (done.code, "`curri sync-status --all` first" in done.err) == (9, True)
    taught.good("sync-status", "--all", code=3)
    assert taught.good("gc", "--yes").out == NOTHING
