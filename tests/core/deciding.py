"""Small catalogs, snapshots and actions for the tests of policy and pdp."""

from collections.abc import Iterable, Mapping

from remit.facts.action import Action, ActionKind
from remit.facts.agent import Agent, Authority, Link, Mode, User
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import Catalog, Http, PolicySource, Route, Server
from remit.facts.session import Session
from remit.facts.tool import Definition, Effect, Sink, Tool
from remit.pdp.decide import decide, judge
from remit.pdp.decision import Append, Decision
from remit.pdp.snapshot import Lift, Pin, Snapshot
from remit.policy.compile import Bundle, compile_bundle
from remit.policy.problem import PolicyProblem
from remit.trace.bodies import ActionBody

NOW = 1_800_000_000_000


def schema(required: Iterable[str] = (), **properties: Json) -> dict[str, Json]:
    return {"type": "object", "properties": properties, "required": list(required)}


REFUND = schema(
    ("order_id", "to"),
    order_id={"type": "string"},
    to={"type": "string"},
    amount={"type": "number"},
    count={"type": "integer"},
    free={},
    address={"type": "object", "properties": {"zip": {"type": "number"}, "city": {"type": "string"}}},
)


def tool(
    server: str,
    name: str,
    arguments: Json = REFUND,
    *,
    effect: Effect = Effect.WRITE,
    sink: Sink = Sink.INTERNAL,
    source: Iterable[str] = (),
    tags: Iterable[str] = (),
) -> Tool:
    assert isinstance(arguments, Mapping)
    definition = Definition(name, "does it", arguments, None, {})
    pin = definition.pin()
    return Tool(server, definition, pin, effect, sink, frozenset(source), frozenset(tags), True)


def catalog(
    *policies: str,
    agents: Iterable[Agent] = (),
    tools: Iterable[Tool] = (),
    routes: Iterable[Route] = (),
) -> Catalog:
    """A small shop.

    Agents `ada` (support), `bot` (support, ops) and `eve` (no group), server `shop` with
    `refund` and `look`, server `web` with `fetch`; user `uma`; routes `owner`, `finance`.
    """
    people = (User("uma", frozenset({"ops"})), User("max"))
    known = (
        Agent("ada", "uma", "helps", frozenset({"support"})),
        Agent("bot", "uma", "helps", frozenset({"support", "ops"})),
        Agent("eve", "uma", "helps"),
        *agents,
    )
    tooling = (
        tool("shop", "refund", effect=Effect.IRREVERSIBLE, tags=("money",)),
        tool("shop", "look", schema(order_id={"type": "string"}), effect=Effect.READ),
        tool("web", "fetch", schema(("url",), url={"type": "string"}), sink=Sink.EXTERNAL, source=("untrusted:web",)),
        *tools,
    )
    found = (
        Route("owner", users=frozenset({"uma"}), hold_s=5, expires_s=60),
        Route("finance", users=frozenset({"max"}), hold_s=30, expires_s=30),
        *routes,
    )
    return Catalog(
        agents={agent.name: agent for agent in known},
        users={user.name: user for user in people},
        groups=frozenset({"support", "ops"}),
        servers={name: Server(name, Http("http://127.0.0.1:9")) for name in ("shop", "web")},
        tools={(item.server, item.name): item for item in tooling},
        routes={route.name: route for route in found},
        policies=tuple(PolicySource(f"policies/p{n}.cedar", text) for n, text in enumerate(policies)),
    )


def bundle(made: Catalog | str, *more: str) -> Bundle:
    """The bundle of a catalog, or of `catalog(policies…)`; it must compile."""
    given = made if isinstance(made, Catalog) else catalog(made, *more)
    result = compile_bundle(given).result
    assert isinstance(result, Bundle), "\n".join(str(problem) for problem in result)
    return result


def problems(made: Catalog | str) -> tuple[PolicyProblem, ...]:
    """The problems of what must not compile."""
    result = compile_bundle(made if isinstance(made, Catalog) else catalog(made)).result
    assert not isinstance(result, Bundle), "it compiled"
    return result


def warnings(made: Catalog | str) -> tuple[PolicyProblem, ...]:
    return compile_bundle(made if isinstance(made, Catalog) else catalog(made)).warnings


def action(
    name: str = "shop/refund",
    arguments: Mapping[str, Json] | None = None,
    *,
    chain: Iterable[str] = ("ada",),
    user: str | None = "uma",
    kind: ActionKind = ActionKind.CALL_TOOL,
) -> Action:
    server, _, own = name.rpartition("/")
    given = {"order_id": "1", "to": "x"} if arguments is None else arguments
    links = tuple(Link(agent, f"s-{n}-{agent}") for n, agent in enumerate(chain))
    authority = Authority(links, user, "token-1", NOW + 1_000_000)
    return Action(kind, server, own, canonical(given), given, authority)


def snapshot(
    running: Bundle,
    asked: Action,
    *,
    labels: Iterable[str] = (),
    pin: Pin = Pin.MATCHES,
    lift: Lift | None = None,
    age_ms: int = 1_000,
) -> Snapshot:
    sessions = tuple(
        Session(link.sid, link.agent, asked.authority.user, NOW - age_ms, frozenset(labels))
        for link in asked.authority.links
    )
    return Snapshot(running, sessions, pin, () if lift is None else (lift,))


def decided(running: Bundle, asked: Action, *, labels: Iterable[str] = ()) -> Decision:
    """What is decided; and what is judged where nobody records it is the same."""
    known = snapshot(running, asked, labels=labels)
    decision, ruling = decide(known, asked, NOW), judge(known, asked, NOW)
    assert (ruling.verdict, ruling.reasons, ruling.first) == (decision.verdict, decision.reasons, decision.first)
    return decision


def body(decision: Decision) -> ActionBody:
    first = decision.effects[0]
    assert isinstance(first, Append)
    assert isinstance(first.body, ActionBody)
    return first.body


def codes(decision: Decision) -> set[str]:
    return {reason.code.value for reason in decision.reasons}


OBSERVE = Mode.OBSERVE
