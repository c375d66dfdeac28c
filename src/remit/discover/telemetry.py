"""From attributed spans to sightings, joined before they are folded: one for each link of a batch."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from remit.discover.attribution import AttributedSpan, believed
from remit.discover.sighting import (
    Edge,
    Kind,
    Sighting,
    SourceConfidence,
    Subject,
    Trait,
    Verb,
    clipped,
)
from remit.discover.spans import TRAITS, SpanTarget

_AT_WORK: Final = frozenset({SpanTarget.MODEL, SpanTarget.TOOL, SpanTarget.PROMPT, SpanTarget.DATA})


@dataclass(frozen=True, slots=True)
class ObservedCall:
    """One action that telemetry tells of, to be reconciled with the ledger (`discover.reconcile`)."""

    trace: str
    span: str
    scope: str
    agent: Subject
    object: Subject
    start_ms: int
    end_ms: int


@dataclass(slots=True)
class _Joined:
    first_ms: int
    last_ms: int
    evidence: str
    traits: dict[str, str] = field(default_factory=dict)
    count: int = 0


class Telemetry:
    """Joins what spans tell, by source: `otlp`, or `otlp:AGENT` where they came with that agent's token."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._joined: dict[tuple[Subject, str, SourceConfidence, Edge | None], _Joined] = {}
        self.calls: list[ObservedCall] = []

    def add(self, spans: Iterable[AttributedSpan]) -> None:
        """Take what spans tell."""
        for span in spans:
            self._add(span)

    def sightings(self) -> Iterable[Sighting]:
        """One for each subject, source, confidence and link: each link has evidence of its own."""
        for (subject, source, confidence, edge), joined in self._joined.items():
            traits = tuple(Trait(key, value) for key, value in joined.traits.items())
            edges = () if edge is None else (edge,)
            times = (joined.first_ms, joined.last_ms)
            yield Sighting(subject, source, joined.evidence, *times, confidence, None, edges, traits, joined.count)

    def _add(self, attributed: AttributedSpan) -> None:
        span, report = attributed.span, attributed.report
        source = source_of(attributed.bearer)
        when = believed(span.start_ms, span.end_ms, self._now_ms)
        if not report.objects:
            self._join(attributed.agent, source, when, attributed.confidence, attributed.evidence)
        for verb, target in report.objects:
            evidence = (
                f"{attributed.evidence}; {target.kind.value} by {report.key}, span {span.span} of trace {span.trace}"
            )
            self._join(attributed.agent, source, when, attributed.confidence, evidence, Edge(verb, target))
            if report.target in _AT_WORK:
                self.calls.append(ObservedCall(span.trace, span.span, span.scope, attributed.agent, target, *when))
            traits = [(key, span.attributes[at]) for key, at in TRAITS if at in span.attributes]
            if traits and report.target is SpanTarget.TOOL:
                tool = self._join(target, source, when, SourceConfidence.REPORTED, f"span attribute {report.key}")
                tool.traits.update((key, clipped(value)) for key, value in traits)
        if attributed.delegator is not None:
            edge, evidence = Edge(Verb.DELEGATES, attributed.agent), "its span is above another agent's"
            self._join(attributed.delegator, source, when, SourceConfidence.REPORTED, evidence, edge)
        if attributed.bearer is not None:
            self._borne(attributed.agent, source, when, Subject(Kind.AGENT, attributed.bearer))

    def _borne(self, agent: Subject, source: str, when: tuple[int, int], bearer: Subject) -> None:
        """The bearer's token sent it: by the same name it is the bearer, else an agent that works for the bearer."""
        if agent.name == bearer.name:
            evidence, edge = f"sent with the token of {bearer.name}", Edge(Verb.SAME, bearer)
            self._join(agent, source, when, SourceConfidence.ENFORCED, evidence, edge)
        else:
            evidence, edge = "its token sent the telemetry", Edge(Verb.DELEGATES, agent)
            self._join(bearer, source, when, SourceConfidence.REPORTED, evidence, edge)

    def _join(
        self,
        subject: Subject,
        source: str,
        when: tuple[int, int],
        confidence: SourceConfidence,
        evidence: str,
        edge: Edge | None = None,
    ) -> _Joined:
        key = (subject, source, confidence, edge)
        joined = self._joined.get(key)
        if joined is None:
            joined = self._joined[key] = _Joined(*when, clipped(evidence))
        else:
            if when[1] > joined.last_ms:
                joined.last_ms, joined.evidence = when[1], clipped(evidence)
            joined.first_ms = min(joined.first_ms, when[0])
        joined.count += 1
        return joined


def source_of(bearer: str | None) -> str:
    """The name of the source that telemetry is, by whose token it came with."""
    return "otlp" if bearer is None else f"otlp:{bearer}"
