"""What a call would do, by a dry run of its tool, for the people who are asked about it.

Laws
* A dry run is an action of its own, by the same chain and recorded like any other. It is made where policy permits it
  outright: with nobody asked, and under no approval and no grant, which stay whole for what they were given for.
* It tells people something and the agent nothing: its answer grounds no value, and where it would bring a label that
  the chain does not hold yet, it is not made. What detectors find in it is known afterwards: it joins the session, and
  people are told. INVARIANT(label-before-data)
* It is of exactly what would run: an edit makes it void, and it is made anew.
* Bounded in time, size and number, no agent's in the way of another's, and made while its caller is there. Whatever
  goes wrong with it says why there is none, and changes nothing else: no verdict looks at it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import orjson

from remit.escalate.foreseen import Foreseen, result_text
from remit.escalate.machine import Approval
from remit.facts.action import Action, ActionKind
from remit.facts.canonical import Json, canonical
from remit.facts.label import NONE, Labels
from remit.facts.preview import Preview
from remit.facts.record import RecordKind
from remit.facts.tool import Tool
from remit.pdp.decision import Decision, Reshape, Resolve
from remit.pep import operation
from remit.pep.action_pipeline import ActionPipeline
from remit.pep.answer import Answer, Client, Failed, Refused, Released
from remit.pep.attempt import Attempt
from remit.pep.decision_effects import append_of
from remit.pep.decision_engine import BY_REMIT, DecisionEngine
from remit.pep.operation import Operation
from remit.pep.pins import UNASKED
from remit.pep.release import INTERNAL_ERROR
from remit.pep.rounds import ActionUnderWay
from remit.policy.verdict import Code, Permit, Reason
from remit.ports.upstream import Era, Failure, InputRequired, Reply, TaskStarted, UpstreamContext
from remit.trace.bodies import ActionBody, AdminBody, Event

PREVIEW_S: Final = 10.0
AT_ONCE: Final = 16
OF_ONE_AT_ONCE: Final = 4
"""So many of one agent; the first of each is made whatever the others have."""
KEPT_MAX: Final = 1_000
_LEAVING_S: Final = 2.0
_UNDER_WAY: Final = "it was asked for and has not answered yet"
_ABSENT: Final = (
    "its caller has to be there for one, and was not since this was asked or changed, or the service started; "
    "of what an earlier one told the ledger has the digest alone"
)


class Previews:
    """The dry runs of what people are asked about, the last `KEPT_MAX` of them, in memory alone."""

    def __init__(self, pipeline: ActionPipeline, engine: DecisionEngine) -> None:
        self._pipeline = pipeline
        self._engine = engine
        self._results: OrderedDict[tuple[str, str], Foreseen] = OrderedDict()
        self._running: dict[asyncio.Task[None], str] = {}
        pipeline.waiting.foresee = self._want

    def of(self, approval: Approval) -> Foreseen | None:
        """What is known of what `approval` stands for now; None where its tool offers no dry run."""
        result = self._results.get((approval.ident, approval.shown))
        if result is not None:
            return result
        tool = self._engine.bundle.catalog.tools.get((approval.server, approval.name))
        if tool is None or tool.preview is None:
            return None
        return Foreseen(_by(tool, tool.preview), why=_ABSENT)

    async def close(self) -> None:
        """End those that are under way; their outcomes are queued."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_LEAVING_S)

    def _want(self, action: Action, approval: Approval, client: Client) -> None:
        """Have what `approval` stands for made once, as long as nothing of it changes."""
        place = (approval.ident, approval.shown)
        if place in self._results or action.kind is not ActionKind.CALL_TOOL:
            return
        tool = self._engine.tool(action)
        if tool is None or tool.preview is None:
            return
        by = _by(tool, tool.preview)
        if action.within is not None:
            self._keep(place, Foreseen(by, why="the call is under way, and its answers are what is asked about"))
        elif self._has_room(action.authority.acting.agent):
            # Otherwise whoever waits asks again.
            self._keep(place, Foreseen(by, why=_UNDER_WAY))
            task = asyncio.get_running_loop().create_task(self._make(place, by, action, approval, client))
            self._running[task] = action.authority.acting.agent
            task.add_done_callback(self._running.pop)

    def _has_room(self, agent: str) -> bool:
        own = sum(one == agent for one in self._running.values())
        return own < OF_ONE_AT_ONCE and (not own or len(self._running) < AT_ONCE)

    async def _make(self, place: tuple[str, str], by: str, action: Action, approval: Approval, client: Client) -> None:
        run = _Run(self._pipeline, self._engine, approval)
        answer = await self._pipeline.with_sessions(action.authority, run.answer(action, client))
        match answer:
            case Released(result):
                value: Mapping[str, Json] = orjson.loads(result)
                why = "the tool says that its dry run failed" if value.get("isError") is True else ""
                # What detectors found in it joined the session: it is told with the rest.
                foreseen = Foreseen(by, result_text(value), tuple(sorted(answer.labels | run.labels)), why)
            case Failed(_, message):
                foreseen = Foreseen(by, why=message)
            case Refused(reasons):
                foreseen = Foreseen(by, why=reasons[0].text)
            case _:
                foreseen = Foreseen(by, why="it came to nothing that can be shown")
        self._keep(place, foreseen)

    def _keep(self, place: tuple[str, str], foreseen: Foreseen) -> None:
        self._results[place] = foreseen
        if len(self._results) > KEPT_MAX:
            self._results.popitem(last=False)


class _Run:
    """One dry run for `approval`; `labels` are those that its answer may have."""

    def __init__(self, pipeline: ActionPipeline, engine: DecisionEngine, approval: Approval) -> None:
        self._pipeline = pipeline
        self._engine = engine
        self._approval = approval
        self.labels: Labels = NONE

    async def answer(self, action: Action, client: Client) -> Answer:
        """What the tool answers to the dry run of `action`, released; or why nothing is."""
        if self._approval.edit is not None:
            edited = await self._pipeline.edited(action, self._approval.edit.record)
            if edited is None:
                return _none("what somebody approved instead is not kept")
            action = edited
        tool = self._engine.tool(action)
        if tool is None or tool.preview is None:
            return _none("the running bundle knows none any more")
        client = replace(client, tell=None, log_level=None, stated_reason=None)
        if client.era is Era.STATELESS:
            # It cannot be asked back; a session of the other era is opened once, with what its client declared.
            client = replace(client, capabilities={})
        dry_run = self._operation(action, tool.preview)
        attempt = await self._outright(dry_run.action, client, same=dry_run.action.name == action.name)
        if isinstance(attempt, Reason):
            return Refused((attempt,), None)
        under = await self._pipeline.set_out(dry_run, client, attempt)
        return await self._sent(under) if isinstance(under, ActionUnderWay) else under

    def _operation(self, action: Action, preview: Preview) -> Operation:
        name, arguments = preview.of(action.name, action.input)
        accepted = self._engine.bundle.catalog.tools.get((action.server, name))
        dry_run = operation.call_tool(action.authority, action.server, name, arguments, canonical(arguments), accepted)
        return replace(dry_run, to_agent=False, action=replace(dry_run.action, trace=action.trace))

    async def _outright(self, action: Action, client: Client, *, same: bool) -> Attempt | Reason:
        """`action` judged, where policy permits it with nobody asked; or why it is not sent. `same`: as what waits."""
        live, unreachable = await self._pipeline.live(action, client)
        if unreachable is not None:
            return unreachable
        if live is not None and live is not UNASKED:
            self._engine.pins.look(action.server, live)
        while True:
            weighed = self._engine.weigh(action)
            unfit = self._unfit(action, weighed, same=same)
            if unfit is not None:
                return Reason(Code.GATE, unfit)
            # No await since: what was weighed is what is judged.
            attempt = self._engine.judge(action, live)
            if isinstance(attempt, Reshape | Resolve):
                action = await self._pipeline.shaped(action, attempt)
            elif isinstance(attempt.decision.verdict, Permit):
                body = AdminBody(Event.APPROVAL_PREVIEWED, BY_REMIT, self._approval.ident, {"intent": attempt.ref})
                self._engine.append(RecordKind.ADMIN, self._approval.sid, body)
                return attempt
            else:
                return attempt.decision.reasons[0]

    def _unfit(self, action: Action, weighed: Decision, *, same: bool) -> str | None:
        """Why a dry run that was `weighed` is not made."""
        body = append_of(weighed).body
        permitted = isinstance(weighed.verdict, Permit) and weighed.observed is None
        if not permitted or not isinstance(body, ActionBody) or body.approval is not None or body.grants:
            why = "; ".join(reason.text for reason in weighed.reasons)
            return f"policy does not let it be made unasked: {why}"
        novelty = body.context.get("novelty")
        if same and isinstance(novelty, Mapping) and any(novelty.values()):
            return "the tool, or such a target, is new to this agent, and would not be after it"
        self.labels = self._engine.labels_if_run(weighed, action)
        if more := sorted(self.labels - self._engine.held_by_all(action.authority)):
            return f"its answer would bring labels that the session does not hold: {', '.join(more)}"
        return None

    async def _sent(self, under: ActionUnderWay) -> Answer:
        async def request(along: UpstreamContext) -> Reply:
            sid, era = under.operation.action.authority.acting.sid, under.client.era
            try:
                async with asyncio.timeout(PREVIEW_S):
                    return await under.operation.send(under.upstream, sid, era, along)
            except TimeoutError:
                return Failure("timeout", f"it took longer than {PREVIEW_S:g} s", sent=True)

        reply = await self._pipeline.send(under, request)
        if isinstance(reply, InputRequired):
            under.input_required = reply
            dropping = asyncio.ensure_future(under.upstream.drop(reply.continuation))
            reply = Failure("input_required", "it asked something back, which nobody answers here", sent=True)
            dropping.add_done_callback(lambda done: done.cancelled() or done.exception())
        elif isinstance(reply, TaskStarted):
            reply = Failure("error", "it went on as a task, which nobody waits for here", sent=True)
        answer = await self._pipeline.finish(under, reply)
        if isinstance(reply, Failure) and not isinstance(answer, Refused):
            # In words of ours, whatever its server said.
            return Failed(INTERNAL_ERROR, reply.text, under.attempt.ref)
        return answer


def _none(why: str) -> Refused:
    return Refused((Reason(Code.GATE, why),), None)


def _by(tool: Tool, preview: Preview) -> str:
    return f"{tool.server}/{preview.tool or tool.name}"
