"""What policies are asked about a call that is searched: by nobody's word, at a moment that is supposed."""

from dataclasses import dataclass

from remit.assure.supposition import PRACTISED, SupposedPast, Supposition
from remit.assure.world import START_MS, ProposedAction
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority, Link
from remit.facts.canonical import canonical
from remit.facts.novelty import UsageHistory
from remit.pdp.flow import flow_of
from remit.pdp.measure import detections_in, impact, novelty
from remit.pdp.other_destination import other_destination
from remit.pdp.past import past_facts
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy.bundle import Bundle
from remit.policy.context import Facts
from remit.policy.convert import overlaps
from remit.policy.destination import Destination
from remit.policy.verdict import Reason
from remit.policy.weigh import ChainQuestion, question_of


@dataclass(frozen=True, slots=True)
class Moment:
    """What a session is like but for its labels: counters, age, the time, and what monitors say of what was done.

    `precedent`: the agent did the like before, so that nothing is new to it.
    """

    calls: int = 0
    irreversible_calls: int = 0
    age_s: int = 0
    now_ms: int = START_MS
    past: Supposition = ()
    precedent: bool = False


def question_about(
    bundle: Bundle,
    agents: tuple[str, ...],
    user: str | None,
    doing: ProposedAction,
    moment: Moment,
    destination: Destination,
) -> ChainQuestion | None:
    """What policies are asked about `agents` doing this, by nobody's word; None where they read what is lost."""
    links = tuple(Link(agent, f"s{at}") for at, agent in enumerate(agents))
    authority = Authority(links, user, "", moment.now_ms + 1)
    action = Action(doing.kind, doing.server, doing.name, canonical(doing.args), doing.args, authority)
    part = destination.slice
    past = SupposedPast(bundle.catalog.monitors, moment.past)
    used = PRACTISED if moment.precedent else UsageHistory()
    snapshot = Snapshot(bundle, (), Pin.MATCHES, usage=used, past=past)
    flow = flow_of(snapshot, action, destination) if part.flow else None
    counters = moment.calls, moment.irreversible_calls, moment.age_s * 1_000
    facts = Facts(user, agents, frozenset(), *counters, action.size, moment.now_ms, flow)
    if destination.queries:
        past_values = past_facts(snapshot, action, destination, moment.now_ms)
        facts = facts._replace(past=None if isinstance(past_values, Reason) else past_values)
    if part.impact:
        facts = facts._replace(impact=impact(destination, action.input))
        if facts.impact is not None and not facts.impact.inexact.isdisjoint(part.measures):
            return None
    if part.novelty and flow is not None:
        facts = facts._replace(novelty=novelty(snapshot, action, destination, flow))
    if destination.finds:
        facts = facts._replace(sends=detections_in(action, destination))
    question = question_of(destination, facts, action.input, bundle.labels)
    lost = bool(question.inexact) and overlaps(part.reads, question.inexact) is not None
    return None if lost else question


def reached_of(bundle: Bundle, doing: ProposedAction) -> Destination:
    """What `doing`, which the workspace knows, reaches."""
    if doing.kind is ActionKind.CALL_TOOL:
        return bundle.destination(bundle.tools[doing.server, doing.name])
    authority = Authority((Link("", ""),), None, "", 0)
    return other_destination(bundle, Action(doing.kind, doing.server, doing.name, b"", doing.args, authority))
