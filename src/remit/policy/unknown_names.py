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

    named: Mapping[str, tuple[Json, ...]]
    elements: tuple[Json, ...]
    is_open: bool


def unnamed(schema: Mapping[str, Json], given: Json, held: Json) -> Unnamed | None:
    """The first name in `given` that `schema` does not have, nor `held` at the same place.

    The references of `schema` can all be followed (`references.check`).
    """
    return _Reader(schema, frozenset(_names(held, ()))).first((schema,), given, (), "")


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

    def __init__(self, root: Json, held: frozenset[Steps]) -> None:
        self._root = root
        self._held = held
        self._places: dict[tuple[int, ...], _Place] = {}

    def first(self, schemas: tuple[Json, ...], given: Json, at: Steps, path: str) -> Unnamed | None:
        if isinstance(given, Mapping):
            here = self._place(schemas)
            is_open = here.is_open or (bool(at) and not here.named)
            for name, value in sorted(given.items()):
                below, shown = (*at, name), f"{path}.{name}" if path else name
                if not is_open and name not in here.named and below not in self._held:
                    return Unnamed(shown, name, tuple(sorted(here.named)))
                found = self.first(here.named.get(name, ()), value, below, shown)
                if found is not None:
                    return found
        elif isinstance(given, list | tuple):
            elements = self._place(schemas).elements
            below = (*at, None)
            tried = (self.first(elements, value, below, f"{path}[{number}]") for number, value in enumerate(given))
            return next((found for found in tried if found is not None), None)
        return None

    def _place(self, schemas: tuple[Json, ...]) -> _Place:
        key = tuple(map(id, schemas))
        if key not in self._places:
            self._places[key] = self._read(schemas)
        return self._places[key]

    def _read(self, schemas: tuple[Json, ...]) -> _Place:
        named: dict[str, tuple[Json, ...]] = {}
        elements: list[Json] = []
        is_open = False
        left = list(schemas)
        while left:
            here = left.pop()
            if not isinstance(here, Mapping):
                continue
            left += beside(here, self._root)
            members = here.get("properties")
            for name, said in members.items() if isinstance(members, Mapping) else ():
                named[name] = (*named.get(name, ()), said)
            is_open |= not _CONDITIONS.isdisjoint(here)
            is_open |= any(here.get(name, False) is not False for name in _OTHERS)
            for said in (here[name] for name in _ELEMENTS if name in here):
                elements += said if isinstance(said, list) else [said]
        return _Place(named, tuple(elements), is_open)
