"""Whose span it is: tools and models are often told by spans that name no agent, whose parents do.

Laws
* The nearest span above that names an agent is whose it is. Children are exported before their parents, so that a span
  waits, `WAIT_MS` at most, for the spans above it.
* Where none comes, the service that exported it stands in: by the only agent it is known for, else by its own name,
  as a guess.
* Bounded: of traces and spans the last are kept (`SPANS_MAX`), and no more wait, though one be told again and again;
  one span has at most `DEPTH_MAX` above it.
* What happens is a function of the spans and of the times given; times in a span are believed within a week
  (`HISTORY_MS`) and `AHEAD_MS` of ours.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from remit.discover.sighting import Kind, SourceConfidence, Subject, subject
from remit.discover.spans import SPACE, Span, SpanReport, SpanTarget, report_of
from remit.facts.durations import DAY_MS, MINUTE_MS

WAIT_MS: Final = 1_500
SPANS_MAX: Final = 20_000
DEPTH_MAX: Final = 64
SERVICES_MAX: Final = 2_000
HISTORY_MS: Final = 7 * DAY_MS
AHEAD_MS: Final = MINUTE_MS


@dataclass(frozen=True, slots=True)
class AttributedSpan:
    """`span` tells `report`, and `agent` did it. `delegator` is the agent that had this one work, where there is one.

    `bearer` is the registered agent whose token sent the span.
    """

    span: Span
    report: SpanReport
    agent: Subject
    confidence: SourceConfidence
    evidence: str
    delegator: Subject | None = None
    bearer: str | None = None


@dataclass(slots=True)
class _Trace:
    """Of each span that was seen: what is above it, and the agent that it names."""

    spans: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    waiting: list[tuple[Span, SpanReport, int, str | None]] = field(default_factory=list)


class Attribution:
    """Takes spans in, and gives what each tells with whose it is, once that is known or nobody can know it."""

    def __init__(self) -> None:
        self._traces: OrderedDict[str, _Trace] = OrderedDict()
        self._size = 0
        self._waiting = 0
        self._services: OrderedDict[str, set[str]] = OrderedDict()

    def take(self, spans: Iterable[Span], now_ms: int, bearer: str | None = None) -> Iterator[AttributedSpan]:
        """Take in what was exported together, with the token of `bearer`; what is known by it."""
        traces: dict[str, _Trace] = {}
        for span in spans:
            trace = traces.get(span.trace)
            if trace is None:
                trace = traces[span.trace] = self._trace(span.trace)
            report = report_of(span)
            agent = None if report is None else report.agent
            if span.span not in trace.spans:
                self._size += 1
            trace.spans[span.span] = (span.parent, agent)
            if agent is not None:
                self._known(span.service, agent)
            if report is not None:
                trace.waiting.append((span, report, now_ms + WAIT_MS, bearer))
                self._waiting += 1
        for trace in traces.values():
            yield from self._settled(trace, None)
        while max(self._size, self._waiting) > SPANS_MAX:
            _, oldest = self._traces.popitem(last=False)
            self._size -= len(oldest.spans)
            yield from self._settled(oldest, _NEVER)

    def due(self, now_ms: int) -> Iterator[AttributedSpan]:
        """What has waited long enough."""
        for trace in [trace for trace in self._traces.values() if trace.waiting]:
            yield from self._settled(trace, now_ms)

    def _trace(self, ident: str) -> _Trace:
        trace = self._traces.get(ident)
        if trace is None:
            trace = self._traces[ident] = _Trace()
        else:
            self._traces.move_to_end(ident)
        return trace

    def _settled(self, trace: _Trace, now_ms: int | None) -> Iterator[AttributedSpan]:
        """Those that are known, and where `now_ms` is given those whose time is up."""
        waiting, trace.waiting = trace.waiting, []
        self._waiting -= len(waiting)
        for entry in waiting:
            span, report, until, bearer = entry
            owner = _owner_of(trace, span, report)
            if owner is None and (now_ms is None or now_ms < until):
                trace.waiting.append(entry)
                self._waiting += 1
            else:
                yield replace(self._attributed(span, report, owner or (None, None)), bearer=bearer)

    def _attributed(self, span: Span, report: SpanReport, owner: tuple[str | None, str | None]) -> AttributedSpan:
        name, above = owner
        delegator = None if above is None else subject(Kind.AGENT, above, SPACE)
        if name is not None:
            evidence = f"span attribute {report.key}" if report.agent is not None else "the span above names the agent"
            return AttributedSpan(
                span, report, subject(Kind.AGENT, name, SPACE), SourceConfidence.REPORTED, evidence, delegator
            )
        agents = sorted(self._services.get(span.service, ()))
        if len(agents) == 1:
            evidence = "the only agent that this service is known for"
            return AttributedSpan(
                span, report, subject(Kind.AGENT, agents[0], SPACE), SourceConfidence.GUESSED, evidence
            )
        evidence = "service.name: no span above names an agent"
        return AttributedSpan(
            span, report, subject(Kind.AGENT, span.service, SPACE), SourceConfidence.GUESSED, evidence
        )

    def _known(self, service: str, agent: str) -> None:
        agents = self._services.get(service)
        if agents is None:
            agents = self._services[service] = set()
            if len(self._services) > SERVICES_MAX:
                self._services.popitem(last=False)
        if len(agents) < 2:
            agents.add(agent)


_NEVER: Final = 1 << 62


def _owner_of(trace: _Trace, span: Span, report: SpanReport) -> tuple[str | None, str | None] | None:
    """Whose the span is, and for an agent's own span who is above that; None while spans above are missing."""
    name = report.agent
    if name is not None and report.target is not SpanTarget.AGENT:
        return name, None
    at = span.parent
    for _ in range(DEPTH_MAX):
        if not at:
            return name, None
        span_above = trace.spans.get(at)
        if span_above is None:
            return None
        at, agent = span_above
        if agent is not None and agent != name:
            return (agent, None) if name is None else (name, agent)
    return name, None


def believed(start_ms: int, end_ms: int, now_ms: int) -> tuple[int, int]:
    """The times of a span as they are believed: `now_ms` where its clock is off, never the end before the start."""
    if not now_ms - HISTORY_MS <= end_ms <= now_ms + AHEAD_MS or not 0 <= end_ms - start_ms <= HISTORY_MS:
        return now_ms, now_ms
    return min(start_ms, now_ms), min(end_ms, now_ms)
