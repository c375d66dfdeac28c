"""Whose yes counts: small cases by name, and random boards against a plain search."""

import contextlib
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from remit.escalate import eligibility, voting
from remit.escalate.eligibility import routes_of
from remit.escalate.machine import (
    MOVES,
    UNDER_WAY,
    Approval,
    ApprovalMove,
    ApprovalState,
    Delegation,
    Edit,
    Glass,
    Vote,
    step,
)
from remit.escalate.quorum import complete, seats
from remit.escalate.voting import Electorate, VoteRefused
from remit.facts.agent import User
from remit.facts.catalog import Route
from remit.policy.verdict import Gate

USERS = {
    "ann": User("ann", frozenset({"sec"})),
    "ben": User("ben", frozenset({"sec", "fin"})),
    "cat": User("cat", frozenset({"fin"})),
    "dan": User("dan"),
    "req": User("req", frozenset({"sec", "fin"})),
}


def asked(*routes: str, user: str | None = "req", state: ApprovalState = ApprovalState.PENDING) -> Approval:
    gates = tuple(Gate(f"p{place}", route, "t") for place, route in enumerate(routes))
    return Approval("r1-1.1", "sha256:0", "s", "bot", user, "web", "fetch", gates, 0, 1000, state=state)


def board(*routes: Route) -> dict[str, Route]:
    return {route.name: route for route in routes}


def sec(**more: object) -> Route:
    return replace(Route("sec", groups=frozenset({"sec"})), **more)


def fin(**more: object) -> Route:
    return replace(Route("fin", groups=frozenset({"fin"})), **more)


def approve(approval: Approval, routes: dict[str, Route], users: dict[str, User], vote: Vote) -> Approval:
    return voting.approve(approval, Electorate(routes, users), vote)


def refuse(approval: Approval, routes: dict[str, Route], users: dict[str, User], by: str, at: int) -> Approval:
    return voting.refuse(approval, Electorate(routes, users), by, at)


def counts_for(approval: Approval, routes: dict[str, Route], person: User, at: int = 1) -> tuple[str, ...]:
    return eligibility.counts_for(approval, routes, USERS, person, at)


def decides(approval: Approval, routes: dict[str, Route], person: User, at: int = 1) -> bool:
    return eligibility.sits(approval, routes, USERS, person, at)


def yes(approval: Approval, routes: dict[str, Route], who: str, at: int = 1) -> Approval:
    return approve(approval, routes, USERS, Vote(who, at, ()))


def test_one_member_lifts_one_gate():
    done = yes(asked("sec"), board(sec()), "ann")
    assert done.state is ApprovalState.APPROVED
    assert done.votes == (Vote("ann", 1, ("sec",)),)


def test_a_user_named_by_the_route_decides_without_its_groups():
    assert yes(asked("sec"), board(sec(users=frozenset({"dan"}))), "dan").state is ApprovalState.APPROVED


def test_a_stranger_neither_approves_nor_refuses():
    for act in (
        lambda: yes(asked("sec"), board(sec()), "dan"),
        lambda: refuse(asked("sec"), board(sec()), USERS, "dan", 1),
    ):
        with pytest.raises(VoteRefused, match="not one of those who decide") as refused:
            act()
        assert not refused.value.ended
        assert "sec" in refused.value.next


def test_the_requester_may_not_approve_but_may_refuse():
    with pytest.raises(VoteRefused, match="requester may not approve"):
        yes(asked("sec"), board(sec()), "req")
    assert refuse(asked("sec"), board(sec()), USERS, "req", 1).state is ApprovalState.DENIED


def test_the_requester_approves_where_the_route_says_so():
    assert yes(asked("sec"), board(sec(requester_may_approve=True)), "req").state is ApprovalState.APPROVED
    both = board(sec(requester_may_approve=True), fin())
    assert counts_for(asked("sec", "fin"), both, USERS["req"]) == ("sec",)


def test_without_a_user_nobody_is_the_requester():
    assert yes(asked("sec", user=None), board(sec()), "req").state is ApprovalState.APPROVED


@pytest.mark.parametrize("who", ["admin", "nobody", "", "remit_admin_00"])
def test_only_users_vote(who: str):
    with pytest.raises(VoteRefused, match="no user of the running bundle"):
        yes(asked("sec"), board(sec(users=frozenset({who}))), who)


def test_k_of_n_and_the_same_person_twice_counts_once():
    routes = board(sec(count=2))
    once = yes(asked("sec"), routes, "ann")
    assert once.state is ApprovalState.PENDING
    assert yes(once, routes, "ann", 2) is once
    done = yes(once, routes, "ben")
    assert done.state is ApprovalState.APPROVED
    assert yes(done, routes, "ann", 3) is done


def test_one_person_does_not_count_for_two_routes_unless_both_are_shared():
    for left, right, enough in ((False, False, False), (True, False, False), (True, True, True)):
        routes = board(sec(shared=left), fin(shared=right))
        after = yes(asked("sec", "fin"), routes, "ben")
        assert (after.state is ApprovalState.APPROVED) is enough


def test_a_person_is_seated_where_he_helps_most():
    routes = board(sec(), fin())
    first = yes(asked("sec", "fin"), routes, "ben")
    assert yes(first, routes, "ann").state is ApprovalState.APPROVED
    assert yes(first, routes, "cat").state is ApprovalState.APPROVED


def named_twice() -> Electorate:
    users = {
        "ana": User("ana", frozenset({"sec"}), person="Ana"),
        "ana2": User("ana2", frozenset({"sec"}), person="Ana"),
        "bob": User("bob"),
        "cal": User("cal"),
        "dee": User("dee", frozenset({"oncall"})),
    }
    return Electorate(board(sec(count=2, edits=True, break_glass=frozenset({"oncall"}))), users)


def test_one_person_fills_one_seat_whoever_he_sends_under_whichever_name() -> None:
    room = named_twice()
    said = voting.approve(asked("sec"), room, Vote("ana2", 1, ()))
    with pytest.raises(VoteRefused, match="has said yes already"):
        voting.delegate(said, room, Delegation("ana", "bob", 2, 900))
    handed = voting.delegate(asked("sec"), room, Delegation("ana", "bob", 1, 900))
    with pytest.raises(VoteRefused, match="under another name"):
        voting.delegate(handed, room, Delegation("ana2", "cal", 2, 900))
    both = voting.approve(voting.approve(handed, room, Vote("bob", 2, ())), room, Vote("ana2", 3, ()))
    assert both.state is ApprovalState.PENDING
    assert not complete(both, room.routes, room.users)


def test_one_name_of_a_human_that_counts_no_more_takes_nothing_from_another_that_does() -> None:
    users = {name: User(name, frozenset({group}), "x") for name, group in (("x1", "sec"), ("x2", "fin"))}
    shared = board(sec(shared=True), fin(shared=True))
    both = approve(approve(asked("sec", "fin"), shared, users, Vote("x1", 1, ())), shared, users, Vote("x2", 2, ()))
    assert both.state is ApprovalState.APPROVED
    apart = board(sec(), fin())
    half = approve(approve(asked("sec", "fin"), apart, users, Vote("x1", 1, ())), apart, users, Vote("x2", 2, ()))
    assert (half.state, sum(len(seat.by) for seat in seats(half, apart, users))) == (ApprovalState.PENDING, 1)
    users = {name: User(name, frozenset({"sec"}), "x") for name in ("x1", "x2")}
    weak = approve(asked("sec"), board(sec(count=2)), users, Vote("x1", 1, ()))
    strong = board(sec(strong=True))
    confirmed = approve(weak, strong, users, Vote("x2", 2, (), strong=True))
    assert confirmed.state is ApprovalState.APPROVED
    assert [seat.by for seat in seats(confirmed, strong, users)] == [("x2",)]


def test_glass_is_broken_over_what_was_seen_alone_and_by_who_still_may() -> None:
    room = named_twice()
    edited = voting.approve(
        replace(asked("sec"), nonce="n0"), room, Vote("ana", 1, ()), edit=Edit("ana", 1, "sha256:1", "r1-1.2", "n1")
    )
    for shown in (None, "n0"):
        with pytest.raises(VoteRefused):
            voting.break_glass(edited, room, Glass("dee", 2, "prod is down"), shown=shown)
    broken = voting.break_glass(edited, room, Glass("dee", 2, "prod is down"), shown="n1")
    assert complete(broken, room.routes, room.users)
    assert not complete(broken, board(sec(count=2)), room.users), "nobody may break it any more"
    assert not complete(broken, room.routes, {name: one for name, one in room.users.items() if name != "dee"})


def test_whom_it_is_for_by_now_lifts_nothing_by_the_glass_that_he_broke() -> None:
    room = named_twice()
    broken = voting.break_glass(asked("sec"), room, Glass("dee", 2, "prod is down"))
    assert complete(broken, room.routes, room.users)
    now_his = {**room.users, "req": User("req"), "dee": User("dee", frozenset({"oncall"}), person="req")}
    assert not complete(broken, room.routes, now_his), "he is the requester by another name"
    assert complete(broken, board(sec(break_glass=frozenset({"oncall"}), requester_may_approve=True)), now_his)


def test_who_hands_it_on_reads_why_another_is_no_deputy() -> None:
    room = Electorate(board(sec(strong=True)), USERS)
    for handed, why in (
        (Delegation("ann", "req", 1, 900, strong=True), "req cannot decide in your place: the action is done for"),
        (Delegation("ann", "cat", 1, 900), "is confirmed beyond a token"),
    ):
        with pytest.raises(VoteRefused, match=why):
            voting.delegate(asked("sec"), room, handed)


def test_a_second_deputy_takes_the_place_of_the_first_whose_time_is_over() -> None:
    room = named_twice()
    first = voting.delegate(asked("sec"), room, Delegation("ana", "bob", 1, 5))
    first = voting.approve(first, room, Vote("bob", 2, ()))
    second = voting.delegate(first, room, Delegation("ana2", "cal", 6, 900))
    both = voting.approve(second, room, Vote("cal", 7, ()))
    assert (both.state, seats(both, room.routes, room.users)[0].by) == (ApprovalState.PENDING, ("cal",))


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ana", "ana2", "ana3"]),
            st.sampled_from(["bob", "cal", "bob2"]),
            st.sampled_from([2, 2, 1, 3]),
            st.sampled_from(["deputy", "deputy", "himself", "nobody"]),
        ),
        min_size=2,
        max_size=8,
    ),
    st.booleans(),
)
def test_one_human_fills_one_place_whatever_he_hands_on_and_whenever(
    steps: list[tuple[str, str, int, str]], distinct: bool
) -> None:
    groups = {"ana": "sec", "ana2": "sec", "ana3": "fin"}
    users = {name: User(name, frozenset({group}), person="Ana") for name, group in groups.items()}
    users |= {"bob": User("bob"), "bob2": User("bob2", person="bob"), "cal": User("cal")}
    route = Route("sec", groups=frozenset({"sec", "fin"}), count=2, distinct_groups=distinct)
    room, found = Electorate(board(route), users), asked("sec")
    for at, (by, to, lasts, who) in enumerate(steps, 1):
        with contextlib.suppress(VoteRefused):
            found = voting.delegate(found, room, Delegation(by, to, 2 * at, 2 * at + lasts))
        with contextlib.suppress(VoteRefused):
            if who != "nobody":
                found = voting.approve(found, room, Vote(to if who == "deputy" else by, 2 * at + 1, ()))
        assert found.state is ApprovalState.PENDING
        assert len(seats(found, room.routes, room.users)[0].by) <= 1


def test_what_is_confirmed_is_handed_on_by_no_less() -> None:
    users = {**named_twice().users, "eli": User("eli", frozenset({"fin"}))}
    plain, strong = (Electorate(board(sec(strong=on)), users) for on in (False, True))
    by_token, signed = Delegation("ana", "bob", 1, 900), Delegation("ana", "bob", 1, 900, strong=True)
    with pytest.raises(VoteRefused, match="confirmed beyond a token"):
        voting.delegate(asked("sec"), strong, by_token)
    handed = voting.delegate(asked("sec"), strong, signed)
    assert voting.approve(handed, strong, Vote("bob", 2, (), strong=True)).state is ApprovalState.APPROVED
    before = voting.delegate(asked("sec"), plain, by_token)
    with pytest.raises(VoteRefused, match="not one of those"):
        voting.approve(before, strong, Vote("bob", 2, (), strong=True))
    weak = voting.delegate(
        asked("sec", "fin"), Electorate(board(sec(strong=True), fin()), users), Delegation("eli", "bob", 1, 9)
    )
    assert weak.delegations, "his own route does not ask for it"


def test_a_deputy_by_token_sits_for_no_group_of_a_strong_route() -> None:
    users = {name: User(name, frozenset({group})) for name, group in (("ana", "x"), ("bob", "y"), ("cal", "x"))}
    route = Route("r", groups=frozenset({"x", "y"}), count=2, distinct_groups=True)
    strong = replace(route, strong=True)
    found = voting.delegate(asked("r"), Electorate(board(route), users), Delegation("bob", "cal", 1, 900))
    for room, enough in ((Electorate(board(route), users), True), (Electorate(board(strong), users), False)):
        both = found
        for at, who in enumerate(("ana", "cal"), 2):
            both = voting.approve(both, room, Vote(who, at, (), strong=True))
        assert (both.state is ApprovalState.APPROVED) is enough


def test_a_deputy_sits_for_no_group_of_one_who_said_yes_himself() -> None:
    users = {
        "cara": User("cara", frozenset({"x", "y"})),
        "bob": User("bob", frozenset({"z"})),
        "dan": User("dan", frozenset({"z"})),
    }
    route = Route("r", groups=frozenset({"x", "y", "z"}), count=3, distinct_groups=True)
    room = Electorate(board(route), users)
    found = voting.delegate(asked("r"), room, Delegation("cara", "bob", 1, 900))
    for at, who in enumerate(users, 2):
        found = voting.approve(found, room, Vote(who, at, ()))
    assert found.state is ApprovalState.PENDING


def test_two_gates_on_one_route_are_one_decision():
    approval = asked("sec", "sec")
    assert routes_of(approval) == ("sec",)
    assert yes(approval, board(sec()), "ann").state is ApprovalState.APPROVED


def test_a_route_that_is_gone_is_never_satisfied():
    half = yes(asked("sec", "fin"), board(sec()), "ann")
    assert half.state is ApprovalState.PENDING
    gone = seats(half, board(sec()), USERS)[0]
    assert (gone.route, gone.filled) == ("fin", False)
    with pytest.raises(VoteRefused):
        yes(asked("sec"), {}, "ann")


def test_earlier_votes_are_judged_by_the_rules_as_they_are_now():
    routes = board(sec(count=2))
    once = yes(asked("sec"), routes, "ann")
    moved = {**USERS, "ann": User("ann")}
    assert approve(once, routes, moved, Vote("ben", 2, ())).state is ApprovalState.PENDING
    removed = {name: user for name, user in USERS.items() if name != "ann"}
    assert approve(once, routes, removed, Vote("ben", 2, ())).state is ApprovalState.PENDING
    assert yes(once, board(sec(count=1)), "ann", 2).state is ApprovalState.APPROVED


def test_a_membership_gained_after_the_vote_counts_only_when_said_again():
    once = yes(asked("fin", "sec"), board(fin(count=2), sec()), "ann")
    joined = {**USERS, "ann": User("ann", frozenset({"fin"}))}
    assert not any(seat.by for seat in seats(once, board(fin(count=2), sec()), joined) if seat.route == "fin")
    again = approve(once, board(fin(count=2), sec()), joined, Vote("ann", 2, ()))
    assert again.votes == (Vote("ann", 2, ("fin",)),)


@pytest.mark.parametrize(
    "state", [state for state in ApprovalState if state not in {ApprovalState.PENDING, ApprovalState.APPROVED}]
)
def test_what_has_ended_is_not_decided(state: ApprovalState):
    for act in (
        lambda: yes(asked("sec", state=state), board(sec()), "ann"),
        lambda: refuse(asked("sec", state=state), board(sec()), USERS, "ann", 1),
    ):
        with pytest.raises(VoteRefused, match=state.value) as refused:
            act()
        assert refused.value.ended
        # A no that comes too late is no use: what is under way is cut off.
        cuts_off = refused.value.next.endswith("remit approvals stop r1-1.1")
        assert cuts_off is (state in UNDER_WAY)


def test_a_yes_said_again_is_for_what_runs() -> None:
    room = Electorate(board(sec()), USERS)
    edit = Edit("ann", 1, "sha256:1", "r1-1.2", "n1")
    edited = voting.approve(replace(asked("sec"), nonce="n0"), room, Vote("ann", 1, ()), shown="n0", edit=edit)
    assert edited.state is ApprovalState.APPROVED
    assert voting.approve(edited, room, Vote("ann", 2, ()), shown="n1") is edited
    with pytest.raises(VoteRefused, match="not what would run now") as refused:
        voting.approve(edited, room, Vote("ann", 2, ()), shown="n0")
    assert refused.value.stale


def test_an_approval_that_expired_is_not_decided_though_nobody_recorded_it_yet():
    with pytest.raises(VoteRefused, match="expired") as refused:
        yes(asked("sec"), board(sec()), "ann", at=1000)
    assert refused.value.ended


def test_a_given_approval_can_be_refused_until_it_is_used_but_needs_no_more_votes():
    done = yes(asked("sec"), board(sec()), "ann")
    assert refuse(done, board(sec()), USERS, "ben", 2).refused_by == "ben"
    with pytest.raises(VoteRefused, match="needs no more votes"):
        yes(done, board(sec()), "ben")


NAMES = st.sampled_from(["r0", "r1", "r2"])
PEOPLE = tuple(f"u{place}" for place in range(5))


@st.composite
def boards(draw: st.DrawFn) -> tuple[Approval, dict[str, Route]]:
    routes = {
        name: Route(
            name,
            users=frozenset(draw(st.sets(st.sampled_from(PEOPLE)))),
            count=draw(st.integers(1, 3)),
            shared=draw(st.booleans()),
            requester_may_approve=draw(st.booleans()),
        )
        for name in ("r0", "r1", "r2")
    }
    return asked(*draw(st.lists(NAMES, min_size=1, max_size=3)), user=draw(st.sampled_from([*PEOPLE, None]))), routes


def enough(approval: Approval, routes: dict[str, Route], voters: list[str]) -> bool:
    """By trying every seating: each voter on one route he counts for, or on all shared ones."""
    options: list[list[frozenset[str]]] = []
    for who in voters:
        mine = [n for n in routes_of(approval) if who in routes[n].users]
        mine = [n for n in mine if who != approval.user or routes[n].requester_may_approve]
        together = frozenset(n for n in mine if routes[n].shared)
        options.append([together, *(frozenset({n}) for n in mine)])
    return any(
        all(sum(n in chosen for chosen in seating) >= routes[n].count for n in routes_of(approval))
        for seating in product(*options)
    )


@settings(max_examples=300)
@given(boards(), st.permutations(PEOPLE))
def test_it_is_complete_exactly_when_some_seating_is(
    given_board: tuple[Approval, dict[str, Route]], order: list[str]
) -> None:
    approval, routes = given_board
    users = {name: User(name) for name in PEOPLE}
    voters: list[str] = []
    for at, who in enumerate(order, 1):
        if not counts_for(approval, routes, users[who]):
            with pytest.raises(VoteRefused):
                approve(approval, routes, users, Vote(who, at, ()))
            continue
        voters.append(who)
        approval = approve(approval, routes, users, Vote(who, at, ()))
        assert (approval.state is ApprovalState.APPROVED) == enough(approval, routes, voters)
        assert complete(approval, routes, users) == (approval.state is ApprovalState.APPROVED)
        if approval.state is ApprovalState.APPROVED:
            break
    for seat in seats(approval, routes, users):
        assert set(seat.by) <= routes[seat.route].users
        assert approval.user not in seat.by or routes[seat.route].requester_may_approve


class Meeting(RuleBasedStateMachine):
    """People vote in any order while the service expires, claims and ends; the table holds."""

    @initialize(found=boards())
    def ask(self, found: tuple[Approval, dict[str, Route]]) -> None:
        self.approval, self.routes = found
        self.users = {name: User(name) for name in PEOPLE}
        self.said: set[str] = set()
        self.clock = 0
        self.allowed = True

    def changed(self, before: Approval, moves: set[ApprovalMove]) -> None:
        if self.approval is not before:
            assert any(MOVES.get((before.state, move)) == self.approval.state for move in moves)

    @rule(who=st.sampled_from(PEOPLE))
    def approve(self, who: str) -> None:
        before, self.clock = self.approval, self.clock + 1
        try:
            self.approval = approve(before, self.routes, self.users, Vote(who, self.clock, ()))
        except VoteRefused as why:
            self.allowed = why.ended or not counts_for(before, self.routes, self.users[who])
        else:
            self.said.add(who)
        self.changed(before, {ApprovalMove.VOTE, ApprovalMove.COMPLETE})

    @rule(who=st.sampled_from(PEOPLE))
    def refuse(self, who: str) -> None:
        before, self.clock = self.approval, self.clock + 1
        try:
            self.approval = refuse(before, self.routes, self.users, who, self.clock)
        except VoteRefused as why:
            self.allowed = why.ended or not decides(before, self.routes, self.users[who])
        else:
            assert self.approval.refused_by == who
        self.changed(before, {ApprovalMove.REFUSE})

    @precondition(lambda self: self.approval.state is ApprovalState.APPROVED)
    @rule(move=st.sampled_from([ApprovalMove.CLAIM, ApprovalMove.EXPIRE]))
    def use(self, move: ApprovalMove) -> None:
        self.approval = step(self.approval, move)

    @precondition(lambda self: self.approval.state is ApprovalState.CLAIMED)
    @rule(move=st.sampled_from([ApprovalMove.START, ApprovalMove.SUCCEED, ApprovalMove.FAIL, ApprovalMove.LOSE]))
    def start(self, move: ApprovalMove) -> None:
        self.approval = step(self.approval, move)

    @precondition(lambda self: self.approval.state is ApprovalState.EXECUTING)
    @rule(move=st.sampled_from([ApprovalMove.SUCCEED, ApprovalMove.FAIL, ApprovalMove.LOSE]))
    def end(self, move: ApprovalMove) -> None:
        self.approval = step(self.approval, move)

    @invariant()
    def only_whom_the_rules_name_is_refused(self) -> None:
        assert self.allowed

    @invariant()
    def nobody_votes_twice_and_only_voters_count(self) -> None:
        names = [vote.by for vote in self.approval.votes]
        assert len(set(names)) == len(names)
        assert set(names) <= self.said
        if self.approval.state in {
            ApprovalState.APPROVED,
            ApprovalState.CLAIMED,
            ApprovalState.EXECUTING,
            ApprovalState.SUCCEEDED,
        }:
            assert enough(self.approval, self.routes, names)


Meeting.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestMeeting = Meeting.TestCase
