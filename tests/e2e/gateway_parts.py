"""Parts whose timing a test holds: a ledger whose disk waits or fails when told, an upstream that answers when told."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from remit.adapters.sqlite.ledger import open_ledger
from remit.facts.agent import Authority, Link
from remit.facts.canonical import canonical
from remit.facts.record import RecordKind
from remit.facts.tool import Definition
from remit.pep.answer import Client
from remit.pep.driver import Driver
from remit.ports.ledger import Draft, Ledger, LedgerUnwritable, Pending
from remit.ports.upstream import (
    NO_CONTEXT,
    Era,
    Failure,
    Introduction,
    Notice,
    Offer,
    Reply,
    Result,
    UpstreamContext,
    UpstreamUnreachable,
)
from tests.e2e.gateway_world import CLOCK, ENTROPY, catalog, compiled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
    from pathlib import Path

    from remit.facts.canonical import Json
    from remit.facts.record import Receipt
    from remit.pep.answer import Answer
    from remit.pep.memory import Memory
    from remit.policy.compile import Bundle
    from remit.ports.ledger import Entry
    from remit.ports.system import Clock


class Gated:
    """The real ledger; records of the kinds in `waits` become durable once `open` is set, those in `fails` never."""

    def __init__(self, real: Ledger, trace: list[str]) -> None:
        self._real = real
        self._trace = trace
        self.waits: set[RecordKind] = set()
        self.fails: set[RecordKind] = set()
        self.open = asyncio.Event()
        self._queued: list[Awaitable[Receipt]] = []

    async def written(self) -> None:
        """Wait until nothing is on its way to the disk, whether or not anybody was told."""
        while self._queued:
            queued, self._queued = self._queued, []
            await asyncio.gather(*queued, return_exceptions=True)

    def append(self, draft: Draft) -> Pending:
        self._trace.append(f"queued {draft.kind.value}")
        pending = self._real.append(draft)
        self._queued.append(pending.durable)
        # Whatever is told meanwhile: a disk may take its time.
        held = draft.kind in self.waits
        return Pending(pending.ref, asyncio.ensure_future(self._durable(draft.kind, pending, held=held)))

    async def _durable(self, kind: RecordKind, pending: Pending, *, held: bool) -> Receipt:
        receipt = await pending.durable
        if kind in self.fails:
            raise LedgerUnwritable("the disk is full")
        if held or kind in self.waits:
            await self.open.wait()
        self._trace.append(f"durable {kind.value}")
        return receipt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Told:
    """An upstream that answers as told: `reply` at once, or once `answers` is set."""

    def __init__(self, definitions: tuple[Definition, ...], trace: list[str]) -> None:
        self.live: Sequence[Definition] = definitions
        self._trace = trace
        self.reply: Reply | Exception = Result({"content": [{"type": "text", "text": "done"}]}, is_error=False)
        self.other: Reply = Failure("error", "no", sent=True, upstream_text="no such method", code=-32601)
        self.then: list[Reply] = []
        self.says: str | None = None
        self.notices: list[Notice] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.reachable = True

    async def definitions(
        self, sid: str, era: Era, context: UpstreamContext = NO_CONTEXT, *, anew: bool = False
    ) -> Sequence[Definition]:
        if not self.reachable:
            raise UpstreamUnreachable("server 'shop' is away")
        return self.live

    async def call(
        self, sid: str, era: Era, name: str, arguments: bytes, context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        self._trace.append(f"called {name} {arguments.decode()}")
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self._trace.append("cancelled upstream")
            raise
        self._trace.append("answered")
        if context.hear is not None:
            for notice in self.notices:
                context.hear(notice)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    async def ask(
        self, sid: str, era: Era, method: str, params: Mapping[str, Json], context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        self._trace.append(f"asked {method} {canonical(params).decode()}")
        return self.other

    async def resume(
        self, continuation: object, responses: Mapping[str, Json], context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        self._trace.append(f"resumed {continuation} {canonical(responses).decode()}")
        return self.then.pop(0)

    async def introduce(self, sid: str, era: Era, context: UpstreamContext = NO_CONTEXT) -> Introduction:
        return Introduction({}, self.says)

    async def watch(
        self, sid: str, era: Era, offers: frozenset[Offer], uris: frozenset[str], context: UpstreamContext = NO_CONTEXT
    ) -> AsyncGenerator[Notice]:
        for notice in self.notices:
            yield notice

    async def drop(self, continuation: object) -> None:
        self._trace.append(f"dropped {continuation}")

    async def end_session(self, sid: str) -> None:
        return

    async def close(self) -> None:
        return


@dataclass
class Bench:
    """A driver between the two. `trace` is what happened, in order."""

    driver: Driver
    ledger: Gated
    upstream: Told
    bundle: Bundle
    trace: list[str]
    root: str = field(default_factory=lambda: os.urandom(8).hex())

    def authority(self, *agents: str, token: str = "t1", user: str = "ann", ms: int = 600_000) -> Authority:
        names = agents or ("clerk",)
        links = tuple(Link(name, f"{self.root}{place}") for place, name in enumerate(names))
        return Authority(links, user, token, CLOCK.now_ms() + ms, ancestors=("t0",))

    async def call(self, tool: str = "pay", of: Authority | None = None, **arguments: Any) -> Answer:
        given: Mapping[str, Json] = arguments or {"amount": 1, "to": "eve"}
        return await self.driver.call_tool(
            of or self.authority(), Client(Era.STATELESS), "shop", tool, given, canonical(given)
        )

    async def records(self, *kinds: RecordKind) -> list[Entry]:
        found = await self.ledger.entries(after=None, limit=10_000, sid=None)
        return [entry for entry in found if entry.record.kind in kinds]

    @property
    def memory(self) -> Memory:
        return self.driver._memory  # pyright: ignore[reportPrivateUsage]

    def hold_s(self, seconds: float, expires_s: float = 60) -> None:
        route = replace(self.bundle.catalog.routes["finance"], hold_s=seconds, expires_s=expires_s)
        self.bundle = compiled(replace(self.bundle.catalog, routes={"finance": route}))


def definition(name: str, **properties: str) -> Definition:
    schema: Mapping[str, Json] = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
    }
    return Definition(name, f"{name} something", schema, None, {})


DEFINITIONS = (
    definition("echo", text="string"),
    definition("pay", amount="integer", to="string"),
    definition("slow", seconds="number"),
    definition("broken"),
)


@contextlib.asynccontextmanager
async def bench(folder: Path, clock: Clock = CLOCK) -> AsyncGenerator[Bench]:
    """A driver over the SQLite ledger in `folder`; open it again there for a restart."""
    trace: list[str] = []
    ledger = Gated(open_ledger(folder / "ledger.sqlite3", clock, ENTROPY), trace)
    upstream = Told(DEFINITIONS, trace)
    running: list[Bench] = []
    driver = Driver(cast("Ledger", ledger), clock, lambda: running[0].bundle, {"shop": upstream}, entropy=ENTROPY)
    made = Bench(driver, ledger, upstream, compiled(catalog("http://unused", DEFINITIONS)), trace)
    running.append(made)
    try:
        await driver.authorization.load()
        yield made
    finally:
        await ledger.close()
