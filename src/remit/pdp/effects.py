"""A ruling and the effects that carry it out: what must be recorded, and what happens next."""

from dataclasses import dataclass
from typing import assert_never

from remit.facts.action import Action
from remit.facts.catalog import Effect, Tool
from remit.facts.label import NONE, closed
from remit.facts.record import RecordKind
from remit.pdp import decision
from remit.pdp.decision import Append, Decision, Forward, Hold, Refuse
from remit.pdp.snapshot import Snapshot
from remit.policy.context import Facts
from remit.policy.verdict import Deny, Escalate, Gate, Permit, Reason, Verdict, word
from remit.trace.bodies import ActionBody


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict on the way to a decision.

    `facts` and `tool` are None where the action never got that far, or has none; `approval` is
    the one that lifted its gates.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    facts: Facts | None = None
    tool: Tool | None = None
    observed: Verdict | None = None
    approval: str | None = None

    @property
    def pin(self) -> str:
        """The pin of the tool, or nothing."""
        return "" if self.tool is None else self.tool.pin


def decision_of(snapshot: Snapshot, action: Action, ruling: Ruling, now_ms: int) -> Decision:
    """`ruling` as a decision: its record first, then forward, hold or refuse."""
    body = _body(snapshot, action, ruling, now_ms)
    effects: tuple[decision.Effect, ...]
    match ruling.verdict:
        case Permit():
            effects = (Append(RecordKind.INTENT, body),)
            if ruling.tool is not None:
                effects = (*effects, Forward(ruling.tool, action.arguments))
        case Escalate():
            routes = snapshot.bundle.catalog.routes
            hold_s = min(routes[gate.route].hold_s for gate in ruling.verdict.gates)
            effects = (Append(RecordKind.PROPOSAL, body), Hold(hold_s))
        case Deny():
            effects = (Append(RecordKind.PROPOSAL, body), Refuse())
        case _:
            assert_never(ruling.verdict)
    return Decision(ruling.verdict, ruling.reasons, effects, ruling.observed)


def _body(snapshot: Snapshot, action: Action, ruling: Ruling, now_ms: int) -> ActionBody:
    verdict, tool, facts = ruling.verdict, ruling.tool, ruling.facts
    gates: tuple[Gate, ...] = ()
    expires_ms: int | None = None
    if isinstance(verdict, Escalate):
        gates = verdict.gates
        routes = snapshot.bundle.catalog.routes
        expires_ms = now_ms + int(min(routes[gate.route].expires_s for gate in gates) * 1000)
    return ActionBody(
        action=_hash(action, ruling.pin),
        kind=action.kind.value,
        server=action.server,
        name=action.name,
        pin=ruling.pin,
        user=action.authority.user,
        links=tuple((link.agent, link.sid) for link in action.authority.links),
        token=action.authority.token,
        verdict=word(verdict),
        observed=None if ruling.observed is None else word(ruling.observed),
        reasons=ruling.reasons,
        gates=gates,
        obligations=() if isinstance(verdict, Deny) else verdict.obligations,
        approval=ruling.approval,
        expires_ms=expires_ms,
        irreversible=tool is not None and tool.effect is Effect.IRREVERSIBLE,
        labels=tuple(sorted(NONE if facts is None else facts.labels)),
        source=() if tool is None else tuple(sorted(closed(tool.source))),
        context={} if facts is None else facts.recorded(),
        arguments=action.arguments,
    )


def _hash(action: Action, pin: str) -> str:
    """The action's hash, or nothing for what has no canonical form and so cannot be approved."""
    try:
        return action.hash(pin)
    except ValueError:
        return ""
