"""How much one source may add: the inventory stays bounded whatever names are made up.

Laws
* What is known already is always taken in. Of what is new, a source that reports hearsay adds `PER_SOURCE_MAX` subjects
  and `EDGES_OF_SOURCE_MAX` edges at most, and all such sources `SUBJECTS_MAX`; a subject has `EDGES_MAX` edges at most.
* What is registered, enforced or stated by a person is not bounded by what others made up.
* What is refused is counted by source: coverage says that something is missing.
"""

from collections import Counter
from dataclasses import replace
from typing import Final

from remit.discover.inventory import Inventory
from remit.discover.sighting import Edge, Sighting, SourceConfidence, Subject, Verb

SUBJECTS_MAX: Final = 60_000
PER_SOURCE_MAX: Final = 20_000
EDGES_MAX: Final = 1_000
EDGES_OF_SOURCE_MAX: Final = 100_000
_CLAIMS: Final = frozenset({Verb.SAME, Verb.APART})


class SightingLimiter:
    """Before the fold. `refused` counts the subjects and edges that each source had in excess."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._of_source = Counter[str]()
        self._edges = Counter[str]()
        self.refused = Counter[str]()
        for subject in inventory:
            self._of_source.update(inventory[subject].evidence.keys())
            for by_source in inventory[subject].edges.values():
                self._edges.update(by_source.keys())

    def admit(self, sighting: Sighting) -> Sighting | None:
        """What of `sighting` may be folded in: all of it, some of its edges, or nothing."""
        if sighting.confidence >= SourceConfidence.ENFORCED:
            return sighting
        if not self._room(sighting.subject, sighting.source):
            self.refused[sighting.source] += 1
            return None
        if not sighting.edges:
            return sighting
        known_edges = self._inventory[sighting.subject].edges if sighting.subject in self._inventory else {}
        room = EDGES_MAX - len(known_edges)
        edges = tuple(
            edge
            for edge in sighting.edges
            if edge in known_edges or ((room := room - 1) >= 0 and self._joins(edge, sighting.source))
        )
        if len(edges) == len(sighting.edges):
            return sighting
        self.refused[sighting.source] += len(sighting.edges) - len(edges)
        return replace(sighting, edges=edges)

    def _joins(self, edge: Edge, source: str) -> bool:
        if self._edges[source] >= EDGES_OF_SOURCE_MAX:
            return False
        if edge.verb not in _CLAIMS and not self._room(edge.to, source):
            return False
        self._edges[source] += 1
        return True

    def _room(self, subject: Subject, source: str) -> bool:
        known = subject in self._inventory
        if known and source in self._inventory[subject].evidence:
            return True
        if (not known and len(self._inventory) >= SUBJECTS_MAX) or self._of_source[source] >= PER_SOURCE_MAX:
            return False
        self._of_source[source] += 1
        return True
