"""Every state of an approval meets everything that can happen to it, the process killed between any two steps.

The oracle is the table below, in memory, and knows nothing of how the service does it. What ran is compared byte for
byte with what was shown last.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from remit.escalate.machine import ApprovalState
from remit.escalate.voting import EditRefused, VoteRefused
from remit.facts.canonical import canonical
from remit.facts.record import RecordKind
from remit.pep.answer import Awaiting
from remit.ports.upstream import Failure, Result
from remit.trace.bodies import Choice
from tests.e2e.gateway_parts import Bench, bench
from tests.e2e.gateway_world import CLOCK, compiled, until
from tests.e2e.test_handoff import BOB, CAT, OLI, route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from remit.escalate.machine import Approval

P, A, C, X = ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.CLAIMED, ApprovalState.EXECUTING
EVENTS: Final = (
    "vote", "complete", "edit", "delegate", "glass", "deny", "expire", "call", "hang-up", "swap", "stop", "kill",
    "answer", "error", "timeout",
)  # fmt: skip
ORACLE: Final = {
    (P, "complete"): A,
    (P, "glass"): A,
    (P, "deny"): ApprovalState.DENIED,
    (P, "stop"): ApprovalState.DENIED,
    (P, "expire"): ApprovalState.EXPIRED,
    (P, "hang-up"): ApprovalState.CANCELLED,
    (P, "swap"): ApprovalState.SUPERSEDED,
    (A, "deny"): ApprovalState.DENIED,
    (A, "stop"): ApprovalState.DENIED,
    (A, "expire"): ApprovalState.EXPIRED,
    (A, "swap"): ApprovalState.SUPERSEDED,
    (A, "call"): ApprovalState.SUCCEEDED,
    (A, "hang-up"): ApprovalState.SUCCEEDED,
    (C, "stop"): ApprovalState.FAILED,
    (C, "kill"): ApprovalState.UNKNOWN,
    (C, "answer"): ApprovalState.SUCCEEDED,
    (C, "error"): ApprovalState.FAILED,
    (C, "timeout"): ApprovalState.UNKNOWN,
    (X, "stop"): ApprovalState.UNKNOWN,
    (X, "kill"): ApprovalState.UNKNOWN,
    (X, "answer"): ApprovalState.SUCCEEDED,
    (X, "error"): ApprovalState.FAILED,
    (X, "timeout"): ApprovalState.UNKNOWN,
}
"""Where an event leads; what is not here changes nothing."""
WAYS: Final[dict[ApprovalState, tuple[str, ...]]] = {
    P: (),
    A: ("edit", "complete"),
    C: ("complete", "claim"),
    X: ("edit", "complete", "execute"),
    ApprovalState.SUCCEEDED: ("edit", "complete", "call"),
    ApprovalState.FAILED: ("glass", "execute", "error"),
    ApprovalState.UNKNOWN: ("complete", "execute", "timeout"),
    ApprovalState.DENIED: ("edit", "deny"),
    ApprovalState.EXPIRED: ("expire",),
    ApprovalState.CANCELLED: ("hang-up",),
    ApprovalState.SUPERSEDED: ("swap",),
}
ASKED: Final[dict[str, Any]] = {"amount": 500, "to": "eve"}
REPLIES: Final = {
    "answer": Result({"content": [{"type": "text", "text": "done"}]}, is_error=False),
    "error": Failure("error", "no", sent=True, code=-1),
    "timeout": Failure("timeout", "too late", sent=True),
}
SEEN: Final[set[tuple[ApprovalState, str]]] = set()


class Clock:
    """The system's, set forward."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return CLOCK.now_ms() + self.ahead_ms

    def monotonic_s(self) -> float:
        return CLOCK.monotonic_s()


class World:
    """One approval and everything that befalls it; what ran is in `ran`, over all lives of the process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.lives = 0
        self.swaps = 0
        self.edits = 0
        self.ran: list[str] = []
        self.shows = canonical(ASKED)
        self.ident = ""
        self.task: asyncio.Task[Any] | None = None
        self.stack = contextlib.AsyncExitStack()

    async def begin(self, root: str | None = None) -> None:
        """Start the process; the first time ask for the action."""
        folder = self.folder / str(self.lives)
        folder.mkdir(exist_ok=True)
        self.b: Bench = await self.stack.enter_async_context(bench(folder, self.clock))
        self.b.root = root or self.b.root
        self.rules(0.0)
        if root is None:
            answer = await self.b.call("pay", self.who(), **ASKED)
            assert isinstance(answer, Awaiting)
            self.ident = answer.ref

    def rules(self, hold_s: float) -> None:
        route(self.b, hold_s=hold_s, count=2, break_glass=frozenset({"oncall"}))
        [source] = self.b.bundle.catalog.policies
        text = source.text.replace("than 100 needs", f"than 100{'.' * self.swaps} needs")
        self.b.bundle = compiled(replace(self.b.bundle.catalog, policies=(replace(source, text=text),)))

    def who(self) -> Any:
        return self.b.authority(ms=10**9)

    async def approval(self) -> Approval:
        found = self.b.memory.approval(self.ident) or await self.b.ledger.approval(self.ident)
        assert found is not None
        return found

    async def reaches(self, state: ApprovalState) -> None:
        async def there() -> bool:
            return (await self.approval()).state is state

        await asyncio.wait_for(until(there), 90)

    async def say(self, said: Callable[[], Awaitable[object]]) -> None:
        with contextlib.suppress(VoteRefused, EditRefused):
            await said()

    async def yes(self, who: Any) -> None:
        shown = (await self.approval()).shown
        driver = self.b.driver
        await self.say(lambda: driver.approvals.cast_vote(self.ident, who, Choice.APPROVE, None, shown=shown))

    async def happens(self, event: str) -> None:
        """Let `event` happen."""
        driver, ident = self.b.driver, self.ident
        match event:
            case "vote":
                await self.yes(BOB)
            case "complete":
                await self.yes(BOB)
                await self.yes(CAT)
            case "edit":
                before, self.edits = await self.approval(), self.edits + 1
                given = {"amount": 400 + self.edits, "to": "eve"}
                await self.say(lambda: driver.approvals.approve_edited(ident, BOB, given, None, shown=before.shown))
                if (await self.approval()).edit != before.edit:
                    self.shows = canonical(given)
            case "delegate":
                end = (await self.approval()).expires_ms
                await self.say(lambda: driver.approvals.delegate(ident, CAT, "dan", end, None))
            case "glass":
                shown = (await self.approval()).shown
                await self.say(lambda: driver.approvals.break_glass(ident, OLI, "down", shown=shown))
            case "deny":
                await self.say(lambda: driver.approvals.cast_vote(ident, BOB, Choice.DENY, None, reason="not-now"))
            case "stop":
                await driver.halts.stop_session(ident, BOB, "suspicious", None)
                self.b.ledger.open.set()
            case "expire":
                self.clock.ahead_ms += 61_000
                await driver.authorization.expire_due()
            case _:
                await self.befalls(event)
        await asyncio.sleep(0)

    async def befalls(self, event: str) -> None:
        """What the agent, the server and the machine do."""
        match event:
            case "call":
                await self.b.call("pay", self.who(), **ASKED)
            case "swap":
                self.swaps += 1
                self.rules(0.0)
                await self.b.call("pay", self.who(), **ASKED)
            case "hang-up":
                self.rules(30.0)
                call = asyncio.create_task(self.b.call("pay", self.who(), **ASKED))

                async def waits() -> bool:
                    return call.done() or bool(self.b.memory._condition._waiting)  # pyright: ignore[reportPrivateUsage]

                await until(waits)
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
                self.rules(0.0)
            case "claim" | "execute":
                await self.uses(event)
            case "kill":
                await self.dies()
            case _ if self.task is not None:
                self.b.upstream.reply = REPLIES[event]
                self.b.ledger.open.set()
                self.b.upstream.answers.set()
                await self.task
                self.task = None
                self.b.upstream.reply = REPLIES["answer"]
            case _:
                pass

    async def uses(self, event: str) -> None:
        """A call that claims the approval and stays where it is."""
        if event == "claim":
            self.b.ledger.waits, state = {RecordKind.INTENT}, C
            self.b.ledger.open.clear()
        else:
            self.b.upstream.answers.clear()
            state = X
        self.task = asyncio.create_task(self.b.call("pay", self.who(), **ASKED))
        await self.reaches(state)
        self.b.ledger.waits = set()

    async def dies(self) -> None:
        """The process is killed: what is in the file is all that the next one has."""
        # What was queued is on its way to the disk: a record that was not yet acknowledged may be there or not.
        await asyncio.sleep(0.05)
        await self.b.ledger.written()
        before, after = self.folder / str(self.lives), self.folder / str(self.lives + 1)
        shutil.copytree(before, after)
        await self.leaves()
        self.lives += 1
        await self.begin(self.b.root)

    async def leaves(self) -> None:
        self.ran += [line.partition(" pay ")[2] for line in self.b.trace if line.startswith("called")]
        self.b.driver.drains_by(asyncio.Event()).set()
        if self.task is not None:
            self.task.cancel()
            self.b.ledger.open.set()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None
        await self.stack.aclose()
        self.stack = contextlib.AsyncExitStack()

    async def step(self, event: str) -> None:
        """Let `event` happen and compare with the oracle."""
        before = (await self.approval()).state
        SEEN.add((before, event))
        await self.happens(event)
        await self.reaches(ORACLE.get((before, event), before))

    def agree(self) -> None:
        """Never two executions, and never of a byte that was not shown."""
        assert len(self.ran) <= 1, self.ran
        assert all(ran.encode() == self.shows for ran in self.ran), (self.ran, self.shows)


@pytest.mark.asyncio
@pytest.mark.parametrize("state", list(ApprovalState))
async def test_every_state_meets_every_event(tmp_path: Path, state: ApprovalState) -> None:
    for event in EVENTS:
        world = World(tmp_path / event)
        world.folder.mkdir()
        await world.begin()
        for way in WAYS[state]:
            await world.happens(way)
        await world.reaches(state)
        await world.step(event)
        shown = (await world.approval()).approved
        await world.leaves()
        world.agree()
        assert shown
    cells = " ".join(f"{event}→{ORACLE.get((state, event), state).value}" for event in EVENTS)
    print(f"{state.value:>10}: {len(EVENTS)}/{len(EVENTS)} cells: {cells}")
    assert {event for seen, event in SEEN if seen is state} == set(EVENTS)


class Lives(RuleBasedStateMachine):
    """Anything in any order, killed in between, against the oracle."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="handoff-"))
        self.world = World(self.folder)
        self.loop.run_until_complete(self.world.begin())

    @rule(event=st.sampled_from(EVENTS))
    def event(self, event: str) -> None:
        self.loop.run_until_complete(self.world.step(event))

    @rule(how=st.sampled_from(["claim", "execute"]))
    def use(self, how: str) -> None:
        if self.world.task is None and self.loop.run_until_complete(self.world.approval()).state is A:
            self.loop.run_until_complete(self.world.happens(how))

    def teardown(self) -> None:
        self.loop.run_until_complete(self.world.leaves())
        self.loop.close()
        shutil.rmtree(self.folder)
        self.world.agree()


Lives.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLives = Lives.TestCase
