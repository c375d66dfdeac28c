"""Members of a stored JSON array, each of the type it has to be, or `Undecodable`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import orjson

from remit.facts.budget import Charge
from remit.facts.canonical import Json
from remit.facts.mark import Mark, MarkOp
from remit.facts.passkey import Confirmed

ACTION_MEMBERS: Final = (21, 22, 23, 24, 25, 26, 27, 28, 29)
"""How many an action's body has: as the first version wrote all of them, with a trace, with what it stores, with
grants, with a nonce, with the kinds of its targets, with what it takes from budgets, with what its agent says, and with
marks."""

_LIST: Final = frozenset({list})
_TEXT: Final = frozenset({str})
"""The very types that JSON is read as: all members of a list are looked at in one step, which is half the time."""


class Undecodable(ValueError):
    """Stored bytes that no record or body encodes to. Says which member, never its value."""


def members(what: str, data: bytes, *counts: int) -> Sequence[Any]:
    """The members of the JSON array `data`, one of `counts`. Raises `Undecodable`, as all below do."""
    try:
        found: list[object] = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"{what}: not JSON") from error
    if type(found) is not list or len(found) not in counts:
        raise Undecodable(f"{what}: not the {counts[-1]} members it has")
    return found


def parts(value: object, count: int) -> Sequence[Sequence[object]]:
    """A list of lists of `count` members each."""
    if value == []:
        return ()
    if not isinstance(value, list):
        raise Undecodable("a member is no list")
    items = cast("list[list[object]]", value)
    if not _LIST.issuperset(map(type, items)) or {*map(len, items)} != {count}:
        raise Undecodable(f"a member is no list of {count} members each")
    return items


def nonce_of(action: Sequence[object]) -> str | None:
    """The nonce among the members of an action's body; nothing stands for none where more follows."""
    if len(action) < ACTION_MEMBERS[4] or (len(action) > ACTION_MEMBERS[4] and action[22] is None):
        return None
    return text(action[22])


def charges_of(action: Sequence[object]) -> tuple[Charge, ...]:
    """What an action's body takes from budgets."""
    if len(action) < ACTION_MEMBERS[6]:
        return ()
    return tuple(
        Charge(text(account), integer(since), integer(units), integer(hard))
        for account, since, units, hard in parts(action[24], 4)
    )


def confirmed_of(decision: Sequence[object]) -> Confirmed | None:
    """The passkey that a decision was signed by, and its count."""
    if len(decision) < 15:
        return None
    [(passkey, count)] = parts([decision[14]], 2)
    return Confirmed(text(passkey), integer(count))


def text(value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise Undecodable("a member is no string")
    return value


def maybe(value: object) -> str | None:
    """A string or nothing."""
    return None if value is None else text(value)


def texts(value: object) -> tuple[str, ...]:
    """A list of strings."""
    if value == []:
        return ()
    if not isinstance(value, list) or not _TEXT.issuperset(map(type, cast("list[object]", value))):
        raise Undecodable("a member is no list of strings")
    return tuple(cast("list[str]", value))


def integer(value: object) -> int:
    """An integer."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise Undecodable("a member is no integer")
    return value


def flag(value: object) -> bool:
    """A truth value."""
    if not isinstance(value, bool):
        raise Undecodable("a member is no truth value")
    return value


def mapping(value: object) -> Mapping[str, Json]:
    """An object."""
    if not isinstance(value, dict):
        raise Undecodable("a member is no object")
    return cast("dict[str, Json]", value)


def marks_of(value: object) -> tuple[Mark, ...]:
    """A list of marks. At first they did not say for whom their room is."""
    if not isinstance(value, list):
        raise Undecodable("a member is no list")
    return tuple(map(_mark, cast("list[object]", value)))


def _mark(value: object) -> Mark:
    most = len(Mark._fields)
    found = cast("list[object]", value) if isinstance(value, list) else []
    if len(found) not in {most - 1, most}:
        raise Undecodable(f"a mark has not {most} members")
    ident, fleet, slot, key, does, at_ms, units, step_ms, steps, agent, user, *by = found
    return Mark(
        text(ident),
        flag(fleet),
        integer(slot),
        text(key),
        does_of(does),
        None if at_ms is None else integer(at_ms),
        integer(units),
        integer(step_ms),
        integer(steps),
        text(agent),
        maybe(user),
        *map(text, by),
    )


def does_of(value: object) -> MarkOp:
    """What a mark does."""
    try:
        return MarkOp(text(value))
    except ValueError as error:
        raise Undecodable("a mark does nothing that is known") from error
