"""The clients: agents of several kinds that call, read, delegate, are asked, vanish and come back."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from remit.facts.action import ActionKind
from remit.facts.agent import Authority, Link
from remit.facts.canonical import canonical
from remit.facts.capability import NEEDS_TASKS
from remit.pep.answer import Answer, Awaiting, AwaitingInput, Client, Failed, Refused, Released, Underway, Watching
from remit.ports.upstream import Era, ListChanged, Log, Notice, Offer, Progress
from tests.sim.office import OFFICE, is_obliged, shaped
from tests.sim.realm import STAFF
from tests.sim.trades import GATED, PLAIN, Call, Trade, again, called, known_apart

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from random import Random

    from remit.pep.driver import Driver
    from tests.sim.laws import Laws, Request
    from tests.sim.life import Life
    from tests.sim.witness import Key

ANSWERS: Final[tuple[Any, ...]] = ({"action": "accept", "content": {"name": "ann"}}, {"action": "decline"}, None)
SAMPLED: Final[Any] = {"role": "assistant", "content": {"type": "text", "text": "well"}, "model": "m"}
CAPABILITIES: Final[Mapping[str, Any]] = {"elicitation": {}, "sampling": {}, **NEEDS_TASKS}


@dataclass(slots=True)
class Agents:
    """Who there is, and what they have in common."""

    random: Random
    laws: Laws
    now_ms: Callable[[], int]
    tell: Callable[[str], None]
    impatience: float
    """How often a client goes away before it has its answer."""
    trade: Trade
    """What they call; of a trade other than `PLAIN` they do little else."""
    all: list[Authority] = field(default_factory=list[Authority])
    _made: int = 0

    def enter(self, *agents: str, of: Authority | None = None) -> Authority:
        """Another run of `agents`, on the session `of` where it is given."""
        self._made += 1
        links = tuple(Link(name, f"s{self._made}-{place}-{name}") for place, name in enumerate(agents))
        token, ancestors, user = f"t{self._made}", (), self.random.choice(("ann", "bob", None))
        ends_ms = self.now_ms() + self.random.choice((1_000_000, 5_000_000, 50_000_000))
        if of is not None:
            links, ancestors, user = (*of.links, links[-1]), (*of.ancestors, of.token), of.user
            ends_ms = min(ends_ms, of.expires_ms)
        made = Authority(links, user, token, ends_ms, ancestors=ancestors)
        self.laws.authorities[made.acting.sid] = made
        self.all.append(made)
        self.tell(f"enters {'>'.join(made.agents)} for {user} in {made.acting.sid}, token {token}")
        return made


@dataclass(slots=True)
class Agent:
    """One run of an agent against one process of the service."""

    agents: Agents
    authority: Authority
    driver: Driver
    life: Life
    random: Random
    _waiting: list[Call] = field(default_factory=list[Call])

    async def run(self, actions: int) -> None:
        for _ in range(actions):
            trade = self.agents.trade
            # Where people are asked for nearly everything, there is time for them, and it is asked for again.
            await asyncio.sleep(self.random.uniform(0.0, 5.0 if trade is GATED else 2.0))
            match self.random.randrange(0 if trade is PLAIN else 6, 14 if trade is GATED else 20):
                case 0:
                    await self._read()
                case 1:
                    await self._list()
                case 2:
                    await self._prompt()
                case 3:
                    await self._hand_on()
                case 4:
                    await self._introduced()
                case 5:
                    given: Mapping[str, Any] = {"amount": 1, "note": "what if", "to": "eve"}
                    await self.driver.authorization.can(self.authority, "shop", "pay", given)
                case 11:
                    await self._several()
                case 12:
                    await self._watch()
                case 6 | 7 | 8 | 9 | 10 if self._waiting:
                    # The very same call again, now that people may have decided.
                    await self._call(*self._waiting.pop(0), waited=True)
                case _:
                    await self._call(*self._chosen())

    # --- what it asks for

    def _chosen(self) -> Call:
        return called(self.random, self.agents.trade)

    async def _several(self) -> None:
        chosen = self._chosen()
        same = self._chosen() if known_apart(*chosen[:2]) else chosen
        await asyncio.gather(self._call(*chosen), self._call(*same), self._call(*self._chosen()))

    async def _call(self, server: str, tool: str, given: Mapping[str, Any], *, waited: bool = False) -> None:
        data = canonical(given)
        runs = shaped(tool, given) if server == OFFICE and is_obliged(self.authority.agents, STAFF) else given
        key = self._key(ActionKind.CALL_TOOL, server, tool, canonical(runs))
        client = self._client()
        answer = await self._ask(
            key, runs, self.driver.call_tool(self.authority, client, server, tool, given, data), client
        )
        passed = waited and isinstance(answer, Released)
        if passed or isinstance(answer, Awaiting):
            # What people let pass once they do not let pass again, but under a grant.
            self._waiting.append((server, tool, given))
        if passed:
            # Under one, nobody is paid whom they did not see.
            await self._call(*again(self.random, (server, tool, given)))

    async def _read(self) -> None:
        server, uri = self.random.choice(("shop", "vault")), "file:///a"
        key = self._key(ActionKind.READ_RESOURCE, server, uri, canonical({"uri": uri}))
        client = self._client()
        await self._ask(key, {}, self.driver.read_resource(self.authority, client, server, uri), client)

    async def _prompt(self) -> None:
        given: Mapping[str, Any] = {"about": f"n{self.random.randrange(1_000)}"}
        key = self._key(ActionKind.GET_PROMPT, "shop", "greet", canonical(given))
        client = self._client()
        work = self.driver.get_prompt(self.authority, client, "shop", "greet", given, canonical(given))
        await self._ask(key, {}, work, client)

    async def _list(self) -> None:
        offer = self.random.choice((Offer.RESOURCES, Offer.TEMPLATES, Offer.PROMPTS))
        kind = ActionKind.GET_PROMPT if offer is Offer.PROMPTS else ActionKind.READ_RESOURCE
        key = self._key(kind, "shop", "", canonical({"list": offer.value}))
        client = self._client()
        await self._ask(key, {}, self.driver.list_offers(self.authority, client, "shop", offer), client)

    async def _introduced(self) -> None:
        found = await self.driver.introduce(self.authority, self._client(), "shop")
        self._read_bytes((found.instructions or "").encode())

    async def _watch(self) -> None:
        """Be told of changes for a while; to be told of a resource is to read it."""
        server = self.random.choice(("shop", "vault"))
        offers, uris = frozenset({Offer.TOOLS, Offer.PROMPTS}), frozenset({"file:///a"})
        heard = self.driver.watch(self.authority, self._client(), server, offers, uris)
        try:
            async for notice in heard:
                match notice:
                    case Watching(offers, uris):
                        told = bool(uris or offers - {Offer.TOOLS})
                    case ListChanged(offer):
                        told = offer is not Offer.TOOLS
                    case _:
                        told = True
                if told and self.life.alive:
                    self.agents.laws.told(self.authority, server)
        finally:
            await heard.aclose()

    async def _hand_on(self) -> None:
        _, decision = await self.driver.authorization.delegate(self.authority, "helper")
        if not decision.reasons or len(self.authority.links) > 2:
            return
        if type(decision.verdict).__name__ == "Permit":
            self.agents.enter("helper", of=self.authority)

    # --- how it goes on

    async def _ask(self, key: Key, given: Any, work: Coroutine[Any, Any, Answer], client: Client) -> Answer | None:
        """The last answer of all; None where the client went away."""
        request = self.agents.laws.asks(self.authority, key, given)
        self.agents.tell(f"{self._name} asks {key[1]}/{key[2]} {key[3].decode()}")
        try:
            answer = await self._patiently(self._given(key, work))
        finally:
            if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
                # Its process was gone before it began.
                work.close()
        if answer is None:
            return None
        self._take(answer)
        steps = 0
        while isinstance(answer, AwaitingInput | Underway) and steps < 6:
            steps += 1
            answer = await self._go_on(request, answer, client)
            if answer is None:
                return None
            self._take(answer)
        self.agents.laws.open.remove(request)
        return answer

    async def _given(self, key: Key, work: Awaitable[Answer]) -> Answer:
        """The answer of `work`, seen at the moment at which it is given."""
        answer = await work
        if self.life.alive:
            self.agents.laws.gives(self.authority, key, answer)
        return answer

    async def _go_on(self, request: Request, answer: AwaitingInput | Underway, client: Client) -> Answer | None:
        await asyncio.sleep(self.random.uniform(0.0, 3.0))
        if isinstance(answer, Underway):
            if answer.result is not None or answer.error is not None:
                return Refused((), None)
            if self.random.random() < 0.2:
                work = self.driver.cancel_task(self.authority, client, None, answer.name)
            else:
                work = self.driver.get_task(self.authority, client, None, answer.name)
            return await self._patiently(self._given(request.key, work))
        if self.random.random() < 0.1:
            self.driver.forsake(self.authority, answer.round)
            return None
        responses = {key: self._response(asks.method) for key, asks in answer.questions.items()}
        if self.random.random() < 0.1:
            # It leaves its answers out, and is asked for them again.
            responses.clear()
        again = await self._patiently(self._responded(request, answer, client, responses))
        while isinstance(again, Awaiting):
            # People decide on what it answered: it asks again with the same.
            await asyncio.sleep(self.random.uniform(1.0, 20.0))
            again = await self._patiently(self._responded(request, answer, client, responses))
        return again

    def _response(self, method: str) -> Any:
        return SAMPLED if method == "sampling/createMessage" else self.random.choice(ANSWERS)

    async def _responded(
        self, request: Request, asked: AwaitingInput, client: Client, responses: Mapping[str, Any]
    ) -> Answer:
        number = int(asked.round.partition("/")[2].partition(".")[0])
        kind, server, name, arguments, links = request.key
        shown = b'{"arguments":%s,"responses":%s,"round":%d}' % (arguments, canonical(responses), number)
        laws = self.agents.laws
        within = laws.asks(self.authority, (kind, server, name, shown, links), request.given)
        if self.random.random() < 0.2 and len(self.agents.all) > 1:
            # Somebody else tries first.
            other = self.random.choice(self.agents.all)
            if other is not self.authority:
                found = await self.driver.resume(other, client, asked.round, responses)
                assert isinstance(found, Refused), found
        answer = await self._given(request.key, self.driver.resume(self.authority, client, asked.round, responses))
        laws.open.remove(within)
        return answer

    async def _patiently(self, work: Awaitable[Answer]) -> Answer | None:
        """The answer, unless the client goes away first."""
        task = asyncio.ensure_future(work)
        leaves_s = self.random.uniform(0.0, 0.3) if self.random.random() < self.agents.impatience else None
        try:
            await asyncio.wait({task}, timeout=leaves_s)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            return task.result()
        self.agents.tell(f"{self._name} goes away")
        task.cancel()
        await asyncio.wait({task})
        return None

    # --- what it reads

    def _take(self, answer: Answer) -> None:
        match answer:
            case Released(result):
                self._say("reads", result.decode())
                self._read_bytes(result)
            case Refused(reasons, _):
                text = "; ".join(f"{one.code.value} {one.text}" for one in reasons)
                self._say("is refused", text)
                self._read_bytes(text.encode())
            case Failed(code, message, _):
                self._say("fails", f"{code} {message}")
                self._read_bytes(message.encode())
            case Awaiting(ref, _, _):
                self._say("waits for people", ref)
            case AwaitingInput(round_, questions, _, _, _):
                self._say("is asked", f"{round_} {', '.join(one.method for one in questions.values())}")
                self._read_bytes(orjson.dumps([dict(one.params) for one in questions.values()]))
            case Underway(name, state, questions, result, error):
                self._say("has a task", f"{name} {state.get('status')}")
                self._read_bytes(orjson.dumps([dict(state), [dict(one.params) for one in questions.values()]]))
                self._read_bytes(result or b"")
                self._read_bytes(b"" if error is None else error[1].encode())

    def _client(self) -> Client:
        async def tell(notice: Notice) -> None:
            await asyncio.sleep(self.random.uniform(0.0, 0.02))
            match notice:
                case Progress(_, _, message):
                    self._read_bytes((message or "").encode())
                case Log(_, _, data):
                    self._read_bytes(str(data).encode())
                case _:
                    pass

        wants = tell if self.random.random() < 0.5 else None
        era = self.random.choice((Era.STATELESS, Era.STATELESS, Era.INITIALIZE))
        return Client(era, CAPABILITIES if self.random.random() < 0.8 else {}, wants)

    def _read_bytes(self, data: bytes) -> None:
        if self.life.alive:
            self.agents.laws.reads(self.authority, data)

    def _key(self, kind: ActionKind, server: str, name: str, arguments: bytes) -> Key:
        links = tuple((link.agent, link.sid) for link in self.authority.links)
        return (kind.value, server, name, arguments, links)

    @property
    def _name(self) -> str:
        return self.authority.acting.sid

    def _say(self, verb: str, what: str) -> None:
        self.agents.tell(f"{self._name} {verb} {what[:160]}")
