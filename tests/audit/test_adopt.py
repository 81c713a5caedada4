"""`curri adopt`: a catalog that was lost is built again from the tree and Stream; what is not sure is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from curri.catalog.database import connect
from curri.flow import adopt
from curri.plan.adoption import Adoption
from curri.sandbox import Fault, When
from support.command import Done
from upkeep.dashboard import Dashboard
from upload.conftest import Films
from upload.site import objects

from .conftest import PLACE, House

SECOND = PLACE.replace("/01/", "/02/")

NOT_KNOWN = {
    # Times of this machine and of the catalog, which nothing else keeps.
    "*": {"created_at", "updated_at"},
    "asset": {"hashed_at"},
    # When it came into its state, was looked at, is due, and was fully encoded; how long an encode lasts that was sent.
    "video": {"state_since", "synced_at", "next_check_at", "fully_encoded_at", "source_seconds"},
    # The metadata know when the upload was begun, not when it was linked or replaced.
    "component_video": {"linked_at", "retired_at"},
    # What was sent, why and how; which run sent it; the moment of asking is known to the second.
    "upload": {
        *("artifact_sha1", "artifact_bytes", "decision", "decision_reason", "recipe", "encode_seconds"),
        *("acknowledged_bytes", "attempts", "run_id", "asked_at"),
    },
}
"""Columns of a catalog that cannot be known from the tree and Stream. The ledger of runs and the journal of edits are
not among what is compared at all."""


def known(house: House) -> dict[str, list[dict[str, Any]]]:
    """Return all rows with all that can be known, the ids among it."""
    found = {}
    for table in ("course", "lesson", "component", "asset", "video", "component_video", "upload"):
        rows = [row for (row,) in house.rows(f"SELECT to_jsonb(t) FROM {table} t ORDER BY id")]
        left_out = NOT_KNOWN["*"] | NOT_KNOWN.get(table, set())
        found[table] = [{key: value for key, value in row.items() if key not in left_out} for row in rows]
    return found


def offers(done: Done) -> dict[str, tuple[str, bool]]:
    """Return evidence and whether it is exact, by place; of what should be played."""
    return {
        each["path"]: (each["evidence"], each["exact"])
        for each in objects(done, "adoption")
        if each["state"] == "current"
    }


def script(house: House, **more: Any) -> dict[str, Any]:
    """Return what an older script says of the video of the first lesson: ids of a database that nobody has any more."""
    return {
        "name": "course_01_L01_learning",
        "courseId": "17",
        "courseSlug": "course_01",
        "courseTitle": "Course 01",
        "lessonId": "171",
        "lessonNumber": "01",
        "lessonTitle": "Lesson 01",
        "componentId": "1711",
        "componentType": "learning",
        "managedBy": "Grammar Ops",
        "program": "RUDI Applied GenAI",
        "compressed": True,
        "uploadedAt": "2024-05-06T07:08:09.123Z",
        **more,
    }


def one(house: House, films: Films, number: int = 1) -> None:
    house.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(number)}}}})


def test_a_lost_catalog_is_built_again(slow: House, films: Films, ffmpeg: str) -> None:
    slow.variables |= {"CURRI_FFMPEG": ffmpeg}
    lessons: dict[str, Any] = {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(n)}} for n in (1, 2)}
    lessons["Lesson_03"] = {"learning": {"video.mp4": films.heavy(3)}, "slides": {"notes.md": "x"}}
    slow.put({"Course_01": {**lessons, "course.toml": 'title = "One"', "preview.mp4": films.plain(4)}})
    for number in (1, 2):  # the first lesson is replaced, the second one waits
        slow.good("upload")
        slow.box.advance(60)
        slow.good("sync-status", "--all")
        slow.put({"Course_01": {f"Lesson_0{number}": {"learning": {"video.mp4": films.plain(10 + number)}}}})
    slow.good("upload")
    slow.good("sync-status", "--all")
    before, videos, rows = slow.links(), slow.listed(), known(slow)
    assert [state for state, _ in before[PLACE]] == ["retired", "current"]
    assert [state for state, _ in before[SECOND]] == ["current", "pending"]
    assert [row["compressed"] for row in rows["component_video"]].count(True) == 1
    assert rows["course"][0]["preview_video_id"]

    slow.lose()
    assert slow.links() == {}
    slow.box.clear_requests()
    done = slow.good("adopt", "--yes")
    assert done.out.endswith("linked: 4 of 4 videos without a link\n")
    assert {entry.kind for entry in slow.requests()} == {"list"}
    assert known(slow) == rows
    assert slow.one("SELECT count(*) FROM video WHERE source_seconds BETWEEN 0.9 AND 1.1") == 3

    slow.good("check")
    slow.good("sync-status", "--all")
    assert slow.good("fix-metadata", "--json").summary["counts"]["edited"] == 0
    assert slow.good("upload", "--json").summary["counts"]["uploaded"] == 0
    assert "nothing to do: each of 4 videos" in slow.good("adopt", "--yes").out
    slow.box.advance(60)
    slow.good("sync-status", "--all")
    assert [state for state, _ in slow.links()[SECOND]] == ["retired", "current"]
    assert slow.listed() == videos


def test_lessons_that_were_moved_and_swapped_are_found_by_their_bytes(taught: House, films: Films) -> None:
    first, second = taught.uid(PLACE), taught.uid(SECOND)
    course = taught.root / "Course_01"
    (course / "Lesson_01").rename(course / "Lesson_09")
    (course / "Lesson_02").rename(course / "Lesson_01")
    taught.lose()
    done = taught.good("adopt", "--yes", "--json")
    assert set(offers(done).values()) == {("checksumSha1", True)}
    assert taught.links() == {PLACE: [("current", second)], PLACE.replace("/01/", "/09/"): [("current", first)]}
    taught.good("fix-metadata")
    taught.good("check")


def test_equal_files_are_told_apart_by_their_places_and_else_not_at_all(house: House, films: Films) -> None:
    lesson = {"learning": {"video.mp4": films.plain(1)}}
    house.put({"Course_01": {"Lesson_01": lesson, "Lesson_02": lesson}})
    house.good("upload")
    links = house.links()
    for old, new in (("01", "05"), ("02", "06")):
        (house.root / f"Course_01/Lesson_{old}").rename(house.root / f"Course_01/Lesson_{new}")
    house.forget()
    house.lose()
    unsure = house.good("adopt", "--yes", "--json")
    assert [exact for _, exact in offers(unsure).values()] == [False, False]
    assert house.links() == {}
    for old, new in (("01", "05"), ("02", "06")):
        ((_, uid),) = links[PLACE.replace("/01/", f"/{old}/")]
        (meta,) = (video.meta for video in house.box.videos() if video.uid == uid)
        httpx.post(
            f"{house.box.url}/accounts/{house.box.account_id}/stream/{uid}",
            json={"meta": meta | {"lessonNumber": new}},
            headers={"Authorization": f"Bearer {house.box.token}"},
        ).raise_for_status()
    sure = house.good("adopt", "--yes", "--json")
    assert [exact for _, exact in offers(sure).values()] == [True, True]
    assert house.links() == {
        place.replace("/01/", "/05/").replace("/02/", "/06/"): each for place, each in links.items()
    }


def test_another_curriculum_with_the_same_numbers_is_never_adopted_by_itself(taught: House, films: Films) -> None:
    theirs = taught.listed()
    lessons = {f"Lesson_0{n}": {"learning": {"video.mp4": films.plain(50 + n)}} for n in (1, 2)}
    taught.put({"Course_01": lessons})
    taught.lose()
    before = taught.untouched()
    done = taught.good("adopt", "--yes", "--json")
    assert offers(done) == {PLACE: ("componentId", False), SECOND: ("componentId", False)}
    assert taught.untouched() == before
    taught.good("upload")
    taught.lose()
    done = taught.good("adopt", "--yes")
    current = [uid for links in taught.links().values() for state, uid in links if state == "current"]
    assert len(current) == 2
    assert not set(current) & set(theirs)


def test_what_an_older_script_has_sent_is_known_by_its_place(house: House, films: Films) -> None:
    one(house, films)
    (uid,) = house.planted(script(house), duration=1.0)
    done = house.good("adopt", "--yes", "--json")
    assert offers(done) == {PLACE: ("course, lesson and kind", True)}
    assert house.links() == {PLACE: [("current", uid)]}
    assert house.rows("SELECT source_sha1, compressed FROM component_video") == [(None, True)]
    assert house.rows("SELECT FROM upload") == []
    house.good("fix-metadata")
    house.good("check")
    assert house.good("gc").out == "nothing to do: nothing is left over\n"
    assert house.good("upload", "--json").summary["counts"]["uploaded"] == 0


@pytest.mark.parametrize("change", [{"courseTitle": "Another"}, {"lessonTitle": "Another"}, {"checksumSha1": "0" * 40}])
def test_what_an_older_script_says_of_another_course_is_not_exact(house: House, films: Films, change: Any) -> None:
    one(house, films)
    house.planted(script(house, **change), duration=1.0)
    done = house.good("adopt", "--yes", "--json")
    assert (offers(done)[PLACE][1], house.links()) == (False, {})


def test_a_stream_without_metadata_is_offered_with_the_evidence(house: House, films: Films) -> None:
    one(house, films)
    (uid,) = house.planted({"name": "video_compressed.mp4"}, duration=1.0)
    house.planted({"name": "video_compressed.mp4"}, duration=300.0)
    done = house.good("adopt", "--dry-run")
    assert done.out == (
        f"likely    {PLACE}: {uid} video_compressed.mp4\n"
        "          name, size and duration: name video_compressed.mp4, duration 1.0 s\n"
        "found on Stream: 1 of 1 video without a link\n"
    )
    assert house.good("adopt", "--yes").out.endswith(
        "linked: 0 of 1 video without a link; the rest (1) is left to `curri upload`\n"
    )
    assert house.links() == {}


def sent_by_hand(house: House, film: bytes) -> str:
    answer = httpx.post(
        f"{house.box.url}/accounts/{house.box.account_id}/stream",
        files={"file": ("video_compressed.mp4", film)},
        headers={"Authorization": f"Bearer {house.box.token}"},
    ).raise_for_status()
    uid: str = answer.json()["result"]["uid"]
    return uid


def test_what_was_sent_by_hand_is_exact_by_size_and_duration_unless_another_fits_as_well(
    house: House, films: Films
) -> None:
    one(house, films)
    uid = sent_by_hand(house, films.plain(1))
    house.box.advance(1)
    done = house.good("adopt", "--dry-run", "--json")
    assert offers(done) == {PLACE: ("name, size and duration", True)}
    house.put({"Course_01": {"Lesson_02": {"learning": {"video.mp4": films.plain(2)}}}})  # as large, and as long
    assert [exact for _, exact in offers(house.good("adopt", "--dry-run", "--json")).values()] == [False]
    (house.root / "Course_01/Lesson_02").rename(house.folder / "gone")
    house.good("import", str(house.root), "--allow-removals")
    house.good("adopt", "--yes")
    assert house.links() == {PLACE: [("current", uid)]}
    assert house.good("status", "--json").summary["counts"]["due"] == 0


def test_what_has_a_link_or_an_upload_of_its_own_is_left_alone(taught: House, films: Films) -> None:
    taught.put({"Course_01": {"Lesson_03": {"learning": {"video.mp4": films.plain(3)}}}})
    taught.begin("upload", at=1, name="commit: sent").killed()
    mine = dict(next(video.meta for video in taught.box.videos() if video.uid == taught.uid()))
    taught.planted(mine)
    before = taught.everything()
    done = taught.good("adopt", "--yes")
    assert done.out == "nothing to do: each of 3 videos has a link, or an upload of its own\n"
    assert taught.everything() == before
    taught.good("upload")


def test_one_course_and_json(taught: House, films: Films) -> None:
    taught.put({"Course_02": {"Lesson_01": {"learning": {"video.mp4": films.plain(5)}}}})
    taught.good("upload")
    taught.forget()
    done = taught.good("adopt", "--yes", "--json", "--course", "course_02")
    place = "course_02/01/learning/video.mp4"
    assert list(taught.links()) == [place]
    (item,) = objects(done, "item")
    assert (item["path"], item["outcome"], item["uid"]) == (place, "done", taught.uid(place))
    assert done.summary["counts"] == {"videos": 1, "without": 1, "found": 1, "adopted": 1, "left": 0}
    assert done.summary["run_id"] == taught.one("SELECT max(id) FROM run WHERE command = 'adopt'")
    assert taught.run("adopt", "--yes", "--course", "course_07").code == 2


def test_a_dry_run_changes_nothing(taught: House) -> None:
    taught.forget()
    before, writes = taught.everything(), taught.writes()
    done = taught.good("adopt", "--dry-run")
    assert done.out.splitlines()[-1] == "found on Stream: 2 of 2 videos without a link"
    assert (taught.everything(), taught.writes()) == (before, writes)


def test_where_nobody_can_be_asked_nothing_is_linked(taught: House) -> None:
    taught.forget()
    before = taught.everything()
    for arguments in ([], ["--json"], ["--quiet"]):
        done = taught.good("adopt", *arguments, code=2)
        assert "hint: `--yes` links what the evidence is exact for" in done.err
    assert taught.everything() == before


def test_a_listing_that_fails_part_way_adopts_nothing(taught: House) -> None:
    taught.forget()
    taught.planted(*({"name": f"v{n}"} for n in range(1000)))
    before = taught.everything()
    taught.box.faults(Fault("answer", When(path="list", nth=2, times=None), status=500))
    assert taught.run("adopt", "--yes").code == 6
    assert taught.everything() == before
    taught.box.clear_faults()
    assert "linked: 2 of 2" in taught.good("adopt", "--yes").out


def test_two_at_once_do_not_overlap(taught: House) -> None:
    taught.forget()
    taught.hold(Fault("stall-before", When(path="list")))
    first = taught.begin("adopt", "--yes")
    taught.until_stalled()
    second = taught.run("adopt", "--yes")
    assert (second.code, second.out) == (8, "")
    taught.box.clear_faults()
    assert first.done().code == 0
    assert len(taught.links()) == 2


def test_killed_at_any_point_the_next_one_completes_it(taught: House) -> None:
    rows = known(taught)
    taught.forget()
    points = taught.points("adopt", "--yes")
    links = [point for point in points if "adopt" in point]
    assert len(links) == 2
    assert known(taught) == rows
    for number in range(len(points) - len(links) - 1, len(points) + 1):
        taught.forget()
        taught.begin("adopt", "--yes", at=number).killed()
        for states in taught.links().values():  # a component has all of its links, or none
            assert [state for state, _ in states] == ["current"]
        taught.good("adopt", "--yes")
        assert known(taught) == rows


def test_a_video_that_was_to_stay_on_stream_comes_back(taught: House) -> None:
    uid = taught.uid()
    rows = known(taught)
    taught.execute("UPDATE upload SET state = 'abandoned', error_code = 'kept' WHERE provider_id = %s", uid)
    taught.execute("DELETE FROM video WHERE provider_id = %s", uid)
    taught.good("adopt", "--yes")
    assert known(taught) == rows


@pytest.fixture
def doubtful(taught: House, films: Films, dashboard: Dashboard) -> House:
    """Return a site that has lost its links, and whose first lesson had another video before, of another sender."""
    taught.put({"Course_01": {"Lesson_01": {"learning": {"video.mp4": films.plain(9)}}}})
    taught.good("upload")
    dashboard.edit(taught.uid(state="retired"), program="Theirs")
    taught.forget()
    return taught


def test_of_what_was_replaced_only_what_is_sure_is_linked_without_asking(doubtful: House) -> None:
    done = doubtful.good("adopt", "--yes", "--json")
    assert [(each["state"], each["exact"]) for each in objects(done, "adoption") if each["path"] == PLACE] == [
        ("current", True),
        ("retired", False),
    ]
    assert [state for state, _ in doubtful.links()[PLACE]] == ["current"]


def test_what_was_replaced_is_linked_only_beside_what_replaced_it(doubtful: House) -> None:
    credentials = doubtful.means().credentials

    def chosen(found: Sequence[Adoption]) -> list[Adoption]:
        return [each for each in found if each.state == "retired"]

    with connect(doubtful.url) as database:
        report = adopt.run(database, adopt.Options(), credentials, chosen, print, version="test")
    assert (report.counts["adopted"], report.counts["left"], doubtful.links()) == (0, 2, {})
    with doubtful.terminal("adopt") as terminal:
        terminal.until("[Y/n]: ")
        terminal.type("n\n")
        assert terminal.done() == 0  # and asks for nothing more
    with doubtful.terminal("adopt") as terminal:
        terminal.until("[Y/n]: ")
        terminal.type("y\n")
        assert f"Link {PLACE} to" in terminal.until("[y/N]: ")
        terminal.type("y\n")
        assert terminal.done() == 0
    assert sorted(state for state, _ in doubtful.links()[PLACE]) == ["current", "retired"]


# --- at a terminal


def test_what_was_linked_before_the_answer_came_is_left_alone(taught: House, films: Films) -> None:
    lost = [taught.uid(), taught.uid(SECOND)]
    taught.put({"Course_01": {"Lesson_03": {"learning": {"video.mp4": films.plain(3)}}}})
    taught.good("upload")
    for table in ("component_video", "upload", "video"):
        taught.execute(f"DELETE FROM {table} WHERE provider_id = ANY(%s)", lost)
    with taught.terminal("adopt") as terminal:
        terminal.until("[Y/n]: ")
        taught.good("upload")
        before = taught.untouched()
        terminal.type("y\n")
        assert terminal.done() == 0
    assert terminal.shown.count("it was linked meanwhile") == 2
    assert taught.untouched() == before


def test_a_person_is_asked_once_for_what_is_exact_and_for_each_other(house: House, films: Films) -> None:
    one(house, films)
    house.good("upload")
    house.forget()
    house.put({"Course_02": {"Lesson_01": {"practice": {"video.mp4": films.heavy(2)}}}})
    (offered,) = house.planted({"name": "video_compressed.mp4"}, duration=1.0)
    place = "course_02/01/practice/video.mp4"
    with house.terminal("adopt") as terminal:
        terminal.until("Link the 1 with exact evidence? [Y/n]: ")
        assert house.links() == {}
        terminal.type("n\n")
        terminal.until("[y/N]: ")
        terminal.type("\n")
        assert terminal.done() == 0
    assert house.links() == {}
    with house.terminal("adopt") as terminal:
        terminal.until("[Y/n]: ")
        terminal.type("\n")
        assert f"Link {place} to" in terminal.until("[y/N]: ")
        terminal.type("y\n")
        assert terminal.done() == 0
    assert set(house.links()) == {PLACE, place}
    assert house.links()[place] == [("current", offered)]


@pytest.mark.parametrize(("key", "code"), [("\x04", 0), ("\x03", 130)])
def test_what_was_agreed_to_is_linked_when_the_questions_end(house: House, films: Films, key: str, code: int) -> None:
    one(house, films)
    house.good("upload")
    house.forget()
    for lesson in ("01", "02"):
        film = films.heavy(int(lesson))
        house.put({"Course_02": {f"Lesson_{lesson}": {"practice": {f"{lesson}.mp4": film}}}})
        house.planted({"name": f"{lesson}_compressed.mp4"}, duration=1.0)
    with house.terminal("adopt") as terminal:
        terminal.until("Link the 1 with exact evidence? [Y/n]: ")
        terminal.type("y\n")
        question = terminal.until("[y/N]: ")
        terminal.type(key)
        assert terminal.done() == code
    assert set(house.links()) == {PLACE}
    assert "1 of 2: 01_compressed.mp4, 0:01, created 20" in question
    assert f"    {house.box.origin}/" in question
    assert "linked: 1 of 3 videos without a link" in terminal.shown
    assert terminal.shown.count("[y/N]") == 1
    assert ("curri: stopped by Ctrl-C" in terminal.shown) is (code == 130)
    assert house.rows("SELECT exit_code, counts->>'adopted' FROM run WHERE command = 'adopt'") == [(0, "1")]


@pytest.mark.parametrize(("key", "code"), [("\x04", 0), ("\x03", 130)])
def test_an_input_that_ends_is_a_no_and_ctrl_c_ends_the_run(taught: House, key: str, code: int) -> None:
    taught.forget()
    before = taught.everything()
    with taught.terminal("adopt", columns=40) as terminal:
        terminal.until("[Y/n]: ")
        terminal.type(key)
        assert terminal.done() == code
    assert "Traceback" not in terminal.shown
    assert taught.everything() == before
