"""What changes between bundles, and how resources are shown."""

from dataclasses import replace

import pytest
from hypothesis import given

from remit.control.assemble import Assembled, assemble
from remit.control.diff import ResourceChange, ResourceOp, Side, diff
from remit.control.lock import Lock
from remit.control.manifests import HIDDEN, BundlePolicyText, catalog_json, manifest, manifest_entries, spec_json
from remit.control.problems import SourceLocation
from remit.control.resources import (
    NO_WINDOW,
    AdmissionSpec,
    AgentSpec,
    BreakerSpec,
    BudgetSpec,
    ChannelSpec,
    GroupSpec,
    GuaranteeSpec,
    MonitorSpec,
    PolicySpec,
    Resource,
    ResourceKind,
    RouteSpec,
    ServerSpec,
    SourceSpec,
    StoreSpec,
    ToolSpec,
    UserSpec,
    WorkspaceSource,
)
from remit.control.tables import OPTIONAL, kind_named, table
from remit.facts.admission import AdmissionTerms
from remit.facts.breaker import BreakerSubject, On
from remit.facts.budget import Measure, Per
from remit.facts.catalog import Catalog, Topic
from remit.facts.credential import FromEnv, Secret
from remit.facts.guarantee import NoFlow, Separation
from remit.facts.monitor import EventAggregate as MonitorOp
from remit.facts.monitor import Happening, Selector
from remit.facts.source import Watches
from remit.facts.store import StoreAccess
from remit.facts.tool import Argument, Effect, Sink
from tests.core.declaring import NOW, declare, lock_of, small, valid_sources

TIME = declare("time", ServerSpec(command=("mcp-server-time", "-v"), env={"TOKEN": "s3cret"}))
STAFF = declare("staff", GroupSpec("people"))
KIM = declare("kim", UserSpec(("staff",)))


def assembled(source: WorkspaceSource) -> Catalog:
    """The catalog of a workspace that must assemble."""
    found = assemble(source)
    assert isinstance(found, Assembled), found.problems
    return found.catalog


def catalog(*resources: Resource, lock: Lock | None = None) -> Catalog:
    """The catalog of a small workspace in which `now` is accepted."""
    return assembled(small(*resources, lock=lock_of(NOW) if lock is None else lock))


def between(before: Catalog, after: Catalog) -> tuple[ResourceChange, ...]:
    """The difference of two catalogs without policies."""
    return diff(Side(before, {}), Side(after, {}))


@given(valid_sources, valid_sources)
def test_a_difference_is_empty_exactly_when_what_runs_is_the_same(one: WorkspaceSource, two: WorkspaceSource) -> None:
    before, after = assembled(one), assembled(two)
    assert between(before, before) == ()
    found = between(before, after)
    old, new = catalog_json(before), catalog_json(after)
    assert {(change.kind, change.name) for change in found} == {
        key for key in old.keys() | new.keys() if old.get(key) != new.get(key)
    }
    assert {change.op for change in found if (change.kind, change.name) not in old} <= {ResourceOp.ADD}
    assert {change.op for change in found if (change.kind, change.name) not in new} <= {ResourceOp.REMOVE}


@pytest.mark.parametrize(
    ("after", "op", "kind", "name", "lines"),
    [
        ((TIME, STAFF, KIM, declare("ana", UserSpec())), ResourceOp.ADD, ResourceKind.USER, "ana", ()),
        ((TIME, STAFF), ResourceOp.REMOVE, ResourceKind.USER, "kim", ()),
        (
            (TIME, STAFF, declare("kim", UserSpec())),
            ResourceOp.CHANGE,
            ResourceKind.USER,
            "kim",
            ('/groups: [-"staff"-]',),
        ),
        (
            (TIME, STAFF, KIM, declare("time/now", ToolSpec(Effect.READ, Sink.NONE))),
            ResourceOp.CHANGE,
            ResourceKind.TOOL,
            "time/now",
            (
                "/catalogued: [-false-]{+true+}",
                '/effect: [-"irreversible"-]{+"read"+}',
                '/sink: [-"external"-]{+"none"+}',
            ),
        ),
        (
            (declare("time", ServerSpec(("mcp-server-time", "-v"), {"TOKEN": "other"})), STAFF, KIM),
            ResourceOp.CHANGE,
            ResourceKind.SERVER,
            "time",
            (f'/env/TOKEN: [-"{HIDDEN}"-]{{+"{HIDDEN}"+}}',),
        ),
        (
            (declare("time", ServerSpec(("mcp-server-time", "-v"), {"A": "s3cret"})), STAFF, KIM),
            ResourceOp.CHANGE,
            ResourceKind.SERVER,
            "time",
            (f'/env/A: {{+"{HIDDEN}"+}}', f'/env/TOKEN: [-"{HIDDEN}"-]'),
        ),
    ],
)
def test_each_change_is_shown_by_field(
    after: tuple[Resource, ...], op: ResourceOp, kind: ResourceKind, name: str, lines: tuple[str, ...]
) -> None:
    (change,) = between(catalog(TIME, STAFF, KIM), catalog(*after))
    assert change == ResourceChange(op, kind, name, lines)
    assert change.text == f"{op} {kind} {name}"
    assert change.to_json()["lines"] == list(lines)


def test_a_route_changes_by_field() -> None:
    before = catalog(KIM, STAFF, declare("r", RouteSpec((), ("kim",))))
    (change,) = between(before, catalog(KIM, STAFF, declare("r", RouteSpec(("staff",), ("kim",), hold_s=5.0))))
    assert change.lines == ('/groups: {+"staff"+}', "/hold_s: [-30.0-]{+5.0+}")


def test_no_secret_is_shown_when_a_transport_changes() -> None:
    net = declare("time", ServerSpec(url="https://h/mcp"))
    (change,) = between(catalog(TIME), catalog(net))
    assert "s3cret" not in str(change.lines)
    assert any("https://h/mcp" in line for line in change.lines)


def test_a_changed_pin_shows_the_word_and_a_moved_parent_shows_the_members() -> None:
    other = lock_of(replace(NOW, description="Tells the hour in a zone."))
    (change,) = between(catalog(TIME), catalog(TIME, lock=other))
    assert change.lines == ("/definition/description: Tells the [-time-]{+hour+} in a zone.",)
    sub = declare("sub", GroupSpec("", ("staff",)))
    ana = declare("ana", UserSpec(("sub",)))
    moved = between(catalog(TIME, STAFF, ana, sub), catalog(TIME, STAFF, ana, declare("sub", GroupSpec())))
    assert [(one.name, one.lines) for one in moved] == [("ana", ('/groups: [-"staff"-]',))]


def test_policies_differ_by_id_and_line() -> None:
    base = catalog()
    before = Side(base, {"a": "permit (\n  principal\n);", "b": "x;", "gone": "g;"})
    after = Side(base, {"a": "permit (\n  principal == X\n);", "b": "x;", "new": "n\u202e;"})
    assert [(c.op, c.name, c.lines) for c in diff(before, after)] == [
        (ResourceOp.CHANGE, "a", (" permit (", "-  principal", "+  principal == X", " );")),
        (ResourceOp.REMOVE, "gone", ("-g;",)),
        (ResourceOp.ADD, "new", (r"+n\u{202e};",)),
    ]
    hours = diff(before, Side(replace(base, session_hours_max=1.0), before.policies))
    assert hours[0].lines == ("24 -> 1",)


def test_manifests_read_as_they_were_written_and_hide_secrets() -> None:
    lock = lock_of(NOW)
    entry = declare("time/now", ToolSpec(Effect.READ, source=("untrusted:web",)), 3)
    labelled = replace(KIM, labels={"team": "a"}, annotations={"note": "b"})
    source = small(TIME, STAFF, labelled, entry, lock=lock)
    running = catalog(TIME, STAFF, labelled, entry)
    (server,) = manifest_entries(ResourceKind.SERVER, source, running, {})
    assert server.manifest["spec"] == {
        "command": ["mcp-server-time", "-v"],
        "env": {"TOKEN": HIDDEN},
        "shared": False,
        "verify_s": 1.0,
        "call_s": 60.0,
    }
    (user,) = manifest_entries(ResourceKind.USER, source, running, {})
    assert user.manifest["metadata"] == {"name": "kim", "labels": {"team": "a"}, "annotations": {"note": "b"}}
    assert user.manifest["status"] == {"groups": ["everyone", "staff"]}
    assert manifest(KIM)["status"] == {}
    (tool,) = manifest_entries(ResourceKind.TOOL, source, running, {})
    assert tool.manifest["spec"] == {
        "effect": "read",
        "sink": "external",
        "source": ["untrusted", "untrusted:web"],
        "tags": [],
    }
    assert (tool.name, tool.where) == ("time/now", SourceLocation("a.yaml", 3))
    (bare,) = manifest_entries(ResourceKind.TOOL, small(TIME, lock=lock), catalog(TIME), {})
    assert bare.where is None
    policies = {"p": BundlePolicyText("permit;", SourceLocation("p.cedar", 2))}
    (policy,) = manifest_entries(ResourceKind.POLICY, source, running, policies)
    assert policy.manifest["spec"] == {"cedar": "permit;"}
    (agent,) = manifest_entries(ResourceKind.AGENT, source, running, {})
    assert agent.manifest["status"] == {"groups": ["everyone"]}


def test_what_is_said_of_arguments_is_shown_and_compared() -> None:
    said = ToolSpec(arguments={"zone": Argument(secret=True)})
    entry = declare("time/now", said)
    (tool,) = manifest_entries(ResourceKind.TOOL, small(TIME, entry, lock=lock_of(NOW)), catalog(TIME, entry), {})
    spec = tool.manifest["spec"]
    assert isinstance(spec, dict)
    assert spec["arguments"] == {"zone": {"secret": True}} == spec_json(said)["arguments"]
    (change,) = diff(Side(catalog(TIME, declare("time/now", ToolSpec())), {}), Side(catalog(TIME, entry), {}))
    assert change.text == "change Tool time/now"
    assert any("zone" in line for line in change.lines)


def test_the_store_of_a_tool_is_shown_and_compared() -> None:
    said = ToolSpec(Effect.WRITE, store=StoreSpec(("zone",), access=StoreAccess.WRITE))
    entry = declare("time/now", said)
    assert spec_json(said)["store"] == {"keys": ["zone"], "access": "write"}
    (tool,) = manifest_entries(ResourceKind.TOOL, small(TIME, entry, lock=lock_of(NOW)), catalog(TIME, entry), {})
    spec = tool.manifest["spec"]
    assert isinstance(spec, dict)
    assert spec["store"] == {"keys": ["zone"], "name": "time", "access": "write"}
    for other, access in ((StoreSpec(), "both"), (StoreSpec(access=StoreAccess.READ), "read")):
        (change,) = diff(
            Side(catalog(TIME, declare("time/now", ToolSpec(Effect.WRITE, store=other))), {}),
            Side(catalog(TIME, entry), {}),
        )
        assert change.text == "change Tool time/now"
        (tool,) = manifest_entries(
            ResourceKind.TOOL,
            small(TIME, lock=lock_of(NOW)),
            catalog(TIME, declare("time/now", ToolSpec(Effect.WRITE, store=other))),
            {},
        )
        spec = tool.manifest["spec"]
        assert isinstance(spec, dict)
        assert spec["store"] == {"name": "time", "access": access}


def test_specs_leave_out_what_was_left_out() -> None:
    assert spec_json(ToolSpec()) == {"tags": [], "description": ""}
    assert spec_json(ServerSpec(url="https://h/mcp"))["url"] == "https://h/mcp"
    assert spec_json(PolicySpec("x;")) == {"cedar": "x;"}
    assert spec_json(GroupSpec("d", ("a",))) == {"description": "d", "groups": ["a"]}
    assert spec_json(RouteSpec())["count"] == 1
    assert spec_json(AgentSpec("o", "p"))["mode"] == "enforce"
    apart = Separation((Selector(frozenset({"a/b"})), Selector(frozenset({"a/c"}))))
    told = spec_json(GuaranteeSpec("o", (("separate", apart, NO_WINDOW),)))["separate"]
    assert isinstance(told, dict)
    assert "by" not in told


HOME = NoFlow(frozenset({"confidential"}), frozenset({"external"}))


def test_tables_hold_a_cell_for_each_column() -> None:
    lock = lock_of(NOW)
    route = declare("r", RouteSpec((), ("kim",)))
    told = (
        declare("hook", ChannelSpec("https://hooks.example/", Secret(FromEnv("HOOK")), (Topic.DRIFT,))),
        declare("shop", SourceSpec(Watches.REPOSITORY, "/srv/shop")),
        declare("few", BudgetSpec(Measure.CALLS, Per.AGENT, 3, 60, "bot", 2, "r")),
        declare("loops", BreakerSpec(On.IDENTICAL, BreakerSubject.AGENT, 3, "bot")),
        declare("paid", MonitorSpec(MonitorOp.ONCE, (Happening(Selector(tags=frozenset({"pay"}))),))),
        declare("home", GuaranteeSpec("kim", (("no_flow", HOME, NO_WINDOW),))),
        declare("all", AdmissionSpec(AdmissionTerms("kim"))),
    )
    source, running = small(TIME, STAFF, KIM, route, *told, lock=lock), catalog(TIME, STAFF, KIM, route, *told)
    policies = {"p": BundlePolicyText("permit;", SourceLocation("p.cedar", 2))}
    assert {(ResourceKind.BUDGET, "few"), (ResourceKind.BREAKER, "loops")} <= catalog_json(running).keys()
    for kind in ResourceKind:
        items = manifest_entries(kind, source, running, policies)
        found = table(kind, [(one.manifest, str(one.where) if one.where else None) for one in items])
        assert found.rows
        assert found.columns[0] == "name"
        assert {*found.columns, *found.wide} <= set(found.rows[0]), kind
    (row,) = table(ResourceKind.SERVER, [(manifest(TIME), None)]).rows
    assert (row["reached"], row["where"]) == ("mcp-server-time -v", "-")
    (row,) = table(ResourceKind.SERVER, [(manifest(declare("n", ServerSpec(url="https://h"))), "a.yaml:1")]).rows
    assert (row["reached"], row["where"]) == ("https://h", "a.yaml:1")
    assert table(ResourceKind.USER, [({}, None)]).rows == ({**dict.fromkeys(OPTIONAL), "reached": "", "where": "-"},)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("agent", ResourceKind.AGENT),
        ("Policies", ResourceKind.POLICY),
        ("ROUTES", ResourceKind.ROUTE),
        ("policys", ResourceKind.POLICY),
        ("x", None),
    ],
)
def test_kinds_have_the_names_people_type(word: str, kind: ResourceKind | None) -> None:
    assert kind_named(word) is kind
