"""Run the messages, print what came of them and the verdict."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop

from proof.fuzz.world import world
from proof.machine import DATA
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proof.fuzz.world import World

WORKERS: Final = 32
STREAMS: Final = 24
SHOWN_EVERY_S: Final = 5.0


async def run(folder: Path, count: int, seed: int, only: int | None) -> World:
    """Send messages 0 to `count`, or `only` that one."""
    async with world(folder, seed) as made:
        numbers = iter(range(count)) if only is None else iter((only,))
        done, shown = 0, time.monotonic()

        async def work() -> None:
            nonlocal done, shown
            for number in numbers:
                await made.send(number)
                done += 1
                if time.monotonic() - shown > SHOWN_EVERY_S:
                    shown = time.monotonic()
                    print(f"{done:,} of {count:,} messages, {made.laws.effects.total():,} effects", file=sys.stderr)

        async def stand(first: int) -> None:
            for number in range(first, sys.maxsize, STREAMS):
                await made.stand(number)

        streams = [asyncio.create_task(stand(first)) for first in range(STREAMS)]
        await asyncio.gather(*(work() for _ in range(WORKERS)))
        await made.settle()
        for stream in streams:
            stream.cancel()
        ended = await asyncio.gather(*streams, return_exceptions=True)
        if only is None and (failed := [one for one in ended if isinstance(one, Exception)]):
            raise failed[0]
    return made


def main(argv: Sequence[str]) -> int:
    """Send, print, say."""
    asked = argparse.ArgumentParser(prog="python -m proof.fuzz", description=sys.modules["proof.fuzz"].__doc__)
    asked.add_argument("--count", type=int, default=100_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", type=int)
    given = asked.parse_args(argv)
    DATA.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=DATA, prefix="fuzz-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        made = runner.run(run(Path(folder), given.count, given.seed, given.only))
    laws = made.laws
    print(f"answers by status: {dict(sorted(made.statuses.items()))}")
    for sentence in laws.broken:
        print(f"broken: {sentence}")
    print(f"clients were asked: {dict(sorted(laws.asked.items()))}; {laws.heard:,} answers were heard")
    told = made.streams.told
    print(f"streams told: {dict(sorted(told.items()))}")
    tried = laws.effects.total() > given.count // 100 and laws.released > given.count // 200
    kinds = ("tools/list_changed", "prompts/list_changed", "resources/updated", "elicitation/complete")
    tried = tried and all(told[f"notifications/{kind}"] for kind in kinds)
    tried = (
        tried
        and laws.heard > given.count // 500
        and laws.asked.keys() >= {"elicitation/create", "sampling/createMessage"}
    )
    figure = (
        f"{given.count:,} messages of seed {given.seed}: {laws.effects.total():,} reached a server, "
        f"{laws.released:,} pieces of its answers were released, {len(laws.broken)} laws broken"
    )
    return say(figure, "0 broken", passed=not laws.broken and (tried or given.only is not None))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
