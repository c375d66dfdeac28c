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


def guaranteed(snapshot: Snapshot, action: Action, judged: Ruling, now_ms: int) -> Ruling:
    """`judged`, or the denial of what would break a guarantee."""
    reached = judged.reached
    if reached is None or not reached.feeds.guards or isinstance(judged.verdict, Deny):
        return judged
    for guard in reached.feeds.guards:
        why = _broken(snapshot, action, judged, guard, now_ms)
        if why is not None:
            owner, name = guard.guarantee.owner, guard.guarantee.name
            text = f"the guarantee {name}, for which {owner} answers: {why}"
            reason = Reason(Code.GUARANTEE, text, where=f"{GUARANTEE}{name}")
            return judged._replace(verdict=Deny(), reasons=(reason, *judged.reasons), grants=())
    return judged


def _broken(snapshot: Snapshot, action: Action, judged: Ruling, guard: Guard, now_ms: int) -> str | None:
    held = guard.guarantee.holds
    if isinstance(held, NoFlow):
        assert judged.facts is not None, "what is not denied was judged by facts"  # noqa: S101
        return None if _asked(judged) else _flow(judged.facts, held)
    if action.within is not None:
        # A round of what was let through already, and counted then.
        return None
    match held:
        case Separation():
            if isinstance(action.input.get(guard.cells.argument or ""), Mapping | list | tuple):
                return f"{guard.cells.argument} holds several values, of which none is known by itself"
            for agent in action.authority.agents if held.chain else (action.authority.acting.agent,):
                done = _bits(snapshot, action, guard, agent, now_ms)
                if done is None:
                    return "what was done before is not known, there being no room for more values"
                if done & ~guard.bits:
                    return f"{agent} did another of the duties that it keeps apart"
        case Powers(powers):
            every = (1 << len(powers)) - 1
            for agent in action.authority.agents if held.chain else (action.authority.acting.agent,):
                done = _bits(snapshot, action, guard, agent, now_ms)
                if done is None:
                    return "what was done before is not known, there being more agents than it keeps"
                if done | guard.bits == every:
                    return f"{agent} would have used all {len(powers)} powers that no agent is to have together"
        case Rate():
            cell = snapshot.past.cell(guard.cells, action.authority.links[0].sid, "", now_ms)
            full = cell is None or cell.total(held.window, now_ms) >= held.at_most
            return f"no more than {held.at_most} such calls within {held.window.ms / 1000:g} s" if full else None
        case _:
            assert_never(held)
    return None


def flows(reached: Destination, facts: Facts) -> bool:
    """Whether it is what some guarantee lets through people alone: they see each, whatever they granted before."""
    held = (guard.guarantee.holds for guard in reached.feeds.guards)
    return any(isinstance(one, NoFlow) and _flow(facts, one) is not None for one in held)


def _asked(judged: Ruling) -> bool:
    """Whether people are asked about exactly this, or were."""
    return judged.approval is not None or isinstance(judged.verdict, Escalate)


def _flow(facts: Facts, held: NoFlow) -> str | None:
    if found := sorted(held.labels & facts.labels):
        return f"what the session holds is {found[0]}, and nobody was asked"
    found = sorted(held.labels & facts.sent_labels)
    return None if not found else f"what it sends is {found[0]}, and nobody was asked"


def _bits(snapshot: Snapshot, action: Action, guard: Guard, agent: str, now_ms: int) -> int | None:
    cells = guard.cells
    key = key_of(cells, action.input, agent)
    cell = snapshot.past.cell(cells, action.authority.links[0].sid, key, now_ms)
    return None if cell is None else cell.bits(cells.window, now_ms)


def unguarded(bundle: Bundle) -> Bundle:
    """`bundle` as its policies alone decide: no guarantee holds anything."""
    if not bundle.catalog.guarantees:
        return bundle
    return replace(bundle, catalog=replace(bundle.catalog, guarantees={}), _reached={})


def breaches(bundle: Bundle) -> tuple[Breach, ...]:
    """What scopes alone show to break a guarantee of `bundle`, whatever conditions say. Pure; of the whole catalog.

    A separation that looks at an argument, or at a session, does not show in scopes: it is held as agents act.
    """
    return tuple(breach for one in bundle.catalog.guarantees.values() for breach in _breaches(bundle, one))


def _breaches(bundle: Bundle, guarantee: Guarantee) -> Iterator[Breach]:
    match guarantee.holds:
        case Separation(duties) as held:
            if held.by is None and held.scope is MonitorScope.FLEET:
                yield from _together(bundle, guarantee, duties, least=2)
        case Powers(powers):
            yield from _together(bundle, guarantee, powers, least=len(powers))
        case NoFlow() | Rate():
            return
        case _:
            assert_never(guarantee.holds)


def _together(bundle: Bundle, guarantee: Guarantee, kinds: tuple[Selector, ...], *, least: int) -> Iterator[Breach]:
    """Each agent that is offered tools of `least` of the `kinds`, with the first tool of each."""
    for agent in bundle.catalog.agents.values():
        found: list[str] = []
        for kind in kinds:
            tools = (form.tool for form in bundle.tools.values() if form.quarantined is None)
            tool = next((one for one in tools if picked(kind, one) and offers(bundle, agent, one)), None)
            if tool is not None:
                found.append(f"{tool.server}/{tool.name}")
        if len(found) >= least:
            yield Breach(guarantee.name, agent.name, tuple(found))


def breach_digest(guarantee: Guarantee, found: tuple[Breach, ...]) -> str:
    """What a sign-off is bound to: the guarantee as it is, and who breaks it by what."""
    told = [[breach.agent, list(breach.tools)] for breach in found if breach.guarantee == guarantee.name]
    return digest(canonical([guarantee.name, guarantee.to_json(), told]))
