"""Where sightings are kept, compacted: beside the ledger, not on its chain. Calls block."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from remit.discover.inventory import Inventory
from remit.discover.reconcile import Activity, PassageCounts
from remit.discover.sighting import Subject


class Sightings(Protocol):
    """One writer. What is lost with a crash is at most the last second of it; sources see it again."""

    def load(self) -> Inventory:
        """The fold of everything that was kept."""
        ...

    def activity(self) -> Mapping[Activity, PassageCounts]:
        """What was reconciled so far."""
        ...

    def span_digests(self) -> Sequence[int]:
        """The digests of spans that were judged last."""
        ...

    def mark(self, name: str) -> str:
        """The text kept under `name`: how far a source has read. Empty where there is none."""
        ...

    def save(
        self,
        inventory: Inventory,
        dirty: Iterable[Subject],
        activity: Mapping[Activity, PassageCounts],
        marks: Mapping[str, str],
        heard: Sequence[int] = (),
    ) -> None:
        """Keep what is now known of the `dirty` subjects, the counts given and the marks, all or nothing.

        Counts of nothing are forgotten; of all `heard` the last `discover.reconcile.JUDGED_MAX` are kept.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...
