"""Whose yes counts, and when there are enough of them.

Laws: a route's own rules decide each gate; a person counts once per route, and for several
routes only where each of them is `shared`; the requester's yes counts only where the route says
so; one refusal by a person who decides any of the gates ends the approval. Only users vote:
the admin token is no person. Rules are those of the running bundle, also for earlier votes.
INVARIANT(approval-binds-exact-action)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from remit.escalate.machine import OPEN, Approval, State, Vote, refused, voted
from remit.facts.agent import User
from remit.facts.catalog import Route

SEATINGS_MAX: Final = 4096


class VoteRefused(Exception):
    """This person cannot decide this approval now; `why` it is and what to do `next`.

    `ended` is set when the approval is no longer open, whoever asks.
    """

    def __init__(self, why: str, next: str, *, ended: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.next = next
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Seat:
    """How one route of an approval stands: `by` of the `count` people it needs have said yes."""

    route: str
    count: int
    by: tuple[str, ...]

    @property
    def filled(self) -> bool:
        """Whether the route has all the people it needs."""
        return len(self.by) >= self.count


def routes_of(approval: Approval) -> tuple[str, ...]:
    """The routes that must all agree, in order, each once."""
    return tuple(sorted({gate.route for gate in approval.gates}))


def member(route: Route, person: User) -> bool:
    """Whether `person` is one of those who decide for `route`."""
    return person.name in route.users or not route.groups.isdisjoint(person.groups)


def counts_for(approval: Approval, routes: Mapping[str, Route], person: User) -> tuple[str, ...]:
    """The routes of `approval` that a yes of `person` may count for; empty when none."""
    return tuple(
        name
        for name in routes_of(approval)
        if (route := routes.get(name)) is not None
        and member(route, person)
        and (person.name != approval.user or route.requester_may_approve)
    )


def decides(approval: Approval, routes: Mapping[str, Route], person: User) -> bool:
    """Whether `person` sits on any route of `approval`: he may see its arguments and refuse it."""
    return any(name in routes and member(routes[name], person) for name in routes_of(approval))


def seats(approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User]) -> tuple[Seat, ...]:
    """How each route of `approval` stands, its votes judged by the rules as they are now.

    A person who may count for several routes of which some are not `shared` is seated where it
    helps most: the seating fills as many places as any seating could. A route that no longer
    exists needs one person more than there are.
    """
    eligible = {
        vote.by: frozenset(counts_for(approval, routes, users[vote.by])).intersection(vote.routes)
        for vote in approval.votes
        if vote.by in users
    }
    names = routes_of(approval)
    shared = {name for name in names if name in routes and routes[name].shared}
    need = {name: routes[name].count if name in routes else len(eligible) + 1 for name in names}
    best = _seating(tuple(eligible.items()), shared, need)
    return tuple(Seat(name, need[name], tuple(sorted(best.get(name, ())))) for name in names)


def complete(approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User]) -> bool:
    """Whether every gate of `approval` is lifted by the votes it has."""
    return all(seat.filled for seat in seats(approval, routes, users))


def approve(approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User], vote: Vote) -> Approval:
    """`approval` after the yes of `vote.by` at `vote.at` (its `routes` are computed here).

    Saying it again changes nothing: the very same object comes back. Raises `VoteRefused`.
    """
    if approval.state is State.APPROVED and any(v.by == vote.by for v in approval.votes):
        return approval
    person = _voter(approval, users, vote.by, vote.at)
    if approval.state is not State.PENDING:
        raise VoteRefused(
            f"this approval is {approval.state.value}: it needs no more votes",
            f"see it with: remit approvals show {approval.ident}",
            ended=True,
        )
    counted = counts_for(approval, routes, person)
    if not counted:
        raise _ineligible(approval, routes, person)
    cast = Vote(person.name, vote.at, counted, vote.note)
    after = voted(approval, cast, completes=False)
    if complete(after, routes, users):
        return voted(approval, cast, completes=True)
    same = any(old.by == person.name and old.routes == counted for old in approval.votes)
    return approval if same else after


def refuse(approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User], by: str, at: int) -> Approval:
    """`approval`, ended by the no of `by` at `at`. Raises `VoteRefused`."""
    person = _voter(approval, users, by, at)
    if not decides(approval, routes, person):
        raise _ineligible(approval, routes, person)
    return refused(approval, person.name)


def _voter(approval: Approval, users: Mapping[str, User], by: str, at: int) -> User:
    if approval.state not in OPEN:
        raise VoteRefused(
            f"this approval is {approval.state.value} and can no longer be decided",
            f"see it with: remit approvals show {approval.ident}",
            ended=True,
        )
    if at >= approval.expires_ms:
        raise VoteRefused("this approval has expired", "let the agent ask again", ended=True)
    person = users.get(by)
    if person is None:
        raise VoteRefused(
            f"{by} is no user of the running bundle",
            f"declare User {by} in the workspace, then: remit apply",
        )
    return person


def _ineligible(approval: Approval, routes: Mapping[str, Route], person: User) -> VoteRefused:
    if person.name == approval.user and decides(approval, routes, person):
        return VoteRefused(
            "the action is done for you: the requester may not approve it",
            f"ask someone else of: {', '.join(routes_of(approval))}",
        )
    return VoteRefused(
        f"{person.name} is not one of those who decide here",
        f"ask someone of: {', '.join(routes_of(approval))}",
    )


def _seating(
    voters: Sequence[tuple[str, frozenset[str]]], shared: set[str], need: Mapping[str, int]
) -> dict[str, set[str]]:
    """Seat each voter on all his shared routes, or on one of the others, filling the most places.

    Walks the voters once, keeping one seating per vector of filled places. Only the fullest
    `SEATINGS_MAX` are kept: beyond that a complete seating could be missed, never invented.
    """
    states: dict[tuple[int, ...], tuple[frozenset[str], ...]] = {(0,) * len(need): ()}
    for _, eligible in voters:
        together = frozenset(eligible & shared)
        choices = [frozenset({name}) for name in sorted(eligible - shared)]
        if together or not choices:
            choices.insert(0, together)
        grown: dict[tuple[int, ...], tuple[frozenset[str], ...]] = {}
        for filled, chosen in states.items():
            for choice in choices:
                places = zip(filled, need.items(), strict=True)
                after = tuple(min(most, had + (name in choice)) for had, (name, most) in places)
                grown.setdefault(after, (*chosen, choice))
        fullest = sorted(grown, key=sum, reverse=True)[:SEATINGS_MAX]
        states = {filled: grown[filled] for filled in fullest}
    best = states[max(states, key=sum)]
    seated: dict[str, set[str]] = {name: set() for name in need}
    for (who, _), choice in zip(voters, best, strict=True):
        for name in choice:
            seated[name].add(who)
    return seated
