"""Play every case with its protection switched on and off, and print the table: `python -m proof.protection`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from proof.protection.cases import CASES, clinic
from proof.verdict import say

if TYPE_CHECKING:
    from proof.protection.cases import Case
    from proof.protection.world import Clinic

GOAL = "each held with it on, and through with it off"


async def row(case: Case, of: Clinic) -> tuple[bool, bool]:
    """Whether it is held, and the rest serves, where it is on; and whether it gets through where it is off."""
    on = await case.play(of, on=True)
    off = await case.play(of, on=False)
    return case.works(on) and not case.through(on), case.through(off)


def main() -> int:
    """Print the table."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="remit-protection-") as folder, clinic(Path(folder)) as of:
        print(f"{'protection':<28} {'on':<8} off")
        for case in CASES:
            held, through = asyncio.run(row(case, of))
            failed += not (held and through)
            print(f"{case.name:<28} {'held' if held else 'FAILED':<8} {'through' if through else 'FAILED'}", flush=True)
    return say(f"{len(CASES) - failed} of {len(CASES)}", GOAL, passed=not failed)


if __name__ == "__main__":
    sys.exit(main())
