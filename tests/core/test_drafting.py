"""An agent that was found, drafted as it would be registered."""

from typing import Any

import yaml

from remit.app.discovery.agent_draft import WorkspaceNames, draft

ENTRY: dict[str, Any] = {
    "name": "agent/otlp:planner\x1b",
    "owner": None,
    "sources": ["otlp", "ledger"],
    "first": "2026-11-01T10:00:00.000Z",
    "links": [
        {"verb": "uses", "to": "tool/notes/read"},
        {"verb": "uses", "to": "tool/otlp:rm"},
        {"verb": "uses", "to": "tool/gone/x"},
        {"verb": "uses", "to": "server/notes"},
    ],
    "traits": [],
}


def test_a_sighting_becomes_an_agent_with_its_least_privilege_policy() -> None:
    made = draft("planner", ENTRY, WorkspaceNames(["notes/read", "notes/write"], ["notes"]), None, None)
    document = yaml.safe_load(made.agent)
    assert document["metadata"] == {"name": "planner"}
    assert document["spec"]["owner"] == "SOMEBODY"
    assert document["spec"]["mode"] == "enforce"
    assert 'Remit::Action::"notes___read"' in made.policies
    assert "notes___write" not in made.policies
    assert made.unnamed == ("tool/otlp:rm", "tool/gone/x")
    assert "// not permitted: it uses tool/otlp:rm" in made.policies
    assert "\x1b" not in made.agent


def test_what_a_person_says_of_it_counts() -> None:
    made = draft("planner", {**ENTRY, "owner": "ann"}, WorkspaceNames([]), "bob", 'plans: "things"')
    assert yaml.safe_load(made.agent)["spec"] == {"owner": "bob", "purpose": 'plans: "things"', "mode": "enforce"}
    assert draft("planner", {**ENTRY, "owner": "ann"}, WorkspaceNames([]), None, None).owner == "ann"


def uses(*to: str, **traits: str) -> dict[str, Any]:
    links = [{"verb": "uses", "to": one} for one in to]
    return {**ENTRY, "links": links, "traits": [{"key": key, "value": value} for key, value in traits.items()]}


def test_servers_that_the_workspace_lacks_are_drafted_as_far_as_their_names_tell() -> None:
    found = uses(
        "server/npm:@modelcontextprotocol/server-filesystem",
        "server/pypi:mcp-server-time",
        "server/https://mcp.crm.example/mcp",
        "server/https://mcp.crm.example/v2",
        "server/https://hooks.example/*/mcp",
        "server/host:serve@box",
        "server/odd:x",
        **{
            "server files": "stdio npm:@modelcontextprotocol/server-filesystem --ro; folder /srv\x1b",
            "client": "pypi:",
        },
    )
    made = draft("a", found, WorkspaceNames([], ["notes", "mcp-server-time"]), None, None)
    specs = {name: yaml.safe_load(text) for name, text in made.servers.items()}
    assert {name: one["metadata"]["name"] for name, one in specs.items()} == {name: name for name in specs}
    assert {name: one["spec"] for name, one in specs.items()} == {
        "server-filesystem": {"command": ["npx", "-y", "@modelcontextprotocol/server-filesystem"]},
        "mcp-server-time-2": {"command": ["uvx", "mcp-server-time"]},
        "mcp-crm-example": {"url": "https://mcp.crm.example/mcp"},
        "mcp-crm-example-2": {"url": "https://mcp.crm.example/v2"},
    }
    assert "# as it was found: stdio npm:" in made.servers["server-filesystem"]
    assert "\x1b" not in made.servers["server-filesystem"]
    assert "declare the Server mcp-server-time-2, then: remit tools review mcp-server-time-2" in made.policies
    for lacking in ("server/https://hooks.example/*/mcp", "server/host:serve@box", "server/odd:x"):
        words = f"it uses {lacking}, which the workspace does not have: declare the Server that it is\n"
        assert words in made.policies
