"""Snapshot, decision and their consequences for memory and ledger: one step, without an await.

Everything that changes state goes through `Desk.append`, so that memory and the ledger's queue
hold the same records in the same order.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import orjson

from remit.escalate.machine import Approval, State
from remit.escalate.seating import complete
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority
from remit.facts.canonical import Json, digest
from remit.facts.catalog import Definition, Tool
from remit.facts.label import Labels
from remit.facts.limits import Limits
from remit.facts.record import RecordKind
from remit.facts.session import Session
from remit.facts.stop import Stop, stops_over
from remit.facts.veil import Veil
from remit.pdp.decide import decide
from remit.pdp.decision import Append, Decision, Forward
from remit.pdp.judge import Call, Judgement, judge_result
from remit.pdp.snapshot import Lift, Pin, Snapshot
from remit.pdp.stopping import held, stoppable
from remit.pep.attempt import Attempt
from remit.pep.holding import Holding
from remit.pep.memory import Memory
from remit.pep.pins import Live, Pins
from remit.pep.tally import Stage, Tally
from remit.policy.compile import Bundle
from remit.policy.reached import Reached
from remit.policy.verdict import Escalate
from remit.ports.ledger import Draft, Ledger, Pending
from remit.ports.system import Clock, Entropy
from remit.protect.hashing import KEY_BYTES
from remit.protect.index import Index
from remit.trace.bodies import ActionBody, AdminBody, Body, Event, ExchangeBody, OutcomeBody, Passed, Status

HOUR_MS: Final = 3_600_000
BY_REMIT: Final = "remit"
PENDING_MAX: Final = 20
"""How much one root session may ask of people at once, with all that was delegated from it."""

Current: TypeAlias = Callable[[], Bundle]
Veiling: TypeAlias = Callable[[], Veil | None]
"""What veils declared secrets; None as long as no running bundle declared any."""


def unveiled() -> None:
    """Nothing veils: a tool with a secret is refused."""


def unleased() -> None:
    """Nothing is left for a service that cannot be left anything."""


class Desk:
    """Where actions are judged and records are queued."""

    def __init__(
        self,
        memory: Memory,
        ledger: Ledger,
        clock: Clock,
        current: Current,
        limits: Limits,
        tally: Tally | None = None,
        veil: Veiling = unveiled,
        entropy: Entropy | None = None,
    ) -> None:
        self._veil = veil
        self._entropy = entropy
        self._tally = tally or Tally()
        self._memory = memory
        self._ledger = ledger
        self._clock = clock
        self._current = current
        self.limits = limits
        self._pins = Pins()
        self._holding = Holding(memory, current)
        self._asked: dict[str, set[str]] = {}
        self.lease: Callable[[], Stop | None] = unleased
        """What stops everything, if so; asked before anything is judged, sent or released."""

    @property
    def bundle(self) -> Bundle:
        """The running bundle."""
        return self._current()

    def append(self, kind: RecordKind, sid: str, body: Body) -> Pending:
        """Queue one record and let memory follow. Raises `LedgerUnwritable`; then nothing is."""
        now_ms = self._clock.now_ms()
        # INVARIANT(bundle-in-every-record): there is no other way to queue one.
        pending = self._ledger.append(Draft(kind, now_ms, self._current().digest, sid, body))
        self._memory.apply(pending.ref, now_ms, kind, body)
        self._tally.recorded(body)
        self._tally.settles(pending.durable, self._clock)
        match body:
            case OutcomeBody(sids=sids, origins=said) | ExchangeBody(sids=sids, origins=said) if said is not None:
                self._memory.indices.settles(sids[0], pending.durable)
            case AdminBody(event=Event.SESSION_KEYED | Event.SESSION_WORDS):
                self._memory.indices.settles(body.subject, pending.durable)
            case _:
                pass
        return pending

    def judge(self, action: Action, live: Live) -> Attempt:
        """Decide on `action` and queue the record. The sessions of its chain are held."""
        self._retire(action.authority)
        now_ms = self._clock.now_ms()
        tool = self._tool(action)
        action = self._veiled(action, tool)
        pin = self._pins.compare(action.server, live, tool, action.name)
        sessions = self._memory.sessions(action.authority, now_ms)
        start_s = self._clock.monotonic_s()
        decision = self._decide(action, tool, pin, sessions, now_ms)
        self._tally.took(Stage.DECIDE, self._clock.monotonic_s() - start_s)
        self._report_difference()
        made = _append_of(decision)
        body, waits_for, bound = made.body, None, ""
        if isinstance(body, ActionBody):
            bound = body.action
            if isinstance(decision.verdict, Escalate):
                joined = self._pending(action, bound, now_ms)
                if joined is not None:
                    # The same call again while people think: it waits for them, and asks nobody.
                    body, waits_for = replace(body, approval=joined.ident), joined.ident
        pending = self.append(made.kind, action.authority.acting.sid, body)
        if isinstance(body, ActionBody) and body.grants:
            self._supersede(action, bound, body.grants[0], now_ms)
        if isinstance(decision.verdict, Escalate) and waits_for is None:
            waits_for = str(pending.ref)
            self._asked.setdefault(action.authority.links[0].sid, set()).add(waits_for)
        return Attempt(decision, pending, bound, body.approval, sessions, waits_for)

    def pass_on(self, attempt: Attempt, number: int, passed: Passed, content: bytes | None, action: Action) -> Pending:
        """Queue the record of what a server said in the midst of `attempt`, with all labels that it may have by now.

        Its `content` is JSON; the index of `action`, which is under way, has its words too.
        Raises `LedgerUnwritable`.
        """
        call = None if content is None else self.call(attempt.ref, action)
        said = None if call is None or content is None else orjson.loads(content)
        judged = self._so_far(attempt, action, said, call)
        body = ExchangeBody(
            intent=attempt.ref,
            number=number,
            passed=passed,
            sids=judged.sids,
            labels=tuple(sorted(judged.labels)),
            content=None if content is None else digest(content),
            content_bytes=0 if content is None else len(content),
            approval=None,
            origins=b64encode(judged.origins.pack()).decode("ascii") if judged.origins else None,
        )
        return self.append(RecordKind.EXCHANGE, attempt.sessions[-1].sid, body)

    def brings(self, attempt: Attempt, action: Action) -> Labels:
        """All labels that what `attempt` at `action` brings may have as of now, whoever wrote what it reads since."""
        return self._so_far(attempt, action).labels

    def _so_far(self, attempt: Attempt, action: Action, said: Json = None, call: Call | None = None) -> Judgement:
        # As an error: no part of it is told apart, so that all of it has all labels.
        reached, stored = reached_of(attempt.decision), self.stored(action)
        status, bundle = Status.TOOL_ERROR, self._current()
        return judge_result(bundle, reached, action.server, attempt.sessions, status, said, stored, call=call)

    def stored(self, action: Action) -> Labels:
        """The labels that come, as of now, with what `action` reads from stores."""
        return self._memory.stores.held(self._current(), action).labels

    def call(self, ref: str, action: Action) -> Call | None:
        """The call at `ref`, whose result adds to the index of its root session; None where none is kept."""
        sid = action.authority.links[0].sid
        index = self.index(sid) if self._current().flow else None
        return None if index is None else Call(ref, action, index)

    def index(self, sid: str) -> Index | None:
        """The index of root session `sid`, its key drawn where it has none yet; None where none is kept."""
        indices = self._memory.indices
        if indices.of(sid) is None and indices.loaded(sid) and self._entropy is not None:
            key = self._entropy.token_bytes(KEY_BYTES).hex()
            self.append(RecordKind.ADMIN, sid, AdminBody(Event.SESSION_KEYED, BY_REMIT, sid, {"key": key}))
        return indices.of(sid)

    def stops(self, authority: Authority, server: str = "", name: str = "") -> tuple[Stop, ...]:
        """The stops that are over what `authority` does at `name` of `server`."""
        unread = self.lease()
        if unread is not None:
            return (unread,)
        stopped = self._memory.stopped
        if not stopped:
            return ()
        catalog = self._current().catalog
        return stops_over(stopped, stoppable(catalog, authority, server, name), held(catalog, server, name))

    def look(self, server: str, live: Sequence[Definition]) -> None:
        """Take note of what `server` offers now."""
        self._pins.look(server, live)

    def weigh(self, action: Action) -> Decision:
        """What `judge` would decide if live tools are as last seen, with no consequence."""
        tool = self._tool(action)
        action = self._veiled(action, tool)
        pin = self._pins.last(action.server, tool, action.name)
        now_ms = self._clock.now_ms()
        sessions = self._memory.sessions(action.authority, now_ms)
        return self._decide(action, tool, pin, sessions, now_ms)

    def _tool(self, action: Action) -> Tool | None:
        return self._current().catalog.tools.get((action.server, action.name))

    def _veiled(self, action: Action, tool: Tool | None) -> Action:
        """`action` as it is recorded and hashed: with its secrets veiled, where the catalog declares some."""
        if tool is None or action.kind is not ActionKind.CALL_TOOL or not tool.secrets:
            return action
        veil, form = self._veil(), self._current().tools[tool.server, tool.name]
        return action if veil is None else replace(action, veiled=veil.over(tool, form.arguments, action.input))

    def _decide(
        self,
        action: Action,
        tool: Tool | None,
        pin: Pin,
        sessions: tuple[Session, ...],
        now_ms: int,
    ) -> Decision:
        bound = "" if tool is None else tool.pin
        snapshot = Snapshot(
            bundle=self._current(),
            sessions=sessions,
            pin=pin,
            lifts=self._lifts(action, bound, now_ms),
            limits=self.limits,
            may_ask=self._may_ask(action, bound, now_ms),
            stores=self._memory.stores.held(self._current(), action),
            origins=self._memory.indices.of(action.authority.links[0].sid),
            grants=self._holding.of(action.authority, now_ms),
            used=self._memory.used,
            stops=self.stops(action.authority, action.server, action.name),
        )
        return decide(snapshot, action, now_ms)

    def _lifts(self, action: Action, pin: str, now_ms: int) -> tuple[Lift, ...]:
        found = self._memory.approvals_of(action.authority.acting.sid)
        within = action.within
        if within is not None and within.bare and within.approval is not None:
            own = [one for one in found if one.ident == within.approval]
            return tuple(Lift(one.ident, action.hash(pin), frozenset(one.gates), now_ms + 1) for one in own)
        approved = [one for one in found if one.state is State.APPROVED]
        if not approved:
            return ()
        catalog = self._current().catalog
        # INVARIANT(approval-binds-exact-action): by hash, in one session, while it lasts, and
        # while those who said yes are whom the running bundle asks.
        bound = action.hash(pin)
        return tuple(
            Lift(one.ident, one.approved, frozenset(one.gates), one.expires_ms)
            for one in sorted(approved, key=lambda one: one.opened_ms)
            if one.approved == bound and now_ms < one.expires_ms and complete(one, catalog.routes, catalog.users)
        )

    def _may_ask(self, action: Action, pin: str, now_ms: int) -> bool:
        """Whether a new approval may be opened for the root session; joining one always may."""
        root = action.authority.links[0].sid
        asked = self._asked.get(root, set[str]())
        sids = {link.sid for link in action.authority.links}
        # Those opened before the process started are known by their own session alone.
        found = {one.ident: one for sid in sids for one in self._memory.approvals_of(sid)}
        for ident in tuple(asked):
            one = self._memory.approval(ident)
            if one is None or one.state is not State.PENDING:
                asked.discard(ident)
            else:
                found[ident] = one
        if not asked:
            self._asked.pop(root, None)
        waiting = [one for one in found.values() if one.state is State.PENDING and now_ms < one.expires_ms]
        if len(waiting) < PENDING_MAX:
            return True
        return self._pending(action, action.hash(pin), now_ms) is not None

    def _pending(self, action: Action, bound: str, now_ms: int) -> Approval | None:
        for one in self._memory.approvals_of(action.authority.acting.sid):
            if one.state is State.PENDING and one.requested == bound and now_ms < one.expires_ms:
                return one
        return None

    def _supersede(self, action: Action, bound: str, grant: str, now_ms: int) -> None:
        """Nobody is asked any more about what a grant has lifted meanwhile."""
        asked = self._pending(action, bound, now_ms)
        if asked is not None:
            body = AdminBody(Event.APPROVAL_SUPERSEDED, BY_REMIT, asked.ident, {"by": grant})
            self.append(RecordKind.ADMIN, asked.sid, body)

    def _report_difference(self) -> None:
        """Record, once, that generated code and cedarpy disagreed: cedarpy alone judges from then on."""
        shadow = self._current().shadow
        found = shadow.unreported
        if found is None:
            return
        data = {"principal": found.principal, "generated": found.generated, "cedar": found.cedar}
        self.append(RecordKind.ADMIN, "", AdminBody(Event.POLICY_DIFFERENCE, BY_REMIT, found.action, data))
        shadow.reported = True

    def _retire(self, authority: Authority) -> None:
        """End the sessions of the chain that have run for longer than the workspace allows."""
        now_ms = self._clock.now_ms()
        age_max_ms = self._current().catalog.session_hours_max * HOUR_MS
        for session in self._memory.sessions(authority, now_ms):
            if session.ended_ms is None and now_ms - session.started_ms >= age_max_ms:
                body = AdminBody(Event.SESSION_ENDED, BY_REMIT, session.sid, {"why": "session_hours_max"})
                self.append(RecordKind.ADMIN, session.sid, body)


def reached_of(decision: Decision) -> Reached:
    """What a permitted action reaches."""
    for effect in decision.effects:
        if isinstance(effect, Forward):
            return effect.reached
    raise AssertionError("a permitted action says what it reaches")


def _append_of(decision: Decision) -> Append:
    for effect in decision.effects:
        if isinstance(effect, Append):
            return effect
    raise AssertionError("every decision leaves a record")
