"""What the ledger tells of agents: who did what through an enforcement point, and as whom telemetry may tell of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, assert_never

from remit.discover.reconcile import Pair, Passage
from remit.discover.sighting import Edge, Kind, Sighting, SourceConfidence, Subject, Verb, clipped, subject
from remit.facts.action import ActionKind
from remit.facts.tool import exposed_name

SOURCE: Final = "ledger"
_TRACE: Final = slice(3, 35)
"""Where a traceparent (`00-TRACE-SPAN-FLAGS`) names its trace."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is read of an intent: `agents` is the chain, the acting one last; `at` in ms since the epoch."""

    ref: str
    at: int
    kind: ActionKind
    server: str
    name: str
    agents: Sequence[str]
    trace: str | None


@dataclass(slots=True)
class _Times:
    first_ms: int
    last_ms: int
    ref: str
    count: int = 0


class LedgerSightings:
    """Joins a page of the ledger: one sighting for each thing that an agent did, and every action as a passage.

    Each has the times of its own, and its last record as evidence.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[Subject, tuple[Edge, ...]], _Times] = {}
        self.passages: list[Passage] = []

    def add(self, intent: Intent) -> None:
        """Take one intent."""
        chain = [subject(Kind.AGENT, name) for name in intent.agents]
        for delegator, delegate in pairwise(chain):
            self._did(delegator, intent, Edge(Verb.DELEGATES, delegate))
        agent = chain[-1]
        target = target_of(intent)
        if target is None:
            self._did(agent, intent)
            return
        verb, thing, names = target
        server = (Edge(Verb.USES, subject(Kind.SERVER, intent.server)),) if intent.server else ()
        self._did(agent, intent, Edge(verb, thing), *server)
        if intent.kind is not ActionKind.DELEGATE:
            trace = (intent.trace or "")[_TRACE]
            self.passages.append(Passage(intent.ref, trace, agent.name, thing, names, intent.at))

    def sightings(self) -> Iterable[Sighting]:
        """What was seen."""
        for (agent, edges), record in self._seen.items():
            evidence, times = clipped(f"record {record.ref}"), (record.first_ms, record.last_ms)
            yield Sighting(agent, SOURCE, evidence, *times, SourceConfidence.ENFORCED, edges=edges, count=record.count)

    def _did(self, agent: Subject, intent: Intent, *edges: Edge) -> None:
        record = self._seen.setdefault((agent, edges), _Times(intent.at, intent.at, intent.ref))
        if intent.at >= record.last_ms:
            record.last_ms, record.ref = intent.at, intent.ref
        record.first_ms = min(record.first_ms, intent.at)
        record.count += 1


def target_of(intent: Intent) -> tuple[Verb, Subject, frozenset[str]] | None:
    """What the action does, with what, and the names by which its clients know that."""
    server, name = intent.server, intent.name
    match intent.kind:
        case ActionKind.CALL_TOOL:
            names = frozenset({name, exposed_name(server, name)})
            return Verb.USES, subject(Kind.TOOL, f"{server}/{name}"), names
        case ActionKind.GET_PROMPT:
            names = frozenset({name, exposed_name(server, name)})
            return Verb.USES, subject(Kind.PROMPT, f"{server}/{name}"), names
        case ActionKind.READ_RESOURCE:
            return Verb.READS, subject(Kind.DATA, name), frozenset({name})
        case ActionKind.CALL_MODEL:
            return Verb.USES, subject(Kind.MODEL, name), frozenset({name})
        case ActionKind.DELEGATE:
            return Verb.DELEGATES, subject(Kind.AGENT, name), frozenset({name})
        case ActionKind.LIST_ROOTS:
            return None
        case _:
            assert_never(intent.kind)


def pair_sightings(pair: Pair) -> Iterable[Sighting]:
    """A call that telemetry tells of and a record of the same trace: the agents are one, and what was called is."""
    call, passage = pair
    evidence = clipped(f"trace {passage.trace} is on the ledger as {passage.ref}")
    for one, other in ((call.agent, subject(Kind.AGENT, passage.agent)), (call.object, passage.object)):
        if one != other and one.kind is other.kind:
            edges = (Edge(Verb.SAME, other),)
            yield Sighting(one, SOURCE, evidence, passage.at, passage.at, SourceConfidence.REPORTED, edges=edges)
