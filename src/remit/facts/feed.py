"""Which monitors and guarantees a tool's calls feed, and which guarantees hold them: found once for each tool.

So that a call looks at what concerns it alone, however many monitors and guarantees there are.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, assert_never

from remit.facts.catalog import Server
from remit.facts.guarantee import Guarantee, NoFlow, Powers, Rate, Separation
from remit.facts.mark import Mark, MarkOp
from remit.facts.monitor import Cells, EventAggregate, Happening, Monitor, Selector, When
from remit.facts.tool import Tool

CHAINS_MAX: Final = 1_024
"""Of how many chains of agents marks are known."""


class Feed(NamedTuple):
    """One event of one monitor, or one duty or power of a guarantee, at one tool.

    It is kept in `cells`. `each` is who has a key of his own: nobody, the agent that acts, or each of the chain.
    `provisional`: it counts when the call is let through, and is taken back where the outcome says that it was not.
    """

    cells: Cells
    happening: Happening
    op: MarkOp
    each: str = ""
    provisional: bool = False
    measure: str | None = None
    bits: int = 1

    @property
    def shared(self) -> bool:
        """Whether all calls of one chain of agents mark the same."""
        return self.cells.argument is None and self.measure is None and self.op is not MarkOp.LAST


@dataclass(frozen=True, slots=True)
class Guard:
    """A guarantee that concerns a tool: `bits` are the duties, or powers, that calling it is, kept in `cells`."""

    guarantee: Guarantee
    cells: Cells
    bits: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Feeding:
    """What calls feed at one point. All calls of one chain of agents mark `shared` the same, whatever they say.

    `marks` are those marks, by the chain, once it has called.
    """

    shared: tuple[Feed, ...] = ()
    own: tuple[Feed, ...] = ()
    marks: dict[tuple[str, ...], tuple[Mark, ...]] = field(default_factory=dict[tuple[str, ...], "tuple[Mark, ...]"])

    def remember(self, chain: tuple[str, ...], marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
        """Have `marks` of `chain` known."""
        if len(self.marks) >= CHAINS_MAX:
            self.marks.clear()
        self.marks[chain] = marks
        return marks


@dataclass(frozen=True, slots=True)
class Feeds:
    """What the calls of a tool feed: those let through, their outcomes, and those that were denied.

    `guards` are the guarantees that concern them, `measures` what is added up of them. `keyed` are those that need room
    for a key among everybody's.
    """

    started: Feeding = field(default_factory=Feeding)
    ended: tuple[Feed, ...] = ()
    denied: Feeding = field(default_factory=Feeding)
    guards: tuple[Guard, ...] = ()
    measures: frozenset[str] = frozenset()
    keyed: tuple[Feed, ...] = ()


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


def cells_at(tool: Tool, cells: Cells) -> Cells:
    """`cells` as calls of `tool` have them: an argument that is left out counts as what its schema says it then is."""
    if cells.argument is None:
        return cells
    default = tool.defaults.get(cells.argument)
    return cells if default is None else replace(cells, default=default)


def feeds_of(tool: Tool, monitors: Iterable[Monitor], guarantees: Iterable[Guarantee]) -> Feeds:
    """What the calls of `tool` feed, and what holds them."""
    feeds = [feed for monitor in monitors for feed in _of_monitor(tool, monitor)]
    guards: list[Guard] = []
    for guarantee in guarantees:
        guard = _guard(tool, guarantee)
        if guard is not None:
            guards.append(guard)
            feeds.extend(_of_guard(guard))
    if not feeds and not guards:
        return NO_FEEDS
    return Feeds(
        started=_feeding(feed for feed in feeds if feed.happening.when is When.STARTED or feed.provisional),
        ended=tuple(feed for feed in feeds if feed.happening.when in {When.SUCCEEDED, When.FAILED}),
        denied=_feeding(feed for feed in feeds if feed.happening.when is When.DENIED),
        guards=tuple(guards),
        measures=frozenset(feed.measure for feed in feeds if feed.measure is not None),
        keyed=tuple(feed for feed in feeds if feed.cells.crowded and feed.happening.when is not When.DENIED),
    )


def feeds_at(server: Server, guarantees: Iterable[Guarantee]) -> Feeds:
    """What holds what is asked of `server` beside its tools: what would get to where it sends that."""
    flows = [one for one in guarantees if isinstance(one.rule, NoFlow) and server.sink.value in one.rule.sinks]
    return Feeds(guards=tuple(Guard(one, one.cells()) for one in flows)) if flows else NO_FEEDS


def _feeding(feeds: Iterable[Feed]) -> Feeding:
    every = tuple(feeds)
    return Feeding(tuple(feed for feed in every if feed.shared), tuple(feed for feed in every if not feed.shared))


def _of_monitor(tool: Tool, monitor: Monitor) -> Iterator[Feed]:
    cells = cells_at(tool, monitor.cells(f"{tool.server}/{tool.name}"))
    does = MarkOp.LAST if monitor.op is EventAggregate.PREVIOUS else MarkOp.ADD
    for event in monitor.events:
        if picked(event.of, tool):
            early = event.when in {When.SUCCEEDED, When.FAILED} and not monitor.awaited
            yield Feed(cells, event, does, provisional=early, measure=monitor.measure)
    for event in monitor.unless:
        # What clears is sure: what is under way clears nothing.
        if picked(event.of, tool):
            yield Feed(cells, event, MarkOp.RESET)


def _guard(tool: Tool, guarantee: Guarantee) -> Guard | None:
    guard = Guard(guarantee, cells_at(tool, guarantee.cells(f"{tool.server}/{tool.name}")))
    match guarantee.rule:
        case NoFlow(_, sinks):
            return guard if tool.sink.value in sinks else None
        case Separation(kinds) | Powers(kinds):
            bits = sum(1 << number for number, one in enumerate(kinds) if picked(one, tool))
            return replace(guard, bits=bits) if bits else None
        case Rate(of):
            return guard if picked(of, tool) else None
        case _:
            assert_never(guarantee.rule)


def _of_guard(guard: Guard) -> Iterator[Feed]:
    match guard.guarantee.rule:
        case NoFlow():
            return
        case Separation(kinds, chain=chain) | Powers(kinds, chain=chain):
            each = "chain" if chain else "acting"
            yield Feed(guard.cells, Happening(kinds[0]), MarkOp.BITS, each, bits=guard.bits)
        case Rate(of):
            yield Feed(guard.cells, Happening(of), MarkOp.ADD)
        case _:
            assert_never(guard.guarantee.rule)
