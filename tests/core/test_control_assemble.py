"""Resources and lock to catalog, or to problems that name file, line, cause and next command."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given

from remit.control.assemble import Assembled, AssemblyRefused, assemble
from remit.control.lock import EMPTY, Lock
from remit.control.names import COUNT_MAX
from remit.control.problems import ProblemSeverity, SourceLocation, WorkspaceProblem
from remit.control.resources import (
    AgentSpec,
    ChannelSpec,
    GroupSpec,
    PolicySpec,
    Resource,
    ResourceKind,
    RouteSpec,
    ServerSpec,
    StoreSpec,
    ToolSpec,
    UserSpec,
    WorkspaceSource,
)
from remit.facts.agent import Harness, Mode
from remit.facts.canonical import Json
from remit.facts.catalog import Http, PolicySource, Stdio
from remit.facts.credential import FromEnv, Secret
from remit.facts.label import LABEL
from remit.facts.store import Store, StoreAccess
from remit.facts.tool import Argument, Effect, Sink, exposed_name
from tests.core.declaring import NOW, PERMIT, declare, lock_of, small, sources

TIME = declare("time", ServerSpec(command=("mcp-server-time",)))


def catalog_of(*resources: Resource, lock: Lock = EMPTY) -> Assembled:
    """The catalog of a small workspace that must assemble."""
    found = assemble(small(*resources, lock=lock))
    assert isinstance(found, Assembled), found.problems
    return found


def problem_of(*resources: Resource, lock: Lock = EMPTY) -> WorkspaceProblem:
    """The one error of a small workspace that must not."""
    found = assemble(small(*resources, lock=lock))
    assert isinstance(found, AssemblyRefused)
    (problem,) = found.errors
    assert str(problem).count("\n  next: ") == 1
    return problem


@given(sources)
def test_assembling_is_total_and_errors_refuse(source: WorkspaceSource) -> None:
    found = assemble(source)
    match found:
        case AssemblyRefused():
            assert found.errors
            assert list(found.problems) == sorted(found.problems, key=lambda one: one.where)
        case Assembled(catalog, warnings):
            assert all(warning.severity is ProblemSeverity.WARNING for warning in warnings)
            assert all(agent.groups <= catalog.groups for agent in catalog.agents.values())
            assert all(route.groups <= catalog.groups for route in catalog.routes.values())
            assert all(LABEL.fullmatch(label) for label in catalog.labels)
            assert {server for server, _ in catalog.tools} <= set(catalog.servers)
            assert {tool.pin for tool in catalog.tools.values()} <= {pin.pin for pin in source.lock.tools.values()}


def test_groups_are_flattened_and_hold_everyone() -> None:
    catalog = catalog_of(
        declare("ana", UserSpec(("night",))),
        declare("night", GroupSpec("", ("support",))),
        declare("support", GroupSpec("", ("staff", "everyone"))),
        declare("staff", GroupSpec()),
    ).catalog
    assert catalog.users["ana"].groups == {"night", "support", "staff", "everyone"}
    assert catalog.agents["bot"].groups == {"everyone"}
    assert catalog.groups == {"night", "support", "staff", "everyone"}


def test_deep_groups_are_flattened_without_recursion() -> None:
    chain = [declare(f"g{n}", GroupSpec("", (f"g{n + 1}",))) for n in range(900)]
    catalog = catalog_of(*chain, declare("g900", GroupSpec()), declare("ana", UserSpec(("g0",)))).catalog
    assert len(catalog.users["ana"].groups) == 902


def test_groups_in_a_circle_are_refused() -> None:
    problem = problem_of(declare("a", GroupSpec("", ("b",)), 3, spec__groups=5), declare("b", GroupSpec("", ("a",))))
    assert (problem.code, problem.what) == ("group/cycle", "groups contain each other: a -> b -> a")
    assert problem.where == SourceLocation("a.yaml", 5)
    assert problem_of(declare("a", GroupSpec("", ("a",)))).code == "group/cycle"


@pytest.mark.parametrize(
    ("resource", "what", "hint"),
    [
        (declare("ana", UserSpec(("stff",)), spec__groups__0=4), "Group 'stff'", "did you mean 'staff'?"),
        (declare("b2", AgentSpec("o", "p", ("stff",)), spec__groups=4), "Group 'stff'", "'staff'"),
        (declare("sub", GroupSpec("", ("stuff",)), 4), "Group 'stuff'", "'staff'"),
        (declare("r", RouteSpec(("stff",)), spec__groups__0=4), "Group 'stff'", "'staff'"),
        (declare("r", RouteSpec((), ("kimm",)), spec__users__0=4), "User 'kimm'", "'kim'"),
        (declare("tme/now", ToolSpec(), metadata__name=4), "of a server that is not declared", "'time'"),
    ],
)
def test_what_is_not_declared_is_named_with_its_line(resource: Resource, what: str, hint: str) -> None:
    problem = problem_of(declare("staff", GroupSpec()), declare("kim", UserSpec(("staff",))), TIME, resource)
    assert problem.code == "reference/unknown"
    assert what in problem.what
    assert hint in problem.hint
    assert problem.where == SourceLocation("a.yaml", 4)
    assert f"({problem.hint})" in str(problem)


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        (declare("everyone", GroupSpec()), "name/reserved"),
        (declare("remit", ServerSpec(url="https://h/mcp")), "name/reserved"),
        (declare("a b", UserSpec()), "name/malformed"),
        (declare("An\u200ba", UserSpec()), "name/malformed"),
        (declare("Time", ServerSpec(url="https://h/mcp")), "name/malformed"),
        (declare("bot", AgentSpec("o", "p")), "name/duplicate"),
        (declare("b2", AgentSpec(" ", "p")), "agent/empty"),
        (declare("b2", AgentSpec("o", "")), "agent/empty"),
        (declare("s", ServerSpec()), "server/transport"),
        (declare("s", ServerSpec(command=("x",), url="https://h/mcp")), "server/transport"),
        (declare("s", ServerSpec(url="https://h/mcp", cwd="/")), "server/transport"),
        (declare("s", ServerSpec(command=())), "server/command"),
        (declare("s", ServerSpec(command=("",))), "server/command"),
        (declare("s", ServerSpec(command=("x",), env={"A": "\0"})), "server/command"),
        (declare("s", ServerSpec(command=("x",), env={"1A": ""})), "server/env"),
        (declare("s", ServerSpec(url="ftp://h/mcp")), "server/url"),
        (declare("s", ServerSpec(url="https:///mcp")), "server/url"),
        (declare("s", ServerSpec(url="http://[::1/mcp")), "server/url"),
        (declare("s", ServerSpec(url="https://h:99999/mcp")), "server/url"),
        (declare("s", ServerSpec(url="https://me:pw@h/mcp")), "server/url"),
        (declare("s", ServerSpec(command=("x",), call_s=0)), "limit/number"),
        (declare("s", ServerSpec(command=("x",), verify_s=float("nan"))), "limit/number"),
        (declare("r", RouteSpec((), ("kim",), hold_s=-1)), "limit/number"),
        (declare("r", RouteSpec((), ("kim",), count=0)), "limit/number"),
        (declare("r", RouteSpec()), "route/nobody"),
        (declare("r", RouteSpec((), ("kim",), next_after_s=-1)), "limit/number"),
        (declare("r", RouteSpec((), ("kim",), next="r")), "route/next"),
        (declare("r", RouteSpec((), ("kim",), next="s")), "reference/unknown"),
        (declare("r", RouteSpec((), ("kim",), break_glass=("gone",))), "reference/unknown"),
        (declare("r", RouteSpec((), ("kim",), distinct_groups=True)), "route/groups"),
        (declare("r", RouteSpec(("everyone",), (), count=2, distinct_groups=True)), "route/groups"),
        (declare("amy", UserSpec((), "gone")), "reference/unknown"),
    ],
)
def test_what_cannot_be_is_refused(resource: Resource, code: str) -> None:
    assert problem_of(declare("kim", UserSpec()), resource).code == code


def test_a_channel_that_can_have_no_name_is_not_there_either() -> None:
    found = assemble(small(declare("kim", UserSpec()), declare("r", RouteSpec((), ("kim",), channels=("a/b",)))))
    assert isinstance(found, AssemblyRefused)
    assert sorted(problem.code for problem in found.errors) == ["name/malformed", "reference/unknown"]


def test_who_is_asked_next_and_who_somebody_is_are_declared() -> None:
    catalog = catalog_of(
        declare("kim", UserSpec()),
        declare("kim2", UserSpec((), "kim")),
        declare("a", RouteSpec((), ("kim",), next="b", channels=("hook", "hook"))),
        declare("b", RouteSpec((), ("kim",), next="c")),
        declare("c", RouteSpec(("everyone",))),
        declare("hook", ChannelSpec("https://hooks.example/", Secret(FromEnv("HOOK")))),
    ).catalog
    assert (catalog.users["kim2"].who, catalog.users["kim"].who) == ("kim", "kim")
    assert (catalog.routes["a"].next, catalog.routes["a"].channels, catalog.routes["c"].next) == ("b", ("hook",), None)


def test_a_circle_of_routes_is_told_at_each_of_them() -> None:
    found = assemble(
        small(
            declare("kim", UserSpec()),
            declare("a", RouteSpec((), ("kim",), next="b")),
            declare("b", RouteSpec((), ("kim",), next="c")),
            declare("c", RouteSpec((), ("kim",), next="b")),
        )
    )
    assert isinstance(found, AssemblyRefused)
    assert [problem.code for problem in found.errors] == ["route/next"] * 3


@pytest.mark.parametrize("name", ["time", "time/", "/now", "TIME/now"])
def test_a_tool_is_named_server_and_tool(name: str) -> None:
    found = assemble(small(TIME, declare(name, ToolSpec())))
    assert isinstance(found, AssemblyRefused)
    assert "name/malformed" in {problem.code for problem in found.errors}


def test_too_many_of_a_kind_is_said_once() -> None:
    servers = [declare(f"s{n}", ServerSpec(url="https://h/mcp")) for n in range(COUNT_MAX[ResourceKind.SERVER] + 2)]
    assert problem_of(*servers).code == "limit/count"


def test_labels_and_tags_have_rules() -> None:
    labels = ToolSpec(source=("untrustd:web", "Confidential", "untrusted:web"))
    found = assemble(small(TIME, declare("time/now", labels, spec__source__0=7), lock=lock_of(NOW)))
    assert isinstance(found, AssemblyRefused)
    assert [problem.code for problem in found.errors] == ["tool/label", "tool/label"]
    by_line = {problem.where.line: problem for problem in found.errors}
    assert by_line[7].hint == "did you mean 'untrusted'?"
    tagged = declare("time/now", ToolSpec(tags=("ok", "No")))
    assert problem_of(TIME, tagged, lock=lock_of(NOW)).code == "tool/tag"


def test_a_tool_without_an_entry_is_the_worst_case_whatever_it_claims() -> None:
    tool = catalog_of(TIME, lock=lock_of(NOW)).catalog.tools["time", "now"]
    assert NOW.annotations == {"readOnlyHint": True}
    assert (tool.effect, tool.sink, tool.source) == (Effect.IRREVERSIBLE, Sink.EXTERNAL, {"untrusted"})
    assert (tool.catalogued, tool.pin, tool.exposed) == (False, NOW.pin(), "time___now")


def test_an_entry_says_what_it_says_and_leaves_the_rest_at_the_worst() -> None:
    lock = lock_of(NOW)
    entry = declare("time/now", ToolSpec(effect=Effect.READ, tags=("clock",)))
    tool = catalog_of(TIME, entry, lock=lock).catalog.tools["time", "now"]
    assert (tool.effect, tool.sink, tool.source) == (Effect.READ, Sink.EXTERNAL, {"untrusted"})
    assert (tool.catalogued, tool.tags) == (True, {"clock"})
    whole = declare("time/now", ToolSpec(Effect.WRITE, Sink.NONE, ("untrusted:web:page",)))
    tool = catalog_of(TIME, whole, lock=lock).catalog.tools["time", "now"]
    assert tool.source == {"untrusted", "untrusted:web", "untrusted:web:page"}
    assert (tool.effect, tool.sink) == (Effect.WRITE, Sink.NONE)
    trusted = declare("time/now", ToolSpec(source=()))
    assert catalog_of(TIME, trusted, lock=lock).catalog.tools["time", "now"].source == frozenset()


def test_what_is_said_of_arguments_holds_for_arguments_that_are_there() -> None:
    zoned = replace(NOW, input_schema={"type": "object", "properties": {"zone": {"type": "string"}, "t": {}}})
    said = declare("time/now", ToolSpec(arguments={"zone": Argument(secret=True), "t": Argument()}))
    tool = catalog_of(TIME, said, lock=lock_of(zoned)).catalog.tools["time", "now"]
    assert tool.secrets == {"zone"}
    wrong = ToolSpec(arguments={"zoen": Argument(secret=True), "quite": Argument()})
    declared = declare("time/now", wrong, spec__arguments__zoen=7)
    found = assemble(small(TIME, declared, lock=lock_of(zoned)))
    assert isinstance(found, AssemblyRefused)
    assert [(one.code, one.where.line, one.hint) for one in found.errors] == [
        ("tool/argument", 1, "it has t, zone"),
        ("tool/argument", 7, "did you mean 'zone'?"),
    ]


@pytest.mark.parametrize("schema", [{"type": "object"}, {"$ref": "https://elsewhere.example/x"}])
def test_a_schema_that_names_no_arguments_may_have_any(schema: Mapping[str, Json]) -> None:
    said = declare("time/now", ToolSpec(arguments={"zone": Argument(secret=True)}))
    found = catalog_of(TIME, said, lock=lock_of(replace(NOW, input_schema=schema)))
    assert found.catalog.tools["time", "now"].secrets == {"zone"}


def test_the_store_of_a_tool_is_read_and_what_is_left_out_is_the_worst_case() -> None:
    zoned = replace(NOW, input_schema={"type": "object", "properties": {"zone": {"type": "string"}}})

    def store_of(spec: ToolSpec) -> Store | None:
        return catalog_of(TIME, declare("time/now", spec), lock=lock_of(zoned)).catalog.tools["time", "now"].store

    assert store_of(ToolSpec()) is None
    assert store_of(ToolSpec(store=StoreSpec())) == Store("time", (), reads=True, writes=True)
    assert store_of(ToolSpec(Effect.READ, store=StoreSpec(("zone",)))) == Store("time", ("zone",), writes=False)
    shared = StoreSpec(("zone",), "shared", StoreAccess.WRITE)
    assert store_of(ToolSpec(Effect.WRITE, store=shared)) == Store("shared", ("zone",), reads=False)
    odd = declare("time/now", ToolSpec(store=StoreSpec(("zone",))))
    unread = lock_of(replace(NOW, input_schema={"$ref": "https://elsewhere.example/x"}))
    assert catalog_of(TIME, odd, lock=unread).catalog.tools["time", "now"].store is not None


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        (ToolSpec(store=StoreSpec(name="No Name")), ""),
        (ToolSpec(Effect.READ, store=StoreSpec(access=StoreAccess.BOTH)), "leave spec.store.access out"),
        (ToolSpec(arguments={"zone": Argument(secret=True)}, store=StoreSpec(("zone",))), ""),
        (ToolSpec(store=StoreSpec(("zoen",))), "did you mean 'zone'?"),
        (ToolSpec(store=StoreSpec(("quite",))), "it has zone"),
    ],
)
def test_a_store_that_cannot_be_is_refused(spec: ToolSpec, hint: str) -> None:
    zoned = replace(NOW, input_schema={"type": "object", "properties": {"zone": {"type": "string"}}})
    found = assemble(small(TIME, declare("time/now", spec), lock=lock_of(zoned)))
    assert isinstance(found, AssemblyRefused)
    [problem] = found.errors
    assert problem.code == "tool/store"
    assert hint in problem.hint


def test_warnings_do_not_refuse() -> None:
    entry = declare("time/nwo", ToolSpec())
    route = declare("two", RouteSpec((), ("kim",), count=2))
    web = declare("web", ServerSpec(url="http://shop.example/mcp"))
    lock = Lock({**lock_of(NOW).tools, **lock_of(NOW, server="tiem").tools})
    found = catalog_of(TIME, entry, route, web, declare("kim", UserSpec()), lock=lock)
    warned = {warning.code: warning for warning in found.warnings}
    assert set(warned) == {"tool/unaccepted", "route/too-few", "server/url", "lock/server"}
    assert warned["tool/unaccepted"].hint == "did you mean 'now'?"
    assert warned["tool/unaccepted"].next == "remit tools review time"
    assert warned["lock/server"].hint == "did you mean 'time'?"
    assert set(found.catalog.tools) == {("time", "now")}
    assert "warning" in str(warned["lock/server"])


def test_only_the_first_misspelt_tools_get_a_hint() -> None:
    entries = [declare(f"time/no{n}", ToolSpec()) for n in range(30)]
    hints = [warning.hint for warning in catalog_of(TIME, *entries, lock=lock_of(replace(NOW, name="no"))).warnings]
    assert (len(hints), hints.count("did you mean 'no'?")) == (30, 20)


def test_an_empty_workspace_permits_nothing_and_says_so() -> None:
    found = assemble(WorkspaceSource())
    assert isinstance(found, Assembled)
    assert [warning.code for warning in found.warnings] == ["workspace/no-agents", "workspace/no-policies"]


def test_tools_that_would_share_an_exposed_name_are_refused() -> None:
    long = replace(NOW, name="x" * 80)
    shortened = exposed_name("time", long.name).removeprefix("time___")
    assert problem_of(TIME, lock=lock_of(long, replace(NOW, name=shortened))).code == "name/exposed"


def test_a_lock_with_a_name_that_is_none_is_refused() -> None:
    pinned = lock_of(NOW).tools["time", "now"]
    assert problem_of(TIME, lock=Lock({("time", "\ud800"): pinned})).code == "lock/shape"


def test_transports_routes_and_modes_arrive() -> None:
    catalog = catalog_of(
        declare("kim", UserSpec()),
        declare("obs", AgentSpec("o", "p", (), Harness.TRUSTED, Mode.OBSERVE)),
        declare("std", ServerSpec(("x", "y"), {"A": "b"}, "/tmp", None, True, 0.0, 5.0)),
        declare("net", ServerSpec(url="http://127.0.0.1:9/mcp")),
        declare("r", RouteSpec((), ("kim",), 1, 0.0, 60.0, True, True)),
    ).catalog
    assert catalog.servers["std"].transport == Stdio(("x", "y"), {"A": "b"}, "/tmp")
    assert (catalog.servers["std"].shared, catalog.servers["std"].verify_s) == (True, 0.0)
    assert catalog.servers["net"].transport == Http("http://127.0.0.1:9/mcp")
    assert (catalog.agents["obs"].mode, catalog.agents["obs"].harness) == (Mode.OBSERVE, Harness.TRUSTED)
    route = catalog.routes["r"]
    assert (route.users, route.requester_may_approve, route.shared) == ({"kim"}, True, True)


def test_a_group_of_a_route_counts_its_people() -> None:
    route = declare("r", RouteSpec(("staff",), ("ana",), count=2, requester_may_approve=True))
    people = [declare("ana", UserSpec(("staff",))), declare("kim", UserSpec(("staff",)))]
    assert catalog_of(route, declare("staff", GroupSpec()), *people).warnings == ()


def test_a_route_may_ask_for_more_than_a_token() -> None:
    made = catalog_of(
        declare("r", RouteSpec((), ("ana",), strong=True, requester_may_approve=True)), declare("ana", UserSpec())
    )
    assert (made.warnings, made.catalog.routes["r"].strong) == ((), True)


def test_policies_in_yaml_keep_the_lines_of_their_file() -> None:
    one, two = declare("one", PolicySpec("permit1;\n", 4)), declare("two", PolicySpec("permit2;", 9))
    found = catalog_of(two, one, declare("late", PolicySpec("permit3;", 2)))
    policies = {policy.path: policy.text for policy in found.catalog.policies}
    assert policies[PERMIT.path] == PERMIT.text
    lines = policies["a.yaml"].split("\n")
    assert (lines[1], lines[3], lines[8]) == ("permit3;", "permit1;", "permit2;")
    assert [policy.path for policy in found.catalog.policies] == ["a.yaml", "p.cedar"]
    crowded = catalog_of(declare("one", PolicySpec("a;\nb;", 1)), declare("two", PolicySpec("c;", 1)))
    assert crowded.catalog.policies[0] == PolicySource("a.yaml", "a;\nb;\nc;")


def test_problems_of_reading_refuse_and_hide_what_only_follows_from_them() -> None:
    unread = WorkspaceProblem("yaml/syntax", SourceLocation("g.yaml", 2), "it is not YAML", "because")
    source = replace(small(declare("ana", UserSpec(("staff",)))), problems=(unread,))
    found = assemble(source)
    assert isinstance(found, AssemblyRefused)
    assert found.problems == (unread,)
    assert str(unread).startswith("g.yaml:2: error: it is not YAML\n  why:  because\n  next: ")
    assert unread.to_json()["line"] == 2
    assert str(SourceLocation("g.yaml")) == "g.yaml"
