"""What Stream holds already, though the catalog links nothing: it is not sent again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from curri.model import Held, Inventory, KnownAttempt, KnownLink, LinkRow, UploadRow
from curri.plan.lost import already_there, spoken_for, unlinked
from plan.adopting import A, B, file, sent

LINK = LinkRow("u1", A, "current", "ready", None, None)
NOTHING = Inventory({}, (), ())


def upload(state: str) -> UploadRow:
    return UploadRow("a1", A, state, None, 0, None, None, None, None)


def attempt(state: str, uid: str | None = "u1", *, kept: bool = False) -> KnownAttempt:
    return KnownAttempt("a1", state, uid, held=False, wanted=True, kept=kept, place="p")


def test_a_video_is_unlinked_if_nothing_says_that_it_is_on_stream_or_on_its_way() -> None:
    alone, ended = file(1), replace(file(2), uploads=(upload("abandoned"), upload("failed"), upload("linked")))
    linked = replace(file(3), links=(LINK,))
    begun = replace(file(4), uploads=(upload("failed"), upload("sending")))
    both = replace(file(5), links=(LINK,), uploads=(upload("sending"),))
    assert unlinked([alone, ended, linked, begun, both]) == [alone, ended]


@pytest.mark.parametrize("state", ["current", "pending", "retired"])
def test_a_video_that_is_linked_in_any_state_is_spoken_for(state: str) -> None:
    known = Inventory({}, (KnownLink("c1", "u1", state, None, "p"),), (attempt("sending", "u2"),))
    assert spoken_for(known) == {"u1", "u2"}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (attempt("sending"), {"u1"}),
        (attempt("abandoned"), {"u1"}),  # what it left there is no video that could be linked
        (attempt("failed"), {"u1"}),
        (attempt("intended", None), set()),
        (attempt("linked"), set()),  # its link was lost, or taken away with its row
        (attempt("abandoned", kept=True), set()),  # somebody wants it to stay
        (attempt("linked", kept=True), set()),
    ],
)
def test_the_video_of_an_upload_that_did_not_end_in_a_link_is_spoken_for(
    known: KnownAttempt, expected: set[str]
) -> None:
    assert spoken_for(Inventory({}, (), (known,))) == expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([sent("u1")], {"c1": "u1"}),
        ([sent("u1", sha1=B, day=1), sent("u2", day=2)], {"c1": "u2"}),  # replaced: the former is another file
        ([sent("u1", sha1=B)], {}),
        ([sent("u1", courseTitle="Another", sha1=B)], {}),  # of another curriculum with the same numbers
        ([], {}),
    ],
)
def test_what_is_surely_there_is_what_the_file_would_play(held: list[Held], expected: dict[str, str]) -> None:
    assert already_there([file()], held, NOTHING) == expected


def test_what_is_linked_or_spoken_for_is_not_found_again() -> None:
    assert already_there([replace(file(), links=(LINK,))], [sent("u1")], NOTHING) == {}
    assert already_there([file()], [sent("u1")], Inventory({}, (), (attempt("sending"),))) == {}
