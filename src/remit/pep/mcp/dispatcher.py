"""The work that both eras share: requests put to the driver, its answers as the bytes of a result.

Under `/mcp` a list is that of all servers; one that does not answer in time is left out, and the list says so.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

import orjson

from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.facts.capability import NEEDS_TASKS
from remit.facts.header_mirror import Mirrors, disagreement
from remit.pep.answer import Awaiting, AwaitingInput, Client, Failed, Refused, Released, Underway, listed
from remit.pep.driver import Driver
from remit.pep.mcp import refusals
from remit.pep.mcp.asks import Ask, Asks, CallTool, Complete, GetPrompt, ListOffers, ReadResource
from remit.pep.mcp.methods import Denied, Sender, Treatment, treatment
from remit.pep.mcp.namespace import Namespace
from remit.pep.mcp.post import Post
from remit.pep.mcp.refusals import RpcError
from remit.pep.mcp.upstream_watches import UpstreamWatches
from remit.pep.throttle import Throttle
from remit.policy.verdict import Code
from remit.ports.upstream import Era, Introduction, Offer

_LOG: Final = logging.getLogger(__name__)
LIST_S: Final = 3.0
"""How long all servers together may take to list what they have: clients wait for it before they do anything."""
MISSING_KEY: Final = "remit.dev/missing"
"""The member of a list's `_meta` that says which servers are left out of it, and why."""
OURS: Final[Mapping[str, Json]] = {
    "tools": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "prompts": {"listChanged": True},
    "completions": {},
    "logging": {},
}
"""What is served where all servers are one, or the one is not reached: it may be there in a moment."""


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A list without what some servers have: the result object, and why each of them is missing."""

    result: bytes
    missing: Mapping[str, str]

    @property
    def meta(self) -> Mapping[str, Json]:
        """What its `_meta` says of it."""
        return {MISSING_KEY: self.missing}


ProtocolAnswer: TypeAlias = bytes | Incomplete | RpcError
"""A result object, or an error."""


class Dispatcher:
    """Puts what agents ask for to `driver`."""

    def __init__(self, driver: Driver, throttle: Throttle) -> None:
        self.driver = driver
        self._namespace = Namespace()
        self._mirrors = Mirrors()
        self.asks = Asks(driver.resolve, self._namespace)
        self.watches = UpstreamWatches(driver, throttle)

    def mirrors_agree(self, authority: Authority, ask: Ask, params: Mapping[str, str | None]) -> str | None:
        """What is wrong with the `Mcp-Param-*` headers of a call, by the pinned schema of its tool.

        Of a tool that `authority` is not shown nothing is said: the call is denied anyway.
        """
        if not isinstance(ask, CallTool) or self.driver.hides(authority, ask.server, ask.tool):
            return None
        tool = self.driver.tool(ask.server, ask.tool)
        mirrored = () if tool is None else self._mirrors.of(tool)
        return disagreement(mirrored, ask.input, params) if mirrored else None

    async def introduced(self, post: Post, client: Client) -> Introduction:
        """What the path of `post` serves, and how its server says to use it."""
        if post.server is None:
            return Introduction(_ours(client.era), None)
        introduction = await self.driver.introduce(post.authority, client, post.server)
        # Tools are listed from the lock, and changes of them told, whatever the server says.
        capabilities = (
            {**introduction.capabilities, "tools": OURS["tools"]} if introduction.capabilities else _ours(client.era)
        )
        return Introduction(capabilities, introduction.instructions)

    async def put(self, post: Post, client: Client, ask: Ask) -> ProtocolAnswer | AwaitingInput | Underway | Awaiting:
        """What the driver says to `ask`; each era has its own words for what people must decide first."""
        driver, authority = self.driver, post.authority
        match ask:
            case CallTool(server, tool, values, arguments):
                answer = await driver.call_tool(authority, client, server, tool, values, arguments)
            case ReadResource(server, uri):
                answer = await driver.read_resource(authority, client, server, uri)
            case GetPrompt(server, name, values, arguments):
                answer = await driver.get_prompt(authority, client, server, name, values, arguments)
            case Complete(server, params):
                answer = await driver.complete(authority, client, server, params)
            case ListOffers(_, Offer.TOOLS):
                tools = await driver.tools_for(authority, post.server)
                if isinstance(tools, Refused):
                    return protocol_answer(ask, tools, client.era)
                return orjson.dumps(
                    {"tools": [listed(tool, client.era, exposed=post.server is None) for tool in tools]}
                )
            case ListOffers(server, offer):
                if server is None:
                    return await self._all(post, client, offer)
                answer = await driver.list_offers(authority, client, server, offer)
                if isinstance(answer, Refused) and _is_of_policy(answer):
                    # As with tools: what no permit's scope matches is not shown, and nothing is wrong.
                    return orjson.dumps({offer.value: []})
            case _:
                assert_never(ask)
        return (
            answer
            if isinstance(answer, AwaitingInput | Underway | Awaiting)
            else protocol_answer(ask, answer, client.era)
        )

    async def _all(self, post: Post, client: Client, offer: Offer) -> bytes | Incomplete:
        servers = self.driver.servers
        tasks = {server: asyncio.ensure_future(self._of(post, client, server, offer)) for server in servers}
        try:
            if tasks:
                await asyncio.wait(tasks.values(), timeout=LIST_S)
            items: list[Json] = []
            missing: dict[str, str] = {}
            for server, task in tasks.items():
                found = task.result() if task.done() else f"it did not answer within {LIST_S:g} s"
                if isinstance(found, str):
                    if self.driver.reaches(post.authority, server):
                        missing[server] = found
                    _LOG.warning("a server is left out of a list", extra={"server": server, "error": found})
                else:
                    items += self._namespace.items(server, offer, found)
        finally:
            for task in tasks.values():
                task.cancel()
        result = orjson.dumps({offer.value: items})
        if not missing:
            return result
        self.watches.missed(post.authority, missing.keys(), offer)
        return Incomplete(result, missing)

    async def _of(self, post: Post, client: Client, server: str, offer: Offer) -> list[Json] | str:
        """What `server` lists, nothing where policy shows nothing of it; or why that is missing."""
        answer = await self.driver.list_offers(post.authority, client, server, offer)
        match answer:
            case Released(result):
                lists: dict[str, list[Json]] = orjson.loads(result)
                return lists[offer.value]
            case Refused():
                return [] if _is_of_policy(answer) else f"it was refused ({answer.reasons[0].code.value})"
            case _:
                return "it did not answer with a list"


def protocol_answer(ask: Ask, answer: Released | Refused | Awaiting | Failed, era: Era) -> ProtocolAnswer:
    """How `answer` is said to who asked `ask`."""
    match answer:
        case Released(result):
            return result
        case Failed(_, message):
            # Earlier eras have no error for a capability, and a call's other failures are tool results there.
            is_call = isinstance(ask, CallTool) and era is Era.INITIALIZE and not answer.addresses
            return refusals.tool_error(message) if is_call else refusals.error_of(ask, answer, era)
        case Refused() | Awaiting():
            return refusals.result_of(answer) if isinstance(ask, CallTool) else refusals.error_of(ask, answer, era)
        case _:
            assert_never(answer)


def denied(method: str, era: Era) -> str | None:
    """Why a client's `method` is not served in `era`, if it is not."""
    rule: Treatment = treatment(method, Sender.CLIENT, era)
    if isinstance(rule, Denied):
        return f"{Code.UNKNOWN_METHOD.value}: {method} is not served here: {rule.why}"
    return None


def _ours(era: Era) -> Mapping[str, Json]:
    return {**OURS, **NEEDS_TASKS} if era is Era.STATELESS else OURS


def _is_of_policy(answer: Refused) -> bool:
    return all(reason.code in {Code.POLICY, Code.NO_POLICY} for reason in answer.reasons)
