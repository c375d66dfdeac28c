"""What the ledger tells of agents, and as whom telemetry tells of the same."""

from dataclasses import replace

import pytest

from remit.discover.ledger_sightings import Intent, LedgerSightings, pair_sightings
from remit.discover.reconcile import Pair, Passage
from remit.discover.sighting import Edge, Kind, SourceConfidence, Subject, Verb
from remit.discover.telemetry import ObservedCall
from remit.facts.action import ActionKind

NOW = 1_700_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BOT = Subject(Kind.AGENT, "bot")
READ = Subject(Kind.TOOL, "notes/read")


def intent(kind: ActionKind = ActionKind.CALL_TOOL, name: str = "read", at: int = NOW, **more: object) -> Intent:
    given: dict[str, object] = {"server": "notes", "agents": ("bot",), "trace": f"00-{TRACE}-00f067aa0ba902b7-01"}
    return Intent("r1-1.7", at, kind, name=name, **(given | more))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("kind", "name", "edge", "names"),
    [
        (ActionKind.CALL_TOOL, "read", Edge(Verb.USES, READ), {"read", "notes___read"}),
        (ActionKind.GET_PROMPT, "p", Edge(Verb.USES, Subject(Kind.PROMPT, "notes/p")), {"p", "notes___p"}),
        (ActionKind.READ_RESOURCE, "file:///x", Edge(Verb.READS, Subject(Kind.DATA, "file:///x")), {"file:///x"}),
        (ActionKind.CALL_MODEL, "m1", Edge(Verb.USES, Subject(Kind.MODEL, "m1")), {"m1"}),
    ],
)
def test_each_action_is_a_sighting_and_a_passage(kind: ActionKind, name: str, edge: Edge, names: set[str]) -> None:
    enforced = LedgerSightings()
    enforced.add(intent(kind, name))
    enforced.add(intent(kind, name, at=NOW - 5))
    [seen] = enforced.sightings()
    assert seen.edges == (edge, Edge(Verb.USES, Subject(Kind.SERVER, "notes")))
    assert (seen.subject, seen.first_ms, seen.last_ms, seen.count) == (BOT, NOW - 5, NOW, 2)
    assert seen.confidence is SourceConfidence.ENFORCED
    assert enforced.passages[0] == Passage("r1-1.7", TRACE, "bot", edge.to, frozenset(names), NOW)


def test_a_chain_delegates_from_one_to_the_next() -> None:
    enforced = LedgerSightings()
    enforced.add(intent(agents=("boss", "bot", "sub"), trace=None))
    enforced.add(intent(ActionKind.DELEGATE, "helper", server=""))
    enforced.add(intent(ActionKind.LIST_ROOTS, "", agents=("quiet",)))
    found: dict[str, list[str]] = {}
    for one in enforced.sightings():
        found.setdefault(one.subject.name, []).extend(edge.to.name for edge in one.edges)
    assert found == {"boss": ["bot"], "bot": ["sub", "helper"], "sub": ["notes/read", "notes"], "quiet": []}
    assert [passage.trace for passage in enforced.passages] == [""]


def test_each_thing_that_an_agent_did_has_its_own_record_and_times() -> None:
    enforced = LedgerSightings()
    for number, name in enumerate(("read", "write", "read")):
        enforced.add(replace(intent(name=name, at=NOW + number), ref=f"r1-1.{number}"))
    enforced.add(replace(intent(at=NOW - 9), ref="r1-1.9"))
    found = {one.edges[0].to.name: (one.evidence, one.first_ms, one.last_ms) for one in enforced.sightings()}
    assert found == {
        "notes/read": ("record r1-1.2", NOW - 9, NOW + 2),
        "notes/write": ("record r1-1.1", NOW + 1, NOW + 1),
    }
    assert sum(one.count for one in enforced.sightings()) == 4


def test_a_call_of_the_same_trace_has_the_same_agent_and_tool() -> None:
    told = ObservedCall(
        TRACE, "s", "scope", Subject(Kind.AGENT, "planner", "otlp"), Subject(Kind.TOOL, "read", "otlp"), 1, 2
    )
    passage = Passage("r1-1.7", TRACE, "bot", READ, frozenset({"read"}), NOW)
    found = list(pair_sightings(Pair(told, passage)))
    assert [(one.subject.name, one.edges) for one in found] == [
        ("planner", (Edge(Verb.SAME, BOT),)),
        ("read", (Edge(Verb.SAME, READ),)),
    ]
    assert {one.evidence for one in found} == {f"trace {TRACE} is on the ledger as r1-1.7"}
    assert {one.confidence for one in found} == {SourceConfidence.REPORTED}
    model = ObservedCall(TRACE, "s", "scope", BOT, Subject(Kind.DATA, "x", "otlp"), 1, 2)
    assert list(pair_sightings(Pair(model, passage))) == [], "nothing to say of the same name, or of another kind"
