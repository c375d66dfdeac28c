"""What people may do of an approval beside yes and no, and who else may decide: by name, and against a plain search."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.escalate.eligibility import counts_for, is_requester, last_asked_ms, may_edit, may_read, routes_asked, sits
from remit.escalate.machine import GLASS_MS, Approval, ApprovalState, Delegation, Edit, Glass, Vote
from remit.escalate.quorum import complete, remaining_voters, seats, shortfall
from remit.escalate.refusals import SENTENCES, Refusal, sentence
from remit.escalate.voting import Electorate, VoteRefused, approve, break_glass, delegate, editor, refuse, review
from remit.facts.agent import User
from remit.facts.catalog import Route
from remit.policy.verdict import Gate

USERS = {
    "ann": User("ann", frozenset({"sec"})),
    "ben": User("ben", frozenset({"sec", "fin"})),
    "cat": User("cat", frozenset({"fin"})),
    "dan": User("dan"),
    "req": User("req", frozenset({"sec", "fin", "oncall"})),
    "req2": User("req2", frozenset({"sec", "oncall"}), "req"),
    "ann2": User("ann2", frozenset({"fin", "oncall"}), "ann"),
    "oli": User("oli", frozenset({"oncall"})),
}
SEC = Route("sec", groups=frozenset({"sec"}))
BOTH = Route("sec", groups=frozenset({"sec", "fin"}), count=2, distinct_groups=True)
ASKED = Approval(
    "r1-1.1", "sha256:0", "s", "bot", "req", "web", "fetch", (Gate("p", "sec", "t"),), 0, 10**6, nonce="n1"
)
EDIT = Edit("ann", 5, "sha256:9", "r1-1.4", "n2")


def room(*routes: Route, users: dict[str, User] = USERS) -> Electorate:
    return Electorate({route.name: route for route in routes}, users)


def yes(
    who: str,
    here: Electorate,
    one: Approval = ASKED,
    at: int = 10,
    *,
    shown: str | None = None,
    strong: bool = False,
    edit: Edit | None = None,
) -> Approval:
    return approve(one, here, Vote(who, at, (), strong=strong), shown=shown, edit=edit)


def given_to(to: str, by: str = "ann", at: int = 5, until_ms: int = 100) -> Delegation:
    return Delegation(by, to, at, until_ms)


def test_the_requester_is_no_approver_under_a_second_name() -> None:
    with pytest.raises(VoteRefused, match="requester may not approve"):
        yes("req2", room(SEC))
    assert is_requester(ASKED, USERS, USERS["req2"])
    assert not is_requester(replace(ASKED, user=None), USERS, USERS["req2"])
    assert not is_requester(replace(ASKED, user="gone"), USERS, USERS["req2"])
    assert yes("req2", room(replace(SEC, requester_may_approve=True))).state is ApprovalState.APPROVED


def test_one_human_counts_once_under_two_names() -> None:
    here = room(replace(SEC, groups=frozenset({"sec", "fin"}), count=2))
    once = yes("ann2", here, yes("ann", here))
    assert (once.state, len(once.votes)) == (ApprovalState.PENDING, 2)
    assert yes("ben", here, once).state is ApprovalState.APPROVED


def test_who_is_asked_next_decides_once_it_is_his_turn() -> None:
    chain = (replace(SEC, next="fin", next_after_s=1.0), Route("fin", groups=frozenset({"fin"}), next="last"))
    here = room(*chain, Route("last", users=frozenset({"dan"})))
    with pytest.raises(VoteRefused, match="not one of those"):
        yes("cat", here, at=999)
    assert not sits(ASKED, here.routes, USERS, USERS["cat"], 999)
    assert yes("cat", here, at=1_000).state is ApprovalState.APPROVED
    assert refuse(ASKED, here, "cat", 1_000, "not-now").reason == "not-now"
    with pytest.raises(VoteRefused, match="not one of those"):
        yes("dan", here, at=900_999)
    assert yes("dan", here, at=901_000).state is ApprovalState.APPROVED
    assert yes("ann", here, at=901_000).state is ApprovalState.APPROVED
    assert [route.name for route in routes_asked("sec", room(replace(SEC, next="sec")).routes, 10**9)] == ["sec"]
    assert [route.name for route in routes_asked("sec", room(replace(SEC, next="gone")).routes, 10**9)] == ["sec"]
    assert list(routes_asked("gone", {}, 0)) == []


def test_two_people_of_different_groups() -> None:
    here = room(BOTH)
    half = yes("ben", here)
    assert half.state is ApprovalState.PENDING
    assert yes("cat", here, half).state is ApprovalState.APPROVED
    assert yes("ann", here, half).state is ApprovalState.APPROVED
    two = replace(USERS["ann"], name="amy", person=None)
    alike = room(BOTH, users={**USERS, "amy": two})
    both_sec = yes("amy", alike, yes("ann", alike))
    assert both_sec.state is ApprovalState.PENDING
    [seat] = seats(both_sec, alike.routes, alike.users)
    assert (seat.by, seat.filled) == (("ann",), False)


def test_who_is_left_to_say_yes_and_whether_they_are_enough() -> None:
    here = room(replace(SEC, groups=frozenset({"sec", "fin"}), count=2))
    assert remaining_voters(ASKED, here.routes, USERS, 10) == {"sec": ["ann", "ann2", "ben", "cat"]}
    half = yes("ann", here)
    assert remaining_voters(half, here.routes, USERS, 10) == {"sec": ["ben", "cat"]}, (
        "ann has said it under all her names"
    )
    assert shortfall(half, here.routes, USERS) == {"sec": 0}
    alone = {name: USERS[name] for name in ("ann", "ann2", "req")}
    assert shortfall(half, here.routes, alone) == {"sec": 1}, "the requester fills no place"
    later = {
        **here.routes,
        "sec": replace(here.routes["sec"], next="last", next_after_s=1.0),
        "last": Route("last", users=frozenset({"dan"})),
    }
    assert shortfall(half, later, {**alone, "dan": USERS["dan"]}) == {"sec": 0}, "others are asked before it expires"
    assert remaining_voters(half, {}, alone, 10) == {"sec": []}
    assert shortfall(half, {}, alone)["sec"] > 0, "a route that is gone"
    strong = {"sec": replace(here.routes["sec"], strong=True)}
    assert "ann" in remaining_voters(half, strong, USERS, 10)["sec"], "her yes by a token does not count any more"
    gone = {name: user for name, user in USERS.items() if not name.startswith("ann")}
    assert remaining_voters(half, here.routes, gone, 10) == {"sec": ["ben", "cat"]}


def test_a_deputy_has_what_the_one_who_named_him_has_until_it_ends() -> None:
    here = room(SEC)
    over = delegate(ASKED, here, given_to("dan"))
    assert sits(over, here.routes, USERS, USERS["dan"], 10)
    assert yes("dan", here, over, at=99).state is ApprovalState.APPROVED
    with pytest.raises(VoteRefused, match="not one of those"):
        yes("dan", here, over, at=100)
    assert refuse(over, here, "dan", 50).state is ApprovalState.DENIED
    left = Electorate(here.routes, {name: user for name, user in USERS.items() if name != "ann"})
    with pytest.raises(VoteRefused, match="not one of those"):
        yes("dan", left, over)
    given = yes("dan", here, over)
    assert not complete(given, left.routes, left.users)


def test_two_who_share_one_say_are_one() -> None:
    here = room(replace(SEC, count=2))
    over = delegate(ASKED, here, given_to("dan"))
    both = yes("ann", here, yes("dan", here, over))
    assert both.state is ApprovalState.PENDING
    assert yes("ben", here, both).state is ApprovalState.APPROVED
    sitting = delegate(ASKED, room(BOTH), given_to("dan"))
    half = yes("cat", room(BOTH), sitting)
    assert yes("dan", room(BOTH), half).state is ApprovalState.APPROVED


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (given_to("dan", by="dan"), "not one of those"),
        (given_to("dan", by="req"), "requester"),
        (given_to("gone"), "no user"),
        (given_to("ann2"), "himself under another name"),
        (given_to("ann"), "himself under another name"),
        (given_to("dan", until_ms=5), "ends in the future"),
        (given_to("dan", until_ms=10**6 + 1), "ends in the future"),
        (given_to("req"), "requester"),
        (given_to("req2"), "requester"),
    ],
)
def test_what_cannot_be_delegated(given: Delegation, why: str) -> None:
    with pytest.raises(VoteRefused, match=why):
        delegate(ASKED, room(SEC), given)


def test_a_deputy_hands_nothing_on_and_a_yes_that_was_said_is_gone() -> None:
    here = room(replace(SEC, count=2))
    over = delegate(ASKED, here, given_to("dan"))
    with pytest.raises(VoteRefused, match="not one of those"):
        delegate(over, here, given_to("cat", by="dan"))
    with pytest.raises(VoteRefused, match="said yes already"):
        delegate(yes("ann", here), here, given_to("dan", at=20))
    with pytest.raises(VoteRefused, match="approved already"):
        delegate(yes("ann", room(SEC)), room(SEC), given_to("dan", at=20))


def test_a_yes_is_for_what_was_shown() -> None:
    here = room(replace(SEC, count=2, edits=True))
    edited = yes("ann", here, edit=EDIT)
    assert (edited.approved, [vote.by for vote in edited.votes]) == ("sha256:9", ["ann"])
    for shown, why in ((None, "ann approved other arguments"), ("n1", "not what would run now"), ("x", "not what")):
        with pytest.raises(VoteRefused, match=why) as stale:
            yes("ben", here, edited, shown=shown)
        assert stale.value.stale
    assert yes("ben", here, edited, shown="n2").state is ApprovalState.APPROVED
    with pytest.raises(VoteRefused, match="another approval"):
        yes("ben", here, shown="n7")
    assert yes("ben", here, shown="n1").state is ApprovalState.PENDING
    again = yes("ben", here, edited, shown="n2", edit=replace(EDIT, by="ben", action="sha256:8", nonce="n3"))
    assert (again.state, [vote.by for vote in again.votes], again.shown) == (ApprovalState.PENDING, ["ben"], "n3")


def test_who_may_edit() -> None:
    assert editor(ASKED, room(replace(SEC, edits=True)), "ann", 10) is USERS["ann"]
    with pytest.raises(
        VoteRefused, match=r"do not let people approve other arguments \(edits, in the Route sec\)"
    ) as no:
        editor(ASKED, room(SEC), "ann", 10)
    assert not no.value.others, "nobody else may either"
    with pytest.raises(VoteRefused, match="not one of those") as no:
        editor(ASKED, room(replace(SEC, edits=True)), "dan", 10)
    assert no.value.others
    assert not may_edit(ASKED, {})


def test_a_yes_that_has_to_be_confirmed() -> None:
    here = room(replace(SEC, strong=True))
    with pytest.raises(VoteRefused, match="confirmed beyond a token") as refused:
        yes("ann", here)
    assert "/a/r1-1.1" in refused.value.next
    assert yes("ann", here, strong=True).state is ApprovalState.APPROVED


def test_a_route_that_asks_for_more_by_now_has_no_use_for_an_earlier_yes() -> None:
    weak, two = yes("ann", room(SEC)), replace(SEC, strong=True, count=2)
    assert weak.state is ApprovalState.APPROVED
    assert not complete(weak, room(replace(SEC, strong=True)).routes, USERS)
    half = yes("ann", room(replace(SEC, count=2)))
    assert [seat.by for seat in seats(half, {"sec": two}, USERS)] == [()]
    again = yes("ann", room(two), half, strong=True)
    assert [(vote.by, vote.strong) for vote in again.votes] == [("ann", True)]
    assert yes("ann", room(two), again, strong=True) is again
    assert yes("ben", room(two), again, strong=True).state is ApprovalState.APPROVED


def test_breaking_the_glass_is_short_and_somebody_else_looks_at_it() -> None:
    here = room(replace(SEC, count=3, break_glass=frozenset({"oncall"})))
    broken = break_glass(ASKED, here, Glass("oli", 10, "the site is down"))
    assert (broken.state, broken.expires_ms) == (ApprovalState.APPROVED, 10 + GLASS_MS)
    assert complete(broken, here.routes, USERS)
    assert not complete(broken, {}, USERS)
    assert sits(ASKED, here.routes, USERS, USERS["oli"], 10)
    looked = review(broken, here, "ann")
    assert looked.glass == Glass("oli", 10, "the site is down", "ann")
    assert review(looked, here, "ben") is looked
    assert review(broken, here, "ann2").glass != broken.glass


@pytest.mark.parametrize(
    ("who", "why", "match"),
    [
        ("ann", "down", "ann is not one of those who may break the glass here: oncall [(]sec[)]"),
        ("req", "down", "the requester may not break the glass"),
        ("req2", "down", "the requester may not break the glass"),
        ("oli", " ", "wants a reason"),
        ("gone", "down", "no user"),
    ],
)
def test_who_may_not_break_the_glass(who: str, why: str, match: str) -> None:
    here = room(replace(SEC, break_glass=frozenset({"oncall"})))
    with pytest.raises(VoteRefused, match=match) as no:
        break_glass(ASKED, here, Glass(who, 10, why))
    assert not no.value.others, "who may say yes is told to nobody who wants to break the glass"


def test_where_nobody_may_break_the_glass_that_is_said() -> None:
    two = replace(ASKED, gates=(*ASKED.gates, Gate("q", "fin", "t")))
    fin = Route("fin", groups=frozenset({"fin"}), break_glass=frozenset({"oncall"}))
    with pytest.raises(VoteRefused, match=r"nobody may .*: the Route sec names no break_glass groups") as no:
        break_glass(two, room(SEC, fin), Glass("oli", 10, "down"))
    assert "remit approvals show r1-1.1" in no.value.next
    with pytest.raises(VoteRefused, match="here: nobody is"):
        break_glass(ASKED, room(fin), Glass("oli", 10, "down"))


def test_glass_of_what_is_approved_and_by_a_requester_who_may() -> None:
    here = room(replace(SEC, break_glass=frozenset({"oncall"}), requester_may_approve=True))
    assert break_glass(ASKED, here, Glass("req", 10, "down")).state is ApprovalState.APPROVED
    with pytest.raises(VoteRefused, match="approved already"):
        break_glass(yes("ann", here), here, Glass("oli", 10, "down"))


def test_glass_is_confirmed_where_a_yes_is_or_could_be() -> None:
    weak = replace(SEC, break_glass=frozenset({"oncall"}))
    strong = replace(weak, strong=True)
    for here, keyed in ((room(strong), False), (room(weak), True)):
        with pytest.raises(VoteRefused, match="confirmed beyond a token"):
            break_glass(ASKED, here, Glass("oli", 10, "down"), keyed=keyed)
        signed = break_glass(ASKED, here, Glass("oli", 10, "down", strong=True), keyed=keyed)
        assert complete(signed, here.routes, USERS)
    # A route that became strong since has no use for what a token did.
    assert not complete(break_glass(ASKED, room(weak), Glass("oli", 10, "down")), room(strong).routes, USERS)


@pytest.mark.parametrize(
    ("by", "match"),
    [("oli", "does not review"), ("gone", "no user"), ("dan", "not one of those"), ("oli2", "does not review")],
)
def test_who_may_not_review(by: str, match: str) -> None:
    here = room(replace(SEC, break_glass=frozenset({"oncall"})))
    here = Electorate(here.routes, {**USERS, "oli2": User("oli2", frozenset({"sec"}), "oli")})
    broken = break_glass(ASKED, here, Glass("oli", 10, "down"))
    with pytest.raises(VoteRefused, match=match):
        review(broken, here, by)
    gone = Electorate(here.routes, {name: user for name, user in USERS.items() if name != "oli"})
    assert review(broken, gone, "ann").glass != broken.glass


def test_what_nobody_broke_needs_no_review() -> None:
    with pytest.raises(VoteRefused, match="nobody broke"):
        review(ASKED, room(SEC), "ann")


def test_every_preset_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Refusal)
    assert all(said == said.strip() and said[0].islower() for said in SENTENCES.values())
    assert sentence("not-now") == SENTENCES[Refusal.NOT_NOW]
    assert (sentence(None), sentence("<b>")) == (None, None)


GROUPS = ("g0", "g1", "g2", "g3")
PEOPLE = tuple(f"u{place}" for place in range(5))


@settings(max_examples=150)
@given(
    st.fixed_dictionaries({who: st.frozensets(st.sampled_from(GROUPS)) for who in PEOPLE}),
    st.frozensets(st.sampled_from(GROUPS), min_size=1),
    st.integers(1, 3),
)
def test_distinct_groups_are_enough_exactly_when_some_seating_is(
    groups: dict[str, frozenset[str]], wanted: frozenset[str], count: int
) -> None:
    users = {who: User(who, held) for who, held in groups.items()}
    here = Electorate({"sec": Route("sec", groups=wanted, count=count, distinct_groups=True)}, users)
    one = replace(ASKED, user=None)
    said: list[str] = []
    for at, who in enumerate(PEOPLE, 1):
        if not counts_for(one, here.routes, users, users[who], at):
            continue
        one = approve(one, here, Vote(who, at, ()))
        said.append(who)
        enough = any(
            all(group in groups[by] for by, group in zip(some, order, strict=False))
            for some in permutations(said, count)
            for order in permutations(sorted(wanted), count)
        )
        assert (one.state is ApprovalState.APPROVED) == enough
        if enough:
            break


def test_who_is_next_reads_nothing_of_what_was_over_before_his_turn() -> None:
    first = replace(SEC, next="fin", next_after_s=100.0)
    here = room(first, Route("fin", groups=frozenset({"fin"})))
    routes, late = here.routes, 10**9
    assert not may_read(ASKED, routes, USERS, USERS["cat"], 99_999)
    assert may_read(ASKED, routes, USERS, USERS["cat"], 100_000)
    for state in (ApprovalState.DENIED, ApprovalState.CANCELLED, ApprovalState.SUCCEEDED):
        over = replace(ASKED, state=state, votes=(Vote("ann", 50_000, ("sec",)),))
        assert not may_read(over, routes, USERS, USERS["cat"], late), state
        assert may_read(over, routes, USERS, USERS["ben"], late)
    assert may_read(replace(ASKED, state=ApprovalState.DENIED, refused_by="cat"), routes, USERS, USERS["cat"], late), (
        "he spoke"
    )
    assert may_read(replace(ASKED, state=ApprovalState.EXPIRED), routes, USERS, USERS["cat"], late), (
        "it was his turn by then"
    )
    assert last_asked_ms(replace(ASKED, state=ApprovalState.EXPIRED), 7) == 7
    broken = replace(ASKED, state=ApprovalState.SUCCEEDED, glass=Glass("oli", 200_000, "fire"))
    assert may_read(broken, routes, USERS, USERS["cat"], late)
