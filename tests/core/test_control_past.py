"""Monitors and guarantees as declared: what of them is refused, and what is said of what would hold nothing."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from remit.control.assemble import Assembled, AssemblyRefused, assemble
from remit.control.manifests import catalog_json, spec_json
from remit.control.problems import WorkspaceProblem
from remit.control.resources import (
    GroupSpec,
    GuaranteeSpec,
    MonitorSpec,
    ResourceKind,
    ServerSpec,
    ToolSpec,
    UserSpec,
    WindowSpec,
    WorkspaceSource,
)
from remit.facts.canonical import Json
from remit.facts.guarantee import GuaranteeRule, NoFlow, Powers, Rate, Separation
from remit.facts.impact import Extractor, ImpactMeasure
from remit.facts.monitor import EventAggregate, Happening, MonitorScope, Selector, When, Window
from remit.facts.tool import Argument, Definition
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from tests.core.declaring import declare, lock_of, small

HOUR = WindowSpec(3_600)
NONE = WindowSpec()


def definition(name: str, **properties: Json) -> Definition:
    return Definition(name, "", {"type": "object", "properties": properties}, None, {})


def select(*tools: str, **more: frozenset[str]) -> Selector:
    return Selector(frozenset(tools), **more)


def event(*tools: str, when: When = When.STARTED, path: str | None = None) -> Happening:
    return Happening(select(*tools), when, path=path, equals=True if path else None)


EXPORT = (event("crm/export"),)


def around(**declared: MonitorSpec | GuaranteeSpec) -> WorkspaceSource:
    """Agent `bot`, user `uma`, server `crm` with `export(id, pin, size, all)`, `draft(id)`, `pay(id)`."""
    text: Json = {"type": "string"}
    export = ToolSpec(
        arguments={"pin": Argument(secret=True)},
        impact={"records": Extractor("$.size", ImpactMeasure.NUMBER)},
        source=(),
    )
    lock = lock_of(
        definition("export", id=text, pin=text, size={"type": "integer"}, all={"type": "array"}),
        definition("draft", id=text),
        definition("pay", doc=text),
        server="crm",
    )
    more = [declare(name, spec, line=7) for name, spec in declared.items()]
    fixed = (
        declare("crm", ServerSpec(("x",))),
        declare("uma", UserSpec()),
        declare("night", GroupSpec()),
        declare("crm/export", export),
    )
    return small(*fixed, *more, lock=lock)


def said(source: WorkspaceSource) -> list[WorkspaceProblem]:
    made = assemble(source)
    return list(made.problems if isinstance(made, AssemblyRefused) else made.warnings)


GOOD: Mapping[str, MonitorSpec] = {
    "once": MonitorSpec(EventAggregate.ONCE, (event("crm/*", when=When.FAILED, path="$.ok"),)),
    "since": MonitorSpec(EventAggregate.SINCE, EXPORT, unless=(event("crm/draft", when=When.SUCCEEDED),)),
    "previous": MonitorSpec(EventAggregate.PREVIOUS, EXPORT, MonitorScope.FLEET, HOUR, by="id"),
    "count": MonitorSpec(EventAggregate.COUNT, EXPORT, MonitorScope.FLEET, WindowSpec(3_600, 1)),
    "sums": MonitorSpec(
        EventAggregate.SUM, EXPORT, MonitorScope.FLEET, HOUR, measure="records", awaited=True, description="d"
    ),
    "keyed": MonitorSpec(EventAggregate.COUNT, (event("crm/draft", "crm/pay"),), by="id", others=(("crm/pay", "doc"),)),
    "who": MonitorSpec(
        EventAggregate.COUNT, (replace(EXPORT[0], agents=frozenset({"bot"}), groups=frozenset({"night"})),)
    ),
}


def test_what_a_monitor_may_say() -> None:
    made = assemble(around(**GOOD))
    assert isinstance(made, Assembled), made.problems
    assert made.warnings == ()
    monitors = made.catalog.monitors
    assert monitors.keys() == GOOD.keys()
    assert [monitors[name].window for name in ("once", "previous", "count")] == [
        Window(),
        Window(60_000, 60),
        Window(1_000, 3_600),
    ]
    assert {name for name, one in monitors.items() if one.awaited} == {"since", "previous", "sums"}
    assert (monitors["keyed"].cells().slots, monitors["once"].cells().slots) == (250, 1)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (replace(GOOD["once"], unless=EXPORT), "no other op has"),
        (replace(GOOD["since"], unless=()), "since has events that it is forgotten by"),
        (replace(GOOD["sums"], measure=None), "sum says what it adds up"),
        (replace(GOOD["count"], measure="records"), "no other op does"),
        (replace(GOOD["previous"], awaited=False), "previous waits for outcomes"),
        (MonitorSpec(EventAggregate.ONCE, (event("crm/export", path="$.ok"),)), "a result is there when"),
        (MonitorSpec(EventAggregate.ONCE, (event("crm/export", when=When.FAILED, path="ok"),)), "leads to no part"),
        (MonitorSpec(EventAggregate.ONCE, EXPORT, window=WindowSpec(None, 1)), "there is none"),
        (MonitorSpec(EventAggregate.ONCE, EXPORT, window=WindowSpec(0.5)), "within_s is 1 to 31622400"),
        (MonitorSpec(EventAggregate.ONCE, EXPORT, window=WindowSpec(float("nan"))), "within_s is 1 to"),
        (MonitorSpec(EventAggregate.ONCE, EXPORT, window=WindowSpec(60, float("nan"))), "step_s is at least 0.001"),
        (MonitorSpec(EventAggregate.ONCE, EXPORT, window=WindowSpec(60, 61)), "no longer than within_s"),
        (
            MonitorSpec(EventAggregate.COUNT, EXPORT, window=WindowSpec(30 * 86_400, 1)),
            "make 2592000 steps, of which at most 3600 are kept: step_s: 720 or more",
        ),
        (MonitorSpec(EventAggregate.COUNT, EXPORT, MonitorScope.FLEET, by="id"), "would be kept for ever"),
        (replace(GOOD["previous"], keys=0), "keys is 1 to 100000"),
        (replace(GOOD["previous"], keys=100_001), "keys is 1 to 100000"),
        (replace(GOOD["previous"], by="nothing"), "crm/export has no argument 'nothing'"),
        (replace(GOOD["previous"], by="pin"), "is a secret"),
        (replace(GOOD["sums"], measure="amount"), "does not say where crm/export has its amount"),
        (replace(GOOD["sums"], events=(event("crm/draft"),)), "does not say where crm/draft has its records"),
        (MonitorSpec(EventAggregate.COUNT, (event("crm/exprt"),)), "names the tool 'crm/exprt', which is not accepted"),
        (MonitorSpec(EventAggregate.COUNT, (event("cmr/*"),)), "names the tool 'cmr/*'"),
        (MonitorSpec(EventAggregate.COUNT, (replace(EXPORT[0], agents=frozenset({"bott"})),)), "names Agent 'bott'"),
        (MonitorSpec(EventAggregate.COUNT, (replace(EXPORT[0], groups=frozenset({"days"})),)), "names Group 'days'"),
        (replace(GOOD["count"], window=WindowSpec(3_600, 1), by="id", keys=100_000), "may come to hold"),
    ],
)
def test_what_a_monitor_may_not_say(spec: MonitorSpec, words: str) -> None:
    made = assemble(around(m=spec))
    assert isinstance(made, AssemblyRefused)
    assert any(words in problem.what for problem in made.errors), [problem.what for problem in made.errors]
    assert all(problem.where.line for problem in made.errors)


def test_what_would_count_nothing_is_a_warning() -> None:
    nothing = MonitorSpec(EventAggregate.COUNT, (Happening(select(tags=frozenset({"money"}))),))
    (warning,) = said(around(m=nothing))
    assert warning.code == "monitor/nothing"
    assert "Monitor 'm' means no tool here" in warning.what


def test_a_monitor_is_named_as_policies_write_it() -> None:
    (problem,) = said(small(declare("a-b", GOOD["once"])))[:1]
    assert problem.code == "name/malformed"


def guarantee(held: GuaranteeRule, window: WindowSpec = NONE, owner: str = "uma") -> GuaranteeSpec:
    kinds = {NoFlow: "no_flow", Separation: "separate", Powers: "powers", Rate: "rate"}
    return GuaranteeSpec(owner, ((kinds[type(held)], held, window),))


DUTIES = (select("crm/draft"), select("crm/pay"))
HELD: Mapping[str, GuaranteeSpec] = {
    "flow": guarantee(NoFlow(frozenset({"untrusted"}), frozenset({"external"}))),
    "duties": guarantee(Separation(DUTIES, by="id", aliases=(("crm/pay", "doc"),)), HOUR),
    "powers": guarantee(Powers((*DUTIES, select("crm/export")))),
    "rate": guarantee(Rate(select("crm/export"), 3, Window()), HOUR),
}


def test_what_a_guarantee_may_say() -> None:
    made = assemble(around(**HELD))
    assert isinstance(made, Assembled), made.problems
    assert made.warnings == ()
    assert {name: one.kind for name, one in made.catalog.guarantees.items()} == {
        "flow": "no_flow",
        "duties": "separate",
        "powers": "powers",
        "rate": "rate",
    }
    assert made.catalog.guarantees["rate"].rule == Rate(select("crm/export"), 3, Window(60_000, 60))
    assert [made.catalog.guarantees[name].cells().slots for name in HELD] == [1, 250, 2_500, 1]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (GuaranteeSpec("uma", ()), "names 0 of no_flow, separate, powers, rate"),
        (GuaranteeSpec("uma", (*HELD["flow"].holds, *HELD["rate"].holds)), "names 2 of"),
        (replace(HELD["flow"], owner="una"), "names User 'una'"),
        (guarantee(NoFlow(frozenset({"untrustd"}), frozenset({"external"}))), "nothing brings the label 'untrustd'"),
        (guarantee(Separation(DUTIES, by="id"), HOUR), "crm/pay has no argument 'id'"),
        (guarantee(Separation(DUTIES, by="id", aliases=(("crm/pay", "doc"),))), "would be kept for ever"),
        (guarantee(Separation(DUTIES, by="id", aliases=(("crm/pay", "doc"),), keys=0), HOUR), "keys is 1 to"),
        (
            guarantee(Separation((DUTIES[0], select("crm/export")), by="id", aliases=(("crm/export", "all"),)), HOUR),
            "the argument 'all' of crm/export holds several values",
        ),
        (guarantee(Separation((*DUTIES, select("crm/*")))), "does several of the duties by itself"),
        (guarantee(Separation((select("crm/nope"), *DUTIES))), "names the tool 'crm/nope'"),
        (guarantee(Powers((select("crm/nope"), *DUTIES))), "names the tool 'crm/nope'"),
        (guarantee(Rate(select("crm/nope"), 3, Window()), HOUR), "names the tool 'crm/nope'"),
        (guarantee(Rate(select("crm/pay"), -1, Window()), HOUR), "at_most is 0"),
        (guarantee(Rate(select("crm/pay"), 1, Window()), WindowSpec(0)), "within_s is 1 to"),
        (
            guarantee(Separation(DUTIES, by="id", aliases=(("crm/pay", "doc"),), keys=100_000), WindowSpec(3_600, 1)),
            "guarantee g alone",
        ),
    ],
)
def test_what_a_guarantee_may_not_say(spec: GuaranteeSpec, words: str) -> None:
    made = assemble(around(g=spec))
    assert isinstance(made, AssemblyRefused)
    assert any(words in problem.what for problem in made.errors), [problem.what for problem in made.errors]


def test_both_are_in_the_digest_and_shown_as_declared() -> None:
    plain, full = assemble(around()), assemble(around(**GOOD, **HELD))
    assert isinstance(plain, Assembled)
    assert isinstance(full, Assembled)
    before, after = compile_bundle(plain.catalog).result, compile_bundle(full.catalog).result
    assert isinstance(before, Bundle)
    assert isinstance(after, Bundle)
    assert before.digest != after.digest
    told = catalog_json(full.catalog)
    assert {name for kind, name in told if kind is ResourceKind.MONITOR} == GOOD.keys()
    assert {name for kind, name in told if kind is ResourceKind.GUARANTEE} == HELD.keys()
    assert spec_json(GOOD["previous"]) == {
        "op": "previous",
        "of": [{"tools": ["crm/export"], "when": "started"}],
        "over": "fleet",
        "within_s": 3_600,
        "by": "id",
        "keys": 1_000,
    }
    assert spec_json(GOOD["sums"])["in_flight"] == "waits"
    assert spec_json(GOOD["once"])["of"] == [
        {"tools": ["crm/*"], "when": "failed", "result": {"path": "$.ok", "equals": True}}
    ]
    assert spec_json(HELD["duties"])["separate"] == {
        "duties": [{"tools": ["crm/draft"]}, {"tools": ["crm/pay"]}],
        "over": "fleet",
        "by": "id",
        "keys": 1_000,
        "others": {"crm/pay": "doc"},
        "counts": "acting",
        "within_s": 3_600,
    }
    assert spec_json(HELD["powers"])["powers"] == {
        "all_of": [{"tools": ["crm/draft"]}, {"tools": ["crm/pay"]}, {"tools": ["crm/export"]}],
        "counts": "chain",
    }
    assert spec_json(HELD["rate"])["rate"] == {
        "of": {"tools": ["crm/export"]},
        "at_most": 3,
        "over": "fleet",
        "within_s": 3_600,
    }
    assert spec_json(HELD["flow"])["no_flow"] == {"labels": ["untrusted"], "sinks": ["external"]}
