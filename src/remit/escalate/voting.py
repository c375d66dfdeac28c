"""What people may do about an approval that waits, each checked before it is recorded.

Laws: a route's own rules decide each gate (`escalate.eligibility`), and there have to be enough (`escalate.quorum`);
one refusal by a person who decides any of the gates ends the approval. Only users decide: the admin token is no person.
A yes is for what the person was shown: once somebody approved other arguments, it has to say which it is for.
INVARIANT(approval-binds-exact-action)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from remit.escalate.eligibility import (
    breaks,
    counts_for,
    is_requester,
    may_break,
    may_edit,
    own_routes,
    routes_of,
    sits,
    wants_strong,
)
from remit.escalate.machine import (
    OPEN,
    UNDER_WAY,
    Approval,
    ApprovalState,
    Delegation,
    Edit,
    Glass,
    Vote,
    broken,
    delegated,
    refused,
    reviewed,
    voted,
)
from remit.escalate.quorum import complete
from remit.facts.agent import User
from remit.facts.catalog import Route


class VoteRefused(Exception):
    """This person cannot decide this approval now; `why` it is and what to do `next`.

    `ended` is set when the approval is no longer open, whoever asks; `stale` when it is not any more, or was never,
    what he saw; `others` when the yes of others would count where his does not.
    """

    def __init__(self, why: str, next: str, *, ended: bool = False, stale: bool = False, others: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.next = next
        self.ended = ended
        self.stale = stale
        self.others = others


class EditRefused(Exception):
    """What a person would have run in place of what was asked may not run; says why."""


@dataclass(frozen=True, slots=True)
class Electorate:
    """Those who decide, by the rules of the running bundle."""

    routes: Mapping[str, Route]
    users: Mapping[str, User]


def approve(
    approval: Approval,
    room: Electorate,
    vote: Vote,
    *,
    shown: str | None = None,
    edit: Edit | None = None,
) -> Approval:
    """`approval` after the yes of `vote.by` at `vote.at` (its `routes` are computed here), to an `edit` where given.

    `shown` is the nonce of what he saw. Saying it again changes nothing: the very same object comes back; unless it is
    confirmed beyond his token this time. Raises `VoteRefused`.
    """
    if approval.state is ApprovalState.APPROVED and edit is None and any(v.by == vote.by for v in approval.votes):
        if shown is not None:
            _fresh(approval, shown)
        return approval
    person = voter(approval, room, vote.by, vote.at)
    if approval.state is not ApprovalState.PENDING:
        how = "" if approval.edit is None else f", with other arguments, by {approval.edit.by}"
        raise VoteRefused(
            f"this approval is {approval.state.value}{how}: it needs no more votes",
            f"see it with: remit approvals show {approval.ident}",
            ended=True,
        )
    _fresh(approval, shown)
    route_names = counts_for(approval, room.routes, room.users, person, vote.at)
    if not route_names:
        raise ineligible(approval, room, person, vote.at)
    if not vote.strong:
        require_confirmed(approval, room, route_names)
    cast = Vote(person.name, vote.at, route_names, vote.note, vote.strong)
    after = voted(approval, cast, completes=False, edit=edit)
    if complete(after, room.routes, room.users):
        return voted(approval, cast, completes=True, edit=edit)
    same = edit is None and any(_same_vote(old, cast) for old in approval.votes)
    return approval if same else after


def _same_vote(old: Vote, cast: Vote) -> bool:
    return (old.by, old.routes) == (cast.by, cast.routes) and (old.strong or not cast.strong)


def require_confirmed(approval: Approval, room: Electorate, route_names: Iterable[str]) -> None:
    """Raise `VoteRefused` where a yes that counts for `route_names`, or who says it, is confirmed beyond a token."""
    unconfirmed = set(route_names).intersection(wants_strong(approval, room.routes))
    if unconfirmed:
        raise VoteRefused(
            f"{', '.join(sorted(unconfirmed))} asks for a yes, or a deputy, that is confirmed beyond a token",
            f"confirm it with your passkey on the page /a/{approval.ident}",
        )


def editor(approval: Approval, room: Electorate, by: str, at: int) -> User:
    """The person `by`, who may approve other arguments than were asked for. Raises `VoteRefused`."""
    person = voter(approval, room, by, at)
    if not counts_for(approval, room.routes, room.users, person, at):
        raise ineligible(approval, room, person, at)
    if not may_edit(approval, room.routes):
        where = next((f" (edits, in the Route {one.name})" for one in _routes(approval, room) if not one.edits), "")
        raise VoteRefused(
            f"its routes do not let people approve other arguments{where}",
            f"refuse it, and say why: remit approvals deny {approval.ident} --reason wrong-content",
        )
    return person


def refuse(
    approval: Approval, room: Electorate, by: str, at: int, reason: str | None = None, note: str | None = None
) -> Approval:
    """`approval`, ended by the no of `by` at `at`. Raises `VoteRefused`."""
    person = voter(approval, room, by, at)
    if not sits(approval, room.routes, room.users, person, at):
        raise ineligible(approval, room, person, at)
    return refused(approval, person.name, reason, note)


def delegate(approval: Approval, room: Electorate, delegation: Delegation) -> Approval:
    """`approval`, which `given.to` may decide in the place of `given.by`. Raises `VoteRefused`."""
    person = voter(approval, room, delegation.by, delegation.at)
    if approval.state is not ApprovalState.PENDING:
        raise VoteRefused("it is approved already: there is nothing left to hand on", "remit approvals ls", ended=True)
    mine = own_routes(approval, room.routes, room.users, person, delegation.at)
    if not mine:
        raise ineligible(approval, room, person, delegation.at)
    if not delegation.strong:
        require_confirmed(approval, room, mine)
    names = {name for name, user in room.users.items() if user.who == person.who}
    if any(
        one.by in names and one.by != delegation.by and delegation.at < one.until_ms for one in approval.delegations
    ):
        why = f"{delegation.by} has handed it on already, under another name"
        raise VoteRefused(why, f"see it with: remit approvals show {approval.ident}")
    if any(vote.by in names for vote in approval.votes):
        raise VoteRefused(
            f"{delegation.by} has said yes already", "one yes is all that he has; refuse it to take it back"
        )
    deputy = room.users.get(delegation.to)
    if deputy is None or deputy.who == person.who:
        what = "himself under another name" if deputy is not None else "no user of the running bundle"
        raise VoteRefused(f"{delegation.to} is {what}", "name another User: remit get users")
    if not delegation.at < delegation.until_ms <= approval.expires_ms:
        raise VoteRefused(
            "a delegation ends in the future, and not after the approval",
            "give an end before it: remit approvals delegate ID --to USER --for 30m",
        )
    after = delegated(approval, delegation)
    if not counts_for(after, room.routes, room.users, deputy, delegation.at):
        # He who hands it on reads this, and not the deputy.
        requester = is_requester(approval, room.users, deputy)
        why = "the action is done for him: the requester may not approve it" if requester else "his yes would not count"
        raise VoteRefused(f"{deputy.name} cannot decide in your place: {why}", "name another User: remit get users")
    return after


def break_glass(
    approval: Approval, room: Electorate, glass: Glass, *, shown: str | None = None, keyed: bool = False
) -> Approval:
    """`approval`, lifted by `glass.by` alone, for a short time; `shown` as of a yes. Raises `VoteRefused`.

    He confirms it beyond his token where a route asks that of a yes, and where he is `keyed`: where he could.
    """
    person = voter(approval, room, glass.by, glass.at)
    if approval.state is not ApprovalState.PENDING:
        raise VoteRefused("it is approved already", f"remit approvals show {approval.ident}", ended=True)
    if not may_break(approval, room.routes, room.users, person):
        raise _unbreaking(approval, room, person)
    if not glass.why.strip():
        raise VoteRefused("breaking the glass wants a reason", "say why in one sentence: --why TEXT")
    if not glass.strong and (keyed or wants_strong(approval, room.routes)):
        raise VoteRefused(
            "breaking the glass is confirmed beyond a token here",
            f"confirm it with your passkey on the page /a/{approval.ident}",
        )
    _fresh(approval, shown)
    return broken(approval, glass)


def review(approval: Approval, room: Electorate, by: str) -> Approval:
    """`approval`, whose breaking of the glass `by` has looked at. Raises `VoteRefused`."""
    glass, person = approval.glass, room.users.get(by)
    if glass is None:
        raise VoteRefused("nobody broke the glass for it", "remit approvals ls --unreviewed")
    if person is None:
        raise _stranger(by)
    breaker = room.users.get(glass.by)
    if person.name == glass.by or (breaker is not None and breaker.who == person.who):
        raise VoteRefused("whoever broke the glass does not review it", "ask somebody else who decides here")
    decider = any(person.name in route.users or person.groups & route.groups for route in _routes(approval, room))
    if not decider and not breaks(approval, room.routes, person):
        raise ineligible(approval, room, person, glass.at)
    return reviewed(approval, by)


def voter(approval: Approval, room: Electorate, by: str, at: int) -> User:
    """The person `by`, where `approval` can still be decided at `at`. Raises `VoteRefused`."""
    if approval.state not in OPEN:
        refuser = "" if approval.refused_by is None else f", by {approval.refused_by},"
        why = f"this approval is {approval.state.value}{refuser} and can no longer be decided"
        following = f"see it with: remit approvals show {approval.ident}"
        if approval.state in UNDER_WAY:
            why += ": what was approved is under way"
            following = f"to cut it off, and its session with it: remit approvals stop {approval.ident}"
        raise VoteRefused(why, following, ended=True)
    if at >= approval.expires_ms:
        raise VoteRefused("this approval has expired", "let the agent ask again", ended=True)
    person = room.users.get(by)
    if person is None:
        raise _stranger(by)
    return person


def ineligible(approval: Approval, room: Electorate, person: User, at: int) -> VoteRefused:
    """Why `person` does not decide here."""
    if is_requester(approval, room.users, person) and sits(approval, room.routes, room.users, person, at):
        return VoteRefused(
            "the action is done for you: the requester may not approve it",
            f"ask someone else of: {', '.join(routes_of(approval))}",
            others=True,
        )
    return VoteRefused(
        f"{person.name} is not one of those who decide here",
        f"ask someone of: {', '.join(routes_of(approval))}",
        others=True,
    )


def _unbreaking(approval: Approval, room: Electorate, person: User) -> VoteRefused:
    """Why `person` does not break the glass of `approval`: to decide here is another matter."""
    if breaks(approval, room.routes, person):
        why = "the action is done for you: the requester may not break the glass"
        return VoteRefused(why, f"ask someone else of the break_glass groups of: {', '.join(routes_of(approval))}")
    # All of its routes have to let him.
    route = next((one for one in _routes(approval, room) if not one.break_glass), None)
    if route is not None:
        why = f"nobody may break the glass here: the Route {route.name} names no break_glass groups"
        return VoteRefused(why, f"see who decides instead: remit approvals show {approval.ident}")
    closed = [one for one in _routes(approval, room) if one.break_glass.isdisjoint(person.groups)]
    groups = "; ".join(f"{', '.join(sorted(one.break_glass))} ({one.name})" for one in closed)
    why = f"{person.name} is not one of those who may break the glass here: {groups or 'nobody is'}"
    return VoteRefused(why, f"ask someone of these groups, or see who decides: remit approvals show {approval.ident}")


def _fresh(approval: Approval, nonce: str | None) -> None:
    """INVARIANT(approval-binds-exact-action): the yes is for what runs."""
    if nonce is None and approval.edit is None:
        return
    if nonce is None:
        why = f"{approval.edit.by if approval.edit else 'somebody'} approved other arguments: say which the yes is for"
    elif nonce != approval.shown:
        why = "what you saw is not what would run now: somebody changed it, or it was another approval"
    else:
        return
    raise VoteRefused(why, f"look again: remit approvals show {approval.ident}", stale=True)


def _routes(approval: Approval, room: Electorate) -> list[Route]:
    return [room.routes[name] for name in routes_of(approval) if name in room.routes]


def _stranger(by: str) -> VoteRefused:
    return VoteRefused(
        f"{by} is no user of the running bundle",
        f"declare User {by} in the workspace, then: remit apply",
    )
