"""What is true of an entry: governed, owned, shadow, drifted, dormant, a toxic combination.

Laws
* A condition is a function of the entry, of what was reconciled and of what is registered: nothing is remembered, so
  none can outlive its cause.
* Nothing is called governed that was not seen to pass an enforcement point, or leads to one alone, and nothing is said
  of what was not seen.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from remit.discover.entry import Aspect, Condition, ConditionStatus, InventoryEntry, InventoryLink
from remit.discover.identity import run_by_remit
from remit.discover.reconcile import PassageCounts
from remit.discover.relays import leads_to, relay_to
from remit.discover.sighting import WORKSPACE, Kind, Subject, Verb
from remit.facts.durations import DAY_MS, HOUR_MS
from remit.facts.label import Labels
from remit.facts.tool import Sink

SETTLE_MS: Final = HOUR_MS
"""How long an agent's ways are learnt before something new is drift, where nobody accepted them earlier."""
ACCEPTED: Final = "accepted"
"""The trait by which a person says that what an agent does now is what is expected of it."""
DORMANT_MS: Final = 30 * DAY_MS
ACTIVE: Final = ("ledger", "otlp")
"""What the names of sources begin with that see agents at work, not where they are written down."""
_GOVERNABLE: Final = frozenset({Kind.AGENT, Kind.SERVER, Kind.TOOL})
_NAMED_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Nature:
    """What the catalog says of a tool: the labels its results bring, and where its arguments go."""

    source: Labels
    sink: Sink


@dataclass(frozen=True, slots=True)
class ConditionFacts:
    """What conditions look at beside the entry.

    `natures` are what the catalog says of each registered tool (`server/tool`), `scopes` which of them each registered
    agent may call, as policy's scopes have it; `people` are the names of the users and groups that there are.
    `endpoints` are the addresses of MCP at which this service answers, on `machine`.
    """

    now_ms: int
    natures: Mapping[str, Nature] = field(default_factory=dict[str, Nature])
    scopes: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    people: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()
    machine: str = ""


def conditions(
    entry: InventoryEntry, facts: ConditionFacts, calls: Mapping[Subject, PassageCounts]
) -> tuple[Condition, ...]:
    """What is true of `entry`; `calls` are those that an agent made."""
    return tuple(_conditions(entry, facts, calls))


def _conditions(
    entry: InventoryEntry, facts: ConditionFacts, calls: Mapping[Subject, PassageCounts]
) -> Iterator[Condition]:
    if entry.subject.kind in _GOVERNABLE:
        yield _shadow(entry, facts)
        yield _governed(entry, facts, calls)
    if entry.subject.kind is Kind.AGENT:
        yield _owned(entry, facts)
        yield _drifted(entry, facts)
        yield _dormant(entry, facts)
        yield _toxic(entry, facts)


def _shadow(entry: InventoryEntry, facts: ConditionFacts) -> Condition:
    if entry.registered:
        return Condition(Aspect.SHADOW, ConditionStatus.FALSE, "Registered", "it is registered")
    if (relay := relay_to(entry.subject)) is not None:
        if leads_to(facts.endpoints, facts.machine, relay):
            return Condition(Aspect.SHADOW, ConditionStatus.FALSE, "Relay", "it is Remit's relay to this service")
        what = f"it is Remit's relay to {relay[0]}, which has to say what passes there"
        return Condition(Aspect.SHADOW, ConditionStatus.UNKNOWN, "RelayElsewhere", what)
    if sights := [sight for sight in entry.sights if run_by_remit(sight.name)]:
        # Of this service it would be registered; of another one a process's name alone tells.
        evidence = max(sights, key=lambda sight: sight.last_ms).evidence
        return Condition(
            Aspect.SHADOW, ConditionStatus.UNKNOWN, "RunByRemit", f"another service has to say what it is: {evidence}"
        )
    sources = {sight.source for sight in entry.sights}
    if sources == {WORKSPACE}:
        return Condition(
            Aspect.SHADOW, ConditionStatus.UNKNOWN, "NeverSeen", "it was registered, and nothing ever saw it"
        )
    what = f"seen by {_listed(sources)}, and registered nowhere"
    return Condition(Aspect.SHADOW, ConditionStatus.TRUE, "NeverRegistered", what)


def _governed(entry: InventoryEntry, facts: ConditionFacts, calls: Mapping[Subject, PassageCounts]) -> Condition:
    relay = relay_to(entry.subject)
    if relay is not None and leads_to(facts.endpoints, facts.machine, relay):
        return Condition(
            Aspect.GOVERNED, ConditionStatus.TRUE, "EnforcementPoint", "all that goes through it passes this service"
        )
    passed, observed = entry.counts
    if observed:
        bypassed = _listed(str(called) for called, counts in calls.items() if counts.observed)
        what = f" ({bypassed})" if bypassed else ""
        message = f"{observed} of {passed + observed} actions passed no enforcement point{what}"
        return Condition(Aspect.GOVERNED, ConditionStatus.FALSE, "WentAround" if passed else "ObservedOnly", message)
    if passed:
        return Condition(
            Aspect.GOVERNED, ConditionStatus.TRUE, "Enforced", f"all {passed} actions passed an enforcement point"
        )
    return Condition(Aspect.GOVERNED, ConditionStatus.UNKNOWN, "NothingSeen", "no action was seen")


def _owned(entry: InventoryEntry, facts: ConditionFacts) -> Condition:
    if not entry.owner:
        return Condition(Aspect.OWNED, ConditionStatus.FALSE, "NoOwner", "no source knows who answers for it")
    if entry.owner in facts.people:
        return Condition(Aspect.OWNED, ConditionStatus.TRUE, "HasOwner", f"{entry.owner} answers for it")
    message = f"{entry.owner} is named as its owner, and no user or group is called so"
    # Who is meant by a source's name for him may still be known here by another one.
    known = ConditionStatus.FALSE if entry.registered else ConditionStatus.UNKNOWN
    return Condition(Aspect.OWNED, known, "UnknownOwner", message)


def baseline(entry: InventoryEntry) -> int:
    """Until when what the agent does is what is expected of it (ms since the epoch)."""
    accepted = [trait.at for trait in entry.traits if trait.key == ACCEPTED]
    return max(accepted) if accepted else entry.first_ms + SETTLE_MS


def new_links(entry: InventoryEntry) -> tuple[InventoryLink, ...]:
    """What the agent began to use after it was settled."""
    since = baseline(entry)
    return tuple(link for link in entry.links if link.first_ms > since)


def _drifted(entry: InventoryEntry, facts: ConditionFacts) -> Condition:
    since = baseline(entry)
    new = _listed(f"{link.verb.value} {link.to}" for link in new_links(entry))
    if new:
        return Condition(Aspect.DRIFTED, ConditionStatus.TRUE, "NewUse", f"new since it was settled: {new}")
    if since > facts.now_ms:
        return Condition(Aspect.DRIFTED, ConditionStatus.FALSE, "Settling", "it is known for less than an hour")
    return Condition(Aspect.DRIFTED, ConditionStatus.FALSE, "AsBefore", "nothing new since it was settled")


def _dormant(entry: InventoryEntry, facts: ConditionFacts) -> Condition:
    active_ms = [sight.last_ms for sight in entry.sights if sight.source.startswith(ACTIVE)]
    since = max(active_ms, default=entry.first_ms)
    days = (facts.now_ms - since) // DAY_MS
    if facts.now_ms - since > DORMANT_MS:
        activity = "not seen at work" if active_ms else "known, and never seen at work,"
        return Condition(Aspect.DORMANT, ConditionStatus.TRUE, "NotSeen", f"{activity} for {days} days")
    if not active_ms:
        return Condition(
            Aspect.DORMANT, ConditionStatus.FALSE, "NotYet", "known for less than 30 days, not seen at work yet"
        )
    return Condition(Aspect.DORMANT, ConditionStatus.FALSE, "Active", "seen at work in the last 30 days")


def _toxic(entry: InventoryEntry, facts: ConditionFacts) -> Condition:
    """Untrusted input, confidential data and an external sink in one agent: any text may send data out."""
    used = {link.to.name for link in entry.links if link.verb is Verb.USES and link.to.kind is Kind.TOOL}
    for reason, tools in (
        ("Used", used),
        ("MayUse", used | facts.scopes.get("" if entry.subject.space else entry.subject.name, frozenset())),
    ):
        sources = _toxic_parts(sorted(tools), facts.natures)
        if all(sources):
            parts = ("untrusted input", "confidential data", "an external sink")
            what = "; ".join(
                f"{part} by {_listed(tool_names)}" for part, tool_names in zip(parts, sources, strict=True)
            )
            return Condition(Aspect.TOXIC, ConditionStatus.TRUE, reason, what)
    unknown = any(tool not in facts.natures for tool in used)
    if unknown:
        return Condition(
            Aspect.TOXIC, ConditionStatus.UNKNOWN, "ToolsUnknown", "it uses tools that no catalog describes"
        )
    return Condition(Aspect.TOXIC, ConditionStatus.FALSE, "Apart", "not all three in what it uses or may use")


def _toxic_parts(tools: Iterable[str], natures: Mapping[str, Nature]) -> tuple[list[str], list[str], list[str]]:
    untrusted: list[str] = []
    confidential: list[str] = []
    external: list[str] = []
    for tool in tools:
        nature = natures.get(tool)
        if nature is None:
            continue
        if any(label.partition(":")[0] == "untrusted" for label in nature.source):
            untrusted.append(tool)
        if any(label.partition(":")[0] == "confidential" for label in nature.source):
            confidential.append(tool)
        if nature.sink is Sink.EXTERNAL:
            external.append(tool)
    return untrusted, confidential, external


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(set(names))
    more = f" and {len(ordered) - _NAMED_MAX} more" if len(ordered) > _NAMED_MAX else ""
    return ", ".join(ordered[:_NAMED_MAX]) + more
