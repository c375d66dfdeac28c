"""Compiling: all problems at once, a cache that changes nothing, a digest that misses nothing."""

from dataclasses import replace
from typing import Any

import pytest

from remit.facts.agent import Agent, Harness, Mode, User
from remit.facts.catalog import Catalog, Http, PolicySource, Route, Server, Stdio
from remit.facts.credential import FromEnv, Secret
from remit.facts.tool import Argument, Tool
from remit.policy import cedar, checks, lint
from remit.policy.compile import Bundle, compile_bundle
from remit.policy.entities import catalog_entities, self_test
from remit.policy.lint import Findings
from remit.policy.parse import Statement
from remit.policy.schema import cedar_schema
from remit.policy.verdict import Deny, Permit
from tests.core.deciding import action, bundle, catalog, codes, decided, problems, schema, tool

GOOD = '@id("p") permit (principal, action, resource);'
BAD = '@id("q") permit (principal in Remit::Group::"nobody", action, resource);'


def test_every_problem_is_found_in_one_go() -> None:
    found = problems(catalog(GOOD, BAD, "nonsense;", '@id("p") forbid (principal, action, resource);'))
    assert [problem.file for problem in found] == ["policies/p1.cedar", "policies/p2.cedar", "policies/p3.cedar"]


def test_what_was_found_is_not_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = compile_bundle(catalog(GOOD, BAD))
    assert not isinstance(first.result, Bundle)
    assert len(first.memory.validated) == 1
    digest = bundle(GOOD).digest
    asked: list[str] = []

    def noted(statement: Statement, *_: object) -> Findings:
        asked.append(statement.text)
        return lint.NONE

    monkeypatch.setattr(checks, "form_of", noted)
    monkeypatch.setattr(checks, "lint", noted)
    again = compile_bundle(catalog(GOOD), memory=first.memory)
    assert isinstance(again.result, Bundle)
    assert asked == []
    assert again.memory.validated == first.memory.validated
    assert again.result.digest == digest


def test_what_is_remembered_spares_validation_and_a_new_schema_voids_it() -> None:
    """A key that lies shows that it is read; with another tool it no longer fits."""
    honest = compile_bundle(catalog(GOOD)).memory
    lying = compile_bundle(catalog(BAD.replace("nobody", "support"))).memory
    wrong = BAD.replace('in Remit::Group::"nobody"', 'in Remit::Group::"support"')
    both = replace(honest, validated=lying.validated | honest.validated)
    assert isinstance(compile_bundle(catalog(wrong), memory=both).result, Bundle)
    other = compile_bundle(catalog(GOOD, tools=[tool("shop", "new")]), memory=honest)
    assert other.memory.validated.isdisjoint(honest.validated)
    assert other.memory.plain.isdisjoint(honest.plain)


def test_a_lint_error_is_found_even_where_validation_is_remembered() -> None:
    text = '@id("p") permit (principal == Remit::Agent::"ada", action, resource);'
    known = compile_bundle(catalog(text)).memory
    less = catalog(text)
    less = replace(less, agents={name: agent for name, agent in less.agents.items() if name != "ada"})
    assert not isinstance(compile_bundle(less, memory=known).result, Bundle)


def test_a_warning_is_told_each_time_and_a_problem_stays_one() -> None:
    odd = '@id("p") @whim("x") permit (principal, action, resource);'
    first = compile_bundle(catalog(odd))
    again = compile_bundle(catalog(odd), memory=first.memory)
    assert [one.text for one in again.warnings] == [one.text for one in first.warnings] != []
    refused = compile_bundle(catalog(BAD, "permit"))
    assert compile_bundle(catalog(BAD, "permit"), memory=refused.memory).result == refused.result


def test_each_policy_is_a_step_that_is_told() -> None:
    told: list[tuple[int, int]] = []
    compile_bundle(catalog(GOOD, BAD), progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (0, 2), (1, 2), (2, 2)]


BASE = catalog(GOOD)
NEW = tool("shop", "new")
BARE = Tool("shop", NEW.definition, NEW.pin)
CHANGES: list[Catalog] = [
    replace(BASE, policies=(PolicySource("policies/p0.cedar", GOOD + " "),)),
    replace(BASE, policies=(PolicySource("policies/p1.cedar", GOOD),)),
    replace(BASE, groups=frozenset({"support", "ops", "more"})),
    replace(BASE, agents={**BASE.agents, "new": Agent("new", "uma", "x")}),
    replace(BASE, agents={**BASE.agents, "ada": replace(BASE.agents["ada"], groups=frozenset())}),
    replace(BASE, agents={**BASE.agents, "ada": replace(BASE.agents["ada"], mode=Mode.OBSERVE)}),
    replace(BASE, agents={**BASE.agents, "ada": replace(BASE.agents["ada"], harness=Harness.TRUSTED)}),
    replace(BASE, users={**BASE.users, "new": User("new")}),
    replace(BASE, users={**BASE.users, "max": User("max", frozenset({"ops"}))}),
    replace(BASE, routes={**BASE.routes, "new": Route("new")}),
    replace(BASE, routes={**BASE.routes, "owner": replace(BASE.routes["owner"], count=2)}),
    replace(BASE, routes={**BASE.routes, "owner": replace(BASE.routes["owner"], requester_may_approve=True)}),
    *(
        replace(BASE, routes={**BASE.routes, "owner": replace(BASE.routes["owner"], **said)})
        for said in (
            {"distinct_groups": True},
            {"next": "owner"},
            {"next_after_s": 1.0},
            {"channels": ("hook",)},
            {"edits": True},
            {"strong": True},
            {"break_glass": frozenset({"ops"})},
        )
    ),
    replace(BASE, users={**BASE.users, "max": User("max", frozenset({"ops"}), "ana")}),
    replace(BASE, servers={**BASE.servers, "web": Server("web", Stdio(("fetch",)))}),
    replace(BASE, servers={**BASE.servers, "web": replace(BASE.servers["web"], call_s=3.0)}),
    replace(BASE, servers={**BASE.servers, "web": replace(BASE.servers["web"], verify_s=0.0)}),
    replace(BASE, servers={**BASE.servers, "web": replace(BASE.servers["web"], shared=True)}),
    replace(BASE, servers={**BASE.servers, "web": Server("web", Stdio(("fetch",), cwd="/x"))}),
    replace(BASE, servers={**BASE.servers, "web": Server("web", Stdio(("fetch",), {"A": "b"}))}),
    replace(BASE, servers={**BASE.servers, "web": Server("web", Stdio(("fetch",), {"A": Secret(FromEnv("B"))}))}),
    replace(BASE, servers={**BASE.servers, "web": Server("web", Http("http://127.0.0.1:9", private=True))}),
    replace(BASE, agents={**BASE.agents, "ada": replace(BASE.agents["ada"], owner="max")}),
    replace(BASE, agents={**BASE.agents, "ada": replace(BASE.agents["ada"], purpose="else")}),
    replace(BASE, session_hours_max=1.0),
    replace(BASE, tools={**BASE.tools, ("shop", "look"): tool("shop", "look", source=("untrusted",))}),
    replace(BASE, tools={**BASE.tools, ("shop", "look"): tool("shop", "look", tags=("t",))}),
    replace(
        BASE,
        tools={
            **BASE.tools,
            ("shop", "look"): replace(tool("shop", "look"), arguments={"free": Argument(secret=True)}),
        },
    ),
    *(replace(BASE, tools={**BASE.tools, ("shop", "new"): one}) for one in (BARE, replace(BARE, catalogued=True))),
    replace(BASE, tools={key: item for key, item in BASE.tools.items() if key != ("shop", "look")}),
]


def test_the_digest_names_everything_a_verdict_hangs_on() -> None:
    digests = {bundle(changed).digest for changed in CHANGES}
    assert len(digests) == len(CHANGES)
    assert bundle(BASE).digest not in digests
    assert bundle(BASE).digest == bundle(catalog(GOOD)).digest
    assert bundle(BASE).digest.startswith("sha256:")


def test_the_empty_catalog_compiles() -> None:
    empty = Catalog({}, {}, frozenset(), {}, {}, {}, ())
    assert bundle(empty).policies == {}


def test_policies_may_be_written_before_their_tools() -> None:
    text = (
        '@id("a") forbid (principal, action in Remit::Action::"effect:irreversible", resource) '
        "when { context.inputSize > 3 };"
    )
    assert bundle(Catalog({}, {}, frozenset(), {}, {}, {}, (PolicySource("p.cedar", text),))).policies


def test_an_agent_in_a_group_that_is_not_there_is_a_problem() -> None:
    lost = replace(BASE, agents={"ada": Agent("ada", "uma", "x", frozenset({"nowhere"}))})
    (problem,) = problems(lost)
    assert "nowhere" in problem.text


def test_two_tools_under_one_name_are_both_quarantined() -> None:
    odd = "a b"
    twin = tool("shop", odd).exposed.removeprefix("shop___")
    running = bundle(catalog(GOOD, tools=[tool("shop", odd), tool("shop", twin)]))
    assert set(running.quarantined) == {("shop", odd), ("shop", twin)}
    assert all("exposed as" in why for why in running.quarantined.values())


@pytest.mark.parametrize("mistake", ["no schema", "no agent", "none"])
def test_the_self_test_notices_when_groups_are_switched_off(mistake: str) -> None:
    """The three ways of examples/README trap 3, of which `cedar` leaves two open to code."""
    running = bundle(GOOD)
    form = running.tools["shop", "refund"]
    agent = running.catalog.agents["ada"]
    entities = running.entities
    if mistake == "no agent":
        entities = catalog_entities(replace(running.catalog, agents={}), running.schema)
    if mistake == "no schema":
        without: Any = cedar.Entities
        entities = without.from_json_str('[{"uid": {"type": "Remit::Agent", "id": "ada"}, "attrs": {}, "parents": []}]')
    assert bool(list(self_test(form, agent, running.schema, entities))) is (mistake != "none")
    assert list(self_test(None, agent, running.schema, entities)) == []
    assert list(self_test(form, None, running.schema, entities)) == []


def test_the_self_test_runs_on_a_quarantined_tool_too() -> None:
    only = replace(catalog(GOOD), tools={("shop", "odd"): tool("shop", "odd", {"$ref": "#"})})
    assert list(bundle(only).quarantined) == [("shop", "odd")]


def test_arguments_of_every_tool_can_be_named() -> None:
    schema_of = cedar_schema(BASE, {}, ("a",))
    cedar.schema_of(schema_of)
    running = bundle(catalog(GOOD, tools=[tool("shop", "t", schema(zeta={"type": "string"}))]))
    assert {"zeta", "order_id", "free"} <= {name for form in running.tools.values() for name in form.arguments}


def test_a_misplaced_forbid_reaches_nobody_and_a_slice_is_made_once() -> None:
    running = bundle(GOOD, '@id("f") forbid (principal, action == Remit::Action::"shop___look", resource);')
    assert decided(running, action()).verdict == Permit()
    look = decided(running, action("shop/look", {}))
    assert (look.verdict, codes(look)) == (Deny(), {"policy"})
    refund = running.tools["shop", "refund"].tool
    assert running.slice_of(refund) is running.slice_of(refund)
    form = running.tools["shop", "refund"]
    assert running.destination(form) is running.destination(form)
    assert list(running.slice_of(refund).policies) == ["p"]
