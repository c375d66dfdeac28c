"""What the simulated workspace declares, and what it means, said twice: in Cedar, and in plain Python.

The second saying is the judge of the first: `meant` knows no Cedar, no bundle and nothing of Remit. Labels only ever
make it stricter, so who knows some of a session's labels knows enough to say that a thing was not allowed.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from remit.facts.action import ActionKind
from remit.facts.agent import Agent, Mode, User
from remit.facts.breaker import Breaker, BreakerSubject, On
from remit.facts.budget import Budget, Measure, Per
from remit.facts.catalog import Catalog, Channel, Http, PolicySource, Route, Server, Topic
from remit.facts.credential import FromEnv, Secret
from remit.facts.origin import Role
from remit.facts.tool import Argument, Definition, Effect, Sink, Tool
from remit.policy import lint
from remit.policy.compile import Bundle, compile_bundle
from tests.sim import office, port, stores
from tests.sim.consent import Seats

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

POLICIES: Final = (
    """
@id("staff") permit (principal in Remit::Group::"staff", action in Remit::Action::"call_tool", resource)
  unless { resource == Remit::Server::"attic" };
@id("reads") permit (principal in Remit::Group::"staff", action in [Remit::Action::"read_resource",
  Remit::Action::"get_prompt"], resource in Remit::Server::"shop");
@id("samples") permit (principal == Remit::Agent::"clerk", action == Remit::Action::"call_model", resource);
@id("hands-on") permit (principal in Remit::Group::"staff", action == Remit::Action::"delegate",
  resource == Remit::Agent::"helper");
@id("no-strangers") forbid (principal, action == Remit::Action::"shop___pay", resource)
  when { context.input.to == "stranger" };
@id("tainted") forbid (principal, action == Remit::Action::"shop___pay", resource)
  when { context.session.labels.contains(Remit::Label::"untrusted") };
@id("overflows") forbid (principal, action == Remit::Action::"shop___pay", resource)
  when { context.input.amount * 1000000000000 < 0 };
@id("helps-inside") forbid (principal == Remit::Agent::"helper", action == Remit::Action::"vault___send", resource);
@id("big") @gate("finance") forbid (principal, action == Remit::Action::"shop___pay", resource)
  when { context.input.amount > BIG };
@id("huge") @gate("owners") forbid (principal, action == Remit::Action::"shop___pay", resource)
  when { context.input.amount > 1000 };
@id("leaks") @gate("privacy") forbid (principal, action == Remit::Action::"vault___send", resource)
  when { context.session.labels.contains(Remit::Label::"confidential") };
"""
    + office.POLICIES
    + port.POLICIES
)
FROZEN: Final = '@id("frozen") forbid (principal, action == Remit::Action::"shop___pay", resource);'
OVERFLOWS_FROM: Final = 9_223_373
HUGE_OVER: Final = 1_000
SESSION_HOURS_MAX: Final = 3.0
NOTES_MAX: Final = 3
"""How many notes all agents together may take in a run: its window is longer than any."""
DEPTH_MAX: Final = 1
"""How many delegations deep a chain may be."""

AGENTS: Final = ("clerk", "helper", "guest", "watcher")
STAFF: Final = frozenset({"clerk", "helper"})
OBSERVED: Final = frozenset({"watcher"})
SAMPLED: Final = frozenset({"clerk", "watcher"})
USERS: Final[Mapping[str, frozenset[str]]] = {
    "ann": frozenset({"finance"}),
    "bob": frozenset({"finance", "owners"}),
    "cat": frozenset({"owners", "privacy"}),
    "dan": frozenset({"finance"}),
}
TOOLS: Final[Mapping[tuple[str, str], tuple[Effect, Sink, frozenset[str]]]] = {
    ("shop", "echo"): (Effect.READ, Sink.NONE, frozenset({"untrusted:web"})),
    ("shop", "pay"): (Effect.IRREVERSIBLE, Sink.EXTERNAL, frozenset()),
    ("shop", "note"): (Effect.WRITE, Sink.INTERNAL, frozenset()),
    ("vault", "fetch"): (Effect.READ, Sink.NONE, frozenset({"confidential:pii"})),
    ("vault", "send"): (Effect.WRITE, Sink.EXTERNAL, frozenset()),
    ("attic", "open"): (Effect.WRITE, Sink.INTERNAL, frozenset({"untrusted"})),
    **stores.TOOLS,
    **office.TOOLS,
    **port.TOOLS,
}
SERVERS: Final = ("shop", "vault", "attic", office.OFFICE, port.PORT)
_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"amount": {"type": "integer"}, "note": {"type": "string"}, "to": {"type": "string"}},
    "required": ["amount", "note", "to"],
}


def _schema(server: str, tool: str) -> Mapping[str, Any]:
    """What a tool takes; a list vouches for what it names, since nobody words what it is asked."""
    return {**_SCHEMA, "properties": {**_SCHEMA["properties"], **port.TOLD_OF.get((server, tool), {})}}


DEFINITIONS: Final = {
    server: tuple(Definition(name, f"{name}s", _schema(of, name), None, {}) for of, name in TOOLS if of == server)
    for server in SERVERS
}
SERVER_SOURCE: Final = frozenset({"untrusted"})


NOTES: Final = Budget("notes", Measure.CALLS, Per.FLEET, None, NOTES_MAX, 366 * 86_400, tools=frozenset({"shop/note"}))
DEEP: Final = Breaker("deep", On.DEPTH, BreakerSubject.AGENT, None, DEPTH_MAX, open_s=1.0)


@dataclass(frozen=True, slots=True)
class Variant:
    """One bundle of the workspace, and what is different in it."""

    name: str
    bundle: Bundle
    frozen: bool
    big_over: int
    finance_count: int
    note_source: frozenset[str]
    ahead: bool
    """Whether it was made by a version that knows an obligation which this one does not."""

    def source(self, server: str, tool: str | None) -> frozenset[str]:
        """The labels that come back from there, closed upward."""
        if tool is None:
            return SERVER_SOURCE
        found = self.note_source if (server, tool) == ("shop", "note") else TOOLS[server, tool][2]
        return frozenset(part for label in found for part in (label, label.partition(":")[0]))

    def routes(self) -> Mapping[str, Seats]:
        """Who decides, how many of them, and how."""
        members = {name: frozenset(u for u, groups in USERS.items() if name in groups) for name in ROUTES}
        counts = {"finance": self.finance_count, "owners": 2, "privacy": 1}
        return {name: Seats(members[name], counts[name], name in STRONG) for name in ROUTES}


DESK: Final = "desk"
NIGHT: Final = "night"
CHANNELS: Final = (DESK, NIGHT)
TOLD_BY: Final = {"finance": DESK, "owners": DESK, "privacy": NIGHT}
"""Of each route the channel that hears of it, whichever bundle runs."""
BRIEFS: Final = {("shop", "pay"): "pay {amount} to {to}: {note}", ("vault", "send"): "send {note} to {to}"}
ROUTES: Final = ("finance", "owners", "privacy")
STRONG: Final = frozenset({"privacy"})
EDITS: Final = frozenset({"finance", "owners"})
"""The routes whose people may let other arguments run than were asked for."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What the workspace means for one action: `denied` by what, or the routes that must let it pass, or neither."""

    denied: str = ""
    routes: frozenset[str] = frozenset()


STRICT: Final = 2
"""Which of the variants wants two people where others want one."""


@cache
def variants() -> tuple[Variant, ...]:
    """All bundles, the first of them the one that most runs start with."""
    plain = frozenset({"untrusted:mail"})
    return (
        _variant("plain", note=frozenset()),
        _variant("frozen", frozen=True),
        _variant("strict", big_over=50, finance_count=2),
        _variant("wary", note=plain),
        _variant("ahead", ahead=True),
    )


def _variant(
    name: str,
    *,
    frozen: bool = False,
    big_over: int = 100,
    finance_count: int = 1,
    note: frozenset[str] = frozenset(),
    ahead: bool = False,
) -> Variant:
    text = POLICIES.replace("BIG", str(big_over)) + (FROZEN if frozen else "") + f"// {name}\n"
    text = text.replace("MASKS", office.UNKNOWN if ahead else office.MASKS)
    with patch.object(lint, "_annotations", return_value=()) if ahead else nullcontext():
        found = compile_bundle(_catalog(text, finance_count, note)).result
    assert isinstance(found, Bundle), found
    return Variant(name, found, frozen, big_over, finance_count, note, ahead)


def _catalog(text: str, finance_count: int, note: frozenset[str]) -> Catalog:
    tools = {
        (server, one.name): Tool(server, one, one.pin(), *TOOLS[server, one.name], catalogued=True)
        for server, definitions in DEFINITIONS.items()
        for one in definitions
    }
    for named, store in stores.STORES.items():
        tools[named] = replace(tools[named], store=store)
    pay = tools["shop", "pay"]
    tools["shop", "pay"] = replace(pay, arguments={"note": Argument(role=Role.CONTENT)})
    tools["shop", "note"] = replace(tools["shop", "note"], source=note)
    for name, impact in office.IMPACT.items():
        tools[office.OFFICE, name] = replace(tools[office.OFFICE, name], impact=impact)
    tools[port.SHIP] = replace(tools[port.SHIP], arguments=port.ARGUMENTS)
    for named, brief in BRIEFS.items():
        tools[named] = replace(tools[named], brief=brief)
    groups = frozenset({"staff", *ROUTES})
    # Who is told may change while something waits.
    finance = CHANNELS if finance_count > 1 else (DESK,)
    modes = {name: Mode.OBSERVE if name in OBSERVED else Mode.ENFORCE for name in AGENTS}
    return Catalog(
        agents={
            name: Agent(
                name, "ann", "is simulated", frozenset({"staff"}) if name in STAFF else frozenset(), mode=modes[name]
            )
            for name in AGENTS
        },
        users={name: User(name, held) for name, held in USERS.items()},
        groups=groups,
        servers={name: Server(name, Http("http://unused"), source=SERVER_SOURCE) for name in DEFINITIONS},
        tools=tools,
        routes={
            "finance": Route(
                "finance",
                frozenset({"finance"}),
                count=finance_count,
                hold_s=2.0,
                expires_s=120.0,
                edits=True,
                channels=finance,
            ),
            "owners": Route(
                "owners", frozenset({"owners"}), count=2, hold_s=5.0, expires_s=600.0, edits=True, channels=(DESK,)
            ),
            "privacy": Route(
                "privacy", frozenset({"privacy"}), hold_s=0.0, expires_s=5_400.0, strong=True, channels=(NIGHT,)
            ),
        },
        channels={
            name: Channel(
                name,
                f"https://people.example/{name}",
                Secret(FromEnv(name.upper())),
                frozenset({Topic.HALTS} if name == DESK else ()),
            )
            for name in CHANNELS
        },
        policies=(PolicySource("sim.cedar", text),),
        session_hours_max=SESSION_HOURS_MAX,
        budgets={"notes": NOTES},
        breakers={"deep": DEEP},
        monitors=office.MONITORS,
        guarantees=office.GUARANTEES,
    )


def meant(
    variant: Variant,
    agents: Iterable[str],
    kind: ActionKind,
    server: str,
    name: str,
    given: Any,
    labels: frozenset[str],
) -> Meant:
    """What `variant` means for a chain of `agents`: each of them must be allowed, and all gates be lifted."""
    routes: frozenset[str] = frozenset()
    for agent in agents:
        found = _of(variant, agent, kind, server, name, given, labels)
        if found.denied:
            return found
        routes |= found.routes
    if "confidential" in labels and _leaves(kind, server, name):
        # What is confidential leaves by people alone, whoever only observes.
        return Meant(routes=routes) if routes else Meant("guarantee")
    return Meant(routes=routes)


def _leaves(kind: ActionKind, server: str, name: str) -> bool:
    """Whether what is asked gets outside, where all servers are: a list is asked for by nobody's words."""
    if kind is ActionKind.CALL_TOOL:
        return TOOLS[server, name][1] is Sink.EXTERNAL
    return kind is not ActionKind.DELEGATE and bool(name or kind is ActionKind.LIST_ROOTS)


def _of(
    variant: Variant, agent: str, kind: ActionKind, server: str, name: str, given: Any, labels: frozenset[str]
) -> Meant:
    pays = kind is ActionKind.CALL_TOOL and (server, name) == ("shop", "pay")
    if pays and given["amount"] >= OVERFLOWS_FROM:
        return Meant("error")
    if agent in OBSERVED:
        return Meant()
    if kind is ActionKind.CALL_MODEL:
        return Meant("" if agent in SAMPLED else "policy")
    if agent not in STAFF or server == "attic" or (kind is not ActionKind.CALL_TOOL and server != "shop"):
        return Meant("policy")
    if pays:
        if given["to"] == "stranger" or variant.frozen or "untrusted" in labels:
            return Meant("policy")
        over = {"finance": given["amount"] > variant.big_over, "owners": given["amount"] > HUGE_OVER}
        return Meant(routes=frozenset(route for route, applies in over.items() if applies))
    if (server, name) == (office.OFFICE, "look") and variant.ahead:
        return Meant("obligation")
    if (server, name) == ("vault", "send"):
        if agent == "helper":
            return Meant("policy")
        return Meant(routes=frozenset({"privacy"} if "confidential" in labels else ()))
    return Meant()
