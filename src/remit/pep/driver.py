"""What the enforcement points ask for: every request of an agent, and what people do to running state.

A tour: a request becomes an `operation`, which goes through the `action_pipeline`: judged by the `decision_engine`,
recorded, sent, and what comes back released (`release`, `message_filter`) once its labels are durable. A server
that asks back makes it a `conversation`, one that goes on after its answer a task (`tasks`). What people do has its
objects beside it: `approvals` and `grants`, `sessions`, `halts`, `limit_admin`, and `authorization` for the rest.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import replace

from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.facts.limits import DEFAULT, Limits
from remit.facts.tool import Tool
from remit.pdp.stops import reason_of
from remit.pep import operation
from remit.pep.action_pipeline import ActionPipeline
from remit.pep.answer import Answer, Client, Refused, Released, Watching
from remit.pep.approval_withdrawal import ApprovalWithdrawal
from remit.pep.approvals import Approvals
from remit.pep.authorization import Authorization
from remit.pep.catalog_view import CatalogView
from remit.pep.conversation import Conversation
from remit.pep.decision_engine import DecisionEngine
from remit.pep.grants import Grants
from remit.pep.halts import Halts
from remit.pep.limit_admin import LimitAdmin
from remit.pep.memory import Memory
from remit.pep.operation import Operation
from remit.pep.previews import Previews
from remit.pep.providers import BundleProvider, VeilProvider, no_veil
from remit.pep.questions import Questions
from remit.pep.rounds import ActionUnderWay
from remit.pep.sessions import Sessions
from remit.pep.tally import Tally
from remit.pep.tasks import Tasks
from remit.policy.verdict import Code, Reason
from remit.ports.ledger import Ledger
from remit.ports.resolver import Resolver
from remit.ports.system import Clock, Entropy
from remit.ports.upstream import (
    Change,
    ElicitationCompleted,
    Introduction,
    ListChanged,
    Offer,
    ResourceUpdated,
    Upstream,
    UpstreamContext,
    UpstreamUnreachable,
)


class Driver:
    """One per service: the way of every action, and what people do to running state.

    `current` gives the running bundle, `upstreams` its servers by name; both may change between
    calls, never within a step. `entropy` draws the keys of origin indices: without it none are kept, and all
    values are unseen.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        current: BundleProvider,
        upstreams: Mapping[str, Upstream],
        limits: Limits = DEFAULT,
        tally: Tally | None = None,
        veil: VeilProvider = no_veil,
        entropy: Entropy | None = None,
    ) -> None:
        memory = Memory(ledger, lambda: entropy is not None and current().flow)
        engine = DecisionEngine(memory, ledger, clock, current, limits, tally, veil, entropy)
        self._memory = memory
        self._engine = engine
        self._upstreams = upstreams
        self._names = CatalogView()
        withdrawal = ApprovalWithdrawal(memory, engine, ledger)
        self.authorization = Authorization(memory, engine, ledger, clock, upstreams, withdrawal)
        self._pipeline = ActionPipeline(
            memory, engine, ledger, clock, upstreams, self.authorization.why_stopped, self._names
        )
        self.callers = self._pipeline.waiting
        self._previews = Previews(self._pipeline, engine)
        self._tasks = Tasks(self._pipeline, questions := Questions(engine), engine, memory, clock)
        self._conversation = Conversation(self._pipeline, questions, self._tasks, memory, clock)
        self.approvals = Approvals(memory, engine, ledger, clock, self._previews.of)
        self.grants = Grants(self.approvals, memory, engine, ledger, clock)
        self.limit_admin = LimitAdmin(memory, engine, clock)
        self.sessions = Sessions(memory, engine, clock, self._let_go)
        parts = (self._pipeline, self._conversation, self._tasks)
        self.halts = Halts(memory, engine, clock, self.approvals, withdrawal, parts, self._let_go)

    def resolves_by(self, resolver: Resolver) -> None:
        """Look up hosts by `resolver`: without one, no URL that an obligation limits is let through."""
        self._pipeline.resolver = resolver

    def drains_by(self, closing: asyncio.Event) -> asyncio.Event:
        """Take `closing`, and give it back, as what says that the service ends: who goes then did not hang up."""
        self.callers.draining = closing.is_set
        return closing

    def knows(self, server: str) -> bool:
        """Whether the running bundle has a server of that name."""
        return server in self._engine.bundle.catalog.servers

    @property
    def servers(self) -> Sequence[str]:
        """The servers of the running bundle."""
        return tuple(self._engine.bundle.catalog.servers)

    @property
    def bundle(self) -> str:
        """The digest of the running bundle."""
        return self._engine.bundle.digest

    def resolve(self, exposed: str) -> tuple[str, str]:
        """The `(server, tool)` that an exposed name stands for; unknown ones as they read."""
        return self._names.resolve(self._engine.bundle, exposed)

    def tool(self, server: str, name: str) -> Tool | None:
        """The accepted tool of that name."""
        return self._engine.bundle.catalog.tools.get((server, name))

    def list_tools(self, authority: Authority, server: str | None) -> Sequence[Tool]:
        """The tools shown to `authority`, of one server or of all, in the catalog's order.

        By agents and bundle alone: no upstream is asked.
        """
        tools = self._names.visible(self._engine.bundle, authority.agents)
        return [tool for tool in tools if server is None or tool.server == server]

    def hides(self, authority: Authority, server: str, tool: str) -> bool:
        """Whether `authority` is not shown that there is such a tool."""
        return self._names.hides(self._engine.bundle, authority.agents, server, tool)

    async def tools_for(self, authority: Authority, server: str | None) -> Sequence[Tool] | Refused:
        """As `list_tools`; or why `authority` may no longer act, and sees nothing."""
        why = await self.authorization.stop_reason(authority)
        return self.list_tools(authority, server) if why is None else Refused((why,), None)

    async def close(self) -> None:
        """End what waits for its client; its outcome is queued."""
        await self._previews.close()
        await self._conversation.close()

    async def call_tool(
        self,
        authority: Authority,
        client: Client,
        server: str,
        tool: str,
        arguments: Mapping[str, Json],
        canonical: bytes,
    ) -> Answer:
        """Have one call judged and, where it may run, run.

        `canonical` is the RFC 8785 form of `arguments`. Cancelling cancels upstream; the outcome is
        recorded all the same.
        """
        accepted = self.tool(server, tool)
        return await self._do(operation.call_tool(authority, server, tool, arguments, canonical, accepted), client)

    async def read_resource(self, authority: Authority, client: Client, server: str, uri: str) -> Answer:
        """Read a resource; `Released` holds `contents`."""
        return await self._do(operation.read_resource(authority, server, uri), client)

    async def get_prompt(
        self,
        authority: Authority,
        client: Client,
        server: str,
        name: str,
        arguments: Mapping[str, Json],
        canonical: bytes,
    ) -> Answer:
        """Get a prompt; `Released` holds `messages`."""
        return await self._do(operation.get_prompt(authority, server, name, arguments, canonical), client)

    async def complete(self, authority: Authority, client: Client, server: str, params: Mapping[str, Json]) -> Answer:
        """Complete an argument, judged as the action it is for; `Released` holds `completion`."""
        try:
            asked_for = operation.complete(authority, server, params)
        except ValueError as error:
            return Refused((Reason(Code.ARG_INVALID, str(error)),), None)
        return await self._do(asked_for, client)

    async def list_offers(self, authority: Authority, client: Client, server: str, offer: Offer) -> Answer:
        """All that `server` lists of `offer`, where some permit's scope matches; tools: `list_tools`."""
        return await self._do(operation.list_offers(authority, server, offer), client)

    async def introduce(self, authority: Authority, client: Client, server: str) -> Introduction:
        """What `server` can do, and, where the agent may see what it lists, how it says to use it.

        Nothing of one of which policy lets the agent see nothing: it is not asked.
        """
        upstream = self._upstreams.get(server)
        if upstream is None or not self.reaches(authority, server) or self._engine.stops(authority, server):
            return Introduction({}, None)
        capabilities, instructions = await operation.introduced(upstream, authority.acting.sid, client)
        if instructions is None:
            return Introduction(capabilities, None)
        answer = await self._do(operation.introduce(authority, server, instructions), client)
        if not isinstance(answer, Released):
            return Introduction(capabilities, None)
        return Introduction(capabilities, operation.instructions_of(answer.result))

    async def resume(self, authority: Authority, client: Client, round: str, responses: Mapping[str, Json]) -> Answer:  # noqa: A002
        """Go on with what `AwaitingInput` named: `responses` by the server's keys, None for what was not answered.

        A round for which a person must decide (`Awaiting`) stays open under its name; its responses are kept.
        """
        return await self._pipeline.further(authority, self._conversation.resume(authority, client, round, responses))

    def forsake(self, authority: Authority, round: str) -> None:  # noqa: A002
        """The client will not answer `round`: the server is told, the outcome is recorded."""
        self._conversation.forsake(authority, round)

    def knows_task(self, authority: Authority, server: str | None, name: str) -> bool:
        """Whether `Underway` named a task so to `authority`, and it is known yet."""
        return self._tasks.knows(authority, server, name)

    async def get_task(self, authority: Authority, client: Client, server: str | None, name: str) -> Answer:
        """How the task fares that `Underway` named, of `server` where it is given; `Underway` again."""
        return await self._pipeline.further(authority, self._tasks.get(authority, client, server, name))

    async def update_task(
        self, authority: Authority, client: Client, server: str | None, name: str, responses: Mapping[str, Json]
    ) -> Answer:
        """Answer what the task asks, by its keys; `Underway` where that was passed on."""
        return await self._pipeline.further(authority, self._tasks.update(authority, client, server, name, responses))

    async def cancel_task(self, authority: Authority, client: Client, server: str | None, name: str) -> Answer:
        """Ask the server to cancel the task; `Underway` where it was asked."""
        return await self._pipeline.further(authority, self._tasks.cancel(authority, client, server, name))

    async def watch(
        self,
        authority: Authority,
        client: Client,
        server: str,
        offers: frozenset[Offer],
        uris: frozenset[str],
        granted: Watching | None = None,
    ) -> AsyncGenerator[Watching | Change]:
        """Changes of lists and resources, after a `Watching` that says which of them follow from here on.

        To be told of a resource is to read it, and judged so, anew where another bundle runs, which another `Watching`
        tells, of no more than the first; `granted` is what this authority is told of already, which is judged no second
        time under the same one. Elicitations that are complete come too, whoever was asked. Ends when the server is
        lost, or the session, or what is followed was stopped; at once where policy lets the agent see nothing of the
        server.
        """
        under = self._engine.bundle.digest
        most = may = await self._watchable(authority, client, server, Watching(offers, uris), granted)
        watching: Watching | None = may
        followed = frozenset(may.changes)
        upstream = self._upstreams.get(server)
        if upstream is None or not (may.offers or may.uris) or not self.reaches(authority, server):
            yield may
            return
        sid, along = authority.acting.sid, UpstreamContext(capabilities=client.capabilities)
        following = contextlib.aclosing(upstream.watch(sid, client.era, may.offers, may.uris, along))
        with contextlib.suppress(UpstreamUnreachable):
            async with following as changes:
                async for notice in changes:
                    if self.authorization.stopped(authority) or self.halted(authority, server, may.uris):
                        return
                    if watching is not None:
                        yield replace(watching, live=True)
                        watching = None
                    if self._engine.bundle.digest != under:
                        under = self._engine.bundle.digest
                        yield (may := await self._watchable(authority, client, server, most))
                        # What changed while it was not followed, nobody can say.
                        for missed in [change for change in may.changes if change not in followed]:
                            yield missed
                        followed = frozenset(may.changes)
                    if isinstance(notice, ElicitationCompleted) or (
                        isinstance(notice, ListChanged | ResourceUpdated) and notice in followed
                    ):
                        yield notice
        if watching is not None:
            yield watching

    def halted(self, authority: Authority, server: str = "", uris: Iterable[str] = ()) -> Reason | None:
        """Why `authority` is told nothing of `server`, or of one of `uris` there, where people stopped it."""
        names = ("", *uris) if self._memory.stopped else ("",)
        stop_over = next((stop for name in names for stop in self._engine.stops(authority, server, name)), None)
        return None if stop_over is None else reason_of(stop_over)

    async def _let_go(self, sid: str) -> None:
        self._tasks.end_session(sid)
        for upstream in tuple(self._upstreams.values()):
            await upstream.end_session(sid)

    def reaches(self, authority: Authority, server: str) -> bool:
        """Whether policy lets `authority` see anything of `server`."""
        return self._names.reaches(self._engine.bundle, authority.agents, server)

    async def _watchable(
        self, authority: Authority, client: Client, server: str, wanted: Watching, granted: Watching | None = None
    ) -> Watching:
        """As much of `wanted` as the running bundle allows."""
        under = self._engine.bundle.digest
        if self.halted(authority, server):
            return Watching(frozenset(), frozenset(), bundle=under)
        before = granted if granted is not None and granted.bundle == under else Watching(frozenset(), frozenset())
        uris_before = frozenset(uri for uri in before.uris if not self.halted(authority, server, (uri,)))
        new = {
            uri
            for uri in wanted.uris - uris_before
            if await self._may(operation.subscribe(authority, server, uri), client)
        }
        offers_before = before.offers
        lists = {
            offer
            for offer in wanted.offers
            if offer in offers_before or await self._may_list(authority, client, server, offer)
        }
        return Watching(frozenset(lists), frozenset(new | (wanted.uris & uris_before)), bundle=under)

    async def _may(self, wanted: Operation, client: Client) -> bool:
        return isinstance(await self._do(wanted, client), Released)

    async def _may_list(self, authority: Authority, client: Client, server: str, offer: Offer) -> bool:
        if offer is Offer.TOOLS:
            return True
        return await self._may(operation.watch_list(authority, server, offer), client)

    async def _do(self, wanted: Operation, client: Client) -> Answer:
        return await self._pipeline.with_sessions(wanted.action.authority, self._perform(wanted, client))

    async def _perform(self, wanted: Operation, client: Client) -> Answer:
        under = await self._pipeline.begin(wanted, client)
        if not isinstance(under, ActionUnderWay):
            return under
        action = wanted.action
        reply = await self._pipeline.send(
            under, lambda along: under.operation.send(under.upstream, action.authority.acting.sid, client.era, along)
        )
        return await self._conversation.settle(under, reply)
