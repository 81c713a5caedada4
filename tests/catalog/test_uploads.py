"""Uploads in the catalog: what is read of each video, and that one run at a time works at it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from curri.catalog import migrate, uploads
from curri.catalog.database import Database, connect
from curri.catalog.uploads import LEASE_SECONDS, Claim, LeaseLost
from curri.errors import ExitCode
from curri.model import AssetRow, LinkRow, UploadRow

from .rows import OTHER_SHA1, SHA1, Row, Rows
from .sessions import IS_WAITING, tell, terminate
from .waiting import until

UID = "a" * 32
URL = "https://upload.example/secret"
DAY = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = "2020-01-01T00:00:00Z"
LATER = "2999-01-01T00:00:00Z"


@pytest.fixture
def lesson(rows: Rows) -> Row:
    return rows.lesson(rows.course())


@pytest.fixture
def video(rows: Rows, lesson: Row) -> Row:
    """A video component with its file."""
    component = rows.component(lesson)
    rows.asset(component)
    return component


@pytest.fixture
def run(rows: Rows) -> int:
    return int(rows.run(command="upload")["id"])


@pytest.fixture
def other(rows: Rows) -> int:
    return int(rows.run(command="upload")["id"])


@pytest.fixture
def alive(shared_url: str) -> Iterator[Callable[[int], Database]]:
    """Return a function that lets a run live, on a connection of its own."""
    with ExitStack() as stack:

        def announce(run_id: int) -> Database:
            connection = stack.enter_context(connect(shared_url))
            connection.announce(run_id)
            return connection

        yield announce


def numbered(rows: Rows, run_id: int) -> int:
    """Put in a run with this id."""
    rows.connection.execute(
        "INSERT INTO run (id, command, version, host) OVERRIDING SYSTEM VALUE VALUES (%s, 'upload', '1', 'here')",
        [run_id],
    )
    return run_id


def ids(database: Database, only: str | None = None) -> list[str]:
    with database.transaction() as connection:
        return [video.id for video in uploads.read(connection, only)]


def intend(database: Database, component: Row, run_id: int, sha1: str = SHA1) -> Claim:
    with database.transaction() as connection:
        uploads.lock(connection, str(component["id"]))
        return uploads.intend(connection, str(component["id"]), sha1, run_id)


def take_over(database: Database, upload_id: object, run_id: int) -> Claim | None:
    with database.transaction() as connection:
        return uploads.take_over(connection, str(upload_id), run_id)


def held_by(database: Database, component: Row) -> int | None:
    with database.transaction() as connection:
        (found,) = uploads.read(connection, str(component["id"]))
    return found.uploads[0].held_by


def expire(rows: Rows, upload_id: str) -> None:
    rows.update("upload", upload_id, lease_until=LONG_AGO)


# --- reading


def test_videos_come_in_teaching_order_and_nothing_else_comes(rows: Rows, shared: Database) -> None:
    def of(parent: Row, position: int, **values: Any) -> str:
        component = rows.component(parent, position=position, **values)
        rows.asset(component)
        return str(component["id"])

    second, first = rows.course(position=2), rows.course(position=1)
    again = rows.course(position=2, slug="course_9999")
    late, early = rows.lesson(first, position=2), rows.lesson(first, position=1)
    expected = [
        of(first, 3),  # what lies in the course folder comes before its lessons
        *(of(early, number, id=uuid.UUID(int=9 - number)) for number in (0, 1)),
        *(of(late, 0), of(second, 0), of(rows.lesson(second), 0), of(again, 0)),
    ]
    of(early, 2, type="RESOURCE", kind="slides")
    of(early, 3, removed_at=LONG_AGO)
    of(rows.lesson(first, position=0, removed_at=LONG_AGO), 0)
    of(rows.course(position=0, removed_at=LONG_AGO), 0)
    rows.asset(rows.component(early, position=4), removed_at=LONG_AGO)
    rows.component(early, position=5)
    assert ids(shared) == expected
    assert [ids(shared, only) for only in expected] == [[only] for only in expected]
    assert ids(shared, str(uuid.uuid4())) == []


def test_a_video_carries_all_that_its_name_and_metadata_need(rows: Rows, shared: Database) -> None:
    course = rows.course(title="It's 😀", root="/data/x")
    lesson = rows.lesson(course, title="Two")
    component = rows.component(lesson, kind="practice", group_key="practice/a.mov")
    asset = rows.asset(component, size_bytes=31_000_000_000, mtime_ns=2**62, ctime_ns=7, inode=2**62, mime_type="v/q")
    (found,) = uploads.read(shared.connection)
    assert (found.id, found.kind, found.group_key) == (str(component["id"]), "practice", "practice/a.mov")
    assert (found.course_id, found.course, found.course_title) == (str(course["id"]), course["slug"], "It's 😀")
    assert (found.lesson_id, found.lesson, found.lesson_title) == (str(lesson["id"]), lesson["number"], "Two")
    assert (found.root, found.rendition, found.links, found.uploads) == ("/data/x", None, (), ())
    hashed = int(asset["hashed_at"].timestamp()) * 10**9
    assert found.source == AssetRow(
        *(str(asset["id"]), str(component["id"]), "practice/a.mov", "source", "v/q", 31_000_000_000),
        *(2**62, 7, 2**62, SHA1, 1, hashed),
    )
    assert found.place == f"{course['slug']}/{lesson['number']}/practice/a.mov"


def test_a_preview_has_no_lesson(rows: Rows, shared: Database) -> None:
    course = rows.course()
    rows.asset(rows.component(course, kind="preview", group_key="preview.mp4"))
    (found,) = uploads.read(shared.connection)
    assert (found.lesson_id, found.lesson, found.lesson_title) == (None, None, None)
    assert found.place == f"{course['slug']}/preview.mp4"


def test_of_several_renditions_the_first_by_name_counts(rows: Rows, shared: Database, video: Row) -> None:
    rows.asset(video, relative_path="learning/c_compressed.mp4", role="rendition")
    rows.asset(video, relative_path="learning/b_compressed.mp4", role="rendition", checksum_sha1=OTHER_SHA1)
    rows.asset(video, relative_path="learning/a_compressed.mp4", role="rendition", removed_at=LONG_AGO)
    rows.asset(video, relative_path="learning/0.vtt", role="captions")
    (found,) = uploads.read(shared.connection)
    assert found.rendition is not None
    assert (found.rendition.relative_path, found.rendition.sha1) == ("learning/b_compressed.mp4", OTHER_SHA1)
    assert found.source.relative_path == video["group_key"]


def test_links_come_current_before_pending_and_newest_first(rows: Rows, shared: Database, video: Row) -> None:
    def linked(state: str, day: int, sha1: str | None = SHA1, **values: Any) -> str:
        held = rows.video(**values)
        rows.link(video, held, state=state, linked_at=DAY + timedelta(days=day), source_sha1=sha1)
        return str(held["provider_id"])

    old = linked("pending", 3, status="inprogress")
    current = linked("current", 1, None, status="ready")
    new = linked("pending", 4, OTHER_SHA1, status="error", error_code="ERR_UNKNOWN", error_message="it broke")
    linked("retired", 5)
    rows.link(video, rows.video(provider="YOUTUBE"), state="pending")
    (found,) = uploads.read(shared.connection)
    assert found.links == (
        LinkRow(current, None, "current", "ready", None, None),
        LinkRow(new, OTHER_SHA1, "pending", "error", "ERR_UNKNOWN", "it broke"),
        LinkRow(old, SHA1, "pending", "inprogress", None, None),
    )


def test_uploads_come_newest_first_and_old_ones_of_other_bytes_do_not_come(
    rows: Rows, shared: Database, video: Row
) -> None:
    def begun(day: int, state: str, sha1: str = SHA1, **values: Any) -> str:
        row = rows.upload(video, created_at=DAY + timedelta(days=day), state=state, source_sha1=sha1, **values)
        return str(row["id"])

    first = begun(1, "failed", error_code="truncated", error_message="it ends")
    begun(2, "linked", OTHER_SHA1)
    begun(3, "failed", OTHER_SHA1)
    third = begun(5, "abandoned")
    second = begun(4, "sending", OTHER_SHA1, artifact_bytes=900, acknowledged_bytes=300, upload_url=URL)
    (found,) = uploads.read(shared.connection)
    assert found.uploads == (
        UploadRow(third, SHA1, "abandoned", "0" * 32, 0, None, None, None, None),
        UploadRow(second, OTHER_SHA1, "sending", "0" * 32, 300, 900, None, None, None),
        UploadRow(first, SHA1, "failed", "0" * 32, 0, None, "truncated", "it ends", None),
    )
    assert URL not in repr(found)


def test_one_video_is_found_without_looking_at_the_others(rows: Rows, shared: Database, lesson: Row) -> None:
    """Whatever plan the server keeps: it makes one for every video soon, and that while the catalog is empty yet."""
    for _ in range(50):
        component = rows.component(lesson)
        rows.asset(component)
        rows.link(component, rows.video())
        rows.upload(component)
    rows.connection.execute("ANALYZE")
    with shared.transaction() as connection:
        connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        connection.execute("SET LOCAL enable_seqscan = off")  # fifty rows lie on one page: reading it all is cheapest
        for _ in range(10):  # a statement is prepared at the sixth time
            assert len(uploads.read(connection, str(component["id"]))) == 1
        looked_at = connection.execute(
            "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
        ).fetchall()
    each = {name: count / 10 for name, count in looked_at if count}
    assert set(each) == {"asset", "component", "component_video", "course", "lesson", "upload", "video"}
    assert max(each.values()) <= 5


# --- one upload from its begin to its end


def test_an_upload_from_its_intent_to_its_link(rows: Rows, shared: Database, video: Row, run: int) -> None:
    claim = intend(shared, video, run)
    row = rows.get("upload", claim.id)
    assert (row["component_id"], row["source_sha1"], row["state"], row["run_id"]) == (
        *(video["id"], SHA1, "intended", run),
    )
    assert claim == Claim(claim.id, run, SHA1, "intended", None, None, None, None, None, None, row["created_at"])
    assert row["lease_until"] - row["created_at"] == timedelta(seconds=LEASE_SECONDS)

    with shared.transaction() as connection:
        uploads.decide(
            *(connection, claim),
            artifact=(OTHER_SHA1, 900),
            decision="encode",
            reason="bit-rate: too high",
            recipe="h264-1",
            encode_seconds=12.5,
        )
    row = rows.get("upload", claim.id)
    assert (row["artifact_sha1"], row["artifact_bytes"], row["decision"]) == (OTHER_SHA1, 900, "encode")
    assert (row["decision_reason"], row["recipe"], row["encode_seconds"]) == ("bit-rate: too high", "h264-1", 12.5)
    assert row["state"] == "intended"

    asked = []
    for number in (1, 2):
        with shared.transaction() as connection:
            asked.append(uploads.ask(connection, claim))
        row = rows.get("upload", claim.id)
        assert (row["state"], row["attempts"], row["asked_at"]) == ("intended", number, asked[-1])
    assert asked[0] < asked[1]

    with shared.transaction() as connection:
        uploads.created(connection, claim, UID, URL)
    assert at(rows, claim) == ("created", UID, URL, 0)
    with shared.transaction() as connection:
        uploads.acknowledged(connection, claim, 500)
    assert at(rows, claim) == ("sending", UID, URL, 500)
    with shared.transaction() as connection:
        uploads.acknowledged(connection, claim, 400)  # Stream may name less than before
    assert at(rows, claim) == ("sending", UID, URL, 400)
    with shared.transaction() as connection:
        uploads.sent(connection, claim)
    assert at(rows, claim) == ("sent", UID, None, 400)
    with shared.transaction() as connection:
        uploads.close(connection, claim, "linked")
    assert at(rows, claim) == ("linked", UID, None, 400)
    row = rows.get("upload", claim.id)
    assert (row["lease_until"], row["error_code"], row["error_message"]) == (None, None, None)


def at(rows: Rows, claim: Claim) -> tuple[object, ...]:
    row = rows.get("upload", claim.id)
    return row["state"], row["provider_id"], row["upload_url"], row["acknowledged_bytes"]


def test_asking_is_told_by_the_clock_not_by_the_begin_of_the_transaction(
    shared: Database, video: Row, run: int
) -> None:
    claim = intend(shared, video, run)
    with shared.transaction() as connection:
        begun = connection.execute("SELECT now()").fetchone()
        asked = uploads.ask(connection, claim)
    assert begun is not None
    assert asked > begun[0]


def test_a_claim_says_how_long_ago_stream_was_asked(rows: Rows, shared: Database, video: Row, run: int) -> None:
    claim = intend(shared, video, run)
    rows.connection.execute("UPDATE upload SET asked_at = now() - interval '90 seconds'")
    again = take_over(shared, claim.id, run)
    assert again is not None
    assert again.asked_seconds == pytest.approx(90, abs=30)
    assert again.asked_at == rows.get("upload", claim.id)["asked_at"]


def test_the_address_of_an_upload_is_not_shown(rows: Rows, shared: Database, video: Row, run: int) -> None:
    row = rows.upload(video, state="created", upload_url=URL, run_id=run)
    claim = take_over(shared, row["id"], run)
    assert claim is not None
    assert claim.url == URL
    assert "secret" not in repr(claim)


def test_a_released_upload_stays_open_and_says_what_was_in_the_way(
    rows: Rows, shared: Database, video: Row, run: int
) -> None:
    claim = intend(shared, video, run)
    with shared.transaction() as connection:
        uploads.created(connection, claim, UID, URL)
        uploads.release(connection, claim, "RateLimited", "too many calls")
    row = rows.get("upload", claim.id)
    assert at(rows, claim) == ("created", UID, URL, 0)
    assert (row["lease_until"], row["error_code"], row["error_message"]) == (None, "RateLimited", "too many calls")
    with shared.transaction() as connection:
        uploads.release(connection, claim)
    row = rows.get("upload", claim.id)
    assert (row["error_code"], row["error_message"]) == (None, None)


@pytest.mark.parametrize("state", ["linked", "abandoned", "failed"])
def test_a_closed_upload_is_at_its_end(rows: Rows, shared: Database, video: Row, run: int, state: str) -> None:
    claim = intend(shared, video, run)
    with shared.transaction() as connection:
        uploads.created(connection, claim, UID, URL)
        uploads.close(connection, claim, state, "why", "because")
    before = rows.get("upload", claim.id)
    assert (before["state"], before["upload_url"], before["error_code"]) == (state, None, "why")
    assert before["lease_until"] is None
    for write in WRITES:
        with pytest.raises(LeaseLost), shared.transaction() as connection:
            write(connection, claim)
    assert take_over(shared, claim.id, run) is None
    assert rows.get("upload", claim.id) == before


def test_a_component_has_one_open_upload(shared: Database, video: Row, run: int, rows: Rows) -> None:
    claim = intend(shared, video, run)
    with pytest.raises(Exception, match="the database refused"):
        intend(shared, video, run)
    with shared.transaction() as connection:
        uploads.close(connection, claim, "abandoned", "upload-gone", "it has vanished")
        uploads.intend(connection, str(video["id"]), SHA1, run)
    assert sorted(row["state"] for row in rows.all("upload")) == ["abandoned", "intended"]


# --- fencing

WRITES: list[Callable[[psycopg.Connection[Any], Claim], object]] = [
    lambda connection, claim: uploads.decide(
        connection, claim, artifact=(SHA1, 1), decision="original", reason="r", recipe=None, encode_seconds=None
    ),
    uploads.ask,
    lambda connection, claim: uploads.created(connection, claim, "b" * 32, "https://other.example"),
    lambda connection, claim: uploads.acknowledged(connection, claim, 1),
    uploads.sent,
    lambda connection, claim: uploads.close(connection, claim, "failed", "code", "message"),
    lambda connection, claim: uploads.release(connection, claim, "code", "message"),
]
NAMES = ["decide", "ask", "created", "acknowledged", "sent", "close", "release"]


@pytest.mark.parametrize("write", WRITES, ids=NAMES)
def test_a_run_that_lost_its_upload_changes_nothing(
    rows: Rows,
    shared: Database,
    video: Row,
    run: int,
    other: int,
    write: Callable[[psycopg.Connection[Any], Claim], object],
) -> None:
    claim = intend(shared, video, run)
    with shared.transaction() as connection:
        uploads.created(connection, claim, UID, URL)
    assert take_over(shared, claim.id, other)
    before = rows.get("upload", claim.id)
    with pytest.raises(LeaseLost, match="another run has taken this upload over") as caught, shared.transaction() as c:
        write(c, claim)
    assert caught.value.exit_code is ExitCode.BUSY
    assert rows.get("upload", claim.id) == before


@pytest.mark.parametrize("write", WRITES, ids=NAMES)
def test_a_write_concerns_its_upload_alone(
    rows: Rows,
    shared: Database,
    lesson: Row,
    video: Row,
    run: int,
    write: Callable[[psycopg.Connection[Any], Claim], object],
) -> None:
    neighbour = intend(shared, rows.component(lesson), run)
    before = rows.get("upload", neighbour.id)
    claim = intend(shared, video, run)
    with shared.transaction() as connection:
        uploads.created(connection, claim, UID, URL)
        write(connection, claim)
    assert rows.get("upload", neighbour.id) == before


def test_a_run_renews_its_own_leases_and_no_others(
    rows: Rows, shared: Database, lesson: Row, video: Row, run: int, other: int
) -> None:
    mine, released, closed = (rows.component(lesson) for _ in range(3))
    claims = {name: intend(shared, component, run) for name, component in (("mine", mine), ("released", released))}
    claims["closed"] = intend(shared, closed, run)
    claims["other"] = intend(shared, video, other)
    with shared.transaction() as connection:
        uploads.release(connection, claims["released"])
        uploads.close(connection, claims["closed"], "abandoned")
    for name in ("mine", "other"):
        expire(rows, claims[name].id)
    before = {name: rows.get("upload", claim.id)["lease_until"] for name, claim in claims.items()}
    with shared.transaction() as connection:
        uploads.renew(connection, run)
        now = connection.execute("SELECT now()").fetchone()
    assert now is not None
    after = {name: rows.get("upload", claim.id)["lease_until"] for name, claim in claims.items()}
    assert after == {**before, "mine": now[0] + timedelta(seconds=LEASE_SECONDS)}


# --- taking over


def test_a_live_run_with_a_lease_keeps_its_upload(
    rows: Rows, shared: Database, video: Row, run: int, other: int, alive: Callable[[int], Database]
) -> None:
    claim = intend(alive(run), video, run)
    before = rows.get("upload", claim.id)
    assert held_by(shared, video) == run
    assert take_over(shared, claim.id, other) is None
    assert rows.get("upload", claim.id) == before


def test_a_run_that_does_not_renew_its_lease_loses_its_upload(
    rows: Rows, shared: Database, video: Row, run: int, other: int, alive: Callable[[int], Database]
) -> None:
    first = alive(run)
    claim = intend(first, video, run)
    expire(rows, claim.id)
    assert held_by(shared, video) is None
    taken = take_over(alive(other), claim.id, other)
    assert taken is not None
    assert (taken.id, taken.run_id, taken.source_sha1) == (claim.id, other, SHA1)
    assert held_by(shared, video) == other
    with first.transaction() as connection:
        uploads.renew(connection, run)
    assert held_by(shared, video) == other
    assert take_over(first, claim.id, run) is None


def test_a_run_whose_connection_is_gone_loses_its_upload(
    rows: Rows,
    shared: Database,
    shared_url: str,
    video: Row,
    run: int,
    other: int,
    alive: Callable[[int], Database],
) -> None:
    first = alive(run)
    claim = intend(first, video, run)
    assert rows.update("upload", claim.id, lease_until=LATER)
    terminate(shared_url, first.connection.info.backend_pid)
    until(lambda: held_by(shared, video) is None)
    assert take_over(shared, claim.id, other) is not None


def test_a_run_that_never_announced_itself_loses_its_upload(shared: Database, video: Row, run: int, other: int) -> None:
    claim = intend(shared, video, run)
    assert held_by(shared, video) is None
    assert take_over(shared, claim.id, other) is not None


def test_what_a_live_run_has_released_may_be_taken_over(
    shared: Database, video: Row, run: int, other: int, alive: Callable[[int], Database]
) -> None:
    first = alive(run)
    claim = intend(first, video, run)
    with first.transaction() as connection:
        uploads.release(connection, claim, "ServerTrouble", "Stream had a fault")
    assert held_by(shared, video) is None
    taken = take_over(shared, claim.id, other)
    assert taken is not None
    assert taken.run_id == other


def test_an_upload_without_a_run_may_be_taken_over(rows: Rows, shared: Database, video: Row, run: int) -> None:
    row = rows.upload(video, lease_until=LATER)
    taken = take_over(shared, row["id"], run)
    assert taken is not None
    assert taken.run_id == run


def test_a_run_takes_its_own_upload_again_and_renews_the_lease(
    rows: Rows, video: Row, run: int, alive: Callable[[int], Database]
) -> None:
    mine = alive(run)
    claim = intend(mine, video, run)
    expire(rows, claim.id)
    assert take_over(mine, claim.id, run) == claim
    assert held_by(mine, video) == run


def test_the_lock_lets_one_run_at_a_time_decide(
    shared: Database, shared_url: str, video: Row, run: int, other: int
) -> None:
    """The second sees what the first has committed, so it begins nothing of its own."""
    with connect(shared_url) as second:
        found: list[UploadRow] = []

        def decide_too() -> None:
            with second.transaction() as connection:
                uploads.lock(connection, str(video["id"]))
                found.extend(uploads.read(connection, str(video["id"]))[0].uploads)

        with in_a_thread(decide_too) as begin, shared.transaction() as connection:
            uploads.lock(connection, str(video["id"]))
            begin()
            with connect(shared_url) as third:
                pid = second.connection.info.backend_pid
                until(lambda: third.connection.execute(IS_WAITING.encode(), [pid]).fetchone() == (True,))
            claim = uploads.intend(connection, str(video["id"]), SHA1, run)
    assert [each.id for each in found] == [claim.id]


@contextmanager
def in_a_thread(work: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Yield what begins the work; it has ended when the block is left."""
    import threading

    thread = threading.Thread(target=work)
    yield thread.start
    thread.join(60)
    assert not thread.is_alive()


# --- catalogs beside each other


def test_a_run_of_another_schema_is_not_taken_for_alive(empty_url: str) -> None:
    tell(empty_url, "CREATE SCHEMA one", "CREATE SCHEMA two")
    one, two = (make_conninfo(empty_url, options=f"-csearch_path={name}") for name in ("one", "two"))
    for url in (one, two):
        migrate.move(url, "head")
    claims = {}
    for url in (one, two):
        rows = Rows(url)
        component = rows.component(rows.lesson(rows.course()))
        rows.asset(component)
        for number in (7, 8):
            numbered(rows, number)
        with connect(url) as database:
            claims[url] = intend(database, component, 7)
        rows.connection.close()
    with connect(one) as first, connect(one) as beside, connect(two) as second:
        first.announce(7)
        assert take_over(beside, claims[one].id, 8) is None
        assert take_over(second, claims[two].id, 8) is not None


def test_a_run_of_another_database_is_not_taken_for_alive(
    shared: Database, url: str, video: Row, rows: Rows, other: int
) -> None:
    run = numbered(rows, 2**31 + 6)
    claim = intend(shared, video, run)
    with connect(url) as elsewhere:
        elsewhere.announce(run)
        assert take_over(shared, claim.id, other) is not None


def test_a_run_is_alive_whatever_its_number(
    shared: Database, rows: Rows, lesson: Row, other: int, alive: Callable[[int], Database]
) -> None:
    for number in (2**31 - 2, 2**31 + 5, 2**40):
        component = rows.component(lesson)
        claim = intend(alive(numbered(rows, number)), component, number)
        assert take_over(shared, claim.id, other) is None


def test_the_locks_of_commands_and_runs_do_not_meet(shared: Database, alive: Callable[[int], Database]) -> None:
    first = alive(1)
    first.lock("upload")
    alive(2).lock("import")
    first.announce(1)  # again: it is this run's own
