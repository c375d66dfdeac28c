"""The Cedar schema of a catalog: groups closed upward, enumerations, exactly this version's context."""

import json
from collections.abc import Mapping
from typing import cast

import pytest
from cedar_mcp_schema_generator import generate_schema
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.policy import cedar
from remit.policy.input_types import Atom, CedarType, RecordType, SetOf, type_input
from remit.policy.schema import action_groups, attributes, cedar_schema, names_of, resolves
from tests.core.deciding import catalog, tool


def made(given: Catalog | None = None) -> dict[str, Json]:
    known = given or catalog()
    tools = {item.exposed: (item, type_input(item.definition.input_schema).record) for item in known.tools.values()}
    return cedar_schema(known, tools, ("order_id", "url"))


def test_a_tool_is_in_every_group_that_may_name_it() -> None:
    found = action_groups(tool("web", "get", source=("untrusted:web", "confidential"), tags=("b", "a")))
    assert found == (
        "call_tool",
        "effect:write",
        "sink:internal",
        "source:confidential",
        "source:untrusted",
        "source:untrusted:web",
        "server:web",
        "tag:a",
        "tag:b",
    )


def test_enumerations_come_from_the_catalog() -> None:
    schema = made()
    assert names_of(schema, "entityTypes", "Group") == ("everyone", "ops", "support")
    assert names_of(schema, "entityTypes", "Server") == ("shop", "web")
    assert names_of(schema, "entityTypes", "Label") == ("confidential", "untrusted", "untrusted:web")
    assert names_of(schema, "entityTypes", "Arg") == ("*", "order_id", "url")
    assert names_of(schema, "entityTypes", "Agent") == ()
    assert names_of(schema, "entityTypes", "Nothing") == ()


def test_the_empty_catalog_has_a_schema() -> None:
    empty = Catalog({}, {}, frozenset(), {}, {}, {}, ())
    schema = cedar_schema(empty, {}, ())
    cedar.schema_of(schema)
    assert names_of(schema, "entityTypes", "Server") == ("(none)",)
    assert "effect:irreversible" in names_of(schema, "actions")


def test_the_context_is_exactly_this_versions() -> None:
    schema = made()
    assert list(attributes(schema, "shop___refund", ())) == [
        "input",
        "onBehalfOf",
        "inputSize",
        "session",
        "delegation",
        "system",
        "targets",
        "content",
        "credentials",
        "carried",
        "args",
        "asked",
        "impact",
        "novelty",
        "budget",
    ]
    assert "input" not in attributes(schema, "delegate", ())
    session = attributes(schema, "web___fetch", ("session",))
    assert list(session) == ["labels", "calls", "irreversibleCalls", "ageSeconds", "confidence"]
    assert list(attributes(schema, "web___fetch", ("session", "confidence"))) == ["value", "source"]
    assert list(attributes(schema, "delegate", ("delegation",))) == ["depth", "chain"]
    assert list(attributes(schema, "delegate", ("system",))) == ["now"]


@pytest.mark.parametrize(
    ("path", "there"),
    [
        (("input",), True),
        (("input", "address", "zip"), True),
        (("input", "address", "zpi"), False),
        (("input", "order_id", "x"), False),
        (("session", "labels", "x"), False),
        (("onBehalfOf", "x"), False),
        (("nothing", "x"), False),
    ],
)
def test_paths_resolve_through_records_alone(path: tuple[str, ...], *, there: bool) -> None:
    assert resolves(made(), "shop___refund", path) is there
    assert not resolves(made(), "no such action", path)


STUB = "namespace N { @mcp_principal entity User; @mcp_resource entity McpServer; }"
CONFIG = {"objectsAsRecords": True, "numbersAsDecimal": True}


def array_of(part: Json) -> Json:
    return {"type": "array", "items": part}


def object_of(inside: dict[str, Json], needed: set[str]) -> Json:
    return {"type": "object", "properties": inside, "required": sorted(needed & set(inside))}


def compound(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    inside = st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3)
    return st.builds(array_of, inner) | st.builds(object_of, inside, st.sets(st.sampled_from("abc")))


scalars: st.SearchStrategy[Json] = st.sampled_from(
    [{"type": name} for name in ("string", "integer", "number", "boolean")]
)
parts = st.recursive(scalars, compound, max_leaves=5)


@given(st.dictionaries(st.sampled_from("xyz"), parts, min_size=1, max_size=3), st.sets(st.sampled_from("xyz")))
def test_our_mapping_agrees_with_the_published_one(properties: dict[str, Json], needed: set[str]) -> None:
    """A cross-check on what both can type. Ours makes every decimal optional, theirs does not."""
    part: dict[str, Json] = {
        "type": "object",
        "properties": properties,
        "required": sorted(needed & set(properties)),
    }
    described = [{"name": "t", "description": "d", "inputSchema": part}]
    answer = generate_schema(STUB, described, config=CONFIG)
    spaces = cast("Mapping[str, Json]", json.loads(cast("str", answer["schemaJson"])))
    theirs = _plain(spaces, at(spaces, "N", "commonTypes", "tInput"))
    assert _ours(type_input(part).record) == theirs


def at(value: Json, *steps: str) -> Mapping[str, Json]:
    for step in steps:
        value = cast("Mapping[str, Json]", value)[step]
    return cast("Mapping[str, Json]", value)


def _plain(spaces: Mapping[str, Json], kind: Mapping[str, Json]) -> Json:
    match kind:
        case {"type": "Record", "attributes": Mapping() as attributes}:
            found = {
                name: (_plain(spaces, at(part)), at(part).get("required", True)) for name, part in attributes.items()
            }
            return {name: [of, needed and of != "decimal"] for name, (of, needed) in found.items()}
        case {"type": "Set", "element": Mapping() as element}:
            return [_plain(spaces, element)]
        case {"name": str(name)} if "::" in name:
            space, _, own = name.rpartition("::")
            return _plain(spaces, at(spaces, space, "commonTypes", own))
        case _:
            return {"Bool": "Boolean"}.get(str(kind["name"]), kind["name"])


def _ours(kind: CedarType) -> Json:
    match kind:
        case Atom():
            return kind.value
        case SetOf():
            return [_ours(kind.element)]
        case RecordType():
            return {name: [_ours(part.type), part.required] for name, part in kind.fields.items()}
