"""What people decide about approvals that wait: checked by `escalate.voting`, durable before it is answered.

A decision that is refused leaves no record. What is told of what was said before, that it is so already or has ended,
is on disk too: whoever hears it goes away. All raise `VoteRefused`, `LedgerUnwritable`, and `KeyError` where there is
no such approval.
"""

import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Final, assert_never

from remit.escalate import voting
from remit.escalate.eligibility import counts_for
from remit.escalate.foreseen import Foreseen
from remit.escalate.machine import Approval, ApprovalState, Delegation, Edit, Glass, Vote
from remit.escalate.voting import EditRefused, Electorate, VoteRefused
from remit.facts.action import Action
from remit.facts.agent import User
from remit.facts.canonical import Json
from remit.facts.passkey import Confirmed
from remit.facts.record import RecordKind, Ref
from remit.pdp.decision import Decision, Reshape, Resolve
from remit.pep.argument_edits import as_asked, misnamed
from remit.pep.decision_effects import append_of
from remit.pep.decision_engine import DecisionEngine
from remit.pep.memory import Memory
from remit.policy.verdict import Deny, Escalate, Permit
from remit.ports.ledger import Ledger
from remit.ports.system import Clock
from remit.trace.bodies import ActionBody, Choice, DecisionBody

_LOG: Final = logging.getLogger(__name__)


class Approvals:
    """Votes and what else people say of an approval."""

    def __init__(
        self,
        memory: Memory,
        engine: DecisionEngine,
        ledger: Ledger,
        clock: Clock,
        foreseen: Callable[[Approval], Foreseen | None] = lambda _: None,
    ) -> None:
        self._memory = memory
        self._engine = engine
        self._ledger = ledger
        self._clock = clock
        self.foreseen = foreseen
        """What a dry run of what an approval stands for told; None where its tool offers none."""

    async def cast_vote(
        self,
        ident: str,
        voter: User,
        choice: Choice,
        note: str | None,
        *,
        reason: str | None = None,
        shown: str | None = None,
        confirmed: Confirmed | None = None,
    ) -> Approval:
        """Cast `voter`'s yes or no by the rules of `escalate.voting` and the running bundle.

        `reason` is the preset word of a no; `shown` is that of `voting.approve`; `confirmed` says
        how he confirmed it beyond his token.
        """
        async with self._open(ident) as approval:
            room, now_ms = self.room(), self._clock.now_ms()
            body = DecisionBody(ident, approval.requested, voter.name, choice, (), note)
            match choice:
                case Choice.APPROVE:
                    cast = Vote(voter.name, now_ms, (), note, confirmed is not None)
                    after = voting.approve(approval, room, cast, shown=shown)
                    routes = counts_for(approval, room.routes, room.users, voter, now_ms)
                    completes = after.state is ApprovalState.APPROVED
                    body = replace(body, routes=routes, completes=completes, confirmed=confirmed)
                case Choice.DENY:
                    after = voting.refuse(approval, room, voter.name, now_ms, reason, note)
                    body = replace(body, reason=reason)
                case Choice.DELEGATE | Choice.BREAK_GLASS | Choice.REVIEW | Choice.GRANT | Choice.REVOKE:
                    raise ValueError(f"{choice.value} is no yes or no")
        if after is approval:
            await self._engine.settled()
            return approval
        return await self._record(body, after)

    async def approve_edited(
        self,
        ident: str,
        by: User,
        arguments: Mapping[str, Json],
        note: str | None,
        *,
        shown: str | None = None,
        confirmed: Confirmed | None = None,
    ) -> Approval:
        """Say yes to other `arguments` than were asked for: a new action, judged as one, in place of the other.

        It has to be permitted, or stopped by no gate but those that people are asked to lift. Votes before it are
        void. Raises `EditRefused` too.
        """
        async with self._open(ident) as approval:
            voting.editor(approval, self.room(), by.name, self._clock.now_ms())
        action = await self._edited(approval, arguments)
        sids = action.authority.sids
        await self._memory.hold(sids, self._clock.monotonic_s())
        try:
            # From here on without an await: what is checked is what is recorded.
            async with self._open(ident) as approval:
                now_ms = self._clock.now_ms()
                decision, bound = self._engine.weigh_edit(action)
                _passes(approval, decision, bound)
                edit = Edit(by.name, now_ms, bound, "", self._engine.nonce())
                cast, room = Vote(by.name, now_ms, (), note, confirmed is not None), self.room()
                after = voting.approve(approval, room, cast, shown=shown, edit=edit)
            proposal = append_of(decision).body
            assert isinstance(proposal, ActionBody), "a tool call is no round"  # noqa: S101
            recorded = replace(proposal, approval=ident, stored=None)
            record = str(self._engine.append(RecordKind.PROPOSAL, approval.sid, recorded).ref)
            self._engine.approval_matcher.keep_edit(record, action.arguments)
            body = DecisionBody(
                ident,
                approval.requested,
                by.name,
                Choice.APPROVE,
                counts_for(approval, room.routes, room.users, by, now_ms),
                note,
                completes=after.state is ApprovalState.APPROVED,
                edit=record,
                approved=bound,
                nonce=edit.nonce,
                confirmed=confirmed,
            )
            return await self._record(body, after)
        finally:
            self._memory.release(sids, self._clock.monotonic_s())

    async def delegate(
        self, ident: str, by: User, to: str, until_ms: int, note: str | None, confirmed: Confirmed | None = None
    ) -> Approval:
        """Let `to` decide in the place of `by` until `until_ms`; `confirmed` as of a yes."""
        async with self._open(ident) as approval:
            delegation = Delegation(by.name, to, self._clock.now_ms(), until_ms, confirmed is not None)
            after = voting.delegate(approval, self.room(), delegation)
        body = DecisionBody(ident, approval.requested, by.name, Choice.DELEGATE, (), note, to=to, until_ms=until_ms)
        body = replace(body, confirmed=confirmed)
        return await self._record(body, after)

    async def break_glass(
        self,
        ident: str,
        by: User,
        why: str,
        *,
        shown: str | None = None,
        confirmed: Confirmed | None = None,
        keyed: bool = False,
    ) -> Approval:
        """Lift every gate alone, in an emergency; `keyed` says that `by` could have `confirmed` it."""
        async with self._open(ident) as approval:
            glass = Glass(by.name, self._clock.now_ms(), why, strong=confirmed is not None)
            after = voting.break_glass(approval, self.room(), glass, shown=shown, keyed=keyed)
        body = DecisionBody(ident, approval.requested, by.name, Choice.BREAK_GLASS, (), why, completes=True)
        broken = await self._record(replace(body, confirmed=confirmed), after)
        _LOG.warning("the glass is broken", extra={"ref": ident})
        return broken

    async def review_glass(self, ident: str, by: User, note: str | None) -> Approval:
        """Say that `by` has looked at how its glass was broken; once said it stays said."""
        approval = await self.approval(ident)
        after = voting.review(approval, self.room(), by.name)
        if after is approval:
            await self._engine.settled()
            return approval
        return await self._record(DecisionBody(ident, approval.requested, by.name, Choice.REVIEW, (), note), after)

    def token_revoked(self, ident: str, token: str) -> bool:
        """As `Memory.voided`."""
        return self._memory.voided(ident, token)

    async def session_asked(self, ident: str) -> str:
        """The root session of the run that asked for the approval `ident`."""
        approval = await self.approval(ident)
        entry = await self._ledger.entry(Ref.parse(ident))
        body = None if entry is None else entry.body
        return body.links[0][1] if isinstance(body, ActionBody) else approval.sid

    def room(self) -> Electorate:
        """Those who decide, by the running bundle."""
        catalog = self._engine.bundle.catalog
        return Electorate(catalog.routes, catalog.users)

    async def approval(self, ident: str) -> Approval:
        """The approval `ident` as it is now. Raises `KeyError`."""
        approval = self._memory.approval(ident)
        if approval is None:
            stored = await self._ledger.approval(ident)
            approval = self._memory.approval(ident) or stored
        if approval is None:
            raise KeyError(ident)
        return approval

    @contextlib.asynccontextmanager
    async def _open(self, ident: str) -> AsyncGenerator[Approval]:
        """The approval `ident` as it is now, without an await from there to the block.

        A refusal in it because of what others said is raised once that is on disk.
        """
        found = await self.approval(ident)
        try:
            yield found
        except VoteRefused as refused:
            if refused.ended or refused.stale:
                await self._engine.settled()
            raise

    async def _edited(self, approval: Approval, arguments: Mapping[str, Json]) -> Action:
        """The action that runs in place of the one that `approval` was asked for. Raises `EditRefused`."""
        entry = await self._ledger.entry(Ref.parse(approval.ident))
        body = None if entry is None else entry.body
        try:
            action = None if not isinstance(body, ActionBody) else as_asked(body, arguments, self._clock.now_ms())
        except ValueError as error:
            raise EditRefused(f"the arguments have no canonical form: {error}") from error
        if action is None or not isinstance(body, ActionBody):
            raise EditRefused("only a tool call whose arguments are kept can be approved with others")
        form = self._engine.bundle.tools.get((action.server, action.name))
        if form is not None and form.tool.secrets:
            raise EditRefused("its tool takes secrets, which are not kept: nobody could give them again")
        odd = None if form is None else misnamed(form, body, arguments)
        if odd is not None:
            raise EditRefused(odd)
        return action

    async def _record(self, body: DecisionBody, after: Approval) -> Approval:
        pending = self._engine.append(RecordKind.DECISION, after.sid, body)
        # As this record leaves it: what others say until it is on disk may not be there then.
        after = self._memory.approval(body.approval) or after
        await pending.durable
        return after


def _passes(approval: Approval, decision: Decision, bound: str) -> None:
    """Raise `EditRefused` unless the edited action may run once the gates of `approval` are lifted."""
    if isinstance(decision.effects[0], Reshape | Resolve):
        raise EditRefused("policy would change these arguments: give them as they would be then, and URLs not at all")
    if bound == approval.approved:
        raise EditRefused("these are the arguments that would run anyway: say yes without changing them")
    match decision.verdict:
        case Permit():
            return
        case Escalate(gates):
            more = sorted({gate.policy for gate in gates if gate not in approval.gates})
            if not more:
                return
            raise EditRefused(f"it meets gates that nobody is asked about: {', '.join(more)}; let the agent ask for it")
        case Deny():
            raise EditRefused("; ".join(reason.text for reason in decision.reasons))
        case _:
            assert_never(decision.verdict)
