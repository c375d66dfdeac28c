"""Names in the arguments of a call that its tool's input schema does not have, at any depth.

A schema takes more than it names unless it says otherwise, and lets a misspelt name through beside the one that was
meant. Where it says that there are others, says so under a condition, or names none below the arguments, each is taken.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from remit.facts.canonical import Json
from remit.policy.references import beside

_CONDITIONS: Final = frozenset({"then", "else", "dependentSchemas", "dependencies", "patternProperties"})
_OTHERS: Final = ("additionalProperties", "unevaluatedProperties")
_ELEMENTS: Final = ("prefixItems", "items", "additionalItems", "unevaluatedItems")

Steps: TypeAlias = tuple[str | None, ...]
"""The names that lead to a place; None is any element of a list."""


class Unnamed(NamedTuple):
    """The name at `path` that the schema does not have; those that are `known` in its place."""

    path: str
    name: str
    known: tuple[str, ...]


class _Place(NamedTuple):
    """What schemas say of one place: of members by name, of elements, and whether there are more members."""

    members: Mapping[str, tuple[Json, ...]]
    elements: tuple[Json, ...]
    is_open: bool


def unnamed(schema: Mapping[str, Json], arguments: Json, accepted: Json) -> Unnamed | None:
    """The first name in `arguments` that `schema` does not have, nor `accepted` at the same place.

    The references of `schema` can all be followed (`references.check`).
    """
    return _Reader(schema, frozenset(_names(accepted, ()))).first((schema,), arguments, (), "")


def _names(value: Json, at: Steps) -> Iterator[Steps]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield (*at, name)
            yield from _names(item, (*at, name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _names(item, (*at, None))


class _Reader:
    """Reads each place of a schema once, however many elements of a list are held against it."""

    def __init__(self, root: Json, accepted: frozenset[Steps]) -> None:
        self._root = root
        self._accepted = accepted
        self._places: dict[tuple[int, ...], _Place] = {}

    def first(self, schemas: tuple[Json, ...], instance: Json, at: Steps, path: str) -> Unnamed | None:
        if isinstance(instance, Mapping):
            place = self._place(schemas)
            is_open = place.is_open or (bool(at) and not place.members)
            for name, value in sorted(instance.items()):
                below, full_path = (*at, name), f"{path}.{name}" if path else name
                if not is_open and name not in place.members and below not in self._accepted:
                    return Unnamed(full_path, name, tuple(sorted(place.members)))
                problem = self.first(place.members.get(name, ()), value, below, full_path)
                if problem is not None:
                    return problem
        elif isinstance(instance, list | tuple):
            elements = self._place(schemas).elements
            below = (*at, None)
            tried = (self.first(elements, value, below, f"{path}[{number}]") for number, value in enumerate(instance))
            return next((found for found in tried if found is not None), None)
        return None

    def _place(self, schemas: tuple[Json, ...]) -> _Place:
        key = tuple(map(id, schemas))
        if key not in self._places:
            self._places[key] = self._read(schemas)
        return self._places[key]

    def _read(self, schemas: tuple[Json, ...]) -> _Place:
        by_name: dict[str, tuple[Json, ...]] = {}
        elements: list[Json] = []
        is_open = False
        stack = list(schemas)
        while stack:
            node = stack.pop()
            if not isinstance(node, Mapping):
                continue
            stack += beside(node, self._root)
            members = node.get("properties")
            for name, part in members.items() if isinstance(members, Mapping) else ():
                by_name[name] = (*by_name.get(name, ()), part)
            is_open |= not _CONDITIONS.isdisjoint(node)
            is_open |= any(node.get(name, False) is not False for name in _OTHERS)
            for part in (node[name] for name in _ELEMENTS if name in node):
                elements += part if isinstance(part, list) else [part]
        return _Place(by_name, tuple(elements), is_open)
