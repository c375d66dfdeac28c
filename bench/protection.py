"""What protection at run time adds to one decision: the same action judged with it and without, turn by turn.

Measured is the step without an await: what is looked up for the snapshot, `decide`, and what memory counts of it. Each
part is added to the bundle by itself, and all of them together; every verdict is checked. The difference of medians
within one process says what a part costs, since both sides had the same machine.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bench.decide import NOW_MS, asked, catalog, loop_ns
from proof.verdict import say
from remit.adapters.system import settle_collector
from remit.facts.breaker import Breaker, On, Over
from remit.facts.budget import Budget, Measure, Per
from remit.facts.impact import Counts, Extractor
from remit.facts.session import Session
from remit.pdp.decide import decide
from remit.pdp.snapshot import Pin, Snapshot
from remit.pep.bounds import Bounds
from remit.pep.purse import Purse
from remit.pep.taking import append_of
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.policy.verdict import Permit
from remit.protect.breakers import Panel
from remit.trace.bodies import ActionBody

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from remit.facts.action import Action
    from remit.facts.catalog import Catalog

POLICIES: Final = 1_000
BUDGETS: Final = 20
CONCERNED: Final = 3
DAY_S: Final = 86_400
ADDED_MAX_US: Final = 15.0
PLENTY: Final = 10**15


def plain(found: Catalog) -> Catalog:
    """Nothing is added."""
    return found


def with_budgets(found: Catalog) -> Catalog:
    """BUDGETS, of which CONCERNED count the action: its calls, its agent's money, the fleet's tokens."""
    mine = [
        Budget("calls", Measure.CALLS, Per.TOOL, None, PLENTY, DAY_S, tools=frozenset({"shop/t0"})),
        Budget("money", Measure.AMOUNT, Per.AGENT, "ada", PLENTY, DAY_S, tools=frozenset({"shop/t0"})),
        Budget("tokens", Measure.TOKENS, Per.FLEET, None, PLENTY, DAY_S, tools=frozenset({"shop"})),
    ]
    others = [
        Budget(f"other-{n}", Measure.CALLS, Per.FLEET, None, PLENTY, DAY_S, tools=frozenset({f"shop/t{n}"}))
        for n in range(1, 1 + BUDGETS - CONCERNED)
    ]
    tool = replace(found.tools["shop", "t0"], impact={"amount": Extractor("$.amount", Counts.NUMBER)})
    tools = {**found.tools, ("shop", "t0"): tool}
    return replace(found, tools=tools, budgets={one.name: one for one in (*mine, *others)})


def with_breakers(found: Catalog) -> Catalog:
    """One of each kind, all of them over the action, none of them tripped."""
    kinds = [(on, Over.SERVER if on is On.CASCADE else Over.AGENT) for on in On]
    return replace(found, breakers={on.value: Breaker(on.value, on, over, None, 100) for on, over in kinds})


PARTS: Final[tuple[tuple[str, Callable[[Catalog], Catalog]], ...]] = (
    ("budgets", with_budgets),
    ("breakers", with_breakers),
)
"""What is added, each to what was there before."""


@dataclass(slots=True)
class Side:
    """One bundle with what memory has beside it."""

    bundle: Bundle
    bounds: Bounds
    purse: Purse
    panel: Panel | None
    taken: list[int]
    wrong: int = 0

    def judge(self, action: Action, sessions: tuple[Session, ...], number: int) -> None:
        """One action through the step, timed."""
        bounds, panel, bundle = self.bounds, self.panel, self.bundle
        begun = time.perf_counter_ns()
        tool = bundle.catalog.tools.get((action.server, action.name))
        draws = self.purse.draws(bundle, bounds.accounts, action, tool, NOW_MS)
        broken = () if panel is None else bounds.fuses.look(panel, action, number / 100)
        snapshot = Snapshot(bundle, sessions, Pin.MATCHES, draws=draws, broken=broken)
        decision = decide(snapshot, action, NOW_MS)
        ran = isinstance(decision.verdict, Permit)
        body = append_of(decision).body
        if isinstance(body, ActionBody) and body.charges:
            for charge in body.charges:
                bounds.accounts.charge(charge.account, charge.since_ms, charge.units)
        if panel is not None:
            bounds.fuses.judged(panel, action, "r1-1.1", broken, number / 100, denied=False, ran=ran)
        self.taken.append(time.perf_counter_ns() - begun)
        self.wrong += not ran

    @property
    def p50_us(self) -> float:
        """The median, in microseconds."""
        self.taken.sort()
        return self.taken[len(self.taken) // 2] / 1e3


def side(found: Catalog) -> Side:
    """`found`, compiled."""
    bundle = compile_bundle(found).result
    assert isinstance(bundle, Bundle), bundle
    return Side(bundle, Bounds(), Purse(), Panel(bundle.catalog) if bundle.catalog.breakers else None, [])


def main(argv: Sequence[str] = ()) -> int:
    """`--long`: ten times as many decisions."""
    rounds = 50_000 if "--long" in argv else 5_000
    found = catalog(POLICIES)
    sides = {"nothing": side(found)}
    whole = found
    for name, add in PARTS:
        sides[name] = side(add(found))
        whole = add(whole)
    sides["all"] = side(whole)
    sessions = (Session("s1", "ada", "uma", NOW_MS - 1_000, frozenset({"untrusted"})),)
    loops: list[int] = []
    for number in range(rounds + 200):
        if number == 200:
            settle_collector()
            for one in sides.values():
                one.taken.clear()
        given = {"order_id": f"order {number}", "to": f"a@example.org.{number}", "amount": 12.5, "note": "as agreed"}
        action = asked(given)
        for one in sides.values():
            one.judge(action, sessions, number)
        loops.append(loop_ns())
    base = sides["nothing"].p50_us
    added = {name: one.p50_us - base for name, one in sides.items() if name != "nothing"}
    loop = sorted(loops)[len(loops) // 2] / 1e3
    print(f"one decision without any: p50 {base:.1f} µs; a loop of some ten: {loop:.1f} µs")
    for name, us in added.items():
        print(f"{name:<10} adds {us:>5.1f} µs")
    wrong = sum(one.wrong for one in sides.values())
    parts = ", ".join(f"{name} {us:.1f}" for name, us in added.items())
    figure = f"added p50 in µs: {parts}; to {base:.1f}; {wrong} wrong"
    return say(figure, f"all added <= {ADDED_MAX_US:g} µs p50", passed=not wrong and added["all"] <= ADDED_MAX_US)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
