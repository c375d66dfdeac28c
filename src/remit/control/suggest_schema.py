"""The arguments of a tool as its JSON Schema has them, each by itself, for `remit tools suggest`."""

from collections.abc import Mapping
from typing import Final

from remit.facts.canonical import Json
from remit.facts.tool import Definition

_REFERENCES_MAX: Final = 8
_NOTHING: Final[Mapping[str, Json]] = {}


def properties(definition: Definition) -> Mapping[str, Mapping[str, Json]]:
    """The arguments with their schemas, what a local reference points at in its place.

    In order of their names, as `remit.lock` has them: what is proposed must not hang on the order of a server's list.
    """
    found = definition.input_schema.get("properties")
    members = found if isinstance(found, Mapping) else _NOTHING
    return {
        name: _local(schema, definition.input_schema)
        for name, schema in sorted(members.items(), key=lambda member: member[0])
    }


def _local(schema: Json, root: Mapping[str, Json]) -> Mapping[str, Json]:
    for _ in range(_REFERENCES_MAX):
        if not isinstance(schema, Mapping):
            break
        several = schema.get("allOf")
        alone = several[0] if isinstance(several, list | tuple) and len(several) == 1 else schema
        points = alone.get("$ref") if isinstance(alone, Mapping) else None
        if not isinstance(points, str) or not points.startswith("#/"):
            break
        target: Json = root
        for step in points[2:].split("/"):
            target = target.get(step) if isinstance(target, Mapping) else None
        schema = target
    return schema if isinstance(schema, Mapping) else {}


def kinds(schema: Mapping[str, Json]) -> set[str]:
    """The JSON types that a value may have, null left out; `any` where the schema does not say."""
    found: set[str] = set()
    kind = schema.get("type")
    for one in kind if isinstance(kind, list | tuple) else (kind,):
        if isinstance(one, str):
            found.add(one)
    for name in ("anyOf", "oneOf"):
        several = schema.get(name)
        for one in several if isinstance(several, list | tuple) else ():
            found |= kinds(one) if isinstance(one, Mapping) else {"any"}
    return found - {"null"} or {"any"}


def enumerated(schema: Mapping[str, Json]) -> bool:
    """Whether a value is one of those that the schema lists."""
    return isinstance(schema.get("enum"), list | tuple) or "const" in schema
