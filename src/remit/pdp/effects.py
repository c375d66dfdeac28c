"""A ruling and the effects that carry it out: what must be recorded, and what happens next."""

from collections.abc import Mapping
from typing import Final, NamedTuple, assert_never

from remit.facts.action import Action, ActionKind
from remit.facts.canonical import Json, digest
from remit.facts.label import NONE
from remit.facts.mark import Mark
from remit.facts.record import RecordKind
from remit.pdp import decision
from remit.pdp.decision import Append, Decision, Forward, Hold, Refuse, Reshape, Resolve
from remit.pdp.past import marks_of
from remit.pdp.snapshot import Snapshot
from remit.policy.context import Facts
from remit.policy.destination import Destination
from remit.policy.verdict import Code, Deny, Escalate, Gate, Permit, Reason, Verdict, word
from remit.protect.budgets import charges_of
from remit.protect.detect.detectors import NOTHING
from remit.trace.bodies import ActionBody, ExchangeBody, MidCall, StoreWrite

_CUT: Final = "cut"
"""What the context of a record has of arguments that are not kept whole."""
_UNREAD: Final = frozenset(
    {
        Code.UNKNOWN_AGENT,
        Code.UNKNOWN_USER,
        Code.UNKNOWN_SERVER,
        Code.UNKNOWN_TOOL,
        Code.UNKNOWN_METHOD,
        Code.TOOL_UNREVIEWED,
        Code.TOOL_DRIFTED,
        Code.TOOL_MISSING,
        Code.TOOL_UNTYPABLE,
        Code.TOOL_UNVERIFIED,
        Code.ARG_INVALID,
        Code.ARG_TOO_LARGE,
        Code.SESSION_ENDED,
    }
)
"""Denied for what it is called, or its form: no policy looked at the arguments."""
_UNREAD_BYTES_MAX: Final = 4 * 1024
_BEGINS_BYTES: Final = 512


class Ruling(NamedTuple):
    """A verdict on the way to a decision.

    `facts` and `destination` are None where the action never got that far; `approval` is the one that
    lifted its gates, `grants` are those that did. `first` has to be done before it can be one.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    facts: Facts | None = None
    destination: Destination | None = None
    observed: Verdict | None = None
    approval: str | None = None
    grants: tuple[str, ...] = ()
    first: Reshape | Resolve | None = None

    @property
    def pin(self) -> str:
        """The pin of the tool that it reaches, or nothing."""
        return "" if self.destination is None else self.destination.pin

    @property
    def reaches(self) -> tuple[str, ...]:
        """The kinds of its targets (`facts.novelty`), where a policy asked."""
        return () if self.facts is None or self.facts.novelty is None else self.facts.novelty.kinds


def decision_of(snapshot: Snapshot, action: Action, ruling: Ruling, now_ms: int) -> Decision:
    """`ruling` as a decision: its record first, then forward, hold or refuse."""
    effects: tuple[decision.Effect, ...]
    if ruling.first is not None:
        return Decision(ruling.verdict, ruling.reasons, (ruling.first,), ruling.observed)
    match ruling.verdict:
        case Permit():
            effects = _forward(snapshot, action, ruling, now_ms)
        case Escalate():
            body = _body(snapshot, action, ruling, now_ms)
            routes = snapshot.bundle.catalog.routes
            hold_s = min(routes[gate.route].hold_s for gate in ruling.verdict.gates)
            effects = (Append(RecordKind.PROPOSAL, body), Hold(hold_s))
        case Deny():
            body = _body(snapshot, action, ruling, now_ms)
            effects = (Append(RecordKind.PROPOSAL, body), Refuse())
        case _:
            assert_never(ruling.verdict)
    sends = None if ruling.facts is None else ruling.facts.sends
    return Decision(ruling.verdict, ruling.reasons, effects, ruling.observed, sends or NOTHING)


def _forward(snapshot: Snapshot, action: Action, ruling: Ruling, now_ms: int) -> tuple[decision.Effect, ...]:
    destination, within = ruling.destination, action.within
    assert destination is not None, "what is permitted reaches something"  # noqa: S101
    if within is not None:
        round_ = ExchangeBody(
            intent=within.intent,
            number=within.number,
            passed=MidCall.RESPONSES,
            sids=action.authority.sids,
            labels=(),
            content=digest(within.responses),
            content_bytes=len(within.responses),
            approval=None if ruling.approval == within.approval else ruling.approval,
            reasons=ruling.reasons,
            stored=_stored(snapshot, ruling),
            questions=digest(within.questions),
        )
        return Append(RecordKind.EXCHANGE, round_), Forward(destination, action.arguments)
    body = _body(snapshot, action, ruling, now_ms, _stored(snapshot, ruling))
    if action.kind is ActionKind.DELEGATE:
        return (Append(RecordKind.INTENT, body),)
    return Append(RecordKind.INTENT, body), Forward(destination, action.arguments)


def _body(
    snapshot: Snapshot, action: Action, ruling: Ruling, now_ms: int, stored: StoreWrite | None = None
) -> ActionBody:
    verdict, destination, facts = ruling.verdict, ruling.destination, ruling.facts
    # Neither the arguments that nothing veils nor a hash of them, which would let them be guessed.
    hidden = has_unveiled_secrets(snapshot, action)
    cut = not hidden and _is_cut(action, ruling)
    gates: tuple[Gate, ...] = ()
    expires_ms: int | None = None
    if isinstance(verdict, Escalate):
        gates = verdict.gates
        routes = snapshot.bundle.catalog.routes
        expires_ms = now_ms + int(min(routes[gate.route].expires_s for gate in gates) * 1000)
    return ActionBody(
        action="" if hidden else _hash(action, ruling.pin),
        kind=action.kind.value,
        server=action.server,
        name=action.name,
        pin=ruling.pin,
        user=action.authority.user,
        links=tuple([(link.agent, link.sid) for link in action.authority.links]),
        token=action.authority.token,
        verdict=word(verdict),
        observed=None if ruling.observed is None else word(ruling.observed),
        reasons=ruling.reasons,
        gates=gates,
        obligations=() if isinstance(verdict, Deny) else verdict.obligations,
        approval=ruling.approval,
        expires_ms=expires_ms,
        irreversible=destination is not None and destination.irreversible,
        labels=tuple(sorted(NONE if facts is None else facts.labels)),
        source=() if destination is None else destination.brings,
        context={_CUT: _beginning(action)} if cut else _context(action, ruling),
        arguments=b"" if hidden or cut else _visible_arguments(action),
        trace=action.trace,
        stored=stored,
        grants=ruling.grants,
        # For those who are asked, and for nobody else.
        said=action.stated_reason if isinstance(verdict, Escalate) else None,
        reaches=ruling.reaches,
        charges=charges_of(snapshot.draws) if snapshot.draws and isinstance(verdict, Permit) else (),
        marks=_marks(snapshot, action, ruling, now_ms),
    )


def _is_cut(action: Action, ruling: Ruling) -> bool:
    """Whether its arguments would fill the ledger for nothing: anybody may send any, and nothing looked at them."""
    if ruling.facts is not None or len(action.recorded) <= _UNREAD_BYTES_MAX:
        return False
    return any(reason.code in _UNREAD for reason in ruling.reasons)


def _beginning(action: Action) -> Mapping[str, Json]:
    arguments = action.recorded
    beginning = arguments[:_BEGINS_BYTES].decode("utf-8", "ignore")
    return {"bytes": len(arguments), "digest": digest(arguments), "begins": beginning}


def _context(action: Action, ruling: Ruling) -> Mapping[str, Json]:
    """What policy looked at, and, where obligations changed the arguments, what had been asked for."""
    facts: Mapping[str, Json] = {} if ruling.facts is None else ruling.facts.recorded()
    if action.shaping is None:
        return facts
    tool = None if ruling.destination is None else ruling.destination.tool
    # Of what reaches nothing that is known nobody can say what is secret.
    secrets = tuple(action.shaping.numbers) if tool is None else tool.secrets
    return {**facts, "obliged": action.shaping.to_json(secrets)}


def _marks(snapshot: Snapshot, action: Action, ruling: Ruling, now_ms: int) -> tuple[Mark, ...]:
    match ruling.verdict:
        case Permit():
            return marks_of(snapshot, action, ruling.destination, now_ms, denied=False)
        case Deny():
            return marks_of(snapshot, action, ruling.destination, now_ms, denied=True)
        case Escalate():
            return ()
        case _:
            assert_never(ruling.verdict)


def has_unveiled_secrets(snapshot: Snapshot, action: Action) -> bool:
    """Whether the arguments hold secrets that nothing veils: they are neither judged nor recorded."""
    if action.veiled is not None or action.kind is not ActionKind.CALL_TOOL:
        return False
    try:
        tool = snapshot.bundle.catalog.tools.get((action.server, action.name))
    except AttributeError:
        # The snapshot is broken: whether they do cannot be known, and so they are not recorded.
        return True
    return tool is not None and bool(tool.secrets)


def _stored(snapshot: Snapshot, ruling: Ruling) -> StoreWrite | None:
    """What the action may write to stores, as far as that is new there: all its chain holds, and all it may bring."""
    stores, facts, destination = snapshot.stores, ruling.facts, ruling.destination
    if not stores.writes or facts is None or destination is None:
        return None
    labels = facts.labels.union(destination.brings, facts.sent_labels)
    if stores.full:
        labels |= snapshot.bundle.labels
    return None if labels <= stores.labels_there else StoreWrite(stores.writes, tuple(sorted(labels)))


def _visible_arguments(action: Action) -> bytes:
    """What people see: the arguments of the action; in a round of it the responses they decide on, and to what."""
    within = action.within
    if within is None:
        return action.recorded
    members = (action.recorded, within.responses, within.number, within.questions)
    return b'{"arguments":%s,"responses":%s,"round":%d,"questions":%s}' % members


def _hash(action: Action, pin: str) -> str:
    """The action's hash, or nothing for what has no canonical form and so cannot be approved."""
    try:
        return action.hash(pin)
    except ValueError:
        return ""
