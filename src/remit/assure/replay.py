"""Replay: recorded sessions through `decide` and `judge_result`, as the service would have judged them.

Laws
* Nothing is reached and nothing is random: the same recording and bundle give the same verdicts. Time is
  simulated, one second an event.
* A call can depend only on results of earlier turns: what came back in a call's own turn is taken in after it.
* Open loop: recorded results are taken in whatever the verdict on their call was, since the recorded model saw them.
* Every call has a verdict. What the workspace does not know is a denial with its reason, never a gap.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from remit.assure.recorded import Answered, Called, Recorded, Said
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority, Link
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import UNCATALOGUED_SOURCE
from remit.facts.label import closed
from remit.facts.session import Session
from remit.pdp.decide import decide
from remit.pdp.decision import Decision
from remit.pdp.judge import judge_result
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy.bundle import Bundle
from remit.policy.verdict import Permit, Reason, word
from remit.trace.bodies import Status

START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z: when every replayed session starts."""
_EVENT_MS: Final = 1_000
_TOKEN: Final = "replay"  # noqa: S105 - a name, not a secret


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one recorded call."""

    session: str
    call_id: str
    verdict: str
    reasons: tuple[Reason, ...]

    def line(self) -> Mapping[str, Json]:
        """It as `remit replay` writes it, members in this order."""
        return {
            "session": self.session,
            "call_id": self.call_id,
            "verdict": self.verdict,
            "policies": list(dict.fromkeys(reason.policy for reason in self.reasons if reason.policy is not None)),
            "reasons": [{"code": reason.code.value, "text": reason.text} for reason in self.reasons],
            "origins": {},
        }


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is put in a recording's place: `agent` where the workspace does not know the recorded one, for `user`."""

    agent: str | None = None
    user: str | None = None


def replay(bundle: Bundle, session: Recorded, cast: Cast = Cast()) -> tuple[Judged, ...]:
    """The verdict on each call of `session`, in the order of the calls."""
    run = _Run(bundle, session, cast)
    judged: list[Judged] = []
    for event in session.events:
        run.now_ms += _EVENT_MS
        match event:
            case Said():
                run.hear(event)
            case Called():
                decision = run.judge(event)
                judged.append(Judged(session.session, event.call_id, word(decision.verdict), decision.reasons))
            case Answered():
                run.waiting.append(event)
    return tuple(judged)


class _Run:
    """The state of one replayed session."""

    def __init__(self, bundle: Bundle, session: Recorded, cast: Cast) -> None:
        self._bundle = bundle
        self._suite = session.suite
        agent = session.agent if session.agent in bundle.catalog.agents or cast.agent is None else cast.agent
        self._authority = Authority(
            (Link(agent, session.session),), cast.user, _TOKEN, START_MS + 86_400_000, trusted_harness=True
        )
        self._state = Session(session.session, agent, cast.user, START_MS)
        self._called: dict[str, tuple[str, str]] = {}
        self.waiting: list[Answered] = []
        self.now_ms = START_MS

    def hear(self, said: Said) -> None:
        """Take in the user's words."""

    def judge(self, call: Called) -> Decision:
        """Decide on a call, once the results of earlier turns are taken in."""
        self._take_in(call.turn)
        server = self._server(call.tool)
        self._called[call.call_id] = (server, call.tool)
        arguments = canonical(call.args)
        action = Action(ActionKind.CALL_TOOL, server, call.tool, arguments, call.args, self._authority)
        decision = decide(Snapshot(self._bundle, (self._state,), Pin.MATCHES), action, self.now_ms)
        if isinstance(decision.verdict, Permit):
            form = self._bundle.tools[server, call.tool]
            irreversible = 1 if self._bundle.reached(form).irreversible else 0
            self._state = replace(
                self._state,
                calls=self._state.calls + 1,
                irreversible_calls=self._state.irreversible_calls + irreversible,
            )
        return decision

    def _take_in(self, turn: float) -> None:
        """Take in the results of turns before `turn`."""
        due = [one for one in self.waiting if one.turn < turn]
        self.waiting = [one for one in self.waiting if one.turn >= turn]
        for answer in due:
            server, tool = self._called[answer.call_id]
            form = self._bundle.tools.get((server, tool))
            if form is None:
                # Nobody knows what it is, so that nobody knows what it brought.
                labels = closed(UNCATALOGUED_SOURCE)
            else:
                status = Status.OK if answer.error is None else Status.TOOL_ERROR
                result: Json = {"result": answer.result, "error": answer.error}
                reached = self._bundle.reached(form)
                labels = judge_result(self._bundle, reached, server, (self._state,), status, result).labels
            self._state = replace(self._state, labels=self._state.labels | labels)

    def _server(self, tool: str) -> str:
        """Where `tool` is called: at the server named for the suite, else at the only one that has such a tool."""
        tools = self._bundle.tools
        servers = [server for server, name in tools if name == tool]
        return servers[0] if len(servers) == 1 and (self._suite, tool) not in tools else self._suite
