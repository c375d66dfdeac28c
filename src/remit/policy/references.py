"""References inside a JSON Schema: followed here, never fetched, and never in a circle.

A schema that refers to itself, or doubles at each step, makes checking one small argument take
as long as its author likes. Both are found before anything is compiled or followed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from remit.facts.canonical import Json
from remit.facts.text import escaped

LEVELS_MAX: Final = 200
COST_MAX: Final = 20_000
_DATA: Final = frozenset({"const", "default", "enum", "examples"})
_MOVING: Final = ("$dynamicRef", "$recursiveRef")


class Unfollowable(ValueError):
    """Why the references of a schema cannot be followed."""


def resolve(root: Json, pointer: str) -> Json:
    """What the local `$ref` `pointer` means (RFC 6901 in a URI fragment). Raises `Unfollowable`."""
    shown = escaped(pointer, chars_max=80)
    if pointer != "#" and not pointer.startswith("#/"):
        raise Unfollowable(f"it refers to another document or an anchor ({shown})")
    here = root
    for part in pointer[1:].split("/")[1:]:
        step = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(here, Mapping) and step in here:
            here = here[step]
        elif isinstance(here, list) and step.isdecimal() and int(step) < len(here):
            here = here[int(step)]
        else:
            raise Unfollowable(f"it refers to {shown}, which is not there")
    return here


def check(schema: Mapping[str, Json]) -> None:
    """Raise `Unfollowable` unless the references of `schema` can all be followed.

    Each must be local and lead somewhere, none back to itself, and following them all must stay
    within `COST_MAX` steps.
    """
    _Walk(schema).cost(schema, 0)


class _Walk:
    """What lies behind each part of one schema, counted once. Ids are of its own parts."""

    def __init__(self, root: Mapping[str, Json]) -> None:
        self._root = root
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    def cost(self, node: Json, level: int) -> int:
        if isinstance(node, str) or not isinstance(node, Mapping | Sequence):
            return 1
        key = id(node)
        if key in self._open:
            raise Unfollowable("it is recursive")
        if level > LEVELS_MAX:
            raise Unfollowable(f"it is nested deeper than {LEVELS_MAX} levels")
        found = self._known.get(key)
        if found is None:
            self._open.add(key)
            found = 1 + sum(self.cost(part, level + 1) for part in self._parts(node, level))
            self._open.remove(key)
            self._known[key] = found
        if found > COST_MAX:
            raise Unfollowable(f"it unfolds to more than {COST_MAX} parts")
        return found

    def _parts(self, node: Mapping[str, Json] | Sequence[Json], level: int) -> Iterator[Json]:
        if not isinstance(node, Mapping):
            yield from node
            return
        if level > 0 and isinstance(node.get("$id"), str):
            raise Unfollowable("a part of it has an $id of its own")
        if any(isinstance(node.get(name), str) for name in _MOVING):
            raise Unfollowable("it is recursive")
        pointer = node.get("$ref")
        if isinstance(pointer, str):
            yield resolve(self._root, pointer)
        yield from (part for name, part in node.items() if name not in _DATA)
