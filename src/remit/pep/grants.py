"""What people grant beyond one action, and take back: checked, capped, durable before it is answered.

A grant is given with a yes: whoever gives it has said yes to the approval by the rules of its routes, and only then are
its terms made, from the record of what he was shown. Refusals leave no record. All raise `VoteRefused`,
`LedgerUnwritable`, and `KeyError` where there is no such approval or grant.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar

from remit.escalate import voting
from remit.escalate.eligibility import counts_for, own_routes
from remit.escalate.grants import Grant, GrantScope, GrantTerms, Wish, as_approval, in_force
from remit.escalate.machine import Approval, ApprovalState
from remit.escalate.voting import VoteRefused
from remit.facts.action import ActionKind
from remit.facts.agent import User
from remit.facts.durations import HOUR_MS
from remit.facts.passkey import Confirmed
from remit.facts.record import RecordKind, Ref
from remit.pdp.argument_bounds import constrained
from remit.pdp.grant_scope import reach_recorded, terms
from remit.pep.approvals import Approvals
from remit.pep.decision_engine import DecisionEngine
from remit.pep.memory import Memory
from remit.policy.destination import Destination
from remit.ports.ledger import Ledger
from remit.ports.system import Clock
from remit.trace.bodies import ActionBody, Choice, DecisionBody

_T = TypeVar("_T")
_GONE: Final = frozenset(
    {ApprovalState.DENIED, ApprovalState.EXPIRED, ApprovalState.CANCELLED, ApprovalState.SUPERSEDED}
)


class Grants:
    """Grants given and revoked, each with a yes among `approvals`."""

    def __init__(
        self, approvals: Approvals, memory: Memory, engine: DecisionEngine, ledger: Ledger, clock: Clock
    ) -> None:
        self._approvals = approvals
        self._memory = memory
        self._engine = engine
        self._ledger = ledger
        self._clock = clock

    async def find(self, ident: str) -> Grant | None:
        """The grant `ident`, once what it says is on disk; None where it ended long ago, or there is none."""
        return await self._on_disk(self._memory.grants.get(ident))

    def holds(self, grant: Grant) -> bool:
        """Whether `grant` lifts gates now, by the rules of the running bundle."""
        catalog = self._engine.bundle.catalog
        return in_force(grant, catalog.routes, catalog.users, self._clock.now_ms())

    async def terms_for(self, ident: str, by: User, wish: Wish) -> tuple[Approval, GrantTerms]:
        """The terms that the `wish` of `by` comes to for the approval `ident`; he may give them, and nobody has yet.

        Raises `VoteRefused` as `give` does, so that nobody says a yes whose grant is then refused; once what others
        said, which may be why, is on disk.
        """
        try:
            return await self._terms_for(ident, by, wish)
        except VoteRefused:
            await self._engine.settled()
            raise

    async def _terms_for(self, ident: str, by: User, wish: Wish) -> tuple[Approval, GrantTerms]:
        entry = await self._ledger.entry(Ref.parse(ident))
        # After the record, and from here on without an await: what people said meanwhile counts.
        approval = await self._approvals.approval(ident)
        if self._clock.now_ms() >= approval.expires_ms:
            why = "the time of this approval is over, and nothing is granted with it any more"
            raise VoteRefused(why, "let the agent ask again")
        if approval.state in _GONE or approval.edit is not None or approval.glass is not None:
            how = "other arguments were approved" if approval.edit else "its glass was broken"
            how = f"it is {approval.state.value}" if approval.state in _GONE else how
            raise VoteRefused(f"nothing is granted with this approval: {how}", f"remit approvals show {ident}")
        body = None if entry is None else entry.body
        if not isinstance(body, ActionBody) or body.kind != ActionKind.CALL_TOOL.value:
            raise VoteRefused("only a call of a tool can be granted", f"remit approvals approve {ident}")
        reached = self.reached_of(body)
        reach = None if reached is None else reach_recorded(body, reached)
        if reached is None or reach is None or not reach.complete:
            why = "what it would cover cannot be told: a round of a call, too many values, or a tool that is gone"
            raise VoteRefused(why, f"remit approvals approve {ident}")
        until_ms, uses = self._bounds(wish)
        grant_terms = terms(wish.scope, ident, body, reach, reached.tool, until_ms=until_ms, uses_max=uses)
        unheld = _unheld(wish, reached)
        if unheld is not None:
            raise VoteRefused(unheld, f"remit approvals show {ident}")
        grant_terms = constrained(grant_terms, wish.where, reached.tool)
        self._lasting(approval, by)
        if wish.terms is not None and grant_terms.digest != wish.terms:
            why = "these are not the terms that were shown: what is running has changed since"
            raise VoteRefused(why, f"look again: remit approvals approve {ident} --grant --dry-run", stale=True)
        same = self._same(grant_terms)
        if same is None:
            self._cap(grant_terms)
        elif _narrower(wish, same.terms):
            limits = f"{same.terms.uses_max} uses, {same.ident}"
            who = same.votes[0].by
            why = f"{who} granted the same for longer or more often ({limits}), and one who joins adds nothing"
            raise VoteRefused(
                why, f"join it with no --for and no --uses below it, or: remit grants revoke {same.ident}"
            )
        return approval, grant_terms

    async def give(
        self, ident: str, by: User, wish: Wish, note: str | None, confirmed: Confirmed | None = None
    ) -> Grant:
        """`by`, who said yes to the approval `ident`, grants `wish` with it; or joins whoever granted the same.

        What goes further than a yes takes no less: where a route asks for it, it is `confirmed` itself.
        """
        approval, grant_terms = await self.terms_for(ident, by, wish)
        cast = next((vote for vote in approval.votes if vote.by == by.name), None)
        if cast is None:
            raise VoteRefused(
                "a grant is given with a yes", f"remit approvals approve {ident} --grant {wish.scope.value}"
            )
        if confirmed is None:
            voting.require_confirmed(approval, self._approvals.room(), cast.routes)
        same = self._same(grant_terms)
        if same is not None and any(vote.by == by.name for vote in same.votes):
            await self._engine.settled()
            return same
        body = DecisionBody(ident, approval.requested, by.name, Choice.GRANT, cast.routes, note, confirmed=confirmed)
        body = replace(body, grant=grant_terms.to_json() if same is None else {"of": same.ident})
        pending = self._engine.append(RecordKind.DECISION, approval.sid, body)
        # As this record leaves it: what others say until it is on disk may not be there then.
        after = self._memory.grants.get(str(pending.ref) if same is None else same.ident)
        await pending.durable
        assert after is not None, "memory has what was granted"  # noqa: S101
        return after

    async def revoke(self, ident: str, by: User, note: str | None) -> Grant:
        """End the grant `ident`: anyone who may lift one of its gates, the requester too where he sits."""
        grant = self._memory.grants.get(ident)
        if grant is None:
            raise KeyError(ident)
        if grant.revoked_by is not None:
            await self._engine.settled()
            return grant
        catalog, approval = self._engine.bundle.catalog, as_approval(grant)
        sits = counts_for(approval, catalog.routes, catalog.users, by, grant.given_ms)
        if not sits and by.name not in {vote.by for vote in grant.votes}:
            raise VoteRefused(f"{by.name} is not one of those who decide here", f"remit grants show {ident}")
        body = DecisionBody(grant.terms.approval, "", by.name, Choice.REVOKE, (), note, grant={"of": ident})
        pending = self._engine.append(RecordKind.DECISION, grant.terms.sid, body)
        after = self._memory.grants.get(ident) or grant
        await pending.durable
        return after

    async def all_grants(self) -> Sequence[Grant]:
        """Those that last and those that ended of late, the oldest first, once what they say is on disk."""
        return await self._on_disk(self._memory.grants.every())

    async def _on_disk(self, read: _T) -> _T:
        """What was `read` of memory just now: nobody is told what a crash would undo."""
        if (changed := self._memory.grants.changed) is not None:
            await self._ledger.durable(changed)
        return read

    def reached_of(self, body: ActionBody) -> Destination | None:
        """The tool that the recorded call reached, as it was; None where it is gone or another."""
        bundle = self._engine.bundle
        form = bundle.tools.get((body.server, body.name))
        return None if form is None or form.tool.pin != body.pin else bundle.destination(form)

    def _bounds(self, wish: Wish) -> tuple[int, int]:
        """Until when and how often, at most as long as the limits allow."""
        now_ms = self._clock.now_ms()
        session = wish.scope is GrantScope.SESSION
        hours = self._engine.bundle.catalog.session_hours_max if session else self._engine.limits.grant_hours_max
        if wish.until_ms is None and not session:
            raise VoteRefused("a grant for a tool ends at a time", "remit approvals approve ID --grant tool --for 8h")
        latest_ms = now_ms + int(hours * HOUR_MS)
        until_ms = latest_ms if wish.until_ms is None else wish.until_ms
        uses = self._engine.limits.grant_uses_max if wish.uses is None else wish.uses
        if not now_ms < until_ms <= latest_ms or not 0 < uses <= self._engine.limits.grant_uses_max:
            why = f"a grant lasts at most {hours:g} hours and {self._engine.limits.grant_uses_max} uses"
            raise VoteRefused(why, "ask for less")
        return until_ms, uses

    def _same(self, grant_terms: GrantTerms) -> Grant | None:
        """The grant that whoever gives `grant_terms` joins."""
        others = [
            grant
            for grant in self._memory.grants.every()
            if grant.terms.approval == grant_terms.approval and grant.revoked_by is None
        ]
        return next((grant for grant in others if _like(grant.terms) == _like(grant_terms)), None)

    def _lasting(self, approval: Approval, by: User) -> None:
        """Raise `VoteRefused` where `by` may say yes, and what he grants would lift nothing: nobody asks him first."""
        now_ms, room = self._clock.now_ms(), self._approvals.room()
        if own_routes(approval, room.routes, room.users, by, approval.opened_ms):
            return
        if not counts_for(approval, room.routes, room.users, by, now_ms):
            raise voting.ineligible(approval, room, by, now_ms)
        why = f"{by.name} decides here after others or in their place: for this one action, and no grant"
        raise VoteRefused(why, f"say yes to it alone: remit approvals approve {approval.ident}")

    def _cap(self, grant_terms: GrantTerms) -> None:
        """No agent has more grants than a person can look through."""
        now_ms = self._clock.now_ms()
        live = [
            grant
            for grant in self._memory.grants.every()
            if grant.terms.agents == grant_terms.agents and grant.spent(now_ms) is None
        ]
        if len(live) >= self._engine.limits.grants_per_agent_max:
            why = f"{grant_terms.agents[-1]} has {len(live)} grants already (grants_per_agent_max)"
            raise VoteRefused(why, "remit grants revoke ID")


def _unheld(wish: Wish, reached: Destination) -> str | None:
    """Why the arguments of what is `reached` cannot be held as `wish` says; None where they can."""
    if wish.where and wish.scope is not GrantScope.TOOL:
        return "constraints hold a tool, not a session"
    for constraint in wish.where:
        if constraint.name not in reached.arguments:
            return f"the tool has no argument {constraint.name}"
        if constraint.odd is not None:
            return constraint.odd
    return None


def _narrower(wish: Wish, grant_terms: GrantTerms) -> bool:
    """Whether `wish` says less than `grant_terms`: joining would drop what it says."""
    sooner = wish.until_ms is not None and wish.until_ms < grant_terms.expires_ms
    return sooner or (wish.uses is not None and wish.uses < grant_terms.uses_max)


def _like(grant_terms: GrantTerms) -> GrantTerms:
    """The terms but for how long and how often: whoever joins joins those that were given first."""
    return replace(grant_terms, expires_ms=0, uses_max=0)
