"""References inside a JSON Schema: followed here, never fetched, and never in a circle.

A schema that refers to itself, or doubles at each step, makes checking one small argument take
as long as its author likes. Both are found before anything is compiled or followed. Whatever a
validator might read otherwise than we do (another base, another dialect inside, an escaped
separator) is refused instead of followed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import unquote

from remit.facts.canonical import Json
from remit.facts.text import escaped

LEVELS_MAX: Final = 200
COST_MAX: Final = 20_000
CHECKS_MAX: Final = 1_000_000
_DATA: Final = frozenset({"const", "default", "enum", "examples"})
_BRANCHES: Final = ("allOf", "anyOf", "oneOf")
_COMPARED: Final = frozenset({"const", "enum"})
_NAMING: Final = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)
_MOVING: Final = ("$dynamicRef", "$recursiveRef")
_META: Final = "json-schema.org"
_UNEVALUATED: Final = ("unevaluatedProperties", "unevaluatedItems")
_AGAIN: Final = 4
"""To know what is left unevaluated, validators go through all beside it again, at every level."""


class Unfollowable(ValueError):
    """Why the references of a schema cannot be followed."""


@dataclass(frozen=True, slots=True)
class Size:
    """A schema with its references unfolded: what checking one value against it may cost.

    `parts` counts its parts, `checks` those and every value they compare with, `patterns` its
    regular expressions; `height` is how deep it is nested.
    """

    parts: int
    checks: int
    patterns: int
    height: int


class _Role(Enum):
    """Whether an object is a schema, or maps names to schemas: there `default` is a name."""

    SCHEMA = "schema"
    NAMES = "names"


def resolve(root: Json, pointer: str) -> Json:
    """What the local `$ref` `pointer` means (RFC 6901 in a URI fragment). Raises `Unfollowable`."""
    shown = escaped(pointer, chars_max=80)
    if pointer != "#" and not pointer.startswith("#/"):
        raise Unfollowable(f"it refers to another document or an anchor ({shown})")
    node = root
    for step in _steps(pointer, shown):
        if isinstance(node, Mapping) and node is not root:
            _refuse_moved(node, root)
        if isinstance(node, Mapping) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isdecimal() and int(step) < len(node):
            node = node[int(step)]
        else:
            raise Unfollowable(f"it refers to {shown}, which is not there")
    return node


def beside(schema: Mapping[str, Json], root: Json) -> Iterator[Json]:
    """The schemas that `schema` is as well, or may be. Raises `Unfollowable`."""
    if isinstance(pointer := schema.get("$ref"), str):
        yield resolve(root, pointer)
    for name in _BRANCHES:
        branches = schema.get(name)
        yield from branches if isinstance(branches, list) else ()


def check(schema: Mapping[str, Json]) -> Size:
    """Raise `Unfollowable` unless the references of `schema` can all be followed.

    Each must be local and lead somewhere, none back to itself, and following them all must stay
    within `COST_MAX` parts, `CHECKS_MAX` steps for one value, and `LEVELS_MAX` levels.
    """
    return _Walk(schema).size(schema, _Role.SCHEMA, 0)


def _steps(pointer: str, shown: str) -> Sequence[str]:
    """The steps of a local pointer that everybody splits and unescapes alike."""
    try:
        plain = unquote(pointer, errors="strict")
    except UnicodeDecodeError:
        raise Unfollowable(f"it refers to {shown}, which is not UTF-8") from None
    odd = "~01" in plain or any(plain.count(sign) > pointer.count(sign) for sign in "/~")
    # `%25` would be decoded once by one reader and twice by another.
    if odd or (plain != pointer and "%" in plain):
        raise Unfollowable(f"it refers to {shown}, which can be read in two ways")
    steps = plain.split("/")[1:]
    if "" in steps:
        raise Unfollowable(f"it refers to {shown}, which has an empty step")
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def _refuse_moved(node: Mapping[str, Json], root: Json) -> None:
    """A part that says where or in what language it is: references in it lead elsewhere."""
    if isinstance(node.get("$id"), str):
        raise Unfollowable("a part of it has an $id of its own")
    dialect = root.get("$schema") if isinstance(root, Mapping) else None
    own = node.get("$schema")
    if isinstance(own, str) and own != dialect:
        raise Unfollowable("a part of it has a $schema of its own")
    if isinstance(node.get("id"), str) and isinstance(dialect, str) and "draft-04" in dialect:
        raise Unfollowable("a part of it has an id of its own")


class _Walk:
    """What lies behind each part of one schema, counted once. Ids are of its own parts."""

    def __init__(self, root: Mapping[str, Json]) -> None:
        self._root = root
        self._sizes: dict[tuple[int, _Role], Size] = {}
        self._open: set[tuple[int, _Role]] = set()

    def size(self, node: Json, role: _Role, level: int) -> Size:
        if isinstance(node, str) or not isinstance(node, Mapping | Sequence):
            return Size(1, 1, 0, 0)
        key = (id(node), role)
        if key in self._open:
            raise Unfollowable("it is recursive")
        size = self._sizes.get(key)
        if level + (0 if size is None else size.height) > LEVELS_MAX:
            raise Unfollowable(f"it is nested deeper than {LEVELS_MAX} levels")
        if size is None:
            self._open.add(key)
            size = self._count(node, role, level)
            self._open.remove(key)
            self._sizes[key] = size
        if size.parts > COST_MAX:
            raise Unfollowable(f"it unfolds to more than {COST_MAX} parts")
        if size.checks > CHECKS_MAX:
            raise Unfollowable(f"checking one value against it takes more than {CHECKS_MAX} steps")
        return size

    def _count(self, node: Mapping[str, Json] | Sequence[Json], role: _Role, level: int) -> Size:
        parts, checks, patterns, height = 1, 1, 0, 0
        if isinstance(node, Mapping) and role is _Role.SCHEMA:
            by_pattern = node.get("patternProperties")
            patterns = len(by_pattern) if isinstance(by_pattern, Mapping) else 0
            patterns += isinstance(node.get("pattern"), str)
            checks += sum(_values(node[name]) for name in _COMPARED if name in node)
        for part, its in self._parts(node, role, level):
            inner = self.size(part, its, level + 1)
            parts += inner.parts
            checks += inner.checks
            patterns += inner.patterns
            height = max(height, inner.height + 1)
        if isinstance(node, Mapping) and any(name in node for name in _UNEVALUATED):
            checks, patterns = checks * _AGAIN, patterns * _AGAIN
        return Size(parts, checks, patterns, height)

    def _parts(
        self, node: Mapping[str, Json] | Sequence[Json], role: _Role, level: int
    ) -> Iterator[tuple[Json, _Role]]:
        if not isinstance(node, Mapping):
            yield from ((part, _Role.SCHEMA) for part in node)
            return
        if role is _Role.NAMES:
            yield from ((part, _Role.SCHEMA) for part in node.values())
            return
        if level > 0:
            _refuse_moved(node, self._root)
        if any(isinstance(own := node.get(name), str) and _META in own for name in ("$id", "id")):
            raise Unfollowable("it claims to be a schema of JSON Schema itself")
        if any(isinstance(node.get(name), str) for name in _MOVING):
            raise Unfollowable("it is recursive")
        pointer = node.get("$ref")
        if isinstance(pointer, str):
            yield resolve(self._root, pointer), _Role.SCHEMA
        for name, part in node.items():
            if name not in _DATA:
                yield part, _Role.NAMES if name in _NAMING else _Role.SCHEMA


def _values(data: Json) -> int:
    """How many values `data` holds, itself included."""
    count, stack = 0, [data]
    while stack:
        value = stack.pop()
        count += 1
        if isinstance(value, Mapping):
            stack.extend(value.values())
        elif isinstance(value, Sequence) and not isinstance(value, str):
            stack.extend(value)
    return count
