"""One decision in process, beside cedarpy on the whole policy set.

Part 1 evaluates with cedarpy on the action's slice; what is measured is the cost of that, and
that it hangs on the slice (at most 40 policies) and not on the set. Each timed decision is checked
against the verdict that its policies spell out.
"""

from __future__ import annotations

import gc
import sys
import time
from typing import TYPE_CHECKING, Final

from proof.verdict import say
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Agent, Authority, Link, User
from remit.facts.canonical import canonical
from remit.facts.catalog import Catalog, Definition, Effect, Http, PolicySource, Route, Server, Sink, Tool
from remit.facts.session import Session
from remit.pdp.decide import decide
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy import cedar
from remit.policy.bundle import Bundle, action_uid, agent_uid, server_uid
from remit.policy.compile import compile_bundle
from remit.policy.compiled.values import cedar_json
from remit.policy.context import Facts
from remit.policy.convert import convert
from remit.policy.verdict import word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remit.facts.canonical import Json

SIZES: Final = (10, 100, 1_000)
SLICE_MAX: Final = 40
TOOLS: Final = 200
ASKED: Final = 'principal, action == Remit::Action::"shop___t0", resource'
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
)


def policies(count: int) -> str:
    """`count` policies, of which at most SLICE_MAX reach the tool that is asked about."""
    big = 'context.input has amount && context.input.amount.greaterThan(decimal("100.0"))'
    said = [
        '@id("work") permit (principal in Remit::Group::"support", action in Remit::Action::"call_tool", resource);',
        f'@id("big") @gate("owner") forbid ({ASKED}) when {{ {big} }};',
        f'@id("host") forbid ({ASKED}) when {{ context.input.to like "b@*" }};',
    ]
    for n in range(count - len(said)):
        target = 0 if n < SLICE_MAX - len(said) else 1 + n % (TOOLS - 1)
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


def decisions(bundle: Bundle, rounds: int) -> tuple[float, float, int]:
    """p50 and p99 of `decide` in microseconds, and how many verdicts were wrong."""
    sessions = (Session("s1", "ada", "uma", NOW_MS - 1_000, frozenset({"untrusted"})),)
    snapshot = Snapshot(bundle, sessions, Pin.MATCHES)
    cases = [(asked(arguments), expected) for _, arguments, expected in CASES]
    wrong = 0
    times: list[int] = []
    for action, expected in cases * rounds:
        begun = time.perf_counter_ns()
        decision = decide(snapshot, action, NOW_MS)
        times.append(time.perf_counter_ns() - begun)
        wrong += word(decision.verdict) != expected
    return *spread(times), wrong


def whole_set(bundle: Bundle, rounds: int) -> tuple[float, float]:
    """p50 and p99 of cedarpy alone on all policies, in microseconds; the context is made once."""
    tool = bundle.tools["shop", "t0"]
    everything = cedar.policies_of("\n".join(policy.statement.text for policy in bundle.policies.values()))
    facts = Facts("uma", ("ada",), frozenset({"untrusted"}), 0, 0, 1_000, 60, NOW_MS)
    context = cedar_json(facts.cedar(convert(tool.record, CASES[0][1]).input, bundle.labels))
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


def main(argv: Sequence[str]) -> int:
    """Measure at each size, over 300 rounds of the three cases; 3,000 with `--long`."""
    rounds = 3_000 if "--long" in argv else 300
    figures: list[str] = []
    wrong = 0
    print("policies slice    compile  decide p50       p99  whole set p50       p99")
    for size in SIZES:
        begun = time.perf_counter()
        bundle = compile_bundle(catalog(size)).result
        compiled_s = time.perf_counter() - begun
        if not isinstance(bundle, Bundle):
            print(*bundle, sep="\n")
            return say("the policies of the measurement do not compile", "all verdicts right", passed=False)
        part = bundle.slice_of(bundle.tools["shop", "t0"].tool)
        decisions(bundle, 20)
        gc.collect()
        p50, p99, missed = decisions(bundle, rounds)
        whole_p50, whole_p99 = whole_set(bundle, rounds)
        wrong += missed + (len(part.policies) > SLICE_MAX)
        figures.append(f"{size} policies p50 {p50:.0f} µs p99 {p99:.0f} µs (whole set {whole_p50:.0f} µs)")
        print(
            f"{size:>8} {len(part.policies):>5} {compiled_s:>8.2f} s {p50:>8.0f} µs {p99:>6.0f} µs"
            f" {whole_p50:>11.0f} µs {whole_p99:>6.0f} µs"
        )
    goal = "every verdict right; measured (15 µs comes with compiled policies)"
    return say("; ".join(figures) + f"; {wrong} wrong", goal, passed=wrong == 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
