"""Calls of one agent that policy would have stopped, read backwards through the ledger.

Each page is one short transaction. SQLite itself passes over batches that do not name the agent,
outside Python, so that a report holds up nobody; what is looked at in Python is bounded by the
caller, who may stop between pages.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remit.adapters.sqlite import reads
from remit.adapters.sqlite.segment import Stored, unpack
from remit.ports.ledger import Entry
from remit.trace.actor import acted
from remit.trace.encoding import decode_record

SEGMENTS: Final = 256
"""Batches in one page."""
_END: Final = (1 << 63) - 1
_INTENT: Final = b',"intent",'
_PAGE: Final = (
    "SELECT segment.first, segment.count, instr(body.bodies, ?) > 0 FROM segment JOIN body USING (first) "
    "WHERE segment.first < ? ORDER BY segment.first DESC LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """A part of the ledger: how many records it holds, from when on, and what was found there.

    `calls` counts the agent's intents; `overridden` are those that observing let through, the
    latest first.
    """

    records: int
    from_ms: int
    calls: int
    overridden: tuple[Entry, ...]


def pages(path: Path, agent: str, since_ms: int) -> Iterator[LedgerPage]:
    """The ledger at `path` from its end back to `since_ms`. Blocks."""
    with closing(reads.open_readonly(path)) as conn:
        # Names of agents need no escape in JSON; nothing else of a chain is written like this.
        agent_bytes = b'["%s","' % agent.encode("ascii")
        before = _END
        while page := conn.execute(_PAGE, (agent_bytes, before, SEGMENTS)).fetchall():
            records, calls, from_ms = 0, 0, 0
            overridden: list[Entry] = []
            before = page[-1][0]
            for first, size, names in page:
                if names or first == before:
                    row = conn.execute(f"{reads.SEGMENT} WHERE segment.first = ?", (first,)).fetchone()
                    stored = list(unpack(*row))
                    from_ms = decode_record(stored[0].record).at
                    if from_ms < since_ms:
                        yield LedgerPage(records, from_ms, calls, tuple(overridden))
                        return
                    for record in reversed(stored):
                        observed = _observed(record, agent_bytes)
                        calls += observed is not None
                        if observed:
                            overridden.append(reads.entry(record))
                records += size
            yield LedgerPage(records, from_ms, calls, tuple(overridden))


def _observed(stored: Stored, agent_bytes: bytes) -> bool | None:
    """Whether observing let this call of the agent through; None where it is no call of its."""
    if stored.body is None or agent_bytes not in stored.body or _INTENT not in stored.record:
        return None
    action = acted(stored.body)
    return action[1] if action is not None and agent_bytes in action[0] else None
