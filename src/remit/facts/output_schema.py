"""What a tool declares that it returns, where that is no object: as of 2026-07-28, and as a server shows it in 2025.

Until 2025-11-25 an output schema was of an object. A server that speaks both eras shows another one to clients of
2025 either not at all, or as the member `result` of an object, as the TypeScript SDK does from 2.0 on
(`wrapOutputSchemaForLegacy`), and answers in that form too.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from remit.facts.canonical import Json
from remit.facts.tool import Definition

_RESULT: Final = "#/properties/result"
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef"})
_DATA: Final = frozenset({"const", "default", "enum", "examples"})
_NAMES: Final = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)


def as_in_2025(definition: Definition) -> tuple[Definition, ...]:
    """How a server of both eras may show `definition` to clients of 2025, where that differs."""
    output = definition.output_schema
    if output is None or output.get("type") == "object":
        return ()
    return replace(definition, output_schema=None), replace(definition, output_schema=_wrapped(output))


def _wrapped(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    dialect = schema.get("$schema")
    said: dict[str, Json] = {"$schema": dialect} if isinstance(dialect, str) else {}
    return {**said, "type": "object", "properties": {"result": _moved(schema)}, "required": ["result"]}


def _moved(node: Json, *, names: bool = False) -> Json:
    """`node` with what refers to the root of its schema led to where that is now; `names`: of names to schemas."""
    if isinstance(node, list):
        return [_moved(item) for item in node]
    if not isinstance(node, Mapping) or (not names and _is_elsewhere(node)):
        return node
    if names:
        return {name: _moved(item) for name, item in node.items()}
    return {name: _member(name, item) for name, item in node.items()}


def _member(name: str, item: Json) -> Json:
    if name in _REFERENCES and isinstance(item, str):
        return _RESULT + item[1:] if item == "#" or item.startswith("#/") else item
    return item if name in _DATA else _moved(item, names=name in _NAMES)


def _is_elsewhere(schema: Mapping[str, Json]) -> bool:
    """Whether what it refers to is looked for from an address of its own."""
    own = schema.get("$id")
    return own is not None and not (isinstance(own, str) and own.startswith("#"))
