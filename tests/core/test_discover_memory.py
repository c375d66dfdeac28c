"""What discovery remembers is read back as it was written, and what is none of it as nothing."""

import pytest

from remit.discover.inventory import InventoryChange, InventoryChangeKind
from remit.discover.memory import (
    changes_from,
    changes_text,
    pairs_from,
    pairs_text,
    scopes_from,
    scopes_text,
)
from remit.discover.sighting import Kind, Subject
from tests.core.sightings import many

BOT = Subject(Kind.AGENT, "bot", "otlp")


def test_what_is_remembered_is_read_back() -> None:
    changes = [
        InventoryChange(BOT, InventoryChangeKind.EDGE, "otlp", 5, "uses", None, "tool/otlp:x", 3),
        InventoryChange(BOT, InventoryChangeKind.TRAIT, "host", 6, "server a in /b", "old", "new", None),
    ]
    assert changes_from(changes_text(changes)) == changes
    named = [InventoryChange(one.subject, InventoryChangeKind.FOUND, one.source, one.first_ms) for one in many(3, 200)]
    assert changes_from(changes_text(named)) == named
    told = {"new-tool agent/bot tool/x": "tool/x", "a": "b"}
    assert list(pairs_from(pairs_text(told)).items()) == list(told.items())
    scopes = {"bot": frozenset({"a/b", "c/d"}), "idle": frozenset[str]()}
    assert scopes_from(scopes_text(scopes)) == scopes
    assert scopes_from(scopes_text({})) == {}


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '[["x"]]', '[["agent/", "edge", "o", 1, "", null, null, 1]]'])
def test_what_is_none_of_it_is_nothing(text: str) -> None:
    assert changes_from(text) == []
    assert pairs_from(text) == {}
    assert scopes_from("") is None
    assert scopes_from("[1, []]") == {}
