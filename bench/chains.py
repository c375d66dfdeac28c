"""Chains: how long a whole search takes, by the number of labels that policies tell apart, and what memory it takes.

A workspace is made from a seed: 200 tools at four servers, a third of them readers that bring labels, a third that
write to two stores, a third that act or tell outside; three groups of agents; 200 policies, most of them forbids by
labels, effects, sinks and tags, some of which look at arguments. `--labels 12` (short) is searched with nobody who says
yes and with one who always does, as `remit chains` does, from the compiled bundle to the told chains.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
import tracemalloc
from typing import Final

from proof.verdict import say
from remit.assure.chains.chain_search import chains
from remit.facts.agent import Agent
from remit.facts.catalog import Catalog, Http, PolicySource, Route, Server
from remit.facts.store import Store
from remit.facts.tool import Definition, Effect, Sink, Tool
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle

TOOLS: Final = 200
POLICIES: Final = 200
GOALS_S: Final = {12: 1.0, 14: 5.0}
MEMORY_MIB_MAX: Final = 256
SERVERS: Final = ("one", "two", "three", "four")
GROUPS: Final = ("mail", "finance", "research")
_SCHEMA: Final = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "count": {"type": "integer"}, "text": {"type": "string"}},
    "required": ["to"],
}


def labels_of(count: int) -> tuple[str, ...]:
    """So many labels, the names of both families among them."""
    return (
        "confidential",
        "untrusted",
        *(f"{'confidential' if number % 2 else 'untrusted'}:kind-{number}" for number in range(count - 2)),
    )


def workspace(labels: int, seed: int) -> Catalog:
    """The workspace of `seed`."""
    rng = random.Random(seed)
    known = labels_of(labels)
    tools = [_tool(number, known, rng) for number in range(TOOLS)]
    agents = [Agent(f"agent-{number}", "uma", "works", frozenset({GROUPS[number % 3]})) for number in range(9)]
    return Catalog(
        agents={one.name: one for one in agents},
        users={},
        groups=frozenset(GROUPS),
        servers={name: Server(name, Http("http://127.0.0.1:9"), source=frozenset()) for name in SERVERS},
        tools={(one.server, one.name): one for one in tools},
        routes={"owner": Route("owner")},
        policies=tuple(PolicySource(f"p{number}.cedar", _policy(number, known, rng)) for number in range(POLICIES)),
    )


def _tool(number: int, known: tuple[str, ...], rng: random.Random) -> Tool:
    definition = Definition(f"tool-{number}", "does it", _SCHEMA, None, {})
    kind = number % 3
    effect = (Effect.READ, Effect.WRITE, Effect.IRREVERSIBLE if number % 2 else Effect.WRITE)[kind]
    sink = (Sink.INTERNAL, Sink.INTERNAL, Sink.EXTERNAL)[kind]
    source = frozenset({known[number // 3 % len(known)]}) if kind == 0 else frozenset[str]()
    store = None
    if kind == 1 and number % 5 == 0:
        store = Store(f"store-{number % 2}")
    tags = frozenset({f"team-{rng.randrange(12)}", f"area-{rng.randrange(6)}"})
    server = SERVERS[number % len(SERVERS)]
    return Tool(server, definition, definition.pin(), effect, sink, source, tags, catalogued=True, store=store)


def _policy(number: int, known: tuple[str, ...], rng: random.Random) -> str:
    """A permit for each group first; then forbids, one in three of them a gate, one in eight by an argument."""
    if number < len(GROUPS):
        scope = f'principal in Remit::Group::"{GROUPS[number]}", action in Remit::Action::"call_tool", resource'
        return f'@id("p{number}") permit ({scope});'
    label = known[number % len(known)]
    other = rng.choice(known)
    group = rng.choice(
        (f"tag:team-{rng.randrange(12)}", f"tag:area-{rng.randrange(6)}", "sink:external", "effect:irreversible")
    )
    held = f'context.session.labels.contains(Remit::Label::"{label}")'
    if number % 3 == 0:
        held = f'context.session.labels.containsAll([Remit::Label::"{label}", Remit::Label::"{other}"])'
    if number % 8 == 0:
        held += f' && context has input && context.input.to like "*@{number}.example"'
    gate = ' @gate("owner")' if rng.random() < 1 / 3 else ""
    return f'@id("p{number}"){gate} forbid (principal, action in Remit::Action::"{group}", resource) when {{ {held} }};'


def main() -> int:
    """Measure; the exit code says whether the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m bench.chains")
    parser.add_argument("--labels", type=int, nargs="*", default=[12, 14])
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    figures: list[str] = []
    passed = True
    for labels in asked.labels:
        for seed in range(asked.seeds):
            bundle = compile_bundle(workspace(labels, seed), shadow_every=0).result
            assert isinstance(bundle, Bundle), bundle[:3]
            # Processor time, of the one thread there is: what else the machine does is not what is asked here.
            begun_s, begun_wall_s = time.process_time(), time.perf_counter()
            result = chains(bundle)
            took_s, wall_s = time.process_time() - begun_s, time.perf_counter() - begun_wall_s
            tracemalloc.start()
            chains(bundle)
            mib = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
            searched = result.account
            print(
                f"{labels} labels, seed {seed}: {took_s:.2f} s ({wall_s:.2f} s by the clock); "
                f"{searched.states:,} states, {searched.transitions:,} transitions, {searched.steps} steps, "
                f"policies asked {searched.queries:,} times, {len(result.unattended)} chains, "
                f"{len(result.attended)} with a yes; "
                f"{mib:.0f} MiB"
            )
            complete = searched.stopped is None and len(searched.labels) == labels and searched.states > 2**labels
            goal_s = GOALS_S.get(labels, 60.0)
            passed = passed and complete and took_s <= goal_s and mib <= MEMORY_MIB_MAX
            figures.append(f"{labels} labels {took_s:.2f} s ({searched.states:,} states), {mib:.0f} MiB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    goal = f"12 labels ≤ 1 s, 14 ≤ 5 s, ≤ {MEMORY_MIB_MAX} MiB of its own"
    return say(f"{'; '.join(figures)}; process {peak:.0f} MiB", goal, passed=passed)


if __name__ == "__main__":
    sys.exit(main())
