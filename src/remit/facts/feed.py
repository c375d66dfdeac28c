"""Which monitors and guarantees a tool's calls feed, and which guarantees hold them: found once for each tool.

So that a call looks at what concerns it alone, however many monitors and guarantees there are.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, assert_never

from remit.facts.catalog import Tool
from remit.facts.guarantee import Guarantee, NoFlow, Powers, Rate, Separation
from remit.facts.mark import Does
from remit.facts.monitor import Happening, Monitor, Op, Scope, Selector, When, Window


class Feed(NamedTuple):
    """One event of one monitor, or one duty or power of a guarantee, at one tool.

    `ident` is what the state is kept under. `argument` is the one that its key is the value of; `each`, who has a key
    of his own: nobody, the agent that acts, or each of the chain. `early`: it counts when the call is let through, and
    is taken back where the outcome says that it was not.
    """

    ident: str
    fleet: bool
    slots: int
    window: Window
    happening: Happening
    does: Does
    argument: str | None = None
    each: str = ""
    early: bool = False
    measure: str | None = None
    bits: int = 1


class Guard(NamedTuple):
    """A guarantee that concerns a tool: `bits` are the duties, or powers, that calling it is."""

    guarantee: Guarantee
    bits: int = 0
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class Feeds:
    """What the calls of a tool feed: those let through, their outcomes, and those that were denied.

    `guards` are the guarantees that concern them, `measures` what is added up of them.
    """

    started: tuple[Feed, ...] = ()
    ended: tuple[Feed, ...] = ()
    denied: tuple[Feed, ...] = ()
    guards: tuple[Guard, ...] = ()
    measures: frozenset[str] = frozenset()


NO_FEEDS: Final = Feeds()


def readable(monitors: Iterable[Monitor], tool: Tool | None) -> tuple[Monitor, ...]:
    """Those of `monitors` that policies on calls of `tool` may ask: one by an argument where the tool has that."""
    return tuple(one for one in monitors if one.by is None or (tool is not None and _has(tool, one)))


def _has(tool: Tool, monitor: Monitor) -> bool:
    argument = monitor.argument(f"{tool.server}/{tool.name}")
    properties = tool.definition.input_schema.get("properties")
    return isinstance(properties, Mapping) and argument in properties and argument not in tool.secrets


def picked(of: Selector, tool: Tool) -> bool:
    """Whether `tool` is meant."""
    return of.picks(tool.server, tool.name, tool.effect.value, tool.sink.value, tool.tags)


def feeds_of(tool: Tool, monitors: Iterable[Monitor], guarantees: Iterable[Guarantee]) -> Feeds:
    """What the calls of `tool` feed, and what holds them."""
    feeds = [feed for monitor in monitors for feed in _of_monitor(tool, monitor)]
    guards: list[Guard] = []
    for guarantee in guarantees:
        found = _guard(tool, guarantee)
        if found is not None:
            guards.append(found)
            feeds.extend(_of_guard(found))
    if not feeds and not guards:
        return NO_FEEDS
    return Feeds(
        started=tuple(feed for feed in feeds if feed.happening.when is When.STARTED or feed.early),
        ended=tuple(feed for feed in feeds if feed.happening.when in {When.SUCCEEDED, When.FAILED}),
        denied=tuple(feed for feed in feeds if feed.happening.when is When.DENIED),
        guards=tuple(guards),
        measures=frozenset(feed.measure for feed in feeds if feed.measure is not None),
    )


def _of_monitor(tool: Tool, monitor: Monitor) -> Iterator[Feed]:
    argument = None if monitor.by is None else monitor.argument(f"{tool.server}/{tool.name}")
    does = Does.LAST if monitor.op is Op.PREVIOUS else Does.ADD
    for event in monitor.events:
        if picked(event.of, tool):
            early = event.when in {When.SUCCEEDED, When.FAILED} and not monitor.awaited
            yield _feed(monitor, event, does, argument)._replace(early=early, measure=monitor.measure)
    for event in monitor.unless:
        # What clears is sure: what is under way clears nothing.
        if picked(event.of, tool):
            yield _feed(monitor, event, Does.RESET, argument)


def _feed(monitor: Monitor, event: Happening, does: Does, argument: str | None) -> Feed:
    fleet = monitor.scope is Scope.FLEET
    return Feed(monitor.ident, fleet, monitor.slots, monitor.window, event, does, argument)


def _guard(tool: Tool, guarantee: Guarantee) -> Guard | None:
    match guarantee.holds:
        case NoFlow(_, sinks):
            return Guard(guarantee) if tool.sink.value in sinks else None
        case Separation() as held:
            bits = _bits(held.duties, tool)
            argument = None if held.by is None else dict(held.others).get(f"{tool.server}/{tool.name}", held.by)
            return Guard(guarantee, bits, argument) if bits else None
        case Powers(powers):
            bits = _bits(powers, tool)
            return Guard(guarantee, bits) if bits else None
        case Rate(of):
            return Guard(guarantee) if picked(of, tool) else None
        case _:
            assert_never(guarantee.holds)


def _bits(selectors: tuple[Selector, ...], tool: Tool) -> int:
    return sum(1 << number for number, one in enumerate(selectors) if picked(one, tool))


def _of_guard(guard: Guard) -> Iterator[Feed]:
    guarantee, held = guard.guarantee, guard.guarantee.holds
    ident, slots = guarantee.ident, guarantee.slots
    match held:
        case NoFlow():
            return
        case Separation():
            fleet = held.scope is Scope.FLEET
            did, each = Happening(held.duties[0]), "chain" if held.chain else "acting"
            yield Feed(ident, fleet, slots, held.window, did, Does.BITS, guard.argument, each, bits=guard.bits)
        case Powers():
            fleet = True
            did, each = Happening(held.powers[0]), "chain" if held.chain else "acting"
            yield Feed(ident, fleet, slots, held.window, did, Does.BITS, None, each, bits=guard.bits)
        case Rate():
            yield Feed(ident, held.scope is Scope.FLEET, slots, held.window, Happening(held.of), Does.ADD)
        case _:
            assert_never(held)
