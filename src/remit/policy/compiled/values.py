"""Cedar values as generated code reads them, and their way to Cedar's JSON form.

Python's own types where these say the same: bool, int, str; a record is a dict, an entity the
pair of its type and id, a set a frozenset of *keys*. A key stands for a value where Python would
take two of Cedar's for one: `True == 1` and records, which Python cannot hash.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, cast

from remit.facts.canonical import Json
from remit.policy.compiled.extensions import Extension
from remit.policy.form import Uid

Key: TypeAlias = "int | str | Uid | frozenset[Key] | Extension | tuple[bool] | tuple[frozenset[tuple[str, Key]]]"
Value: TypeAlias = "bool | int | str | Uid | frozenset[Key] | Extension | dict[str, Value]"

_RECORD_OR_BOOL: Final = 1
"""The length of their keys: an entity is a pair."""


@dataclass(frozen=True, slots=True)
class Entity:
    """What the store holds of one entity. `within`: itself and everything it is in, however far."""

    within: frozenset[Uid]
    attributes: Mapping[str, Value]
    tags: Mapping[str, Value]


class Entities(Protocol):
    """Where an entity is looked up; None for one that is not stored."""

    def get(self, uid: Uid, /) -> Entity | None:
        """What is stored of `uid`."""
        ...


@dataclass(frozen=True, slots=True)
class With:
    """`others`, and one entity more."""

    uid: Uid
    entity: Entity
    others: Entities

    def get(self, uid: Uid, /) -> Entity | None:
        """What is stored of `uid`."""
        return self.entity if uid == self.uid else self.others.get(uid)


def key(value: Value) -> Key:
    """What stands for `value` in a set: equal exactly where Cedar says the values are."""
    kind = value.__class__
    if kind is bool:
        return (cast("bool", value),)
    if kind is dict:
        parts = cast("dict[str, Value]", value).items()
        return (frozenset((name, key(part)) for name, part in parts),)
    return cast("Key", value)


def keys(values: Iterable[Value]) -> frozenset[Key]:
    """The set of `values`."""
    return frozenset(key(value) for value in values)


def cedar_json(value: Value) -> Json:
    """`value` in Cedar's JSON form with its escapes, readable without a schema."""
    match value:
        case bool() | int() | str():
            return value
        case dict():
            return {name: cedar_json(part) for name, part in value.items()}
        case frozenset():
            return [cedar_json(_value(one)) for one in value]
        case (kind, name):
            return {"__entity": {"type": kind, "id": name}}
        case _:
            return value.written()


def _value(one: Key) -> Value:
    if isinstance(one, tuple) and len(one) == _RECORD_OR_BOOL:
        (inner,) = one
        if isinstance(inner, bool):
            return inner
        return {name: _value(part) for name, part in inner}
    return cast("Value", one)
