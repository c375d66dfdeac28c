"""What may be said of an action. A closed union: match it to the end."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never


class Code(StrEnum):
    """Why a verdict is what it is, where no policy says it.

    Stable; documented in `docs/reference/fail-closed.md`.
    """

    POLICY = "policy"
    NO_POLICY = "policy/none"
    POLICY_ERROR = "policy/error"
    GATE = "policy/gate"
    UNKNOWN_AGENT = "agent/unknown"
    UNKNOWN_USER = "user/unknown"
    UNKNOWN_SERVER = "server/unknown"
    UNKNOWN_TOOL = "tool/unknown"
    UNKNOWN_METHOD = "method/unknown"
    UNKNOWN_OBLIGATION = "obligation/unknown"
    UNMET_OBLIGATION = "obligation/unmet"
    TOOL_UNREVIEWED = "tool/unreviewed"
    TOOL_DRIFTED = "tool/drifted"
    TOOL_MISSING = "tool/missing"
    TOOL_UNTYPABLE = "tool/untypable"
    TOOL_UNVERIFIED = "tool/unverified"
    ARG_INVALID = "arg/invalid"
    ARG_INEXACT = "arg/inexact"
    ARG_TOO_LARGE = "arg/too-large"
    HALTED = "stop/halted"
    BREAKER_OPEN = "breaker/open"
    BUDGET_SPENT = "budget/spent"
    BUDGET_UNMEASURED = "budget/unmeasured"
    SESSION_ENDED = "session/ended"
    TOKEN_ENDED = "token/ended"  # noqa: S105
    APPROVAL_PENDING = "approval/pending"
    APPROVAL_TOO_MANY = "approval/too-many"
    APPROVAL_TOO_OFTEN = "approval/too-often"
    APPROVAL_REFUSED = "approval/refused"
    MONITOR_FULL = "monitor/full"
    GUARANTEE = "guarantee/broken"
    ROUND_UNKNOWN = "round/unknown"
    ROUND_REFUSED = "round/refused"
    TASK_UNKNOWN = "task/unknown"
    LEDGER_UNWRITABLE = "ledger/unwritable"
    INTERNAL = "internal/error"


@dataclass(frozen=True, slots=True)
class Reason:
    """One lower-case sentence a person understands, with the policy that says it, if one does.

    `policy` is the `@id`; `where` its `file:line`; `agent` the link of the chain it judged.
    """

    code: Code
    text: str
    policy: str | None = None
    where: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """The action may run, under `obligations` (united over the chain)."""

    obligations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deny:
    """The action must not run."""


@dataclass(frozen=True, slots=True, order=True)
class Gate:
    """A forbid that a named route may lift: its policy id, that route, the policy's text hash."""

    policy: str
    route: str
    text_hash: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """Humans decide: every gate in `gates` must be lifted. `obligations` hold once they are."""

    gates: tuple[Gate, ...]
    obligations: tuple[str, ...] = ()


Verdict: TypeAlias = Permit | Deny | Escalate


def rank(verdict: Verdict) -> int:
    """Strictness: Permit 0, Escalate 1, Deny 2. The strictest of a chain wins."""
    match verdict:
        case Permit():
            return 0
        case Escalate():
            return 1
        case Deny():
            return 2
        case _:
            assert_never(verdict)


def word(verdict: Verdict) -> str:
    """`permit`, `escalate` or `deny`: how records and people name it."""
    return ("permit", "escalate", "deny")[rank(verdict)]


def spoken(verdict: str, observed: str | None) -> str:
    """Words of `word` for a reader, who would take the permit of an observed agent for the policies' own."""
    return verdict if observed is None else f"{verdict} (observing; policy says {observed})"
