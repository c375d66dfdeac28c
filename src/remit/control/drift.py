"""A server's live tools against the lock: what stands, what changed word for word, what is new.

Every live text is a stranger's: it is compared and quoted, never read for meaning.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from remit.control.difference import Change, changes
from remit.control.lock import Lock, pin_problem
from remit.facts.canonical import Json
from remit.facts.tool import Definition


class DriftStatus(StrEnum):
    """How a live tool compares with the lock; values are those of `pdp.snapshot.Pin`."""

    MATCHES = "matches"
    DRIFTED = "drifted"
    MISSING = "missing"
    UNREVIEWED = "unreviewed"


@dataclass(frozen=True, slots=True)
class DriftComparison:
    """One tool. `pinned` is None if unreviewed, `live` is None if missing; `pin` is the live one.

    `changes` from pinned to live are there for a drifted tool. `note` says what no difference
    shows (listed twice, cannot be pinned); such a tool cannot be accepted.
    """

    server: str
    tool: str
    status: DriftStatus
    pinned: Definition | None
    live: Definition | None
    pin: str | None
    changes: tuple[Change, ...] = ()
    note: str = ""

    def to_json(self) -> Mapping[str, Json]:
        """The comparison as JSON, for the control API and `-o json`."""
        return {
            "server": self.server,
            "tool": self.tool,
            "standing": self.status.value,
            "pin": self.pin,
            "note": self.note,
            "changes": [change.to_json() for change in self.changes],
        }


def compare(lock: Lock, server: str, live: Iterable[Definition]) -> tuple[DriftComparison, ...]:
    """Every tool of `server` that is locked or live, by name."""
    pinned = lock.of(server)
    live_by_name = _by_name(live)
    standings = _standings({name: entry.pin for name, entry in pinned.items()}, live_by_name)
    comparisons: list[DriftComparison] = []
    for name in sorted(pinned.keys() | live_by_name.keys()):
        definitions = live_by_name.get(name, [])
        locked = pinned[name].definition if name in pinned else None
        current = definitions[-1] if definitions else None
        comparisons.append(
            DriftComparison(
                server,
                name,
                standings[name],
                locked,
                current,
                _pin(current) if current else None,
                changes(locked.to_json(), current.to_json()) if locked and current else (),
                _note(server, definitions),
            )
        )
    return tuple(comparisons)


def _by_name(live: Iterable[Definition]) -> dict[str, list[Definition]]:
    listed: dict[str, list[Definition]] = {}
    for definition in live:
        listed.setdefault(definition.name, []).append(definition)
    return listed


def _standings(pins: Mapping[str, str], live_by_name: Mapping[str, list[Definition]]) -> dict[str, DriftStatus]:
    standings = dict.fromkeys(pins, DriftStatus.MISSING)
    for name, definitions in live_by_name.items():
        if name not in pins:
            standings[name] = DriftStatus.UNREVIEWED
        elif len(definitions) == 1 and _pin(definitions[0]) == pins[name]:
            standings[name] = DriftStatus.MATCHES
        else:
            standings[name] = DriftStatus.DRIFTED
    return standings


def _pin(definition: Definition) -> str | None:
    try:
        return definition.pin()
    except (ValueError, RecursionError):
        return None


def _note(server: str, definitions: list[Definition]) -> str:
    if len(definitions) > 1:
        return f"the server lists it {len(definitions)} times"
    return pin_problem(server, definitions[0]) if definitions else ""
