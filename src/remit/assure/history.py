"""The ledger judged again: every action that was decided, from what the ledger says was known then.

Laws
* State is what the records before it made it: indices of origins are folded anew from keys, words, exchanges and
  outcomes, in the ledger's order; labels, counters and the moment are those that the record says policy looked at.
* What follows from a body that was erased follows from its frame. Where words or results of a session are gone nobody
  knows what it had seen, so that nothing of it is judged from there on.
* What stood outside of policy stays as it was: how a tool compared with its pin, that a session had ended, that people
  were asked too much already. It is read from the recorded reason.
* What a halt or a breaker denied is no word of policy's, and is not judged again.
* Arguments that were recorded as they were are judged, also by a bundle which says that they are secrets.
* By the bundle that decided, each verdict comes out as it was recorded, byte for byte; anything else is a finding.
"""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

from remit.assure.before import Before
from remit.assure.judgement import origins_of
from remit.assure.veil import veiled
from remit.escalate.grants import Grant
from remit.facts.action import Action, ActionKind, Shaping, input_of
from remit.facts.agent import Authority, Link
from remit.facts.canonical import Json, canonical
from remit.facts.confidence import UNSAID, Confidence
from remit.facts.durations import HOUR_MS
from remit.facts.impact import PLACES
from remit.facts.novelty import UsageHistory
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session
from remit.facts.veil import VEILED
from remit.pdp.apply import apply_grant
from remit.pdp.decide import judge
from remit.pdp.deltas import GrantDelta, GrantUsed
from remit.pdp.fold import fold
from remit.pdp.snapshot import AskQuota, Lift, Pin, Snapshot, StandingRefusal
from remit.policy.bundle import Bundle
from remit.policy.verdict import Code, Escalate, Gate, Reason, word
from remit.protect.index import Delta, Index
from remit.protect.origins import words_delta
from remit.trace.bodies import ActionBody, AdminBody, Body, Choice, DecisionBody, Event, ExchangeBody, OutcomeBody

_PINS: Final = {
    Code.TOOL_DRIFTED: Pin.DRIFTED,
    Code.TOOL_MISSING: Pin.MISSING,
    Code.TOOL_UNREVIEWED: Pin.UNREVIEWED,
    Code.TOOL_UNVERIFIED: Pin.UNVERIFIED,
}
_ASKING: Final = {
    Code.APPROVAL_TOO_MANY: AskQuota.SESSION_FULL,
    Code.APPROVAL_TOO_OFTEN: AskQuota.AGENT_OFTEN,
}
_ROUND: Final = frozenset({"arguments", "responses", "round", "questions"})
_ELSEWHERE: Final = frozenset({Code.ROUND_UNKNOWN, Code.ROUND_REFUSED, Code.TASK_UNKNOWN, Code.TOKEN_ENDED})
"""Said by enforcement before anything is decided."""
_STOPPED: Final = {
    Code.HALTED: "people had stopped who or what it was about",
    Code.BREAKER_OPEN: "a breaker stopped it",
}
"""What was denied for how things stood, whatever policy says: another bundle changes nothing about it."""
_VEILED: Final = "secrets among its arguments are not kept"
_ANOTHER: Final = "it is a round of another action"
_GONE: Final = "what its session had seen is erased"
LACKING: Final = frozenset({_VEILED, _ANOTHER, _GONE})
"""What policy decided, and may decide otherwise: the ledger does not hold what there is to judge."""


@dataclass(frozen=True, slots=True)
class ReplayedAction:
    """One recorded action: what was decided and what is decided now, each as `remit replay` writes it.

    `replayed` is None where it cannot be judged again, and `why` says why. `bundle` is the digest that decided;
    `agent` acted, and `tool` is what it reached.
    """

    recorded: Mapping[str, Json]
    replayed: Mapping[str, Json] | None
    why: str
    bundle: str
    at_ms: int
    agent: str
    tool: str

    @property
    def same(self) -> bool:
        """Whether the verdict came out as it was."""
        return self.replayed == self.recorded


class HistoryReplay:
    """The ledger's records taken in one by one, in their order; actions since `since_ms` judged by `bundle`."""

    def __init__(self, bundle: Bundle, since_ms: int = 0) -> None:
        self._bundle = bundle
        self._since_ms = since_ms
        self._indices: dict[str, Index] = {}
        self._gone: set[str] = set()
        self._gates: dict[str, frozenset[Gate]] = {}
        self._grants: dict[str, Grant] = {}
        self._used = UsageHistory()
        self._before = Before(bundle)
        self._noes: dict[str, tuple[str, str | None]] = {}

    def take(
        self, ref: str, at_ms: int, digest: str, body: Body | None, *, erased: bool = False
    ) -> ReplayedAction | None:
        """The action that the record at `ref` holds, judged again; None for any other record, and where it is `erased`.

        `body` is then the frame that is kept of it, None where none is.
        """
        replayed = self._take(ref, at_ms, digest, body, erased=erased)
        self._before.take(Ref.parse(ref), at_ms, body)
        match body:
            case ActionBody(verdict="permit"):
                self._used.intent(body.links, body.kind, body.server, body.name, body.reaches)
                for name in body.grants:
                    self._granted(GrantUsed(name))
            case DecisionBody(choice=Choice.GRANT | Choice.REVOKE):
                for delta in fold(Ref.parse(ref), at_ms, RecordKind.DECISION, body):
                    self._granted(cast("GrantDelta", delta))
            case _:
                pass
        return replayed

    def _granted(self, delta: GrantDelta) -> None:
        after = apply_grant(self._grants.get(delta.ident), delta)
        if after is not None:
            self._grants[delta.ident] = after

    def _take(self, ref: str, at_ms: int, digest: str, body: Body | None, *, erased: bool) -> ReplayedAction | None:
        match body:
            case ActionBody():
                if body.gates and body.approval is None:
                    self._gates[ref] = frozenset(body.gates)
                return None if erased else self._action(ref, at_ms, digest, body)
            case OutcomeBody(intent=call, sids=(root, *_), origins=str(packed)):
                self._learn(root, call, packed, erased=erased)
            case ExchangeBody(intent=call, sids=(root, *_), origins=str(packed)):
                self._learn(root, call, packed, erased=erased)
            case AdminBody(event=Event.SESSION_KEYED, subject=sid, data=data):
                key = data.get("key")
                self._indices.pop(sid, None)
                self._gone.discard(sid)
                if isinstance(key, str):
                    self._indices[sid] = Index(bytes.fromhex(key))
            case DecisionBody(choice=Choice.DENY, approval=approval, by=by, reason=reason):
                self._noes[approval] = by, reason
            case AdminBody(event=Event.SESSION_WORDS, subject=sid, data=data):
                text, index = data.get("text"), self._indices.get(sid)
                if index is not None and isinstance(text, str):
                    index.apply(words_delta(index, text))
                elif index is not None:
                    self._gone.add(sid)
            case _:
                pass
        return None

    def _learn(self, root: str, call: str, packed: str, *, erased: bool) -> None:
        index = self._indices.get(root)
        if index is None:
            return
        if erased:
            self._gone.add(root)
        else:
            index.apply(Delta.unpack(call, b64decode(packed)))

    def _action(self, ref: str, at_ms: int, digest: str, body: ActionBody) -> ReplayedAction | None:
        if at_ms < self._since_ms:
            return None
        sid = body.links[-1][1] if body.links else ""
        was = _line(sid, ref, body.verdict, body.reasons, _origins(body))
        now, why = None, self._unjudgeable(body)
        if not why:
            judgement = self._judged(body, at_ms, strange=digest != self._bundle.digest)
            now = _line(sid, ref, *judgement)
        tool = f"{body.server}/{body.name}" if body.server else body.name
        return ReplayedAction(was, now, why, digest, at_ms, body.links[-1][0] if body.links else "", tool)

    def _unjudgeable(self, body: ActionBody) -> str:
        if not body.links:
            return "no agent acted"
        codes = {reason.code for reason in body.reasons}
        if _ELSEWHERE & codes:
            return "it was refused before it was decided"
        if stopped := next((why for code, why in _STOPPED.items() if code in codes), ""):
            return stopped
        if body.links[0][1] in self._gone:
            return _GONE
        if body.arguments.startswith(VEILED):
            return _VEILED
        arguments = _arguments_of(body)
        if arguments is None:
            # It was denied for that, whatever policy said.
            return "what was asked is not kept as it was"
        # What is written around a round is no canonical form: no arguments of anybody look like it.
        return _ANOTHER if arguments.keys() == _ROUND and canonical(arguments) != body.arguments else ""

    def _judged(
        self, body: ActionBody, at_ms: int, *, strange: bool
    ) -> tuple[str, Sequence[Reason], Mapping[str, str]]:
        arguments = _arguments_of(body)
        assert arguments is not None, "what cannot be read is not judged"  # noqa: S101
        now_ms = _moment(body, at_ms)
        codes = {reason.code for reason in body.reasons}
        links = tuple(Link(agent, sid) for agent, sid in body.links)
        kind, authority = ActionKind(body.kind), Authority(links, body.user, body.token, now_ms + HOUR_MS)
        target = body.server, body.name, body.arguments, input_of(kind, body.name, arguments)
        action = veiled(self._bundle, Action(kind, *target, authority, shaping=_shaping(body)))
        tool = self._bundle.catalog.tools.get((body.server, body.name))
        lifts: tuple[Lift, ...] = ()
        if body.approval is not None and body.verdict == "permit":
            gates = self._gates.get(body.approval, frozenset())
            lifts = (Lift(body.approval, action.hash("" if tool is None else tool.pin), gates, now_ms + 1),)
        snapshot = Snapshot(
            self._bundle,
            tuple(_session(body, agent, sid, now_ms) for agent, sid in body.links),
            next((_PINS[code] for code in codes if code in _PINS), Pin.MATCHES),
            lifts,
            ask_quota=next((_ASKING[code] for code in codes if code in _ASKING), AskQuota.MAY),
            refusals=self._noes_to(body, action),
            origins=self._indices.get(body.links[0][1]),
            # Those that lifted its gates, as they were then: whether others held is not told.
            grants=tuple(self._grants[name] for name in body.grants if name in self._grants),
            usage=self._used,
            past=self._before.past,
            draws=self._before.draws(action, tool, now_ms),
        )
        ruling = judge(snapshot, action, now_ms)
        if strange and lifts and isinstance(ruling.verdict, Escalate):
            # People were asked about it once already, and said yes: whatever gate it is now, that is no new question.
            lifted = replace(snapshot, lifts=(replace(lifts[0], gates=frozenset(ruling.verdict.gates)),))
            ruling = judge(lifted, action, now_ms)
        return word(ruling.verdict), ruling.reasons, origins_of(ruling.facts)

    def _noes_to(self, body: ActionBody, action: Action) -> tuple[StandingRefusal, ...]:
        """The no that still stood, where that is why it was denied."""
        if body.verdict != "deny" or body.approval is None:
            return ()
        by, reason = self._noes.get(body.approval, ("", None))
        return (StandingRefusal(body.approval, action.hash(body.pin), by, reason),)


def _line(
    sid: str, ref: str, verdict: str, reasons: Sequence[Reason], origins: Mapping[str, str]
) -> Mapping[str, Json]:
    return {
        "session": sid,
        "call_id": ref,
        "verdict": verdict,
        "policies": list(dict.fromkeys(reason.policy for reason in reasons if reason.policy is not None)),
        "reasons": [{"code": reason.code.value, "text": reason.text} for reason in reasons],
        "origins": dict(origins),
    }


def _origins(body: ActionBody) -> Mapping[str, str]:
    """Where each value came from, as the record says it, by path."""
    traced = cast("list[Mapping[str, str]]", body.context.get("origins", []))
    return {one["arg"]: one["origin"] for one in traced}


def _arguments_of(body: ActionBody) -> dict[str, Json] | None:
    try:
        value: object = json.loads(body.arguments)
    except ValueError:
        return None
    return cast("dict[str, Json]", value) if isinstance(value, dict) else None


def _shaping(body: ActionBody) -> Shaping | None:
    """What obligations had to do with it: these arguments are what they made, and its hosts were looked up then."""
    obliged = body.context.get("obliged")
    addresses = obliged.get("addresses") if isinstance(obliged, Mapping) else None
    if not isinstance(obliged, Mapping) or not isinstance(addresses, Mapping):
        return None
    return Shaping(str(obliged.get("asked")), 0, {host: str(address) for host, address in addresses.items()})


def _moment(body: ActionBody, at_ms: int) -> int:
    """The moment that policy looked at; that of the record where it looked at none."""
    system = body.context.get("system")
    now = system.get("now") if isinstance(system, Mapping) else None
    if not isinstance(now, str):
        return at_ms
    return round(datetime.fromisoformat(now).timestamp() * 1000)


def _session(body: ActionBody, agent: str, sid: str, now_ms: int) -> Session:
    """A session of the chain as policy saw the whole chain: its labels and counters are the joined ones.

    Which session of a chain had ended, and how, the reason says.
    """
    session_facts = body.context.get("session")
    facts: Mapping[str, Json] = session_facts if isinstance(session_facts, Mapping) else {}
    age_s, calls, irreversible = (_number(facts.get(name)) for name in ("ageSeconds", "calls", "irreversibleCalls"))
    started_ms, ended_ms = now_ms - age_s * 1000, None
    ending = next((reason for reason in body.reasons if reason.code is Code.SESSION_ENDED), None)
    if ending is not None and ending.agent == agent:
        if ending.text.endswith("has ended"):
            ended_ms = now_ms
        else:
            started_ms = 0
    confidence = _confidence(facts.get("confidence"))
    return Session(sid, agent, body.user, started_ms, frozenset(body.labels), calls, irreversible, ended_ms, confidence)


def _confidence(stated: Json) -> Confidence:
    """How sure the chain was said to be, and by whom."""
    if not isinstance(stated, Mapping):
        return UNSAID
    units = int(Decimal(str(stated.get("value"))) * PLACES)
    return Confidence(units, None) if stated.get("source") == "agent" else Confidence(None, units)


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0
