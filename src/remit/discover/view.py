"""The inventory as people see it: names that are one joined, edges between what is left, conditions beside it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, assert_never

from remit.discover.conditions import ACCEPTED, ConditionFacts, conditions
from remit.discover.entry import InventoryEntry, InventoryLink, Sight, TraitStatement
from remit.discover.identity import BundleRegistry, Identities, claims
from remit.discover.inventory import Inventory, SubjectRecord
from remit.discover.reconcile import Activity, PassageCounts
from remit.discover.sighting import Kind, SourceConfidence, Subject, Verb, at_second_hand

_SERVED: Final = frozenset({Kind.TOOL, Kind.PROMPT})
_CLAIMS: Final = frozenset({Verb.SAME, Verb.APART})


class View:
    """One look at the inventory: `known` is what is registered now, `activity` what was reconciled.

    Actions count from the day `since_day` on.
    """

    def __init__(
        self,
        inventory: Inventory,
        registry: BundleRegistry,
        activity: Mapping[Activity, PassageCounts],
        facts: ConditionFacts,
        since_day: int = 0,
    ) -> None:
        self._inventory = inventory
        self._known = registry
        self._facts = facts
        self.identities = Identities(claims(inventory, registry))
        self._by_agent: dict[Subject, dict[Subject, PassageCounts]] = {}
        self._by_object: dict[Subject, PassageCounts] = {}
        for (agent, called, day), counts in activity.items():
            if day >= since_day and governable(called):
                caller, target = self.identities.of(agent), self.identities.of(called)
                targets = self._by_agent.setdefault(caller, {})
                targets[target] = _sum(targets.get(target), counts)
                for subject in (target, *self._server_of(called)):
                    self._by_object[subject] = _sum(self._by_object.get(subject), counts)

    def entries(self, kind: Kind | None = None) -> Iterator[InventoryEntry]:
        """Every entry, or those of one kind, in order of names."""
        representatives = {
            self.identities.of(subject) for subject in self._inventory if kind is None or subject.kind is kind
        }
        return (self.entry(subject) for subject in sorted(representatives))

    def find(self, subject: Subject) -> InventoryEntry | None:
        """The entry that `subject` is a name of."""
        if subject not in self._inventory and self.identities.of(subject) not in self._inventory:
            return None
        return self.entry(self.identities.of(subject))

    def registered(self, subject: Subject) -> bool:
        """Whether the running bundle has it. Models, prompts and data are not registered yet."""
        if subject.space:
            return False
        match subject.kind:
            case Kind.AGENT:
                return subject.name in self._known.agents
            case Kind.SERVER:
                return subject.name in self._known.servers
            case Kind.TOOL:
                return subject.name in self._known.tools
            case Kind.MODEL | Kind.PROMPT | Kind.DATA:
                return False
            case _:
                assert_never(subject.kind)

    def calls(self, agent: Subject) -> Mapping[Subject, PassageCounts]:
        """What the agent called in the time looked at, and how."""
        return self._by_agent.get(self.identities.of(agent), {})

    def entry(self, subject: Subject) -> InventoryEntry:
        """The entry for which `subject` speaks."""
        names = self.identities.members(subject)
        items = [(name, self._inventory[name]) for name in names if name in self._inventory]
        owner = self._owner(subject, [item for _, item in items])
        registered = self.registered(subject)
        if subject.kind is Kind.AGENT:
            counts = _total(self.calls(subject).values())
        else:
            counts = self._by_object.get(subject, PassageCounts())
        entry = InventoryEntry(
            subject=subject,
            names=names,
            first_ms=min(item.first_ms for _, item in items),
            last_ms=max(item.last_ms for _, item in items),
            confidence=max(item.confidence for _, item in items),
            owner=owner,
            registered=registered,
            sights=tuple(_sights(items)),
            links=tuple(self._links(subject, [item for _, item in items])),
            traits=tuple(
                TraitStatement(key, best[2], source, best[1])
                for _, item in items
                for key, by_source in sorted(item.traits.items())
                for source, best in sorted(by_source.items())
                # What a person accepted, no file or program says for him.
                if key != ACCEPTED or best[0] is SourceConfidence.STATED
            ),
            because=self.identities.because(subject),
            counts=counts,
        )
        return replace(entry, conditions=conditions(entry, self._facts, self.calls(subject)))

    def _server_of(self, called: Subject) -> tuple[Subject, ...]:
        """The server whose tool or prompt was called, where its name tells."""
        server, slash, _ = self.identities.of(called).name.partition("/")
        if not slash or not server or called.kind not in _SERVED:
            return ()
        return (self.identities.of(Subject(Kind.SERVER, server, self.identities.of(called).space)),)

    def _owner(self, subject: Subject, items: Iterable[SubjectRecord]) -> str | None:
        if subject.kind is Kind.AGENT and not subject.space and subject.name in self._known.agents:
            return self._known.agents[subject.name].owner
        owners = [item.owner for item in items if item.owner is not None]
        return max(owners)[2] if owners else None

    def _links(self, subject: Subject, items: Iterable[SubjectRecord]) -> Iterator[InventoryLink]:
        links: dict[tuple[Verb, Subject], InventoryLink] = {}
        for item in items:
            for (verb, target), by_source in item.edges.items():
                to = self.identities.of(target)
                if verb in _CLAIMS or to == subject:
                    continue
                for source, record in by_source.items():
                    confidence, _, evidence = record.best
                    link = InventoryLink(verb, to, record.first_ms, record.last_ms, confidence, (source,), evidence)
                    earlier = links.get((verb, to))
                    links[verb, to] = link if earlier is None else _merged(subject, earlier, link)
        return (links[key] for key in sorted(links))


def governable(called: Subject) -> bool:
    """Whether an enforcement point could have seen it called: calls of models are counted, and pass none yet."""
    return called.kind is not Kind.MODEL


def _sights(items: Iterable[tuple[Subject, SubjectRecord]]) -> Iterator[Sight]:
    for name, item in items:
        for source, record in sorted(item.evidence.items()):
            confidence, _, evidence = record.best
            yield Sight(name, source, record.first_ms, record.last_ms, record.count, confidence, evidence)


def _merged(subject: Subject, first: InventoryLink, second: InventoryLink) -> InventoryLink:
    # What was seen here is not older for what a file tells of elsewhere, or another agent of this one.
    own_times = [
        link.first_ms for link in (first, second) if not all(at_second_hand(source, subject) for source in link.by)
    ]
    better = max(first, second, key=lambda link: (link.confidence, link.last_ms, link.evidence))
    return InventoryLink(
        first.verb,
        first.to,
        min(own_times or (first.first_ms, second.first_ms)),
        max(first.last_ms, second.last_ms),
        better.confidence,
        tuple(sorted({*first.by, *second.by})),
        better.evidence,
    )


def _sum(one: PassageCounts | None, other: PassageCounts) -> PassageCounts:
    return other if one is None else PassageCounts(one.passed + other.passed, one.observed + other.observed)


def _total(counts: Iterable[PassageCounts]) -> PassageCounts:
    total = PassageCounts()
    for each in counts:
        total = _sum(total, each)
    return total
