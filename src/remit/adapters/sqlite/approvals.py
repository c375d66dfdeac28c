"""Reading the table of approvals: the latest, and those that still mean something though they are over."""

import sqlite3
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from remit.adapters.sqlite import rows
from remit.escalate.machine import Approval

_ALL: Final = "SELECT detail FROM approval ORDER BY id DESC LIMIT ?"
_OPEN: Final = "SELECT detail FROM approval WHERE state IN ('pending', 'approved') ORDER BY id DESC LIMIT ?"
REFUSED: Final = "SELECT detail FROM approval WHERE state = 'denied' AND detail ->> 'expires_ms' > ? ORDER BY +id"
"""By the index `approval_refused`: what it costs hangs on the noes that stand."""


class OpenApprovals:
    """Reads those that are open; what it read last it takes from there, since they are asked for every second."""

    def __init__(self) -> None:
        self._read: dict[str | bytes, Approval] = {}

    def __call__(self, conn: sqlite3.Connection, limit: int) -> Sequence[Approval]:
        """Approvals, newest first."""
        before = self._read
        details = [detail for (detail,) in conn.execute(_OPEN, (limit,))]
        # By the row's own bytes: what changed is another row.
        self._read = {detail: before.get(detail) or rows.approval_from((detail,)) for detail in details}
        return list(self._read.values())


def latest(conn: sqlite3.Connection, limit: int) -> Sequence[Approval]:
    """Approvals, newest first."""
    return [rows.approval_from(row) for row in conn.execute(_ALL, (limit,)).fetchall()]


def refusals(conn: sqlite3.Connection, now_ms: int) -> Sequence[Approval]:
    """Those that were refused and would not have expired at `now_ms` yet, oldest first."""
    return [rows.approval_from(row) for row in conn.execute(REFUSED, (now_ms,)).fetchall()]


def approval_requests(conn: sqlite3.Connection, since_ms: int) -> Sequence[tuple[str, int]]:
    """Who had people asked since `since_ms`, and when, oldest first."""
    cursor = conn.execute("SELECT detail FROM approval ORDER BY id DESC")
    recent = takewhile(lambda approval: approval.opened_ms >= since_ms, map(rows.approval_from, cursor))
    requests = [(approval.agent, approval.opened_ms) for approval in recent]
    cursor.close()
    return requests[::-1]
