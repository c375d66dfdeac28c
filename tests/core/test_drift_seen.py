"""Drift is told once, with before and after, and what follows only tightens."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from remit.discover import drift
from remit.discover.conditions import SETTLE_MS, ConditionFacts
from remit.discover.drift import (
    ON_DRIFT,
    Drift,
    DriftMemory,
    Follow,
    candidate,
    follow,
    of_settled_agents,
    widened_scopes,
)
from remit.discover.identity import BundleRegistry, Registered
from remit.discover.inventory import Inventory, InventoryChange, InventoryChangeKind
from remit.discover.memory import pairs_from, pairs_text
from remit.discover.sighting import Edge, Kind, Sighting, SourceConfidence, Subject, Trait, Verb
from remit.discover.view import View

NOW = 1_700_000_000_000
START = NOW - 2 * SETTLE_MS
BOT, TELEMETRY = Subject(Kind.AGENT, "bot"), Subject(Kind.AGENT, "bot", "otlp")
READ, TOLD = Subject(Kind.TOOL, "notes/read"), Subject(Kind.TOOL, "notes___read", "otlp")
KNOWN = BundleRegistry({"bot": Registered("ann")}, {"notes/read": "notes___read"}, frozenset({"notes"}))


def uses(to: Subject, at: int = NOW, agent: Subject = BOT, verb: Verb = Verb.USES) -> Sighting:
    return Sighting(agent, "otlp", "e", at, at, SourceConfidence.REPORTED, edges=(Edge(verb, to),))


def told(*sightings: Sighting, drifting: DriftMemory | None = None) -> Sequence[Drift]:
    inventory, changes = Inventory(), list[InventoryChange]()
    for sighting in sightings:
        changes += inventory.take(sighting)
    return list((drifting or DriftMemory()).drifts(changes, View(inventory, KNOWN, {}, ConditionFacts(NOW))))


@pytest.mark.parametrize(
    ("to", "verb", "kind"),
    [
        (Subject(Kind.TOOL, "rm", "otlp"), Verb.USES, "new-tool"),
        (Subject(Kind.MODEL, "m2"), Verb.USES, "new-model"),
        (Subject(Kind.PROMPT, "p", "otlp"), Verb.USES, "new-prompt"),
        (Subject(Kind.SERVER, "s", "host"), Verb.USES, "new-server"),
        (Subject(Kind.DATA, "crm", "otlp"), Verb.READS, "new-data-flow"),
        (Subject(Kind.AGENT, "helper", "otlp"), Verb.DELEGATES, "new-delegation"),
    ],
)
def test_what_a_settled_agent_begins_to_use_is_drift(to: Subject, verb: Verb, kind: str) -> None:
    [found] = told(uses(READ, START), uses(to, verb=verb))
    before = "tool/notes/read" if to.kind is Kind.TOOL else "nothing"
    assert found == Drift(kind, BOT, before, str(to), "otlp", NOW)


def test_what_an_agent_uses_while_it_is_learnt_is_none() -> None:
    assert told(uses(READ, START), uses(Subject(Kind.TOOL, "rm"), START + 1)) == []
    assert told(uses(READ)) == [], "nor what a new agent begins with"


def test_what_changes_back_and_then_again_is_told_each_time_also_by_who_remembers() -> None:
    inventory, drifting, kinds = Inventory(), DriftMemory(), list[str]()
    for number, text in enumerate(("a", "b", "b", "a", "b")):
        for source in ("workspace", "otlp"):
            at = NOW + number
            seen = Sighting(READ, source, "e", at, at, SourceConfidence.REPORTED, traits=(Trait("description", text),))
            changes = inventory.take(seen)
            found = list(drifting.drifts(changes, View(inventory, KNOWN, {}, ConditionFacts(at))))
            kinds += [one.after for one in found]
            drifting = DriftMemory(pairs_from(pairs_text(drifting.reported)))
    assert kinds == ["b", "a", "b"]


def test_drift_is_told_once_by_whatever_names() -> None:
    drifting = DriftMemory()
    fresh = (uses(READ, START), uses(TOLD, NOW, TELEMETRY), uses(Subject(Kind.TOOL, "rm"), NOW, TELEMETRY))
    again = uses(Subject(Kind.TOOL, "rm"), NOW + 5)
    known = Sighting(TELEMETRY, "otlp", "e", START, START)
    assert [one.after for one in told(known, *fresh, again, drifting=drifting)] == ["tool/rm"]
    assert told(known, *fresh, again, drifting=drifting) == []


def test_what_is_remembered_of_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "REPORTED_MAX", 2)
    tools = [uses(Subject(Kind.TOOL, f"t{number}")) for number in range(5)]
    assert len(told(uses(READ, START), *tools)) == 5


@pytest.mark.parametrize(
    "key", ["description", "schema", "pin", "text", "server files in /home/uma/.claude.json", "permission in x"]
)
def test_a_changed_description_or_schema_is_drift_at_any_time(key: str) -> None:
    def seen(value: str, at: int) -> Sighting:
        return Sighting(READ, "otlp", "e", at, at, traits=(Trait(key, value), Trait("version", value)))

    [found] = told(seen("1", NOW - 1), seen("2", NOW))
    assert (found.subject, found.before, found.after) == (READ, "1", "2")
    assert found.kind.endswith("-changed")


def test_claims_and_what_is_gone_by_now_are_no_drift() -> None:
    assert told(uses(READ, START), uses(TELEMETRY, verb=Verb.SAME)) == []
    view = View(Inventory(), KNOWN, {}, ConditionFacts(NOW))
    gone = InventoryChange(BOT, InventoryChangeKind.EDGE, "otlp", NOW, "uses", None, str(READ), START)
    assert list(DriftMemory().drifts([gone], view)) == []


def test_a_look_is_taken_where_something_could_be_drift() -> None:
    edge = InventoryChange(BOT, InventoryChangeKind.EDGE, "otlp", NOW, "uses", None, str(READ))
    assert candidate(edge, {"bot"})
    assert not candidate(edge, ())
    assert candidate(replace(edge, known_since=START), ())
    assert not candidate(replace(edge, known_since=START, key="same"), ())
    assert not candidate(replace(edge, known_since=START, subject=READ), ())
    assert candidate(InventoryChange(READ, InventoryChangeKind.TRAIT, "otlp", NOW, "schema", "1", "2"), ())
    assert not candidate(InventoryChange(READ, InventoryChangeKind.TRAIT, "otlp", NOW, "schema", None, "2"), ())
    for what in (InventoryChangeKind.FOUND, InventoryChangeKind.OWNER):
        assert not candidate(InventoryChange(BOT, what, "otlp", NOW), {"bot"})


def test_more_tools_within_an_agents_permission_are_drift() -> None:
    before = {"bot": frozenset({"notes/read"}), "less": frozenset({"a/b"})}
    after = {"bot": frozenset({"notes/read", "mail/send"}), "less": frozenset[str](), "new": frozenset({"a/b"})}
    [found] = widened_scopes(before, after, NOW)
    assert found == Drift("permission-widened", BOT, "notes/read", "and mail/send", "workspace", NOW)


def test_a_permission_that_is_widened_before_an_agent_is_settled_is_learnt() -> None:
    inventory = Inventory()
    inventory.take(uses(READ, START))
    view = View(inventory, KNOWN, {}, ConditionFacts(NOW))
    wider = Drift("permission-widened", BOT, "a", "b", "workspace", NOW)
    assert list(of_settled_agents([wider, replace(wider, at=START), replace(wider, subject=TOLD)], view)) == [wider]


def test_what_follows_only_tightens() -> None:
    assert follow({}) is Follow.RECORD
    assert follow({ON_DRIFT: "notice"}) is Follow.NOTICE
    assert follow({ON_DRIFT: "stop"}) is Follow.STOP
    assert follow({ON_DRIFT: "allow"}) is Follow.STOP, "a word that is none of them means the strictest"


def test_what_another_agent_tells_of_one_leads_to_a_notice_and_takes_nothing_away() -> None:
    new = Subject(Kind.TOOL, "rm", "otlp")
    by_other = replace(uses(new, START + SETTLE_MS + 5, TELEMETRY), source="otlp:mallory")
    own = replace(uses(new, NOW, TELEMETRY), source="otlp:bot")
    [first, again] = told(uses(READ, START), by_other, own)
    assert [(one.subject, one.source, one.is_of_another) for one in (first, again)] == [
        (BOT, "otlp:mallory", True),
        (BOT, "otlp:bot", False),
    ]
    assert told(uses(READ, START), own, by_other)[0].source == "otlp:bot", "and once where it was seen before"
    assert len(told(uses(READ, START), own, by_other)) == 1
    early = replace(by_other, first_ms=START + 1, last_ms=START + 1)
    assert told(uses(READ, START), early, own)[-1].source == "otlp:bot", "nor has it learnt that before"
    for word, least in (("record", Follow.RECORD), ("notice", Follow.NOTICE), ("quarantine", Follow.NOTICE)):
        assert follow({ON_DRIFT: word}, of_another=True) is least
    assert follow({ON_DRIFT: "halt!"}, of_another=True) is Follow.NOTICE
