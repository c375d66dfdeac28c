"""The life of one approval.

Laws: an approval binds one exact action (its hash), lifts only the gates it names, is used
once, and ends by itself. Silence is denial. States and moves are the table below; a move that
is not in it raises. What people were shown is what runs: whoever approves other arguments makes
the votes begin anew, with his own.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from remit.policy.verdict import Gate


class ApprovalState(StrEnum):
    """Where an approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    CLAIMED = "claimed"
    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class ApprovalMove(StrEnum):
    """What happens to an approval. CLAIM is the durable intent that uses it, START that its action leaves."""

    VOTE = "vote"
    DELEGATE = "delegate"
    COMPLETE = "complete"
    BREAK_GLASS = "break-glass"
    REFUSE = "refuse"
    EXPIRE = "expire"
    CANCEL = "cancel"
    SUPERSEDE = "supersede"
    CLAIM = "claim"
    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    LOSE = "lose"
    RETRY = "retry"


MOVES: Final = MappingProxyType(
    {
        (ApprovalState.PENDING, ApprovalMove.VOTE): ApprovalState.PENDING,
        (ApprovalState.PENDING, ApprovalMove.DELEGATE): ApprovalState.PENDING,
        (ApprovalState.PENDING, ApprovalMove.COMPLETE): ApprovalState.APPROVED,
        (ApprovalState.PENDING, ApprovalMove.BREAK_GLASS): ApprovalState.APPROVED,
        (ApprovalState.PENDING, ApprovalMove.REFUSE): ApprovalState.DENIED,
        (ApprovalState.PENDING, ApprovalMove.EXPIRE): ApprovalState.EXPIRED,
        (ApprovalState.PENDING, ApprovalMove.CANCEL): ApprovalState.CANCELLED,
        (ApprovalState.PENDING, ApprovalMove.SUPERSEDE): ApprovalState.SUPERSEDED,
        (ApprovalState.APPROVED, ApprovalMove.REFUSE): ApprovalState.DENIED,
        (ApprovalState.APPROVED, ApprovalMove.EXPIRE): ApprovalState.EXPIRED,
        (ApprovalState.APPROVED, ApprovalMove.CANCEL): ApprovalState.CANCELLED,
        (ApprovalState.APPROVED, ApprovalMove.SUPERSEDE): ApprovalState.SUPERSEDED,
        (ApprovalState.APPROVED, ApprovalMove.CLAIM): ApprovalState.CLAIMED,
        (ApprovalState.CLAIMED, ApprovalMove.START): ApprovalState.EXECUTING,
        # Claimed and over at once: a delegation, which sends nothing, or an action that was stopped before it left.
        (ApprovalState.CLAIMED, ApprovalMove.SUCCEED): ApprovalState.SUCCEEDED,
        (ApprovalState.CLAIMED, ApprovalMove.FAIL): ApprovalState.FAILED,
        (ApprovalState.CLAIMED, ApprovalMove.LOSE): ApprovalState.UNKNOWN,
        (ApprovalState.CLAIMED, ApprovalMove.RETRY): ApprovalState.APPROVED,
        (ApprovalState.EXECUTING, ApprovalMove.SUCCEED): ApprovalState.SUCCEEDED,
        (ApprovalState.EXECUTING, ApprovalMove.FAIL): ApprovalState.FAILED,
        (ApprovalState.EXECUTING, ApprovalMove.LOSE): ApprovalState.UNKNOWN,
        (ApprovalState.EXECUTING, ApprovalMove.RETRY): ApprovalState.APPROVED,
    }
)
OPEN: Final = frozenset({ApprovalState.PENDING, ApprovalState.APPROVED})
"""People, or the agent, can still do something about it."""
UNDER_WAY: Final = frozenset({ApprovalState.CLAIMED, ApprovalState.EXECUTING})
GLASS_MS: Final = 300_000
"""How long an approval that was lifted by breaking the glass may be used."""


@dataclass(frozen=True, slots=True)
class Vote:
    """A person's yes, and the routes it may count for; `strong` where he confirmed it beyond his token."""

    by: str
    at: int
    routes: tuple[str, ...]
    note: str | None = None
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """Other arguments than were asked for, by a person.

    `action` is the hash of what runs, `record` the proposal that holds it, `nonce` what later decisions have to name.
    """

    by: str
    at: int
    action: str
    record: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Delegation:
    """Until `until_ms`, `to` may decide this approval in the place of `by`.

    `strong` where he confirmed it beyond his token.
    """

    by: str
    to: str
    at: int
    until_ms: int
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Glass:
    """One person lifted every gate alone, in an emergency, and `why`; somebody else looks at it later.

    `strong` where he confirmed it beyond his token.
    """

    by: str
    at: int
    why: str
    reviewed_by: str | None = None
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for people to lift `gates` for one exact action.

    `ident` is the decision id of the escalated proposal that opened it, where bundle, labels and facts stand as
    evidence. `requested` is the hash of the action that claims it. `nonce` names what is decided: a decision that
    bears another is stale or was made for another approval. `reason` is the preset word of a refusal, `note` what
    was written beside it, for people alone. Times are milliseconds since the epoch.
    """

    ident: str
    requested: str
    sid: str
    agent: str
    user: str | None
    server: str
    name: str
    gates: tuple[Gate, ...]
    opened_ms: int
    expires_ms: int
    state: ApprovalState = ApprovalState.PENDING
    votes: tuple[Vote, ...] = ()
    refused_by: str | None = None
    claimed_by: str | None = None
    nonce: str = ""
    edit: Edit | None = None
    delegations: tuple[Delegation, ...] = ()
    reason: str | None = None
    glass: Glass | None = None
    superseded_by: str | None = None
    note: str | None = None

    @property
    def approved(self) -> str:
        """The hash of the action that executes: the requested one unless it was edited."""
        return self.requested if self.edit is None else self.edit.action

    @property
    def shown(self) -> str:
        """The nonce of what people decide on now."""
        return self.nonce if self.edit is None else self.edit.nonce


def step(approval: Approval, move: ApprovalMove) -> Approval:
    """`approval` after `move`; `KeyError` when the table has no such move."""
    return replace(approval, state=MOVES[approval.state, move])


def voted(approval: Approval, vote: Vote, *, completes: bool, edit: Edit | None = None) -> Approval:
    """`approval` with `vote`, which replaces an earlier one of the same person.

    With an `edit` it is the only one: what the others said yes to is not what runs.
    """
    others = () if edit is not None else tuple([other for other in approval.votes if other.by != vote.by])
    moved = step(approval, ApprovalMove.COMPLETE if completes else ApprovalMove.VOTE)
    return replace(moved, votes=(*others, vote), edit=approval.edit if edit is None else edit)


def refused(approval: Approval, by: str, reason: str | None = None, note: str | None = None) -> Approval:
    """`approval`, ended by the refusal of `by`."""
    return replace(step(approval, ApprovalMove.REFUSE), refused_by=by, reason=reason, note=note)


def delegated(approval: Approval, delegation: Delegation) -> Approval:
    """`approval` with `delegation`, which replaces an earlier one of the same person."""
    others = (other for other in approval.delegations if other.by != delegation.by)
    return replace(step(approval, ApprovalMove.DELEGATE), delegations=(*others, delegation))


def broken(approval: Approval, glass: Glass) -> Approval:
    """`approval`, lifted by breaking the glass: for `GLASS_MS`, and no longer than it lasts anyway."""
    ends = min(approval.expires_ms, glass.at + GLASS_MS)
    return replace(step(approval, ApprovalMove.BREAK_GLASS), glass=glass, expires_ms=ends)


def reviewed(approval: Approval, by: str) -> Approval:
    """`approval`, whose breaking of the glass `by` has looked at; as it was where there is none to look at."""
    glass = approval.glass
    if glass is None or glass.reviewed_by is not None:
        return approval
    return replace(approval, glass=replace(glass, reviewed_by=by))


def superseded(approval: Approval, by: str) -> Approval:
    """`approval`, in whose place people are asked anew as `by`."""
    return replace(step(approval, ApprovalMove.SUPERSEDE), superseded_by=by)
