"""What monitors are supposed to say: a past that nothing counted, for asking what would be if it were so."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple, TypeAlias, assert_never

from remit.facts.canonical import Json
from remit.facts.impact import PLACES, shown
from remit.facts.mark import Who
from remit.facts.monitor import Cells, EventAggregate, Monitor
from remit.facts.novelty import UsageHistory, Use
from remit.policy.compiled.extensions import EvaluationFault, decimal
from remit.protect.past import Cell, Past

WAYS_MAX: Final = 64
"""In how many ways together the monitors of one action are supposed to come out."""
MANY: Final = 1_000_000
"""More than policies compare with that name no number."""
SOMEBODY: Final = "somebody-else"
"""An agent that is none of the workspace's: of those that were, somebody may have been the last."""

MonitorValue: TypeAlias = int | Who
"""The units that a monitor's cell comes to, or who did it last."""
Supposition: TypeAlias = tuple[tuple[str, MonitorValue], ...]
"""By the monitor's name; of one that is not named nothing happened."""


class SupposedPast(Past):
    """A past in which `monitors` say what is supposed of them, in whatever session and for whatever value."""

    def __init__(self, monitors: Mapping[str, Monitor], supposed: Supposition) -> None:
        super().__init__()
        self._values = {monitors[name].ident: value for name, value in supposed}

    def cell(self, cells: Cells, sid: str, key: str, now_ms: int) -> Cell | None:
        """As `Past.cell`."""
        match self._values.get(cells.ident):
            case None:
                return super().cell(cells, sid, key, now_ms)
            case int(units):
                return Cell(units)
            case who:
                return Cell(latest_ms=now_ms, who=who)


class _Everything(set[Use]):
    def __contains__(self, _: object, /) -> bool:
        return True


PRACTISED: Final = UsageHistory(_Everything())
"""That every agent did everything before."""


class ComparedValues(NamedTuple):
    """What policies compare with: numbers by the monitor's name, "" for wherever, and decimals."""

    numbers: Mapping[str, set[int]]
    decimals: set[str]


def suppositions(
    monitors: Sequence[Monitor], compared: ComparedValues, agents: Sequence[str], user: str | None
) -> tuple[tuple[Supposition, ...], bool]:
    """The ways in which `monitors` can come out that policies tell apart, and whether these are all.

    The first is that nothing happened.
    """
    values = [(monitor.name, list(_values(monitor, compared, agents, user))) for monitor in monitors]
    count = 1
    for _, each in values:
        count *= len(each)
    if count <= WAYS_MAX:
        picks: Iterator[Sequence[MonitorValue | None]] = product(*(each for _, each in values))
        return tuple(_supposition(values, pick) for pick in picks), True
    none = [each[0] for _, each in values]
    most = [each[-1] for _, each in values]
    some = [[*none[:at], value, *none[at + 1 :]] for at, (_, each) in enumerate(values) for value in each[1:]]
    return tuple(_supposition(values, pick) for pick in (none, most, *some)), False


def value_json(monitor: Monitor, value: MonitorValue) -> Json:
    """As a case and a story have it."""
    if not isinstance(value, int):
        agent, user = value
        return {"agent": agent} if user is None else {"agent": agent, "user": user}
    if monitor.op in {EventAggregate.ONCE, EventAggregate.SINCE}:
        return bool(value)
    return shown(value) if monitor.measure == "amount" else value


def parse_value(monitor: Monitor, value: Json) -> MonitorValue | None:
    """The inverse of `value_json`; None where the monitor can say no such thing."""
    match value:
        case bool():
            return int(value) if monitor.op in {EventAggregate.ONCE, EventAggregate.SINCE} else None
        case int() if monitor.op in {EventAggregate.COUNT, EventAggregate.SUM} and value >= 0:
            return value * PLACES if monitor.measure == "amount" else value
        case str() if monitor.op is EventAggregate.SUM and monitor.measure == "amount":
            units = _units(value)
            return None if units is None or units < 0 else units
        case {"agent": str(agent), **more} if monitor.op is EventAggregate.PREVIOUS and not more.keys() - {"user"}:
            user = more.get("user")
            return (agent, user) if isinstance(user, str | None) else None
        case _:
            return None


def _supposition(values: Sequence[tuple[str, object]], pick: Sequence[MonitorValue | None]) -> Supposition:
    return tuple((name, value) for (name, _), value in zip(values, pick, strict=True) if value)


def _values(
    monitor: Monitor, compared: ComparedValues, agents: Sequence[str], user: str | None
) -> Iterator[MonitorValue | None]:
    """What `monitor` may say, nothing first, the most last."""
    match monitor.op:
        case EventAggregate.ONCE | EventAggregate.SINCE:
            yield from (0, 1)
        case EventAggregate.PREVIOUS:
            yield None
            yield from ((agent, user) for agent in (*agents, SOMEBODY))
        case EventAggregate.COUNT | EventAggregate.SUM:
            yield from sorted(_numbers(monitor, compared))
        case _:
            assert_never(monitor.op)


def _numbers(monitor: Monitor, compared: ComparedValues) -> set[int]:
    if monitor.measure == "amount":
        compared_with = {units for text in compared.decimals if (units := _units(text)) is not None}
        most = MANY * PLACES
    else:
        compared_with = compared.numbers.get(monitor.name, set()) | compared.numbers.get("", set())
        most = MANY
    beside = {near for number in compared_with for near in (number - 1, number, number + 1) if near >= 0}
    return {0, 1, *beside, max([most, *beside])}


def _units(text: str) -> int | None:
    try:
        return decimal(text if "." in text else f"{text}.0").units
    except EvaluationFault:
        return None
