"""`python -m bench.gateway [--compiled] [--long] [--no-fastmcp]`: what governing a tools/call costs, beside other ways.

Real processes: an upstream that answers at once, reached directly, through a bare uvicorn + aiohttp proxy, through
`remit up` with its ledger on, and through FastMCP's proxy. Alone: one caller, the ways taken in turn, medians over all
turns. Together: 32 callers, the ways again in turn, since a machine that is shared changes its speed within seconds;
calls/s per core are calls divided by the CPU seconds of the gateway's process, both of all these turns. With
`--compiled` the goal is that of compiled policies, without the allowance for an evaluator.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.peers.load import Target, alone, listening, together
from proof.child import child
from proof.environments import interpreter
from proof.machine import DATA, raw_fdatasync_us
from proof.service import Service, free_port
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
PEERS: Final = ROOT / "bench" / "peers"
FASTMCP: Final = ROOT / "build" / "peers" / "fastmcp"
CALLERS: Final = 32
ALONE_S: Final = 1.5
"""How long one way may keep a turn: a slow one makes fewer calls in it."""
SYNCS: Final = 2.6
ADDED_MS: Final = 1.2
SHARE_MIN: Final = 0.12
COMPILED_ADDED_MS: Final = 0.7
COMPILED_SHARE_MIN: Final = 0.35
WORKSPACE: Final = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: bench}
spec: {owner: ann, purpose: measure, groups: [callers]}
---
apiVersion: remit.dev/v1alpha1
kind: Group
metadata: {name: callers}
spec: {description: agents that call}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: ann}
spec: {}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: echo}
spec: {url: "http://127.0.0.1:%d/mcp"}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: echo/echo}
spec: {effect: read, sink: internal, source: [untrusted]}
"""
POLICIES: Final = """\
@id("may-call")
permit (principal in Remit::Group::"callers", action in Remit::Action::"server:echo", resource);

@id("not-too-often")
@reason("a thousand million calls are enough")
forbid (principal, action in Remit::Action::"call_tool", resource) when { context.session.calls > 1000000000 };
"""
TYPED: Final = """\
@id("not-too-many")
@reason("that many times is absurd")
forbid (principal, action == Remit::Action::"echo___echo", resource)
when { context.input has times && context.input.times > 1000 };
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much to measure: turns alone and calls in each; turns together and seconds of each."""

    turns: int
    calls: int
    rounds: int
    seconds: float


SHORT: Final = Size(turns=4, calls=100, rounds=5, seconds=1.0)
LONG: Final = Size(turns=40, calls=250, rounds=20, seconds=2.0)


@dataclass(slots=True)
class Figures:
    """What was measured of one way: milliseconds alone; together, milliseconds, and seconds and CPU seconds of all."""

    alone_ms: list[float] = field(default_factory=list[float])
    together_ms: list[float] = field(default_factory=list[float])
    elapsed_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Calls/s together."""
        return len(self.together_ms) / self.elapsed_s

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds of the process per call."""
        return self.cpu_s * 1000 / len(self.together_ms)

    @property
    def per_core(self) -> float:
        """Calls per CPU second of the process."""
        return len(self.together_ms) / self.cpu_s


def at(durations: Sequence[float], share: float) -> float:
    """The duration below which `share` of them lie."""
    return sorted(durations)[min(len(durations) - 1, int(len(durations) * share))]


@contextlib.contextmanager
def process(*command: str) -> Generator[int]:
    """A process that ends with the block; its id."""
    with child(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)) as running:
        yield running.pid


@contextlib.contextmanager
def remit(folder: Path, upstream: int) -> Generator[Target]:
    """A governed way to the upstream: `remit up` with its ledger under `build`, the tool accepted as a person would."""
    service = Service(folder)
    service.write({"workspace.yaml": WORKSPACE % upstream, "policies/bench.cedar": POLICIES})
    service.start()
    try:
        service.accept("echo")
        # Only now is there an action of its name, with a typed input that a policy can read.
        service.write({"policies/typed.cedar": TYPED})
        service.apply()
        token = service.agent("bench", "ann")
        assert service.process is not None
        yield Target("remit", service.port, "/mcp/echo", service.process.pid, token)
    finally:
        service.stop()


@contextlib.contextmanager
def ways(*, fastmcp: bool) -> Generator[tuple[Target, ...]]:
    """Every way to the upstream, each in a process of its own."""
    DATA.mkdir(parents=True, exist_ok=True)
    module = (sys.executable, "-m")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=DATA, prefix="gateway-")))
        upstream, bare = free_port(), free_port()
        url = f"http://127.0.0.1:{upstream}/mcp"
        pids = {upstream: stack.enter_context(process(*module, "bench.peers.upstream", str(upstream)))}
        pids[bare] = stack.enter_context(process(*module, "bench.peers.proxy", str(bare), url))
        found = [
            Target("direct", upstream, "/mcp", pids[upstream]),
            Target("bare proxy", bare, "/mcp", pids[bare]),
        ]
        if fastmcp:
            port = free_port()
            command = (
                interpreter(FASTMCP, PEERS / "fastmcp.txt", "FastMCP"),
                str(PEERS / "fastmcp_proxy.py"),
                str(port),
                url,
            )
            pids[port] = stack.enter_context(process(*command))
            found.append(Target("FastMCP proxy", port, "/mcp", pids[port]))
        listening(pids, 30)
        found.insert(2, stack.enter_context(remit(folder, upstream)))
        yield tuple(found)


async def measure(targets: Sequence[Target], size: Size) -> tuple[dict[str, Figures], float]:
    """Figures by way, and the median of a raw fdatasync over the same turns in milliseconds."""
    figures = {target.name: Figures() for target in targets}
    raw: list[float] = []
    for _ in range(size.turns):
        raw += [took / 1000 for took in raw_fdatasync_us()]
        for target in targets:
            figures[target.name].alone_ms += await alone(target, size.calls, ALONE_S)
    for _ in range(size.rounds):
        for target in targets:
            found = figures[target.name]
            elapsed_s, cpu_s, took_ms = await together(target, CALLERS, size.seconds)
            found.elapsed_s += elapsed_s
            found.cpu_s += cpu_s
            found.together_ms += took_ms
    return figures, median(raw)


def report(figures: dict[str, Figures], raw_ms: float, *, compiled: bool) -> int:
    """Print the table and the verdict; the exit code."""
    print(f"raw fdatasync of 4 KiB p50 {raw_ms:.3f} ms\n")
    print(f"{'':<14}{'1 caller':>18}{'added':>9}{f'{CALLERS} callers':>20}{'':>10}{'CPU':>10}{'per core':>11}")
    print(f"{'':<14}{'p50':>9}{'p99':>9}{'p50':>9}{'p50':>10}{'p99':>10}{'calls/s':>10}{'ms/call':>10}{'calls/s':>11}")
    direct = median(figures["direct"].alone_ms)
    for name, found in figures.items():
        one, many = found.alone_ms, found.together_ms
        print(
            f"{name:<14}{median(one):>9.3f}{at(one, 0.99):>9.3f}{median(one) - direct:>9.3f}"
            f"{median(many):>10.2f}{at(many, 0.99):>10.2f}"
            f"{found.rate:>10.0f}{found.cpu_ms:>10.3f}{found.per_core:>11.0f}"
        )
    print()
    remit_, bare = figures["remit"], figures["bare proxy"]
    added = median(remit_.alone_ms) - direct
    more_ms, share_min = (COMPILED_ADDED_MS, COMPILED_SHARE_MIN) if compiled else (ADDED_MS, SHARE_MIN)
    allowed = median(bare.alone_ms) - direct + SYNCS * raw_ms + more_ms
    share = remit_.per_core / bare.per_core
    return say(
        f"added p50 {added:.2f} ms; {remit_.per_core:.0f} calls/s per core, {share:.0%} of the bare proxy",
        f"≤ {allowed:.2f} ms (bare proxy + {SYNCS} × raw + {more_ms} ms); ≥ {share_min:.0%}",
        passed=added <= allowed and share >= share_min,
    )


def main(argv: Sequence[str]) -> int:
    """Measure, print, say."""
    if unknown := set(argv) - {"--long", "--short", "--no-fastmcp", "--compiled"}:
        usage = "python -m bench.gateway [--compiled] [--long] [--no-fastmcp]"
        print(f"unknown: {', '.join(sorted(unknown))}; {usage}", file=sys.stderr)
        return 2
    with ways(fastmcp="--no-fastmcp" not in argv) as targets:
        figures, raw_ms = asyncio.run(measure(targets, LONG if "--long" in argv else SHORT))
    return report(figures, raw_ms, compiled="--compiled" in argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
