"""Where the three worlds differ: every rule in a table, and what is no difference."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curri.errors import ExitCode
from curri.model import Held, KnownAttempt, LinkRow, Outcome, Report, Result
from curri.plan import audit
from curri.plan.audit import Finding, Mark, Rule, of_stream, of_tree, others
from plan.auditing import (
    ATTEMPT,
    BEFORE,
    CURRENT,
    MINE,
    NOW,
    OLD,
    PENDING,
    PLACE,
    QUEUED,
    READY,
    SOURCE,
    STRAY,
    VIDEO,
    catalog,
    look,
    upload,
)


def rules(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.mark.value, finding.rule) for finding in findings]


@pytest.mark.parametrize(
    ("reason", "mark", "rule"),
    [
        ("new", "+", "file-without-row"),
        ("restored", "+", "file-without-row"),
        ("restored with new content", "+", "file-without-row"),
        ("removed", "-", "row-without-file"),
        ("changed", "*", "file-changed"),
        ("moved from course_01/02, 3 files", "*", "file-moved"),
        ('title is now "A", was "B"', "*", "details"),
    ],
)
def test_what_an_import_would_do_is_a_difference_and_names_the_import(reason: str, mark: str, rule: str) -> None:
    (found,) = of_tree(Report(ExitCode.DIFFERENCES, {}, (Outcome("Course_01/x", Result.DONE, reason),)))
    assert (found.mark, found.rule, found.path) == (mark, rule, "Course_01/x")
    assert "`curri import` records" in found.message
    assert reason.partition(" ")[2] in found.message


def test_what_cannot_be_read_is_an_error_with_its_reason() -> None:
    outcome = Outcome("Course_01/x", Result.BLOCKED, "unreadable: permission denied")
    assert of_tree(Report(ExitCode.SOME_ITEMS, {"rows_changed": 0}, (outcome,))) == [
        Finding(Mark.ERROR, "unreadable", "Course_01/x", "unreadable: permission denied")
    ]


def test_rows_that_change_without_a_word_are_one_difference_and_only_if_there_is_no_other() -> None:
    assert rules(of_tree(Report(ExitCode.DIFFERENCES, {"rows_changed": 3}))) == [("*", "details")]
    new = Outcome("Course_01/x", Result.DONE, "new")
    assert len(of_tree(Report(ExitCode.DIFFERENCES, {"rows_changed": 3}, (new,)))) == 1
    assert of_tree(Report(ExitCode.OK, {"rows_changed": 0})) == []


def test_what_stream_holds_and_nothing_links_is_to_be_linked_and_not_sent_again() -> None:
    meta: dict[str, object] = {"componentId": "id", "checksumSha1": NOW, "uploadId": "a9"}
    sent = replace(
        READY, meta={**meta, "courseTitle": "One", "lessonTitle": "Two", "uploadedAt": "2026-01-01T00:00:00Z"}
    )
    other = replace(VIDEO, id="other", lesson="03", source=SOURCE._replace(sha1=BEFORE))
    found = of_stream([VIDEO, other], catalog(links=()), {"u1": sent}, {}, whole=False)
    message = "on Stream already (u1), and nothing in the catalog links it; `curri adopt` does"
    assert found[0] == Finding(Mark.HERE, "not-linked", PLACE, message, "u1")
    assert found[1].rule == "not-uploaded"


def test_a_file_that_is_as_before_again_needs_a_link_and_no_upload() -> None:
    former = replace(
        VIDEO, links=(CURRENT._replace(source_sha1="2" * 40),), former=(PENDING._replace(state="retired"),)
    )
    former = replace(former, former=(former.former[0]._replace(status="ready"),))
    (found,) = of_stream([former], catalog(links=former.links), {"u1": READY}, {}, whole=True)
    message = "the file is one that was sent before; `curri upload` links its video again"
    assert found == Finding(Mark.DIFFERS, "outdated", PLACE, message)


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        ("= in-step", {"held": [READY]}),
        ("= in-step", {"held": [READY], "links": (CURRENT._replace(source_sha1=None),)}),
        ("= in-step", {"held": [QUEUED], "links": (PENDING._replace(state="current"),)}),
        ("+ not-uploaded", {"held": [], "links": ()}),
        ("* outdated", {"held": [READY], "links": (OLD,)}),
        ("! upload-open", {"held": [], "links": (), "uploads": (upload("sending"),)}),
        ("! upload-open", {"held": [], "links": (), "uploads": (upload("sending", held_by=7),)}),
        ("! failed", {"held": [], "links": (), "uploads": (upload("failed"),)}),
        ("! failed", {"held": [], "links": (CURRENT._replace(status="error", error_code="MISSING"),)}),
        ("+ missing", {"held": []}),
        ("* status", {"held": [replace(READY, state="error", ready_to_stream=False)]}),
        ("* status", {"held": [replace(QUEUED, uid="u1")]}),
        ("* duration", {"held": [replace(READY, duration=30.0)]}),
        ("* metadata", {"held": [READY], "wanted": {"name": "other", "lessonId": "l"}}),
        ("* metadata", {"held": [READY], "wanted": {"name": "n"}}),
        ("= in-step", {"held": [READY], "wanted": {"name": "n", "lessonId": "l"}}),
        ("= in-step", {"held": [READY], "sent": None}),
        (
            "* not-switched",
            {"held": [READY, replace(READY, uid="u2")], "links": (OLD, PENDING._replace(status="ready"))},
        ),
    ],
)
def test_one_video(expected: str, given: dict[str, Any]) -> None:
    catalog_has = {key: value for key, value in given.items() if key != "held"}
    assert [" ".join(each) for each in rules(look(*given["held"], **catalog_has))] == [expected]


def test_what_follows_from_a_failure_that_is_told_is_not_told_again() -> None:
    """A pending video of another duration is not to be switched, whatever Stream says of it."""
    bad = PENDING._replace(status="ready", error_code="DURATION_DIFFERS", error_message="it lasts 30 s")
    assert rules(look(READY, replace(READY, uid="u2", duration=30.0), links=(OLD, bad))) == [("!", "failed")]
    gone = CURRENT._replace(status="error", error_code="MISSING")
    assert rules(look(replace(READY), links=(gone,))) == [("!", "failed"), ("*", "status")]


def test_what_plays_and_is_gone_is_told_although_a_replacement_is_on_its_way() -> None:
    gone = OLD._replace(status="error", error_code="MISSING")
    found = look(QUEUED, links=(gone, PENDING))
    assert rules(found) == [("+", "missing")]
    short = OLD._replace(error_code="DURATION_DIFFERS")
    assert rules(look(replace(READY, duration=30.0), QUEUED, links=(short, PENDING))) == [("*", "duration")]


def test_a_video_that_several_show_is_compared_with_the_metadata_of_one() -> None:
    """The other one wants nothing of it, and in particular not that it belongs to no lesson."""
    assert rules(look(READY)) == [("=", "in-step")]


@pytest.mark.parametrize(
    ("expected", "held", "attempts"),
    [
        ("- duplicate", STRAY, (ATTEMPT,)),
        ("- duplicate", replace(STRAY, meta={"componentId": "id"}), ()),
        ("- duplicate", replace(STRAY, meta={"componentId": "id", "checksumSha1": NOW, "courseTitle": "Other"}), ()),
        ("- unlinked", replace(STRAY, meta={"componentId": "gone", "uploadId": "a1"}), (ATTEMPT,)),
        ("- unlinked", replace(STRAY, state="pendingupload", meta={"uploadId": "a1"}), (ATTEMPT,)),
        (None, replace(STRAY, meta={"name": "a holiday"}), ()),
        (None, replace(STRAY, meta={"componentId": "theirs", "uploadId": "theirs"}), (ATTEMPT,)),
        (None, replace(STRAY, meta={"componentId": "id", "courseTitle": "Another course"}), ()),
        (None, replace(STRAY, meta={"componentId": "id", "lessonTitle": "Another", "checksumSha1": BEFORE}), ()),
        (None, STRAY, (ATTEMPT._replace(held=True),)),
        (None, STRAY, (ATTEMPT._replace(kept=True),)),
        (None, STRAY, (ATTEMPT._replace(state="intended"),)),  # it is told with the upload
        (None, STRAY, (ATTEMPT._replace(id="a2", state="sending", uid="u9"),)),
    ],
)
def test_a_video_that_nothing_links(expected: str | None, held: Held, attempts: tuple[KnownAttempt, ...]) -> None:
    found = rules(look(READY, held, attempts=attempts))
    assert [" ".join(each) for each in found] == ["= in-step", *([expected] if expected else [])]


def test_a_video_that_a_retired_link_names_is_no_stray() -> None:
    known = catalog(links=(CURRENT, OLD._replace(provider_id="u9", state="retired")))
    video = replace(VIDEO, links=(CURRENT,))
    assert rules(of_stream([video], known, {"u1": READY, "u9": STRAY}, {}, whole=True)) == [("=", "in-step")]


def test_a_component_that_plays_nothing_any_more_has_no_second_video() -> None:
    known = catalog(ATTEMPT, links=(OLD._replace(state="retired"),))
    held = {"u1": READY, "u9": STRAY}
    assert rules(of_stream([VIDEO], known, held, {}, whole=True)) == [("+", "not-uploaded"), ("-", "unlinked")]


def test_how_to_be_rid_of_it_depends_on_who_made_it() -> None:
    mine = look(READY, STRAY, attempts=(ATTEMPT,))[-1]
    assert "`curri gc` deletes it" in mine.message
    theirs = look(READY, replace(STRAY, meta={"componentId": "id"}))[-1]
    assert "gc" not in theirs.message
    assert "dashboard" in theirs.message
    lost = look(replace(STRAY, meta={"componentId": "id"}), links=())[-1]
    assert "`curri adopt`" in lost.message


def test_an_upload_of_a_file_that_is_gone_is_told_of_the_whole_only() -> None:
    opened = ATTEMPT._replace(state="sending", wanted=False)
    assert rules(look(READY, attempts=(opened,))) == [("=", "in-step"), ("!", "upload-open")]
    assert rules(look(READY, attempts=(opened,), whole=False)) == [("=", "in-step")]
    assert rules(look(READY, attempts=(opened._replace(held=True),))) == [("=", "in-step")]
    gone = replace(STRAY, meta={"uploadId": "a1"})
    assert rules(look(READY, gone, attempts=(ATTEMPT,), whole=False)) == [("=", "in-step")]


def test_texts_of_others_cannot_reach_the_terminal() -> None:
    evil = replace(READY, meta={"name": "\x1b[2J\n", "lessonId": "l"})
    found = look(evil, replace(STRAY, meta={"name": "\x1b]0;x\x07", **MINE}), attempts=(ATTEMPT,), wanted={"name": "n"})
    assert {"metadata", "duplicate"} <= {finding.rule for finding in found}
    assert all(text.isprintable() for finding in found for text in (finding.path, finding.message))


def test_others_are_counted_and_ours_are_not() -> None:
    known = catalog(ATTEMPT, links=(CURRENT, OLD._replace(provider_id="u8", state="retired")))
    held = {"u1": READY, "u8": READY, "u9": STRAY, "x": replace(READY, meta={"componentId": "id", "uploadId": "x"})}
    assert others(held, known) == 1


@given(
    states=st.lists(st.sampled_from(["ready", "queued", "inprogress", "error"]), min_size=1, max_size=2),
    there=st.booleans(),
)
def test_what_is_recorded_as_it_is_differs_in_nothing(states: list[str], there: bool) -> None:
    links = tuple(
        LinkRow(f"u{n}", NOW, "pending" if n else "current", status, "ERR" if status == "error" else None, None)
        for n, status in enumerate(states)
    )
    held = [Held(link.provider_id, link.status, link.status == "ready", 100.0, duration=60.0) for link in links]
    found = look(*(held if there else []), links=links)
    if not there:
        assert ("+", "missing") in rules(found)
    elif states[0] != "error" and states[-1] != "ready":
        assert rules(found) == [("=", "in-step")]


def test_every_rule_is_in_the_documents_with_its_mark_and_every_documented_one_exists() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/check.md").read_text()
    rows = re.findall(r"^\| `(.)` \| `([a-z-]+)` \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    assert [rule for _, rule in rows] == list(get_args(Rule))
    code = Path(audit.__file__).read_text() + Path(audit.__file__).parents[1].joinpath("flow/check.py").read_text()
    used = {(Mark[mark].value, rule) for mark, rule in re.findall(r'\(Mark\.([A-Z]+), "([a-z-]+)"', code)}
    assert used == set(rows)
