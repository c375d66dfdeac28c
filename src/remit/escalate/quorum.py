"""When there are enough of those whose yes counts.

Laws: a person counts once per route, under whatever name, and for several routes only where each of them is `shared`;
where a route wants distinct groups, each of its people sits for another one. Somebody's own yes takes away the place
of whoever he named to decide instead. Seating fills as many places as any seating could.
INVARIANT(approval-binds-exact-action): an edit has made the votes before it void (`escalate.machine`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Final, TypeAlias

from remit.escalate.eligibility import (
    counts_for,
    delegations_to,
    hands_on,
    may_break,
    routes_asked,
    routes_of,
    wants_strong,
)
from remit.escalate.machine import Approval, Vote
from remit.facts.agent import User
from remit.facts.catalog import Route

SEATINGS_MAX: Final = 4096
CHOICES_MAX: Final = 64

_Place: TypeAlias = tuple[str, str]
"""A route, and the group for which one sits there; none where groups make no difference."""


@dataclass(frozen=True, slots=True)
class RouteQuorum:
    """How one route of an approval stands: `by` of the `count` people it needs have said yes."""

    route: str
    count: int
    by: tuple[str, ...]

    @property
    def filled(self) -> bool:
        """Whether the route has all the people it needs."""
        return len(self.by) >= self.count


def seats(approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User]) -> tuple[RouteQuorum, ...]:
    """How each route of `approval` stands, its votes judged by the rules as they are now.

    A person who may count for several routes of which some are not `shared` is seated where it
    helps most. A route that no longer exists needs one person more than there are.
    """
    voters = _voters(approval, routes, users)
    names = routes_of(approval)
    need = {name: routes[name].count if name in routes else len(voters) + 1 for name in names}
    best = _seating([(who, _choices(places, routes)) for who, places in voters], need)
    return tuple(RouteQuorum(name, need[name], tuple(sorted(best.get(name, ())))) for name in names)


def remaining_voters(
    approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User], at: int
) -> Mapping[str, Sequence[str]]:
    """The users whose yes at `at` may count, by route, in order of names: those who have not said it there."""
    spoken = {
        (users[vote.by].who, name)
        for vote in approval.votes
        if vote.by in users
        for name in vote.routes
        if name in routes and (vote.strong or not routes[name].strong)
    }
    remaining: dict[str, list[str]] = {name: [] for name in routes_of(approval)}
    for name in sorted(users):
        for route in counts_for(approval, routes, users, users[name], at):
            if (users[name].who, route) not in spoken:
                remaining[route].append(name)
    return remaining


def shortfall(approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User]) -> Mapping[str, int]:
    """How many people each route of `approval` lacks even where all say yes who may until it expires."""
    at = approval.expires_ms - 1
    more = sorted({name for names in remaining_voters(approval, routes, users, at).values() for name in names})
    votes = [Vote(name, at, counts_for(approval, routes, users, users[name], at), strong=True) for name in more]
    full = seats(replace(approval, votes=(*votes, *approval.votes)), routes, users)
    return {seat.route: max(0, seat.count - len(seat.by)) for seat in full}


def complete(approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User]) -> bool:
    """Whether every gate of `approval` is lifted by the votes it has, or by breaking the glass."""
    if approval.glass is not None:
        person = users.get(approval.glass.by)
        confirmed = approval.glass.strong or not wants_strong(approval, routes)
        return person is not None and confirmed and may_break(approval, routes, users, person)
    return all(seat.filled for seat in seats(approval, routes, users))


def _voters(
    approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User]
) -> list[tuple[str, dict[str, list[_Place]]]]:
    """Who said yes, each person once, and the places that each may take by route.

    Under which name he said it makes no difference: one that counts no more takes nothing from another that does.
    """
    voted = {users[vote.by].who for vote in approval.votes if vote.by in users}
    without = frozenset(one.by for one in approval.delegations if one.by in users and users[one.by].who in voted)
    voters: dict[str, tuple[str, dict[str, list[_Place]]]] = {}
    for vote in approval.votes:
        person = users.get(vote.by)
        if person is None:
            continue
        routes_counted = counts_for(approval, routes, users, person, vote.at, without=without)
        # A route that asks for more than a token by now has no use for what was said by one.
        mine = [name for name in routes_counted if name in vote.routes and (vote.strong or not routes[name].strong)]
        by, places = voters.get(person.who, (vote.by, {}))
        by = by if places or not mine else vote.by
        for name in mine:
            more = _places(approval, routes, users, vote.by, name, vote.at)
            places[name] = sorted({*places.get(name, ()), *more})
        voters[person.who] = by, places
    return list(voters.values())


def _places(
    approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User], by: str, name: str, at: int
) -> list[_Place]:
    if not routes[name].distinct_groups:
        return [(name, "")]
    # A deputy sits for the groups of the one whose place he takes.
    voted = {users[vote.by].who for vote in approval.votes if vote.by in users}
    principals = [
        one.by
        for one in delegations_to(approval, users, by, at)
        if users[one.by].who not in voted and hands_on(one, routes[name])
    ]
    wanted_groups = {group for route in routes_asked(name, routes, at - approval.opened_ms) for group in route.groups}
    own_groups = {group for who in (by, *principals) if who in users for group in users[who].groups}
    return [(name, group) for group in sorted(wanted_groups & own_groups)]


def _choices(places: Mapping[str, Sequence[_Place]], routes: Mapping[str, Route]) -> list[frozenset[_Place]]:
    """What a person may take: a place on each of his shared routes, or one on another."""
    shared = [taken for name, taken in places.items() if routes[name].shared and taken]
    together = [frozenset(taken) for taken in islice(product(*shared), CHOICES_MAX)]
    single = [frozenset({place}) for name, taken in places.items() if not routes[name].shared for place in taken]
    return [*together, *single] if shared or not single else single


def _seating(voters: Iterable[tuple[str, Sequence[frozenset[_Place]]]], need: Mapping[str, int]) -> dict[str, set[str]]:
    """Seat each voter so that the most places are filled; by route, who sits there.

    Walks the voters once, keeping one seating per set of filled places. Only the fullest
    `SEATINGS_MAX` are kept: beyond that a complete seating could be missed, never invented.
    """
    states: dict[tuple[tuple[_Place, int], ...], tuple[tuple[str, _Place], ...]] = {(): ()}
    for voter, choices in voters:
        grown: dict[tuple[tuple[_Place, int], ...], tuple[tuple[str, _Place], ...]] = {}
        for filled, seated in states.items():
            for choice in choices:
                after, sits = dict(filled), seated
                for place in sorted(choice):
                    route, group = place
                    had = after.get(place, 0)
                    # One person for each group; where groups make no difference more than are needed may sit.
                    if group and had:
                        continue
                    sits = (*sits, (voter, place))
                    after[place] = had + 1 if group else min(need[route], had + 1)
                grown.setdefault(tuple(sorted(after.items())), sits)
        fullest = sorted(grown, key=lambda filled: _full(filled, need), reverse=True)[:SEATINGS_MAX]
        states = {filled: grown[filled] for filled in fullest}
    best = states[max(states, key=lambda filled: _full(filled, need))]
    seating: dict[str, set[str]] = {name: set() for name in need}
    for voter, (route, _) in best:
        seating[route].add(voter)
    return seating


def _full(filled: Sequence[tuple[_Place, int]], need: Mapping[str, int]) -> int:
    """How many of the people that are needed a seating has."""
    had: dict[str, int] = {}
    for (route, _), count in filled:
        had[route] = had.get(route, 0) + count
    return sum(min(need[route], count) for route, count in had.items())
