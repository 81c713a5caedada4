"""What may be thrown away: a table, and what never may, whatever the catalog and Stream say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curri.model import OPEN_STATES, Held, Inventory, KnownAttempt, KnownLink, KnownVideo
from curri.plan.leftovers import Leftover, Why, leftovers

DAY = 86400.0
PLACE = "course_01/02/learning/video.mp4"
LINKED = KnownAttempt("a1", "linked", "u1", held=False, wanted=True, kept=False, place=PLACE)
GONE = LINKED._replace(state="sending", wanted=False)


def held(uid: str = "u1", upload: str | None = None) -> Held:
    meta: dict[str, object] = {"name": "n", **({"uploadId": upload} if upload else {})}
    return Held(uid, "ready", ready_to_stream=True, percent=100.0, duration=60.0, size=5, meta=meta)


def link(state: str = "retired", days: float | None = 40, uid: str = "u1") -> KnownLink:
    return KnownLink("c1", uid, state, None if days is None else days * DAY, PLACE)


def find(
    *known: KnownLink | KnownAttempt, there: list[Held] | None = None, rows: str = "u1", grace: float = 30
) -> list[Leftover]:
    inventory = Inventory(
        {uid: KnownVideo(uid, "ready", None, None) for uid in rows.split()},
        tuple(each for each in known if isinstance(each, KnownLink)),
        tuple(each for each in known if isinstance(each, KnownAttempt)),
    )
    return leftovers(inventory, {each.uid: each for each in ([held()] if there is None else there)}, grace * DAY)


@pytest.mark.parametrize(
    ("expected", "known", "given"),
    [
        ("retired", [LINKED, link()], {}),
        (None, [LINKED, link(days=29)], {}),
        ("retired", [LINKED, link(days=29)], {"grace": 28}),
        ("retired", [LINKED, link(days=0)], {"grace": 0}),
        (None, [LINKED, link(days=None)], {}),  # nobody knows since when
        (None, [LINKED, link(days=None)], {"grace": 1e-6}),
        (None, [LINKED, link(), link(days=3)], {}),  # the last one counts
        (None, [LINKED, link(), link("current")], {}),
        (None, [LINKED, link(), link("pending")], {}),
        (None, [link()], {}),  # who made it is not known
        (None, [link()], {"there": [held(upload="theirs")]}),
        ("retired", [link(), LINKED._replace(uid=None)], {"there": [held(upload="a1")]}),
        ("orphan", [LINKED], {}),
        ("orphan", [LINKED._replace(state="abandoned")], {"rows": ""}),
        ("orphan", [LINKED._replace(state="failed", uid=None)], {"there": [held("u9", "a1")], "rows": ""}),
        (None, [LINKED._replace(held=True)], {}),
        (None, [LINKED._replace(kept=True)], {}),
        (None, [LINKED, LINKED._replace(id="a2", kept=True)], {}),
        ("open", [GONE], {}),
        ("open", [GONE], {"rows": ""}),
        (None, [GONE._replace(wanted=True)], {}),
        (None, [GONE._replace(held=True)], {}),
        (None, [GONE._replace(wanted=True, uid=None, state="intended")], {"there": [held("u9", "a1")]}),
        ("open", [GONE._replace(uid=None, state="intended")], {"there": [held("u9", "a1")], "rows": ""}),
        ("row", [LINKED], {"there": []}),
        ("row", [LINKED, link()], {"there": []}),
        ("row", [LINKED, link(days=3)], {"there": []}),
        (None, [LINKED, link("current")], {"there": []}),
        (None, [LINKED], {"there": [], "rows": ""}),
        ("row", [GONE], {"there": [], "rows": ""}),
        ("row", [GONE._replace(uid=None, state="intended")], {"there": [], "rows": ""}),
        (None, [GONE._replace(uid=None, state="intended", wanted=True)], {"there": [], "rows": ""}),
        (None, [GONE._replace(uid=None, state="intended", held=True)], {"there": [], "rows": ""}),
        (None, [GONE._replace(uid=None, state="failed")], {"there": [], "rows": ""}),
    ],
)
def test_what_may_go(expected: str | None, known: list[KnownLink | KnownAttempt], given: dict[str, Any]) -> None:
    found = find(*known, **given)
    assert [each.why.value for each in found] == ([expected] if expected else [])
    assert all(
        (each.attempts != ()) is (each.why is Why.OPEN or each.uid is None or "upload" in each.told) for each in found
    )


@pytest.mark.parametrize(
    ("known", "given", "expected"),
    [
        ([LINKED], {}, Leftover("u1", Why.ORPHAN, "n", "made by curri, and nothing is linked to it", 5, 60.0)),
        (
            [LINKED, link(days=41.5)],
            {},
            Leftover("u1", Why.RETIRED, "n", f"replaced 42 days ago in {PLACE}", 5, 60.0),
        ),
        (
            [GONE],
            {},
            Leftover("u1", Why.OPEN, "n", f"an upload of {PLACE}, which is gone from the tree", 5, 60.0, ("a1",)),
        ),
        (
            [GONE],
            {"there": []},
            Leftover(
                "u1",
                Why.ROW,
                PLACE,
                f"an upload of {PLACE}, which is gone from the tree and from Stream",
                attempts=("a1",),
            ),
        ),
        ([LINKED], {"there": []}, Leftover("u1", Why.ROW, PLACE, "its row: it is not on Stream any more")),
        (
            [GONE._replace(uid=None)],
            {"there": [], "rows": ""},
            Leftover(
                None, Why.ROW, PLACE, f"an upload of {PLACE}, which is gone from the tree", attempts=("a1",)
            ),
        ),
    ],
)  # fmt: skip
def test_what_may_go_is_named_with_the_reason_and_what_it_takes(
    known: list[KnownLink | KnownAttempt], given: dict[str, Any], expected: Leftover
) -> None:
    assert find(*known, **given) == [expected]


def test_all_that_may_go_is_found_in_the_order_of_the_catalog_then_of_stream() -> None:
    kept = LINKED._replace(id="a1", uid="u1", kept=True)
    second, third = LINKED._replace(id="a2", uid="u2"), LINKED._replace(id="a3", uid="u3")
    waits = GONE._replace(id="a4", uid=None)
    found = find(
        kept, second, third, waits, there=[held("theirs"), held("u3"), held("u2"), held("u1")], rows="u1 u3 u2"
    )
    assert [each.uid for each in found] == ["u3", "u2", None]


def test_texts_are_printable_and_say_how_long_it_lasts() -> None:
    evil = Held("u1", "ready", ready_to_stream=True, percent=None, duration=60.0, size=5, meta={"name": "\x1b[2J"})
    (found,) = find(LINKED._replace(place="\n"), there=[evil])
    assert found.name.isprintable()
    assert found.told.isprintable()
    assert (found.size, found.seconds) == (5, 60.0)


UIDS = st.sampled_from(["u1", "u2", "u3"])
IDS = st.sampled_from(["a1", "a2", "a3"])
STATES = st.sampled_from([*sorted(OPEN_STATES), "linked", "abandoned", "failed"])
ATTEMPTS = st.lists(
    st.builds(
        KnownAttempt, IDS, STATES, st.none() | UIDS, held=st.booleans(), wanted=st.booleans(), kept=st.booleans(),
        place=st.just(PLACE),
    ),
    unique_by=lambda each: each.id, max_size=3,
)  # fmt: skip
LINKS = st.lists(
    st.builds(
        KnownLink, st.sampled_from(["c1", "c2"]), UIDS, st.sampled_from(["current", "pending", "retired"]),
        st.none() | st.floats(0, 100 * DAY), st.just(PLACE),
    ),
    max_size=4,
)  # fmt: skip
LISTING = st.dictionaries(UIDS, st.none() | IDS | st.just("theirs"), max_size=3)


@given(st.sets(UIDS), LINKS, ATTEMPTS, LISTING, st.floats(0, 60 * DAY))
@example({"u1"}, [link()], [LINKED, LINKED._replace(id="a2", state="sent")], {"u1": "a1"}, 0.0)
def test_whatever_there_is_nothing_goes_that_somebody_needs(
    rows: set[str],
    links: list[KnownLink],
    attempts: list[KnownAttempt],
    listing: dict[str, str | None],
    grace: float,
) -> None:
    inventory = Inventory({uid: KnownVideo(uid, "ready", None, None) for uid in rows}, tuple(links), tuple(attempts))
    there = {uid: held(uid, upload) for uid, upload in listing.items()}
    found = leftovers(inventory, there, grace)
    assert len({(each.uid, each.attempts) for each in found}) == len(found)
    by_id = {each.id: each for each in attempts}
    for leftover in found:
        mine = [link for link in links if link.uid == leftover.uid]
        makers = [each for each in attempts if each.uid == leftover.uid is not None]
        makers += [by_id[each] for each in (listing.get(leftover.uid or ""),) if each in by_id]
        makers += [by_id[each] for each in leftover.attempts]
        assert makers, "nothing of ours names it"
        assert {link.state for link in mine} <= {"retired"}
        assert not any(each.held or each.kept or (each.wanted and each.state in OPEN_STATES) for each in makers)
        assert (leftover.why is Why.ROW) is (leftover.uid not in listing)
        if leftover.why is Why.RETIRED:
            assert all((link.retired_seconds or 0) >= grace for link in mine)
        assert {by_id[each].state for each in leftover.attempts} <= set(OPEN_STATES)
