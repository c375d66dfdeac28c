"""The brief of one approval, put together: what waits, why, on whose authority, and what would need nobody."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from remit.api.answers_decided import (
    BriefAnswer,
    LineAnswer,
    PreviewAnswer,
    RemarkAnswer,
    SaferAnswer,
    SpanAnswer,
    StopAnswer,
)
from remit.api.lineage import lineage
from remit.api.moments import instant
from remit.api.services import PolicyText, Services
from remit.api.views import tool_name
from remit.api.withdrawals import withdrawal_reason
from remit.assure.alternatives import candidates, precedent
from remit.escalate.brief import BlockingPolicy, Brief, BriefInput, BriefLine, BriefPreview, Safer, defaults_of
from remit.escalate.concern import concerned
from remit.escalate.machine import OPEN, Approval
from remit.escalate.wording import TextSpan, shortened, spelled
from remit.facts.action import ActionKind
from remit.facts.agent import Authority, Link
from remit.facts.canonical import Json
from remit.facts.durations import MINUTE_MS
from remit.facts.impact import MEASURES, NONE
from remit.facts.lineage import Lineage
from remit.facts.obligation import Cap, NoObligationError, parsed
from remit.facts.record import Ref
from remit.facts.strictjson import JsonRefused, parse
from remit.facts.tool import Tool
from remit.policy.form import AttributePath, UnreadablePolicy, form_of
from remit.policy.parse import Statement
from remit.policy.verdict import Gate, Permit
from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody

LOOKED_MAX: Final = 1_000
"""How many of the latest approvals are looked through for those of the same shape."""
SAFER_MAX: Final = 2
NAME_CHARS_MAX: Final = 60
_ANOTHER: Final = "this policy is another by now: the call is judged by that, and people may be asked anew"


async def case_of(services: Services, approval: Approval, proposal: Entry | None) -> BriefInput | None:
    """What is known of `approval`; None where the body of its `proposal` is gone."""
    original = None if proposal is None else proposal.body
    if approval.edit is not None:
        # People are shown what would run, not what was asked for.
        proposal = await services.ledger.entry(Ref.parse(approval.edit.record))
    body = None if proposal is None else proposal.body
    if proposal is None or not isinstance(body, ActionBody):
        return None
    values = await lineage(body, services.ledger)
    stops, accesses = _stops(services, proposal.record.bundle, approval, body)
    tool = services.runtime.catalog.tools.get((body.server, body.name))
    judged = [*values, *defaults_of(tool, values)]
    earlier = await services.ledger.approvals(open_only=False, limit=LOOKED_MAX)
    return BriefInput(
        approval=approval,
        kind=ActionKind(body.kind),
        links=body.links,
        values=values,
        stops=stops,
        size=len(body.arguments),
        about=concerned(accesses, judged, NONE if tool is None else tool.impact),
        labels=frozenset(body.labels),
        tool=tool if body.kind == ActionKind.CALL_TOOL.value else None,
        impact={**magnitudes(body), **caps(body, partial(services.runtime.policy_text, proposal.record.bundle))},
        reason=original.said if isinstance(original, ActionBody) else None,
        precedent=precedent(earlier, approval),
        foreseen=services.driver.approvals.foreseen(approval) if body.kind == ActionKind.CALL_TOOL.value else None,
        safer=await _safer(services, body, tool, values),
        server=services.runtime.catalog.servers.get(body.server),
        withdrawn=await withdrawal_reason(services, approval),
    )


def brief_view(brief: Brief) -> BriefAnswer:
    """`brief` as it is answered."""
    return BriefAnswer(
        what=_spans(brief.what),
        shows=_lines(brief.shows),
        preview=None if brief.preview is None else _preview(brief.preview),
        stops=[
            StopAnswer(policy=one.policy, route=one.route, text=one.text, where=one.where, lines=list(one.lines))
            for one in brief.stops
        ],
        chain=_lines(brief.chain),
        values=_lines(brief.values),
        unlisted=brief.unlisted,
        impact=_lines(brief.impact),
        precedent=brief.precedent,
        safer=[SaferAnswer(change=one.change, tool=one.tool, arguments=one.arguments) for one in brief.safer],
        reason=_spans(brief.reason),
        remarks=[RemarkAnswer(by=one.by, did=one.act, text=one.text) for one in brief.remarks],
        expires=instant(brief.expires_ms),
        zero=brief.zero,
        careful=brief.careful,
        whole=brief.whole,
    )


def _preview(preview: BriefPreview) -> PreviewAnswer:
    return PreviewAnswer(by=preview.by, lines=list(preview.lines), labels=list(preview.labels), why=preview.why)


def _spans(spans: Iterable[TextSpan]) -> list[SpanAnswer]:
    return [SpanAnswer(text=span.text, mark=span.mark) for span in spans]


def _lines(lines: Iterable[BriefLine]) -> list[LineAnswer]:
    return [LineAnswer(label=one.label, text=_spans(one.spans), note=one.note, gate=one.gate) for one in lines]


def _stops(
    services: Services, bundle: str, approval: Approval, body: ActionBody
) -> tuple[Sequence[BlockingPolicy], Sequence[AttributePath]]:
    """Each gate with its policy's lines, and what these policies look at."""
    reasons = {reason.policy: reason for reason in body.reasons if reason.policy is not None}
    stops: list[BlockingPolicy] = []
    accesses: list[AttributePath] = []
    for gate in approval.gates:
        policy = services.runtime.policy_text(bundle, gate.policy)
        reason = reasons.get(gate.policy)
        text = f"policy {gate.policy} asks for a person" if reason is None else reason.text
        if approval.state in OPEN and _is_another(services, gate):
            text += f" ({_ANOTHER})"
        where = None if policy is None else f"{policy.path}:{policy.line}"
        lines = () if policy is None else tuple(policy.text.splitlines())
        stops.append(BlockingPolicy(gate.policy, gate.route, text, where, lines))
        if policy is not None:
            accesses += _accesses(Statement(policy.path, policy.line, 1, policy.text))
    return stops, accesses


def _is_another(services: Services, gate: Gate) -> bool:
    """Whether the running bundle has not the gate that people are asked to lift, but another or none in its place."""
    found = services.runtime.policy_text(services.runtime.digest, gate.policy)
    return found is None or Statement(found.path, found.line, 1, found.text).text_hash != gate.text_hash


def _accesses(statement: Statement) -> Sequence[AttributePath]:
    try:
        return tuple(form_of(statement).accesses)
    except UnreadablePolicy:
        # What it looks at cannot be told: it may be about anything.
        return (AttributePath("context", (), has=False),)


def magnitudes(body: ActionBody) -> Mapping[str, str]:
    """How much it moves, what is new about it and how sure the agent is said to be, as far as policy asked.

    And the obligations under which it would run, since what is shown is as they made it, and the agent may have asked
    for more.
    """
    figures: dict[str, str] = {}
    impact, novelty, session = (body.context.get(name) for name in ("impact", "novelty", "session"))
    if isinstance(impact, Mapping):
        figures |= {name: str(impact[name]) for name in MEASURES if impact.get(name) is not None}
    if isinstance(novelty, Mapping):
        new = [name for name in ("tool", "target") if novelty.get(name) is True]
        if new:
            figures["new to this agent"] = " and ".join(
                {"tool": "the tool", "target": "such a target"}[one] for one in new
            )
    confidence = session.get("confidence") if isinstance(session, Mapping) else None
    if isinstance(confidence, Mapping):
        figures["confidence"] = f"{confidence.get('value')}, says the {confidence.get('source')}"
    if body.obligations:
        figures["obligations"] = f"{', '.join(body.obligations)}; what is shown is as they would have it"
    return figures


def caps(body: ActionBody, text_of: Callable[[str], PolicyText | None]) -> Mapping[str, str]:
    """The numbers that caps set: what was asked, what would run, and by which policies, whose text `text_of` has."""
    obliged, arguments = body.context.get("obliged"), _arguments(body) or {}
    numbers = obliged.get("numbers") if isinstance(obliged, Mapping) else None
    if not isinstance(numbers, Mapping):
        return {}
    policies = sorted({reason.policy for reason in body.reasons if reason.policy is not None})
    caps = {policy: _cap(text_of(policy)) for policy in policies}
    figures: dict[str, str] = {}
    for name, requested in numbers.items():
        runs = arguments.get(name)
        by = ", ".join(
            policy for policy, cap in caps.items() if cap is not None and (cap.argument, cap.maximum) == (name, runs)
        )
        text = f"asked {'nothing' if requested is None else spelled(requested)}, would run with {spelled(runs)}"
        figures[f"capped {shortened(name, NAME_CHARS_MAX)}"] = text + (f", by policy {by}" if by else "")
    return figures


def _cap(source: PolicyText | None) -> Cap | None:
    """The cap that a policy brings; None where it brings none, or its text is not at hand."""
    if source is None:
        return None
    try:
        text = form_of(Statement(source.path, source.line, 1, source.text)).annotations.get("obligation", "")
        obligation = parsed(text)
    except (UnreadablePolicy, NoObligationError):
        return None
    return obligation if isinstance(obligation, Cap) else None


async def _safer(services: Services, body: ActionBody, tool: Tool | None, values: Sequence[Lineage]) -> Sequence[Safer]:
    """Calls that policy permits the same chain without asking anybody, as it is now."""
    original = _arguments(body)
    if tool is None or original is None or body.kind != ActionKind.CALL_TOOL.value or tool.secrets:
        return ()
    now_ms = services.clock.now_ms()
    links = tuple(Link(agent, sid) for agent, sid in body.links)
    authority = Authority(links, body.user, body.token, now_ms + MINUTE_MS)
    calls: list[Safer] = []
    for candidate in candidates(tool, services.runtime.catalog.tools.values(), original, values):
        decision = await services.driver.authorization.can(
            authority, candidate.server, candidate.name, candidate.arguments
        )
        if isinstance(decision.verdict, Permit) and decision.observed is None:
            arguments = json.dumps(candidate.arguments, ensure_ascii=False)
            calls.append(Safer(candidate.change, tool_name(candidate.server, candidate.name), arguments))
        if len(calls) == SAFER_MAX:
            break
    return calls


def _arguments(body: ActionBody) -> Mapping[str, Json] | None:
    try:
        value = parse(body.arguments)
    except JsonRefused:
        return None
    return value if isinstance(value, Mapping) else None
