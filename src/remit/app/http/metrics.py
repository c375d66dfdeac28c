"""`/metrics`: what the service counted, in Prometheus' text form.

Everything is counted elsewhere, in plain integers; here it is read and named, when somebody asks.
Labels come from closed sets and from the workspace: `docs/reference/metrics.md` lists them all.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from remit import __version__
from remit.adapters.sqlite.batches import SIZES, Batches
from remit.app.http.connection import Bounds
from remit.app.service.fleet import Fleet
from remit.app.service.logs import Logs
from remit.pep.driver import Driver
from remit.pep.tally import Tally
from remit.pep.throttle import Throttle
from remit.ports.ledger import Ledger
from remit.ports.transparency import SigningProgress


@dataclass(frozen=True, slots=True)
class LedgerMetrics:
    """The ledger, its batches, and how far signing it is."""

    ledger: Ledger
    batches: Batches
    signed: Callable[[], SigningProgress]


@dataclass(frozen=True, slots=True)
class MetricSources:
    """Who knows what there is to tell."""

    tally: Tally
    throttle: Throttle
    bounds: Bounds
    driver: Driver
    fleet: Fleet
    written: LedgerMetrics
    logs: Logs | None


class Metrics(Collector):
    """The metrics of one service."""

    def __init__(self, counted: MetricSources) -> None:
        self._counted = counted
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    async def text(self) -> bytes:
        """Everything, as it is now. What takes long is done in a thread."""
        # Where the ledger cannot be read, all else is wanted the more: `remit_ledger_writable` among it.
        with suppress(sqlite3.Error, OSError):
            await asyncio.to_thread(self._counted.written.batches.read)
        # On the loop: what is counted there stands still meanwhile.
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: it would be read at once."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric of ours."""
        sources = self._counted
        yield _info({"version": __version__, "python": sys.version.split()[0]})
        yield from _calls(sources)
        yield from _clients(sources)
        yield from _ledger(sources.written)
        yield from _servers(sources)
        lost = CounterMetricFamily("remit_log_lines_dropped", "Log lines that were not written.")
        lost.add_metric([], 0 if sources.logs is None else sources.logs.dropped)
        yield lost


def _info(labels: Mapping[str, str]) -> Metric:
    family = GaugeMetricFamily("remit_build_info", "What runs; the value is always 1.", labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return family


def _calls(sources: MetricSources) -> Iterator[Metric]:
    tally = sources.tally
    decisions = CounterMetricFamily(
        "remit_decisions", "Actions judged, by what they are and the verdict.", labels=["kind", "verdict"]
    )
    for (kind, verdict), number in sorted(tally.decisions.items()):
        decisions.add_metric([kind, verdict], number)
    yield decisions
    outcomes = CounterMetricFamily("remit_outcomes", "How forwarded actions ended.", labels=["status"])
    for status, number in sorted(tally.outcomes.items()):
        outcomes.add_metric([status], number)
    yield outcomes
    stages = HistogramMetricFamily("remit_stage_seconds", "How long each stage took.", labels=["stage"])
    for stage, histogram in tally.stages.items():
        stages.add_metric([stage.value], _buckets(histogram.bounds, histogram.counts), histogram.total)
    yield stages
    yield _gauge("remit_approvals_pending", "Approvals that wait for people.", sources.driver.authorization.waiting)


def _clients(counted: MetricSources) -> Iterator[Metric]:
    throttle = counted.throttle
    yield _gauge("remit_requests_in_flight", "MCP requests being answered, streams among them.", throttle.requests)
    yield _gauge("remit_held_bytes", "Large answers that are read, judged, or written to clients.", throttle.held_bytes)
    yield _gauge("remit_streams", "Standing event streams.", throttle.streams)
    yield _gauge("remit_connections", "Client connections.", len(counted.bounds.open))
    refused = CounterMetricFamily("remit_refusals", "What a limit refused, by its reason code.", labels=["code"])
    for code, number in sorted(counted.tally.refused.items()):
        refused.add_metric([code], number)
    yield refused


def _ledger(written: LedgerMetrics) -> Iterator[Metric]:
    batches = written.batches
    yield _gauge("remit_ledger_writable", "1 while the ledger takes records.", written.ledger.unwritable() is None)
    records = CounterMetricFamily("remit_ledger_records", "Records of this run that are on disk.")
    records.add_metric([], batches.records)
    yield records
    sizes = HistogramMetricFamily("remit_ledger_batch_records", "Records made durable together.")
    sizes.add_metric([], _buckets(SIZES, batches.counts), batches.records)
    yield sizes
    signed = written.signed()
    yield _gauge("remit_checkpoint_records", "Records under the last signed checkpoint.", signed.records)
    age = "Since the last signed checkpoint had every record that was on disk."
    yield _gauge("remit_checkpoint_age_seconds", age, signed.age_s)


def _servers(counted: MetricSources) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "remit_upstream_up", "1 unless the server is down, backing off or silent.", labels=["server"]
    )
    connections = GaugeMetricFamily("remit_upstream_connections", "Sessions or children.", labels=["server"])
    restarts = CounterMetricFamily("remit_upstream_restarts", "Children that were started again.", labels=["server"])
    for name, health in sorted(counted.fleet.health.items()):
        up.add_metric([name], health.is_well)
        connections.add_metric([name], health.connections)
        restarts.add_metric([name], health.restarts)
    yield from (up, connections, restarts)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    names = [*map(str, bounds), "+Inf"]
    return list(zip(names, accumulate(counts), strict=True))
