"""The inventory is one fold of sightings: order and repetition do not matter."""

import random
from dataclasses import replace

import pytest

from remit.discover import limiter as admission_of
from remit.discover.inventory import Inventory, InventoryChange, InventoryChangeKind, fold
from remit.discover.limiter import EDGES_MAX, PER_SOURCE_MAX, SUBJECTS_MAX, SightingLimiter
from remit.discover.sighting import Edge, Kind, Sighting, SourceConfidence, Subject, Trait, Verb
from tests.core.sightings import many

BOT = Subject(Kind.AGENT, "bot")
TOOL = Subject(Kind.TOOL, "read", "otlp")
SEEN = Sighting(BOT, "otlp", "span attribute gen_ai.agent.name", 10, 20)


@pytest.mark.parametrize("seed", range(2))
def test_ten_thousand_sightings_in_any_order_come_to_one_inventory(seed: int) -> None:
    sightings, draw = many(seed, 10_000), random.Random(seed + 100)
    one = fold(sightings)
    for _ in range(2):
        draw.shuffle(sightings)
        again = [*sightings, *sightings[:500]]
        assert fold(again) == one
    assert len(one) == len(set(one))
    assert one != fold(sightings[:300])
    assert one != "an inventory"


def test_an_inventory_tells_who_saw_what_when_and_how_well() -> None:
    inventory = fold(
        [
            SEEN,
            replace(SEEN, first_ms=5, last_ms=7, count=3),
            replace(SEEN, source="host", evidence="mcp.json:3", confidence=SourceConfidence.DECLARED, owner="ann"),
            replace(SEEN, source="otlp", edges=(Edge(Verb.USES, TOOL),), first_ms=15, last_ms=15),
        ]
    )
    item = inventory[BOT]
    assert (item.first_ms, item.last_ms, item.confidence) == (5, 20, SourceConfidence.REPORTED)
    assert item.evidence["otlp"].count == 5
    assert item.owner == (SourceConfidence.DECLARED, 20, "ann")
    assert item.edges[Edge(Verb.USES, TOOL)]["otlp"].first_ms == 15
    assert inventory[TOOL].evidence["otlp"].last_ms == 15, "what an edge points at exists as well"
    assert [subject for subject, _ in inventory.of(Kind.TOOL)] == [TOOL]


def test_a_claim_is_no_sighting_of_the_other_name() -> None:
    inventory = fold([replace(SEEN, edges=(Edge(Verb.SAME, Subject(Kind.AGENT, "other")),))])
    assert list(inventory) == [BOT]


def test_taking_says_what_changed_with_before_and_after() -> None:
    inventory = Inventory()
    first = replace(SEEN, traits=(Trait("schema", "1"),), owner="ann")
    assert [change.kind for change in inventory.take(first)] == [
        InventoryChangeKind.FOUND,
        InventoryChangeKind.TRAIT,
        InventoryChangeKind.OWNER,
    ]
    assert inventory.take(first) == ()
    later = replace(first, traits=(Trait("schema", "2"),), owner="bob", last_ms=30, edges=(Edge(Verb.USES, TOOL),))
    assert inventory.take(later) == (
        InventoryChange(TOOL, InventoryChangeKind.FOUND, "otlp", 10, after=SEEN.evidence),
        InventoryChange(BOT, InventoryChangeKind.EDGE, "otlp", 10, "uses", None, "tool/otlp:read", 10),
        InventoryChange(BOT, InventoryChangeKind.TRAIT, "otlp", 30, "schema", "1", "2", 10),
        InventoryChange(BOT, InventoryChangeKind.OWNER, "otlp", 30, "", "ann", "bob", 10),
    )
    assert inventory.take(first) == (), "what comes late changes nothing"
    assert inventory.take(replace(later, last_ms=40)) == (), "what is said again is no change"


def test_names_made_up_are_bounded_by_source() -> None:
    inventory = Inventory()
    admission = SightingLimiter(inventory)

    def flood(source: str, count: int) -> None:
        for number in range(count):
            admitted = admission.admit(replace(SEEN, source=source, subject=Subject(Kind.TOOL, f"{source}{number}")))
            if admitted is not None:
                inventory.take(admitted)

    flood("otlp:one", PER_SOURCE_MAX + 5)
    assert admission.refused == {"otlp:one": 5}
    assert len(inventory) == PER_SOURCE_MAX
    for source in ("otlp:two", "otlp:three", "otlp:four"):
        flood(source, PER_SOURCE_MAX)
    assert len(inventory) == SUBJECTS_MAX
    assert admission.refused["otlp:four"] == PER_SOURCE_MAX
    registered = replace(SEEN, source="workspace", subject=BOT, confidence=SourceConfidence.ENFORCED)
    assert admission.admit(registered) is registered
    known = replace(SEEN, source="otlp:one", subject=Subject(Kind.TOOL, "otlp:one1"))
    assert admission.admit(known) is known
    assert SightingLimiter(inventory).admit(replace(SEEN, subject=Subject(Kind.TOOL, "new"))) is None


def test_edges_made_up_are_bounded_by_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_of, "EDGES_OF_SOURCE_MAX", 3)
    inventory = Inventory()
    admission = SightingLimiter(inventory)
    for number in range(5):
        edge = Edge(Verb.USES, Subject(Kind.TOOL, f"t{number}"))
        admitted = admission.admit(replace(SEEN, subject=Subject(Kind.AGENT, f"a{number}"), edges=(edge,)))
        assert admitted is not None
        assert (admitted.edges != ()) == (number < 3)
        inventory.take(admitted)
    assert admission.refused == {"otlp": 2}
    again = SightingLimiter(inventory).admit(replace(SEEN, edges=(Edge(Verb.USES, Subject(Kind.TOOL, "more")),)))
    assert again is not None
    assert again.edges == (), "also after a start"
    monkeypatch.setattr(admission_of, "EDGES_OF_SOURCE_MAX", 99)
    monkeypatch.setattr(admission_of, "PER_SOURCE_MAX", 0)
    known = replace(SEEN, subject=Subject(Kind.AGENT, "a0"), edges=(Edge(Verb.USES, Subject(Kind.TOOL, "more")),))
    full = SightingLimiter(inventory).admit(known)
    assert full is not None
    assert full.edges == (), "nor to what there is no room for"
    enforced = replace(SEEN, confidence=SourceConfidence.ENFORCED, edges=(Edge(Verb.USES, Subject(Kind.TOOL, "real")),))
    assert admission.admit(enforced) is enforced


def test_edges_made_up_are_bounded_by_subject() -> None:
    inventory = Inventory()
    admission = SightingLimiter(inventory)
    for start in range(0, EDGES_MAX, 100):
        edges = tuple(Edge(Verb.USES, Subject(Kind.TOOL, f"t{number}")) for number in range(start, start + 100))
        admitted = admission.admit(replace(SEEN, edges=edges))
        assert admitted is not None
        inventory.take(admitted)
    more = replace(SEEN, edges=(Edge(Verb.USES, Subject(Kind.TOOL, "t1")), Edge(Verb.SAME, Subject(Kind.AGENT, "b"))))
    kept = admission.admit(more)
    assert kept is not None
    assert kept.edges == more.edges[:1]
    assert admission.refused == {"otlp": 1}
    claim = replace(SEEN, subject=Subject(Kind.AGENT, "b"), edges=more.edges[1:])
    assert admission.admit(claim) is claim
