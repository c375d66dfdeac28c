"""Cedar's JSON form of values and entities, read."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from remit.facts.canonical import Json
from remit.policy.compiled import extensions, operators
from remit.policy.compiled.values import Entity, Value, keys
from remit.policy.form import Uid

_MADE_BY: Final[Mapping[str, Callable[..., Value]]] = {
    "decimal": extensions.decimal,
    "ip": extensions.ip,
    "datetime": extensions.datetime,
    "duration": extensions.duration,
    "offset": operators.offset,
}


def value_of(told: Json) -> Value:
    """The value that `told` is. Entities and extension values need their escapes: no schema is asked."""
    match told:
        case {"__entity": entity}:
            return uid_of(entity)
        case {"__extn": {"fn": str(name), "arg": argument}}:
            return _made(name, argument)
        case {"__extn": {"fn": str(name), "args": [*arguments]}}:
            return _made(name, *arguments)
        case Mapping():
            return {name: value_of(part) for name, part in told.items()}
        case list():
            return keys(value_of(part) for part in told)
        case bool() | int() | str():
            return told
        case _:
            raise ValueError("what is neither a value nor an escape of Cedar's JSON form")


def uid_of(told: Json) -> Uid:
    """The entity that `told` names."""
    members = cast("Mapping[str, str]", told)
    return members["type"], members["id"]


def entities_of(text: str) -> dict[Uid, Entity]:
    """The entities of a document whose parents are complete, as cedarpy writes one from its handle."""
    found: dict[Uid, Entity] = {}
    for one in cast("list[Mapping[str, Json]]", json.loads(text)):
        uid = uid_of(one["uid"])
        parents = cast("list[Json]", one["parents"])
        attributes, tags = value_of(one["attrs"]), value_of(one.get("tags") or {})
        within = frozenset((uid, *map(uid_of, parents)))
        found[uid] = Entity(within, cast("dict[str, Value]", attributes), cast("dict[str, Value]", tags))
    return found


def _made(name: str, *arguments: Json) -> Value:
    values: list[Any] = [value_of(argument) for argument in arguments]
    return _MADE_BY[name](*values)
