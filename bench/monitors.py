"""What an event costs monitors after 10^3, 10^4, 10^5 and 10^6 of them: the same, in the same room.

Each event is a mark taken and what the monitor says then, of each kind: for ever, in a window that slides all the
while, by a thousand keys, with a third of the events taken back. Beside each monitor a list of its events would be a
million entries long. Each size is measured over the last thousand events of it.

The sizes are compared, so they have to meet the same machine, and one in company doubles its speed within seconds: each
size has cells of its own, which are brought to it first, and then the last thousand of all sizes are taken in turns, a
few events at a time, each turn in the other order. Nothing else of a size is measured, and nothing left out of it.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from proof.verdict import say
from remit.facts.mark import FLEET, Mark, MarkOp
from remit.facts.monitor import Cells, Window, slots_of
from remit.protect.monitors import key_of
from remit.protect.past import Past

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
LAST: Final = 1_000
CHUNK: Final = 100
TURN: Final = 10
GROWTH_MAX: Final = 1.5
EACH_US_MAX: Final = 10.0
KEYS: Final = 1_000
FOREVER: Final = Window()
MINUTE: Final = Window(1_000, 60)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of monitor: in which window, whether by keys, and what every third event does."""

    name: str
    window: Window
    keyed: bool = False
    third: MarkOp = MarkOp.ADD


KINDS: Final = (
    Kind("for ever", FOREVER),
    Kind("since", FOREVER, third=MarkOp.RESET),
    Kind("window", MINUTE),
    Kind("window, taken back", MINUTE, third=MarkOp.BACK),
    Kind("by 1,000 keys", MINUTE, keyed=True),
)


def marks(kind: Kind, count: int) -> Iterator[Mark]:
    """`count` marks, ten milliseconds apart; every third may do something else."""
    cells, window = cells_of(kind), kind.window
    keys = [key_of(cells, {"id": number}) for number in range(KEYS)]
    for number in range(count):
        key, at_ms = keys[number % KEYS], number * 10
        does = kind.third if number % 3 == 2 else MarkOp.ADD
        told = at_ms - 10 if does is MarkOp.BACK else at_ms
        yield Mark(kind.name, cells.fleet, cells.slot(key), key, does, told, 1, window.step_ms, window.steps)


def cells_of(kind: Kind) -> Cells:
    """Where it is kept."""
    argument = "id" if kind.keyed else None
    return Cells(
        kind.name, fleet=True, slots=slots_of(KEYS) if kind.keyed else 1, window=kind.window, argument=argument
    )


def quiet_us(times_ns: list[int]) -> float:
    """The median of the quietest hundred of them, in microseconds: what else the machine does is no event's cost."""
    chunks = (times_ns[at : at + CHUNK] for at in range(0, len(times_ns), CHUNK))
    return min(statistics.median(chunk) for chunk in chunks) / 1e3


class Run:
    """One size of one kind: cells of its own, what is still to come, and how long each of the last events took."""

    def __init__(self, kind: Kind, size: int) -> None:
        self.window, self.cells, self.past = kind.window, cells_of(kind), Past()
        self.times_ns = list[int]()
        coming = marks(kind, size)
        for mark in islice(coming, size - LAST):
            self.take(mark)
        self.last = list(coming)

    def take(self, mark: Mark) -> None:
        """One event: the mark, and what the monitor says then."""
        assert mark.at_ms is not None
        self.past.take(FLEET, mark, mark.at_ms)
        cell = self.past.cell(self.cells, FLEET, mark.key, mark.at_ms)
        assert cell is not None
        cell.total(self.window, mark.at_ms)

    def turn(self, begin: int) -> None:
        """The next few of the last thousand, each measured."""
        for mark in self.last[begin : begin + TURN]:
            begun = time.perf_counter_ns()
            self.take(mark)
            self.times_ns.append(time.perf_counter_ns() - begun)


def curve(kind: Kind, most: int) -> tuple[dict[int, float], int]:
    """Microseconds of one event at each size, of its last thousand; and the most cells that one keeps."""
    runs = {size: Run(kind, size) for size in SIZES if size <= most}
    order = list(runs.values())
    for begin in range(0, LAST, TURN):
        for run in order:
            run.turn(begin)
        order.reverse()
    found = {size: quiet_us(run.times_ns) for size, run in runs.items()}
    return found, max(run.past.count(kind.name) for run in order)


def main(argv: Sequence[str] = ()) -> int:
    """`--most N` events of each kind, at most."""
    parser = argparse.ArgumentParser(prog="bench.monitors")
    parser.add_argument("--most", type=int, default=SIZES[-1])
    asked = parser.parse_args(argv)
    gc.disable()
    worst, grown, kept = 0.0, 0.0, 0
    for kind in KINDS:
        found, cells = curve(kind, asked.most)
        told = "  ".join(f"{size:>9,}: {us:.2f} µs" for size, us in found.items())
        print(f"{kind.name:>20}  {told}  {cells:,} cells")
        worst = max(worst, *found.values())
        grown = max(grown, max(found.values()) / min(found.values()))
        kept = max(kept, cells)
    figure = f"at most {worst:.2f} µs an event at any size, {grown:.2f} times the least of its kind; {kept:,} cells"
    goal = f"≤ {EACH_US_MAX:g} µs an event, at 10^6 as at 10^3: at most {GROWTH_MAX:g} times"
    return say(figure, goal, passed=worst <= EACH_US_MAX and grown <= GROWTH_MAX and kept <= KEYS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
