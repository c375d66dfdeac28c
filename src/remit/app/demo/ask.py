"""A person's word on what waits: the one at the terminal, or, without a terminal, a no after 5 s."""

import select
import sys
import termios
import time
from collections.abc import Mapping
from typing import Any, Final

from remit.app.demo.narrate import Narrator, Sign
from remit.app.terminal.client import ServiceClient

ALONE_S: Final = 5.0
PERSON_S: Final = 60.0


def waiting(decider: ServiceClient) -> Mapping[str, Any] | None:
    """The approval that waits for `decider`, whole, or None."""
    items = decider.get("/approvals", open="true")["items"]
    return decider.get(f"/approvals/{items[0]['id']}") if items else None


def decide(decider: ServiceClient, approval: Mapping[str, Any], who: str, narrator: Narrator) -> bool:
    """Have `approval` decided as `who`, tell what was decided, and answer whether it was a yes."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        approved, why = _ask(who)
    else:
        time.sleep(ALONE_S)
        approved, why = False, f"nobody at a terminal: {who} says no after {ALONE_S:.0f} s"
    decider.post(f"/approvals/{approval['id']}/{'approve' if approved else 'deny'}", {"note": why})
    narrator.line(Sign.PERMIT if approved else Sign.DENY, why)
    return approved


def _ask(who: str) -> tuple[bool, str]:
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    print(f"         You are {who}. Let this one call through? [y/N, {PERSON_S:.0f} s] ", end="", flush=True)
    ready, _, _ = select.select([sys.stdin], [], [], PERSON_S)
    if not ready:
        print()
        return False, f"no word for {PERSON_S:.0f} s: {who} says no"
    approved = sys.stdin.readline().strip().lower() in {"y", "yes"}
    return approved, f"{who} says {'yes, this once' if approved else 'no'}"
