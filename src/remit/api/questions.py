"""Routes of questions: may this be done, and why was that decided."""

from functools import partial
from typing import Final

from fastapi import APIRouter
from pydantic import JsonValue

from remit.api.access import CONCERNS
from remit.api.answers_decided import ApprovalAnswer, CanAnswer
from remit.api.answers_recorded import (
    ActionAnswer,
    ChainLinkAnswer,
    OutcomeAnswer,
    PolicyAnswer,
    ReceiptAnswer,
    RecordedAnswer,
    SettlementAnswer,
    WhyAnswer,
)
from remit.api.authenticator import Admin, Person
from remit.api.concern import concerns
from remit.api.guard import ByReader, GuardedRoute, With
from remit.api.limits import limits, limits_of
from remit.api.lineage import values
from remit.api.marks import marks
from remit.api.problem import Problem, forbidden, not_found
from remit.api.record_story import recorded_answer
from remit.api.requests import CanRequest, RefPath
from remit.api.services import ServiceRuntime, Services
from remit.api.views import (
    approval_view,
    arguments_view,
    gate_views,
    instant,
    plain,
    reason_view,
    sees_approval,
    sees_arguments,
    tool_name,
)
from remit.api.void_approvals import void_reason
from remit.api.withdrawals import withdrawal_reason
from remit.control.authority import derived_sid, links
from remit.control.problems import did_you_mean
from remit.escalate.machine import Approval
from remit.facts.action import ActionKind
from remit.facts.agent import Authority
from remit.facts.catalog import Catalog
from remit.facts.durations import MINUTE_MS
from remit.facts.record import Ref
from remit.pdp.decision import Decision
from remit.policy.verdict import Code, Deny, Escalate, Permit, word
from remit.ports.ledger import Entry, Ledger
from remit.trace.bodies import UNANSWERED, ActionBody, AdminBody, DecisionBody, ExchangeBody, OutcomeBody
from remit.trace.spent import spends

router = APIRouter(route_class=GuardedRoute, tags=["questions"])

_OF_ARGUMENTS: Final = frozenset({"input", "cut", "obliged"})
"""Facts that tell arguments again: as policy saw them, how what is not kept whole begins, which hosts they name."""


@router.post("/can")
async def can(request: CanRequest, services: With, caller: ByReader) -> CanAnswer:
    """Would this call be permitted now? No record, no counter, no effect."""
    user = request.user
    if isinstance(caller, Person):
        if user not in {None, caller.user}:
            raise forbidden("a user asks on his own behalf; leave `user` out")
        user = caller.user
    agents = (request.agent, *request.chain)
    if len(set(agents)) != len(agents):
        raise Problem(400, "malformed request", why="an agent stands in the chain twice")
    root = await _root(request.sid, request.agent, user, services)
    authority = Authority(
        links=links(root, agents),
        user=user,
        token="",
        expires_ms=services.clock.now_ms() + MINUTE_MS,
    )
    decision = await services.driver.authorization.can(
        authority, request.server, request.tool, request.arguments, ActionKind(request.kind)
    )
    return _can_answer(decision, _hint(request, decision, services.runtime.catalog), services.runtime)


async def _root(sid: str | None, agent: str, user: str | None, services: Services) -> str:
    if sid is None:
        # A session that nobody is in: derived from a name that no root can have.
        return derived_sid("nobody", (agent,))
    session = await services.ledger.session(sid)
    if session is None or session.user != user:
        raise not_found(f"session: {sid}", "remit sessions ls")
    if session.agent != agent:
        raise Problem(409, "this session is another's", why=f"it belongs to {session.agent}")
    return sid


def _hint(request: CanRequest, decision: Decision, catalog: Catalog) -> str | None:
    """What a name that is not known may have been meant to be, or what lists those that are.

    Said here and not by `decide`, whose reasons agents read too: what is like a name is not theirs to learn.
    """
    first = decision.reasons[0]
    match first.code:
        case Code.UNKNOWN_AGENT:
            word, names, kind = first.agent or request.agent, list(catalog.agents), "agents"
        case Code.UNKNOWN_USER:
            word, names, kind = request.user or "", list(catalog.users), "users"
        case Code.UNKNOWN_SERVER:
            word, names, kind = request.server, list(catalog.servers), "servers"
        case Code.UNKNOWN_TOOL:
            word, names = request.tool, [name for server, name in catalog.tools if server == request.server]
            kind = "tools"
        case _:
            return None
    # Those that nobody accepted yet are no resources, and listed with the others there alone.
    listing = "remit tools ls" if first.code is Code.UNKNOWN_TOOL else f"remit get {kind}"
    return did_you_mean(word, names) or f"next: {listing}"


def _can_answer(decision: Decision, hint: str | None, runtime: ServiceRuntime) -> CanAnswer:
    effective, source = word(decision.observed or decision.verdict), partial(runtime.policy_text, runtime.digest)
    match decision.verdict:
        case Escalate(gates=gates, obligations=obligations):
            pass
        case Permit(obligations=obligations):
            gates = ()
        case Deny():
            gates, obligations = (), ()
    return CanAnswer(
        verdict=word(decision.verdict),
        observed=None if decision.observed is None else word(decision.observed),
        reasons=[reason_view(reason, effective, source) for reason in decision.reasons],
        gates=gate_views(gates, decision.reasons),
        obligations=list(obligations),
        hint=hint,
    )


@router.get("/why/{ref}")
async def why(ref: RefPath, services: With, caller: ByReader) -> WhyAnswer | RecordedAnswer:
    """Who decided what, why and on whose authority; of a record that judges no action what it says and leads to."""
    entry = await _decision_record(Ref.parse(ref), services)
    body = None if entry is None else entry.body
    if entry is not None and isinstance(body, AdminBody) and await concerns(services, caller, ref):
        return await recorded_answer(services, entry, body)
    if entry is None or not isinstance(body, ActionBody):
        raise _not_visible(caller, ref, entry)
    approval = await _approval(entry, body, services)
    visible = sees_arguments(services, caller, approval) or _his(caller, body)
    if not visible and not await concerns(services, caller, f"{entry.record.chain}.{entry.record.seq}", body):
        raise _not_visible(caller, ref, entry)
    return await _why(services, caller, entry, body, approval)


async def _why(
    services: Services, caller: Admin | Person, entry: Entry, body: ActionBody, approval: Approval | None
) -> WhyAnswer:
    """All that `caller`, who may see the decision `entry`, is told of it."""
    place = Ref(entry.record.chain, entry.record.seq)
    arguments = sees_arguments(services, caller, approval)
    outcome, settled = await _ends(place, services.ledger)
    effective, source = body.observed or body.verdict, partial(services.runtime.policy_text, entry.record.bundle)
    in_doubt = settled is None and await _is_in_doubt(place, outcome, services.ledger)
    return WhyAnswer(
        id=str(place),
        kind=entry.record.kind.value,
        at=instant(entry.record.at),
        bundle=entry.record.bundle,
        sid=entry.record.sid,
        receipt=ReceiptAnswer(id=str(place), hash=entry.hash),
        action=_action(body, arguments=arguments),
        facts=_facts(body, whole=arguments),
        labels=list(body.labels),
        verdict=body.verdict,
        observed=body.observed,
        reasons=[reason_view(reason, effective, source) for reason in body.reasons],
        gates=gate_views(body.gates, body.reasons),
        obligations=list(body.obligations),
        policies=_policies(entry, body, services),
        limits=limits(services, entry.record.bundle, body),
        values=await values(body, services.ledger) if arguments else None,
        marks=marks(services, entry, outcome, settled),
        approval=await _approval_answer(services, caller, approval),
        outcome=None if outcome is None else _outcome(outcome),
        settled=None if settled is None else _settlement(settled),
        in_doubt=in_doubt,
        stays_spent=settled is None and outcome is not None and _stays_spent(outcome, body),
    )


async def _approval_answer(
    services: Services, caller: Admin | Person, approval: Approval | None
) -> ApprovalAnswer | None:
    """The approval as `caller` may see it."""
    if approval is None or not sees_approval(services, caller, approval):
        return None
    proposal = await services.ledger.entry(Ref.parse(approval.ident))
    void = await void_reason(services, approval, proposal)
    answer = approval_view(services, caller, approval, proposal, listed=True, void=void)
    return answer.model_copy(update={"withdrawn": await withdrawal_reason(services, approval)})


async def _decision_record(ref: Ref, services: Services) -> Entry | None:
    """The record at `ref`; of an outcome or a round the intent, of a vote the proposal that it is about."""
    entry = await services.ledger.entry(ref)
    match None if entry is None else entry.body:
        case OutcomeBody(intent=about) | ExchangeBody(intent=about) | DecisionBody(approval=about):
            return await services.ledger.entry(Ref.parse(about))
        case _:
            return entry


def _not_visible(caller: Admin | Person, ref: str, entry: Entry | None) -> Problem:
    """Why `caller` is told nothing of `ref`. A user does not learn whether there is such a record."""
    if isinstance(caller, Person):
        seen = "a user sees what acts for him, what he decides, and what incidents name that he handles"
        return Problem(404, f"no such decision: {ref}", why=seen, next=CONCERNS)
    if entry is None:
        return not_found(f"decision: {ref}", "remit logs")
    return Problem(404, f"{ref} tells nothing", why="its body was erased", next="remit logs")


async def _approval(entry: Entry, body: ActionBody, services: Services) -> Approval | None:
    ident = body.approval
    if ident is None and body.verdict == "escalate":
        ident = f"{entry.record.chain}.{entry.record.seq}"
    return None if ident is None else await services.ledger.approval(ident)


def _his(caller: Admin | Person, body: ActionBody) -> bool:
    return isinstance(caller, Admin) or body.user == caller.user


def _action(body: ActionBody, *, arguments: bool) -> ActionAnswer:
    return ActionAnswer(
        kind=body.kind,
        tool=tool_name(body.server, body.name),
        hash=body.action,
        pin=body.pin,
        user=body.user,
        links=[ChainLinkAnswer(agent=agent, sid=sid) for agent, sid in body.links],
        token=body.token,
        arguments=arguments_view(body.arguments) if arguments else None,
    )


def _facts(body: ActionBody, *, whole: bool) -> dict[str, JsonValue]:
    # `origins` are told as values.
    hidden = {"origins"} if whole else {"origins", *_OF_ARGUMENTS}
    return {name: plain(value) for name, value in body.context.items() if name not in hidden}


def _policies(entry: Entry, body: ActionBody, services: Services) -> list[PolicyAnswer]:
    policies = dict.fromkeys(reason.policy for reason in body.reasons if reason.policy is not None)
    for limit in limits_of(body):
        del policies[limit]
    answers: list[PolicyAnswer] = []
    for policy in policies:
        text = services.runtime.policy_text(entry.record.bundle, policy)
        answers.append(
            PolicyAnswer(
                id=policy,
                where=None if text is None else f"{text.path}:{text.line}",
                lines=[] if text is None else text.text.splitlines(),
            )
        )
    return answers


def _outcome(entry: Entry) -> OutcomeAnswer | None:
    body = entry.body
    if not isinstance(body, OutcomeBody):
        return None
    ident = f"{entry.record.chain}.{entry.record.seq}"
    return OutcomeAnswer(
        id=ident,
        at=instant(entry.record.at),
        status=body.status.value,
        elapsed_ms=body.elapsed_ms,
        labels=list(body.labels),
        result=body.result,
        result_bytes=body.result_bytes,
        error=body.error,
        receipt=ReceiptAnswer(id=ident, hash=entry.hash),
    )


async def _ends(place: Ref, ledger: Ledger) -> tuple[Entry | None, Entry | None]:
    """The outcome of the intent at `place`, and what a person said of it."""
    last = await ledger.outcome_of(place)
    if last is None or not isinstance(last.body, AdminBody):
        return last, None
    before = last.body.data.get("outcome")
    return (None if before is None else await ledger.entry(Ref.parse(str(before)))), last


def _settlement(entry: Entry) -> SettlementAnswer | None:
    body = entry.body
    if not isinstance(body, AdminBody):
        return None
    return SettlementAnswer(
        id=f"{entry.record.chain}.{entry.record.seq}",
        at=instant(entry.record.at),
        by=body.by,
        happened=body.data.get("happened") is True,
        why=str(body.data.get("why", "")),
    )


def _stays_spent(outcome: Entry, intent: ActionBody) -> bool:
    return isinstance(outcome.body, OutcomeBody) and spends(outcome.body, intent.charges)


async def _is_in_doubt(place: Ref, outcome: Entry | None, ledger: Ledger) -> bool:
    if outcome is not None:
        return isinstance(outcome.body, OutcomeBody) and outcome.body.status in UNANSWERED
    return any(item.ref == place for item in await ledger.in_doubt())
