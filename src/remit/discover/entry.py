"""One entry of the inventory as people see it: plain values."""

from dataclasses import dataclass
from enum import StrEnum

from remit.discover.identity import Claim
from remit.discover.reconcile import PassageCounts
from remit.discover.sighting import SourceConfidence, Subject, Verb


class Aspect(StrEnum):
    """What a condition is about."""

    GOVERNED = "Governed"
    OWNED = "Owned"
    SHADOW = "Shadow"
    DRIFTED = "Drifted"
    DORMANT = "Dormant"
    TOXIC = "ToxicCombination"


class ConditionStatus(StrEnum):
    """Whether it is so; UNKNOWN where nothing was seen that could tell."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """`reason` is one word for programs, `message` a sentence that says what it rests on."""

    type: Aspect
    status: ConditionStatus
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class InventoryLink:
    """What the entry does with another one; `by` are the sources that saw it."""

    verb: Verb
    to: Subject
    first_ms: int
    last_ms: int
    confidence: SourceConfidence
    by: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class TraitStatement:
    """What one source says of a trait."""

    key: str
    value: str
    source: str
    at: int


@dataclass(frozen=True, slots=True)
class Sight:
    """What one source saw of one of the entry's names."""

    name: Subject
    source: str
    first_ms: int
    last_ms: int
    count: int
    confidence: SourceConfidence
    evidence: str


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """One agent, model, server, tool, prompt or piece of data, with all its names. `because`: why they are one."""

    subject: Subject
    names: tuple[Subject, ...]
    first_ms: int
    last_ms: int
    confidence: SourceConfidence
    owner: str | None
    registered: bool
    sights: tuple[Sight, ...]
    links: tuple[InventoryLink, ...]
    traits: tuple[TraitStatement, ...]
    because: tuple[Claim, ...]
    counts: PassageCounts
    conditions: tuple[Condition, ...] = ()
