"""Chains are found exactly where a plain search, which shares only the evaluator, finds them, and as short."""

import os
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from remit.assure.chains.chain_search import chains
from remit.assure.chains.results import FoundChain
from remit.facts.catalog import Catalog, Server
from remit.facts.store import Store
from remit.facts.tool import Effect, Sink, Tool
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from tests.core.chained import Plain, kind, world

EXAMPLES = int(os.environ.get("REMIT_EXAMPLES", "20"))
LABELS = ("confidential", "confidential:pay", "untrusted", "untrusted:web")
NAMES = ("one/a", "one/b", "two/c", "two/d", "two/e")

stores = st.sampled_from(
    [None, None, Store("box"), Store("box", reads=False), Store("box", writes=False), Store("bag")]
)


@st.composite
def tools(draw: st.DrawFn) -> list[Tool]:
    found: list[Tool] = []
    for name in NAMES[: draw(st.integers(3, 5))]:
        effect = draw(st.sampled_from(Effect))
        store = draw(stores)
        found.append(
            kind(
                name,
                effect=effect,
                sink=draw(st.sampled_from(Sink)),
                source=draw(st.sets(st.sampled_from(LABELS), max_size=2)),
                store=store,
                tags=draw(st.sampled_from([(), (), ("duty-pay",)])),
            )
        )
    # Readers of a store bring the same, and every store has one: else the search assumes more than a plain one knows.
    brought: dict[str, frozenset[str]] = {}
    for one in found:
        if one.store is not None and one.store.reads:
            brought[one.store.name] = brought.get(one.store.name, frozenset()) | one.source
    read = {one.store.name for one in found if one.store is not None and one.store.reads}
    return [
        one
        if one.store is None
        else _with(one, None, one.source)
        if one.store.name not in read
        else _with(one, one.store, brought[one.store.name] if one.store.reads else one.source)
        for one in found
    ]


def _with(one: Tool, store: Store | None, source: frozenset[str]) -> Tool:
    return replace(one, store=store, source=source)


CONDITIONS = (
    "true",
    'context.session.labels.contains(Remit::Label::"untrusted")',
    'context.session.labels.contains(Remit::Label::"confidential")',
    'context.session.labels.containsAll([Remit::Label::"confidential", Remit::Label::"untrusted"])',
    'context.session.labels.containsAny([Remit::Label::"confidential", Remit::Label::"untrusted"])',
    '!context.session.labels.contains(Remit::Label::"untrusted")',
    "context.session.labels.isEmpty()",
    "context.session.calls > 1",
    "context.session.calls <= 2",
    "context.delegation.depth > 0",
    "context.delegation.depth == 0",
    'context.delegation.chain.contains(Remit::Agent::"bob")',
    'context has input && context.input has mode && context.input.mode == "a"',
    'context has input && context.input has mode && context.input.mode like "b*"',
    'context has input && context.input has uri && context.input.uri like "note:*"',
    'context has input && context.input has name && context.input.name == "b"',
    "context has impact && context.impact.external",
)
PRINCIPALS = ("principal", 'principal in Remit::Group::"g"', 'principal == Remit::Agent::"ada"')
ACTIONS = (
    "action",
    'action in Remit::Action::"call_tool"',
    'action in Remit::Action::"sink:external"',
    'action in Remit::Action::"effect:irreversible"',
    'action == Remit::Action::"one___a"',
    'action in [Remit::Action::"one___b", Remit::Action::"two___c"]',
    'action == Remit::Action::"delegate"',
    'action in [Remit::Action::"read_resource", Remit::Action::"get_prompt"]',
    'action == Remit::Action::"get_prompt"',
)
RESOURCES = ("resource", "resource", "resource", 'resource in Remit::Server::"two"')


@st.composite
def policies(draw: st.DrawFn) -> list[str]:
    found: list[str] = []
    for number in range(draw(st.integers(1, 6))):
        permits = number == 0 or draw(st.booleans())
        gate = "" if permits or draw(st.booleans()) else ' @gate("owner")'
        scope = ", ".join(draw(st.sampled_from(part)) for part in (PRINCIPALS, ACTIONS, RESOURCES))
        word = draw(st.sampled_from(("when", "unless"))) if number else "when"
        body = draw(st.sampled_from(CONDITIONS)) if number else "true"
        body = body if draw(st.booleans()) else f"{body} && {draw(st.sampled_from(CONDITIONS))}"
        effect = "permit" if permits else "forbid"
        when = "" if body == "true" else f" {word} {{ {body} }}"
        found.append(f'@id("p{number}"){gate} {effect} ({scope}){when};')
    return found


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    agents: Mapping[str, list[str]] = {
        "ada": ["g"],
        **({"bob": draw(st.sampled_from([["g"], ["h"], []]))} if draw(st.booleans()) else {"bob": ["h"]}),
    }
    made = world(agents, draw(tools()), *draw(policies()))
    return replace(made, servers={name: draw(servers(one)) for name, one in made.servers.items()})


@st.composite
def servers(draw: st.DrawFn, one: Server) -> Server:
    """`one` with what it is asked for beside its tools."""
    source = frozenset(draw(st.sets(st.sampled_from(LABELS), max_size=1)))
    return replace(one, source=source, declared_sink=draw(st.sampled_from([None, *Sink, Sink.EXTERNAL])))


def outside(made: Catalog) -> Catalog:
    """`made`, with server `two` outside, which brings nothing but what its tools do."""
    two = replace(made.servers["two"], source=frozenset(), declared_sink=Sink.EXTERNAL)
    return replace(made, servers={**made.servers, "two": two})


def lengths(found: tuple[FoundChain, ...]) -> dict[tuple[str, str], int]:
    return {(one.goal.name, one.tool): one.moves for one in found}


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(catalogs())
@example(
    # What is gated for each value passes where none is given.
    world(
        {"ada": ["g"]},
        [kind("two/c", effect=Effect.IRREVERSIBLE)],
        '@id("p0") permit (principal, action, resource);',
        *(
            f'@id("{mode}") @gate("owner") forbid (principal, action, resource)'
            f' when {{ context has input && context.input has mode && context.input.mode == "{mode}" }};'
            for mode in "ab"
        ),
    )
)
@example(
    # A permit that no label is named in means no data, though it holds only where there is some.
    world(
        {"ada": ["g"]},
        [kind("one/b", effect=Effect.WRITE, sink=Sink.EXTERNAL, source=["confidential:pay"])],
        '@id("p0") permit (principal, action, resource)'
        ' when { context has input && context.input has mode && context.input.mode like "b*" };',
        '@id("p1") permit (principal, action, resource) unless { context.session.labels.isEmpty() };',
    )
)
@example(
    # The way by people's yes to what a server is asked for is shorter than the one that needs nobody.
    outside(
        world(
            {"ada": ["g"]},
            [kind("one/b", source=["confidential:pay"])],
            '@id("p0") permit (principal, action, resource);',
            '@id("p1") @gate("owner") forbid (principal, action == Remit::Action::"one___b", resource)'
            " unless { context.session.calls > 1 };",
        )
    )
)
def test_chains_are_those_of_a_plain_search(given: Catalog) -> None:
    made = compile_bundle(given, shadow_every=0).result
    assume(isinstance(made, Bundle))
    assert isinstance(made, Bundle)
    result = chains(made)
    assert result.account.stopped is None
    assert result.account.omissions == ()
    free, every = Plain(made, approver=False).run(), Plain(made, approver=True).run()
    assert lengths(result.unattended) == free
    asked = lengths(result.attended)
    assert asked.keys() == every.keys() - free.keys()
    assert all(every[key] == length for key, length in asked.items())
    event(f"chains: {len(free)}, with approval: {len(asked)}")
