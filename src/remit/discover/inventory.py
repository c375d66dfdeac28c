"""The inventory: one fold of sightings, and nothing else changes it.

Laws (`tests/core/test_inventory.py`)
* Order, batches and repetition do not matter: taking sightings in is commutative, associative and idempotent, so that
  sources may be looked at again, exporters may send again, and files may be read in any order. What joins: times by
  minimum and maximum, the rest by the greatest of (confidence, when, text).
* `count` alone is a statistic: how many observations were taken in. Nothing is decided by it, and it is no part of
  what makes two inventories equal.
* What an edge points at exists as well.
* `take` says what it changed, with before and after: drift is read from that (`discover.drift`). What only files, or
  the tokens of other agents, told of is new again when somebody sees it: none of them takes a change away.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from remit.discover.sighting import Edge, Kind, Sighting, SourceConfidence, Subject, Verb, at_second_hand

Best: TypeAlias = tuple[SourceConfidence, int, str]
"""The best that is known: how well, when it was last said (ms since the epoch), and what."""

_CLAIMS: Final = frozenset({Verb.SAME, Verb.APART})


@dataclass(slots=True)
class SourceEvidence:
    """What one source knows of one subject or edge: from when to when it saw it, and the best evidence."""

    first_ms: int
    last_ms: int
    best: Best
    count: int = field(compare=False)

    def join(self, other: "SourceEvidence") -> None:
        """Take `other` in."""
        self.first_ms = min(self.first_ms, other.first_ms)
        self.last_ms = max(self.last_ms, other.last_ms)
        self.best = max(self.best, other.best)
        self.count += other.count

    def copy(self) -> "SourceEvidence":
        """One of its own."""
        return SourceEvidence(self.first_ms, self.last_ms, self.best, self.count)


@dataclass(slots=True)
class SubjectRecord:
    """All that is known of one subject, by source."""

    evidence: dict[str, SourceEvidence] = field(default_factory=dict)
    edges: dict[Edge, dict[str, SourceEvidence]] = field(default_factory=dict)
    traits: dict[str, dict[str, Best]] = field(default_factory=dict)
    owner: Best | None = None

    @property
    def first_ms(self) -> int:
        """When any source saw it first."""
        return min(seen.first_ms for seen in self.evidence.values())

    @property
    def last_ms(self) -> int:
        """When any source saw it last."""
        return max(seen.last_ms for seen in self.evidence.values())

    @property
    def confidence(self) -> SourceConfidence:
        """The best that any source has."""
        return max(seen.best[0] for seen in self.evidence.values())


class InventoryChangeKind(StrEnum):
    """What of the inventory changed."""

    FOUND = "found"
    EDGE = "edge"
    TRAIT = "trait"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class InventoryChange:
    """`source` made the inventory know more of `subject`, by something that it saw at `at` (ms since the epoch).

    EDGE: `key` is the verb and `after` the other subject. TRAIT: `key` the trait, `before` its value so far.
    `known_since` says since when the subject was known before this, None where it was not.
    """

    subject: Subject
    kind: InventoryChangeKind
    source: str
    at: int
    key: str = ""
    before: str | None = None
    after: str | None = None
    known_since: int | None = None


class Inventory:
    """The fold of the sightings taken in so far; `items` are what an earlier one came to."""

    def __init__(self, items: dict[Subject, SubjectRecord] | None = None) -> None:
        self._items: dict[Subject, SubjectRecord] = items if items is not None else {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Subject]:
        return iter(self._items)

    def __contains__(self, subject: Subject) -> bool:
        return subject in self._items

    def __getitem__(self, subject: Subject) -> SubjectRecord:
        return self._items[subject]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inventory) and self._items == other._items

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def of(self, kind: Kind) -> Iterator[tuple[Subject, SubjectRecord]]:
        """Everything of one kind."""
        return ((subject, item) for subject, item in self._items.items() if subject.kind is kind)

    def take(self, sighting: Sighting) -> tuple[InventoryChange, ...]:
        """Fold one sighting in; what it changed."""
        changes: list[InventoryChange] = []
        subject, source, at = sighting.subject, sighting.source, sighting.first_ms
        earlier = self._items.get(subject)
        since = None if earlier is None else earlier.first_ms
        best = (sighting.confidence, sighting.last_ms, sighting.evidence)
        evidence = SourceEvidence(at, sighting.last_ms, best, sighting.count)
        item = self._touch(subject, source, evidence, changes)
        for edge in sighting.edges:
            if edge.verb not in _CLAIMS:
                self._touch(edge.to, source, evidence, changes)
            by_source = item.edges.setdefault(edge, {})
            if not by_source or (
                not at_second_hand(source, subject) and all(at_second_hand(known_by, subject) for known_by in by_source)
            ):
                changes.append(
                    InventoryChange(
                        subject, InventoryChangeKind.EDGE, source, at, edge.verb.value, None, str(edge.to), since
                    )
                )
            _join(by_source, source, evidence)
        for key, value in sighting.traits:
            statements = item.traits.setdefault(key, {})
            before, after = statements.get(source), (sighting.confidence, sighting.last_ms, value)
            if before is None or _later(after, before):
                statements[source] = after
                if before is None or before[2] != value:
                    was = None if before is None else before[2]
                    changes.append(
                        InventoryChange(
                            subject, InventoryChangeKind.TRAIT, source, sighting.last_ms, key, was, value, since
                        )
                    )
        if sighting.owner is not None:
            owner = (sighting.confidence, sighting.last_ms, sighting.owner)
            if item.owner is None or owner > item.owner:
                was = None if item.owner is None else item.owner[2]
                item.owner = owner
                if was != owner[2]:
                    changes.append(
                        InventoryChange(
                            subject, InventoryChangeKind.OWNER, source, sighting.last_ms, "", was, owner[2], since
                        )
                    )
        return tuple(changes)

    def _touch(
        self, subject: Subject, source: str, evidence: SourceEvidence, changes: list[InventoryChange]
    ) -> SubjectRecord:
        item = self._items.get(subject)
        if item is None:
            item = self._items[subject] = SubjectRecord()
            changes.append(
                InventoryChange(subject, InventoryChangeKind.FOUND, source, evidence.first_ms, after=evidence.best[2])
            )
        _join(item.evidence, source, evidence)
        return item


def fold(sightings: Iterable[Sighting]) -> Inventory:
    """The inventory that `sightings` come to."""
    inventory = Inventory()
    for sighting in sightings:
        inventory.take(sighting)
    return inventory


def _join(by_source: dict[str, SourceEvidence], source: str, evidence: SourceEvidence) -> None:
    earlier = by_source.get(source)
    if earlier is None:
        by_source[source] = evidence.copy()
    else:
        earlier.join(evidence)


def _later(one: Best, other: Best) -> bool:
    """A trait is what was said last; at the same moment by whom knows better, then by the text."""
    return (one[1], one[0], one[2]) > (other[1], other[0], other[2])
