"""What a Tool resource says of results, roles and asking: refused where it cannot hold, shown where it does."""

from collections.abc import Mapping

import pytest

from remit.control.assemble import Assembled, AssemblyRefused, assemble
from remit.control.manifests import catalog_json, spec_json
from remit.control.problems import WorkspaceProblem
from remit.control.resources import ChannelSpec, ResourceKind, RouteSpec, ServerSpec, ToolSpec, UserSpec
from remit.facts.canonical import Json
from remit.facts.catalog import Topic
from remit.facts.credential import FromEnv, Secret
from remit.facts.impact import Extractor, ImpactMeasure
from remit.facts.origin import Role
from remit.facts.results import Part, ResultFormat
from remit.facts.tool import Argument, Definition, Idempotent, Shows
from remit.policy.compile import Bundle, compile_bundle
from tests.core.declaring import declare, lock_of, small

OUT: Json = {
    "type": "object",
    "properties": {
        "rows": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}},
        "open": {"type": "object", "properties": {}, "additionalProperties": {}},
        "free": {},
        "any": True,
        "closed": {"properties": {"id": {"properties": {"a": {}}}}, "additionalProperties": False},
        "text": {"type": "string"},
        "few": {"type": ["null", "integer"]},
    },
}


def found(spec: ToolSpec, out: Mapping[str, Json] | None = None) -> tuple[WorkspaceProblem, ...]:
    definition = Definition("now", "", {"type": "object", "properties": {"zone": {"type": "string"}}}, out, {})
    source = small(declare("time", ServerSpec(("x",))), declare("time/now", spec), lock=lock_of(definition))
    made = assemble(source)
    return made.problems if isinstance(made, AssemblyRefused) else made.warnings


@pytest.mark.parametrize("words", ["", "Pay", "pay!", "a b c d e", "pay  now", "7"])
def test_what_nobody_asks_by_is_refused(words: str) -> None:
    (problem,) = found(ToolSpec(asks=("pay", words, "set up", "überweise an")))
    assert problem.code == "tool/asks"


@pytest.mark.parametrize(
    ("parts", "codes"),
    [
        ((Part("$.a", "trusted"), Part("$.a", "untrusted")), ["tool/path"]),
        ((Part("$.a", "trusted"), Part("$['a']", "untrusted")), ["tool/path"]),
        ((Part("a", "trusted"),), ["tool/path"]),
        ((Part("$", "trustd"),), ["tool/label"]),
        ((Part("$", "untrusted:web"), Part("$.a", "confidential:pii")), []),
    ],
)
def test_parts_of_results_have_paths_and_labels(parts: tuple[Part, ...], codes: list[str]) -> None:
    assert [problem.code for problem in found(ToolSpec(results=parts))] == codes


def test_elements_and_members_are_labelled_apart() -> None:
    assert not found(ToolSpec(results=(Part("$.*", "trusted"), Part("$[*]", "untrusted"))))
    twice = found(ToolSpec(results=(Part("$.a[*]", "trusted"), Part("$.a[*]", "untrusted"))))
    assert [problem.code for problem in twice] == ["tool/path"]


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("$", True),
        ("$.rows[*].id", True),
        ("$.rows[0].id", True),
        ("$.rows[*].ident", False),
        ("$.row", False),
        ("$.open.anything", True),
        ("$.free.anything[*]", True),
        ("$.any.thing", True),
        ("$.*.id", True),
        ("$.closed.other", False),
        ("$.text.id", False),
        ("$.text[*].id", False),
        ("$.few.id", False),
        ("$.closed[*].id", False),
        ("$.closed[*].a", True),
        ("$.closed[*]", True),
        ("$.open[*].id", False),
        ("$.open.*.id", True),
        ("$.rows.*.id", False),
    ],
)
def test_a_path_that_leads_nowhere_in_the_accepted_schema_is_told(path: str, leads: bool) -> None:
    assert isinstance(OUT, Mapping)
    problems = found(ToolSpec(results=(Part(path, "trusted"),)), OUT)
    assert [problem.code for problem in problems] == ([] if leads else ["tool/path"])


def test_what_it_says_is_in_the_catalog_in_what_is_shown_and_in_the_digest() -> None:
    spec = ToolSpec(
        arguments={"zone": Argument(role=Role.KEY)},
        asks=("look up",),
        results=(Part("$.a", "trusted", identity=True), Part("$.b", "confidential:pii", directory=True)),
        format=ResultFormat.YAML,
    )
    definition = Definition("now", "", {"type": "object", "properties": {"zone": {"type": "string"}}}, None, {})
    digests: set[str] = set()
    for said in (spec, ToolSpec()):
        source = small(declare("time", ServerSpec(("x",))), declare("time/now", said), lock=lock_of(definition))
        made = assemble(source)
        assert isinstance(made, Assembled)
        tool = made.catalog.tools["time", "now"]
        assert (tool.asks, tool.results, tool.format) == (frozenset(said.asks), said.results, said.format)
        bundle = compile_bundle(made.catalog).result
        assert isinstance(bundle, Bundle)
        digests.add(bundle.digest)
        if said is spec:
            assert {"confidential:pii", "confidential"} <= bundle.labels
            assert tool.brings == {"untrusted", "confidential", "confidential:pii"} == tool.worst
            shown = catalog_json(made.catalog)[ResourceKind.TOOL, "time/now"]
            for told in (shown, spec_json(spec)):
                assert told["results"] == [
                    {"path": "$.a", "label": "trusted", "identity": True},
                    {"path": "$.b", "label": "confidential:pii", "directory": True},
                ]
                assert (told["asks"], told["format"]) == (["look up"], "yaml")
                assert told["arguments"] == {"zone": {"secret": False, "role": "key"}}
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("brief", "codes"),
    [
        ("tell the time in {zone}, {zone.count} of them", []),
        ("tell the time", []),
        ("in {zon}", ["tool/brief"]),
        ("in {zone", ["tool/brief"]),
        ("in zone}", ["tool/brief"]),
        ("in {}", ["tool/brief"]),
        ("in\u202ezone", ["tool/brief"]),
        (" in zone", ["tool/brief"]),
    ],
)
def test_what_people_are_told_of_a_call_names_arguments_that_there_are(brief: str, codes: list[str]) -> None:
    assert [problem.code for problem in found(ToolSpec(brief=brief))] == codes


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (Idempotent(argument="zone"), []),
        (Idempotent(meta="shop.example/key"), []),
        (Idempotent(meta="k8s/request-key.1"), []),
        (Idempotent(), ["tool/idempotent"]),
        (Idempotent("zone", "shop.example/key"), ["tool/idempotent"]),
        (Idempotent(argument="zon"), ["tool/idempotent"]),
        *((Idempotent(meta=odd), ["tool/idempotent"]) for odd in (
            "key", "/key", "shop/", "io.modelcontextprotocol/key", "mcp/key", "a.mcp.example/key", "Shop/key", "a/b/c",
        )),
    ],
)  # fmt: skip
def test_how_a_tool_knows_that_it_was_asked_before(said: Idempotent, codes: list[str]) -> None:
    spec = ToolSpec(idempotent=said)
    assert [problem.code for problem in found(spec)] == codes


def test_how_a_tool_knows_is_shown_and_in_the_digest() -> None:
    digests: set[str] = set()
    for said in (None, Idempotent(argument="zone"), Idempotent(meta="shop.example/key")):
        definition = Definition("now", "", {"type": "object", "properties": {"zone": {"type": "string"}}}, None, {})
        spec = ToolSpec(idempotent=said)
        made = assemble(small(declare("time", ServerSpec(("x",))), declare("time/now", spec), lock=lock_of(definition)))
        assert isinstance(made, Assembled)
        compiled = compile_bundle(made.catalog).result
        assert isinstance(compiled, Bundle)
        digests.add(compiled.digest)
        assert spec_json(spec).get("idempotent") == (None if said is None else said.to_json())
    assert len(digests) == 3


def test_what_people_are_told_of_a_call_is_shown_and_in_the_digest() -> None:
    spec = ToolSpec(brief="tell {zone}", arguments={"zone": Argument(shows=Shows.ROWS)})
    assert spec_json(spec)["brief"] == "tell {zone}"
    assert spec_json(spec)["arguments"] == {"zone": {"secret": False, "shows": "rows"}}
    definition = Definition("now", "", {"type": "object", "properties": {"zone": {"type": "string"}}}, None, {})
    digests = set[str]()
    for said in (ToolSpec(), spec, ToolSpec(brief="tell {zone}")):
        made = assemble(small(declare("time", ServerSpec(("x",))), declare("time/now", said), lock=lock_of(definition)))
        assert isinstance(made, Assembled)
        bundle = compile_bundle(made.catalog).result
        assert isinstance(bundle, Bundle)
        digests.add(bundle.digest)
    assert len(digests) == 3


def test_a_template_for_a_tool_that_cannot_be_typed_may_name_anything() -> None:
    definition = Definition("now", "", {"type": "string"}, None, {})
    source = small(
        declare("time", ServerSpec(("x",))), declare("time/now", ToolSpec(brief="tell {x}")), lock=lock_of(definition)
    )
    assert isinstance(assemble(source), Assembled)


@pytest.mark.parametrize(
    ("measure", "extractor", "said"),
    [
        ("amount", Extractor("zone", ImpactMeasure.NUMBER), "'zone' is no path"),
        ("amount", Extractor("$.zon", ImpactMeasure.NUMBER), "$.zon leads nowhere in the arguments that were accepted"),
        ("amount", Extractor("$.zone", ImpactMeasure.VALUES), "an amount is a number"),
        (
            "records",
            Extractor("$.key", ImpactMeasure.VALUES),
            "$.key is a secret, whose measure would stand on the ledger",
        ),
    ],
)
def test_a_measure_that_would_be_found_nowhere_or_tells_a_secret_is_refused(
    measure: str, extractor: Extractor, said: str
) -> None:
    arguments: Json = {"type": "object", "properties": {"zone": {"type": "string"}, "key": {"type": "string"}}}
    assert isinstance(arguments, dict)
    definition = Definition("now", "", arguments, None, {})
    spec = ToolSpec(impact={measure: extractor}, arguments={"key": Argument(secret=True)})
    source = small(declare("time", ServerSpec(("x",))), declare("time/now", spec), lock=lock_of(definition))
    made = assemble(source)
    assert isinstance(made, AssemblyRefused)
    (problem,) = made.problems
    assert (problem.code, problem.what) == ("tool/impact", said)


def test_how_much_a_call_moves_is_shown_and_changes_the_bundle() -> None:
    definition = Definition("now", "", {"type": "object", "properties": {"zone": {"type": "string"}}}, None, {})
    digests: set[str] = set()
    for spec in (ToolSpec(), ToolSpec(impact={"recipients": Extractor("$.zone", ImpactMeasure.PEOPLE)})):
        source = small(declare("time", ServerSpec(("x",))), declare("time/now", spec), lock=lock_of(definition))
        made = assemble(source)
        assert isinstance(made, Assembled)
        result = compile_bundle(made.catalog).result
        assert isinstance(result, Bundle)
        digests.add(result.digest)
    assert len(digests) == 2
    assert spec_json(spec)["impact"] == {"recipients": {"path": "$.zone", "counts": "people"}}


@pytest.mark.parametrize(
    ("url", "secret", "codes"),
    [
        ("https://hooks.example/remit", FromEnv("HOOK"), []),
        ("http://127.0.0.1:9/x", FromEnv("HOOK"), []),
        ("http://hooks.example/", FromEnv("HOOK"), ["channel/url"]),
        ("ftp://hooks.example/", FromEnv("HOOK"), ["channel/url"]),
        ("https://", FromEnv("HOOK"), ["channel/url"]),
        ("https://a:b@hooks.example/", FromEnv("HOOK"), ["channel/url"]),
        ("https://[::1", FromEnv("HOOK"), ["channel/url"]),
        ("https://hooks..example/", FromEnv("HOOK"), ["channel/url"]),
        (f"https://{'a' * 64}.example/", FromEnv("HOOK"), ["channel/url"]),
        ("https://hooks.example/", FromEnv("no name"), ["secret/env"]),
    ],
)
def test_a_channel_is_reached_safely_and_signed(url: str, secret: FromEnv, codes: list[str]) -> None:
    made = assemble(small(declare("desk", ChannelSpec(url, Secret(secret)))))
    problems = made.problems if isinstance(made, AssemblyRefused) else made.warnings
    assert [problem.code for problem in problems] == codes


def test_a_route_names_channels_that_there_are_and_they_are_in_the_digest() -> None:
    channel = declare("desk", ChannelSpec("https://hooks.example/", Secret(FromEnv("HOOK"))))
    user = declare("ann", UserSpec())
    missing = assemble(
        small(
            user, declare("owner", RouteSpec(users=("ann",), channels=("dask",), requester_may_approve=True)), channel
        )
    )
    assert isinstance(missing, AssemblyRefused)
    assert [problem.code for problem in missing.problems] == ["reference/unknown"]
    digests = set[str]()
    heard = declare("desk", ChannelSpec("https://hooks.example/", Secret(FromEnv("HOOK")), (Topic.DRIFT,)))
    for parts in ((), (channel,), (heard,)):
        made = assemble(small(user, declare("owner", RouteSpec(users=("ann",), requester_may_approve=True)), *parts))
        assert isinstance(made, Assembled)
        bundle = compile_bundle(made.catalog).result
        assert isinstance(bundle, Bundle)
        digests.add(bundle.digest)
        shown = {name for _, name in catalog_json(made.catalog)}
        assert ("desk" in shown) == bool(parts)
    assert len(digests) == 3
    assert spec_json(channel.spec) == {"url": "https://hooks.example/", "secret": {"env": "HOOK"}}
    assert spec_json(heard.spec)["about"] == ["drift"]
