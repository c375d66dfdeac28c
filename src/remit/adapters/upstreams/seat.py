"""Where one session's child sits through its restarts, and what it is started with."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from remit.adapters.upstreams.child import Child
from remit.adapters.upstreams.listings import Listings
from remit.facts.catalog import Stdio

MINIMAL_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
SETTLED_S: Final = 60.0
BACK_OFF_S: Final = 0.5
BACK_OFF_S_MAX: Final = 30.0


@dataclass(slots=True, eq=False)
class Seat:
    """One place for a child. Times are of the monotonic clock; `turn` is who calls a shared child."""

    used_s: float
    sid: str = ""
    child: Child | None = None
    listings: Listings | None = None
    starting: "asyncio.Task[Child] | None" = None
    started_s: float = 0.0
    failures: int = 0
    not_before_s: float = float("-inf")
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def running(self) -> Child | None:
        """The child, if it can be asked."""
        return self.child if self.child is not None and self.child.alive else None

    @property
    def busy(self) -> bool:
        """Whether it starts, owes an answer or is watched."""
        return self.starting_now or (self.child is not None and self.child.busy) or self.turn.locked()

    @property
    def starting_now(self) -> bool:
        """Whether a start is under way."""
        return self.starting is not None and not self.starting.done()

    def failed(self, now_s: float) -> None:
        """Count a failure: the first restart is at once, each later one waits twice as long.

        A child that lived for `SETTLED_S` starts the count anew.
        """
        if self.child is not None and now_s - self.started_s > SETTLED_S:
            self.failures = 0
        self.failures += 1
        wait_s = 0.0 if self.failures == 1 else BACK_OFF_S * 2 ** min(self.failures - 2, 16)
        self.not_before_s = now_s + min(wait_s, BACK_OFF_S_MAX)


@dataclass(frozen=True, slots=True)
class Start:
    """What a child is started with: `command[0]` is a path, `env` is all it gets."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path


def prepare(transport: Stdio, variables: Mapping[str, str], home: Path) -> Start:
    """Make the child's own folder `home`, find its program. Raises `OSError`, `ValueError`.

    `variables` are the variables declared for it, references resolved. The program is looked for on the child's
    `PATH`, then on Remit's; the child only gets its own.
    """
    if any("\0" in text for text in (*transport.command, *variables, *variables.values())):
        raise ValueError("its command or env holds a NUL character")  # uvloop would cut it off there
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    env = {"PATH": MINIMAL_PATH, "HOME": str(home), "LANG": "C.UTF-8", **variables}
    program, *rest = transport.command
    cwd = home if transport.cwd is None else Path(transport.cwd)
    if not cwd.is_dir():
        raise FileNotFoundError(f"its working folder {str(cwd)!r} does not exist")
    if "/" in program:
        program = str(cwd / program)
    executable = shutil.which(program, path=env["PATH"]) or shutil.which(program)
    if executable is None:
        raise FileNotFoundError(f"no program {program!r}; give `command` its full path, then: remit apply")
    return Start((str(Path(executable).absolute()), *rest), env, cwd)
