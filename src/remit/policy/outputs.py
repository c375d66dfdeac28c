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


def _may(here: Json, path: tuple[Step, ...], root: Json) -> bool:
    if not isinstance(here, Mapping):
        return here is not False
    if not path:
        return True
    beside = tuple(references.beside(here, root))
    if any(_may(one, path, root) for one in beside):
        return True
    return any(_may(one, path[1:], root) for one in _below(here, path[0], is_open=not beside))


def _below(here: Mapping[str, Json], step: Step, *, is_open: bool) -> Iterator[Json]:
    """The schemas of what `here` itself has at `step`; of what it says nothing of there is some where it `is_open`."""
    said = here.get("type")
    kinds = said if isinstance(said, str | list) else _ANY
    if not isinstance(step, str) and "array" in kinds:
        yield "prefixItems" in here or here.get("items", is_open)
    if not isinstance(step, int) and "object" in kinds:
        named = here.get("properties")
        if isinstance(named, Mapping):
            yield from named.values() if step is None else (named.get(step, False),)
        yield "patternProperties" in here or here.get("additionalProperties", is_open and named is None)
