"""`python -m proof.weakened [--count N]`: clean workspaces have no chain, weakened ones are told, and mended.

Clean workspaces are made from seeds by a grammar: servers, tools with labels, stores and duties, agents in three
groups, limits as forbids or as conditions of permits, beside policies and tools that have nothing to do with it. A
weakened one is a clean one with one thing changed (`WEAKENINGS`). A weakness is found where `chains` tells a chain that
needs nobody, or a policy that errs; it is named rightly where the chain, or what is proposed against it, names the
policy or the tool that was changed; it is mended where, with what is proposed, no chain is left and every benign case
holds as before. Half of those cases are the workspace's own, by which proposals are chosen; the others are held back.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from proof.verdict import say
from remit.assure.cases import Case, cases
from remit.assure.chains.chain_search import chains
from remit.assure.chains.cut import Declare, cut
from remit.assure.trials import failures
from remit.facts.agent import Agent
from remit.facts.catalog import Catalog, Http, PolicySource, Route, Server
from remit.facts.store import Store
from remit.facts.tool import Definition, Effect, Sink, Tool
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle

if TYPE_CHECKING:
    from remit.assure.chains.results import SearchResult
    from remit.facts.canonical import Json

CLEAN: Final = 50
FOUND_MIN: Final = 0.95
NAMED_MIN: Final = 0.90
MENDED_MIN: Final = 0.80
SCHEMA: Final[Mapping[str, Json]] = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "ticket": {"type": "string"}, "amount": {"type": "integer"}},
}
CONFIDENTIAL: Final = 'context.session.labels.contains(Remit::Label::"confidential")'
LEARNT: Final = 'action in [Remit::Action::"desk___list_inbox", Remit::Action::"desk___read_inbox"]'
UNTRUSTED: Final = 'context.session.labels.contains(Remit::Label::"untrusted")'


@dataclass(frozen=True, slots=True)
class Workspace:
    """A catalog whose policies are by id, and what must go on being possible."""

    catalog: Catalog
    policies: Mapping[str, str]
    benign: tuple[Case, ...]

    def compiled(self) -> Bundle:
        """Its bundle."""
        sources = tuple(PolicySource(f"{ident}.cedar", text) for ident, text in self.policies.items())
        made = compile_bundle(replace(self.catalog, policies=sources), shadow_every=0).result
        assert isinstance(made, Bundle), made
        return made


def clean(seed: int) -> Workspace:
    """The clean workspace of `seed`; an odd one limits by conditions of permits, an even one by forbids."""
    rng = random.Random(seed)
    tools = _tools(rng)
    agents = [Agent(f"{group}-{number}", "uma", "works", frozenset({group})) for group in GROUPS for number in range(2)]
    catalog = Catalog(
        agents={one.name: one for one in agents},
        users={},
        groups=frozenset(GROUPS),
        servers={name: Server(name, Http("http://127.0.0.1:9"), source=frozenset()) for name in SERVERS},
        tools={(one.server, one.name): one for one in tools},
        routes={"owner": Route("owner")},
        policies=(),
    )
    return Workspace(catalog, _policies(tools, rng, forbids=seed % 2 == 0), cases(_benign(tools)))


GROUPS: Final = ("readers", "senders", "fixers")
SERVERS: Final = ("desk", "office", "shop")


def _tools(rng: random.Random) -> list[Tool]:
    def tool(
        name: str, effect: Effect, sink: Sink, *source: str, store: Store | None = None, duty: bool = False
    ) -> Tool:
        definition = Definition(name, "does it", SCHEMA, None, {})
        tags = frozenset({"duty-pay"} if duty else set[str]())
        server = where.setdefault(name, rng.choice(SERVERS))
        return Tool(
            server, definition, definition.pin(), effect, sink, frozenset(source), tags, catalogued=True, store=store
        )

    # What shares a store is at one server, as it is in life.
    where: dict[str, str] = dict.fromkeys(("save_note", "load_note", "list_inbox", "read_inbox"), "desk")
    found = [
        tool("read_salaries", Effect.READ, Sink.INTERNAL, "confidential:pay"),
        tool("read_contracts", Effect.READ, Sink.INTERNAL, "confidential:legal"),
        tool("read_web", Effect.READ, Sink.INTERNAL, "untrusted:web"),
        tool("list_inbox", Effect.READ, Sink.INTERNAL, "untrusted", store=Store("mail", writes=False)),
        tool("read_inbox", Effect.READ, Sink.INTERNAL, "untrusted", store=Store("mail", writes=False)),
        tool("save_note", Effect.WRITE, Sink.INTERNAL, store=Store("notes", reads=False)),
        tool("load_note", Effect.READ, Sink.INTERNAL, store=Store("notes", writes=False)),
        tool("send_mail", Effect.WRITE, Sink.EXTERNAL),
        tool("publish", Effect.WRITE, Sink.EXTERNAL),
        tool("wipe", Effect.IRREVERSIBLE, Sink.INTERNAL),
        tool("order", Effect.WRITE, Sink.INTERNAL, duty=True),
        tool("release", Effect.WRITE, Sink.INTERNAL, duty=True),
    ]
    found += [tool(f"look_{number}", Effect.READ, Sink.INTERNAL) for number in range(rng.randrange(6))]
    found += [tool(f"note_{number}", Effect.WRITE, Sink.INTERNAL) for number in range(rng.randrange(4))]
    return found


def _policies(tools: list[Tool], rng: random.Random, *, forbids: bool) -> dict[str, str]:
    """Who may do what, and the limits: `seal` and `calm` forbid, or `send` and `fix` permit what is harmless."""
    exposed = {one.name: f'action in [Remit::Action::"{one.exposed}"]' for one in tools}
    told: dict[str, tuple[str, str, str]] = {
        "read": ("permit", 'principal in Remit::Group::"readers", action in Remit::Action::"effect:read"', ""),
        "write": ("permit", 'principal in Remit::Group::"readers", action == Remit::Action::"desk___save_note"', ""),
        "send": ("permit", 'principal in Remit::Group::"senders", action in Remit::Action::"sink:external"', ""),
        "look": ("permit", 'principal in Remit::Group::"senders", action in Remit::Action::"effect:read"', ""),
        "fix": ("permit", 'principal in Remit::Group::"fixers", action in Remit::Action::"effect:irreversible"', ""),
        "learn": ("permit", f'principal in Remit::Group::"fixers", {LEARNT}', ""),
        "order": ("permit", f'principal in Remit::Group::"readers", {exposed["order"]}', ""),
        "release": ("permit", f'principal in Remit::Group::"fixers", {exposed["release"]}', ""),
    }
    if forbids:
        told["seal"] = ("forbid", 'principal, action in Remit::Action::"sink:external"', f"when {{ {CONFIDENTIAL} }}")
        told["calm"] = (
            "forbid",
            'principal, action in Remit::Action::"effect:irreversible"',
            f"when {{ {UNTRUSTED} }}",
        )
    else:
        told["send"] = (*told["send"][:2], f"unless {{ {CONFIDENTIAL} }}")
        told["fix"] = (*told["fix"][:2], f"unless {{ {UNTRUSTED} }}")
    for number in range(rng.randrange(5)):
        told[f"noise-{number}"] = (
            "forbid",
            f'principal, action in Remit::Action::"server:{rng.choice(SERVERS)}"',
            f"when {{ context has input && context.input has amount && context.input.amount > {rng.randrange(999)} }}",
        )
    return {name: _text(name, *parts) for name, parts in told.items()}


def _text(name: str, effect: str, scope: str, condition: str) -> str:
    return f'@id("{name}") {effect} ({scope}, resource) {condition};'


def _benign(tools: list[Tool]) -> list[Json]:
    """What must go on being possible, and what is denied already."""
    where = {one.name: f"{one.server}/{one.name}" for one in tools}

    def case(name: str, *steps: tuple[str, str, str]) -> Json:
        events: list[Json] = [
            {"as": agent, "call": where[tool], "expect": verdict, "back": "anything"} for agent, tool, verdict in steps
        ]
        return {"name": name, "events": events}

    return [
        case("work", ("readers-0", "read_salaries", "permit"), ("readers-0", "save_note", "permit")),
        case("mail", ("senders-0", "send_mail", "permit"), ("senders-1", "publish", "permit")),
        case("web first", ("senders-0", "read_web", "permit"), ("senders-0", "send_mail", "permit")),
        case("fix", ("fixers-0", "wipe", "permit"), ("fixers-1", "release", "permit")),
        case("notes", ("readers-0", "load_note", "permit"), ("readers-1", "order", "permit")),
        case("inbox", ("readers-0", "list_inbox", "permit"), ("readers-0", "read_inbox", "permit")),
        case("no", ("fixers-0", "send_mail", "deny"), ("readers-0", "wipe", "deny")),
    ]


Weakened = tuple[Workspace, str]
"""A workspace, and the policy or tool that was changed in it."""


def _edit(old: Workspace, ident: str, change: Callable[[str], str]) -> Weakened:
    text = change(old.policies[ident])
    assert text != old.policies[ident], f"nothing of {ident} was changed"
    return replace(old, policies={**old.policies, ident: text}), ident


def _limit(old: Workspace, rng: random.Random) -> str:
    """The policy that limits what leaves, or what is final, by a forbid or by a permit's condition."""
    return rng.choice(("seal", "calm") if "seal" in old.policies else ("send", "fix"))


def _declared(old: Workspace, name: str, change: Callable[[Tool], Tool]) -> Weakened:
    key = next(key for key in old.catalog.tools if key[1] == name)
    tools = {**old.catalog.tools, key: change(old.catalog.tools[key])}
    return replace(old, catalog=replace(old.catalog, tools=tools)), f"{key[0]}/{key[1]}"


def condition_lost(old: Workspace, rng: random.Random) -> Weakened:
    """A permit without its condition, or a forbid that asks for more than is ever there."""
    ident = _limit(old, rng)
    if ident in {"send", "fix"}:
        return _edit(old, ident, lambda text: f"{text.partition(' unless ')[0]};")
    return _edit(old, ident, lambda text: text.replace("when { ", "when { context.session.calls < 0 && "))


def permit_broadened(old: Workspace, rng: random.Random) -> Weakened:
    """A permit of one group for everybody."""
    del rng
    return _edit(old, "release", lambda text: text.replace('principal in Remit::Group::"fixers"', "principal"))


def label_narrowed(old: Workspace, rng: random.Random) -> Weakened:
    """A limit for one kind of confidential data only."""
    kind = rng.choice(("pay", "legal"))
    ident = "seal" if "seal" in old.policies else "send"
    return _edit(old, ident, lambda text: text.replace('"confidential"', f'"confidential:{kind}"'))


def label_lost(old: Workspace, rng: random.Random) -> Weakened:
    """A tool that reads the inbox and does not say that strangers write to it."""
    return _declared(old, rng.choice(("list_inbox", "read_inbox")), lambda tool: replace(tool, source=frozenset()))


def store_laundering(old: Workspace, rng: random.Random) -> Weakened:
    """A tool that reads notes and does not say so."""
    del rng
    return _declared(old, "load_note", lambda tool: replace(tool, store=None))


def scope_narrowed(old: Workspace, rng: random.Random) -> Weakened:
    """A limit that leaves one group, or one kind of tools, out."""
    if "seal" not in old.policies:
        return two_agents(old, rng)
    ident = rng.choice(("seal", "calm"))
    return _edit(
        old,
        ident,
        lambda text: text.replace("(principal,", 'principal in Remit::Group::"readers",', 1).replace(
            "forbid principal", "forbid (principal"
        ),
    )


def two_agents(old: Workspace, rng: random.Random) -> Weakened:
    """Whoever releases may read notes of whoever orders."""
    del rng
    note = 'action in [Remit::Action::"desk___load_note", '
    return _edit(old, "release", lambda text: text.replace("action in [", note))


def gate_self_satisfied(old: Workspace, rng: random.Random) -> Weakened:
    """A limit that an argument of the agent's own lifts."""
    ident = _limit(old, rng)
    own = 'context has input && context.input has ticket && context.input.ticket like "T-*"'
    if ident in {"send", "fix"}:
        return _edit(old, ident, lambda text: text.replace("unless { ", f"unless {{ !({own}) && "))
    return _edit(old, ident, lambda text: text.replace(" };", f" }} unless {{ {own} }};"))


def delegation_growing(old: Workspace, rng: random.Random) -> Weakened:
    """A limit that does not hold for who was sent by another; and everybody may send."""
    ident = _limit(old, rng)
    word = "unless { " if ident in {"send", "fix"} else "when { "
    weak, named = _edit(old, ident, lambda text: text.replace(word, f"{word}context.delegation.depth == 0 && "))
    handing = '@id("hand") permit (principal, action == Remit::Action::"delegate", resource);'
    return replace(weak, policies={**weak.policies, "hand": handing}), named


def counter_opening(old: Workspace, rng: random.Random) -> Weakened:
    """A limit that ends with the fortieth call."""
    ident = _limit(old, rng)
    word = "unless { " if ident in {"send", "fix"} else "when { "
    return _edit(old, ident, lambda text: text.replace(word, f"{word}context.session.calls < 40 && "))


def policy_erring(old: Workspace, rng: random.Random) -> Weakened:
    """A policy that cannot be evaluated: it denies what it is about."""
    ident = _limit(old, rng)
    word = "unless { " if ident in {"send", "fix"} else "when { "
    much = "context.session.calls + 9223372036854775807 + 1 > 0 && "
    return _edit(old, ident, lambda text: text.replace(word, f"{word}{much}"))


WEAKENINGS: Final[tuple[Callable[[Workspace, random.Random], Weakened], ...]] = (
    condition_lost,
    permit_broadened,
    label_narrowed,
    label_lost,
    store_laundering,
    scope_narrowed,
    two_agents,
    gate_self_satisfied,
    delegation_growing,
    counter_opening,
    policy_erring,
)


def _names(result: SearchResult, changed: str, remedies: list[str]) -> bool:
    told = {policy for one in result.unattended for step in one.steps for policy in step.policies}
    told |= {policy for one in result.unattended for policy in one.suspects}
    return changed in told | {one.policy for one in result.failing} | {*remedies}


def main() -> int:
    """Run; the exit code says whether the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m proof.weakened")
    parser.add_argument("--count", type=int, default=22)
    parser.add_argument("--clean", type=int, default=CLEAN)
    asked = parser.parse_args()
    false = 0
    for seed in range(asked.clean):
        workspace = clean(seed)
        bundle = workspace.compiled()
        result = chains(bundle)
        wrong = [text for case in workspace.benign for text in failures(bundle, case)]
        if result.unattended or result.failing or result.account.stopped or wrong:
            false += 1
            print(f"clean {seed}: {len(result.unattended)} chains, {wrong[:1]}")
    score: Counter[str] = Counter()
    for number in range(asked.count):
        rng = random.Random(1_000 + number)
        weaken = WEAKENINGS[number % len(WEAKENINGS)]
        workspace, changed = weaken(clean(1_000 + number // len(WEAKENINGS)), rng)
        bundle = workspace.compiled()
        result = chains(bundle)
        found = bool(result.unattended or result.failing)
        known = workspace.benign[::2]

        def keeps(made: Bundle, known: tuple[Case, ...] = known) -> bool:
            return not any(failures(made, case) for case in known)

        # Half of what must go on is known to the workspace, as its cases; the other half is not.
        cutting = cut(bundle, result, chains, keeps) if result.unattended else None
        remedies = (
            []
            if cutting is None
            else [f"{one.server}/{one.name}" for one in cutting.remedies if isinstance(one, Declare)]
        )
        mended = cutting is not None and cutting.whole and cutting.bundle is not None and not result.failing
        if mended and cutting is not None and cutting.bundle is not None:
            before = {case.name: failures(bundle, case) for case in workspace.benign}
            mended = all(failures(cutting.bundle, case) == before[case.name] == () for case in workspace.benign)
        named = _names(result, changed, remedies)
        score.update(found=found, named=named, mended=mended)
        if not (found and named and mended):
            print(f"{number} {weaken.__name__} of {changed}: found {found}, named {named}, mended {mended}")
    share = {name: score[name] / max(1, asked.count) for name in ("found", "named", "mended")}
    passed = (
        false == 0 and share["found"] >= FOUND_MIN and share["named"] >= NAMED_MIN and share["mended"] >= MENDED_MIN
    )
    figure = (
        f"{asked.clean} clean: {false} with a finding; {asked.count} weakened: "
        f"{share['found']:.0%} found, {share['named']:.0%} named, {share['mended']:.0%} mended with the benign kept"
    )
    goal = "clean: none; found ≥ 95 %, named ≥ 90 %, mended ≥ 80 %"
    return say(figure, goal, passed=passed)


if __name__ == "__main__":
    sys.exit(main())
