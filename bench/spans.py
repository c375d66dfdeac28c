"""Spans into the inventory: how many a second on one core, and what a million of them leave in memory.

`python -m bench.spans` sends OTLP exports (protobuf, gzipped, 512 spans each, as a collector batches) of 1,000 agents,
each with a model and two tools, through the same code that `/otlp/v1/traces` calls: unpacking, attribution, fold,
reconciliation, the file. Then come distinct names, without end. No HTTP: that is another's figure.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import gzip
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from proof.verdict import say
from remit.adapters.system import SystemClock
from remit.app.discovery.facade import open_discovery
from remit.ports.telemetry import TelemetryExport

if TYPE_CHECKING:
    from collections.abc import Iterator

AGENTS: Final = 1_000
BATCH: Final = 512
FEW: Final = 10_000
MANY: Final = 1_000_000
RATE_MIN: Final = 10_000
GROWS_MIB_MAX: Final = 20.0
FLOOD_MIB_MAX: Final = 200.0
VISIBLE_S_MAX: Final = 2.0
_KIND: Final = "application/x-protobuf"
_MIB: Final = 1024 * 1024


def exports(first: int, count: int, *, distinct: bool = False) -> Iterator[bytes]:
    """`count` spans from number `first` on, as gzipped exports: in fours, a chat, two tool calls and their agent.

    Of `distinct` ones each has a name that none had before.
    """
    for start in range(first, first + count, BATCH):
        request = ExportTraceServiceRequest()
        by_agent = request.resource_spans.add()
        name = by_agent.resource.attributes.add()
        name.key, name.value.string_value = "service.name", "fleet"
        scope = by_agent.scope_spans.add()
        scope.scope.name = "opentelemetry.instrumentation.genai"
        now = time.time_ns()
        for number in range(start, min(start + BATCH, first + count)):
            trace, part = divmod(number, 4)
            agent = trace % AGENTS
            span = scope.spans.add()
            span.trace_id, span.span_id = (trace + 1).to_bytes(16, "big"), (number + 1).to_bytes(8, "big")
            if part < 3:
                span.parent_span_id = (trace * 4 + 4).to_bytes(8, "big")
            span.start_time_unix_nano, span.end_time_unix_nano = now - 5_000_000, now
            tool = f"tool-{number}" if distinct else f"tool-{agent}-{part}"
            model = f"model-{number}" if distinct else f"model-{agent % 20}"
            who = f"agent-{number}" if distinct else f"agent-{agent}"
            said = (
                {"gen_ai.operation.name": "chat", "gen_ai.request.model": model},
                {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool},
                {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool},
                {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": who},
            )[part]
            span.name = said["gen_ai.operation.name"]
            for key, value in {**said, "gen_ai.provider.name": "openai", "server.address": "127.0.0.1"}.items():
                pair = span.attributes.add()
                pair.key, pair.value.string_value = key, value
            for key, number_of in (("gen_ai.usage.input_tokens", 700), ("gen_ai.usage.output_tokens", 30)):
                pair = span.attributes.add()
                pair.key, pair.value.int_value = key, number_of
        yield gzip.compress(request.SerializeToString(), 1)


def resident_mib() -> float:
    """What the process has resident now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096 / _MIB


async def measure(few: int, many: int, flood: int) -> tuple[float, float, float, float]:
    """Spans a second of CPU, MiB grown, MiB after a flood of names, seconds until a new tool is visible."""
    with tempfile.TemporaryDirectory(prefix="spans-") as folder:
        discovery = open_discovery(Path(folder), SystemClock())
        await discovery.start()
        taken, spent_s, done = 0, 0.0, 0

        async def send(first: int, count: int, *, distinct: bool = False) -> None:
            nonlocal spent_s, taken
            # Made ahead, some at a time: making them is not what is measured.
            for start in range(first, first + count, BATCH * 32):
                some = list(exports(start, min(BATCH * 32, first + count - start), distinct=distinct))
                before_s = time.process_time()
                for body in some:
                    await discovery.receive(TelemetryExport(_KIND, "gzip", body))
                await discovery.turn()
                spent_s += time.process_time() - before_s
            taken += count

        await send(0, few)
        small_mib = resident_mib()
        spent_s, taken = 0.0, 0
        await send(few, many - few)
        rate, grown_mib = taken / spent_s, resident_mib() - small_mib
        done = many
        began_s = time.monotonic()
        [body] = exports(4 * 10**9, 4, distinct=True)
        await discovery.receive(TelemetryExport(_KIND, "gzip", body))
        await discovery.turn()
        seen = await discovery.run(lambda: any(name.name == f"tool-{4 * 10**9 + 1}" for name in discovery.inventory))
        visible_s = time.monotonic() - began_s if seen else float("inf")
        await send(done, flood, distinct=True)
        flooded_mib = resident_mib() - small_mib
        print(f"{len(discovery.inventory)} subjects, refused {dict(discovery.refused)}", file=sys.stderr)
        await discovery.close()
    return rate, grown_mib, flooded_mib, visible_s


def main(arguments: list[str]) -> int:
    """Measure; the verdict."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--many", type=int, default=MANY)
    parser.add_argument("--flood", type=int, default=500_000, help="how many distinct names follow")
    asked = parser.parse_args(arguments)
    rate, grown, flooded, visible = asyncio.run(measure(FEW, asked.many, asked.flood))
    figure = (
        f"{rate:,.0f} spans/s per core; +{grown:.1f} MiB from {FEW:,} to {asked.many:,} spans; "
        f"+{flooded:.0f} MiB after {asked.flood:,} distinct names; a new tool after {visible:.2f} s"
    )
    goal = f"≥ {RATE_MIN:,}; ≤ {GROWS_MIB_MAX:.0f} MiB; ≤ {FLOOD_MIB_MAX:.0f} MiB; ≤ {VISIBLE_S_MAX:.0f} s"
    passed = rate >= RATE_MIN and grown <= GROWS_MIB_MAX and flooded <= FLOOD_MIB_MAX and visible <= VISIBLE_S_MAX
    return say(figure, goal, passed=passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
