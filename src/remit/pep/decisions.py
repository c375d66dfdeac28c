"""What people decide about approvals that wait: checked by `escalate.voting`, durable before it is answered.

A decision that is refused leaves no record. All raise `VoteRefused`, `LedgerUnwritable`, and `KeyError` where there is
no such approval.
"""

from dataclasses import replace

from remit.escalate import voting
from remit.escalate.machine import Approval, Delegation, Glass, State, Vote
from remit.escalate.sitting import counts_for
from remit.escalate.voting import Room
from remit.facts.agent import User
from remit.facts.record import RecordKind
from remit.pep.judging import Desk
from remit.pep.memory import Memory
from remit.ports.ledger import Ledger
from remit.ports.system import Clock
from remit.trace.bodies import Choice, DecisionBody


class Decisions:
    """Votes and what else people say of an approval."""

    def __init__(self, memory: Memory, desk: Desk, ledger: Ledger, clock: Clock) -> None:
        self._memory = memory
        self._desk = desk
        self._ledger = ledger
        self._clock = clock

    async def decide_approval(
        self,
        ident: str,
        voter: User,
        choice: Choice,
        note: str | None,
        *,
        reason: str | None = None,
        shown: str | None = None,
        strong: bool = False,
    ) -> Approval:
        """Cast `voter`'s yes or no by the rules of `escalate.voting` and the running bundle.

        `reason` is the preset word of a no; `shown` and `strong` are those of `voting.approve`.
        """
        found, room = await self._found(ident), self._room()
        now_ms = self._clock.now_ms()
        said = DecisionBody(ident, found.requested, voter.name, choice, (), note)
        match choice:
            case Choice.APPROVE:
                cast = Vote(voter.name, now_ms, (), note)
                after = voting.approve(found, room, cast, shown=shown, strong=strong)
                routes = counts_for(found, room.routes, room.users, voter, now_ms)
                said = replace(said, routes=routes, completes=after.state is State.APPROVED)
            case Choice.DENY:
                after = voting.refuse(found, room, voter.name, now_ms, reason)
                said = replace(said, reason=reason)
            case Choice.DELEGATE | Choice.BREAK_GLASS | Choice.REVIEW | Choice.GRANT | Choice.REVOKE:
                raise ValueError(f"{choice.value} is no yes or no")
        return found if after is found else await self._record(said, after)

    async def delegate_approval(self, ident: str, by: User, to: str, until_ms: int, note: str | None) -> Approval:
        """Let `to` decide in the place of `by` until `until_ms`."""
        found = await self._found(ident)
        given = Delegation(by.name, to, self._clock.now_ms(), until_ms)
        after = voting.delegate(found, self._room(), given)
        said = DecisionBody(ident, found.requested, by.name, Choice.DELEGATE, (), note, to=to, until_ms=until_ms)
        return await self._record(said, after)

    async def break_glass(self, ident: str, by: User, why: str) -> Approval:
        """Lift every gate alone, in an emergency."""
        found = await self._found(ident)
        after = voting.break_glass(found, self._room(), Glass(by.name, self._clock.now_ms(), why))
        said = DecisionBody(ident, found.requested, by.name, Choice.BREAK_GLASS, (), why, completes=True)
        return await self._record(said, after)

    async def review_glass(self, ident: str, by: User, note: str | None) -> Approval:
        """Say that `by` has looked at how its glass was broken; once said it stays said."""
        found = await self._found(ident)
        after = voting.review(found, self._room(), by.name)
        if after is found:
            return found
        return await self._record(DecisionBody(ident, found.requested, by.name, Choice.REVIEW, (), note), after)

    def _room(self) -> Room:
        catalog = self._desk.bundle.catalog
        return Room(catalog.routes, catalog.users)

    async def _found(self, ident: str) -> Approval:
        found = self._memory.approval(ident)
        if found is None:
            stored = await self._ledger.approval(ident)
            found = self._memory.approval(ident) or stored
        if found is None:
            raise KeyError(ident)
        return found

    async def _record(self, said: DecisionBody, after: Approval) -> Approval:
        pending = self._desk.append(RecordKind.DECISION, after.sid, said)
        await pending.durable
        return self._memory.approval(said.approval) or after
