"""Budget resources: what is wrong with one is said where it stands, and what is right is what runs."""

import pytest

from remit.control.assemble import Assembled, AssemblyRefused, assemble
from remit.control.resources import (
    BudgetSpec,
    GroupSpec,
    Resource,
    ResourceKind,
    RouteSpec,
    ServerSpec,
    ToolSpec,
    UserSpec,
)
from remit.facts.budget import RESULT_TOKENS, Budget, Measure, Per
from remit.facts.tool import Effect
from remit.policy.compile import Bundle, compile_bundle
from tests.core.declaring import NOW, declare, lock_of, small

CALLS, AMOUNT, TOKENS = Measure.CALLS, Measure.AMOUNT, Measure.TOKENS
FLEET, AGENT, GROUP, USER, TOOL = Per.FLEET, Per.AGENT, Per.GROUP, Per.USER, Per.TOOL
DAY = 86_400


def made(spec: BudgetSpec, *more: Resource) -> Assembled | AssemblyRefused:
    people = (declare("ann", UserSpec(("fin",))), declare("fin", GroupSpec()))
    route = declare("owner", RouteSpec(users=("ann",), requester_may_approve=True))
    server = declare("time", ServerSpec(("time",)))
    return assemble(small(*people, route, server, declare("b", spec), *more, lock=lock_of(NOW)))


def found(spec: BudgetSpec) -> list[tuple[str, str]]:
    result = made(spec)
    problems = result.problems if isinstance(result, AssemblyRefused) else result.warnings
    return [(one.code, one.what) for one in problems if one.code != "workspace/no-agents"]


@pytest.mark.parametrize(
    ("spec", "code", "word"),
    [
        (BudgetSpec(CALLS, FLEET, -1, DAY), "budget/shape", "from 0"),
        (BudgetSpec(CALLS, FLEET, 10**13, DAY), "budget/shape", "from 0"),
        (BudgetSpec(CALLS, FLEET, float("nan"), DAY), "budget/shape", "from 0"),
        (BudgetSpec(CALLS, FLEET, 1.5, DAY), "budget/shape", "whole number"),
        (BudgetSpec(AMOUNT, FLEET, 1.00001, DAY), "budget/shape", "four decimal places"),
        (BudgetSpec(CALLS, FLEET, 3, 0), "budget/shape", "window"),
        (BudgetSpec(CALLS, FLEET, 3, 367 * DAY), "budget/shape", "window"),
        (BudgetSpec(CALLS, FLEET, 3, DAY, soft=3, route="owner"), "budget/shape", "has to be below the hard one"),
        (BudgetSpec(CALLS, FLEET, 3, DAY, soft=1), "budget/shape", "has a route"),
        (BudgetSpec(CALLS, FLEET, 3, DAY, route="owner"), "budget/shape", "has a route"),
        (BudgetSpec(CALLS, FLEET, 3, DAY, soft=1, route="x"), "reference/unknown", "Route"),
        (BudgetSpec(CALLS, FLEET, 3, DAY, of="ann"), "budget/shape", "everybody"),
        (BudgetSpec(CALLS, GROUP, 3, DAY), "budget/shape", "names it"),
        (BudgetSpec(CALLS, GROUP, 3, DAY, of="x"), "reference/unknown", "Group"),
        (BudgetSpec(CALLS, AGENT, 3, DAY, of="x"), "reference/unknown", "Agent"),
        (BudgetSpec(CALLS, USER, 3, DAY, of="x"), "reference/unknown", "User"),
        (BudgetSpec(CALLS, TOOL, 3, DAY, of="time/x"), "reference/unknown", "Tool"),
        (BudgetSpec(CALLS, FLEET, 3, DAY, tools=("time/x",)), "reference/unknown", "Tool"),
        (BudgetSpec(CALLS, FLEET, 3, DAY, tools=("x",)), "reference/unknown", "Server"),
        (BudgetSpec(AMOUNT, FLEET, 3, DAY, tools=("time/now",)), "budget/uncounted", "amount of time/now"),
        (BudgetSpec(AMOUNT, FLEET, 3, DAY, tools=("time",)), "budget/uncounted", "amount of time/now"),
        (BudgetSpec(CALLS, FLEET, 3, DAY, each=5), "budget/shape", "budget of tokens"),
        (BudgetSpec(TOKENS, FLEET, 3, DAY, each=0), "budget/shape", "1 to"),
    ],
)
def test_what_is_wrong_is_said(spec: BudgetSpec, code: str, word: str) -> None:
    [(said, what)] = found(spec)
    assert said == code
    assert word in what


def test_what_is_right_runs_and_is_in_the_digest() -> None:
    right = BudgetSpec(AMOUNT, GROUP, 10.5, DAY, "fin", 2, "owner", ("time",))
    running = made(right, declare("time/now", ToolSpec(effect=Effect.READ)))
    assert isinstance(running, Assembled)
    assert running.catalog.budgets["b"] == Budget(
        "b", AMOUNT, GROUP, "fin", 105_000, DAY, 20_000, "owner", frozenset({"time"}), RESULT_TOKENS
    )
    assert declare("b", right).kind is ResourceKind.BUDGET
    told = running.catalog.budgets["b"].to_json()
    assert told == {
        "measure": "amount", "per": "group", "hard": 10.5, "window_s": DAY, "of": "fin", "soft": 2, "route": "owner",
        "tools": ["time"],
    }  # fmt: skip
    tokens = made(BudgetSpec(TOKENS, USER, 7, DAY, "ann", each=5))
    assert isinstance(tokens, Assembled)
    assert tokens.catalog.budgets["b"].to_json()["each"] == 5
    bundles = [compile_bundle(one.catalog).result for one in (running, tokens)]
    assert len({one.digest for one in bundles if isinstance(one, Bundle)}) == 2
