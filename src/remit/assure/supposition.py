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

Said: TypeAlias = int | Who
"""The units that a monitor's cell comes to, or who did it last."""
Supposition: TypeAlias = tuple[tuple[str, Said], ...]
"""By the monitor's name; of one that is not named nothing happened."""


class Supposing(Past):
    """A past in which `monitors` say what is supposed of them, in whatever session and for whatever value."""

    def __init__(self, monitors: Mapping[str, Monitor], supposed: Supposition) -> None:
        super().__init__()
        self._said = {monitors[name].ident: said for name, said in supposed}

    def cell(self, cells: Cells, sid: str, key: str, now_ms: int) -> Cell | None:
        """As `Past.cell`."""
        match self._said.get(cells.ident):
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


class Compared(NamedTuple):
    """What policies compare with: numbers by the monitor's name, "" for wherever, and decimals."""

    numbers: Mapping[str, set[int]]
    decimals: set[str]


def suppositions(
    monitors: Sequence[Monitor], compared: Compared, agents: Sequence[str], user: str | None
) -> tuple[tuple[Supposition, ...], bool]:
    """The ways in which `monitors` can come out that policies tell apart, and whether these are all.

    The first is that nothing happened.
    """
    ways = [(one.name, list(_ways(one, compared, agents, user))) for one in monitors]
    count = 1
    for _, mine in ways:
        count *= len(mine)
    if count <= WAYS_MAX:
        picks: Iterator[Sequence[Said | None]] = product(*(mine for _, mine in ways))
        return tuple(_supposition(ways, pick) for pick in picks), True
    none = [mine[0] for _, mine in ways]
    most = [mine[-1] for _, mine in ways]
    some = [[*none[:at], said, *none[at + 1 :]] for at, (_, mine) in enumerate(ways) for said in mine[1:]]
    return tuple(_supposition(ways, pick) for pick in (none, most, *some)), False


def plain(monitor: Monitor, said: Said) -> Json:
    """As a case and a story have it."""
    if not isinstance(said, int):
        agent, user = said
        return {"agent": agent} if user is None else {"agent": agent, "user": user}
    if monitor.op in {EventAggregate.ONCE, EventAggregate.SINCE}:
        return bool(said)
    return shown(said) if monitor.measure == "amount" else said


def said_of(monitor: Monitor, value: Json) -> Said | None:
    """The inverse of `plain`; None where the monitor can say no such thing."""
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


def _supposition(ways: Sequence[tuple[str, object]], pick: Sequence[Said | None]) -> Supposition:
    return tuple((name, said) for (name, _), said in zip(ways, pick, strict=True) if said)


def _ways(monitor: Monitor, compared: Compared, agents: Sequence[str], user: str | None) -> Iterator[Said | None]:
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


def _numbers(monitor: Monitor, compared: Compared) -> set[int]:
    if monitor.measure == "amount":
        named = {units for text in compared.decimals if (units := _units(text)) is not None}
        most = MANY * PLACES
    else:
        named = compared.numbers.get(monitor.name, set()) | compared.numbers.get("", set())
        most = MANY
    beside = {one for number in named for one in (number - 1, number, number + 1) if one >= 0}
    return {0, 1, *beside, max([most, *beside])}


def _units(text: str) -> int | None:
    try:
        return decimal(text if "." in text else f"{text}.0").units
    except EvaluationFault:
        return None
