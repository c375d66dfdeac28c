"""What 100 monitors, 20 budgets and 10 guarantees add to one decision, where 10, 3 and 2 of them concern the action.

The same action is decided with and without them, in turn, by the same policies but for those that ask a monitor; what a
call takes from budgets is worked out as the enforcement point does. Added is the difference of the medians.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bench.decide import CASES, NOW_MS, asked, catalog, spread
from proof.verdict import say
from remit.facts.budget import Budget, Measure, Per
from remit.facts.catalog import Catalog, PolicySource
from remit.facts.guarantee import Guarantee, Powers, Rate
from remit.facts.monitor import EventAggregate, Happening, Monitor, MonitorScope, Selector, Window
from remit.facts.session import Session
from remit.pdp.decide import decide
from remit.pdp.purse import Purse
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.protect.budgets import Accounts
from remit.protect.past import Past
from remit.trace.bodies import ActionBody

MONITORS: Final = 100
FED: Final = 10
BUDGETS: Final = 20
DRAWN: Final = 3
GUARANTEES: Final = 10
HELD: Final = 2
POLICIES: Final = 1_000
ADDED_MAX_US: Final = 15.0
HOUR: Final = Window(60_000, 60)
MINE: Final = "shop/t0"


def guarded(plain: Catalog) -> Catalog:
    """`plain` with all of them; the first of each concern the tool that is asked about, and policies ask them."""
    monitors = {f"m{n}": monitor(n) for n in range(MONITORS)}
    budgets = {f"b{n}": budget(n) for n in range(BUDGETS)}
    rate = Rate(of(MINE), 10**9, HOUR)
    powers = Powers((of(MINE), of("shop/t1"), of("shop/t2")))
    guarantees = {
        f"g{n}": Guarantee(f"g{n}", "uma", (rate, powers)[n] if n < HELD else Rate(of(other(n)), 10**9, HOUR))
        for n in range(GUARANTEES)
    }
    policies = "\n".join(asking(n) for n in range(FED))
    return replace(
        plain,
        monitors=monitors,
        budgets=budgets,
        guarantees=guarantees,
        policies=(*plain.policies, PolicySource("past.cedar", policies)),
    )


def monitor(number: int) -> Monitor:
    """One over the fleet or a session, of the tool that is asked about where it is one of the first."""
    op, scope = (
        (EventAggregate.COUNT, EventAggregate.ONCE)[number % 2],
        MonitorScope.FLEET if number % 3 else MonitorScope.SESSION,
    )
    return Monitor(f"m{number}", op, (Happening(of(MINE if number < FED else other(number))),), scope, HOUR)


def budget(number: int) -> Budget:
    """One of each agent's calls, of the tool that is asked about where it is one of the first."""
    tools = frozenset({MINE if number < DRAWN else other(number)})
    return Budget(f"b{number}", Measure.CALLS, Per.AGENT, None, 10**9, 86_400, tools=tools)


def asking(number: int) -> str:
    """A policy that asks a monitor, and forbids nothing of what is asked."""
    says = (f"context.past.m{number} > 1000000", f"context.past.m{number} && context.inputSize > 100000")[number % 2]
    scope = 'principal, action == Remit::Action::"shop___t0", resource'
    return f'@id("past-{number}") forbid ({scope}) when {{ {says} }};'


def of(tool: str) -> Selector:
    """That tool alone."""
    return Selector(frozenset({tool}))


def other(number: int) -> str:
    """A tool that is not asked about."""
    return f"shop/t{1 + number}"


def compiled(made: Catalog) -> Bundle:
    """Its bundle, of which no judgement is compared with cedarpy while it is measured."""
    result = compile_bundle(made, shadow_every=0).result
    assert isinstance(result, Bundle), result
    return result


class Deciding:
    """One bundle, what happened under it, and how long its decisions took."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._past = Past(whole=True)
        self._purse = Purse()
        self._sessions = (Session("s1", "ada", "uma", NOW_MS - 1_000, frozenset({"untrusted"})),)
        self.times: list[int] = []
        self.marks = 0

    def one(self, number: int) -> None:
        """Decide one call of its own arguments, and have what it marks follow."""
        action = asked({**CASES[0][1], "order_id": f"order {number}"})
        now_ms, tool = NOW_MS + number, self._bundle.catalog.tools["shop", "t0"]
        begun = time.perf_counter_ns()
        draws = self._purse.draws(self._bundle, Accounts({}), action, tool, now_ms)
        shot = Snapshot(self._bundle, self._sessions, Pin.MATCHES, draws=draws, past=self._past)
        decision = decide(shot, action, now_ms)
        self.times.append(time.perf_counter_ns() - begun)
        made = getattr(decision.effects[0], "body", None)
        assert isinstance(made, ActionBody)
        assert made.verdict == "permit", made.reasons
        self.marks = len(made.marks)
        for mark in made.marks:
            self._past.take(mark.scope("s1"), mark, now_ms)


def main(argv: Sequence[str] = ()) -> int:
    """`--rounds N` calls of each."""
    parser = argparse.ArgumentParser(prog="bench.protection")
    parser.add_argument("--rounds", type=int, default=5_000)
    rounds = parser.parse_args(argv).rounds
    plain = catalog(POLICIES)
    without, under = Deciding(compiled(plain)), Deciding(compiled(guarded(plain)))
    gc.disable()
    for number in range(rounds):
        without.one(number)
        under.one(number)
    bare, all_ = spread(without.times)[0], spread(under.times)[0]
    added = all_ - bare
    print(f"decide: {bare:.1f} µs without, {all_:.1f} µs with; {under.marks} marks a call")
    figure = f"{added:.1f} µs added to {bare:.1f} µs at p50"
    goal = f"≤ {ADDED_MAX_US:g} µs added at p50: {MONITORS} monitors, {BUDGETS} budgets, {GUARANTEES} guarantees"
    return say(figure, goal, passed=added <= ADDED_MAX_US)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
