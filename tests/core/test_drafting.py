"""An agent that was found, drafted as it would be registered."""

from typing import Any

import yaml

from remit.app.drafting import draft

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
}


def test_a_sighting_becomes_an_agent_with_its_least_privilege_policy() -> None:
    made = draft("planner", ENTRY, ["notes/read", "notes/write"], None, None)
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
    made = draft("planner", {**ENTRY, "owner": "ann"}, [], "bob", 'plans: "things"')
    assert yaml.safe_load(made.agent)["spec"] == {"owner": "bob", "purpose": 'plans: "things"', "mode": "enforce"}
    assert draft("planner", {**ENTRY, "owner": "ann"}, [], None, None).owner == "ann"
