"""Everything `decide` may look at besides the action: frozen, taken without an await."""

from dataclasses import dataclass, field
from enum import StrEnum

from remit.escalate.grants import Grant
from remit.facts.breaker import Broken
from remit.facts.budget import Draw
from remit.facts.limits import DEFAULT, Limits
from remit.facts.novelty import UsageHistory
from remit.facts.session import Session
from remit.facts.stop import Stop
from remit.policy.bundle import Bundle
from remit.policy.verdict import Gate
from remit.protect.index import Index
from remit.protect.past import NOTHING as NO_PAST
from remit.protect.past import Past
from remit.protect.stores import NOTHING, StoreLabels


class Pin(StrEnum):
    """How a tool's live definition compares with `remit.lock`."""

    MATCHES = "matches"
    DRIFTED = "drifted"
    MISSING = "missing"
    UNREVIEWED = "unreviewed"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Lift:
    """An approval that people have given for exactly this action and nobody has claimed yet."""

    approval: str
    action_hash: str
    gates: frozenset[Gate]
    expires_ms: int


@dataclass(frozen=True, slots=True)
class StandingRefusal:
    """People refused exactly this action, by a preset `reason` or without, and the no still stands."""

    approval: str
    action_hash: str
    by: str
    reason: str | None


class AskQuota(StrEnum):
    """Whether people may be asked one thing more."""

    MAY = "may"
    SESSION_FULL = "session-full"
    AGENT_OFTEN = "agent-often"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the world for one action.

    `sessions` follow the authority's links, the minted agent's first. `pin` is how the tool's
    live definition compares with the lock. `lifts` are the claimable approvals for this action's
    hash, oldest first, `refusals` the noes to it that still stand. `ask_quota` is whether people may be asked
    one thing more: not where as much waits for them already. `stops` are those that are over this action. `stores` is
    what the stores mean for this action. `origins` is the index of the chain's root session, which all of the chain
    adds to, as it is when the action arrives; without one all values are unseen.
    `grants` are those that hold for this chain now, the oldest first; `usage` is what agents did before. `draws` are
    what this action would take from budgets, beside what is spent and reserved; `open_breakers` are those that do not
    let it pass, `past` is what monitors and guarantees keep.
    """

    bundle: Bundle
    sessions: tuple[Session, ...]
    pin: Pin
    lifts: tuple[Lift, ...] = ()
    limits: Limits = DEFAULT
    ask_quota: AskQuota = AskQuota.MAY
    refusals: tuple[StandingRefusal, ...] = ()
    stores: StoreLabels = NOTHING
    origins: Index | None = None
    stops: tuple[Stop, ...] = ()
    grants: tuple[Grant, ...] = ()
    usage: UsageHistory = field(default_factory=UsageHistory)
    draws: tuple[Draw, ...] = ()
    open_breakers: tuple[Broken, ...] = ()
    past: Past = NO_PAST
