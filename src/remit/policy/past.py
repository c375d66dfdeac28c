"""What monitors say, as the values that policies read."""

from collections.abc import Iterable
from typing import assert_never

from remit.facts.mark import Who
from remit.facts.monitor import Monitor, Op
from remit.policy.compiled.extensions import Decimal
from remit.policy.compiled.values import Value
from remit.policy.schema import NAMESPACE

_AGENT = f"{NAMESPACE}::Agent"
_USER = f"{NAMESPACE}::User"


def said(monitor: Monitor, total: int) -> Value:
    """What `monitor` says, whose units come to `total`."""
    match monitor.op:
        case Op.ONCE | Op.SINCE:
            return total > 0
        case Op.COUNT:
            return total
        case Op.SUM:
            return Decimal(total) if monitor.measure == "amount" else total
        case Op.PREVIOUS:
            raise AssertionError("who did it last is no number")
        case _:
            assert_never(monitor.op)


def previous(who: Who) -> Value:
    """Who did it last."""
    agent, user = who
    made: dict[str, Value] = {"agent": (_AGENT, agent)}
    if user is not None:
        made["user"] = (_USER, user)
    return made


def unsaid(monitors: Iterable[Monitor]) -> dict[str, Value]:
    """What `monitors` say of nothing: the schema demands all of them but who did it last."""
    return {one.name: said(one, 0) for one in monitors if one.op is not Op.PREVIOUS}
