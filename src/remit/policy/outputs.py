"""Whether what a tool returns may have something at a path, as far as its output schema declares what it has.

What a schema leaves open, or what cannot be followed, may be there.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from remit.facts.canonical import Json
from remit.facts.results import Step
from remit.policy import references

_ANY: Final = ("object", "array")


def may_have(schema: Mapping[str, Json], path: tuple[Step, ...]) -> bool:
    """Whether `schema` declares something at `path`, or leaves it open."""
    try:
        references.check(schema)
    except references.Unfollowable:
        return True
    return _may(schema, path, schema)


def _may(schema: Json, path: tuple[Step, ...], root: Json) -> bool:
    if not isinstance(schema, Mapping):
        return schema is not False
    if not path:
        return True
    others = tuple(references.beside(schema, root))
    if any(_may(one, path, root) for one in others):
        return True
    return any(_may(one, path[1:], root) for one in _below(schema, path[0], is_open=not others))


def _below(schema: Mapping[str, Json], step: Step, *, is_open: bool) -> Iterator[Json]:
    """The schemas of what `schema` has at `step`; of what it says nothing of there is some where it `is_open`."""
    types = schema.get("type")
    kinds = types if isinstance(types, str | list) else _ANY
    if not isinstance(step, str) and "array" in kinds:
        yield "prefixItems" in schema or schema.get("items", is_open)
    if not isinstance(step, int) and "object" in kinds:
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            yield from properties.values() if step is None else (properties.get(step, False),)
        yield "patternProperties" in schema or schema.get("additionalProperties", is_open and properties is None)
