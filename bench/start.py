"""A restart with a million records behind it: how long is nobody governed?

Measured from exec of `remit up` to the first governed `tools/call` that is answered with its
result, and to `/readyz`. Byte-code is compiled and the bundle's validation comes from cache, as
in any second start; the MCP upstream is a real one and already runs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from proof.counting import Counting
from proof.service import REMIT, environment
from proof.verdict import say

RECORDS: Final = 1_000_000
ANSWER_S: Final = 1.5
READY_S: Final = 2.0


async def fill(data: Path, records: int) -> None:
    """A ledger of that many records: intents and their outcomes, in 1,000 sessions."""
    from bench.append import draft
    from remit.adapters.sqlite import open_ledger
    from remit.adapters.system import SystemClock, SystemEntropy
    from remit.facts.record import RecordKind
    from remit.ports.ledger import Draft
    from remit.trace.bodies import OutcomeBody, Status

    ledger = open_ledger(data / "ledger.sqlite3", SystemClock(), SystemEntropy())
    for start in range(0, records // 2, 2_000):
        last = None
        for number in range(start, start + 2_000):
            intent = draft(number % 1_000, number)
            ref = str(ledger.append(intent).ref)
            outcome = OutcomeBody(ref, Status.OK, (intent.sid,), ("untrusted",), None, None, 0, 1.0)
            last = ledger.append(Draft(RecordKind.OUTCOME, intent.at + 1, intent.bundle, intent.sid, outcome))
        assert last is not None
        await last.durable
        if start % 100_000 == 0:
            print(f"  {2 * start:,} of {records:,} records", file=sys.stderr)
    await ledger.close()


def request(token: str, ident: str) -> tuple[bytes, dict[str, str]]:
    """One stateless `tools/call` of the counter."""
    meta: dict[str, object] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params: dict[str, object] = {"name": "add", "arguments": {"id": ident}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "add",
    }
    return body, headers


def attempt(port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes | None:
    """The answer's body when it is 200, else None."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
    except OSError:
        return None
    finally:
        connection.close()
    return data if answer.status == 200 else None


def measured(counting: Counting, token: str, ident: str) -> tuple[float, float]:
    """Seconds from exec to the first governed answer, and to `/readyz`."""
    service = counting.service
    body, headers = request(token, ident)
    with (service.root / "service.log").open("ab") as log:
        start = time.perf_counter()
        service.process = subprocess.Popen(
            [REMIT, "up", "--workspace", service.workspace, "--data", service.data, "--port", str(service.port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
        )
    answered = ready = 0.0
    while time.perf_counter() - start < 30 and not (answered and ready):
        if not answered:
            data = attempt(service.port, "POST", "/mcp/counter", body, headers)
            if data is not None and b'"isError":true' not in data and b'"content"' in data:
                answered = time.perf_counter() - start
        if not ready and attempt(service.port, "GET", "/readyz", None, {}) is not None:
            ready = time.perf_counter() - start
        time.sleep(0.005)
    assert ident in counting.effects, f"the call was not governed: {service.log[-2000:]}"
    return answered, ready


def main(argv: Sequence[str] = ()) -> int:
    """`--records N`, `--runs N`; the verdict is over the median run."""
    parser = argparse.ArgumentParser(prog="bench.start")
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args(argv)
    times: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory(prefix="remit-start-") as folder, contextlib.ExitStack() as stack:
        counting = Counting(Path(folder))
        counting.service.data.mkdir(mode=0o700, parents=True)
        asyncio.run(fill(counting.service.data, asked.records))
        stack.enter_context(counting)
        token = counting.service.agent("clerk", "ana")
        counting.service.stop()
        for run in range(asked.runs):
            times.append(measured(counting, token, f"start-{run}"))
            counting.service.stop()
            print(f"run {run + 1}: answered {times[-1][0]:.2f} s, ready {times[-1][1]:.2f} s", file=sys.stderr)
    answered = statistics.median(found[0] for found in times)
    ready = statistics.median(found[1] for found in times)
    worst = max(found[0] for found in times)
    figure = f"answer {answered:.2f} s (worst {worst:.2f}), ready {ready:.2f} s, {asked.records:,} records"
    goal = f"answer ≤ {ANSWER_S} s, ready ≤ {READY_S} s with {RECORDS:,} records"
    enough = asked.records >= RECORDS
    return say(figure, goal, passed=enough and answered <= ANSWER_S and ready <= READY_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
