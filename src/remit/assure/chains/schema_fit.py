"""What a schema takes of one argument, whatever it says of the others; and a schema that takes any value of some."""

from collections.abc import Iterable, Mapping
from typing import Final

from remit.facts.canonical import Json
from remit.policy.arguments import Validator, compile_validator
from remit.policy.input_types import Untypable

_KEPT: Final = frozenset({"$schema", "$id", "$defs", "definitions", "properties"})
"""What says of an argument what it is."""


def lone(schema: Mapping[str, Json]) -> Validator | None:
    """What checks each argument of `schema` by itself; None where that cannot be told from the rest."""
    try:
        return compile_validator({name: part for name, part in schema.items() if name in _KEPT})
    except Untypable:
        # Something refers to what is left out.
        return None


def opening(schema: Mapping[str, Json], names: Iterable[str]) -> Validator:
    """What checks arguments against `schema`, and takes any value of those of `names`."""
    given = schema.get("properties")
    properties = dict(given) if isinstance(given, Mapping) else {}
    return compile_validator({**schema, "properties": {**properties, **{name: {} for name in names}}})
