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
        known: BundleRegistry,
        activity: Mapping[Activity, PassageCounts],
        facts: ConditionFacts,
        since_day: int = 0,
    ) -> None:
        self._inventory = inventory
        self._known = known
        self._facts = facts
        self.identities = Identities(claims(inventory, known))
        self._by_agent: dict[Subject, dict[Subject, PassageCounts]] = {}
        self._by_object: dict[Subject, PassageCounts] = {}
        for (agent, called, day), counts in activity.items():
            if day >= since_day and governable(called):
                one, other = self.identities.of(agent), self.identities.of(called)
                of_agent = self._by_agent.setdefault(one, {})
                of_agent[other] = _sum(of_agent.get(other), counts)
                for thing in (other, *self._server_of(called)):
                    self._by_object[thing] = _sum(self._by_object.get(thing), counts)

    def entries(self, kind: Kind | None = None) -> Iterator[InventoryEntry]:
        """Every entry, or those of one kind, in order of names."""
        speaking = {self.identities.of(subject) for subject in self._inventory if kind is None or subject.kind is kind}
        return (self.entry(subject) for subject in sorted(speaking))

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
        made = InventoryEntry(
            subject=subject,
            names=names,
            first_ms=min(item.first_ms for _, item in items),
            last_ms=max(item.last_ms for _, item in items),
            confidence=max(item.confidence for _, item in items),
            owner=owner,
            registered=registered,
            seen=tuple(_sights(items)),
            links=tuple(self._links(subject, [item for _, item in items])),
            traits=tuple(
                TraitStatement(key, best[2], source, best[1])
                for _, item in items
                for key, said in sorted(item.traits.items())
                for source, best in sorted(said.items())
                # What a person accepted, no file or program says for him.
                if key != ACCEPTED or best[0] is SourceConfidence.STATED
            ),
            because=self.identities.because(subject),
            counts=counts,
        )
        return replace(made, conditions=conditions(made, self._facts, self.calls(subject)))

    def _server_of(self, called: Subject) -> tuple[Subject, ...]:
        """The server whose tool or prompt was called, where its name tells."""
        server, slash, _ = self.identities.of(called).name.partition("/")
        if not slash or not server or called.kind not in _SERVED:
            return ()
        return (self.identities.of(Subject(Kind.SERVER, server, self.identities.of(called).space)),)

    def _owner(self, subject: Subject, items: Iterable[SubjectRecord]) -> str | None:
        if subject.kind is Kind.AGENT and not subject.space and subject.name in self._known.agents:
            return self._known.agents[subject.name].owner
        said = [item.owner for item in items if item.owner is not None]
        return max(said)[2] if said else None

    def _links(self, subject: Subject, items: Iterable[SubjectRecord]) -> Iterator[InventoryLink]:
        joined: dict[tuple[Verb, Subject], InventoryLink] = {}
        for item in items:
            for (verb, named), by in item.edges.items():
                to = self.identities.of(named)
                if verb in _CLAIMS or to == subject:
                    continue
                for source, seen in by.items():
                    confidence, _, evidence = seen.best
                    link = InventoryLink(verb, to, seen.first_ms, seen.last_ms, confidence, (source,), evidence)
                    known = joined.get((verb, to))
                    joined[verb, to] = link if known is None else _joined(subject, known, link)
        return (joined[key] for key in sorted(joined))


def governable(called: Subject) -> bool:
    """Whether an enforcement point could have seen it called: calls of models are counted, and pass none yet."""
    return called.kind is not Kind.MODEL


def _sights(items: Iterable[tuple[Subject, SubjectRecord]]) -> Iterator[Sight]:
    for name, item in items:
        for source, seen in sorted(item.seen.items()):
            confidence, _, evidence = seen.best
            yield Sight(name, source, seen.first_ms, seen.last_ms, seen.count, confidence, evidence)


def _joined(subject: Subject, one: InventoryLink, other: InventoryLink) -> InventoryLink:
    # What was seen here is not older for what a file tells of elsewhere, or another agent of this one.
    here = [link.first_ms for link in (one, other) if not all(at_second_hand(source, subject) for source in link.by)]
    better = max(one, other, key=lambda link: (link.confidence, link.last_ms, link.evidence))
    return InventoryLink(
        one.verb,
        one.to,
        min(here or (one.first_ms, other.first_ms)),
        max(one.last_ms, other.last_ms),
        better.confidence,
        tuple(sorted({*one.by, *other.by})),
        better.evidence,
    )


def _sum(one: PassageCounts | None, other: PassageCounts) -> PassageCounts:
    return other if one is None else PassageCounts(one.passed + other.passed, one.observed + other.observed)


def _total(counts: Iterable[PassageCounts]) -> PassageCounts:
    found = PassageCounts()
    for one in counts:
        found = _sum(found, one)
    return found
