"""What is counted of an observed call is what policy said of that agent, read back from the reasons on record."""

from dataclasses import replace
from itertools import product

import pytest

from remit.control.adoption import EXAMPLES_MAX, AdoptionTally, Observed, stopped_by
from remit.facts.action import ActionKind
from remit.facts.budget import Budget, Draw, Measure, Per
from remit.pdp.decide import decide
from remit.policy.verdict import Code, Reason, word
from tests.core.deciding import NOW, OBSERVE, action, body, bundle, catalog, decided, snapshot

SAYS = {
    "permit": '@id("p-{0}") permit (principal == Remit::Agent::"{0}", action, resource);',
    "deny": (
        '@id("p-{0}") permit (principal == Remit::Agent::"{0}", action, resource);'
        '@id("f-{0}") forbid (principal == Remit::Agent::"{0}", action, resource);'
    ),
    "none": "",
    "escalate": (
        '@id("p-{0}") permit (principal == Remit::Agent::"{0}", action, resource);'
        '@id("g-{0}") @gate("owner") forbid (principal == Remit::Agent::"{0}", action, resource);'
    ),
    "barred": '@id("g-{0}") @gate("owner") forbid (principal == Remit::Agent::"{0}", action, resource);',
}
"""What policy says of one agent, by name."""
STOPS = {
    "permit": ("", set[str | None]()),
    "deny": ("deny", {"f-{0}"}),
    "none": ("deny", {None}),
    "escalate": ("escalate", {"g-{0}"}),
    "barred": ("deny", {None}),
}


def forbids(policy: str) -> bool:
    return not policy.startswith("p-")


@pytest.mark.parametrize(("ada", "bot"), [*product(SAYS, SAYS)])
def test_of_a_chain_that_observes_each_agent_is_counted_for_itself(ada: str, bot: str) -> None:
    known = catalog().agents
    running = bundle(
        catalog(
            *(SAYS[ada].format("ada"), SAYS[bot].format("bot")),
            agents=[replace(known[name], mode=OBSERVE) for name in ("ada", "bot")],
        )
    )
    decision = decided(running, action(chain=("ada", "bot")))
    recorded = body(decision)
    assert recorded.verdict == "permit"
    assert (recorded.observed is None) == (ada == bot == "permit")
    call = Observed("r1-1.2", 5, "shop/look", ("ada", "bot"), recorded.reasons, recorded.observed or "")
    for name, says in (("ada", ada), ("bot", bot)):
        would, policies = STOPS[says]
        found, reasons = stopped_by(name, call, forbids)
        if recorded.observed is not None:
            assert {reason.policy for reason in reasons} == {p.format(name) if p else p for p in policies}
            assert not reasons or found == would
    if decision.observed is not None and "permit" in (ada, bot):
        (other,) = {STOPS[says][0] for says in (ada, bot)} - {""}
        assert word(decision.observed) == other


@pytest.mark.parametrize("says", ["deny", "none", "escalate", "barred"])
def test_an_agent_alone_needs_no_policy_texts(says: str) -> None:
    running = bundle(catalog(SAYS[says].format("ada"), agents=[replace(catalog().agents["ada"], mode=OBSERVE)]))
    recorded = body(decided(running, action()))
    call = Observed("r1-1.2", 5, "shop/look", ("ada",), recorded.reasons, recorded.observed or "")
    would, reasons = stopped_by("ada", call, lambda _: False)
    assert would == recorded.observed
    assert reasons


FEW = Budget("few", Measure.CALLS, Per.FLEET, None, 9, 86_400, 1, "owner")


@pytest.mark.parametrize(
    ("says", "would", "named"),
    [
        ("permit", "escalate", {"budget:few"}),
        ("escalate", "escalate", {"g-ada", "budget:few"}),
        ("deny", "deny", {"f-ada"}),
        ("none", "deny", {None}),
        ("barred", "deny", {None}),
    ],
)
@pytest.mark.parametrize("chain", [("ada",), ("ada", "bot")])
def test_a_budget_that_asks_people_is_named_and_counted_as_what_it_is(
    says: str, would: str, named: set[str | None], chain: tuple[str, ...]
) -> None:
    known = catalog().agents
    policies = (SAYS[says].format("ada"), SAYS["permit"].format("bot"))
    found = [replace(known[name], mode=OBSERVE) for name in ("ada", "bot")]
    running = bundle(replace(catalog(*policies, agents=found), budgets={"few": FEW}))
    tally, asked = AdoptionTally("ada"), action(chain=chain)
    for number in (3, 2):
        draw = Draw(FEW, FEW.account(""), NOW, number, 1)
        recorded = body(decide(replace(snapshot(running, asked), draws=(draw,)), asked, NOW))
        assert recorded.observed == would
        call = Observed(f"r1-1.{number}", number, "shop/look", chain, recorded.reasons, recorded.observed or "")
        assert stopped_by("ada", call, forbids)[0] == would
        tally.add(call, forbids)
    assert (tally.denied, tally.escalated) == ((2, 0) if would == "deny" else (0, 2))
    rows = {row.policy: row for row in tally.rows()}
    assert (set(rows), len(list(tally.rows()))) == (named, len(named))
    if "budget:few" in rows:
        assert "has spent 4 of" in rows["budget:few"].reason, "as the latest call found it"


@pytest.mark.parametrize(
    ("policies", "named"),
    [
        ((SAYS["permit"].format("ada"),), None),
        ((SAYS["deny"].format("ada"),), "f-ada"),
        ((), ""),
        ((SAYS["permit"].format("ada"), '@id("g") @gate("owner") forbid (principal, action, resource);'), None),
    ],
)
def test_a_list_that_would_be_empty_is_counted_apart(policies: tuple[str, ...], named: str | None) -> None:
    running = bundle(catalog(*policies, agents=[replace(catalog().agents["ada"], mode=OBSERVE)]))
    asked = replace(action("web/", {}), kind=ActionKind.READ_RESOURCE, name="", arguments=b'{"list":"resources"}')
    recorded = body(decide(snapshot(running, asked), asked, NOW))
    assert (recorded.verdict, recorded.observed) == ("permit", None if named is None else "deny")
    tally = AdoptionTally("ada")
    tally.add(Observed("r1-1.2", 5, "web (resources)", ("ada",), recorded.reasons, "deny", lists=True), forbids)
    assert (tally.denied, tally.escalated, tally.hidden) == (0, 0, 0 if named is None else 1)
    assert [(row.policy or "", row.denied, row.hidden) for row in tally.rows()] == (
        [] if named is None else [(named, 0, 1)]
    )


def test_observing_frees_nobody_else_of_its_chain_to_see_a_list() -> None:
    known = catalog().agents
    running = bundle(catalog(SAYS["permit"].format("bot"), agents=[replace(known["ada"], mode=OBSERVE), known["bot"]]))
    asked = replace(action("web/", {}, chain=("ada", "bot")), kind=ActionKind.GET_PROMPT, name="", arguments=b"{}")
    recorded = body(decide(snapshot(running, asked), asked, NOW))
    assert (recorded.verdict, recorded.observed) == ("permit", "deny")
    assert [(reason.agent, reason.code) for reason in recorded.reasons] == [
        ("bot", Code.POLICY),
        ("ada", Code.NO_POLICY),
    ]
    other = bundle(catalog(agents=[replace(known["ada"], mode=OBSERVE), known["bot"]]))
    refused = body(decide(snapshot(other, asked), asked, NOW))
    assert (refused.verdict, refused.observed, {reason.agent for reason in refused.reasons}) == ("deny", None, {"bot"})


def test_a_policy_whose_text_is_lost_counts() -> None:
    reason = Reason(Code.POLICY, "not this", "x", None, "ada")
    call = Observed("r1-1.2", 5, "shop/look", ("ada", "bot"), (reason,), "deny")
    assert stopped_by("ada", call, lambda _: True) == ("deny", (reason,))
    assert stopped_by("bot", call, lambda _: True) == ("escalate", ())


def test_calls_count_once_policies_each_and_examples_are_the_latest() -> None:
    tally = AdoptionTally("ada")
    deny = (Reason(Code.POLICY, "one", "a", "a.cedar:1", "ada"), Reason(Code.POLICY, "two", "b", "a.cedar:2", "ada"))
    asks = (Reason(Code.GATE, "three", "c", "a.cedar:3", "ada"), Reason(Code.POLICY, "may", "p", None, "ada"))
    for number in range(9, 4, -1):
        tally.add(Observed(f"r1-1.{number}", number, f"shop/{number % 2}", ("ada",), deny, "deny"), forbids)
    tally.add(Observed("r1-1.4", 4, "shop/look", ("ada",), asks, "escalate"), forbids)
    tally.add(Observed("r1-1.3", 3, "shop/look", ("ada", "bot"), (replace(deny[0], agent="bot"),), "deny"), forbids)
    assert (tally.denied, tally.escalated) == (5, 1)
    a, b, c = tally.rows()
    assert [(row.policy, row.denied, row.escalated) for row in (a, b, c)] == [("a", 5, 0), ("b", 5, 0), ("c", 0, 1)]
    assert a.examples == ["r1-1.9", "r1-1.8", "r1-1.7"]
    assert len(a.examples) == EXAMPLES_MAX
    assert (a.last_ms, a.tools, a.where, a.reason) == (9, {"shop/0", "shop/1"}, "a.cedar:1", "one")
