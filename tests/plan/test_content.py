"""Single decisions about content: what stays, what is read, what is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from curri.model import FINGERPRINT_VERSION, Digest, FoundTree, Outcome, Place, Recorded, Result
from curri.plan.changes import ContentPlan
from curri.plan.comparison import RACY_NS
from curri.plan.content import compare, decide
from curri.plan.identity import place_id
from support.worlds import READ_AT, World, applied, digests, found, live_files, plan, sha1


def small() -> World:
    return {
        "01": {
            "": {"preview.mp4": "preview", "syllabus.md": "plan"},
            "01": {"learning/video.mp4": "one", "learning/video.en.vtt": "words", "slides/a.pdf": "deck"},
            "02": {"learning/video.mp4": "two", "lab/start.ipynb": "lab"},
        }
    }


def imported(world: World) -> Recorded:
    return applied(Recorded(), plan(world, Recorded()))


def plan_without(
    world: World, recorded: Recorded, *unreadable: tuple[str, str, str], tree: FoundTree | None = None
) -> ContentPlan:
    """Return the plan of an import during which some files could not be read."""
    seen = tree or found(world)
    read = digests(world, seen, recorded)
    for course, lesson, path in unreadable:
        read.pop(Place(f"course_{course}", lesson, path), None)
    return decide(compare(seen, recorded), read)


def said(done: ContentPlan) -> set[tuple[str, str]]:
    return {(outcome.path, outcome.reason) for outcome in done.outcomes}


def test_ids_of_a_first_import_are_those_of_the_places() -> None:
    recorded = imported(small())
    assert recorded.courses[0].id == place_id("course", "course_01")
    assert {row.number: row.id for row in recorded.lessons}["02"] == place_id("lesson", "course_01", "02")
    by_key = {(row.lesson_id, row.group_key): row.id for row in recorded.components}
    lesson = place_id("lesson", "course_01", "01")
    assert by_key[lesson, "slides"] == place_id("component", "course_01", "01", "slides")
    assert by_key[None, "preview.mp4"] == place_id("component", "course_01", "", "preview.mp4")


def test_a_renumbered_lesson_costs_one_row() -> None:
    world, recorded = small(), imported(small())
    world["01"]["05"] = world["01"].pop("02")
    done = plan(world, recorded)
    assert len(done.lessons.update) == 1
    assert not done.lessons.insert
    assert not done.lessons.remove
    assert not done.components
    assert {row.number for row in done.lessons.update} == {"05"}
    assert done.counts["moved"] == 2
    assert said(done) == {("Course_01/Lesson_05", "moved from course_01/02, 2 files")}


def test_a_renumbered_course_keeps_its_lessons_and_files() -> None:
    recorded = imported(small())
    done = plan({"07": small()["01"]}, recorded)
    assert [row.slug for row in done.courses.update] == ["course_07"]
    assert not done.lessons
    assert not done.components
    assert not done.assets.insert
    assert not done.assets.remove
    assert done.counts["moved"] == 7
    assert ("Course_07", "moved from course_01") in said(done)


def test_a_lesson_that_swaps_with_another_takes_its_row_along_although_both_hold_the_same_clip() -> None:
    world: World = {
        "01": {
            "01": {"intro.mp4": "x", "learning/video.mp4": "one"},
            "02": {"intro.mp4": "x", "learning/video.mp4": "two"},
        }
    }
    recorded = imported(world)
    world["01"]["01"], world["01"]["02"] = world["01"]["02"], world["01"]["01"]
    done = plan(world, recorded)
    assert {(row.id, row.number) for row in done.lessons.update} == {
        (place_id("lesson", "course_01", "01"), "02"),
        (place_id("lesson", "course_01", "02"), "01"),
    }


def test_lessons_with_the_same_files_keep_their_order_when_all_are_renumbered() -> None:
    world: World = {"01": {"01": {"intro.mp4": "x"}, "02": {"intro.mp4": "x"}}}
    recorded = imported(world)
    done = plan({"01": {"03": world["01"]["01"], "04": world["01"]["02"]}}, recorded)
    numbers = {row.id: row.number for row in done.lessons.update}
    assert numbers == {place_id("lesson", "course_01", "01"): "03", place_id("lesson", "course_01", "02"): "04"}


def test_a_place_that_was_left_gives_a_new_id_to_what_comes_there() -> None:
    world, recorded = small(), imported(small())
    world["01"]["05"] = world["01"].pop("02")
    world["01"]["02"] = {"learning/video.mp4": "quite another"}
    recorded = applied(recorded, plan(world, recorded))
    lessons = {row.number: row.id for row in recorded.lessons if not row.removed}
    assert lessons["05"] == place_id("lesson", "course_01", "02")
    assert lessons["02"] != lessons["05"]


def test_a_file_in_a_folder_that_cannot_be_read_stays_recorded() -> None:
    world, recorded = small(), imported(small())
    del world["01"]["01"]["slides/a.pdf"]
    tree = found(world)
    course = tree.courses[0]
    lessons = tuple(
        replace(lesson, blocked=("slides",)) if lesson.number == "01" else lesson for lesson in course.lessons
    )
    done = plan_without(world, recorded, tree=replace(tree, courses=(replace(course, lessons=lessons),)))
    assert done.is_empty


def test_a_lesson_that_cannot_be_read_stays_recorded() -> None:
    world, recorded = small(), imported(small())
    world["01"]["01"] = {}
    tree = found(world)
    course = tree.courses[0]
    lessons = tuple(
        replace(lesson, title=None, blocked=("",)) if lesson.number == "01" else lesson for lesson in course.lessons
    )
    assert plan_without(world, recorded, tree=replace(tree, courses=(replace(course, lessons=lessons),))).is_empty


def test_a_course_that_cannot_be_read_stays_recorded() -> None:
    recorded = imported(small())
    tree = found({"01": {}})
    course = replace(tree.courses[0], title=None, blocked=True)
    assert plan_without({"01": {}}, recorded, tree=replace(tree, courses=(course,))).is_empty


def test_a_changed_file_that_cannot_be_read_keeps_its_old_record() -> None:
    world, recorded = small(), imported(small())
    world["01"]["01"]["learning/video.mp4"] = "one, longer"
    done = plan_without(world, recorded, ("01", "01", "learning/video.mp4"))
    assert done.is_empty
    assert done.counts["blocked"] == 1


def test_a_new_video_that_cannot_be_read_is_not_recorded_and_its_captions_wait_for_it() -> None:
    world, recorded = small(), imported(small())
    world["01"]["01"] |= {"learning/part-2.mp4": "next", "learning/part-2.en.vtt": "more words"}
    done = plan_without(world, recorded, ("01", "01", "learning/part-2.mp4"))
    assert not done.components.insert
    assert not done.assets.insert
    assert done.counts["blocked"] == 2


def test_a_file_that_cannot_be_read_does_not_keep_its_neighbours_out() -> None:
    world, recorded = small(), imported(small())
    world["01"]["01"] |= {"slides/b.pdf": "second", "slides/c.pdf": "third"}
    done = plan_without(world, recorded, ("01", "01", "slides/b.pdf"))
    assert [row.relative_path for row in done.assets.insert] == ["slides/c.pdf"]


def test_a_file_whose_times_changed_but_not_its_bytes_is_no_change() -> None:
    world, recorded = small(), imported(small())
    old = tuple(row._replace(mtime_ns=5) if row.relative_path == "slides/a.pdf" else row for row in recorded.assets)
    done = plan(world, replace(recorded, assets=old))
    assert not done.outcomes
    assert [row.relative_path for row in done.assets.update] == ["slides/a.pdf"]
    assert done.counts["unchanged"] == 7


@pytest.mark.parametrize("field", ["size", "mtime_ns", "ctime_ns", "inode", "version"])
def test_any_doubt_about_a_file_makes_it_be_read(field: str) -> None:
    world, recorded = small(), imported(small())
    assert compare(found(world), recorded).unread == ()
    doubtful = tuple(
        row._replace(**{field: getattr(row, field) + 1}) if row.relative_path == "slides/a.pdf" else row
        for row in recorded.assets
    )
    unread = compare(found(world), replace(recorded, assets=doubtful)).unread
    assert [file.asset.path for file in unread] == ["slides/a.pdf"]


@pytest.mark.parametrize(("distance", "read_again"), [(RACY_NS - 1, True), (RACY_NS, False), (-RACY_NS + 1, True)])
def test_a_digest_taken_within_two_seconds_of_a_change_is_not_trusted(distance: int, read_again: bool) -> None:
    world, recorded = small(), imported(small())
    racy = tuple(row._replace(hashed_at_ns=row.mtime_ns + distance) for row in recorded.assets)
    assert bool(compare(found(world), replace(recorded, assets=racy)).unread) is read_again


def test_a_digest_that_was_not_trusted_is_written_again_once_it_can_be() -> None:
    world, recorded = small(), imported(small())
    racy = replace(recorded, assets=tuple(row._replace(hashed_at_ns=row.mtime_ns) for row in recorded.assets))
    done = plan(world, racy)
    assert {row.hashed_at_ns for row in done.assets.update} == {READ_AT}
    assert not done.outcomes
    assert plan(world, applied(racy, done)).is_empty


def test_rehash_reads_everything_and_changes_nothing_that_is_right() -> None:
    world, recorded = small(), imported(small())
    comparison = compare(found(world), recorded, rehash=True)
    assert len(comparison.unread) == 7
    later = {
        file.place: Digest(sha1(world["01"][file.place.lesson][file.place.path]), READ_AT + 1)
        for file in comparison.unread
    }
    assert decide(comparison, later).is_empty


def test_rehash_finds_bytes_that_changed_behind_the_time_stamps() -> None:
    world, recorded = small(), imported(small())
    comparison = compare(found(world), recorded, rehash=True)
    read = {file.place: Digest(sha1("rotten"), READ_AT) for file in comparison.unread}
    assert decide(comparison, read).counts["changed"] == 7


def test_more_than_a_quarter_gone_is_too_much() -> None:
    world: World = {"01": {"01": {f"slides/{n}.pdf": f"deck {n}" for n in range(8)}}}
    recorded = imported(world)
    for name in ("slides/0.pdf", "slides/1.pdf"):
        del world["01"]["01"][name]
    assert not plan(world, recorded).loses_too_much
    del world["01"]["01"]["slides/2.pdf"]
    assert plan(world, recorded).loses_too_much


def test_a_move_across_components_is_said_with_its_old_place() -> None:
    world, recorded = small(), imported(small())
    world["01"]["02"]["practice/drill.mp4"] = world["01"]["01"].pop("learning/video.mp4")
    done = plan(world, recorded)
    assert ("Course_01/Lesson_02/practice/drill.mp4", "moved from Course_01/Lesson_01/learning/video.mp4") in said(done)
    assert done.counts["new"] == done.counts["removed"] == 0


def test_a_changed_title_is_said() -> None:
    recorded = imported(small())
    tree = found(small(), titles={"01": "Renamed"})
    done = decide(compare(tree, recorded), {})
    assert done.outcomes == (Outcome("Course_01", Result.DONE, 'title is now "Renamed", was "Course 01"'),)
    assert [row.title for row in done.courses.update] == ["Renamed"]


def test_a_title_that_cannot_be_read_now_stays() -> None:
    recorded = imported(small())
    tree = found(small())
    unreadable = replace(tree, courses=(replace(tree.courses[0], title=None),))
    assert decide(compare(unreadable, recorded), {}).is_empty


def test_ids_of_other_courses_are_not_given_out_again() -> None:
    taken = place_id("component", "course_01", "01", "learning/video.mp4")
    world: World = {"01": {"01": {"learning/video.mp4": "one"}}}
    done = plan(world, Recorded(taken=frozenset({taken})))
    assert done.components.insert[0].id != taken


def test_the_version_of_the_fingerprint_is_recorded() -> None:
    assert {row.version for row in live_files(imported(small())).values()} == {FINGERPRINT_VERSION}
