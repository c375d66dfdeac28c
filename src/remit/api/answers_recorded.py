"""What the API answers of a record: why an action was decided so, and what one says that judges no action."""

from pydantic import JsonValue

from remit.api.answers import Answer, RecordAnswer
from remit.api.answers_decided import ApprovalAnswer, GateAnswer, ReasonAnswer


class ReceiptAnswer(Answer):
    """Where a record stands, and its hash."""

    id: str
    hash: str


class ChainLinkAnswer(Answer):
    """One agent of a chain and its session."""

    agent: str
    sid: str


class ActionAnswer(Answer):
    """An action as it was judged."""

    kind: str
    tool: str
    hash: str
    pin: str
    user: str | None
    links: list[ChainLinkAnswer]
    token: str
    arguments: JsonValue


class PolicyAnswer(Answer):
    """A determining policy with its own lines; none where that bundle is no longer at hand."""

    id: str
    where: str | None
    lines: list[str]


class LimitAnswer(Answer):
    """A budget or breaker that had a say: as it was `declared` in that bundle, how it stands `now`, what to do."""

    id: str
    declared: dict[str, JsonValue] | None
    now: list[str]
    next: str


class MarkAnswer(Answer):
    """What `record` changed of what the monitor or guarantee `id` keeps `over` session or fleet; `text` says it."""

    id: str
    record: str
    does: str
    over: str
    within_s: float | None
    text: str


class OutcomeAnswer(Answer):
    """How an intent ended."""

    id: str
    at: str
    status: str
    elapsed_ms: float
    labels: list[str]
    result: str | None
    result_bytes: int
    error: str | None
    receipt: ReceiptAnswer


class SettlementAnswer(Answer):
    """What a person said of an intent that had no outcome, or one that left open whether it took effect."""

    id: str
    at: str
    by: str
    happened: bool
    why: str


class SeenAnswer(Answer):
    """One step of a lineage: `at` is where in the result of `call` the value was first seen."""

    call: str
    tool: str | None
    at: str


class ValueAnswer(Answer):
    """One value of an action: its origin, and where it was first seen, then what that call hung on."""

    arg: str
    value: JsonValue
    role: str | None
    origin: str
    part: str | None
    established: bool
    lineage: list[SeenAnswer]


class OfRecordAnswer(Answer):
    """What every record has."""

    id: str
    kind: str
    at: str
    bundle: str
    sid: str
    receipt: ReceiptAnswer


class WhyAnswer(OfRecordAnswer):
    """Who decided what, why and on whose authority.

    `in_doubt` and `stays_spent` are settled by people: nobody knows whether it happened; its tool says that it failed,
    and a budget holds it all the same.
    """

    action: ActionAnswer
    facts: dict[str, JsonValue]
    labels: list[str]
    verdict: str
    observed: str | None
    reasons: list[ReasonAnswer]
    gates: list[GateAnswer]
    obligations: list[str]
    policies: list[PolicyAnswer]
    limits: list[LimitAnswer]
    values: list[ValueAnswer] | None
    marks: list[MarkAnswer]
    approval: ApprovalAnswer | None
    outcome: OutcomeAnswer | None
    settled: SettlementAnswer | None
    in_doubt: bool
    stays_spent: bool


class NamingAnswer(Answer):
    """The incident that names a record."""

    id: str
    title: str
    state: str
    assignee: str | None


class RecordedAnswer(OfRecordAnswer):
    """A record that judges no action: `by` did `event` to `subject`; `text` and `told` say so to people.

    `said` is what it holds, `records` are those that it names, each with its outcome.
    """

    event: str
    by: str
    subject: str
    text: str
    told: list[str]
    said: dict[str, JsonValue]
    records: list[RecordAnswer]
    incident: NamingAnswer | None
