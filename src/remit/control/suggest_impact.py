"""Where a tool's arguments seem to say how much a call moves, by their names and kinds."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from remit.facts.canonical import Json

_AMOUNTS: Final = frozenset({"amount", "cost", "price", "sum", "total"})
_PEOPLE: Final = ("recipients", "recipient", "to", "attendees", "participants", "emails", "members", "users")
_RECORDS: Final = frozenset({"entries", "files", "ids", "items", "keys", "paths", "records", "rows"})
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_QUOTABLE: Final = re.compile(r"[^'\\]{1,200}")

Named = Mapping[str, tuple[tuple[str, ...], set[str]]]
"""Arguments by name, with the words of it and the JSON types that they may have."""


def measures(named: Named) -> dict[str, tuple[Json, str]]:
    """Each measure that an argument seems to hold, as YAML spells it, and why."""
    found: dict[str, tuple[Json, str]] = {}
    numbers = {name: said for name, (said, kinds) in named.items() if kinds and kinds <= {"number", "integer"}}
    lists = {name: said for name, (said, kinds) in named.items() if "array" in kinds}
    _first(found, "amount", numbers, lambda said: bool(set(said) & _AMOUNTS), "it says how much")
    for word in _PEOPLE:
        texts = {name: said for name, (said, kinds) in named.items() if not kinds <= {"number", "integer", "boolean"}}
        _first(found, "recipients", texts, lambda said, last=word: said[-1:] == (last,), "it names whom it reaches")
    _first(found, "records", lists, lambda said: bool(set(said[-1:]) & _RECORDS), "it lists what it touches")
    return found


def _first(
    found: dict[str, tuple[Json, str]],
    measure: str,
    named: Mapping[str, tuple[str, ...]],
    fits: Callable[[tuple[str, ...]], bool],
    why: str,
) -> None:
    name = next((name for name, said in named.items() if fits(said) and _QUOTABLE.fullmatch(name)), None)
    if name is not None and measure not in found:
        path = f"$.{name}" if _PLAIN.fullmatch(name) else f"$['{name}']"
        found[measure] = ({"path": path}, why)
