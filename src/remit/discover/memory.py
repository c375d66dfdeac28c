"""What discovery has to remember over a restart, as texts: changes not yet told, drift that was told, scopes.

Laws
* What is written is read back the same. A text that is none of ours reads as nothing remembered, never as an error:
  then something may be told twice, and nothing is left out.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from remit.discover.inventory import InventoryChange, InventoryChangeKind
from remit.discover.sighting import parsed
from remit.facts.canonical import Json, canonical
from remit.facts.strictjson import JsonRefused, parse

PENDING_CHANGES: Final = "untold"
REPORTED_DRIFT: Final = "told"
SCOPES: Final = "scopes"
TEXT_BYTES_MAX: Final = 256 * 1024 * 1024
NAMES: Final = (PENDING_CHANGES, REPORTED_DRIFT, SCOPES)
"""The names under which the three are kept, each of at most `TEXT_BYTES_MAX` bytes."""


def changes_text(changes: Iterable[InventoryChange]) -> str:
    """`changes`, in order."""
    return _text(
        [
            [
                str(change.subject),
                change.kind.value,
                change.source,
                change.at,
                change.key,
                change.before,
                change.after,
                change.known_since,
            ]
            for change in changes
        ]
    )


def changes_from(text: str) -> list[InventoryChange]:
    """What `changes_text` wrote."""
    return [change for row in _rows(text) if (change := _change(row)) is not None]


def pairs_text(pairs: Mapping[str, str]) -> str:
    """What of each kind of drift was told last, the oldest first."""
    return _text([[key, value] for key, value in pairs.items()])


def pairs_from(text: str) -> dict[str, str]:
    """What `pairs_text` wrote."""
    pairs: dict[str, str] = {}
    for row in _rows(text):
        match row:
            case [str(key), str(value)]:
                pairs[key] = value
            case _:
                return {}
    return pairs


def scopes_text(scopes: Mapping[str, frozenset[str]]) -> str:
    """The tools that each agent may call, as policy's scopes have it."""
    return _text([[agent, *sorted(tools)] for agent, tools in sorted(scopes.items())])


def scopes_from(text: str) -> dict[str, frozenset[str]] | None:
    """What `scopes_text` wrote; None where nothing is remembered, which differs from no agent at all."""
    if not text:
        return None
    scopes: dict[str, frozenset[str]] = {}
    for row in _rows(text):
        match row:
            case [str(agent), *tools]:
                scopes[agent] = frozenset(tool for tool in tools if isinstance(tool, str))
            case _:
                continue
    return scopes


def _text(rows: list[Json]) -> str:
    return canonical(rows).decode("utf-8")


def _rows(text: str) -> list[Json]:
    try:
        value = parse(text.encode("utf-8", "surrogatepass") or b"[]", bytes_max=TEXT_BYTES_MAX)
    except JsonRefused:
        return []
    match value:
        case [*rows]:
            return rows
        case _:
            return []


def _change(row: Json) -> InventoryChange | None:
    match row:
        case [str(subject), str(what), str(source), int(at), str(key), before, after, known_since]:
            try:
                return InventoryChange(
                    parsed(subject),
                    InventoryChangeKind(what),
                    source,
                    at,
                    key,
                    before if isinstance(before, str) else None,
                    after if isinstance(after, str) else None,
                    known_since if isinstance(known_since, int) else None,
                )
            except ValueError:
                return None
        case _:
            return None
