"""Monitors and guarantees from their YAML shapes."""

from collections.abc import Iterable

from remit.adapters.workspace.past_models import (
    GuaranteeShape,
    HappeningShape,
    MonitorShape,
    SelectorShape,
)
from remit.control.resources import GuaranteeSpec, MonitorSpec, WindowSpec
from remit.facts.guarantee import GuaranteeRule, NoFlow, Powers, Rate, Separation
from remit.facts.monitor import EventAggregate, Happening, MonitorScope, Selector, When, Window


def past_spec(shape: MonitorShape | GuaranteeShape) -> MonitorSpec | GuaranteeSpec:
    """What a Monitor or Guarantee document declares."""
    return _monitor(shape) if isinstance(shape, MonitorShape) else _guarantee(shape)


def _monitor(shape: MonitorShape) -> MonitorSpec:
    return MonitorSpec(
        EventAggregate(shape.op),
        _happenings(shape.of),
        MonitorScope(shape.over),
        WindowSpec(shape.within_s, shape.step_s),
        _happenings(shape.unless),
        shape.by,
        tuple(sorted(shape.others.items())),
        shape.keys,
        shape.sums,
        None if shape.in_flight is None else shape.in_flight == "waits",
        shape.description,
    )


def _guarantee(shape: GuaranteeShape) -> GuaranteeSpec:
    # Each of its fields, of which one is right.
    rules: list[tuple[str, GuaranteeRule, WindowSpec]] = []
    if shape.no_flow is not None:
        sinks = frozenset[str](shape.no_flow.sinks)
        rules.append(("no_flow", NoFlow(frozenset(shape.no_flow.labels), sinks), WindowSpec()))
    if shape.separate is not None:
        separate = shape.separate
        others = tuple(sorted(separate.others.items()))
        duties, chain = tuple(map(_selector, separate.duties)), separate.counts == "chain"
        separation = Separation(
            duties, MonitorScope(separate.over), Window(), separate.by, others, separate.keys, chain
        )
        rules.append(("separate", separation, WindowSpec(separate.within_s, separate.step_s)))
    if shape.powers is not None:
        powers = Powers(tuple(map(_selector, shape.powers.all_of)), chain=shape.powers.counts == "chain")
        rules.append(("powers", powers, WindowSpec(shape.powers.within_s, shape.powers.step_s)))
    if shape.rate is not None:
        rate = Rate(_selector(shape.rate.of), shape.rate.at_most, Window(), MonitorScope(shape.rate.over))
        rules.append(("rate", rate, WindowSpec(shape.rate.within_s, shape.rate.step_s)))
    return GuaranteeSpec(shape.owner, tuple(rules), shape.description)


def _happenings(shapes: Iterable[HappeningShape]) -> tuple[Happening, ...]:
    return tuple(
        Happening(
            _selector(shape),
            When(shape.when),
            frozenset(shape.agents),
            frozenset(shape.groups),
            None if shape.result is None else shape.result.path,
            None if shape.result is None else shape.result.equals,
        )
        for shape in shapes
    )


def _selector(shape: SelectorShape) -> Selector:
    tags = frozenset(shape.tags)
    return Selector(frozenset(shape.tools), frozenset[str](shape.effects), frozenset[str](shape.sinks), tags)
