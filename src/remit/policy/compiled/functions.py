"""Cedar's extension functions by their name in its JSON form: what each takes, gives, and runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from remit.policy.compiled import extensions, operators
from remit.policy.compiled.extensions import Datetime, Decimal, Duration, Ip


@dataclass(frozen=True, slots=True)
class Function:
    """One function: the classes of its arguments and of its value, and the Python that runs.

    `compares` is the operator by which it compares two decimals.
    """

    name: str
    takes: tuple[type, ...]
    gives: type
    run: Callable[..., Any]
    compares: str | None = None

    @property
    def made_from_text(self) -> bool:
        """Whether it makes a value of an extension type from text."""
        return self.takes == (str,)


def _ordered(run: Callable[[Decimal, Decimal], bool], name: str, operator: str) -> Function:
    return Function(name, (Decimal, Decimal), bool, run, operator)


TABLE: Final[Mapping[str, Function]] = {
    "decimal": Function("decimal", (str,), Decimal, extensions.decimal),
    "ip": Function("ip", (str,), Ip, extensions.ip),
    "datetime": Function("datetime", (str,), Datetime, extensions.datetime),
    "duration": Function("duration", (str,), Duration, extensions.duration),
    "lessThan": _ordered(lambda one, two: one.units < two.units, "less", "<"),
    "lessThanOrEqual": _ordered(lambda one, two: one.units <= two.units, "less_or_equal", "<="),
    "greaterThan": _ordered(lambda one, two: one.units > two.units, "greater", ">"),
    "greaterThanOrEqual": _ordered(lambda one, two: one.units >= two.units, "greater_or_equal", ">="),
    "isIpv4": Function("is_ipv4", (Ip,), bool, extensions.is_ipv4),
    "isIpv6": Function("is_ipv6", (Ip,), bool, extensions.is_ipv6),
    "isLoopback": Function("is_loopback", (Ip,), bool, extensions.is_loopback),
    "isMulticast": Function("is_multicast", (Ip,), bool, extensions.is_multicast),
    "isInRange": Function("is_in_range", (Ip, Ip), bool, extensions.is_in_range),
    "offset": Function("offset", (Datetime, Duration), Datetime, operators.offset),
    "durationSince": Function("duration_since", (Datetime, Datetime), Duration, operators.duration_since),
    "toDate": Function("to_date", (Datetime,), Datetime, operators.to_date),
    "toTime": Function("to_time", (Datetime,), Duration, operators.to_time),
    "toMilliseconds": Function("to_milliseconds", (Duration,), int, operators.to_milliseconds),
    "toSeconds": Function("to_seconds", (Duration,), int, operators.to_seconds),
    "toMinutes": Function("to_minutes", (Duration,), int, operators.to_minutes),
    "toHours": Function("to_hours", (Duration,), int, operators.to_hours),
    "toDays": Function("to_days", (Duration,), int, operators.to_days),
}
