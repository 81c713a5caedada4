"""What a finding says: what is so, with both sides of it, and the command that mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from curri.errors import ExitCode
from curri.model import KnownLink, Outcome, Report, Result
from curri.plan.audit import Finding, Mark, Rule, of_stream, of_tree, others
from plan.auditing import (
    ATTEMPT,
    BEFORE,
    CURRENT,
    OLD,
    PENDING,
    PLACE,
    QUEUED,
    READY,
    STRAY,
    VIDEO,
    catalog,
    look,
    upload,
)

SHORT = "it lasts 30.0 s on Stream, and what was sent 60.0 s; watch its end"


def report(*outcomes: Outcome, rows: int = 0) -> Report:
    return Report(ExitCode.DIFFERENCES, {"rows_changed": rows}, outcomes)


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("new", "it is not in the catalog; `curri import` records it"),
        ("restored", "it is there again; `curri import` records it"),
        ("restored with new content", "with new content: it is there again; `curri import` records it"),
        ("removed", "the catalog has it; `curri import` records that it is gone"),
        ("changed", "its bytes are not those recorded; `curri import` records them"),
        ("moved from x", "from x: it lies elsewhere in the catalog; `curri import` records where"),
        ('title is now "A"', 'title is now "A"; `curri import` records it'),
    ],
)
def test_what_an_import_would_do_is_told_as_a_difference(reason: str, message: str) -> None:
    (found,) = of_tree(report(Outcome("Course_01/x", Result.DONE, reason)))
    assert (found.path, found.message, found.uid) == ("Course_01/x", message, None)


def test_every_outcome_is_a_finding_and_rows_without_one_are_told_together() -> None:
    blocked = Outcome("Course_01/a", Result.BLOCKED, "unreadable: permission denied")
    found = of_tree(report(blocked, Outcome("Course_01/b", Result.DONE, "new"), rows=3))
    assert [(one.rule, one.path) for one in found] == [
        ("unreadable", "Course_01/a"),
        ("file-without-row", "Course_01/b"),
    ]
    message = "titles, order or times are not those recorded; `curri import` records them"
    assert of_tree(report(rows=1)) == [Finding(Mark.DIFFERS, "details", "", message)]


@pytest.mark.parametrize(
    ("rule", "message", "uid", "given"),
    [
        ("in-step", "on Stream", "u1", {"held": [READY]}),
        ("not-uploaded", "not on Stream yet; `curri upload` sends it", None, {"links": ()}),
        ("outdated", "the file has changed since it was sent; `curri upload` sends it", None, {"held": [READY], "links": (OLD,)}),
        ("upload-open", "begun by an earlier run; `curri upload` goes on", None, {"links": (), "uploads": (upload("sending"),)}),
        ("upload-open", "run 7 is at work on it", None, {"links": (), "uploads": (upload("sending", held_by=7),)}),
        (
            "failed",
            "truncated: it ends too early (--retry-failed tries it again)",
            None,
            {"links": (), "uploads": (upload("failed"),)},
        ),
        ("failed", "ERR (--retry-failed tries it again)", "u1", {"links": (CURRENT._replace(status="error", error_code="ERR"),), "held": [replace(READY, state="error")]}),
        ("missing", "the catalog links it, and it is not on Stream; `curri sync-status --all` records that", "u1", {}),
        (
            "status",
            "it is error on Stream, and ready in the catalog; `curri sync-status --all` records that",
            "u1",
            {"held": [replace(READY, state="error")]},
        ),
        (
            "not-switched",
            "it can be played, and the former video still is; `curri sync-status --all` switches",
            "u2",
            {"held": [READY, replace(READY, uid="u2")], "links": (OLD, PENDING._replace(status="ready"))},
        ),
        (
            "duration",
            f"{SHORT}: `curri sync-status --all` records that it is not fine",
            "u1",
            {"held": [replace(READY, duration=30.0)]},
        ),
        (
            "metadata",
            "name: n -> other; `curri fix-metadata` edits it",
            "u1",
            {"held": [READY], "wanted": {"name": "other", "lessonId": "l"}},
        ),
        (
            "metadata",
            "program: (not there) -> p; `curri fix-metadata` edits it",
            "u1",
            {"held": [READY], "wanted": {"name": "n", "lessonId": "l", "program": "p"}},
        ),
        (
            "metadata",
            "lessonId: l -> (removed); `curri fix-metadata` edits it",
            "u1",
            {"held": [READY], "wanted": {"name": "n"}},
        ),
    ],
)  # fmt: skip
def test_a_finding_names_both_sides_and_the_command_that_mends_it(
    rule: Rule, message: str, uid: str | None, given: dict[str, Any]
) -> None:
    (found,) = look(*given.get("held", ()), **{key: value for key, value in given.items() if key != "held"})
    assert (found.rule, found.path, found.message, found.uid) == (rule, PLACE, message, uid)


def test_a_video_that_is_known_to_be_short_or_gone_is_told_with_what_is_under_way() -> None:
    short = OLD._replace(error_code="DURATION_DIFFERS")
    (found,) = look(replace(READY, duration=30.0), QUEUED, links=(short, PENDING))
    assert found.message == SHORT
    gone = OLD._replace(status="error", error_code="MISSING")
    (found,) = look(QUEUED, links=(gone, PENDING))
    message = "the current video is not on Stream any more; another one is on its way"
    assert found == Finding(Mark.HERE, "missing", PLACE, message, "u1")


def test_what_is_sent_is_compared_also_where_an_upload_has_no_row_of_its_video() -> None:
    """Then nobody knows how long what was sent lasts."""
    known = replace(catalog(), videos={})
    found = of_stream([replace(VIDEO, links=(CURRENT,))], known, {"u1": replace(READY, duration=1.0)}, {}, whole=True)
    assert [one.rule for one in found] == ["in-step"]


def test_every_video_that_is_asked_for_has_its_finding_in_their_order() -> None:
    second = replace(VIDEO, id="id2", lesson="03")
    found = of_stream([replace(VIDEO, links=(CURRENT,)), second], catalog(), {"u1": READY}, {}, whole=True)
    assert [(one.rule, one.path) for one in found] == [
        ("in-step", PLACE),
        ("not-uploaded", "course_01/03/learning/video.mp4"),
    ]


def test_a_link_that_is_gone_does_not_hide_the_other_one() -> None:
    found = look(replace(READY, uid="u2", duration=30.0), links=(CURRENT, PENDING._replace(status="ready")))
    assert [(one.rule, one.uid) for one in found] == [("missing", "u1"), ("not-switched", "u2"), ("duration", "u2")]


def test_a_video_that_another_component_decides_about_does_not_hide_the_next_one() -> None:
    links = (CURRENT, PENDING._replace(provider_id="u2", status="ready", state="current"))
    held = {"u1": READY, "u2": replace(READY, uid="u2")}
    wanted = {("id", "u2"): {"name": "other", "lessonId": "l"}}
    found = of_stream([replace(VIDEO, links=links)], catalog(links=links), held, wanted, whole=True)
    assert [(one.rule, one.uid) for one in found] == [("metadata", "u2")]


GC, DASHBOARD = "`curri gc` deletes it", "look at it in the dashboard: nothing here tells who sent it"


@pytest.mark.parametrize(
    ("expected", "meta", "state", "attempts", "linked"),
    [
        (("duplicate", f"n: a second video of {PLACE}; {GC}"), {"componentId": "id", "uploadId": "a1"}, "ready", True, True),
        (("duplicate", f"n: a second video of {PLACE}; {DASHBOARD}"), {"componentId": "id"}, "ready", False, True),
        (("unlinked", f"n: an upload that nobody will end; {GC}"), {"uploadId": "a1"}, "pendingupload", True, True),
        (("unlinked", f"n: an upload that nobody will end; {DASHBOARD}"), {"componentId": "id"}, "downloading", False, False),
        (
            ("unlinked", f"n: made by curri, and nothing in the catalog links it; {GC}"),
            {"componentId": "gone", "uploadId": "a1"}, "ready", True, True,
        ),
        (
            ("unlinked", f"n: nothing in the catalog links it; `curri adopt` does, or {DASHBOARD}"),
            {"componentId": "id"}, "ready", False, False,
        ),
    ],
)  # fmt: skip
def test_what_only_stream_has_is_told_with_the_way_to_be_rid_of_it(
    expected: tuple[Rule, str], meta: dict[str, object], state: str, attempts: bool, linked: bool
) -> None:
    stray = replace(STRAY, state=state, meta={"name": "n", **meta})
    found = look(
        *([READY] if linked else []), stray, links=(CURRENT,) if linked else (), attempts=(ATTEMPT,) if attempts else ()
    )[-1]
    rule, message = expected
    assert found == Finding(Mark.THERE, rule, "u9", message, "u9")


def test_one_without_a_name_is_told_as_such() -> None:
    found = look(READY, replace(STRAY, meta={"uploadId": "a1", "componentId": "id"}), attempts=(ATTEMPT,))[-1]
    assert found.message.startswith("without a name: a second video of ")


def test_what_only_stream_has_is_told_one_by_one_whatever_lies_between() -> None:
    mine: dict[str, object] = {"componentId": "id", "uploadId": "a1"}
    other: dict[str, object] = {"componentId": "id", "courseTitle": "Other"}
    metas: list[dict[str, object]] = [{}, mine, other, mine, {"uploadId": "a2"}, mine]
    strays = [replace(STRAY, uid=f"u{number}", meta=meta) for number, meta in enumerate(metas, start=4)]
    found = look(READY, *strays, attempts=(ATTEMPT, ATTEMPT._replace(id="a2", kept=True)))
    assert [one.uid for one in found] == ["u1", "u5", "u7", "u9"]


def test_the_component_that_plays_something_is_named_by_its_first_place() -> None:
    known = catalog(ATTEMPT)
    known = replace(
        known,
        links=(
            KnownLink("id", "u0", "retired", 1.0, "where it was"),
            KnownLink("id", "u1", "current", None, "where it is"),
            KnownLink("id", "u2", "pending", None, "where it will be"),
        ),
    )
    found = of_stream([replace(VIDEO, links=(CURRENT,))], known, {"u1": READY, "u9": STRAY}, {}, whole=True)[-1]
    assert found.message == f"without a name: a second video of where it is; {GC}"


def test_an_upload_whose_file_is_gone_is_told_with_the_command_that_ends_it() -> None:
    open_ones = tuple(
        ATTEMPT._replace(
            id=f"a{number}", state="sending", wanted=number == 2, uid=f"u{number}", place=f"place {number}"
        )
        for number in (1, 2, 3)
    )
    message = "an upload was begun, and its file is gone from the tree; `curri gc` ends it"
    assert look(READY, attempts=open_ones)[1:] == [
        Finding(Mark.ERROR, "upload-open", f"place {number}", message, f"u{number}") for number in (1, 3)
    ]


def test_a_video_of_another_curriculum_is_neither_ours_nor_counted_as_made_here() -> None:
    older = replace(
        STRAY, meta={"componentId": "id", "checksumSha1": BEFORE, "courseTitle": "One", "lessonTitle": "Two"}
    )
    assert [one.rule for one in look(READY, older)] == ["in-step", "duplicate"]
    theirs = {uid: replace(READY, uid=uid, meta={"componentId": "x"}) for uid in ("x", "y")}
    assert others({"u1": READY, "u9": STRAY, **theirs}, catalog(ATTEMPT)) == 2
