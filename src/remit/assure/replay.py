"""Replay: recorded sessions through `decide` and `judge_result`, as the service would have judged them.

Laws
* Nothing is reached and nothing is random: the same recording and bundle give the same verdicts. Time is
  simulated, one second an event.
* A call can depend only on results of earlier turns: what came back in a call's own turn is taken in after it.
* Open loop: recorded results are taken in whatever the verdict on their call was, since the recorded model saw them.
* Every call has a verdict. What the workspace does not know is a denial with its reason, never a gap.
* A verdict says what policy says. Arguments that the pinned schema refuses are denied before policy is asked, and
  reach nothing; where the recorded tool refused them as well, there was nothing to deny: the line has the verdict that
  policy gives to the call, and the reason `arg/invalid` beside it.
* What permitted calls take from budgets and add to what monitors keep counts for those that follow, in simulated time.
  Each recording stands alone, and breakers, which count in the time that calls take, are not there.
* Nobody approves anything but where `approved` says that somebody did: the call stays an ask, and what was granted with
  it counts from then on. No policy reads it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from remit.assure.approvals import NO_APPROVALS, Approvals
from remit.assure.before import Before
from remit.assure.judgement import Judgement, origins_of
from remit.assure.reading_cache import Readings, Remembered, words
from remit.assure.recording import RecordedCall, RecordedConfidence, RecordedResult, RecordedSession, RecordedWords
from remit.assure.veil import veiled
from remit.escalate.grants import Grant, GrantScope
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority, Link
from remit.facts.budget import refunds_at_end
from remit.facts.canonical import Json, canonical
from remit.facts.durations import DAY_MS
from remit.facts.novelty import UsageHistory
from remit.facts.record import Ref
from remit.facts.session import Session
from remit.facts.tool import UNCATALOGUED_SOURCE, Effect
from remit.pdp.decide import judge
from remit.pdp.effects import Ruling
from remit.pdp.grant_scope import reach_recorded, terms
from remit.pdp.offline import decide_offline
from remit.pdp.past import marks_at_end
from remit.pdp.result_judgement import JudgedCall, judge_result
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy.bundle import Bundle
from remit.policy.destination import Destination
from remit.policy.uids import action_uid, server_uid
from remit.policy.verdict import Code, Deny, Escalate, Permit, Reason, word
from remit.protect.handover import Handover
from remit.protect.hashing import KEY_BYTES, token_hasher
from remit.protect.index import Index
from remit.trace.bodies import ActionBody, OutcomeBody, Status

START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z: when every replayed session starts."""
_EVENT_MS: Final = 1_000
_USES: Final = 1_000
"""No session has so many calls that its grants would be used up."""
_TOKEN: Final = "replay"  # noqa: S105 - a name, not a secret
_KEYED: Final = Remembered(token_hasher(bytes(KEY_BYTES)))
_READINGS: Final = Readings()


@dataclass(frozen=True, slots=True)
class CallVerdict:
    """The verdict on one recorded call; `origins` by the path of each value, where a policy asks for them."""

    session: str
    call_id: str
    verdict: str
    reasons: tuple[Reason, ...]
    origins: Mapping[str, str]

    def line(self) -> Mapping[str, Json]:
        """It as `remit replay` writes it, members in this order."""
        return {
            "session": self.session,
            "call_id": self.call_id,
            "verdict": self.verdict,
            "policies": list(dict.fromkeys(reason.policy for reason in self.reasons if reason.policy is not None)),
            "reasons": [{"code": reason.code.value, "text": reason.text} for reason in self.reasons],
            "origins": dict(self.origins),
        }


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is put in a recording's place: `agent` where the workspace does not know the recorded one, for `user`."""

    agent: str | None = None
    user: str | None = None


def replay(
    bundle: Bundle, session: RecordedSession, cast: Cast = Cast(), approvals: Approvals = NO_APPROVALS
) -> tuple[CallVerdict, ...]:
    """The verdict on each call of `session`, in the order of the calls."""
    run = _Run(bundle, session, cast)
    verdicts: list[CallVerdict] = []
    for event in session.events:
        run.now_ms += _EVENT_MS
        match event:
            case RecordedWords():
                run.hear(event)
            case RecordedCall():
                judged = run.judge(event)
                scope = approvals.get((session.session, event.call_id))
                if scope is not None and isinstance(judged.ruling.verdict, Escalate):
                    run.grant(event.call_id, judged, scope)
                ruling = judged.ruling
                origins = origins_of(ruling.facts)
                verdicts.append(
                    CallVerdict(session.session, event.call_id, word(ruling.verdict), ruling.reasons, origins)
                )
            case RecordedResult():
                run.waiting.append(event)
            case RecordedConfidence():
                run.trust(event)
    return tuple(verdicts)


class _Run:
    """The state of one replayed session."""

    def __init__(self, bundle: Bundle, session: RecordedSession, cast: Cast) -> None:
        self._bundle = bundle
        self._suite = session.suite
        agent = session.agent if session.agent in bundle.catalog.agents or cast.agent is None else cast.agent
        self._authority = Authority((Link(agent, session.session),), cast.user, _TOKEN, START_MS + DAY_MS)
        self._state = Session(session.session, agent, cast.user, START_MS)
        self._origins = Index(_KEYED)
        self._called: dict[str, Action] = {}
        self._failed = frozenset(
            event.call_id for event in session.events if isinstance(event, RecordedResult) and event.error is not None
        )
        self._answered = frozenset(event.call_id for event in session.events if isinstance(event, RecordedResult))
        self._handing: dict[str, Handover] = {}
        self.waiting: list[RecordedResult] = []
        self._grants: list[Grant] = []
        self._used = UsageHistory()
        self._before = Before(bundle)
        self._under_way: dict[str, tuple[ActionBody, Action, Destination, int]] = {}
        self._records = 0
        self.now_ms = START_MS

    def hear(self, recorded: RecordedWords) -> None:
        """Take in the user's words."""
        self._origins.apply(words(self._origins, recorded.text))

    def trust(self, recorded: RecordedConfidence) -> None:
        """Take in how sure the agent is said to be."""
        self._state = replace(self._state, confidence=self._state.confidence.stated(recorded.source, recorded.units))

    def judge(self, call: RecordedCall) -> Judgement:
        """Decide on a call, once the results of earlier turns are taken in."""
        self._take_in(call.turn)
        server = self._server(call.tool)
        arguments = b"{}" if call.refused else canonical(call.args)
        action = Action(ActionKind.CALL_TOOL, server, call.tool, arguments, call.args, self._authority)
        self._called[call.call_id] = action
        tool = self._bundle.catalog.tools.get((server, call.tool))
        if call.call_id in self._answered and tool is not None and tool.effect is not Effect.READ:
            self._handing[call.call_id] = Handover(tool, call.args)
        snapshot = Snapshot(
            self._bundle,
            (self._state,),
            Pin.MATCHES,
            origins=self._origins,
            grants=tuple(self._grants),
            usage=self._used,
            past=self._before.past,
        )
        if call.refused:
            why = Reason(Code.ARG_INVALID, f"no agent may send them: {call.refused}")
            return Judgement(snapshot, action, Ruling(Deny(), (why,)), self.now_ms)
        judged = self._judged(snapshot, action)
        ruling = judged.ruling
        if call.call_id in self._failed and {reason.code for reason in ruling.reasons} == {Code.ARG_INVALID}:
            unvalidated = self._judged(replace(snapshot, bundle=_unvalidated(self._bundle)), action)
            return unvalidated.beside(ruling.reasons)
        body = judged.body() if judged.counts else None
        if body is not None:
            self._record(body)
        if isinstance(ruling.verdict, Permit):
            destination = self._bundle.destination(self._bundle.tools[server, call.tool])
            if body is not None:
                self._under_way[call.call_id] = body, action, destination, self.now_ms
            irreversible = 1 if destination.irreversible else 0
            self._state = replace(
                self._state,
                calls=self._state.calls + 1,
                irreversible_calls=self._state.irreversible_calls + irreversible,
            )
            links = ((self._state.agent, self._state.sid),)
            self._used.intent(links, action.kind.value, server, call.tool, ruling.reaches)
        return judged

    def _judged(self, snapshot: Snapshot, action: Action) -> Judgement:
        tool = self._bundle.catalog.tools.get((action.server, action.name))

        def judged(one: Action) -> Judgement:
            draws = self._before.draws(one, tool, self.now_ms)
            known, hidden = replace(snapshot, draws=draws) if draws else snapshot, veiled(self._bundle, one)
            return Judgement(known, hidden, judge(known, hidden, self.now_ms), self.now_ms)

        return decide_offline(judged, action)

    def _record(self, body: ActionBody | OutcomeBody) -> None:
        """Have what follows judged by what a record of now says."""
        self._records += 1
        if body.marks or (body.charges if isinstance(body, ActionBody) else body.refunds):
            self._before.take(Ref(_TOKEN, self._records), self.now_ms, body)

    def grant(self, call: str, judged: Judgement, scope: GrantScope) -> None:
        """People say yes to the escalated `call`, and grant `scope` with it."""
        body = judged.body()
        destination = self._bundle.destination(self._bundle.tools[body.server, body.name])
        reach = reach_recorded(body, destination)
        assert reach is not None, "a call's arguments are an object"  # noqa: S101
        until_ms = self._authority.expires_ms
        grant_terms = terms(scope, call, body, reach, destination.tool, until_ms=until_ms, uses_max=_USES)
        self._grants.append(Grant(call, grant_terms, self.now_ms))

    def _take_in(self, turn: float) -> None:
        """Take in the results of turns before `turn`."""
        due = [answer for answer in self.waiting if answer.turn < turn]
        self.waiting = [answer for answer in self.waiting if answer.turn >= turn]
        for answer in due:
            action = self._called[answer.call_id]
            form = self._bundle.tools.get((action.server, action.name))
            # Nobody knows what an unknown tool is, so that nobody knows what it brought.
            destination = self._unknown(action) if form is None else self._bundle.destination(form)
            self._handing.pop(answer.call_id, None)
            beside = tuple(self._handing.values())
            judged = judge_result(
                self._bundle,
                destination,
                action.server,
                (self._state,),
                Status.OK if answer.error is None else Status.TOOL_ERROR,
                _result(answer),
                call=JudgedCall(answer.call_id, action, self._origins, _READINGS.read, beside=beside),
            )
            self._end(answer)
            if judged.origins is not None:
                self._origins.apply(judged.origins)
            if not judged.labels <= self._state.labels:
                self._state = replace(self._state, labels=self._state.labels | judged.labels)

    def _end(self, answer: RecordedResult) -> None:
        """What the end of a permitted call gives back to budgets, and adds to what monitors keep."""
        call = self._under_way.pop(answer.call_id, None)
        if call is None:
            return
        body, action, destination, began_ms = call
        status, result = Status.OK if answer.error is None else Status.TOOL_ERROR, _result(answer)
        size = _size(result)
        outcome = OutcomeBody(
            intent=answer.call_id,
            status=status,
            sids=(self._state.sid,),
            labels=(),
            approval=None,
            result=None,
            result_bytes=size,
            elapsed_ms=0,
            refunds=refunds_at_end(body.charges, sent=True, argument_bytes=action.size, result_bytes=size),
            marks=marks_at_end(self._bundle.catalog, action, destination, began_ms, status, result),
        )
        self._record(outcome)

    def _unknown(self, action: Action) -> Destination:
        part = self._bundle.slice(ActionKind.CALL_TOOL)
        return Destination(
            "call",
            action_uid(action.name),
            server_uid(action.server),
            part,
            UNCATALOGUED_SOURCE,
            tuple(UNCATALOGUED_SOURCE),
        )

    def _server(self, tool: str) -> str:
        """Where `tool` is called: at the server named for the suite, else at the only one that has such a tool."""
        tools = self._bundle.tools
        servers = [server for server, name in tools if name == tool]
        return servers[0] if len(servers) == 1 and (self._suite, tool) not in tools else self._suite


def _unvalidated(bundle: Bundle) -> Bundle:
    """`bundle` but for the check of arguments against schemas."""
    tools = {key: replace(form, validator=None) for key, form in bundle.tools.items()}
    return replace(bundle, tools=tools, _destinations={})


def _size(result: Json) -> int:
    """How many bytes `result` takes; with longer integers than RFC 8785 has, as the service would write them."""
    try:
        return len(canonical(result))
    except ValueError:
        return len(json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode())


def _result(answer: RecordedResult) -> Json:
    """What came back in the form in which a tool server says it."""
    failed = answer.error is not None
    texts = [text for text in (answer.error, answer.result) if isinstance(text, str) and text]
    content: list[Json] = [{"type": "text", "text": text} for text in texts]
    whole: dict[str, Json] = {"content": content, "isError": failed}
    if not isinstance(answer.result, str | None):
        whole["structuredContent"] = answer.result
    return whole
