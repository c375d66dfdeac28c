"""What generated code calls: Cedar's operators on values whose kind is not known beforehand.

Laws: a value of a wrong kind is an `EvaluationFault`, never a guess; nothing orders texts; a `MissingValue`
is a `EvaluationFault` as soon as something looks at it.
"""

from typing import Final, NoReturn, TypeAlias, cast

from remit.facts.durations import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from remit.policy.compiled.extensions import (
    Datetime,
    Duration,
    EvaluationFault,
    long,
)
from remit.policy.compiled.values import Entities, Key, Value, key
from remit.policy.form import Uid


class MissingValue:
    """Stands where there is no value, until something looks at it; `text` is the fault then."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


Found: TypeAlias = "Value | MissingValue"

ABSENT: Final = MissingValue("it reads an attribute that is absent")
LOST: Final = MissingValue("it reads an attribute of one that is absent")
NOWHERE: Final = MissingValue("it reads an attribute of what has none")
_MISTYPED: Final = "a value is of another type than its use demands"
_WRONG: Final = MissingValue(_MISTYPED)


def fault(found: Found) -> NoReturn:
    """Say what is wrong with `found`, which is not what was needed."""
    raise EvaluationFault(found.text if isinstance(found, MissingValue) else _MISTYPED)


def wrong(found: Found) -> MissingValue:
    """What `fault` would say of `found`, kept until something looks at it."""
    return found if isinstance(found, MissingValue) else _WRONG


def within(entities: Entities, uid: Uid) -> frozenset[Uid]:
    """`uid` and everything it is in. An entity that is not stored is in itself alone."""
    known = entities.get(uid)
    return frozenset((uid,)) if known is None else known.within


def look(entities: Entities, base: Found, name: str) -> Found:
    """The attribute `name` of a record or an entity, or what stands for its absence."""
    kind = base.__class__
    if kind is dict:
        return cast("dict[str, Value]", base).get(name, ABSENT)
    if kind is tuple:
        known = entities.get(cast("Uid", base))
        return ABSENT if known is None else known.attributes.get(name, ABSENT)
    # Not `base` itself: to ask whether what is absent has an attribute is a fault.
    return LOST if base.__class__ is MissingValue else NOWHERE


def has(found: Found) -> bool:
    """Whether a look found something; looking where nothing can be is a fault."""
    if found is ABSENT:
        return False
    return found.__class__ is not MissingValue or fault(found)


def tag(entities: Entities, base: Found, name: Found) -> Found:
    """The tag `name` of an entity."""
    if base.__class__ is not tuple:
        fault(base)
    if name.__class__ is not str:
        fault(name)
    known = entities.get(cast("Uid", base))
    return ABSENT if known is None else known.tags.get(cast("str", name), ABSENT)


def same(left: Found, right: Found) -> bool:
    """`==`: values of different types differ, records and sets by what they hold."""
    if isinstance(left, MissingValue):
        fault(left)
    if isinstance(right, MissingValue):
        fault(right)
    return key(left) == key(right)


def unlike(found: Found) -> bool:
    """`==` with a constant of another type: it differs, if it is a value at all."""
    return found.__class__ is MissingValue and fault(found)


def differs(found: Found) -> bool | MissingValue:
    """What `unlike` would say of `found`, kept until something looks at it."""
    return isinstance(found, MissingValue) and found


def held(found: Found) -> Key:
    """The key of a value."""
    return fault(found) if isinstance(found, MissingValue) else key(found)


def inside(entities: Entities, left: Found, right: Found) -> bool:
    """`in`: an entity in another, or in any of a set."""
    if left.__class__ is not tuple:
        fault(left)
    above = within(entities, cast("Uid", left))
    if right.__class__ is tuple:
        return right in above
    if right.__class__ is not frozenset:
        fault(right)
    wanted = cast("frozenset[Key]", right)
    if any(one.__class__ is not tuple or len(cast("Uid", one)) == 1 for one in wanted):
        raise EvaluationFault(_MISTYPED)
    return not above.isdisjoint(wanted)


def before(left: Found, right: Found) -> bool:
    """`<` on whole numbers, instants or durations."""
    one, two = _ordered(left, right)
    return one < two


def until(left: Found, right: Found) -> bool:
    """`<=` on whole numbers, instants or durations."""
    one, two = _ordered(left, right)
    return one <= two


def _ordered(left: Found, right: Found) -> tuple[int, int]:
    kind = left.__class__
    if kind is not right.__class__:
        fault(right if right.__class__ is MissingValue else left)
    if kind is int:
        return cast("int", left), cast("int", right)
    if isinstance(left, Datetime | Duration):
        return left.ms, cast("Datetime | Duration", right).ms
    fault(left)


def like(text: str, parts: tuple[str, ...]) -> bool:
    """Whether `text` is `parts` with anything between them. Takes no longer than its parts times its length."""
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    end = len(text) - len(last)
    at = len(first)
    if end < at or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def offset(instant: Datetime, by: Duration) -> Datetime:
    """`instant` later by a duration."""
    return Datetime(long(instant.ms + by.ms))


def duration_since(instant: Datetime, other: Datetime) -> Duration:
    """How much later `instant` is."""
    return Duration(long(instant.ms - other.ms))


def to_date(instant: Datetime) -> Datetime:
    """The start of its day."""
    return Datetime(long(instant.ms // DAY_MS * DAY_MS))


def to_time(instant: Datetime) -> Duration:
    """How far into its day it is."""
    return Duration(instant.ms % DAY_MS)


def to_milliseconds(span: Duration) -> int:
    """Its milliseconds."""
    return span.ms


def to_seconds(span: Duration) -> int:
    """Its whole seconds, towards zero."""
    return _towards_zero(span.ms, SECOND_MS)


def to_minutes(span: Duration) -> int:
    """Its whole minutes, towards zero."""
    return _towards_zero(span.ms, MINUTE_MS)


def to_hours(span: Duration) -> int:
    """Its whole hours, towards zero."""
    return _towards_zero(span.ms, HOUR_MS)


def to_days(span: Duration) -> int:
    """Its whole days, towards zero."""
    return _towards_zero(span.ms, DAY_MS)


def _towards_zero(ms: int, unit_ms: int) -> int:
    return ms // unit_ms if ms >= 0 else -(-ms // unit_ms)
