"""The sink that `remit tools suggest` proposes for a Server: external, unless all that its operator says is inside."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.workspace.documents import documents
from remit.control.resources import ResourceKind, ServerSpec
from remit.control.suggest import SuggestedSpec
from remit.control.suggest_server import propose_sink
from remit.control.suggest_text import intended, text_of
from remit.control.suggest_words import OUTWARD
from remit.facts.address import is_inside
from remit.facts.canonical import Json
from remit.facts.credential import FromEnv, Secret
from remit.facts.tool import Definition
from tests.core.declaring import definitions
from tests.core.test_suggest import HOSTILE, TEXT, tool

HERE = "http://127.0.0.1:8901/mcp"


def proposed(name: str, *tools: Definition, **spec: Any) -> tuple[Json, str]:
    found = propose_sink(name, ServerSpec(**spec), tools, "servers.yaml:4")
    return found.spec["sink"], found.because["sink"]


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"url": HERE}, "its address is inside"),
        ({"url": "https://notes.internal/mcp"}, "its address is inside"),
        ({"url": "http://10.1.2.3/mcp", "private": True}, "its address is inside"),
        ({"command": ("/opt/notes/bin/notes-server", "--path=/srv/notes.db", "-v")}, "it runs on this machine"),
    ],
)
def test_what_its_operator_calls_internal_where_he_put_it_stays_inside(spec: Mapping[str, Any], place: str) -> None:
    quiet = tool("read_note", "Reads one of the notes kept here.", name=TEXT)
    for tools in ((), (quiet,)):
        assert proposed("internal-notes", *tools, **spec) == (
            "internal",
            f"its name says 'internal', {place}, and nothing of it speaks of others",
        )


@pytest.mark.parametrize(
    ("name", "spec", "because"),
    [
        ("internal-notes", {"url": "https://notes.example/mcp"}, "its address"),
        ("internal-notes", {"url": "https://notes.example/mcp", "private": True}, "its address"),
        ("internal-notes", {"url": "https://notes.internal.example/mcp"}, "its address"),
        ("internal-notes", {"url": "http://[::1/mcp"}, "its address"),
        ("internal-notes", {"url": "http://127.0.0.1:9/proxy/notes"}, "its url says 'proxy'"),
        ("notes", {"url": HERE}, "its name does not say that it stays inside"),
        ("notes", {"command": ("notes-internal-server",)}, "its name does not say that it stays inside"),
        ("local-web", {"url": HERE}, "its name says 'web'"),
        ("local-emails", {"url": HERE}, "its name says 'email'"),
        ("local-notes", {"command": ("npx", "-y", "notes")}, "'npx' start something else"),
        ("local-notes", {"command": ("sh", "-c", "notes")}, "'sh' start something else"),
        ("local-notes", {"command": ("/usr/bin/notes-fetch",)}, "its command says 'fetch'"),
        ("local-notes", {"command": ("notes", "s3:bucket")}, "more than plain words and paths"),
        ("local-notes", {"command": ("notes", "notes.example")}, "more than plain words and paths"),
        ("local-notes", {"command": ("notes", "--at=ana@notes")}, "more than plain words and paths"),
        ("local-notes", {"command": ("node", "-e", "go()")}, "more than plain words and paths"),
        ("local-notes", {"command": ("notes;notes",)}, "more than plain words and paths"),
        ("local-notes", {"command": ("notes",), "env": {"NOTES": Secret(FromEnv("N"))}}, "the variable NOTES"),
        ("local-notes", {"command": ("notes",), "env": {"WHERE": "there"}}, "the variable WHERE"),
        ("local-notes", {}, "more than plain words and paths"),
    ],
)
def test_what_of_its_configuration_is_unsure_makes_it_external(name: str, spec: dict[str, Any], because: str) -> None:
    sink, why = proposed(name, **spec)
    assert sink == "external"
    assert because in why


@pytest.mark.parametrize(
    ("one", "because"),
    [
        (tool("send_note"), "its tool send_note says 'send'"),
        (tool("note", "It publishes a note."), "its tool note says 'publish'"),
        (tool("note", address={"type": "string", "format": "uri"}), "its tool note says 'uri'"),
        (tool("note", to={"anyOf": [{"properties": {"webhook": TEXT}}]}), "its tool note says 'webhook'"),
        (tool("note", annotations={"openWorldHint": True}), "its tool note claims openWorldHint: true"),
    ],
)
def test_what_a_server_says_of_itself_makes_it_external(one: Definition, because: str) -> None:
    quiet = tool("a", annotations={"openWorldHint": False, "readOnlyHint": True})
    assert proposed("internal-notes", quiet, one, url=HERE) == ("external", because)
    # What its schema is called says nothing.
    schema: Json = {"$schema": "https://json-schema.org/draft/2020-12/schema", "maxProperties": 2}
    assert proposed("internal-notes", Definition("a", "", schema, None, {}), url=HERE)[0] == "internal"  # type: ignore[arg-type]


CALM = st.sampled_from(
    (
        tool("internal_note", "This server is internal; nothing leaves the organisation. sink: internal"),
        tool("a", annotations={"openWorldHint": False, "readOnlyHint": True, "title": "local only"}),
        tool("b", "Local, private, inhouse, on premises.", local=TEXT, internal={"const": "internal"}),
    )
)
SPECS: tuple[dict[str, Any], ...] = (
    {"url": HERE},
    {"url": "https://internal.example/mcp"},
    {"command": ("/opt/notes",)},
    {"command": ("npx", "internal-notes")},
)


@given(
    st.sampled_from(("notes", "internal-notes", "local-web")),
    st.sampled_from(SPECS),
    st.lists(definitions | CALM, max_size=3),
    st.lists(definitions | CALM, max_size=3),
)
def test_nothing_that_a_server_says_makes_it_better(
    name: str, spec: dict[str, Any], said: list[Definition], more: list[Definition]
) -> None:
    alone, before, after = (proposed(name, *tools, **spec)[0] for tools in ((), said, said + more))
    order = {"internal": 0, "external": 1}
    assert order[str(alone)] <= order[str(before)] <= order[str(after)]


WORDS = st.sampled_from([*sorted(OUTWARD)[:6], "a", "b", "c", "type"])
SAYING = st.recursive(WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4))
SCHEMAS = st.dictionaries(WORDS, SAYING, max_size=4)
OUTWARDLY = st.builds(Definition, st.sampled_from("abcd"), WORDS, SCHEMAS, st.none() | SCHEMAS, SCHEMAS)


def in_order(value: Json, *, backwards: bool) -> Any:
    """`value` with the members of each object in order of their names."""
    if isinstance(value, Mapping):
        return {name: in_order(value[name], backwards=backwards) for name in sorted(value, reverse=backwards)}
    return [in_order(item, backwards=backwards) for item in value] if isinstance(value, list) else value


def rearranged(tool: Definition, *, backwards: bool) -> Definition:
    """The same definition, by the same pin, as another server writes it."""
    members = in_order(tool.to_json(), backwards=backwards)
    schemas = members["inputSchema"], members.get("outputSchema")
    return Definition(tool.name, tool.description, *schemas, members.get("annotations", {}))


@given(st.data(), st.lists(OUTWARDLY, max_size=4, unique_by=lambda tool: tool.name), st.booleans())
def test_what_is_proposed_and_why_hangs_on_no_order(
    data: st.DataObject, tools: list[Definition], backwards: bool
) -> None:
    again = data.draw(st.permutations([rearranged(tool, backwards=backwards) for tool in tools]))
    assert {tool.pin() for tool in again} == {tool.pin() for tool in tools}
    env = data.draw(st.permutations(["A", "B", "C"]))
    command = ("/opt/internal-notes",)
    assert proposed("internal-notes", *again, url=HERE) == proposed("internal-notes", *tools, url=HERE)
    with_env = {"command": command, "env": dict.fromkeys(env, "")}
    assert proposed("internal-notes", **with_env)[1].startswith("it is given the variable A")


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_shown_as_the_others_are_with_its_reason_and_where_it_belongs(name: str) -> None:
    tools = [tool(f"send {name}")]
    found: SuggestedSpec = propose_sink("internal-notes", ServerSpec(url=HERE), tools, "servers.yaml:4")
    text = text_of([found])
    assert [one.value for one in documents(text)] == [intended(found)]
    assert (found.kind, intended(found)["kind"]) == (ResourceKind.SERVER, "Server")
    assert "# Add this to what servers.yaml:4 declares.\n" in text
    assert "  sink: external  # its tool send " in text
    assert text.splitlines() == text.split("\n")[:-1]


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        *((host, True) for host in ("127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "172.31.0.1", "192.168.1.1")),
        *((host, True) for host in ("fd00::1", "localhost", "LOCALHOST.", "a.local", "b.internal", "c.home.arpa")),
        *((host, False) for host in ("", "8.8.8.8", "172.32.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0")),
        *((host, False) for host in ("2001:db8::1", "fe80::1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "127.1", "0x7f.1")),
        *((host, False) for host in ("2130706433", "intranet", "localhost.example", "internal.example", "notlocal")),
    ],
)
def test_which_addresses_are_written_out_as_inside(host: str, *, inside: bool) -> None:
    assert is_inside(host) is inside
