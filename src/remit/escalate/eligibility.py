"""Who may decide an approval, and for which of its routes: by membership, after others, or in somebody's place.

Laws: rules are those of the running bundle, read at the time of the vote. The requester's yes counts only where the
route says so, under whatever name he comes: users that say the same `person` are one. Whoever was asked `next`
decides once the time of those before him is over. A deputy has what the one who named him has by himself, until the
end that was given; what a deputy has cannot be handed on, and a human has one deputy, the one whom he named last, under
whatever name. What is confirmed beyond a token is handed on by no less.
"""

from collections.abc import Iterator, Mapping

from remit.escalate.machine import OPEN, Approval, ApprovalState, Delegation
from remit.facts.agent import User
from remit.facts.catalog import Route


def routes_of(approval: Approval) -> tuple[str, ...]:
    """The routes that must all agree, in order, each once."""
    return tuple(sorted({gate.route for gate in approval.gates}))


def member(route: Route, person: User) -> bool:
    """Whether `person` is one of those whom `route` itself asks."""
    return person.name in route.users or not route.groups.isdisjoint(person.groups)


def routes_asked(name: str, routes: Mapping[str, Route], waited_ms: float) -> Iterator[Route]:
    """The route `name` and those that are asked after it once an approval has waited for `waited_ms`."""
    passed: set[str] = set()
    route, due_ms = routes.get(name), 0.0
    while route is not None and route.name not in passed:
        passed.add(route.name)
        yield route
        due_ms += route.next_after_s * 1000
        if route.next is None or waited_ms < due_ms:
            return
        route = routes.get(route.next)


def is_requester(approval: Approval, users: Mapping[str, User], person: User) -> bool:
    """Whether the action is done for `person`, under this name of his or another."""
    if approval.user is None:
        return False
    requester = users.get(approval.user)
    return person.name == approval.user or (requester is not None and requester.who == person.who)


def own_routes(
    approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User], person: User, at: int
) -> tuple[str, ...]:
    """The routes of `approval` on which `person` sits by himself at `at`, and may say yes."""
    requester = is_requester(approval, users, person)
    return tuple(
        name
        for name in routes_of(approval)
        if any(member(route, person) for route in routes_asked(name, routes, at - approval.opened_ms))
        and (not requester or routes[name].requester_may_approve)
    )


def delegations_to(approval: Approval, users: Mapping[str, User], to: str, at: int) -> list[Delegation]:
    """Those in whose place `to` decides at `at`.

    A human has one place, under all his names: who has named another since has taken it back from the one before,
    also where the time of that was over.
    """
    last = {users[one.by].who: one for one in approval.delegations if one.by in users}
    return [one for one in last.values() if one.to == to and one.at <= at < one.until_ms]


def hands_on(delegation: Delegation, route: Route) -> bool:
    """Whether `delegation` hands on a place on `route`: one that asks for more than a token has no use for less."""
    return delegation.strong or not route.strong


def counts_for(
    approval: Approval,
    routes: Mapping[str, Route],
    users: Mapping[str, User],
    person: User,
    at: int,
    *,
    without: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """The routes of `approval` that a yes of `person` at `at` may count for; empty when none.

    In the place of those named in `without` he says nothing.
    """
    names = set(own_routes(approval, routes, users, person, at))
    for delegation in delegations_to(approval, users, person.name, at):
        if delegation.by not in without:
            his = own_routes(approval, routes, users, users[delegation.by], at)
            names.update(name for name in his if hands_on(delegation, routes[name]))
    if is_requester(approval, users, person):
        names = {name for name in names if routes[name].requester_may_approve}
    return tuple(sorted(names))


def sits(approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User], person: User, at: int) -> bool:
    """Whether `person` is asked about `approval` at `at`: he may see its arguments and refuse it."""
    waited_ms = at - approval.opened_ms
    names = routes_of(approval)
    if any(member(route, person) for name in names for route in routes_asked(name, routes, waited_ms)):
        return True
    return bool(counts_for(approval, routes, users, person, at)) or bool(breaks(approval, routes, person))


def last_asked_ms(approval: Approval, now_ms: int) -> int:
    """Until when people were asked about `approval`: now while it is open, else when the last of them spoke."""
    if approval.state in OPEN:
        return now_ms
    if approval.state is ApprovalState.EXPIRED:
        return min(now_ms, approval.expires_ms)
    spoke = [vote.at for vote in approval.votes]
    return max([approval.opened_ms, *spoke, *([] if approval.glass is None else [approval.glass.at])])


def may_read(
    approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User], person: User, now_ms: int
) -> bool:
    """Whether `person` may read what `approval` is about: he is asked, was before it was over, or spoke himself."""
    spoke = {approval.refused_by, *(vote.by for vote in approval.votes)}
    return person.name in spoke or sits(approval, routes, users, person, last_asked_ms(approval, now_ms))


def breaks(approval: Approval, routes: Mapping[str, Route], person: User) -> bool:
    """Whether `person` may lift every gate of `approval` alone in an emergency."""
    return all(
        name in routes and not routes[name].break_glass.isdisjoint(person.groups) for name in routes_of(approval)
    )


def may_break(approval: Approval, routes: Mapping[str, Route], users: Mapping[str, User], person: User) -> bool:
    """Whether `person` `breaks` the glass of `approval`, which the requester does only where he may say yes."""
    if not breaks(approval, routes, person):
        return False
    return not is_requester(approval, users, person) or all(
        routes[name].requester_may_approve for name in routes_of(approval)
    )


def may_edit(approval: Approval, routes: Mapping[str, Route]) -> bool:
    """Whether every route of `approval` lets its people approve other arguments."""
    return all(name in routes and routes[name].edits for name in routes_of(approval))


def wants_strong(approval: Approval, routes: Mapping[str, Route]) -> tuple[str, ...]:
    """The routes of `approval` whose people have to confirm a yes beyond a token."""
    return tuple(name for name in routes_of(approval) if name in routes and routes[name].strong)
