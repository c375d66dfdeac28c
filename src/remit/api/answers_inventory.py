"""What the API answers of the inventory."""

from remit.api.answers import Answer


class SightAnswer(Answer):
    """What one source saw of one name."""

    name: str
    source: str
    first: str
    last: str
    count: int
    confidence: str
    evidence: str


class InventoryLinkAnswer(Answer):
    """What the entry does with another one."""

    verb: str
    to: str
    first: str
    last: str
    confidence: str
    by: list[str]
    evidence: str


class TraitAnswer(Answer):
    """What a source says of a trait."""

    key: str
    value: str
    source: str
    at: str


class ClaimAnswer(Answer):
    """Why two names are one."""

    one: str
    other: str
    source: str
    confidence: str
    evidence: str


class ConditionAnswer(Answer):
    """Whether something is true of the entry, and what that rests on."""

    type: str
    status: str
    reason: str
    message: str


class InventoryEntryAnswer(Answer):
    """One entry of the inventory, with all its names."""

    name: str
    kind: str
    names: list[str]
    registered: bool
    owner: str | None
    first: str
    last: str
    confidence: str
    sources: list[str]
    passed: int
    observed: int
    conditions: list[ConditionAnswer]
    links: list[InventoryLinkAnswer]
    seen: list[SightAnswer]
    traits: list[TraitAnswer]
    because: list[ClaimAnswer]


class TroubleAnswer(Answer):
    """A part of what a source looks at that it could not take."""

    code: str
    where: str
    why: str


class SourceAnswer(Answer):
    """How a source does: `healthy` is True, False or Unknown (nothing was seen of it yet), `last` when it was well."""

    name: str
    healthy: str
    reason: str
    message: str
    last: str | None


class InventoryAnswer(Answer):
    """Entries in order of names; `refused` counts by source what was too much, `sources` are those there are."""

    items: list[InventoryEntryAnswer]
    total: int
    refused: dict[str, int]
    troubles: list[TroubleAnswer]
    sources: list[SourceAnswer]


class CoverageRow(Answer):
    """Of one agent, team or day: actions that passed an enforcement point, that did not, and the share that did.

    Beside them `models`: calls of models that were seen, which no enforcement point governs.
    """

    name: str
    agents: int
    passed: int
    observed: int
    coverage: float | None
    models: int


class CoverageAnswer(Answer):
    """Coverage of the time looked at."""

    by: str
    days: int
    items: list[CoverageRow]
    total: CoverageRow
