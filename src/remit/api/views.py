"""From what Remit knows to what the API answers. Nothing here decides; it only shows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import cast

from pydantic import JsonValue

from remit.api.answers import (
    AppliedAnswer,
    ChangeAnswer,
    SessionAnswer,
    SuggestedEntry,
    SuggestionChangeAnswer,
    ToolAnswer,
)
from remit.api.answers_decided import (
    ApprovalAnswer,
    DelegationAnswer,
    EditAnswer,
    GateAnswer,
    GlassAnswer,
    ReasonAnswer,
    SeatAnswer,
    VoteAnswer,
)
from remit.api.authenticator import Admin, Caller, Person
from remit.api.moments import instant
from remit.api.services import ApplyResult, Change, PolicyText, Services, ToolPin
from remit.api.void_approvals import VoidReason
from remit.escalate.eligibility import counts_for, may_edit, may_read, wants_strong
from remit.escalate.machine import Approval, ApprovalState, Edit, Glass, Vote
from remit.escalate.quorum import remaining_voters, seats, shortfall
from remit.facts.canonical import digest
from remit.facts.session import Session
from remit.facts.strictjson import JsonRefused, parse
from remit.policy.role import PolicyRole, role_in
from remit.policy.verdict import Code, Gate, Reason
from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody


def session_view(session: Session) -> SessionAnswer:
    """One session."""
    return SessionAnswer(
        sid=session.sid,
        agent=session.agent,
        user=session.user,
        started=instant(session.started_ms),
        ended=None if session.ended_ms is None else instant(session.ended_ms),
        labels=sorted(session.labels),
        calls=session.calls,
        irreversible_calls=session.irreversible_calls,
    )


def tool_view(tool: ToolPin, *, whole: bool = False) -> ToolAnswer:
    """One tool against the lock; `whole` with its live definition and the entry that is proposed for it."""
    suggestion, changes = (tool.suggestion, tool.suggestion_changes) if whole else (None, None)
    return ToolAnswer(
        tool=tool_name(tool.server, tool.name),
        exposed=tool.exposed,
        state=tool.state,
        pin=tool.accepted,
        live_pin=tool.live,
        effect=tool.effect,
        sink=tool.sink,
        source=list(tool.source),
        catalogued=tool.catalogued,
        difference=list(tool.lines),
        untypable=tool.untypable,
        live=cast("dict[str, JsonValue]", tool.definition) if whole and tool.definition is not None else None,
        suggested=None if suggestion is None else SuggestedEntry.model_validate(suggestion.to_json()),
        suggestion_changes=None
        if changes is None
        else [SuggestionChangeAnswer.model_validate(change.to_json()) for change in changes],
    )


def applied_view(applied: ApplyResult, tools: Iterable[ToolPin] = ()) -> AppliedAnswer:
    """What an apply did or would do, and the `tools` that do not match the lock."""
    return AppliedAnswer(
        applied=applied.applied,
        bundle=applied.digest,
        changes=[change_view(change) for change in applied.changes],
        warnings=list(applied.warnings),
        tools=[tool_view(tool) for tool in tools],
    )


def change_view(change: Change) -> ChangeAnswer:
    """One difference between two bundles."""
    return ChangeAnswer(
        op=change.op,
        kind=change.kind,
        name=change.name,
        text=f"{change.op} {change.kind.lower()} {change.name}",
        lines=list(change.lines),
    )


def reason_view(reason: Reason, verdict: str, source: Callable[[str], PolicyText | None]) -> ReasonAnswer:
    """One reason of `verdict`, which is what policy says of an agent that is observed; `source` has policies by id."""
    return ReasonAnswer(
        code=reason.code.value,
        does=_does(reason, verdict, source),
        text=reason.text,
        policy=reason.policy,
        where=reason.where,
        agent=reason.agent,
    )


def _does(reason: Reason, verdict: str, source: Callable[[str], PolicyText | None]) -> str | None:
    """What `reason` does to the action."""
    match reason.code:
        case Code.GATE:
            return PolicyRole.ASKS if reason.policy is not None else "lifts"
        case Code.POLICY:
            text = source(reason.policy or "")
            # Beside a denial stands what forbids and what would have permitted; beside no other verdict does a forbid.
            alone = None if verdict == "deny" else PolicyRole.PERMITS
            return alone if text is None else role_in(text.text)
        case _:
            return "denies"


def gate_views(gates: Iterable[Gate], reasons: Iterable[Reason]) -> list[GateAnswer]:
    """Gates, each with the reason its policy gives, where that is known."""
    reason_texts = {reason.policy: reason.text for reason in reasons if reason.policy is not None}
    return [GateAnswer(policy=gate.policy, route=gate.route, reason=reason_texts.get(gate.policy)) for gate in gates]


def sees_approval(services: Services, caller: Caller, approval: Approval) -> bool:
    """Whether `caller` may know of `approval`: the admin, its requester, those who decide it."""
    match caller:
        case Admin():
            return True
        case Person(user=user):
            return approval.user == user or sees_arguments(services, caller, approval)
        case _:
            return False


def sees_arguments(services: Services, caller: Caller, approval: Approval | None) -> bool:
    """Whether `caller` may read the argument bytes of the action behind `approval`."""
    match caller:
        case Admin():
            return True
        case Person(user=user):
            catalog = services.runtime.catalog
            person = catalog.users.get(user)
            if person is None or approval is None:
                return False
            return may_read(approval, catalog.routes, catalog.users, person, services.clock.now_ms())
        case _:
            return False


def eligible(services: Services, approval: Approval) -> Mapping[str, Sequence[str]]:
    """The users whose yes may count beside those that were said, by route of `approval`, in order of names."""
    catalog = services.runtime.catalog
    return remaining_voters(approval, catalog.routes, catalog.users, services.clock.now_ms())


def approval_view(
    services: Services,
    caller: Caller,
    approval: Approval,
    proposal: Entry | None,
    *,
    listed: bool = False,
    void: VoidReason | None = None,
    edited: Entry | None = None,
) -> ApprovalAnswer:
    """`approval` as `caller` may see it; reasons and arguments only with its `proposal`.

    `listed` leaves out what only one approval by itself shows: arguments, and who may decide.
    `edited` is the proposal of what people approved in its place. `void` is why nothing can come of it (`void_reason`).
    """
    catalog = services.runtime.catalog
    person = catalog.users.get(caller.user) if isinstance(caller, Person) else None
    standing = seats(approval, catalog.routes, catalog.users)
    body = proposal.body if proposal is not None else None
    action = body if isinstance(body, ActionBody) else None
    shown = action is not None and not listed and sees_arguments(services, caller, approval)
    shows_voters = approval.state is ApprovalState.PENDING and not listed
    counted: Sequence[str] = ()
    if person is not None and void is None and approval.state is ApprovalState.PENDING:
        counted = counts_for(approval, catalog.routes, catalog.users, person, services.clock.now_ms())
    voters: Mapping[str, Sequence[str]] = eligible(services, approval) if shows_voters else {}
    missing_voters: Mapping[str, int] = shortfall(approval, catalog.routes, catalog.users) if shows_voters else {}
    edit = None if approval.edit is None else _edit_view(approval.edit, edited if shown else None)
    return ApprovalAnswer(
        id=approval.ident,
        state=approval.state.value,
        action=approval.requested,
        sid=approval.sid,
        agent=approval.agent,
        user=approval.user,
        tool=tool_name(approval.server, approval.name),
        gates=gate_views(approval.gates, action.reasons if action is not None else ()),
        seats=[
            SeatAnswer(
                route=seat.route,
                count=seat.count,
                by=list(seat.by),
                eligible=list(voters[seat.route]) if shows_voters else None,
                short=missing_voters.get(seat.route, 0),
            )
            for seat in standing
        ],
        votes=[_vote_view(vote) for vote in approval.votes],
        nonce=approval.shown,
        approved=approval.approved,
        edit=edit,
        delegations=[
            DelegationAnswer(by=delegation.by, to=delegation.to, until=instant(delegation.until_ms))
            for delegation in approval.delegations
        ],
        glass=_glass_view(approval.glass),
        reason=approval.reason,
        note=approval.note,
        superseded_by=approval.superseded_by,
        may_edit=approval.state is ApprovalState.PENDING and may_edit(approval, catalog.routes),
        refused_by=approval.refused_by,
        claimed_by=approval.claimed_by,
        opened=instant(approval.opened_ms),
        expires=instant(approval.expires_ms),
        missing=[seat.route for seat in standing if not seat.filled],
        void=None if void is None else str(void),
        may_approve=bool(counted),
        by_passkey=not set(counted).isdisjoint(wants_strong(approval, catalog.routes)),
        arguments=arguments_view(action.arguments) if action is not None and shown else None,
    )


def _vote_view(vote: Vote) -> VoteAnswer:
    return VoteAnswer(by=vote.by, at=instant(vote.at), routes=list(vote.routes), note=vote.note)


def _edit_view(edit: Edit, proposal: Entry | None) -> EditAnswer:
    body = None if proposal is None else proposal.body
    arguments = arguments_view(body.arguments) if isinstance(body, ActionBody) else None
    return EditAnswer(by=edit.by, at=instant(edit.at), action=edit.action, id=edit.record, arguments=arguments)


def _glass_view(glass: Glass | None) -> GlassAnswer | None:
    if glass is None:
        return None
    return GlassAnswer(by=glass.by, at=instant(glass.at), why=glass.why, reviewed_by=glass.reviewed_by)


def tool_name(server: str, name: str) -> str:
    """`SERVER/TOOL`; the bare name for an action that reaches no server."""
    return f"{server}/{name}" if server else name


def arguments_view(data: bytes) -> JsonValue:
    """The argument bytes as JSON; as text where they are none."""
    try:
        return plain(parse(data))
    except JsonRefused:
        return data.decode("utf-8", "replace")


def plain(value: object) -> JsonValue:
    """`value` as JSON: dataclasses and mappings as objects, bytes as their hash."""
    match value:
        case None | str() | bool() | int() | float():
            return value.value if isinstance(value, Enum) else value
        case bytes():
            return digest(value)
        case Mapping():
            items = cast("Mapping[object, object]", value)
            return {str(key): plain(item) for key, item in items.items()}
        case Sequence() | AbstractSet():
            return [plain(item) for item in cast("Iterable[object]", value)]
        case _ if is_dataclass(value):
            return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
        case _:
            return str(value)
