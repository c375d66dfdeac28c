"""What a record changes: a closed union, applied alike by the ledger's writer and by the driver's memory."""

from dataclasses import dataclass
from typing import TypeAlias

from remit.escalate.grants import GrantTerms
from remit.escalate.machine import Approval, ApprovalMove, Delegation, Edit, Glass, Vote
from remit.facts.breaker import Trip
from remit.facts.passkey import Passkey
from remit.facts.record import Ref
from remit.facts.stop import Stop, StopTarget
from remit.pdp.past_deltas import PastCarried, PastMarked, SignedOff
from remit.trace.bodies import ActionBody, Status


# These two are made for every intent there is; freezing them would cost 2 µs each time.
@dataclass(slots=True)
class SessionTouched:
    """`sid` acts: it starts at `at` unless it has; its counters rise by these."""

    sid: str
    agent: str
    user: str | None
    at: int
    calls: int
    irreversible: int


@dataclass(slots=True)
class IntentOpened:
    """An intent without an outcome yet."""

    ref: Ref
    body: ActionBody


@dataclass(frozen=True, slots=True)
class LabelsJoined:
    """`labels` (closed upward) join those of session `sid`."""

    sid: str
    at: int
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class PlaceLabelled:
    """The place `where` of a store (`facts.store`) holds `labels` (closed upward) from now on."""

    where: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class SessionKeyed:
    """The index of session `sid` is keyed by `key` (hex) and begins anew after the record at `ref`.

    None: the key is erased, and with it the index.
    """

    ref: Ref
    sid: str
    key: str | None


@dataclass(frozen=True, slots=True)
class OriginsAdded:
    """The record at `ref` adds to the index of session `sid`."""

    ref: Ref
    sid: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """Session `sid` ended at `at`; the first end counts."""

    sid: str
    at: int


@dataclass(frozen=True, slots=True)
class IntentClosed:
    """The intent at `intent` (a decision id) has its outcome, `outcome`; one that is `settled` has it from a person.

    `unanswered` is how it ended where no answer of the tool says what became of it.
    """

    intent: str
    outcome: Ref
    settled: bool = False
    unanswered: Status | None = None


@dataclass(frozen=True, slots=True)
class ApprovalOpened:
    """People are asked."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class ApprovalVoted:
    """A yes; with `completes` the last that was needed, with an `edit` one to other arguments."""

    ident: str
    vote: Vote
    completes: bool
    edit: Edit | None = None


@dataclass(frozen=True, slots=True)
class ApprovalRefused:
    """A no, which ends it, with a preset `reason` and a `note` for people, or without."""

    ident: str
    by: str
    reason: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovalDelegated:
    """Somebody else may decide it in the place of one who may."""

    ident: str
    delegation: Delegation


@dataclass(frozen=True, slots=True)
class ApprovalBroken:
    """One person lifted its gates alone, in an emergency."""

    ident: str
    glass: Glass


@dataclass(frozen=True, slots=True)
class ApprovalReviewed:
    """`by` looked at how its glass was broken."""

    ident: str
    by: str


@dataclass(frozen=True, slots=True)
class ApprovalSuperseded:
    """People are asked anew, as `by`."""

    ident: str
    by: str


@dataclass(frozen=True, slots=True)
class ApprovalClaimed:
    """The durable intent `intent` (a decision id) uses it."""

    ident: str
    intent: str


@dataclass(frozen=True, slots=True)
class ApprovalMoved:
    """It goes on by `move`: start, succeed, fail, lose, retry, cancel or expire."""

    ident: str
    move: ApprovalMove


@dataclass(frozen=True, slots=True)
class ConfidenceStated:
    """`source` says how sure the agent of session `sid` is, in units of the fourth decimal place."""

    sid: str
    at: int
    source: str
    units: int


@dataclass(frozen=True, slots=True)
class GrantVoted:
    """A yes to the grant `ident`, which with its first has these `terms`."""

    ident: str
    vote: Vote
    terms: GrantTerms | None


@dataclass(frozen=True, slots=True)
class GrantRevoked:
    """`by` ended the grant `ident`."""

    ident: str
    by: str


@dataclass(frozen=True, slots=True)
class GrantUsed:
    """An action goes ahead under the grant `ident`."""

    ident: str


@dataclass(slots=True)
class Charged:
    """An intent takes `units` from `account`, in the window since `since_ms`."""

    account: str
    since_ms: int
    units: int


@dataclass(frozen=True, slots=True)
class Refunded:
    """The end of an intent gives back to `account` what it took in the window since `since_ms` and did not spend."""

    account: str
    since_ms: int
    units: int


@dataclass(frozen=True, slots=True)
class BudgetReset:
    """A person had `account` begin anew at `since_ms`; None: records of a time that did not say when."""

    account: str
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class Tripped:
    """The breaker `key` tripped."""

    key: str
    trip: Trip


@dataclass(frozen=True, slots=True)
class Closed:
    """The breaker `key` closes: its trials went well, or a person says so."""

    key: str


@dataclass(frozen=True, slots=True)
class Halted:
    """A person stopped something; the last stop of it counts."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class Resumed:
    """A person let it act again."""

    target: StopTarget


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """Token `token` no longer counts; it would have expired at `expires_ms`."""

    token: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """Credential `ident` is now the one that hashes to `hash`; None removes it."""

    ident: str
    hash: str | None


@dataclass(frozen=True, slots=True)
class PasskeyAdded:
    """A person registered a passkey."""

    passkey: Passkey


@dataclass(frozen=True, slots=True)
class PasskeyUsed:
    """The passkey `ident` signed something, and its authenticator counted to `count`."""

    ident: str
    count: int


@dataclass(frozen=True, slots=True)
class PasskeyRemoved:
    """The passkey `ident` confirms nothing any more; that its user had one stays known."""

    ident: str


@dataclass(frozen=True, slots=True)
class BodiesErased:
    """The record at `ref` erased the bodies of `erased` (decision ids)."""

    ref: Ref
    erased: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EpochBegan:
    """Chain `chain` begins: every open intent of its replica's earlier epochs is in doubt."""

    chain: str
    at: int


ApprovalDelta: TypeAlias = (
    ApprovalVoted
    | ApprovalRefused
    | ApprovalDelegated
    | ApprovalBroken
    | ApprovalReviewed
    | ApprovalSuperseded
    | ApprovalClaimed
    | ApprovalMoved
)
SessionDelta: TypeAlias = SessionTouched | LabelsJoined | SessionEnded | ConfidenceStated
GrantDelta: TypeAlias = GrantVoted | GrantRevoked | GrantUsed
BreakerDelta: TypeAlias = Tripped | Closed
BudgetDelta: TypeAlias = Charged | Refunded | BudgetReset
PasskeyDelta: TypeAlias = PasskeyAdded | PasskeyUsed | PasskeyRemoved
Delta: TypeAlias = (
    SessionDelta
    | BudgetDelta
    | BreakerDelta
    | PlaceLabelled
    | PastMarked
    | PastCarried
    | SessionKeyed
    | OriginsAdded
    | IntentOpened
    | IntentClosed
    | ApprovalOpened
    | ApprovalDelta
    | GrantDelta
    | PasskeyDelta
    | Halted
    | Resumed
    | SignedOff
    | TokenRevoked
    | CredentialSet
    | BodiesErased
    | EpochBegan
)
