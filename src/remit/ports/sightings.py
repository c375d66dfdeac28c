"""Where sightings are kept, compacted: beside the ledger, not on its chain. Calls block."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from remit.discover.inventory import Inventory
from remit.discover.reconcile import Activity, Counts
from remit.discover.sighting import Subject


class Sightings(Protocol):
    """One writer. What is lost with a crash is at most the last second of it; sources see it again."""

    def load(self) -> Inventory:
        """The fold of everything that was kept."""
        ...

    def activity(self) -> Mapping[Activity, Counts]:
        """What was reconciled so far."""
        ...

    def mark(self, name: str) -> str:
        """The text kept under `name`: how far a source has read. Empty where there is none."""
        ...

    def save(
        self,
        inventory: Inventory,
        dirty: Iterable[Subject],
        activity: Mapping[Activity, Counts],
        marks: Mapping[str, str],
    ) -> None:
        """Keep what is now known of the `dirty` subjects, the counts given and the marks, all or nothing."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...
