"""Which names are one and the same: read from claims, so that it can be explained and undone.

Laws
* Nothing is merged in the inventory itself: identities are computed from what sources and people claim (`Verb.SAME`,
  `Verb.APART`) and from rules over names, each of which is a claim too. Take a claim away, or state the contrary with
  more confidence, and the names are two again.
* For two names the claim with more confidence counts; of what people stated the last, so that each can be taken back;
  APART where that is the same. What counts as apart never becomes one by way of a third name.
* The order in which anything was seen does not matter. A registered name speaks for all of its names.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from remit.discover.inventory import Inventory
from remit.discover.sighting import Kind, SourceConfidence, Subject, Verb

OURS: Final = "remit/"
"""What names in the space `host` begin with, of servers that Remit was seen to run: `remit/LAUNCH@MACHINE`."""
_HOST: Final = "host"
_CLAIMS: Final = frozenset({Verb.SAME, Verb.APART})


@dataclass(frozen=True, slots=True)
class Registered:
    """An agent as it is registered."""

    owner: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BundleRegistry:
    """What the running bundle registers. `tools` maps `server/tool` to the name that clients of the gateway see.

    `launches` maps what is started (`discover.launch`) to the server that is started so.
    """

    agents: Mapping[str, Registered] = field(default_factory=dict[str, Registered])
    tools: Mapping[str, str] = field(default_factory=dict[str, str])
    servers: frozenset[str] = frozenset()
    launches: Mapping[str, str] = field(default_factory=dict[str, str])


class Claim(NamedTuple):
    """Somebody says, or a rule does, that two names are one (`SAME`) or are not (`APART`)."""

    confidence: SourceConfidence
    verb: Verb
    first: Subject
    second: Subject
    source: str
    evidence: str
    at: int = 0
    """When it was last said (ms since the epoch)."""


class Identities:
    """The classes that claims come to. `claims` are those that joined two names."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._parent: dict[Subject, Subject] = {}
        self._members: dict[Subject, list[Subject]] = {}
        self._because: dict[Subject, list[Claim]] = {}
        best: dict[frozenset[Subject], Claim] = {}
        for claim in claims:
            pair = frozenset((claim.first, claim.second))
            earlier = best.get(pair)
            if (
                len(pair) == 2
                and claim.first.kind is claim.second.kind
                and (earlier is None or _rank(claim) > _rank(earlier))
            ):
                best[pair] = claim
        apart = [claim for claim in best.values() if claim.verb is Verb.APART]
        for claim in sorted((one for one in best.values() if one.verb is Verb.SAME), key=_rank, reverse=True):
            self._join(claim, apart)

    def of(self, subject: Subject) -> Subject:
        """The name that speaks for `subject`."""
        return self._parent.get(subject, subject)

    def members(self, subject: Subject) -> tuple[Subject, ...]:
        """All names of what `subject` is a name of, that which speaks for them first."""
        return tuple(sorted(self._members.get(self.of(subject), [subject]), key=_representative_first))

    def because(self, subject: Subject) -> tuple[Claim, ...]:
        """The claims that made them one."""
        return tuple(self._because.get(self.of(subject), ()))

    def _join(self, claim: Claim, apart: Iterable[Claim]) -> None:
        one, other = self.of(claim.first), self.of(claim.second)
        if one == other:
            return
        ours, theirs = self._members.get(one, [one]), self._members.get(other, [other])
        for distinction in apart:
            left, right = distinction.first, distinction.second
            if (left in ours and right in theirs) or (left in theirs and right in ours):
                return
        representative, merged = sorted((one, other), key=_representative_first)
        members = [*ours, *theirs]
        because = [*self._because.pop(one, []), *self._because.pop(other, []), claim]
        self._members.pop(merged, None)
        self._members[representative], self._because[representative] = members, because
        for member in members:
            self._parent[member] = representative


def claims(inventory: Inventory, registry: BundleRegistry) -> Iterator[Claim]:
    """What sources and people claim, and what names tell by themselves."""
    exposed = {exposed_name: tool for tool, exposed_name in registry.tools.items()}
    for subject in inventory:
        item = inventory[subject]
        for edge, by_source in item.edges.items():
            if edge.verb in _CLAIMS:
                for source, record in by_source.items():
                    yield Claim(record.best[0], edge.verb, subject, edge.to, source, record.best[2], record.best[1])
        if subject.space:
            yield from _name_claims(subject, registry, exposed)


def run_by_remit(subject: Subject) -> bool:
    """Whether it is a server that a Remit service was seen to run."""
    return subject.kind is Kind.SERVER and subject.space == _HOST and subject.name.startswith(OURS)


def _name_claims(subject: Subject, registry: BundleRegistry, exposed: Mapping[str, str]) -> Iterator[Claim]:
    """A registered thing of the same name is taken for the same, as a guess: it shows what goes around its rules."""
    kind, name, _ = subject
    same = Verb.SAME
    if (kind is Kind.AGENT and name in registry.agents) or (kind is Kind.SERVER and name in registry.servers):
        evidence = f"it calls itself {name}, as a registered {kind.value} is named"
        yield Claim(SourceConfidence.GUESSED, same, subject, Subject(kind, name), "names", evidence)
    if run_by_remit(subject):
        launch = name.removeprefix(OURS).rpartition("@")[0]
        if launch in registry.launches:
            evidence = f"Remit runs it, by the command of the server {registry.launches[launch]}"
            yield Claim(
                SourceConfidence.DECLARED, same, subject, Subject(kind, registry.launches[launch]), "names", evidence
            )
    if kind is Kind.TOOL:
        tool = name if name in registry.tools else exposed.get(name.rpartition("/")[2])
        if tool is not None:
            evidence = f"the gateway shows {tool} by this name"
            yield Claim(SourceConfidence.DECLARED, same, subject, Subject(kind, tool), "names", evidence)


def _rank(claim: Claim) -> tuple[object, ...]:
    stated = claim.at if claim.confidence is SourceConfidence.STATED else 0
    return (
        claim.confidence,
        stated,
        claim.verb is Verb.APART,
        *sorted((str(claim.first), str(claim.second))),
        claim[4:],
    )


def _representative_first(subject: Subject) -> tuple[object, ...]:
    return (bool(subject.space), subject)
