"""One decision in process, by generated code and by cedarpy side by side, and cedarpy on the whole policy set.

Measured apart: the facts and the policies (from the sessions and the arguments to the verdict with its reasons, which
has a goal), and the whole of `decide` with its checks, the arguments' validation, the action's hash
and the body of its record. No verdict is kept: every action has arguments of its own, in what the policies read too,
and each verdict is checked against the one that the policies spell out. The cases are a permit, a gate, a forbid, an
error, and one that lacks what a part of the policies asks for. Each size has a process of its own, whose collector is
set as a service's is; what a loop of a fixed length takes in between tells how quiet the machine was.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proof.verdict import say
from remit.adapters.system import settle_collector
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Agent, Authority, Link, User
from remit.facts.canonical import canonical
from remit.facts.catalog import Catalog, Http, PolicySource, Route, Server
from remit.facts.session import Session
from remit.facts.tool import Definition, Effect, Sink, Tool
from remit.pdp.chain import judge_chain
from remit.pdp.decide import decide, facts_of
from remit.pdp.preconditions import destination_of
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy import cedar
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.policy.compiled.shadow import Difference, Shadow
from remit.policy.compiled.values import cedar_json
from remit.policy.context import Facts
from remit.policy.convert import convert
from remit.policy.destination import Destination
from remit.policy.evaluate import question_of
from remit.policy.uids import action_uid, agent_uid, server_uid
from remit.policy.verdict import word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remit.facts.canonical import Json

SIZES: Final = (10, 100, 1_000, 10_000)
GOAL_SIZES: Final = (1_000, 10_000)
"""At each of these, since the slice is the same."""
P50_MAX_US: Final = 15
P99_MAX_US: Final = 60
SLICE_MAX: Final = 40
TOOLS: Final = 200
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
RULES: Final = (
    'context.session.labels.contains(Remit::Label::"confidential") && context.inputSize > {n}',
    "context.session.calls > {n} + 1000",
    'context.input has amount && context.input.amount.greaterThan(decimal("{n}000.5"))',
    'context.input.to like "*@{n}.example.net"',
    'principal in Remit::Group::"interns" && context.input.order_id != "{n}"',
    "context.session.irreversibleCalls > {n} || context.delegation.depth > {n} + 4",
)
"""What forbids besides; none of it applies to what is asked."""
ASKED: Final = 'principal, action == Remit::Action::"shop___t0", resource'
OVERFLOW: Final = f"context.inputSize + {2**63 - 1} > 0"
NOW_MS: Final = 1_800_000_000_000
SCHEMA: Final[Mapping[str, Json]] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "to": {"type": "string"},
        "amount": {"type": "number"},
        "note": {"type": "string"},
    },
    "required": ["order_id", "to"],
}
CASES: Final[tuple[tuple[str, Mapping[str, Json], str], ...]] = (
    ("permit", {"order_id": "1", "to": "a@example.org", "amount": 12.5, "note": "as agreed"}, "permit"),
    ("gate", {"order_id": "1", "to": "a@example.org", "amount": 250, "note": "as agreed"}, "escalate"),
    ("forbid", {"order_id": "1", "to": "b@example.org", "amount": 12.5, "note": "as agreed"}, "deny"),
    ("half", {"order_id": "1", "to": "a@example.org"}, "permit"),
    ("error", {"order_id": "err", "to": "a@example.org", "note": "as agreed"}, "deny"),
)


def policies(count: int) -> str:
    """`count` policies, of which at most SLICE_MAX reach the tool that is asked about."""
    big = 'context.input has amount && context.input.amount.greaterThan(decimal("100.0"))'
    said = [
        '@id("work") permit (principal in Remit::Group::"support", action in Remit::Action::"call_tool", resource);',
        f'@id("big") @gate("owner") forbid ({ASKED}) when {{ {big} }};',
        f'@id("host") forbid ({ASKED}) when {{ context.input.to like "b@*" }};',
        f'@id("error") forbid ({ASKED}) when {{ context.input.order_id == "err" && {OVERFLOW} }};',
    ]
    own = len(said)
    for n in range(count - own):
        target = 0 if n < SLICE_MAX - own else 1 + n % (TOOLS - 1)
        rule = RULES[n % len(RULES)].replace("{n}", str(1 + n))
        scope = f'principal, action == Remit::Action::"shop___t{target}", resource'
        said.append(f'@id("rule-{n}") forbid ({scope}) when {{ {rule} }};')
    return "\n".join(said)


def catalog(count: int) -> Catalog:
    """A shop of TOOLS tools under `count` policies."""
    tools: dict[tuple[str, str], Tool] = {}
    for n in range(TOOLS):
        definition = Definition(f"t{n}", "a tool", SCHEMA, None, {})
        tools["shop", f"t{n}"] = Tool("shop", definition, definition.pin(), Effect.WRITE, Sink.INTERNAL)
    return Catalog(
        agents={"ada": Agent("ada", "uma", "helps", frozenset({"support"}))},
        users={"uma": User("uma")},
        groups=frozenset({"support", "interns"}),
        servers={"shop": Server("shop", Http("http://127.0.0.1:9"))},
        tools=tools,
        routes={"owner": Route("owner", users=frozenset({"uma"}))},
        policies=(PolicySource("bench.cedar", policies(count)),),
    )


def asked(arguments: Mapping[str, Json]) -> Action:
    """A call of the tool that the slice is about."""
    authority = Authority((Link("ada", "s1"),), "uma", "t1", NOW_MS + 60_000)
    return Action(ActionKind.CALL_TOOL, "shop", "t0", canonical(arguments), arguments, authority)


def spread(times_ns: list[int]) -> tuple[float, float]:
    """The median and the 99th percentile in microseconds."""
    times_ns.sort()
    return times_ns[len(times_ns) // 2] / 1e3, times_ns[len(times_ns) * 99 // 100] / 1e3


@dataclass(slots=True)
class Timed:
    """Times in nanoseconds, and how many verdicts were wrong."""

    policy: list[int] = field(default_factory=list[int])
    whole: list[int] = field(default_factory=list[int])
    loop: list[int] = field(default_factory=list[int])
    wrong: int = 0


def loop_ns() -> int:
    """What a loop of a fixed length takes, some ten microseconds where the machine does nothing else."""
    begun, total = time.perf_counter_ns(), 0
    for number in range(300):
        total += number
    return time.perf_counter_ns() - begun


def decisions(bundle: Bundle, rounds: int) -> Timed:
    """`rounds` actions of each case, no two alike, judged twice: facts and policies alone, and by `decide`."""
    sessions = (Session("s1", "ada", "uma", NOW_MS - 1_000, frozenset({"untrusted"})),)
    snapshot = Snapshot(bundle, sessions, Pin.MATCHES)
    timed = Timed()
    for number in range(rounds):
        for name, arguments, expected in CASES:
            own: dict[str, Json] = {**arguments, "note": f"note {number}"}
            if name != "error":
                own |= {"order_id": f"order {number}", "to": f"{arguments['to']}.{number}"}
            action = asked(own)
            reached = destination_of(snapshot, action)
            assert isinstance(reached, Destination)
            begun = time.perf_counter_ns()
            facts = facts_of(snapshot, action, NOW_MS)
            verdict, _, _ = judge_chain(snapshot, action, question_of(reached, facts, action.input, bundle.labels))
            turned = time.perf_counter_ns()
            decision = decide(snapshot, action, NOW_MS)
            timed.whole.append(time.perf_counter_ns() - turned)
            timed.policy.append(turned - begun)
            timed.loop.append(loop_ns())
            timed.wrong += {word(verdict), word(decision.verdict)} != {expected}
    return timed


def whole_set(bundle: Bundle, rounds: int) -> tuple[float, float]:
    """p50 and p99 of cedarpy alone on all policies, in microseconds; the context is made once."""
    tool = bundle.tools["shop", "t0"]
    everything = cedar.policies_of("\n".join(policy.statement.text for policy in bundle.policies.values()))
    facts = Facts("uma", ("ada",), frozenset({"untrusted"}), 0, 0, 1_000, 60, NOW_MS)
    context = cedar_json({**facts.cedar(bundle.labels), "input": convert(tool.record, CASES[0][1]).input})
    names = {"principal": agent_uid("ada"), "action": action_uid("shop___t0"), "resource": server_uid("shop")}
    request: dict[str, object] = {part: {"type": kind, "id": name} for part, (kind, name) in names.items()}
    request["context"] = context
    times: list[int] = []
    for _ in range(rounds):
        begun = time.perf_counter_ns()
        answer = cedar.ask(request, everything, bundle.entities, bundle.schema)
        times.append(time.perf_counter_ns() - begun)
        assert answer.outcome is cedar.Outcome.ALLOW
    return spread(times)


def by_cedar_alone(bundle: Bundle) -> Bundle:
    """The same bundle without trust in generated code."""
    return replace(bundle, shadow=Shadow(difference=Difference("", "", "", "")))


@dataclass(frozen=True, slots=True)
class Measured:
    """What is seen at one size: p50 and p99 in microseconds, what loading takes in time and memory, wrong verdicts."""

    slice: int
    compiled_s: float
    first_ms: float
    loaded_mib: float
    policy: tuple[float, float]
    whole: tuple[float, float]
    by_cedar: tuple[float, float]
    everything: tuple[float, float]
    loop: tuple[float, float]
    decided: int
    wrong: int


class Uncompiled(Exception):
    """What is wrong with the policies of the measurement."""


def resident_mib() -> float:
    """The memory that this process holds."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE / 2**20


def measure(size: int, rounds: int) -> Measured:
    """`rounds` actions of each case under `size` policies; fewer by cedarpy. Raises `Uncompiled`."""
    source, held_mib = catalog(size), resident_mib()
    begun = time.perf_counter()
    bundle = compile_bundle(source).result
    compiled_s = time.perf_counter() - begun
    if isinstance(bundle, tuple):
        raise Uncompiled("\n".join(map(str, bundle)))
    part = bundle.slice_of(bundle.tools["shop", "t0"].tool)
    begun = time.perf_counter()
    assert not isinstance(part.generated(), str)
    first_ms = (time.perf_counter() - begun) * 1e3
    loaded_mib = resident_mib() - held_mib
    decisions(bundle, 20)
    settle_collector()
    timed, reference = decisions(bundle, rounds), decisions(by_cedar_alone(bundle), min(rounds, 100))
    differs = bundle.shadow.difference is not None
    return Measured(
        slice=len(part.policies),
        compiled_s=compiled_s,
        first_ms=first_ms,
        loaded_mib=loaded_mib,
        policy=spread(timed.policy),
        whole=spread(timed.whole),
        by_cedar=spread(reference.policy),
        everything=whole_set(bundle, 100),
        loop=spread(timed.loop),
        decided=len(timed.policy),
        wrong=timed.wrong + reference.wrong + (len(part.policies) > SLICE_MAX) + differs,
    )


def alone(size: int, rounds: int) -> Measured:
    """`measure` in a process of its own: what another size left behind is not in its memory, nor in its times."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, size, rounds).result()


def main(argv: Sequence[str]) -> int:
    """Measure at each size: 100,000 decisions in all; with `--long` at each size.

    `--measured` misses no time, only a wrong verdict; alone it makes 1,500 decisions at each size.
    """
    rounds = 20_000 if "--long" in argv else 300 if "--measured" in argv else 5_000
    at = " and ".join(f"{size:,}" for size in GOAL_SIZES)
    goal = f"policy and facts at {at}: p50 <= {P50_MAX_US} µs, p99 <= {P99_MAX_US} µs; every verdict right"
    figures: list[str] = []
    decided, wrong, met = 0, 0, True
    print(
        "policies slice  compile first use  memory | policy+facts p50 p99 | decide p50 p99 | cedarpy | whole set | loop"
    )
    for size in SIZES:
        try:
            seen = alone(size, rounds)
        except Uncompiled as error:
            print(error)
            return say("the policies of the measurement do not compile", goal, passed=False)
        (p50, p99), (whole, whole_p99), (loop, loop_p99) = seen.policy, seen.whole, seen.loop
        decided, wrong = decided + seen.decided, wrong + seen.wrong
        if size in GOAL_SIZES:
            met = met and p50 <= P50_MAX_US and p99 <= P99_MAX_US
        figures.append(f"{size:,}: p50 {p50:.1f} p99 {p99:.1f} (decide {whole:.0f}, cedarpy {seen.by_cedar[0]:.0f}) µs")
        print(
            f"{size:>8,} {seen.slice:>5} {seen.compiled_s:>6.2f} s {seen.first_ms:>6.1f} ms {seen.loaded_mib:>4.0f} MiB"
            f" | {p50:>11.1f} {p99:>6.1f} µs | {whole:>5.1f} {whole_p99:>5.1f} µs | {seen.by_cedar[0]:>4.0f} µs |"
            f" {seen.everything[0]:>6.0f} µs | {loop:.1f} {loop_p99:.1f} µs",
            flush=True,
        )
    figure = f"{decided:,} decisions, {wrong} wrong; {'; '.join(figures)}"
    return say(figure, goal, passed=wrong == 0 and (met or "--measured" in argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
