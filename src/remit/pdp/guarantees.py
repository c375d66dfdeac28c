"""Guarantees held: what would break one is denied, whatever policy, approvals and grants say; and what scopes show."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, assert_never

from remit.facts.action import Action
from remit.facts.canonical import canonical, digest
from remit.facts.feed import Guard, picked
from remit.facts.guarantee import Guarantee, NoFlow, Powers, Rate, Separation
from remit.facts.monitor import MonitorScope, Selector
from remit.pdp.effects import Ruling
from remit.pdp.listing import offers
from remit.pdp.snapshot import Snapshot
from remit.policy.bundle import Bundle
from remit.policy.context import Facts
from remit.policy.destination import Destination
from remit.policy.verdict import Code, Deny, Escalate, Reason
from remit.protect.monitors import key_of

GUARANTEE: Final = "guarantee/"
"""What `where` of a denial begins with; the guarantee's name follows."""


@dataclass(frozen=True, slots=True)
class Breach:
    """What scopes alone show of `guarantee`.

    `agent` is offered `tools`, one of each duty or power that it is not to have together.
    """

    guarantee: str
    agent: str
    tools: tuple[str, ...]

    @property
    def text(self) -> str:
        """One sentence."""
        return f"{self.agent} may call {', '.join(self.tools)}, which {self.guarantee} keeps apart"


def with_guarantees(snapshot: Snapshot, action: Action, ruling: Ruling, now_ms: int) -> Ruling:
    """`ruling`, or the denial of what would break a guarantee."""
    destination = ruling.destination
    if destination is None or not destination.feeds.guards or isinstance(ruling.verdict, Deny):
        return ruling
    for guard in destination.feeds.guards:
        why = _breach(snapshot, action, ruling, guard, now_ms)
        if why is not None:
            owner, name = guard.guarantee.owner, guard.guarantee.name
            text = f"the guarantee {name}, for which {owner} answers: {why}"
            reason = Reason(Code.GUARANTEE, text, where=f"{GUARANTEE}{name}")
            return ruling._replace(verdict=Deny(), reasons=(reason, *ruling.reasons), grants=())
    return ruling


def _breach(snapshot: Snapshot, action: Action, ruling: Ruling, guard: Guard, now_ms: int) -> str | None:
    rule = guard.guarantee.rule
    if isinstance(rule, NoFlow):
        assert ruling.facts is not None, "what is not denied was judged by facts"  # noqa: S101
        return None if _is_asked(ruling) else _flow(ruling.facts, rule)
    if action.within is not None:
        # A round of what was let through already, and counted then.
        return None
    match rule:
        case Separation():
            if isinstance(action.input.get(guard.cells.argument or ""), Mapping | list | tuple):
                return f"{guard.cells.argument} holds several values, of which none is known by itself"
            for agent in action.authority.agents if rule.chain else (action.authority.acting.agent,):
                done = _bits(snapshot, action, guard, agent, now_ms)
                if done is None:
                    return "what was done before is not known, there being no room for more values"
                if done & ~guard.bits:
                    return f"{agent} did another of the duties that it keeps apart"
        case Powers(powers):
            every = (1 << len(powers)) - 1
            for agent in action.authority.agents if rule.chain else (action.authority.acting.agent,):
                done = _bits(snapshot, action, guard, agent, now_ms)
                if done is None:
                    return "what was done before is not known, there being more agents than it keeps"
                if done | guard.bits == every:
                    return f"{agent} would have used all {len(powers)} powers that no agent is to have together"
        case Rate():
            cell = snapshot.past.cell(guard.cells, action.authority.links[0].sid, "", now_ms)
            full = cell is None or cell.total(rule.window, now_ms) >= rule.at_most
            return f"no more than {rule.at_most} such calls within {rule.window.ms / 1000:g} s" if full else None
        case _:
            assert_never(rule)
    return None


def flows(destination: Destination, facts: Facts) -> bool:
    """Whether it is what some guarantee lets through people alone: they see each, whatever they granted before."""
    rules = (guard.guarantee.rule for guard in destination.feeds.guards)
    return any(isinstance(one, NoFlow) and _flow(facts, one) is not None for one in rules)


def _is_asked(ruling: Ruling) -> bool:
    """Whether people are asked about exactly this, or were."""
    return ruling.approval is not None or isinstance(ruling.verdict, Escalate)


def _flow(facts: Facts, rule: NoFlow) -> str | None:
    if labels := sorted(rule.labels & facts.labels):
        return f"what the session holds is {labels[0]}, and nobody was asked"
    labels = sorted(rule.labels & facts.sent_labels)
    return None if not labels else f"what it sends is {labels[0]}, and nobody was asked"


def _bits(snapshot: Snapshot, action: Action, guard: Guard, agent: str, now_ms: int) -> int | None:
    cells = guard.cells
    key = key_of(cells, action.input, agent)
    cell = snapshot.past.cell(cells, action.authority.links[0].sid, key, now_ms)
    return None if cell is None else cell.bits(cells.window, now_ms)


def unguarded(bundle: Bundle) -> Bundle:
    """`bundle` as its policies alone decide: no guarantee holds anything."""
    if not bundle.catalog.guarantees:
        return bundle
    return replace(bundle, catalog=replace(bundle.catalog, guarantees={}), _destinations={})


def breaches(bundle: Bundle) -> tuple[Breach, ...]:
    """What scopes alone show to break a guarantee of `bundle`, whatever conditions say. Pure; of the whole catalog.

    A separation that looks at an argument, or at a session, does not show in scopes: it is held as agents act.
    """
    return tuple(breach for one in bundle.catalog.guarantees.values() for breach in _breaches(bundle, one))


def _breaches(bundle: Bundle, guarantee: Guarantee) -> Iterator[Breach]:
    match guarantee.rule:
        case Separation(duties) as rule:
            if rule.by is None and rule.scope is MonitorScope.FLEET:
                yield from _together(bundle, guarantee, duties, least=2)
        case Powers(powers):
            yield from _together(bundle, guarantee, powers, least=len(powers))
        case NoFlow() | Rate():
            return
        case _:
            assert_never(guarantee.rule)


def _together(bundle: Bundle, guarantee: Guarantee, kinds: tuple[Selector, ...], *, least: int) -> Iterator[Breach]:
    """Each agent that is offered tools of `least` of the `kinds`, with the first tool of each."""
    for agent in bundle.catalog.agents.values():
        offered: list[str] = []
        for kind in kinds:
            tools = (form.tool for form in bundle.tools.values() if form.quarantined is None)
            tool = next((one for one in tools if picked(kind, one) and offers(bundle, agent, one)), None)
            if tool is not None:
                offered.append(f"{tool.server}/{tool.name}")
        if len(offered) >= least:
            yield Breach(guarantee.name, agent.name, tuple(offered))


def breach_digest(guarantee: Guarantee, breaches: tuple[Breach, ...]) -> str:
    """What a sign-off is bound to: the guarantee as it is, and who breaks it by what."""
    pairs = [[breach.agent, list(breach.tools)] for breach in breaches if breach.guarantee == guarantee.name]
    return digest(canonical([guarantee.name, guarantee.to_json(), pairs]))
