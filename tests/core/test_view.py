"""The inventory as people see it: names that are one joined, and undone; what is true of each entry."""

import random
from dataclasses import replace

import pytest

from remit.discover.conditions import ACCEPTED, DORMANT_MS, SETTLE_MS, ConditionFacts, Nature, new_links
from remit.discover.entry import Aspect, ConditionStatus, InventoryEntry
from remit.discover.identity import BundleRegistry, Claim, Identities, Registered, claims
from remit.discover.inventory import InventoryChangeKind, fold
from remit.discover.reconcile import Activity, PassageCounts
from remit.discover.registrations import known as known_of
from remit.discover.registrations import natures, sightings
from remit.discover.sighting import Edge, Kind, Sighting, SourceConfidence, Subject, Trait, Verb
from remit.discover.view import View
from remit.facts.agent import Agent
from remit.facts.catalog import Catalog, Http, Server, Stdio
from remit.facts.tool import Definition, Sink, Tool

NOW = 1_700_000_000_000
BOT = Subject(Kind.AGENT, "bot")
TELEMETRY = Subject(Kind.AGENT, "bot", "otlp")
CONFIG = Subject(Kind.AGENT, "/etc/bot.json", "host")
READ, TOLD = Subject(Kind.TOOL, "notes/read"), Subject(Kind.TOOL, "notes___read", "otlp")
KNOWN = BundleRegistry(
    {"bot": Registered("ann", frozenset({"team"}))}, {"notes/read": "notes___read"}, frozenset({"notes"})
)


def seen(subject: Subject, source: str = "otlp", at: int = NOW, **more: object) -> Sighting:
    return replace(Sighting(subject, source, "evidence", at, at), **more)  # pyright: ignore[reportArgumentType]


def view(
    *found: Sighting,
    known: BundleRegistry = KNOWN,
    facts: ConditionFacts | None = None,
    **activity: tuple[Subject, int, int],
) -> View:
    counts = {
        Activity(TELEMETRY if one[0] == TOLD else BOT, one[0], 9): PassageCounts(*one[1:]) for one in activity.values()
    }
    return View(fold(found), known, counts, facts or ConditionFacts(NOW), 5)


def entry_of(at: View, subject: Subject) -> InventoryEntry:
    found = at.find(subject)
    assert found is not None
    return found


def status(entry: InventoryEntry, aspect: Aspect) -> tuple[ConditionStatus, str]:
    [found] = [one for one in entry.conditions if one.type is aspect]
    return found.status, found.reason


def same(
    one: Subject, other: Subject, source: str = "host", how: SourceConfidence = SourceConfidence.DECLARED
) -> Sighting:
    return seen(one, source, confidence=how, edges=(Edge(Verb.SAME, other),))


def test_an_agent_by_token_telemetry_and_config_file_is_one_and_it_is_told_why() -> None:
    at = view(seen(BOT, "ledger"), seen(TELEMETRY, owner="eve"), same(CONFIG, BOT))
    [entry] = at.entries(Kind.AGENT)
    assert entry.subject == BOT
    assert entry.names == (BOT, CONFIG, TELEMETRY)
    assert {claim.source for claim in entry.because} == {"names", "host"}
    assert entry.owner == "ann", "what is registered counts"
    assert [sight.source for sight in entry.sights] == ["ledger", "host", "otlp"]
    assert at.find(TELEMETRY) == entry
    assert at.find(Subject(Kind.AGENT, "nobody")) is None


def test_what_a_person_says_counts_and_can_be_taken_back() -> None:
    apart = seen(TELEMETRY, "user:ann", confidence=SourceConfidence.STATED, edges=(Edge(Verb.APART, BOT),))
    at = view(seen(BOT), seen(TELEMETRY), apart)
    assert [entry.names for entry in at.entries(Kind.AGENT)] == [(BOT,), (TELEMETRY,)]
    again = view(seen(BOT), seen(TELEMETRY), apart, same(TELEMETRY, BOT, "user:bob", SourceConfidence.STATED))
    assert len(list(again.entries(Kind.AGENT))) == 2, "apart, where both are as sure and as late"
    later = replace(same(TELEMETRY, BOT, "user:bob", SourceConfidence.STATED), last_ms=NOW + 1)
    assert [entry.names for entry in view(seen(BOT), later, apart).entries(Kind.AGENT)] == [(BOT, TELEMETRY)]
    other_way = seen(BOT, "user:cy", NOW + 2, confidence=SourceConfidence.STATED, edges=(Edge(Verb.APART, TELEMETRY),))
    assert len(list(view(seen(BOT), other_way, later, apart).entries(Kind.AGENT))) == 2
    declared = replace(same(TELEMETRY, BOT, "host"), last_ms=NOW + 9)
    assert len(list(view(seen(BOT), declared, later, apart).entries(Kind.AGENT))) == 1
    mere = seen(TELEMETRY, "repo", NOW - 5, confidence=SourceConfidence.DECLARED, edges=(Edge(Verb.APART, BOT),))
    assert len(list(view(seen(BOT), declared, mere).entries(Kind.AGENT))) == 2, "of sources, none is asked again"


def test_what_is_apart_never_becomes_one_by_way_of_a_third_name() -> None:
    a, b, c, d = (Subject(Kind.AGENT, name, "repo") for name in "abcd")

    def claim(
        one: Subject, other: Subject, verb: Verb = Verb.SAME, how: SourceConfidence = SourceConfidence.DECLARED
    ) -> Claim:
        return Claim(how, verb, one, other, "s", "e")

    given = [
        claim(a, b, Verb.APART, SourceConfidence.STATED),
        claim(a, c),
        claim(c, b),
        claim(a, d),
        claim(d, a),
        claim(c, d),
        claim(b, d),
        claim(a, a),
        claim(a, Subject(Kind.TOOL, "a")),
    ]
    made = Identities(given)
    for seed in range(10):
        random.Random(seed).shuffle(given)
        again = Identities(given)
        assert [again.members(one) for one in (a, b, c, d)] == [made.members(one) for one in (a, b, c, d)]
    assert made.of(a) != made.of(b)
    assert made.of(b) == made.of(d)
    assert len(made.because(b)) == 2
    assert made.because(a) == ()
    assert Identities([claim(b, a), claim(a, b, Verb.APART), claim(b, c), claim(a, c)]).of(b) in {b, a}


def test_a_registered_name_in_telemetry_is_taken_for_the_registered_thing() -> None:
    server = Subject(Kind.SERVER, "notes", "otlp")
    listed = list(claims(fold([seen(TOLD), seen(server), seen(Subject(Kind.TOOL, "notes/read", "host"))]), KNOWN))
    assert {(claim.first.name, claim.second, claim.confidence) for claim in listed} == {
        ("notes___read", READ, SourceConfidence.DECLARED),
        ("notes/read", READ, SourceConfidence.DECLARED),
        ("notes", Subject(Kind.SERVER, "notes"), SourceConfidence.GUESSED),
    }
    assert (
        list(claims(fold([seen(Subject(Kind.TOOL, "read", "otlp")), seen(Subject(Kind.MODEL, "notes"))]), KNOWN)) == []
    )


def test_links_of_all_names_are_joined() -> None:
    one = seen(BOT, "ledger", at=5, confidence=SourceConfidence.ENFORCED, edges=(Edge(Verb.USES, READ),))
    two = seen(TELEMETRY, "otlp", at=9, edges=(Edge(Verb.USES, TOLD), Edge(Verb.SAME, BOT)))
    entry = entry_of(view(one, two), BOT)
    [link] = entry.links
    assert (link.verb, link.to, link.first_ms, link.last_ms) == (Verb.USES, READ, 5, 9)
    assert link.by == ("ledger", "otlp")
    assert link.confidence is SourceConfidence.ENFORCED
    reverse = entry_of(view(two, one), BOT)
    assert reverse == entry


def test_what_is_registered_is_no_shadow() -> None:
    at = view(seen(BOT), seen(READ), seen(Subject(Kind.SERVER, "notes")), seen(Subject(Kind.MODEL, "m")))
    for subject in (BOT, READ, Subject(Kind.SERVER, "notes")):
        assert status(entry_of(at, subject), Aspect.SHADOW) == (ConditionStatus.FALSE, "Registered")
    assert entry_of(at, Subject(Kind.MODEL, "m")).conditions == ()
    stranger = Subject(Kind.AGENT, "eve", "otlp")
    entry = entry_of(view(seen(stranger)), stranger)
    assert status(entry, Aspect.SHADOW) == (ConditionStatus.TRUE, "NeverRegistered")
    assert status(entry, Aspect.OWNED) == (ConditionStatus.FALSE, "NoOwner")


def test_what_was_removed_and_never_seen_is_not_called_a_shadow() -> None:
    gone = Subject(Kind.SERVER, "gone")
    catalog = Catalog({}, {}, frozenset(), {"gone": Server("gone", Http("https://n"))}, {}, {}, ())
    declared = tuple(sightings(catalog, NOW))
    assert status(entry_of(view(*declared, known=known_of(catalog)), gone), Aspect.SHADOW) == (
        ConditionStatus.FALSE,
        "Registered",
    )
    assert status(entry_of(view(*declared), gone), Aspect.SHADOW) == (ConditionStatus.UNKNOWN, "NeverSeen")
    entry = entry_of(view(*declared, seen(gone, "ledger")), gone)
    assert status(entry, Aspect.SHADOW) == (ConditionStatus.TRUE, "NeverRegistered"), (
        "it is there, whoever removed it here"
    )


def test_a_server_that_remit_runs_is_the_one_that_is_registered() -> None:
    """The same package run by anybody else stays shadow."""
    stdio = Server("clock", Stdio(("/usr/bin/uvx", "mcp-server-time", "--utc")))
    catalog = Catalog({}, {}, frozenset(), {"clock": stdio, "notes": Server("notes", Http("https://n"))}, {}, {}, ())
    known = known_of(catalog)
    assert known.launches == {"pypi:mcp-server-time": "clock"}
    ours = Subject(Kind.SERVER, "remit/pypi:mcp-server-time@box", "host")
    others = Subject(Kind.SERVER, "remit/npm:x@box", "host")
    at_large = Subject(Kind.SERVER, "pypi:mcp-server-time")
    odd = Subject(Kind.AGENT, "remit/npm:x@box", "host")
    at = view(*(seen(one, "host:box") for one in (ours, others, at_large, odd)), *sightings(catalog, NOW), known=known)
    entry = entry_of(at, ours)
    assert entry.subject == Subject(Kind.SERVER, "clock")
    assert [claim.evidence for claim in entry.because] == ["Remit runs it, by the command of the server clock"]
    assert status(entry, Aspect.SHADOW) == (ConditionStatus.FALSE, "Registered")
    assert status(entry_of(at, others), Aspect.SHADOW) == (ConditionStatus.UNKNOWN, "RunByRemit")
    for one in (at_large, odd):
        assert status(entry_of(at, one), Aspect.SHADOW) == (ConditionStatus.TRUE, "NeverRegistered")


@pytest.mark.parametrize(
    ("address", "machine", "ours"),
    [
        ("http://127.0.0.1:7070/mcp", "box", True),
        ("https://r.example/mcp", "laptop", True),
        ("http://127.0.0.1:7070/mcp", "laptop", False),
        ("http://127.0.0.1:7171/mcp", "box", False),
        ("https://other.example/mcp", "box", False),
    ],
)
def test_a_relay_to_this_service_is_governed_and_one_to_another_is_not_known(
    address: str, machine: str, *, ours: bool
) -> None:
    doors = frozenset({"http://127.0.0.1:7070/mcp", "https://r.example/mcp"})
    relay = Subject(Kind.SERVER, f"relay/{address}@{machine}", "host")
    entry = entry_of(view(seen(relay, "host:box"), facts=ConditionFacts(NOW, endpoints=doors, machine="box")), relay)
    shadow, governed = status(entry, Aspect.SHADOW), status(entry, Aspect.GOVERNED)
    assert shadow == ((ConditionStatus.FALSE, "Relay") if ours else (ConditionStatus.UNKNOWN, "RelayElsewhere"))
    told = (ConditionStatus.TRUE, "EnforcementPoint") if ours else (ConditionStatus.UNKNOWN, "NothingSeen")
    assert governed == told


def test_governed_is_what_was_seen_to_pass_and_nothing_else() -> None:
    found = (seen(BOT), seen(TELEMETRY))
    assert status(entry_of(view(*found), BOT), Aspect.GOVERNED) == (ConditionStatus.UNKNOWN, "NothingSeen")
    passed = entry_of(view(*found, a=(READ, 3, 0)), BOT)
    assert status(passed, Aspect.GOVERNED) == (ConditionStatus.TRUE, "Enforced")
    around = view(*found, seen(READ), a=(READ, 3, 0), b=(TOLD, 0, 1))
    assert status(entry_of(around, BOT), Aspect.GOVERNED) == (ConditionStatus.FALSE, "WentAround")
    [condition] = [one for one in entry_of(around, BOT).conditions if one.type is Aspect.GOVERNED]
    assert condition.message == "1 of 4 actions passed no enforcement point (tool/otlp:notes___read)"
    told = entry_of(view(*found, seen(TOLD), b=(TOLD, 0, 1)), TOLD)
    assert status(told, Aspect.GOVERNED) == (ConditionStatus.FALSE, "ObservedOnly")
    assert told.counts == PassageCounts(0, 1)
    assert around.calls(TELEMETRY) == around.calls(BOT)


def test_a_server_is_governed_as_what_was_called_at_it_is() -> None:
    server, odd = Subject(Kind.SERVER, "notes"), Subject(Kind.TOOL, "bare", "otlp")
    at = view(seen(server), seen(TOLD), seen(odd), a=(READ, 3, 0), b=(TOLD, 0, 1), c=(odd, 1, 1))
    assert entry_of(at, server).counts == PassageCounts(3, 1)
    assert status(entry_of(at, server), Aspect.GOVERNED) == (ConditionStatus.FALSE, "WentAround")


def test_what_is_older_than_the_time_looked_at_does_not_count() -> None:
    at = View(fold([seen(BOT)]), KNOWN, {Activity(BOT, READ, 4): PassageCounts(0, 1)}, ConditionFacts(NOW), 5)
    assert status(entry_of(at, BOT), Aspect.GOVERNED) == (ConditionStatus.UNKNOWN, "NothingSeen")


def test_new_use_after_an_agent_is_settled_is_drift_until_a_person_accepts_it() -> None:
    start = NOW - 2 * SETTLE_MS
    known = seen(BOT, at=start, edges=(Edge(Verb.USES, READ),))
    fresh = [seen(BOT, at=NOW, edges=(Edge(Verb.USES, Subject(Kind.TOOL, f"t{n}")),)) for n in range(7)]
    assert status(entry_of(view(seen(BOT)), BOT), Aspect.DRIFTED) == (ConditionStatus.FALSE, "Settling")
    assert status(entry_of(view(known), BOT), Aspect.DRIFTED) == (ConditionStatus.FALSE, "AsBefore")
    drifted = entry_of(view(known, *fresh), BOT)
    assert status(drifted, Aspect.DRIFTED) == (ConditionStatus.TRUE, "NewUse")
    [condition] = [one for one in drifted.conditions if one.type is Aspect.DRIFTED]
    assert condition.message.endswith("uses tool/t4 and 2 more")
    assert [link.to.name for link in new_links(drifted)] == [f"t{n}" for n in range(7)]
    accepted = seen(BOT, "user:ann", confidence=SourceConfidence.STATED, traits=(Trait(ACCEPTED, "user:ann"),))
    assert status(entry_of(view(known, *fresh, accepted), BOT), Aspect.DRIFTED) == (ConditionStatus.FALSE, "AsBefore")


@pytest.mark.parametrize("files_first", [True, False])
def test_no_file_makes_what_was_seen_here_older(files_first: bool) -> None:
    """An export that is read back dates every link as it does its agent."""
    old = seen(BOT, "ledger", at=NOW - SETTLE_MS - 2)
    edges = (Edge(Verb.USES, READ),)
    new = seen(BOT, "ledger", at=NOW - 1, edges=edges)
    told = [seen(BOT, f"import:{name}.json: ledger", at=NOW - SETTLE_MS - 2, edges=edges) for name in "ab"]
    at = view(*(old, *told, new) if files_first else (old, new, *told))
    [link] = entry_of(at, BOT).links
    assert link.first_ms == NOW - 1
    assert len(link.by) == 3
    assert status(entry_of(at, BOT), Aspect.DRIFTED)[0] is ConditionStatus.TRUE
    only = view(old, *told)
    assert status(entry_of(only, BOT), Aspect.DRIFTED)[0] is ConditionStatus.FALSE


def test_what_only_files_told_of_is_new_when_it_is_seen() -> None:
    edges = (Edge(Verb.USES, READ),)
    inventory = fold([seen(BOT, "ledger"), seen(BOT, "import:a.csv", edges=edges)])
    again = inventory.take(seen(BOT, "import:b.csv", edges=edges))
    assert not [one for one in again if one.kind is InventoryChangeKind.EDGE]
    for times in (1, 0):
        changes = inventory.take(seen(BOT, "ledger", edges=edges))
        assert len([one for one in changes if one.kind is InventoryChangeKind.EDGE]) == times


def test_what_a_file_or_program_calls_accepted_is_not() -> None:
    old = seen(BOT, at=NOW - SETTLE_MS - 2)
    new = seen(BOT, at=NOW - 1, edges=(Edge(Verb.USES, READ),))
    for how, drifted in (
        (SourceConfidence.DECLARED, ConditionStatus.TRUE),
        (SourceConfidence.STATED, ConditionStatus.FALSE),
    ):
        accepted = seen(BOT, "import:x.json", confidence=how, traits=(Trait(ACCEPTED, "ann"),))
        entry = entry_of(view(old, new, accepted), BOT)
        assert status(entry, Aspect.DRIFTED)[0] is drifted
        assert [said.key for said in entry.traits] == ([] if drifted is ConditionStatus.TRUE else [ACCEPTED])


def test_an_agent_that_was_not_seen_at_work_for_thirty_days_is_dormant() -> None:
    old = NOW - DORMANT_MS - 1
    for found, expected in (
        ((seen(BOT, at=old),), (ConditionStatus.TRUE, "NotSeen")),
        ((seen(BOT, "workspace", at=old), seen(BOT, "workspace")), (ConditionStatus.TRUE, "NotSeen")),
        ((seen(BOT, "workspace"),), (ConditionStatus.FALSE, "NotYet")),
        ((seen(BOT, at=old), seen(BOT, "ledger")), (ConditionStatus.FALSE, "Active")),
    ):
        assert status(entry_of(view(*found), BOT), Aspect.DORMANT) == expected


def test_untrusted_input_confidential_data_and_an_external_sink_in_one_agent_are_toxic() -> None:
    facts = ConditionFacts(
        NOW,
        natures={
            "web/fetch": Nature(frozenset({"untrusted", "untrusted:web"}), Sink.NONE),
            "crm/read": Nature(frozenset({"confidential"}), Sink.NONE),
            "mail/send": Nature(frozenset(), Sink.EXTERNAL),
        },
        scopes={"bot": frozenset({"mail/send"})},
    )
    uses = [Edge(Verb.USES, Subject(Kind.TOOL, name)) for name in facts.natures]

    def judged(*edges: Edge, subject: Subject = BOT) -> tuple[ConditionStatus, str]:
        return status(entry_of(view(seen(subject, edges=edges), facts=facts), subject), Aspect.TOXIC)

    assert judged(*uses) == (ConditionStatus.TRUE, "Used")
    assert judged(*uses[:2]) == (ConditionStatus.TRUE, "MayUse")
    assert judged(uses[0]) == (ConditionStatus.FALSE, "Apart")
    stranger = Subject(Kind.AGENT, "eve", "otlp")
    assert judged(*uses[:2], subject=stranger) == (ConditionStatus.FALSE, "Apart")
    odd = Edge(Verb.USES, Subject(Kind.TOOL, "odd", "otlp"))
    assert judged(uses[0], odd, subject=stranger) == (ConditionStatus.UNKNOWN, "ToolsUnknown")


def test_what_a_bundle_registers_is_seen() -> None:
    tools = {
        (server, name): Tool(server, Definition(name, "reads\n", {}, None, {}), "sha256:0")
        for server, name in (("notes", "read"), ("notes", "x" * 200))
    }
    catalog = Catalog(
        agents={"bot": Agent("bot", "ann", "p", frozenset({"team"})), "free": Agent("free", "", "p")},
        servers={"notes": Server("notes", Http("https://notes"))},
        tools=tools,
        users={},
        groups=frozenset({"team"}),
        routes={},
        policies=(),
    )
    found = list(sightings(catalog, NOW))
    assert [str(one.subject) for one in found] == ["agent/bot", "agent/free", "server/notes", "tool/notes/read"]
    assert [one.owner for one in found] == ["ann", None, None, None]
    assert found[3].traits == (Trait("pin", "sha256:0"), Trait("description", "reads\\u{a}"))
    known = known_of(catalog)
    assert known.agents["bot"] == Registered("ann", frozenset({"team"}))
    assert known.tools["notes/read"] == "notes___read"
    assert natures(catalog)["notes/read"] == Nature(frozenset({"untrusted"}), Sink.EXTERNAL)


@pytest.mark.parametrize("kind", [None, Kind.TOOL])
def test_entries_are_in_order_of_names(kind: Kind | None) -> None:
    at = view(seen(TELEMETRY), seen(READ), seen(TOLD), seen(Subject(Kind.DATA, "d")), seen(Subject(Kind.PROMPT, "p")))
    names = [entry.subject for entry in at.entries(kind)]
    assert names == sorted(names)
    assert READ in names
    assert (Subject(Kind.DATA, "d") in names) is (kind is None)


def test_an_owner_that_a_source_knows_owns_what_is_not_registered() -> None:
    stranger = Subject(Kind.AGENT, "eve", "repo")
    found = (seen(stranger, "repo", owner="carl"), same(stranger, CONFIG), seen(CONFIG))
    entry = entry_of(view(*found, facts=ConditionFacts(NOW, people=frozenset({"carl"}))), stranger)
    assert entry.owner == "carl"
    assert status(entry, Aspect.OWNED) == (ConditionStatus.TRUE, "HasOwner")


def test_an_owner_whom_nobody_knows_owns_nothing() -> None:
    stranger = Subject(Kind.AGENT, "eve", "repo")
    at = view(seen(stranger, "repo", owner="carl"), seen(BOT), facts=ConditionFacts(NOW, people=frozenset({"bea"})))
    assert status(entry_of(at, stranger), Aspect.OWNED) == (ConditionStatus.UNKNOWN, "UnknownOwner")
    assert status(entry_of(at, BOT), Aspect.OWNED) == (ConditionStatus.FALSE, "UnknownOwner")
