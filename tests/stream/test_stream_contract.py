"""What the client relies on, asked of the sandbox; the same questions could be put to Cloudflare itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from curri.sandbox import Fault, Sandbox, SandboxSettings, When
from curri.stream import failures
from curri.stream.account import Account
from curri.stream.artefact import Artefact
from curri.stream.client import Client
from curri.stream.held import bytes_are_there
from curri.stream.pause import Stop, Stopped
from curri.stream.secret import Secret
from curri.stream.tus import Created, Uploads
from curri.stream.videos import Videos
from curri.stream.wire import Timeouts

from .conftest import FakeClock, Send, conduct_of
from .sending import CHUNK, SIZE

SHORT = Timeouts(connect=5, stall=1, answer=5, stored=1, whole=10)
METADATA = {"name": "course_01_L01_learning", "courseTitle": "Größe & 数学", "uploadId": "0-1-2", "compressed": "false"}


@contextmanager
def stream(**knobs: Any) -> Iterator[tuple[Sandbox, Client, FakeClock]]:
    """A sandbox whose clock stands still, and a client whose waits move it."""
    with Sandbox(SandboxSettings(frozen_clock=True, **knobs)) as box:
        clock = FakeClock()
        clock.on_pause = box.advance
        account = Account(box.account_id, Secret(box.token), box.url)
        with Client(account, conduct=conduct_of(clock, timeouts=SHORT)) as client:
            yield box, client, clock


def create(client: Client, size: int = SIZE, **more: str) -> Created:
    return Uploads(client).create(size, METADATA | more, seconds=600)


def send(client: Client, created: Created, artefact: Artefact) -> None:
    Uploads(client).send(created.url, artefact, offset=0, chunk_size=CHUNK)


def assert_whole(box: Sandbox, created: Created, artefact: Artefact) -> None:
    assert box.file(created.uid).read_bytes() == artefact.path.read_bytes()


@pytest.mark.parametrize("origin", ["same", "relative", "other-port"])
def test_a_file_arrives_byte_for_byte_with_its_metadata(artefact: Artefact, origin: str) -> None:
    with stream(upload_origin=origin) as (box, client, _):
        created = create(client)
        waiting = Videos(client).get(created.uid)
        assert (waiting.state, bytes_are_there(waiting)) == ("pendingupload", False)
        assert waiting.upload_expiry is not None
        assert waiting.max_duration == 600
        send(client, created, artefact)
        video = Videos(client).get(created.uid)
        assert bytes_are_there(video)
        assert {key: video.meta[key] for key in METADATA} == METADATA
        assert_whole(box, created, artefact)


def test_the_token_does_not_follow_an_upload_to_a_host_that_nobody_configured(artefact: Artefact) -> None:
    with stream(upload_origin="other-host") as (_, client, _clock):
        created = create(client)
        with pytest.raises(failures.UploadForbidden):
            send(client, created, artefact)


@pytest.mark.parametrize("partial", ["keep", "drop"])
@pytest.mark.parametrize(
    ("word", "nth"),
    [*((word, nth) for word in ("drop-before", "drop-middle", "drop-after") for nth in (1, 2, 3)), ("stall-middle", 2)],
)
def test_a_connection_that_breaks_costs_at_most_one_chunk(
    artefact: Artefact, word: str, nth: int, partial: str
) -> None:
    with stream(partial_patch=partial, faults=(Fault(word, When(path="patch", nth=nth)),)) as (box, client, _):
        created = create(client)
        send(client, created, artefact)
        assert_whole(box, created, artefact)
        sent = sum(entry.received for entry in box.requests() if entry.kind == "patch")
        assert sent <= SIZE + CHUNK
        assert len(box.videos()) == 1


@pytest.mark.parametrize("status", [408, 409, 423, 429, 500, 520])
@pytest.mark.parametrize("word", ["answer", "answer-after"])
def test_a_status_that_passes_is_survived_whether_or_not_the_chunk_was_stored(
    artefact: Artefact, status: int, word: str
) -> None:
    with stream(faults=(Fault(word, When(path="patch", nth=2), status=status),)) as (box, client, _):
        created = create(client)
        send(client, created, artefact)
        assert_whole(box, created, artefact)


def test_trouble_at_every_turn_is_survived(artefact: Artefact) -> None:
    faults = (
        Fault("drop-middle", When(path="patch"), probability=0.3, seed=1),
        Fault("answer", When(path="patch", times=None), status=502, probability=0.2, seed=2),
        Fault("drop-after", When(path="head", times=None), probability=0.3, seed=3),
    )
    with stream(faults=faults) as (box, client, _):
        created = create(client)
        send(client, created, artefact)
        assert_whole(box, created, artefact)
        assert len(box.videos()) == 1


@pytest.mark.parametrize("word", ["drop-before", "drop-after"])
def test_a_lost_answer_to_the_creation_is_resolved_by_listing(word: str) -> None:
    with stream(faults=(Fault(word, When(path="create")),)) as (box, client, _):
        since = datetime.now(UTC)
        with pytest.raises(failures.CreationUnknown):
            create(client)
        found = Videos(client).created_with("0-1-2", since)
        assert len(found) == len(box.videos()) == (1 if word == "drop-after" else 0)
        for orphan in found:
            assert orphan.state == "pendingupload"
            assert Videos(client).delete(orphan.uid)
        assert box.videos() == []


@pytest.mark.parametrize("status", [404, 410])
def test_an_expired_upload_is_told_as_one_that_is_gone(artefact: Artefact, status: int) -> None:
    with stream(expired_status=status, upload_lifetime_seconds=60) as (box, client, _):
        created = create(client)
        box.advance(61)
        with pytest.raises(failures.NotFound):
            send(client, created, artefact)
        with pytest.raises(failures.NotFound):
            Uploads(client).offset(created.url, size=SIZE)


def test_a_video_deleted_while_it_is_sent_is_told_as_gone(artefact: Artefact) -> None:
    with stream() as (_, client, _clock):
        created = create(client)

        def delete(_: int) -> None:
            assert Videos(client).delete(created.uid)

        with pytest.raises(failures.NotFound):
            Uploads(client).send(created.url, artefact, offset=0, chunk_size=CHUNK, on_acknowledged=delete)


def test_a_full_quota_is_told_before_a_byte_is_sent(artefact: Artefact) -> None:
    with stream(quota_minutes=15) as (_, client, _clock):
        first = create(client)
        with pytest.raises(failures.QuotaExceeded) as caught:
            create(client, uploadId="2")
        assert caught.value.hint
        Videos(client).delete(first.uid)  # an open upload reserves minutes, and gives them back
        create(client, uploadId="3")


def test_an_account_without_stream_is_told_as_a_quota() -> None:
    with stream(quota_minutes=0) as (_, client, _clock), pytest.raises(failures.QuotaExceeded):
        create(client)


def test_a_full_encoding_queue_is_told_as_such(make_file: Send) -> None:
    small = make_file(1_000)
    with stream(processing_limit=1) as (_, client, _clock):
        Uploads(client).send(create(client, 1_000).url, small)
        with pytest.raises(failures.TooManyProcessing):
            create(client, 1_000)


def test_the_budget_keeps_below_a_quota_that_the_server_tells(artefact: Artefact) -> None:
    with stream(rate_limit_requests=10, rate_limit_window_seconds=60) as (box, client, clock):
        created = create(client)
        send(client, created, artefact)
        for _ in range(20):
            Videos(client).get(created.uid)
        assert clock.waits
        assert not [entry for entry in box.requests() if entry.status == 429]


def test_a_block_for_all_calls_is_waited_out() -> None:
    faults = (Fault("answer", When(path="list", times=2), status=429, retry_after=40),)
    with stream(faults=faults) as (_, client, clock):
        assert Videos(client).listing() == []
        assert sum(clock.waits) >= 80


@pytest.mark.parametrize("strings", [True, False])
def test_a_large_library_is_listed_whole(strings: bool) -> None:
    with stream(counts_as_strings=strings) as (box, client, _):
        planted = box.plant({"name": f"video {n}", "n": str(n)} for n in range(2_345))
        found = Videos(client).listing()
        assert [video.uid for video in found] == [video.uid for video in planted]
        assert len(box.requests()) <= 4
        assert [video.name for video in Videos(client).listing(video_name="video 7")] == ["video 7"]
        assert Videos(client).listing(status="pendingupload") == []


@pytest.mark.parametrize("merges", [True, False])
def test_an_edit_keeps_what_is_not_ours_whether_stream_merges_or_replaces(merges: bool) -> None:
    with stream(edit_merges_meta=merges) as (box, client, _):
        uid = box.plant([{"name": "old", "theirs": {"deep": [1]}, "extra": "x"}])[0].uid
        edited = Videos(client).edit(uid, {"name": "new", "lessonId": "1", "extra": None})
        assert edited.before == {"name": "old", "theirs": {"deep": [1]}, "extra": "x"}
        assert edited.after == Videos(client).get(uid).meta
        assert edited.kept == (("extra",) if merges else ())
        assert edited.after["theirs"] == {"deep": [1]}
        assert Videos(client).get(uid).name == "new"
        assert not Videos(client).edit(uid, {"name": "new"}).written


@pytest.mark.parametrize("empty", [True, False])
def test_deleting_twice_is_success_both_times(empty: bool) -> None:
    with stream(empty_delete=empty) as (box, client, _):
        uid = box.plant([{}])[0].uid
        assert Videos(client).delete(uid) is True
        assert Videos(client).delete(uid) is False
        assert box.videos() == []


def test_storage_tells_what_is_used_and_allowed() -> None:
    with stream(quota_minutes=100) as (box, client, _):
        box.plant([{}, {}], duration=90.0)
        usage = Videos(client).storage()
        assert (usage.minutes, usage.limit, usage.videos, usage.left) == (3.0, 100, 2, 97.0)


def test_a_token_is_verified_and_a_wrong_one_refused_with_what_to_do() -> None:
    with stream() as (box, client, clock):
        Videos(client).verify()
        for account_id, token, error in (
            (box.account_id, "wrong", failures.Credentials),
            ("f" * 32, box.token, failures.WrongAccount),
        ):
            wrong = Account(account_id, Secret(token), box.url)
            with Client(wrong, conduct=conduct_of(clock)) as other:
                with pytest.raises(error) as caught:
                    Videos(other).verify()
                assert caught.value.hint
                assert token not in caught.value.message


def test_a_token_that_may_only_read_is_told_when_it_creates() -> None:
    with stream(read_token="reads-only") as (box, _client, clock):
        reader = Account(box.account_id, Secret("reads-only"), box.url)
        with Client(reader, conduct=conduct_of(clock)) as client:
            Videos(client).verify()
            with pytest.raises(failures.Credentials):
                create(client)
        assert box.videos() == []


def test_another_process_goes_on_with_what_was_committed(artefact: Artefact) -> None:
    with stream(faults=(Fault("drop-after", When(path="patch", nth=2, times=None)),)) as (box, client, clock):
        created = create(client)
        stop = Stop(client.stop)
        with pytest.raises(Stopped):
            Uploads(client).send(
                created.url, artefact, offset=0, chunk_size=CHUNK, on_acknowledged=lambda _: stop.finish(), stop=stop
            )
        box.clear_faults()
        committed = created.url.reveal()
        account = Account(box.account_id, Secret(box.token), box.url)
        with Client(account, conduct=conduct_of(clock)) as other:
            sent = Uploads(other).send(Secret(committed), artefact, chunk_size=CHUNK)
        assert sent.resumed_at == CHUNK
        assert_whole(box, created, artefact)
