"""One decision in process, by generated code and by cedarpy side by side, and cedarpy on the whole policy set.

Measured apart: the facts and the policies (from the sessions and the arguments to the verdict with its reasons, which
is what DESIGN sets a goal for), and the whole of `decide` with its checks, the arguments' validation, the action's hash
and the body of its record. Every action has arguments of its own, and each verdict is checked against the one that the
policies spell out. The cases are a permit, a gate, a forbid, an error, and one that only a part of the policies is for.
"""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from proof.verdict import say
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Agent, Authority, Link, User
from remit.facts.canonical import canonical
from remit.facts.catalog import Catalog, Definition, Effect, Http, PolicySource, Route, Server, Sink, Tool
from remit.facts.session import Session
from remit.pdp.chain import judge_chain
from remit.pdp.decide import decide, facts_of
from remit.pdp.known import known
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy import cedar
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.policy.compiled.shadow import Difference, Shadow
from remit.policy.compiled.values import cedar_json
from remit.policy.context import Facts
from remit.policy.convert import convert
from remit.policy.evaluate import question_of
from remit.policy.reached import Reached
from remit.policy.uids import action_uid, agent_uid, server_uid
from remit.policy.verdict import word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remit.facts.canonical import Json

SIZES: Final = (10, 100, 1_000)
GOAL_SIZE: Final = 1_000
P50_MAX_US: Final = 15
P99_MAX_US: Final = 60
SLICE_MAX: Final = 40
TOOLS: Final = 200
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
        said.append(
            f'@id("rule-{n}") forbid (principal, action == Remit::Action::"shop___t{target}", resource) '
            f'when {{ context.session.labels.contains(Remit::Label::"confidential") && context.inputSize > {n} }};'
        )
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
        groups=frozenset({"support"}),
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
    wrong: int = 0


def decisions(bundle: Bundle, rounds: int) -> Timed:
    """`rounds` actions of each case, no two alike, judged twice: facts and policies alone, and by `decide`."""
    sessions = (Session("s1", "ada", "uma", NOW_MS - 1_000, frozenset({"untrusted"})),)
    snapshot = Snapshot(bundle, sessions, Pin.MATCHES)
    timed = Timed()
    for number in range(rounds):
        for name, arguments, expected in CASES:
            changed = {"order_id": str(number)} if name == "half" else {"note": f"note {number}"}
            own = {**arguments, **changed}
            action = asked(own)
            reached = known(snapshot, action)
            assert isinstance(reached, Reached)
            begun = time.perf_counter_ns()
            facts = facts_of(snapshot, action, NOW_MS)
            verdict, _, _ = judge_chain(snapshot, action, question_of(reached, facts, action.input, bundle.labels))
            turned = time.perf_counter_ns()
            decision = decide(snapshot, action, NOW_MS)
            timed.whole.append(time.perf_counter_ns() - turned)
            timed.policy.append(turned - begun)
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


def main(argv: Sequence[str]) -> int:
    """Measure at each size: 300 actions of each case; with `--long` 20,000 of each, and 10,000 policies too.

    `--measured` misses no time: only a wrong verdict does.
    """
    rounds, sizes = (20_000, (*SIZES, 10_000)) if "--long" in argv else (300, SIZES)
    goal = f"policy and facts at {GOAL_SIZE:,}: p50 <= {P50_MAX_US} µs, p99 <= {P99_MAX_US} µs; every verdict right"
    figures: list[str] = []
    wrong, met = 0, "--measured" in argv
    print("policies slice  compile   first use | policy and facts p50 p99 | decide p50 p99 | by cedarpy | whole set")
    for size in sizes:
        begun = time.perf_counter()
        bundle = compile_bundle(catalog(size)).result
        compiled_s = time.perf_counter() - begun
        if not isinstance(bundle, Bundle):
            print(*bundle, sep="\n")
            return say("the policies of the measurement do not compile", goal, passed=False)
        part = bundle.slice_of(bundle.tools["shop", "t0"].tool)
        begun = time.perf_counter()
        assert not isinstance(part.generated(), str)
        first_ms = (time.perf_counter() - begun) * 1e3
        decisions(bundle, 20)
        gc.collect()
        timed, reference = decisions(bundle, rounds), decisions(by_cedar_alone(bundle), min(rounds, 300))
        (p50, p99), (whole, whole_p99), (slow, _) = spread(timed.policy), spread(timed.whole), spread(reference.policy)
        everything, _ = whole_set(bundle, min(rounds, 300))
        wrong += (
            timed.wrong + reference.wrong + (len(part.policies) > SLICE_MAX) + (bundle.shadow.difference is not None)
        )
        if size == GOAL_SIZE:
            met = met or (p50 <= P50_MAX_US and p99 <= P99_MAX_US)
        figures.append(f"{size:,}: p50 {p50:.1f} p99 {p99:.1f} (decide {whole:.0f}, by cedarpy {slow:.0f}) µs")
        print(
            f"{size:>8,} {len(part.policies):>5} {compiled_s:>6.2f} s {first_ms:>8.1f} ms |"
            f" {p50:>12.1f} {p99:>6.1f} µs |"
            f" {whole:>5.1f} {whole_p99:>5.1f} µs | {slow:>7.0f} µs | {everything:>6.0f} µs"
        )
    return say("; ".join(figures) + f"; {wrong} wrong", goal, passed=wrong == 0 and met)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
