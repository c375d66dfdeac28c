"""How attentively people decide: `remit approvals stats`."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query

from remit.api.answers_decided import AttentionAnswer, FiguresAnswer, ProposalAnswer
from remit.api.guard import ByAdmin, GuardedRoute, With
from remit.api.moments import instant
from remit.api.services import Services
from remit.api.views import tool_name
from remit.escalate.attention import HASTY_MS, SAME_MIN, AskRecord, VoteTiming, figures, proposals
from remit.escalate.eligibility import routes_of
from remit.escalate.machine import OPEN, UNDER_WAY, Approval, ApprovalState
from remit.facts.durations import DAY_MS
from remit.facts.record import Ref
from remit.facts.strictjson import JsonRefused, parse
from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody, Choice, DecisionBody

router = APIRouter(route_class=GuardedRoute, tags=["approvals"])
ASKS_MAX: Final = 2_000
DAYS_MAX: Final = 366


@router.get("/approval-stats")
async def stats(services: With, _: ByAdmin, days: Annotated[int, Query(ge=1, le=DAYS_MAX)] = 30) -> AttentionAnswer:
    """Decisions of the last `days` as figures, by person and route, and the habits that could be rules."""
    since_ms = services.clock.now_ms() - days * DAY_MS
    approvals: dict[str, Approval | None] = {}
    timings: list[VoteTiming] = []
    for entry in await services.runtime.decisions_since(since_ms):
        timings += await _timings(services, entry, approvals)
    latest = await services.ledger.approvals(open_only=False, limit=ASKS_MAX)
    asks = [await _ask(services, one) for one in latest if one.opened_ms >= since_ms]
    return AttentionAnswer(
        since=instant(since_ms),
        hasty_ms=HASTY_MS,
        people=[
            FiguresAnswer(
                person=one.person,
                route=one.route,
                asks=one.asks,
                approved=one.approved,
                median_ms=one.median_ms,
                hasty=one.hasty,
                edited=one.edited,
            )
            for one in figures(timings)
        ],
        same_min=SAME_MIN,
        proposals=[
            ProposalAnswer(
                agent=one.agent,
                tool=one.tool,
                policies=list(one.policies),
                asks=one.asks,
                spared=one.spared,
                held=list(one.constants),
                cedar=one.cedar,
            )
            for one in proposals([ask for ask in asks if ask is not None])
        ],
    )


async def _timings(services: Services, entry: Entry, approvals: dict[str, Approval | None]) -> Sequence[VoteTiming]:
    body = entry.body
    if not isinstance(body, DecisionBody) or body.choice not in {Choice.APPROVE, Choice.DENY}:
        return ()
    if body.approval not in approvals:
        approvals[body.approval] = await services.ledger.approval(body.approval)
    approval = approvals[body.approval]
    if approval is None:
        return ()
    approved = body.choice is Choice.APPROVE
    took_ms = max(0, entry.record.at - approval.opened_ms)
    routes = body.routes if approved else routes_of(approval)
    return [VoteTiming(body.by, route, approved, took_ms, body.edit is not None) for route in routes]


async def _ask(services: Services, approval: Approval) -> AskRecord | None:
    """`approval` as it ended; None while it has not, or where nobody said anything."""
    if approval.state in OPEN | UNDER_WAY or approval.state in {ApprovalState.CANCELLED, ApprovalState.SUPERSEDED}:
        return None
    entry = await services.ledger.entry(Ref.parse(approval.ident))
    body = None if entry is None else entry.body
    if not isinstance(body, ActionBody):
        return None
    try:
        arguments = parse(body.arguments)
    except JsonRefused:
        return None
    policies = tuple(sorted({gate.policy for gate in approval.gates}))
    approved = approval.state not in {ApprovalState.DENIED, ApprovalState.EXPIRED}
    tool = tool_name(approval.server, approval.name)
    arguments = arguments if isinstance(arguments, dict) else {}
    return AskRecord(approval.agent, tool, policies, arguments, approved, approval.edit is not None)
