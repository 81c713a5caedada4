"""What `curri import` promises, on a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.sessions import IS_WAITING, ask
from catalog.waiting import until
from curri.catalog import links, uploads
from curri.catalog.database import Database, connect
from curri.cli.progress import Silent
from curri.errors import ExitCode, TreeError
from curri.flow import importing
from curri.flow.importing import Options
from curri.model import Report, Result
from curri.tree.digest import BLOCK, Reader
from curri.tree.outline import Outline
from support.postgres import everything, rows
from support.trees import OLD_NS, SMALL, Tree

Make = Callable[..., Path]

FILES = """
    SELECT k.slug, coalesce(l.number, ''), c.group_key, a.relative_path, a.role::text, a.checksum_sha1
      FROM asset a JOIN component c ON c.id = a.component_id JOIN course k ON k.id = c.course_id
      LEFT JOIN lesson l ON l.id = c.lesson_id
     WHERE a.removed_at IS NULL AND c.removed_at IS NULL AND k.removed_at IS NULL AND l.removed_at IS NULL
     ORDER BY 1, 2, 3, 4"""

COMPONENTS = (
    "SELECT a.checksum_sha1, c.id::text FROM asset a JOIN component c ON c.id = a.component_id WHERE a.role = 'source'"
)


def do_import(database: Database, root: Path, **options: bool) -> Report:
    return importing.run(database, root, Options(**options), Silent(), version="test")


def nothing_came_or_went(report: Report) -> bool:
    return report.counts["new"] == report.counts["removed"] == report.counts["changed"] == 0


def test_a_second_import_changes_no_row_and_says_so(database: Database, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    first = do_import(database, root)
    assert first.counts["new"] == 9
    before = everything(url)
    second = do_import(database, root)
    assert everything(url) == before
    assert second.counts["rows_changed"] == 0
    assert second.counts["unchanged"] == 9
    assert not second.outcomes


def test_files_written_just_now_are_settled_by_the_first_import_too(
    database: Database, url: str, curriculum: Make
) -> None:
    root = curriculum(SMALL, mtime_ns=None)
    do_import(database, root)
    before = everything(url)
    assert do_import(database, root).counts["rows_changed"] == 0
    assert everything(url) == before


def test_every_file_lands_where_it_belongs(database: Database, url: str, curriculum: Make) -> None:
    do_import(database, curriculum(SMALL))
    assert [row[:5] for row in rows(url, FILES)] == [
        ("course_01", "01", "learning/video.mp4", "learning/video.en.vtt", "captions"),
        ("course_01", "01", "learning/video.mp4", "learning/video.mp4", "source"),
        ("course_01", "01", "readme", "README.md", "file"),
        ("course_01", "01", "slides", "slides/deck.pdf", "file"),
        ("course_01", "01", "slides", "slides/notes.md", "file"),
        ("course_01", "02", "lab", "lab/data/table.csv", "file"),
        ("course_01", "02", "lab", "lab/start.ipynb", "file"),
        ("course_01", "02", "learning/video.mp4", "learning/video.mp4", "source"),
        ("course_02", "01", "learning/video.mp4", "learning/video.mp4", "source"),
    ]
    titles = rows(url, "SELECT title FROM course UNION ALL SELECT title FROM lesson ORDER BY 1")
    assert titles == [
        ("AI Foundations",),
        ("Course 02",),
        ("Evolution of Intelligence",),
        ("Lesson 01",),
        ("Lesson 02",),
    ]


def test_a_renamed_lesson_keeps_its_components(database: Database, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    before = rows(url, COMPONENTS)
    (root / "Course_01/Lesson_02").rename(root / "Course_01/Lesson_05")
    report = do_import(database, root)
    assert nothing_came_or_went(report)
    assert sorted(rows(url, COMPONENTS)) == sorted(before)
    assert rows(url, "SELECT number FROM lesson ORDER BY number") == [("01",), ("01",), ("05",)]


def test_two_lessons_that_swap_keep_their_components(database: Database, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    before = rows(url, COMPONENTS)
    course = root / "Course_01"
    (course / "Lesson_01").rename(course / "x")
    (course / "Lesson_02").rename(course / "Lesson_01")
    (course / "x").rename(course / "Lesson_02")
    report = do_import(database, root)
    assert nothing_came_or_went(report)
    assert report.counts["moved"] == 8
    assert sorted(rows(url, COMPONENTS)) == sorted(before)
    assert rows(url, "SELECT count(*) FROM lesson WHERE removed_at IS NULL") == [(3,)]
    query = "SELECT l.number, l.title FROM lesson l JOIN course k ON k.id = l.course_id WHERE slug = 'course_01'"
    titles = {number: title for number, title in rows(url, query)}  # noqa: C416 - a dict of pairs, typed
    assert titles == {"02": "Evolution of Intelligence", "01": "Lesson 01"}


@pytest.mark.parametrize(
    "target",
    ["Course_01/Lesson_01/practice/drill.mp4", "Course_02/Lesson_01/learning/part-2.mp4", "Course_02/Lesson_07/a.mp4"],
)
def test_a_moved_video_keeps_its_component(database: Database, url: str, curriculum: Make, target: str) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    before = rows(url, COMPONENTS)
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    (root / "Course_01/Lesson_01/learning/video.mp4").rename(root / target)
    report = do_import(database, root)
    assert nothing_came_or_went(report)
    assert sorted(rows(url, COMPONENTS)) == sorted(before)


def test_an_edited_file_keeps_its_component_and_gets_a_new_checksum(
    database: Database, url: str, curriculum: Make
) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    before = {row[0]: row[1] for row in rows(url, COMPONENTS)}
    video = root / "Course_01/Lesson_01/learning/video.mp4"
    video.write_bytes(b"another cut of video one")
    os.utime(video, ns=(OLD_NS + 5, OLD_NS + 5))
    report = do_import(database, root)
    assert report.counts["changed"] == 1
    after = {row[0]: row[1] for row in rows(url, COMPONENTS)}
    assert sorted(map(str, after.values())) == sorted(map(str, before.values()))
    assert len(set(after) - set(before)) == 1


def test_what_is_removed_and_restored_has_its_old_ids(database: Database, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    ids = rows(
        url, "SELECT id::text FROM lesson UNION ALL SELECT id::text FROM component UNION ALL SELECT id::text FROM asset"
    )
    aside = root.parent / "aside"
    (root / "Course_01/Lesson_02").rename(aside)
    gone = do_import(database, root, allow_removals=True)
    assert gone.counts["removed"] == 3
    assert rows(url, "SELECT count(*) FROM component WHERE removed_at IS NOT NULL") == [(2,)]
    aside.rename(root / "Course_01/Lesson_02")
    back = do_import(database, root)
    assert back.counts["restored"] == 3
    assert rows(url, "SELECT count(*) FROM component WHERE removed_at IS NOT NULL") == [(0,)]
    again = rows(
        url, "SELECT id::text FROM lesson UNION ALL SELECT id::text FROM component UNION ALL SELECT id::text FROM asset"
    )
    assert sorted(again) == sorted(ids)


def test_importing_one_course_leaves_the_others_alone(database: Database, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    others = (
        "SELECT t::text FROM component t JOIN course k ON k.id = t.course_id WHERE k.slug = 'course_01' ORDER BY t.id"
    )
    before = rows(url, others)
    shutil.rmtree(root / "Course_01")
    (root / "Course_02/Lesson_01/notes.md").write_text("new")
    report = do_import(database, root / "Course_02")
    assert report.counts["removed"] == 0
    assert report.counts["new"] == 1
    assert rows(url, others) == before


def test_two_curricula_in_one_catalog_do_not_remove_each_other(
    database: Database, url: str, tmp_path: Path, curriculum: Make
) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    other = tmp_path / "other"
    shutil.copytree(root / "Course_02", other / "Course_09")
    assert do_import(database, other).counts["removed"] == 0
    assert do_import(database, root).counts["rows_changed"] == 0
    assert rows(url, "SELECT slug FROM course WHERE removed_at IS NULL ORDER BY 1") == [
        ("course_01",),
        ("course_02",),
        ("course_09",),
    ]


def test_an_unmounted_disk_removes_nothing(database: Database, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    before = everything(url)
    shutil.rmtree(root)
    root.mkdir()
    with pytest.raises(TreeError, match="no course folder"):
        do_import(database, root, allow_removals=True)
    assert everything(url) == before


def test_a_great_loss_stops_the_import_unless_it_is_allowed(database: Database, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    before = everything(url)
    shutil.rmtree(root / "Course_01/Lesson_02")
    with pytest.raises(TreeError, match="3 of 9 known files are gone"):
        do_import(database, root)
    assert everything(url) == before
    assert do_import(database, root, allow_removals=True).counts["removed"] == 3


def test_a_file_that_grows_while_it_is_read_is_blocked_and_the_rest_is_imported(
    database: Database, url: str, curriculum: Make
) -> None:
    root = curriculum(SMALL)
    growing = root / "Course_01/Lesson_01/learning/video.mp4"
    growing.write_bytes(b"x" * (3 << 20))
    os.utime(growing, ns=(OLD_NS, OLD_NS))

    class Writer(Silent):
        def advance(self, size: int) -> None:
            if size == BLOCK:  # a block of the large file has been read; the recorder goes on writing
                with growing.open("ab") as file:
                    file.write(b"more")

    report = importing.run(database, root, Options(), Writer(), version="test")
    assert report.exit_code is ExitCode.SOME_ITEMS
    blocked = [outcome for outcome in report.outcomes if outcome.outcome is Result.BLOCKED]
    assert [outcome.path for outcome in blocked] == ["Course_01/Lesson_01/learning/video.mp4"]
    assert "being-written" in blocked[0].reason
    assert len(rows(url, FILES)) == 7  # the captions wait for their video
    assert do_import(database, root).counts["new"] == 2


def test_a_dry_run_reports_all_and_writes_nothing(database: Database, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    planned = do_import(database, root, dry_run=True)
    assert planned.exit_code is ExitCode.OK
    assert rows(url, "SELECT count(*) FROM course") == rows(url, "SELECT count(*) FROM run") == [(0,)]
    done = do_import(database, root)
    assert done.outcomes == planned.outcomes
    assert done.counts == planned.counts


def test_check_tells_by_its_exit_code_whether_there_is_something_to_do(
    database: Database, url: str, curriculum: Make
) -> None:
    root = curriculum(SMALL)
    assert do_import(database, root, check=True).exit_code is ExitCode.DIFFERENCES
    assert rows(url, "SELECT count(*) FROM course") == [(0,)]
    do_import(database, root)
    assert do_import(database, root, check=True).exit_code is ExitCode.OK


def test_an_unchanged_file_is_not_opened_and_rehash_opens_all(
    database: Database, curriculum: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = curriculum(SMALL)
    do_import(database, root)

    class Counting(Reader):
        opened = 0

        def read(self, files):  # type: ignore[no-untyped-def]
            Counting.opened += len(files)
            return super().read(files)

    def opened(*, rehash: bool) -> int:
        Counting.opened = 0
        assert do_import(database, root, rehash=rehash).counts["rows_changed"] == 0
        return Counting.opened

    monkeypatch.setattr(importing, "Reader", Counting)
    assert opened(rehash=False) == 0
    assert opened(rehash=True) == 9


def test_bytes_that_changed_behind_the_time_stamps_are_found_by_rehash(
    database: Database, url: str, curriculum: Make
) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    with database.transaction() as connection:
        connection.execute("UPDATE asset SET checksum_sha1 = repeat('0', 40) WHERE relative_path = 'slides/deck.pdf'")
    assert do_import(database, root).counts["changed"] == 0
    assert do_import(database, root, rehash=True).counts["changed"] == 1


def test_an_import_does_not_touch_links_and_previews_of_videos(database: Database, url: str, curriculum: Make) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    with database.transaction() as connection:
        connection.execute("INSERT INTO video (provider_id) VALUES ('abc')")
        connection.execute("UPDATE course SET preview_video_id = (SELECT id FROM video)")
        connection.execute(
            "INSERT INTO component_video (component_id, provider_id, state) SELECT id, 'abc', 'current' FROM component"
            " WHERE group_key = 'learning/video.mp4' LIMIT 1"
        )
    (root / "Course_01").rename(root / "Course_03")
    do_import(database, root)
    assert rows(url, "SELECT count(*) FROM course WHERE preview_video_id IS NOT NULL") == [(2,)]
    assert rows(url, "SELECT count(*) FROM component_video WHERE state = 'current'") == [(1,)]


PREVIEWED: Tree = {**SMALL, "Course_03": {"preview.mov": b"a film", "preview.mp4": b"another film"}}
PREVIEWS = (
    "SELECT k.slug, v.provider_id FROM course k LEFT JOIN video v ON v.id = k.preview_video_id"
    " WHERE k.removed_at IS NULL ORDER BY k.slug"
)


def play(database: Database, group_key: str, uid: str) -> None:
    """Let a component play a video."""
    with database.transaction() as connection:
        connection.execute("INSERT INTO video (provider_id, status) VALUES (%s, 'ready')", [uid])
        ((component,),) = connection.execute("SELECT id::text FROM component WHERE group_key = %s", [group_key])
        uploads.lock(connection, component)
        links.link(connection, component, uid, source_sha1="1" * 40, compressed=False, playable=True)


def previews(url: str) -> list[object]:
    """Return what each of the three courses shows as its preview."""
    return [uid for _, uid in rows(url, PREVIEWS)]


def test_a_preview_that_is_removed_is_shown_no_more_and_again_when_it_is_back(
    database: Database, url: str, curriculum: Make
) -> None:
    root = curriculum(PREVIEWED)
    do_import(database, root)
    play(database, "preview.mov", "first")
    play(database, "preview.mp4", "second")
    with database.transaction() as connection:  # of a course whose previews do not change: that is not touched
        connection.execute(
            "UPDATE course SET preview_video_id = (SELECT id FROM video LIMIT 1) WHERE slug = 'course_02'"
        )
    kept = previews(url)[1]
    assert previews(url) == [None, kept, "first"]
    folder, aside = root / "Course_03", root.parent
    for name, left in (("preview.mov", "second"), ("preview.mp4", None)):
        (folder / name).rename(aside / name)
        assert do_import(database, root).counts["removed"] == 1
        assert previews(url) == [None, kept, left]
    before = everything(url)
    do_import(database, root)
    assert everything(url) == before
    for name, back in (("preview.mp4", "second"), ("preview.mov", "first")):
        (aside / name).rename(folder / name)
        assert do_import(database, root).counts["restored"] == 1
        assert previews(url) == [None, kept, back]


@pytest.mark.parametrize(
    ("target", "shown"),
    [("Course_01/preview.mov", ["first", None, None]), ("Course_03/Lesson_01/learning/video.mov", [None, None, None])],
)
def test_a_preview_that_moves_away_is_shown_where_it_is_a_preview(
    database: Database, url: str, curriculum: Make, target: str, shown: list[str | None]
) -> None:
    root = curriculum(PREVIEWED)
    do_import(database, root)
    play(database, "preview.mov", "first")
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    (root / "Course_03/preview.mov").rename(root / target)
    assert nothing_came_or_went(do_import(database, root))
    assert previews(url) == shown


def test_a_preview_that_is_removed_does_not_hide_one_that_is_linked_at_the_same_moment(
    database: Database, url: str, curriculum: Make
) -> None:
    root = curriculum(PREVIEWED)
    (root / "Course_03/preview.mov").rename(root.parent / "preview.mov")
    do_import(database, root)
    play(database, "preview.mp4", "second")
    (root.parent / "preview.mov").rename(root / "Course_03/preview.mov")
    do_import(database, root)
    assert previews(url) == [None, None, "second"]  # the first that is on Stream
    (root / "Course_03/preview.mp4").unlink()
    importing_it = threading.Thread(target=do_import, args=(database, root))
    with connect(url) as other:
        with other.transaction():
            play(other, "preview.mov", "first")
            importing_it.start()
            until(lambda: ask(url, IS_WAITING, database.connection.info.backend_pid))
        importing_it.join()
    assert previews(url) == [None, None, "first"]


def test_every_run_is_in_the_ledger_with_its_end(
    database: Database, url: str, curriculum: Make, tmp_path: Path
) -> None:
    do_import(database, curriculum(SMALL))
    with pytest.raises(TreeError) as raised:
        do_import(database, tmp_path / "nowhere")
    ledger = rows(url, "SELECT id, command, exit_code, counts->>'new', finished_at IS NOT NULL FROM run ORDER BY id")
    assert ledger == [(1, "import", 0, "9", True), (2, "import", 4, None, True)]
    assert raised.value.run_id == 2


def test_a_whole_import_is_one_transaction(database: Database, url: str, curriculum: Make) -> None:
    do_import(database, curriculum(SMALL))
    for table in ("course", "lesson", "component", "asset"):
        assert len(rows(url, f"SELECT DISTINCT xmin::text FROM {table}")) == 1
    assert len(rows(url, "SELECT DISTINCT xmin::text FROM asset UNION SELECT xmin::text FROM course")) == 1


def test_a_course_that_comes_between_two_looks_at_the_tree_keeps_its_id(
    database: Database, url: str, curriculum: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = curriculum(SMALL)
    do_import(database, root)
    before = everything(url)
    # Neither the slugs nor the root lead to what is recorded: as for a folder that was not there at the first look.
    monkeypatch.setattr(importing, "outline", lambda _: Outline(None, frozenset()))
    assert do_import(database, root).counts["rows_changed"] == 0
    assert everything(url) == before
