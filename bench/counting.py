"""What counting and telling cost one action: the tally, and the front with its trace and its log line.

An `info` line is made and queued; writing it is another thread's.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from proof.verdict import say
from remit.adapters.system import SystemClock, SystemEntropy
from remit.app.http.front import Front
from remit.app.service.logs import Logs
from remit.facts.limits import DEFAULT
from remit.pep.tally import CallStage, Tally
from remit.pep.throttle import Throttle
from remit.trace.bodies import OutcomeBody, Status

TALLY_US: Final = 15.0
FRONT_US: Final = 60.0
_ROUNDS: Final = 9
_OUTCOME: Final = OutcomeBody("r1-1.2", Status.OK, ("s",), (), None, None, 0, 1.5)


async def tallied(count: int) -> None:
    """All that is counted of one permitted action: a decision, two records that become durable."""
    tally, clock = Tally(), SystemClock()
    throttle = Throttle(DEFAULT, clock)
    loop = asyncio.get_running_loop()
    for number in range(count):
        if number % 1_000 == 0:
            throttle = Throttle(DEFAULT, clock)
            await asyncio.sleep(0)
        with throttle.request("clerk"):
            tally.took(CallStage.DECIDE, 0.0004)
            for _ in range(2):
                future = loop.create_future()
                tally.recorded(_OUTCOME)
                tally.settles(future, clock)
                future.set_result(None)
            tally.took(CallStage.TOTAL, 0.002)


async def fronted(count: int, front: Callable[..., Coroutine[Any, Any, None]]) -> None:
    """`count` empty answers."""
    headers = [(b"host", b"127.0.0.1"), (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01")]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(_: Any) -> None:
        pass

    for _ in range(count):
        scope = {"type": "http", "path": "/mcp", "method": "POST", "headers": headers}
        await front(scope, receive, send)


async def empty(_scope: Any, _receive: Any, send: Any) -> None:
    """The application that does nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def each_us(work: Callable[[int], Coroutine[Any, Any, None]], count: int) -> float:
    """Microseconds of one of `count`, the median of several rounds."""
    found: list[float] = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        asyncio.run(work(count))
        found.append((time.process_time() - start) / count * 1e6)
    return statistics.median(found)


def main(argv: Sequence[str] = ()) -> int:
    """`--count N` actions a round."""
    parser = argparse.ArgumentParser(prog="bench.counting")
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--long", action="store_true")
    asked = parser.parse_args(argv)
    count = asked.count * (10 if asked.long else 1)
    front = Front(empty, SystemClock(), SystemEntropy(), Tally())
    tally_us = each_us(tallied, count)
    bare_us = each_us(lambda n: fronted(n, empty), count)
    silent_us = each_us(lambda n: fronted(n, front), count) - bare_us
    with tempfile.TemporaryDirectory(prefix="remit-counting-") as folder:
        logs = Logs(Path(folder), logging.INFO)
        logs.start()
        told_us = each_us(lambda n: fronted(n, front), count) - bare_us
        logs.close()
    figure = f"counting {tally_us:.1f} µs an action; front {silent_us:.1f} µs, with its log line {told_us:.1f} µs"
    goal = f"counting ≤ {TALLY_US:g} µs, front with its line ≤ {FRONT_US:g} µs"
    return say(figure, goal, passed=tally_us <= TALLY_US and told_us <= FRONT_US)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
