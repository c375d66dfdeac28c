"""What HTTP headers repeat of a request's body: its name, and arguments of tools.

Specification: MCP 2026-07-28, "Request Metadata" and "Custom Headers from Tool Parameters".

A property of a tool's schema that bears `x-mcp-header: NAME` travels twice, in the body and as
`Mcp-Param-NAME`; what stands between may route by the header, so the two must say the same.

Laws
* An annotation counts only where a chain of `properties` alone leads to it, on a text, an integer or a
  boolean, under a name of its own. One that breaks this makes a schema that mirrors nothing: clients that
  follow the specification do not call such a tool.
* `None` is as if absent.
"""

import base64
import binascii
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.facts.canonical import Json
from remit.facts.tool import Tool

PREFIX: Final = "mcp-param-"
"""In lower case, as ASGI gives header names."""
NAMED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tools/call": "name",
        "prompts/get": "name",
        "resources/read": "uri",
        "tasks/get": "taskId",
        "tasks/update": "taskId",
        "tasks/cancel": "taskId",
    }
)
"""Which member of `params` each method's `Mcp-Name` repeats; those of tasks by their extension."""
ANNOTATION: Final = "x-mcp-header"
SCHEMAS_MAX: Final = 4_096

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PLAIN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_DECIMAL: Final = re.compile(r"(-?[0-9]{1,16})(?:\.0+)?")
_TYPES: Final = ("string", "integer", "boolean")
_MAPS: Final = frozenset({"patternProperties", "$defs", "definitions", "dependentSchemas"})
_VALUES: Final = frozenset({"default", "const", "enum", "examples", ANNOTATION})
_OPEN: Final = "=?base64?"
_CLOSE: Final = "?="

_Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mirror:
    """One annotated property: the way to it, and its header's name in lower case."""

    path: _Path
    header: str


class Mirrors:
    """The mirrored properties of tools, each pinned schema read once."""

    def __init__(self) -> None:
        self._by_pin: dict[str, tuple[Mirror, ...]] = {}

    def of(self, tool: Tool) -> tuple[Mirror, ...]:
        """The mirrored properties of `tool`."""
        found = self._by_pin.get(tool.pin)
        if found is None:
            if len(self._by_pin) >= SCHEMAS_MAX:
                self._by_pin.clear()
            found = self._by_pin[tool.pin] = mirrors(tool.definition.input_schema)
        return found


def mirrors(schema: Mapping[str, Json]) -> tuple[Mirror, ...]:
    """The mirrored properties of `schema`; none where an annotation breaks the rules."""
    found: dict[str, Mirror] = {}
    for path, part in _parts(schema, ()):
        if ANNOTATION not in part:
            continue
        name = part[ANNOTATION]
        if not path or not isinstance(name, str) or not _TOKEN.fullmatch(name) or part.get("type") not in _TYPES:
            return ()
        header = PREFIX + name.lower()
        if header in found:
            return ()
        found[header] = Mirror(path, header)
    return tuple(found.values())


def headers(mirrored: tuple[Mirror, ...], arguments: Mapping[str, Json]) -> dict[str, str]:
    """The headers that say what `arguments` say: names in lower case, values yet to be `encoded`."""
    found: dict[str, str] = {}
    for mirror in mirrored:
        text = _text(_value(arguments, mirror.path))
        if text is not None:
            found[mirror.header] = text
    return found


def disagreement(
    mirrored: tuple[Mirror, ...], arguments: Mapping[str, Json], headers: Mapping[str, str | None]
) -> str | None:
    """What is wrong with `headers` beside `arguments`, or None.

    `headers` holds the `Mcp-Param-*` headers by their names in lower case; None for one that came twice.
    """
    for mirror in mirrored:
        value = _value(arguments, mirror.path)
        text = _text(value)
        where = ".".join(mirror.path)
        if mirror.header in headers:
            header = headers[mirror.header]
            if header is None:
                return f"the {mirror.header} header appears more than once"
            header_text = decoded(header)
            if header_text is None:
                return f"the {mirror.header} header is not properly encoded"
            if text is None or not _same(value, text, header_text):
                return f"the {mirror.header} header and the argument {where} differ"
        elif text is not None:
            return f"the {mirror.header} header is missing beside the argument {where}"
    return None


def encoded(text: str) -> str:
    """`text` as a header's value; in base64 where a header could not hold it as it is."""
    if text == "" or (_PLAIN.fullmatch(text) and not (text.startswith(_OPEN) and text.endswith(_CLOSE))):
        return text
    return _OPEN + base64.b64encode(text.encode("utf-8")).decode("ascii") + _CLOSE


def decoded(value: str) -> str | None:
    """The text of a header's value; None where it is not one that `encoded` makes."""
    if value.startswith(_OPEN) and value.endswith(_CLOSE) and len(value) >= len(_OPEN) + len(_CLOSE):
        payload = value[len(_OPEN) : -len(_CLOSE)]
        try:
            raw = base64.b64decode(payload, validate=True)
            # Also what a lenient reader would take for the same: bits that nothing decodes.
            return raw.decode("utf-8") if base64.b64encode(raw).decode("ascii") == payload else None
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None
    return value if value == "" or _PLAIN.fullmatch(value) else None


def _parts(schema: Mapping[str, Json], path: _Path | None) -> Generator[tuple[_Path | None, Mapping[str, Json]]]:
    yield path, schema
    for key, value in schema.items():
        if key in _VALUES:
            continue
        if isinstance(value, Mapping):
            if key == "properties":
                for name, inner in value.items():
                    if isinstance(inner, Mapping):
                        yield from _parts(inner, None if path is None else (*path, name))
            elif key in _MAPS:
                for inner in value.values():
                    if isinstance(inner, Mapping):
                        yield from _parts(inner, None)
            else:
                yield from _parts(value, None)
        elif isinstance(value, list):
            for inner in value:
                if isinstance(inner, Mapping):
                    yield from _parts(inner, None)


def _value(arguments: Mapping[str, Json], path: _Path) -> Json:
    value: Json = arguments
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _text(value: Json) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else str(value)
        case str():
            return value
        case _:
            return None


def _same(value: Json, text: str, header_text: str) -> bool:
    if isinstance(value, str | bool):
        return header_text == text
    whole = _DECIMAL.fullmatch(header_text)
    return header_text == text if whole is None else int(whole[1]) == value
