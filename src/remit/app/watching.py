"""`remit up --watch`: take workspace changes by themselves, for development only."""

import asyncio
from pathlib import Path
from typing import Final

from remit.api.services import Invalid
from remit.app.output import say
from remit.app.runtime import Runtime

_PERIOD_S: Final = 0.5


async def watching(workspace: Path, runtime: Runtime) -> None:
    """Apply `workspace` whenever a file of it changed, until cancelled."""
    seen = stamp(workspace)
    while True:
        await asyncio.sleep(_PERIOD_S)
        now = stamp(workspace)
        if now == seen:
            continue
        seen = now
        try:
            applied = await runtime.apply(dry_run=False, by="watch")
            say(f"running bundle {applied.digest}")
        except Invalid as error:
            for problem in error.problems:
                say(problem)
            say("the running bundle stays")


def stamp(workspace: Path) -> frozenset[tuple[str, int, int]]:
    """What tells whether a file below `workspace`, or it itself where it is one, changed."""
    found: set[tuple[str, int, int]] = set()
    for path in (workspace, *workspace.rglob("*")):
        try:
            status = path.stat()
        except OSError:
            continue
        if path.is_file():
            found.add((str(path), status.st_mtime_ns, status.st_size))
    return frozenset(found)
