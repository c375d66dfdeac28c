"""What a record's body says, per kind. Field order is the encoding's order: append only.

Bodies hold plain values so that a body read back equals the body written (`encoding`). The
arguments of an action are embedded as the very bytes that were hashed and judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.facts.budget import Charge, Refund
from remit.facts.canonical import Json
from remit.facts.mark import Mark
from remit.facts.passkey import Confirmed
from remit.policy.verdict import Gate, Reason


class Status(StrEnum):
    """How an intent ended. An intent without an outcome is in doubt: listed, never guessed."""

    OK = "ok"
    TOOL_ERROR = "tool_error"
    UPSTREAM_ERROR = "upstream_error"
    TIMEOUT = "timeout"
    LOST = "lost"
    NOT_SENT = "not_sent"


UNANSWERED: Final = frozenset({Status.UPSTREAM_ERROR, Status.TIMEOUT, Status.LOST})
"""It was sent, and no answer of the tool says what became of it: in doubt too, until a person says so."""


@dataclass(frozen=True, slots=True)
class StoreWrite:
    """What an action may have written to stores: at `places` (`facts.store`) there are `labels` from now on."""

    places: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActionBody:
    """Body of `proposal` and `intent`: the action, what was known, and the verdict.

    `links` are `(agent, sid)` pairs, the minted agent first. `labels` are the effective ones
    of the chain at the decision; `source` what the tool's results bring (an in-doubt intent
    keeps them). `observed` is the verdict that `observe` mode overrode. `approval` is the
    decision id claimed by an intent, or of the one that a proposal waits for. `expires_ms` ends the approval that an
    escalated proposal opens. `irreversible` says which counter the intent adds to. `trace` is the W3C traceparent that
    its log lines and the server's bear; `stored` what it may write to stores; `grants` are those that lifted its gates;
    `nonce` is what names the approval that a proposal opens, and in an intent the key under which the tool may be
    called once more; `reaches` are the kinds of its targets (`facts.novelty`), where a policy asked; `charges` what an
    intent takes from budgets; `said` is why an agent says that it asks what people are asked about, in its own words;
    `marks` what it changes of what monitors and guarantees keep. These eight are encoded before the arguments, where
    there are any.
    """

    action: str
    kind: str
    server: str
    name: str
    pin: str
    user: str | None
    links: tuple[tuple[str, str], ...]
    token: str
    verdict: str
    observed: str | None
    reasons: tuple[Reason, ...]
    gates: tuple[Gate, ...]
    obligations: tuple[str, ...]
    approval: str | None
    expires_ms: int | None
    irreversible: bool
    labels: tuple[str, ...]
    source: tuple[str, ...]
    context: Mapping[str, Json]
    arguments: bytes
    trace: str | None = None
    stored: StoreWrite | None = None
    grants: tuple[str, ...] = ()
    nonce: str | None = None
    reaches: tuple[str, ...] = ()
    charges: tuple[Charge, ...] = ()
    said: str | None = None
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class OutcomeBody:
    """Body of `outcome`: how the intent at `intent` (a decision id) ended.

    `labels` join every session in `sids` before the result leaves; `result` is `sha256:…` of
    the released bytes; `elapsed_ms` from forwarding to answer. `origins` is what the result adds to the index of
    the chain's root session (`sids` names it first), as `protect.index` packs it, in base 64. `refunds` are what the
    intent took from budgets and did not spend, `marks` what it changes of what monitors keep.
    """

    intent: str
    status: Status
    sids: tuple[str, ...]
    labels: tuple[str, ...]
    approval: str | None
    result: str | None
    result_bytes: int
    elapsed_ms: float
    error: str | None = None
    origins: str | None = None
    refunds: tuple[Refund, ...] = ()
    marks: tuple[Mark, ...] = ()


class MidCall(StrEnum):
    """What passes in the midst of an action."""

    NOTICE = "notice"
    QUESTIONS = "questions"
    RESPONSES = "responses"
    TASK = "task"


@dataclass(frozen=True, slots=True)
class ExchangeBody:
    """Body of `exchange`: what passed between the intent at `intent` and its outcome.

    `number` is the round, from 1; 0 for what the server said unasked, of which
    the first is recorded, and that before which `labels` grew.
    What comes from the server joins `labels` to every session in `sids` before it is shown; responses
    leave by an `approval` of their own where people were asked about them. `content` is `sha256:…` of
    what passed, None where it is still to come. Responses may be written to stores, as `stored` says, and answer
    `questions`, `sha256:…` of them; what a server says adds `origins` to the index of the root session, as an
    outcome does.
    """

    intent: str
    number: int
    passed: MidCall
    sids: tuple[str, ...]
    labels: tuple[str, ...]
    content: str | None
    content_bytes: int
    approval: str | None
    reasons: tuple[Reason, ...] = ()
    stored: StoreWrite | None = None
    origins: str | None = None
    questions: str | None = None


class Choice(StrEnum):
    """What a person decided of an approval."""

    APPROVE = "approve"
    DENY = "deny"
    DELEGATE = "delegate"
    BREAK_GLASS = "break-glass"
    REVIEW = "review"
    GRANT = "grant"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class DecisionBody:
    """Body of `decision`: `by` (a user) chose for `approval`.

    `routes` are those his yes may count for; `completes` says that with it every gate is lifted
    (the routes' rules were those of the record's bundle; see `escalate.voting`). `reason` is the preset word of a no.
    A yes to other arguments names the proposal that holds them (`edit`), their action's hash (`approved`) and what
    later decisions have to name (`nonce`). `to` decides in his place until `until_ms`. `grant` are the terms of a grant
    (`escalate.grants`) that he gives with the approval, or `{"of": ID}` where he joins or revokes that one. `confirmed`
    names the passkey that signed what he said, and its count. These are encoded where one of them is there.
    """

    approval: str
    action: str
    by: str
    choice: Choice
    routes: tuple[str, ...]
    note: str | None = None
    completes: bool = False
    reason: str | None = None
    edit: str | None = None
    approved: str | None = None
    nonce: str | None = None
    to: str | None = None
    until_ms: int | None = None
    grant: Mapping[str, Json] | None = None
    confirmed: Confirmed | None = None


class Event(StrEnum):
    """What an `admin` record is about."""

    EPOCH = "epoch"
    BUNDLE = "bundle"
    TOKEN_ISSUED = "token.issued"  # noqa: S105
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    CREDENTIAL = "credential"
    KEY_ROTATED = "key.rotated"
    SESSION_OPENED = "session.opened"
    SESSION_KEYED = "session.keyed"
    SESSION_WORDS = "session.words"
    SESSION_CONFIDENCE = "session.confidence"
    SESSION_ENDED = "session.ended"
    SERVER_ENTRUSTED = "server.entrusted"
    HALT = "halt"
    HALT_DRILL = "halt.drill"
    RESUME = "resume"
    GUARANTEE_SIGNED = "guarantee.signed"
    ADMISSION = "admission"
    ADMISSION_OVERRIDDEN = "admission.overridden"
    BUDGET_RESET = "budget.reset"
    BREAKER_TRIPPED = "breaker.tripped"
    BREAKER_CLOSED = "breaker.closed"
    BUDGET_CARRIED = "budget.carried"
    PAST_CARRIED = "past.carried"
    STORE_CARRIED = "store.carried"
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_CANCELLED = "approval.cancelled"
    APPROVAL_SUPERSEDED = "approval.superseded"
    APPROVAL_STARTED = "approval.started"
    APPROVAL_PREVIEWED = "approval.previewed"
    TOOLS_ACCEPTED = "tools.accepted"
    RESOURCE_DELETED = "resource.deleted"
    LEDGER_RESTORED = "ledger.restored"
    LEDGER_LOSS_ACCEPTED = "ledger.loss-accepted"
    KEY_LOSS_ACCEPTED = "key.loss-accepted"
    SERVER_LOGIN = "server.login"
    SERVER_LOGOUT = "server.logout"
    AGENT_REGISTERED = "agent.registered"
    AGENT_ENFORCED = "agent.enforced"
    POLICY_DIFFERENCE = "policy.difference"
    CHECKPOINT_KEY = "checkpoint.key"
    LEDGER_ERASED = "ledger.erased"
    INVENTORY_CHANGED = "inventory.changed"
    AGENT_DRIFTED = "agent.drifted"
    INTENT_SETTLED = "intent.settled"
    INCIDENT_OPENED = "incident.opened"
    INCIDENT_SEEN = "incident.seen"
    INCIDENT_ASSIGNED = "incident.assigned"
    INCIDENT_CLOSED = "incident.closed"
    PASSKEY_ADDED = "passkey.added"
    PASSKEY_REMOVED = "passkey.removed"
    DETECTED = "detector.found"


@dataclass(frozen=True, slots=True)
class AdminBody:
    """Body of `admin`: `by` did `event` to `subject`; `data` holds no secret."""

    event: Event
    by: str
    subject: str
    data: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


Body: TypeAlias = ActionBody | ExchangeBody | OutcomeBody | DecisionBody | AdminBody
