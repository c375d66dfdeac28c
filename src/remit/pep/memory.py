"""The state that decisions read, in memory: sessions, open approvals, revoked tokens.

Laws
* It changes by the deltas of `pdp.fold` alone, the ones the ledger's writer applies, in the same
  order: what is here is what the file will say once everything queued is on disk.
* Whoever appends a record about a session holds that session until the record is durable; only
  what nobody holds may be forgotten and read back later.
* Reading is free of awaits, so a snapshot, its decision and their consequences are one step.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from remit.escalate.machine import OPEN, UNDER_WAY, Approval, ApprovalState
from remit.facts.agent import Authority, Link
from remit.facts.durations import HOUR_MS
from remit.facts.mark import Place
from remit.facts.novelty import UsageHistory
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session
from remit.facts.stop import Stop, StopTarget
from remit.pdp.apply import apply_approval, apply_session
from remit.pdp.deltas import (
    ApprovalDelta,
    ApprovalOpened,
    BodiesErased,
    BudgetReset,
    Charged,
    Closed,
    ConfidenceStated,
    CredentialSet,
    EpochBegan,
    GrantRevoked,
    GrantUsed,
    GrantVoted,
    Halted,
    IntentClosed,
    IntentOpened,
    LabelsJoined,
    OriginsAdded,
    PasskeyAdded,
    PasskeyRemoved,
    PasskeyUsed,
    PlaceLabelled,
    Refunded,
    Resumed,
    SessionEnded,
    SessionKeyed,
    SessionTouched,
    TokenRevoked,
    Tripped,
)
from remit.pdp.fold import fold
from remit.pdp.past_deltas import PastCarried, PastMarked, SignedOff
from remit.pep.calls_under_way import CallsUnderWay
from remit.pep.condition_variable import ConditionVariable
from remit.pep.grant_index import GrantIndex
from remit.pep.guarantee_status import GuaranteeStatus
from remit.pep.indices import Indices
from remit.pep.limit_state import LimitState
from remit.pep.requesters import Requesters
from remit.ports.ledger import Ledger
from remit.protect.breakers import BreakerStates
from remit.protect.budgets import Accounts
from remit.protect.past import KeyedCells
from remit.protect.stores import Stores
from remit.trace.bodies import Body

IDLE_S: Final = 300.0
APPROVALS_LOADED_MAX: Final = 100_000
OVER_MAX: Final = 1_000
ASKS_KEPT_MAX: Final = 1_000
_LIVE: Final = OPEN | UNDER_WAY


@dataclass(slots=True)
class _Held:
    """A session as loaded (None: the ledger has none yet) and how many hold it."""

    session: Session | None
    holders: int
    idle_since_s: float


class Memory:
    """One service's state. `indexed` says whether values are traced. Not thread-safe: it lives on the event loop."""

    def __init__(self, ledger: Ledger, indexed: Callable[[], bool] = lambda: False) -> None:
        self._ledger = ledger
        self._indexed = indexed
        self._sessions: dict[str, _Held] = {}
        self._approvals: dict[str, Approval] = {}
        self._by_sid: dict[str, set[str]] = {}
        self._over: OrderedDict[str, Approval] = OrderedDict()
        self.requesters = Requesters()
        """Who asked for those that can still move."""
        self._stopped: dict[StopTarget, Stop] = {}
        self.grants = GrantIndex()
        """What people granted; changed by `apply` alone."""
        self.usage = UsageHistory()
        """What agents did before; changed by `apply` alone."""
        self._refused: dict[str, dict[str, Approval]] = {}
        self._asks: dict[str, deque[int]] = {}
        self._revoked: set[str] = set()
        """Kept beyond the time at which they expire: a clock that is set back would have them live again."""
        self._condition = ConditionVariable()
        self.bounds = LimitState()
        """What was spent, what tripped; changed by `apply` alone."""
        self.stores = Stores()
        """What the stores hold; changed by `apply` alone."""
        self.indices = Indices(ledger, self._busy)
        self.under_way = CallsUnderWay()
        self.guarantees = GuaranteeStatus()
        """What monitors and guarantees keep; changed by `apply` alone."""

    async def load(self, now_ms: int) -> None:
        """Read what must be known before the first decision."""
        self._revoked.update(await self._ledger.revoked_tokens())
        self._stopped.update(await self._ledger.stops())
        self.stores = Stores(await self._ledger.store_labels())
        self.usage = UsageHistory(await self._ledger.usage())
        self.bounds = LimitState(Accounts(await self._ledger.balances()), BreakerStates(await self._ledger.trips()))
        await self.guarantees.load(self._ledger)
        await self.under_way.load(self._ledger)
        self.grants.load(await self._ledger.grants(), now_ms)
        approvals = await self._ledger.approvals(open_only=True, limit=APPROVALS_LOADED_MAX)
        for approval in approvals:
            self._keep(approval)
        # Of those that are over, the noes that still stand, however many were asked for since.
        for approval in await self._ledger.refusals(now_ms):
            self._keep(approval)
        for agent, opened_ms in await self._ledger.approval_requests(now_ms - HOUR_MS):
            self._ask(agent, opened_ms)

    async def hold(self, sids: Iterable[str], now_s: float) -> None:
        """Have these sessions in memory until `release`d as often; from `now_s` on none is idle."""
        loaded: list[str] = []
        try:
            for sid in sids:
                held = self._sessions.get(sid)
                if held is None:
                    session = await self._ledger.session(sid)
                    past = dict[Place, KeyedCells]() if session is None else await self._ledger.past(sid)
                    # Another caller may have loaded it meanwhile and moved on: his is newer.
                    held = self._sessions.get(sid)
                    if held is None:
                        held = self._sessions[sid] = _Held(session, 0, now_s)
                        self.guarantees.past.load(sid, past)
                held.holders += 1
                loaded.append(sid)
            if loaded and self._indexed():
                await self.index(loaded[0])
        except BaseException:
            self.release(loaded, now_s)
            raise

    async def index(self, sid: str) -> None:
        """Have the index of the held root session `sid` in memory too."""
        await self.indices.load(sid, fresh=self._sessions[sid].session is None)

    def retain(self, sids: Iterable[str]) -> None:
        """Hold once more what is held already."""
        for sid in sids:
            self._sessions[sid].holders += 1

    def release(self, sids: Iterable[str], now_s: float) -> None:
        """Undo one `hold`."""
        for sid in sids:
            held = self._sessions[sid]
            held.holders -= 1
            held.idle_since_s = max(held.idle_since_s, now_s)

    def forget_idle(self, now_s: float) -> int:
        """Drop sessions that nobody has held for `IDLE_S`; how many."""
        idle = [sid for sid, held in self._sessions.items() if not held.holders and now_s - held.idle_since_s >= IDLE_S]
        for sid in idle:
            del self._sessions[sid]
            self.indices.forget(sid)
            self.guarantees.past.forget(sid)
        return len(idle)

    def session(self, link: Link, user: str | None, now_ms: int) -> Session:
        """The state of a held session; a fresh one where nothing has happened in it yet."""
        held = self._sessions[link.sid].session
        return Session(link.sid, link.agent, user, now_ms) if held is None else held

    def sessions(self, authority: Authority, now_ms: int) -> tuple[Session, ...]:
        """The sessions of the chain, the minted agent's first."""
        return tuple([self.session(link, authority.user, now_ms) for link in authority.links])

    def ended(self, authority: Authority) -> bool:
        """Whether a session of the chain has ended, as far as they are in memory."""
        for link in authority.links:
            held = self._sessions.get(link.sid)
            if held and held.session and held.session.ended_ms is not None:
                return True
        return False

    @property
    def stopped(self) -> Mapping[StopTarget, Stop]:
        """All that people stopped."""
        return self._stopped

    def revoked(self, authority: Authority) -> bool:
        """Whether its token, or one that it came from, was revoked."""
        if not self._revoked:
            return False
        return authority.token in self._revoked or any(token in self._revoked for token in authority.ancestors)

    def voided(self, ident: str, token: str) -> bool:
        """Whether `token`, by which the approval `ident` was asked for, was revoked, or one that it came from.

        These are known of what this process opened.
        """
        return not self._revoked.isdisjoint((token, *self.requesters.tokens_of(ident)))

    def approval(self, ident: str) -> Approval | None:
        """The approval `ident` while it can still move, or ended of late.

        Its end is here before it is on disk, where whoever waits for it would look otherwise.
        """
        return self._approvals.get(ident) or self._over.get(ident)

    def approvals_of(self, sid: str) -> tuple[Approval, ...]:
        """Those of one acting session that can still move."""
        idents = self._by_sid.get(sid)
        return () if not idents else tuple(self._approvals[ident] for ident in idents)

    def refused_of(self, sid: str) -> tuple[Approval, ...]:
        """Those of one acting session that were refused; also such as would be over by now."""
        refused = self._refused.get(sid)
        return () if not refused else tuple(refused.values())

    def asks_often(self, agent: str, most: int, after_ms: int, until_ms: int) -> bool:
        """Whether `agent` had people asked `most` times between those two moments."""
        times = self._asks.get(agent)
        return times is not None and len(times) >= most and sum(after_ms < at <= until_ms for at in times) >= most

    def forget_over(self, now_ms: int) -> None:
        """Drop the noes that stand no more, and the grants that ended."""
        self.grants.forget(now_ms)
        for sid, refused in tuple(self._refused.items()):
            standing = {ident: approval for ident, approval in refused.items() if now_ms < approval.expires_ms}
            if standing:
                self._refused[sid] = standing
            else:
                del self._refused[sid]

    def approvals(self) -> tuple[Approval, ...]:
        """All that can still move."""
        return tuple(self._approvals.values())

    def apply(self, ref: Ref, at: int, kind: RecordKind, body: Body) -> None:
        """Change by what the record at `ref` says."""
        stirred = False
        self.guarantees.note(ref, body)
        for delta in fold(ref, at, kind, body):
            match delta:
                case SessionTouched() | LabelsJoined() | SessionEnded() | ConfidenceStated():
                    if (held := self._sessions.get(delta.sid)) is not None:
                        held.session = apply_session(held.session, delta)
                    stirred = stirred or isinstance(delta, SessionEnded)
                case IntentOpened(_, opened):
                    self.usage.intent(opened.links, opened.kind, opened.server, opened.name, opened.reaches)
                    self.under_way.begin(ref, opened)
                case IntentClosed(intent):
                    self.under_way.end(intent)
                case Charged() | Refunded() | BudgetReset() | Tripped() | Closed():
                    self.bounds.apply(delta)
                case PlaceLabelled(where, labels):
                    self.stores.label(where, labels)
                case PastMarked() | PastCarried() | SignedOff():
                    self.guarantees.take(delta)
                case GrantVoted() | GrantRevoked() | GrantUsed():
                    self.grants.apply(ref, delta)
                    stirred = stirred or not isinstance(delta, GrantUsed)
                case SessionKeyed(_, sid, key):
                    self.indices.key(sid, key)
                case OriginsAdded(_, sid):
                    self.indices.take(sid, body)
                case (
                    CredentialSet() | EpochBegan() | BodiesErased() | PasskeyAdded() | PasskeyUsed() | PasskeyRemoved()
                ):
                    pass
                case _:
                    stirred = self._by_people(delta) or stirred
        if stirred:
            self._condition.notify_all()

    def _by_people(self, delta: ApprovalOpened | ApprovalDelta | Halted | Resumed | TokenRevoked) -> bool:
        """What people decide, or are asked; whether who waits for them has to look again."""
        match delta:
            case ApprovalOpened(approval):
                self._keep(approval)
                self._ask(approval.agent, approval.opened_ms)
                return False
            case Halted() | Resumed():
                self._stop(delta)
                return True
            case TokenRevoked(token, _):
                self._revoked.add(token)
                return True
            case _:
                known = self.approval(delta.ident)
                if known is None:
                    return False
                self._keep(apply_approval(known, delta))
                return True

    async def changed(self, timeout_s: float) -> None:
        """As `ConditionVariable.wait`: an approval, an end or a revocation came in."""
        await self._condition.wait(timeout_s)

    def _busy(self, sid: str) -> bool:
        held = self._sessions.get(sid)
        return held is not None and held.holders > 0

    def _stop(self, delta: Halted | Resumed) -> None:
        match delta:
            case Halted(stop):
                self._stopped[stop.target] = stop
            case Resumed(what):
                self._stopped.pop(what, None)

    def _ask(self, agent: str, opened_ms: int) -> None:
        times = self._asks.get(agent)
        if times is None:
            times = self._asks[agent] = deque(maxlen=ASKS_KEPT_MAX)
        times.append(opened_ms)

    def _keep(self, approval: Approval) -> None:
        if approval.state in _LIVE:
            self._approvals[approval.ident] = approval
            self._by_sid.setdefault(approval.sid, set()).add(approval.ident)
            return
        self._over[approval.ident] = approval
        if approval.state is ApprovalState.DENIED:
            self._refused.setdefault(approval.sid, {})[approval.ident] = approval
        if len(self._over) > OVER_MAX:
            self._over.popitem(last=False)
        self._approvals.pop(approval.ident, None)
        self.requesters.drop(approval.ident)
        idents = self._by_sid.get(approval.sid)
        if idents is not None:
            idents.discard(approval.ident)
            if not idents:
                del self._by_sid[approval.sid]
