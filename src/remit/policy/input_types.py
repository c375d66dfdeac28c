"""From a tool's JSON Schema (2020-12) to Cedar types: our own total mapping.

Laws: every schema gives a `Typed` or an `Untypable`, never another error. What Cedar cannot
hold (unions, free values, `null`) is left out with a warning; nothing is guessed. Keywords
that only narrow (`pattern`, `minimum`, `if`, `not` …) are the validator's business. Follows
the published MCP-to-Cedar conventions: nullable is optional, numbers are optional decimals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.facts.canonical import Json, canonical
from remit.facts.limits import DEFAULT
from remit.facts.text import escaped
from remit.policy import references

DEPTH_MAX: Final = 24
NODES_MAX: Final = 2_000
RESERVED: Final = frozenset({"__entity", "__extn", "__expr"})
"""Member names that Cedar's JSON forms read as escapes: never attributes."""


class Untypable(Exception):
    """Why a tool's input has no Cedar type; the tool is quarantined (`tool/untypable`)."""


class Atom(Enum):
    """Cedar's scalar types as arguments use them."""

    STRING = "String"
    LONG = "Long"
    BOOLEAN = "Boolean"
    DECIMAL = "decimal"


@dataclass(frozen=True, slots=True)
class SetOf:
    """A Cedar set; JSON arrays lose order and repetition in it."""

    element: "CedarType"


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute. `nullable`: JSON `null` means it is absent; left out it is `default`, where that is not None."""

    type: "CedarType"
    required: bool
    nullable: bool = False
    default: Json = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class RecordType:
    """A Cedar record: exactly these attributes, whatever else JSON Schema would let pass."""

    fields: Mapping[str, Field]


CedarType: TypeAlias = Atom | SetOf | RecordType


@dataclass(frozen=True, slots=True)
class Typed:
    """A tool's typed input, the names of its arguments, what had to be left out, and the names of members below."""

    record: RecordType
    arguments: tuple[str, ...]
    warnings: tuple[str, ...]
    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _View:
    """What one keyword says of a value: its type (None: could be anything), and null or not."""

    type: CedarType | None
    nullable: bool


_FREE: Final = _View(None, nullable=True)
_SCALARS: Final = MappingProxyType(
    {
        "string": Atom.STRING,
        "integer": Atom.LONG,
        "number": Atom.DECIMAL,
        "boolean": Atom.BOOLEAN,
    }
)


def type_input(schema: Json) -> Typed:
    """The Cedar type of a tool's `inputSchema`. Raises `Untypable`.

    The root counts as an object whatever it says: arguments always are one.
    """
    if not isinstance(schema, Mapping):
        raise Untypable("its input schema is not an object")
    try:
        size = len(canonical(schema))
    except (ValueError, RecursionError) as error:
        raise Untypable(f"its input schema has no canonical form ({type(error).__name__})") from None
    if size > DEFAULT.schema_bytes_max:
        raise Untypable(f"its input schema takes {size} bytes, more than {DEFAULT.schema_bytes_max}")
    try:
        references.check(schema)
    except references.Unfollowable as error:
        raise Untypable(f"its input schema cannot be followed: {error}") from None
    reader = _Reader(schema)
    view = reader.read(schema, (), 0)
    record = view.type if isinstance(view.type, RecordType) else RecordType(MappingProxyType({}))
    return Typed(record, tuple(sorted(reader.arguments)), tuple(reader.warnings), frozenset(reader.members))


@dataclass(slots=True)
class _Reader:
    root: Mapping[str, Json]
    nodes: int = 0
    warnings: list[str] = field(default_factory=list[str])
    arguments: set[str] = field(default_factory=set[str])
    members: set[str] = field(default_factory=set[str])

    def read(self, schema: Json, path: tuple[str, ...], depth: int) -> _View:
        """What `schema` says of the value at `path`; `depth` counts what was followed to get there."""
        self.nodes += 1
        if self.nodes > NODES_MAX or len(path) + depth > DEPTH_MAX:
            raise Untypable(f"its input schema is too large or too deep at {_path_text(path)}")
        if isinstance(schema, bool):
            return _FREE
        if not isinstance(schema, Mapping):
            raise Untypable(f"the schema at {_path_text(path)} is neither an object nor a boolean")
        views = [view for view in self._views(schema, path, depth) if view is not None]
        combined = _FREE
        for view in views:
            combined = self._meet(combined, view, path)
        return combined

    def _views(self, schema: Mapping[str, Json], path: tuple[str, ...], depth: int) -> list[_View | None]:
        views: list[_View | None] = [self._own(schema, path, depth)]
        pointer = schema.get("$ref")
        if isinstance(pointer, str):
            views.append(self.read(references.resolve(self.root, pointer), path, depth + 1))
        parts = _schemas(schema.get("allOf"))
        views.extend(self.read(part, path, depth + 1) for part in parts)
        for keyword in ("anyOf", "oneOf"):
            choices = _schemas(schema.get(keyword))
            if choices:
                branches = [self.read(part, path, depth + 1) for part in choices]
                views.append(self._union(branches, choices))
        return views

    def _own(self, schema: Mapping[str, Json], path: tuple[str, ...], depth: int) -> _View | None:
        """The view that `type`, `const`, `enum`, `properties` and `items` give."""
        names = _type_names(schema)
        if names is None:
            return None
        nullable = "null" in names
        names = names - {"null"}
        if names == frozenset({"integer", "number"}):
            names = frozenset({"number"})
        if len(names) != 1:
            return _View(None, nullable)
        (name,) = names
        if name == "object":
            return _View(self._record(schema, path, depth), nullable)
        if name == "array":
            return _View(self._set(schema, path, depth), nullable)
        return _View(_SCALARS.get(name), nullable)

    def _record(self, schema: Mapping[str, Json], path: tuple[str, ...], depth: int) -> RecordType | None:
        properties = schema.get("properties")
        if not isinstance(properties, Mapping):
            return None
        listed = schema.get("required")
        required = set(listed) if isinstance(listed, Sequence) else set[Json]()
        fields: dict[str, Field] = {}
        for name, part in properties.items():
            place = (*path, name)
            (self.members if path else self.arguments).add(name)
            view = self.read(part, place, depth)
            if view.type is None or name in RESERVED:
                self.warnings.append(f"{_path_text(place)} has no Cedar type and is left out of `input`")
                continue
            sure = name in required and not view.nullable and view.type is not Atom.DECIMAL
            fields[name] = Field(
                view.type, sure, view.nullable, part.get("default") if isinstance(part, Mapping) else None
            )
        return RecordType(MappingProxyType(fields))

    def _set(self, schema: Mapping[str, Json], path: tuple[str, ...], depth: int) -> SetOf | None:
        items = schema.get("items")
        if "prefixItems" in schema or not isinstance(items, Mapping):
            return None
        element = self.read(items, (*path, "[]"), depth).type
        return None if element is None else SetOf(element)

    def _union(self, views: list[_View], choices: Sequence[Json]) -> _View:
        kinds = [
            view
            for view, choice in zip(views, choices, strict=True)
            if not (isinstance(choice, Mapping) and _type_names(choice) == frozenset({"null"}))
        ]
        nullable = any(view.nullable for view in views) or len(kinds) < len(views)
        first = kinds[0].type if kinds else None
        same = all(view.type == first for view in kinds)
        return _View(first if same else None, nullable)

    def _meet(self, left: _View, right: _View, path: tuple[str, ...]) -> _View:
        nullable = left.nullable and right.nullable
        match left.type, right.type:
            case None, other:
                return _View(other, nullable)
            case other, None:
                return _View(other, nullable)
            case RecordType() as one, RecordType() as two:
                return _View(self._merge(one, two, path), nullable)
            case one, two if one == two:
                return _View(one, nullable)
            case (Atom.LONG, Atom.DECIMAL) | (Atom.DECIMAL, Atom.LONG):
                return _View(Atom.LONG, nullable)
            case _:
                return _View(None, nullable)

    def _merge(self, one: RecordType, two: RecordType, path: tuple[str, ...]) -> RecordType:
        fields = dict(one.fields)
        for name, other in two.fields.items():
            mine = fields.get(name)
            if mine is None:
                fields[name] = other
                continue
            combined = self._meet(_View(mine.type, mine.nullable), _View(other.type, other.nullable), (*path, name))
            if combined.type is None:
                del fields[name]
                self.warnings.append(f"{_path_text((*path, name))} is typed twice, and is left out")
                continue
            sure = (mine.required or other.required) and combined.type is not Atom.DECIMAL
            default = mine.default if other.default is None else other.default
            fields[name] = Field(combined.type, sure, combined.nullable, default)
        return RecordType(MappingProxyType(fields))


def _schemas(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _type_names(schema: Mapping[str, Json]) -> frozenset[str] | None:
    """JSON Schema type names that `schema` allows; None where it does not say."""
    types = schema.get("type")
    if isinstance(types, str):
        return frozenset({types})
    if isinstance(types, Sequence):
        return frozenset(name for name in types if isinstance(name, str))
    if "const" in schema:
        return frozenset({_name_of(schema["const"])})
    values = schema.get("enum")
    if isinstance(values, Sequence) and not isinstance(values, str):
        return frozenset(_name_of(value) for value in values)
    if "properties" in schema:
        return frozenset({"object"})
    return frozenset({"array"}) if "items" in schema else None


def _name_of(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def _path_text(path: tuple[str, ...]) -> str:
    return escaped(".".join(path), chars_max=120) or "its root"
