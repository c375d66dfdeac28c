"""What monitors say, as the values that policies read."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, assert_never

from remit.facts.feed import cells_at
from remit.facts.mark import Who
from remit.facts.monitor import Cells, EventAggregate, Monitor
from remit.facts.tool import Tool
from remit.policy.compiled.extensions import Decimal
from remit.policy.compiled.values import Value
from remit.policy.schema import NAMESPACE

_AGENT = f"{NAMESPACE}::Agent"
_USER = f"{NAMESPACE}::User"


class MonitorQuery(NamedTuple):
    """A monitor that a policy asks of the calls of one tool: where it keeps what they did, and how it says that.

    Without `convert` it says who did it last.
    """

    name: str
    cells: Cells
    convert: Callable[[int], Value] | None


def query_of(monitor: Monitor, tool: Tool | None = None) -> MonitorQuery:
    """`monitor`, asked of calls of `tool`, or of what else is done."""
    cells = monitor.cells() if tool is None else cells_at(tool, monitor.cells(f"{tool.server}/{tool.name}"))
    return MonitorQuery(monitor.name, cells, _conversion(monitor))


def _conversion(monitor: Monitor) -> Callable[[int], Value] | None:
    match monitor.op:
        case EventAggregate.ONCE | EventAggregate.SINCE:
            return bool
        case EventAggregate.COUNT:
            return int
        case EventAggregate.SUM:
            return Decimal if monitor.measure == "amount" else int
        case EventAggregate.PREVIOUS:
            return None
        case _:
            assert_never(monitor.op)


def previous(last: Who) -> Value:
    """Who did it last."""
    agent, user = last
    members: dict[str, Value] = {"agent": (_AGENT, agent)}
    if user is not None:
        members["user"] = (_USER, user)
    return members


def zeros(monitors: Iterable[Monitor]) -> dict[str, Value]:
    """What `monitors` say of nothing: the schema demands all of them but who did it last."""
    return {one.name: says(0) for one in monitors if (says := _conversion(one)) is not None}
