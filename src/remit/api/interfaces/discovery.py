"""What the control API needs of discovery, as an interface that `app` fills. Light to import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from remit.discover.entry import InventoryEntry
from remit.discover.health import SourceState
from remit.discover.reconcile import PassageCounts
from remit.discover.sighting import Kind, Sighting, Subject, Verb
from remit.ports.source import Trouble


@dataclass(frozen=True, slots=True)
class InventoryListing:
    """Entries of the inventory; `total` counts those that there are, `refused` what was too much, by source."""

    items: Sequence[InventoryEntry]
    total: int
    refused: Mapping[str, int]
    troubles: Sequence[Trouble]


@dataclass(frozen=True, slots=True)
class CoverageCount:
    """What was seen of one agent, team or day: actions that passed an enforcement point, and that did not.

    `models` are calls of models, which pass none and are in neither number.
    """

    name: str
    counts: PassageCounts
    agents: int
    models: int


class DiscoveryControl(Protocol):
    """The inventory of the running service."""

    async def listed(self, kind: Kind | None, limit: int) -> InventoryListing:
        """Entries in order of names."""
        ...

    def states(self) -> Sequence[SourceState]:
        """How every source does."""
        ...

    async def entry(self, subject: Subject) -> InventoryEntry | None:
        """The entry that `subject` is a name of."""
        ...

    async def coverage(self, by: str, days: int) -> Sequence[CoverageCount]:
        """By `agent`, `team` or `day`, over the last `days`."""
        ...

    async def claim(self, one: Subject, other: Subject, verb: Verb, by: str) -> None:
        """A person says that two names are one, or are not. Raises `KeyError` for what is not in the inventory."""
        ...

    async def adopt(self, subject: Subject, name: str, by: str) -> None:
        """A person registered what was found as the agent `name`: the two are one."""
        ...

    async def accept(self, subject: Subject, by: str) -> None:
        """A person accepts what an agent does now. Raises `KeyError`."""
        ...

    async def take(self, sightings: Sequence[Sighting], by: str) -> None:
        """Fold in what a source outside of the service saw, handed over by `by`."""
        ...
