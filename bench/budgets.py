"""kill -9 in the midst of spending: is a budget ever overspent, and is what was reserved to be had again?

Each round has an agent of its own, and so accounts of its own: one of calls and one of money. 64 callers spend them
without pause through a real service at a real MCP server (the counter), which notes each amount the moment it takes
effect and answers a little later; the service is killed with SIGKILL at a random moment, starts again on the same data,
and the callers go on until each of them is denied.

Counted at the server, which knows nothing of budgets: calls and amounts of the round, never more than there was. And at
the first answer after the start what the accounts say is what durable intents took, no more: what had been reserved
without one is to be had again, and the callers then spend all of it. The ledger verifies.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from proof.counting import Counting
from proof.verdict import say
from remit.adapters.sqlite.reads import SEGMENT, open_readonly
from remit.adapters.sqlite.segment import unpack
from remit.facts.impact import PLACES
from remit.facts.record import RecordKind
from remit.trace.bodies import ActionBody, OutcomeBody
from remit.trace.encoding import decode_body, decode_record

CALLERS: Final = 64
CALLS: Final = 120
MONEY: Final = 300
AMOUNT_MAX: Final = 5
DELAY_S: Final = 0.03
KILLED_BY: Final = 70
"""The service is killed once so many took effect, or fewer."""
BUDGETS: Final = f"""\
apiVersion: remit.dev/v1alpha1
kind: Budget
metadata: {{name: calls}}
spec: {{measure: calls, per: agent, hard: {CALLS}, window_s: 31536000}}
---
apiVersion: remit.dev/v1alpha1
kind: Budget
metadata: {{name: money}}
spec: {{measure: amount, per: agent, hard: {MONEY}, window_s: 31536000, tools: [counter/add]}}
---
"""
AGENT: Final = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {{name: {name}}}
spec: {{owner: platform, purpose: spends, groups: [clerks]}}
---
"""
_META: Final[dict[str, object]] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass
class Round:
    """One agent's round: its token, and how its callers fared."""

    name: str
    token: str
    rng: random.Random
    answered: int = 0
    denied: int = 0
    made: int = 0

    def arguments(self) -> dict[str, object]:
        """Those of the next call, which says whose it is."""
        self.made += 1
        return {"id": f"{self.name}-{self.made}", "amount": self.rng.randint(1, AMOUNT_MAX)}


async def caller(session: aiohttp.ClientSession, url: str, one: Round) -> bool:
    """Call without pause until it is denied, which is True, or the service is gone."""
    headers = {
        "authorization": f"Bearer {one.token}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "add",
    }
    while True:
        params: dict[str, object] = {"name": "add", "arguments": one.arguments(), "_meta": _META}
        message: dict[str, object] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        try:
            async with session.post(url, json=message, headers=headers) as answer:
                told = await answer.json(content_type=None)
        except (aiohttp.ClientError, ConnectionError, ValueError):
            return False
        result = told.get("result", {})
        if result.get("isError"):
            text = str(result["content"])
            if "budget/spent" not in text and "the budget" not in text:
                raise AssertionError(f"neither done nor over budget: {text[:300]}")
            one.denied += 1
            return True
        one.answered += 1


async def load(counting: Counting, one: Round, kill_at: int | None) -> bool:
    """All callers of a round; whether all were denied in the end. The service is killed once `kill_at` took effect."""
    process = counting.service.process
    assert process is not None
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        url = f"{counting.service.url}/mcp/counter"
        tasks = [asyncio.create_task(caller(session, url, one)) for _ in range(CALLERS)]
        if kill_at is not None:
            while at_the_server(counting, one.name)[0] < kill_at:  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait, 20)
        return all(await asyncio.gather(*tasks))


def spent(counting: Counting, budget: str, agent: str) -> float:
    """What the service says was spent."""
    from remit.app.terminal.client import ServiceClient

    told: Any = ServiceClient(counting.service.admin, counting.service.url).get(f"/resources/budget/{budget}")
    for account in told["status"]["accounts"]:
        if account["whose"] == f"agent {agent}":
            return float(account["spent"].replace(",", ""))
    return 0.0


def recorded(counting: Counting, agent: str) -> tuple[float, float]:
    """Calls and money that durable intents of `agent` took and outcomes did not give back, by the records alone."""
    taken = Counter[str]()
    with contextlib.closing(open_readonly(counting.service.data / "ledger.sqlite3")) as conn:
        for row in conn.execute(f"{SEGMENT} ORDER BY segment.first").fetchall():
            for stored in unpack(*row):
                kind = decode_record(stored.record).kind
                body = None if stored.body is None else decode_body(kind, stored.body)
                if isinstance(body, ActionBody) and kind is RecordKind.INTENT:
                    taken.update({charge.account: charge.units for charge in body.charges})
                elif isinstance(body, OutcomeBody):
                    taken.subtract({refund.account: refund.units for refund in body.refunds})
    found = {name.split()[0]: units for name, units in taken.items() if name.endswith(f" agent:{agent}")}
    return found.get("calls", 0), found.get("money", 0) / PLACES


def at_the_server(counting: Counting, agent: str) -> tuple[int, int]:
    """Calls and money of `agent` that took effect."""
    path = counting.root / "effects"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    amounts = [int(line.split()[1]) for line in lines if line.startswith(f"{agent}-")]
    return len(amounts), sum(amounts)


def play(counting: Counting, one: Round, kill_at: int) -> tuple[list[str], int, int]:
    """One round; what is wrong, calls that took effect before the kill, and those that were spent without effect."""
    wrong: list[str] = []
    asyncio.run(load(counting, one, kill_at))
    counting.service.process = None
    before, _ = at_the_server(counting, one.name)
    counting.service.start()
    durable = recorded(counting, one.name)
    if (spent(counting, "calls", one.name), spent(counting, "money", one.name)) != durable:
        wrong.append(f"{one.name}: the accounts say another thing than the records {durable}")
    if not asyncio.run(load(counting, one, None)):
        wrong.append(f"{one.name}: a caller was neither served nor denied")
    calls, money = at_the_server(counting, one.name)
    if calls > CALLS or money > MONEY:
        wrong.append(f"{one.name}: {calls} calls of {CALLS} and {money} of {MONEY} took effect")
    said = spent(counting, "calls", one.name), spent(counting, "money", one.name)
    if said[0] + 1 <= CALLS and said[1] + AMOUNT_MAX <= MONEY:
        wrong.append(f"{one.name}: {said} are spent and all were denied")
    if calls > said[0] or money > said[1]:
        wrong.append(f"{one.name}: {calls}, {money} took effect, and {said} were spent")
    return wrong, before, int(said[0]) - calls


def main(argv: Sequence[str] = ()) -> int:
    """`--rounds N`: that many; `--seed N`."""
    parser = argparse.ArgumentParser(prog="bench.budgets")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args(argv)
    rng = random.Random(asked.seed)
    wrong: list[str] = []
    amid = doubtful = 0
    with tempfile.TemporaryDirectory(prefix="remit-budgets-") as folder, contextlib.ExitStack() as stack:
        counting = stack.enter_context(Counting(Path(folder), delay_s=DELAY_S))
        names = [f"round-{number}" for number in range(asked.rounds)]
        resources = (counting.service.workspace / "resources.yaml").read_text("utf-8")
        effect = "spec: {effect: irreversible, sink: internal, source: []"
        counted = resources.replace(f"{effect}}}", f"{effect}, impact: {{amount: {{path: $.amount}}}}}}", 1)
        agents = "".join(AGENT.format(name=name) for name in names)
        counting.service.write({"resources.yaml": counted, "agents.yaml": agents, "budgets.yaml": BUDGETS})
        counting.service.apply()
        for number, name in enumerate(names):
            one = Round(name, token(counting, name), random.Random(rng.random()))
            found, before, lost = play(counting, one, rng.randint(1, KILLED_BY))
            wrong += found
            amid += before < KILLED_BY + CALLERS
            doubtful += lost
            print(f"round {number}: {before} took effect before the kill, {lost} spent without", file=sys.stderr)
            if wrong:
                break
        verified = counting.service.remit("ledger", "verify")
        if verified.returncode != 0:
            wrong.append(f"the ledger does not verify: {verified.stdout[-300:]}")
    for line in wrong:
        print(line)
    figure = f"{asked.rounds} rounds, {amid} killed amid spending, {doubtful} calls in doubt spent, {len(wrong)} wrong"
    return say(
        figure,
        "never overspent, nothing reserved lost, at the server's own count",
        passed=not wrong and amid == asked.rounds,
    )


def token(counting: Counting, agent: str) -> str:
    """A fresh token for `agent`."""
    from remit.app.terminal.client import ServiceClient

    asked = {"kind": "agent", "name": agent, "user": "ana"}
    return str(ServiceClient(counting.service.admin, counting.service.url).post("/tokens", asked)["token"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
