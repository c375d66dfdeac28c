"""How a command fails: what, why, the next command, and an exit code that programs can read.

Exit codes (docs/reference/cli.md): 0 yes or clean, 1 negative answer, 2 usage, 3 invalid resource,
4 unauthenticated or forbidden, 5 not found, 6 unreachable, 7 timeout.
"""

from enum import IntEnum
from typing import Final

from remit.facts.text import escaped

_CHARS_MAX: Final = 100_000


class Exit(IntEnum):
    """Process exit codes."""

    OK = 0
    NEGATIVE = 1
    USAGE = 2
    INVALID = 3
    FORBIDDEN = 4
    NOT_FOUND = 5
    UNREACHABLE = 6
    TIMEOUT = 7


class CommandFailure(Exception):
    """A command that cannot go on: `what` happened, `why`, and the `next` command to try."""

    def __init__(self, what: str, *, why: str = "", next: str = "", exit: Exit = Exit.NEGATIVE) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next = next
        self.exit = exit

    def __str__(self) -> str:
        lines = [f"error: {self.what}"]
        if self.why:
            lines.append(f"  why:  {self.why}")
        if self.next:
            lines.append(f"  next: {self.next}")
        # Some of it may be an agent's or a server's: never more than text to a terminal.
        return escaped("\n".join(lines), chars_max=_CHARS_MAX)
