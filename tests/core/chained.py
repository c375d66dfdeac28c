"""Small worlds for the tests of chains, and the plainest search that there is: one decision after another."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple

from remit.facts.action import Action, ActionKind
from remit.facts.agent import Agent, Authority, Link
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import Catalog, Http, PolicySource, Route, Server
from remit.facts.label import Labels, closed
from remit.facts.session import Session
from remit.facts.store import Store
from remit.facts.tool import Effect, Sink, Tool
from remit.pdp.decide import decide
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy.bundle import Bundle
from remit.policy.verdict import Escalate, Permit
from tests.core.deciding import NOW, schema, tool

DEPTH = 3
SESSIONS = 3
CALLS = 3
URIS = ("remit://any", "note:b")
PROMPTS = ("any", "b")
MODE = schema(mode={"type": "string", "enum": ["a", "b"]})
GIVEN: tuple[Mapping[str, Json], ...] = ({"mode": "a"}, {"mode": "b"}, {})
"""Every input that `MODE` takes: it may be left out."""


def world(agents: Mapping[str, Iterable[str]], tools: Iterable[Tool], *policies: str) -> Catalog:
    """Agents with their groups, tools of servers `one` and `two`, route `owner` of nobody."""
    groups = frozenset(group for mine in agents.values() for group in mine) | {"g", "h"}
    listed = list(tools)
    return Catalog(
        agents={name: Agent(name, "uma", "works", frozenset(mine)) for name, mine in agents.items()},
        users={},
        groups=groups,
        servers={name: Server(name, Http("http://127.0.0.1:9"), declared_sink=Sink.NONE) for name in ("one", "two")},
        tools={(one.server, one.name): one for one in listed},
        routes={"owner": Route("owner")},
        policies=tuple(PolicySource(f"p{number}.cedar", text) for number, text in enumerate(policies)),
    )


def kind(
    name: str,
    *,
    effect: Effect = Effect.READ,
    sink: Sink = Sink.INTERNAL,
    source: Iterable[str] = (),
    store: Store | None = None,
    arguments: Json = MODE,
    tags: Iterable[str] = (),
) -> Tool:
    """A tool `SERVER/NAME`."""
    server, _, own = name.partition("/")
    return replace(tool(server, own, arguments, effect=effect, sink=sink, source=source, tags=tags), store=store)


class Place(NamedTuple):
    """Where a plain search is: the agents at work, what they hold, and how often they called; or what a store holds."""

    chain: tuple[str, ...]
    labels: frozenset[str]
    calls: int
    hop: int
    store: str | None
    done: frozenset[tuple[str, str]]


class Asked(NamedTuple):
    """One thing that an agent may do: what people call it, where it gets to, what it brings, and the stores it uses."""

    known: str
    kind: ActionKind
    server: str
    name: str
    args: Mapping[str, Json]
    brings: Labels
    external: bool = False
    irreversible: bool = False
    duties: Labels = frozenset()
    reads: tuple[str, ...] = ()
    writes: str | None = None


def asked(bundle: Bundle) -> Iterator[Asked]:
    """Everything that can be asked of servers: their tools, resources and prompts."""
    for used, args in product(bundle.catalog.tools.values(), GIVEN):
        store = used.store
        yield Asked(
            f"{used.server}/{used.name}",
            ActionKind.CALL_TOOL,
            used.server,
            used.name,
            args,
            closed(used.source),
            used.sink is Sink.EXTERNAL,
            used.effect is Effect.IRREVERSIBLE,
            frozenset(tag for tag in used.tags if tag.startswith("duty-")),
            (store.name,) if store is not None and store.reads else (),
            store.name if store is not None and store.writes else None,
        )
    for server in bundle.catalog.servers.values():
        brings, outside = closed(server.source), server.declared_sink is Sink.EXTERNAL
        for uri in URIS:
            known, stores = f"read_resource of {server.name}", bundle.stores.get(server.name, ())
            kind_ = ActionKind.READ_RESOURCE
            yield Asked(known, kind_, server.name, uri, {"uri": uri}, brings, outside, reads=stores)
        for prompt in PROMPTS:
            known = f"get_prompt of {server.name}"
            stores = bundle.stores.get(server.name, ())
            yield Asked(
                known, ActionKind.GET_PROMPT, server.name, prompt, {"name": prompt}, brings, outside, reads=stores
            )


@dataclass(slots=True)
class Plain:
    """The plain search of `bundle`: `found` has the length of the shortest chain by goal and tool."""

    bundle: Bundle
    approver: bool
    found: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    known: dict[tuple[object, ...], tuple[tuple[str, str], ...] | None] = field(
        default_factory=dict[tuple[object, ...], "tuple[tuple[str, str], ...] | None"]
    )

    def run(self) -> dict[tuple[str, str], int]:
        """Search, one state and one decision at a time."""
        agents = self.bundle.catalog.agents
        starts = [Place((agent,), frozenset(), 0, 0, None, frozenset()) for agent in agents]
        seen, waiting = set(starts), deque((one, 0) for one in starts)
        while waiting:
            place, length = waiting.popleft()
            following = self._taking(place, length) if place.store is not None else self._working(place, length)
            for one in following:
                if one not in seen:
                    seen.add(one)
                    waiting.append((one, length + 1))
        return self.found

    def _working(self, place: Place, length: int) -> Iterator[Place]:
        for used in asked(self.bundle):
            if self._may(place, used.kind, used.server, used.name, used.args) is None:
                continue
            for goal in self._goals(place, used):
                self.found.setdefault((goal, used.known), length + 1)
            labels = place.labels | used.brings
            done = place.done | {(tag, used.name) for tag in used.duties}
            yield place._replace(labels=labels, calls=min(place.calls + 1, CALLS), done=done)
            if used.writes is not None and place.hop + 1 < SESSIONS:
                yield Place((), labels, 0, place.hop, used.writes, done)
        if len(place.chain) < DEPTH:
            for agent in self.bundle.catalog.agents.keys() - set(place.chain):
                if self._may(place, ActionKind.DELEGATE, "", agent, {}) is not None:
                    yield place._replace(chain=(*place.chain, agent), calls=min(place.calls + 1, CALLS))
        if len(place.chain) > 1:
            yield place._replace(chain=place.chain[:-1])

    def _taking(self, place: Place, length: int) -> Iterator[Place]:
        for agent, used in product(self.bundle.catalog.agents, asked(self.bundle)):
            if place.store not in used.reads:
                continue
            fresh = Place((agent,), frozenset(), 0, place.hop + 1, None, place.done)
            if self._may(fresh, used.kind, used.server, used.name, used.args) is not None:
                for goal in self._goals(fresh, used):
                    self.found.setdefault((goal, used.known), length + 1)
                done = place.done | {(tag, used.name) for tag in used.duties}
                yield fresh._replace(labels=place.labels | used.brings, calls=1, done=done)

    def _may(
        self, place: Place, what: ActionKind, server: str, name: str, args: Mapping[str, Json]
    ) -> tuple[tuple[str, str], ...] | None:
        """The policies, by agent, that permit it; None where it is not permitted."""
        key = place.chain, place.labels, place.calls, what, server, name, canonical(args)
        if key not in self.known:
            self.known[key] = self._decided(place, what, server, name, args)
        return self.known[key]

    def _decided(
        self, place: Place, what: ActionKind, server: str, name: str, args: Mapping[str, Json]
    ) -> tuple[tuple[str, str], ...] | None:
        links = tuple(Link(agent, f"s{at}") for at, agent in enumerate(place.chain))
        action = Action(what, server, name, canonical(args), args, Authority(links, None, "t", NOW + 1_000))
        sessions = tuple(Session(link.sid, link.agent, None, NOW, place.labels, calls=place.calls) for link in links)
        decision = decide(Snapshot(self.bundle, sessions, Pin.MATCHES), action, NOW)
        if isinstance(decision.verdict, Permit) or (self.approver and isinstance(decision.verdict, Escalate)):
            return tuple(
                (reason.agent or "", reason.policy) for reason in decision.reasons if reason.policy is not None
            )
        return None

    def _holds(self, place: Place, policy: str, agent: str, used: Asked, *, without: str = "") -> bool:
        """Whether the permit `policy` alone would let `agent` do it, with no label of the family `without` held."""
        kept = frozenset(label for label in place.labels if label.partition(":")[0] != without)
        alone = replace(
            self.bundle, policies={policy: self.bundle.policies[policy]}, _slices={}, _destinations={}, _generated={}
        )
        other = Plain(alone, approver=False)
        return other.one(place._replace(labels=kept), agent, used)

    def one(self, place: Place, agent: str, used: Asked) -> bool:
        """Whether `agent`, as a link of the chain of `place`, may do what is `used`."""
        links = tuple(Link(name, f"s{at}") for at, name in enumerate(place.chain))
        authority = Authority(links, None, "t", NOW + 1_000)
        action = Action(used.kind, used.server, used.name, canonical(used.args), used.args, authority)
        sessions = tuple(Session(link.sid, link.agent, None, NOW, place.labels, calls=place.calls) for link in links)
        said = decide(Snapshot(self.bundle, sessions, Pin.MATCHES), action, NOW)
        if isinstance(said.verdict, Permit):
            return True
        # Another link may be what is not permitted: then this one is not among those of whom it is said.
        return agent not in {reason.agent for reason in said.reasons}

    def _goals(self, place: Place, used: Asked) -> Iterator[str]:
        # Whatever a decision names: of an escalation that is the gates.
        permits = [
            (agent, ident)
            for agent in set(place.chain)
            for ident, policy in self.bundle.policies.items()
            if not policy.forbids and self._holds(place, ident, agent, used)
        ]
        for goal, family, reaches in (
            ("confidential-outside", "confidential", used.external),
            ("untrusted-final", "untrusted", used.irreversible),
        ):
            if not (reaches and family in place.labels):
                continue
            meant = {
                agent
                for agent, one in permits
                if f'Remit::Label::"{family}' in self.bundle.policies[one].statement.text
                and not self._holds(place, one, agent, used, without=family)
            }
            if not meant >= set(place.chain):
                yield goal
        if any(tag in used.duties and name != used.name for tag, name in place.done):
            yield "duties-together"
