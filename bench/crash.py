"""kill -9 in the middle of work: is every effect on the ledger, and the list of doubts exact?

Each round: a real service governs a real MCP server (the counter) whose tool takes effect at
once and answers 250 ms later; many callers call it without pause; the service is killed with
SIGKILL; it starts again on the same data. What happened at the counter is known outside both
processes, by id. A round counts when at least 20 intents were durable without an outcome.

Checked: every answer that a caller got has its intent and outcome; every effect has a durable
intent; `in-doubt` is exactly the intents without outcome, computed here from all records; every
in-doubt list holds each effect whose caller got no answer and whose outcome is missing; the
ledger verifies.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from proof.counting import Counting
from proof.verdict import say
from remit.facts.canonical import canonical

CALLERS: Final = 48
IN_FLIGHT_MIN: Final = 20
DELAY_S: Final = 0.25
_META: Final[dict[str, object]] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass
class Seen:
    """What callers were told: ids they sent, ids that were answered with a result."""

    sent: set[str] = field(default_factory=set[str])
    answered: set[str] = field(default_factory=set[str])


async def caller(session: aiohttp.ClientSession, url: str, token: str, name: str, seen: Seen) -> None:
    """Call without pause until the service is gone."""
    for number in range(10_000):
        ident = f"{name}-{number}"
        params: dict[str, object] = {"name": "add", "arguments": {"id": ident}, "_meta": _META}
        message: dict[str, object] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": "add",
        }
        seen.sent.add(ident)
        try:
            async with session.post(url, json=message, headers=headers) as answer:
                told = await answer.json(content_type=None)
        except (aiohttp.ClientError, ConnectionError, ValueError):
            return
        if "result" in told and not told["result"].get("isError"):
            seen.answered.add(ident)


async def interrupted(counting: Counting, token: str, label: str, after_s: float) -> Seen:
    """Load the service, kill it after `after_s`, and say what callers saw."""
    seen = Seen()
    process = counting.service.process
    assert process is not None
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        url = f"{counting.service.url}/mcp/counter"
        tasks = [asyncio.create_task(caller(session, url, token, f"{label}-{index}", seen)) for index in range(CALLERS)]
        await asyncio.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait, 20)
        done, late = await asyncio.wait(tasks, timeout=10)
        for task in late:
            task.cancel()
        for task in done:
            task.result()
    counting.service.process = None
    return seen


def told_by(counting: Counting, path: str, **query: object) -> Any:
    """One answer of the control API, as the admin."""
    from remit.app.terminal.client import ServiceClient

    return ServiceClient(counting.service.admin, counting.service.url).get(path, **query)


@dataclass
class Recorded:
    """What the ledger holds: intents by argument hash, ids with outcome, both by decision id."""

    intents: dict[str, str] = field(default_factory=dict[str, str])
    ended: set[str] = field(default_factory=set[str])
    after: str | None = None

    def read(self, counting: Counting) -> None:
        """Take in every record since the last look."""
        while True:
            page = told_by(counting, "/ledger/entries", after=self.after, limit=1000)
            for item in page["items"]:
                self.after = item["id"]
                if item["kind"] == "intent":
                    self.intents[item["body"]["arguments"]] = item["id"]
                elif item["kind"] == "outcome":
                    self.ended.add(item["body"]["intent"])
            if page["next"] is None:
                return


def arguments_hash(ident: str) -> str:
    """How the API names the arguments `{"id": ident}`."""
    return "sha256:" + hashlib.sha256(canonical({"id": ident})).hexdigest()


def judged(counting: Counting, recorded: Recorded, seen: Seen) -> tuple[int, list[str]]:
    """How many intents were in flight at the kill, and everything that is wrong."""
    recorded.read(counting)
    wrong: list[str] = []
    effects = set(counting.effects)
    for ident in seen.answered:
        ref = recorded.intents.get(arguments_hash(ident))
        if ref is None or ref not in recorded.ended:
            wrong.append(f"answered, and not on the ledger: {ident}")
    wrong += [
        f"an effect without an intent: {ident}" for ident in effects if arguments_hash(ident) not in recorded.intents
    ]
    expected = set(recorded.intents.values()) - recorded.ended
    listed = {one["id"] for one in told_by(counting, "/ledger/in-doubt")["items"] if one["outcome"] == "none"}
    if expected != listed:
        wrong.append(f"in doubt: {len(expected)} by the records, {len(listed)} listed, {len(expected ^ listed)} differ")
    lost = {
        ident
        for ident in effects & seen.sent - seen.answered
        if (ref := recorded.intents.get(arguments_hash(ident))) not in recorded.ended and ref not in listed
    }
    if lost:
        wrong.append(f"{len(lost)} effects are neither ended nor in doubt")
    in_flight = sum(1 for ident in seen.sent if recorded.intents.get(arguments_hash(ident)) in listed)
    return in_flight, wrong


def rounds(counting: Counting, wanted: int, rng: random.Random) -> tuple[int, int, int, list[str]]:
    """Run until `wanted` rounds count; (counted, tried, intents in doubt, what is wrong)."""
    recorded, wrong, counted, tried = Recorded(), list[str](), 0, 0
    token = counting.service.agent("clerk", "ana")
    while counted < wanted and tried < 3 * wanted and not wrong:
        tried += 1
        seen = asyncio.run(interrupted(counting, token, f"r{tried}", rng.uniform(0.4, 1.2)))
        counting.service.start()
        in_flight, wrong = judged(counting, recorded, seen)
        counted += in_flight >= IN_FLIGHT_MIN
        print(f"round {tried}: {len(seen.answered)} answered, {in_flight} in flight at the kill", file=sys.stderr)
    verified = counting.service.remit("ledger", "verify")
    if verified.returncode != 0:
        wrong.append(f"the ledger does not verify: {verified.stdout[-300:]}")
    return counted, tried, len(recorded.intents) - len(recorded.ended), wrong


def main(argv: Sequence[str] = ()) -> int:
    """`--rounds N`: that many rounds that count."""
    parser = argparse.ArgumentParser(prog="bench.crash")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args(argv)
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="remit-crash-") as folder, contextlib.ExitStack() as stack:
        counting = stack.enter_context(Counting(Path(folder), delay_s=DELAY_S))
        counted, tried, in_doubt, wrong = rounds(counting, asked.rounds, rng)
    for line in wrong:
        print(line)
    figure = f"{counted} rounds counted of {tried}, {in_doubt} intents in doubt all told, {len(wrong)} wrong"
    goal = f"{asked.rounds} rounds with at least {IN_FLIGHT_MIN} in flight, 0 wrong"
    return say(figure, goal, passed=not wrong and counted >= asked.rounds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
