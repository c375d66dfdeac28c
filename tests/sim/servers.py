"""The servers behind, and their own record of what they were asked to do. They answer in every way that a server can.

A server outlives the service's processes. It stands where the product's adapters stand (`ports.upstream.Upstream`):
its answers are what those adapters make of the wire.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from remit.facts.action import ActionKind
from remit.facts.canonical import canonical
from remit.facts.capability import takes_tasks
from remit.ports.upstream import (
    NO_CONTEXT,
    Era,
    Failure,
    InputRequired,
    Introduction,
    ListChanged,
    Log,
    Notice,
    Offer,
    Progress,
    Question,
    Ready,
    Reply,
    Result,
    TaskStarted,
    UpstreamContext,
    UpstreamUnreachable,
)
from tests.sim.laws import Called
from tests.sim.office import ADDRESS, OFFICE
from tests.sim.port import LIST, NAMES, PAGE
from tests.sim.realm import DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from random import Random

    from remit.facts.canonical import Json
    from remit.facts.tool import Definition
    from tests.sim.laws import Laws
    from tests.sim.life import Life

CALL_S: Final = 30.0
_LISTS: Final = {
    "resources/list": ("resources", Offer.RESOURCES, ActionKind.READ_RESOURCE),
    "resources/templates/list": ("resourceTemplates", Offer.TEMPLATES, ActionKind.READ_RESOURCE),
    "prompts/list": ("prompts", Offer.PROMPTS, ActionKind.GET_PROMPT),
}
_TIME: Final = "2026-11-28T00:00:00Z"
FORM: Final[Mapping[str, Any]] = {"type": "object", "properties": {"name": {"type": "string"}}}
WAYS: Final = (
    "answers",
    "fails",
    "refuses",
    "hangs",
    "dies",
    "not-sent",
    "raises",
    "asks",
    "samples",
    "waits",
    "begins",
    "odd",
)


@dataclass(slots=True)
class Server:
    """One of them. `odd` says how often it does not just answer, `drifted` whether its tools are as accepted."""

    name: str
    random: Random
    laws: Laws
    life: Callable[[], Life]
    tell: Callable[[str], None]
    marks: Callable[[], int]
    named: Callable[[Called], None]
    """Called before somewhere to ship is named."""
    oddness: float
    ways: Sequence[str] = WAYS
    drifted: bool = False
    away: bool = False
    _tasks: dict[str, tuple[Called, str]] = field(default_factory=dict[str, tuple[Called, str]])
    _lists: dict[bool, tuple[Definition, ...]] = field(default_factory=dict[bool, "tuple[Definition, ...]"])

    # --- the port

    async def definitions(
        self, sid: str, era: Era, context: UpstreamContext = NO_CONTEXT, *, anew: bool = False
    ) -> Sequence[Definition]:
        await self._takes()
        if self.away:
            self.laws.defined(self.name, sid, pinned=False)
            raise UpstreamUnreachable(f"server '{self.name}' is away")
        self.laws.defined(self.name, sid, pinned=not self.drifted)
        known = self._lists.get(self.drifted)
        if known is None:
            known = DEFINITIONS[self.name]
            if self.drifted:
                known = tuple(replace(one, description=f"{one.description}, and more") for one in known)
            self._lists[self.drifted] = known
        return known

    async def introduce(self, sid: str, era: Era, context: UpstreamContext = NO_CONTEXT) -> Introduction:
        await self._takes()
        key = (ActionKind.READ_RESOURCE.value, self.name, "", canonical({"list": "instructions"}), self._links(sid))
        return Introduction({}, self._mark(Called(key)))

    async def call(
        self, sid: str, era: Era, name: str, arguments: bytes, context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        return await self._do(sid, (ActionKind.CALL_TOOL, name, arguments), context, self._tool_result)

    async def ask(
        self, sid: str, era: Era, method: str, params: Mapping[str, Json], context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        match method:
            case "resources/read":
                what = (ActionKind.READ_RESOURCE, str(params["uri"]), canonical(params))
                return await self._do(
                    sid, what, context, lambda text: {"contents": [{"uri": "file:///a", "text": text}]}
                )
            case "prompts/get":
                what = (ActionKind.GET_PROMPT, str(params["name"]), canonical(params.get("arguments", {})))
                return await self._do(sid, what, context, _prompt)
            case "tasks/get" | "tasks/cancel" | "tasks/update":
                return await self._task(method, str(params["taskId"]))
            case _:
                member, offer, kind = _LISTS[method]
                what = (kind, "", canonical({"list": offer.value}))
                return await self._do(sid, what, context, lambda text: {member: [_item(offer, text)]})

    async def resume(
        self, continuation: object, responses: Mapping[str, Json], context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        await self.life().at(f"{self.name} is answered")
        assert isinstance(continuation, Called)
        self.tell(f"{self.name} is answered {canonical(responses).decode()}")
        self.laws.resumed(continuation, responses)
        return await self._answer(continuation, context, self._tool_result)

    async def drop(self, continuation: object) -> None:
        await self._takes()

    async def watch(
        self, sid: str, era: Era, offers: frozenset[Offer], uris: frozenset[str], context: UpstreamContext = NO_CONTEXT
    ) -> AsyncGenerator[Notice | Ready]:
        yield Ready()
        for _ in range(3):
            await self._takes()
            yield ListChanged(Offer.PROMPTS)

    async def end_session(self, sid: str) -> None:
        await self._takes()

    async def close(self) -> None:
        return

    # --- what it does

    def _links(self, sid: str) -> tuple[tuple[str, str], ...]:
        return tuple((link.agent, link.sid) for link in self.laws.authorities[sid].links)

    async def _do(
        self,
        sid: str,
        what: tuple[ActionKind, str, bytes],
        context: UpstreamContext,
        form: Callable[[str], Mapping[str, Json]],
    ) -> Reply:
        await self.life().at(f"{self.name} is asked")
        kind, name, arguments = what
        called = Called((kind.value, self.name, name, arguments, self._links(sid)))
        return await self._answer(called, context, form, first=True)

    async def _answer(
        self,
        called: Called,
        context: UpstreamContext,
        form: Callable[[str], Mapping[str, Json]],
        *,
        first: bool = False,
    ) -> Reply:
        odd = self.random.random() < self.oddness
        is_tool = called.key[0] == ActionKind.CALL_TOOL.value
        way = self.random.choice(self.ways) if odd else "answers"
        if way == "not-sent" and first:
            return Failure("unreachable", "the connection was refused", sent=False)
        if first:
            self.tell(f"{self.name} does {called.key[2] or called.key[3].decode()} and {way}")
            self.laws.effect(called)
        await self._says(called, context, odd=odd)
        reply = await self._by(way if is_tool else way.replace("begins", "answers"), called, context, form)
        await self.life().at(f"{self.name} has answered")
        if odd and context.hear is not None:
            # It goes on talking after its answer.
            self._later(context, Log("info", None, self._mark(called)))
        return reply

    async def _by(
        self, way: str, called: Called, context: UpstreamContext, form: Callable[[str], Mapping[str, Json]]
    ) -> Reply:
        match way:
            case "fails":
                return Result({"content": [_text(self._mark(called))], "isError": True}, is_error=True)
            case "refuses":
                said = self._mark(called)
                return Failure("error", "JSON-RPC error -32000", sent=True, upstream_text=said, code=-32000)
            case "hangs":
                await asyncio.sleep(CALL_S)
                return Failure("timeout", f"no answer within {CALL_S:.0f} s", sent=True)
            case "dies" | "not-sent":
                return Failure("died", "the server ended", sent=True)
            case "raises":
                raise RuntimeError("an adapter's own error")
            case "asks" if "elicitation" in context.capabilities:
                called.number += 1
                params: Mapping[str, Json] = {"message": self._mark(called), "requestedSchema": FORM}
                return InputRequired({"q": Question("elicitation/create", params)}, called)
            case "samples":
                called.number += 1
                message: Json = {"role": "user", "content": {"type": "text", "text": self._mark(called)}}
                params = {"messages": [message], "maxTokens": 5}
                return InputRequired({"q": Question("sampling/createMessage", params)}, called)
            case "waits":
                called.number += 1
                return InputRequired({}, called)
            case "begins" if takes_tasks(context.capabilities):
                ident = f"task-{self.marks()}"
                self._tasks[ident] = (called, self.random.choice(("completed", "failed", "cancelled")))
                return TaskStarted(self._state(ident, called, "working"))
            case "odd":
                return Result(self.random.choice(({}, {"content": 7}, {"content": [{"type": "?"}]})), is_error=False)
            case _:
                return Result(self._shown(called, form, plainly=True), is_error=False)

    async def _task(self, method: str, ident: str) -> Reply:
        await self._takes()
        called, end = self._tasks[ident]
        if method != "tasks/get":
            return Result({}, is_error=False)
        status = "working" if self.random.random() < 0.4 else end
        state = dict(self._state(ident, called, status))
        if status == "completed":
            state["result"] = self._shown(called, self._tool_result, plainly=False)
        if status == "failed":
            state["error"] = {"code": -32000, "message": self._mark(called)}
        return Result(state, is_error=False)

    def _state(self, ident: str, called: Called, status: str) -> Mapping[str, Json]:
        return {
            "taskId": ident,
            "status": status,
            "statusMessage": self._mark(called),
            "createdAt": _TIME,
            "lastUpdatedAt": _TIME,
            "ttlMs": 60_000,
        }

    async def _says(self, called: Called, context: UpstreamContext, *, odd: bool) -> None:
        await self._takes()
        for _ in range(self.random.choice((0, 0, 1, 3)) if context.hear is not None else 0):
            self._hears(context, Progress(1.0, None, self._mark(called)))
            if odd:
                await self._takes()

    def _later(self, context: UpstreamContext, notice: Notice) -> None:
        asyncio.get_running_loop().call_later(self.random.uniform(0.0, 0.2), self._hears, context, notice)

    def _hears(self, context: UpstreamContext, notice: Notice) -> None:
        if context.hear is not None and self.life().alive:
            context.hear(notice)

    async def _takes(self) -> None:
        """Time passes; whoever asked may not be there any more."""
        most_s = 20.0 if self.random.random() < 0.05 * self.oddness else 0.05
        await asyncio.sleep(self.random.uniform(0.0, most_s))
        if not self.life().alive:
            await asyncio.get_running_loop().create_future()

    def _mark(self, called: Called) -> str:
        number = self.marks()
        self.laws.calls[number] = called
        told = f" {ADDRESS}" if called.key[1:3] == (OFFICE, "look") else ""
        return f"mark{number}mark{told}"

    def _shown(self, called: Called, form: Callable[[str], Mapping[str, Json]], *, plainly: bool) -> Mapping[str, Json]:
        """The answer; a list and a page of the port name somewhere to ship in it, and nowhere else."""
        if called.key[0] != ActionKind.CALL_TOOL.value or called.key[1:3] not in {LIST, PAGE}:
            return form(self._mark(called))
        called.names, called.plainly = called.names or self.random.choice(NAMES), plainly
        self.named(called)
        return {**form(self._mark(called)), "structuredContent": {"to": called.names}}

    def _tool_result(self, text: str) -> Mapping[str, Json]:
        return {"content": [_text(text)]}


def _text(text: str) -> Mapping[str, Json]:
    return {"type": "text", "text": text}


def _prompt(text: str) -> Mapping[str, Json]:
    return {"messages": [{"role": "user", "content": _text(text)}]}


def _item(offer: Offer, text: str) -> Mapping[str, Json]:
    match offer:
        case Offer.TEMPLATES:
            return {"uriTemplate": "file:///{a}", "name": text}
        case Offer.PROMPTS:
            return {"name": text}
        case _:
            return {"uri": "file:///a", "name": text}
