"""`remit up --watch`: take workspace changes by themselves, for development only."""

import os
from pathlib import Path
from typing import Final

from remit.api.services import Conflict, Invalid
from remit.app.service.runtime import Runtime
from remit.app.terminal.output import say
from remit.facts.text import escaped

PERIOD_S: Final = 0.5

Stamp = frozenset[tuple[str, int, int]]
"""Files with the time of their last change (nanoseconds) and their size."""


class WorkspaceWatcher:
    """Applies `workspace` whenever a file of it is no longer as in `taken`."""

    def __init__(self, workspace: Path, runtime: Runtime, taken: Stamp) -> None:
        self._workspace = workspace
        self._runtime = runtime
        self._seen = taken

    async def turn(self) -> None:
        """Apply what changed, and say what came of it. What cannot be applied waits for the next change.

        Raises what it does not know, which an `apply` by hand would raise as well.
        """
        now = stamp(self._workspace)
        if now == self._seen:
            return
        self._seen = now
        try:
            applied = await self._runtime.apply(dry_run=False, by="watch")
        except Invalid as error:
            _stays(*error.problems)
        except Conflict as error:
            _stays(f"{error}; next: {error.next}")
        except Exception:
            _stays()
            raise
        else:
            say(f"running bundle {applied.digest}")


def _stays(*why: str) -> None:
    for each in why:
        say(escaped(each))
    say("the running bundle stays")


def stamp(workspace: Path) -> Stamp:
    """What tells whether a file below `workspace`, or it itself where it is one, changed. What is gone is left out."""
    stamps: set[tuple[str, int, int]] = set()
    below = (Path(folder, name) for folder, _, names in os.walk(workspace) for name in names)
    for path in (workspace, *below):
        try:
            status = path.stat()
        except OSError:
            continue
        if path.is_file():
            stamps.add((str(path), status.st_mtime_ns, status.st_size))
    return frozenset(stamps)
