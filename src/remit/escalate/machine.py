"""The life of one approval.

Laws: an approval binds one exact action (its hash), lifts only the gates it names, is used
once, and ends by itself. Silence is denial. States and moves are the table below; a move that
is not in it raises.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from remit.policy.verdict import Gate


class State(StrEnum):
    """Where an approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DENIED = "denied"
    EXPIRED = "expired"


class Move(StrEnum):
    """What happens to an approval. CLAIM is the durable intent that uses it."""

    VOTE = "vote"
    COMPLETE = "complete"
    REFUSE = "refuse"
    EXPIRE = "expire"
    CLAIM = "claim"
    SUCCEED = "succeed"
    FAIL = "fail"
    LOSE = "lose"


MOVES: Final = MappingProxyType(
    {
        (State.PENDING, Move.VOTE): State.PENDING,
        (State.PENDING, Move.COMPLETE): State.APPROVED,
        (State.PENDING, Move.REFUSE): State.DENIED,
        (State.PENDING, Move.EXPIRE): State.EXPIRED,
        (State.APPROVED, Move.REFUSE): State.DENIED,
        (State.APPROVED, Move.EXPIRE): State.EXPIRED,
        (State.APPROVED, Move.CLAIM): State.EXECUTING,
        (State.EXECUTING, Move.SUCCEED): State.SUCCEEDED,
        (State.EXECUTING, Move.FAIL): State.FAILED,
        (State.EXECUTING, Move.LOSE): State.UNKNOWN,
    }
)
OPEN: Final = frozenset({State.PENDING, State.APPROVED})


@dataclass(frozen=True, slots=True)
class Vote:
    """A person's yes, and the routes it may count for."""

    by: str
    at: int
    routes: tuple[str, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for people to lift `gates` for one exact action.

    `ident` is the decision id of the escalated proposal that opened it. Times are
    milliseconds since the epoch.
    """

    ident: str
    action: str
    sid: str
    agent: str
    user: str | None
    server: str
    name: str
    gates: tuple[Gate, ...]
    opened_ms: int
    expires_ms: int
    state: State = State.PENDING
    votes: tuple[Vote, ...] = ()
    refused_by: str | None = None
    claimed_by: str | None = None


def step(approval: Approval, move: Move) -> Approval:
    """`approval` after `move`; `KeyError` when the table has no such move."""
    return replace(approval, state=MOVES[approval.state, move])


def voted(approval: Approval, vote: Vote, *, completes: bool) -> Approval:
    """`approval` with `vote`, which replaces an earlier one of the same person."""
    votes = (*(other for other in approval.votes if other.by != vote.by), vote)
    moved = step(approval, Move.COMPLETE if completes else Move.VOTE)
    return replace(moved, votes=votes)


def refused(approval: Approval, by: str) -> Approval:
    """`approval`, ended by the refusal of `by`."""
    return replace(step(approval, Move.REFUSE), refused_by=by)


def diagram() -> str:
    """The table as a Mermaid state diagram; `docs/reference/approvals.md` holds it."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.PENDING.value}"]
    lines += [f"    {state.value} --> {to.value}: {move.value}" for (state, move), to in MOVES.items()]
    moving = {state for state, _ in MOVES}
    lines += [f"    {state.value} --> [*]" for state in State if state not in moving]
    return "\n".join(lines)
