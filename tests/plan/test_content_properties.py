"""What holds for every tree, every catalog and every history of changes."""

from __future__ import annotations

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from curri.model import Recorded
from curri.plan.content import compare
from curri.plan.text import slug
from support.worlds import World, applied, component_of, found, live_files, plan, sha1

# Few names and few contents on purpose: collisions, equal files and re-used places are where mistakes live.
COURSES = st.sampled_from(["01", "02", "03"])
LESSONS = st.sampled_from(["", "01", "02", "03", "04"])
PATHS = st.sampled_from(
    [
        "learning/video.mp4",
        "learning/video.en.vtt",
        "learning/part-2.mp4",
        "learning/video_compressed.mp4",
        "practice/video.mp4",
        "intro.mp4",
        "slides/deck.pdf",
        "slides/notes.md",
        "lab/start.ipynb",
        "lab/data/table.csv",
        "lab.md",
        "README.md",
    ]
)
COURSE_PATHS = st.sampled_from(["preview.mp4", "preview.vtt", "README.md", "syllabus.md"])
CONTENTS = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world: World = {}
    for course in draw(st.sets(COURSES, max_size=3)):
        world[course] = {"": draw(st.dictionaries(COURSE_PATHS, CONTENTS, max_size=3))}
        for lesson in draw(st.sets(LESSONS, max_size=4)):
            if lesson:
                world[course][lesson] = draw(st.dictionaries(PATHS, CONTENTS, max_size=6))
    return world


def contents(world: World) -> dict[tuple[str, str, str], str]:
    return {
        (course, lesson, path): sha1(content)
        for course, lessons in world.items()
        for lesson, files in lessons.items()
        for path, content in files.items()
    }


@given(st.lists(worlds(), min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_after_every_import_the_catalog_equals_the_tree_and_a_second_one_finds_nothing(history: list[World]) -> None:
    recorded = Recorded()
    for world in history:
        done = plan(world, recorded)
        recorded = applied(recorded, done)
        files = live_files(recorded)
        assert {place: row.sha1 for place, row in files.items()} == contents(world)
        assert len({row.id for row in files.values()}) == len(files), "two files became one"
        again = plan(world, recorded)
        assert again.is_empty
        assert not again.outcomes
        assert compare(found(world), recorded).unread == ()


@given(st.lists(worlds(), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_components_hold_exactly_the_files_that_the_layout_gives_them(history: list[World]) -> None:
    recorded = Recorded()
    for world in history:
        recorded = applied(recorded, plan(world, recorded))
        components = {row.id: row for row in recorded.components}
        held = {
            (course, lesson, components[row.component_id].group_key, components[row.component_id].type, path)
            for (course, lesson, path), row in live_files(recorded).items()
        }
        tree = found(world)
        wanted = {
            (course.number, lesson.number or "", component.group_key, component.type.value, asset.path)
            for course in tree.courses
            for lesson in (course.own, *course.lessons)
            for component in lesson.components
            for asset in component.assets
        }
        assert held == wanted
        live = {row.id for row in recorded.components if not row.removed}
        assert live == {row.component_id for row in live_files(recorded).values()}


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("lesson"), COURSES, LESSONS, COURSES, LESSONS),
        st.tuples(st.just("video"), COURSES, LESSONS, COURSES, LESSONS),
        st.tuples(st.just("kind"), COURSES, LESSONS, COURSES, LESSONS),
    ),
    min_size=1,
    max_size=6,
)


def _moved(world: World, move: tuple[str, str, str, str, str]) -> World:
    """Return the world after one move: two lessons swap, a video goes to another lesson, or to another kind."""
    what, course, lesson, other_course, other_lesson = move
    after = copy.deepcopy(world)
    if not lesson or not other_lesson:
        return after
    here, there = after[course], after[other_course]
    if what == "lesson":
        here[lesson], there[other_lesson] = there.get(other_lesson, {}), here.get(lesson, {})
    elif what == "video" and "learning/video.mp4" in here.get(lesson, {}) and other_lesson in there:
        content = here[lesson].pop("learning/video.mp4")
        there[other_lesson][f"learning/{slug(content)}.mp4"] = content
    elif what == "kind" and "learning/video.mp4" in here.get(lesson, {}):
        content = here[lesson].pop("learning/video.mp4")
        here[lesson][f"practice/{slug(content)}.mp4"] = content
    return after


def _full_world() -> World:
    """Return three courses with three lessons each; every file has a content of its own."""
    return {
        course: {"": {}}
        | {
            lesson: {
                "learning/video.mp4": f"video {course}/{lesson}",
                "slides/deck.pdf": f"deck {course}/{lesson}",
                "lab/start.ipynb": f"lab {course}/{lesson}",
            }
            for lesson in ("01", "02", "03")
        }
        for course in ("01", "02", "03")
    }


@given(MOVES)
@settings(max_examples=300, deadline=None)
def test_ids_survive_any_sequence_of_moves(moves: list[tuple[str, str, str, str, str]]) -> None:
    world = _full_world()
    recorded = applied(Recorded(), plan(world, Recorded()))
    ids = {row.sha1: (row.id, row.component_id) for row in live_files(recorded).values()}
    videos = {
        key: value for key, value in ids.items() if key in {sha1(f"video {c}/{k}") for c in world for k in world[c]}
    }
    for move in moves:
        world = _moved(world, move)
        done = plan(world, recorded)
        assert done.counts["new"] == done.counts["removed"] == done.counts["changed"] == 0
        recorded = applied(recorded, done)
    now = {row.sha1: (row.id, row.component_id) for row in live_files(recorded).values()}
    assert {key: value[0] for key, value in now.items()} == {key: value[0] for key, value in ids.items()}
    assert {key: now[key] for key in videos} == videos


@given(worlds())
@settings(max_examples=100, deadline=None)
def test_what_is_removed_and_comes_back_has_its_old_ids(world: World) -> None:
    recorded = applied(Recorded(), plan(world, Recorded()))
    before = {place: (row.id, row.component_id) for place, row in live_files(recorded).items()}
    emptied = applied(recorded, plan({}, recorded))
    assert not live_files(emptied)
    restored = applied(emptied, plan(world, emptied))
    assert {place: (row.id, row.component_id) for place, row in live_files(restored).items()} == before


@given(worlds())
@settings(max_examples=100, deadline=None)
def test_a_catalog_built_anew_from_the_tree_has_the_same_ids(world: World) -> None:
    first = applied(Recorded(), plan(world, Recorded()))
    second = applied(Recorded(), plan(world, Recorded()))
    assert first == second


def test_an_edit_in_place_keeps_the_component_and_changes_the_checksum() -> None:
    world: World = {"01": {"01": {"learning/video.mp4": "first cut", "learning/video.en.vtt": "words"}}}
    recorded = applied(Recorded(), plan(world, Recorded()))
    component = component_of(recorded, "01", "01", "learning/video.mp4")
    world["01"]["01"]["learning/video.mp4"] = "second cut"
    done = plan(world, recorded)
    assert done.counts["changed"] == 1
    recorded = applied(recorded, done)
    assert component_of(recorded, "01", "01", "learning/video.mp4") == component
    assert live_files(recorded)["01", "01", "learning/video.mp4"].sha1 == sha1("second cut")
